/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/sqs_store.h"

#include "base/codec.h"
#include "base/uuid.h"

#include <stdio.h>
#include <string.h>

#define CONTENT_MAX ((size_t)2 << 20)
#define ROW_CONTENT_MAX 768  /* larger content lies apart: a row is rewritten at each receive */
#define TAKE_BYTES ((size_t)1310720) /* a reply of many large messages is cut short, as SQS may give fewer than asked for */
#define STEP 500             /* rows looked at in one go where more could wait */
#define KEY_MAX 64
#define HANDLE_BYTES 56

void cof_sqs_message_free(struct cof_sqs_message *m)
{
    cof_buf_done(&m->content);
    *m = (struct cof_sqs_message){0};
}

void cof_sqs_message_uuid(const uint8_t id[static COF_SQS_MESSAGE_ID], char out[static COF_SQS_UUID + 1])
{
    cof_uuid_text(id, out);
}

/* A key under construction. */
struct key {
    uint8_t bytes[KEY_MAX];
    size_t len;
};

static void key_add(struct key *k, const void *data, size_t len)
{
    memcpy(k->bytes + k->len, data, len);
    k->len += len;
}

static void key_add_number(struct key *k, uint64_t n, size_t bytes)
{
    for (size_t i = bytes; i-- > 0; n >>= 8)
        k->bytes[k->len + i] = (uint8_t)n;
    k->len += bytes;
}

static struct cof_view key_view(const struct key *k)
{
    return cof_view_of(k->bytes, k->len);
}

/* Where a row is, by what the message says. */
static const char *place_of(const struct cof_sqs_queue *queue, const struct cof_sqs_message *m, struct key *k)
{
    k->len = 0;
    key_add(k, queue->id, COF_SQS_ID);
    if (m->visible_ms == 0) {
        key_add_number(k, (uint64_t)m->sent_ms, 8);
        key_add_number(k, m->order, 4);
    } else {
        key_add_number(k, (uint64_t)m->visible_ms, 8);
    }
    key_add(k, m->id, COF_SQS_MESSAGE_ID);
    return m->visible_ms == 0 ? "sqs.ready" : "sqs.hidden";
}

static struct cof_view side_key(const struct cof_sqs_queue *queue, const struct cof_sqs_message *m, struct key *k)
{
    k->len = 0;
    key_add(k, queue->id, COF_SQS_ID);
    key_add(k, m->id, COF_SQS_MESSAGE_ID);
    return key_view(k);
}

static uint64_t *counter(struct cof_sqs_queue *queue, const struct cof_sqs_message *m)
{
    return m->visible_ms == 0 ? &queue->n_ready : (m->flags & COF_SQS_DELAYED) != 0 ? &queue->n_delayed : &queue->n_inflight;
}

/* Puts the row where the message says it is. */
static enum cof_err put(struct cof_standin *s, struct cof_sqs_queue *queue, const struct cof_sqs_message *m)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_buf row;
    struct key k;
    const char *space = place_of(queue, m, &k);
    enum cof_err err;

    cof_buf_init(&row, ROW_CONTENT_MAX + 256);
    err = cof_buf_reserve(&row, 32 + strlen(m->source) + ((m->flags & COF_SQS_APART) == 0 ? m->content.len : 0)); /* at once */
    cof_buf_add_u8(&row, m->flags);
    cof_buf_add_u32(&row, m->count);
    cof_buf_add_u32(&row, m->base);
    cof_buf_add_u64(&row, (uint64_t)m->first_ms);
    cof_buf_add_u64(&row, (uint64_t)m->sent_ms);
    cof_buf_add_u32(&row, m->order);
    cof_buf_add_u8(&row, (uint8_t)strlen(m->source));
    cof_buf_add_str(&row, m->source);
    if ((m->flags & COF_SQS_APART) == 0)
        cof_buf_add(&row, cof_buf_view(&m->content));
    if (err == COF_OK)
        err = cof_buf_err(&row);
    cof_sqs_state(s)->touched = true;
    if (err == COF_OK)
        err = store->put(store->ctx, space, key_view(&k), cof_buf_view(&row));
    cof_buf_done(&row);
    ++*counter(queue, m);
    if (m->visible_ms != 0 && m->visible_ms < queue->next_ms)
        queue->next_ms = m->visible_ms;
    return err;
}

