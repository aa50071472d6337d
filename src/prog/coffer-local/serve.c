/* SPDX-License-Identifier: Apache-2.0
 *
 * The server: HTTP exchanges drive calls of the stand-in; replies wait for the commit at the end of the turn.
 */
#include "admin.h"
#include "enclaves.h"
#include "metrics.h"

#include "crypto/md5_many.h"
#include "format/json.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/hash_aside.h"
#include "io/http_server.h"
#include "io/key_maker.h"
#include "io/wait_room.h"
#include "local.h"
#include "standin/imds.h"
#include "standin/fault.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define PULL_BYTES 262144
#define PULL_SLACK 65600 /* a pull ends with a whole chunk, whose tag is opened where it lies */
#define CONNECTIONS 12000 /* as far as descriptors allow */
#define HASHED_MAX 64 /* uploads whose MD5s are computed together */
#define AUDIT_SYNC_MS 2000
#define DRAIN_MS 5000 /* how long a server that is to stop waits for open exchanges */

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

struct server;

struct exchange {
    struct server *server;
    struct cof_xchg *x;
    struct cof_standin_call *call;
    struct cof_timer wait;    /* until when it waits */
    struct cof_timer delay; /* a scripted one */
    uint64_t body_sent;
    int64_t began_us;
    struct cof_waiter waiter; /* in whose line */
    struct exchange *next_held, *next_hashed;
    bool held, hashed, streaming, answered, gone; /* held, hashed: in that list, and freed there when gone */
};

struct server {
    struct cof_local *local;
    struct cof_loop *loop;
    struct cof_http_server *http;
    struct cof_http_server *metadata; /* NULL: not asked for */
    int64_t started_ms, started_wall_ms;
    int64_t told_ms; /* when a failure was last spoken of */
    struct metrics *metrics;
    struct cof_metrics *counts; /* of it */
    struct cof_timer commit;
    struct cof_timer work; /* what services do of themselves */
    struct cof_timer sync; /* of the audit log */
    struct cof_timer rest; /* nothing was recorded for a while */
    bool active;           /* since rest was armed */
    struct cof_timer stop; /* the end of waiting for open exchanges */
    bool draining;         /* it is to stop */
    size_t n_exchanges;
    struct cof_watch signals;
    struct cof_wait_room *room;
    struct exchange *held, **held_end;
    struct exchange *hashed; /* bodies are whole, their MD5 is wanted */
    size_t n_hashed;
    struct cof_buf piece; /* of a body on its way out; empty but while it is sent */
};

/* A scripted cut or bit flip, before a piece of body goes out. False: the connection was cut. */
static bool spoil(struct exchange *e, struct cof_buf *piece)
{
    const struct cof_fault_effect *f = cof_standin_call_fault(e->call);
    uint64_t from = e->body_sent;

    e->body_sent += piece->len;
    if (f->tamper && from == 0 && piece->len > 0)
        piece->data[piece->len / 2] ^= 1;
    if (f->cut_after < 0 || e->body_sent <= (uint64_t)f->cut_after)
        return true;
    cof_buf_truncate(piece, (size_t)((uint64_t)f->cut_after - from));
    (void)cof_xchg_write(e->x, cof_buf_view(piece));
    e->streaming = false;
    cof_xchg_abort(e->x);
    return false;
}

/* One piece, into the buffer that all exchanges use in turn. False: there is no more to send now. */
static bool pump_piece(struct exchange *e, struct cof_buf *piece)
{
    struct cof_standin_reply *reply = cof_standin_call_reply(e->call);
    enum cof_err err = cof_buf_reserve(piece, PULL_BYTES + PULL_SLACK); /* at once: what grows is copied and wiped each time */

    if (err == COF_OK)
        err = reply->stream.pull(reply->stream.ctx, PULL_BYTES, piece);
    if (err != COF_OK) {
        e->streaming = false;
        cof_xchg_abort(e->x);
        return false;
    }
    if (piece->len > 0 && !spoil(e, piece))
        return false;
    if (piece->len > 0 && !cof_xchg_write(e->x, cof_buf_view(piece)))
        return false; /* writable() goes on */
    if (piece->len > 0 && e->body_sent < reply->stream.length)
        return true;
    e->streaming = false;
    cof_xchg_end(e->x);
    return false;
}

