/* SPDX-License-Identifier: Apache-2.0
 *
 * A stand-in in memory with the KMS, a root user, the user ann, the role worker and the simulated hypervisor's documents.
 */
#ifndef COF_KMS_FIXTURE_H
#define COF_KMS_FIXTURE_H

#include "crypto/ecdsa.h"
#include "crypto/rsa.h"
#include "format/json.h"
#include "standin/hv_store.h"
#include "standin/kms.h"
#include "standin_fixture.h"

#define KMS_ACCOUNT "111122223333"
#define KMS_KEY "1234abcd-12ab-34cd-56ef-1234567890ab"
#define KMS_ARN "arn:aws:kms:us-east-1:" KMS_ACCOUNT ":key/" KMS_KEY
#define KMS_ROOT "{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::" KMS_ACCOUNT ":root\"},\"Action\":\"kms:*\",\"Resource\":\"*\"}"
#define KMS_POLICY(more) "{\"Version\":\"2012-10-17\",\"Statement\":[" KMS_ROOT more "]}"
#define KMS_MANIFEST(policy) \
    "{\"credentials\":[{\"name\":\"root\",\"root\":true},{\"name\":\"ann\",\"user\":\"ann\"},{\"name\":\"worker\",\"role\":\"worker\"," \
    "\"session\":\"s\"}],\"users\":[{\"name\":\"ann\",\"policies\":[]}],\"roles\":[{\"name\":\"worker\",\"policies\":[],\"trust\":" \
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::" KMS_ACCOUNT ":root\"}," \
    "\"Action\":\"sts:AssumeRole\"}]}}],\"keys\":[{\"id\":\"" KMS_KEY "\",\"alias\":\"alias/main\",\"policy\":" policy "}]}"

struct kms_who {
    char name[16], id[64], secret[64], token[2048];
};

struct kms_fixture {
    struct fixture base;
    struct kms_who who[4];
    size_t n_who;
};

static inline enum cof_err kms_fixture_key(void *ctx, const char *name, struct cof_view id, struct cof_view secret, struct cof_view token)
{
    struct kms_fixture *f = ctx;
    struct kms_who *w = &f->who[f->n_who++];

    (void)snprintf(w->name, sizeof w->name, "%s", name);
    (void)snprintf(w->id, sizeof w->id, "%.*s", (int)id.len, (const char *)id.data);
    (void)snprintf(w->secret, sizeof w->secret, "%.*s", (int)secret.len, (const char *)secret.data);
    (void)snprintf(w->token, sizeof w->token, "%.*s", (int)token.len, token.len == 0 ? "" : (const char *)token.data);
    return COF_OK;
}

static inline void kms_fixture_init(struct kms_fixture *f, const char *manifest)
{
    struct fixture *b = &f->base;
    json_t *json = json_loads(manifest != NULL ? manifest : KMS_MANIFEST(KMS_POLICY("")), 0, NULL);

    *f = (struct kms_fixture){.base = {.rng_state = 4711, .now_ms = FIXTURE_NOW, .master = {{7}, 32}, .services = {&cof_service_kms}}};
    b->rng = (struct cof_rng){test_rng_fill, &b->rng_state};
    cof_buf_init(&b->audit, 1 << 24);
    memory_store_init(&b->store);
    assert_non_null(json);
    assert_ok(cof_standin_new(&(struct cof_standin_opts){.store = &b->store.ops, .rng = &b->rng, .master_key = &b->master,
        .account = KMS_ACCOUNT, .region = "us-east-1", .endpoint = "http://localhost:1", .services = b->services, .n_services = 1,
        .audit = fixture_audit, .ctx = b}, &b->s, NULL));
    assert_ok(cof_standin_bootstrap(b->s, json, b->now_ms, kms_fixture_key, f, NULL));
    json_decref(json);
}

static inline void kms_fixture_done(struct kms_fixture *f)
{
    fixture_done(&f->base);
}

