/* SPDX-License-Identifier: Apache-2.0
 *
 * The caching materials manager: its identifiers are those of the AWS Encryption SDKs, its limits hold to the message, the byte
 * and the millisecond, and threads share one data key.
 */
#include "testing.h"

#include "engine/cmm_cache.h"

#include <pthread.h>
#include <stdatomic.h>

/* Identifiers: the vectors of aws-encryption-sdk-javascript (Apache-2.0), modules/cache-material/test/fixtures.ts, which the
 * Python and C SDKs test too. */
#define PARTITION "c15b9079-6d0e-42b6-8784-5e804b025692"

static const struct cof_esdk_pair full_context[] = {{{(const uint8_t *)"a", 1}, {(const uint8_t *)"non-empty", 9}},
                                                    {{(const uint8_t *)"encryption", 10}, {(const uint8_t *)"context", 7}},
                                                    {{(const uint8_t *)"this", 4}, {(const uint8_t *)"is", 2}}};
#define EDK1 {COF_LIT("this is a provider ID"), COF_LIT("this is some key info"), COF_LIT("super secret key, now with encryption!")}
#define EDK2                                                                                                                   \
    {COF_LIT("another provider ID!"), COF_LIT("this is some different key info"), COF_LIT("better super secret key, now with encryption!")}

static void expect_id(const uint8_t *id, const char *base64)
{
    struct cof_buf text;

    cof_buf_init(&text, 200);
    cof_base64_add(&text, cof_view_of(id, COF_CMM_CACHE_ID));
    assert_string_equal(cof_buf_cstr(&text), base64);
    cof_buf_done(&text);
}

static void identifiers(void **state)
{
    const struct cof_suite *signed_v1 = cof_suite_find(0x0378), *small = cof_suite_find(0x0114);
    const struct cof_esdk_edk both[] = {EDK1, EDK2}, turned[] = {EDK2, EDK1};
    uint8_t partition[COF_CMM_CACHE_ID], id[COF_CMM_CACHE_ID];
    struct cof_cmm_decrypt request = {.suite = small, .edks = both, .n_edks = 1};

    assert_ok(cof_hash_once(COF_SHA512, COF_LIT(PARTITION), partition));
    assert_ok(cof_cmm_cache_encrypt_id(partition, NULL, NULL, 0, id));
    expect_id(id, "rkrFAso1YyPbOJbmwVMjrPw+wwLJT7xusn8tA8zMe9e3+OqbtfDueB7bvoKLU3fsmdUvZ6eMt7mBp1ThMMB25Q==");
    assert_ok(cof_cmm_cache_encrypt_id(partition, signed_v1, NULL, 0, id));
    expect_id(id, "3icBIkLK4V3fVwbm3zSxUdUQV6ZvZYUOLl8buN36g6gDMqAkghcGryxX7QiVABkW1JhB6GRp5z+bzbiuciBcKQ==");
    assert_ok(cof_cmm_cache_encrypt_id(partition, NULL, full_context, 3, id));
    expect_id(id, "IHiUHYOUVUEFTc3BcZPJDlsWct2Qy1A7JdfQl9sQoV/ILIbRpoz9q7RtGd/MlibaGl5ihE66cN8ygM8A5rtYbg==");
    assert_ok(cof_cmm_cache_encrypt_id(partition, signed_v1, full_context, 3, id));
    expect_id(id, "mRNK7qhTb/kJiiyGPgAevp0gwFRcET4KeeNYwZHhoEDvSUzQiDgl8Of+YRDaVzKxAqpNBgcAuFXde9JlaRRsmw==");
    assert_ok(cof_cmm_cache_decrypt_id(partition, &request, id));
    expect_id(id, "n0zVzk9QIVxhz6ET+aJIKKOJNxtpGtSe1yAbu7WU5l272Iw/jmhlER4psDHJs9Mr8KYiIvLGSXzggNDCc23+9w==");
    request = (struct cof_cmm_decrypt){.suite = signed_v1, .edks = both, .n_edks = 2, .pairs = full_context, .n_pairs = 3};
    assert_ok(cof_cmm_cache_decrypt_id(partition, &request, id));
    expect_id(id, "+rtwUe38CGnczGmYu12iqGWHIyDyZ44EvYQ4S6ACmsgS8VaEpiw0RTGpDk6Z/7YYN/jVHOAcNKDyCNP8EmstFg==");
    request.edks = turned; /* their order in the message does not matter */
    assert_ok(cof_cmm_cache_decrypt_id(partition, &request, id));
    expect_id(id, "+rtwUe38CGnczGmYu12iqGWHIyDyZ44EvYQ4S6ACmsgS8VaEpiw0RTGpDk6Z/7YYN/jVHOAcNKDyCNP8EmstFg==");
}

