/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: requests and responses have the bytes of AWS's own library (serde's external tags), survive a round trip,
 * and nothing else parses.
 */
#include "testing.h"

#include "format/nsm.h"

static void same(struct cof_buf *out, const char *hex)
{
    struct cof_buf text;

    cof_buf_init(&text, 65536);
    cof_hex_add(&text, cof_buf_view(out));
    assert_string_equal(cof_buf_cstr(&text), hex);
    cof_buf_done(&text);
}

static void requests(void **state)
{
    static const struct {
        struct cof_nsm_request req;
        const char *hex;
    } cases[] = {
        {{.op = COF_NSM_DESCRIBE_NSM}, "6b44657363726962654e534d"},
        {{.op = COF_NSM_GET_RANDOM}, "6947657452616e646f6d"},
        {{.op = COF_NSM_DESCRIBE_PCR, .index = 16}, "a16b4465736372696265504352a165696e64657810"},
        {{.op = COF_NSM_LOCK_PCR, .index = 31}, "a1674c6f636b504352a165696e646578181f"},
        {{.op = COF_NSM_LOCK_PCRS, .index = 17}, "a1684c6f636b50435273a16572616e676511"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_nsm_request back;
        struct cof_buf out;

        cof_buf_init(&out, COF_NSM_REQUEST_MAX);
        cof_nsm_add_request(&out, &cases[i].req);
        same(&out, cases[i].hex);
        assert_ok(cof_nsm_parse_request(cof_buf_view(&out), &back));
        assert_int_equal(back.op, cases[i].req.op);
        assert_int_equal(back.index, cases[i].req.index);
        for (size_t cut = 0; cut < out.len; cut++)
            assert_int_not_equal(cof_nsm_parse_request(cof_view_sub(cof_buf_view(&out), 0, cut), &back), COF_OK);
        cof_buf_add_u8(&out, 0);
        assert_int_not_equal(cof_nsm_parse_request(cof_buf_view(&out), &back), COF_OK);
        cof_buf_done(&out);
    }
}

static void extend_and_attestation_requests(void **state)
{
    struct cof_nsm_request req = {.op = COF_NSM_EXTEND_PCR, .index = 16, .data = COF_LIT("ab")}, back;
    struct cof_buf out;

    cof_buf_init(&out, COF_NSM_REQUEST_MAX);
    cof_nsm_add_request(&out, &req);
    same(&out, "a169457874656e64504352a265696e64657810646461746142" "6162");
    assert_ok(cof_nsm_parse_request(cof_buf_view(&out), &back));
    assert_true(cof_view_eq_str(back.data, "ab"));
    cof_buf_reset(&out);
    req = (struct cof_nsm_request){.op = COF_NSM_ATTESTATION, .nonce = {COF_LIT("n"), true}};
    cof_nsm_add_request(&out, &req);
    same(&out, "a16b4174746573746174696f6ea369757365725f64617461f6656e6f6e6365416e6a7075626c69635f6b6579f6");
    assert_ok(cof_nsm_parse_request(cof_buf_view(&out), &back));
    assert_true(back.nonce.present && !back.user_data.present && !back.public_key.present);
    cof_buf_done(&out);
}

static void responses(void **state)
{
    static uint8_t data[48];
    static const struct cof_nsm_response cases[] = {
        {.op = COF_NSM_DESCRIBE_NSM, .version_major = 1, .version_minor = 2, .version_patch = 3, .max_pcrs = 32,
            .locked_pcrs = 0x8001ffff, .module_id = {(const uint8_t *)"i-x", 3},
            .digest = {(const uint8_t *)"SHA384", 6}},
        {.op = COF_NSM_GET_RANDOM, .data = {data, 48}},
        {.op = COF_NSM_DESCRIBE_PCR, .data = {data, 48}, .lock = true},
        {.op = COF_NSM_EXTEND_PCR, .data = {data, 48}},
        {.op = COF_NSM_LOCK_PCR},
        {.op = COF_NSM_LOCK_PCRS},
        {.op = COF_NSM_ATTESTATION, .data = {data, 40}},
        {.op = COF_NSM_ERROR, .error = COF_NSM_INTERNAL_ERROR},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_nsm_response back;
        struct cof_buf out;

        cof_buf_init(&out, COF_NSM_RESPONSE_MAX);
        cof_nsm_add_response(&out, &cases[i]);
        assert_ok(cof_nsm_parse_response(cof_buf_view(&out), &back));
        assert_int_equal(back.op, cases[i].op);
        assert_int_equal(back.error, cases[i].error);
        assert_int_equal(back.lock, cases[i].lock);
        assert_int_equal(back.version_patch, cases[i].version_patch);
        assert_int_equal(back.locked_pcrs, cases[i].locked_pcrs);
        assert_true(cof_view_eq(back.data, cases[i].data));
        assert_true(cof_view_eq(back.module_id, cases[i].module_id));
        for (size_t cut = 0; cut < out.len; cut++)
            assert_int_not_equal(cof_nsm_parse_response(cof_view_sub(cof_buf_view(&out), 0, cut), &back), COF_OK);
        cof_buf_done(&out);
    }
}

static void nothing_else_parses(void **state)
{
    static const char *const bad[] = {
        "674c6f636b504352",                       /* "LockPCR" without its index */
        "a16947657452616e646f6da0",               /* {"GetRandom": {}} */
        "a16b4465736372696265504352a0",           /* no index */
        "a16b4465736372696265504352a165696e6465781a00010000", /* index over 16 bits */
        "a26b4465736372696265504352a165696e646578106947657452616e646f6df6", /* two operations */
        "a1654572726f726c496e76616c6964496e646578", /* a response as a request */
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cof_nsm_request req;
        struct cof_buf in;

        cof_buf_init(&in, 4096);
        assert_ok(cof_hex_decode(cof_view_str(bad[i]), &in));
        assert_int_not_equal(cof_nsm_parse_request(cof_buf_view(&in), &req), COF_OK);
        cof_buf_done(&in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(extend_and_attestation_requests),
        cmocka_unit_test(responses),
        cmocka_unit_test(nothing_else_parses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
