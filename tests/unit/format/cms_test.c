/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: the parser takes the one shape with any cut of its ciphertext, and refuses other parameters, sizes, counts
 * and anything left over.
 */
#include "testing.h"

#include "format/cms.h"

static uint8_t key_id[32], encrypted_key[512], iv[16], cipher[4352];

static struct cof_cms_enveloped good(void)
{
    struct cof_cms_enveloped cms = {.key_id = cof_view_of(key_id, 32), .encrypted_key = cof_view_of(encrypted_key, 256),
        .iv = cof_view_of(iv, 16), .n_chunks = 1};

    cms.chunks[0] = cof_view_of(cipher, 48);
    return cms;
}

static enum cof_err parse(const struct cof_cms_enveloped *cms)
{
    struct cof_cms_enveloped out;
    struct cof_buf ber;
    enum cof_err err;

    cof_buf_init(&ber, 65536);
    cof_cms_add_enveloped(&ber, cms);
    assert_ok(cof_buf_err(&ber));
    err = cof_cms_enveloped_parse(cof_buf_view(&ber), &out, NULL);
    if (err != COF_OK)
        assert_int_equal(out.n_chunks, 0);
    cof_buf_done(&ber);
    return err;
}

static void sizes_hold(void **state)
{
    struct cof_cms_enveloped cms = good();

    assert_ok(parse(&cms));
    cms.key_id.len = 20;
    assert_int_equal(parse(&cms), COF_E_FORMAT);
    cms = good();
    cms.iv.len = 12;
    assert_int_equal(parse(&cms), COF_E_FORMAT);
    cms = good();
    cms.encrypted_key.len = 255;
    assert_int_equal(parse(&cms), COF_E_FORMAT);
    cms.encrypted_key.len = 512;
    assert_ok(parse(&cms));
    cms = good();
    for (size_t len = 0; len <= 64; len++) {
        cms.chunks[0].len = len;
        assert_int_equal(parse(&cms), len > 0 && len % 16 == 0 ? COF_OK : COF_E_FORMAT);
    }
    cms.chunks[0].len = 4352;
    assert_ok(parse(&cms));
    cms.n_chunks = 2;
    cms.chunks[1] = cof_view_of(cipher, 16);
    assert_int_equal(parse(&cms), COF_E_LIMIT);
    cms.n_chunks = 0;
    assert_int_equal(parse(&cms), COF_E_FORMAT);
    cms = good();
    cms.n_chunks = COF_CMS_CHUNKS_MAX;
    for (size_t i = 0; i < COF_CMS_CHUNKS_MAX; i++)
        cms.chunks[i] = cof_view_of(cipher, 3);
    assert_ok(parse(&cms));
}

/* Every bit outside the free bytes (key id, encrypted key, IV, ciphertext) is structure, and structure is fixed. */
static void structure_is_fixed(void **state)
{
    struct cof_cms_enveloped cms, out;
    struct cof_buf ber;
    size_t n_fixed = 0;

    memset(key_id, 0xd1, sizeof key_id);
    memset(encrypted_key, 0xd2, sizeof encrypted_key);
    memset(iv, 0xd3, sizeof iv);
    memset(cipher, 0xd4, sizeof cipher);
    cms = good();
    cof_buf_init(&ber, 65536);
    cof_cms_add_enveloped(&ber, &cms);
    for (size_t bit = 0; bit < 8 * ber.len; bit++) {
        size_t i = bit / 8;
        uint8_t was = ber.data[i];
        bool free_byte = was >= 0xd1 && was <= 0xd4;

        if (free_byte)
            continue;
        n_fixed++;
        ber.data[i] ^= (uint8_t)(1u << bit % 8);
        if (cof_cms_enveloped_parse(cof_buf_view(&ber), &out, NULL) == COF_OK)
            fail_msg("byte %zu (%02x), bit %zu", i, was, bit % 8);
        ber.data[i] = was;
    }
    assert_true(n_fixed > 900);
    cof_buf_add_u8(&ber, 0);
    assert_int_equal(cof_cms_enveloped_parse(cof_buf_view(&ber), &out, NULL), COF_E_FORMAT);
    cof_buf_done(&ber);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_hold),
        cmocka_unit_test(structure_is_fixed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
