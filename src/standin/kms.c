/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/kms.h"

#include "base/codec.h"
#include "engine/attest_verify.h"
#include "engine/kms_recipient.h"
#include "standin/hv_store.h"
#include "standin/kms_keys.h"
#include "standin/kms_permit.h"
#include "standin/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_TYPE "application/x-amz-json-1.1"
#define BODY_MAX 262144
#define BLOB_MAX 6144
#define PLAINTEXT_MAX 4096
#define RANDOM_MAX 1024

/* One call in progress. */
struct call {
    struct cof_standin *s;
    struct cof_standin_request *req;
    struct cof_standin_reply *reply;
    json_t *in;
    bool has_recipient;
    struct cof_buf document; /* of the recipient */
    struct cof_attest attest;
};

static enum cof_err fail(struct call *c, int status, const char *code, const char *message)
{
    return cof_reply_json_error(c->reply, JSON_TYPE, status, code, NULL, cof_view_str(message));
}

static enum cof_err answer(struct call *c, struct cof_buf *json)
{
    enum cof_err err = cof_buf_err(json);

    if (err == COF_OK)
        cof_reply_set(c->reply, 200, JSON_TYPE, cof_buf_view(json));
    return err;
}

/* The EncryptionContext: an object of strings, or nothing. */
static bool good_context(const json_t *context)
{
    json_t *mutable = (json_t *)(uintptr_t)context;
    const char *name;
    json_t *value;

    if (context == NULL || json_is_null(context))
        return true;
    if (!json_is_object(context))
        return false;
    json_object_foreach(mutable, name, value)
        if (!json_is_string(value))
            return false;
    return true;
}

static const json_t *context_of(const struct call *c)
{
    const json_t *context = json_object_get(c->in, "EncryptionContext");

    return json_is_object(context) ? context : NULL;
}

/* False when a reply was made (or *err is a fault). */
static bool allowed(struct call *c, const char *action, const struct cof_kms_key *key, enum cof_err *err)
{
    struct cof_buf why;

    cof_buf_init(&why, 16384);
    *err = cof_kms_permit(c->s, c->req, &(struct cof_kms_asking){action, key, context_of(c), c->has_recipient ? &c->attest : NULL, NULL},
                          &why);
    if (*err == COF_E_DENIED)
        *err = fail(c, 400, "AccessDeniedException", cof_buf_cstr(&why));
    else if (*err == COF_OK) {
        cof_buf_done(&why);
        return true;
    }
    cof_buf_done(&why);
    return false;
}

static bool find_key(struct call *c, struct cof_kms_key *key, enum cof_err *err)
{
    struct cof_view id;
    char text[400];

    *key = (struct cof_kms_key){0};
    if (cof_json_text(c->in, "KeyId", &id, NULL) != COF_OK || id.len == 0 || id.len > 256) {
        *err = fail(c, 400, "ValidationException", "KeyId is required");
        return false;
    }
    *err = cof_kms_key_find(c->s, id, key);
    if (*err == COF_E_NOT_FOUND) {
        (void)snprintf(text, sizeof text, "Key '%.*s' does not exist", (int)id.len, (const char *)id.data);
        *err = fail(c, 400, "NotFoundException", text);
        return false;
    }
    return *err == COF_OK;
}

static bool usable(struct call *c, const struct cof_kms_key *key, enum cof_err *err)
{
    char text[320];

    if (cof_kms_key_is_enabled(key))
        return true;
    (void)snprintf(text, sizeof text, "%s is disabled.", key->arn);
    *err = fail(c, 400, "DisabledException", text);
    return false;
}

