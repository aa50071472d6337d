/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/s3_find.h"

#include "standin/s3_record.h"

/* AWS's are as long as ours and of these characters; what cannot be one is refused as malformed, not as absent. */
bool cof_s3_version_id_ok(struct cof_s3_call *c, struct cof_view id)
{
    bool named = id.len == COF_S3_VERSION_ID && cof_s3_versioning_of(c) != COF_S3_UNVERSIONED;
    bool good = id.len == 0 || named || cof_view_eq_str(id, "null"); /* spec: where nothing has versions no other can be */

    for (size_t i = 0; i < id.len && good; i++) {
        uint8_t b = id.data[i];

        good = (b >= '0' && b <= '9') || (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || b == '.' || b == '_' ||
            b == '-';
    }
    if (!good)
        (void)cof_s3_bad_argument(c, "versionId", id, "Invalid version id specified");
    return good;
}

/* spec: only who may list learns that a key is absent. */
static enum cof_err absent(struct cof_s3_call *c, struct cof_view version_id)
{
    const struct cof_s3_detail details[] = {{"Key", cof_buf_view(&c->key)}, {"VersionId", version_id}};
    enum cof_err err;
    bool may_list = cof_s3_allowed(c, "s3:ListBucket", false, NULL, true, &err);

    if (err != COF_OK)
        return err;
    if (!may_list)
        return cof_s3_fail(c, 403, "AccessDenied", "Access Denied");
    if (version_id.len == 0)
        return cof_s3_no_key(c);
    return cof_s3_fail_of(c, 404, "NoSuchVersion", "The specified version does not exist.", details, 2);
}

static bool find(
    struct cof_s3_call *c, const char *action, struct cof_view version_id, bool shared, json_t **record, enum cof_err *err)
{
    bool allowed;

    *record = NULL;
    *err = COF_OK;
    if (!cof_s3_version_id_ok(c, version_id))
        return false;
    *err = shared ? cof_s3_object_read(c, version_id, record) : cof_s3_object_get(c, version_id, record);
    if (*err != COF_OK && *err != COF_E_NOT_FOUND)
        return false;
    c->object = *record;
    allowed = cof_s3_allowed(c, action, true, json_object_get(*record, "tags"), false, err);
    c->object = NULL;
    if (!allowed)
        return false;
    if (*record == NULL)
        *err = absent(c, version_id);
    return *record != NULL;
}

bool cof_s3_find_readable(struct cof_s3_call *c, struct cof_view version_id, json_t **record, enum cof_err *err)
{
    return find(c, version_id.len > 0 ? "s3:GetObjectVersion" : "s3:GetObject", version_id, true, record, err);
}

bool cof_s3_find_version(struct cof_s3_call *c, const char *action, const char *version_action, json_t **record,
                         enum cof_err *err)
{
    struct cof_view version_id = cof_s3_param(c, "versionId");

    if (!find(c, version_id.len > 0 ? version_action : action, version_id, false, record, err))
        return false;
    if (!cof_s3_is(*record, "marker"))
        return true;
    (void)cof_s3_is_marker(c);
    cof_headers_set(&c->reply->headers, "x-amz-delete-marker", "true");
    cof_headers_set(&c->reply->headers, "Allow", "DELETE");
    return false;
}

enum cof_err cof_s3_marker_told(struct cof_s3_call *c, enum cof_err err)
{
    json_t *newest = NULL;

    if (err != COF_OK || c->reply->status != 404 || cof_s3_param(c, "versionId").len > 0)
        return err;
    err = cof_s3_object_newest(c, &newest);
    if (err == COF_OK && cof_s3_is(newest, "marker")) {
        err = cof_s3_is_marker(c);
        cof_headers_set(&c->reply->headers, "x-amz-delete-marker", "true");
        cof_headers_set(&c->reply->headers, "Allow", "DELETE");
    }
    json_decref(newest);
    return err == COF_E_NOT_FOUND ? COF_OK : err;
}
