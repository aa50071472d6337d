/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/s3_record.h"

#include "base/codec.h"
#include "format/json.h"
#include "format/json_skim.h"
#include "standin/memo.h"
#include "standin/s3_lock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum cof_err cof_s3_parse(struct cof_view text, json_t **out)
{
    return cof_json_parse_object(text, COF_STORE_VALUE_MAX, out, NULL);
}

enum cof_err cof_s3_load(const struct cof_store *store, const char *space, struct cof_view key, json_t **out)
{
    struct cof_buf text;
    enum cof_err err;

    *out = NULL;
    cof_buf_init(&text, COF_STORE_VALUE_MAX);
    err = store->get(store->ctx, space, key, &text);
    if (err == COF_OK)
        err = cof_s3_parse(cof_buf_view(&text), out);
    cof_buf_done(&text);
    return err;
}

enum cof_err cof_s3_save(const struct cof_store *store, const char *space, struct cof_view key, const json_t *record)
{
    struct cof_buf text;
    enum cof_err err;

    if (record == NULL)
        return COF_E_MEMORY;
    cof_buf_init(&text, COF_STORE_VALUE_MAX);
    cof_json_add_value(&text, record);
    err = cof_buf_err(&text);
    if (err == COF_OK)
        err = store->put(store->ctx, space, key, cof_buf_view(&text));
    cof_buf_done(&text);
    return err;
}

enum cof_err cof_s3_bucket_get(const struct cof_store *store, const char *bucket, json_t **out)
{
    return cof_s3_load(store, "s3.bucket", cof_view_str(bucket), out);
}

enum cof_err cof_s3_bucket_put(const struct cof_store *store, const char *bucket, const json_t *record)
{
    return cof_s3_save(store, "s3.bucket", cof_view_str(bucket), record);
}

void cof_s3_key_of(struct cof_buf *out, const char *bucket, struct cof_view key)
{
    cof_buf_add_str(out, bucket);
    cof_buf_add_u8(out, 0);
    cof_buf_add(out, key);
}

void cof_s3_key_of3(struct cof_buf *out, const char *bucket, struct cof_view key, struct cof_view last)
{
    cof_s3_key_of(out, bucket, key);
    cof_buf_add_u8(out, 0);
    cof_buf_add(out, last);
}

const char *cof_s3_text(const json_t *record, const char *name)
{
    const char *text = json_string_value(json_object_get(record, name));

    return text == NULL ? "" : text;
}

int64_t cof_s3_int(const json_t *record, const char *name)
{
    return json_integer_value(json_object_get(record, name));
}

bool cof_s3_is(const json_t *record, const char *name)
{
    return json_is_true(json_object_get(record, name));
}

bool cof_s3_set(json_t *record, const char *name, json_t *value)
{
    return json_object_setn_new_nocheck(record, name, strlen(name), value) == 0;
}

bool cof_s3_set_text(json_t *record, const char *name, struct cof_view text)
{
    return cof_s3_set(record, name, json_stringn_nocheck(text.len == 0 ? "" : (const char *)text.data, text.len));
}

json_t *cof_s3_string(struct cof_view text)
{
    return text.len == 0 ? json_string("") : json_stringn((const char *)text.data, text.len);
}

void cof_s3_quote(const char *etag, char out[static 80])
{
    size_t len = strnlen(etag, 77);

    out[0] = '"';
    memcpy(out + 1, etag, len);
    memcpy(out + 1 + len, "\"", 2);
}

void cof_s3_etag(const json_t *record, char out[static 80])
{
    cof_s3_quote(cof_s3_text(record, "etag"), out);
}

enum cof_err cof_s3_setting(const struct cof_store *store, const char *name, bool *out)
{
    json_t *settings = NULL;
    enum cof_err err = cof_s3_load(store, "s3.setting", COF_LIT("account"), &settings);

    *out = cof_s3_is(settings, name);
    json_decref(settings);
    return err == COF_E_NOT_FOUND ? COF_OK : err;
}

const char *cof_s3_storage_class(const json_t *record)
{
    const char *text = cof_s3_text(json_object_get(record, "head"), "x-amz-storage-class");

    return text[0] == '\0' ? "STANDARD" : text;
}