/* Reads and verifies the Recipient, if there is one, against the simulated root and then AWS's. */
static bool read_recipient(struct call *c, enum cof_err *err)
{
    const json_t *recipient = json_object_get(c->in, "Recipient");
    struct cof_attest_policy policy = {.mode = COF_ATTEST_LIVE, .now_ms = c->req->now_ms, .any_image = true,
                                       .allow_debug = true};
    struct cof_view algorithm;
    struct cof_diag diag = {0};
    struct cof_hv *hv;

    *err = COF_OK;
    if (recipient == NULL || json_is_null(recipient))
        return true;
    if (cof_json_text(recipient, "KeyEncryptionAlgorithm", &algorithm, NULL) != COF_OK ||
        !cof_view_eq(algorithm, COF_LIT("RSAES_OAEP_SHA_256")) ||
        cof_json_base64(recipient, "AttestationDocument", &c->document, NULL) != COF_OK) {
        *err = fail(c, 400, "ValidationException", "Recipient must name RSAES_OAEP_SHA_256 and hold an attestation document");
        return false;
    }
    if ((*err = cof_hv_open(c->s, c->req->now_ms, &hv)) != COF_OK)
        return false;
    policy.root_der = cof_hv_root(hv);
    *err = cof_attest_verify(cof_buf_view(&c->document), &policy, &c->attest, &diag);
    if (*err == COF_E_AUTH) {
        policy.root_der = (struct cof_view){0};
        *err = cof_attest_verify(cof_buf_view(&c->document), &policy, &c->attest, NULL);
    }
    cof_hv_free(hv);
    if (*err == COF_E_AUTH || (*err == COF_OK && !c->attest.doc.public_key.present)) {
        cof_standin_audit(c->req, "attestationFailure", cof_view_str(diag.text));
        *err = fail(c, 400, "ValidationException", "The attestation document in the request is not valid");
        return false;
    }
    c->has_recipient = *err == COF_OK;
    if (c->has_recipient) {
        char digest[2 * COF_ATTEST_PCR_SIZE + 1] = "";
        cof_standin_audit(c->req, "attestationDocumentModuleId", c->attest.doc.module_id);
        if ((c->attest.doc.pcr_mask & 1) != 0)
            cof_hex_encode(c->attest.doc.pcrs[0].data, COF_ATTEST_PCR_SIZE, digest);
        cof_standin_audit(c->req, "attestationDocumentEnclaveImageDigest", cof_view_str(digest));
    }
    return c->has_recipient;
}

/* The secret part of an answer: sealed for the recipient, or plain. */
static enum cof_err add_secret(struct call *c, struct cof_buf *json, struct cof_view plaintext)
{
    struct cof_buf cms;
    enum cof_err err = COF_OK;

    if (!c->has_recipient) {
        cof_json_add_member_base64(json, "Plaintext", plaintext);
        return COF_OK;
    }
    cof_buf_init(&cms, 16384);
    err = cof_kms_recipient_seal(c->attest.doc.public_key.bytes, plaintext, cof_standin_rng(c->s), &cms);
    if (err == COF_OK)
        cof_json_add_member_base64(json, "CiphertextForRecipient", cof_buf_view(&cms));
    cof_buf_done(&cms);
    return err;
}

static enum cof_err generate_data_key(struct call *c, bool with_plaintext)
{
    struct cof_kms_key key;
    struct cof_view spec;
    int64_t size = 32;
    uint8_t secret[RANDOM_MAX];
    struct cof_buf blob, json;
    enum cof_err err;

    if (!find_key(c, &key, &err))
        return err;
    cof_buf_init(&blob, BLOB_MAX);
    cof_buf_init_secret(&json, 65536);
    if (!allowed(c, with_plaintext ? "kms:GenerateDataKey" : "kms:GenerateDataKeyWithoutPlaintext", &key, &err) ||
        !usable(c, &key, &err))
        goto out;
    if (cof_json_text_or(c->in, "KeySpec", "", &spec, NULL) != COF_OK ||
        (spec.len > 0 && !cof_view_eq(spec, COF_LIT("AES_256")) && !cof_view_eq(spec, COF_LIT("AES_128"))) ||
        cof_json_int_or(c->in, "NumberOfBytes", 1, RANDOM_MAX, 32, &size, NULL) != COF_OK) {
        err = fail(c, 400, "ValidationException", "KeySpec must be AES_256 or AES_128, or NumberOfBytes 1 to 1024");
        goto out;
    }
    if (spec.len > 0)
        size = cof_view_eq(spec, COF_LIT("AES_128")) ? 16 : 32;
    err = cof_rng_fill(cof_standin_rng(c->s), secret, (size_t)size);
    if (err == COF_OK)
        err = cof_kms_wrap(c->s, &key, context_of(c), cof_view_of(secret, (size_t)size), &blob);
    cof_buf_add_str(&json, "{");
    cof_json_add_member(&json, "KeyId", cof_view_str(key.arn));
    cof_json_add_member_base64(&json, "CiphertextBlob", cof_buf_view(&blob));
    if (err == COF_OK && with_plaintext)
        err = add_secret(c, &json, cof_view_of(secret, (size_t)size));
    cof_buf_add_str(&json, "}");
    cof_wipe(secret, sizeof secret);
    if (err == COF_OK)
        err = answer(c, &json);
out:
    cof_buf_done(&blob);
    cof_buf_done(&json);
    cof_kms_key_done(&key);
    return err;
}

