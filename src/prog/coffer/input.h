/* SPDX-License-Identifier: Apache-2.0
 *
 * What encrypt and decrypt read from: a file or a pipe, which may have to be read a second time.
 */
#ifndef COF_COFFER_INPUT_H
#define COF_COFFER_INPUT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct input {
    int fd;
    const char *name;
    bool is_file;   /* can be read at any place; size is known */
    uint64_t size;  /* bytes; 0 unless is_file */
    int spool;      /* what was read so far of a pipe, in a file without a name; -1 when it is not kept */
};

/* "-" is standard input. again: it will be read twice, so a pipe's bytes are kept aside as they come. */
COF_MUST_USE enum cof_err input_open(struct input *in, const char *path, bool again, struct cof_diag *diag);
/* *n is 0 at the end only. */
COF_MUST_USE enum cof_err input_read(struct input *in, uint8_t *data, size_t room, size_t *n, struct cof_diag *diag);
/* The next read is from there; of a pipe only 0, and only once, when it was opened for that. */
COF_MUST_USE enum cof_err input_seek(struct input *in, uint64_t offset, struct cof_diag *diag);
void input_close(struct input *in); /* idempotent */

#endif
