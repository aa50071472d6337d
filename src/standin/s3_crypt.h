/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies at rest. A segment is what one upload or one part wrote: a blob of 64 KiB chunks, each AES-256-GCM under the
 * segment's own random key; nonce = final flag and chunk number, so that chunks can be neither moved, dropped nor cut
 * off at the end. The segment key is wrapped by a key-encryption key that depends on the kind of encryption (s3_sse.h).
 *
 *   blob:  chunk 0 (65536 + 16) | chunk 1 | ... | last chunk (0..65536, + 16)      an empty segment is one empty chunk
 *   nonce: 01 when last, else 00 | 3 zero bytes | chunk number, 8 bytes big-endian
 */
#ifndef COF_STANDIN_S3_CRYPT_H
#define COF_STANDIN_S3_CRYPT_H

#include "crypto/gcm.h"
#include "standin/standin.h"

#define COF_S3_CHUNK 65536
#define COF_S3_GATHER_MAX (4 * (COF_S3_CHUNK - COF_GCM_TAG)) /* with its tags it fits the store's largest slot */
#define COF_S3_WRAPPED (COF_GCM_NONCE + COF_GCM_KEY + COF_GCM_TAG)

/* A key-encryption key, and the context that is kept of it; NULL: one is made each time. */
struct cof_s3_kek {
    const struct cof_secret *key;
    struct cof_gcm *kept;
};

/* Wraps and unwraps segment keys: 32 bytes of key, bound to a text (bucket and key). */
COF_MUST_USE enum cof_err cof_s3_wrap(const struct cof_rng *rng, struct cof_s3_kek kek, struct cof_view bound,
                                      const struct cof_secret *key, uint8_t out[static COF_S3_WRAPPED]);
COF_MUST_USE enum cof_err cof_s3_unwrap(struct cof_s3_kek kek, struct cof_view bound,
                                        const uint8_t wrapped[static COF_S3_WRAPPED], struct cof_secret *key);

struct cof_s3_writer {
    const struct cof_store *store;
    struct cof_blob_writer *blob;
    struct cof_gcm *gcm;
    struct cof_secret key;
    uint8_t *all;  /* gathered: room for every chunk and its tag, sealed where they lie */
    uint8_t *run;  /* else: room for some chunks and their tags, sealed where they lie and written together; made at need */
    size_t n_run;  /* of them sealed */
    size_t filled; /* of the one after them */
    uint64_t n_chunks, size, expected;
};

COF_MUST_USE enum cof_err cof_s3_writer_init(
    struct cof_s3_writer *w, const struct cof_store *store, const struct cof_rng *rng);
/* The bytes will be so many, 1 to COF_S3_GATHER_MAX: they are gathered and sealed where they lie at close. Before the first
 * add, which then refuses more than were announced (COF_E_FORMAT). */
COF_MUST_USE enum cof_err cof_s3_writer_gather(struct cof_s3_writer *w, uint64_t size);
/* What was gathered, in chunks (up to 4 of them); alive until close. */
size_t cof_s3_writer_gathered(const struct cof_s3_writer *w, struct cof_view chunks[static 4]);
COF_MUST_USE enum cof_err cof_s3_writer_add(struct cof_s3_writer *w, struct cof_view piece);
/* Seals the last chunk; the blob belongs to the store now, the key stays in w->key until done. */
COF_MUST_USE enum cof_err cof_s3_writer_close(struct cof_s3_writer *w, struct cof_blob_id *id);
void cof_s3_writer_done(struct cof_s3_writer *w); /* drops what was not closed */

struct cof_s3_reader {
    const struct cof_store *store;
    struct cof_blob_reader *blob;
    struct cof_gcm *gcm;
    uint64_t size;
};

COF_MUST_USE enum cof_err cof_s3_reader_init(struct cof_s3_reader *r, const struct cof_store *store,
    const struct cof_secret *key, const struct cof_blob_id *id, uint64_t size);
/* Appends plaintext from offset on: to the end of the chunk that offset lies in, at most max bytes. COF_E_AUTH when the
 * bytes were altered. */
COF_MUST_USE enum cof_err cof_s3_reader_read(struct cof_s3_reader *r, uint64_t offset, size_t max, struct cof_buf *out);
void cof_s3_reader_done(struct cof_s3_reader *r);

#endif
