/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/s3_lock.h"

#include "base/date.h"
#include "base/num.h"
#include "standin/s3_body.h"
#include "standin/s3_config.h"
#include "standin/s3_find.h"
#include "standin/s3_put.h"

#include <stdio.h>
#include <string.h>

#define DAY_MS ((int64_t)24 * 3600 * 1000)
#define DAYS_MAX 36500
#define YEARS_MAX 100

bool cof_s3_lock_enabled(const struct cof_s3_call *c)
{
    return json_is_object(json_object_get(c->bucket_record, "object_lock"));
}

enum cof_err cof_s3_lock_enable(json_t *bucket_record)
{
    if (json_object_get(bucket_record, "object_lock") != NULL)
        return COF_OK;
    return json_object_set_new(bucket_record, "object_lock", json_object()) == 0 &&
            json_object_set_new(bucket_record, "versioning", json_string("Enabled")) == 0 ?
        COF_OK :
        COF_E_MEMORY;
}

static bool invalid(struct cof_s3_call *c, const char *name, struct cof_view value, const char *message)
{
    (void)cof_s3_bad_argument(c, name, value, message);
    return false;
}

/* spec: of what is written, one word; of what is there, two */
static bool no_lock(struct cof_s3_call *c, bool writing)
{
    (void)cof_s3_fail(c, 400, "InvalidRequest",
        writing ? "Bucket is missing ObjectLockConfiguration" : "Bucket is missing Object Lock Configuration");
    return false;
}

static bool is_mode(struct cof_view mode)
{
    return cof_view_eq_str(mode, "GOVERNANCE") || cof_view_eq_str(mode, "COMPLIANCE");
}

/* What policies may ask of the lock in this request (s3:object-lock-...). */
static void tell_policies(struct cof_s3_call *c, struct cof_view mode, struct cof_view until, int64_t until_ms)
{
    c->lock_mode = mode;
    c->lock_until = until;
    c->lock_days = until_ms <= c->req->now_ms ? 0 : (until_ms - c->req->now_ms + DAY_MS - 1) / DAY_MS;
}

/* A date to come. name: of the header or element that it is of. */
static bool read_until(struct cof_s3_call *c, const char *name, struct cof_view text, int64_t *ms)
{
    if (cof_date_parse_iso(text, ms) != COF_OK)
        return invalid(c, name, text, "The retain until date must be provided in ISO 8601 format");
    return *ms > c->req->now_ms || invalid(c, name, text, "The retain until date must be in the future!");
}

/* spec: required of a PutObject with these headers, and of each into a bucket with a default retention. */
static bool proved(struct cof_s3_call *c)
{
    struct cof_s3_sum sum;

    if (!cof_s3_put_sum(c, &sum))
        return false;
    if (cof_s3_header(c, "content-md5").len > 0 || sum.alg != COF_CHECKSUM_NONE)
        return true;
    (void)cof_s3_fail(c, 400, "InvalidRequest",
        "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters");
    return false;
}

static bool read_retention(struct cof_s3_call *c, struct cof_view mode, struct cof_view until, json_t *lock,
                           enum cof_err *err)
{
    int64_t ms;

    if (mode.len == 0 || until.len == 0)
        return invalid(c, mode.len == 0 ? "x-amz-object-lock-mode" : "x-amz-object-lock-retain-until-date", (struct cof_view){NULL, 0},
            "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied");
    if (!is_mode(mode))
        return invalid(c, "x-amz-object-lock-mode", mode, "Unknown wormMode directive.");
    if (!read_until(c, "x-amz-object-lock-retain-until-date", until, &ms))
        return false;
    tell_policies(c, mode, until, ms);
    if (!cof_s3_allowed(c, "s3:PutObjectRetention", true, NULL, false, err))
        return false;
    if (json_object_set_new(lock, "mode", cof_s3_string(mode)) != 0 ||
        json_object_set_new(lock, "until", json_integer(ms)) != 0)
        *err = COF_E_MEMORY;
    return *err == COF_OK;
}

