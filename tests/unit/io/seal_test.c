/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealing and opening with threads (io/seal.h, io/open.h): the same bytes as the engine's own session, for every size around
 * the frames' and slots' edges and any number of threads; and everything that is not such a message is refused.
 */
#include "testing.h"

#include "io/open.h"
#include "io/seal.h"


#define BIG (3u << 20)

static uint8_t plain_bytes[BIG], message_bytes[BIG + (BIG / 512 + 2) * 40 + 4096], got_bytes[BIG + 64];
static const struct cof_secret data_key = {.bytes = {7, 7, 7}, .len = 32};
static struct cof_ecdsa_key *signer;

static enum cof_err count_up(void *ctx, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)i;
    return COF_OK;
}
static const struct cof_rng fixed_rng = {count_up, NULL};

struct collect {
    uint8_t *to;
    size_t len, max;
};

static enum cof_err collect(void *ctx, struct cof_view bytes)
{
    struct collect *c = ctx;

    if (bytes.len > c->max - c->len)
        return COF_E_TOO_LARGE;
    memcpy(c->to + c->len, bytes.data, bytes.len);
    c->len += bytes.len;
    return COF_OK;
}

static struct cof_esdk_encrypt *session(uint16_t suite, uint32_t frame_length, struct cof_buf *public_value)
{
    static const struct cof_esdk_edk edk = {{(const uint8_t *)"ns", 2}, {(const uint8_t *)"name", 4}, {(const uint8_t *)"edk", 3}};
    struct cof_esdk_pair pair = {COF_LIT(COF_ESDK_PUBLIC_KEY), {0}};
    struct cof_esdk_materials m = {.suite = suite, .frame_length = frame_length, .data_key = &data_key, .edks = &edk, .n_edks = 1};
    struct cof_esdk_encrypt *e;

    if (suite == COF_ESDK_SUITE_SIGNED) {
        pair.value = cof_buf_view(public_value);
        m.pairs = &pair;
        m.n_pairs = 1;
        m.signer = signer;
    }
    assert_ok(cof_esdk_encrypt_new(&m, &fixed_rng, &e));
    return e;
}

static struct cof_buf public_value;

/* Pieces of differing lengths, by copying and in place. */
static struct cof_view seal(uint16_t suite, uint32_t frame_length, size_t len, unsigned threads)
{
    struct collect out = {message_bytes, 0, sizeof message_bytes};
    struct cof_seal_options options = {.threads = threads, .sink = collect, .ctx = &out};
    struct cof_esdk_encrypt *e = session(suite, frame_length, &public_value);
    struct cof_seal *s;
    size_t at = 0;

    assert_ok(cof_seal_new(e, &options, &s));
    for (unsigned turn = 0; at < len; turn++) {
        size_t n = turn % 3 == 0 ? 1 : turn % 3 == 1 ? 70001 : SIZE_MAX, room;
        uint8_t *data;

        n = n < len - at ? n : len - at;
        if (turn % 3 == 2) {
            assert_ok(cof_seal_room(s, &data, &room));
            assert_true(room > 0);
            n = n < room ? n : room;
            memcpy(data, plain_bytes + at, n);
            assert_ok(cof_seal_filled(s, n));
        } else {
            assert_ok(cof_seal_push(s, cof_view_of(plain_bytes + at, n)));
        }
        at += n;
    }
    assert_ok(cof_seal_finish(s));
    assert_int_equal(cof_seal_finish(s), COF_E_STATE);
    cof_seal_free(s);
    cof_esdk_encrypt_free(e);
    return cof_view_of(message_bytes, out.len);
}

static enum cof_err give_key(void *ctx, struct cof_esdk_decrypt *d)
{
    return cof_esdk_decrypt_set_key(d, &data_key);
}

static enum cof_err open_message(struct cof_view message, size_t piece, unsigned threads, bool hold, struct cof_view *out)
{
    struct collect to = {got_bytes, 0, sizeof got_bytes};
    struct cof_open_options options = {.threads = threads, .give_key = give_key, .sink = collect, .ctx = &to, .hold_signed = hold};
    struct cof_esdk_decrypt *d;
    struct cof_open *o;
    enum cof_err err = COF_OK;

