/* SPDX-License-Identifier: Apache-2.0 */
#include "runner_nitro.h"

#include "base/codec.h"
#include "format/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SPARE_MS 5000 /* for the helper to tell that a command took too long */

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/* What the command under way is for. */
enum step { STEP_NONE, STEP_RUN, STEP_CHECK, STEP_UNDO, STEP_LOOK, STEP_END };

struct nitro {
    struct runner base;
    struct cof_loop *loop;
    struct runner_nitro_opts opts;
    struct cof_watch helper;
    struct cof_timer patience;
    enum step step;
    char id[COF_NITRO_ID_MAX];
    char why[200]; /* it is undone */
    bool measurements_missed;
    bool stale;    /* the next answer is of no interest any more */
    uint8_t packet[NITRO_REPLY_MAX];
};

static void tell(struct nitro *n, enum runner_news news, const char *text)
{
    n->step = STEP_NONE;
    n->base.told(n->base.ctx, news, cof_view_str(text));
}

static void lose_helper(struct nitro *n, const char *why)
{
    cof_loop_unwatch(n->loop, &n->helper);
    cof_loop_disarm(n->loop, &n->patience);
    cof_log_event(n->opts.log, COF_LOG_ERROR, "host.helper_lost", "why", why, NULL);
    n->opts.lost(n->opts.ctx);
    tell(n, NEWS_UNKNOWN, why);
}

static void ask(struct nitro *n, enum step step, enum nitro_verb verb)
{
    n->step = step;
    if (nitro_helper_ask(n->helper.fd, verb, verb == NITRO_RUN ? "" : n->id) != COF_OK ||
        cof_loop_arm(n->loop, &n->patience, nitro_verb_ms(verb) + SPARE_MS) != COF_OK)
        lose_helper(n, "it cannot be asked");
}

static void add_description(const struct nitro *n, struct cof_buf *json)
{
    const uint8_t *const pcrs[COF_NITRO_PCRS] = {n->opts.pcrs.pcr0, n->opts.pcrs.pcr1, n->opts.pcrs.pcr2};
    char hex[2 * COF_PCR_SIZE + 1];

    cof_buf_printf(json, "{\"id\":\"%s\",\"cid\":%u,\"simulated\":false,\"pcrs\":{", n->id, n->opts.cid);
    for (int i = 0; i < COF_NITRO_PCRS; i++) {
        cof_hex_encode(pcrs[i], COF_PCR_SIZE, hex);
        cof_buf_printf(json, "%s\"PCR%d\":\"%s\"", i > 0 ? "," : "", i, hex);
    }
    cof_buf_add_str(json, "}}");
}

static void tell_started(struct nitro *n)
{
    struct cof_buf json;

    cof_buf_init(&json, 2048);
    add_description(n, &json);
    tell(n, NEWS_STARTED, cof_buf_cstr(&json));
    cof_buf_done(&json);
}

/* NULL: it is what was asked for. */
static const char *differs(struct nitro *n, const struct cof_nitro_enclave *e)
{
    const uint8_t *const pcrs[COF_NITRO_PCRS] = {n->opts.pcrs.pcr0, n->opts.pcrs.pcr1, n->opts.pcrs.pcr2};

    if (e->cid != n->opts.cid)
        return "it has another context than was asked for";
    if (e->is_debug != n->opts.debug)
        return e->is_debug ? "it runs in debug mode" : "it does not run in debug mode";
    for (int i = 0; e->has_pcrs && i < COF_NITRO_PCRS; i++)
        if (memcmp(e->pcrs[i], pcrs[i], COF_PCR_SIZE) != 0)
            return "its measurements are not those of the image";
    if (!e->has_pcrs && !n->measurements_missed) {
        n->measurements_missed = true;
        cof_log_event(n->opts.log, COF_LOG_WARN, "host.measurements_not_told", NULL);
    }
    return NULL;
}

static void undo(struct nitro *n, const char *why)
{
    (void)snprintf(n->why, sizeof n->why, "%s", why);
    cof_log_event(n->opts.log, COF_LOG_ERROR, "host.enclave_refused", "id", n->id, "why", why, NULL);
    ask(n, STEP_UNDO, NITRO_TERMINATE);
}

static void got_run(struct nitro *n, const struct nitro_answer *a)
{
    struct cof_nitro_enclave e;
    struct cof_diag diag = {0};
    char text[400];

    if (!a->ran || a->code != 0) {
        (void)snprintf(text, sizeof text, "run-enclave: exit %d: %.*s", a->ran ? a->code : -1, (int)(a->errors.len > 300 ? 300 : a->errors.len),
                       (const char *)a->errors.data);
        tell(n, NEWS_NOT_STARTED, text);
    } else if (cof_nitro_parse_run(a->out, &e, &diag) != COF_OK) {
        tell(n, NEWS_NOT_STARTED, diag.text); /* should it run, nobody can tell which it is */
    } else {
        memcpy(n->id, e.id, sizeof n->id);
        ask(n, STEP_CHECK, NITRO_DESCRIBE);
    }
}

