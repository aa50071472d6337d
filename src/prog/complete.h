/* SPDX-License-Identifier: Apache-2.0
 *
 * Shell completion from the option tables: a bash script for a program with verbs.
 */
#ifndef COF_PROG_COMPLETE_H
#define COF_PROG_COMPLETE_H

#include "prog/options.h"

struct cof_verb_name {
    const char *name; /* "put", "attest verify" */
    const struct cof_command *command;
};
/* To standard output; read by bash's `source`, or put among its completions under the program's name. */
void cof_complete_bash(const char *prog, const struct cof_verb_name *verbs, size_t n_verbs);

#endif
