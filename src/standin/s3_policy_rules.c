/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/s3_policy_rules.h"

#include "base/num.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Service Authorization Reference, "Actions defined by Amazon S3": those whose resource is a bucket, and an object. */
static const char *const bucket_actions[] = {"s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:DeleteBucketWebsite",
    "s3:GetAccelerateConfiguration", "s3:GetAnalyticsConfiguration", "s3:GetBucketAcl", "s3:GetBucketCORS",
    "s3:GetBucketLocation", "s3:GetBucketLogging", "s3:GetBucketNotification", "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketOwnershipControls", "s3:GetBucketPolicy", "s3:GetBucketPolicyStatus", "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketRequestPayment", "s3:GetBucketTagging", "s3:GetBucketVersioning", "s3:GetBucketWebsite",
    "s3:GetEncryptionConfiguration", "s3:GetIntelligentTieringConfiguration", "s3:GetInventoryConfiguration",
    "s3:GetLifecycleConfiguration", "s3:GetMetricsConfiguration", "s3:GetReplicationConfiguration", "s3:ListBucket",
    "s3:ListBucketMultipartUploads", "s3:ListBucketVersions", "s3:PutAccelerateConfiguration",
    "s3:PutAnalyticsConfiguration", "s3:PutBucketAcl", "s3:PutBucketCORS", "s3:PutBucketLogging",
    "s3:PutBucketNotification", "s3:PutBucketObjectLockConfiguration", "s3:PutBucketOwnershipControls",
    "s3:PutBucketPolicy", "s3:PutBucketPublicAccessBlock", "s3:PutBucketRequestPayment", "s3:PutBucketTagging",
    "s3:PutBucketVersioning", "s3:PutBucketWebsite", "s3:PutEncryptionConfiguration",
    "s3:PutIntelligentTieringConfiguration", "s3:PutInventoryConfiguration", "s3:PutLifecycleConfiguration",
    "s3:PutMetricsConfiguration", "s3:PutReplicationConfiguration"};
static const char *const object_actions[] = {"s3:AbortMultipartUpload", "s3:BypassGovernanceRetention", "s3:DeleteObject",
    "s3:DeleteObjectTagging", "s3:DeleteObjectVersion", "s3:DeleteObjectVersionTagging", "s3:GetObject",
    "s3:GetObjectAcl", "s3:GetObjectAttributes", "s3:GetObjectLegalHold", "s3:GetObjectRetention",
    "s3:GetObjectTagging", "s3:GetObjectTorrent", "s3:GetObjectVersion", "s3:GetObjectVersionAcl",
    "s3:GetObjectVersionAttributes", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging",
    "s3:GetObjectVersionTorrent", "s3:InitiateReplication", "s3:ListMultipartUploadParts",
    "s3:ObjectOwnerOverrideToBucketOwner", "s3:PutObject", "s3:PutObjectAcl", "s3:PutObjectLegalHold",
    "s3:PutObjectRetention", "s3:PutObjectTagging", "s3:PutObjectVersionAcl", "s3:PutObjectVersionTagging",
    "s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags", "s3:RestoreObject",
    "s3:UpdateObjectEncryption"};

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

/* Which actions a condition key of S3 speaks about. */
enum reach { REACH_ANY, REACH_LIST, REACH_PUT };

