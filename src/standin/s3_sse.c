/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/s3_sse.h"

#include "base/codec.h"
#include "crypto/hash.h"
#include "standin/s3_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEEDS_KEY "Requests specifying Server Side Encryption with Customer provided keys must provide "

void cof_s3_sse_done(struct cof_s3_sse *sse)
{
    cof_secret_done(&sse->customer);
    *sse = (struct cof_s3_sse){0};
}

#define SSE_HEADER "x-amz-server-side-encryption"

static bool invalid(struct cof_s3_call *c, const char *code, const char *message)
{
    (void)cof_s3_fail(c, 400, code, message);
    return false;
}

/* spec: whatever header of a customer's key it is about, it is told of this one */
static bool bad_sse(struct cof_s3_call *c, const char *code, struct cof_view value, const char *message)
{
    const struct cof_s3_detail details[] = {{"ArgumentName", COF_LIT(SSE_HEADER)}, {"ArgumentValue", value}};

    (void)cof_s3_fail_of(c, 400, code, message, details, 2);
    return false;
}

static enum cof_err wrong_key(struct cof_s3_call *c)
{
    return cof_s3_fail(c, 403, "AccessDenied", NEEDS_KEY "the correct secret key.");
}

static bool is_read(const struct cof_s3_call *c)
{
    return cof_view_eq_str(c->req->head->method, "GET") || cof_view_eq_str(c->req->head->method, "HEAD");
}

/* The key's three headers agree with each other. */
static bool read_customer(
    struct cof_s3_call *c, struct cof_view algorithm, struct cof_view key, struct cof_view md5, struct cof_s3_sse *out)
{
    struct cof_view none = {NULL, 0};
    struct cof_buf bytes, given;
    uint8_t digest[16];
    bool good = false;

    cof_buf_init_secret(&bytes, 256);
    cof_buf_init(&given, 256);
    if (!c->req->tls && cof_standin_options(c->s)->sse_c_needs_tls)
        (void)invalid(c, "InvalidRequest",
            "Requests specifying Server Side Encryption with Customer provided keys must be made over a secure "
            "connection.");
    else if (algorithm.len == 0)
        (void)bad_sse(c, "InvalidArgument", none, NEEDS_KEY "a valid encryption algorithm.");
    else if (!cof_view_eq_str(algorithm, "AES256"))
        (void)bad_sse(c, "InvalidEncryptionAlgorithmError", algorithm,
            "The Encryption request you specified is not valid. Supported value: AES256.");
    else if (key.len == 0)
        (void)bad_sse(c, "InvalidArgument", none, NEEDS_KEY "an appropriate secret key.");
    else if (md5.len == 0)
        (void)bad_sse(c, "InvalidArgument", none, NEEDS_KEY "the client calculated MD5 of the secret key.");
    else if ((cof_base64_decode(key, &bytes) != COF_OK || bytes.len != 32) && is_read(c))
        (void)wrong_key(c);
    else if (bytes.len != 32)
        (void)bad_sse(c, "InvalidArgument", none, "The secret key was invalid for the specified algorithm.");
    else if (cof_base64_decode(md5, &given) != COF_OK || given.len != sizeof digest ||
             cof_hash_once(COF_MD5, cof_buf_view(&bytes), digest) != COF_OK ||
             !cof_equal_ct(cof_buf_view(&given), cof_view_of(digest, sizeof digest)))
        (void)bad_sse(
            c, "InvalidArgument", none, "The calculated MD5 hash of the key did not match the hash that was provided.");
    else
        good = cof_secret_set(&out->customer, cof_buf_view(&bytes)) == COF_OK;
    out->mode = COF_S3_SSE_C;
    out->md5 = md5;
    cof_buf_done(&bytes);
    cof_buf_done(&given);
    return good;
}

bool cof_s3_sse_for_read(struct cof_s3_call *c, bool copy_source, struct cof_s3_sse *out)
{
    static const char *const names[2][3] = {
        {"x-amz-server-side-encryption-customer-algorithm", "x-amz-server-side-encryption-customer-key",
            "x-amz-server-side-encryption-customer-key-md5"},
        {"x-amz-copy-source-server-side-encryption-customer-algorithm",
            "x-amz-copy-source-server-side-encryption-customer-key",
            "x-amz-copy-source-server-side-encryption-customer-key-md5"}};
    const char *const *n = names[copy_source ? 1 : 0];
    struct cof_view algorithm = cof_s3_header(c, n[0]), key = cof_s3_header(c, n[1]), md5 = cof_s3_header(c, n[2]);

    *out = (struct cof_s3_sse){.mode = COF_S3_SSE_NONE};
    if (algorithm.len == 0 && key.len == 0 && md5.len == 0)
        return true;
    return read_customer(c, algorithm, key, md5, out);
}

