/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/kms_manage.h"

#include "format/json.h"

#include <string.h>

#define REPLY_MAX 262144

static void begin(struct cof_aws_request *out, const char *target, struct cof_view key_arn)
{
    cof_aws_request_init(out, COF_AWS_KMS, "POST");
    cof_buf_add_str(&out->path, "/");
    cof_headers_add_str(&out->headers, "Content-Type", "application/x-amz-json-1.1");
    cof_headers_add_str(&out->headers, "X-Amz-Target", target);
    cof_buf_add_str(&out->body, "{");
    cof_json_add_member(&out->body, "KeyId", key_arn);
    out->replayable = true; /* the same policy put twice is the same policy */
}

static enum cof_err finish(struct cof_aws_request *out)
{
    enum cof_err err;

    cof_buf_add_str(&out->body, "}");
    err = cof_aws_request_err(out);
    if (err != COF_OK)
        cof_aws_request_done(out);
    return err;
}

enum cof_err cof_kms_get_key_policy(struct cof_aws_request *out, struct cof_view key_arn)
{
    begin(out, "TrentService.GetKeyPolicy", key_arn);
    cof_json_add_member(&out->body, "PolicyName", COF_LIT("default"));
    return finish(out);
}

enum cof_err cof_kms_put_key_policy(struct cof_aws_request *out, struct cof_view key_arn, struct cof_view policy)
{
    if (policy.len == 0 || policy.len > COF_KMS_KEY_POLICY_MAX)
        return COF_E_LIMIT;
    begin(out, "TrentService.PutKeyPolicy", key_arn);
    cof_json_add_member(&out->body, "PolicyName", COF_LIT("default"));
    cof_json_add_member(&out->body, "Policy", policy);
    return finish(out);
}

enum cof_err cof_kms_describe_key(struct cof_aws_request *out, struct cof_view key_arn)
{
    begin(out, "TrentService.DescribeKey", key_arn);
    return finish(out);
}

enum cof_err cof_kms_parse_key_policy(struct cof_view body, struct cof_buf *policy, struct cof_diag *diag)
{
    struct cof_view text;
    json_t *object;
    enum cof_err err = cof_json_parse_object(body, REPLY_MAX, &object, diag);

    if (err != COF_OK)
        return err;
    err = cof_json_text(object, "Policy", &text, diag);
    if (err == COF_OK) {
        cof_buf_add(policy, text);
        err = cof_buf_err(policy);
    }
    json_decref(object);
    return err;
}

/* An enumeration's word; too long is none that KMS has. */
static enum cof_err get_word(const json_t *object, const char *name, bool needed, char *out, size_t size, struct cof_diag *diag)
{
    struct cof_view v;
    enum cof_err err = needed ? cof_json_text(object, name, &v, diag) : cof_json_text_or(object, name, "", &v, diag);

    if (err != COF_OK)
        return err;
    if (v.len >= size || cof_view_find(v, 0) != SIZE_MAX)
        return cof_diag_set(diag, COF_E_FORMAT, "%s: too long", name);
    memcpy(out, v.data, v.len);
    out[v.len] = '\0';
    return COF_OK;
}

static enum cof_err read_facts(const json_t *metadata, struct cof_view expected_key, struct cof_kms_key_facts *out,
                               struct cof_diag *diag)
{
    struct cof_view manager;
    enum cof_err err = get_word(metadata, "Arn", true, out->arn, sizeof out->arn, diag);

    if (err == COF_OK)
        err = get_word(metadata, "KeyState", true, out->state, sizeof out->state, diag);
    if (err == COF_OK)
        err = get_word(metadata, "KeyUsage", false, out->usage, sizeof out->usage, diag);
    if (err == COF_OK)
        err = get_word(metadata, "KeySpec", false, out->spec, sizeof out->spec, diag);
    if (err == COF_OK)
        err = cof_json_text(metadata, "KeyManager", &manager, diag);
    if (err != COF_OK)
        return err;
    out->by_customer = cof_view_eq(manager, COF_LIT("CUSTOMER"));
    return cof_view_eq_str(expected_key, out->arn) ? COF_OK
                                                   : cof_diag_set(diag, COF_E_AUTH, "KMS told of another key than the pinned one");
}

enum cof_err cof_kms_parse_key_facts(struct cof_view body, struct cof_view expected_key, struct cof_kms_key_facts *out,
                                     struct cof_diag *diag)
{
    json_t *object;
    enum cof_err err = cof_json_parse_object(body, REPLY_MAX, &object, diag);

    *out = (struct cof_kms_key_facts){.arn = ""};
    if (err != COF_OK)
        return err;
    err = json_is_object(json_object_get(object, "KeyMetadata"))
              ? read_facts(json_object_get(object, "KeyMetadata"), expected_key, out, diag)
              : cof_diag_set(diag, COF_E_FORMAT, "KeyMetadata is missing");
    json_decref(object);
    if (err != COF_OK)
        *out = (struct cof_kms_key_facts){.arn = ""};
    return err;
}
