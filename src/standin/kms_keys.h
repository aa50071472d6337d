/* SPDX-License-Identifier: Apache-2.0
 *
 * The stand-in's KMS keys: records in the store (space "kms.key": id -> JSON), every version of their material sealed
 * under the master key. Aliases (space "kms.alias": name -> "ID CREATED_MS UPDATED_MS") are also listed in their key's
 * record, so that one look tells all that a policy may ask about.
 *
 *   {"spec", "usage", "state", "manager", "created_ms", "description", "policy", "aliases": [..], "tags": {..},
 *    "deletion_ms", "window_days", "rotation_days", "rotation_ms",
 *    "versions": [{"id", "sealed", "at_ms", "how"}]}
 *
 * Time works when somebody looks: a key whose deletion is due is not found, one whose rotation is due is rotated first.
 * The service keeps the keys used last, opened, in memory (kms_cache.h); the store's bytes decide whether they still hold.
 */
#ifndef COF_STANDIN_KMS_KEYS_H
#define COF_STANDIN_KMS_KEYS_H

#include "crypto/gcm.h"
#include "format/json.h"
#include "standin/kms_spec.h"
#include "standin/standin.h"

#define COF_KMS_ID_MAX 64
#define COF_KMS_ARN_SIZE 256
#define COF_KMS_POLICY_MAX COF_POLICY_SIZE_MAX
#define COF_KMS_RECORD_MAX ((size_t)1 << 20)
#define COF_KMS_DAY_MS INT64_C(86400000)
#define COF_KMS_VERSION_ID 64 /* characters: hex */

enum cof_kms_state { COF_KMS_ENABLED, COF_KMS_DISABLED, COF_KMS_PENDING_DELETION };

/* One key, as the store says. Shared ones are never changed: whoever wants to change a key opens its own copy. */
struct cof_kms_key {
    char id[COF_KMS_ID_MAX];
    char arn[COF_KMS_ARN_SIZE];
    json_t *record; /* owned */
    const struct cof_kms_spec *spec;
    enum cof_kms_usage usage;
    enum cof_kms_state state;
    bool aws_managed;
    int64_t created_ms, deletion_ms; /* deletion_ms 0: none is scheduled */
    int64_t rotation_ms;             /* the next one; 0: none */
    int64_t rotation_days;           /* 0: off */
    size_t n_versions;
    unsigned refs;
    /* The material, opened when first needed. */
    struct cof_gcm **gcms; /* symmetric: n_versions of them */
    struct cof_rsa_key *rsa;
    struct cof_ecdsa_key *ecc;
    struct cof_secret hmac;
};

/* How a caller named a key. */
enum cof_kms_form {
    COF_KMS_FORM_ID,
    COF_KMS_FORM_ARN,
    COF_KMS_FORM_ALIAS,
    COF_KMS_FORM_ALIAS_ARN,
    COF_KMS_FORM_BAD_ARN,
    COF_KMS_FORM_OTHER_REGION,
    COF_KMS_FORM_OTHER_ACCOUNT,
};
/* *name: the bare id, or "alias/..."; the region or account that is not ours; else the whole. */
enum cof_kms_form cof_kms_name_form(const struct cof_standin *s, struct cof_view text, struct cof_view *name);
bool cof_kms_form_is_alias(enum cof_kms_form form);

/* By id, key ARN, alias name or alias ARN. COF_E_NOT_FOUND. Close it. */
COF_MUST_USE enum cof_err cof_kms_key_open(struct cof_standin *s, struct cof_view name, int64_t now_ms,
                                           struct cof_kms_key **out);
/* A copy to change: the record's members, then cof_kms_key_save. */
COF_MUST_USE enum cof_err cof_kms_key_open_own(struct cof_standin *s, struct cof_view name, int64_t now_ms,
                                               struct cof_kms_key **out);
void cof_kms_key_close(struct cof_kms_key *key); /* takes NULL */

struct cof_kms_make {
    struct cof_view id; /* empty: a random one */
    struct cof_view policy, description;
    const struct cof_kms_spec *spec; /* NULL: SYMMETRIC_DEFAULT */
    enum cof_kms_usage usage;
    bool aws_managed; /* rotated every year */
    const json_t *tags; /* an object of strings, or NULL */
};
/* Makes a key and its material. COF_E_EXISTS for an id that is there. RSA takes its time: 0.1 to several seconds. */
COF_MUST_USE enum cof_err cof_kms_key_make(struct cof_standin *s, const struct cof_kms_make *make, int64_t now_ms,
                                           struct cof_kms_key **out);
/* Writes the record and reads the fields above from it again. */
COF_MUST_USE enum cof_err cof_kms_key_save(struct cof_standin *s, struct cof_kms_key *key);
/* Removes key, aliases and grants. */
COF_MUST_USE enum cof_err cof_kms_key_remove(struct cof_standin *s, struct cof_kms_key *key);
/* One more version of a symmetric key's material, in the record; how: "AUTOMATIC" or "ON_DEMAND". */
COF_MUST_USE enum cof_err cof_kms_key_rotate(struct cof_standin *s, struct cof_kms_key *key, const char *how,
                                             int64_t at_ms);
/* A fresh asymmetric key pair or HMAC key as bytes: PKCS#8 (secret builder), or as they are. spki may be NULL. */
COF_MUST_USE enum cof_err cof_kms_material_make(struct cof_standin *s, const struct cof_kms_spec *spec,
                                                struct cof_buf *private_key, struct cof_buf *spki);

struct cof_view cof_kms_key_policy(const struct cof_kms_key *key);
const char *cof_kms_key_text(const struct cof_kms_key *key, const char *member); /* "" when absent */
const char *cof_kms_state_name(enum cof_kms_state state);
/* Of version i; the last is the current one. 64 hex digits. */
const char *cof_kms_version_id(const struct cof_kms_key *key, size_t version);

/* Opens the material: gcms[version] of a symmetric key, else rsa, ecc or hmac. */
COF_MUST_USE enum cof_err cof_kms_key_unlock(struct cof_standin *s, struct cof_kms_key *key, size_t version);

#endif
