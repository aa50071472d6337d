/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/sts_api.h"

#include "base/date.h"
#include "base/num.h"
#include "engine/totp.h"
#include "format/uri.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TYPE "text/xml"
#define MFA_WINDOW 1 /* steps of 30 s that a device's clock may be off */

void cof_sts_call_init(
    struct cof_sts_call *c, struct cof_standin *s, struct cof_standin_request *req, struct cof_standin_reply *reply)
{
    bool get = cof_view_eq_str(req->head->method, "GET");

    *c = (struct cof_sts_call){.s = s, .req = req, .reply = reply, .form = get ? req->head->query : req->body};
    cof_buf_init(&c->faults, 65536);
}

void cof_sts_call_done(struct cof_sts_call *c)
{
    for (size_t i = 0; i < c->n_texts; i++)
        cof_buf_done(&c->texts[i]);
    cof_buf_done(&c->faults);
    c->n_texts = 0;
}

struct cof_view cof_sts_param(struct cof_sts_call *c, const char *name)
{
    struct cof_view absent = {NULL, 0};
    struct cof_buf *text;
    enum cof_err err;

    if (!cof_query_has(c->form, name))
        return absent;
    if (c->n_texts == COF_STS_PARAMETERS_MAX) {
        c->err = COF_E_LIMIT;
        return absent;
    }
    text = &c->texts[c->n_texts++];
    cof_buf_init_secret(text, COF_STS_PARAMETER_MAX);
    err = cof_buf_reserve(text, 1); /* so that an empty value has an address, unlike an absent one */
    if (err == COF_OK)
        err = cof_form_get(c->form, name, text);
    if (err == COF_OK && (!cof_view_is_utf8(cof_buf_view(text)) || cof_view_find(cof_buf_view(text), 0) != SIZE_MAX))
        err = COF_E_FORMAT;
    if (err != COF_OK) {
        c->err = err;
        return absent;
    }
    return cof_buf_view(text);
}

static void add_fault(struct cof_sts_call *c, struct cof_view value, const char *label, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void add_fault(struct cof_sts_call *c, struct cof_view value, const char *label, const char *format, ...)
{
    char what[200];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    cof_buf_add_str(&c->faults, c->n_faults == 0 ? "" : "; ");
    if (value.data == NULL)
        cof_buf_add_str(&c->faults, "Value null");
    else
        cof_buf_printf(&c->faults, "Value '%.*s'", (int)(value.len > 256 ? 256 : value.len), (const char *)value.data);
    cof_buf_printf(&c->faults, " at '%s' failed to satisfy constraint: Member must %s", label, what);
    c->n_faults++;
}

void cof_sts_need(struct cof_sts_call *c, struct cof_view value, const char *label)
{
    if (value.data == NULL)
        add_fault(c, value, label, "not be null");
}

void cof_sts_check_length(struct cof_sts_call *c, struct cof_view value, const char *label, size_t min, size_t max)
{
    if (value.data == NULL)
        return;
    if (value.len < min)
        add_fault(c, value, label, "have length greater than or equal to %zu", min);
    if (value.len > max)
        add_fault(c, value, label, "have length less than or equal to %zu", max);
}

void cof_sts_check_chars(
    struct cof_sts_call *c, struct cof_view value, const char *label, const char *allowed, const char *pattern)
{
    for (size_t i = 0; i < value.len; i++) {
        uint8_t ch = value.data[i];

        if ((ch >= '0' && ch <= '9') ||
            (allowed != NULL && ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || strchr(allowed, ch) != NULL)))
            continue;
        add_fault(c, value, label, "satisfy regular expression pattern: %s", pattern);
        return;
    }
}

int64_t cof_sts_seconds(
    struct cof_sts_call *c, const char *name, const char *label, int64_t min, int64_t max, int64_t preset)
{
    struct cof_view text = cof_sts_param(c, name);
    uint64_t n;

    if (text.data == NULL)
        return preset;
    if (cof_parse_u64_padded(text, INT32_MAX, &n) != COF_OK) {
        c->err = COF_E_FORMAT;
        return preset;
    }
    if ((int64_t)n < min)
        add_fault(c, text, label, "have value greater than or equal to %lld", (long long)min);
    if ((int64_t)n > max)
        add_fault(c, text, label, "have value less than or equal to %lld", (long long)max);
    return (int64_t)n;
}

bool cof_sts_valid(struct cof_sts_call *c)
{
    if (c->err == COF_E_FORMAT || c->err == COF_E_LIMIT) {
        c->err = cof_sts_fail(c, 400, "MalformedInput", "A parameter of the request cannot be read");
        return false;
    }
    if (c->n_faults > 0) {
        (void)cof_sts_fail(c, 400, "ValidationError", "%zu validation error%s detected: %s", c->n_faults,
            c->n_faults == 1 ? "" : "s", cof_buf_cstr(&c->faults));
    }
    return c->err == COF_OK && c->n_faults == 0;
}