static enum cof_err take_away(struct cof_standin *s, struct cof_sqs_queue *queue, const struct cof_sqs_message *m)
{
    const struct cof_store *store = cof_standin_store(s);
    struct key k;
    const char *space = place_of(queue, m, &k);

    cof_sqs_state(s)->touched = true;
    --*counter(queue, m);
    return store->remove(store->ctx, space, key_view(&k));
}

/* "sqs.at" says where a message is that is not where its handle says. */
static enum cof_err forget_where(struct cof_standin *s, const struct cof_sqs_queue *queue, struct cof_sqs_message *m)
{
    const struct cof_store *store = cof_standin_store(s);
    struct key k;

    if ((m->flags & COF_SQS_MOVED) == 0)
        return COF_OK;
    m->flags &= (uint8_t)~COF_SQS_MOVED;
    return store->remove(store->ctx, "sqs.at", side_key(queue, m, &k));
}

enum cof_err cof_sqs_store_remove(struct cof_standin *s, struct cof_sqs_queue *queue, const struct cof_sqs_message *message)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_sqs_message m = *message;
    struct key k;
    enum cof_err err = take_away(s, queue, &m);

    if (err == COF_OK)
        err = forget_where(s, queue, &m);
    if (err == COF_OK && (m.flags & COF_SQS_APART) != 0)
        err = store->remove(store->ctx, "sqs.body", side_key(queue, &m, &k));
    return err;
}

/* Key and value as a message, the content still sealed. */
static bool parse(struct cof_view key, struct cof_view row, bool hidden, struct cof_sqs_message *m)
{
    struct cof_view id, source;
    uint64_t visible = 0, first, sent;
    uint8_t source_len;
    enum cof_err err = cof_take(&key, COF_SQS_ID, &id);

    *m = (struct cof_sqs_message){0};
    cof_buf_init_secret(&m->content, CONTENT_MAX);
    if (err == COF_OK && hidden)
        err = cof_take_u64(&key, &visible);
    else if (err == COF_OK)
        err = cof_take(&key, 12, &id); /* the row says it too */
    if (err != COF_OK || key.len != COF_SQS_MESSAGE_ID || cof_take_u8(&row, &m->flags) != COF_OK ||
        cof_take_u32(&row, &m->count) != COF_OK || cof_take_u32(&row, &m->base) != COF_OK || cof_take_u64(&row, &first) != COF_OK ||
        cof_take_u64(&row, &sent) != COF_OK || cof_take_u32(&row, &m->order) != COF_OK || cof_take_u8(&row, &source_len) != COF_OK ||
        source_len > COF_SQS_NAME_MAX || cof_take(&row, source_len, &source) != COF_OK)
        return false;
    memcpy(m->id, key.data, key.len);
    memcpy(m->source, source.data, source.len);
    m->visible_ms = (int64_t)visible;
    m->first_ms = (int64_t)first;
    m->sent_ms = (int64_t)sent;
    cof_buf_add(&m->content, row);
    return cof_buf_err(&m->content) == COF_OK;
}

static enum cof_err seal(struct cof_standin *s, const struct cof_sqs_queue *queue, struct cof_sqs_message *m, struct cof_view content)
{
    const struct cof_store *store = cof_standin_store(s);
    struct key k;
    uint8_t *at;
    enum cof_err err;

    cof_buf_init(&m->content, CONTENT_MAX);
    at = cof_buf_extend(&m->content, content.len + COF_GCM_TAG);
    if (at == NULL)
        return cof_buf_err(&m->content);
    err = cof_gcm_seal(queue->body_key, m->id, cof_view_of(m->id, COF_SQS_MESSAGE_ID), content, at);
    m->flags &= (uint8_t)~COF_SQS_APART;
    if (err == COF_OK && m->content.len > ROW_CONTENT_MAX) {
        m->flags |= COF_SQS_APART;
        err = store->put(store->ctx, "sqs.body", side_key(queue, m, &k), cof_buf_view(&m->content));
    }
    return err;
}

/* Content that lies apart is fetched; then it is opened in place. */
static enum cof_err open_content(struct cof_standin *s, const struct cof_sqs_queue *queue, struct cof_sqs_message *m)
{
    const struct cof_store *store = cof_standin_store(s);
    struct key k;
    enum cof_err err = COF_OK;

