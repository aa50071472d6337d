/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/complete.h"

#include <stdio.h>
#include <string.h>

static void print_options(const struct cof_command *command)
{
    for (size_t i = 0; i < command->n_options; i++)
        (void)printf("--%s ", command->options[i].name);
    (void)printf("--help --man --version");
}

/* First words, and for those that begin verbs of two words the second ones. */
static void print_words(const struct cof_verb_name *verbs, size_t n, const char *first)
{
    for (size_t i = 0; i < n; i++) {
        const char *name = verbs[i].name, *space = strchr(name, ' ');
        size_t len = space == NULL ? strlen(name) : (size_t)(space - name);
        bool again = false;

        if (first != NULL && space != NULL && strlen(first) >= len && strncmp(name, first, len) == 0)
            (void)printf("%s ", space + 1);
        for (size_t j = 0; j < i; j++)
            again = again || (strncmp(verbs[j].name, name, len) == 0 && (verbs[j].name[len] == ' ' || verbs[j].name[len] == '\0'));
        if (first == NULL && !again)
            (void)printf("%.*s ", (int)len, name);
    }
}

/* A shell's function may not be named like every program. */
static void print_function(const char *prog)
{
    (void)putchar('_');
    for (; *prog != '\0'; prog++)
        (void)putchar(*prog == '-' ? '_' : *prog);
}

static void bash_alone(const char *prog, const struct cof_command *command)
{
    (void)printf("# bash completion for %s, printed by '%s --completion'\n", prog, prog);
    print_function(prog);
    (void)printf("()\n{\n    local cur=${COMP_WORDS[COMP_CWORD]}\n    COMPREPLY=()\n    case $cur in\n    -*) COMPREPLY=($(compgen -W '");
    print_options(command);
    (void)printf(" --completion' -- \"$cur\")) ;;\n    *) compopt -o default 2>/dev/null ;; # files\n    esac\n}\ncomplete -F ");
    print_function(prog);
    (void)printf(" %s\n", prog);
}

void cof_complete_bash(const char *prog, const struct cof_verb_name *verbs, size_t n_verbs)
{
    if (n_verbs == 1 && verbs[0].name[0] == '\0') {
        bash_alone(prog, verbs[0].command);
        return;
    }
    (void)printf("# bash completion for %s, printed by '%s --completion'\n", prog, prog);
    print_function(prog);
    (void)printf("()\n{\n    local cur=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]} options=\n    COMPREPLY=()\n"
                 "    if [ \"$COMP_CWORD\" = 1 ]; then\n        COMPREPLY=($(compgen -W \"");
    print_words(verbs, n_verbs, NULL);
    (void)printf("--help --version --man --completion\" -- \"$cur\"))\n        return\n    fi\n    case $verb in\n");
    for (size_t i = 0; i < n_verbs; i++) {
        const char *space = strchr(verbs[i].name, ' ');
        bool again = false;

        for (size_t j = 0; j < i && space != NULL; j++)
            again = again || strncmp(verbs[j].name, verbs[i].name, (size_t)(space - verbs[i].name) + 1) == 0;
        if (space == NULL || again)
            continue;
        (void)printf("    %.*s)\n        if [ \"$COMP_CWORD\" = 2 ]; then\n            COMPREPLY=($(compgen -W \"",
                     (int)(space - verbs[i].name), verbs[i].name);
        print_words(verbs, n_verbs, verbs[i].name);
        (void)printf("\" -- \"$cur\"))\n            return\n        fi\n        verb=\"$verb ${COMP_WORDS[2]}\" ;;\n");
    }
    (void)printf("    esac\n    case $verb in\n");
    for (size_t i = 0; i < n_verbs; i++) {
        (void)printf("    '%s') options='", verbs[i].name);
        print_options(verbs[i].command);
        (void)printf("' ;;\n");
    }
    (void)printf("    esac\n    case $cur in\n    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$cur\")) ;;\n"
                 "    *) compopt -o default 2>/dev/null ;; # files\n    esac\n}\ncomplete -F ");
    print_function(prog);
    (void)printf(" %s\n", prog);
}
