/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/s3_crypt.h"

#include <stdlib.h>
#include <string.h>

#define SEALED_CHUNK (COF_S3_CHUNK + COF_GCM_TAG)
#define RUN_CHUNKS 4 /* written together: more than the store's largest slot, and large enough for the file system */

/* The kept context, or one in *made, which is to be freed. */
static enum cof_err context_of(struct cof_s3_kek kek, struct cof_gcm **made, struct cof_gcm **out)
{
    enum cof_err err = kek.kept != NULL ? COF_OK : cof_gcm_new(cof_secret_view(kek.key), made);

    *out = kek.kept != NULL ? kek.kept : *made;
    return err;
}

enum cof_err cof_s3_wrap(const struct cof_rng *rng, struct cof_s3_kek kek, struct cof_view bound,
    const struct cof_secret *key, uint8_t out[static COF_S3_WRAPPED])
{
    struct cof_gcm *made = NULL, *gcm;
    enum cof_err err = key->len == COF_GCM_KEY ? cof_rng_fill(rng, out, COF_GCM_NONCE) : COF_E_BUG;

    if (err == COF_OK)
        err = context_of(kek, &made, &gcm);
    if (err == COF_OK)
        err = cof_gcm_seal(gcm, out, bound, cof_secret_view(key), out + COF_GCM_NONCE);
    cof_gcm_free(made);
    return err;
}

enum cof_err cof_s3_unwrap(struct cof_s3_kek kek, struct cof_view bound,
    const uint8_t wrapped[static COF_S3_WRAPPED], struct cof_secret *key)
{
    struct cof_gcm *made = NULL, *gcm;
    enum cof_err err = context_of(kek, &made, &gcm);

    if (err == COF_OK)
        err = cof_gcm_open(
            gcm, wrapped, bound, cof_view_of(wrapped + COF_GCM_NONCE, COF_S3_WRAPPED - COF_GCM_NONCE), key->bytes);
    key->len = err == COF_OK ? COF_GCM_KEY : 0;
    cof_gcm_free(made);
    return err;
}

static void chunk_nonce(uint64_t number, bool last, uint8_t out[COF_GCM_NONCE])
{
    memset(out, 0, COF_GCM_NONCE);
    out[0] = last ? 1 : 0;
    for (size_t i = 0; i < 8; i++)
        out[4 + i] = (uint8_t)(number >> 8 * (7 - i));
}

enum cof_err cof_s3_writer_init(struct cof_s3_writer *w, const struct cof_store *store, const struct cof_rng *rng)
{
    enum cof_err err;

    *w = (struct cof_s3_writer){.store = store};
    w->key.len = COF_GCM_KEY;
    err = cof_rng_fill(rng, w->key.bytes, COF_GCM_KEY);
    if (err == COF_OK)
        err = cof_gcm_new(cof_secret_view(&w->key), &w->gcm);
    if (err == COF_OK)
        err = store->blob_create(store->ctx, &w->blob);
    if (err != COF_OK)
        cof_s3_writer_done(w);
    return err;
}

enum cof_err cof_s3_writer_gather(struct cof_s3_writer *w, uint64_t size)
{
    if (size == 0 || size > COF_S3_GATHER_MAX || w->size > 0 || w->all != NULL)
        return COF_E_BUG;
    w->all = malloc((size_t)size + 4 * COF_GCM_TAG);
    w->expected = size;
    return w->all == NULL ? COF_E_MEMORY : COF_OK;
}

size_t cof_s3_writer_gathered(const struct cof_s3_writer *w, struct cof_view chunks[static 4])
{
    size_t n = 0;

    for (size_t at = 0; w->all != NULL && at < w->size; at += COF_S3_CHUNK, n++)
        chunks[n] = cof_view_of(w->all + n * SEALED_CHUNK, w->size - at < COF_S3_CHUNK ? (size_t)w->size - at : COF_S3_CHUNK);
    return n;
}

static enum cof_err gather(struct cof_s3_writer *w, struct cof_view piece)
{
    if (piece.len > w->expected - w->size)
        return COF_E_FORMAT;
    while (piece.len > 0) {
        size_t within = (size_t)w->size % COF_S3_CHUNK, n = COF_S3_CHUNK - within;

        n = piece.len < n ? piece.len : n;
        memcpy(w->all + w->size / COF_S3_CHUNK * SEALED_CHUNK + within, piece.data, n);
        w->size += n;
        piece = cof_view_sub(piece, n, SIZE_MAX);
    }
    return COF_OK;
}

static enum cof_err seal_gathered(struct cof_s3_writer *w)
{
    struct cof_view chunks[4];
    size_t n = cof_s3_writer_gathered(w, chunks);
    enum cof_err err = n == 0 ? COF_E_FORMAT : COF_OK;

    for (size_t i = 0; i < n && err == COF_OK; i++) {
        uint8_t nonce[COF_GCM_NONCE];

        chunk_nonce(w->n_chunks++, i + 1 == n, nonce);
        err = cof_gcm_seal(w->gcm, nonce, COF_LIT(""), chunks[i], w->all + i * SEALED_CHUNK);
    }
    if (err == COF_OK)
        err = w->store->blob_write(w->store->ctx, w->blob, cof_view_of(w->all, (size_t)w->size + n * COF_GCM_TAG));
    return err;
}