    if ((m->flags & COF_SQS_APART) != 0)
        err = store->get(store->ctx, "sqs.body", side_key(queue, m, &k), &m->content);
    if (err == COF_OK && m->content.len < COF_GCM_TAG)
        err = COF_E_AUTH;
    if (err == COF_OK)
        err = cof_gcm_open(queue->body_key, m->id, cof_view_of(m->id, COF_SQS_MESSAGE_ID), cof_buf_view(&m->content), m->content.data);
    if (err == COF_OK)
        cof_buf_truncate(&m->content, m->content.len - COF_GCM_TAG);
    return err == COF_E_NOT_FOUND ? COF_E_IO : err;
}

enum cof_err cof_sqs_store_add(struct cof_standin *s, struct cof_sqs_queue *queue, struct cof_view content, int64_t delay_ms,
                               int64_t now_ms, uint8_t id[static COF_SQS_MESSAGE_ID])
{
    struct cof_sqs_message m = {.sent_ms = now_ms, .visible_ms = delay_ms > 0 ? now_ms + delay_ms : 0,
                                .flags = delay_ms > 0 ? COF_SQS_DELAYED : 0};
    enum cof_err err = cof_rng_fill(cof_standin_rng(s), m.id, sizeof m.id);

    m.id[6] = (uint8_t)((m.id[6] & 0x0f) | 0x40);
    m.id[8] = (uint8_t)((m.id[8] & 0x3f) | 0x80);
    m.order = cof_sqs_state(s)->order++;
    memcpy(id, m.id, sizeof m.id);
    if (err == COF_OK)
        err = seal(s, queue, &m, content);
    if (err == COF_OK)
        err = put(s, queue, &m);
    cof_sqs_message_free(&m);
    return err;
}

struct gathering {
    struct cof_sqs_message *out;
    size_t n;
    int64_t until_ms; /* hidden ones up to here; what comes after is only noted */
    int64_t next_ms;
    bool hidden, damaged;
};

static bool gather_one(void *arg, struct cof_view key, struct cof_view row)
{
    struct gathering *g = arg;

    if (!parse(key, row, g->hidden, &g->out[g->n])) {
        g->damaged = true;
        cof_sqs_message_free(&g->out[g->n]);
        return false;
    }
    if (g->hidden && g->out[g->n].visible_ms > g->until_ms) {
        g->next_ms = g->out[g->n].visible_ms;
        cof_sqs_message_free(&g->out[g->n]);
        return false;
    }
    g->n++;
    return true;
}

static enum cof_err gather(struct cof_standin *s, const struct cof_sqs_queue *queue, size_t most, struct gathering *g)
{
    const struct cof_store *store = cof_standin_store(s);
    enum cof_err err;

    g->n = 0;
    g->next_ms = INT64_MAX;
    err = store->scan(store->ctx, g->hidden ? "sqs.hidden" : "sqs.ready", cof_view_of(queue->id, COF_SQS_ID), (struct cof_view){0}, most,
                      gather_one, g);
    return err == COF_OK && g->damaged ? COF_E_FORMAT : err;
}

static bool is_old(const struct cof_sqs_queue *queue, const struct cof_sqs_message *m, int64_t now_ms)
{
    return now_ms - m->sent_ms > queue->retention_s * 1000;
}

static enum cof_err make_ready(struct cof_standin *s, struct cof_sqs_queue *queue, struct cof_sqs_message *m, int64_t now_ms)
{
    enum cof_err err;

    if (is_old(queue, m, now_ms))
        return cof_sqs_store_remove(s, queue, m);
    err = take_away(s, queue, m);
    if (err == COF_OK)
        err = forget_where(s, queue, m);
    m->visible_ms = 0;
    m->flags &= (uint8_t)~COF_SQS_DELAYED;
    return err == COF_OK ? put(s, queue, m) : err;
}

/* Those whose time has come become ready, up to STEP of them at a time. */
static enum cof_err promote(struct cof_standin *s, struct cof_sqs_queue *queue, int64_t now_ms)
{
    struct cof_sqs_message found[COF_SQS_TAKE_MAX];
    enum cof_err err = COF_OK;

