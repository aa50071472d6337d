/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics.h"

#include "base/num.h"
#include "io/file.h"
#include "io/http_server.h"
#include "local.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct metrics {
    struct metrics_opts opts;
    struct cof_http_server *server; /* NULL: not asked for */
    struct cof_metrics counts;
};

/* The second number of /proc/self/statm, in pages. 0: not known. */
static uint64_t resident_bytes(void)
{
    struct cof_view size, rest, resident;
    struct cof_buf text;
    uint64_t pages = 0;
    long page = sysconf(_SC_PAGESIZE);

    cof_buf_init(&text, 4096);
    if (cof_file_read("/proc/self/statm", &text, NULL) == COF_OK) {
        (void)cof_view_split(cof_buf_view(&text), ' ', &size, &rest);
        (void)cof_view_split(rest, ' ', &resident, &rest);
        if (cof_parse_u64(resident, UINT32_MAX, &pages) != COF_OK)
            pages = 0;
    }
    cof_buf_done(&text);
    return page > 0 ? pages * (uint64_t)page : 0;
}

static void on_head(void *ctx, struct cof_xchg *x)
{
    struct metrics *m = ctx;
    const struct cof_http_head *head = cof_xchg_head(x);
    struct cof_metrics_now now;
    struct cof_headers headers;
    struct cof_buf text;

    if (!cof_view_eq_str(head->path, "/metrics") || !cof_view_eq_str(head->method, "GET")) {
        cof_xchg_reply(x, cof_view_eq_str(head->path, "/metrics") ? 405 : 404, NULL, COF_LIT(""));
        return;
    }
    cof_buf_init(&text, COF_METRICS_TEXT_MAX);
    cof_headers_init(&headers);
    cof_headers_add_str(&headers, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    m->opts.read_off(m->opts.ctx, &now);
    now.resident_bytes = resident_bytes();
    cof_metrics_write(&m->counts, &now, &text);
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

static enum cof_err listen_at(struct metrics *m, struct cof_diag *diag)
{
    struct cof_http_server_opts opts = {.allow_plain = true, .handler = {on_head, on_body, on_end, on_end, on_closed, m},
        .limits = {.body_bytes = 4096, .connections = 32}};
    struct cof_addr addr;
    char url[400], path[4096];
    enum cof_err err = cof_addr_parse(m->opts.address, &opts.listen, diag);

    if (err == COF_OK)
        err = cof_http_server_new(m->opts.loop, &opts, &m->server, diag);
    if (err != COF_OK)
        return err;
    cof_http_server_addr(m->server, &addr);
    if (addr.kind == COF_ADDR_TCP)
        (void)snprintf(url, sizeof url, strchr(addr.host, ':') != NULL ? "http://[%s]:%u/metrics\n" : "http://%s:%u/metrics\n", addr.host, addr.port);
    else
        (void)snprintf(url, sizeof url, "%s\n", m->opts.address);
    return cof_local_path(path, m->opts.data, "metrics") ? cof_file_write(path, cof_view_str(url), 0644, diag) : COF_E_USAGE;
}

enum cof_err metrics_new(const struct metrics_opts *opts, struct metrics **out, struct cof_diag *diag)
{
    struct metrics *m = calloc(1, sizeof *m);
    enum cof_err err;

    *out = NULL;
    if (m == NULL)
        return COF_E_MEMORY;
    m->opts = *opts;
    m->counts.has_operation = opts->has_operation;
    m->counts.ctx = opts->ctx;
    err = opts->address == NULL ? COF_OK : listen_at(m, diag);
    if (err != COF_OK) {
        metrics_free(m);
        return err;
    }
    *out = m;
    return COF_OK;
}

struct cof_metrics *metrics_counts(struct metrics *m)
{
    return &m->counts;
}

void metrics_free(struct metrics *m)
{
    if (m == NULL)
        return;
    cof_http_server_free(m->server);
    free(m);
}