enum cof_err cof_sts_fail(struct cof_sts_call *c, int status, const char *code, const char *format, ...)
{
    char line[8192];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    (void)cof_reply_query_error(c->reply, c->req, COF_STS_XMLNS, status, code, cof_view_str(line));
    c->reply->keep = c->code_used;
    return COF_OK;
}

enum cof_err cof_sts_answer(struct cof_sts_call *c, const char *action, const struct cof_buf *result)
{
    struct cof_buf xml;
    enum cof_err err = cof_buf_err(result);

    cof_buf_init_secret(&xml, 65536);
    cof_buf_printf(&xml, "<%sResponse xmlns=\"" COF_STS_XMLNS "\"><%sResult>", action, action);
    cof_buf_add(&xml, cof_buf_view(result));
    cof_buf_printf(&xml, "</%sResult><ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>\n",
        action, c->req->id, action);
    if (err == COF_OK)
        err = cof_buf_err(&xml);
    if (err == COF_OK)
        cof_reply_set(c->reply, 200, TYPE, cof_buf_view(&xml));
    cof_buf_done(&xml);
    return err;
}

void cof_sts_add_credentials(struct cof_buf *xml, const struct cof_iam_key *key)
{
    char date[COF_DATE_MAX];

    cof_date_iso_seconds(key->expires_ms, date);
    cof_buf_add_str(xml, "<Credentials>");
    cof_xml_element(xml, "AccessKeyId", cof_view_str(key->access_key_id));
    cof_xml_element(xml, "SecretAccessKey", cof_view_str(key->secret));
    cof_xml_element(xml, "SessionToken", cof_view_str(key->session_token));
    cof_xml_element(xml, "Expiration", cof_view_str(date));
    cof_buf_add_str(xml, "</Credentials>");
}

/* The step of the code used last, kept for each device. */
static enum cof_err last_step(const struct cof_store *store, struct cof_view serial, uint64_t *step)
{
    struct cof_buf text;
    enum cof_err err;

    *step = 0;
    cof_buf_init(&text, 32);
    err = store->get(store->ctx, "iam.mfa", serial, &text);
    if (err == COF_OK)
        err = cof_parse_u64(cof_buf_view(&text), UINT64_MAX, step);
    cof_buf_done(&text);
    return err == COF_E_NOT_FOUND ? COF_OK : err;
}

static enum cof_err use_code(
    struct cof_sts_call *c, const struct cof_iam_entity *user, struct cof_view code)
{
    const struct cof_store *store = cof_standin_store(c->s);
    struct cof_view serial = cof_view_str(user->mfa_serial);
    uint64_t last, step;
    char text[24];
    enum cof_err err = last_step(store, serial, &last);

    if (err == COF_OK)
        err = cof_totp_check(cof_view_str(user->mfa_secret), code, c->req->now_ms, MFA_WINDOW, last, &step);
    if (err != COF_OK)
        return err;
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)step);
    c->code_used = true;
    return store->put(store->ctx, "iam.mfa", serial, cof_view_str(text));
}

bool cof_sts_mfa(struct cof_sts_call *c, bool *given, enum cof_err *err)
{
    struct cof_view serial = cof_sts_param(c, "SerialNumber"), code = cof_sts_param(c, "TokenCode");
    const struct cof_iam_principal *p = c->req->principal;

    *given = serial.data != NULL || code.data != NULL;
    cof_sts_check_length(c, serial, "serialNumber", 9, 256);
    cof_sts_check_chars(c, serial, "serialNumber", "_+=/:,.@-", "[\\w+=/:,.@-]*");
    cof_sts_check_length(c, code, "tokenCode", 6, 6);
    cof_sts_check_chars(c, code, "tokenCode", NULL, "[\\d]*");
    if (!cof_sts_valid(c)) {
        *err = c->err;
        return false;
    }
    *err = COF_OK;
    if (!*given)
        return true;
    if (serial.data == NULL || code.data == NULL) {
        *err = cof_sts_fail(c, 403, "AccessDenied",
            "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.");
        return false;
    }
    if (p->caller.kind != COF_CALLER_USER || p->entity.mfa_serial == NULL || p->entity.mfa_secret == NULL ||
        !cof_view_eq_str(serial, p->entity.mfa_serial)) {
        *err = cof_sts_fail(c, 403, "AccessDenied",
            "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid "
            "and associated with this user.");
        return false;
    }
    *err = use_code(c, &p->entity, code);
    if (*err == COF_E_AUTH)
        *err = cof_sts_fail(
            c, 403, "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code. ");
    else if (*err == COF_OK)
        return true;
    return false;
}