    for (size_t n = 0; err == COF_OK && queue->next_ms <= now_ms && n < STEP; n += COF_SQS_TAKE_MAX) {
        struct gathering g = {.out = found, .until_ms = now_ms, .hidden = true};

        err = gather(s, queue, COF_SQS_TAKE_MAX, &g);
        for (size_t i = 0; i < g.n; i++) {
            if (err == COF_OK)
                err = make_ready(s, queue, &found[i], now_ms);
            cof_sqs_message_free(&found[i]);
        }
        if (err == COF_OK && g.n < COF_SQS_TAKE_MAX)
            queue->next_ms = g.next_ms;
    }
    return err;
}

struct counting {
    struct cof_sqs_queue *queue;
    bool hidden;
};

static bool count_one(void *arg, struct cof_view key, struct cof_view row)
{
    const struct counting *c = arg;
    uint8_t flags = 0;
    uint64_t visible;

    if (cof_take_u8(&row, &flags) != COF_OK)
        return true; /* damaged: found out when it is read */
    key = cof_view_sub(key, COF_SQS_ID, SIZE_MAX);
    if (!c->hidden)
        c->queue->n_ready++;
    else if ((flags & COF_SQS_DELAYED) != 0)
        c->queue->n_delayed++;
    else
        c->queue->n_inflight++;
    if (c->hidden && cof_take_u64(&key, &visible) == COF_OK && (int64_t)visible < c->queue->next_ms)
        c->queue->next_ms = (int64_t)visible;
    return true;
}

/* Once after a start; then the counts are kept. */
static enum cof_err count(struct cof_standin *s, struct cof_sqs_queue *queue)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_view prefix = cof_view_of(queue->id, COF_SQS_ID);
    struct counting c = {.queue = queue};
    enum cof_err err;

    if (queue->counted)
        return COF_OK;
    queue->n_ready = queue->n_inflight = queue->n_delayed = 0;
    queue->next_ms = INT64_MAX;
    err = store->scan(store->ctx, "sqs.ready", prefix, (struct cof_view){0}, SIZE_MAX, count_one, &c);
    c.hidden = true;
    if (err == COF_OK)
        err = store->scan(store->ctx, "sqs.hidden", prefix, (struct cof_view){0}, SIZE_MAX, count_one, &c);
    queue->counted = err == COF_OK;
    return err;
}

enum cof_err cof_sqs_store_tidy(struct cof_standin *s, struct cof_sqs_queue *queue, int64_t now_ms)
{
    struct cof_sqs_message found[COF_SQS_TAKE_MAX];
    bool more = true;
    enum cof_err err = count(s, queue);

    if (err == COF_OK)
        err = promote(s, queue, now_ms);
    for (size_t n = 0; err == COF_OK && more && queue->n_ready > 0 && n < STEP; n++) {
        struct gathering g = {.out = found};

        err = gather(s, queue, n == 0 ? 1 : COF_SQS_TAKE_MAX, &g);
        more = g.n > 0;
        for (size_t i = 0; i < g.n; i++) {
            if (err == COF_OK && is_old(queue, &found[i], now_ms))
                err = cof_sqs_store_remove(s, queue, &found[i]);
            else
                more = false; /* they come in order of sending */
            cof_sqs_message_free(&found[i]);
        }
    }
    return err;
}

enum cof_err cof_sqs_store_move(struct cof_standin *s, struct cof_sqs_queue *from, struct cof_sqs_message *m, struct cof_sqs_queue *to)
{
    struct cof_sqs_message moved = *m;
    enum cof_err err = count(s, to);

    moved.content = (struct cof_buf){0};
    moved.visible_ms = 0;
    moved.base = m->count;
    (void)snprintf(moved.source, sizeof moved.source, "%s", from->name);
    if (err == COF_OK)
        err = cof_sqs_store_remove(s, from, m);
    moved.flags = 0;
    if (err == COF_OK)
        err = seal(s, to, &moved, cof_buf_view(&m->content));
    if (err == COF_OK)
        err = put(s, to, &moved);
    cof_buf_done(&moved.content);
    if (err == COF_OK)
        cof_standin_notify(s, to->arn, 0);
    return err;
}

/* To the dead-letter queue, when it is time and there is one. */
static enum cof_err redrive(struct cof_standin *s, struct cof_sqs_queue *queue, struct cof_sqs_message *m, bool *moved)
{
    struct cof_sqs_queue *dead;
    enum cof_err err;

