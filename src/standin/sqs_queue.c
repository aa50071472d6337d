/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/sqs_queue.h"

#include "base/codec.h"
#include "base/num.h"
#include "crypto/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_MAX ((size_t)1 << 20)
#define QUEUES_MAX 4096 /* kept in memory */
#define GONE_MS 60000
#define INFLIGHT_MAX 120000

struct cof_sqs *cof_sqs_state(struct cof_standin *s)
{
    return cof_standin_state(s, "sqs");
}

enum cof_err cof_sqs_state_new(struct cof_standin *s, void **state, struct cof_diag *diag)
{
    struct cof_sqs *sqs = calloc(1, sizeof *sqs);

    (void)s;
    (void)diag;
    *state = sqs;
    if (sqs == NULL)
        return COF_E_MEMORY;
    sqs->inflight_max = INFLIGHT_MAX;
    return COF_OK; /* due at once: what an earlier run left is looked for */
}

void cof_sqs_data_key_done(struct cof_sqs_data_key *key)
{
    cof_gcm_free(key->gcm);
    cof_buf_done(&key->blob);
    cof_buf_done(&key->arn);
    *key = (struct cof_sqs_data_key){0};
}

static void free_queue(struct cof_sqs_queue *queue)
{
    if (queue == NULL)
        return;
    json_decref(queue->record);
    cof_gcm_free(queue->body_key);
    cof_gcm_free(queue->handle_key);
    cof_sqs_data_key_done(&queue->sealing);
    cof_sqs_data_key_done(&queue->opening);
    free(queue);
}

static void forget_all(struct cof_sqs *sqs)
{
    for (size_t i = 0; i < sizeof sqs->buckets / sizeof sqs->buckets[0]; i++)
        while (sqs->buckets[i] != NULL) {
            struct cof_sqs_queue *queue = sqs->buckets[i];

            sqs->buckets[i] = queue->next;
            free_queue(queue);
        }
    sqs->n_queues = 0;
    sqs->touched = false;
}

void cof_sqs_state_free(struct cof_standin *s, void *state)
{
    (void)s;
    if (state == NULL)
        return;
    forget_all(state);
    free(state);
}

void cof_sqs_state_undone(struct cof_standin *s, void *state)
{
    struct cof_sqs *sqs = state;

    (void)s;
    if (sqs->touched)
        forget_all(sqs);
    sqs->due_ms = 0;
}

void cof_sqs_state_trim(struct cof_sqs *sqs)
{
    if (sqs->n_queues > QUEUES_MAX)
        forget_all(sqs);
}

bool cof_sqs_queue_is_name(struct cof_view v)
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

static struct cof_sqs_queue **slot_of(struct cof_sqs *sqs, struct cof_view name)
{
    struct cof_sqs_queue **at;
    uint8_t h = 0;

    for (size_t i = 0; i < name.len; i++)
        h = (uint8_t)(h * 31 + name.data[i]);
    for (at = &sqs->buckets[h]; *at != NULL && !cof_view_eq_str(name, (*at)->name);)
        at = &(*at)->next;
    return at;
}

static void drop(struct cof_sqs *sqs, struct cof_view name)
{
    struct cof_sqs_queue **at = slot_of(sqs, name), *queue = *at;

    if (queue == NULL)
        return;
    *at = queue->next;
    sqs->n_queues--;
    free_queue(queue);
}

/* A key of the queue's own, for one purpose. */
static enum cof_err make_key(struct cof_standin *s, const char *purpose, const uint8_t id[COF_SQS_ID], struct cof_gcm **out)
{
    const struct cof_view parts[] = {COF_LIT("coffer-local key at rest: "), cof_view_str(purpose), cof_view_of(id, COF_SQS_ID)};
    struct cof_secret key COF_SECRET_AUTO = {.len = 32};
    enum cof_err err = cof_hmac(COF_SHA256, cof_secret_view(cof_standin_master_key(s)), parts, 3, key.bytes);

    cof_gcm_free(*out);
    *out = NULL;
    return err == COF_OK ? cof_gcm_new(cof_secret_view(&key), out) : err;
}

static int64_t number(const struct cof_sqs_queue *queue, const char *name, int64_t otherwise)
{
    const char *text = cof_sqs_queue_attribute(queue, name);
    uint64_t n;

    return text != NULL && cof_parse_u64(cof_view_str(text), INT32_MAX, &n) == COF_OK ? (int64_t)n : otherwise;
}

