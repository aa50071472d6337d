/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens a sealed message in the enclave: its one data key must be under the pinned KMS key, and somebody who knows what the
 * message must be says yes to its header before KMS is asked (C-01 to C-04).
 */
#ifndef COF_ENCLAVE_MESSAGE_H
#define COF_ENCLAVE_MESSAGE_H

#include "engine/esdk_decrypt.h"
#include "work.h"

/* How far it came; the failure lies there. */
enum message_stage { MESSAGE_HEADER, MESSAGE_CONTEXT, MESSAGE_KEY, MESSAGE_BODY, MESSAGE_OPEN };

struct message_expected {
    const char *key_arn;
    bool (*is_expected)(void *ctx, const struct cof_esdk_header *header);
    void *ctx;
};

/* Appends the plaintext; nothing of it on failure. */
COF_MUST_USE enum cof_err message_open(struct worker *worker, struct cof_view sealed, const struct message_expected *expected,
                                       struct cof_buf *plain, enum message_stage *stage, struct cof_diag *diag);

#endif