/* Streams what fits. */
static void pump(struct exchange *e)
{
    struct cof_buf *piece = &e->server->piece;

    while (e->streaming && pump_piece(e, piece))
        cof_buf_reset(piece);
    cof_buf_reset(piece); /* wiped */
}

/* Why something failed, once a second: the client is told no more than AWS tells. */
static void tell_failure(struct exchange *e)
{
    enum cof_err err = cof_standin_call_failed(e->call);
    int64_t now_ms = cof_loop_now_ms(e->server->loop);

    if (err == COF_OK || (e->server->told_ms != 0 && now_ms - e->server->told_ms < 1000))
        return;
    e->server->told_ms = now_ms;
    (void)fprintf(stderr, "coffer-local: error: %s %s failed: %s\n", cof_standin_call_service(e->call), cof_standin_call_operation(e->call),
        cof_err_text(err));
}

static void send_reply(struct exchange *e)
{
    struct cof_standin_reply *reply = cof_standin_call_reply(e->call);

    e->answered = true;
    tell_failure(e);
    e->server->counts->n_faults += cof_standin_call_fault(e->call)->any ? 1 : 0;
    cof_metrics_request(e->server->counts, cof_standin_call_service(e->call), cof_standin_call_operation(e->call), reply->status,
                        (uint64_t)(cof_clock_monotonic_us() - e->began_us));
    if (reply->has_head_length) {
        cof_xchg_start(e->x, reply->status, &reply->headers, (int64_t)reply->head_length);
        cof_xchg_end(e->x);
    } else if (reply->stream.pull != NULL) {
        cof_xchg_start(e->x, reply->status, &reply->headers, (int64_t)reply->stream.length);
        e->streaming = true;
        pump(e);
    } else if (cof_standin_call_fault(e->call)->any) {
        uint64_t length = reply->body.len;

        cof_xchg_start(e->x, reply->status, &reply->headers, (int64_t)length);
        if (length > 0 && spoil(e, &reply->body))
            (void)cof_xchg_write(e->x, cof_buf_view(&reply->body));
        if (cof_standin_call_fault(e->call)->cut_after < 0 || length <= (uint64_t)cof_standin_call_fault(e->call)->cut_after)
            cof_xchg_end(e->x);
    } else {
        cof_xchg_reply(e->x, reply->status, &reply->headers, cof_buf_view(&reply->body));
    }
}

static void on_delayed(struct cof_timer *timer)
{
    send_reply(OWNER(timer, struct exchange, delay));
}

/* Now, or after a scripted delay. */
static void send_soon(struct exchange *e)
{
    int64_t latency_ms = cof_standin_call_fault(e->call)->latency_ms;

    if (latency_ms == 0 || cof_loop_arm(e->server->loop, &e->delay, latency_ms) != COF_OK)
        send_reply(e);
}

static void arm_commit(struct server *sv)
{
    if (!sv->commit.armed && cof_loop_arm(sv->loop, &sv->commit, 0) != COF_OK)
        sv->commit.fire(&sv->commit);
}

/* The audit log is synced and signed a while after it grew. */
static void arm_sync(struct server *sv)
{
    sv->active = true;
    if (!sv->sync.armed && cof_loop_arm(sv->loop, &sv->sync, AUDIT_SYNC_MS) != COF_OK)
        sv->sync.armed = false; /* the next record tries again */
}

/* The reply stands. It waits for the end of the turn: for the commit of what it may tell of, and so that the records of all that was
 * only read in this turn leave in one write. */
static void answer(struct exchange *e)
{
    struct server *sv = e->server;

    e->held = true;
    e->next_held = NULL;
    *sv->held_end = e;
    sv->held_end = &e->next_held;
    arm_commit(sv);
}