static bool apply_default(struct cof_s3_call *c, struct cof_s3_sse *out)
{
    const json_t *preset = json_object_get(c->bucket_record, "encryption");

    out->mode = COF_S3_SSE_S3;
    if (strcmp(cof_s3_text(preset, "algorithm"), "aws:kms") == 0) {
        out->mode = COF_S3_SSE_KMS;
        out->key_id = cof_view_str(cof_s3_text(preset, "key_id"));
        out->bucket_key = cof_s3_is(preset, "bucket_key");
    }
    return true;
}

static bool names_customer_key(const struct cof_s3_call *c)
{
    return cof_s3_header(c, "x-amz-server-side-encryption-customer-algorithm").len > 0 ||
        cof_s3_header(c, "x-amz-server-side-encryption-customer-key").len > 0 ||
        cof_s3_header(c, "x-amz-server-side-encryption-customer-key-md5").len > 0;
}

/* spec: a blocked kind is refused before its key is looked at. */
static bool not_blocked(struct cof_s3_call *c, enum cof_err *err)
{
    if (!names_customer_key(c) || !cof_s3_is(json_object_get(c->bucket_record, "encryption"), "sse_c_blocked"))
        return true;
    *err = cof_s3_denied(c, "s3:PutObject", true,
        "because this bucket has blocked upload requests that specify Server Side Encryption with Customer provided keys "
        "(SSE-C). Please specify a different server-side encryption type");
    return false;
}

/* The headers of SSE-KMS: the key, the context, and whether the bucket's key is used. */
static bool read_kms(struct cof_s3_call *c, struct cof_s3_sse *out)
{
    struct cof_view bucket_key = cof_s3_header(c, "x-amz-server-side-encryption-bucket-key-enabled");
    const json_t *preset = json_object_get(c->bucket_record, "encryption");

    out->mode = COF_S3_SSE_KMS;
    out->context = cof_s3_header(c, "x-amz-server-side-encryption-context");
    out->key_id = cof_s3_header(c, "x-amz-server-side-encryption-aws-kms-key-id");
    out->bucket_key = cof_view_eq_nocase(bucket_key, COF_LIT("true"));
    if (bucket_key.len > 0 && !out->bucket_key && !cof_view_eq_nocase(bucket_key, COF_LIT("false")))
        return invalid(c, "InvalidArgument", "x-amz-server-side-encryption-bucket-key-enabled must be true or false.");
    /* spec: the bucket's own setting holds where the request does not speak of it; without a key, aws/s3 is used */
    if (bucket_key.len == 0 && strcmp(cof_s3_text(preset, "algorithm"), "aws:kms") == 0)
        out->bucket_key = cof_s3_is(preset, "bucket_key");
    return true;
}

bool cof_s3_sse_for_write(struct cof_s3_call *c, struct cof_s3_sse *out, enum cof_err *err)
{
    struct cof_view kind = cof_s3_header(c, "x-amz-server-side-encryption");
    bool of_kms = cof_s3_header(c, "x-amz-server-side-encryption-aws-kms-key-id").len > 0 ||
        cof_s3_header(c, "x-amz-server-side-encryption-context").len > 0;

    *out = (struct cof_s3_sse){.mode = COF_S3_SSE_NONE};
    *err = COF_OK;
    if (!not_blocked(c, err))
        return false;
    if (kind.len > 0 && names_customer_key(c))
        return bad_sse(c, "InvalidArgument", kind,
            "Server Side Encryption with Customer provided key is incompatible with the encryption method specified");
    if (!cof_s3_sse_for_read(c, false, out))
        return false;
    if (of_kms && !cof_view_eq_str(kind, "aws:kms") && !cof_view_eq_str(kind, "aws:kms:dsse"))
        return bad_sse(c, "InvalidArgument", kind,
            "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms");
    if (out->mode == COF_S3_SSE_C)
        return true;
    if (kind.len == 0)
        return apply_default(c, out);
    if (cof_view_eq_str(kind, "aws:kms"))
        return read_kms(c, out);
    out->mode = COF_S3_SSE_S3;
    if (cof_view_eq_str(kind, "AES256"))
        return true;
    if (!cof_view_eq_str(kind, "aws:kms:dsse"))
        return bad_sse(c, "InvalidArgument", kind, "The encryption method specified is not supported");
    (void)cof_s3_fail(c, 501, "NotImplemented", "Dual-layer server-side encryption is not implemented.");
    return false;
}