/* A keyring that counts, and makes keys from its count. */
static atomic_int asked;
static enum cof_err keyring_says = COF_OK;

static enum cof_err wrap(void *ctx, const struct cof_keyring_wrap *r)
{
    uint8_t key[32] = {0};
    int n = atomic_fetch_add(&asked, 1) + 1;

    if (keyring_says != COF_OK)
        return keyring_says;
    (void)memcpy(key, &n, sizeof n);
    assert_ok(cof_secret_set(r->data_key, cof_view_of(key, r->key_len)));
    return cof_edk_list_add(r->edks, &(struct cof_esdk_edk){COF_LIT("test"), COF_LIT("key"), cof_view_of(key, r->key_len)});
}

/* The "ciphertext" is the key itself. */
static enum cof_err unwrap(void *ctx, const struct cof_keyring_unwrap *r)
{
    atomic_fetch_add(&asked, 1);
    return keyring_says == COF_OK ? cof_secret_set(r->data_key, r->edks[0].ciphertext) : keyring_says;
}

static struct cof_keyring keyring = {wrap, unwrap, NULL};
static _Atomic int64_t now;
static int64_t clock_ms(void)
{
    return now;
}
static enum cof_err count_up(void *ctx, uint8_t *out, size_t len)
{
    static atomic_uint next;

    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(atomic_fetch_add(&next, 1) * 2654435761u >> 24);
    return COF_OK;
}
static const struct cof_rng rng = {count_up, NULL};

static struct cof_cmm_cache *new_cache(struct cof_cmm_cache_options options)
{
    struct cof_cmm source = cof_cmm_of_keyring(&keyring);
    struct cof_cmm_cache *cache;

    options.now_ms = clock_ms;
    assert_ok(cof_cmm_cache_new(&source, &options, &rng, &cache));
    now = 1000;
    asked = 0;
    keyring_says = COF_OK;
    return cache;
}

/* Seals a message of len bytes and opens it again through the cache when asked; returns the keyring's count. */
static int seal(struct cof_cmm_cache *cache, uint16_t suite, const char *tenant, size_t len, bool length_known, bool open_too)
{
    static uint8_t plain[100000];
    struct cof_cmm cmm = cof_cmm_of_cache(cache);
    struct cof_esdk_pair pair = {COF_LIT("tenant"), cof_view_str(tenant)};
    struct cof_esdk_materials m = {.suite = suite, .pairs = &pair, .n_pairs = 1, .length_known = length_known, .plain_length = len,
                                   .policy = suite < 0x0400 ? COF_FORBID_ENCRYPT_ALLOW_DECRYPT : 0};
    struct cof_esdk_decrypt_options how = {.policy = COF_REQUIRE_ENCRYPT_ALLOW_DECRYPT};
    struct cof_esdk_encrypt *e = NULL;
    struct cof_esdk_decrypt *d = NULL;
    struct cof_buf out, back;
    struct cof_view in;

    cof_buf_init(&out, 1 << 20);
    cof_buf_init(&back, 1 << 20);
    assert_ok(cof_esdk_encrypt_with(&cmm, &m, &rng, NULL, &e));
    assert_ok(cof_esdk_encrypt_push(e, cof_view_of(plain, len), &out));
    assert_ok(cof_esdk_encrypt_finish(e, &out));
    cof_esdk_encrypt_free(e);
    in = cof_buf_view(&out);
    if (open_too) {
        assert_ok(cof_esdk_decrypt_new(&how, &d));
        assert_ok(cof_esdk_decrypt_push(d, &in, &back));
        assert_ok(cof_esdk_decrypt_with(&cmm, d, NULL));
        assert_ok(cof_esdk_decrypt_push(d, &in, &back));
        assert_ok(cof_esdk_decrypt_finish(d));
        assert_true(cof_view_eq(cof_buf_view(&back), cof_view_of(plain, len)));
    }
    cof_esdk_decrypt_free(d);
    cof_buf_done(&out);
    cof_buf_done(&back);
    return asked;
}