/* After cof_standin_end: a reply, or a wait. True when it waits. */
static bool settle(struct exchange *e, bool at_head)
{
    struct server *sv = e->server;
    const struct cof_standin_reply *reply = cof_standin_call_reply(e->call);
    int64_t now_ms = cof_clock_wall_ms(), left = reply->wait_until_ms - now_ms;

    if (cof_standin_call_ready(e->call)) {
        cof_xchg_need_peer(e->x, false);
        answer(e);
        return false;
    }
    if (sv->draining || cof_loop_arm(sv->loop, &e->wait, left < 1 ? 1 : left) != COF_OK ||
        cof_wait_join(sv->room, &e->waiter, reply->wait_on, at_head) != COF_OK) {
        cof_xchg_abort(e->x);
        return false;
    }
    if (reply->wait_next_ms != 0)
        cof_wait_call(sv->room, reply->wait_on, reply->wait_next_ms <= now_ms ? 1 : reply->wait_next_ms - now_ms);
    cof_xchg_need_peer(e->x, true);
    return true;
}

/* Its turn has come; what it takes belongs to the commit of this turn of the loop. */
static enum cof_wait_result on_turn(struct cof_waiter *waiter)
{
    struct exchange *e = OWNER(waiter, struct exchange, waiter);

    cof_loop_disarm(e->server->loop, &e->wait);
    if (e->server->draining || cof_xchg_peer_is_gone(e->x)) { /* nobody is there to take anything, or to wait for it */
        cof_xchg_abort(e->x);
        return COF_WAIT_LEFT;
    }
    cof_standin_end(e->call, NULL, cof_clock_wall_ms());
    return settle(e, true) ? COF_WAIT_AGAIN : COF_WAIT_SERVED;
}

static void on_wait_over(struct cof_timer *timer)
{
    struct exchange *e = OWNER(timer, struct exchange, wait);

    cof_wait_leave(e->server->room, &e->waiter);
    (void)on_turn(&e->waiter);
}

static void arm_work(struct server *sv, int64_t due_ms)
{
    int64_t left = due_ms == INT64_MAX ? INT64_MAX : due_ms - cof_clock_wall_ms();

    if (due_ms == INT64_MAX || cof_loop_arm(sv->loop, &sv->work, left < 1 ? 1 : left > 60000 ? 60000 : left) != COF_OK)
        cof_loop_disarm(sv->loop, &sv->work); /* the next commit tries again */
}

static void on_work(struct cof_timer *timer)
{
    struct server *sv = OWNER(timer, struct server, work);
    const struct cof_store *store = cof_disk_store_ops(sv->local->disk);

    arm_work(sv, cof_standin_tick(sv->local->standin, cof_clock_wall_ms()));
    if (store->dirty(store->ctx))
        arm_commit(sv);
}

static void finish(struct exchange *e)
{
    cof_standin_end(e->call, cof_xchg_trailers(e->x), cof_clock_wall_ms());
    (void)settle(e, false);
}

/* The uploads that became whole in this turn: their MD5s side by side, then each as by itself. */
static void finish_hashed(struct server *sv)
{
    struct cof_md5_job *jobs[HASHED_MAX];
    struct exchange *e, *next;
    size_t n = 0;

    for (e = sv->hashed; e != NULL; e = e->next_hashed)
        if (!e->gone && (jobs[n] = cof_standin_md5(e->call)) != NULL)
            n++;
    if (cof_md5_many(jobs, n) != COF_OK)
        n = 0; /* each call tries by itself, and says why not */
    e = sv->hashed;
    sv->hashed = NULL;
    sv->n_hashed = 0;
    for (; e != NULL; e = next) {
        next = e->next_hashed;
        e->hashed = false;
        if (e->gone)
            free(e);
        else
            finish(e);
    }
}

/* As if it were killed: no answer, and no record. */
static void end_if_in_doubt(const struct server *sv)
{
    if (!cof_disk_store_is_in_doubt(sv->local->disk))
        return;
    (void)fprintf(stderr, "coffer-local: error: the disk fails again and again: whether the last commit is kept the next start will find out\n");
    _exit(COF_EXIT_FAILED);
}