    assert_ok(cof_esdk_decrypt_new(NULL, &d));
    assert_ok(cof_open_new(d, &options, &o));
    for (size_t turn = 0; err == COF_OK && message.len > 0; turn++) {
        struct cof_view part = cof_view_sub(message, 0, piece);

        if (turn % 2 == 0) {
            err = cof_open_push(o, part);
        } else {
            uint8_t *data;
            size_t room;

            err = cof_open_room(o, &data, &room);
            if (err != COF_OK)
                break;
            part = cof_view_sub(part, 0, room);
            memcpy(data, part.data, part.len);
            err = cof_open_filled(o, part.len);
        }
        message = cof_view_sub(message, part.len, SIZE_MAX);
    }
    if (err == COF_OK)
        err = cof_open_finish(o);
    else
        assert_int_equal(cof_open_finish(o), err); /* a failure is final */
    cof_open_free(o);
    cof_esdk_decrypt_free(d);
    *out = cof_view_of(got_bytes, to.len);
    return err;
}

static void same_as_engine(void **state)
{
    static const uint32_t frames[] = {1, 100, 4096, 65536, 1u << 20};

    for (size_t f = 0; f < 5; f++) {
        size_t slot = frames[f] >= 262144 ? frames[f] : (frames[f] == 1 ? 7943 : 262144 / frames[f] * frames[f]);
        size_t sizes[] = {0, 1, frames[f] - 1, frames[f], frames[f] + 1, slot - 1, slot, slot + 1, 2 * slot, 5 * slot + 17};

        for (size_t i = 0; i < 10; i++)
            for (unsigned threads = 0; threads < 4; threads += 3) {
                size_t len = sizes[i] < BIG ? sizes[i] : BIG;
                struct cof_esdk_encrypt *e = session(COF_ESDK_SUITE, frames[f], NULL);
                struct cof_view message = seal(COF_ESDK_SUITE, frames[f], len, threads), got;
                struct cof_buf want;

                cof_buf_init(&want, sizeof message_bytes);
                assert_ok(cof_esdk_encrypt_push(e, cof_view_of(plain_bytes, len), &want));
                assert_ok(cof_esdk_encrypt_finish(e, &want));
                assert_true(cof_view_eq(message, cof_buf_view(&want)));
                assert_int_equal(message.len, cof_esdk_encrypt_total(e, len));
                assert_ok(open_message(message, 77777, threads, false, &got));
                assert_true(cof_view_eq(got, cof_view_of(plain_bytes, len)));
                cof_buf_done(&want);
                cof_esdk_encrypt_free(e);
            }
    }
}

static void signed_round_trip(void **state)
{
    for (unsigned turn = 0; turn < 6; turn++) {
        unsigned threads = turn / 2;
        struct cof_view message = seal(COF_ESDK_SUITE_SIGNED, turn % 2 == 0 ? 4096 : 300000, 1000000, threads), got;

        assert_ok(open_message(message, 100000, threads, true, &got));
        assert_true(cof_view_eq(got, cof_view_of(plain_bytes, 1000000)));
        message_bytes[message.len - 1] ^= 1;
        assert_int_equal(open_message(message, 100000, threads, true, &got), COF_E_AUTH);
        assert_int_equal(got.len, 0); /* held back */
        message_bytes[message.len - 1] ^= 1;
    }
}

static void sinks_failure_ends_it(void **state)
{
    struct collect small = {got_bytes, 0, 300000};
    struct cof_seal_options options = {.threads = 2, .sink = collect, .ctx = &small};
    struct cof_esdk_encrypt *e = session(COF_ESDK_SUITE, 4096, NULL);
    struct cof_seal *s;
    enum cof_err err = COF_OK;

    assert_ok(cof_seal_new(e, &options, &s));
    err = cof_seal_push(s, cof_view_of(plain_bytes, BIG));
    assert_int_equal(err == COF_OK ? cof_seal_finish(s) : err, COF_E_TOO_LARGE);
    assert_int_equal(cof_seal_push(s, cof_view_of(plain_bytes, 1)), COF_E_TOO_LARGE);
    cof_seal_free(s);
    cof_esdk_encrypt_free(e);
}

