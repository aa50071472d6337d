/* SPDX-License-Identifier: Apache-2.0
 *
 * Completion for zsh and fish, which show the tables' words beside what they offer.
 */
#include "prog/complete.h"

#include <stdio.h>
#include <string.h>

/* Inside single quotes; zsh's _arguments and _describe take some characters as their own, which a backslash undoes. */
static void quoted(const char *text, const char *special)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            (void)fputs("'\\''", stdout);
        else if (strchr(special, *text) != NULL)
            (void)printf("\\%c", *text);
        else
            (void)putchar(*text == '\n' ? ' ' : *text);
    }
}

static size_t first_len(const char *name)
{
    const char *space = strchr(name, ' ');

    return space == NULL ? strlen(name) : (size_t)(space - name);
}

/* Whether a verb before i has the same first word. */
static bool said_before(const struct cof_verb_name *verbs, size_t i)
{
    size_t len = first_len(verbs[i].name);

    for (size_t j = 0; j < i; j++)
        if (first_len(verbs[j].name) == len && strncmp(verbs[j].name, verbs[i].name, len) == 0)
            return true;
    return false;
}

/* ---- zsh ---- */

static void zsh_option(const struct cof_option *o)
{
    (void)printf(" \\\n        '%s", o->kind == COF_OPT_LIST ? "*" : "");
    if (o->letter != '\0')
        (void)printf("%s-%c[", o->kind == COF_OPT_LIST ? "" : "(--help)", o->letter);
    if (o->letter != '\0') {
        quoted(o->help, "[]:\\");
        (void)printf("]%s' \\\n        '%s", o->arg == NULL ? "" : ":value:_files", o->kind == COF_OPT_LIST ? "*" : "");
    }
    (void)printf("--%s[", o->name);
    quoted(o->help, "[]:\\");
    (void)printf("]%s'", o->arg == NULL ? "" : ":value:_files");
}

static void zsh_arguments(const struct cof_command *command)
{
    (void)printf("_arguments -s '--help[show how it is used]' '--version[show the version]' '--man[print the manual page]'");
    for (size_t i = 0; i < command->n_options; i++)
        zsh_option(&command->options[i]);
    (void)printf(" '*:argument:_files'\n");
}

/* The words behind `first`, or (NULL) the first ones. */
static void zsh_words(const struct cof_verb_name *verbs, size_t n, const char *first)
{
    size_t len = first == NULL ? 0 : first_len(first);

    for (size_t i = 0; i < n; i++) {
        const char *name = verbs[i].name;

        if (first == NULL ? said_before(verbs, i) : first_len(name) != len || strncmp(name, first, len) != 0 || name[len] == '\0')
            continue;
        (void)printf(" '%.*s:", first == NULL ? (int)first_len(name) : (int)strlen(name + len + 1), first == NULL ? name : name + len + 1);
        if (first == NULL && strchr(name, ' ') != NULL)
            (void)fputs("...", stdout);
        else
            quoted(verbs[i].command->summary, ":\\");
        (void)putchar('\'');
    }
}

void cof_complete_zsh(const char *prog, const struct cof_verb_name *verbs, size_t n_verbs)
{
    (void)printf("#compdef %s\n# printed by '%s --completion=zsh'\nlocal -a words_here\n", prog, prog);
    if (n_verbs == 1 && verbs[0].name[0] == '\0') {
        zsh_arguments(verbs[0].command);
        return;
    }
    (void)printf("if (( CURRENT == 2 )); then\n    words_here=(");
    zsh_words(verbs, n_verbs, NULL);
    (void)printf(")\n    _describe verb words_here\n    return\nfi\n");
    for (size_t i = 0; i < n_verbs; i++) {
        if (strchr(verbs[i].name, ' ') == NULL || said_before(verbs, i))
            continue;
        (void)printf("if [[ CURRENT -eq 3 && $words[2] == %.*s ]]; then\n    words_here=(", (int)first_len(verbs[i].name), verbs[i].name);
        zsh_words(verbs, n_verbs, verbs[i].name);
        (void)printf(")\n    _describe verb words_here\n    return\nfi\n");
    }
    for (size_t i = 0; i < n_verbs; i++) {
        size_t len = first_len(verbs[i].name);

        (void)printf("if [[ $words[2] == %.*s", (int)len, verbs[i].name);
        if (verbs[i].name[len] == ' ')
            (void)printf(" && $words[3] == %s", verbs[i].name + len + 1);
        (void)printf(" ]]; then\n    shift %d words; (( CURRENT -= %d ))\n    ", verbs[i].name[len] == ' ' ? 2 : 1, verbs[i].name[len] == ' ' ? 2 : 1);
        zsh_arguments(verbs[i].command);
        (void)printf("    return\nfi\n");
    }
}

/* ---- fish ---- */

static void fish_option(const char *prog, const char *condition, const struct cof_option *o)
{
    (void)printf("complete -c %s%s -l %s", prog, condition, o->name);
    if (o->letter != '\0')
        (void)printf(" -s %c", o->letter);
    (void)printf("%s -d '", o->arg == NULL ? "" : " -r");
    for (const char *t = o->help; *t != '\0'; t++)
        (void)printf(*t == '\'' || *t == '\\' ? "\\%c" : "%c", *t == '\n' ? ' ' : *t);
    (void)printf("'\n");
}

static void fish_options(const char *prog, const char *condition, const struct cof_command *command)
{
    for (size_t i = 0; i < command->n_options; i++)
        fish_option(prog, condition, &command->options[i]);
    fish_option(prog, condition, &(struct cof_option){.name = "help", .letter = 'h', .help = "show how it is used"});
    fish_option(prog, condition, &(struct cof_option){.name = "version", .help = "show the version"});
}

void cof_complete_fish(const char *prog, const struct cof_verb_name *verbs, size_t n_verbs)
{
    char condition[160];

    (void)printf("# printed by '%s --completion=fish'\n", prog);
    for (size_t i = 0; i < n_verbs; i++) {
        const char *name = verbs[i].name, *second = strchr(name, ' ');
        int len = (int)first_len(name);

        if (name[0] == '\0') {
            fish_options(prog, "", verbs[i].command);
            continue;
        }
        if (!said_before(verbs, i))
            (void)printf("complete -c %s -f -n __fish_use_subcommand -a %.*s\n", prog, len, name);
        if (second != NULL)
            (void)printf("complete -c %s -f -n '__fish_seen_subcommand_from %.*s; and test (count (commandline -opc)) -eq 2' -a %s\n", prog, len, name,
                         second + 1);
        (void)snprintf(condition, sizeof condition, " -n '__fish_seen_subcommand_from %.*s%s%s'", len, name,
                       second == NULL ? "" : "; and __fish_seen_subcommand_from ", second == NULL ? "" : second + 1);
        fish_options(prog, condition, verbs[i].command);
    }
}