/* One commit for all that was done in a turn, the records of it included. */
static enum cof_err commit(struct server *sv)
{
    const struct cof_store *store = cof_standin_store(sv->local->standin);
    struct cof_audit_log *audit = sv->local->audit;
    char data[64];
    uint64_t n_dropped;
    int64_t began_us;
    enum cof_err err;

    if (!store->dirty(store->ctx)) {
        (void)cof_audit_log_flush(audit); /* what cannot be written waits, up to a limit */
        arm_sync(sv);
        return store->commit(store->ctx);
    }
    began_us = cof_clock_monotonic_us();
    err = cof_audit_log_save(audit);
    if (err == COF_OK)
        err = store->commit(store->ctx);
    else
        store->abandon(store->ctx);
    if (err != COF_OK)
        end_if_in_doubt(sv);
    cof_metrics_commit(sv->counts, err == COF_OK, (uint64_t)(cof_clock_monotonic_us() - began_us));
    cof_audit_log_saved(audit, err == COF_OK, &n_dropped);
    arm_sync(sv);
    if (err == COF_OK)
        return err;
    (void)fprintf(stderr, "coffer-local: error: the store cannot commit: %s\n", cof_err_text(err));
    (void)snprintf(data, sizeof data, "{\"recordsTakenBack\":%llu}", (unsigned long long)n_dropped);
    (void)cof_audit_log_own(audit, "CommitFailed", cof_view_str(data), cof_clock_wall_ms());
    return err;
}

/* The end of a turn. */
static void on_commit(struct cof_timer *timer)
{
    struct server *sv = OWNER(timer, struct server, commit);
    struct exchange *e;
    enum cof_err err;

    finish_hashed(sv);
    cof_wait_room_run(sv->room);
    cof_loop_disarm(sv->loop, &sv->commit); /* armed by those who were woken */
    err = commit(sv);
    e = sv->held;
    sv->held = NULL;
    sv->held_end = &sv->held;
    for (struct exchange *i = e; err != COF_OK && i != NULL; i = i->next_held)
        if (!i->gone)
            cof_standin_undo(i->call, err); /* nothing was kept, and nothing is acknowledged */
    if (err != COF_OK)
        (void)cof_audit_log_flush(sv->local->audit);
    while (e != NULL) {
        struct exchange *next = e->next_held;

        e->held = false;
        if (e->gone)
            free(e);
        else
            send_soon(e);
        e = next;
    }
    if (err != COF_OK)
        cof_standin_undone(sv->local->standin);
    arm_work(sv, cof_standin_due(sv->local->standin));
}

static void on_sync(struct cof_timer *timer)
{
    struct server *sv = OWNER(timer, struct server, sync);
    const struct cof_store *store = cof_standin_store(sv->local->standin);

    if (store->dirty(store->ctx)) {
        cof_loop_disarm(sv->loop, &sv->commit);
        on_commit(&sv->commit);
    }
    if (cof_audit_log_sync(sv->local->audit, cof_clock_wall_ms(), false) != COF_OK || !cof_audit_log_is_synced(sv->local->audit)) {
        arm_sync(sv);
        return;
    }
    sv->active = false;
    if (!sv->rest.armed && cof_loop_arm(sv->loop, &sv->rest, AUDIT_SYNC_MS) != COF_OK)
        sv->rest.armed = false;
}

/* Nobody came since the log was synced: what memory the work has taken is given back. */
static void on_rest(struct cof_timer *timer)
{
    struct server *sv = OWNER(timer, struct server, rest);

    if (sv->active)
        return; /* the next sync arms it again */
    cof_disk_store_rest(sv->local->disk);
    (void)malloc_trim(0);
}

static void on_called(void *ctx)
{
    arm_commit(ctx);
}

