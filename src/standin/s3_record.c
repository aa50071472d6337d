/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/s3_record.h"

#include "base/codec.h"
#include "format/json.h"
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

json_t *cof_s3_string(struct cof_view text)
{
    return text.len == 0 ? json_string("") : json_stringn((const char *)text.data, text.len);
}

void cof_s3_etag(const json_t *record, char out[static 80])
{
    const char *etag = cof_s3_text(record, "etag");
    size_t len = strnlen(etag, 77);

    out[0] = '"';
    memcpy(out + 1, etag, len);
    memcpy(out + 1 + len, "\"", 2);
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

enum cof_err cof_s3_object_get(struct cof_s3_call *c, struct cof_view version_id, json_t **out)
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
    err = cof_s3_load(c->store, "s3.current", cof_buf_view(&key), out);
    cof_buf_done(&key);
    return err;
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

static enum cof_err remove_row(struct cof_s3_call *c, const json_t *record)
{
    struct cof_buf key;
    enum cof_err err;

    cof_buf_init(&key, COF_STORE_KEY_MAX);
    cof_s3_key_of3(&key, c->bucket, cof_buf_view(&c->key), cof_view_str(cof_s3_text(record, "order")));
    err = c->store->remove(c->store->ctx, "s3.version", cof_buf_view(&key));
    cof_buf_done(&key);
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
    enum cof_err err = remove_row(c, record);

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

/* Later than every other version of the key, whatever the clock does. */
static uint64_t next_order(int64_t now_ms, const json_t *newest)
{
    uint64_t order = UINT64_MAX - ((uint64_t)now_ms << 20);

    if (newest != NULL) {
        uint64_t last = strtoull(cof_s3_text(newest, "order"), NULL, 16);

        if (order >= last)
            order = last - 1;
    }
    return order;
}

static enum cof_err name_version(struct cof_s3_call *c, json_t *record, const json_t *newest)
{
    char order[17], id[40];
    uint8_t random[8];
    enum cof_err err = cof_rng_fill(cof_standin_rng(c->s), random, sizeof random);

    if (err != COF_OK)
        return err;
    (void)snprintf(order, sizeof order, "%016llx", (unsigned long long)next_order(c->req->now_ms, newest));
    (void)snprintf(id, sizeof id, "%s", order); /* so that a listing goes on behind a version that is gone */
    cof_hex_encode(random, sizeof random, id + 16);
    if (cof_s3_versioning_of(c) != COF_S3_VERSIONED)
        (void)snprintf(id, sizeof id, "null");
    return json_object_set_new(record, "order", json_string(order)) == 0 &&
            json_object_set_new(record, "id", json_string(id)) == 0 ?
        COF_OK :
        COF_E_MEMORY;
}

/* The version that one without an id replaces: mostly the newest is that. */
static enum cof_err find_null(struct cof_s3_call *c, json_t *newest, json_t **out)
{
    if (strcmp(cof_s3_text(newest, "id"), "null") != 0)
        return find_version(c, "null", out);
    *out = json_incref(newest);
    return COF_OK;
}

/* Under its version, and, since it is the newest, as the current one. */
static enum cof_err save_newest(struct cof_s3_call *c, const json_t *record)
{
    struct cof_buf key, text;
    enum cof_err err;

    cof_buf_init(&key, COF_STORE_KEY_MAX);
    cof_buf_init(&text, COF_STORE_VALUE_MAX);
    cof_s3_key_of3(&key, c->bucket, cof_buf_view(&c->key), cof_view_str(cof_s3_text(record, "order")));
    cof_json_add_value(&text, record);
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

enum cof_err cof_s3_object_add(struct cof_s3_call *c, json_t *record)
{
    json_t *newest = NULL, *old = NULL;
    enum cof_err err = cof_s3_object_newest(c, &newest);

    if (err == COF_E_NOT_FOUND)
        err = COF_OK;
    if (err == COF_OK)
        err = name_version(c, record, newest);
    if (err == COF_OK)
        err = cof_s3_lock_preset(c, record);
    if (err == COF_OK && cof_s3_versioning_of(c) != COF_S3_VERSIONED && newest != NULL) {
        err = find_null(c, newest, &old);
        if (err == COF_OK)
            err = remove_row(c, old);
        if (err == COF_E_NOT_FOUND)
            err = COF_OK;
    }
    if (err == COF_OK)
        err = save_newest(c, record);
    json_decref(newest);
    json_decref(old);
    return err;
}
