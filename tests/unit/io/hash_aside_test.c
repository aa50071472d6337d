/* SPDX-License-Identifier: Apache-2.0
 * Digests made beside: the same as those made at once, whatever the pieces' sizes; several at a time, which take turns in the ring; more
 * than the ring holds; one that is let go of while its bytes wait.
 */
#include "io/hash_aside.h"
#include "testing.h"

#define MANY ((size_t)3 << 20)

static uint8_t *bytes_of(size_t len)
{
    uint8_t *bytes = malloc(len);

    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 253);
    return bytes;
}

static void assert_digest(struct cof_aside_digest *digest, struct cof_view of)
{
    uint8_t got[16], wanted[16];

    assert_ok(cof_hash_once(COF_MD5, of, wanted));
    assert_ok(cof_aside_digest_final(digest, got));
    assert_memory_equal(got, wanted, 16);
}

static void is_the_digest_of_all_pieces(void **state)
{
    static const size_t steps[] = {1, 4095, 65535, 65536, 65537, 300000, MANY};
    uint8_t *bytes = bytes_of(MANY);
    struct cof_hash_aside *aside;

    (void)state;
    assert_ok(cof_hash_aside_new(&aside));
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        size_t len = steps[i] == 1 ? 5000 : MANY;
        struct cof_aside_digest *digest;

        assert_ok(cof_aside_digest_new(aside, COF_MD5, &digest));
        for (size_t at = 0; at < len; at += steps[i])
            assert_ok(cof_aside_digest_update(digest, cof_view_of(bytes + at, len - at < steps[i] ? len - at : steps[i])));
        assert_digest(digest, cof_view_of(bytes, len));
        cof_aside_digest_free(digest);
    }
    cof_hash_aside_free(aside);
    free(bytes);
}

static void several_take_turns(void **state)
{
    uint8_t *bytes = bytes_of(MANY);
    struct cof_aside_digest *digests[5];
    struct cof_hash_aside *aside;

    (void)state;
    assert_ok(cof_hash_aside_new(&aside));
    for (size_t i = 0; i < 5; i++)
        assert_ok(cof_aside_digest_new(aside, COF_MD5, &digests[i]));
    for (size_t at = 0; at < MANY; at += 65536)
        for (size_t i = 0; i < 5; i++)
            assert_ok(cof_aside_digest_update(digests[i], cof_view_of(bytes + at, 65536 - i)));
    cof_aside_digest_free(digests[1]); /* never asked */
    assert_digest(digests[0], cof_view_of(bytes, MANY));
    for (size_t i = 2; i < 5; i++) {
        struct cof_hash *hash;
        uint8_t got[16], wanted[16];

        assert_ok(cof_hash_new(COF_MD5, &hash));
        for (size_t at = 0; at < MANY; at += 65536)
            assert_ok(cof_hash_update(hash, cof_view_of(bytes + at, 65536 - i)));
        assert_ok(cof_hash_final(hash, wanted));
        assert_ok(cof_aside_digest_final(digests[i], got));
        assert_memory_equal(got, wanted, 16);
        cof_hash_free(hash);
    }
    for (size_t i = 0; i < 5; i++)
        if (i != 1)
            cof_aside_digest_free(digests[i]);
    cof_hash_aside_free(aside);
    free(bytes);
}

static void nothing_is_the_empty_digest(void **state)
{
    struct cof_aside_digest *digest;
    struct cof_hash_aside *aside;

    (void)state;
    assert_ok(cof_hash_aside_new(&aside));
    assert_ok(cof_aside_digest_new(aside, COF_MD5, &digest));
    assert_ok(cof_aside_digest_update(digest, COF_LIT("")));
    assert_digest(digest, COF_LIT(""));
    cof_aside_digest_free(digest);
    cof_aside_digest_free(NULL);
    cof_hash_aside_free(aside);
    assert_ok(cof_hash_aside_new(&aside)); /* and one that never began */
    cof_hash_aside_free(aside);
    cof_hash_aside_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_digest_of_all_pieces),
        cmocka_unit_test(several_take_turns),
        cmocka_unit_test(nothing_is_the_empty_digest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
