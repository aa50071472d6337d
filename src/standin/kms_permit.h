/* SPDX-License-Identifier: Apache-2.0
 *
 * May this caller do this with that KMS key? The key's policy with every condition key that KMS sets.
 */
#ifndef COF_STANDIN_KMS_PERMIT_H
#define COF_STANDIN_KMS_PERMIT_H

#include "engine/attest_verify.h"
#include "standin/kms_keys.h"

struct cof_kms_asking {
    const char *action;              /* "kms:Decrypt" */
    const struct cof_kms_key *key;   /* NULL: calls without a key */
    const json_t *context;           /* the encryption context, or NULL */
    const struct cof_attest *attest; /* of a verified recipient, or NULL: then every attestation key is absent */
    const char *via;                 /* the service that asks on the caller's behalf, "s3", or NULL */
};

/* COF_OK, or COF_E_DENIED with AWS's sentence in why. */
COF_MUST_USE enum cof_err cof_kms_permit(struct cof_standin *s, struct cof_standin_request *req,
                                         const struct cof_kms_asking *asking, struct cof_buf *why);

#endif
