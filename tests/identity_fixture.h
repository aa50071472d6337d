/* SPDX-License-Identifier: Apache-2.0
 *
 * A stand-in in memory with the services that tell who somebody is: STS, the token issuer, the instance metadata service;
 * and S3, to use what they give.
 */
#ifndef COF_IDENTITY_FIXTURE_H
#define COF_IDENTITY_FIXTURE_H

#include "format/uri.h"
#include "standin_fixture.h"
#include "standin/imds.h"
#include "standin/oauth.h"
#include "standin/sts.h"

/* f->id and f->secret are those of the credential "root" of the manifest, whoever that is. */
static inline void identity_init(struct fixture *f, const char *manifest, const char *instance_role)
{
    json_error_t error;
    json_t *json = json_loads(manifest, 0, &error);
    struct cof_diag diag = {.text = ""};

    *f = (struct fixture){.rng_state = 4711, .now_ms = FIXTURE_NOW, .master = {{7}, 32},
        .services = {&cof_service_oauth, &cof_service_openid, &cof_service_sts, &cof_service_s3, &cof_service_imds}};
    f->rng = (struct cof_rng){test_rng_fill, &f->rng_state};
    cof_buf_init(&f->audit, 1 << 24);
    memory_store_init(&f->store);
    if (json == NULL)
        fail_msg("manifest: line %d: %s", error.line, error.text);
    if (cof_standin_new(&(struct cof_standin_opts){.store = &f->store.ops, .rng = &f->rng, .master_key = &f->master,
            .account = "111122223333", .region = "us-east-1", .endpoint = "https://localhost:4566", .services = f->services,
            .n_services = 5, .instance_role = instance_role, .audit = fixture_audit, .ctx = f}, &f->s, NULL) != COF_OK ||
        cof_standin_bootstrap(f->s, json, f->now_ms, fixture_key, f, &diag) != COF_OK)
        fail_msg("bootstrap: %s", diag.text);
    json_decref(json);
}

/* POST / of a form. signed_by: id, secret and token (may be empty), or NULL. */
static inline void identity_post(
    struct fixture *f, const struct cof_sigv4_credentials *signed_by, const char *target, const char *extra, const char *form, struct answer *a)
{
    struct cof_view body = cof_view_str(form), lines = cof_view_str(extra), line, name, value;
    struct cof_headers h;
    struct cof_buf raw;
    uint8_t digest[32];
    char hex[65], length[24];

    cof_headers_init(&h);
    cof_buf_init(&raw, 262144);
    assert_ok(cof_hash_once(COF_SHA256, body, digest));
    cof_hex_encode(digest, 32, hex);
    (void)snprintf(length, sizeof length, "%zu", body.len);
    cof_headers_add_str(&h, "Host", "localhost:4566");
    cof_headers_add_str(&h, "Content-Type", "application/x-www-form-urlencoded");
    cof_headers_add_str(&h, "Content-Length", length);
    while (lines.len > 0) {
        (void)cof_view_split(lines, '\n', &line, &lines);
        if (cof_view_split(line, ':', &name, &value))
            cof_headers_add(&h, name, cof_view_trim(value));
    }
    if (signed_by != NULL)
        assert_ok(cof_sigv4_sign(&(struct cof_sigv4_request){.method = COF_LIT("POST"), .path = cof_view_str(target), .headers = &h,
                .payload_hash = cof_view_str(hex)}, &h, signed_by, &(struct cof_sigv4_scope){f->now_ms, COF_LIT("us-east-1"), COF_LIT("sts")}, NULL));
    cof_buf_printf(&raw, "POST %s HTTP/1.1\r\n", target);
    cof_headers_write(&h, &raw);
    cof_buf_add_str(&raw, "\r\n");
    fixture_send(f, cof_buf_view(&raw), body, 4096, a);
    cof_buf_done(&raw);
    cof_headers_done(&h);
}

/* The same, signed by the manifest's "root". */
static inline void identity_call(struct fixture *f, const char *form, struct answer *a)
{
    struct cof_sigv4_credentials own = {cof_view_str(f->id), cof_view_str(f->secret), {NULL, 0}};

    identity_post(f, &own, "/", "", form, a);
}

/* An unsigned request without a body. */
static inline void identity_ask(struct fixture *f, const char *method, const char *target, const char *headers, struct answer *a)
{
    struct cof_buf raw;

    cof_buf_init(&raw, 65536);
    cof_buf_printf(&raw, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", method, target, headers);
    fixture_send(f, cof_buf_view(&raw), COF_LIT(""), 1, a);
    cof_buf_done(&raw);
}

/* What stands between two texts of the answer. */
static inline void answer_between(const struct answer *a, const char *before, const char *after, char *out, size_t size)
{
    const char *text = (const char *)a->body.data, *end = text + a->body.len, *from, *to;

    out[0] = '\0';
    from = a->body.len == 0 ? NULL : memmem(text, a->body.len, before, strlen(before));
    if (from == NULL)
        return;
    from += strlen(before);
    to = memmem(from, (size_t)(end - from), after, strlen(after));
    if (to != NULL)
        (void)snprintf(out, size, "%.*s", (int)(to - from), from);
}

#endif