static const struct { const char *name; enum reach reach; } condition_keys[] = {
    {"s3:authType", REACH_ANY}, {"s3:signatureAge", REACH_ANY}, {"s3:signatureversion", REACH_ANY},
    {"s3:TlsVersion", REACH_ANY}, {"s3:ResourceAccount", REACH_ANY}, {"s3:x-amz-content-sha256", REACH_ANY},
    {"s3:AccessGrantsInstanceArn", REACH_ANY}, {"s3:AccessPointNetworkOrigin", REACH_ANY},
    {"s3:DataAccessPointAccount", REACH_ANY}, {"s3:DataAccessPointArn", REACH_ANY}, {"s3:VersionId", REACH_ANY},
    {"s3:LocationConstraint", REACH_ANY}, {"s3:RequestObjectTagKeys", REACH_ANY}, {"s3:x-amz-acl", REACH_ANY},
    {"s3:x-amz-grant-read", REACH_ANY}, {"s3:x-amz-grant-write", REACH_ANY}, {"s3:x-amz-grant-read-acp", REACH_ANY},
    {"s3:x-amz-grant-write-acp", REACH_ANY}, {"s3:x-amz-grant-full-control", REACH_ANY},
    {"s3:object-lock-mode", REACH_ANY}, {"s3:object-lock-legal-hold", REACH_ANY},
    {"s3:object-lock-retain-until-date", REACH_ANY}, {"s3:object-lock-remaining-retention-days", REACH_ANY},
    {"s3:x-amz-object-ownership", REACH_ANY}, {"s3:if-match", REACH_ANY}, {"s3:if-none-match", REACH_ANY},
    {"s3:prefix", REACH_LIST}, {"s3:delimiter", REACH_LIST}, {"s3:max-keys", REACH_LIST},
    {"s3:ObjectCreationOperation", REACH_PUT}, {"s3:x-amz-copy-source", REACH_PUT},
    {"s3:x-amz-metadata-directive", REACH_PUT}, {"s3:x-amz-storage-class", REACH_PUT},
    {"s3:x-amz-website-redirect-location", REACH_PUT}, {"s3:x-amz-server-side-encryption", REACH_PUT},
    {"s3:x-amz-server-side-encryption-aws-kms-key-id", REACH_PUT},
    {"s3:x-amz-server-side-encryption-customer-algorithm", REACH_PUT}};
static const char *const condition_prefixes[] = {"s3:ExistingObjectTag/", "s3:RequestObjectTag/", "s3:BucketTag/", "aws:"};

static bool any_matches(struct cof_view pattern, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (cof_glob_match_nocase((struct cof_glob){pattern, NULL}, cof_view_str(names[i])))
            return true;
    return false;
}

bool cof_s3_action_is_object(const char *action)
{
    for (size_t i = 0; i < COUNT(object_actions); i++)
        if (strcmp(object_actions[i], action) == 0)
            return true;
    return false;
}

/* What a resource pattern can mean in this bucket. */
struct scope {
    bool bucket, objects;
};

/* Policy variables stand for anything here. Returns the length written. */
static size_t without_variables(struct cof_view pattern, uint8_t *out)
{
    size_t n = 0;

    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.data[i] == '$' && i + 1 < pattern.len && pattern.data[i + 1] == '{') {
            size_t end = cof_view_find(cof_view_sub(pattern, i, SIZE_MAX), '}');

            if (end != SIZE_MAX) {
                out[n++] = '*';
                i += end;
                continue;
            }
        }
        out[n++] = pattern.data[i];
    }
    return n;
}

static struct scope scope_of(struct cof_view pattern, const char *bucket)
{
    uint8_t plain[2048];
    char name[160];
    struct cof_view all, front;
    struct scope scope = {false, false};
    size_t slash;

    if (pattern.len > sizeof plain)
        return scope;
    if (cof_view_eq_str(pattern, "*"))
        return (struct scope){true, true};
    all = cof_view_of(plain, without_variables(pattern, plain));
    (void)snprintf(name, sizeof name, "arn:aws:s3:::%s", bucket);
    scope.bucket = cof_glob_match_arn((struct cof_glob){all, NULL}, cof_view_str(name));
    slash = cof_view_find(all, '/');
    front = cof_view_sub(all, 0, slash);
    if (slash != SIZE_MAX && slash + 1 < all.len)
        scope.objects = cof_glob_match_arn((struct cof_glob){front, NULL}, cof_view_str(name));
    /* "arn:aws:s3:::buck*" goes past the slash by itself */
    (void)snprintf(name, sizeof name, "arn:aws:s3:::%s/x", bucket);
    scope.objects = scope.objects || cof_glob_match_arn((struct cof_glob){all, NULL}, cof_view_str(name));
    return scope;
}

static enum cof_err malformed(char why[static COF_S3_POLICY_WHY], const char *sentence)
{
    (void)snprintf(why, COF_S3_POLICY_WHY, "%s", sentence);
    return COF_E_FORMAT;
}

static enum cof_err check_actions(const struct cof_statement *st, struct scope scope, char why[static COF_S3_POLICY_WHY])
{
    for (size_t i = 0; i < st->n_actions; i++) {
        struct cof_view action = st->actions[i];
        bool on_bucket = any_matches(action, bucket_actions, COUNT(bucket_actions)),
             on_object = any_matches(action, object_actions, COUNT(object_actions));

        if (!on_bucket && !on_object)
            return malformed(why, "Policy has invalid action");
        if (!st->not_action && !st->not_resource && !(on_bucket && scope.bucket) && !(on_object && scope.objects))
            return malformed(why, "Action does not apply to any resource(s) in statement");
    }
    return COF_OK;
}