/* KEK = HMAC-SHA-256(key, label | salt). */
static enum cof_err derive(struct cof_view key, const char *label, struct cof_view salt, uint8_t out[32])
{
    struct cof_view parts[2] = {cof_view_str(label), salt};

    return cof_hmac(COF_SHA256, key, parts, 2, out);
}

/* The key of SSE-S3, the same for all objects. */
struct own {
    struct cof_secret key;
    struct cof_gcm *gcm;
};

enum cof_err cof_s3_sse_start(struct cof_standin *s, void **state, struct cof_diag *diag)
{
    struct own *own = calloc(1, sizeof *own);
    enum cof_err err;

    (void)diag;
    *state = own;
    if (own == NULL)
        return COF_E_MEMORY;
    own->key.len = 32;
    err = derive(cof_secret_view(cof_standin_master_key(s)), "coffer-local S3 object keys", COF_LIT(""), own->key.bytes);
    if (err == COF_OK)
        err = cof_gcm_new(cof_secret_view(&own->key), &own->gcm);
    if (err != COF_OK) {
        cof_s3_sse_stop(s, own);
        *state = NULL;
    }
    return err;
}

void cof_s3_sse_stop(struct cof_standin *s, void *state)
{
    struct own *own = state;

    (void)s;
    cof_gcm_free(own->gcm);
    cof_secret_done(&own->key);
    free(own);
}

struct cof_s3_kek cof_s3_sse_kek(struct cof_standin *s, const struct cof_secret *key)
{
    const struct own *own = cof_standin_state(s, "s3");

    return (struct cof_s3_kek){key, cof_equal_ct(cof_secret_view(&own->key), cof_secret_view(key)) ? own->gcm : NULL};
}

static enum cof_err own_kek(struct cof_s3_call *c, struct cof_secret *kek)
{
    const struct own *own = cof_standin_state(c->s, "s3");

    return cof_secret_set(kek, cof_secret_view(&own->key));
}

/* The pairs given and the one S3 adds (spec: SSE-KMS, "Encryption context": aws:s3:arn). */
static bool make_context(struct cof_s3_call *c, const struct cof_s3_sse *sse, json_t **out, enum cof_err *err)
{
    struct cof_buf text;
    const char *name;
    json_t *value;
    bool good = true;

    *out = NULL;
    cof_buf_init(&text, 16384);
    if (sse->context.len > 0) {
        good = cof_base64_decode(sse->context, &text) == COF_OK && cof_s3_parse(cof_buf_view(&text), out) == COF_OK &&
            json_is_object(*out);
        json_object_foreach(*out, name, value)
            good = good && json_is_string(value);
        if (!good)
            (void)invalid(c, "InvalidArgument",
                "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON "
                "which represents a string-string map");
    } else {
        *out = json_object();
    }
    cof_buf_reset(&text);
    cof_s3_arn(c, !sse->bucket_key, &text);
    if (good && json_object_get(*out, "aws:s3:arn") == NULL &&
        json_object_set_new(*out, "aws:s3:arn", json_string(cof_buf_cstr(&text))) != 0) {
        *err = COF_E_MEMORY;
        good = false;
    }
    cof_buf_done(&text);
    if (!good) {
        json_decref(*out);
        *out = NULL;
    }
    return good;
}

static bool kms_refused(struct cof_s3_call *c, enum cof_err *err, const char *code, struct cof_buf *why)
{
    if (*err == COF_E_DENIED)
        *err = cof_s3_fail(c, strcmp(code, "AccessDenied") == 0 ? 403 : 400, code,
            why->len == 0 ? "The KMS key is not usable." : cof_buf_cstr(why));
    return false;
}

static bool begin_kms(
    struct cof_s3_call *c, const struct cof_s3_sse *sse, json_t *record, struct cof_secret *kek, enum cof_err *err)
{
    const struct cof_kms_hooks *kms = cof_standin_options(c->s)->kms;
    struct cof_buf blob, arn, why, hex;
    json_t *context;
    char code[64] = "", action[sizeof c->req->action];
    bool good;

