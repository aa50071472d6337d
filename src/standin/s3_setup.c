/* SPDX-License-Identifier: Apache-2.0
 *
 * Buckets of the bootstrap manifest: {"buckets": [{"name", "policy": {...} or text, "versioning": true,
 * "encryption": {"algorithm": "aws:kms", "key_id": "..."}, "block_sse_c": true, "owner": "222233334444",
 * "object_lock": {"mode": "GOVERNANCE", "days": 30} or {}, "public_access": true: not blocked, "object_ownership":
 * "ObjectWriter" or "BucketOwnerPreferred": with ACLs}]}
 *
 * And of all buckets: {"s3": {"open_to_sse_c": true: new buckets take SSE-C, as they did before April 2026,
 * "open_to_public": true: new buckets have no Block Public Access, "acls": true: they have ACLs, as before April 2023,
 * "as_ceph": true: where docs/s3-compatibility.md says that Ceph answers otherwise than AWS}}; all false by default.
 */
#include "standin/s3_policy_rules.h"
#include "standin/s3_public.h"
#include "standin/s3_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum cof_err cof_s3_bootstrap(
    struct cof_standin *s, const struct json_t *manifest, int64_t now_ms, struct cof_diag *diag);

static enum cof_err set_policy(
    const struct cof_store *store, const char *name, const json_t *policy, bool open_to_public, struct cof_diag *diag)
{
    char *text = policy == NULL ? NULL :
        json_is_string(policy)  ? strdup(json_string_value(policy)) :
                                  json_dumps(policy, JSON_INDENT(2));
    struct cof_policy *parsed = NULL;
    char why[COF_S3_POLICY_WHY];
    enum cof_err err = COF_OK;

    if (policy == NULL)
        return COF_OK;
    if (text == NULL)
        return COF_E_MEMORY;
    err = cof_s3_policy_read(cof_view_str(text), name, &parsed, why);
    if (err == COF_OK && !open_to_public && cof_s3_policy_is_public(parsed)) {
        (void)snprintf(why, sizeof why, "it is public, and the bucket has no \"public_access\": true");
        err = COF_E_CONFIG;
    }
    cof_policy_free(parsed);
    if (err == COF_OK)
        err = store->put(store->ctx, "s3.policy", cof_view_str(name), cof_view_str(text));
    else
        (void)cof_diag_set(diag, err, "policy of bucket %s: %s", name, err == COF_E_LIMIT ? "it is too long" : why);
    free(text);
    return err;
}

static enum cof_err make_bucket(
    const struct cof_store *store, const json_t *item, int64_t now_ms, struct cof_diag *diag)
{
    const char *name = cof_s3_text(item, "name");
    const json_t *encryption = json_object_get(item, "encryption"), *blocked = json_object_get(item, "block_sse_c");
    const char *algorithm = cof_s3_text(encryption, "algorithm"), *ownership = cof_s3_text(item, "object_ownership");
    bool open_to_public = cof_s3_is(item, "public_access");
    json_t *record;
    enum cof_err err;

    if (!cof_s3_bucket_name_ok(cof_view_str(name)))
        return cof_diag_set(diag, COF_E_CONFIG, "\"%s\" is no bucket name", name);
    record = json_pack("{s:I, s:s, s:s, s:{s:s, s:s, s:b, s:b}}", "created", (json_int_t)now_ms, "owner",
        cof_s3_text(item, "owner"), "versioning",
        cof_s3_is(item, "versioning") ? "Enabled" : "", "encryption", "algorithm",
        algorithm[0] == '\0' ? "AES256" : algorithm, "key_id", cof_s3_text(encryption, "key_id"), "bucket_key",
        cof_s3_is(encryption, "bucket_key"), "sse_c_blocked", blocked == NULL || json_is_true(blocked));
    if (record != NULL && json_is_object(json_object_get(item, "object_lock"))) {
        (void)json_object_set(record, "object_lock", json_object_get(item, "object_lock"));
        (void)json_object_set_new(record, "versioning", json_string("Enabled"));
    }
    err = record == NULL ? COF_E_MEMORY : COF_OK;
    if (err == COF_OK && (json_object_set_new(record, "ownership", json_string(ownership[0] == '\0' ? "BucketOwnerEnforced" : ownership)) != 0 ||
                             (!open_to_public && json_object_set_new(record, "public_access_block", cof_s3_block_new(true)) != 0)))
        err = COF_E_MEMORY;
    if (err == COF_OK)
        err = cof_s3_bucket_put(store, name, record);
    json_decref(record);
    return err == COF_OK ? set_policy(store, name, json_object_get(item, "policy"), open_to_public, diag) : err;
}

enum cof_err cof_s3_bootstrap(
    struct cof_standin *s, const struct json_t *manifest, int64_t now_ms, struct cof_diag *diag)
{
    const json_t *buckets = json_object_get(manifest, "buckets"), *settings = json_object_get(manifest, "s3");
    enum cof_err err = COF_OK;

    if (settings != NULL)
        err = cof_s3_save(cof_standin_store(s), "s3.setting", COF_LIT("account"), settings);
    for (size_t i = 0; i < json_array_size(buckets) && err == COF_OK; i++)
        err = make_bucket(cof_standin_store(s), json_array_get(buckets, i), now_ms, diag);
    return err;
}
