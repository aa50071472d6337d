/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole messages under a data key of zeros. Bit 0 of the first byte: the harness, which knows the key, first puts commitment and
 * tags right, so that what lies behind them is reached. Every way to open the message must agree: whole, in pieces, holding back
 * until the signature or not, and the one with slots of frames (io/open.h); and nothing of a signed message comes before its end
 * but by the call that says so.
 */
#include "engine/esdk_decrypt.h"
#include "io/open.h"

#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 65536

#define LIMITS {.max_unframed = 1 << 20, .max_frame_length = 1 << 20}
static const struct cof_esdk_limits limits = LIMITS;

static struct cof_secret key_of(const struct cof_suite *suite)
{
    return (struct cof_secret){.len = suite->key_len};
}

/* Ciphertexts stay as they are: the plaintext is whatever they decrypt to. */
static void put_tag(struct cof_gcm *gcm, const uint8_t *iv, struct cof_view aad, uint8_t *at, size_t len)
{
    static uint8_t stream[MESSAGE_MAX + COF_GCM_TAG], out[MESSAGE_MAX + COF_GCM_TAG];

    (void)memset(stream, 0, len);
    if (cof_gcm_seal(gcm, iv, aad, cof_view_of(stream, len), out) != COF_OK)
        abort();
    for (size_t i = 0; i < len; i++)
        stream[i] = out[i] ^ at[i];
    if (cof_gcm_seal(gcm, iv, aad, cof_view_of(stream, len), out) != COF_OK)
        abort();
    (void)memcpy(at + len, out + len, COF_GCM_TAG);
}

static void put_right(uint8_t *m, size_t size)
{
    static struct cof_esdk_header h;
    uint8_t iv[COF_ESDK_IV] = {0}, commitment[COF_ESDK_COMMITMENT], aad[COF_ESDK_BODY_AAD_MAX];
    const struct cof_suite *suite;
    struct cof_secret key;
    struct cof_gcm *gcm;
    uint32_t sequence = 1;
    size_t at, used;

    if (cof_esdk_header_parse(cof_view_of(m, size), &limits, &h, &at) != COF_OK)
        return;
    suite = cof_suite_find(h.suite);
    key = key_of(suite);
    if (cof_esdk_derive(suite, &key, h.message_id, &gcm, commitment) != COF_OK)
        abort();
    if (h.commitment.len > 0)
        (void)memcpy(m + (h.commitment.data - m), commitment, sizeof commitment);
    if (h.iv.len > 0)
        (void)memcpy(iv, h.iv.data, sizeof iv);
    put_tag(gcm, iv, h.body, m + (h.tag.data - m), 0);
    for (;;) {
        struct cof_view rest = cof_view_of(m + at, size - at);
        struct cof_esdk_frame f;
        enum cof_err err = h.content_type == COF_ESDK_FRAMED ? cof_esdk_frame_parse(rest, sequence, h.frame_length, &f, &used)
                                                             : cof_esdk_block_parse(rest, limits.max_unframed, &f, &used);
        if (err != COF_OK || used > rest.len)
            break;
        put_tag(gcm, f.iv.data,
                cof_view_of(aad, cof_esdk_body_aad(h.message_id, f.part, f.sequence, f.length, aad)), m + at + f.head,
                (size_t)f.length);
        at += used;
        if (f.part != COF_ESDK_FRAME)
            break;
        sequence++;
    }
    cof_gcm_free(gcm);
}

static enum cof_err give_key(void *ctx, struct cof_esdk_decrypt *d)
{
    struct cof_secret key = key_of(cof_esdk_decrypt_suite(d));

    (void)ctx;
    return cof_esdk_decrypt_set_key(d, &key);
}

static const struct cof_esdk_decrypt_options how = {.limits = LIMITS, .policy = COF_REQUIRE_ENCRYPT_ALLOW_DECRYPT};

static enum cof_err open_session(struct cof_view in, size_t piece, bool early, struct cof_buf *out, bool *is_signed)
{
    struct cof_esdk_decrypt *d;
    enum cof_err err = cof_esdk_decrypt_new(&how, &d);

