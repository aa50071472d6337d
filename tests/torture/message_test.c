/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealing and opening with each allocation failing in turn, alone and with all that follow: an error each time, never a crash, a
 * leak (the sanitizer build) or a result that is not whole. And every message cut at every byte, with bits flipped, and fed one
 * byte at a time.
 */
#include "testing.h"

#include "failing.h"

#include "engine/cmm_cache.h"
#include "engine/keyring_raw.h"
#include "io/open.h"
#include "io/seal.h"

#define FRAME 64u
#define LENGTH 200u /* three regular frames and a final one */

static uint8_t plain[LENGTH];
static const struct cof_secret wrapping_key = {.bytes = {5}, .len = 32};
static struct cof_raw_aes aes = {{(const uint8_t *)"ns", 2}, {(const uint8_t *)"aes", 3}, &wrapping_key};
static struct cof_raw_rsa rsa = {{(const uint8_t *)"ns", 2}, {(const uint8_t *)"rsa", 3}, NULL, COF_RSA_OAEP_SHA256};
static struct cof_keyring children[2];
static struct cof_keyring_multi multi = {children, 2};
static struct cof_keyring keyring;
static struct cof_cmm cmm;
static const struct cof_esdk_pair context[] = {{{(const uint8_t *)"a", 1}, {(const uint8_t *)"b", 1}},
                                               {{(const uint8_t *)"camera", 6}, {(const uint8_t *)"7", 1}}};

static enum cof_err count_up(void *ctx, uint8_t *out, size_t len)
{
    static atomic_uint next;

    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(atomic_fetch_add(&next, 1) * 2654435761u >> 24);
    return COF_OK;
}
static const struct cof_rng rng = {count_up, NULL};

/* What a scenario works on, in memory that cannot run out. */
static uint8_t message_bytes[8192], opened_bytes[8192];
struct fixed {
    uint8_t *to;
    size_t len;
};
static struct fixed message = {message_bytes, 0}, opened = {opened_bytes, 0};

static enum cof_err to_fixed(void *ctx, struct cof_view bytes)
{
    struct fixed *f = ctx;

    if (bytes.len > sizeof message_bytes - f->len)
        return COF_E_TOO_LARGE;
    (void)memcpy(f->to + f->len, bytes.data, bytes.len);
    f->len += bytes.len;
    return COF_OK;
}

static enum cof_err seal_with(const struct cof_cmm *manager, uint16_t suite)
{
    struct cof_esdk_materials m = {.suite = suite, .frame_length = FRAME, .pairs = context, .n_pairs = 2, .length_known = true,
                                   .plain_length = LENGTH, .policy = suite < 0x0400 ? COF_FORBID_ENCRYPT_ALLOW_DECRYPT : 0};
    struct cof_esdk_encrypt *e = NULL;
    struct cof_buf out;
    enum cof_err err = cof_esdk_encrypt_with(manager, &m, &rng, NULL, &e);

    cof_buf_init(&out, sizeof message_bytes);
    message.len = 0;
    if (err == COF_OK)
        err = cof_esdk_encrypt_push(e, cof_view_of(plain, LENGTH), &out);
    if (err == COF_OK)
        err = cof_esdk_encrypt_finish(e, &out);
    if (err == COF_OK)
        err = to_fixed(&message, cof_buf_view(&out));
    cof_esdk_encrypt_free(e);
    cof_buf_done(&out);
    return err;
}

static enum cof_err open_with(const struct cof_cmm *manager, struct cof_view in, size_t piece, bool early)
{
    const struct cof_esdk_decrypt_options how = {.policy = COF_FORBID_ENCRYPT_ALLOW_DECRYPT, .known_pairs = context, .n_known = 1};
    struct cof_esdk_decrypt *d = NULL;
    struct cof_buf out;
    enum cof_err err = cof_esdk_decrypt_new(&how, &d);

