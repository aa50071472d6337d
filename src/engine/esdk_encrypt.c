/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/esdk_encrypt.h"

#include "engine/esdk_sign.h"

#include <stdlib.h>
#include <string.h>

#define FRAME_DEFAULT 4096
#define FRAME_MAX (16u << 20)

struct cof_esdk_encrypt {
    const struct cof_suite *suite;
    struct cof_secret data_key;
    struct cof_gcm *content_key;
    struct cof_hash *hash; /* signed suites: of everything written */
    const struct cof_ecdsa_key *signer;
    void *owned; /* what the signer belongs to */
    void (*release)(void *owned);
    uint8_t message_id[COF_ESDK_MESSAGE_ID];
    struct cof_buf header; /* until it is written */
    uint64_t header_length;
    struct cof_buf frame;  /* plaintext that waits for a full frame */
    uint32_t frame_length, sequence;
    bool length_known, body_taken, finished, failed;
    uint64_t plain_left; /* of a known length */
};

enum cof_err cof_esdk_signer_make_for(uint16_t suite, const struct cof_rng *rng, struct cof_ecdsa_key **signer,
                                      struct cof_buf *value)
{
    const struct cof_suite *s = cof_suite_find(suite);
    enum cof_err err;

    *signer = NULL;
    if (s == NULL || !s->is_signed)
        return COF_E_USAGE;
    err = cof_ecdsa_generate(s->curve, rng, signer);
    if (err == COF_OK)
        err = cof_esdk_public_value(*signer, value);
    if (err != COF_OK) {
        cof_ecdsa_free(*signer);
        *signer = NULL;
    }
    return err;
}

enum cof_err cof_esdk_signer_make(const struct cof_rng *rng, struct cof_ecdsa_key **signer, struct cof_buf *value)
{
    return cof_esdk_signer_make_for(COF_ESDK_SUITE_SIGNED, rng, signer, value);
}

void cof_esdk_encrypt_free(struct cof_esdk_encrypt *e)
{
    if (e == NULL)
        return;
    cof_secret_done(&e->data_key);
    cof_gcm_free(e->content_key);
    cof_hash_free(e->hash);
    if (e->release != NULL)
        e->release(e->owned);
    cof_buf_done(&e->header);
    cof_buf_done(&e->frame);
    cof_wipe(e, sizeof *e);
    free(e);
}

void cof_esdk_encrypt_keep(struct cof_esdk_encrypt *e, void *owned, void (*release)(void *owned))
{
    e->owned = owned;
    e->release = release;
}

struct cof_view cof_esdk_encrypt_message_id(const struct cof_esdk_encrypt *e)
{
    return cof_view_of(e->message_id, e->suite->version == 1 ? COF_ESDK_MESSAGE_ID_V1 : COF_ESDK_MESSAGE_ID);
}

static bool is_required(const struct cof_esdk_materials *m, struct cof_view name)
{
    for (size_t i = 0; i < m->n_required; i++)
        if (cof_view_eq(m->required_names[i], name))
            return true;
    return false;
}

/* spec: encryption context, the prefix is reserved; a signed suite has its one name there, and it is the signer's. */
static enum cof_err check_names(const struct cof_suite *suite, const struct cof_esdk_materials *m)
{
    struct cof_view value;
    struct cof_buf want;
    enum cof_err err = COF_OK;
    bool there = cof_esdk_pairs_find(m->pairs, m->n_pairs, COF_LIT(COF_ESDK_PUBLIC_KEY), &value);

