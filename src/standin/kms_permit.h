/* SPDX-License-Identifier: Apache-2.0
 *
 * May this caller do this with that KMS key? The key's policy, the caller's own policies and the key's grants, with every
 * condition key that KMS sets ("Condition keys for AWS KMS").
 */
#ifndef COF_STANDIN_KMS_PERMIT_H
#define COF_STANDIN_KMS_PERMIT_H

#include "engine/attest_verify.h"
#include "standin/kms_keys.h"

struct cof_kms_asking {
    const char *action;              /* "kms:Decrypt" */
    struct cof_kms_key *key;         /* NULL: calls without a key */
    struct cof_view resource;        /* other than the key's ARN (an alias's); empty: that, or "*" */
    const json_t *context;           /* the encryption context, or NULL */
    bool takes_context;              /* the operation has one, so that constraints of grants look at it */
    const struct cof_attest *attest; /* of a verified recipient, or NULL: then every attestation key is absent */
    struct cof_view alias;           /* the alias that the caller named the key by, or empty */
    const char *via;                 /* the service that asks on the caller's behalf, "s3", or NULL */
    struct cof_view grant_id;        /* RetireGrant: that grant alone counts; empty: all */
    const json_t *new_grant;         /* CreateGrant's request: a grant may allow only what it allows itself */
    const struct cof_context_value *more; /* what else the operation says */
    size_t n_more;
};

/* COF_OK, or COF_E_DENIED with AWS's sentence in why. */
COF_MUST_USE enum cof_err cof_kms_permit(struct cof_standin *s, struct cof_standin_request *req,
                                         const struct cof_kms_asking *asking, struct cof_buf *why);

/* Would this policy let the caller, or the account's root, put another policy later? For the lock-out check. */
COF_MUST_USE enum cof_err cof_kms_permit_later(struct cof_standin *s, struct cof_standin_request *req,
                                               const struct cof_kms_asking *asking, struct cof_view policy);

#endif