static void on_notify(void *ctx, const char *wait_on, int64_t at_ms)
{
    struct server *sv = ctx;
    int64_t after_ms = at_ms == 0 ? 0 : at_ms - cof_clock_wall_ms();

    cof_wait_call(sv->room, wait_on, after_ms < 1 && at_ms != 0 ? 1 : after_ms);
}

static void on_key(void *ctx, unsigned bits)
{
    struct server *sv = ctx;

    cof_standin_rsa_ready(sv->local->standin, bits);
}

/* service: the one alone that the listener serves, or NULL. */
static void begin(struct server *sv, struct cof_xchg *x, const char *service)
{
    struct exchange *e = calloc(1, sizeof *e);
    struct cof_standin_peer from = {.tls = cof_xchg_is_tls(x)};
    char peer[64];

    if (e == NULL) {
        cof_xchg_reply(x, 503, NULL, COF_LIT(""));
        return;
    }
    e->server = sv;
    e->x = x;
    e->began_us = cof_clock_monotonic_us();
    e->wait.fire = on_wait_over;
    e->delay.fire = on_delayed;
    e->waiter.wake = on_turn;
    cof_xchg_peer(x, peer);
    from.service = service;
    cof_xchg_tls_names(x, &from.tls_version, &from.tls_cipher);
    from.source_ip = peer;
    if (cof_standin_open(sv->local->standin, cof_xchg_head(x), &from, cof_clock_wall_ms(), &e->call) != COF_OK) {
        free(e);
        cof_xchg_reply(x, 503, NULL, COF_LIT(""));
        return;
    }
    cof_xchg_set_user(x, e);
    sv->n_exchanges++;
    if (cof_standin_call_ready(e->call)) {
        cof_xchg_decided(x);
        answer(e);
    }
}

static void on_head(void *ctx, struct cof_xchg *x)
{
    begin(ctx, x, NULL);
}

static void on_metadata_head(void *ctx, struct cof_xchg *x)
{
    begin(ctx, x, cof_service_imds.name);
}

static void on_body(void *ctx, struct cof_xchg *x, struct cof_view piece)
{
    struct exchange *e = cof_xchg_user(x);

    (void)ctx;
    if (e != NULL)
        cof_standin_body(e->call, piece);
}

static void on_end(void *ctx, struct cof_xchg *x)
{
    struct exchange *e = cof_xchg_user(x);
    struct server *sv = ctx;

    if (e == NULL || cof_standin_call_ready(e->call))
        return;
    if (cof_standin_md5(e->call) == NULL) {
        finish(e);
        return;
    }
    e->hashed = true;
    e->next_hashed = sv->hashed;
    sv->hashed = e;
    if (++sv->n_hashed == HASHED_MAX)
        finish_hashed(sv);
    else
        arm_commit(sv);
}

static void on_writable(void *ctx, struct cof_xchg *x)
{
    struct exchange *e = cof_xchg_user(x);

    (void)ctx;
    if (e != NULL)
        pump(e);
}

static void on_closed(void *ctx, struct cof_xchg *x, enum cof_err why)
{
    struct server *sv = ctx;
    struct exchange *e = cof_xchg_user(x);

    (void)why;
    if (e == NULL)
        return;
    cof_loop_disarm(sv->loop, &e->wait);
    cof_loop_disarm(sv->loop, &e->delay);
    cof_wait_leave(sv->room, &e->waiter);
    e->streaming = false;
    sv->counts->n_aborted += e->answered ? 0 : 1;
    cof_standin_close(e->call);
    e->call = NULL;
    if (e->held || e->hashed)
        e->gone = true; /* still in the list of the held; freed there */
    else
        cof_loop_discard(sv->loop, e);
    if (--sv->n_exchanges == 0 && sv->draining)
        cof_loop_stop(sv->loop);
}

static void on_stop(struct cof_timer *timer)
{
    cof_loop_stop(OWNER(timer, struct server, stop)->loop);
}