/* The key of a blob: named by the blob, and it must be the one the caller named, if any. */
static bool key_of_blob(struct call *c, struct cof_view blob, struct cof_kms_key *key, enum cof_err *err)
{
    struct cof_view id, named;
    struct cof_kms_key other;

    *key = (struct cof_kms_key){0};
    if (cof_kms_blob_key_id(blob, &id) != COF_OK || (*err = cof_kms_key_find(c->s, id, key)) == COF_E_NOT_FOUND) {
        *err = fail(c, 400, "InvalidCiphertextException", "");
        return false;
    }
    if (*err != COF_OK || cof_json_text(c->in, "KeyId", &named, NULL) != COF_OK)
        return *err == COF_OK;
    if (!find_key(c, &other, err))
        return false;
    if (strcmp(other.id, key->id) != 0)
        *err = fail(c, 400, "IncorrectKeyException",
                    "The key ID in the request does not identify a CMK that can perform this operation.");
    cof_kms_key_done(&other);
    return c->reply->status == 0;
}

static enum cof_err decrypt(struct call *c)
{
    struct cof_kms_key key = {0};
    struct cof_buf blob, plain, json;
    enum cof_err err;

    cof_buf_init(&blob, BLOB_MAX);
    cof_buf_init_secret(&plain, BLOB_MAX);
    cof_buf_init_secret(&json, 65536);
    if (cof_json_base64(c->in, "CiphertextBlob", &blob, NULL) != COF_OK || blob.len == 0) {
        err = fail(c, 400, "ValidationException", "CiphertextBlob must be base64 of 1 to 6144 bytes");
        goto out;
    }
    if (!key_of_blob(c, cof_buf_view(&blob), &key, &err) || !allowed(c, "kms:Decrypt", &key, &err) ||
        !usable(c, &key, &err))
        goto out;
    err = cof_kms_unwrap(c->s, &key, context_of(c), cof_buf_view(&blob), &plain);
    if (err == COF_E_AUTH) {
        err = fail(c, 400, "InvalidCiphertextException", "");
        goto out;
    }
    cof_buf_add_str(&json, "{");
    cof_json_add_member(&json, "KeyId", cof_view_str(key.arn));
    cof_json_add_member(&json, "EncryptionAlgorithm", COF_LIT("SYMMETRIC_DEFAULT"));
    if (err == COF_OK)
        err = add_secret(c, &json, cof_buf_view(&plain));
    cof_buf_add_str(&json, "}");
    if (err == COF_OK)
        err = answer(c, &json);
out:
    cof_buf_done(&blob);
    cof_buf_done(&plain);
    cof_buf_done(&json);
    cof_kms_key_done(&key);
    return err;
}

static enum cof_err encrypt(struct call *c)
{
    struct cof_kms_key key;
    struct cof_buf plain, blob, json;
    enum cof_err err;

