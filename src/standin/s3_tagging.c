/* SPDX-License-Identifier: Apache-2.0
 *
 * The tags of objects and of buckets.
 */
#include "standin/s3_body.h"
#include "standin/s3_config.h"
#include "standin/s3_find.h"
#include "standin/s3_put.h"
#include "standin/s3_record.h"

#include <stdlib.h>
#include <string.h>

#define BUCKET_TAGS_MAX 50

/* One <Tag> into tags. False: the reply holds the error (or *err). */
static bool add_tag(struct cof_s3_call *c, const struct cof_xml_node *tag, bool bucket, json_t *tags, enum cof_err *err)
{
    struct cof_view key = cof_xml_text(tag, "Key"), value = cof_xml_text(tag, "Value"), none = {NULL, 0};
    struct cof_buf name;
    bool good = false;

    cof_buf_init(&name, 1024);
    cof_buf_add(&name, key);
    if (key.len == 0 || cof_xml_child(tag, "Value") == NULL)
        (void)cof_s3_bad_xml(c);
    else if (cof_view_starts(key, COF_LIT("aws:")))
        (void)cof_s3_bad_tag(c, key, none,
            bucket ? "System tags cannot be added/updated by requester" : "Your TagKey cannot be prefixed with aws:");
    else if (!cof_s3_tag_ok(key, COF_LIT("")))
        (void)cof_s3_bad_tag(c, key, none, "The TagKey you have provided is invalid");
    else if (!cof_s3_tag_ok(key, value))
        (void)cof_s3_bad_tag(c, key, value, "The TagValue you have provided is invalid");
    else if (json_object_get(tags, cof_buf_cstr(&name)) != NULL)
        (void)cof_s3_bad_tag(c, key, none, "Cannot provide multiple Tags with the same key");
    else if (json_object_size(tags) >= (bucket ? BUCKET_TAGS_MAX : COF_S3_TAGS_MAX))
        (void)cof_s3_fail(c, 400, "BadRequest",
            bucket ? "Bucket tag count cannot be greater than 50" : "Object tags cannot be greater than 10");
    else if (json_object_set_new(tags, cof_buf_cstr(&name), cof_s3_string(value)) != 0)
        *err = COF_E_MEMORY;
    else
        good = true;
    cof_buf_done(&name);
    return good;
}

static bool read_tags(struct cof_s3_call *c, bool bucket, json_t **out, enum cof_err *err)
{
    struct cof_xml_node *root = cof_s3_body_xml(c, "Tagging", false, err);
    const struct cof_xml_node *set = cof_xml_child(root, "TagSet"), *tag; /* spec: none of them is an empty one */
    bool good = root != NULL;

    *out = json_object();
    for (tag = cof_xml_child(set, "Tag"); tag != NULL && good; tag = cof_xml_again(tag, "Tag"))
        good = add_tag(c, tag, bucket, *out, err);
    cof_xml_free(root);
    return good;
}

bool cof_s3_tags_of_new_bucket(struct cof_s3_call *c, const struct cof_xml_node *set, json_t **out, enum cof_err *err)
{
    const struct cof_xml_node *tag = cof_xml_child(set, "Tag");
    bool good = true;

    *err = COF_OK;
    *out = json_object();
    for (; tag != NULL && good; tag = cof_xml_again(tag, "Tag")) {
        if (cof_view_starts(cof_xml_text(tag, "Key"), COF_LIT("aws:"))) {
            (void)cof_s3_fail(c, 400, "InvalidTag", "User-defined tag keys can't start with \"aws:\". This prefix is reserved for "
                "system tags. Remove \"aws:\" from your tag keys and try again.");
            good = false;
        } else {
            good = add_tag(c, tag, true, *out, err);
        }
    }
    return good;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* <TagSet> of the reply, in the order of the keys. */
static void say_tags(struct cof_s3_call *c, const json_t *tags)
{
    struct cof_buf *b = &c->reply->body;
    const char *names[BUCKET_TAGS_MAX], *name;
    size_t n = 0;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)tags, name, value)
        if (n < BUCKET_TAGS_MAX)
            names[n++] = name;
    qsort(names, n, sizeof names[0], by_name);
    cof_s3_xml_open(c, "Tagging");
    cof_buf_add_str(b, "<TagSet>");
    for (size_t i = 0; i < n; i++) {
        cof_buf_add_str(b, "<Tag>");
        cof_xml_element(b, "Key", cof_view_str(names[i]));
        cof_xml_element(b, "Value", cof_view_str(cof_s3_text(tags, names[i])));
        cof_buf_add_str(b, "</Tag>");
    }
    cof_buf_add_str(b, "</TagSet>");
}

