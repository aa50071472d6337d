/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/sts_call.h"

#include "base/date.h"
#include "format/uri.h"
#include "format/xml.h"

#include <string.h>

#define REPLY_MAX 65536
#define NODES_MAX 64

static void begin(struct cof_aws_request *out, const char *action)
{
    cof_aws_request_init(out, COF_AWS_STS, "POST");
    cof_buf_add_str(&out->path, "/");
    cof_headers_add_str(&out->headers, "Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
    cof_buf_printf(&out->body, "Action=%s&Version=2011-06-15", action);
    out->replayable = true;
}

static void add(struct cof_aws_request *out, const char *name, struct cof_view value)
{
    cof_buf_printf(&out->body, "&%s=", name);
    cof_uri_encode(&out->body, value, false);
}

static enum cof_err finish(struct cof_aws_request *out)
{
    enum cof_err err = cof_aws_request_err(out);

    if (err != COF_OK)
        cof_aws_request_done(out);
    return err;
}

enum cof_err cof_sts_assume_role(struct cof_aws_request *out, struct cof_view role_arn, struct cof_view session_name,
                                 unsigned duration_s)
{
    begin(out, "AssumeRole");
    add(out, "RoleArn", role_arn);
    add(out, "RoleSessionName", session_name);
    cof_buf_printf(&out->body, "&DurationSeconds=%u", duration_s);
    return finish(out);
}

void cof_sts_add_external_id(struct cof_aws_request *request, struct cof_view external_id)
{
    add(request, "ExternalId", external_id);
}

void cof_sts_add_mfa(struct cof_aws_request *request, struct cof_view serial, struct cof_view code)
{
    add(request, "SerialNumber", serial);
    add(request, "TokenCode", code);
}

enum cof_err cof_sts_assume_role_with_web_identity(struct cof_aws_request *out, struct cof_view role_arn,
                                                   struct cof_view session_name, struct cof_view token, unsigned duration_s)
{
    begin(out, "AssumeRoleWithWebIdentity");
    out->is_anonymous = true;
    add(out, "RoleArn", role_arn);
    add(out, "RoleSessionName", session_name);
    add(out, "WebIdentityToken", token);
    cof_buf_printf(&out->body, "&DurationSeconds=%u", duration_s);
    return finish(out);
}

enum cof_err cof_sts_get_caller_identity(struct cof_aws_request *out)
{
    begin(out, "GetCallerIdentity");
    return finish(out);
}

void cof_sts_credentials_init(struct cof_sts_credentials *credentials)
{
    cof_buf_init(&credentials->access_key_id, 256);
    cof_buf_init_secret(&credentials->secret_access_key, 256);
    cof_buf_init_secret(&credentials->session_token, 16384);
    credentials->expires_ms = 0;
}

void cof_sts_credentials_done(struct cof_sts_credentials *credentials)
{
    if (credentials == NULL)
        return;
    cof_buf_done(&credentials->access_key_id);
    cof_buf_done(&credentials->secret_access_key);
    cof_buf_done(&credentials->session_token);
    credentials->expires_ms = 0;
}

/* The element of that name below <...Response><...Result>. */
static enum cof_err result(struct cof_view reply, const char *response, const char *name, struct cof_xml_node **root,
                           const struct cof_xml_node **out, struct cof_diag *diag)
{
    enum cof_err err = cof_xml_parse(reply, REPLY_MAX, NODES_MAX, root);

    if (err == COF_OK && strcmp((*root)->name, response) == 0)
        *out = cof_xml_child(*root, name);
    else
        *out = NULL;
    if (err == COF_OK && *out == NULL)
        err = COF_E_FORMAT;
    if (err != COF_OK)
        (void)cof_diag_set(diag, err, "STS: the reply is not what was asked for");
    return err;
}

enum cof_err cof_sts_parse_credentials(struct cof_view reply, struct cof_sts_credentials *out, struct cof_diag *diag)
{
    struct cof_xml_node *root = NULL;
    const struct cof_xml_node *c;
    enum cof_err err = result(reply, "AssumeRoleResponse", "AssumeRoleResult", &root, &c, diag);

    if (err != COF_OK && root != NULL && strcmp(root->name, "AssumeRoleWithWebIdentityResponse") == 0) {
        c = cof_xml_child(root, "AssumeRoleWithWebIdentityResult");
        err = c != NULL ? COF_OK : err;
    }

    cof_sts_credentials_init(out);
    if (err == COF_OK) {
        c = cof_xml_child(c, "Credentials");
        cof_buf_add(&out->access_key_id, cof_xml_text(c, "AccessKeyId"));
        cof_buf_add(&out->secret_access_key, cof_xml_text(c, "SecretAccessKey"));
        cof_buf_add(&out->session_token, cof_xml_text(c, "SessionToken"));
        err = cof_date_parse_iso(cof_xml_text(c, "Expiration"), &out->expires_ms);
        if (err != COF_OK || out->access_key_id.len == 0 || out->secret_access_key.len == 0 || out->session_token.len == 0)
            err = cof_diag_set(diag, COF_E_FORMAT, "STS: the reply holds no credentials");
    }
    cof_xml_free(root);
    if (err != COF_OK)
        cof_sts_credentials_done(out);
    return err;
}

static bool copy(struct cof_view v, char *out, size_t size)
{
    if (v.len == 0 || v.len >= size || cof_view_find(v, 0) != SIZE_MAX)
        return false;
    memcpy(out, v.data, v.len);
    out[v.len] = '\0';
    return true;
}

enum cof_err cof_sts_parse_identity(struct cof_view reply, struct cof_sts_identity *out, struct cof_diag *diag)
{
    struct cof_xml_node *root = NULL;
    const struct cof_xml_node *r;
    enum cof_err err = result(reply, "GetCallerIdentityResponse", "GetCallerIdentityResult", &root, &r, diag);

    *out = (struct cof_sts_identity){0};
    if (err == COF_OK && (!copy(cof_xml_text(r, "Account"), out->account, sizeof out->account) ||
                          !copy(cof_xml_text(r, "Arn"), out->arn, sizeof out->arn)))
        err = cof_diag_set(diag, COF_E_FORMAT, "STS: the reply names no identity");
    cof_xml_free(root);
    return err;
}
