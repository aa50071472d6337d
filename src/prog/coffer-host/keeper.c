/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper.h"

#include "format/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 1000
#define PAUSE_FIRST_MS 500
#define PAUSE_MAX_MS 30000
#define ANSWER_MAX 65536

/* What was asked last. */
enum asked { ASKED_START, ASKED_LIST, ASKED_END };

struct keeper {
    struct cof_loop *loop;
    struct keeper_opts opts;
    struct cof_http_client *http;
    struct cof_http_call *call;
    struct cof_timer timer;
    struct cof_buf answer;
    enum asked asked;
    int status;
    char id[64]; /* of the enclave; empty: none runs */
    int64_t pause_ms;
    bool ended;
};

static void ask(struct keeper *k, enum asked what);

static void later(struct keeper *k, int64_t ms)
{
    if (cof_loop_arm(k->loop, &k->timer, ms) != COF_OK)
        cof_log_event(k->opts.log, COF_LOG_ERROR, "host.no_timer", NULL);
}

static void grow_pause(struct keeper *k)
{
    later(k, k->pause_ms);
    k->pause_ms = k->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : k->pause_ms * 2;
}

static void got_start(struct keeper *k)
{
    json_t *o = NULL;
    struct cof_view id;

    if (k->status == 201 && cof_json_parse_object(cof_buf_view(&k->answer), ANSWER_MAX, &o, NULL) == COF_OK &&
        cof_json_text(o, "id", &id, NULL) == COF_OK && id.len < sizeof k->id) {
        memcpy(k->id, id.data, id.len);
        k->id[id.len] = '\0';
        cof_log_event(k->opts.log, COF_LOG_INFO, "host.enclave_started", "id", k->id, NULL);
        k->opts.started(k->opts.ctx, cof_buf_view(&k->answer));
        later(k, LOOK_MS);
    } else {
        cof_log_event(k->opts.log, COF_LOG_ERROR, "host.enclave_not_started", "why", cof_buf_cstr(&k->answer), NULL);
        grow_pause(k);
    }
    json_decref(o);
}

static void got_list(struct keeper *k)
{
    json_t *o = NULL;
    const json_t *list;
    bool runs = false;

    if (k->status != 200 || cof_json_parse_object(cof_buf_view(&k->answer), ANSWER_MAX, &o, NULL) != COF_OK) {
        later(k, LOOK_MS);
        return;
    }
    list = json_object_get(o, "enclaves");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *id = json_string_value(json_object_get(json_array_get(list, i), "id"));
        runs = runs || (id != NULL && strcmp(id, k->id) == 0);
    }
    json_decref(o);
    if (runs) {
        k->pause_ms = PAUSE_FIRST_MS;
        later(k, LOOK_MS);
        return;
    }
    cof_log_event(k->opts.log, COF_LOG_WARN, "host.enclave_ended", "id", k->id, NULL);
    k->id[0] = '\0';
    grow_pause(k);
}

static void on_head(void *ctx, struct cof_http_call *call, const struct cof_http_head *head)
{
    (void)call;
    ((struct keeper *)ctx)->status = head->status;
}

static void on_body(void *ctx, struct cof_http_call *call, struct cof_view piece)
{
    (void)call;
    cof_buf_add(&((struct keeper *)ctx)->answer, piece);
}

static void on_done(void *ctx, struct cof_http_call *call, enum cof_err err, const struct cof_diag *diag, bool sent)
{
    struct keeper *k = ctx;

    (void)call;
    (void)sent;
    k->call = NULL;
    if (k->asked == ASKED_END) {
        k->ended = true;
    } else if (err != COF_OK) {
        cof_log_event(k->opts.log, COF_LOG_WARN, "host.no_hypervisor", "why", diag != NULL ? diag->text : "", NULL);
        grow_pause(k);
    } else if (k->asked == ASKED_START) {
        got_start(k);
    } else {
        got_list(k);
    }
}

static void add_member(struct cof_buf *json, const char *name, const char *text)
{
    if (text != NULL)
        cof_json_add_member(json, name, cof_view_str(text));
}