    *err = COF_OK;
    memcpy(action, c->req->action, sizeof action); /* the call is S3's, whatever is asked of KMS on the way */
    if (!make_context(c, sse, &context, err))
        return false;
    cof_buf_init(&blob, 6144);
    cof_buf_init(&arn, 2048);
    cof_buf_init(&why, 16384);
    cof_buf_init(&hex, 16384);
    if (kms == NULL) {
        *err = own_kek(c, kek);
        cof_buf_add(&arn, sse->key_id);
    } else {
        *err = kms->generate(c->s, c->req, "s3", sse->key_id, context, kek, &blob, &arn, code, &why);
    }
    memcpy(c->req->action, action, sizeof action);
    good = *err == COF_OK || kms_refused(c, err, code, &why);
    cof_hex_add(&hex, cof_buf_view(&blob));
    if (good && (json_object_set_new(record, "key_id", json_string(cof_buf_cstr(&arn))) != 0 ||
                 json_object_set(record, "context", context) != 0 ||
                 json_object_set_new(record, "blob", json_string(cof_buf_cstr(&hex))) != 0 ||
                 json_object_set_new(record, "given", cof_s3_string(sse->context)) != 0 ||
                 json_object_set_new(record, "bucket_key", json_boolean(sse->bucket_key)) != 0)) {
        *err = COF_E_MEMORY;
        good = false;
    }
    json_decref(context);
    cof_buf_done(&blob);
    cof_buf_done(&arn);
    cof_buf_done(&why);
    cof_buf_done(&hex);
    return good;
}

static enum cof_err set_hex(json_t *record, const char *name, const uint8_t *bytes, size_t len)
{
    char hex[65];

    cof_hex_encode(bytes, len, hex);
    return json_object_set_new(record, name, json_string(hex)) == 0 ? COF_OK : COF_E_MEMORY;
}

/* Kept: a salt, and under it a check value from which the key cannot be had. */
static enum cof_err begin_customer(
    struct cof_s3_call *c, const struct cof_s3_sse *sse, json_t *record, struct cof_secret *kek)
{
    uint8_t salt[16], check[32];
    enum cof_err err = cof_rng_fill(cof_standin_rng(c->s), salt, sizeof salt);

    kek->len = 32;
    if (err == COF_OK)
        err = derive(
            cof_secret_view(&sse->customer), "coffer-local SSE-C wrap", cof_view_of(salt, sizeof salt), kek->bytes);
    if (err == COF_OK)
        err =
            derive(cof_secret_view(&sse->customer), "coffer-local SSE-C check", cof_view_of(salt, sizeof salt), check);
    if (err == COF_OK)
        err = set_hex(record, "salt", salt, sizeof salt);
    if (err == COF_OK)
        err = set_hex(record, "check", check, sizeof check);
    if (err == COF_OK && json_object_set_new(record, "md5", cof_s3_string(sse->md5)) != 0)
        err = COF_E_MEMORY;
    return err;
}

bool cof_s3_sse_begin(
    struct cof_s3_call *c, const struct cof_s3_sse *sse, json_t **record, struct cof_secret *kek, enum cof_err *err)
{
    static const char *const names[] = {"AES256", "AES256", "aws:kms", "SSE-C"};
    bool good;

    *record = json_object();
    if (!cof_s3_set_text(*record, "mode", cof_view_str(names[sse->mode]))) {
        json_decref(*record);
        *record = NULL;
        *err = COF_E_MEMORY;
        return false;
    }
    *err = COF_OK;
    if (sse->mode == COF_S3_SSE_KMS)
        good = begin_kms(c, sse, *record, kek, err);
    else {
        *err = sse->mode == COF_S3_SSE_C ? begin_customer(c, sse, *record, kek) : own_kek(c, kek);
        good = *err == COF_OK;
    }
    if (!good) {
        json_decref(*record);
        *record = NULL;
    }
    return good;
}

static bool open_customer(struct cof_s3_call *c, const json_t *record, const struct cof_s3_sse *sse,
    struct cof_secret *kek, enum cof_err *err)
{
    uint8_t salt[16], check[32], want[32];

