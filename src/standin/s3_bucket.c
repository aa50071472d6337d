/* SPDX-License-Identifier: Apache-2.0
 *
 * Buckets: made, found, listed, removed.
 */
#include "base/codec.h"
#include "format/xml.h"
#include "standin/s3_body.h"
#include "standin/s3_lock.h"
#include "standin/s3_multipart.h"
#include "standin/s3_owner.h"
#include "standin/s3_public.h"
#include "standin/s3_put.h"
#include "standin/s3_record.h"

#include <stdio.h>
#include <string.h>

#define BUCKETS_MAX 10000 /* of one listing */

static bool owned_by_caller(const struct cof_s3_call *c, const json_t *record)
{
    const char *owner = cof_s3_text(record, "owner");

    return strcmp(owner[0] != '\0' ? owner : cof_standin_account(c->s), cof_s3_owner(c)) == 0;
}

struct bucket_list {
    struct cof_s3_call *c;
    uint64_t max, n;
    struct cof_buf last; /* the last name given */
    bool more, paged;
};

static bool say_bucket(void *arg, struct cof_view key, struct cof_view value)
{
    struct bucket_list *list = arg;
    struct cof_s3_call *c = list->c;
    json_t *record;

    if (cof_s3_parse(value, &record) != COF_OK)
        return true;
    if (!owned_by_caller(c, record)) {
        json_decref(record);
        return true;
    }
    list->more = list->n == list->max;
    if (!list->more) {
        list->n++;
        cof_buf_reset(&list->last);
        cof_buf_add(&list->last, key);
        cof_buf_add_str(&c->reply->body, "<Bucket>");
        cof_xml_element(&c->reply->body, "Name", key);
        cof_s3_xml_date(&c->reply->body, "CreationDate", cof_s3_int(record, "created"));
        if (list->paged)
            cof_xml_element(&c->reply->body, "BucketRegion", cof_view_str(cof_standin_region(c->s)));
        cof_buf_printf(&c->reply->body, "<BucketArn>arn:aws:s3:::%.*s</BucketArn></Bucket>", (int)key.len, (const char *)key.data);
    }
    json_decref(record);
    return !list->more;
}

/* spec: asked for by any of its parameters, the list tells each bucket's region. */
static bool paged(const struct cof_s3_call *c)
{
    return cof_s3_has_param(c, "max-buckets") || cof_s3_has_param(c, "prefix") || cof_s3_has_param(c, "continuation-token") ||
        cof_s3_has_param(c, "bucket-region");
}

/* Formed like a Region: us-east-1, us-gov-west-1, eu-isoe-west-1. */
static bool is_region(struct cof_view name)
{
    struct cof_view part, rest = name;
    size_t n = 0;

    while (cof_view_split(rest, '-', &part, &rest)) {
        for (size_t i = 0; i < part.len; i++)
            if (part.data[i] < 'a' || part.data[i] > 'z')
                return false;
        n += part.len > 0;
    }
    return n >= 2 && n <= 3 && part.len == 1 && part.data[0] >= '1' && part.data[0] <= '9';
}

static bool region_ok(struct cof_s3_call *c, struct cof_view region)
{
    char message[160];

    if (cof_view_eq_nocase(region, cof_view_str(cof_standin_region(c->s))))
        return true;
    if (is_region(region))
        (void)snprintf(message, sizeof message,
            "Requests with bucket-region specified must be made to the corresponding regional endpoint");
    else
        (void)snprintf(message, sizeof message, "Argument value %.*s is not a valid AWS Region",
            region.len > 100 ? 100 : (int)region.len, region.len == 0 ? "" : (const char *)region.data);
    (void)cof_s3_bad_argument(c, "bucket-region", (struct cof_view){NULL, 0}, message);
    return false;
}

