/* SPDX-License-Identifier: Apache-2.0
 *
 * A scripted HTTP server on loopback and an AWS client that talks to it, on one loop: the server answers request after
 * request with the steps it was given, and keeps what it was sent.
 */
#ifndef COF_TEST_WORLD_H
#define COF_TEST_WORLD_H

#include "testing.h"

#include "client/aws.h"
#include "engine/sigv4_verify.h"
#include "io/http_server.h"

#define STEPS_MAX 16
#define NOW_MS 1767225600000 /* 2026-01-01T00:00:00Z */
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define KEY_ARN "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
#define OTHER_ARN "arn:aws:kms:us-east-1:111122223333:key/9999abcd-12ab-34cd-56ef-1234567890ab"

struct step {
    int status;
    const char *headers; /* "Name: value\n..." or NULL */
    const char *body;
    size_t body_len;     /* 0: strlen */
    bool cut;            /* half of the body, then the connection is cut */
    bool hold;           /* no answer at all */
};

struct seen {
    char method[16], target[1024], service[16];
    struct cof_headers headers;
    struct cof_buf body;
    bool is_signed; /* and the signature is right */
};

struct world {
    struct cof_loop *loop;
    struct cof_http_server *server;
    struct cof_http_client *http;
    struct cof_aws aws;
    struct cof_rng rng;
    uint64_t rng_state;
    struct cof_addr addr;
    char url[64];
    struct step steps[STEPS_MAX];
    struct seen seen[STEPS_MAX];
    size_t n_steps, n_seen;
};

static int64_t world_now = NOW_MS;    /* the client's clock */
static int64_t server_now = NOW_MS;   /* the server's */

static int64_t world_clock(void)
{
    return world_now;
}

static inline void script(struct world *w, int status, const char *headers, const char *body)
{
    assert_true(w->n_steps < STEPS_MAX);
    w->steps[w->n_steps++] = (struct step){.status = status, .headers = headers, .body = body};
}

static inline struct step *last_step(struct world *w)
{
    return &w->steps[w->n_steps - 1];
}

static void server_head(void *ctx, struct cof_xchg *x)
{
    struct world *w = ctx;
    const struct cof_http_head *head = cof_xchg_head(x);
    struct seen *s = &w->seen[w->n_seen];

    assert_true(w->n_seen < STEPS_MAX);
    (void)snprintf(s->method, sizeof s->method, "%.*s", (int)head->method.len, (const char *)head->method.data);
    (void)snprintf(s->target, sizeof s->target, "%.*s", (int)head->target.len, (const char *)head->target.data);
    cof_headers_init(&s->headers);
    cof_buf_init(&s->body, (size_t)64 << 20);
    for (size_t i = 0; i < head->headers.n; i++)
        cof_headers_add(&s->headers, cof_headers_name(&head->headers, i), cof_headers_value(&head->headers, i));
    cof_xchg_set_user(x, s);
}

static void server_body(void *ctx, struct cof_xchg *x, struct cof_view piece)
{
    (void)ctx;
    cof_buf_add(&((struct seen *)cof_xchg_user(x))->body, piece);
}

static inline void check_signature(struct seen *s, const struct cof_http_head *head)
{
    struct cof_sigv4_claim claim;
    enum cof_sigv4_fault fault;
    struct cof_view hash = {0};
    char hex[65];
    uint8_t digest[32];

    if (cof_sigv4_claim_read(head, &claim, &fault) != COF_OK)
        return;
    (void)snprintf(s->service, sizeof s->service, "%.*s", (int)claim.service.len, (const char *)claim.service.data);
    if (!cof_headers_get(&head->headers, "x-amz-content-sha256", &hash)) {
        assert_ok(cof_hash_once(COF_SHA256, cof_buf_view(&s->body), digest));
        cof_hex_encode(digest, 32, hex);
        hash = cof_view_str(hex);
    }
    s->is_signed = cof_sigv4_claim_check(&claim, head, hash, cof_view_str(SECRET), server_now, NULL, &fault) == COF_OK;
    cof_sigv4_claim_done(&claim);
}

