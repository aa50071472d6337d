/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/esdk_decrypt.h"

#include "base/codec.h"
#include "crypto/ecdsa.h"

#include <stdlib.h>
#include <string.h>

/* What is expected next. */
enum expects { EXPECT_HEADER, EXPECT_KEY, EXPECT_FRAME, EXPECT_BLOCK, EXPECT_SIGNATURE, EXPECT_END, FAILED };

struct cof_esdk_decrypt {
    enum expects state;
    struct cof_esdk_limits limits;
    struct cof_buf header_bytes; /* header's views point into it */
    struct cof_buf pending;      /* bytes of a frame that is not whole yet */
    struct cof_buf aad;
    struct cof_esdk_header header;
    struct cof_secret data_key;
    struct cof_gcm *content_key;
    struct cof_hash *hash;
    struct cof_ecdsa_key *verifier;
    uint32_t sequence; /* of the next frame */
};

#define BLOCK_HEAD (COF_GCM_NONCE + 8) /* an unframed body: IV, u64 length, ciphertext, tag */

static uint64_t max_unframed(const struct cof_esdk_decrypt *d)
{
    return d->limits.max_unframed == 0 ? 64u << 20 : d->limits.max_unframed;
}

enum cof_err cof_esdk_decrypt_new(const struct cof_esdk_limits *limits, struct cof_esdk_decrypt **out)
{
    struct cof_esdk_decrypt *d = calloc(1, sizeof *d);

    *out = d;
    if (d == NULL)
        return COF_E_MEMORY;
    if (limits != NULL)
        d->limits = *limits;
    d->sequence = 1;
    cof_buf_init(&d->header_bytes, COF_ESDK_HEADER_MAX + 65536);
    cof_buf_init(&d->aad, 256);
    return COF_OK;
}

void cof_esdk_decrypt_free(struct cof_esdk_decrypt *d)
{
    if (d == NULL)
        return;
    cof_buf_done(&d->header_bytes);
    cof_buf_done(&d->pending);
    cof_buf_done(&d->aad);
    cof_secret_done(&d->data_key);
    cof_gcm_free(d->content_key);
    cof_hash_free(d->hash);
    cof_ecdsa_free(d->verifier);
    free(d);
}

bool cof_esdk_decrypt_wants_key(const struct cof_esdk_decrypt *d)
{
    return d->state == EXPECT_KEY;
}

const struct cof_esdk_header *cof_esdk_decrypt_header(const struct cof_esdk_decrypt *d)
{
    return d->state == EXPECT_HEADER || d->header.n_edks == 0 ? NULL : &d->header;
}

/* The signed suite's verification key stands in the context; no other suite may have it there. */
static enum cof_err find_verifier(struct cof_esdk_decrypt *d)
{
    struct cof_view value;
    struct cof_buf point;
    bool there = cof_esdk_find_pair(&d->header, COF_ESDK_PUBLIC_KEY, &value);
    enum cof_err err;

    if (d->header.suite != COF_ESDK_SUITE_SIGNED)
        return there ? COF_E_FORMAT : COF_OK;
    if (!there)
        return COF_E_FORMAT;
    cof_buf_init(&point, 128);
    err = cof_base64_decode(value, &point);
    if (err == COF_OK && point.len != 49)
        err = COF_E_FORMAT;
    if (err == COF_OK)
        err = cof_ecdsa_from_point(COF_P384, cof_buf_view(&point), &d->verifier);
    if (err == COF_OK)
        err = cof_hash_new(COF_SHA384, &d->hash);
    cof_buf_done(&point);
    return err;
}

static enum cof_err take_header(struct cof_esdk_decrypt *d, struct cof_view *in)
{
    size_t before = d->header_bytes.len, used;
    struct cof_view piece = cof_view_sub(*in, 0, 65536);
    enum cof_err err;

    cof_buf_add(&d->header_bytes, piece);
    if ((err = cof_buf_err(&d->header_bytes)) != COF_OK)
        return err;
    err = cof_esdk_header_parse(cof_buf_view(&d->header_bytes), &d->limits, &d->header, &used);
    if (err == COF_E_SHORT) {
        *in = cof_view_sub(*in, piece.len, SIZE_MAX);
        return COF_OK;
    }
    if (err != COF_OK)
        return err;
    cof_buf_truncate(&d->header_bytes, used); /* shortens in place: the header's views stay good */
    *in = cof_view_sub(*in, used - before, SIZE_MAX);
    err = find_verifier(d);
    cof_buf_init_secret(&d->pending, d->header.content_type == COF_ESDK_FRAMED ? (size_t)d->header.frame_length + 256 /* or a signature */
                                                                               : (size_t)max_unframed(d) + BLOCK_HEAD + COF_GCM_TAG);
    d->state = EXPECT_KEY;
    return err;
}

