/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/esdk_decrypt.h"

#include "engine/esdk_sign.h"

#include <stdlib.h>
#include <string.h>

/* What is expected next. */
enum expects {
    EXPECT_HEADER,
    EXPECT_KEY,
    EXPECT_FRAME,
    EXPECT_BLOCK,
    EXPECT_BODY_END, /* somebody else opens the frames */
    EXPECT_SIGNATURE,
    EXPECT_END,
    FAILED
};

#define HELD_DEFAULT (64u << 20)
#define UNFRAMED_DEFAULT (64u << 20)

struct cof_esdk_decrypt {
    enum expects state;
    enum cof_err failure; /* of FAILED */
    struct cof_esdk_decrypt_options options;
    const struct cof_suite *suite;
    struct cof_buf header_bytes; /* header's views point into it */
    size_t header_want;          /* bytes that parsing the header needs at least */
    struct cof_esdk_header header;
    struct cof_esdk_pair context[COF_ESDK_PAIRS_MAX];
    size_t n_context;
    struct cof_buf required; /* known pairs that the header lacks, serialised */
    struct cof_buf pending;  /* bytes of a part of the body that is not whole yet */
    struct cof_buf held;     /* plaintext that waits for the signature */
    struct cof_secret data_key;
    struct cof_gcm *content_key;
    struct cof_hash *hash;
    struct cof_ecdsa_key *verifier;
    uint32_t sequence; /* of the next frame */
};

enum cof_err cof_esdk_decrypt_new(const struct cof_esdk_decrypt_options *options, struct cof_esdk_decrypt **out)
{
    struct cof_esdk_decrypt *d;

    *out = NULL;
    if (options != NULL && options->n_known > COF_ESDK_PAIRS_MAX)
        return COF_E_USAGE;
    d = calloc(1, sizeof *d);
    if (d == NULL)
        return COF_E_MEMORY;
    if (options != NULL)
        d->options = *options;
    if (d->options.limits.max_unframed == 0)
        d->options.limits.max_unframed = UNFRAMED_DEFAULT;
    if (d->options.limits.max_held == 0)
        d->options.limits.max_held = HELD_DEFAULT;
    d->sequence = 1;
    d->header_want = 1;
    cof_buf_init(&d->header_bytes, COF_ESDK_HEADER_MAX);
    cof_buf_init(&d->required, COF_ESDK_HEADER_MAX);
    cof_buf_init_secret(&d->held, (size_t)d->options.limits.max_held);
    *out = d;
    return COF_OK;
}

void cof_esdk_decrypt_free(struct cof_esdk_decrypt *d)
{
    if (d == NULL)
        return;
    cof_buf_done(&d->header_bytes);
    cof_buf_done(&d->required);
    cof_buf_done(&d->pending);
    cof_buf_done(&d->held);
    cof_secret_done(&d->data_key);
    cof_gcm_free(d->content_key);
    cof_hash_free(d->hash);
    cof_ecdsa_free(d->verifier);
    free(d);
}

static enum cof_err fail(struct cof_esdk_decrypt *d, enum cof_err err)
{
    d->state = FAILED;
    d->failure = err;
    cof_buf_done(&d->held);
    return err;
}

bool cof_esdk_decrypt_wants_key(const struct cof_esdk_decrypt *d)
{
    return d->state == EXPECT_KEY;
}

bool cof_esdk_decrypt_verified(const struct cof_esdk_decrypt *d)
{
    return d->state == EXPECT_END;
}

const struct cof_esdk_header *cof_esdk_decrypt_header(const struct cof_esdk_decrypt *d)
{
    return d->suite == NULL ? NULL : &d->header;
}

const struct cof_suite *cof_esdk_decrypt_suite(const struct cof_esdk_decrypt *d)
{
    return d->suite;
}

const struct cof_esdk_limits *cof_esdk_decrypt_limits(const struct cof_esdk_decrypt *d)
{
    return &d->options.limits;
}

const struct cof_esdk_pair *cof_esdk_decrypt_context(const struct cof_esdk_decrypt *d, size_t *n)
{
    *n = d->n_context;
    return d->context;
}

/* The signed suites' verification key stands in the context; in no other suite may it be there. */
static enum cof_err find_verifier(struct cof_esdk_decrypt *d)
{
    struct cof_view value;
    bool there = cof_esdk_find_pair(&d->header, COF_ESDK_PUBLIC_KEY, &value);
    enum cof_err err;

