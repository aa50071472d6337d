/* SPDX-License-Identifier: Apache-2.0 */
#include "client/metadata.h"

#include <stdlib.h>
#include <string.h>

#define BODY_MAX 65536

struct cof_metadata {
    struct cof_http_client *http;
    struct cof_http_call *call;
    struct cof_buf body;
    int status;
    void (*done)(void *ctx, enum cof_err err, int status, struct cof_view body);
    void *ctx;
};

static void end(struct cof_metadata *m)
{
    cof_buf_done(&m->body);
    cof_loop_discard(cof_http_client_loop(m->http), m);
}

static void on_head(void *ctx, struct cof_http_call *call, const struct cof_http_head *head)
{
    (void)call;
    ((struct cof_metadata *)ctx)->status = head->status;
}

static void on_body(void *ctx, struct cof_http_call *call, struct cof_view piece)
{
    (void)call;
    cof_buf_add(&((struct cof_metadata *)ctx)->body, piece);
}

static void on_done(void *ctx, struct cof_http_call *call, enum cof_err err, const struct cof_diag *diag, bool sent)
{
    struct cof_metadata *m = ctx;

    (void)call;
    (void)diag;
    (void)sent;
    if (err == COF_OK)
        err = cof_buf_err(&m->body);
    m->call = NULL;
    m->done(m->ctx, err, m->status, cof_buf_view(&m->body));
    end(m);
}

static enum cof_err write_head(const struct cof_metadata_request *r, struct cof_buf *out)
{
    struct cof_headers headers;
    struct cof_buf host;
    enum cof_err err;

    for (size_t i = 0; i < r->target.len; i++)
        if (r->target.data[i] <= ' ' || r->target.data[i] >= 0x7f)
            return COF_E_CONFIG;
    cof_headers_init(&headers);
    cof_buf_init(&host, 300);
    cof_buf_printf(&host, "%s:%u", r->endpoint.host, r->endpoint.port);
    cof_headers_add_str(&headers, "Host", cof_buf_cstr(&host));
    cof_headers_add_str(&headers, "Accept", "*/*");
    cof_headers_add_str(&headers, "User-Agent", "coffer/" COF_VERSION);
    if (r->header != NULL)
        cof_headers_add(&headers, cof_view_str(r->header), r->value);
    if (strcmp(r->method, "PUT") == 0)
        cof_headers_add_str(&headers, "Content-Length", "0");
    cof_buf_printf(out, "%s ", r->method);
    cof_buf_add(out, r->target);
    cof_buf_add_str(out, " HTTP/1.1\r\n");
    cof_headers_write(&headers, out);
    cof_buf_add_str(out, "\r\n");
    err = cof_headers_err(&headers);
    cof_headers_done(&headers);
    cof_buf_done(&host);
    return err == COF_OK ? cof_buf_err(out) : err;
}

enum cof_err cof_metadata_start(struct cof_http_client *http, const struct cof_metadata_request *request,
                                void (*done)(void *ctx, enum cof_err err, int status, struct cof_view body), void *ctx,
                                struct cof_metadata **out)
{
    struct cof_metadata *m = calloc(1, sizeof *m);
    struct cof_http_callbacks cb = {on_head, on_body, NULL, on_done, m};
    struct cof_http_call_opts opts = {.https = request->endpoint.https, .host = request->endpoint.host,
                                      .port = request->endpoint.port, .has_addr = request->endpoint.has_addr,
                                      .addr = request->endpoint.addr, .total_ms = request->total_ms};
    struct cof_buf head;
    enum cof_err err;

    *out = NULL;
    if (m == NULL)
        return COF_E_MEMORY;
    m->http = http;
    m->done = done;
    m->ctx = ctx;
    cof_buf_init_secret(&m->body, BODY_MAX);
    cof_buf_init_secret(&head, 32768);
    err = write_head(request, &head);
    opts.head = cof_buf_view(&head);
    if (err == COF_OK)
        err = cof_http_call_start(http, &opts, &cb, &m->call);
    cof_buf_done(&head);
    if (err != COF_OK) {
        cof_buf_done(&m->body);
        free(m);
        return err;
    }
    *out = m;
    return COF_OK;
}

void cof_metadata_cancel(struct cof_metadata *metadata)
{
    if (metadata == NULL)
        return;
    if (metadata->call != NULL)
        cof_http_call_cancel(metadata->call);
    metadata->call = NULL;
    end(metadata);
}

enum cof_err cof_metadata_url(const char *url, struct cof_aws_endpoint *endpoint, struct cof_view *target,
                              struct cof_diag *diag)
{
    const char *slash = strstr(url, "://");
    char front[300];
    size_t n;

    slash = slash != NULL ? strchr(slash + 3, '/') : NULL;
    n = slash != NULL ? (size_t)(slash - url) : strlen(url);
    if (n >= sizeof front)
        return cof_diag_set(diag, COF_E_CONFIG, "the URL is too long");
    memcpy(front, url, n);
    front[n] = '\0';
    *target = slash != NULL ? cof_view_str(slash) : COF_LIT("/");
    return cof_aws_endpoint_parse(front, endpoint, diag) == COF_OK ? COF_OK : COF_E_CONFIG;
}
