/* SPDX-License-Identifier: Apache-2.0
 *
 * DeleteObject and DeleteObjects.
 */
#include "standin/s3_body.h"
#include "standin/s3_condition.h"
#include "standin/s3_find.h"
#include "standin/s3_lock.h"
#include "standin/s3_record.h"

#include <string.h>

#define LISTED_MAX 1000 /* keys of one DeleteObjects */

struct deletion {
    bool marker_made, marker_gone; /* a delete marker was added, or removed */
    char id[64];                   /* of the version made or removed */
    /* Not done: why. */
    int status;
    const char *code, *message;
};

static enum cof_err refuse(struct deletion *out, int status, const char *code, const char *message)
{
    out->status = status;
    out->code = code;
    out->message = message;
    return COF_OK;
}

static enum cof_err add_marker(struct cof_s3_call *c, struct deletion *out)
{
    json_t *record = json_pack("{s:b, s:I, s:i}", "marker", 1, "modified", (json_int_t)c->req->now_ms, "size", 0);
    enum cof_err err = record == NULL ? COF_E_MEMORY : cof_s3_object_add(c, record, COF_LIT(""));

    out->marker_made = err == COF_OK;
    if (err == COF_OK)
        memccpy(out->id, cof_s3_text(record, "id"), '\0', sizeof out->id - 1);
    json_decref(record);
    return err;
}

static enum cof_err erase(struct cof_s3_call *c, const json_t *record, bool is_named, struct deletion *out)
{
    enum cof_err err;

    if (!cof_s3_lock_lets_go(c, record, true, &err))
        return err == COF_OK ? refuse(out, 403, "AccessDenied", COF_S3_LOCKED) : err;
    out->marker_gone = cof_s3_is(record, "marker");
    if (is_named)
        memccpy(out->id, cof_s3_text(record, "id"), '\0', sizeof out->id - 1);
    return cof_s3_object_erase(c, record);
}

/* The version the delete is about; NULL when there is none. */
static enum cof_err target(struct cof_s3_call *c, struct cof_view version_id, json_t **record)
{
    enum cof_err err = version_id.len > 0 ? cof_s3_object_get(c, version_id, record) : cof_s3_object_newest(c, record);

    return err == COF_E_NOT_FOUND ? COF_OK : err;
}