enum cof_err cof_s3_list_buckets(struct cof_s3_call *c)
{
    struct cof_view prefix = cof_s3_param(c, "prefix"), token = cof_s3_param(c, "continuation-token"),
                    region = cof_s3_param(c, "bucket-region");
    struct bucket_list list = {.c = c};
    struct cof_buf after, next;
    enum cof_err err;

    cof_buf_init(&after, 128);
    cof_buf_init(&next, 128);
    cof_buf_init(&list.last, 128);
    if (!cof_s3_allowed(c, "s3:ListAllMyBuckets", false, NULL, false, &err) ||
        !cof_s3_param_number(c, "max-buckets", UINT32_MAX, BUCKETS_MAX, &list.max))
        goto out;
    if (cof_s3_has_param(c, "max-buckets") && (list.max == 0 || list.max > BUCKETS_MAX)) {
        err = cof_s3_bad_argument(c, "max-buckets", cof_s3_param(c, "max-buckets"), "Argument max-buckets must be an integer between 1 and 10000.");
        goto out;
    }
    if (token.len > 0 && cof_base64url_decode(token, &after) != COF_OK) {
        err = cof_s3_bad_argument(c, "continuation-token", (struct cof_view){NULL, 0}, "The continuation token provided is incorrect");
        goto out;
    }
    if (cof_s3_has_param(c, "bucket-region") && !region_ok(c, region))
        goto out;
    list.paged = paged(c);
    cof_s3_xml_open(c, "ListAllMyBucketsResult");
    cof_s3_xml_owner(c, "Owner");
    cof_buf_add_str(&c->reply->body, "<Buckets>");
    err = c->store->scan(c->store->ctx, "s3.bucket", prefix, cof_buf_view(&after), SIZE_MAX, say_bucket, &list);
    cof_buf_add_str(&c->reply->body, "</Buckets>");
    if (list.more) {
        cof_base64url_add(&next, cof_buf_view(&list.last));
        cof_xml_element(&c->reply->body, "ContinuationToken", cof_buf_view(&next));
    }
    if (prefix.len > 0)
        cof_xml_element(&c->reply->body, "Prefix", prefix);
    if (err == COF_OK)
        err = cof_s3_xml_close(c, "ListAllMyBucketsResult");
out:
    cof_buf_done(&after);
    cof_buf_done(&next);
    cof_buf_done(&list.last);
    return err;
}

/* spec: what is no location at all is told otherwise than that of another region; the oldest region is named by naming none. */
static void bad_location(struct cof_s3_call *c, struct cof_view place)
{
    const struct cof_s3_detail given[] = {{"LocationConstraint", place}};
    char message[200];

    if (strcmp(cof_standin_region(c->s), "us-east-1") == 0 &&
        (cof_view_eq_str(place, "us-east-1") || (!is_region(place) && !cof_view_eq_str(place, "EU")))) {
        (void)cof_s3_fail_of(c, 400, "InvalidLocationConstraint", "The specified location-constraint is not valid", given, 1);
        return;
    }
    if (place.len == 0)
        place = COF_LIT("unspecified");
    (void)snprintf(message, sizeof message, "The %.*s location constraint is incompatible for the region specific endpoint this request was "
        "sent to.", place.len > 60 ? 60 : (int)place.len, (const char *)place.data);
    (void)cof_s3_fail(c, 400, "IllegalLocationConstraintException", message);
}

/* The location, when one is given, must be ours. tags: those to begin with. */
static bool read_wishes(struct cof_s3_call *c, json_t **tags, enum cof_err *err)
{
    struct cof_xml_node *root = NULL;
    struct cof_view place;
    bool oldest = strcmp(cof_standin_region(c->s), "us-east-1") == 0, good;

    *tags = NULL;
    *err = COF_OK;

    if (c->req->body.len > 0 && cof_xml_parse(c->req->body, 65536, 1000, &root) != COF_OK) {
        (void)cof_s3_bad_xml(c);
        return false;
    }
    place = cof_xml_text(root, "LocationConstraint");
    good = oldest ? place.len == 0 : cof_view_eq_str(place, cof_standin_region(c->s));
    if (!good)
        bad_location(c, place);
    good = good && cof_s3_tags_of_new_bucket(c, cof_xml_child(root, "Tags"), tags, err) &&
        (json_object_size(*tags) == 0 || cof_s3_allowed(c, "s3:TagResource", false, NULL, false, err));
    cof_xml_free(root);
    return good;
}