enum cof_err cof_esdk_decrypt_set_key(struct cof_esdk_decrypt *d, const struct cof_secret *data_key)
{
    static const uint8_t iv[COF_GCM_NONCE] = {0};
    uint8_t commitment[COF_ESDK_COMMITMENT], none[1];
    enum cof_err err;

    if (d->state != EXPECT_KEY)
        return COF_E_STATE;
    err = cof_esdk_derive(d->header.suite, data_key, d->header.message_id, &d->content_key, commitment);
    if (err == COF_OK && !cof_equal_ct(cof_view_of(commitment, sizeof commitment), d->header.commitment))
        err = COF_E_AUTH;
    if (err == COF_OK)
        err = cof_gcm_open(d->content_key, iv, d->header.body, d->header.tag, none);
    if (err == COF_OK)
        err = cof_secret_set(&d->data_key, cof_secret_view(data_key));
    if (err == COF_OK && d->hash != NULL)
        err = cof_hash_update(d->hash, cof_buf_view(&d->header_bytes));
    d->state = err != COF_OK ? FAILED : d->header.content_type == COF_ESDK_FRAMED ? EXPECT_FRAME : EXPECT_BLOCK;
    return err;
}

/* Reads a frame's head from its bytes: COF_E_SHORT when more are needed; *size is the whole frame's length. */
struct frame {
    bool final;
    uint32_t sequence;
    struct cof_view iv;
    uint32_t length; /* plaintext */
    size_t head;
    size_t size;
};

static enum cof_err frame_head(const struct cof_esdk_decrypt *d, struct cof_view in, struct frame *f)
{
    struct cof_view rest = in;
    enum cof_err err = cof_take_u32(&rest, &f->sequence);

    f->final = err == COF_OK && f->sequence == COF_ESDK_FINAL;
    f->length = d->header.frame_length;
    if (err == COF_OK && f->final)
        err = cof_take_u32(&rest, &f->sequence);
    if (err == COF_OK && f->sequence != d->sequence)
        return COF_E_FORMAT; /* spec: sequence numbers count up from 1 by one */
    if (err == COF_OK)
        err = cof_take(&rest, COF_GCM_NONCE, &f->iv);
    if (err == COF_OK && f->final)
        err = cof_take_u32(&rest, &f->length);
    if (err != COF_OK)
        return err;
    if (f->length > d->header.frame_length)
        return COF_E_FORMAT; /* a final frame is never longer than the others */
    f->head = in.len - rest.len;
    f->size = f->head + f->length + COF_GCM_TAG;
    return COF_OK;
}

static enum cof_err open_frame(struct cof_esdk_decrypt *d, const struct frame *f, struct cof_view bytes,
                               struct cof_buf *out)
{
    uint8_t iv[COF_GCM_NONCE];
    enum cof_err err;

    memcpy(iv, f->iv.data, sizeof iv); /* some writers put more than the sequence number here: using it checks it */
    cof_esdk_body_aad(d->header.message_id, f->final ? COF_ESDK_FINAL_FRAME : COF_ESDK_FRAME, f->sequence, f->length, &d->aad);
    err = cof_buf_reserve(out, f->length);
    if (err == COF_OK)
        err = cof_gcm_open(d->content_key, iv, cof_buf_view(&d->aad),
                           cof_view_sub(bytes, f->head, f->size - f->head), out->data + out->len);
    if (err == COF_OK && d->hash != NULL)
        err = cof_hash_update(d->hash, cof_view_sub(bytes, 0, f->size));
    if (err != COF_OK)
        return err;
    out->len += f->length;
    d->sequence++;
    if (f->final)
        d->state = d->hash != NULL ? EXPECT_SIGNATURE : EXPECT_END;
    else if (d->sequence == COF_ESDK_FINAL)
        return COF_E_FORMAT;
    return COF_OK;
}

/* Moves up to want bytes from *in to pending. */
static enum cof_err gather(struct cof_esdk_decrypt *d, struct cof_view *in, size_t want)
{
    struct cof_view piece = cof_view_sub(*in, 0, want);

    cof_buf_add(&d->pending, piece);
    *in = cof_view_sub(*in, piece.len, SIZE_MAX);
    return cof_buf_err(&d->pending);
}

static enum cof_err take_frame(struct cof_esdk_decrypt *d, struct cof_view *in, struct cof_buf *out)
{
    struct frame f;
    enum cof_err err;