#define SEAL(cache, suite, tenant, len) seal(cache, suite, tenant, len, true, false)

static void one_call_serves_many(void **state)
{
    static const uint16_t suites[] = {0x0478, 0x0578, 0x0178, 0x0378, 0x0114};

    for (size_t s = 0; s < 5; s++) {
        struct cof_cmm_cache *cache = new_cache((struct cof_cmm_cache_options){.max_age_ms = 1000});

        for (int i = 0; i < 20; i++)
            assert_int_equal(seal(cache, suites[s], "t", (size_t)i * 50, true, true), 2); /* one to seal, one to open */
        assert_int_equal(SEAL(cache, suites[s], "other", 5), 3); /* another context is another key */
        assert_int_equal(cof_cmm_cache_stats(cache).entries, 3);
        assert_int_equal(cof_cmm_cache_stats(cache).misses, 3);
        assert_int_equal(cof_cmm_cache_stats(cache).hits, 38);
        cof_cmm_cache_free(cache);
    }
}

static void limits(void **state)
{
    struct cof_cmm_cache *cache = new_cache((struct cof_cmm_cache_options){.max_age_ms = 1000, .max_messages = 3});

    for (int i = 0; i < 9; i++)
        assert_int_equal(SEAL(cache, 0x0478, "t", 5), i / 3 + 1);
    cof_cmm_cache_free(cache);

    cache = new_cache((struct cof_cmm_cache_options){.max_age_ms = 1000, .max_bytes = 100});
    assert_int_equal(SEAL(cache, 0x0478, "t", 60), 1);
    assert_int_equal(SEAL(cache, 0x0478, "t", 40), 1); /* 100 */
    assert_int_equal(SEAL(cache, 0x0478, "t", 0), 1);
    assert_int_equal(SEAL(cache, 0x0478, "t", 1), 2);
    assert_int_equal(SEAL(cache, 0x0478, "t", 100), 3); /* 101 of the second */
    assert_int_equal(SEAL(cache, 0x0478, "big", 101), 4);
    assert_int_equal(SEAL(cache, 0x0478, "big", 1), 5); /* what alone is over the limit is not kept */
    cof_cmm_cache_free(cache);

    cache = new_cache((struct cof_cmm_cache_options){.max_age_ms = 1000});
    assert_int_equal(SEAL(cache, 0x0478, "t", 5), 1);
    now += 999;
    assert_int_equal(cof_cmm_cache_sweep(cache), 1);
    assert_int_equal(SEAL(cache, 0x0478, "t", 5), 1);
    now += 1; /* use does not make it younger */
    assert_int_equal(SEAL(cache, 0x0478, "t", 5), 2);
    now += 1000;
    assert_int_equal(cof_cmm_cache_stats(cache).entries, 1);
    assert_int_equal(cof_cmm_cache_sweep(cache), -1);
    assert_int_equal(cof_cmm_cache_stats(cache).entries, 0);
    cof_cmm_cache_free(cache);
}

/* spec: caching CMM; the one key would seal two messages itself, or the length cannot be counted. */
static void what_is_not_cached(void **state)
{
    static const uint16_t no_kdf[] = {0x0014, 0x0046, 0x0078};
    struct cof_cmm_cache *cache = new_cache((struct cof_cmm_cache_options){.max_age_ms = 1000});

    for (int i = 0; i < 3; i++)
        assert_int_equal(seal(cache, no_kdf[i], "t", 5, true, true), 2 * (i + 1));
    assert_int_equal(seal(cache, 0x0478, "t", 5, false, false), 7);
    assert_int_equal(seal(cache, 0x0478, "t", 5, false, false), 8);
    assert_int_equal(cof_cmm_cache_stats(cache).entries, 0);
    keyring_says = COF_E_RETRY; /* nor are failures */
    {
        struct cof_cmm cmm = cof_cmm_of_cache(cache);
        struct cof_esdk_materials m = {.suite = 0x0478, .length_known = true};
        struct cof_esdk_encrypt *e;

        assert_int_equal(cof_esdk_encrypt_with(&cmm, &m, &rng, NULL, &e), COF_E_RETRY);
        keyring_says = COF_OK;
        assert_ok(cof_esdk_encrypt_with(&cmm, &m, &rng, NULL, &e));
        cof_esdk_encrypt_free(e);
    }
    cof_cmm_cache_free(cache);
}