enum cof_s3_versioning cof_s3_versioning_of(const struct cof_s3_call *c)
{
    const char *text = cof_s3_text(c->bucket_record, "versioning");

    return strcmp(text, "Enabled") == 0 ? COF_S3_VERSIONED :
        strcmp(text, "Suspended") == 0  ? COF_S3_SUSPENDED :
                                          COF_S3_UNVERSIONED;
}

struct search {
    const char *id; /* NULL: the first */
    json_t *found;
};

static bool match(void *arg, struct cof_view key, struct cof_view value)
{
    struct search *search = arg;
    json_t *record;

    (void)key;
    if (cof_s3_parse(value, &record) != COF_OK)
        return true;
    if (search->id == NULL || strcmp(cof_s3_text(record, "id"), search->id) == 0) {
        search->found = record;
        return false;
    }
    json_decref(record);
    return true;
}

static enum cof_err find_version(struct cof_s3_call *c, const char *id, json_t **out)
{
    struct search search = {id, NULL};
    struct cof_buf prefix;
    enum cof_err err;

    *out = NULL;
    cof_buf_init(&prefix, COF_STORE_KEY_MAX);
    cof_s3_key_of3(&prefix, c->bucket, cof_buf_view(&c->key), COF_LIT(""));
    err = c->store->scan(c->store->ctx, "s3.version", cof_buf_view(&prefix), COF_LIT(""), SIZE_MAX, match, &search);
    cof_buf_done(&prefix);
    if (err != COF_OK) {
        json_decref(search.found);
        return err;
    }
    *out = search.found;
    return search.found == NULL ? COF_E_NOT_FOUND : COF_OK;
}

/* shared: not to be changed. */
static enum cof_err get_version(struct cof_s3_call *c, struct cof_view version_id, bool shared, json_t **out)
{
    char id[64];
    struct cof_buf key;
    enum cof_err err;

    *out = NULL;
    if (version_id.len > 0) {
        (void)snprintf(
            id, sizeof id, "%.*s", (int)(version_id.len < 63 ? version_id.len : 63), (const char *)version_id.data);
        return find_version(c, id, out);
    }
    cof_buf_init(&key, COF_STORE_KEY_MAX);
    cof_s3_key_of(&key, c->bucket, cof_buf_view(&c->key));
    err = shared ? cof_record_get(c->store, "s3.current", cof_buf_view(&key), out) : cof_s3_load(c->store, "s3.current", cof_buf_view(&key), out);
    cof_buf_done(&key);
    return err;
}

enum cof_err cof_s3_object_get(struct cof_s3_call *c, struct cof_view version_id, json_t **out)
{
    return get_version(c, version_id, false, out);
}

enum cof_err cof_s3_object_read(struct cof_s3_call *c, struct cof_view version_id, json_t **out)
{
    return get_version(c, version_id, true, out);
}

enum cof_err cof_s3_object_newest(struct cof_s3_call *c, json_t **out)
{
    return find_version(c, NULL, out);
}

enum cof_err cof_s3_segments_remove(const struct cof_store *store, const json_t *parts)
{
    enum cof_err err = COF_OK;

    for (size_t i = 0; i < json_array_size(parts) && err == COF_OK; i++) {
        struct cof_blob_id id = {{0}};

        (void)snprintf(id.text, sizeof id.text, "%s", cof_s3_text(json_array_get(parts, i), "blob"));
        err = store->blob_remove(store->ctx, &id);
    }
    return err;
}

static enum cof_err remove_row(struct cof_s3_call *c, struct cof_view order)
{
    struct cof_buf key;
    enum cof_err err;

    cof_buf_init(&key, COF_STORE_KEY_MAX);
    cof_s3_key_of3(&key, c->bucket, cof_buf_view(&c->key), order);
    err = c->store->remove(c->store->ctx, "s3.version", cof_buf_view(&key));
    cof_buf_done(&key);
    return err;
}

static enum cof_err remove_version(struct cof_s3_call *c, const json_t *record)
{
    enum cof_err err = remove_row(c, cof_view_str(cof_s3_text(record, "order")));

    return err == COF_OK ? cof_s3_segments_remove(c->store, json_object_get(record, "parts")) : err;
}