    if (!find_key(c, &key, &err))
        return err;
    cof_buf_init_secret(&plain, PLAINTEXT_MAX);
    cof_buf_init(&blob, BLOB_MAX);
    cof_buf_init(&json, 65536);
    if (!allowed(c, "kms:Encrypt", &key, &err) || !usable(c, &key, &err))
        goto out;
    if (cof_json_base64(c->in, "Plaintext", &plain, NULL) != COF_OK || plain.len == 0) {
        err = fail(c, 400, "ValidationException", "Plaintext must be base64 of 1 to 4096 bytes");
        goto out;
    }
    err = cof_kms_wrap(c->s, &key, context_of(c), cof_buf_view(&plain), &blob);
    cof_buf_add_str(&json, "{");
    cof_json_add_member(&json, "KeyId", cof_view_str(key.arn));
    cof_json_add_member(&json, "EncryptionAlgorithm", COF_LIT("SYMMETRIC_DEFAULT"));
    cof_json_add_member_base64(&json, "CiphertextBlob", cof_buf_view(&blob));
    cof_buf_add_str(&json, "}");
    if (err == COF_OK)
        err = answer(c, &json);
out:
    cof_buf_done(&plain);
    cof_buf_done(&blob);
    cof_buf_done(&json);
    cof_kms_key_done(&key);
    return err;
}

static enum cof_err generate_random(struct call *c)
{
    uint8_t bytes[RANDOM_MAX];
    struct cof_buf json;
    int64_t n;
    enum cof_err err;

    if (!allowed(c, "kms:GenerateRandom", NULL, &err))
        return err;
    if (cof_json_int(c->in, "NumberOfBytes", 1, RANDOM_MAX, &n, NULL) != COF_OK)
        return fail(c, 400, "ValidationException", "NumberOfBytes must lie between 1 and 1024");
    cof_buf_init_secret(&json, 65536);
    err = cof_rng_fill(cof_standin_rng(c->s), bytes, (size_t)n);
    cof_buf_add_str(&json, "{");
    if (err == COF_OK)
        err = add_secret(c, &json, cof_view_of(bytes, (size_t)n));
    cof_buf_add_str(&json, "}");
    cof_wipe(bytes, sizeof bytes);
    if (err == COF_OK)
        err = answer(c, &json);
    cof_buf_done(&json);
    return err;
}

static void add_metadata(struct call *c, struct cof_buf *json, const struct cof_kms_key *key)
{
    int64_t created_ms = json_integer_value(json_object_get(key->record, "created_ms"));
    bool on = cof_kms_key_is_enabled(key);

    cof_json_add_name(json, "KeyMetadata");
    cof_buf_add_str(json, "{");
    cof_json_add_member(json, "AWSAccountId", cof_view_str(cof_standin_account(c->s)));
    cof_json_add_member(json, "KeyId", cof_view_str(key->id));
    cof_json_add_member(json, "Arn", cof_view_str(key->arn));
    cof_json_add_name(json, "CreationDate");
    cof_buf_printf(json, "%lld.%03lld", (long long)(created_ms / 1000), (long long)(created_ms % 1000));
    cof_buf_printf(json, ",\"Enabled\":%s", on ? "true" : "false");
    cof_json_add_member(json, "KeyState", cof_view_str(on ? "Enabled" : "Disabled"));
    cof_json_add_member(json, "Description", cof_view_str(json_string_value(json_object_get(key->record, "description"))));
    cof_buf_add_str(json, ",\"KeyUsage\":\"ENCRYPT_DECRYPT\",\"Origin\":\"AWS_KMS\",\"KeyManager\":\"CUSTOMER\","
                          "\"CustomerMasterKeySpec\":\"SYMMETRIC_DEFAULT\",\"KeySpec\":\"SYMMETRIC_DEFAULT\","
                          "\"EncryptionAlgorithms\":[\"SYMMETRIC_DEFAULT\"],\"MultiRegion\":false}");
}

static enum cof_err describe_key(struct call *c)
{
    struct cof_kms_key key;
    struct cof_buf json;
    enum cof_err err;

    if (!find_key(c, &key, &err))
        return err;
    cof_buf_init(&json, 65536);
    if (allowed(c, "kms:DescribeKey", &key, &err)) {
        cof_buf_add_str(&json, "{");
        add_metadata(c, &json, &key);
        cof_buf_add_str(&json, "}");
        err = answer(c, &json);
    }
    cof_buf_done(&json);
    cof_kms_key_done(&key);
    return err;
}