/* No more connections; open exchanges may end. Long polls do so at once: they have been promised nothing. */
static void drain(struct server *sv)
{
    sv->draining = true;
    cof_http_server_drain(sv->http);
    if (sv->metadata != NULL)
        cof_http_server_drain(sv->metadata);
    cof_wait_room_call_all(sv->room);
    if (sv->n_exchanges == 0 || cof_loop_arm(sv->loop, &sv->stop, DRAIN_MS) != COF_OK)
        cof_loop_stop(sv->loop);
}

/* Somebody moved the audit log away: it goes on in a new file. */
static void reopen_audit(struct server *sv)
{
    const struct cof_store *store = cof_standin_store(sv->local->standin);
    enum cof_err err;

    if (store->dirty(store->ctx)) { /* no record goes to the file before the commit of what it tells of */
        cof_loop_disarm(sv->loop, &sv->commit);
        on_commit(&sv->commit);
    }
    err = cof_audit_log_reopen(sv->local->audit, cof_clock_wall_ms());
    if (err != COF_OK)
        (void)fprintf(stderr, "coffer-local: error: the audit log cannot be opened anew, and goes on in its old file: %s\n", cof_err_text(err));
}

static void on_signal(struct cof_watch *watch, unsigned events)
{
    struct server *sv = OWNER(watch, struct server, signals);
    struct signalfd_siginfo info;

    (void)events;
    while (read(watch->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP)
            reopen_audit(sv);
        else if (sv->draining)
            cof_loop_stop(sv->loop); /* who asks twice means now */
        else
            drain(sv);
    }
}

static enum cof_err watch_signals(struct server *sv)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return COF_E_IO;
    sv->signals = (struct cof_watch){.ready = on_signal, .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
    return sv->signals.fd < 0 ? COF_E_IO : cof_loop_watch(sv->loop, &sv->signals, COF_READABLE);
}

/* Tells where: DIR/endpoint, and "ready PORT" on standard output or the given descriptor. */
static enum cof_err announce(struct server *sv, const struct cof_local_config *config, struct cof_diag *diag)
{
    struct cof_addr addr;
    char endpoint[300], line[64], path[4096];
    int n, fd = config->ready_fd == UINT64_MAX ? STDOUT_FILENO : (int)config->ready_fd;
    enum cof_err err;

    cof_http_server_addr(sv->http, &addr);
    (void)snprintf(endpoint, sizeof endpoint, "%s://localhost:%u", config->plain ? "http" : "https", addr.port);
    cof_standin_set_endpoint(sv->local->standin, endpoint);
    if (!cof_local_path(path, config->data, "endpoint"))
        return COF_E_USAGE;
    err = cof_file_write(path, cof_view_str(endpoint), 0644, diag);
    n = snprintf(line, sizeof line, "ready %u\n", addr.port);
    if (err == COF_OK && write(fd, line, (size_t)n) != n)
        err = cof_diag_set(diag, COF_E_IO, "cannot write to descriptor %d: %s", fd, strerror(errno));
    return err;
}

/* The instance metadata service: plain HTTP, as AWS's. Its URL is written to DIR/imds. */
static enum cof_err listen_metadata(struct server *sv, const struct cof_local_config *config, struct cof_diag *diag)
{
    struct cof_http_server_opts opts = {.allow_plain = true,
        .handler = {on_metadata_head, on_body, on_end, on_writable, on_closed, sv}, .limits = {.stall_ms = 60000}};
    struct cof_iam_entity role;
    struct cof_addr addr;
    char url[64], path[4096];
    enum cof_err err;

    if (config->imds == NULL)
        return COF_OK;
    err = cof_iam_get(cof_disk_store_ops(sv->local->disk), COF_IAM_ROLE, COF_LIT(""), cof_view_str(config->imds_role), &role);
    cof_iam_entity_done(&role);
    if (err == COF_E_NOT_FOUND)
        return cof_diag_set(diag, COF_E_CONFIG, "--imds-role: there is no role %s", config->imds_role);
    if (err == COF_OK)
        err = cof_addr_parse(config->imds, &opts.listen, diag);
    if (err == COF_OK)
        err = cof_http_server_new(sv->loop, &opts, &sv->metadata, diag);
    if (err != COF_OK)
        return err;
    cof_http_server_addr(sv->metadata, &addr);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u\n", addr.port);
    return cof_local_path(path, config->data, "imds") ? cof_file_write(path, cof_view_str(url), 0644, diag) : COF_E_USAGE;
}