    if (d->pending.len == 0) { /* a whole frame in the caller's bytes is opened where it lies */
        err = frame_head(d, *in, &f);
        if (err == COF_OK && f.size <= in->len) {
            err = open_frame(d, &f, *in, out);
            *in = cof_view_sub(*in, f.size, SIZE_MAX);
            return err;
        }
        if (err != COF_OK && err != COF_E_SHORT)
            return err;
    }
    err = frame_head(d, cof_buf_view(&d->pending), &f);
    while (err == COF_E_SHORT && in->len > 0) {
        if ((err = gather(d, in, 1)) != COF_OK)
            return err;
        err = frame_head(d, cof_buf_view(&d->pending), &f);
    }
    if (err != COF_OK)
        return err == COF_E_SHORT ? COF_OK : err;
    if ((err = gather(d, in, f.size - d->pending.len)) != COF_OK || d->pending.len < f.size)
        return err;
    err = frame_head(d, cof_buf_view(&d->pending), &f);
    if (err == COF_OK)
        err = open_frame(d, &f, cof_buf_view(&d->pending), out);
    cof_buf_reset(&d->pending);
    return err;
}

/* A single block is released whole, once its tag is verified: so it must fit in memory. */
static enum cof_err take_block(struct cof_esdk_decrypt *d, struct cof_view *in, struct cof_buf *out)
{
    struct cof_view rest, iv;
    uint8_t nonce[COF_GCM_NONCE];
    uint64_t length = 0;
    enum cof_err err = COF_OK;

    if (d->pending.len < BLOCK_HEAD)
        err = gather(d, in, BLOCK_HEAD - d->pending.len);
    rest = cof_buf_view(&d->pending);
    if (err != COF_OK || cof_take(&rest, COF_GCM_NONCE, &iv) != COF_OK || cof_take_u64(&rest, &length) != COF_OK)
        return err;
    if (length > max_unframed(d))
        return COF_E_LIMIT;
    memcpy(nonce, iv.data, sizeof nonce);
    err = gather(d, in, BLOCK_HEAD + (size_t)length + COF_GCM_TAG - d->pending.len);
    if (err != COF_OK || d->pending.len < BLOCK_HEAD + length + COF_GCM_TAG)
        return err;
    rest = cof_view_sub(cof_buf_view(&d->pending), BLOCK_HEAD, SIZE_MAX);
    cof_esdk_body_aad(d->header.message_id, COF_ESDK_SINGLE_BLOCK, 1, length, &d->aad);
    err = cof_buf_reserve(out, (size_t)length);
    if (err == COF_OK)
        err = cof_gcm_open(d->content_key, nonce, cof_buf_view(&d->aad), rest, out->data + out->len);
    if (err == COF_OK && d->hash != NULL)
        err = cof_hash_update(d->hash, cof_buf_view(&d->pending));
    if (err == COF_OK)
        out->len += (size_t)length;
    cof_buf_reset(&d->pending);
    d->state = d->hash != NULL ? EXPECT_SIGNATURE : EXPECT_END;
    return err;
}

static enum cof_err take_signature(struct cof_esdk_decrypt *d, struct cof_view *in)
{
    uint8_t digest[COF_HASH_MAX];
    struct cof_view rest, signature;
    uint16_t length;
    enum cof_err err;

    while (in->len > 0) {
        if ((err = gather(d, in, 1)) != COF_OK)
            return err;
        rest = cof_buf_view(&d->pending);
        if (cof_take_u16(&rest, &length) == COF_OK && length > COF_ECDSA_SIG_MAX)
            return COF_E_FORMAT;
        if (d->pending.len < 2 || cof_take(&rest, length, &signature) != COF_OK)
            continue;
        err = cof_hash_final(d->hash, digest);
        if (err == COF_OK)
            err = cof_ecdsa_verify_digest(d->verifier, cof_view_of(digest, 48), COF_ECDSA_DER, signature);
        cof_buf_reset(&d->pending);
        d->state = EXPECT_END;
        return err;
    }
    return COF_OK;
}

enum cof_err cof_esdk_decrypt_push(struct cof_esdk_decrypt *d, struct cof_view *in, struct cof_buf *out)
{
    enum cof_err err = COF_OK;

    while (err == COF_OK && in->len > 0 && d->state != EXPECT_KEY) {
        switch (d->state) {
        case EXPECT_HEADER:
            err = take_header(d, in);
            break;
        case EXPECT_FRAME:
            err = take_frame(d, in, out);
            break;
        case EXPECT_BLOCK:
            err = take_block(d, in, out);
            break;
        case EXPECT_SIGNATURE:
            err = take_signature(d, in);
            break;
        case EXPECT_END:
            err = COF_E_FORMAT; /* bytes after the end */
            break;
        case EXPECT_KEY:
        case FAILED:
            err = COF_E_STATE;
            break;
        }
    }
    if (err != COF_OK)
        d->state = FAILED;
    return err;
}

enum cof_err cof_esdk_decrypt_finish(struct cof_esdk_decrypt *d)
{
    if (d->state == EXPECT_END)
        return COF_OK;
    return d->state == FAILED ? COF_E_AUTH : COF_E_TRUNCATED;
}

enum cof_err cof_esdk_decrypt_export(const struct cof_esdk_decrypt *d, const char *label, uint8_t out[static 32])
{
    return cof_esdk_export(&d->data_key, d->header.message_id, label, out);
}