static void add_launch(struct keeper *k, struct cof_buf *json)
{
    cof_buf_add_str(json, "{");
    add_member(json, "enclave", k->opts.enclave);
    add_member(json, "config", k->opts.config);
    add_member(json, "processor", k->opts.processor);
    add_member(json, "image", k->opts.image);
    add_member(json, "vsock", k->opts.vsock);
    if (k->opts.image != NULL)
        cof_json_add_member_int(json, "memory_mib", (int64_t)k->opts.memory_mib);
    add_member(json, "log", k->opts.log_file);
    add_member(json, "role_arn", k->opts.role_arn);
    cof_json_add_name(json, "debug");
    cof_buf_add_str(json, k->opts.debug ? "true}" : "false}");
}

static void ask(struct keeper *k, enum asked what)
{
    struct cof_http_callbacks cb = {.head = on_head, .body = on_body, .done = on_done, .ctx = k};
    struct cof_http_call_opts o = {.host = "hypervisor", .port = 80, .has_addr = true, .addr = k->opts.hypervisor,
                                   .total_ms = 30000};
    struct cof_buf head, body;

    k->asked = what;
    k->status = 0;
    cof_buf_reset(&k->answer);
    cof_buf_init(&head, 1024);
    cof_buf_init(&body, 16384);
    if (what == ASKED_START) {
        add_launch(k, &body);
        cof_buf_printf(&head, "POST /enclaves HTTP/1.1\r\nHost: hypervisor\r\nContent-Length: %zu\r\n\r\n", body.len);
    } else if (what == ASKED_LIST) {
        cof_buf_add_str(&head, "GET /enclaves HTTP/1.1\r\nHost: hypervisor\r\n\r\n");
    } else {
        cof_buf_printf(&head, "DELETE /enclaves/%s HTTP/1.1\r\nHost: hypervisor\r\n\r\n", k->id);
    }
    o.head = cof_buf_view(&head);
    o.body = cof_buf_view(&body);
    if (cof_http_call_start(k->http, &o, &cb, &k->call) != COF_OK)
        grow_pause(k);
    cof_buf_done(&head);
    cof_buf_done(&body);
}

static void on_timer(struct cof_timer *timer)
{
    struct keeper *k = (struct keeper *)(void *)((char *)timer - offsetof(struct keeper, timer));

    if (k->call == NULL)
        ask(k, k->id[0] == '\0' ? ASKED_START : ASKED_LIST);
}

enum cof_err keeper_new(struct cof_loop *loop, const struct keeper_opts *opts, struct keeper **out)
{
    struct keeper *k = calloc(1, sizeof *k);
    struct cof_http_client_opts http = {.resolve = cof_resolve_literal, .per_endpoint = 1};
    enum cof_err err;

    *out = NULL;
    if (k == NULL)
        return COF_E_MEMORY;
    k->loop = loop;
    k->opts = *opts;
    k->pause_ms = PAUSE_FIRST_MS;
    k->timer.fire = on_timer;
    cof_buf_init(&k->answer, ANSWER_MAX);
    err = cof_http_client_new(loop, &http, &k->http);
    if (err == COF_OK)
        err = cof_loop_arm(loop, &k->timer, 0);
    if (err != COF_OK) {
        keeper_free(k);
        return err;
    }
    *out = k;
    return COF_OK;
}

void keeper_free(struct keeper *k)
{
    if (k == NULL)
        return;
    cof_loop_disarm(k->loop, &k->timer);
    if (k->call != NULL)
        cof_http_call_cancel(k->call);
    k->call = NULL;
    if (k->id[0] != '\0') {
        ask(k, ASKED_END);
        if (cof_loop_run_until(k->loop, &k->ended, 2000) != COF_OK)
            cof_log_event(k->opts.log, COF_LOG_WARN, "host.enclave_not_ended", NULL);
        cof_loop_disarm(k->loop, &k->timer);
    }
    cof_http_client_free(k->http);
    cof_buf_done(&k->answer);
    free(k);
}