static enum cof_err make_run(struct cof_s3_writer *w)
{
    if (w->run == NULL)
        w->run = malloc(RUN_CHUNKS * SEALED_CHUNK);
    return w->run == NULL ? COF_E_MEMORY : COF_OK;
}

/* Seals the chunk that is being filled, and writes the run when it is whole. */
static enum cof_err flush(struct cof_s3_writer *w, bool last)
{
    uint8_t nonce[COF_GCM_NONCE], *chunk = w->run + w->n_run * SEALED_CHUNK;
    size_t len = w->n_run * SEALED_CHUNK + w->filled + COF_GCM_TAG;
    enum cof_err err;

    chunk_nonce(w->n_chunks++, last, nonce);
    err = cof_gcm_seal(w->gcm, nonce, COF_LIT(""), cof_view_of(chunk, w->filled), chunk);
    if (err != COF_OK)
        return err;
    w->filled = 0;
    if (++w->n_run < RUN_CHUNKS && !last)
        return COF_OK;
    w->n_run = 0;
    return w->store->blob_write(w->store->ctx, w->blob, cof_view_of(w->run, len));
}

/* A full chunk is kept back until more comes, because the last one is sealed as such. */
enum cof_err cof_s3_writer_add(struct cof_s3_writer *w, struct cof_view piece)
{
    enum cof_err err = w->all != NULL ? gather(w, piece) : make_run(w);

    if (w->all != NULL)
        return err;
    w->size += piece.len;
    while (piece.len > 0 && err == COF_OK) {
        size_t n;

        if (w->filled == COF_S3_CHUNK && (err = flush(w, false)) != COF_OK)
            break;
        n = piece.len < COF_S3_CHUNK - w->filled ? piece.len : COF_S3_CHUNK - w->filled;
        memcpy(w->run + w->n_run * SEALED_CHUNK + w->filled, piece.data, n);
        w->filled += n;
        piece = cof_view_sub(piece, n, SIZE_MAX);
    }
    return err;
}

enum cof_err cof_s3_writer_close(struct cof_s3_writer *w, struct cof_blob_id *id)
{
    struct cof_blob_writer *blob = w->blob;
    enum cof_err err = w->all != NULL ? seal_gathered(w) : make_run(w);

    if (err == COF_OK && w->all == NULL)
        err = flush(w, true);
    if (err != COF_OK)
        return err;
    w->blob = NULL; /* moved */
    return w->store->blob_close(w->store->ctx, blob, id);
}

void cof_s3_writer_done(struct cof_s3_writer *w)
{
    if (w->store != NULL)
        w->store->blob_abort(w->store->ctx, w->blob);
    cof_gcm_free(w->gcm);
    cof_secret_done(&w->key);
    if (w->run != NULL)
        cof_wipe(w->run + w->n_run * SEALED_CHUNK, w->filled); /* not sealed */
    if (w->all != NULL && w->n_chunks == 0)
        cof_wipe(w->all, (size_t)w->expected + 4 * COF_GCM_TAG); /* not sealed */
    free(w->all);
    free(w->run);
    *w = (struct cof_s3_writer){0};
}

enum cof_err cof_s3_reader_init(struct cof_s3_reader *r, const struct cof_store *store, const struct cof_secret *key,
                                const struct cof_blob_id *id, uint64_t size)
{
    uint64_t n_chunks = size == 0 ? 1 : (size + COF_S3_CHUNK - 1) / COF_S3_CHUNK, stored;
    enum cof_err err;

    *r = (struct cof_s3_reader){.store = store, .size = size};
    err = cof_gcm_new(cof_secret_view(key), &r->gcm);
    if (err == COF_OK)
        err = store->blob_open(store->ctx, id, &r->blob, &stored);
    if (err == COF_OK && stored != size + n_chunks * COF_GCM_TAG)
        err = COF_E_AUTH;
    if (err != COF_OK)
        cof_s3_reader_done(r);
    return err;
}

enum cof_err cof_s3_reader_read(struct cof_s3_reader *r, uint64_t offset, size_t max, struct cof_buf *out)
{
    uint64_t number = offset / COF_S3_CHUNK, start = number * COF_S3_CHUNK;
    bool last = r->size - start <= COF_S3_CHUNK;
    size_t len = last ? (size_t)(r->size - start) : COF_S3_CHUNK, skip = (size_t)(offset - start);
    uint8_t nonce[COF_GCM_NONCE], *at;
    size_t was = out->len;
    enum cof_err err;

    if (offset > r->size)
        return COF_E_BUG;
    err = r->store->blob_read(r->store->ctx, r->blob, number * SEALED_CHUNK, len + COF_GCM_TAG, out);
    if (err != COF_OK)
        return err;
    at = out->data + was;
    chunk_nonce(number, last, nonce);
    err = cof_gcm_open(r->gcm, nonce, COF_LIT(""), cof_view_of(at, len + COF_GCM_TAG), at); /* where it lies */
    if (err == COF_OK && skip > 0)
        memmove(at, at + skip, len - skip);
    len = err != COF_OK ? 0 : len - skip < max ? len - skip : max;
    cof_buf_truncate(out, was + len);
    return err;
}

void cof_s3_reader_done(struct cof_s3_reader *r)
{
    if (r->store != NULL)
        r->store->blob_shut(r->store->ctx, r->blob);
    cof_gcm_free(r->gcm);
    *r = (struct cof_s3_reader){0};
}
