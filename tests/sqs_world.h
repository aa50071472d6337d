/* SPDX-License-Identifier: Apache-2.0
 *
 * SQS alone over a store in memory, called as the dispatcher calls it, in the name of the account's root: for tests and the
 * fuzzer, which need no signatures and have a clock of their own.
 */
#ifndef COF_SQS_WORLD_H
#define COF_SQS_WORLD_H

#include "format/json.h"
#include "memory_store.h"
#include "seeded.h"
#include "standin/reply.h"
#include "standin/sqs.h"
#include "standin/sqs_store.h"
#include "standin/trail.h"

#define SQS_WORLD_NOW 1795464000000LL /* 2026-11-23T20:00:00Z */
#define SQS_WORLD_URL "http://localhost/111122223333/q"

struct sqs_world {
    struct memory_store store;
    uint64_t rng_state;
    struct cof_rng rng;
    struct cof_secret master;
    const struct cof_service *services[1];
    struct cof_standin *s;
    struct cof_iam_principal root;
    struct cof_standin_reply reply; /* of the last call */
    int64_t now_ms, started_ms, notified_at_ms; /* started_ms: of a call that waited; 0: now */
    unsigned n_notified;
};

static inline void sqs_world_notified(void *ctx, const char *wait_on, int64_t at_ms)
{
    struct sqs_world *w = ctx;

    (void)wait_on;
    w->n_notified++;
    w->notified_at_ms = at_ms;
}

/* The service starts, knowing nothing but what the store has. */
static inline void sqs_world_start(struct sqs_world *w)
{
    if (cof_standin_new(&(struct cof_standin_opts){.store = &w->store.ops, .rng = &w->rng, .master_key = &w->master, .account = "111122223333",
            .region = "us-east-1", .endpoint = "http://localhost", .services = w->services, .n_services = 1, .notify = sqs_world_notified, .ctx = w},
            &w->s, NULL) != COF_OK)
        abort();
}

static inline void sqs_world_init(struct sqs_world *w)
{
    *w = (struct sqs_world){.rng_state = 4711, .now_ms = SQS_WORLD_NOW, .master = {{7}, 32}, .services = {&cof_service_sqs},
                            .root = {.account = "111122223333", .arn = (char *)(uintptr_t)"arn:aws:iam::111122223333:root",
                                     .user_id = (char *)(uintptr_t)"111122223333"}};
    w->rng = (struct cof_rng){seeded_fill, &w->rng_state};
    w->root.caller = (struct cof_caller){.kind = COF_CALLER_ROOT, .account = cof_view_str(w->root.account), .arn = cof_view_str(w->root.arn),
                                         .user_id = cof_view_str(w->root.user_id)};
    memory_store_init(&w->store);
    cof_reply_init(&w->reply);
    sqs_world_start(w);
}

static inline void sqs_world_done(struct sqs_world *w)
{
    cof_reply_done(&w->reply);
    cof_standin_free(w->s);
    memory_store_done(&w->store);
}

/* operation NULL: body is a form. -> the status; 0: it waits. */
static inline int sqs_world_call(struct sqs_world *w, const char *operation, struct cof_view body)
{
    const struct cof_store *store = &w->store.ops;
    struct cof_standin_request req = {.body = body, .service = "sqs", .principal = &w->root, .region = "us-east-1", .source_ip = "127.0.0.1",
                                      .now_ms = w->now_ms, .started_ms = w->started_ms != 0 ? w->started_ms : w->now_ms, .id = "id"};
    struct cof_http_head head;
    struct cof_buf raw;
    size_t used;
    enum cof_err err;

    cof_buf_init(&raw, 4096);
    cof_buf_printf(&raw, "POST / HTTP/1.1\r\nHost: localhost\r\n");
    if (operation != NULL)
        cof_buf_printf(&raw, "X-Amz-Target: AmazonSQS.%s\r\n", operation);
    cof_buf_add_str(&raw, "\r\n");
    if (cof_http1_request(cof_buf_view(&raw), 4096, &head, &used) != COF_OK)
        abort();
    cof_trail_init(&req);
    req.head = &head;
    cof_reply_reset(&w->reply);
    if (store->savepoint(store->ctx) != COF_OK)
        abort();
    err = cof_service_sqs.handle(w->s, &req, &w->reply);
    if (err == COF_OK && w->reply.status < 400) {
        (void)store->release(store->ctx);
    } else {
        (void)store->rollback(store->ctx);
        cof_service_sqs.undone(w->s, cof_standin_state(w->s, "sqs"));
    }
    if (err != COF_OK || cof_buf_err(&w->reply.body) != COF_OK || (w->reply.status < 400 && w->reply.status != 0 && !req.authorized) ||
        (w->reply.status == 0 && w->reply.wait_until_ms == 0))
        w->reply.status = 500;
    cof_trail_done(&req);
    cof_buf_done(&raw);
    cof_http1_head_done(&head);
    return w->reply.status;
}

#endif
