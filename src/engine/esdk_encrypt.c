/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/esdk_encrypt.h"

#include "base/codec.h"
#include "crypto/ecdsa.h"

#include <stdlib.h>
#include <string.h>

#define FRAME_DEFAULT 4096
#define FRAME_MAX (16u << 20)
#define FRAME_HEAD (4 + COF_GCM_NONCE)
#define FINAL_HEAD (4 + 4 + COF_GCM_NONCE + 4)

struct cof_esdk_encrypt {
    struct cof_secret data_key;
    struct cof_gcm *content_key;
    struct cof_hash *hash; /* signed suite: of everything written */
    const struct cof_ecdsa_key *signer;
    uint8_t message_id[COF_ESDK_MESSAGE_ID];
    struct cof_buf header; /* until it is written */
    uint64_t header_length;
    struct cof_buf frame;  /* plaintext that waits for a full frame */
    struct cof_buf aad;
    uint32_t frame_length, sequence;
    bool finished, failed;
};

enum cof_err cof_esdk_signer_make(const struct cof_rng *rng, struct cof_ecdsa_key **signer, struct cof_buf *value)
{
    struct cof_buf point;
    enum cof_err err = cof_ecdsa_generate(COF_P384, rng, signer);

    cof_buf_init(&point, 128);
    if (err == COF_OK)
        err = cof_ecdsa_point(*signer, true, &point);
    if (err == COF_OK) {
        cof_base64_add(value, cof_buf_view(&point));
        err = cof_buf_err(value);
    }
    cof_buf_done(&point);
    return err;
}

void cof_esdk_encrypt_free(struct cof_esdk_encrypt *e)
{
    if (e == NULL)
        return;
    cof_secret_done(&e->data_key);
    cof_gcm_free(e->content_key);
    cof_hash_free(e->hash);
    cof_buf_done(&e->header);
    cof_buf_done(&e->frame);
    cof_buf_done(&e->aad);
    free(e);
}

static enum cof_err make_header(struct cof_esdk_encrypt *e, const struct cof_esdk_materials *m)
{
    static const uint8_t iv[COF_GCM_NONCE] = {0};
    struct cof_esdk_header h = {.suite = m->suite, .frame_length = e->frame_length, .n_pairs = m->n_pairs,
                                .n_edks = m->n_edks};
    uint8_t commitment[COF_ESDK_COMMITMENT], tag[COF_ESDK_TAG];
    enum cof_err err;

    if (m->n_pairs > COF_ESDK_PAIRS_MAX || m->n_edks > COF_ESDK_EDKS_MAX || m->n_edks == 0)
        return COF_E_USAGE;
    for (size_t i = 0; i < m->n_pairs; i++)
        h.pairs[i] = m->pairs[i];
    for (size_t i = 0; i < m->n_edks; i++)
        h.edks[i] = m->edks[i];
    h.message_id = cof_view_of(e->message_id, sizeof e->message_id);
    err = cof_esdk_sort_pairs(h.pairs, h.n_pairs);
    if (err == COF_OK)
        err = cof_esdk_derive(m->suite, m->data_key, h.message_id, &e->content_key, commitment);
    h.commitment = cof_view_of(commitment, sizeof commitment);
    if (err == COF_OK)
        err = cof_esdk_header_add(&e->header, &h);
    if (err == COF_OK)
        err = cof_gcm_seal(e->content_key, iv, cof_buf_view(&e->header), (struct cof_view){0}, tag);
    if (err == COF_OK) {
        cof_buf_add_bytes(&e->header, tag, sizeof tag);
        err = cof_buf_err(&e->header);
        e->header_length = e->header.len;
    }
    return err;
}

enum cof_err cof_esdk_encrypt_new(const struct cof_esdk_materials *m, const struct cof_rng *rng,
                                  struct cof_esdk_encrypt **out)
{
    struct cof_esdk_encrypt *e;
    bool is_signed = m->suite == COF_ESDK_SUITE_SIGNED;
    enum cof_err err;

    *out = NULL;
    if ((m->suite != COF_ESDK_SUITE && !is_signed) || m->frame_length > FRAME_MAX || is_signed != (m->signer != NULL) ||
        m->data_key->len != COF_ESDK_DATA_KEY)
        return COF_E_USAGE;
    e = calloc(1, sizeof *e);
    if (e == NULL)
        return COF_E_MEMORY;
    e->frame_length = m->frame_length == 0 ? FRAME_DEFAULT : m->frame_length;
    e->signer = m->signer;
    e->sequence = 1;
    cof_buf_init(&e->header, COF_ESDK_HEADER_MAX);
    cof_buf_init_secret(&e->frame, e->frame_length);
    cof_buf_init(&e->aad, 256);
    err = cof_rng_fill(rng, e->message_id, sizeof e->message_id);
    if (err == COF_OK)
        err = cof_secret_set(&e->data_key, cof_secret_view(m->data_key));
    if (err == COF_OK && is_signed)
        err = cof_hash_new(COF_SHA384, &e->hash);
    if (err == COF_OK)
        err = make_header(e, m);
    if (err != COF_OK) {
        cof_esdk_encrypt_free(e);
        return err;
    }
    *out = e;
    return COF_OK;
}

