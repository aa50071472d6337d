/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/kms_api.h"

#include "base/codec.h"
#include "standin/kms_alias.h"
#include "standin/reply.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define JSON_TYPE "application/x-amz-json-1.1"

enum cof_err cof_kms_fail(struct cof_kms_call *c, const char *code, const char *fmt, ...)
{
    struct cof_buf message;
    char text[2048];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    cof_buf_init(&message, sizeof text);
    cof_buf_add_str(&message, text);
    (void)cof_reply_json_error(c->reply, JSON_TYPE, 400, code, NULL, cof_buf_view(&message));
    cof_buf_done(&message);
    return COF_E_DENIED;
}

static const json_t *member(const struct cof_kms_call *c, const char *name)
{
    const json_t *value = json_object_get(c->in, name);

    return json_is_null(value) ? NULL : value;
}

struct cof_view cof_kms_arg(const struct cof_kms_call *c, const char *name)
{
    const json_t *value = member(c, name);

    return value == NULL ? (struct cof_view){0} : cof_view_of(json_string_value(value), json_string_length(value));
}

bool cof_kms_arg_flag(const struct cof_kms_call *c, const char *name)
{
    const json_t *value = member(c, name);

    return json_is_true(value);
}

int64_t cof_kms_arg_int(const struct cof_kms_call *c, const char *name, int64_t otherwise)
{
    const json_t *value = member(c, name);

    return value == NULL ? otherwise : json_integer_value(value);
}

const json_t *cof_kms_arg_object(const struct cof_kms_call *c, const char *name)
{
    const json_t *value = member(c, name);

    return json_object_size(value) == 0 ? NULL : value;
}

enum cof_err cof_kms_arg_bytes(struct cof_kms_call *c, const char *name, struct cof_buf *out)
{
    enum cof_err err = cof_base64_decode(cof_kms_arg(c, name), out);

    return err == COF_E_FORMAT ? cof_kms_fail(c, "SerializationException", "%s is not base64", name) : err;
}

/* 1234abcd-12ab-34cd-56ef-1234567890ab, or mrk- and 32 digits. */
static bool looks_like_id(struct cof_view id)
{
    bool uuid = id.len == 36, multi = id.len == 36 && cof_view_starts(id, COF_LIT("mrk-"));

    for (size_t i = 0; i < id.len && uuid; i++)
        uuid = i == 8 || i == 13 || i == 18 || i == 23 ? id.data[i] == '-' : isxdigit(id.data[i]) != 0;
    return uuid || multi;
}

static enum cof_err not_found(struct cof_kms_call *c, enum cof_kms_form form, struct cof_view name, struct cof_view given)
{
    const char *region = cof_standin_region(c->s), *account = cof_standin_account(c->s);
    const char *bad_arn = c->op->arn_error ? "InvalidArnException" : "NotFoundException";
    int n = (int)(name.len < 256 ? name.len : 256), n_given = (int)(given.len < 512 ? given.len : 512);
    const char *text = (const char *)name.data, *all = (const char *)given.data;

    switch (form) {
    case COF_KMS_FORM_ALIAS:
    case COF_KMS_FORM_ALIAS_ARN:
        return cof_kms_fail(c, "NotFoundException", "Alias arn:aws:kms:%s:%s:%.*s is not found.", region, account, n, text);
    case COF_KMS_FORM_BAD_ARN:
        return cof_kms_fail(c, bad_arn, "Invalid arn %.*s", n_given, all);
    case COF_KMS_FORM_OTHER_REGION:
        return cof_kms_fail(c, "NotFoundException", "Invalid arn %.*s", n, text);
    case COF_KMS_FORM_OTHER_ACCOUNT:
        return cof_kms_fail(c, "AccessDeniedException",
            "User: %.*s is not authorized to perform: %s on resource: %.*s because the resource does not exist in this "
            "Region, no resource-based policies allow access, or a resource-based policy explicitly denies access",
            (int)c->req->principal->caller.arn.len, (const char *)c->req->principal->caller.arn.data, c->op->action, n_given,
            all);
    case COF_KMS_FORM_ID:
    case COF_KMS_FORM_ARN:
        break;
    }
    if (!looks_like_id(name))
        return cof_kms_fail(c, "NotFoundException", "Invalid keyId '%.*s'", n, text);
    return cof_kms_fail(c, "NotFoundException", "Key 'arn:aws:kms:%s:%s:key/%.*s' does not exist", region, account, n, text);
}

