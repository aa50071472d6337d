/* SPDX-License-Identifier: Apache-2.0
 *
 * Grants in the store (space "kms.grant": KEY_ID/GRANT_ID -> JSON) and what they allow ("Grants in AWS KMS"):
 *
 *   {"grantee", "retiring"?, "operations": ["Decrypt", ..], "constraints"?: {..}, "name"?, "issuer", "created_ms"}
 */
#ifndef COF_STANDIN_KMS_GRANTS_H
#define COF_STANDIN_KMS_GRANTS_H

#include "standin/kms_permit.h"

#define COF_KMS_GRANT_ID 64 /* characters: hex */
#define COF_KMS_GRANT_MAX 65536 /* bytes of a record */

/* Adds a policy that says what the grant says which allows this call, or nothing when none does. */
void cof_kms_grants_find(struct cof_standin *s, const struct cof_standin_request *req,
                         const struct cof_kms_asking *asking, struct cof_buf *policy);
/* COF_E_NOT_FOUND. *out is the caller's. */
COF_MUST_USE enum cof_err cof_kms_grants_get(struct cof_standin *s, const char *key_id, struct cof_view grant_id,
                                             json_t **out);
COF_MUST_USE enum cof_err cof_kms_grants_put(struct cof_standin *s, const char *key_id, struct cof_view grant_id,
                                             const json_t *grant);
COF_MUST_USE enum cof_err cof_kms_grants_remove(struct cof_standin *s, const char *key_id, struct cof_view grant_id);
COF_MUST_USE enum cof_err cof_kms_grants_remove_all(struct cof_standin *s, const char *key_id);

/* A token names its grant: base64 of "01", the key's id, "/" and the grant's. parse: COF_E_FORMAT. */
void cof_kms_grant_token_add(struct cof_buf *out, const char *key_id, struct cof_view grant_id);
COF_MUST_USE enum cof_err cof_kms_grant_token_parse(struct cof_view token, char key_id[static COF_KMS_ID_MAX],
                                                    char grant_id[static COF_KMS_GRANT_ID + 1]);

#endif
