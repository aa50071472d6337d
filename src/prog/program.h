/* SPDX-License-Identifier: Apache-2.0
 *
 * A program as a whole: what it is asked before any verb. --version, --man (the page that lists its verbs) and --completion come
 * from the same tables as its options.
 */
#ifndef COF_PROG_PROGRAM_H
#define COF_PROG_PROGRAM_H

#include "prog/complete.h"

struct cof_program {
    const char *name, *summary;
    const struct cof_verb_name *verbs; /* of a program without verbs: one, whose name is "" */
    size_t n_verbs;
};

/* Whether argv asks for one of those; then it was done, and *exit_code is set. A program without verbs is asked for --completion
 * alone: the others are its command's own. */
bool cof_program_asked(const struct cof_program *program, int argc, char **argv, int *exit_code);
/* The same for a program that is one command. */
bool cof_program_asked_alone(const char *name, const struct cof_command *command, int argc, char **argv, int *exit_code);

#endif