/* Sends an operation, signed by that identity; the answer's JSON is the caller's. error gets the code ("" for none). */
static inline json_t *kms_call(struct kms_fixture *f, const char *who, const char *operation, const char *body, char error[64])
{
    struct cof_view text = cof_view_str(body);
    struct cof_headers h;
    struct cof_buf raw;
    struct answer a;
    const struct kms_who *w = f->who;
    uint8_t digest[32];
    char hex[65], length[24], target[96];
    json_t *json;

    while (strcmp(w->name, who) != 0)
        w++;
    cof_headers_init(&h);
    cof_buf_init(&raw, 65536);
    assert_ok(cof_hash_once(COF_SHA256, text, digest));
    cof_hex_encode(digest, 32, hex);
    (void)snprintf(length, sizeof length, "%zu", text.len);
    (void)snprintf(target, sizeof target, "TrentService.%s", operation);
    cof_headers_add_str(&h, "Host", "localhost:1");
    cof_headers_add_str(&h, "Content-Length", length);
    cof_headers_add_str(&h, "Content-Type", "application/x-amz-json-1.1");
    cof_headers_add_str(&h, "X-Amz-Target", target);
    assert_ok(cof_sigv4_sign(&(struct cof_sigv4_request){.method = COF_LIT("POST"), .path = COF_LIT("/"), .headers = &h,
        .payload_hash = cof_view_str(hex)}, &h,
        &(struct cof_sigv4_credentials){cof_view_str(w->id), cof_view_str(w->secret), cof_view_str(w->token)},
        &(struct cof_sigv4_scope){f->base.now_ms, COF_LIT("us-east-1"), COF_LIT("kms")}, NULL));
    cof_buf_add_str(&raw, "POST / HTTP/1.1\r\n");
    cof_headers_write(&h, &raw);
    cof_buf_add_str(&raw, "\r\n");
    fixture_send(&f->base, cof_buf_view(&raw), text, 65536, &a);
    json = json_loadb((const char *)a.body.data, a.body.len, 0, NULL);
    assert_non_null(json);
    (void)snprintf(error, 64, "%s", a.status == 200 ? "" : json_string_value(json_object_get(json, "__type")));
    answer_done(&a);
    cof_buf_done(&raw);
    cof_headers_done(&h);
    return json;
}

/* The answer of a call that must be granted, or the code of one that must be refused. */
static inline json_t *kms_ok(struct kms_fixture *f, const char *who, const char *operation, const char *body)
{
    char error[64];
    json_t *json = kms_call(f, who, operation, body, error);

    if (error[0] != '\0')
        fail_msg("%s: %s: %s", operation, error, json_string_value(json_object_get(json, "message")));
    return json;
}

static inline void kms_refused(struct kms_fixture *f, const char *who, const char *operation, const char *body, const char *code)
{
    char error[64];

    json_decref(kms_call(f, who, operation, body, error));
    assert_string_equal(error, code);
}

static inline const char *kms_text(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));

    assert_non_null(text);
    return text;
}

/* An attestation document for that public key (DER), of an enclave with these image parts. */
static inline void kms_document(struct kms_fixture *f, const char *kernel, bool debug, struct cof_view spki, int64_t at_ms, struct cof_buf *base64)
{
    struct cof_view ramdisks[2] = {COF_LIT("init"), COF_LIT("application")};
    struct cof_hv_launch what = {.image = {cof_view_str(kernel), COF_LIT("cmdline"), ramdisks, 2, COF_LIT("")}, .debug = debug};
    struct cof_nsm_request req = {.op = COF_NSM_ATTESTATION, .public_key = {spki, spki.len > 0}};
    struct cof_hv_enclave *enclave;
    struct cof_nsm_response res;
    struct cof_buf in, out;
    struct cof_hv *hv;

    cof_buf_init(&in, COF_NSM_REQUEST_MAX);
    cof_buf_init(&out, COF_NSM_RESPONSE_MAX);
    cof_buf_init(base64, 65536);
    assert_ok(cof_hv_open(f->base.s, at_ms, &hv));
    assert_ok(cof_hv_launch(hv, &what, at_ms, &enclave));
    cof_nsm_add_request(&in, &req);
    assert_ok(cof_hv_handle(enclave, cof_buf_view(&in), at_ms, &out));
    assert_ok(cof_nsm_parse_response(cof_buf_view(&out), &res));
    assert_int_equal(res.op, COF_NSM_ATTESTATION);
    cof_base64_add(base64, res.data);
    cof_hv_enclave_free(enclave);
    cof_hv_free(hv);
    cof_buf_done(&in);
    cof_buf_done(&out);
}

#endif