    *moved = false;
    if (queue->dead[0] == '\0' || m->count - m->base < queue->max_receives)
        return COF_OK;
    err = cof_sqs_queue_get(s, cof_view_str(queue->dead), &dead);
    if (err == COF_E_NOT_FOUND || (err == COF_OK && dead == queue))
        return COF_OK; /* it stays where it can be seen */
    if (err == COF_OK)
        err = open_content(s, queue, m);
    if (err == COF_OK)
        err = cof_sqs_store_move(s, queue, m, dead);
    *moved = err == COF_OK;
    return err;
}

static enum cof_err take_one(struct cof_standin *s, struct cof_sqs_queue *queue, struct cof_sqs_message *m, int64_t visibility_ms, int64_t now_ms)
{
    enum cof_err err = take_away(s, queue, m);

    m->count++;
    m->received_ms = now_ms;
    if (m->first_ms == 0)
        m->first_ms = now_ms;
    m->visible_ms = visibility_ms > 0 ? now_ms + visibility_ms : 0;
    if (err == COF_OK)
        err = put(s, queue, m);
    return err == COF_OK ? open_content(s, queue, m) : err;
}

enum cof_err cof_sqs_store_take(struct cof_standin *s, struct cof_sqs_queue *queue, size_t most, int64_t visibility_ms, int64_t now_ms,
                                struct cof_sqs_message out[static COF_SQS_TAKE_MAX], size_t *n)
{
    uint64_t inflight_max = cof_sqs_state(s)->inflight_max;
    size_t bytes = 0, looked_at = 0;
    bool full = false;
    enum cof_err err = count(s, queue);

    *n = 0;
    if (err == COF_OK)
        err = promote(s, queue, now_ms);
    if (err == COF_OK && queue->n_inflight >= inflight_max)
        err = COF_E_LIMIT;
    else if (most > inflight_max - queue->n_inflight)
        most = (size_t)(inflight_max - queue->n_inflight);
    while (err == COF_OK && *n < most && !full && queue->n_ready > 0 && looked_at < STEP) {
        struct gathering g = {.out = out + *n};
        size_t kept = 0;

        err = gather(s, queue, most - *n, &g);
        if (err == COF_OK && g.n == 0)
            err = COF_E_BUG; /* the counts are wrong */
        for (size_t i = 0; i < g.n; i++) {
            struct cof_sqs_message *m = &g.out[i];
            bool moved = false;

            if (err == COF_OK && !full && is_old(queue, m, now_ms))
                err = cof_sqs_store_remove(s, queue, m);
            else if (err == COF_OK && !full && (err = redrive(s, queue, m, &moved)) == COF_OK && !moved) {
                err = take_one(s, queue, m, visibility_ms, now_ms);
                bytes += m->content.len;
                full = bytes > TAKE_BYTES;
                g.out[kept] = *m; /* moved */
                if (&g.out[kept] != m)
                    *m = (struct cof_sqs_message){0};
                kept++;
                continue;
            }
            cof_sqs_message_free(m);
        }
        looked_at += g.n;
        *n += kept;
        full = full || visibility_ms == 0; /* still ready: a second look would take the same */
    }
    if (err != COF_OK)
        while (*n > 0)
            cof_sqs_message_free(&out[--*n]);
    return err;
}

enum cof_err cof_sqs_store_first(struct cof_standin *s, struct cof_sqs_queue *queue, int64_t now_ms, struct cof_sqs_message *out)
{
    struct gathering g = {.out = out};
    enum cof_err err = cof_sqs_store_tidy(s, queue, now_ms);

    *out = (struct cof_sqs_message){0};
    if (err == COF_OK)
        err = gather(s, queue, 1, &g);
    if (err == COF_OK && g.n == 0)
        err = COF_E_NOT_FOUND;
    if (err == COF_OK)
        err = open_content(s, queue, out);
    if (err != COF_OK)
        cof_sqs_message_free(out);
    return err;
}

enum cof_err cof_sqs_store_handle(struct cof_standin *s, const struct cof_sqs_queue *queue, const struct cof_sqs_message *m,
                                  struct cof_buf *out)
{
    uint8_t sealed[COF_GCM_NONCE + HANDLE_BYTES + COF_GCM_TAG];
    struct key k = {.len = 0};
    enum cof_err err = cof_rng_fill(cof_standin_rng(s), sealed, COF_GCM_NONCE);

