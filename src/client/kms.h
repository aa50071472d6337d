/* SPDX-License-Identifier: Apache-2.0
 *
 * KMS as a program uses it. The key is always pinned by its full ARN: aliases and bare ids are refused before anything
 * is sent, and the key that the answer names must be the pinned one (C-04, C-36). run_*: blocking; start_*: on the
 * loop.
 */
#ifndef COF_CLIENT_KMS_H
#define COF_CLIENT_KMS_H

#include "client/fetch.h"
#include "engine/kms_call.h"

struct cof_kms_key_use {
    struct cof_view key_arn; /* pinned */
    const struct cof_pair *context;
    size_t n_context;
    struct cof_view recipient; /* attestation document, or empty */
    size_t key_bytes;          /* of a generated data key; 0: 32 */
};

/* reply: the caller's (cof_kms_reply_done), on COF_OK only. A generated plaintext is exactly key_bytes long, unless there is
 * a recipient. */
COF_MUST_USE enum cof_err cof_kms_run_generate_data_key(struct cof_aws *aws, const struct cof_kms_key_use *use,
                                                        struct cof_kms_reply *out, struct cof_diag *diag);
COF_MUST_USE enum cof_err cof_kms_run_decrypt(struct cof_aws *aws, const struct cof_kms_key_use *use,
                                              struct cof_view blob, struct cof_kms_reply *out, struct cof_diag *diag);
COF_MUST_USE enum cof_err cof_kms_run_encrypt(struct cof_aws *aws, const struct cof_kms_key_use *use,
                                              struct cof_view plaintext, struct cof_kms_reply *out,
                                              struct cof_diag *diag);

struct cof_kms_events {
    /* Once. reply is wiped after it returns: copy, or move (assign and zero) what is to stay. */
    void (*done)(void *ctx, enum cof_err err, struct cof_kms_reply *reply, const struct cof_diag *diag);
    void *ctx;
};
COF_MUST_USE enum cof_err cof_kms_start_generate_data_key(struct cof_aws *aws, const struct cof_kms_key_use *use,
                                                          const struct cof_kms_events *events, struct cof_fetch **out);
COF_MUST_USE enum cof_err cof_kms_start_decrypt(struct cof_aws *aws, const struct cof_kms_key_use *use,
                                                struct cof_view blob, const struct cof_kms_events *events,
                                                struct cof_fetch **out);

#endif