static enum cof_err get_key_policy(struct call *c)
{
    struct cof_kms_key key;
    struct cof_buf json;
    enum cof_err err;

    if (!find_key(c, &key, &err))
        return err;
    cof_buf_init(&json, 262144);
    if (allowed(c, "kms:GetKeyPolicy", &key, &err)) {
        cof_buf_add_str(&json, "{\"PolicyName\":\"default\"");
        cof_json_add_member(&json, "Policy", cof_kms_key_policy(&key));
        cof_buf_add_str(&json, "}");
        err = answer(c, &json);
    }
    cof_buf_done(&json);
    cof_kms_key_done(&key);
    return err;
}

static enum cof_err put_key_policy(struct call *c)
{
    struct cof_kms_key key;
    struct cof_view text;
    struct cof_policy *policy;
    struct cof_diag diag = {0};
    enum cof_err err;

    if (!find_key(c, &key, &err))
        return err;
    if (!allowed(c, "kms:PutKeyPolicy", &key, &err))
        goto out;
    if (cof_json_text(c->in, "Policy", &text, NULL) != COF_OK ||
        cof_policy_parse(text, COF_POLICY_RESOURCE, COF_KMS_POLICY_MAX, &policy, &diag) != COF_OK) {
        err = fail(c, 400, "MalformedPolicyDocumentException", diag.text);
        goto out;
    }
    cof_policy_free(policy);
    err = json_object_set_new(key.record, "policy", json_stringn((const char *)text.data, text.len)) == 0 ? COF_OK
                                                                                                          : COF_E_MEMORY;
    if (err == COF_OK)
        err = cof_kms_key_save(c->s, &key);
    if (err == COF_OK)
        cof_reply_set(c->reply, 200, JSON_TYPE, COF_LIT("{}"));
out:
    cof_kms_key_done(&key);
    return err;
}

static enum cof_err set_state(struct call *c, const char *action, const char *state)
{
    struct cof_kms_key key;
    enum cof_err err;

    if (!find_key(c, &key, &err))
        return err;
    if (allowed(c, action, &key, &err)) {
        err = json_object_set_new(key.record, "state", json_string(state)) == 0 ? cof_kms_key_save(c->s, &key) : COF_E_MEMORY;
        if (err == COF_OK)
            cof_reply_set(c->reply, 200, JSON_TYPE, COF_LIT("{}"));
    }
    cof_kms_key_done(&key);
    return err;
}

struct listing {
    struct call *c;
    struct cof_buf *json;
    bool aliases;
};

static bool list_one(void *arg, struct cof_view name, struct cof_view value)
{
    struct listing *l = arg;
    const char *region = cof_standin_region(l->c->s), *account = cof_standin_account(l->c->s);
    char arn[600];

    cof_buf_add_str(l->json, l->json->data[l->json->len - 1] == '[' ? "{" : ",{");
    (void)snprintf(arn, sizeof arn, "arn:aws:kms:%s:%s:%s%.*s", region, account, l->aliases ? "" : "key/", (int)name.len,
                   (const char *)name.data);
    if (l->aliases) {
        cof_json_add_member(l->json, "AliasName", name);
        cof_json_add_member(l->json, "AliasArn", cof_view_str(arn));
        cof_json_add_member(l->json, "TargetKeyId", value);
    } else {
        cof_json_add_member(l->json, "KeyId", name);
        cof_json_add_member(l->json, "KeyArn", cof_view_str(arn));
    }
    cof_buf_add_str(l->json, "}");
    return true;
}

static enum cof_err list(struct call *c, bool aliases)
{
    const struct cof_store *store = cof_standin_store(c->s);
    struct cof_buf json;
    struct listing l = {c, &json, aliases};
    enum cof_err err;

    if (!allowed(c, aliases ? "kms:ListAliases" : "kms:ListKeys", NULL, &err))
        return err;
    cof_buf_init(&json, 1 << 20);
    cof_buf_printf(&json, "{\"Truncated\":false,\"%s\":[", aliases ? "Aliases" : "Keys");
    err = store->scan(store->ctx, aliases ? "kms.alias" : "kms.key", (struct cof_view){0}, (struct cof_view){0}, 1000,
                      list_one, &l);
    cof_buf_add_str(&json, "]}");
    if (err == COF_OK)
        err = answer(c, &json);
    cof_buf_done(&json);
    return err;
}