/* s3.current follows the newest version. */
static enum cof_err set_current(struct cof_s3_call *c, const json_t *newest)
{
    struct cof_buf key;
    enum cof_err err;

    cof_buf_init(&key, COF_STORE_KEY_MAX);
    cof_s3_key_of(&key, c->bucket, cof_buf_view(&c->key));
    if (newest == NULL || cof_s3_is(newest, "marker"))
        err = c->store->remove(c->store->ctx, "s3.current", cof_buf_view(&key));
    else
        err = cof_s3_save(c->store, "s3.current", cof_buf_view(&key), newest);
    cof_buf_done(&key);
    return err;
}

enum cof_err cof_s3_object_erase(struct cof_s3_call *c, const json_t *record)
{
    json_t *newest = NULL;
    enum cof_err err = remove_version(c, record);

    if (err == COF_OK)
        err = cof_s3_object_newest(c, &newest);
    if (err == COF_E_NOT_FOUND)
        err = COF_OK;
    if (err == COF_OK)
        err = set_current(c, newest);
    json_decref(newest);
    return err;
}

enum cof_err cof_s3_object_update(struct cof_s3_call *c, const json_t *record)
{
    json_t *newest = NULL;
    struct cof_buf key;
    enum cof_err err = cof_s3_object_newest(c, &newest);

    cof_buf_init(&key, COF_STORE_KEY_MAX);
    cof_s3_key_of3(&key, c->bucket, cof_buf_view(&c->key), cof_view_str(cof_s3_text(record, "order")));
    if (err == COF_OK)
        err = cof_s3_save(c->store, "s3.version", cof_buf_view(&key), record);
    if (err == COF_OK && strcmp(cof_s3_text(newest, "order"), cof_s3_text(record, "order")) == 0)
        err = set_current(c, record);
    cof_buf_done(&key);
    json_decref(newest);
    return err;
}

/* What a new version needs to know of the newest so far; views into its text. */
struct newest {
    struct cof_buf text; /* empty: there is none */
    struct cof_view order, id, parts;
};

static bool skim_newest(void *arg, struct cof_view key, struct cof_view value)
{
    static const char *const names[] = {"order", "id", "parts"};
    struct newest *n = arg;
    struct cof_view found[3];

    (void)key;
    cof_buf_add(&n->text, value);
    if (!cof_json_skim(cof_buf_view(&n->text), names, found, 3) || !cof_json_skim_text(found[0], &n->order) ||
        !cof_json_skim_text(found[1], &n->id)) {
        cof_buf_reset(&n->text); /* damaged: the one before counts, as where it is read */
        return true;
    }
    n->parts = found[2];
    return false;
}

static enum cof_err find_newest(struct cof_s3_call *c, struct newest *out)
{
    struct cof_buf prefix;
    enum cof_err err;

    *out = (struct newest){.order = {NULL, 0}};
    cof_buf_init(&out->text, COF_STORE_VALUE_MAX);
    cof_buf_init(&prefix, COF_STORE_KEY_MAX);
    cof_s3_key_of3(&prefix, c->bucket, cof_buf_view(&c->key), COF_LIT(""));
    err = c->store->scan(c->store->ctx, "s3.version", cof_buf_view(&prefix), COF_LIT(""), SIZE_MAX, skim_newest, out);
    cof_buf_done(&prefix);
    return err == COF_OK ? cof_buf_err(&out->text) : err;
}

/* Later than every other version of the key, whatever the clock does. */
static uint64_t next_order(int64_t now_ms, const struct newest *newest)
{
    uint64_t order = UINT64_MAX - ((uint64_t)now_ms << 20), last = 0;
    uint8_t bytes[8];

    if (newest->text.len > 0 && cof_hex_decode_fixed(newest->order, bytes, sizeof bytes) == COF_OK) {
        for (size_t i = 0; i < sizeof bytes; i++)
            last = last << 8 | bytes[i];
        if (order >= last)
            order = last - 1;
    }
    return order;
}