    while (err == COF_OK && in.len > 0) {
        struct cof_view part = cof_view_sub(in, 0, piece);

        in = cof_view_sub(in, part.len, SIZE_MAX);
        while (err == COF_OK && part.len > 0) {
            err = early ? cof_esdk_decrypt_push_before_signature(d, &part, out) : cof_esdk_decrypt_push(d, &part, out);
            if (err == COF_OK && cof_esdk_decrypt_wants_key(d))
                err = give_key(NULL, d);
        }
    }
    if (err == COF_OK)
        err = cof_esdk_decrypt_finish(d);
    *is_signed = cof_esdk_decrypt_suite(d) != NULL && cof_esdk_decrypt_suite(d)->is_signed;
    cof_esdk_decrypt_free(d);
    return err;
}

static enum cof_err collect(void *ctx, struct cof_view bytes)
{
    cof_buf_add(ctx, bytes);
    return cof_buf_err(ctx);
}

static enum cof_err open_slots(struct cof_view in, size_t piece, struct cof_buf *out)
{
    struct cof_open_options options = {.give_key = give_key, .sink = collect, .ctx = out};
    struct cof_esdk_decrypt *d;
    struct cof_open *o;
    enum cof_err err = cof_esdk_decrypt_new(&how, &d);

    if (err != COF_OK || cof_open_new(d, &options, &o) != COF_OK)
        abort();
    while (err == COF_OK && in.len > 0) {
        err = cof_open_push(o, cof_view_sub(in, 0, piece));
        in = cof_view_sub(in, piece, SIZE_MAX);
    }
    if (err == COF_OK)
        err = cof_open_finish(o);
    cof_open_free(o);
    cof_esdk_decrypt_free(d);
    return err;
}

/* Whether bytes after a message that is whole are all that is wrong: then its plaintext was rightly released. */
static bool begins_whole(struct cof_view in, const struct cof_buf *released)
{
    bool is_signed, same = false;

    for (size_t len = in.len - 1; len > 0 && !same; len--) {
        struct cof_buf out;

        cof_buf_init(&out, 1 << 21);
        same = open_session(cof_view_sub(in, 0, len), SIZE_MAX, false, &out, &is_signed) == COF_OK &&
               cof_view_eq(cof_buf_view(&out), cof_buf_view(released));
        cof_buf_done(&out);
    }
    return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t m[MESSAGE_MAX];
    struct cof_buf whole, pieces, early, slots;
    struct cof_view in;
    enum cof_err err;
    bool is_signed;
    size_t piece;

    if (size < 1 || size > MESSAGE_MAX)
        return 0;
    (void)memcpy(m, data + 1, size - 1);
    if ((data[0] & 1) != 0)
        put_right(m, size - 1);
    in = cof_view_of(m, size - 1);
    piece = (size_t)(data[0] >> 1) + 1;
    cof_buf_init(&whole, 1 << 21);
    cof_buf_init(&pieces, 1 << 21);
    cof_buf_init(&early, 1 << 21);
    cof_buf_init(&slots, 1 << 21);
    err = open_session(in, SIZE_MAX, false, &whole, &is_signed);
    if (open_session(in, piece, false, &pieces, &is_signed) != err ||
        open_session(in, piece, true, &early, &is_signed) != err || (open_slots(in, piece, &slots) == COF_OK) != (err == COF_OK))
        abort();
    if (is_signed && err != COF_OK && (whole.len > 0 || pieces.len > 0) && !begins_whole(in, &whole))
        abort();
    if (err == COF_OK && (!cof_view_eq(cof_buf_view(&whole), cof_buf_view(&pieces)) ||
                          !cof_view_eq(cof_buf_view(&whole), cof_buf_view(&early)) ||
                          !cof_view_eq(cof_buf_view(&whole), cof_buf_view(&slots))))
        abort();
    cof_buf_done(&whole);
    cof_buf_done(&pieces);
    cof_buf_done(&early);
    cof_buf_done(&slots);
    return 0;
}
