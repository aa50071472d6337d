/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the stand-in keeps things: ordered keys and values in named spaces, and blobs for bodies. The one on disk is
 * src/io/store.h, the one for tests tests/memory_store.h.
 *
 * One writer, one thread. Changes are visible to the same thread at once and durable after commit. The runtime opens
 * and commits; the dispatcher (standin.c) wraps each request in a savepoint. Services only get, put, delete, scan and
 * use blobs.
 */
#ifndef COF_STANDIN_STORE_H
#define COF_STANDIN_STORE_H

#include "base/buf.h"

#define COF_STORE_KEY_MAX 4096
#define COF_STORE_VALUE_MAX ((size_t)4 << 20)

struct cof_blob_writer;
struct json_t;
struct cof_blob_reader;

/* A blob's name: 32 lower-case hex digits. */
struct cof_blob_id {
    char text[33];
};

/* Called for each pair in key order; views live for the call. False ends the scan. The store must not be changed from
 * inside. */
typedef bool cof_store_each_fn(void *arg, struct cof_view key, struct cof_view value);

struct cof_store {
    void *ctx;
    /* Opens a transaction when none is open. */
    enum cof_err (*begin)(void *ctx);
    /* Makes everything since begin durable, then removes the files of deleted blobs. No transaction open: does nothing.
     * On failure nothing since begin was kept, and the transaction is over. */
    enum cof_err (*commit)(void *ctx);
    /* Undoes everything since begin and ends the transaction. */
    void (*abandon)(void *ctx);
    /* Whether something was changed since begin, so that replies must wait for commit. */
    bool (*dirty)(void *ctx);
    /* One level; rollback undoes what came after savepoint (blobs too) and ends it; release keeps it. */
    enum cof_err (*savepoint)(void *ctx);
    enum cof_err (*rollback)(void *ctx);
    enum cof_err (*release)(void *ctx);

    /* Appends the value to out. COF_E_NOT_FOUND. */
    enum cof_err (*get)(void *ctx, const char *space, struct cof_view key, struct cof_buf *out);
    /* Inserts or replaces. */
    enum cof_err (*put)(void *ctx, const char *space, struct cof_view key, struct cof_view value);
    /* Absent: COF_OK. */
    enum cof_err (*remove)(void *ctx, const char *space, struct cof_view key);
    /* Pairs whose key starts with prefix and is greater than start_after (empty: from the first), at most limit. */
    enum cof_err (*scan)(void *ctx, const char *space, struct cof_view prefix, struct cof_view start_after,
                         size_t limit, cof_store_each_fn *each, void *arg);

    /* Blobs: written once, then read at any offset. A writer may live across turns and outside of transactions;
     * close makes the bytes safe and belongs to the transaction open then. */
    enum cof_err (*blob_create)(void *ctx, struct cof_blob_writer **out);
    enum cof_err (*blob_write)(void *ctx, struct cof_blob_writer *writer, struct cof_view piece);
    /* Frees the writer whatever it returns. */
    enum cof_err (*blob_close)(void *ctx, struct cof_blob_writer *writer, struct cof_blob_id *id);
    /* Drops what was written; takes NULL. */
    void (*blob_abort)(void *ctx, struct cof_blob_writer *writer);
    /* A reader keeps the bytes readable even when the blob is deleted meanwhile. COF_E_NOT_FOUND. */
    enum cof_err (*blob_open)(void *ctx, const struct cof_blob_id *id, struct cof_blob_reader **out, uint64_t *size);
    /* Exactly len bytes appended to out, or COF_E_TRUNCATED. */
    enum cof_err (*blob_read)(void *ctx, struct cof_blob_reader *reader, uint64_t offset, size_t len,
                              struct cof_buf *out);
    void (*blob_shut)(void *ctx, struct cof_blob_reader *reader); /* takes NULL */
    /* From now on blob_open finds the blob though it be removed, until it is let go as often as it was held. Costs memory
     * alone, and is no part of any transaction. */
    enum cof_err (*blob_hold)(void *ctx, const struct cof_blob_id *id);
    void (*blob_let_go)(void *ctx, const struct cof_blob_id *id);
    enum cof_err (*blob_remove)(void *ctx, const struct cof_blob_id *id);

    /* A value parsed as JSON, out of memory where it was kept there (memo.h, cof_record_get). NULL: there is no such
     * memory here. */
    enum cof_err (*record)(void *ctx, const char *space, struct cof_view key, struct json_t **out);
    enum cof_err (*text)(void *ctx, const char *space, struct cof_view key, struct json_t **out); /* cof_record_text; both or neither */
};

#endif