static bool is_foreign(const struct cof_kms_call *c)
{
    return !cof_view_eq_str(c->req->principal->caller.account, cof_standin_account(c->s));
}

/* An account has keys of its own, and here only one account has any: others name them by ARN, for what may be allowed to
 * other accounts at all. */
static enum cof_err check_foreign(struct cof_kms_call *c, enum cof_kms_form form, struct cof_view given)
{
    const struct cof_caller *caller = &c->req->principal->caller;
    bool by_arn = form != COF_KMS_FORM_ID && form != COF_KMS_FORM_ALIAS;
    int n = (int)(given.len < 512 ? given.len : 512);

    if (!by_arn)
        return cof_kms_fail(c, "NotFoundException", form == COF_KMS_FORM_ID ? "Key 'arn:aws:kms:%s:%.*s:key/%.*s' does not exist"
                            : "Alias arn:aws:kms:%s:%.*s:%.*s is not found.", cof_standin_region(c->s), (int)caller->account.len,
                            (const char *)caller->account.data, n, (const char *)given.data);
    if (!c->op->foreign)
        return cof_kms_fail(c, "AccessDeniedException", "User: %.*s is not authorized to perform: %s on resource: %.*s because "
                            "no resource-based policy allows the %s action", (int)caller->arn.len, (const char *)caller->arn.data,
                            c->op->action, n, (const char *)given.data, c->op->action);
    return COF_OK;
}

enum cof_err cof_kms_find(struct cof_kms_call *c, struct cof_view given, bool own, struct cof_kms_key **out,
                          struct cof_view *alias)
{
    struct cof_view name;
    enum cof_kms_form form = cof_kms_name_form(c->s, given, &name);
    enum cof_err err;

    *out = NULL;
    if (alias != NULL)
        *alias = (struct cof_view){0};
    if (is_foreign(c) && (err = check_foreign(c, form, given)) != COF_OK)
        return err;
    if (cof_kms_form_is_alias(form) && !c->op->alias_ok)
        return cof_kms_fail(c, form == COF_KMS_FORM_ALIAS_ARN && c->op->arn_error ? "InvalidArnException" : "NotFoundException",
                            "Invalid %s %.*s", form == COF_KMS_FORM_ALIAS ? "keyId" : "arn",
                            (int)(given.len < 512 ? given.len : 512), (const char *)given.data);
    err = own ? cof_kms_key_open_own(c->s, given, c->req->now_ms, out) : cof_kms_key_open(c->s, given, c->req->now_ms, out);
    if (err == COF_E_NOT_FOUND && cof_kms_form_is_alias(form) && cof_view_starts(name, COF_LIT("alias/aws/")))
        err = cof_kms_alias_make_aws(c->s, name, c->req->now_ms, out);
    if (err == COF_E_NOT_FOUND)
        return not_found(c, form, name, given);
    if (err == COF_OK && alias != NULL && cof_kms_form_is_alias(form))
        *alias = name;
    return err;
}

enum cof_err cof_kms_allowed(struct cof_kms_call *c, struct cof_kms_key *key, const struct cof_kms_ask *ask)
{
    static const struct cof_kms_ask plain = {0};
    const struct cof_kms_ask *a = ask != NULL ? ask : &plain;
    struct cof_kms_asking asking = {.action = a->action != NULL ? a->action : c->op->action, .key = key,
        .resource = a->resource, .context = a->context, .takes_context = c->op->use,
        .attest = c->has_recipient ? &c->attest : NULL, .alias = a->alias, .grant_id = a->grant_id,
        .new_grant = a->new_grant, .more = a->more, .n_more = a->n_more};
    struct cof_buf why;
    enum cof_err err;

    if (key == NULL && is_foreign(c) && !c->op->foreign)
        return cof_kms_fail(c, "UnsupportedOperationException", "Accounts other than %s have no keys here.",
                            cof_standin_account(c->s));
    cof_buf_init(&why, 16384);
    err = cof_kms_permit(c->s, c->req, &asking, &why);
    if (err == COF_E_DENIED)
        err = cof_kms_fail(c, "AccessDeniedException", "%s", cof_buf_cstr(&why));
    else if (err == COF_E_LIMIT)
        err = cof_kms_fail(c, "ValidationException", "The encryption context and the key's tags are too many to be judged.");
    cof_buf_done(&why);
    return err;
}

