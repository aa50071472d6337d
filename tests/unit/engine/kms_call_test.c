/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: KMS's answers are read for what was asked, and a data key that came in one is nowhere in memory afterwards.
 */
#include "engine/kms_call.h"
#include "testing.h"

#include <jansson.h>

#define KEY "arn:aws:kms:us-east-1:111122223333:key/0c0ffee0-0000-4000-8000-000000000001"
#define SECRET "c2l4dGVlbiBieXRlcy4uc2l4dGVlbiBieXRlcy4u" /* base64 of 30 bytes */

static size_t n_found; /* blocks that were given back with the secret in them */

/* A block tells its size, so that all of it can be looked through before it goes. */
static void *take(size_t size)
{
    size_t *block = malloc(size + 2 * sizeof *block);

    if (block == NULL)
        return NULL;
    block[0] = size;
    return block + 2;
}

static void give(void *p)
{
    size_t *block = p;

    if (block == NULL)
        return;
    block -= 2;
    n_found += memmem(p, block[0], SECRET, strlen(SECRET)) != NULL;
    free(block);
}

static void the_data_key_is_wiped(void **state)
{
    static const char answer[] = "{\"CiphertextBlob\":\"AQID\",\"Plaintext\":\"" SECRET "\",\"KeyId\":\"" KEY "\",\"KeyMaterialId\":\"m\"}";
    struct cof_kms_reply reply;

    json_set_alloc_funcs(take, give);
    n_found = 0;
    assert_ok(cof_kms_parse_reply(cof_view_str(answer), COF_LIT(KEY), false, true, true, &reply, NULL));
    assert_true(cof_view_eq_str(cof_buf_view(&reply.plaintext), "sixteen bytes..sixteen bytes.."));
    assert_int_equal(n_found, 0);
    cof_kms_reply_done(&reply);
    assert_int_equal(cof_kms_parse_reply(cof_view_str(answer), COF_LIT(KEY "x"), false, true, true, &reply, NULL), COF_E_AUTH);
    assert_int_equal(cof_kms_parse_reply(cof_view_str(answer), COF_LIT(KEY), true, true, true, &reply, NULL), COF_E_AUTH);
    assert_int_equal(n_found, 0);
    json_set_alloc_funcs(malloc, free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_data_key_is_wiped)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
