/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/sqs_queue.h"

#include "base/codec.h"
#include "base/num.h"
#include "crypto/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_MAX ((size_t)4 << 20)
#define MAC_BYTES 16

void cof_sqs_queue_done(struct cof_sqs_queue *queue)
{
    if (queue == NULL)
        return;
    json_decref(queue->record);
    *queue = (struct cof_sqs_queue){0};
}

void cof_sqs_item_done(struct cof_sqs_item *item)
{
    if (item == NULL)
        return;
    json_decref(item->record);
    *item = (struct cof_sqs_item){0};
}

static bool is_name(struct cof_view v)
{
    if (v.len == 0 || v.len > COF_SQS_NAME_MAX)
        return false;
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return true;
}

static void set_name(struct cof_standin *s, struct cof_view name, struct cof_sqs_queue *queue)
{
    memcpy(queue->name, name.data, name.len);
    queue->name[name.len] = '\0';
    (void)snprintf(queue->arn, sizeof queue->arn, "arn:aws:sqs:%s:%s:%s", cof_standin_region(s), cof_standin_account(s),
                   queue->name);
}

static enum cof_err load(struct cof_standin *s, const char *space, struct cof_view key, json_t **out)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_buf text;
    enum cof_err err;

    *out = NULL;
    cof_buf_init(&text, RECORD_MAX);
    err = store->get(store->ctx, space, key, &text);
    if (err == COF_OK)
        err = cof_json_parse_object(cof_buf_view(&text), RECORD_MAX, out, NULL);
    cof_buf_done(&text);
    return err;
}

static enum cof_err save(struct cof_standin *s, const char *space, struct cof_view key, const json_t *record)
{
    const struct cof_store *store = cof_standin_store(s);
    char *text = json_dumps(record, JSON_COMPACT);
    enum cof_err err;

    if (text == NULL)
        return COF_E_MEMORY;
    err = store->put(store->ctx, space, key, cof_view_str(text));
    free(text);
    return err;
}

enum cof_err cof_sqs_queue_get(struct cof_standin *s, struct cof_view name, struct cof_sqs_queue *out)
{
    *out = (struct cof_sqs_queue){0};
    if (!is_name(name))
        return COF_E_NOT_FOUND;
    set_name(s, name, out);
    return load(s, "sqs.queue", name, &out->record);
}

enum cof_err cof_sqs_queue_put(struct cof_standin *s, struct cof_view name, const json_t *attributes, const char *policy,
                               int64_t now_ms, struct cof_sqs_queue *out)
{
    json_t *mutable = (json_t *)(uintptr_t)attributes, *kept, *value;
    const char *key;
    enum cof_err err;

    *out = (struct cof_sqs_queue){0};
    if (!is_name(name))
        return COF_E_USAGE;
    err = cof_sqs_queue_get(s, name, out);
    if (err == COF_E_NOT_FOUND) {
        out->record = json_pack("{s:{}, s:I}", "attributes", "created_ms", (json_int_t)now_ms);
        err = out->record == NULL ? COF_E_MEMORY : COF_OK;
    }
    kept = json_object_get(out->record, "attributes");
    if (err == COF_OK && mutable != NULL)
        json_object_foreach(mutable, key, value)
            if (json_object_set(kept, key, value) != 0)
                err = COF_E_MEMORY;
    if (err == COF_OK && policy != NULL && json_object_set_new(out->record, "policy", json_string(policy)) != 0)
        err = COF_E_MEMORY;
    return err == COF_OK ? save(s, "sqs.queue", name, out->record) : err;
}

struct cof_view cof_sqs_queue_policy(const struct cof_sqs_queue *queue)
{
    return cof_view_str(json_string_value(json_object_get(queue->record, "policy")));
}

int64_t cof_sqs_queue_number(const struct cof_sqs_queue *queue, const char *name, int64_t otherwise)
{
    const char *text = json_string_value(json_object_get(json_object_get(queue->record, "attributes"), name));
    uint64_t n;

    return text != NULL && cof_parse_u64(cof_view_str(text), INT32_MAX, &n) == COF_OK ? (int64_t)n : otherwise;
}

void cof_sqs_queue_url(struct cof_standin *s, const struct cof_sqs_queue *queue, struct cof_buf *out)
{
    cof_buf_printf(out, "%s/%s/%s", cof_standin_endpoint(s), cof_standin_account(s), queue->name);
}

static void prefix(const struct cof_sqs_queue *queue, struct cof_buf *out)
{
    cof_buf_init(out, 512);
    cof_buf_add_str(out, queue->name);
    cof_buf_add_u8(out, 0);
}

