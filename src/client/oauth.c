/* SPDX-License-Identifier: Apache-2.0 */
#include "client/oauth.h"

#include "base/codec.h"
#include "base/secret.h"
#include "client/metadata.h"
#include "format/json.h"
#include "format/uri.h"

#include <stdio.h>
#include <string.h>

#define REPLY_MAX 65536
#define SPARE_MS 60000 /* a token that ends sooner is not given out */
#define LIFE_S 300     /* when the issuer does not say */

enum cof_err cof_oauth_init(struct cof_oauth *oauth, struct cof_http_client *http, const char *token_url,
                            const char *client_id, struct cof_view client_secret, const char *scope,
                            struct cof_diag *diag)
{
    struct cof_view target;
    enum cof_err err;
    bool local;

    *oauth = (struct cof_oauth){.http = http};
    cof_buf_init_secret(&oauth->client_secret, 4096);
    cof_buf_init_secret(&oauth->token, 16384);
    err = cof_metadata_url(token_url, &oauth->issuer, &target, diag);
    if (err != COF_OK)
        return err;
    local = strcmp(oauth->issuer.host, "localhost") == 0 || strcmp(oauth->issuer.host, "127.0.0.1") == 0;
    if (!oauth->issuer.https && !local)
        return cof_diag_set(diag, COF_E_CONFIG, "the token issuer '%s' needs https: the client's secret goes there",
                            token_url);
    if (snprintf(oauth->path, sizeof oauth->path, "%s", (const char *)target.data) >= (int)sizeof oauth->path ||
        snprintf(oauth->client_id, sizeof oauth->client_id, "%s", client_id) >= (int)sizeof oauth->client_id ||
        snprintf(oauth->scope, sizeof oauth->scope, "%s", scope) >= (int)sizeof oauth->scope)
        return cof_diag_set(diag, COF_E_CONFIG, "the issuer's URL, the client's id or the scope is too long");
    cof_buf_add(&oauth->client_secret, client_secret);
    return cof_buf_err(&oauth->client_secret);
}

void cof_oauth_forget(struct cof_oauth *oauth)
{
    cof_buf_reset(&oauth->token);
    oauth->ends_ms = 0;
}

void cof_oauth_done(struct cof_oauth *oauth)
{
    if (oauth == NULL)
        return;
    cof_buf_done(&oauth->client_secret);
    cof_buf_done(&oauth->token);
    oauth->ends_ms = 0;
}

/* Id and secret are form-encoded before they are joined (RFC 6749 section 2.3.1). */
static void add_basic(const struct cof_oauth *o, struct cof_headers *headers)
{
    struct cof_buf pair, value;

    cof_buf_init_secret(&pair, 16384);
    cof_buf_init_secret(&value, 32768);
    cof_uri_encode(&pair, cof_view_str(o->client_id), false);
    cof_buf_add_u8(&pair, ':');
    cof_uri_encode(&pair, cof_buf_view(&o->client_secret), false);
    cof_buf_add_str(&value, "Basic ");
    cof_base64_add(&value, cof_buf_view(&pair));
    cof_headers_add(headers, COF_LIT("Authorization"), cof_buf_view(&value));
    cof_buf_done(&pair);
    cof_buf_done(&value);
}

static enum cof_err write_request(const struct cof_oauth *o, struct cof_buf *head, struct cof_buf *body)
{
    struct cof_headers headers;
    struct cof_buf text;
    enum cof_err err;

    cof_buf_add_str(body, "grant_type=client_credentials");
    if (o->scope[0] != '\0') {
        cof_buf_add_str(body, "&scope=");
        cof_uri_encode(body, cof_view_str(o->scope), false);
    }
    cof_headers_init(&headers);
    cof_buf_init(&text, 400);
    cof_buf_printf(&text, "%s:%u", o->issuer.host, o->issuer.port);
    cof_headers_add_str(&headers, "Host", cof_buf_cstr(&text));
    cof_headers_add_str(&headers, "Accept", "application/json");
    cof_headers_add_str(&headers, "Content-Type", "application/x-www-form-urlencoded");
    cof_headers_add_str(&headers, "User-Agent", "coffer/" COF_VERSION);
    cof_buf_reset(&text);
    cof_buf_printf(&text, "%zu", body->len);
    cof_headers_add_str(&headers, "Content-Length", cof_buf_cstr(&text));
    add_basic(o, &headers);
    cof_buf_printf(head, "POST %s HTTP/1.1\r\n", o->path);
    cof_headers_write(&headers, head);
    cof_buf_add_str(head, "\r\n");
    err = cof_headers_err(&headers);
    cof_headers_done(&headers);
    cof_buf_done(&text);
    if (err == COF_OK)
        err = cof_buf_err(body);
    return err == COF_OK ? cof_buf_err(head) : err;
}

struct exchange {
    struct cof_buf body;
    struct cof_diag *diag;
    enum cof_err err;
    int status;
    bool done;
};

static void on_head(void *ctx, struct cof_http_call *call, const struct cof_http_head *head)
{
    (void)call;
    ((struct exchange *)ctx)->status = head->status;
}