static int64_t time_of(const struct cof_sqs_queue *queue, const char *name)
{
    return json_integer_value(json_object_get(queue->record, name));
}

enum cof_err cof_sqs_redrive_parse(const char *text, char *arn, size_t arn_size, int64_t *max_receives)
{
    struct cof_view target = {0};
    const json_t *count;
    json_t *policy;
    uint64_t n = 0;
    enum cof_err err = cof_json_parse_object(cof_view_str(text), 4096, &policy, NULL);

    *max_receives = -1;
    arn[0] = '\0';
    if (err != COF_OK)
        return err;
    if (cof_json_text(policy, "deadLetterTargetArn", &target, NULL) == COF_OK && target.len < arn_size)
        (void)snprintf(arn, arn_size, "%.*s", (int)target.len, (const char *)target.data);
    count = json_object_get(policy, "maxReceiveCount");
    if (json_is_integer(count) && json_integer_value(count) >= 0)
        *max_receives = json_integer_value(count);
    else if (json_is_string(count) && cof_parse_u64(cof_view_str(json_string_value(count)), INT32_MAX, &n) == COF_OK)
        *max_receives = (int64_t)n;
    json_decref(policy);
    return COF_OK;
}

/* What follows from the record. */
static enum cof_err derive(struct cof_standin *s, struct cof_sqs_queue *queue)
{
    struct cof_view uid, id, name;
    uint8_t old_id[COF_SQS_ID];
    char arn[300];
    const char *redrive;
    int64_t most;
    enum cof_err err = COF_OK;

    memcpy(old_id, queue->id, sizeof old_id);
    if (cof_json_text(queue->record, "uid", &uid, NULL) != COF_OK || cof_json_text(queue->record, "id", &id, NULL) != COF_OK ||
        cof_hex_decode_fixed(uid, queue->uid, COF_SQS_ID) != COF_OK || cof_hex_decode_fixed(id, queue->id, COF_SQS_ID) != COF_OK)
        return COF_E_FORMAT;
    queue->delay_s = number(queue, "DelaySeconds", 0);
    queue->visibility_s = number(queue, "VisibilityTimeout", 30);
    queue->retention_s = number(queue, "MessageRetentionPeriod", 345600);
    queue->wait_s = number(queue, "ReceiveMessageWaitTimeSeconds", 0);
    queue->max_bytes = number(queue, "MaximumMessageSize", 1048576);
    queue->created_ms = time_of(queue, "created_ms");
    queue->dead[0] = '\0';
    redrive = cof_sqs_queue_attribute(queue, "RedrivePolicy");
    if (redrive != NULL && cof_sqs_redrive_parse(redrive, arn, sizeof arn, &most) == COF_OK && most > 0 &&
        cof_sqs_queue_of_arn(s, cof_view_str(arn), &name)) {
        (void)snprintf(queue->dead, sizeof queue->dead, "%.*s", (int)name.len, (const char *)name.data);
        queue->max_receives = (uint32_t)most;
    }
    if (queue->body_key == NULL || memcmp(old_id, queue->id, sizeof old_id) != 0)
        err = make_key(s, "sqs body", queue->id, &queue->body_key);
    if (err == COF_OK && queue->handle_key == NULL)
        err = make_key(s, "sqs handle", queue->uid, &queue->handle_key);
    return err;
}

static struct cof_sqs_queue *new_queue(struct cof_standin *s, struct cof_view name)
{
    struct cof_sqs_queue *queue = calloc(1, sizeof *queue);

    if (queue == NULL)
        return NULL;
    memcpy(queue->name, name.data, name.len);
    (void)snprintf(queue->arn, sizeof queue->arn, "arn:aws:sqs:%s:%s:%s", cof_standin_region(s), cof_standin_account(s), queue->name);
    return queue;
}

static enum cof_err keep(struct cof_standin *s, struct cof_sqs_queue *queue, enum cof_err err, struct cof_sqs_queue **out)
{
    struct cof_sqs *sqs = cof_sqs_state(s);
    struct cof_sqs_queue **at = slot_of(sqs, cof_view_str(queue->name));

    if (err == COF_OK)
        err = derive(s, queue);
    if (err != COF_OK) {
        free_queue(queue);
        return err;
    }
    *at = queue;
    sqs->n_queues++;
    *out = queue;
    return COF_OK;
}