    key_add(&k, queue->id, COF_SQS_ID);
    key_add(&k, m->id, COF_SQS_MESSAGE_ID);
    key_add_number(&k, (uint64_t)m->sent_ms, 8);
    key_add_number(&k, m->order, 4);
    key_add_number(&k, (uint64_t)m->visible_ms, 8);
    key_add_number(&k, m->count, 4);
    key_add_number(&k, (uint64_t)m->received_ms, 8);
    if (err == COF_OK)
        err = cof_gcm_seal(queue->handle_key, sealed, (struct cof_view){0}, key_view(&k), sealed + COF_GCM_NONCE);
    if (err == COF_OK)
        cof_base64_add(out, cof_view_of(sealed, sizeof sealed));
    return err == COF_OK ? cof_buf_err(out) : err;
}

/* The row at the place the message says; content left alone. */
static enum cof_err look(struct cof_standin *s, const struct cof_sqs_queue *queue, const struct cof_sqs_message *want, struct cof_sqs_message *out)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_buf row;
    struct key k;
    const char *space = place_of(queue, want, &k);
    enum cof_err err;

    cof_buf_init(&row, ROW_CONTENT_MAX + 256);
    err = store->get(store->ctx, space, key_view(&k), &row);
    if (err == COF_OK && !parse(key_view(&k), cof_buf_view(&row), want->visible_ms != 0, out))
        err = COF_E_FORMAT;
    cof_buf_done(&row);
    return err;
}

/* What a handle says. */
static enum cof_err open_handle(const struct cof_sqs_queue *queue, struct cof_view handle, uint8_t queue_id[COF_SQS_ID], struct cof_sqs_message *m)
{
    uint8_t plain[HANDLE_BYTES];
    struct cof_view in, id, nonce, v;
    struct cof_buf sealed;
    uint64_t sent = 0, visible = 0, received = 0;
    enum cof_err err;

    *m = (struct cof_sqs_message){0};
    cof_buf_init(&sealed, 256);
    err = handle.len > 256 ? COF_E_FORMAT : cof_base64_decode(handle, &sealed);
    in = cof_buf_view(&sealed);
    if (err == COF_OK && (in.len != COF_GCM_NONCE + HANDLE_BYTES + COF_GCM_TAG || cof_take(&in, COF_GCM_NONCE, &nonce) != COF_OK))
        err = COF_E_FORMAT;
    if (err == COF_OK && cof_gcm_open(queue->handle_key, nonce.data, (struct cof_view){0}, in, plain) != COF_OK)
        err = COF_E_FORMAT;
    v = cof_view_of(plain, sizeof plain);
    if (err == COF_OK && (cof_take(&v, COF_SQS_ID, &id) != COF_OK || cof_take(&v, COF_SQS_MESSAGE_ID, &in) != COF_OK ||
                          cof_take_u64(&v, &sent) != COF_OK || cof_take_u32(&v, &m->order) != COF_OK || cof_take_u64(&v, &visible) != COF_OK ||
                          cof_take_u32(&v, &m->count) != COF_OK || cof_take_u64(&v, &received) != COF_OK))
        err = COF_E_FORMAT;
    if (err == COF_OK) {
        memcpy(queue_id, id.data, COF_SQS_ID);
        memcpy(m->id, in.data, COF_SQS_MESSAGE_ID);
        m->sent_ms = (int64_t)sent;
        m->visible_ms = (int64_t)visible;
        m->received_ms = (int64_t)received;
    }
    cof_buf_done(&sealed);
    return err == COF_E_LIMIT ? COF_E_FORMAT : err;
}

static enum cof_err where(struct cof_standin *s, const struct cof_sqs_queue *queue, struct cof_sqs_message *m)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_buf value;
    struct cof_view v;
    struct key k;
    uint64_t visible = 0;
    enum cof_err err;

    cof_buf_init(&value, 8);
    err = store->get(store->ctx, "sqs.at", side_key(queue, m, &k), &value);
    v = cof_buf_view(&value);
    if (err == COF_OK)
        err = cof_take_u64(&v, &visible);
    m->visible_ms = (int64_t)visible;
    cof_buf_done(&value);
    return err;
}