/* *runs: it is there and running, and then e tells of it. False: not to be found out. */
static bool read_described(struct nitro *n, const struct nitro_answer *a, struct cof_nitro_enclave *e, bool *runs, struct cof_diag *diag)
{
    bool found;

    *runs = false;
    if (!a->ran || a->code != 0) {
        (void)cof_diag_set(diag, COF_E_REMOTE, "describe-enclaves: exit %d: %.*s", a->ran ? a->code : -1,
                           (int)(a->errors.len > 300 ? 300 : a->errors.len), (const char *)a->errors.data);
        return false;
    }
    if (cof_nitro_parse_describe(a->out, n->id, &found, e, diag) != COF_OK)
        return false;
    *runs = found && e->is_running;
    return true;
}

static void got_described(struct nitro *n, const struct nitro_answer *a)
{
    struct cof_nitro_enclave e;
    struct cof_diag diag = {0};
    bool runs, starting = n->step == STEP_CHECK, known = read_described(n, a, &e, &runs, &diag);
    const char *why = known && runs ? differs(n, &e) : NULL;

    if (!known && starting) {
        undo(n, diag.text);
    } else if (!known) {
        tell(n, NEWS_UNKNOWN, diag.text);
    } else if (!runs) {
        n->id[0] = '\0';
        tell(n, starting ? NEWS_NOT_STARTED : NEWS_GONE, "it has ended already");
    } else if (why != NULL) {
        undo(n, why);
    } else if (starting) {
        tell_started(n);
    } else {
        tell(n, NEWS_RUNS, "");
    }
}

static void got_terminated(struct nitro *n, const struct nitro_answer *a)
{
    struct cof_diag diag = {0};
    bool ended = false, undone = n->step == STEP_UNDO;

    if (a->ran && a->code == 0 && cof_nitro_parse_terminate(a->out, n->id, &ended, &diag) == COF_OK && ended) {
        n->id[0] = '\0';
        tell(n, undone ? NEWS_NOT_STARTED : NEWS_ENDED, n->why);
        return;
    }
    /* Gone already, perhaps: looked at next, it is told so then. */
    (void)snprintf(n->why, sizeof n->why, "terminate-enclave: exit %d: %.*s", a->ran ? a->code : -1,
                   (int)(a->errors.len > 100 ? 100 : a->errors.len), (const char *)a->errors.data);
    tell(n, NEWS_UNKNOWN, n->why);
}

static void on_helper(struct cof_watch *watch, unsigned events)
{
    struct nitro *n = OWNER(watch, struct nitro, helper);
    ssize_t len = recv(watch->fd, n->packet, sizeof n->packet, 0);
    struct nitro_answer answer;

    (void)events;
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len <= 0 || nitro_answer_read(cof_view_of(n->packet, (size_t)len), &answer) != COF_OK) {
        lose_helper(n, "it has ended");
        return;
    }
    if (n->stale) {
        n->stale = false;
        return;
    }
    cof_loop_disarm(n->loop, &n->patience);
    switch (n->step) {
    case STEP_RUN:
        got_run(n, &answer);
        break;
    case STEP_CHECK:
    case STEP_LOOK:
        got_described(n, &answer);
        break;
    case STEP_UNDO:
    case STEP_END:
        got_terminated(n, &answer);
        break;
    case STEP_NONE:
        break;
    }
}

static void on_patience(struct cof_timer *timer)
{
    lose_helper(OWNER(timer, struct nitro, patience), "it does not answer");
}

static void start(struct runner *r)
{
    struct nitro *n = OWNER(r, struct nitro, base);

    n->id[0] = '\0';
    n->why[0] = '\0';
    ask(n, STEP_RUN, NITRO_RUN);
}

static void look(struct runner *r)
{
    ask(OWNER(r, struct nitro, base), STEP_LOOK, NITRO_DESCRIBE);
}

static void end(struct runner *r)
{
    struct nitro *n = OWNER(r, struct nitro, base);

    if (n->step == STEP_UNDO || n->step == STEP_END)
        return; /* that is what goes on */
    n->stale = n->step == STEP_LOOK; /* answers come in order */
    ask(n, STEP_END, NITRO_TERMINATE);
}

static const char *id(const struct runner *r)
{
    return ((const struct nitro *)(const void *)((const char *)r - offsetof(struct nitro, base)))->id;
}

static void free_nitro(struct runner *r)
{
    struct nitro *n = OWNER(r, struct nitro, base);

    cof_loop_disarm(n->loop, &n->patience);
    cof_loop_unwatch(n->loop, &n->helper);
    (void)close(n->helper.fd); /* the helper's end */
    free(n);
}

enum cof_err runner_nitro_new(struct cof_loop *loop, const struct runner_nitro_opts *opts, struct runner **out)
{
    struct nitro *n = calloc(1, sizeof *n);
    enum cof_err err;

    *out = NULL;
    if (n == NULL)
        return COF_E_MEMORY;
    n->base = (struct runner){.start = start, .look = look, .end = end, .free = free_nitro, .id = id};
    n->loop = loop;
    n->opts = *opts;
    n->helper = (struct cof_watch){.ready = on_helper, .fd = opts->helper};
    n->patience.fire = on_patience;
    err = fcntl(opts->helper, F_SETFL, O_NONBLOCK) == 0 ? cof_loop_watch(loop, &n->helper, COF_READABLE) : COF_E_IO;
    if (err != COF_OK) {
        free(n);
        return err;
    }
    *out = &n->base;
    return COF_OK;
}