enum cof_err cof_local_tls(const char *data, struct cof_diag *diag)
{
    static const char *const names[] = {"localhost", "*.localhost", "s3.localhost", "*.s3.localhost", "127.0.0.1", "::1"};
    char dir[4096];

    if (!cof_local_path(dir, data, "tls"))
        return COF_E_USAGE;
    if ((mkdir(data, 0700) != 0 && errno != EEXIST) || (mkdir(dir, 0700) != 0 && errno != EEXIST))
        return cof_diag_set(diag, COF_E_IO, "cannot make %s: %s", dir, strerror(errno));
    return cof_tls_local_cert(dir, "local", names, sizeof names / sizeof names[0], diag);
}

static enum cof_err make_tls(const struct cof_local_config *config, struct cof_tls_ctx **out, struct cof_diag *diag)
{
    char cert[4096], key[4096];
    enum cof_err err;

    *out = NULL;
    if (config->plain)
        return COF_OK;
    if (!cof_local_path(cert, config->data, "tls/local.pem") || !cof_local_path(key, config->data, "tls/local.key"))
        return COF_E_USAGE;
    err = cof_local_tls(config->data, diag);
    if (err == COF_OK)
        err = cof_tls_server_new(&(struct cof_tls_server_opts){.cert_file = cert, .key_file = key, .allow_tls12 = true,
            .client_ca_file = config->client_ca}, out, diag);
    return err;
}

static enum cof_err commit_now(void *ctx)
{
    struct server *sv = ctx;
    const struct cof_store *store = cof_standin_store(sv->local->standin);

    cof_loop_disarm(sv->loop, &sv->commit);
    on_commit(&sv->commit);
    (void)cof_audit_log_sync(sv->local->audit, cof_clock_wall_ms(), false);
    return store->dirty(store->ctx) ? COF_E_STATE : store->commit(store->ctx);
}

static void describe(void *ctx, struct cof_buf *out)
{
    const struct server *sv = ctx;
    struct cof_audit_log_stat audit;

    cof_audit_log_stat(sv->local->audit, &audit);
    cof_json_add_member(out, "endpoint", cof_view_str(cof_standin_endpoint(sv->local->standin)));
    cof_json_add_member(out, "account", cof_view_str(sv->local->account));
    cof_json_add_member(out, "region", cof_view_str(sv->local->region));
    cof_json_add_member_int(out, "connections", (int64_t)cof_http_server_open_connections(sv->http));
    cof_json_add_member_int(out, "uptimeMs", cof_loop_now_ms(sv->loop) - sv->started_ms);
    cof_json_add_member_int(out, "faults", (int64_t)sv->local->faults.n);
    cof_json_add_member_int(out, "auditRecords", (int64_t)audit.chain.next - 1);
    cof_json_add_member_int(out, "auditFileBytes", (int64_t)audit.bytes);
    cof_json_add_member_int(out, "auditWaitingBytes", (int64_t)audit.waiting_bytes);
    if (status_count(sv->local->disk, out) != COF_OK)
        cof_json_add_member(out, "error", COF_LIT("the store cannot be counted"));
}

static bool has_operation(void *ctx, const char *service, const char *operation)
{
    const struct server *sv = ctx;

    return cof_standin_has_operation(sv->local->standin, service, operation);
}

static void read_off(void *ctx, struct cof_metrics_now *out)
{
    const struct server *sv = ctx;
    struct cof_audit_log_stat audit;
    struct cof_disk_store_stat store;

    cof_audit_log_stat(sv->local->audit, &audit);
    cof_disk_store_stat(sv->local->disk, &store);
    *out = (struct cof_metrics_now){.version = COF_VERSION, .database_bytes = store.database_bytes, .body_bytes = store.body_bytes,
        .n_bodies = store.n_bodies, .n_connections = cof_http_server_open_connections(sv->http),
        .n_waiting = cof_wait_room_waiting(sv->room), .n_faults_scripted = sv->local->faults.n,
        .n_audit_records = audit.chain.next - 1, .audit_file_bytes = audit.bytes, .audit_waiting_bytes = audit.waiting_bytes,
        .started_ms = sv->started_wall_ms};
}