    *err = COF_E_FORMAT;
    if (cof_hex_decode_fixed(cof_view_str(cof_s3_text(record, "salt")), salt, sizeof salt) != COF_OK ||
        cof_hex_decode_fixed(cof_view_str(cof_s3_text(record, "check")), want, sizeof want) != COF_OK)
        return false;
    *err = derive(cof_secret_view(&sse->customer), "coffer-local SSE-C check", cof_view_of(salt, sizeof salt), check);
    if (*err != COF_OK)
        return false;
    if (!cof_equal_ct(cof_view_of(check, sizeof check), cof_view_of(want, sizeof want))) {
        bool as_ceph;

        *err = cof_s3_setting(c->store, "as_ceph", &as_ceph);
        if (*err == COF_OK)
            *err = as_ceph ? cof_s3_fail(c, 400, "InvalidRequest", "The customer key is not the object's.") :
                             wrong_key(c);
        return false;
    }
    kek->len = 32;
    *err =
        derive(cof_secret_view(&sse->customer), "coffer-local SSE-C wrap", cof_view_of(salt, sizeof salt), kek->bytes);
    return *err == COF_OK;
}

static bool open_kms(struct cof_s3_call *c, const json_t *record, struct cof_secret *kek, enum cof_err *err)
{
    const struct cof_kms_hooks *kms = cof_standin_options(c->s)->kms;
    struct cof_buf blob, why;
    char code[64] = "", action[sizeof c->req->action];
    bool good;

    memcpy(action, c->req->action, sizeof action);
    if (cof_s3_text(record, "blob")[0] == '\0') {
        *err = own_kek(c, kek);
        return *err == COF_OK;
    }
    cof_buf_init(&blob, 6144);
    cof_buf_init(&why, 16384);
    *err = kms == NULL ? COF_E_STATE : cof_hex_decode(cof_view_str(cof_s3_text(record, "blob")), &blob);
    if (*err == COF_OK)
        *err = kms->decrypt(c->s, c->req, "s3", cof_view_str(cof_s3_text(record, "key_id")),
            json_object_get(record, "context"), cof_buf_view(&blob), kek, code, &why);
    memcpy(c->req->action, action, sizeof action);
    good = *err == COF_OK || kms_refused(c, err, code, &why);
    cof_buf_done(&blob);
    cof_buf_done(&why);
    return good;
}

/* The customer's key is given where the object needs one, and nowhere else. */
static bool fits(struct cof_s3_call *c, const json_t *record, const struct cof_s3_sse *sse)
{
    bool customer = strcmp(cof_s3_text(record, "mode"), "SSE-C") == 0;

    if (customer && sse->mode != COF_S3_SSE_C)
        return invalid(c, "InvalidRequest",
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to "
            "retrieve the object.");
    if (!customer && sse->mode == COF_S3_SSE_C)
        return invalid(c, "InvalidRequest", "The encryption parameters are not applicable to this object.");
    return true;
}

bool cof_s3_sse_open(struct cof_s3_call *c, const json_t *record, const struct cof_s3_sse *sse, struct cof_secret *kek,
    enum cof_err *err)
{
    *err = COF_OK;
    if (!fits(c, record, sse))
        return false;
    if (sse->mode == COF_S3_SSE_C)
        return open_customer(c, record, sse, kek, err);
    if (strcmp(cof_s3_text(record, "mode"), "aws:kms") == 0)
        return open_kms(c, record, kek, err);
    *err = own_kek(c, kek);
    return *err == COF_OK;
}

bool cof_s3_sse_check(struct cof_s3_call *c, const json_t *record, const struct cof_s3_sse *sse, enum cof_err *err)
{
    struct cof_secret kek COF_SECRET_AUTO = {0};

    *err = COF_OK;
    return fits(c, record, sse) && (sse->mode != COF_S3_SSE_C || open_customer(c, record, sse, &kek, err));
}

void cof_s3_sse_headers(struct cof_s3_call *c, const json_t *record)
{
    struct cof_headers *h = &c->reply->headers;
    const char *mode = cof_s3_text(record, "mode");

    if (strcmp(mode, "SSE-C") == 0) {
        cof_headers_set(h, "x-amz-server-side-encryption-customer-algorithm", "AES256");
        cof_headers_set(h, "x-amz-server-side-encryption-customer-key-MD5", cof_s3_text(record, "md5"));
        return;
    }
    cof_headers_set(h, "x-amz-server-side-encryption", mode);
    if (strcmp(mode, "aws:kms") != 0)
        return;
    cof_headers_set(h, "x-amz-server-side-encryption-aws-kms-key-id", cof_s3_text(record, "key_id"));
    if (cof_s3_text(record, "given")[0] != '\0')
        cof_headers_set(h, "x-amz-server-side-encryption-context", cof_s3_text(record, "given"));
    if (cof_s3_is(record, "bucket_key"))
        cof_headers_set(h, "x-amz-server-side-encryption-bucket-key-enabled", "true");
}