/* Cuts at and around every frame's edge, one bit in every frame, frames in another order, twice, or gone; bytes after the end. */
static void what_is_no_message(void **state)
{
    const size_t frame = 65536 + 32, n_frames = 12;
    struct cof_view message = seal(COF_ESDK_SUITE, 65536, n_frames * 65536 + 5, 2), got;
    static uint8_t copy[sizeof message_bytes];
    size_t header = message.len - n_frames * frame - 40 - 5;
    enum cof_err err;

    for (size_t i = 0; i <= n_frames; i++) {
        size_t at = header + i * frame;

        for (size_t d = 0; d < 3; d++)
            assert_int_equal(open_message(cof_view_of(message.data, at - 1 + d), 100000, 2, false, &got), COF_E_TRUNCATED);
        message_bytes[at + 20] ^= 0x40;
        err = open_message(message, 100000, 2, false, &got);
        assert_true(err == COF_E_AUTH || (i == n_frames && err == COF_E_FORMAT)); /* its length, of the final one */
        assert_true(got.len <= i * 65536); /* nothing of that frame, or after it */
        message_bytes[at + 20] ^= 0x40;
    }
    memcpy(copy, message.data, message.len);
    memcpy(copy + header + 3 * frame, message.data + header + 4 * frame, frame);
    memcpy(copy + header + 4 * frame, message.data + header + 3 * frame, frame);
    assert_int_equal(open_message(cof_view_of(copy, message.len), 100000, 2, false, &got), COF_E_FORMAT);
    memcpy(copy, message.data, message.len);
    memmove(copy + header + frame, copy + header + 2 * frame, message.len - header - 2 * frame);
    assert_int_equal(open_message(cof_view_of(copy, message.len - frame), 100000, 2, false, &got), COF_E_FORMAT);
    for (size_t extra = 1; extra < 300; extra += 97) {
        memcpy(copy, message.data, message.len);
        memset(copy + message.len, 0, extra);
        assert_int_equal(open_message(cof_view_of(copy, message.len + extra), 100000, 2, false, &got), COF_E_FORMAT);
    }
    /* a second final frame */
    memcpy(copy + message.len, message.data + message.len - 45, 45);
    assert_int_equal(open_message(cof_view_of(copy, message.len + 45), 100000, 2, false, &got), COF_E_FORMAT);
    assert_int_equal(open_message(cof_view_of(copy, 0), 1, 2, false, &got), COF_E_TRUNCATED);
}

/* Long pieces are opened from the caller's memory, which is the caller's again when push returns, on failure too: here it is
 * freed at once, for a sanitizer to see. */
static enum cof_err open_lent(struct cof_view message, unsigned threads, struct cof_view *out)
{
    struct collect to = {got_bytes, 0, sizeof got_bytes};
    struct cof_open_options options = {.threads = threads, .give_key = give_key, .sink = collect, .ctx = &to};
    uint8_t *copy = malloc(message.len);
    struct cof_esdk_decrypt *d;
    struct cof_open *o;
    enum cof_err err;

    assert_non_null(copy);
    memcpy(copy, message.data, message.len);
    assert_ok(cof_esdk_decrypt_new(NULL, &d));
    assert_ok(cof_open_new(d, &options, &o));
    err = cof_open_push(o, cof_view_of(copy, message.len));
    memset(copy, 0, message.len);
    free(copy);
    if (err == COF_OK)
        err = cof_open_finish(o);
    cof_open_free(o);
    cof_esdk_decrypt_free(d);
    *out = cof_view_of(got_bytes, to.len);
    return err;
}

static void lent_pieces(void **state)
{
    static const uint32_t frames[] = {4096, 300000};
    static const uint16_t suites[] = {COF_ESDK_SUITE, COF_ESDK_SUITE_SIGNED};

    for (unsigned turn = 0; turn < 12; turn++) {
        uint32_t frame = frames[turn % 2];
        unsigned threads = turn / 4;
        struct cof_view message = seal(suites[turn / 2 % 2], frame, BIG, 1), got;

        assert_ok(open_lent(message, threads, &got));
        assert_true(cof_view_eq(got, cof_view_of(plain_bytes, BIG)));
        for (size_t at = 1000; at < message.len - 200; at += 700001) {
            message_bytes[at] ^= 1;
            assert_int_equal(open_lent(message, threads, &got), COF_E_AUTH);
            assert_true(got.len <= at);
            assert_memory_equal(got.data, plain_bytes, got.len);
            message_bytes[at] ^= 1;
        }
        assert_int_equal(open_lent(cof_view_of(message.data, message.len - 400000), threads, &got), COF_E_TRUNCATED);
        memcpy(message_bytes + message.len, message.data, 100);
        assert_int_equal(open_lent(cof_view_of(message.data, message.len + 100), threads, &got), COF_E_FORMAT);
    }
}

/* Any range, from just the bytes that the plan names; and with one frame altered, which must be one of those read. */
static enum cof_err open_range(struct cof_view message, uint64_t first, uint64_t last, struct cof_esdk_range *r,
                               struct cof_view *out)
{
    struct collect to = {got_bytes, 0, sizeof got_bytes};
    struct cof_open_options options = {.threads = 1, .sink = collect, .ctx = &to};
    struct cof_esdk_decrypt *d;
    struct cof_open *o;
    struct cof_buf none;
    struct cof_view in = message;
    enum cof_err err;

