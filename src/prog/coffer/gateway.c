/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway.h"

#include "format/json.h"
#include "io/file.h"

#include <stdlib.h>
#include <string.h>

#define REPLY_MAX 65536

static enum cof_err read_line_value(struct cof_view text, const char *name, struct cof_buf *out)
{
    struct cof_view line, key, value;

    while (text.len > 0) {
        (void)cof_view_split(text, '\n', &line, &text);
        if (cof_view_split(line, '=', &key, &value) && cof_view_eq_str(cof_view_trim(key), name)) {
            cof_buf_add(out, cof_view_trim(value));
            return cof_buf_err(out);
        }
    }
    return COF_E_NOT_FOUND;
}

static enum cof_err open_oauth(struct gateway *g, struct cof_diag *diag)
{
    const char *file = g->options->client_file;
    struct cof_buf text, id, secret;
    enum cof_err err;

    if (file == NULL)
        return cof_diag_set(diag, COF_E_USAGE, "--token-url needs --client-file");
    cof_buf_init_secret(&text, 16384);
    cof_buf_init(&id, 256);
    cof_buf_init_secret(&secret, 1024);
    err = cof_file_read(file, &text, diag);
    if (err == COF_OK && (read_line_value(cof_buf_view(&text), "client_id", &id) != COF_OK ||
                          read_line_value(cof_buf_view(&text), "client_secret", &secret) != COF_OK))
        err = cof_diag_set(diag, COF_E_CONFIG, "%s: needs the lines client_id=... and client_secret=...", file);
    if (err == COF_OK)
        err = cof_oauth_init(&g->oauth, g->http, g->options->token_url, cof_buf_cstr(&id), cof_buf_view(&secret), "", diag);
    g->has_oauth = err == COF_OK;
    cof_buf_done(&text);
    cof_buf_done(&id);
    cof_buf_done(&secret);
    return err;
}

enum cof_err gateway_open(struct gateway *g, const struct gateway_options *options, struct cof_loop *loop, struct cof_diag *diag)
{
    struct cof_tls_client_opts tls = {.ca_file = options->ca_file};
    struct cof_http_client_opts http = {.resolve = cof_resolve_dns};
    enum cof_err err;

    *g = (struct gateway){.options = options, .loop = loop, .owns_loop = loop == NULL};
    cof_buf_init_secret(&g->token, 32768);
    if (options->producer == NULL)
        return cof_diag_set(diag, COF_E_USAGE, "--producer URL is needed");
    err = cof_aws_endpoint_parse(options->producer, &g->endpoint, diag);
    if (err == COF_OK && !g->endpoint.https)
        err = cof_diag_set(diag, COF_E_USAGE, "the gateway speaks https only");
    if (err == COF_OK && g->owns_loop)
        err = cof_loop_new(&g->loop);
    if (err == COF_OK)
        err = cof_tls_client_new(&tls, &g->tls, diag);
    http.tls = g->tls;
    if (err == COF_OK)
        err = cof_http_client_new(g->loop, &http, &g->http);
    if (err == COF_OK && options->token_file == NULL && options->token_url != NULL)
        err = open_oauth(g, diag);
    else if (err == COF_OK && options->token_file == NULL && getenv("COFFER_TOKEN") == NULL)
        err = cof_diag_set(diag, COF_E_USAGE, "no token: give --token-file, --token-url with --client-file, or COFFER_TOKEN");
    return err;
}

void gateway_close(struct gateway *g)
{
    if (g->has_oauth)
        cof_oauth_done(&g->oauth);
    cof_http_client_free(g->http);
    cof_tls_unref(g->tls);
    if (g->owns_loop)
        cof_loop_free(g->loop);
    cof_buf_done(&g->token);
    *g = (struct gateway){0};
}

bool gateway_is_ready(const struct gateway *g)
{
    return g->token.len > 0 && (!g->has_oauth || g->oauth.ends_ms - cof_loop_now_ms(g->loop) > 60000);
}

