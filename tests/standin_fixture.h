/* SPDX-License-Identifier: Apache-2.0
 *
 * A stand-in in memory with one root user, and requests signed or (for S3's pure parts) made by hand.
 */
#ifndef COF_STANDIN_FIXTURE_H
#define COF_STANDIN_FIXTURE_H

#include "crypto/hash.h"
#include "engine/sigv4.h"
#include "memory_store.h"
#include "standin/bootstrap.h"
#include "standin/s3.h"
#include "testing.h"

#include <jansson.h>

#define FIXTURE_NOW 1795464000000LL /* 2026-11-23T20:00:00Z */

struct fixture {
    struct memory_store store;
    uint64_t rng_state;
    struct cof_rng rng;
    struct cof_secret master;
    const struct cof_service *services[8];
    const char *only_service; /* of the listener, or NULL */
    struct cof_standin *s;
    char id[64], secret[64];
    int64_t now_ms;
    struct cof_buf audit;
    void (*meanwhile)(struct fixture *f); /* called once, between the next reply's head and its body */
};

static inline enum cof_err fixture_audit(void *ctx, struct cof_view lines)
{
    cof_buf_add(&((struct fixture *)ctx)->audit, lines);
    return COF_OK;
}

static inline enum cof_err fixture_key(void *ctx, const char *name, struct cof_view id, struct cof_view secret, struct cof_view token)
{
    struct fixture *f = ctx;

    if (strcmp(name, "root") == 0) {
        (void)snprintf(f->id, sizeof f->id, "%.*s", (int)id.len, (const char *)id.data);
        (void)snprintf(f->secret, sizeof f->secret, "%.*s", (int)secret.len, (const char *)secret.data);
    }
    return COF_OK;
}

/* manifest: JSON text, or NULL for a root credential and the open bucket "b" (SSE-C allowed). */
static inline void fixture_init(struct fixture *f, const char *manifest)
{
    json_t *json = json_loads(manifest != NULL ? manifest : "{\"credentials\":[{\"name\":\"root\",\"root\":true}],"
        "\"buckets\":[{\"name\":\"bbb\",\"block_sse_c\":false}]}", 0, NULL);

    *f = (struct fixture){.rng_state = 4711, .now_ms = FIXTURE_NOW, .master = {{7}, 32}, .services = {&cof_service_s3}};
    f->rng = (struct cof_rng){test_rng_fill, &f->rng_state};
    cof_buf_init(&f->audit, 1 << 24);
    memory_store_init(&f->store);
    if (cof_standin_new(&(struct cof_standin_opts){.store = &f->store.ops, .rng = &f->rng, .master_key = &f->master,
            .account = "111122223333", .region = "us-east-1", .endpoint = "http://localhost:1", .services = f->services, .n_services = 1,
            .audit = fixture_audit, .ctx = f}, &f->s, NULL) != COF_OK ||
        cof_standin_bootstrap(f->s, json, f->now_ms, fixture_key, f, NULL) != COF_OK)
        abort();
    json_decref(json);
}

static inline void fixture_done(struct fixture *f)
{
    cof_standin_free(f->s);
    memory_store_done(&f->store);
    cof_buf_done(&f->audit);
}

struct answer {
    int status;
    struct cof_headers headers;
    struct cof_buf body;
    enum cof_err stream_err;
};

static inline void answer_done(struct answer *a)
{
    cof_headers_done(&a->headers);
    cof_buf_done(&a->body);
}