static void say_arn(struct cof_s3_call *c)
{
    char arn[90];

    (void)snprintf(arn, sizeof arn, "arn:aws:s3:::%s", c->bucket);
    cof_headers_set(&c->reply->headers, "x-amz-bucket-arn", arn);
}

static enum cof_err say_created(struct cof_s3_call *c)
{
    char location[80] = "/";

    memcpy(location + 1, c->bucket, strlen(c->bucket) + 1);
    cof_reply_set(c->reply, 200, NULL, COF_LIT(""));
    cof_headers_set(&c->reply->headers, "Location", location);
    say_arn(c);
    return COF_OK;
}

/* The permissions that what is asked for needs beside the bucket's own. */
static bool may_create(struct cof_s3_call *c, bool locks, enum cof_err *err)
{
    *err = COF_OK;
    if (locks && (!cof_s3_allowed(c, "s3:PutBucketObjectLockConfiguration", false, NULL, false, err) ||
                     !cof_s3_allowed(c, "s3:PutBucketVersioning", false, NULL, false, err)))
        return false;
    if (cof_s3_header(c, "x-amz-object-ownership").len > 0 &&
        !cof_s3_allowed(c, "s3:PutBucketOwnershipControls", false, NULL, false, err))
        return false;
    return cof_s3_header(c, "x-amz-acl").len == 0 || cof_s3_allowed(c, "s3:PutBucketAcl", false, NULL, false, err);
}

/* Whether there is none of that name. If there is, the reply says so (or *err). */
static bool is_new(struct cof_s3_call *c, bool tagged, enum cof_err *err)
{
    const struct cof_s3_detail bucket[] = {{"BucketName", cof_view_str(c->bucket)}};
    bool oldest = strcmp(cof_standin_region(c->s), "us-east-1") == 0;
    json_t *record = NULL;
    bool mine;

    *err = cof_s3_bucket_get(c->store, c->bucket, &record);
    if (*err == COF_E_NOT_FOUND) {
        *err = COF_OK;
        return true;
    }
    mine = *err == COF_OK && owned_by_caller(c, record);
    json_decref(record);
    if (*err != COF_OK)
        return false;
    if (!mine)
        *err = cof_s3_fail_of(c, 409, "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
            "Please select a different name and try again.", bucket, 1);
    else if (oldest && !tagged) /* spec: there, and there alone, making one's own bucket again is fine and changes nothing */
        *err = say_created(c);
    else
        *err = cof_s3_fail_of(c, 409, "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.", bucket, 1);
    return false;
}

static enum cof_err make_bucket(struct cof_s3_call *c, json_t *tags, bool locks)
{
    bool open_to_sse_c, open_to_public, acls;
    json_t *record = NULL;
    /* spec: since April 2026 new buckets refuse SSE-C until told otherwise */
    enum cof_err err = cof_s3_setting(c->store, "open_to_sse_c", &open_to_sse_c);

