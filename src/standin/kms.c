/* SPDX-License-Identifier: Apache-2.0
 *
 * The service: requests to operations, and what is the same for all of them.
 */
#include "standin/kms.h"

#include "standin/kms_api.h"
#include "standin/kms_cache.h"
#include "standin/kms_grants.h"
#include "standin/kms_setup.h"
#include "standin/reply.h"
#include "standin/trail.h"

#include <string.h>

#define JSON_TYPE "application/x-amz-json-1.1"
#define BODY_MAX 262144
#define ANSWER_MAX ((size_t)1 << 20)
#define CONTEXT_MAX 8192 /* characters of an encryption context: AWS's quota */

/* Those used most come first. */
static const struct cof_kms_operation *const tables[] = {cof_kms_crypt_ops, cof_kms_datakey_ops, cof_kms_sign_ops,
    cof_kms_admin_ops, cof_kms_policy_ops, cof_kms_tag_ops, cof_kms_alias_ops, cof_kms_rotate_ops, cof_kms_grant_ops};

/* AWS's, and not here: key material from outside, keys of several Regions, custom key stores, the day of last use. */
static const char *const elsewhere[] = {"GetParametersForImport", "ImportKeyMaterial", "DeleteImportedKeyMaterial",
    "ReplicateKey", "UpdatePrimaryRegion", "CreateCustomKeyStore", "ConnectCustomKeyStore", "DisconnectCustomKeyStore",
    "DeleteCustomKeyStore", "DescribeCustomKeyStores", "UpdateCustomKeyStore", "GetKeyLastUsage"};

static const struct cof_kms_operation *find_operation(struct cof_view name)
{
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        for (const struct cof_kms_operation *op = tables[i]; op->action != NULL; op++)
            if (cof_view_eq_str(name, op->action + strlen("kms:")))
                return op;
    return NULL;
}

static bool has_operation(struct cof_view name)
{
    return find_operation(name) != NULL;
}

static enum cof_err unknown(struct cof_kms_call *c, struct cof_view name)
{
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++)
        if (cof_view_eq_str(name, elsewhere[i]))
            return cof_kms_fail(c, "UnsupportedOperationException", "%s is not supported here.", elsewhere[i]);
    return cof_kms_fail(c, "UnknownOperationException", "%s", "");
}

/* Encryption contexts, whatever the member is called. */
static enum cof_err check_contexts(struct cof_kms_call *c)
{
    static const char *const members[] = {"EncryptionContext", "SourceEncryptionContext", "DestinationEncryptionContext"};

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        json_t *context = json_object_get(c->in, members[i]), *value;
        const char *name;
        size_t size = 0;

        json_object_foreach(context, name, value)
            size += strlen(name) + json_string_length(value);
        if (size > CONTEXT_MAX)
            return cof_kms_fail(c, "ValidationException", "%s must have at most %d characters.", members[i], CONTEXT_MAX);
    }
    return COF_OK;
}

/* Grants count at once here, so a token adds nothing; but it must be one. */
static enum cof_err check_tokens(struct cof_kms_call *c)
{
    const json_t *tokens = json_object_get(c->in, "GrantTokens");
    char key_id[COF_KMS_ID_MAX], grant_id[COF_KMS_GRANT_ID + 1];

    for (size_t i = 0; i < json_array_size(tokens); i++)
        if (cof_kms_grant_token_parse(cof_view_str(json_string_value(json_array_get(tokens, i))), key_id, grant_id) != COF_OK)
            return cof_kms_fail(c, "InvalidGrantTokenException", "%s", "");
    return COF_OK;
}

static enum cof_err check(struct cof_kms_call *c)
{
    struct cof_buf message;
    enum cof_err err;

    cof_buf_init(&message, 32768);
    err = cof_kms_shape_check(c->in, c->op->members, &message);
    if (err == COF_E_FORMAT)
        err = cof_kms_fail(c, "SerializationException", "%s", cof_buf_cstr(&message));
    else if (err == COF_E_DENIED)
        err = cof_kms_fail(c, "ValidationException", "%s", cof_buf_cstr(&message));
    cof_buf_done(&message);
    if (err == COF_OK)
        err = check_contexts(c);
    if (err == COF_OK)
        err = check_tokens(c);
    return err == COF_OK ? cof_kms_read_recipient(c) : err;
}

static enum cof_err run(struct cof_kms_call *c)
{
    enum cof_err err = check(c);

    if (err == COF_OK)
        err = cof_buf_reserve(&c->out, 480);
    cof_buf_add_str(&c->out, "{");
    if (err == COF_OK)
        err = c->op->run(c);
    cof_buf_add_str(&c->out, "}");
    if (err == COF_OK)
        err = cof_buf_err(&c->out);
    if (err == COF_OK)
        cof_reply_set(c->reply, 200, JSON_TYPE, cof_buf_view(&c->out));
    return err;
}

static enum cof_err handle(struct cof_standin *s, struct cof_standin_request *req, struct cof_standin_reply *reply)
{
    static const char *const secrets[] = {"Plaintext", "Message"};
    struct cof_kms_call c = {.s = s, .req = req, .reply = reply};
    struct cof_view target, service, operation;
    bool swept = false;
    enum cof_err err;

    (void)cof_headers_get(&req->head->headers, "x-amz-target", &target);
    c.op = cof_view_split(target, '.', &service, &operation) ? find_operation(operation) : NULL;
    if (c.op == NULL)
        return unknown(&c, operation) == COF_E_DENIED ? COF_OK : COF_E_BUG;
    cof_buf_init(&c.document, COF_ATTEST_DOC_MAX);
    cof_buf_init_secret(&c.out, ANSWER_MAX);
    err = cof_json_parse_object(req->body, BODY_MAX, &c.in, NULL);
    if (err == COF_E_FORMAT || err == COF_E_LIMIT)
        err = cof_kms_fail(&c, "SerializationException", "The body is not a JSON object.");
    if (err == COF_OK)
        cof_trail_parameters(req, c.in);
    if (err == COF_OK)
        err = cof_kms_sweep(s, req->now_ms, &swept);
    if (err == COF_OK)
        err = run(&c);
    if (err == COF_E_RETRY) { /* its RSA key is being made; nothing was changed yet */
        cof_standin_rsa_wait(s, req, reply);
        err = COF_OK;
    }
    if (err != COF_OK && swept)
        *cof_kms_cache_next_deletion(s) = 0; /* undone with the rest: look again */
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        cof_json_wipe(c.in, secrets[i]);
    cof_kms_key_close(c.key);
    cof_buf_done(&c.document);
    cof_buf_done(&c.out);
    json_decref(c.in);
    return err == COF_E_DENIED && reply->status != 0 ? COF_OK : err;
}

const struct cof_service cof_service_kms = {
    .name = "kms",
    .target = "TrentService.",
    .json = true,
    .json_type = JSON_TYPE,
    .has_operation = has_operation,
    .handle = handle,
    .bootstrap = cof_kms_bootstrap,
    .start = cof_kms_cache_start,
    .stop = cof_kms_cache_stop,
};
