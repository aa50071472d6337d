/* SPDX-License-Identifier: Apache-2.0 */
#include "producer.h"

#include <stdio.h>
#include <string.h>

#define JWKS_PATH "/oauth/jwks.json"
#define REFRESH_MS 300000
#define RETRY_MS 5000
#define ROTATED_MS 10000 /* a token of another key has the set fetched again, but not sooner: anybody can send such tokens */
#define LEEWAY_S 30

static void later(struct producer *p, int64_t ms)
{
    if (cof_loop_arm(p->loop, &p->refresh, ms) != COF_OK)
        cof_log_event(&p->log, COF_LOG_ERROR, "producer.no_timer", NULL);
}

static void on_head(void *ctx, struct cof_http_call *call, const struct cof_http_head *head)
{
    (void)call;
    ((struct producer *)ctx)->fetched_status = head->status;
}

static void on_body(void *ctx, struct cof_http_call *call, struct cof_view piece)
{
    (void)call;
    cof_buf_add(&((struct producer *)ctx)->fetched, piece);
}

/* A set that cannot be had leaves the one before in force. */
static void on_done(void *ctx, struct cof_http_call *call, enum cof_err err, const struct cof_diag *diag, bool sent)
{
    struct producer *p = ctx;
    struct cof_jwks *jwks = NULL;
    struct cof_diag why = {0};

    (void)call;
    (void)sent;
    p->fetching = false;
    p->has_asked = true;
    if (err == COF_OK && p->fetched_status != 200)
        err = COF_E_REMOTE;
    if (err == COF_OK)
        err = cof_jwks_parse(cof_buf_view(&p->fetched), &jwks, &why);
    if (err != COF_OK) {
        cof_log_event(&p->log, COF_LOG_WARN, "producer.no_key_set", "why",
                      diag != NULL ? diag->text : why.text[0] != '\0' ? why.text : cof_err_text(err), NULL);
        later(p, RETRY_MS);
        return;
    }
    cof_jwks_free(p->jwks);
    p->jwks = jwks;
    later(p, REFRESH_MS);
}

void auth_refresh(struct producer *p)
{
    struct cof_http_callbacks cb = {.head = on_head, .body = on_body, .done = on_done, .ctx = p};
    struct cof_aws_endpoint issuer;
    struct cof_http_call_opts o = {.total_ms = 10000};
    struct cof_http_call *call;
    struct cof_buf head;

    if (p->fetching)
        return;
    if (cof_aws_endpoint_parse(p->issuer, &issuer, NULL) != COF_OK) {
        later(p, REFRESH_MS);
        return;
    }
    cof_buf_reset(&p->fetched);
    p->fetched_status = 0;
    cof_buf_init(&head, 1024);
    cof_buf_printf(&head, "GET " JWKS_PATH " HTTP/1.1\r\nHost: %s:%u\r\n\r\n", issuer.host, issuer.port);
    o.https = issuer.https;
    o.host = issuer.host;
    o.port = issuer.port;
    o.head = cof_buf_view(&head);
    p->fetching = cof_http_call_start(p->session.http, &o, &cb, &call) == COF_OK;
    if (!p->fetching)
        later(p, RETRY_MS);
    cof_buf_done(&head);
}

static void refuse(struct producer *p, struct cof_xchg *x, int status, const char *challenge, const char *code, const char *text)
{
    struct cof_headers headers;
    struct cof_buf json;

    p->n_refused++;
    cof_headers_init(&headers);
    cof_headers_add_str(&headers, "Content-Type", "application/json");
    cof_headers_add_str(&headers, "WWW-Authenticate", challenge);
    cof_buf_init(&json, 1024);
    cof_buf_printf(&json, "{\"error\":\"%s\",\"message\":\"%s\"}\n", code, text);
    cof_xchg_reply(x, status, &headers, cof_buf_view(&json));
    cof_buf_done(&json);
    cof_headers_done(&headers);
}

/* Perhaps the issuer has rotated its keys. */
static void rotated(struct producer *p)
{
    int64_t now_ms = cof_loop_now_ms(p->loop);

    if (now_ms < p->not_rotated_before_ms)
        return;
    p->not_rotated_before_ms = now_ms + ROTATED_MS;
    auth_refresh(p);
}

bool auth_check(struct producer *p, struct cof_xchg *x, const char *scope, struct cof_token *token)
{
    struct cof_token_policy policy = {.issuer = p->issuer, .audience = p->audience, .leeway_s = LEEWAY_S};
    struct cof_view header, word, text;
    struct cof_diag diag = {0};
    enum cof_err err;

    if (cof_headers_count(&cof_xchg_head(x)->headers, "authorization") != 1 ||
        !cof_headers_get(&cof_xchg_head(x)->headers, "authorization", &header) ||
        !cof_view_split(header, ' ', &word, &text) || !cof_view_eq_nocase(word, COF_LIT("Bearer"))) {
        refuse(p, x, 401, "Bearer realm=\"coffer\"", "token-missing", "send a bearer token");
        return false;
    }
    if (p->jwks == NULL) {
        reply_error(x, 503, "no-key-set", "the token issuer cannot be reached; try again");
        return false;
    }
    err = cof_token_verify(text, p->jwks, &policy, p->session.aws.now_ms(), token, &diag);
    if (err == COF_E_AUTH && token->tenant[0] == '\0' && strstr(diag.text, "key") != NULL)
        rotated(p);
    if (err != COF_OK || token->tenant[0] == '\0') {
        cof_log_event(&p->log, COF_LOG_INFO, "producer.token_refused", "why", err != COF_OK ? diag.text : "no tenant", NULL);
        refuse(p, x, 401, "Bearer realm=\"coffer\", error=\"invalid_token\"", "token-refused",
               "the token is not valid: fetch a new one");
        return false;
    }
    if (!cof_token_has_scope(token, scope)) {
        refuse(p, x, 403, "Bearer realm=\"coffer\", error=\"insufficient_scope\"", "scope-missing",
               "the token lacks the scope for this");
        return false;
    }
    return true;
}