static enum cof_err create_key(struct call *c)
{
    struct cof_kms_key key;
    struct cof_view policy, description;
    struct cof_policy *parsed;
    struct cof_buf json, usual;
    struct cof_diag diag = {0};
    enum cof_err err;

    if (!allowed(c, "kms:CreateKey", NULL, &err))
        return err;
    cof_buf_init(&json, 65536);
    cof_buf_init(&usual, 1024);
    /* AWS's default policy: the account's own IAM policies decide. */
    cof_buf_printf(&usual,
                   "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"Enable IAM User Permissions\",\"Effect\":\"Allow\","
                   "\"Principal\":{\"AWS\":\"arn:aws:iam::%s:root\"},\"Action\":\"kms:*\",\"Resource\":\"*\"}]}",
                   cof_standin_account(c->s));
    if (cof_json_text_or(c->in, "Policy", cof_buf_cstr(&usual), &policy, NULL) != COF_OK ||
        cof_json_text_or(c->in, "Description", "", &description, NULL) != COF_OK ||
        cof_policy_parse(policy, COF_POLICY_RESOURCE, COF_KMS_POLICY_MAX, &parsed, &diag) != COF_OK) {
        err = fail(c, 400, "MalformedPolicyDocumentException", diag.text);
    } else {
        cof_policy_free(parsed);
        err = cof_kms_key_make(c->s, (struct cof_view){0}, policy, description, c->req->now_ms, &key);
        if (err == COF_OK) {
            cof_buf_add_str(&json, "{");
            add_metadata(c, &json, &key);
            cof_buf_add_str(&json, "}");
            err = answer(c, &json);
            cof_kms_key_done(&key);
        }
    }
    cof_buf_done(&json);
    cof_buf_done(&usual);
    return err;
}

static enum cof_err create_alias(struct call *c)
{
    struct cof_kms_key key;
    struct cof_view name, target;
    enum cof_err err;

    if (cof_json_text(c->in, "AliasName", &name, NULL) != COF_OK ||
        cof_json_text(c->in, "TargetKeyId", &target, NULL) != COF_OK)
        return fail(c, 400, "ValidationException", "AliasName and TargetKeyId are required");
    err = cof_kms_key_find(c->s, target, &key);
    if (err == COF_E_NOT_FOUND)
        return fail(c, 400, "NotFoundException", "the target key does not exist");
    if (err == COF_OK && allowed(c, "kms:CreateAlias", &key, &err)) {
        err = cof_kms_alias_put(c->s, name, &key);
        if (err == COF_E_USAGE)
            err = fail(c, 400, "InvalidAliasNameException", "an alias begins with alias/");
        else if (err == COF_OK)
            cof_reply_set(c->reply, 200, JSON_TYPE, COF_LIT("{}"));
    }
    cof_kms_key_done(&key);
    return err;
}

static enum cof_err dispatch(struct call *c, struct cof_view operation)
{
    static const char *const with_recipient[] = {"Decrypt", "GenerateDataKey", "GenerateRandom"};
    bool takes_recipient = false;
    enum cof_err err;