static void on_body(void *ctx, struct cof_http_call *call, struct cof_view piece)
{
    (void)call;
    cof_buf_add(&((struct exchange *)ctx)->body, piece);
}

static void on_done(void *ctx, struct cof_http_call *call, enum cof_err err, const struct cof_diag *diag, bool sent)
{
    struct exchange *x = ctx;

    (void)call;
    (void)sent;
    x->done = true;
    x->err = err;
    if (diag != NULL && x->diag != NULL)
        *x->diag = *diag;
}

static bool is_token(struct cof_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.data[i] <= ' ' || v.data[i] >= 0x7f)
            return false;
    return v.len > 0;
}

static enum cof_err take_token(struct cof_oauth *o, struct cof_view body, struct cof_diag *diag)
{
    struct cof_view token, type;
    int64_t life_s = LIFE_S;
    json_t *object;
    enum cof_err err = cof_json_parse_object(body, REPLY_MAX, &object, diag);

    if (err != COF_OK)
        return err;
    err = cof_json_text(object, "access_token", &token, diag);
    if (err == COF_OK)
        err = cof_json_text(object, "token_type", &type, diag);
    if (err == COF_OK)
        err = cof_json_int_or(object, "expires_in", 0, 31536000, LIFE_S, &life_s, diag);
    if (err == COF_OK && (!cof_view_eq_nocase(type, COF_LIT("bearer")) || !is_token(token)))
        err = cof_diag_set(diag, COF_E_FORMAT, "the issuer gave no bearer token");
    cof_oauth_forget(o);
    if (err == COF_OK) {
        cof_buf_add(&o->token, token);
        err = cof_buf_err(&o->token);
    }
    if (err == COF_OK)
        o->ends_ms = cof_loop_now_ms(cof_http_client_loop(o->http)) + life_s * 1000;
    cof_json_wipe(object, "access_token");
    json_decref(object);
    return err;
}

static enum cof_err refusal(struct cof_oauth *o, const struct exchange *x, struct cof_diag *diag)
{
    struct cof_view code = {0}, words = {0};
    enum cof_err err = x->status >= 500 || x->status == 429 ? COF_E_RETRY : COF_E_DENIED;
    json_t *object = NULL;

    if (cof_json_parse_object(cof_buf_view(&x->body), REPLY_MAX, &object, NULL) != COF_OK ||
        cof_json_text_or(object, "error", "", &code, NULL) != COF_OK ||
        cof_json_text_or(object, "error_description", "", &words, NULL) != COF_OK)
        code = words = (struct cof_view){0};
    (void)snprintf(o->code, sizeof o->code, "%.*s", code.len < 63 ? (int)code.len : 63, (const char *)code.data);
    (void)cof_diag_set(diag, err, "the token issuer refuses: %s%s%.*s (status %d)", o->code, words.len > 0 ? ": " : "",
                       words.len < 200 ? (int)words.len : 200, words.len > 0 ? (const char *)words.data : "",
                       x->status);
    if (err == COF_E_DENIED)
        cof_diag_hint(diag, "check the client's id, its secret and the scope");
    json_decref(object);
    return err;
}

static enum cof_err ask(struct cof_oauth *o, struct cof_diag *diag)
{
    struct exchange x = {.diag = diag};
    struct cof_http_callbacks cb = {on_head, on_body, NULL, on_done, &x};
    struct cof_http_call_opts opts = {.https = o->issuer.https, .host = o->issuer.host, .port = o->issuer.port,
                                      .total_ms = 20000};
    struct cof_buf head, body;
    struct cof_http_call *call = NULL;
    enum cof_err err;

    cof_buf_init_secret(&x.body, REPLY_MAX);
    cof_buf_init_secret(&head, 65536);
    cof_buf_init(&body, 4096);
    err = write_request(o, &head, &body);
    opts.head = cof_buf_view(&head);
    opts.body = cof_buf_view(&body);
    if (err == COF_OK)
        err = cof_http_call_start(o->http, &opts, &cb, &call);
    if (err == COF_OK)
        err = cof_loop_run_until(cof_http_client_loop(o->http), &x.done, -1);
    if (err != COF_OK && call != NULL && !x.done)
        cof_http_call_cancel(call);
    if (err == COF_OK)
        err = x.err;
    if (err == COF_OK)
        err = cof_buf_err(&x.body);
    if (err == COF_OK)
        err = x.status == 200 ? take_token(o, cof_buf_view(&x.body), diag) : refusal(o, &x, diag);
    cof_buf_done(&x.body);
    cof_buf_done(&head);
    cof_buf_done(&body);
    return err;
}

enum cof_err cof_oauth_run_token(struct cof_oauth *oauth, struct cof_view *token, struct cof_diag *diag)
{
    int64_t now_ms = cof_loop_now_ms(cof_http_client_loop(oauth->http));
    enum cof_err err = COF_OK;

    *token = (struct cof_view){0};
    if (oauth->token.len == 0 || oauth->ends_ms - now_ms < SPARE_MS)
        err = ask(oauth, diag);
    if (err == COF_OK)
        *token = cof_buf_view(&oauth->token);
    return err;
}