    if (there != d->suite->is_signed)
        return COF_E_FORMAT;
    if (!there)
        return COF_OK;
    err = cof_esdk_public_parse(d->suite, value, &d->verifier);
    return err == COF_OK ? cof_hash_new(d->suite->sign_hash, &d->hash) : err;
}

/* spec: required encryption context; what the message carries must be as the caller knows it, the rest is authenticated
 * with the header's tag. */
static enum cof_err join_context(struct cof_esdk_decrypt *d)
{
    const struct cof_esdk_header *h = &d->header;
    struct cof_esdk_pair apart[COF_ESDK_PAIRS_MAX];
    size_t n_apart = 0;
    enum cof_err err;

    for (; d->n_context < h->n_pairs; d->n_context++)
        d->context[d->n_context] = h->pairs[d->n_context];
    for (size_t i = 0; i < d->options.n_known; i++) {
        const struct cof_esdk_pair *p = &d->options.known_pairs[i];
        struct cof_view value;

        if (cof_esdk_pairs_find(h->pairs, h->n_pairs, p->name, &value)) {
            if (!cof_view_eq(value, p->value))
                return COF_E_AUTH;
        } else {
            if (d->n_context == COF_ESDK_PAIRS_MAX)
                return COF_E_LIMIT;
            apart[n_apart++] = d->context[d->n_context++] = *p;
        }
    }
    err = cof_esdk_sort_pairs(apart, n_apart);
    if (err == COF_OK)
        err = cof_esdk_sort_pairs(d->context, d->n_context);
    return err == COF_OK ? cof_esdk_context_add(&d->required, apart, n_apart) : err;
}

static enum cof_err accept_header(struct cof_esdk_decrypt *d)
{
    const struct cof_esdk_limits *limits = &d->options.limits;
    const struct cof_suite *suite = cof_suite_find(d->header.suite);
    bool framed = d->header.content_type == COF_ESDK_FRAMED;
    uint64_t most = framed ? d->header.frame_length : limits->max_unframed;
    enum cof_err err;

    if (suite == NULL || suite->version != d->header.version)
        return COF_E_UNSUPPORTED;
    if (!cof_suite_may_decrypt(suite, d->options.policy) || (suite->is_signed && d->options.refuse_signed))
        return COF_E_DENIED;
    d->suite = suite;
    err = find_verifier(d);
    if (err == COF_OK)
        err = join_context(d);
    /* A whole frame or block, or the signature. */
    cof_buf_init(&d->pending, (size_t)most + COF_ESDK_FRAME_HEAD_MAX + COF_ESDK_TAG + COF_ESDK_SIGNATURE_MAX);
    d->state = EXPECT_KEY;
    return err;
}

/* Copies just the header's bytes: never more than the parser is known to need. */
static enum cof_err take_header(struct cof_esdk_decrypt *d, struct cof_view *in)
{
    enum cof_err err = COF_E_SHORT;
    size_t used;

    if (d->header_bytes.len == 0 &&
        cof_esdk_header_parse(*in, &d->options.limits, &d->header, &used) == COF_OK)
        d->header_want = used; /* all there: one copy */
    while (err == COF_E_SHORT) {
        struct cof_view piece = cof_view_sub(*in, 0, d->header_want - d->header_bytes.len);

        cof_buf_add(&d->header_bytes, piece);
        *in = cof_view_sub(*in, piece.len, SIZE_MAX);
        err = cof_buf_err(&d->header_bytes);
        if (err != COF_OK || d->header_bytes.len < d->header_want)
            return err;
        err = cof_esdk_header_parse(cof_buf_view(&d->header_bytes), &d->options.limits, &d->header, &used);
        d->header_want = used;
    }
    return err == COF_OK ? accept_header(d) : err;
}

static enum cof_err check_header_tag(struct cof_esdk_decrypt *d)
{
    uint8_t iv[COF_ESDK_IV] = {0};
    struct cof_buf aad;
    enum cof_err err;

    if (d->header.iv.len == sizeof iv)
        (void)memcpy(iv, d->header.iv.data, sizeof iv);
    if (d->required.len == 0)
        return cof_gcm_open(d->content_key, iv, d->header.body, d->header.tag, NULL);
    cof_buf_init(&aad, 2 * COF_ESDK_HEADER_MAX);
    cof_buf_add(&aad, d->header.body);
    cof_buf_add(&aad, cof_buf_view(&d->required));
    err = cof_buf_err(&aad);
    if (err == COF_OK)
        err = cof_gcm_open(d->content_key, iv, cof_buf_view(&aad), d->header.tag, NULL);
    cof_buf_done(&aad);
    return err;
}

