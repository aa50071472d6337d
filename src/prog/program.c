/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/program.h"

#include "prog/version.h"

#include <stdio.h>
#include <string.h>

static int complete(const struct cof_program *p, const char *shell)
{
    if (strcmp(shell, "bash") == 0)
        cof_complete_bash(p->name, p->verbs, p->n_verbs);
    else if (strcmp(shell, "zsh") == 0)
        cof_complete_zsh(p->name, p->verbs, p->n_verbs);
    else if (strcmp(shell, "fish") == 0)
        cof_complete_fish(p->name, p->verbs, p->n_verbs);
    else {
        (void)fprintf(stderr, "%s: error: no completion for '%s': there are bash, zsh and fish\n", p->name, shell);
        return COF_EXIT_USAGE;
    }
    return COF_EXIT_DONE;
}

bool cof_program_asked(const struct cof_program *p, int argc, char **argv, int *exit_code)
{
    bool has_verbs = p->n_verbs != 1 || p->verbs[0].name[0] != '\0';

    *exit_code = COF_EXIT_DONE;
    if (argc < 2)
        return false;
    if (strncmp(argv[1], "--completion", 12) == 0 && (argv[1][12] == '\0' || argv[1][12] == '=')) {
        *exit_code = complete(p, argv[1][12] == '=' ? argv[1] + 13 : argc > 2 ? argv[2] : "bash");
        return true;
    }
    if (!has_verbs)
        return false;
    if (strcmp(argv[1], "--version") == 0) {
        cof_version_print(p->name);
        return true;
    }
    if (strcmp(argv[1], "--man") == 0) {
        cof_program_man(p->name, p->summary, p->verbs, p->n_verbs);
        return true;
    }
    return false;
}

bool cof_program_asked_alone(const char *name, const struct cof_command *command, int argc, char **argv, int *exit_code)
{
    struct cof_verb_name verb = {"", command};

    return cof_program_asked(&(struct cof_program){name, command->summary, &verb, 1}, argc, argv, exit_code);
}