enum cof_err cof_sqs_queue_get(struct cof_standin *s, struct cof_view name, struct cof_sqs_queue **out)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_sqs_queue *queue;
    struct cof_buf text;
    enum cof_err err;

    *out = NULL;
    if (!cof_sqs_queue_is_name(name))
        return COF_E_NOT_FOUND;
    *out = *slot_of(cof_sqs_state(s), name);
    if (*out != NULL)
        return COF_OK;
    cof_buf_init(&text, RECORD_MAX);
    err = store->get(store->ctx, "sqs.queue", name, &text);
    queue = err == COF_OK ? new_queue(s, name) : NULL;
    if (err == COF_OK && queue == NULL)
        err = COF_E_MEMORY;
    if (err == COF_OK)
        err = keep(s, queue, cof_json_parse_object(cof_buf_view(&text), RECORD_MAX, &queue->record, NULL), out);
    cof_buf_done(&text);
    return err;
}

static enum cof_err new_id(struct cof_standin *s, char hex[2 * COF_SQS_ID + 1])
{
    uint8_t id[COF_SQS_ID];
    enum cof_err err = cof_rng_fill(cof_standin_rng(s), id, sizeof id);

    cof_hex_encode(id, sizeof id, hex);
    return err;
}

static enum cof_err write_record(struct cof_standin *s, const struct cof_sqs_queue *queue)
{
    const struct cof_store *store = cof_standin_store(s);
    char *text = json_dumps(queue->record, JSON_COMPACT);
    enum cof_err err = text == NULL ? COF_E_MEMORY
                                    : store->put(store->ctx, "sqs.queue", cof_view_str(queue->name), cof_view_str(text));

    free(text);
    return err;
}

enum cof_err cof_sqs_queue_make(struct cof_standin *s, struct cof_view name, const json_t *attributes, const json_t *tags, int64_t now_ms,
                                struct cof_sqs_queue **out)
{
    struct cof_sqs_queue *queue = cof_sqs_queue_is_name(name) ? new_queue(s, name) : NULL;
    json_t *kept = attributes != NULL ? json_deep_copy(attributes) : json_object();
    json_t *kept_tags = tags != NULL ? json_deep_copy(tags) : json_object();
    char uid[2 * COF_SQS_ID + 1], id[2 * COF_SQS_ID + 1];
    enum cof_err err = queue == NULL ? COF_E_USAGE : new_id(s, uid);

    *out = NULL;
    cof_sqs_state(s)->touched = true;
    if (err == COF_OK)
        err = new_id(s, id);
    if (err == COF_OK) {
        queue->record = json_pack("{s:s, s:s, s:I, s:I, s:O, s:O}", "uid", uid, "id", id, "created_ms", (json_int_t)now_ms, "modified_ms",
                                  (json_int_t)now_ms, "attributes", kept, "tags", kept_tags);
        err = queue->record == NULL ? COF_E_MEMORY : write_record(s, queue);
    }
    json_decref(kept);
    json_decref(kept_tags);
    if (err == COF_OK) {
        queue->counted = true; /* none */
        queue->next_ms = INT64_MAX;
        return keep(s, queue, COF_OK, out);
    }
    free_queue(queue);
    return err;
}

enum cof_err cof_sqs_queue_save(struct cof_standin *s, struct cof_sqs_queue *queue)
{
    enum cof_err err;

    cof_sqs_state(s)->touched = true;
    cof_sqs_data_key_done(&queue->sealing); /* the KMS key may be another now */
    err = write_record(s, queue);
    return err == COF_OK ? derive(s, queue) : err;
}

static enum cof_err make_trash(struct cof_standin *s, const struct cof_sqs_queue *queue)
{
    const struct cof_store *store = cof_standin_store(s);

    cof_sqs_state(s)->touched = true;
    cof_sqs_state(s)->due_ms = 0;
    return store->put(store->ctx, "sqs.trash", cof_view_of(queue->id, COF_SQS_ID), COF_LIT(""));
}

enum cof_err cof_sqs_queue_purge(struct cof_standin *s, struct cof_sqs_queue *queue, int64_t now_ms)
{
    char id[2 * COF_SQS_ID + 1];
    enum cof_err err = make_trash(s, queue);