enum cof_err cof_sqs_store_find(struct cof_standin *s, const struct cof_sqs_queue *queue, struct cof_view handle, struct cof_sqs_message *out,
                                bool *is_back)
{
    struct cof_sqs_message want;
    uint8_t queue_id[COF_SQS_ID];
    enum cof_err err = open_handle(queue, handle, queue_id, &want);

    *out = (struct cof_sqs_message){0};
    *is_back = false;
    if (err != COF_OK)
        return err;
    if (memcmp(queue_id, queue->id, COF_SQS_ID) != 0)
        return COF_E_NOT_FOUND; /* purged since */
    err = look(s, queue, &want, out); /* where it was put */
    if (err == COF_E_NOT_FOUND && (err = where(s, queue, &want)) == COF_OK) /* where it was put since */
        err = look(s, queue, &want, out);
    if (err == COF_E_NOT_FOUND) { /* its time is over */
        want.visible_ms = 0;
        err = look(s, queue, &want, out);
    }
    if (err == COF_OK && out->count != want.count) {
        *is_back = out->visible_ms == 0;
        cof_sqs_message_free(out);
        return COF_E_NOT_FOUND;
    }
    out->received_ms = want.received_ms;
    return err;
}

enum cof_err cof_sqs_store_hide(struct cof_standin *s, struct cof_sqs_queue *queue, struct cof_sqs_message *m, int64_t visible_ms, int64_t now_ms)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_buf value;
    struct key k;
    enum cof_err err = take_away(s, queue, m);

    if (visible_ms <= now_ms) {
        if (err == COF_OK)
            err = forget_where(s, queue, m);
        m->visible_ms = 0;
        return err == COF_OK ? put(s, queue, m) : err;
    }
    m->visible_ms = visible_ms;
    m->flags |= COF_SQS_MOVED;
    cof_buf_init(&value, 8);
    cof_buf_add_u64(&value, (uint64_t)visible_ms);
    if (err == COF_OK)
        err = store->put(store->ctx, "sqs.at", side_key(queue, m, &k), cof_buf_view(&value));
    cof_buf_done(&value);
    return err == COF_OK ? put(s, queue, m) : err;
}

struct sweeping {
    struct cof_buf keys;
    size_t n;
};

static bool sweep_one(void *arg, struct cof_view key, struct cof_view value)
{
    struct sweeping *w = arg;

    (void)value;
    cof_buf_add_u8(&w->keys, (uint8_t)key.len);
    cof_buf_add(&w->keys, key);
    w->n++;
    return true;
}

/* Up to STEP rows of one space. */
static enum cof_err sweep_space(struct cof_standin *s, const char *space, struct cof_view prefix, size_t *n)
{
    const struct cof_store *store = cof_standin_store(s);
    struct sweeping w = {.n = 0};
    struct cof_view rest, key;
    uint8_t len;
    enum cof_err err;

    cof_buf_init(&w.keys, (size_t)STEP * (KEY_MAX + 1));
    err = store->scan(store->ctx, space, prefix, (struct cof_view){0}, STEP, sweep_one, &w);
    rest = cof_buf_view(&w.keys);
    while (err == COF_OK && cof_take_u8(&rest, &len) == COF_OK && cof_take(&rest, len, &key) == COF_OK)
        err = store->remove(store->ctx, space, key);
    *n = w.n;
    cof_buf_done(&w.keys);
    return err;
}

static bool first_key(void *arg, struct cof_view key, struct cof_view value)
{
    (void)value;
    cof_buf_add(arg, key);
    return false;
}

enum cof_err cof_sqs_store_sweep(struct cof_standin *s, bool *more)
{
    static const char *const spaces[] = {"sqs.ready", "sqs.hidden", "sqs.body", "sqs.at"};
    const struct cof_store *store = cof_standin_store(s);
    struct cof_buf id;
    size_t n = 0;
    enum cof_err err;

    cof_buf_init(&id, COF_SQS_ID);
    err = store->scan(store->ctx, "sqs.trash", (struct cof_view){0}, (struct cof_view){0}, 1, first_key, &id);
    *more = err == COF_OK && id.len == COF_SQS_ID;
    for (size_t i = 0; err == COF_OK && *more && n == 0 && i < sizeof spaces / sizeof spaces[0]; i++)
        err = sweep_space(s, spaces[i], cof_buf_view(&id), &n);
    if (err == COF_OK && *more && n == 0)
        err = store->remove(store->ctx, "sqs.trash", cof_buf_view(&id));
    cof_buf_done(&id);
    return err;
}