    if (err == COF_OK)
        err = cof_s3_setting(c->store, "open_to_public", &open_to_public);
    if (err == COF_OK)
        err = cof_s3_setting(c->store, "acls", &acls);
    if (err != COF_OK)
        return err;
    record = json_pack("{s:I, s:s, s:s, s:{s:s, s:b}}", "created", (json_int_t)c->req->now_ms, "owner", cof_s3_owner(c),
        "versioning", "", "encryption", "algorithm", "AES256", "sse_c_blocked", !open_to_sse_c);
    /* spec: since April 2023 new buckets have their public access blocked and their ACLs off */
    if (record == NULL || (!open_to_public && json_object_set_new(record, "public_access_block", cof_s3_block_new(true)) != 0) ||
        (json_object_size(tags) > 0 && json_object_set(record, "tags", tags) != 0))
        err = COF_E_MEMORY;
    if (err == COF_OK && !cof_s3_owner_for_bucket(c, acls ? "ObjectWriter" : "BucketOwnerEnforced", record, &err)) {
        json_decref(record);
        return err;
    }
    if (err == COF_OK && locks)
        err = cof_s3_lock_enable(record);
    if (err == COF_OK)
        err = cof_s3_bucket_put(c->store, c->bucket, record);
    json_decref(record);
    return err == COF_OK ? say_created(c) : err;
}

enum cof_err cof_s3_create_bucket(struct cof_s3_call *c)
{
    bool locks = cof_view_eq_nocase(cof_s3_header(c, "x-amz-bucket-object-lock-enabled"), COF_LIT("true"));
    json_t *tags = NULL;
    enum cof_err err;

    if (cof_s3_allowed(c, "s3:CreateBucket", false, NULL, false, &err) && read_wishes(c, &tags, &err) && may_create(c, locks, &err) &&
        is_new(c, json_object_size(tags) > 0, &err))
        err = make_bucket(c, tags, locks);
    json_decref(tags);
    return err;
}

enum cof_err cof_s3_head_bucket(struct cof_s3_call *c)
{
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:ListBucket", false, NULL, false, &err))
        return err;
    cof_reply_set(c->reply, 200, "application/xml", COF_LIT(""));
    cof_headers_set(&c->reply->headers, "x-amz-bucket-region", cof_standin_region(c->s));
    cof_headers_set(&c->reply->headers, "x-amz-access-point-alias", "false");
    say_arn(c);
    return COF_OK;
}

static bool found_one(void *arg, struct cof_view key, struct cof_view value)
{
    (void)key;
    (void)value;
    *(bool *)arg = true;
    return false;
}

enum cof_err cof_s3_delete_bucket(struct cof_s3_call *c)
{
    const struct cof_s3_detail bucket[] = {{"BucketName", cof_view_str(c->bucket)}};
    struct cof_buf prefix;
    bool any = false;
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:DeleteBucket", false, NULL, false, &err))
        return err;
    cof_buf_init(&prefix, 100);
    cof_s3_key_of(&prefix, c->bucket, COF_LIT(""));
    err = c->store->scan(c->store->ctx, "s3.version", cof_buf_view(&prefix), COF_LIT(""), 1, found_one, &any);
    cof_buf_done(&prefix);
    if (err == COF_OK && any)
        return cof_s3_fail_of(c, 409, "BucketNotEmpty",
            cof_s3_versioning_of(c) == COF_S3_UNVERSIONED
                ? "The bucket you tried to delete is not empty"
                : "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
            bucket, 1);
    if (err == COF_OK)
        err = cof_s3_uploads_drop(c);
    if (err == COF_OK)
        err = c->store->remove(c->store->ctx, "s3.bucket", cof_view_str(c->bucket));
    if (err == COF_OK)
        err = c->store->remove(c->store->ctx, "s3.policy", cof_view_str(c->bucket));
    if (err == COF_OK)
        cof_reply_set(c->reply, 204, NULL, COF_LIT(""));
    return err;
}

enum cof_err cof_s3_get_location(struct cof_s3_call *c)
{
    bool first_region = strcmp(cof_standin_region(c->s), "us-east-1") == 0;
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:GetBucketLocation", false, NULL, false, &err))
        return err;
    cof_s3_xml_open(c, "LocationConstraint");
    if (!first_region)
        cof_buf_add_str(&c->reply->body, cof_standin_region(c->s));
    return cof_s3_xml_close(c, "LocationConstraint");
}