    if (err == COF_OK)
        err = new_id(s, id);
    if (err == COF_OK && (json_object_set_new(queue->record, "id", json_string(id)) != 0 ||
                          json_object_set_new(queue->record, "purged_ms", json_integer(now_ms)) != 0))
        err = COF_E_MEMORY;
    queue->counted = true;
    queue->n_ready = queue->n_inflight = queue->n_delayed = 0;
    queue->next_ms = INT64_MAX;
    return err == COF_OK ? cof_sqs_queue_save(s, queue) : err;
}

struct old_names {
    struct cof_buf names;
    int64_t before_ms;
};

static bool see_gone(void *arg, struct cof_view key, struct cof_view value)
{
    struct old_names *old = arg;
    uint64_t deleted_ms;

    if (cof_take_u64(&value, &deleted_ms) == COF_OK && (int64_t)deleted_ms >= old->before_ms)
        return true;
    cof_buf_add_u8(&old->names, (uint8_t)key.len);
    cof_buf_add(&old->names, key);
    return true;
}

/* Names that may be taken again are not remembered for ever. */
static enum cof_err forget_gone(struct cof_standin *s, int64_t now_ms)
{
    const struct cof_store *store = cof_standin_store(s);
    struct old_names old = {.before_ms = now_ms - GONE_MS};
    struct cof_view rest, name;
    uint8_t len;
    enum cof_err err;

    cof_buf_init(&old.names, 65536);
    err = store->scan(store->ctx, "sqs.gone", (struct cof_view){0}, (struct cof_view){0}, 256, see_gone, &old);
    rest = cof_buf_view(&old.names);
    while (err == COF_OK && cof_take_u8(&rest, &len) == COF_OK && cof_take(&rest, len, &name) == COF_OK)
        err = store->remove(store->ctx, "sqs.gone", name);
    cof_buf_done(&old.names);
    return err;
}

enum cof_err cof_sqs_queue_delete(struct cof_standin *s, struct cof_sqs_queue *queue, int64_t now_ms)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_view name = cof_view_str(queue->name);
    struct cof_buf when;
    enum cof_err err = make_trash(s, queue);

    cof_buf_init(&when, 8);
    cof_buf_add_u64(&when, (uint64_t)now_ms);
    if (err == COF_OK)
        err = forget_gone(s, now_ms);
    if (err == COF_OK)
        err = store->put(store->ctx, "sqs.gone", name, cof_buf_view(&when));
    if (err == COF_OK)
        err = store->remove(store->ctx, "sqs.queue", name);
    cof_buf_done(&when);
    if (err == COF_OK)
        drop(cof_sqs_state(s), name);
    return err;
}

enum cof_err cof_sqs_queue_gone(struct cof_standin *s, struct cof_view name, int64_t *deleted_ms)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_view value;
    struct cof_buf when;
    uint64_t ms = 0;
    enum cof_err err;

    cof_buf_init(&when, 8);
    err = store->get(store->ctx, "sqs.gone", name, &when);
    value = cof_buf_view(&when);
    if (err == COF_OK)
        err = cof_take_u64(&value, &ms);
    *deleted_ms = (int64_t)ms;
    cof_buf_done(&when);
    return err == COF_E_NOT_FOUND ? COF_OK : err;
}

const char *cof_sqs_queue_attribute(const struct cof_sqs_queue *queue, const char *name)
{
    return json_string_value(json_object_get(json_object_get(queue->record, "attributes"), name));
}

struct cof_view cof_sqs_queue_policy(const struct cof_sqs_queue *queue)
{
    return cof_view_str(cof_sqs_queue_attribute(queue, "Policy"));
}

void cof_sqs_queue_url(struct cof_standin *s, const char *name, struct cof_buf *out)
{
    cof_buf_printf(out, "%s/%s/%s", cof_standin_endpoint(s), cof_standin_account(s), name);
}

bool cof_sqs_queue_of_arn(struct cof_standin *s, struct cof_view arn, struct cof_view *name)
{
    char prefix[128];

    (void)snprintf(prefix, sizeof prefix, "arn:aws:sqs:%s:%s:", cof_standin_region(s), cof_standin_account(s));
    if (!cof_view_starts(arn, cof_view_str(prefix)))
        return false;
    *name = cof_view_sub(arn, strlen(prefix), SIZE_MAX);
    return cof_sqs_queue_is_name(*name);
}
