/* SPDX-License-Identifier: Apache-2.0
 *
 * The KMS's own state in memory: keys that were used last, parsed and with their material opened, attestation chains
 * and documents that verified, and recipients' keys. It only saves work: an entry counts when the store still holds the very bytes that it was made from, so
 * a change, a rollback or another writer is seen at once.
 */
#ifndef COF_STANDIN_KMS_CACHE_H
#define COF_STANDIN_KMS_CACHE_H

#include "crypto/rsa.h"
#include "engine/attest_cache.h"
#include "standin/kms_keys.h"

COF_MUST_USE enum cof_err cof_kms_cache_start(struct cof_standin *s, void **state, struct cof_diag *diag);
void cof_kms_cache_stop(struct cof_standin *s, void *state);

/* A reference to the key of that id made from that record, or NULL. */
struct cof_kms_key *cof_kms_cache_find(struct cof_standin *s, struct cof_view id, const struct json_t *record);
void cof_kms_cache_put(struct cof_standin *s, struct cof_kms_key *key); /* keeps a reference to it */

/* Chains that verified; NULL without a service. */
struct cof_attest_cache *cof_kms_cache_attest(struct cof_standin *s);
/* The simulated hypervisor's root certificate, DER; lives until the next call. Made at first need. */
COF_MUST_USE enum cof_err cof_kms_cache_root(struct cof_standin *s, int64_t now_ms, struct cof_view *der);

/* The RSA key in a SubjectPublicKeyInfo, which one enclave sends many times: lent, until as many others were asked for.
 * As cof_rsa_from_spki otherwise. */
COF_MUST_USE enum cof_err cof_kms_cache_recipient(struct cof_standin *s, struct cof_view spki, const struct cof_rsa_key **out);

/* When the next scheduled deletion falls due; 0: nobody has looked yet. */
int64_t *cof_kms_cache_next_deletion(struct cof_standin *s);

#endif