static void message_key(const struct cof_sqs_queue *queue, const struct cof_sqs_item *item, struct cof_buf *out)
{
    prefix(queue, out);
    cof_buf_add_u64(out, (uint64_t)item->visible_ms);
    cof_buf_add_str(out, item->id);
}

static enum cof_err put_item(struct cof_standin *s, const struct cof_sqs_queue *queue, const struct cof_sqs_item *item)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_buf key, where, value;
    enum cof_err err;

    message_key(queue, item, &key);
    prefix(queue, &where);
    cof_buf_add_str(&where, item->id);
    cof_buf_init(&value, 16);
    cof_buf_add_u64(&value, (uint64_t)item->visible_ms);
    err = save(s, "sqs.message", cof_buf_view(&key), item->record);
    if (err == COF_OK)
        err = store->put(store->ctx, "sqs.where", cof_buf_view(&where), cof_buf_view(&value));
    cof_buf_done(&key);
    cof_buf_done(&where);
    cof_buf_done(&value);
    return err;
}

enum cof_err cof_sqs_remove(struct cof_standin *s, const struct cof_sqs_queue *queue, const struct cof_sqs_item *item)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_buf key, where;
    enum cof_err err;

    message_key(queue, item, &key);
    prefix(queue, &where);
    cof_buf_add_str(&where, item->id);
    err = store->remove(store->ctx, "sqs.message", cof_buf_view(&key));
    if (err == COF_OK)
        err = store->remove(store->ctx, "sqs.where", cof_buf_view(&where));
    cof_buf_done(&key);
    cof_buf_done(&where);
    return err;
}

enum cof_err cof_sqs_move(struct cof_standin *s, const struct cof_sqs_queue *queue, struct cof_sqs_item *item,
                          int64_t visible_ms)
{
    enum cof_err err = cof_sqs_remove(s, queue, item);

    item->visible_ms = visible_ms;
    return err == COF_OK ? put_item(s, queue, item) : err;
}

enum cof_err cof_sqs_add(struct cof_standin *s, const struct cof_sqs_queue *queue, struct cof_view body,
                         const json_t *message_attributes, int64_t delay_ms, int64_t now_ms, char id[static COF_SQS_ID + 1])
{
    struct cof_sqs_item item = {.visible_ms = now_ms + delay_ms};
    uint8_t r[16];
    char hex[33];
    enum cof_err err = cof_rng_fill(cof_standin_rng(s), r, sizeof r);

    cof_hex_encode(r, sizeof r, hex);
    (void)snprintf(item.id, sizeof item.id, "%.8s-%.4s-4%.3s-a%.3s-%.12s", hex, hex + 8, hex + 13, hex + 17, hex + 20);
    if (err == COF_OK)
        item.record = json_pack("{s:s%, s:I, s:i}", "body", (const char *)body.data, body.len, "sent_ms",
                                (json_int_t)now_ms, "count", 0);
    if (err == COF_OK && item.record == NULL)
        err = COF_E_FORMAT; /* jansson takes no text that is not UTF-8 */
    if (err == COF_OK && message_attributes != NULL &&
        json_object_set_new(item.record, "attributes", json_deep_copy(message_attributes)) != 0)
        err = COF_E_MEMORY;
    if (err == COF_OK)
        err = put_item(s, queue, &item);
    memcpy(id, item.id, sizeof item.id);
    cof_sqs_item_done(&item);
    return err;
}

struct first {
    struct cof_sqs_item *item;
    size_t prefix_len;
    int64_t now_ms, next_ms;
    bool found;
    enum cof_err err;
};

static bool see_first(void *arg, struct cof_view key, struct cof_view value)
{
    struct first *f = arg;
    struct cof_view rest = cof_view_sub(key, f->prefix_len, SIZE_MAX);
    uint64_t visible;

    if (cof_take_u64(&rest, &visible) != COF_OK || rest.len != COF_SQS_ID)
        return true;
    if ((int64_t)visible > f->now_ms) {
        f->next_ms = (int64_t)visible;
        return false;
    }
    f->item->visible_ms = (int64_t)visible;
    memcpy(f->item->id, rest.data, rest.len);
    f->item->id[rest.len] = '\0';
    f->err = cof_json_parse_object(value, RECORD_MAX, &f->item->record, NULL);
    f->found = f->err == COF_OK;
    return false;
}