/* What was appended since start goes into the signature too. */
static enum cof_err note(struct cof_esdk_encrypt *e, const struct cof_buf *out, size_t start)
{
    enum cof_err err = cof_buf_err(out);

    if (err == COF_OK && e->hash != NULL)
        err = cof_hash_update(e->hash, cof_view_of(out->data + start, out->len - start));
    return err;
}

static enum cof_err write_header(struct cof_esdk_encrypt *e, struct cof_buf *out)
{
    size_t start = out->len;

    if (e->header.len == 0)
        return COF_OK;
    cof_buf_add(out, cof_buf_view(&e->header));
    cof_buf_done(&e->header);
    return note(e, out, start);
}

static enum cof_err write_frame(struct cof_esdk_encrypt *e, struct cof_view plain, bool final, struct cof_buf *out)
{
    uint8_t iv[COF_GCM_NONCE];
    size_t start = out->len;
    uint8_t *sealed;
    enum cof_err err;

    if (e->sequence == COF_ESDK_FINAL)
        return COF_E_LIMIT; /* the number that marks the final frame is no sequence number */
    cof_esdk_iv(e->sequence, iv);
    if (final)
        cof_buf_add_u32(out, COF_ESDK_FINAL);
    cof_buf_add_u32(out, e->sequence);
    cof_buf_add_bytes(out, iv, sizeof iv);
    if (final)
        cof_buf_add_u32(out, (uint32_t)plain.len);
    cof_esdk_body_aad(cof_view_of(e->message_id, sizeof e->message_id), final ? COF_ESDK_FINAL_FRAME : COF_ESDK_FRAME,
                      e->sequence, plain.len, &e->aad);
    if (cof_buf_reserve(out, plain.len + COF_GCM_TAG) != COF_OK)
        return cof_buf_err(out);
    sealed = out->data + out->len;
    err = cof_gcm_seal(e->content_key, iv, cof_buf_view(&e->aad), plain, sealed);
    if (err != COF_OK)
        return err;
    out->len += plain.len + COF_GCM_TAG;
    e->sequence++;
    return note(e, out, start);
}

/* A frame goes out as soon as more than it is known; whole frames straight from the caller's bytes. */
enum cof_err cof_esdk_encrypt_push(struct cof_esdk_encrypt *e, struct cof_view plain, struct cof_buf *out)
{
    enum cof_err err;

    if (e->finished || e->failed)
        return COF_E_STATE;
    err = write_header(e, out);
    while (err == COF_OK && plain.len > 0) {
        size_t room = e->frame_length - e->frame.len;
        if (room == 0) {
            err = write_frame(e, cof_buf_view(&e->frame), false, out);
            cof_buf_reset(&e->frame);
            continue;
        }
        if (e->frame.len == 0 && plain.len > e->frame_length) {
            err = write_frame(e, cof_view_sub(plain, 0, e->frame_length), false, out);
            plain = cof_view_sub(plain, e->frame_length, SIZE_MAX);
            continue;
        }
        cof_buf_add(&e->frame, cof_view_sub(plain, 0, room));
        plain = cof_view_sub(plain, room, SIZE_MAX);
        err = cof_buf_err(&e->frame);
    }
    e->failed = err != COF_OK;
    return err;
}

enum cof_err cof_esdk_encrypt_finish(struct cof_esdk_encrypt *e, struct cof_buf *out)
{
    uint8_t digest[COF_HASH_MAX];
    struct cof_buf signature;
    enum cof_err err;

    if (e->finished || e->failed)
        return COF_E_STATE;
    err = write_header(e, out);
    if (err == COF_OK)
        err = write_frame(e, cof_buf_view(&e->frame), true, out);
    cof_buf_reset(&e->frame);
    cof_buf_init(&signature, COF_ECDSA_SIG_MAX);
    if (err == COF_OK && e->hash != NULL)
        err = cof_hash_final(e->hash, digest);
    if (err == COF_OK && e->hash != NULL)
        err = cof_ecdsa_sign_digest(e->signer, cof_view_of(digest, 48), COF_ECDSA_DER, &signature);
    if (err == COF_OK && e->hash != NULL) {
        cof_buf_add_u16(out, (uint16_t)signature.len);
        cof_buf_add(out, cof_buf_view(&signature));
        err = cof_buf_err(out);
    }
    cof_buf_done(&signature);
    e->finished = err == COF_OK;
    e->failed = err != COF_OK;
    return err;
}

enum cof_err cof_esdk_encrypt_export(const struct cof_esdk_encrypt *e, const char *label, uint8_t out[static 32])
{
    return cof_esdk_export(&e->data_key, cof_view_of(e->message_id, sizeof e->message_id), label, out);
}

uint64_t cof_esdk_encrypt_total(const struct cof_esdk_encrypt *e, uint64_t plain_length)
{
    /* full frames but the last, which goes out as the final one even when it is full */
    uint64_t full = plain_length == 0 ? 0 : (plain_length - 1) / e->frame_length;

    return e->header_length + plain_length + full * (FRAME_HEAD + COF_GCM_TAG) + FINAL_HEAD + COF_GCM_TAG;
}