enum cof_err cof_local_serve(struct cof_local *local, const struct cof_local_config *config, struct cof_diag *diag)
{
    struct server sv = {.local = local, .commit = {.fire = on_commit}, .work = {.fire = on_work}, .sync = {.fire = on_sync}, .rest = {.fire = on_rest}, .stop = {.fire = on_stop},
        .signals = {.fd = -1}};
    struct enclaves *enclaves = NULL;
    struct admin *admin = NULL;
    struct cof_http_server_opts opts = {.allow_plain = !config->tls_only && config->client_ca == NULL,
        .handler = {on_head, on_body, on_end, on_writable, on_closed, &sv}, .limits = {.stall_ms = 60000, .connections = CONNECTIONS}};
    enum cof_err err = cof_addr_parse(config->listen, &opts.listen, diag);

    cof_buf_init_secret(&sv.piece, (size_t)1 << 20);
    sv.held_end = &sv.held;
    local->notify = on_notify;
    local->notify_ctx = &sv;
    if (err == COF_OK)
        err = make_tls(config, &opts.tls, diag);
    if (err == COF_OK)
        err = cof_loop_new(&sv.loop);
    if (err == COF_OK)
        err = cof_wait_room_new(sv.loop, on_called, &sv, &sv.room);
    if (err == COF_OK)
        err = cof_key_maker_new(sv.loop, on_key, &sv, &local->keys);
    if (err == COF_OK && cof_hash_aside_pays())
        err = cof_hash_aside_new(&local->aside);
    if (err == COF_OK)
        err = metrics_new(&(struct metrics_opts){sv.loop, config->metrics, config->data, has_operation, read_off, &sv}, &sv.metrics, diag);
    if (err == COF_OK)
        sv.counts = metrics_counts(sv.metrics);
    if (err == COF_OK)
        err = watch_signals(&sv);
    if (err == COF_OK)
        err = cof_http_server_new(sv.loop, &opts, &sv.http, diag);
    if (err == COF_OK)
        err = enclaves_new(sv.loop, local, config->data, config->vmm, &enclaves, diag);
    if (err == COF_OK)
        err = listen_metadata(&sv, config, diag);
    if (err == COF_OK)
        err = admin_new(&(struct admin_opts){sv.loop, local, config->data, commit_now, describe, &sv}, &admin, diag);
    if (err == COF_OK)
        sv.started_ms = cof_loop_now_ms(sv.loop), sv.started_wall_ms = cof_clock_wall_ms();
    if (err == COF_OK)
        err = announce(&sv, config, diag);
    if (err == COF_OK && config->first_start) /* secrets are for a person's eyes, not for a log */
        err = env_tell(stderr, config->data, isatty(STDERR_FILENO) == 1, diag);
    if (err == COF_OK) {
        arm_work(&sv, cof_standin_due(local->standin));
        err = cof_loop_run(sv.loop);
    }
    admin_free(admin);
    enclaves_free(enclaves);
    cof_http_server_free(sv.metadata);
    cof_http_server_free(sv.http);
    if (sv.counts != NULL)
        on_commit(&sv.commit); /* replies whose peers are gone, and what they kept */
    if (sv.signals.fd >= 0)
        (void)close(sv.signals.fd);
    metrics_free(sv.metrics);
    cof_key_maker_free(local->keys);
    local->keys = NULL;
    cof_hash_aside_free(local->aside);
    local->aside = NULL;
    cof_wait_room_free(sv.room);
    cof_loop_free(sv.loop);
    cof_tls_unref(opts.tls);
    cof_buf_done(&sv.piece);
    local->notify = NULL;
    return err;
}