enum cof_err cof_kms_check_state(struct cof_kms_call *c, const struct cof_kms_key *key, enum cof_kms_need need)
{
    if (need >= COF_KMS_NOT_PENDING && key->state == COF_KMS_PENDING_DELETION)
        return cof_kms_fail(c, "KMSInvalidStateException", "%s is pending deletion.", key->arn);
    if (need >= COF_KMS_NEEDS_ENABLED && key->state == COF_KMS_DISABLED)
        return cof_kms_fail(c, "DisabledException", "%s is disabled.", key->arn);
    return COF_OK;
}

enum cof_err cof_kms_begin(struct cof_kms_call *c, bool own, const struct cof_kms_ask *ask)
{
    struct cof_kms_ask filled = ask != NULL ? *ask : (struct cof_kms_ask){0};
    enum cof_err err = cof_kms_find(c, cof_kms_arg(c, "KeyId"), own, &c->key, &c->alias);

    filled.alias = c->alias;
    if (err == COF_OK)
        err = cof_kms_allowed(c, c->key, &filled);
    if (err == COF_OK)
        err = cof_kms_check_state(c, c->key, c->op->need);
    return err;
}

enum cof_err cof_kms_check_usage(struct cof_kms_call *c, const struct cof_kms_key *key, enum cof_kms_usage usage)
{
    if (key->usage == usage)
        return COF_OK;
    return cof_kms_fail(c, "InvalidKeyUsageException", "%s key usage is %s which is not valid for %s.", key->arn,
                        cof_kms_usage_name(key->usage), strchr(c->op->action, ':') + 1);
}

enum cof_err cof_kms_check_algorithm(struct cof_kms_call *c, const struct cof_kms_key *key, struct cof_view name,
                                     enum cof_kms_usage usage, const struct cof_kms_algorithm **out)
{
    struct cof_view wanted = name.len > 0 ? name : COF_LIT("SYMMETRIC_DEFAULT");
    enum cof_err err = cof_kms_check_usage(c, key, usage);

    *out = cof_kms_algorithm_named(wanted);
    if (err != COF_OK)
        return err;
    if (*out == NULL || (*out)->usage != usage || !cof_kms_algorithm_fits(*out, key->spec))
        return cof_kms_fail(c, "InvalidKeyUsageException",
                            usage == COF_KMS_GENERATE_VERIFY_MAC ? "Algorithm %.*s is incompatible with key spec %s." :
                                                                   "Algorithm %.*s and key spec %s are incompatible.",
                            (int)wanted.len, (const char *)wanted.data, key->spec->name);
    return COF_OK;
}

enum cof_err cof_kms_check_dry_run(struct cof_kms_call *c)
{
    if (!cof_kms_arg_flag(c, "DryRun"))
        return COF_OK;
    return cof_kms_fail(c, "DryRunOperationException", "The request would have succeeded, but the DryRun option is set.");
}

void cof_kms_add_time(struct cof_buf *json, const char *name, int64_t ms)
{
    cof_json_add_name(json, name);
    cof_buf_printf(json, "%lld.%03lld", (long long)(ms / 1000), (long long)(ms % 1000));
}

void cof_kms_add_bool(struct cof_buf *json, const char *name, bool value)
{
    cof_json_add_name(json, name);
    cof_buf_add_str(json, value ? "true" : "false");
}

enum cof_err cof_kms_page_begin(struct cof_kms_call *c, int64_t otherwise, int64_t most, struct cof_kms_page *page)
{
    struct cof_view marker = cof_kms_arg(c, "Marker");

    *page = (struct cof_kms_page){.left = cof_kms_arg_int(c, "Limit", otherwise)};
    if (page->left > most)
        page->left = most;
    cof_buf_init(&page->after, 2048);
    if (marker.len > 0 && (cof_base64_decode(marker, &page->after) != COF_OK || page->after.len == 0)) {
        cof_buf_done(&page->after);
        return cof_kms_fail(c, "InvalidMarkerException", "Could not deserialize marker '%.*s'",
                            (int)(marker.len < 256 ? marker.len : 256), (const char *)marker.data);
    }
    return COF_OK;
}

bool cof_kms_page_take(struct cof_kms_page *page, struct cof_view key)
{
    if (page->left == 0) {
        page->truncated = true;
        return false;
    }
    page->left--;
    cof_buf_reset(&page->after);
    cof_buf_add(&page->after, key);
    return true;
}

void cof_kms_page_end(struct cof_kms_call *c, struct cof_kms_page *page)
{
    cof_kms_add_bool(&c->out, "Truncated", page->truncated);
    if (page->truncated)
        cof_json_add_member_base64(&c->out, "NextMarker", cof_buf_view(&page->after));
    cof_buf_done(&page->after);
}