    for (size_t i = 0; i < 3; i++)
        takes_recipient = takes_recipient || cof_view_eq_str(operation, with_recipient[i]);
    if (!takes_recipient && json_object_get(c->in, "Recipient") != NULL)
        return fail(c, 400, "ValidationException", "this operation takes no Recipient");
    if (!good_context(json_object_get(c->in, "EncryptionContext")))
        return fail(c, 400, "ValidationException", "EncryptionContext must be an object of strings");
    if (!read_recipient(c, &err))
        return err;
    if (cof_view_eq_str(operation, "Decrypt"))
        return decrypt(c);
    if (cof_view_eq_str(operation, "GenerateDataKey"))
        return generate_data_key(c, true);
    if (cof_view_eq_str(operation, "GenerateDataKeyWithoutPlaintext"))
        return generate_data_key(c, false);
    if (cof_view_eq_str(operation, "Encrypt"))
        return encrypt(c);
    if (cof_view_eq_str(operation, "GenerateRandom"))
        return generate_random(c);
    if (cof_view_eq_str(operation, "DescribeKey"))
        return describe_key(c);
    if (cof_view_eq_str(operation, "ListKeys"))
        return list(c, false);
    if (cof_view_eq_str(operation, "ListAliases"))
        return list(c, true);
    if (cof_view_eq_str(operation, "GetKeyPolicy"))
        return get_key_policy(c);
    if (cof_view_eq_str(operation, "PutKeyPolicy"))
        return put_key_policy(c);
    if (cof_view_eq_str(operation, "CreateKey"))
        return create_key(c);
    if (cof_view_eq_str(operation, "CreateAlias"))
        return create_alias(c);
    if (cof_view_eq_str(operation, "EnableKey"))
        return set_state(c, "kms:EnableKey", "Enabled");
    if (cof_view_eq_str(operation, "DisableKey"))
        return set_state(c, "kms:DisableKey", "Disabled");
    return fail(c, 400, "UnknownOperationException", "");
}

static enum cof_err handle(struct cof_standin *s, struct cof_standin_request *req, struct cof_standin_reply *reply)
{
    struct call c = {.s = s, .req = req, .reply = reply};
    struct cof_view target, service, operation;
    enum cof_err err;

    (void)cof_headers_get(&req->head->headers, "x-amz-target", &target);
    if (!cof_view_split(target, '.', &service, &operation))
        return fail(&c, 400, "UnknownOperationException", "");
    if (cof_json_parse_object(req->body, BODY_MAX, &c.in, NULL) != COF_OK)
        return fail(&c, 400, "SerializationException", "the body is not a JSON object");
    cof_buf_init(&c.document, COF_ATTEST_DOC_MAX);
    err = dispatch(&c, operation);
    cof_buf_done(&c.document);
    json_decref(c.in);
    return err;
}

/* "keys": [{"id","alias","description","policy"}]; the policy is JSON, filled in. */
static enum cof_err bootstrap_key(struct cof_standin *s, const json_t *spec, int64_t now_ms, struct cof_diag *diag)
{
    struct cof_view id, alias, description;
    struct cof_kms_key key = {0};
    struct cof_policy *policy;
    const json_t *given = json_object_get(spec, "policy");
    char *text = json_is_object(given) ? json_dumps(given, JSON_COMPACT) : NULL;
    struct cof_view policy_text = text != NULL ? cof_view_str(text) : cof_view_str(json_string_value(given));
    enum cof_err err = cof_json_text(spec, "id", &id, diag);

    if (err == COF_OK)
        err = cof_json_text_or(spec, "alias", "", &alias, diag);
    if (err == COF_OK)
        err = cof_json_text_or(spec, "description", "", &description, diag);
    if (err == COF_OK)
        err = cof_policy_parse(policy_text, COF_POLICY_RESOURCE, COF_KMS_POLICY_MAX, &policy, diag);
    if (err == COF_OK) {
        cof_policy_free(policy);
        err = cof_kms_key_make(s, id, policy_text, description, now_ms, &key);
    }
    if (err == COF_OK && alias.len > 0)
        err = cof_kms_alias_put(s, alias, &key);
    cof_kms_key_done(&key);
    free(text);
    return err;
}

static enum cof_err bootstrap(struct cof_standin *s, const json_t *manifest, int64_t now_ms, struct cof_diag *diag)
{
    const json_t *keys = json_object_get(manifest, "keys");
    struct cof_hv *hv;
    enum cof_err err = cof_hv_open(s, now_ms, &hv); /* the root is made with everything else */

    cof_hv_free(hv);
    for (size_t i = 0; err == COF_OK && i < json_array_size(keys); i++)
        err = bootstrap_key(s, json_array_get(keys, i), now_ms, diag);
    return err;
}

const struct cof_service cof_service_kms = {
    .name = "kms",
    .target = "TrentService.",
    .json = true,
    .json_type = JSON_TYPE,
    .handle = handle,
    .bootstrap = bootstrap,
};