    for (size_t i = 0; i < m->n_pairs; i++)
        if (cof_view_starts(m->pairs[i].name, COF_LIT(COF_ESDK_RESERVED)) &&
            !(suite->is_signed && cof_view_eq_str(m->pairs[i].name, COF_ESDK_PUBLIC_KEY)))
            return COF_E_USAGE;
    for (size_t i = 0; i < m->n_required; i++) {
        struct cof_view unused;
        if (!cof_esdk_pairs_find(m->pairs, m->n_pairs, m->required_names[i], &unused) ||
            cof_view_starts(m->required_names[i], COF_LIT(COF_ESDK_RESERVED)))
            return COF_E_USAGE;
    }
    if (!suite->is_signed)
        return COF_OK;
    if (!there || cof_ecdsa_curve(m->signer) != suite->curve)
        return COF_E_USAGE;
    cof_buf_init(&want, 128);
    err = cof_esdk_public_value(m->signer, &want);
    if (err == COF_OK && !cof_view_eq(cof_buf_view(&want), value))
        err = COF_E_USAGE;
    cof_buf_done(&want);
    return err;
}

static enum cof_err check(const struct cof_suite *suite, const struct cof_esdk_materials *m)
{
    if (suite == NULL || m->frame_length > FRAME_MAX || suite->is_signed != (m->signer != NULL) || m->data_key == NULL ||
        m->data_key->len != suite->key_len || m->n_pairs > COF_ESDK_PAIRS_MAX || m->n_edks > COF_ESDK_EDKS_MAX ||
        m->n_edks == 0)
        return COF_E_USAGE;
    if (!cof_suite_may_encrypt(suite, m->policy))
        return COF_E_CONFIG;
    return check_names(suite, m);
}

/* Divides the context: what the header carries, and what its tag alone covers (appended to required). */
static enum cof_err set_context(const struct cof_esdk_materials *m, struct cof_esdk_header *h, struct cof_buf *required)
{
    struct cof_esdk_pair all[COF_ESDK_PAIRS_MAX], apart[COF_ESDK_PAIRS_MAX];
    size_t n_apart = 0;
    enum cof_err err;

    for (size_t i = 0; i < m->n_pairs; i++)
        all[i] = m->pairs[i];
    err = cof_esdk_sort_pairs(all, m->n_pairs);
    if (err != COF_OK)
        return err;
    for (size_t i = 0; i < m->n_pairs; i++)
        if (is_required(m, all[i].name))
            apart[n_apart++] = all[i];
        else
            h->pairs[h->n_pairs++] = all[i];
    return cof_esdk_context_add(required, apart, n_apart);
}

/* IV and tag of the header, appended to it; required is authenticated with it. */
static enum cof_err seal_header(struct cof_esdk_encrypt *e, struct cof_view required)
{
    static const uint8_t iv[COF_ESDK_IV] = {0};
    uint8_t tag[COF_ESDK_TAG];
    size_t len = e->header.len;
    enum cof_err err;

    cof_buf_add(&e->header, required);
    err = cof_buf_err(&e->header);
    if (err == COF_OK)
        err = cof_gcm_seal(e->content_key, iv, cof_buf_view(&e->header), (struct cof_view){0}, tag);
    if (err != COF_OK)
        return err;
    cof_buf_truncate(&e->header, len);
    if (e->suite->version == 1)
        cof_buf_add_bytes(&e->header, iv, sizeof iv);
    cof_buf_add_bytes(&e->header, tag, sizeof tag);
    e->header_length = e->header.len;
    return cof_buf_err(&e->header);
}

static enum cof_err make_header(struct cof_esdk_encrypt *e, const struct cof_esdk_materials *m)
{
    struct cof_esdk_header h = {.suite = m->suite, .frame_length = e->frame_length, .n_edks = m->n_edks};
    uint8_t commitment[COF_ESDK_COMMITMENT];
    struct cof_buf required;
    enum cof_err err;

    cof_buf_init(&required, COF_ESDK_HEADER_MAX);
    for (size_t i = 0; i < m->n_edks; i++)
        h.edks[i] = m->edks[i];
    h.message_id = cof_esdk_encrypt_message_id(e);
    err = set_context(m, &h, &required);
    if (err == COF_OK)
        err = cof_esdk_derive(e->suite, m->data_key, h.message_id, &e->content_key, commitment);
    if (e->suite->kdf == COF_KDF_COMMIT)
        h.commitment = cof_view_of(commitment, sizeof commitment);
    if (err == COF_OK)
        err = cof_esdk_header_add(&e->header, &h);
    if (err == COF_OK)
        err = seal_header(e, cof_buf_view(&required));
    cof_buf_done(&required);
    return err;
}