static bool read_hold(struct cof_s3_call *c, struct cof_view hold, json_t *lock, enum cof_err *err)
{
    if (!cof_view_eq_str(hold, "ON") && !cof_view_eq_str(hold, "OFF"))
        return invalid(c, "x-amz-object-lock-legal-hold", hold, "Legal Hold must be either of 'ON' or 'OFF'");
    if (!cof_s3_allowed(c, "s3:PutObjectLegalHold", true, NULL, false, err))
        return false;
    if (json_object_set_new(lock, "hold", json_boolean(cof_view_eq_str(hold, "ON"))) != 0)
        *err = COF_E_MEMORY;
    return *err == COF_OK;
}

bool cof_s3_lock_for_write(struct cof_s3_call *c, json_t *record, enum cof_err *err)
{
    struct cof_view mode = cof_s3_header(c, "x-amz-object-lock-mode"),
                    until = cof_s3_header(c, "x-amz-object-lock-retain-until-date"),
                    hold = cof_s3_header(c, "x-amz-object-lock-legal-hold");
    bool asked = mode.len > 0 || until.len > 0 || hold.len > 0;
    bool is_put = !cof_s3_has_param(c, "uploads") && cof_s3_header(c, "x-amz-copy-source").len == 0;
    json_t *lock;

    *err = COF_OK;
    if (asked && !cof_s3_lock_enabled(c))
        return no_lock(c, true);
    if (is_put && (asked || cof_s3_text(json_object_get(c->bucket_record, "object_lock"), "mode")[0] != '\0') && !proved(c))
        return false;
    if (!asked)
        return true;
    lock = json_object();
    if (json_object_set_new(record, "lock", lock) != 0) {
        *err = COF_E_MEMORY;
        return false;
    }
    return ((mode.len == 0 && until.len == 0) || read_retention(c, mode, until, lock, err)) &&
        (hold.len == 0 || read_hold(c, hold, lock, err));
}

/* spec: a year of a default retention is 365 days. */
enum cof_err cof_s3_lock_preset(const struct cof_s3_call *c, json_t *record)
{
    const json_t *preset = json_object_get(c->bucket_record, "object_lock");
    json_t *lock = json_object_get(record, "lock"), *mode = json_object_get(preset, "mode");
    int64_t days = cof_s3_int(preset, "days") + 365 * cof_s3_int(preset, "years");

    if (mode == NULL || cof_s3_is(record, "marker") || json_object_get(lock, "mode") != NULL)
        return COF_OK;
    if (lock == NULL && json_object_set_new(record, "lock", lock = json_object()) != 0)
        return COF_E_MEMORY;
    return json_object_set(lock, "mode", mode) == 0 &&
            json_object_set_new(lock, "until", json_integer(c->req->now_ms + days * DAY_MS)) == 0 ?
        COF_OK :
        COF_E_MEMORY;
}

static bool is_retained(const struct cof_s3_call *c, const json_t *lock)
{
    return cof_s3_int(lock, "until") > c->req->now_ms;
}

/* The header is there, and the caller may. */
static bool bypasses(struct cof_s3_call *c, enum cof_err *err)
{
    return cof_view_eq_nocase(cof_s3_header(c, "x-amz-bypass-governance-retention"), COF_LIT("true")) &&
        cof_s3_allowed(c, "s3:BypassGovernanceRetention", true, NULL, true, err);
}

static bool locked(struct cof_s3_call *c, bool quiet)
{
    if (!quiet)
        (void)cof_s3_fail(c, 403, "AccessDenied", COF_S3_LOCKED);
    return false;
}

bool cof_s3_lock_lets_go(struct cof_s3_call *c, const json_t *record, bool quiet, enum cof_err *err)
{
    const json_t *lock = json_object_get(record, "lock");

    *err = COF_OK;
    if (cof_s3_is(lock, "hold"))
        return locked(c, quiet);
    if (!is_retained(c, lock))
        return true;
    if (strcmp(cof_s3_text(lock, "mode"), "GOVERNANCE") != 0 || !bypasses(c, err))
        return *err == COF_OK ? locked(c, quiet) : false;
    return true;
}