static void server_end(void *ctx, struct cof_xchg *x)
{
    struct world *w = ctx;
    struct seen *s = cof_xchg_user(x);
    struct step *step = &w->steps[w->n_seen];
    struct cof_headers headers;
    struct cof_view rest, line, name, value, body;

    check_signature(s, cof_xchg_head(x));
    if (w->n_seen >= w->n_steps) {
        w->n_seen++;
        cof_xchg_reply(x, 599, NULL, COF_LIT("not in the script"));
        return;
    }
    w->n_seen++;
    if (step->hold)
        return;
    cof_headers_init(&headers);
    rest = cof_view_str(step->headers);
    while (rest.len > 0) {
        (void)cof_view_split(rest, '\n', &line, &rest);
        if (cof_view_split(line, ':', &name, &value))
            cof_headers_add(&headers, name, cof_view_trim(value));
    }
    body = step->body_len > 0 ? cof_view_of(step->body, step->body_len) : cof_view_str(step->body);
    if (step->cut) {
        cof_xchg_start(x, step->status, &headers, (int64_t)body.len);
        (void)cof_xchg_write(x, cof_view_sub(body, 0, body.len / 2));
        cof_xchg_abort(x);
    } else {
        cof_xchg_reply(x, step->status, &headers, body);
    }
    cof_headers_done(&headers);
}

static void server_writable(void *ctx, struct cof_xchg *x)
{
    (void)ctx;
    (void)x;
}

static void server_closed(void *ctx, struct cof_xchg *x, enum cof_err why)
{
    (void)ctx;
    (void)x;
    (void)why;
}

static int world_setup(void **state)
{
    static struct world w;
    struct cof_http_server_opts so = {
        .handler = {server_head, server_body, server_end, server_writable, server_closed, &w}, .allow_plain = true};
    struct cof_http_client_opts co = {.resolve = cof_resolve_literal};

    memset(&w, 0, sizeof w);
    world_now = server_now = NOW_MS;
    w.rng_state = 1;
    w.rng = (struct cof_rng){test_rng_fill, &w.rng_state};
    if (cof_loop_new(&w.loop) != COF_OK || cof_addr_parse("tcp:127.0.0.1:0", &so.listen, NULL) != COF_OK ||
        cof_http_server_new(w.loop, &so, &w.server, NULL) != COF_OK ||
        cof_http_client_new(w.loop, &co, &w.http) != COF_OK)
        return -1;
    cof_http_server_addr(w.server, &w.addr);
    (void)snprintf(w.url, sizeof w.url, "http://127.0.0.1:%u", w.addr.port);
    cof_aws_init(&w.aws, w.loop, w.http, &w.rng, world_clock);
    w.aws.backoff_ms = 1;
    for (int i = 0; i < 4; i++)
        if (cof_aws_endpoint_parse(w.url, &w.aws.endpoints[i], NULL) != COF_OK)
            return -1;
    cof_aws_set_region(&w.aws, "us-east-1");
    cof_buf_add_str(&w.aws.credentials.access_key_id, "AKIDEXAMPLE");
    cof_buf_add_str(&w.aws.credentials.secret_access_key, SECRET);
    *state = &w;
    return 0;
}

static int world_teardown(void **state)
{
    struct world *w = *state;

    cof_http_client_free(w->http);
    cof_http_server_free(w->server);
    cof_aws_done(&w->aws);
    cof_loop_free(w->loop);
    for (size_t i = 0; i < STEPS_MAX; i++) {
        cof_headers_done(&w->seen[i].headers);
        cof_buf_done(&w->seen[i].body);
    }
    return 0;
}

static inline bool seen_header(struct world *w, size_t i, const char *name, const char *value)
{
    struct cof_view v;

    return cof_headers_get(&w->seen[i].headers, name, &v) && cof_view_eq_str(v, value);
}

#endif