enum cof_err cof_esdk_encrypt_new(const struct cof_esdk_materials *m, const struct cof_rng *rng,
                                  struct cof_esdk_encrypt **out)
{
    const struct cof_suite *suite = cof_suite_find(m->suite);
    struct cof_esdk_encrypt *e;
    enum cof_err err = check(suite, m);

    *out = NULL;
    if (err != COF_OK)
        return err;
    e = calloc(1, sizeof *e);
    if (e == NULL)
        return COF_E_MEMORY;
    e->suite = suite;
    e->frame_length = m->frame_length == 0 ? FRAME_DEFAULT : m->frame_length;
    e->signer = m->signer;
    e->sequence = 1;
    e->length_known = m->length_known;
    e->plain_left = m->plain_length;
    cof_buf_init(&e->header, 2 * COF_ESDK_HEADER_MAX); /* with the required pairs, for a moment */
    cof_buf_init_secret(&e->frame, e->frame_length);
    err = cof_rng_fill(rng, e->message_id, cof_esdk_encrypt_message_id(e).len);
    if (err == COF_OK)
        err = cof_secret_set(&e->data_key, cof_secret_view(m->data_key));
    if (err == COF_OK && suite->is_signed)
        err = cof_hash_new(suite->sign_hash, &e->hash);
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

    return err == COF_OK ? cof_esdk_encrypt_note(e, cof_view_of(out->data + start, out->len - start)) : err;
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

static enum cof_err write_frame(struct cof_esdk_encrypt *e, struct cof_view plain, enum cof_esdk_part part,
                                struct cof_buf *out)
{
    size_t start = out->len, size = cof_esdk_frame_size(part, plain.len);
    enum cof_err err;

    if (e->sequence == COF_ESDK_FINAL && part == COF_ESDK_FRAME)
        return COF_E_LIMIT; /* the number that marks the final frame is no regular frame's */
    err = cof_buf_reserve(out, size);
    if (err == COF_OK)
        err = cof_esdk_seal_frame(e->content_key, cof_esdk_encrypt_message_id(e), part, e->sequence, plain,
                                  out->data + out->len);
    if (err != COF_OK)
        return err;
    out->len += size;
    if (part == COF_ESDK_FRAME)
        e->sequence++;
    return note(e, out, start);
}

/* A frame goes out as soon as more than it is known; whole frames straight from the caller's bytes. */
static enum cof_err take_plain(struct cof_esdk_encrypt *e, struct cof_view plain, struct cof_buf *out)
{
    enum cof_err err = COF_OK;

    while (err == COF_OK && plain.len > 0) {
        size_t room = e->frame_length - e->frame.len;

        if (room == 0) {
            err = write_frame(e, cof_buf_view(&e->frame), COF_ESDK_FRAME, out);
            cof_buf_reset(&e->frame);
        } else if (e->frame.len == 0 && plain.len > e->frame_length) {
            err = write_frame(e, cof_view_sub(plain, 0, e->frame_length), COF_ESDK_FRAME, out);
            plain = cof_view_sub(plain, e->frame_length, SIZE_MAX);
        } else {
            cof_buf_add(&e->frame, cof_view_sub(plain, 0, room));
            plain = cof_view_sub(plain, room, SIZE_MAX);
            err = cof_buf_err(&e->frame);
        }
    }
    return err;
}

enum cof_err cof_esdk_encrypt_push(struct cof_esdk_encrypt *e, struct cof_view plain, struct cof_buf *out)
{
    enum cof_err err;