static void date_text(int64_t ms, char out[static COF_DATE_MAX])
{
    if (ms % 1000 == 0)
        cof_date_iso_seconds(ms, out);
    else
        cof_date_iso(ms, out);
}

void cof_s3_lock_headers(struct cof_s3_call *c, const json_t *record)
{
    const json_t *lock = json_object_get(record, "lock"), *tags = json_object_get(record, "tags");
    struct cof_headers *h = &c->reply->headers;
    char until[COF_DATE_MAX];
    enum cof_err err;

    if (json_object_get(lock, "mode") != NULL && cof_s3_allowed(c, "s3:GetObjectRetention", true, tags, true, &err)) {
        cof_headers_set(h, "x-amz-object-lock-mode", cof_s3_text(lock, "mode"));
        date_text(cof_s3_int(lock, "until"), until);
        cof_headers_set(h, "x-amz-object-lock-retain-until-date", until);
    }
    if (json_object_get(lock, "hold") != NULL && cof_s3_allowed(c, "s3:GetObjectLegalHold", true, tags, true, &err))
        cof_headers_set(h, "x-amz-object-lock-legal-hold", cof_s3_is(lock, "hold") ? "ON" : "OFF");
}

/* A whole number of one or more; false: absent, or none such. */
static bool period(struct cof_view text, uint64_t max, uint64_t *out)
{
    return cof_parse_u64(text, max, out) == COF_OK && *out > 0;
}

static bool bad_period(struct cof_s3_call *c, const struct cof_xml_node *node, const char *message)
{
    bool as_ceph = false, days = cof_xml_child(node, "Days") != NULL;

    if (cof_s3_setting(c->store, "as_ceph", &as_ceph) == COF_OK && as_ceph)
        (void)cof_s3_fail(c, 400, "InvalidRetentionPeriod", message);
    else if (!as_ceph)
        (void)cof_s3_bad_argument(c, days ? "Days" : "Years", cof_xml_text(node, days ? "Days" : "Years"), message);
    else
        (void)cof_s3_fail(c, 500, "InternalError", "We encountered an internal error. Please try again.");
    return false;
}

/* <DefaultRetention> into a fresh "object_lock". */
static bool read_preset(struct cof_s3_call *c, const struct cof_xml_node *node, json_t *out)
{
    struct cof_view mode = cof_xml_text(node, "Mode");
    bool days = cof_xml_child(node, "Days") != NULL, years = cof_xml_child(node, "Years") != NULL;
    uint64_t n;

    if (!is_mode(mode) || days == years) {
        (void)cof_s3_bad_xml(c);
        return false;
    }
    if (!period(cof_xml_text(node, days ? "Days" : "Years"), UINT32_MAX, &n))
        return bad_period(c, node, "Default retention period must be a positive integer value.");
    if (n > (days ? DAYS_MAX : YEARS_MAX))
        return bad_period(c, node, "Default retention period too large.");
    return json_object_set_new(out, "mode", cof_s3_string(mode)) == 0 &&
        json_object_set_new(out, days ? "days" : "years", json_integer((json_int_t)n)) == 0;
}

enum cof_err cof_s3_put_lock_config(struct cof_s3_call *c)
{
    const struct cof_xml_node *rule;
    struct cof_xml_node *root;
    json_t *config = NULL;
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:PutBucketObjectLockConfiguration", false, NULL, false, &err))
        return err;
    root = cof_s3_body_xml(c, "ObjectLockConfiguration", true, &err);
    if (root == NULL)
        return err;
    rule = cof_xml_child(root, "Rule");
    config = json_object();
    if (!cof_view_eq_str(cof_xml_text(root, "ObjectLockEnabled"), "Enabled") ||
        (rule != NULL && cof_xml_child(rule, "DefaultRetention") == NULL)) {
        err = cof_s3_bad_xml(c);
        goto out;
    }
    if (cof_s3_versioning_of(c) != COF_S3_VERSIONED) {
        err = cof_s3_fail(c, 409, "InvalidBucketState",
            "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration");
        goto out;
    }
    if (rule != NULL && !read_preset(c, cof_xml_child(rule, "DefaultRetention"), config))
        goto out;
    err = json_object_set(c->bucket_record, "object_lock", config) == 0 ? cof_s3_config_save(c, 200) : COF_E_MEMORY;
out:
    cof_xml_free(root);
    json_decref(config);
    return err;
}