void gateway_forget(struct gateway *g)
{
    if (g->has_oauth)
        cof_oauth_forget(&g->oauth);
    cof_wipe(g->token.data, g->token.len);
    cof_buf_reset(&g->token);
}

enum cof_err gateway_ready(struct gateway *g, struct cof_diag *diag)
{
    const char *file = g->options->token_file, *env = getenv("COFFER_TOKEN");
    struct cof_view token = {0};
    enum cof_err err = COF_OK;

    if (gateway_is_ready(g))
        return COF_OK;
    cof_buf_reset(&g->token);
    if (g->has_oauth) {
        err = cof_oauth_run_token(&g->oauth, &token, diag);
        cof_buf_add(&g->token, token);
    } else if (file != NULL) { /* read again each time: others may keep it fresh */
        err = cof_file_read(file, &g->token, diag);
        while (err == COF_OK && g->token.len > 0 && (g->token.data[g->token.len - 1] == '\n' || g->token.data[g->token.len - 1] == '\r'))
            cof_buf_truncate(&g->token, g->token.len - 1);
    } else if (env != NULL) {
        cof_buf_add_str(&g->token, env);
    }
    if (err == COF_OK)
        err = cof_buf_err(&g->token);
    if (err == COF_OK && g->token.len == 0)
        err = cof_diag_set(diag, COF_E_CONFIG, "the token is empty");
    return err;
}

struct gateway_call {
    struct gateway *g;
    struct cof_http_call *http;
    struct gateway_events events;
    struct cof_buf reply;
    int status;
};

static void call_free(struct gateway_call *call)
{
    cof_buf_done(&call->reply);
    cof_loop_discard(call->g->loop, call);
}

static void on_head(void *ctx, struct cof_http_call *http, const struct cof_http_head *head)
{
    (void)http;
    ((struct gateway_call *)ctx)->status = head->status;
}

static void on_body(void *ctx, struct cof_http_call *http, struct cof_view piece)
{
    (void)http;
    cof_buf_add(&((struct gateway_call *)ctx)->reply, piece);
}

static void on_writable(void *ctx, struct cof_http_call *http)
{
    struct gateway_call *call = ctx;

    (void)http;
    if (call->events.writable != NULL)
        call->events.writable(call->events.ctx, call);
}

/* What the gateway's refusal means for the exit code. */
static enum cof_err refusal(const struct gateway_call *call, struct cof_diag *diag)
{
    struct cof_view message = COF_LIT("");
    json_t *o = NULL;
    enum cof_err err = call->status == 404                          ? COF_E_NOT_FOUND
                       : call->status == 429                        ? COF_E_THROTTLED
                       : call->status >= 500 || call->status == 409 ? COF_E_RETRY
                                                                    : COF_E_DENIED;

    if (cof_json_parse_object(cof_buf_view(&call->reply), REPLY_MAX, &o, NULL) == COF_OK)
        (void)!cof_json_text_or(o, "message", "", &message, NULL);
    (void)cof_diag_set(diag, err, "the gateway refuses (status %d): %.*s", call->status, (int)message.len, (const char *)message.data);
    if (call->status == 401)
        cof_diag_hint(diag, "fetch a new token; --token-url with --client-file does it by itself");
    json_decref(o);
    return err;
}

static void on_done(void *ctx, struct cof_http_call *http, enum cof_err err, const struct cof_diag *diag, bool sent)
{
    struct gateway_call *call = ctx;
    struct cof_diag why = {0};

    (void)http;
    (void)sent;
    call->http = NULL;
    if (err == COF_OK)
        err = cof_buf_err(&call->reply);
    if (err == COF_OK && call->status / 100 != 2) {
        err = refusal(call, &why);
        diag = &why;
    }
    call->events.done(call->events.ctx, err, call->status, cof_buf_view(&call->reply), diag);
    call_free(call);
}

