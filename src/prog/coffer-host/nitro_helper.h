/* SPDX-License-Identifier: Apache-2.0
 *
 * A process of its own that runs nitro-cli, so that the one which faces the enclave and the network need not be able to start
 * programs. It is asked over a socket for one of three commands; all of them but the enclave's id was fixed when it began.
 * When its asker is gone it terminates the enclave it was asked about last, and ends.
 */
#ifndef COF_HOST_NITRO_HELPER_H
#define COF_HOST_NITRO_HELPER_H

#include "base/buf.h"
#include "format/nitro_cli.h"

struct nitro_helper_opts {
    const char *nitro_cli; /* its path */
    const char *image, *name;
    uint64_t cpus, memory_mib;
    uint32_t cid;
    bool debug;
};

enum nitro_verb { NITRO_RUN = 'R', NITRO_DESCRIBE = 'D', NITRO_TERMINATE = 'T' };

#define NITRO_ERRORS_MAX 4096
#define NITRO_REPLY_MAX (COF_NITRO_OUTPUT_MAX + NITRO_ERRORS_MAX + 16)

/* How long each may take. */
int64_t nitro_verb_ms(enum nitro_verb verb);

/* Forks it: before there are threads, loops or sandboxes. *fd is the asker's end, one packet a question and an answer. */
COF_MUST_USE enum cof_err nitro_helper_start(const struct nitro_helper_opts *opts, int *fd, struct cof_diag *diag);
/* id "" for NITRO_RUN. */
COF_MUST_USE enum cof_err nitro_helper_ask(int fd, enum nitro_verb verb, const char *id);

/* An answer. Views into the packet. */
struct nitro_answer {
    bool ran;         /* the command has ended by itself, with this code; else errors tell why not */
    int code;
    struct cof_view out, errors;
};
COF_MUST_USE enum cof_err nitro_answer_read(struct cof_view packet, struct nitro_answer *out);

#endif
