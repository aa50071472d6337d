/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens an AWS Encryption SDK message of any length with several threads, in memory that does not depend on its length
 * (unframed messages excepted: they are one block). Message bytes go in as they come; plaintext comes out in order through
 * `sink`, on the caller's thread, each frame after its tag verified.
 *
 * The sink must keep aside what it gets until cof_open_finish says COF_OK: only then is the message known to be whole and, in a
 * signed suite, its signature verified. A caller that cannot do that for a signed suite sets hold_signed.
 */
#ifndef COF_IO_OPEN_H
#define COF_IO_OPEN_H

#include "engine/esdk_range.h"
#include "io/frame_slots.h"

struct cof_open;

struct cof_open_options {
    unsigned threads; /* as in io/seal.h */
    bool hold_signed; /* a signed suite's plaintext stays here, up to the session's limits.max_held, until the end */
    /* Once, when the header is there: gives the session its data key (cof_esdk_decrypt_set_key). A failure is final. */
    enum cof_err (*give_key)(void *ctx, struct cof_esdk_decrypt *d);
    enum cof_err (*sink)(void *ctx, struct cof_view plain);
    void *ctx;
};

/* d: a session that nothing was pushed to; it must outlive this one and is not to be pushed to meanwhile. */
COF_MUST_USE enum cof_err cof_open_new(struct cof_esdk_decrypt *d, const struct cof_open_options *options,
                                       struct cof_open **out);
/* Opens a range of one instead: d has its header and its data key. In go just the bytes range->from up to range->to of the
 * message, out comes just the range; give_key and hold_signed are not looked at. */
COF_MUST_USE enum cof_err cof_open_new_range(struct cof_esdk_decrypt *d, const struct cof_esdk_range *range,
                                             const struct cof_open_options *options, struct cof_open **out);
/* Where to put the next bytes of the message, and how much fits: at least one byte, until _filled says how much was put. */
COF_MUST_USE enum cof_err cof_open_room(struct cof_open *o, uint8_t **data, size_t *room);
COF_MUST_USE enum cof_err cof_open_filled(struct cof_open *o, size_t len);
/* The same from the caller's memory: long pieces are opened from where they lie, others copied. */
COF_MUST_USE enum cof_err cof_open_push(struct cof_open *o, struct cof_view bytes);
/* The input is over. COF_OK: the message was whole and everything in it verified. */
COF_MUST_USE enum cof_err cof_open_finish(struct cof_open *o);
void cof_open_free(struct cof_open *o); /* takes NULL */

#endif