/* spec: without a version id a versioned bucket gets a marker; with one, that version goes for good. */
static enum cof_err delete_one(struct cof_s3_call *c, struct cof_view version_id,
    const struct cof_s3_delete_condition *condition, struct deletion *out)
{
    json_t *record = NULL;
    bool is_named = version_id.len > 0;
    enum cof_err err;

    *out = (struct deletion){.marker_made = false};
    if (is_named && !cof_view_eq_str(version_id, "null") && cof_s3_versioning_of(c) == COF_S3_UNVERSIONED)
        return refuse(out, 404, "NoSuchVersion", "The specified version does not exist.");
    err = target(c, version_id, &record);
    if (err != COF_OK)
        goto out;
    switch (cof_s3_delete_conditions(c, condition, record, is_named)) {
    case COF_S3_DELETE_FAILED:
        err = refuse(
            out, 412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold");
        break;
    case COF_S3_DELETE_NO_KEY:
        err = refuse(out, 404, "NoSuchKey", "The specified key does not exist.");
        break;
    case COF_S3_DELETE_BAD:
        err = refuse(out, 400, "InvalidArgument", "A condition of the delete is neither a date nor a size.");
        break;
    case COF_S3_DELETE_GO:
        if (!is_named && cof_s3_versioning_of(c) != COF_S3_UNVERSIONED && (record != NULL || condition->etag.len == 0))
            err = add_marker(c, out);
        else if (record != NULL)
            err = erase(c, record, is_named, out);
        break;
    }
out:
    json_decref(record);
    return err;
}

/* The permissions of a delete. spec: who deletes if an ETag matches learns of the ETag, so may read. */
static bool may_delete(struct cof_s3_call *c, struct cof_view version_id,
    const struct cof_s3_delete_condition *condition, bool quiet, enum cof_err *err)
{
    bool etag = condition->etag.len > 0 && !cof_view_eq_str(condition->etag, "*");

    c->version_id = version_id;
    return cof_s3_allowed(
               c, version_id.len > 0 ? "s3:DeleteObjectVersion" : "s3:DeleteObject", true, NULL, quiet, err) &&
        (!etag ||
            cof_s3_allowed(c, version_id.len > 0 ? "s3:GetObjectVersion" : "s3:GetObject", true, NULL, quiet, err));
}

/* spec: the header is of buckets with Object Lock alone, whatever it says */
static bool bypass_ok(struct cof_s3_call *c)
{
    if (cof_s3_header(c, "x-amz-bypass-governance-retention").len == 0 || cof_s3_lock_enabled(c))
        return true;
    (void)cof_s3_bad_argument(c, "x-amz-bypass-governance-retention", (struct cof_view){NULL, 0},
        "x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets.");
    return false;
}

/* spec: dates and sizes are conditions of directory buckets alone; Ceph takes them of all. */
static bool kinds_ok(struct cof_s3_call *c, const struct cof_s3_delete_condition *condition, enum cof_err *err)
{
    bool as_ceph;

    *err = COF_OK;
    if (condition->modified.len == 0 && condition->size.len == 0)
        return true;
    *err = cof_s3_setting(c->store, "as_ceph", &as_ceph);
    if (*err != COF_OK || as_ceph)
        return *err == COF_OK;
    return cof_s3_not_here(c, condition->modified.len > 0 ? "x-amz-if-match-last-modified-time" : "x-amz-if-match-size");
}

enum cof_err cof_s3_delete_object(struct cof_s3_call *c)
{
    struct cof_view version_id = cof_s3_param(c, "versionId");
    struct cof_s3_delete_condition condition = cof_s3_delete_condition(c);
    struct deletion d;
    enum cof_err err;

    if (!may_delete(c, version_id, &condition, false, &err) || !cof_s3_version_id_ok(c, version_id))
        return err;
    if (!bypass_ok(c) || !kinds_ok(c, &condition, &err))
        return err;
    err = delete_one(c, version_id, &condition, &d);
    if (err != COF_OK)
        return err;
    if (d.status == 404)
        return cof_s3_no_key(c);
    if (d.status == 412)
        return cof_s3_precondition_failed(c, "If-Match");
    if (d.status != 0)
        return cof_s3_fail(c, d.status, d.code, d.message);
    cof_reply_set(c->reply, 204, NULL, COF_LIT(""));
    if (d.id[0] != '\0')
        cof_headers_set(&c->reply->headers, "x-amz-version-id", d.id);
    if (d.marker_made || d.marker_gone)
        cof_headers_set(&c->reply->headers, "x-amz-delete-marker", "true");
    return COF_OK;
}

static enum cof_err say_error(struct cof_buf *out, struct cof_view key, struct cof_view version_id, const char *code,
                              const char *message)
{
    cof_buf_add_str(out, "<Error>");
    cof_xml_element(out, "Key", key);
    if (version_id.len > 0)
        cof_xml_element(out, "VersionId", version_id);
    cof_xml_element(out, "Code", cof_view_str(code));
    cof_xml_element(out, "Message", cof_view_str(message));
    cof_buf_add_str(out, "</Error>");
    return COF_OK;
}

static void say_deleted(struct cof_buf *out, struct cof_view key, struct cof_view version_id, const struct deletion *d)
{
    cof_buf_add_str(out, "<Deleted>");
    cof_xml_element(out, "Key", key);
    if (version_id.len > 0)
        cof_xml_element(out, "VersionId", version_id);
    if (d->marker_made || d->marker_gone) {
        cof_buf_add_str(out, "<DeleteMarker>true</DeleteMarker>");
        cof_xml_element(out, "DeleteMarkerVersionId", cof_view_str(d->id));
    }
    cof_buf_add_str(out, "</Deleted>");
}

static enum cof_err delete_listed(
    struct cof_s3_call *c, const struct cof_xml_node *object, bool quiet, struct cof_buf *out)
{
    struct cof_view key = cof_xml_text(object, "Key"), version_id = cof_xml_text(object, "VersionId");
    struct cof_s3_delete_condition condition = {
        cof_xml_text(object, "ETag"), cof_xml_text(object, "LastModifiedTime"), cof_xml_text(object, "Size")};
    struct deletion d;
    enum cof_err err;
    bool allowed;

    cof_buf_reset(&c->key);
    cof_buf_add(&c->key, key);
    allowed = may_delete(c, version_id, &condition, true, &err);
    if (err != COF_OK)
        return err;
    if (!allowed)
        return say_error(out, key, version_id, "AccessDenied", "Access Denied");
    err = delete_one(c, version_id, &condition, &d);
    if (err != COF_OK)
        return err;
    if (d.status != 0)
        return say_error(out, key, version_id, d.code, d.message);
    if (!quiet)
        say_deleted(out, key, version_id, &d);
    return COF_OK;
}

static bool is_truth(struct cof_view text)
{
    return cof_view_eq_str(text, "true") || cof_view_eq_str(text, "1");
}

/* 1 to 1000 objects, each with a key. */
static bool list_ok(const struct cof_xml_node *root)
{
    const struct cof_xml_node *object = cof_xml_child(root, "Object");
    size_t n = 0;

    for (; object != NULL; object = cof_xml_again(object, "Object"), n++)
        if (cof_xml_text(object, "Key").len == 0 || cof_xml_text(object, "Key").len > COF_S3_KEY_MAX)
            return false;
    return n > 0 && n <= LISTED_MAX && strcmp(root->name, "Delete") == 0;
}

enum cof_err cof_s3_delete_objects(struct cof_s3_call *c)
{
    const struct cof_xml_node *object;
    struct cof_xml_node *root = NULL;
    struct cof_buf out;
    enum cof_err err;

    cof_buf_init(&out, COF_STANDIN_REPLY_MAX);
    if (!cof_s3_body_proved(c, true, &err) || !bypass_ok(c)) /* spec: the body's proof is required of this call */
        goto out;
    err = cof_xml_parse(c->req->body, COF_STANDIN_BODY_MAX, 8 * LISTED_MAX, &root);
    if (err == COF_E_FORMAT || err == COF_E_LIMIT || (err == COF_OK && !list_ok(root))) {
        err = cof_s3_bad_xml(c);
        goto out;
    }
    if (err != COF_OK)
        goto out;
    cof_standin_public(c->req, "s3:DeleteObjects"); /* each key is asked for below */
    for (object = cof_xml_child(root, "Object"); object != NULL && err == COF_OK;
         object = cof_xml_again(object, "Object"))
        err = delete_listed(c, object, is_truth(cof_xml_text(root, "Quiet")), &out);
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
