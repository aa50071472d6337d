/* SPDX-License-Identifier: Apache-2.0
 *
 * One table of options per command: parsing, --help, the man page and shell completion all come from it.
 */
#ifndef COF_PROG_OPTIONS_H
#define COF_PROG_OPTIONS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Exit codes of every program. */
enum { COF_EXIT_DONE = 0, COF_EXIT_FAILED = 1, COF_EXIT_USAGE = 2, COF_EXIT_REFUSED = 3, COF_EXIT_LATER = 4 };
int cof_exit_code(enum cof_err err);

enum cof_option_kind {
    COF_OPT_FLAG,   /* bool */
    COF_OPT_TEXT,   /* const char * */
    COF_OPT_LIST,   /* struct cof_text_list; repeatable */
    COF_OPT_NUMBER, /* uint64_t, decimal */
    COF_OPT_SIZE,   /* uint64_t, with K M G T */
};

#define COF_LIST_MAX 64
struct cof_text_list {
    const char *items[COF_LIST_MAX];
    size_t n;
};

struct cof_option {
    const char *name;  /* long name without dashes */
    char letter;       /* short name or 0 */
    enum cof_option_kind kind;
    const char *arg;   /* what the argument is, "FILE"; NULL for flags */
    const char *help;
    size_t offset;     /* of the field in the command's config struct */
};

struct cof_command {
    const char *name;     /* "put"; NULL for a program without verbs */
    const char *args;     /* "FILE s3://BUCKET/KEY" */
    const char *summary;  /* one line */
    const char *details;  /* more for --help and the man page; may be NULL */
    const struct cof_option *options;
    size_t n_options;
    int min_args, max_args; /* positional arguments; max_args < 0: any number */
};

/* Parses argv[1..) into config (already filled with defaults); *args and *n_args are the positionals (argv is permuted).
 * --help, --man and --version print to stdout, then *exit_now is set. On COF_E_USAGE a message naming the wrong option
 * was printed to stderr. prog is "coffer put". */
COF_MUST_USE enum cof_err cof_options_parse(const char *prog, const struct cof_command *command, int argc, char **argv,
                                            void *config, char ***args, int *n_args, bool *exit_now);

void cof_options_help(const char *prog, const struct cof_command *command);
/* The same as a manual page, which --man prints. */
void cof_options_man(const char *prog, const struct cof_command *command);

/* `prog: error: text` and, where there is one, `prog: hint: hint`, to stderr. */
void cof_fail(const char *prog, enum cof_err err, const struct cof_diag *diag);

#endif
