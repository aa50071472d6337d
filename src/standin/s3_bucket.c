/* SPDX-License-Identifier: Apache-2.0
 *
 * Buckets: made, found, listed, removed.
 */
#include "format/xml.h"
#include "standin/s3_record.h"

#include <string.h>

static bool owned_by_caller(const struct cof_s3_call *c, const json_t *record)
{
    const char *owner = cof_s3_text(record, "owner");

    return strcmp(owner[0] != '\0' ? owner : cof_standin_account(c->s), cof_s3_owner(c)) == 0;
}

static bool say_bucket(void *arg, struct cof_view key, struct cof_view value)
{
    struct cof_s3_call *c = arg;
    json_t *record;

    if (cof_s3_parse(value, &record) != COF_OK)
        return true;
    if (!owned_by_caller(c, record)) {
        json_decref(record);
        return true;
    }
    cof_buf_add_str(&c->reply->body, "<Bucket>");
    cof_xml_element(&c->reply->body, "Name", key);
    cof_s3_xml_date(&c->reply->body, "CreationDate", cof_s3_int(record, "created"));
    cof_buf_printf(&c->reply->body, "<BucketRegion>%s</BucketRegion></Bucket>", cof_standin_region(c->s));
    json_decref(record);
    return true;
}

enum cof_err cof_s3_list_buckets(struct cof_s3_call *c)
{
    struct cof_view prefix = cof_s3_param(c, "prefix");
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:ListAllMyBuckets", false, NULL, false, &err))
        return err;
    cof_s3_xml_open(c, "ListAllMyBucketsResult");
    cof_s3_xml_owner(c, "Owner");
    cof_buf_add_str(&c->reply->body, "<Buckets>");
    err = c->store->scan(c->store->ctx, "s3.bucket", prefix, COF_LIT(""), SIZE_MAX, say_bucket, c);
    cof_buf_add_str(&c->reply->body, "</Buckets>");
    return err == COF_OK ? cof_s3_xml_close(c, "ListAllMyBucketsResult") : err;
}

/* The location, when one is given, must be ours. */
static bool location_ok(struct cof_s3_call *c)
{
    struct cof_xml_node *root = NULL;
    struct cof_view place;
    bool good = c->req->body.len == 0;

    if (!good && cof_xml_parse(c->req->body, 65536, 100, &root) == COF_OK) {
        place = cof_xml_text(root, "LocationConstraint");
        good = place.len == 0 || cof_view_eq_str(place, cof_standin_region(c->s));
        if (!good)
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

enum cof_err cof_s3_create_bucket(struct cof_s3_call *c)
{
    json_t *record = NULL;
    bool mine;
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:CreateBucket", false, NULL, false, &err) || !location_ok(c))
        return err;
    if (cof_s3_header(c, "x-amz-bucket-object-lock-enabled").len > 0 &&
        cof_view_eq_nocase(cof_s3_header(c, "x-amz-bucket-object-lock-enabled"), COF_LIT("true")))
        return cof_s3_fail(
            c, 501, "NotImplemented", "A header you provided implies functionality that is not implemented.");
    err = cof_s3_bucket_get(c->store, c->bucket, &record);
    mine = err == COF_OK && owned_by_caller(c, record);
    json_decref(record);
    if (err == COF_OK && !mine)
        return cof_s3_fail(c, 409, "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
            "Please select a different name and try again.");
    if (err == COF_OK)
        return cof_s3_fail(c, 409, "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.");
    if (err != COF_E_NOT_FOUND)
        return err;
    /* spec: since April 2026 new buckets refuse SSE-C until told otherwise */
    record = json_pack("{s:I, s:s, s:s, s:{s:s, s:b}}", "created", (json_int_t)c->req->now_ms, "owner", cof_s3_owner(c),
        "versioning", "", "encryption", "algorithm", "AES256", "sse_c_blocked", 1);
    err = cof_s3_bucket_put(c->store, c->bucket, record);
    json_decref(record);
    if (err != COF_OK)
        return err;
    cof_reply_set(c->reply, 200, NULL, COF_LIT(""));
    {
        char location[80] = "/";

        memcpy(location + 1, c->bucket, strlen(c->bucket) + 1);
        cof_headers_set(&c->reply->headers, "Location", location);
    }
    return COF_OK;
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
    if (err == COF_OK && !any)
        err = c->store->scan(c->store->ctx, "s3.upload", cof_buf_view(&prefix), COF_LIT(""), 1, found_one, &any);
    cof_buf_done(&prefix);
    if (err == COF_OK && any)
        return cof_s3_fail(c, 409, "BucketNotEmpty", "The bucket you tried to delete is not empty");
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