    cof_buf_init(&none, 1);
    assert_ok(cof_esdk_decrypt_new(NULL, &d));
    assert_ok(cof_esdk_decrypt_push(d, &in, &none));
    assert_ok(cof_esdk_decrypt_set_key(d, &data_key));
    err = cof_esdk_range_plan(cof_esdk_decrypt_header(d), message.len - in.len, message.len, first, last, r);
    if (err == COF_OK) {
        assert_ok(cof_open_new_range(d, r, &options, &o));
        err = cof_open_push(o, cof_view_sub(message, (size_t)r->from, (size_t)(r->to - r->from)));
        if (err == COF_OK)
            err = cof_open_finish(o);
        cof_open_free(o);
    }
    cof_esdk_decrypt_free(d);
    *out = cof_view_of(got_bytes, to.len);
    return err;
}

static void ranges(void **state)
{
    static const size_t lengths[] = {0, 1, 999, 1000, 1001, 2000, 700123};
    struct cof_esdk_range r;
    struct cof_view got;

    for (size_t i = 0; i < 7; i++) {
        size_t len = lengths[i];
        struct cof_view message = seal(COF_ESDK_SUITE, 1000, len, 1);
        const uint64_t at[] = {0, 1, 998, 999, 1000, 1001, 1999, 2000, 262000, 699999, 700000, 700122, 700123, 800000, UINT64_MAX};

        for (size_t a = 0; a < 15; a++)
            for (size_t b = a; b < 15; b++) {
                size_t from = at[a] < len ? (size_t)at[a] : len, to = at[b] < len ? (size_t)at[b] + 1 : len;

                assert_ok(open_range(message, at[a], at[b], &r, &got));
                assert_true(cof_view_eq(got, cof_view_of(plain_bytes + from, to - from)));
                assert_int_equal(r.plain_length, len);
                assert_true(r.to - r.from <= (got.len + 2 * 1000) / 1000 * 1032 + 1040); /* no more than its frames */
            }
    }
    assert_int_equal(open_range(cof_view_of(message_bytes, 100000), 5, 4, &r, &got), COF_E_USAGE);
}

static void altered_ranges(void **state)
{
    struct cof_view message = seal(COF_ESDK_SUITE, 1000, 10500, 1), got;
    size_t header = message.len - 10500 - 10 * 32 - 40;
    struct cof_esdk_range r;
    uint8_t swap[1032];

    message_bytes[header + 5 * 1032 + 100] ^= 1;
    assert_ok(open_range(message, 0, 4999, &r, &got)); /* frames not read are not judged */
    assert_ok(open_range(message, 6000, 20000, &r, &got));
    assert_int_equal(open_range(message, 4999, 5000, &r, &got), COF_E_AUTH);
    assert_int_equal(got.len, 0);
    message_bytes[header + 5 * 1032 + 100] ^= 1;
    memcpy(swap, message_bytes + header + 1032, 1032);
    memcpy(message_bytes + header + 1032, message_bytes + header + 2 * 1032, 1032);
    assert_int_equal(open_range(message, 1000, 1001, &r, &got), COF_E_FORMAT); /* a frame from elsewhere */
    memcpy(message_bytes + header + 1032, swap, 1032);
    /* cut at a frame's edge, the message looks shorter; but the end is then no final frame */
    assert_int_equal(open_range(cof_view_of(message.data, header + 10 * 1032), 100, 200, &r, &got), COF_OK);
    assert_int_equal(open_range(cof_view_of(message.data, header + 10 * 1032), 100, 20000, &r, &got), COF_E_TRUNCATED);
    assert_int_equal(open_range(cof_view_of(message.data, header + 10 * 1032 + 39), 20000, 20001, &r, &got), COF_E_TRUNCATED);
    message = seal(COF_ESDK_SUITE_SIGNED, 1000, 10500, 1);
    assert_int_equal(open_range(message, 0, 10, &r, &got), COF_E_DENIED);
}

static int set_up(void **state)
{
    for (size_t i = 0; i < BIG; i++)
        plain_bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    cof_buf_init(&public_value, 128);
    return cof_esdk_signer_make(&fixed_rng, &signer, &public_value) == COF_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    cof_ecdsa_free(signer);
    cof_buf_done(&public_value);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_engine),        cmocka_unit_test(signed_round_trip),
        cmocka_unit_test(sinks_failure_ends_it), cmocka_unit_test(what_is_no_message),
        cmocka_unit_test(ranges),                cmocka_unit_test(altered_ranges),
        cmocka_unit_test(lent_pieces),
    };

    return cmocka_run_group_tests_name("io/seal", tests, set_up, tear_down);
}