enum cof_err cof_esdk_decrypt_set_key(struct cof_esdk_decrypt *d, const struct cof_secret *data_key)
{
    uint8_t commitment[COF_ESDK_COMMITMENT];
    enum cof_err err;

    if (d->state == FAILED)
        return d->failure;
    if (d->state != EXPECT_KEY)
        return COF_E_STATE;
    err = cof_esdk_derive(d->suite, data_key, d->header.message_id, &d->content_key, commitment);
    if (err == COF_OK && d->suite->kdf == COF_KDF_COMMIT &&
        !cof_equal_ct(cof_view_of(commitment, sizeof commitment), d->header.commitment))
        err = COF_E_AUTH;
    if (err == COF_OK)
        err = check_header_tag(d);
    if (err == COF_OK)
        err = cof_secret_set(&d->data_key, cof_secret_view(data_key));
    if (err == COF_OK && d->hash != NULL)
        err = cof_hash_update(d->hash, cof_buf_view(&d->header_bytes));
    if (err != COF_OK)
        return fail(d, err);
    d->state = d->header.content_type == COF_ESDK_FRAMED ? EXPECT_FRAME : EXPECT_BLOCK;
    return COF_OK;
}

enum cof_err cof_esdk_decrypt_set_key_of(struct cof_esdk_decrypt *d, const struct cof_esdk_decrypt *other)
{
    if (d->state != EXPECT_KEY || other->data_key.len == 0)
        return COF_E_STATE;
    if (!cof_view_eq(cof_buf_view(&d->header_bytes), cof_buf_view(&other->header_bytes)))
        return fail(d, COF_E_AUTH);
    return cof_esdk_decrypt_set_key(d, &other->data_key);
}

/* One part of the body: a frame, the block, or the footer. */
struct part {
    struct cof_esdk_frame frame;
    struct cof_view signature;
    size_t size;
};

static enum cof_err parse_part(const struct cof_esdk_decrypt *d, struct cof_view in, struct part *p)
{
    if (d->state == EXPECT_FRAME)
        return cof_esdk_frame_parse(in, d->sequence, d->header.frame_length, &p->frame, &p->size);
    if (d->state == EXPECT_BLOCK)
        return cof_esdk_block_parse(in, d->options.limits.max_unframed, &p->frame, &p->size);
    return cof_esdk_footer_parse(in, &p->signature, &p->size);
}

static enum cof_err open_frame(struct cof_esdk_decrypt *d, const struct part *p, struct cof_view bytes,
                               struct cof_buf *out)
{
    enum cof_err err = cof_buf_reserve(out, (size_t)p->frame.length);

    if (err == COF_OK)
        err = cof_esdk_open_frame(d->content_key, d->header.message_id, &p->frame, bytes,
                                  p->frame.length == 0 ? NULL : out->data + out->len);
    if (err == COF_OK && d->hash != NULL)
        err = cof_hash_update(d->hash, bytes);
    if (err != COF_OK)
        return err;
    out->len += (size_t)p->frame.length;
    if (p->frame.part == COF_ESDK_FRAME)
        d->sequence++; /* never wraps: ffffffff marks the final frame, after which there is none */
    else
        d->state = d->hash != NULL ? EXPECT_SIGNATURE : EXPECT_END;
    return COF_OK;
}

enum cof_err cof_esdk_decrypt_take_body(struct cof_esdk_decrypt *d)
{
    if (d->state != EXPECT_FRAME || d->sequence != 1 || d->pending.len != 0)
        return COF_E_STATE;
    d->state = EXPECT_BODY_END;
    return COF_OK;
}

enum cof_err cof_esdk_decrypt_fork(const struct cof_esdk_decrypt *d, struct cof_gcm **content_key)
{
    uint8_t commitment[COF_ESDK_COMMITMENT];

    return cof_esdk_derive(d->suite, &d->data_key, d->header.message_id, content_key, commitment);
}

enum cof_err cof_esdk_decrypt_note(struct cof_esdk_decrypt *d, struct cof_view bytes)
{
    return d->hash == NULL ? COF_OK : cof_hash_update(d->hash, bytes);
}

