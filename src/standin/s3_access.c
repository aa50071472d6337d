/* SPDX-License-Identifier: Apache-2.0
 *
 * May this caller do this with that bucket or object? The condition keys that S3 sets (Service Authorization Reference,
 * "Actions, resources, and condition keys for Amazon S3"), and the question put to the policies.
 */
#include "format/xml.h"
#include "standin/s3_record.h"

#include <stdio.h>
#include <string.h>

/* Headers and parameters that policies may speak of, by the name of their context key. */
static const struct { const char *key, *header, *param; } request_keys[] = {
    {"s3:x-amz-server-side-encryption", "x-amz-server-side-encryption", NULL},
    {"s3:x-amz-server-side-encryption-aws-kms-key-id", "x-amz-server-side-encryption-aws-kms-key-id", NULL},
    {"s3:x-amz-server-side-encryption-customer-algorithm", "x-amz-server-side-encryption-customer-algorithm", NULL},
    {"s3:x-amz-acl", "x-amz-acl", NULL},
    {"s3:x-amz-content-sha256", "x-amz-content-sha256", NULL},
    {"s3:x-amz-copy-source", "x-amz-copy-source", NULL},
    {"s3:x-amz-metadata-directive", "x-amz-metadata-directive", NULL},
    {"s3:x-amz-storage-class", "x-amz-storage-class", NULL},
    {"s3:x-amz-website-redirect-location", "x-amz-website-redirect-location", NULL},
    {"s3:object-lock-legal-hold", "x-amz-object-lock-legal-hold", NULL},
    {"s3:if-none-match", "if-none-match", NULL},
    {"s3:if-match", "if-match", NULL},
    {"s3:prefix", NULL, "prefix"},
    {"s3:delimiter", NULL, "delimiter"},
    {"s3:max-keys", NULL, "max-keys"},
    {"s3:VersionId", NULL, "versionId"},
};

/* What a call creates an object with, for s3:ObjectCreationOperation. */
static struct cof_view creates(const struct cof_s3_call *c, const char *action)
{
    if (strcmp(action, "s3:PutObject") != 0)
        return (struct cof_view){NULL, 0};
    return cof_s3_has_param(c, "uploads") || cof_s3_has_param(c, "partNumber") ? COF_LIT("false") : COF_LIT("true");
}

struct texts {
    char age[24], lock_days[24];
    struct cof_buf tag_keys; /* "s3:RequestObjectTag/x" and the like, decoded values */
};

/* tag=value&...: each as s3:RequestObjectTag/tag. */
static void add_request_tags(const struct cof_s3_call *c, struct texts *t, struct cof_standin_context *context)
{
    struct cof_view query = cof_s3_header(c, "x-amz-tagging"), name, value;

    while (cof_query_next(&query, &name, &value)) {
        size_t key = t->tag_keys.len, end, last;

        if (t->tag_keys.cap == 0 && cof_buf_reserve(&t->tag_keys, 16000) != COF_OK)
            return;
        cof_buf_add_str(&t->tag_keys, "s3:RequestObjectTag/");
        if (cof_uri_decode(name, true, &t->tag_keys) != COF_OK)
            return;
        end = t->tag_keys.len;
        if (cof_uri_decode(value, true, &t->tag_keys) != COF_OK || t->tag_keys.len > 16000)
            return;
        last = t->tag_keys.len;
        cof_standin_context_add(
            context, cof_view_of(t->tag_keys.data + key, end - key), cof_view_of(t->tag_keys.data + end, last - end));
    }
}

/* A tag of the body, as s3:RequestObjectTag/key. */
static void add_body_tags(const struct cof_s3_call *c, struct texts *t, struct cof_standin_context *context)
{
    const struct cof_xml_node *tag;

    for (tag = cof_xml_child(c->body_tags, "Tag"); tag != NULL; tag = cof_xml_again(tag, "Tag")) {
        struct cof_view name = cof_xml_text(tag, "Key");
        size_t key = t->tag_keys.len;

        if (t->tag_keys.cap == 0 && cof_buf_reserve(&t->tag_keys, 16000) != COF_OK)
            return;
        if (name.len > 16000 - 24 || t->tag_keys.len + name.len + 24 > 16000)
            return;
        cof_buf_add_str(&t->tag_keys, "s3:RequestObjectTag/");
        cof_buf_add(&t->tag_keys, name);
        cof_standin_context_add(context, cof_view_of(t->tag_keys.data + key, t->tag_keys.len - key),
            cof_xml_text(tag, "Value"));
    }
}

static void add_lock(const struct cof_s3_call *c, struct texts *t, struct cof_standin_context *context)
{
    if (c->lock_until.len == 0)
        return;
    (void)snprintf(t->lock_days, sizeof t->lock_days, "%lld", (long long)c->lock_days);
    cof_standin_context_add(context, COF_LIT("s3:object-lock-mode"), c->lock_mode);
    cof_standin_context_add(context, COF_LIT("s3:object-lock-retain-until-date"), c->lock_until);
    cof_standin_context_add(context, COF_LIT("s3:object-lock-remaining-retention-days"), cof_view_str(t->lock_days));
}