    opened.len = 0;
    cof_buf_init_secret(&out, 1 << 20);
    while (err == COF_OK && in.len > 0) {
        struct cof_view part = cof_view_sub(in, 0, piece);

        in = cof_view_sub(in, part.len, SIZE_MAX);
        while (err == COF_OK && part.len > 0) {
            err = early ? cof_esdk_decrypt_push_before_signature(d, &part, &out) : cof_esdk_decrypt_push(d, &part, &out);
            if (err == COF_OK && cof_esdk_decrypt_wants_key(d))
                err = cof_esdk_decrypt_with(manager, d, NULL);
        }
        (void)to_fixed(&opened, cof_buf_view(&out));
        cof_buf_reset(&out);
    }
    if (err == COF_OK)
        err = cof_esdk_decrypt_finish(d);
    cof_esdk_decrypt_free(d);
    cof_buf_done(&out);
    return err;
}

static bool opened_right(void)
{
    return opened.len == LENGTH && memcmp(opened.to, plain, LENGTH) == 0;
}

/* Scenarios: COF_OK means that everything is there. */
static uint16_t suite_now;

static enum cof_err do_seal(void)
{
    return seal_with(&cmm, suite_now);
}

static enum cof_err do_open(void)
{
    return open_with(&cmm, cof_view_of(message.to, message.len), SIZE_MAX, false);
}

static enum cof_err do_open_bytewise(void)
{
    return open_with(&cmm, cof_view_of(message.to, message.len), 1, true);
}

static enum cof_err give_key(void *ctx, struct cof_esdk_decrypt *d)
{
    return cof_esdk_decrypt_with(&cmm, d, NULL);
}

static enum cof_err do_parallel_seal(void)
{
    struct cof_esdk_materials m = {.suite = suite_now, .frame_length = FRAME, .pairs = context, .n_pairs = 2};
    struct cof_seal_options how = {.threads = 2, .sink = to_fixed, .ctx = &message};
    struct cof_esdk_encrypt *e = NULL;
    struct cof_seal *s = NULL;
    enum cof_err err = cof_esdk_encrypt_with(&cmm, &m, &rng, NULL, &e);

    message.len = 0;
    if (err == COF_OK)
        err = cof_seal_new(e, &how, &s);
    if (err == COF_OK)
        err = cof_seal_push(s, cof_view_of(plain, LENGTH));
    if (err == COF_OK)
        err = cof_seal_finish(s);
    cof_seal_free(s);
    cof_esdk_encrypt_free(e);
    return err;
}

static enum cof_err do_parallel_open(void)
{
    struct cof_open_options how = {.threads = 2, .hold_signed = true, .give_key = give_key, .sink = to_fixed, .ctx = &opened};
    struct cof_esdk_decrypt *d = NULL;
    struct cof_open *o = NULL;
    enum cof_err err = cof_esdk_decrypt_new(NULL, &d);

    opened.len = 0;
    if (err == COF_OK)
        err = cof_open_new(d, &how, &o);
    if (err == COF_OK)
        err = cof_open_push(o, cof_view_of(message.to, message.len));
    if (err == COF_OK)
        err = cof_open_finish(o);
    cof_open_free(o);
    cof_esdk_decrypt_free(d);
    return err;
}

static int64_t clock_ms(void)
{
    return 0;
}

static enum cof_err do_cached(void)
{
    struct cof_cmm_cache_options options = {.max_age_ms = 1, .capacity = 4, .now_ms = clock_ms};
    struct cof_cmm_cache *cache = NULL;
    struct cof_cmm manager;
    enum cof_err err = cof_cmm_cache_new(&cmm, &options, &rng, &cache);

    if (err == COF_OK) {
        manager = cof_cmm_of_cache(cache);
        for (int i = 0; err == COF_OK && i < 2; i++)
            err = seal_with(&manager, suite_now);
        for (int i = 0; err == COF_OK && i < 2; i++)
            err = open_with(&manager, cof_view_of(message.to, message.len), SIZE_MAX, false);
    }
    cof_cmm_cache_free(cache);
    return err;
}

