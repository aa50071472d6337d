/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading objects: the stored bytes as a stream, and the checks that GetObject and copies share.
 */
#ifndef COF_STANDIN_S3_GET_H
#define COF_STANDIN_S3_GET_H

#include "standin/s3_sse.h"

struct cof_s3_body; /* bytes of one object, decrypted piece by piece */

/* len bytes from offset of the object whose record it is (the call's bucket and key). */
COF_MUST_USE enum cof_err cof_s3_body_new(struct cof_s3_call *call, const json_t *record, const struct cof_secret *kek,
    uint64_t offset, uint64_t len, struct cof_s3_body **out);
/* As struct cof_standin_stream has them. */
COF_MUST_USE enum cof_err cof_s3_body_pull(void *body, size_t want, struct cof_buf *out);
void cof_s3_body_done(void *body);

/* spec: what is archived must be restored before it is read or copied; nothing here restores. False: the reply holds
 * InvalidObjectState. */
bool cof_s3_is_at_hand(struct cof_s3_call *call, const json_t *record);

#endif
