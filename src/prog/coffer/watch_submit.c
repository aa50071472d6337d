/* SPDX-License-Identifier: Apache-2.0
 *
 * An entry of the spool to a gateway, as a job: opened in memory as it is sent, after all of it verified, under an idempotency key
 * that is the entry's id: sent again after a lost answer it is no second job. docs/decisions/0008
 */
#include "watch.h"

#include "format/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE 65536

struct watch_submit {
    struct watch *w;
    struct spool_entry *entry;
    int fd;
    struct opened_source plain;
    uint64_t length, given; /* bytes of plaintext */
    struct gateway_call *call;
    struct cof_timer pace;
    char id[33];
    struct watch_submit *next;
};

static void end_submit(struct watch_submit *s)
{
    struct watch *w = s->w;

    for (struct watch_submit **at = &w->submits; *at != NULL; at = &(*at)->next)
        if (*at == s) {
            *at = s->next;
            break;
        }
    cof_loop_disarm(w->loop, &s->pace);
    opened_source_close(&s->plain);
    if (s->fd >= 0)
        (void)close(s->fd);
    w->n_under_way--;
    s->entry->is_under_way = false;
    cof_loop_discard(w->loop, s);
}

void watch_submit_cancel(struct watch *w)
{
    while (w->submits != NULL) {
        gateway_cancel(w->submits->call);
        end_submit(w->submits);
    }
}

static void on_done(void *ctx, enum cof_err err, int status, struct cof_view body, const struct cof_diag *diag)
{
    struct watch_submit *s = ctx;
    struct watch *w = s->w;
    struct spool_entry *entry = s->entry;
    struct cof_diag why = {0};
    char job[COF_JOB_ID_MAX + 1];
    struct cof_buf text, json;

    s->call = NULL;
    end_submit(s); /* which stays until this turn of the loop is over */
    if (err == COF_OK) {
        err = gateway_read_job(body, job, &why);
        diag = &why;
    }
    if (status == 401) {
        gateway_forget(&w->gateway);
        watch_wants_link(w);
    }
    if (err != COF_OK) {
        watch_failed(w, entry, err, diag);
        return;
    }
    cof_buf_init(&text, 4096);
    cof_buf_init(&json, 16384);
    cof_buf_printf(&text, "sent %s (%llu bytes) as job %s", entry->key, (unsigned long long)s->length, job);
    cof_json_add_member(&json, "sent", cof_view_str(entry->key));
    cof_json_add_member_int(&json, "bytes", (int64_t)s->length);
    cof_json_add_member(&json, "job", cof_view_str(job));
    watch_sent(w, entry, cof_buf_cstr(&text), cof_buf_cstr(&json));
    cof_buf_done(&text);
    cof_buf_done(&json);
}

/* The request must not look whole. */
static void give_up(struct watch_submit *s, enum cof_err err)
{
    struct watch *w = s->w;
    struct spool_entry *entry = s->entry;

    gateway_cancel(s->call);
    s->call = NULL;
    end_submit(s);
    watch_failed(w, entry, err, NULL);
}

static void on_writable(void *ctx, struct gateway_call *call)
{
    struct watch_submit *s = ctx;
    struct watch *w = s->w;
    uint8_t *piece = w->piece;
    bool more = true;

    if (s->pace.armed)
        return;
    while (more && s->given < s->length) {
        size_t n = 0;
        int64_t wait;
        enum cof_err err = opened_source_read(&s->plain, piece, cof_pace_piece(&w->pace, PIECE), &n);

        if (err == COF_OK && (n == 0 || n > s->length - s->given))
            err = COF_E_TRUNCATED;
        if (err != COF_OK) {
            give_up(s, err);
            return;
        }
        more = gateway_write(call, cof_view_of(piece, n));
        cof_wipe(piece, n);
        s->given += n;
        wait = cof_pace_book(&w->pace, n, cof_loop_now_ms(w->loop));
        if (wait > 0 && s->given < s->length && cof_loop_arm(w->loop, &s->pace, wait) == COF_OK)
            return;
    }
    if (s->given == s->length) {
        size_t n;
        enum cof_err err = opened_source_read(&s->plain, piece, PIECE, &n);
        if (err != COF_OK || n > 0)
            give_up(s, err != COF_OK ? err : COF_E_TRUNCATED);
        else
            gateway_end(call);
    }
}

static void on_pace(struct cof_timer *timer)
{
    struct watch_submit *s = (struct watch_submit *)(void *)((char *)timer - offsetof(struct watch_submit, pace));

    on_writable(s, s->call);
}

static enum cof_err open_entry(struct watch_submit *s, struct cof_diag *diag)
{
    char path[4096];
    struct cof_diag why = {0};
    enum cof_err err;

    spool_path(&s->w->spool, s->entry, path);
    s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (s->fd < 0)
        return cof_diag_set(diag, cof_err_from_errno(errno), "%s: %s", path, strerror(errno));
    err = opened_source_open(&s->plain, &s->w->opening, s->fd, s->entry->head, &s->length, &why);
    if (err != COF_OK)
        return cof_diag_set(diag, err, "it cannot be opened here (--open names the keyrings): %s",
                            why.text[0] != '\0' ? why.text : cof_err_text(err));
    return s->length > 0 ? COF_OK : cof_diag_set(diag, COF_E_DENIED, "it is empty, and no job can be");
}

enum cof_err watch_submit(struct watch *w, struct spool_entry *entry, struct cof_diag *diag)
{
    struct watch_submit *s = calloc(1, sizeof *s);
    struct gateway_events events = {on_writable, on_done, s};
    struct gateway_request request = {.method = "POST", .path = "/encrypt"};
    enum cof_err err;

    if (s == NULL)
        return COF_E_MEMORY;
    s->w = w;
    s->entry = entry;
    s->pace.fire = on_pace;
    s->next = w->submits;
    w->submits = s;
    w->n_under_way++;
    entry->is_under_way = true;
    err = open_entry(s, diag);
    watch_entry_id(entry, s->id);
    request.type = entry->type[0] != '\0' ? entry->type : "application/octet-stream";
    request.key = s->id;
    request.length = s->length;
    if (err == COF_OK)
        err = gateway_start(&w->gateway, &request, &events, &s->call);
    if (err != COF_OK)
        end_submit(s);
    return err;
}