static void torture(enum cof_err (*scenario)(void), bool opens)
{
    assert_ok(scenario()); /* warm: what libraries make once is made */
    for (int ever_after = 0; ever_after < 2; ever_after++) {
        long n_all, refused = 0;

        failing_begin(0, false);
        assert_ok(scenario());
        n_all = failing_end();
        assert_true(n_all > 3);
        for (long n = 1; n <= n_all; n++) {
            enum cof_err err;

            failing_begin(n, ever_after != 0);
            err = scenario();
            (void)failing_end();
            refused += err != COF_OK;
            if (err == COF_OK && opens)
                assert_true(opened_right());
            else if (opens && suite_now == 0x0578 && scenario != do_open_bytewise)
                assert_int_equal(opened.len, 0); /* signed: nothing before the signature */
            if (err == COF_OK && !opens)
                assert_ok(do_open());
        }
        assert_true(refused * 2 > n_all); /* some a library does without */
        assert_ok(scenario());
    }
}

static const uint16_t suites[] = {0x0014, 0x0046, 0x0078, 0x0114, 0x0146, 0x0178, 0x0214, 0x0346, 0x0378, 0x0478, 0x0578};

static void each_allocation_of_sealing(void **state)
{
    for (size_t i = 0; i < 11; i++) {
        suite_now = suites[i];
        torture(do_seal, false);
    }
}

static void each_allocation_of_opening(void **state)
{
    for (size_t i = 0; i < 11; i++) {
        suite_now = suites[i];
        assert_ok(do_seal());
        torture(do_open, true);
        torture(do_open_bytewise, true);
    }
}

static void each_allocation_of_threads(void **state)
{
    for (size_t i = 9; i < 11; i++) {
        suite_now = suites[i];
        torture(do_parallel_seal, false);
        assert_ok(do_parallel_seal());
        torture(do_parallel_open, true);
    }
}

static void each_allocation_of_the_cache(void **state)
{
    suite_now = 0x0478;
    torture(do_cached, true);
}

static void every_cut(void **state)
{
    for (size_t i = 0; i < 11; i++) {
        bool is_signed = cof_suite_find(suites[i])->is_signed;

        assert_ok(seal_with(&cmm, suites[i]));
        assert_ok(open_with(&cmm, cof_view_of(message.to, message.len), 1, false));
        assert_true(opened_right());
        for (size_t len = 0; len < message.len; len++) {
            assert_int_equal(open_with(&cmm, cof_view_of(message.to, len), SIZE_MAX, false), COF_E_TRUNCATED);
            assert_true(opened.len % FRAME == 0 || opened.len == LENGTH);
            assert_true(!is_signed || opened.len == 0);
        }
    }
}

static void every_byte_flipped(void **state)
{
    for (size_t i = 0; i < 11; i++) {
        bool is_signed = cof_suite_find(suites[i])->is_signed;

        assert_ok(seal_with(&cmm, suites[i]));
        for (size_t at = 0; at < message.len; at += is_signed ? 3 : 1) { /* a signature takes a millisecond */
            message.to[at] ^= (uint8_t)(1u << at % 8);
            assert_int_not_equal(open_with(&cmm, cof_view_of(message.to, message.len), SIZE_MAX, false), COF_OK);
            assert_memory_equal(opened.to, plain, opened.len < LENGTH ? opened.len : LENGTH); /* nothing false was given out */
            assert_true(!is_signed || opened.len == 0);
            message.to[at] ^= (uint8_t)(1u << at % 8);
        }
    }
}

static int set_up(void **state)
{
    struct cof_rsa_key *key;

    for (size_t i = 0; i < LENGTH; i++)
        plain[i] = (uint8_t)(i * 7);
    if (!failing_init() || cof_rsa_generate(2048, &key) != COF_OK)
        return -1;
    rsa.key = key;
    *state = key;
    children[0] = cof_keyring_of_raw_aes(&aes);
    children[1] = cof_keyring_of_raw_rsa(&rsa);
    keyring = cof_keyring_of_multi(&multi);
    cmm = cof_cmm_of_keyring(&keyring);
    return 0;
}

static int tear_down(void **state)
{
    cof_rsa_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_of_sealing), cmocka_unit_test(each_allocation_of_opening),
        cmocka_unit_test(each_allocation_of_threads), cmocka_unit_test(each_allocation_of_the_cache),
        cmocka_unit_test(every_cut),                  cmocka_unit_test(every_byte_flipped),
    };

    return cmocka_run_group_tests_name("torture/message", tests, set_up, tear_down);
}