static void add_head(struct cof_buf *head, const struct gateway *g, const struct gateway_request *r)
{
    cof_buf_printf(head, "%s %s HTTP/1.1\r\nHost: %s:%u\r\nUser-Agent: coffer/" COF_VERSION "\r\nAuthorization: Bearer ", r->method,
                   r->path, g->endpoint.host, g->endpoint.port);
    cof_buf_add(head, cof_buf_view(&g->token));
    if (r->key != NULL)
        cof_buf_printf(head, "\r\nIdempotency-Key: \"%s\"", r->key);
    if (r->type != NULL)
        cof_buf_printf(head, "\r\nContent-Type: %s\r\nContent-Length: %llu\r\nExpect: 100-continue", r->type,
                       (unsigned long long)r->length);
    cof_buf_add_str(head, "\r\n\r\n");
}

enum cof_err gateway_start(struct gateway *g, const struct gateway_request *request, const struct gateway_events *events,
                           struct gateway_call **out)
{
    struct gateway_call *call = calloc(1, sizeof *call);
    struct cof_http_callbacks cb = {on_head, on_body, on_writable, on_done, call};
    struct cof_http_call_opts o = {.https = true, .host = g->endpoint.host, .port = g->endpoint.port,
                                   .streaming = request->type != NULL, .total_ms = -1};
    struct cof_buf head;
    enum cof_err err;

    *out = NULL;
    if (call == NULL)
        return COF_E_MEMORY;
    call->g = g;
    call->events = *events;
    cof_buf_init(&call->reply, REPLY_MAX);
    cof_buf_init_secret(&head, 65536);
    add_head(&head, g, request);
    o.head = cof_buf_view(&head);
    err = cof_buf_err(&head);
    if (err == COF_OK)
        err = cof_http_call_start(g->http, &o, &cb, &call->http);
    cof_buf_done(&head);
    if (err != COF_OK)
        call_free(call);
    else
        *out = call;
    return err;
}

bool gateway_write(struct gateway_call *call, struct cof_view piece)
{
    return call->http == NULL || cof_http_call_write(call->http, piece);
}

void gateway_end(struct gateway_call *call)
{
    if (call->http != NULL)
        cof_http_call_end(call->http);
}

void gateway_cancel(struct gateway_call *call)
{
    if (call == NULL)
        return;
    if (call->http != NULL)
        cof_http_call_cancel(call->http);
    call->http = NULL;
    call_free(call);
}

const char *gateway_media_type(struct cof_view first)
{
    static const struct {
        const char *magic;
        size_t len;
        const char *type;
    } known[] = {{"\x89PNG\r\n\x1a\n", 8, "image/png"}, {"\xff\xd8\xff", 3, "image/jpeg"}, {"GIF8", 4, "image/gif"},
                 {"%PDF-", 5, "application/pdf"}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (cof_view_starts(first, cof_view_of(known[i].magic, known[i].len)))
            return known[i].type;
    return "application/octet-stream";
}

bool gateway_is_key(const char *key)
{
    size_t n = strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:");

    return n > 0 && n <= 128 && key[n] == '\0';
}

enum cof_err gateway_read_job(struct cof_view body, char job[static COF_JOB_ID_MAX + 1], struct cof_diag *diag)
{
    struct cof_view id = {0};
    json_t *o = NULL;
    enum cof_err err = cof_json_parse_object(body, REPLY_MAX, &o, diag);

    job[0] = '\0';
    if (err == COF_OK)
        err = cof_json_text(o, "job", &id, diag);
    if (err == COF_OK && !cof_job_is_id(id))
        err = cof_diag_set(diag, COF_E_FORMAT, "the gateway's reply names no job");
    if (err == COF_OK) {
        memcpy(job, id.data, id.len);
        job[id.len] = '\0';
    }
    json_decref(o);
    return err;
}