enum cof_err cof_s3_get_lock_config(struct cof_s3_call *c)
{
    const json_t *config = json_object_get(c->bucket_record, "object_lock");
    struct cof_buf *b = &c->reply->body;
    bool years = cof_s3_int(config, "years") > 0;
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:GetBucketObjectLockConfiguration", false, NULL, false, &err))
        return err;
    if (config == NULL)
        return cof_s3_bucket_has_none(c, "ObjectLockConfigurationNotFoundError",
            "Object Lock configuration does not exist for this bucket");
    cof_s3_xml_open(c, "ObjectLockConfiguration");
    cof_buf_add_str(b, "<ObjectLockEnabled>Enabled</ObjectLockEnabled>");
    if (cof_s3_text(config, "mode")[0] != '\0')
        cof_buf_printf(b, "<Rule><DefaultRetention><Mode>%s</Mode><%s>%lld</%s></DefaultRetention></Rule>",
            cof_s3_text(config, "mode"), years ? "Years" : "Days",
            (long long)cof_s3_int(config, years ? "years" : "days"), years ? "Years" : "Days");
    return cof_s3_xml_close(c, "ObjectLockConfiguration");
}

/* Loads the version whose lock is meant. False: reply or *err. */
static bool find(struct cof_s3_call *c, const char *action, json_t **record, enum cof_err *err)
{
    if (!cof_s3_find_version(c, action, action, record, err))
        return false;
    return cof_s3_lock_enabled(c) || no_lock(c, false);
}

/* spec: a retention only grows, unless it is of GOVERNANCE and the caller bypasses it. */
static bool may_change(struct cof_s3_call *c, const json_t *lock, struct cof_view mode, int64_t until, enum cof_err *err)
{
    bool longer = cof_view_eq_str(mode, cof_s3_text(lock, "mode")) && until >= cof_s3_int(lock, "until");

    *err = COF_OK;
    if (!is_retained(c, lock) || longer)
        return true;
    if (strcmp(cof_s3_text(lock, "mode"), "GOVERNANCE") == 0 && bypasses(c, err))
        return true;
    return *err == COF_OK ? locked(c, false) : false;
}

static enum cof_err set_retention(struct cof_s3_call *c, json_t *record, struct cof_view mode, int64_t until)
{
    json_t *lock = json_object_get(record, "lock");

    if (lock == NULL && json_object_set_new(record, "lock", lock = json_object()) != 0)
        return COF_E_MEMORY;
    (void)json_object_del(lock, "mode");
    (void)json_object_del(lock, "until");
    if (mode.len > 0 &&
        (json_object_set_new(lock, "mode", cof_s3_string(mode)) != 0 ||
            json_object_set_new(lock, "until", json_integer(until)) != 0))
        return COF_E_MEMORY;
    return cof_s3_object_update(c, record);
}

enum cof_err cof_s3_put_retention(struct cof_s3_call *c)
{
    /* the policies may ask for what the body says, so it is read first and judged afterwards */
    struct cof_xml_node *peek = cof_s3_body_peek(c, "Retention"), *root = NULL;
    struct cof_view mode = cof_xml_text(peek, "Mode"), until = cof_xml_text(peek, "RetainUntilDate");
    json_t *record = NULL;
    int64_t ms = 0;
    enum cof_err err;

