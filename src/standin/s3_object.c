/* SPDX-License-Identifier: Apache-2.0
 *
 * DeleteObject, DeleteObjects, and the tags of objects.
 */
#include "base/codec.h"
#include "crypto/checksum.h"
#include "format/xml.h"
#include "standin/s3_put.h"
#include "standin/s3_record.h"

#include <string.h>

struct deletion {
    bool marker_made, marker_gone; /* a delete marker was added, or removed */
    char id[64];                   /* of the version made or removed */
};

static enum cof_err add_marker(struct cof_s3_call *c, struct deletion *out)
{
    json_t *record = json_pack("{s:b, s:I, s:i}", "marker", 1, "modified", (json_int_t)c->req->now_ms, "size", 0);
    enum cof_err err = record == NULL ? COF_E_MEMORY : cof_s3_object_add(c, record);

    out->marker_made = err == COF_OK;
    if (err == COF_OK)
        memccpy(out->id, cof_s3_text(record, "id"), '\0', sizeof out->id - 1);
    json_decref(record);
    return err;
}

/* spec: without a version id a versioned bucket gets a marker; with one, that version goes for good. */
static enum cof_err delete_one(struct cof_s3_call *c, struct cof_view version_id, struct deletion *out)
{
    json_t *record = NULL;
    enum cof_err err;

    *out = (struct deletion){.marker_made = false};
    if (version_id.len == 0 && cof_s3_versioning_of(c) != COF_S3_UNVERSIONED)
        return add_marker(c, out);
    err = cof_s3_object_get(c, version_id.len == 0 ? COF_LIT("null") : version_id, &record);
    if (err == COF_OK) {
        out->marker_gone = cof_s3_is(record, "marker");
        if (version_id.len > 0)
            memccpy(out->id, cof_s3_text(record, "id"), '\0', sizeof out->id - 1);
        err = cof_s3_object_erase(c, record);
    }
    json_decref(record);
    return err == COF_E_NOT_FOUND ? COF_OK : err;
}

enum cof_err cof_s3_delete_object(struct cof_s3_call *c)
{
    struct cof_view version_id = cof_s3_param(c, "versionId");
    struct deletion d;
    enum cof_err err;

    if (!cof_s3_allowed(c, version_id.len > 0 ? "s3:DeleteObjectVersion" : "s3:DeleteObject", true, NULL, false, &err))
        return err;
    err = delete_one(c, version_id, &d);
    if (err != COF_OK)
        return err;
    cof_reply_set(c->reply, 204, NULL, COF_LIT(""));
    if (d.id[0] != '\0')
        cof_headers_set(&c->reply->headers, "x-amz-version-id", d.id);
    if (d.marker_made || d.marker_gone)
        cof_headers_set(&c->reply->headers, "x-amz-delete-marker", "true");
    return COF_OK;
}

