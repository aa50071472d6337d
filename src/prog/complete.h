/* SPDX-License-Identifier: Apache-2.0
 *
 * Shell completion and the manual's page of a whole program, from the option tables.
 */
#ifndef COF_PROG_COMPLETE_H
#define COF_PROG_COMPLETE_H

#include "prog/options.h"

struct cof_verb_name {
    const char *name; /* "put", "attest verify"; "" for a program without verbs */
    const struct cof_command *command;
};
/* To standard output. bash: read by `source`, or put among its completions under the program's name; zsh: as _NAME in a folder of
 * $fpath; fish: as NAME.fish in one of its completions. */
void cof_complete_bash(const char *prog, const struct cof_verb_name *verbs, size_t n_verbs);
void cof_complete_zsh(const char *prog, const struct cof_verb_name *verbs, size_t n_verbs);
void cof_complete_fish(const char *prog, const struct cof_verb_name *verbs, size_t n_verbs);

/* The manual page of a program with verbs: what there is, and where more is said. */
void cof_program_man(const char *prog, const char *summary, const struct cof_verb_name *verbs, size_t n_verbs);

#endif