static void say_version(struct cof_s3_call *c, const json_t *record)
{
    if (cof_s3_versioning_of(c) != COF_S3_UNVERSIONED)
        cof_headers_set(&c->reply->headers, "x-amz-version-id", cof_s3_text(record, "id"));
}

/* spec: this one call names the key that is not there with its bucket before it. */
static enum cof_err key_told(struct cof_s3_call *c, enum cof_err err)
{
    struct cof_s3_detail key[] = {{"Key", {NULL, 0}}};
    struct cof_buf text;

    if (err != COF_OK || strcmp(c->reply->error_code, "NoSuchKey") != 0)
        return err;
    cof_buf_init(&text, 8192);
    cof_buf_printf(&text, "%s/", c->bucket);
    cof_buf_add(&text, cof_buf_view(&c->key));
    key[0].value = cof_buf_view(&text);
    err = cof_s3_fail_of(c, 404, "NoSuchKey", "The specified key does not exist.", key, 1);
    cof_buf_done(&text);
    return err;
}

enum cof_err cof_s3_get_tagging(struct cof_s3_call *c)
{
    json_t *record = NULL;
    enum cof_err err;

    if (cof_s3_find_version(c, "s3:GetObjectTagging", "s3:GetObjectVersionTagging", &record, &err)) {
        say_tags(c, json_object_get(record, "tags"));
        say_version(c, record);
        err = cof_s3_xml_close(c, "Tagging");
    } else {
        err = key_told(c, cof_s3_marker_told(c, err));
    }
    json_decref(record);
    return err;
}

enum cof_err cof_s3_put_tagging(struct cof_s3_call *c)
{
    struct cof_xml_node *peek = cof_s3_body_peek(c, "Tagging");
    json_t *record = NULL, *tags = NULL;
    enum cof_err err;

    c->body_tags = cof_xml_child(peek, "TagSet"); /* the policies may ask for them */
    if (cof_s3_find_version(c, "s3:PutObjectTagging", "s3:PutObjectVersionTagging", &record, &err) &&
        read_tags(c, false, &tags, &err)) {
        err = json_object_set(record, "tags", tags) == 0 ? cof_s3_object_update(c, record) : COF_E_MEMORY;
        if (err == COF_OK) {
            cof_reply_set(c->reply, 200, NULL, COF_LIT(""));
            say_version(c, record);
        }
    } else {
        err = cof_s3_marker_told(c, err);
    }
    c->body_tags = NULL;
    cof_xml_free(peek);
    json_decref(tags);
    json_decref(record);
    return err;
}

enum cof_err cof_s3_delete_tagging(struct cof_s3_call *c)
{
    json_t *record = NULL;
    enum cof_err err;

    if (cof_s3_find_version(c, "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging", &record, &err)) {
        (void)json_object_del(record, "tags");
        err = cof_s3_object_update(c, record);
        if (err == COF_OK) {
            cof_reply_set(c->reply, 204, NULL, COF_LIT(""));
            say_version(c, record);
        }
    } else {
        err = cof_s3_marker_told(c, err);
    }
    json_decref(record);
    return err;
}

enum cof_err cof_s3_get_bucket_tagging(struct cof_s3_call *c)
{
    const json_t *tags = json_object_get(c->bucket_record, "tags");
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:GetBucketTagging", false, NULL, false, &err))
        return err;
    if (json_object_size(tags) == 0)
        return cof_s3_bucket_has_none(c, "NoSuchTagSet", "The TagSet does not exist");
    say_tags(c, tags);
    return cof_s3_xml_close(c, "Tagging");
}

static enum cof_err set_bucket_tags(struct cof_s3_call *c, json_t *tags)
{
    if (json_object_size(tags) == 0)
        (void)json_object_del(c->bucket_record, "tags");
    else if (json_object_set(c->bucket_record, "tags", tags) != 0)
        return COF_E_MEMORY;
    return cof_s3_config_save(c, 204);
}

enum cof_err cof_s3_put_bucket_tagging(struct cof_s3_call *c)
{
    json_t *tags = NULL;
    enum cof_err err;

    if (cof_s3_allowed(c, "s3:PutBucketTagging", false, NULL, false, &err) && read_tags(c, true, &tags, &err))
        err = set_bucket_tags(c, tags);
    json_decref(tags);
    return err;
}

enum cof_err cof_s3_delete_bucket_tagging(struct cof_s3_call *c)
{
    enum cof_err err;

    return cof_s3_allowed(c, "s3:PutBucketTagging", false, NULL, false, &err) ? set_bucket_tags(c, NULL) : err;
}