/* spec: DeleteObjects must prove its body, by Content-MD5 or a checksum. */
static bool body_proved(struct cof_s3_call *c, enum cof_err *err)
{
    struct cof_view md5 = cof_s3_header(c, "content-md5");
    struct cof_s3_sum promised;
    struct cof_checksum sum;
    uint8_t digest[COF_CHECKSUM_MAX];
    struct cof_buf text;
    bool good = false;

    *err = COF_OK;
    if (!cof_s3_put_sum(c, &promised))
        return false;
    cof_buf_init(&text, 256);
    if (md5.len > 0) {
        *err = cof_hash_once(COF_MD5, c->req->body, digest);
        cof_base64_add(&text, cof_view_of(digest, 16));
        good = *err == COF_OK && cof_view_eq(cof_buf_view(&text), md5);
    } else if (promised.alg != COF_CHECKSUM_NONE) {
        *err = cof_checksum_init(&sum, promised.alg);
        if (*err == COF_OK)
            *err = cof_checksum_update(&sum, c->req->body);
        if (*err == COF_OK)
            *err = cof_checksum_final(&sum, digest);
        cof_checksum_done(&sum);
        cof_base64_add(&text, cof_view_of(digest, cof_checksum_size(promised.alg)));
        good = *err == COF_OK && cof_view_eq(cof_buf_view(&text), promised.value);
    } else {
        (void)cof_s3_fail(
            c, 400, "InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
        cof_buf_done(&text);
        return false;
    }
    if (!good && *err == COF_OK)
        (void)cof_s3_fail(c, 400, "BadDigest",
            "The Content-MD5 or checksum value that you specified did not match what the server received.");
    cof_buf_done(&text);
    return good;
}

static enum cof_err delete_listed(
    struct cof_s3_call *c, const struct cof_xml_node *object, bool quiet, struct cof_buf *out)
{
    struct cof_view key = cof_xml_text(object, "Key"), version_id = cof_xml_text(object, "VersionId");
    struct deletion d;
    enum cof_err err;
    bool allowed;

    cof_buf_reset(&c->key);
    cof_buf_add(&c->key, key);
    allowed =
        cof_s3_allowed(c, version_id.len > 0 ? "s3:DeleteObjectVersion" : "s3:DeleteObject", true, NULL, true, &err);
    if (err != COF_OK)
        return err;
    if (!allowed) {
        cof_buf_add_str(out, "<Error>");
        cof_xml_element(out, "Key", key);
        if (version_id.len > 0)
            cof_xml_element(out, "VersionId", version_id);
        cof_buf_add_str(out, "<Code>AccessDenied</Code><Message>Access Denied</Message></Error>");
        return COF_OK;
    }
    err = delete_one(c, version_id, &d);
    if (err != COF_OK || quiet)
        return err;
    cof_buf_add_str(out, "<Deleted>");
    cof_xml_element(out, "Key", key);
    if (version_id.len > 0)
        cof_xml_element(out, "VersionId", version_id);
    if (d.marker_made || d.marker_gone) {
        cof_buf_add_str(out, "<DeleteMarker>true</DeleteMarker>");
        cof_xml_element(out, "DeleteMarkerVersionId", cof_view_str(d.id));
    }
    cof_buf_add_str(out, "</Deleted>");
    return COF_OK;
}

enum cof_err cof_s3_delete_objects(struct cof_s3_call *c)
{
    const struct cof_xml_node *object;
    struct cof_xml_node *root = NULL;
    struct cof_buf out;
    size_t n = 0;
    enum cof_err err;

    cof_buf_init(&out, COF_STANDIN_REPLY_MAX);
    if (!body_proved(c, &err))
        goto out;
    err = cof_xml_parse(c->req->body, COF_STANDIN_BODY_MAX, 8000, &root);
    if (err == COF_OK)
        for (object = cof_xml_child(root, "Object"); object != NULL; object = cof_xml_again(object, "Object"))
            n += cof_xml_text(object, "Key").len > 0 && cof_xml_text(object, "Key").len <= COF_S3_KEY_MAX ? 1 : 10000;
    if (err == COF_E_FORMAT || err == COF_E_LIMIT || (err == COF_OK && (n == 0 || n > 1000))) {
        err = cof_s3_fail(c, 400, "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema");
        goto out;
    }
    cof_standin_public(c->req, "s3:DeleteObjects"); /* each key is asked for below */
    for (object = cof_xml_child(root, "Object"); object != NULL && err == COF_OK;
         object = cof_xml_again(object, "Object"))
        err = delete_listed(c, object, cof_view_eq_str(cof_xml_text(root, "Quiet"), "true"), &out);
    if (err != COF_OK)
        goto out;
    c->req->authorized = true;
    cof_s3_xml_open(c, "DeleteResult");
    cof_buf_add(&c->reply->body, cof_buf_view(&out));
    err = cof_s3_xml_close(c, "DeleteResult");
out:
    cof_buf_done(&out);
    cof_xml_free(root);
    return err;
}

/* Loads the object whose tags are meant. False: reply or *err. */
static bool tagged(
    struct cof_s3_call *c, const char *action, const char *version_action, json_t **record, enum cof_err *err)
{
    struct cof_view version_id = cof_s3_param(c, "versionId");

    *record = NULL;
    *err = cof_s3_object_get(c, version_id, record);
    if (*err != COF_OK && *err != COF_E_NOT_FOUND)
        return false;
    if (!cof_s3_allowed(
            c, version_id.len > 0 ? version_action : action, true, json_object_get(*record, "tags"), false, err))
        return false;
    if (*record == NULL) {
        *err = version_id.len > 0 ? cof_s3_fail(c, 404, "NoSuchVersion", "The specified version does not exist.") :
                                    cof_s3_no_key(c);
        return false;
    }
    if (cof_s3_is(*record, "marker")) {
        *err = cof_s3_fail(c, 405, "MethodNotAllowed", "The specified method is not allowed against this resource.");
        return false;
    }
    return true;
}

enum cof_err cof_s3_get_tagging(struct cof_s3_call *c)
{
    json_t *record = NULL, *value;
    const char *name;
    enum cof_err err;

    if (!tagged(c, "s3:GetObjectTagging", "s3:GetObjectVersionTagging", &record, &err)) {
        json_decref(record);
        return err;
    }
    cof_s3_xml_open(c, "Tagging");
    cof_buf_add_str(&c->reply->body, "<TagSet>");
    json_object_foreach(json_object_get(record, "tags"), name, value) {
        cof_buf_add_str(&c->reply->body, "<Tag>");
        cof_xml_element(&c->reply->body, "Key", cof_view_str(name));
        cof_xml_element(&c->reply->body, "Value", cof_view_str(json_string_value(value)));
        cof_buf_add_str(&c->reply->body, "</Tag>");
    }
    cof_buf_add_str(&c->reply->body, "</TagSet>");
    if (cof_s3_versioning_of(c) != COF_S3_UNVERSIONED)
        cof_headers_set(&c->reply->headers, "x-amz-version-id", cof_s3_text(record, "id"));
    json_decref(record);
    return cof_s3_xml_close(c, "Tagging");
}

/* Writes a changed record back, in s3.version and, for the newest, in s3.current. */
static enum cof_err store_again(struct cof_s3_call *c, const json_t *record)
{
    json_t *newest = NULL;
    struct cof_buf key;
    enum cof_err err = cof_s3_object_newest(c, &newest);

    cof_buf_init(&key, COF_STORE_KEY_MAX);
    cof_s3_key_of3(&key, c->bucket, cof_buf_view(&c->key), cof_view_str(cof_s3_text(record, "order")));
    if (err == COF_OK)
        err = cof_s3_save(c->store, "s3.version", cof_buf_view(&key), record);
    if (err == COF_OK && strcmp(cof_s3_text(newest, "order"), cof_s3_text(record, "order")) == 0) {
        cof_buf_reset(&key);
        cof_s3_key_of(&key, c->bucket, cof_buf_view(&c->key));
        err = cof_s3_save(c->store, "s3.current", cof_buf_view(&key), record);
    }
    cof_buf_done(&key);
    json_decref(newest);
    return err;
}

static bool read_tags(struct cof_s3_call *c, json_t **out, enum cof_err *err)
{
    const struct cof_xml_node *tag;
    struct cof_xml_node *root = NULL;
    bool good = true;

    *out = json_object();
    *err = cof_xml_parse(c->req->body, 65536, 200, &root);
    if (*err == COF_E_FORMAT || *err == COF_E_LIMIT)
        *err = cof_s3_fail(c, 400, "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema");
    for (tag = cof_xml_child(cof_xml_child(root, "TagSet"), "Tag"); tag != NULL && good;
         tag = cof_xml_again(tag, "Tag")) {
        struct cof_view key = cof_xml_text(tag, "Key"), value = cof_xml_text(tag, "Value");
        struct cof_buf name;

        cof_buf_init(&name, 1024);
        cof_buf_add(&name, key);
        good = cof_s3_tag_ok(key, value) && json_object_get(*out, cof_buf_cstr(&name)) == NULL &&
            json_object_size(*out) < COF_S3_TAGS_MAX;
        if (good && json_object_set_new(*out, cof_buf_cstr(&name), cof_s3_string(value)) != 0)
            *err = COF_E_MEMORY;
        cof_buf_done(&name);
        if (!good)
            (void)cof_s3_fail(c, 400, "InvalidTag", "The TagKey or TagValue you have provided is invalid");
    }
    good = good && root != NULL && *err == COF_OK;
    cof_xml_free(root);
    return good;
}

enum cof_err cof_s3_put_tagging(struct cof_s3_call *c)
{
    json_t *record = NULL, *tags = NULL;
    enum cof_err err;

    if (tagged(c, "s3:PutObjectTagging", "s3:PutObjectVersionTagging", &record, &err) && read_tags(c, &tags, &err)) {
        err = json_object_set(record, "tags", tags) == 0 ? store_again(c, record) : COF_E_MEMORY;
        if (err == COF_OK)
            cof_reply_set(c->reply, 200, NULL, COF_LIT(""));
    }
    json_decref(tags);
    json_decref(record);
    return err;
}

enum cof_err cof_s3_delete_tagging(struct cof_s3_call *c)
{
    json_t *record = NULL;
    enum cof_err err;

    if (tagged(c, "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging", &record, &err)) {
        (void)json_object_del(record, "tags");
        err = store_again(c, record);
        if (err == COF_OK)
            cof_reply_set(c->reply, 204, NULL, COF_LIT(""));
    }
    json_decref(record);
    return err;
}
