/* SPDX-License-Identifier: Apache-2.0 */
#include "io/metrics_server.h"

#include "io/http_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cof_metrics_server {
    struct cof_metrics_server_opts opts;
    struct cof_http_server *http;
};

static void on_head(void *ctx, struct cof_xchg *x)
{
    struct cof_metrics_server *s = ctx;
    const struct cof_http_head *head = cof_xchg_head(x);
    struct cof_headers headers;
    struct cof_buf text;

    if (!cof_view_eq_str(head->path, "/metrics") || !cof_view_eq_str(head->method, "GET")) {
        cof_xchg_reply(x, cof_view_eq_str(head->path, "/metrics") ? 405 : 404, NULL, COF_LIT(""));
        return;
    }
    cof_buf_init(&text, s->opts.text_max);
    cof_headers_init(&headers);
    cof_headers_add_str(&headers, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    s->opts.write(s->opts.ctx, &text);
    if (cof_buf_err(&text) == COF_OK && cof_headers_err(&headers) == COF_OK)
        cof_xchg_reply(x, 200, &headers, cof_buf_view(&text));
    else
        cof_xchg_reply(x, 503, NULL, COF_LIT(""));
    cof_headers_done(&headers);
    cof_buf_done(&text);
}

static void on_body(void *ctx, struct cof_xchg *x, struct cof_view piece)
{
    (void)ctx;
    (void)x;
    (void)piece;
}

static void on_end(void *ctx, struct cof_xchg *x)
{
    (void)ctx;
    (void)x;
}

static void on_closed(void *ctx, struct cof_xchg *x, enum cof_err why)
{
    (void)ctx;
    (void)x;
    (void)why;
}

enum cof_err cof_metrics_server_new(struct cof_loop *loop, const struct cof_metrics_server_opts *opts,
                                    struct cof_metrics_server **out, struct cof_diag *diag)
{
    struct cof_metrics_server *s = calloc(1, sizeof *s);
    struct cof_http_server_opts http = {.allow_plain = true, .handler = {on_head, on_body, on_end, on_end, on_closed, s},
        .limits = {.body_bytes = 4096, .connections = 32}};
    enum cof_err err;

    *out = NULL;
    if (s == NULL)
        return COF_E_MEMORY;
    s->opts = *opts;
    err = cof_addr_parse(opts->address, &http.listen, diag);
    if (err == COF_OK)
        err = cof_http_server_new(loop, &http, &s->http, diag);
    if (err != COF_OK) {
        free(s);
        return err;
    }
    *out = s;
    return COF_OK;
}

void cof_metrics_server_url(const struct cof_metrics_server *s, char out[static 400])
{
    struct cof_addr addr;

    cof_http_server_addr(s->http, &addr);
    if (addr.kind == COF_ADDR_TCP)
        (void)snprintf(out, 400, strchr(addr.host, ':') != NULL ? "http://[%s]:%u/metrics" : "http://%s:%u/metrics", addr.host, addr.port);
    else
        (void)snprintf(out, 400, "%s", s->opts.address);
}

void cof_metrics_server_free(struct cof_metrics_server *s)
{
    if (s == NULL)
        return;
    cof_http_server_free(s->http);
    free(s);
}
