/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/s3_condition.h"

#include "base/date.h"
#include "base/num.h"
#include "standin/s3_record.h"

#include <stdio.h>
#include <string.h>

/* "abc" or abc. */
static struct cof_view unquoted(struct cof_view etag)
{
    if (etag.len >= 2 && etag.data[0] == '"' && etag.data[etag.len - 1] == '"')
        return cof_view_sub(etag, 1, etag.len - 2);
    return etag;
}

bool cof_s3_etag_listed(struct cof_view list, const char *etag)
{
    struct cof_view one, rest;

    if (cof_view_eq_str(list, "*"))
        return true;
    while (list.len > 0) {
        (void)cof_view_split(list, ',', &one, &rest);
        list = rest;
        one = cof_view_trim(one);
        if (cof_view_starts(one, COF_LIT("W/")))
            one = cof_view_sub(one, 2, SIZE_MAX);
        if (cof_view_eq_str(unquoted(one), etag))
            return true;
    }
    return false;
}

static struct cof_view named(const struct cof_s3_call *c, const char *prefix, const char *name)
{
    size_t prefix_len = strlen(prefix), name_len = strlen(name);
    char full[80];

    if (prefix_len + name_len >= sizeof full)
        return (struct cof_view){NULL, 0};
    memcpy(full, prefix, prefix_len);
    memcpy(full + prefix_len, name, name_len + 1);
    return cof_s3_header(c, full);
}

int cof_s3_read_conditions(const struct cof_s3_call *c, const char *prefix, const json_t *record, const char **which)
{
    struct cof_view match = named(c, prefix, "if-match"), none = named(c, prefix, "if-none-match"),
                    since = named(c, prefix, "if-modified-since"), unless = named(c, prefix, "if-unmodified-since");
    int64_t modified = cof_s3_int(record, "modified") / 1000, ms;
    const char *etag = cof_s3_text(record, "etag");

    *which = "If-Match";
    if (match.len > 0 && !cof_s3_etag_listed(match, etag))
        return 412;
    *which = "If-Unmodified-Since";
    if (match.len == 0 && unless.len > 0 && cof_date_parse_http(unless, &ms) == COF_OK && modified > ms / 1000)
        return 412;
    *which = "If-None-Match";
    if (none.len > 0 && cof_s3_etag_listed(none, etag))
        return 304;
    *which = "If-Modified-Since";
    /* spec: a date yet to come is no date to compare with */
    if (none.len == 0 && since.len > 0 && cof_date_parse_http(since, &ms) == COF_OK && ms <= c->req->now_ms &&
        modified <= ms / 1000)
        return 304;
    return 0;
}

enum cof_err cof_s3_precondition_failed(struct cof_s3_call *c, const char *condition)
{
    char extra[120];

    (void)snprintf(extra, sizeof extra, "<Condition>%s</Condition>", condition);
    return cof_s3_fail_with(c, 412, "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold", extra);
}

bool cof_s3_copy_conditions(struct cof_s3_call *c, const json_t *record)
{
    const char *which;
    char name[60];

    if (cof_s3_read_conditions(c, "x-amz-copy-source-", record, &which) == 0)
        return true;
    (void)snprintf(name, sizeof name, "x-amz-copy-source-%s", which);
    (void)cof_s3_precondition_failed(c, name);
    return false;
}

static bool not_implemented(struct cof_s3_call *c, const char *header, const char *more)
{
    char extra[200];

    (void)snprintf(extra, sizeof extra, "<Header>%s</Header><additionalMessage>%s</additionalMessage>", header, more);
    (void)cof_s3_fail_with(
        c, 501, "NotImplemented", "A header you provided implies functionality that is not implemented", extra);
    return false;
}

/* The form AWS takes: one of the two, If-None-Match with * alone, If-Match with anything but that. */
static bool form_ok(struct cof_s3_call *c, struct cof_view none, struct cof_view match, enum cof_err *err)
{
    bool as_ceph;

    if (match.len == 0 ? cof_view_eq_str(none, "*") : none.len == 0 && !cof_view_eq_str(match, "*"))
        return true;
    *err = cof_s3_setting(c->store, "as_ceph", &as_ceph);
    if (*err != COF_OK || as_ceph)
        return *err == COF_OK;
    if (none.len > 0 && match.len > 0)
        return not_implemented(c, "If-Match,If-None-Match", "Multiple conditional request headers present in the request");
    if (none.len > 0)
        return not_implemented(c, "If-None-Match", "We don't accept the provided value of If-None-Match header for this API");
    return not_implemented(c, "If-Match", "We don't accept the provided value of If-Match header for this API");
}

