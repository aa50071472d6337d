/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens an AWS Encryption SDK message (format 2, suites 0x0478 and 0x0578) as it streams. States: the header; then the
 * caller's data key; then frames, each released only after its tag; then, in the signed suite, the signature; then nothing
 * more. Every failed check is COF_E_AUTH or COF_E_FORMAT and final.
 *
 * With the signed suite the frames are released before the signature at the end is checked: keep them aside until
 * cof_esdk_decrypt_finish says COF_OK.
 */
#ifndef COF_ENGINE_ESDK_DECRYPT_H
#define COF_ENGINE_ESDK_DECRYPT_H

#include "engine/esdk_keys.h"

struct cof_esdk_decrypt;

/* limits may be NULL. */
COF_MUST_USE enum cof_err cof_esdk_decrypt_new(const struct cof_esdk_limits *limits, struct cof_esdk_decrypt **out);
/* Takes bytes from the front of *in, appends plaintext to out. COF_OK: all of *in was used, or the data key is wanted
 * (cof_esdk_decrypt_wants_key; the rest of *in waits). At most one frame is released beyond what fits in out's cap. */
COF_MUST_USE enum cof_err cof_esdk_decrypt_push(struct cof_esdk_decrypt *d, struct cof_view *in, struct cof_buf *out);
bool cof_esdk_decrypt_wants_key(const struct cof_esdk_decrypt *d);
/* Valid from when the key is wanted until free. NULL before. */
const struct cof_esdk_header *cof_esdk_decrypt_header(const struct cof_esdk_decrypt *d);
/* Checks commitment first, then the header's tag. */
COF_MUST_USE enum cof_err cof_esdk_decrypt_set_key(struct cof_esdk_decrypt *d, const struct cof_secret *data_key);
/* The input is over: COF_OK only when the message was complete and everything verified. */
COF_MUST_USE enum cof_err cof_esdk_decrypt_finish(struct cof_esdk_decrypt *d);
COF_MUST_USE enum cof_err cof_esdk_decrypt_export(const struct cof_esdk_decrypt *d, const char *label,
                                                  uint8_t out[static 32]);
void cof_esdk_decrypt_free(struct cof_esdk_decrypt *d);

#endif