static bool reaches(enum reach reach, struct cof_view action)
{
    static const char *const list[] = {"s3:ListBucket", "s3:ListBucketVersions"},
                             *const put[] = {"s3:PutObject", "s3:ReplicateObject", "s3:RestoreObject"};

    return reach == REACH_ANY || (reach == REACH_LIST ? any_matches(action, list, COUNT(list)) : any_matches(action, put, COUNT(put)));
}

static enum cof_err check_conditions(const struct cof_statement *st, char why[static COF_S3_POLICY_WHY])
{
    for (size_t i = 0; i < st->n_conditions; i++) {
        struct cof_view key = st->conditions[i].key;
        bool known = false;

        for (size_t k = 0; k < COUNT(condition_prefixes) && !known; k++)
            known = key.len > strlen(condition_prefixes[k]) &&
                cof_view_eq_nocase(cof_view_sub(key, 0, strlen(condition_prefixes[k])), cof_view_str(condition_prefixes[k]));
        for (size_t k = 0; k < COUNT(condition_keys); k++) {
            if (!cof_view_eq_nocase(key, cof_view_str(condition_keys[k].name)))
                continue;
            known = true;
            for (size_t a = 0; a < st->n_actions && !st->not_action; a++)
                if (!reaches(condition_keys[k].reach, st->actions[a]))
                    return malformed(why, "Conditions do not apply to combination of actions and resources in statement");
        }
        if (!known)
            return malformed(why, "Policy has an invalid condition key");
    }
    return COF_OK;
}

static enum cof_err check_statement(const struct cof_statement *st, const char *bucket, char why[static COF_S3_POLICY_WHY])
{
    struct scope all = {false, false};
    enum cof_err err;

    for (size_t i = 0; i < st->n_resources; i++) {
        struct scope one = scope_of(st->resources[i], bucket);

        if (!one.bucket && !one.objects)
            return malformed(why, "Policy has invalid resource");
        all.bucket = all.bucket || one.bucket;
        all.objects = all.objects || one.objects;
    }
    if (st->not_principal && st->effect == COF_EFFECT_ALLOW)
        return malformed(why, "Allow with NotPrincipal is not allowed");
    err = check_actions(st, all, why);
    return err == COF_OK ? check_conditions(st, why) : err;
}

/* What S3 says of members that are not there or not of the grammar, before the strict parser says it with line and
 * column. */
static enum cof_err check_members(json_t *root, char why[static COF_S3_POLICY_WHY])
{
    static const char *const needed[][2] = {
        {"Effect", "Effect"}, {"Principal", "NotPrincipal"}, {"Action", "NotAction"}, {"Resource", "NotResource"}};
    json_t *statements = json_object_get(root, "Statement"), *one;
    size_t n = json_is_array(statements) ? json_array_size(statements) : 1;
    const char *effect;

    if (statements == NULL) {
        (void)snprintf(why, COF_S3_POLICY_WHY, "Missing required field Statement");
        return COF_E_FORMAT;
    }
    if (n == 0)
        return malformed(why, "Could not parse the policy: Statement is empty!");
    for (size_t i = 0; i < n; i++) {
        one = json_is_array(statements) ? json_array_get(statements, i) : statements;
        for (size_t k = 0; k < COUNT(needed) && json_is_object(one); k++)
            if (json_object_get(one, needed[k][0]) == NULL && json_object_get(one, needed[k][1]) == NULL) {
                (void)snprintf(why, COF_S3_POLICY_WHY, "Missing required field %s", needed[k][0]);
                return COF_E_FORMAT;
            }
        effect = json_string_value(json_object_get(one, "Effect"));
        if (effect != NULL && strcmp(effect, "Allow") != 0 && strcmp(effect, "Deny") != 0) {
            (void)snprintf(why, COF_S3_POLICY_WHY, "Invalid effect: %.100s", effect);
            return COF_E_FORMAT;
        }
    }
    return COF_OK;
}

enum cof_err cof_s3_policy_read(
    struct cof_view text, const char *bucket, struct cof_policy **out, char why[static COF_S3_POLICY_WHY])
{
    struct cof_diag diag = {.text = ""};
    json_t *root;
    enum cof_err err;