static void add_existing_tags(const json_t *tags, struct texts *t, struct cof_standin_context *context)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)tags, name, value) {
        size_t key = t->tag_keys.len;

        if (t->tag_keys.cap == 0 && cof_buf_reserve(&t->tag_keys, 16000) != COF_OK)
            return;
        if (t->tag_keys.len + strlen(name) + 24 > 16000)
            return;
        cof_buf_add_str(&t->tag_keys, "s3:ExistingObjectTag/");
        cof_buf_add_str(&t->tag_keys, name);
        cof_standin_context_add(context, cof_view_of(t->tag_keys.data + key, t->tag_keys.len - key),
            cof_view_str(json_string_value(value)));
    }
}

static void build_context(
    struct cof_s3_call *c, const char *action, const json_t *tags, struct texts *t, struct cof_standin_context *context)
{
    const struct cof_auth *auth = c->req->auth;
    struct cof_view creation = creates(c, action);

    for (size_t i = 0; i < sizeof request_keys / sizeof request_keys[0]; i++) {
        struct cof_view value = request_keys[i].header != NULL ? cof_s3_header(c, request_keys[i].header) :
            cof_s3_param(c, request_keys[i].param);

        if (value.len > 0 || (request_keys[i].param != NULL && cof_s3_has_param(c, request_keys[i].param)))
            cof_standin_context_add(context, cof_view_str(request_keys[i].key), value);
    }
    if (creation.len > 0)
        cof_standin_context_add(context, COF_LIT("s3:ObjectCreationOperation"), creation);
    if (auth->is_signed) {
        cof_standin_context_add(context, COF_LIT("s3:signatureversion"), COF_LIT("AWS4-HMAC-SHA256"));
        cof_standin_context_add(context, COF_LIT("s3:authType"),
            auth->claim.presigned ? COF_LIT("REST-QUERY-STRING") : COF_LIT("REST-HEADER"));
        (void)snprintf(t->age, sizeof t->age, "%lld",
            (long long)(c->req->now_ms > auth->claim.time_ms ? c->req->now_ms - auth->claim.time_ms : 0));
        cof_standin_context_add(context, COF_LIT("s3:signatureAge"), cof_view_str(t->age));
    }
    add_request_tags(c, t, context);
    add_body_tags(c, t, context);
    add_lock(c, t, context);
    add_existing_tags(tags, t, context);
}

const char *cof_s3_owner(const struct cof_s3_call *c)
{
    const char *owner = cof_s3_text(c->bucket_record, "owner");

    if (c->bucket_record == NULL)
        owner = c->req->principal->account;
    return owner[0] != '\0' ? owner : cof_standin_account(c->s);
}

bool cof_s3_allowed(
    struct cof_s3_call *c, const char *action, bool object, const json_t *tags, bool quiet, enum cof_err *err)
{
    struct cof_standin_context context = {.n = 0};
    struct texts texts;
    struct cof_buf arn, why;
    struct cof_standin_access access = {.action = action,
        .resource_policy = cof_buf_view(&c->policy),
        .resource_policy_name = "bucket-policy",
        .resource_policy_kind = COF_POLICY_RESOURCE,
        .rule = COF_RESOURCE_EITHER,
        .resource_account = cof_view_str(cof_s3_owner(c)),
        .context = &context};
    bool was = c->req->authorized;
    char before[sizeof c->req->action];

    cof_buf_init(&texts.tag_keys, 65536);
    cof_buf_init(&arn, 2 * COF_S3_KEY_MAX);
    cof_buf_init(&why, 16384);
    build_context(c, action, tags, &texts, &context);
    if (c->level == COF_S3_SERVICE)
        cof_buf_add_str(&arn, "arn:aws:s3:::*");
    else
        cof_s3_arn(c, object, &arn);
    access.resource = cof_buf_view(&arn);
    memcpy(before, c->req->action, sizeof before);
    *err = cof_standin_authorize(c->s, c->req, &access, &why);
    if (quiet) { /* asked on the way: what the call is stays */
        c->req->authorized = was;
        memcpy(c->req->action, before, sizeof before);
    }
    if (*err == COF_E_DENIED && !quiet)
        *err = cof_s3_fail(c, 403, "AccessDenied",
            c->req->principal->caller.kind == COF_CALLER_ANONYMOUS ? "Access Denied" : cof_buf_cstr(&why));
    else if (*err == COF_OK) {
        cof_buf_done(&texts.tag_keys);
        cof_buf_done(&arn);
        cof_buf_done(&why);
        return true;
    }
    if (quiet && *err == COF_E_DENIED)
        *err = COF_OK;
    cof_buf_done(&texts.tag_keys);
    cof_buf_done(&arn);
    cof_buf_done(&why);
    return false;
}