    if (cof_date_parse_iso(until, &ms) == COF_OK)
        tell_policies(c, mode, until, ms);
    if (!cof_s3_find_version(c, "s3:PutObjectRetention", "s3:PutObjectRetention", &record, &err))
        goto out;
    root = cof_s3_body_xml(c, "Retention", true, &err); /* spec: what is no lock is told before that the bucket has none */
    if (root == NULL || (!cof_s3_lock_enabled(c) && !no_lock(c, false)))
        goto out;
    if ((mode.len > 0 && !is_mode(mode)) || (mode.len == 0) != (until.len == 0))
        err = cof_s3_bad_xml(c);
    else if ((mode.len == 0 || read_until(c, "RetainUntilDate", until, &ms)) &&
             may_change(c, json_object_get(record, "lock"), mode, ms, &err)) {
        err = set_retention(c, record, mode, ms);
        if (err == COF_OK)
            cof_reply_set(c->reply, 200, NULL, COF_LIT(""));
    }
out:
    c->lock_mode = c->lock_until = (struct cof_view){NULL, 0};
    cof_xml_free(peek);
    cof_xml_free(root);
    json_decref(record);
    return err;
}

static enum cof_err never_set(struct cof_s3_call *c)
{
    return cof_s3_fail(c, 404, "NoSuchObjectLockConfiguration",
        "The specified object does not have a ObjectLock configuration");
}

enum cof_err cof_s3_get_retention(struct cof_s3_call *c)
{
    json_t *record = NULL;
    const json_t *lock;
    char until[COF_DATE_MAX];
    enum cof_err err;

    if (!find(c, "s3:GetObjectRetention", &record, &err))
        goto out;
    lock = json_object_get(record, "lock");
    if (json_object_get(lock, "mode") == NULL) {
        err = never_set(c);
        goto out;
    }
    date_text(cof_s3_int(lock, "until"), until);
    cof_s3_xml_open(c, "Retention");
    cof_xml_element(&c->reply->body, "Mode", cof_view_str(cof_s3_text(lock, "mode")));
    cof_xml_element(&c->reply->body, "RetainUntilDate", cof_view_str(until));
    err = cof_s3_xml_close(c, "Retention");
out:
    json_decref(record);
    return err;
}

enum cof_err cof_s3_put_legal_hold(struct cof_s3_call *c)
{
    struct cof_xml_node *root = NULL;
    json_t *record = NULL, *lock;
    struct cof_view status;
    enum cof_err err;

    if (!cof_s3_find_version(c, "s3:PutObjectLegalHold", "s3:PutObjectLegalHold", &record, &err))
        goto out;
    root = cof_s3_body_xml(c, "LegalHold", true, &err);
    if (root == NULL || (!cof_s3_lock_enabled(c) && !no_lock(c, false)))
        goto out;
    status = cof_xml_text(root, "Status");
    if (!cof_view_eq_str(status, "ON") && !cof_view_eq_str(status, "OFF")) {
        err = cof_s3_bad_xml(c);
        goto out;
    }
    lock = json_object_get(record, "lock");
    if (lock == NULL && json_object_set_new(record, "lock", lock = json_object()) != 0)
        err = COF_E_MEMORY;
    else if (json_object_set_new(lock, "hold", json_boolean(cof_view_eq_str(status, "ON"))) != 0)
        err = COF_E_MEMORY;
    else
        err = cof_s3_object_update(c, record);
    if (err == COF_OK)
        cof_reply_set(c->reply, 200, NULL, COF_LIT(""));
out:
    cof_xml_free(root);
    json_decref(record);
    return err;
}

enum cof_err cof_s3_get_legal_hold(struct cof_s3_call *c)
{
    json_t *record = NULL;
    const json_t *lock;
    enum cof_err err;

    if (!find(c, "s3:GetObjectLegalHold", &record, &err))
        goto out;
    lock = json_object_get(record, "lock");
    if (json_object_get(lock, "hold") == NULL) {
        err = never_set(c);
        goto out;
    }
    cof_s3_xml_open(c, "LegalHold");
    cof_xml_element(&c->reply->body, "Status", cof_s3_is(lock, "hold") ? COF_LIT("ON") : COF_LIT("OFF"));
    err = cof_s3_xml_close(c, "LegalHold");
out:
    json_decref(record);
    return err;
}
