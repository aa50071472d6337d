/* SPDX-License-Identifier: Apache-2.0
 *
 * Buckets: made, found, listed, removed.
 */
#include "base/codec.h"
#include "format/xml.h"
#include "standin/s3_lock.h"
#include "standin/s3_multipart.h"
#include "standin/s3_owner.h"
#include "standin/s3_public.h"
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
    bool more;
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
        cof_buf_printf(&c->reply->body, "<BucketRegion>%s</BucketRegion></Bucket>", cof_standin_region(c->s));
    }
    json_decref(record);
    return !list->more;
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
        err = cof_s3_fail(c, 400, "InvalidArgument", "Argument max-buckets must be an integer between 1 and 10000.");
        goto out;
    }
    if (token.len > 0 && cof_base64url_decode(token, &after) != COF_OK) {
        err = cof_s3_fail(c, 400, "InvalidArgument", "The continuation token provided is incorrect");
        goto out;
    }
    cof_s3_xml_open(c, "ListAllMyBucketsResult");
    cof_s3_xml_owner(c, "Owner");
    cof_buf_add_str(&c->reply->body, "<Buckets>");
    if (region.len == 0 || cof_view_eq_str(region, cof_standin_region(c->s)))
        err = c->store->scan(
            c->store->ctx, "s3.bucket", prefix, cof_buf_view(&after), SIZE_MAX, say_bucket, &list);
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

/* The location, when one is given, must be ours. */
static bool location_ok(struct cof_s3_call *c)
{
    struct cof_xml_node *root = NULL;
    struct cof_view place;
    char extra[80];
    bool good = c->req->body.len == 0;

    if (!good && cof_xml_parse(c->req->body, 65536, 100, &root) == COF_OK) {
        place = cof_xml_text(root, "LocationConstraint");
        good = place.len == 0 || (cof_view_eq_str(place, cof_standin_region(c->s)) && !cof_view_eq_str(place, "us-east-1"));
        if (cof_view_eq_str(place, "us-east-1")) { /* spec: the oldest region is named by naming none */
            (void)snprintf(extra, sizeof extra, "<LocationConstraint>us-east-1</LocationConstraint>");
            (void)cof_s3_fail_with(
                c, 400, "InvalidLocationConstraint", "The specified location-constraint is not valid", extra);
        } else if (!good)
            (void)cof_s3_fail(c, 400, "IllegalLocationConstraintException",
                "The specified location constraint is incompatible for the region specific endpoint this request was "
                "sent to.");
    } else if (!good) {
        (void)cof_s3_fail(c, 400, "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema");
    }
    cof_xml_free(root);
    return good;
}

static enum cof_err say_created(struct cof_s3_call *c)
{
    char location[80] = "/";

    memcpy(location + 1, c->bucket, strlen(c->bucket) + 1);
    cof_reply_set(c->reply, 200, NULL, COF_LIT(""));
    cof_headers_set(&c->reply->headers, "Location", location);
    return COF_OK;
}

enum cof_err cof_s3_create_bucket(struct cof_s3_call *c)
{
    bool locks = cof_view_eq_nocase(cof_s3_header(c, "x-amz-bucket-object-lock-enabled"), COF_LIT("true"));
    json_t *record = NULL;
    bool mine, open_to_sse_c, open_to_public, acls;
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:CreateBucket", false, NULL, false, &err) || !location_ok(c))
        return err;
    if (locks && (!cof_s3_allowed(c, "s3:PutBucketObjectLockConfiguration", false, NULL, false, &err) ||
                     !cof_s3_allowed(c, "s3:PutBucketVersioning", false, NULL, false, &err)))
        return err;
    if (cof_s3_header(c, "x-amz-object-ownership").len > 0 &&
        !cof_s3_allowed(c, "s3:PutBucketOwnershipControls", false, NULL, false, &err))
        return err;
    if (cof_s3_header(c, "x-amz-acl").len > 0 && !cof_s3_allowed(c, "s3:PutBucketAcl", false, NULL, false, &err))
        return err;
    err = cof_s3_bucket_get(c->store, c->bucket, &record);
    mine = err == COF_OK && owned_by_caller(c, record);
    json_decref(record);
    if (err == COF_OK && !mine)
        return cof_s3_fail(c, 409, "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
            "Please select a different name and try again.");
    /* spec: in the oldest region, and there alone, making one's own bucket again is fine and changes nothing */
    if (err == COF_OK && strcmp(cof_standin_region(c->s), "us-east-1") == 0)
        return say_created(c);
    if (err == COF_OK)
        return cof_s3_fail(c, 409, "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.");
    if (err != COF_E_NOT_FOUND)
        return err;
    /* spec: since April 2026 new buckets refuse SSE-C until told otherwise */
    err = cof_s3_setting(c->store, "open_to_sse_c", &open_to_sse_c);
    if (err == COF_OK)
        err = cof_s3_setting(c->store, "open_to_public", &open_to_public);
    if (err == COF_OK)
        err = cof_s3_setting(c->store, "acls", &acls);
    if (err != COF_OK)
        return err;
    record = json_pack("{s:I, s:s, s:s, s:{s:s, s:b}}", "created", (json_int_t)c->req->now_ms, "owner", cof_s3_owner(c),
        "versioning", "", "encryption", "algorithm", "AES256", "sse_c_blocked", !open_to_sse_c);
    /* spec: since April 2023 new buckets have their public access blocked and their ACLs off */
    if (record != NULL && !open_to_public && json_object_set_new(record, "public_access_block", cof_s3_block_new(true)) != 0)
        err = COF_E_MEMORY;
    if (err == COF_OK && record != NULL &&
        !cof_s3_owner_for_bucket(c, acls ? "ObjectWriter" : "BucketOwnerEnforced", record, &err)) {
        json_decref(record);
        return err;
    }
    if (err == COF_OK && record != NULL && locks)
        err = cof_s3_lock_enable(record);
    if (err == COF_OK)
        err = cof_s3_bucket_put(c->store, c->bucket, record);
    json_decref(record);
    if (err != COF_OK)
        return err;
    return say_created(c);
}

enum cof_err cof_s3_head_bucket(struct cof_s3_call *c)
{
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:ListBucket", false, NULL, false, &err))
        return err;
    cof_reply_set(c->reply, 200, "application/xml", COF_LIT(""));
    cof_headers_set(&c->reply->headers, "x-amz-bucket-region", cof_standin_region(c->s));
    cof_headers_set(&c->reply->headers, "x-amz-access-point-alias", "false");
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
        return cof_s3_fail(c, 409, "BucketNotEmpty",
            cof_s3_versioning_of(c) == COF_S3_UNVERSIONED
                ? "The bucket you tried to delete is not empty"
                : "The bucket you tried to delete is not empty. You must delete all versions in the bucket.");
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