    *out = NULL;
    why[0] = '\0';
    if (text.len > COF_S3_POLICY_MAX)
        return COF_E_LIMIT;
    root = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(root)) {
        json_decref(root);
        return malformed(why, "Policies must be valid JSON and the first byte must be '{'");
    }
    err = check_members(root, why);
    json_decref(root);
    if (err != COF_OK)
        return err;
    err = cof_policy_parse(text, COF_POLICY_RESOURCE, COF_S3_POLICY_MAX, out, &diag);
    if (err == COF_E_FORMAT || err == COF_E_LIMIT) {
        (void)snprintf(why, COF_S3_POLICY_WHY, "%s%.300s",
            strstr(diag.text, "principal") != NULL ? "Invalid principal in policy: " : "", diag.text);
        return COF_E_FORMAT;
    }
    for (size_t i = 0; err == COF_OK && i < (*out)->n_statements; i++)
        err = check_statement(&(*out)->statements[i], bucket, why);
    if (err != COF_OK) {
        cof_policy_free(*out);
        *out = NULL;
    }
    return err;
}

/* A value that names one thing: no wildcard, no policy variable. */
static bool is_fixed(struct cof_view value)
{
    return value.len > 0 && cof_view_find(value, '*') == SIZE_MAX && cof_view_find(value, '?') == SIZE_MAX &&
        cof_view_find(value, '$') == SIZE_MAX;
}

/* spec: a range wider than /8 (IPv6: /32) is as good as everybody. */
static bool is_narrow_range(struct cof_view value)
{
    struct cof_view host, bits;
    uint64_t n;

    if (!cof_view_split(value, '/', &host, &bits))
        return true;
    return cof_parse_u64(bits, 128, &n) == COF_OK && n >= (cof_view_find(host, ':') == SIZE_MAX ? 8 : 32);
}

/* "AROAID:*" is a role whoever assumed it: the part before the colon must be fixed. */
static bool is_fixed_user(struct cof_view value)
{
    struct cof_view id, session;

    return is_fixed(value) || (cof_view_split(value, ':', &id, &session) && is_fixed(id));
}

/* Whether a condition lets only fixed ones through. */
static bool narrows(const struct cof_condition *cond)
{
    static const char *const keys[] = {"aws:SourceArn", "aws:SourceVpc", "aws:SourceVpce", "aws:SourceOwner",
        "aws:SourceAccount", "aws:SourceOrgID", "aws:PrincipalOrgID", "aws:PrincipalAccount", "aws:PrincipalArn",
        "aws:userid", "s3:x-amz-server-side-encryption-aws-kms-key-id", "s3:DataAccessPointArn",
        "s3:DataAccessPointAccount"};
    bool positive = cond->op == COF_COND_StringEquals || cond->op == COF_COND_StringEqualsIgnoreCase ||
        cond->op == COF_COND_StringLike || cond->op == COF_COND_ArnEquals || cond->op == COF_COND_ArnLike;
    bool ip = cond->op == COF_COND_IpAddress && cof_view_eq_nocase(cond->key, COF_LIT("aws:SourceIp"));
    bool user = cof_view_eq_nocase(cond->key, COF_LIT("aws:userid")), known = ip;

    if (cond->if_exists || cond->set == COF_COND_FOR_ALL_VALUES || cond->n_values == 0 || (!positive && !ip))
        return false;
    for (size_t i = 0; i < COUNT(keys) && !known; i++)
        known = cof_view_eq_nocase(cond->key, cof_view_str(keys[i]));
    for (size_t i = 0; i < cond->n_values && known; i++)
        known = ip ? is_narrow_range(cond->values[i]) : user ? is_fixed_user(cond->values[i]) : is_fixed(cond->values[i]);
    return known;
}

static bool statement_is_public(const struct cof_statement *st)
{
    bool anyone = st->not_principal;

    if (st->effect != COF_EFFECT_ALLOW)
        return false;
    for (size_t i = 0; i < st->n_principals && !anyone; i++)
        anyone = st->principals[i].kind == COF_PRINCIPAL_ANYONE;
    for (size_t i = 0; i < st->n_conditions && anyone; i++)
        anyone = !narrows(&st->conditions[i]);
    return anyone;
}

bool cof_s3_policy_is_public(const struct cof_policy *policy)
{
    for (size_t i = 0; i < policy->n_statements; i++)
        if (statement_is_public(&policy->statements[i]))
            return true;
    return false;
}