static enum cof_err name_version(struct cof_s3_call *c, json_t *record, const struct newest *newest)
{
    uint64_t order = next_order(c->req->now_ms, newest);
    uint8_t bytes[16];
    char id[33]; /* begins with the order, so that a listing goes on behind a version that is gone */
    bool versioned = cof_s3_versioning_of(c) == COF_S3_VERSIONED;
    enum cof_err err = cof_rng_fill(cof_standin_rng(c->s), bytes + 8, 8);

    if (err != COF_OK)
        return err;
    for (size_t i = 8; i-- > 0; order >>= 8)
        bytes[i] = (uint8_t)order;
    cof_hex_encode(bytes, sizeof bytes, id);
    return cof_s3_set_text(record, "order", cof_view_of(id, 16)) && cof_s3_set_text(record, "id", versioned ? cof_view_of(id, 32) : COF_LIT("null")) ?
        COF_OK :
        COF_E_MEMORY;
}

static enum cof_err remove_segments(const struct cof_store *store, struct cof_view parts)
{
    static const char *const names[] = {"blob"};
    struct cof_view part, value, blob;
    enum cof_err err = COF_OK;

    while (err == COF_OK && cof_json_skim_next(&parts, &part)) {
        struct cof_blob_id id = {{0}};

        if (!cof_json_skim(part, names, &value, 1) || !cof_json_skim_text(value, &blob) || blob.len >= sizeof id.text)
            return COF_E_FORMAT;
        memcpy(id.text, blob.data, blob.len);
        err = store->blob_remove(store->ctx, &id);
    }
    return err;
}

/* The version that one without an id replaces goes; mostly the newest is that. */
static enum cof_err remove_null(struct cof_s3_call *c, const struct newest *newest)
{
    json_t *old;
    enum cof_err err;

    if (cof_view_eq_str(newest->id, "null")) {
        err = remove_row(c, newest->order);
        return err == COF_OK ? remove_segments(c->store, newest->parts) : err;
    }
    err = find_version(c, "null", &old);
    if (err == COF_OK)
        err = remove_version(c, old);
    json_decref(old);
    return err == COF_E_NOT_FOUND ? COF_OK : err;
}

/* Under its version, and, since it is the newest, as the current one. */
static enum cof_err save_newest(struct cof_s3_call *c, const json_t *record, struct cof_view members)
{
    struct cof_buf key, text;
    enum cof_err err;

    cof_buf_init(&key, COF_STORE_KEY_MAX);
    cof_buf_init(&text, COF_STORE_VALUE_MAX);
    cof_s3_key_of3(&key, c->bucket, cof_buf_view(&c->key), cof_view_str(cof_s3_text(record, "order")));
    err = cof_buf_reserve(&text, 512 + members.len);
    cof_json_add_value(&text, record);
    if (members.len > 0) { /* before the closing brace; the record has members of its own */
        cof_buf_truncate(&text, text.len - 1);
        cof_buf_add_u8(&text, ',');
        cof_buf_add(&text, members);
        cof_buf_add_u8(&text, '}');
    }
    if (err == COF_OK)
        err = cof_buf_err(&text);
    if (err == COF_OK)
        err = c->store->put(c->store->ctx, "s3.version", cof_buf_view(&key), cof_buf_view(&text));
    cof_buf_reset(&key);
    cof_s3_key_of(&key, c->bucket, cof_buf_view(&c->key));
    if (err == COF_OK)
        err = cof_s3_is(record, "marker") ? c->store->remove(c->store->ctx, "s3.current", cof_buf_view(&key)) :
            c->store->put(c->store->ctx, "s3.current", cof_buf_view(&key), cof_buf_view(&text));
    cof_buf_done(&key);
    cof_buf_done(&text);
    return err;
}

enum cof_err cof_s3_object_add(struct cof_s3_call *c, json_t *record, struct cof_view members)
{
    struct newest newest;
    enum cof_err err = find_newest(c, &newest);

    if (err == COF_OK)
        err = name_version(c, record, &newest);
    if (err == COF_OK)
        err = cof_s3_lock_preset(c, record);
    if (err == COF_OK && cof_s3_versioning_of(c) != COF_S3_VERSIONED && newest.text.len > 0)
        err = remove_null(c, &newest);
    if (err == COF_OK)
        err = save_newest(c, record, members);
    cof_buf_done(&newest.text);
    return err;
}