static void least_used_go_first(void **state)
{
    struct cof_cmm_cache *cache = new_cache((struct cof_cmm_cache_options){.max_age_ms = 1000, .capacity = 3});

    assert_int_equal(SEAL(cache, 0x0478, "a", 5), 1);
    assert_int_equal(SEAL(cache, 0x0478, "b", 5), 2);
    assert_int_equal(SEAL(cache, 0x0478, "c", 5), 3);
    assert_int_equal(SEAL(cache, 0x0478, "a", 5), 3);
    assert_int_equal(SEAL(cache, 0x0478, "d", 5), 4); /* takes b's place */
    assert_int_equal(SEAL(cache, 0x0478, "a", 5), 4);
    assert_int_equal(SEAL(cache, 0x0478, "c", 5), 4);
    assert_int_equal(SEAL(cache, 0x0478, "b", 5), 5);
    assert_int_equal(cof_cmm_cache_stats(cache).entries, 3);
    cof_cmm_cache_clear(cache);
    assert_int_equal(SEAL(cache, 0x0478, "a", 5), 6);
    cof_cmm_cache_free(cache);
}

/* Names come and go at random, time passes: the cache's three orders stay true (a walk that fails would not end). */
static void many_entries(void **state)
{
    struct cof_cmm_cache *cache = new_cache((struct cof_cmm_cache_options){.max_age_ms = 300, .capacity = 50, .max_messages = 5});
    uint32_t random = 1;

    for (int i = 0; i < 20000; i++) {
        char name[8];

        random = random * 1664525 + 1013904223;
        (void)snprintf(name, sizeof name, "%u", (unsigned)(random >> 16) % 90);
        now += (random >> 12) % 3;
        (void)SEAL(cache, 0x0478, name, 1);
        assert_true(cof_cmm_cache_stats(cache).entries <= 50);
    }
    assert_true(cof_cmm_cache_stats(cache).hits > 1000);
    cof_cmm_cache_free(cache);
}

static void *seal_some(void *ctx)
{
    for (int i = 0; i < 200; i++)
        (void)seal(ctx, i % 2 == 0 ? 0x0478 : 0x0178, "t", 10, true, true);
    return NULL;
}

static void threads_share(void **state)
{
    struct cof_cmm_cache *cache = new_cache((struct cof_cmm_cache_options){.max_age_ms = 1000});
    pthread_t threads[8];

    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, seal_some, cache), 0);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(asked, 4); /* two suites, sealing and opening: nobody asked twice */
    cof_cmm_cache_free(cache);
}

static void bad_options(void **state)
{
    struct cof_cmm source = cof_cmm_of_keyring(&keyring);
    const struct cof_cmm_cache_options bad[] = {
        {.max_age_ms = 0, .now_ms = clock_ms},
        {.max_age_ms = 1},
        {.max_age_ms = 1, .now_ms = clock_ms, .max_messages = ((uint64_t)1 << 32) + 1},
        {.max_age_ms = 1, .now_ms = clock_ms, .max_bytes = (uint64_t)1 << 63},
    };
    struct cof_cmm_cache *cache;

    for (size_t i = 0; i < 4; i++)
        assert_int_equal(cof_cmm_cache_new(&source, &bad[i], &rng, &cache), COF_E_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identifiers),        cmocka_unit_test(one_call_serves_many), cmocka_unit_test(limits),
        cmocka_unit_test(what_is_not_cached), cmocka_unit_test(least_used_go_first),  cmocka_unit_test(many_entries),
        cmocka_unit_test(threads_share),      cmocka_unit_test(bad_options),
    };

    return cmocka_run_group_tests_name("engine/cmm_cache", tests, NULL, NULL);
}