    if (e->finished || e->failed || e->body_taken)
        return COF_E_STATE;
    if (e->length_known && plain.len > e->plain_left) {
        e->failed = true;
        return COF_E_USAGE;
    }
    e->plain_left -= e->length_known ? plain.len : 0;
    err = write_header(e, out);
    if (err == COF_OK)
        err = take_plain(e, plain, out);
    e->failed = err != COF_OK;
    return err;
}

static enum cof_err write_signature(struct cof_esdk_encrypt *e, struct cof_buf *out)
{
    uint8_t digest[COF_HASH_MAX];
    enum cof_err err = cof_hash_final(e->hash, digest);

    cof_buf_add_u16(out, (uint16_t)cof_esdk_signature_length(e->suite));
    if (err == COF_OK)
        err = cof_esdk_sign(e->suite, e->signer, cof_view_of(digest, cof_hash_size(e->suite->sign_hash)), out);
    return err == COF_OK ? cof_buf_err(out) : err;
}

enum cof_err cof_esdk_encrypt_finish(struct cof_esdk_encrypt *e, struct cof_buf *out)
{
    enum cof_err err;

    if (e->finished || e->failed || e->body_taken)
        return COF_E_STATE;
    err = e->length_known && e->plain_left != 0 ? COF_E_USAGE : write_header(e, out);
    if (err == COF_OK)
        err = write_frame(e, cof_buf_view(&e->frame), COF_ESDK_FINAL_FRAME, out);
    cof_buf_reset(&e->frame);
    if (err == COF_OK && e->hash != NULL)
        err = write_signature(e, out);
    e->finished = err == COF_OK;
    e->failed = err != COF_OK;
    return err;
}

enum cof_err cof_esdk_encrypt_export(const struct cof_esdk_encrypt *e, const char *label, uint8_t out[static 32])
{
    return cof_esdk_export(&e->data_key, cof_esdk_encrypt_message_id(e), label, out);
}

enum cof_err cof_esdk_encrypt_fork(const struct cof_esdk_encrypt *e, struct cof_gcm **content_key)
{
    uint8_t commitment[COF_ESDK_COMMITMENT];

    return cof_esdk_derive(e->suite, &e->data_key, cof_esdk_encrypt_message_id(e), content_key, commitment);
}

enum cof_err cof_esdk_encrypt_take_body(struct cof_esdk_encrypt *e, struct cof_esdk_body *out)
{
    *out = (struct cof_esdk_body){0};
    if (e->header.len == 0 || e->finished || e->failed || e->body_taken)
        return COF_E_STATE;
    e->body_taken = true;
    *out = (struct cof_esdk_body){cof_buf_view(&e->header), cof_esdk_encrypt_message_id(e), e->frame_length, e->hash != NULL};
    return cof_esdk_encrypt_note(e, out->header);
}

enum cof_err cof_esdk_encrypt_note(struct cof_esdk_encrypt *e, struct cof_view bytes)
{
    return e->hash == NULL ? COF_OK : cof_hash_update(e->hash, bytes);
}

enum cof_err cof_esdk_encrypt_end(struct cof_esdk_encrypt *e, uint64_t plain_length, struct cof_buf *out)
{
    if (!e->body_taken || e->finished || e->failed)
        return COF_E_STATE;
    if (e->length_known && plain_length != e->plain_left)
        return COF_E_USAGE;
    e->finished = true;
    return e->hash == NULL ? COF_OK : write_signature(e, out);
}

uint64_t cof_esdk_encrypt_total(const struct cof_esdk_encrypt *e, uint64_t plain_length)
{
    /* full frames but the last, which goes out as the final one even when it is full */
    uint64_t full = plain_length == 0 ? 0 : (plain_length - 1) / e->frame_length;
    size_t signature = cof_esdk_signature_length(e->suite);

    return e->header_length + plain_length + full * cof_esdk_frame_size(COF_ESDK_FRAME, 0) +
           cof_esdk_frame_size(COF_ESDK_FINAL_FRAME, 0) + (signature == 0 ? 0 : 2 + signature);
}
