/* SPDX-License-Identifier: Apache-2.0
 *
 * Seals a stream of any length as an AWS Encryption SDK message with several threads, in memory that does not depend on its
 * length: plaintext is put where it will be sealed from, the message comes out in order through `sink`, on the caller's thread.
 */
#ifndef COF_IO_SEAL_H
#define COF_IO_SEAL_H

#include "engine/esdk_encrypt.h"
#include "io/frame_slots.h"

struct cof_seal;

struct cof_seal_options {
    unsigned threads; /* beside the caller's, or COF_THREADS_AUTO; fewer are started where memory would not do */
    enum cof_err (*sink)(void *ctx, struct cof_view message_bytes); /* a failure ends the work and is what the calls return */
    void *ctx;
};

/* e: a session that nothing was pushed to; it must outlive this one and is not to be used meanwhile. Memory: about 8 MiB at
 * most, or two frames where those are longer than 4 MiB. */
COF_MUST_USE enum cof_err cof_seal_new(struct cof_esdk_encrypt *e, const struct cof_seal_options *options,
                                       struct cof_seal **out);
/* Where to put the next plaintext, and how much fits: at least one byte, until _filled says how much was put there. */
COF_MUST_USE enum cof_err cof_seal_room(struct cof_seal *s, uint8_t **data, size_t *room);
COF_MUST_USE enum cof_err cof_seal_filled(struct cof_seal *s, size_t len);
/* The same by copying. */
COF_MUST_USE enum cof_err cof_seal_push(struct cof_seal *s, struct cof_view plain);
/* The rest, the final frame and the signature. */
COF_MUST_USE enum cof_err cof_seal_finish(struct cof_seal *s);
void cof_seal_free(struct cof_seal *s); /* takes NULL */

#endif
