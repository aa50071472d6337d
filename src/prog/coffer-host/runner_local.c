/* SPDX-License-Identifier: Apache-2.0 */
#include "runner.h"

#include "format/json.h"
#include "io/http_client.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX 65536
#define ANSWER_MS 30000

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/* What was asked last. */
enum asked { ASKED_START, ASKED_LIST, ASKED_END };

struct local {
    struct runner base;
    struct runner_local_opts opts;
    struct cof_http_client *http;
    struct cof_http_call *call;
    struct cof_buf answer;
    enum asked asked;
    int status;
    char id[64]; /* of the enclave; empty: none runs */
};

static void tell(struct local *l, enum runner_news news, struct cof_view text)
{
    l->base.told(l->base.ctx, news, text);
}

static void got_start(struct local *l)
{
    json_t *o = NULL;
    struct cof_view id;

    if (l->status == 201 && cof_json_parse_object(cof_buf_view(&l->answer), ANSWER_MAX, &o, NULL) == COF_OK &&
        cof_json_text(o, "id", &id, NULL) == COF_OK && id.len < sizeof l->id) {
        memcpy(l->id, id.data, id.len);
        l->id[id.len] = '\0';
        tell(l, NEWS_STARTED, cof_buf_view(&l->answer));
    } else {
        tell(l, NEWS_NOT_STARTED, cof_buf_view(&l->answer));
    }
    json_decref(o);
}

static void got_list(struct local *l)
{
    json_t *o = NULL;
    const json_t *list;
    bool runs = false;

    if (l->status != 200 || cof_json_parse_object(cof_buf_view(&l->answer), ANSWER_MAX, &o, NULL) != COF_OK) {
        tell(l, NEWS_UNKNOWN, COF_LIT("the hypervisor's list cannot be read"));
        return;
    }
    list = json_object_get(o, "enclaves");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *id = json_string_value(json_object_get(json_array_get(list, i), "id"));
        runs = runs || (id != NULL && strcmp(id, l->id) == 0);
    }
    json_decref(o);
    if (!runs)
        l->id[0] = '\0';
    tell(l, runs ? NEWS_RUNS : NEWS_GONE, COF_LIT(""));
}

static void got_end(struct local *l)
{
    if (l->status != 200 && l->status != 404) {
        tell(l, NEWS_UNKNOWN, cof_buf_view(&l->answer));
        return;
    }
    l->id[0] = '\0';
    tell(l, NEWS_ENDED, COF_LIT(""));
}

static void on_head(void *ctx, struct cof_http_call *call, const struct cof_http_head *head)
{
    (void)call;
    ((struct local *)ctx)->status = head->status;
}

static void on_body(void *ctx, struct cof_http_call *call, struct cof_view piece)
{
    (void)call;
    cof_buf_add(&((struct local *)ctx)->answer, piece);
}

static void on_done(void *ctx, struct cof_http_call *call, enum cof_err err, const struct cof_diag *diag, bool sent)
{
    static void (*const got[])(struct local *l) = {[ASKED_START] = got_start, [ASKED_LIST] = got_list, [ASKED_END] = got_end};
    struct local *l = ctx;

    (void)call;
    (void)sent;
    l->call = NULL;
    if (err == COF_OK)
        got[l->asked](l);
    else
        tell(l, l->asked == ASKED_START ? NEWS_NOT_STARTED : NEWS_UNKNOWN, cof_view_str(diag != NULL ? diag->text : cof_err_text(err)));
}

static void add_member(struct cof_buf *json, const char *name, const char *text)
{
    if (text != NULL)
        cof_json_add_member(json, name, cof_view_str(text));
}

static void add_launch(const struct runner_local_opts *o, struct cof_buf *json)
{
    cof_buf_add_str(json, "{");
    add_member(json, "enclave", o->enclave);
    add_member(json, "config", o->config);
    add_member(json, "processor", o->processor);
    add_member(json, "image", o->image);
    add_member(json, "vsock", o->vsock);
    if (o->image != NULL)
        cof_json_add_member_int(json, "memory_mib", (int64_t)o->memory_mib);
    add_member(json, "log", o->log_file);
    add_member(json, "role_arn", o->role_arn);
    cof_json_add_name(json, "debug");
    cof_buf_add_str(json, o->debug ? "true}" : "false}");
}

static void ask(struct local *l, enum asked what)
{
    struct cof_http_callbacks cb = {.head = on_head, .body = on_body, .done = on_done, .ctx = l};
    struct cof_http_call_opts o = {.host = "hypervisor", .port = 80, .has_addr = true, .addr = l->opts.hypervisor,
                                   .total_ms = ANSWER_MS};
    struct cof_buf head, body;
    bool started;

    if (l->call != NULL)
        cof_http_call_cancel(l->call);
    l->call = NULL;
    l->asked = what;
    l->status = 0;
    cof_buf_reset(&l->answer);
    cof_buf_init(&head, 1024);
    cof_buf_init(&body, 16384);
    if (what == ASKED_START) {
        add_launch(&l->opts, &body);
        cof_buf_printf(&head, "POST /enclaves HTTP/1.1\r\nHost: hypervisor\r\nContent-Length: %zu\r\n\r\n", body.len);
    } else if (what == ASKED_LIST) {
        cof_buf_add_str(&head, "GET /enclaves HTTP/1.1\r\nHost: hypervisor\r\n\r\n");
    } else {
        cof_buf_printf(&head, "DELETE /enclaves/%s HTTP/1.1\r\nHost: hypervisor\r\n\r\n", l->id);
    }
    o.head = cof_buf_view(&head);
    o.body = cof_buf_view(&body);
    started = cof_http_call_start(l->http, &o, &cb, &l->call) == COF_OK;
    cof_buf_done(&head);
    cof_buf_done(&body);
    if (!started)
        tell(l, what == ASKED_START ? NEWS_NOT_STARTED : NEWS_UNKNOWN, COF_LIT("the hypervisor cannot be asked"));
}

static void start(struct runner *r)
{
    ask(OWNER(r, struct local, base), ASKED_START);
}

static void look(struct runner *r)
{
    ask(OWNER(r, struct local, base), ASKED_LIST);
}

static void end(struct runner *r)
{
    ask(OWNER(r, struct local, base), ASKED_END);
}

static const char *id(const struct runner *r)
{
    return ((const struct local *)(const void *)((const char *)r - offsetof(struct local, base)))->id;
}

static void free_local(struct runner *r)
{
    struct local *l = OWNER(r, struct local, base);

    if (l->call != NULL)
        cof_http_call_cancel(l->call);
    cof_http_client_free(l->http);
    cof_buf_done(&l->answer);
    free(l);
}

enum cof_err runner_local_new(struct cof_loop *loop, const struct runner_local_opts *opts, struct runner **out)
{
    struct local *l = calloc(1, sizeof *l);
    struct cof_http_client_opts http = {.resolve = cof_resolve_literal, .per_endpoint = 1};
    enum cof_err err;

    *out = NULL;
    if (l == NULL)
        return COF_E_MEMORY;
    l->base = (struct runner){.start = start, .look = look, .end = end, .free = free_local, .id = id};
    l->opts = *opts;
    cof_buf_init(&l->answer, ANSWER_MAX);
    err = cof_http_client_new(loop, &http, &l->http);
    if (err != COF_OK) {
        free_local(&l->base);
        return err;
    }
    *out = &l->base;
    return COF_OK;
}