bool cof_s3_not_here(struct cof_s3_call *c, const char *header)
{
    char extra[120];

    (void)snprintf(extra, sizeof extra, "<Header>%s</Header>", header);
    (void)cof_s3_fail_with(
        c, 501, "NotImplemented", "A header you provided implies functionality that is not implemented", extra);
    return false;
}

bool cof_s3_put_conditions(struct cof_s3_call *c, enum cof_err *err)
{
    struct cof_view none = cof_s3_header(c, "if-none-match"), match = cof_s3_header(c, "if-match");
    json_t *present = NULL;
    bool good = false;

    *err = COF_OK;
    if (none.len == 0 && match.len == 0)
        return true;
    if (!form_ok(c, none, match, err))
        return false;
    /* spec: who writes if an ETag matches learns of the ETag, so may read */
    if (match.len > 0 && !cof_s3_allowed(c, "s3:GetObject", true, NULL, false, err))
        return false;
    *err = cof_s3_object_get(c, COF_LIT(""), &present);
    if (*err == COF_E_NOT_FOUND)
        *err = COF_OK;
    if (*err != COF_OK)
        return false;
    if (none.len > 0 && present != NULL && cof_s3_etag_listed(none, cof_s3_text(present, "etag")))
        (void)cof_s3_precondition_failed(c, "If-None-Match");
    else if (match.len > 0 && present == NULL)
        (void)cof_s3_no_key(c);
    else if (match.len > 0 && !cof_view_eq_str(match, "*") &&
             !cof_view_eq_str(unquoted(match), cof_s3_text(present, "etag")))
        (void)cof_s3_precondition_failed(c, "If-Match");
    else
        good = true;
    json_decref(present);
    return good;
}

struct cof_s3_delete_condition cof_s3_delete_condition(struct cof_s3_call *c)
{
    return (struct cof_s3_delete_condition){cof_s3_header(c, "if-match"),
        cof_s3_header(c, "x-amz-if-match-last-modified-time"), cof_s3_header(c, "x-amz-if-match-size")};
}

static bool read_date(struct cof_view text, int64_t *ms)
{
    return cof_date_parse_http(text, ms) == COF_OK || cof_date_parse_iso(text, ms) == COF_OK;
}

/* spec: If-Match speaks of the current object; with none there is nothing to match, and a delete marker is no match. With
 * Ceph what is not there is deleted already, and a marker matches *. A version that is named is looked at whatever it
 * is. */
static enum cof_s3_delete_verdict etag_verdict(
    struct cof_s3_call *c, struct cof_view etag, const json_t *record, bool is_named)
{
    bool lenient = is_named, any = cof_view_eq_str(etag, "*");

    if (!lenient && cof_s3_setting(c->store, "as_ceph", &lenient) != COF_OK)
        return COF_S3_DELETE_FAILED;
    if (record == NULL)
        return lenient ? COF_S3_DELETE_GO : COF_S3_DELETE_NO_KEY;
    if (cof_s3_is(record, "marker") && !is_named)
        return lenient && any ? COF_S3_DELETE_GO : COF_S3_DELETE_FAILED;
    return any || cof_view_eq_str(unquoted(etag), cof_s3_text(record, "etag")) ? COF_S3_DELETE_GO : COF_S3_DELETE_FAILED;
}

enum cof_s3_delete_verdict cof_s3_delete_conditions(
    struct cof_s3_call *c, const struct cof_s3_delete_condition *d, const json_t *record, bool is_named)
{
    enum cof_s3_delete_verdict verdict = COF_S3_DELETE_GO;
    int64_t modified = 0;
    uint64_t size = 0;

    if ((d->modified.len > 0 && !read_date(d->modified, &modified)) ||
        (d->size.len > 0 && cof_parse_u64(d->size, INT64_MAX, &size) != COF_OK))
        return COF_S3_DELETE_BAD;
    if (d->etag.len > 0)
        verdict = etag_verdict(c, d->etag, record, is_named);
    if (verdict != COF_S3_DELETE_GO || record == NULL)
        return verdict; /* spec: date and size of what is gone already are in no one's way */
    if (d->modified.len > 0 && modified / 1000 != cof_s3_int(record, "modified") / 1000)
        return COF_S3_DELETE_FAILED;
    return d->size.len > 0 && size != (uint64_t)cof_s3_int(record, "size") ? COF_S3_DELETE_FAILED : COF_S3_DELETE_GO;
}