/* Where over-received messages go: {"deadLetterTargetArn","maxReceiveCount"} of RedrivePolicy. */
static enum cof_err redrive_target(struct cof_standin *s, const struct cof_sqs_queue *queue, struct cof_sqs_queue *target,
                                   int64_t *most)
{
    const char *text = json_string_value(json_object_get(json_object_get(queue->record, "attributes"), "RedrivePolicy"));
    struct cof_view arn, last, rest;
    json_t *policy;
    const json_t *count;
    uint64_t n = 0;
    enum cof_err err;

    *target = (struct cof_sqs_queue){0};
    if (text == NULL)
        return COF_E_NOT_FOUND;
    err = cof_json_parse_object(cof_view_str(text), 4096, &policy, NULL);
    if (err != COF_OK)
        return err;
    count = json_object_get(policy, "maxReceiveCount");
    if (json_is_integer(count))
        n = (uint64_t)json_integer_value(count);
    else if (json_is_string(count) && cof_parse_u64(cof_view_str(json_string_value(count)), 1000, &n) != COF_OK)
        n = 0;
    err = cof_json_text(policy, "deadLetterTargetArn", &arn, NULL);
    rest = arn;
    last = arn;
    while (cof_view_split(rest, ':', &last, &rest))
        last = rest;
    if (err == COF_OK)
        err = cof_sqs_queue_get(s, last, target);
    *most = (int64_t)n;
    json_decref(policy);
    return err == COF_OK && n == 0 ? COF_E_NOT_FOUND : err;
}

/* True when the message was moved away. */
static bool redrive(struct cof_standin *s, const struct cof_sqs_queue *queue, struct cof_sqs_item *item, int64_t now_ms,
                    enum cof_err *err)
{
    struct cof_sqs_queue dead;
    int64_t most;
    bool moved = false;

    *err = redrive_target(s, queue, &dead, &most);
    if (*err == COF_OK && json_integer_value(json_object_get(item->record, "count")) >= most) {
        *err = cof_sqs_remove(s, queue, item);
        item->visible_ms = now_ms;
        if (*err == COF_OK)
            *err = put_item(s, &dead, item);
        if (*err == COF_OK)
            cof_standin_notify(s, dead.arn, 0);
        moved = true;
    }
    if (*err == COF_E_NOT_FOUND)
        *err = COF_OK;
    cof_sqs_queue_done(&dead);
    return moved;
}

static enum cof_err mark_received(struct cof_standin *s, struct cof_sqs_item *item, int64_t now_ms)
{
    json_int_t count = json_integer_value(json_object_get(item->record, "count")) + 1;
    uint8_t r[8];
    char receive[17];
    enum cof_err err = cof_rng_fill(cof_standin_rng(s), r, sizeof r);

    cof_hex_encode(r, sizeof r, receive);
    if (err == COF_OK && (json_object_set_new(item->record, "count", json_integer(count)) != 0 ||
                          json_object_set_new(item->record, "receive", json_string(receive)) != 0 ||
                          (count == 1 && json_object_set_new(item->record, "first_ms", json_integer(now_ms)) != 0)))
        err = COF_E_MEMORY;
    return err;
}

enum cof_err cof_sqs_take(struct cof_standin *s, const struct cof_sqs_queue *queue, int64_t visibility_ms, int64_t now_ms,
                          struct cof_sqs_item *out, int64_t *next_ms)
{
    const struct cof_store *store = cof_standin_store(s);
    int64_t retention_ms = cof_sqs_queue_number(queue, "MessageRetentionPeriod", 345600) * 1000;
    struct cof_buf start;
    enum cof_err err = COF_OK;

    *out = (struct cof_sqs_item){0};
    *next_ms = INT64_MAX;
    prefix(queue, &start);
    while (err == COF_OK) {
        struct first f = {.item = out, .prefix_len = start.len, .now_ms = now_ms, .next_ms = INT64_MAX};
        err = store->scan(store->ctx, "sqs.message", cof_buf_view(&start), (struct cof_view){0}, 1, see_first, &f);
        *next_ms = f.next_ms;
        if (err == COF_OK)
            err = f.err;
        if (err == COF_OK && !f.found)
            err = COF_E_NOT_FOUND;
        if (err != COF_OK)
            break;
        if (now_ms - json_integer_value(json_object_get(out->record, "sent_ms")) > retention_ms)
            err = cof_sqs_remove(s, queue, out);
        else if (!redrive(s, queue, out, now_ms, &err) && err == COF_OK) {
            err = mark_received(s, out, now_ms);
            if (err == COF_OK)
                err = cof_sqs_move(s, queue, out, now_ms + visibility_ms);
            break;
        }
        cof_sqs_item_done(out);
    }
    cof_buf_done(&start);
    if (err != COF_OK)
        cof_sqs_item_done(out);
    return err;
}