/* Sends a request: raw head (with CRLFCRLF) and body, the body in pieces of step bytes. */
static inline void fixture_send(struct fixture *f, struct cof_view raw, struct cof_view body, size_t step, struct answer *a)
{
    struct cof_http_head head;
    struct cof_standin_call *call;
    struct cof_standin_reply *reply;
    size_t used;

    *a = (struct answer){.status = 0};
    cof_headers_init(&a->headers);
    cof_buf_init(&a->body, (size_t)1 << 26);
    if (cof_http1_request(raw, 65536, &head, &used) != COF_OK)
        return;
    if (cof_standin_open(f->s, &head, &(struct cof_standin_peer){.source_ip = "127.0.0.1", .service = f->only_service}, f->now_ms, &call) != COF_OK)
        abort();
    for (size_t i = 0; i < body.len && !cof_standin_call_ready(call); i += step)
        cof_standin_body(call, cof_view_sub(body, i, step));
    if (!cof_standin_call_ready(call))
        cof_standin_end(call, NULL, f->now_ms);
    reply = cof_standin_call_reply(call);
    a->status = reply->status;
    for (size_t i = 0; i < reply->headers.n; i++)
        cof_headers_add(&a->headers, cof_headers_name(&reply->headers, i), cof_headers_value(&reply->headers, i));
    cof_buf_add(&a->body, cof_buf_view(&reply->body));
    if (f->meanwhile != NULL) {
        void (*meanwhile)(struct fixture *) = f->meanwhile;
        f->meanwhile = NULL;
        meanwhile(f);
    }
    while (reply->stream.pull != NULL) {
        size_t before = a->body.len;

        a->stream_err = reply->stream.pull(reply->stream.ctx, 100000, &a->body);
        if (a->stream_err != COF_OK || a->body.len == before)
            break;
    }
    cof_standin_close(call);
    cof_http1_head_done(&head);
}

/* The same, signed by header. extra: "name: value\n" lines. payload NULL: the body's hash. */
static inline void fixture_call(struct fixture *f, const char *method, const char *target, const char *extra, const char *payload,
                                struct cof_view body, size_t step, struct answer *a)
{
    struct cof_headers h;
    struct cof_buf raw;
    struct cof_view lines = cof_view_str(extra), line, name, value, path, query;
    uint8_t digest[32];
    char hex[65], length[24];

    cof_headers_init(&h);
    cof_buf_init(&raw, 65536);
    assert_ok(cof_hash_once(COF_SHA256, body, digest));
    cof_hex_encode(digest, 32, hex);
    cof_headers_add_str(&h, "Host", "localhost:1");
    cof_headers_add_str(&h, "x-amz-content-sha256", payload != NULL ? payload : hex);
    (void)snprintf(length, sizeof length, "%zu", body.len);
    cof_headers_add_str(&h, "Content-Length", length);
    while (lines.len > 0) {
        (void)cof_view_split(lines, '\n', &line, &lines);
        if (cof_view_split(line, ':', &name, &value))
            cof_headers_add(&h, name, cof_view_trim(value));
    }
    (void)cof_view_split(cof_view_str(target), '?', &path, &query);
    assert_ok(cof_sigv4_sign(&(struct cof_sigv4_request){.method = cof_view_str(method), .path = path, .query = query, .headers = &h,
            .payload_hash = cof_view_str(payload != NULL ? payload : hex), .s3_path = true}, &h,
        &(struct cof_sigv4_credentials){cof_view_str(f->id), cof_view_str(f->secret), {NULL, 0}},
        &(struct cof_sigv4_scope){f->now_ms, COF_LIT("us-east-1"), COF_LIT("s3")}, NULL));
    cof_buf_printf(&raw, "%s %s HTTP/1.1\r\n", method, target);
    cof_headers_write(&h, &raw);
    cof_buf_add_str(&raw, "\r\n");
    fixture_send(f, cof_buf_view(&raw), body, step, a);
    cof_buf_done(&raw);
    cof_headers_done(&h);
}

static inline bool answer_has(const struct answer *a, const char *text)
{
    struct cof_view v = cof_buf_view(&a->body);
    size_t len = strlen(text);

    for (size_t i = 0; i + len <= v.len; i++)
        if (memcmp(v.data + i, text, len) == 0)
            return true;
    return false;
}

#endif