enum cof_err cof_esdk_decrypt_body_end(struct cof_esdk_decrypt *d)
{
    if (d->state != EXPECT_BODY_END)
        return COF_E_STATE;
    d->state = d->hash != NULL ? EXPECT_SIGNATURE : EXPECT_END;
    return COF_OK;
}

static enum cof_err check_signature(struct cof_esdk_decrypt *d, const struct part *p, struct cof_buf *out)
{
    uint8_t digest[COF_HASH_MAX];
    enum cof_err err = cof_hash_final(d->hash, digest);

    if (err == COF_OK)
        err = cof_ecdsa_verify_digest(d->verifier, cof_view_of(digest, cof_hash_size(d->suite->sign_hash)), COF_ECDSA_DER,
                                      p->signature);
    if (err != COF_OK)
        return err;
    cof_buf_add(out, cof_buf_view(&d->held));
    cof_buf_done(&d->held);
    d->state = EXPECT_END;
    return cof_buf_err(out);
}

static enum cof_err take_part(struct cof_esdk_decrypt *d, const struct part *p, struct cof_view bytes, bool early,
                              struct cof_buf *out)
{
    if (d->state == EXPECT_SIGNATURE)
        return check_signature(d, p, out);
    return open_frame(d, p, bytes, d->hash != NULL && !early ? &d->held : out);
}

/* A part that lies whole in the caller's bytes is opened where it lies; else its bytes gather in pending. */
static enum cof_err take_body(struct cof_esdk_decrypt *d, struct cof_view *in, bool early, struct cof_buf *out)
{
    struct part p = {0};

    do {
        bool direct = d->pending.len == 0;
        struct cof_view bytes = direct ? *in : cof_buf_view(&d->pending), piece;
        enum cof_err err = parse_part(d, bytes, &p);

        if (err != COF_OK && err != COF_E_SHORT)
            return err;
        if (err == COF_OK && p.size <= bytes.len) {
            err = take_part(d, &p, cof_view_sub(bytes, 0, p.size), early, out);
            if (direct)
                *in = cof_view_sub(*in, p.size, SIZE_MAX);
            cof_buf_reset(&d->pending);
            return err;
        }
        piece = cof_view_sub(*in, 0, p.size - d->pending.len);
        cof_buf_add(&d->pending, piece);
        *in = cof_view_sub(*in, piece.len, SIZE_MAX);
        if (cof_buf_err(&d->pending) != COF_OK)
            return cof_buf_err(&d->pending);
    } while (d->pending.len >= p.size);
    return COF_OK;
}

static enum cof_err push(struct cof_esdk_decrypt *d, struct cof_view *in, bool early, struct cof_buf *out)
{
    enum cof_err err = COF_OK;

    while (err == COF_OK && in->len > 0 && d->state != EXPECT_KEY) {
        switch (d->state) {
        case EXPECT_HEADER:
            err = take_header(d, in);
            break;
        case EXPECT_FRAME:
        case EXPECT_BLOCK:
        case EXPECT_SIGNATURE:
            err = take_body(d, in, early, out);
            break;
        case EXPECT_END:
            err = COF_E_FORMAT; /* bytes after the end */
            break;
        case EXPECT_BODY_END:
            err = COF_E_STATE;
            break;
        case FAILED:
            return d->failure;
        case EXPECT_KEY:
            break;
        }
    }
    return err == COF_OK ? COF_OK : fail(d, err);
}

enum cof_err cof_esdk_decrypt_push(struct cof_esdk_decrypt *d, struct cof_view *in, struct cof_buf *out)
{
    return push(d, in, false, out);
}

enum cof_err cof_esdk_decrypt_push_before_signature(struct cof_esdk_decrypt *d, struct cof_view *in, struct cof_buf *out)
{
    return push(d, in, true, out);
}

enum cof_err cof_esdk_decrypt_finish(struct cof_esdk_decrypt *d)
{
    if (d->state == EXPECT_END)
        return COF_OK;
    return d->state == FAILED ? d->failure : fail(d, COF_E_TRUNCATED);
}

enum cof_err cof_esdk_decrypt_export(const struct cof_esdk_decrypt *d, const char *label, uint8_t out[static 32])
{
    return cof_esdk_export(&d->data_key, d->header.message_id, label, out);
}