/* id "." receive "." MAC: nobody else can make one, and it dies with the next receive. */
static enum cof_err handle_mac(struct cof_standin *s, const struct cof_sqs_queue *queue, struct cof_view text,
                               char out[static 2 * MAC_BYTES + 1])
{
    const struct cof_view parts[] = {COF_LIT("sqs handle"), cof_view_str(queue->name), text};
    uint8_t mac[32];
    enum cof_err err = cof_hmac(COF_SHA256, cof_secret_view(cof_standin_master_key(s)), parts, 3, mac);

    cof_hex_encode(mac, MAC_BYTES, out);
    return err;
}

enum cof_err cof_sqs_handle(struct cof_standin *s, const struct cof_sqs_queue *queue, const struct cof_sqs_item *item,
                            struct cof_buf *out)
{
    const char *receive = json_string_value(json_object_get(item->record, "receive"));
    char mac[2 * MAC_BYTES + 1];
    struct cof_buf text;
    enum cof_err err;

    cof_buf_init(&text, 256);
    cof_buf_printf(&text, "%s.%s", item->id, receive == NULL ? "" : receive);
    err = handle_mac(s, queue, cof_buf_view(&text), mac);
    cof_buf_add(out, cof_buf_view(&text));
    cof_buf_printf(out, ".%s", mac);
    cof_buf_done(&text);
    return err == COF_OK ? cof_buf_err(out) : err;
}

enum cof_err cof_sqs_by_handle(struct cof_standin *s, const struct cof_sqs_queue *queue, struct cof_view handle,
                               struct cof_sqs_item *out)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_view id, receive, mac, rest, signed_part;
    char want[2 * MAC_BYTES + 1];
    struct cof_buf where, value, key;
    uint64_t visible = 0;
    enum cof_err err;

    *out = (struct cof_sqs_item){0};
    if (!cof_view_split(handle, '.', &id, &rest) || !cof_view_split(rest, '.', &receive, &mac) || id.len != COF_SQS_ID)
        return COF_E_FORMAT;
    signed_part = cof_view_sub(handle, 0, id.len + 1 + receive.len);
    err = handle_mac(s, queue, signed_part, want);
    if (err == COF_OK && !cof_equal_ct(cof_view_str(want), mac))
        err = COF_E_FORMAT;
    if (err != COF_OK)
        return err;
    memcpy(out->id, id.data, id.len);
    prefix(queue, &where);
    cof_buf_add(&where, id);
    cof_buf_init(&value, 16);
    err = store->get(store->ctx, "sqs.where", cof_buf_view(&where), &value);
    rest = cof_buf_view(&value);
    if (err == COF_OK)
        err = cof_take_u64(&rest, &visible) == COF_OK ? COF_OK : COF_E_BUG;
    out->visible_ms = (int64_t)visible;
    message_key(queue, out, &key);
    if (err == COF_OK)
        err = load(s, "sqs.message", cof_buf_view(&key), &out->record);
    if (err == COF_OK && !cof_view_eq_str(receive, json_string_value(json_object_get(out->record, "receive"))))
        err = COF_E_NOT_FOUND;
    cof_buf_done(&where);
    cof_buf_done(&value);
    cof_buf_done(&key);
    if (err != COF_OK)
        cof_sqs_item_done(out);
    return err;
}

struct counting {
    size_t prefix_len;
    int64_t now_ms;
    uint64_t visible, hidden;
};

static bool count_one(void *arg, struct cof_view key, struct cof_view value)
{
    struct counting *c = arg;
    struct cof_view rest = cof_view_sub(key, c->prefix_len, SIZE_MAX);
    uint64_t visible;

    (void)value;
    if (cof_take_u64(&rest, &visible) == COF_OK && (int64_t)visible > c->now_ms)
        c->hidden++;
    else
        c->visible++;
    return true;
}

enum cof_err cof_sqs_count(struct cof_standin *s, const struct cof_sqs_queue *queue, int64_t now_ms, uint64_t *visible,
                           uint64_t *hidden)
{
    const struct cof_store *store = cof_standin_store(s);
    struct counting c = {.now_ms = now_ms};
    struct cof_buf start;
    enum cof_err err;

    prefix(queue, &start);
    c.prefix_len = start.len;
    err = store->scan(store->ctx, "sqs.message", cof_buf_view(&start), (struct cof_view){0}, 1000000, count_one, &c);
    *visible = c.visible;
    *hidden = c.hidden;
    cof_buf_done(&start);
    return err;
}
