/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: a chain as the hypervisor makes it verifies with its life, and each broken rule alone (length, authority,
 * usage, name, signature, order, trailing bytes) is refused with its reason.
 */
#include "testing.h"

#include <openssl/x509_vfy.h>

#include "crypto/x509.h"

#define NOW INT64_C(1790000000000)
#define N 4 /* leaf, two authorities, root */

struct chain {
    struct cof_ecdsa_key *keys[N];
    struct cof_x509_make specs[N];
    struct cof_buf certs[N];
};

static const char *const names[N] = {"leaf", "instance", "regional", "root"};

/* specs as they should be; a test then changes one thing. certs[N - 1] is the root. */
static void prepare(struct chain *c, struct cof_rng *rng)
{
    for (size_t i = 0; i < N; i++) {
        c->keys[i] = NULL;
        assert_ok(cof_ecdsa_generate(COF_P384, rng, &c->keys[i]));
        cof_buf_init(&c->certs[i], 2048);
    }
    for (size_t i = 0; i < N; i++) {
        size_t up = i + 1 < N ? i + 1 : i;

        c->specs[i] = (struct cof_x509_make){.subject = {names[i], "O", "OU"}, .issuer = {names[up], "O", "OU"},
            .subject_key = c->keys[i], .issuer_key = c->keys[up], .serial = COF_LIT("\x01"),
            .from_ms = NOW - (int64_t)i * 1000, .to_ms = NOW + (int64_t)(i + 1) * 3600000, .authority = i > 0,
            .path_len = i == 0 || i == N - 1 ? COF_X509_NO_PATH_LEN : (int)i - 1};
    }
}

static void finish(struct chain *c)
{
    for (size_t i = 0; i < N; i++) {
        cof_ecdsa_free(c->keys[i]);
        cof_buf_done(&c->certs[i]);
    }
}

static void make(struct chain *c)
{
    for (size_t i = 0; i < N; i++)
        if (c->certs[i].len == 0)
            assert_ok(cof_x509_make(&c->specs[i], &c->certs[i]));
}

static enum cof_err verify(struct chain *c, struct cof_x509_life *life, struct cof_diag *diag)
{
    struct cof_view path[2] = {cof_buf_view(&c->certs[1]), cof_buf_view(&c->certs[2])};
    struct cof_ecdsa_key *leaf = NULL;
    struct cof_buf a, b;
    enum cof_err err;

    *diag = (struct cof_diag){{0}, {0}};
    make(c);
    path[0] = cof_buf_view(&c->certs[1]);
    path[1] = cof_buf_view(&c->certs[2]);
    err = cof_x509_verify_chain(cof_buf_view(&c->certs[0]), path, 2, cof_buf_view(&c->certs[3]), &leaf, life, diag);
    assert_int_equal(err == COF_OK, leaf != NULL);
    if (leaf != NULL) {
        cof_buf_init(&a, 512);
        cof_buf_init(&b, 512);
        assert_ok(cof_ecdsa_spki(leaf, &a));
        assert_ok(cof_ecdsa_spki(c->keys[0], &b));
        assert_true(cof_view_eq(cof_buf_view(&a), cof_buf_view(&b)));
        cof_buf_done(&a);
        cof_buf_done(&b);
    }
    cof_ecdsa_free(leaf);
    return err;
}

static void a_right_chain_verifies(void **state)
{
    TEST_RNG(rng, 1);
    struct cof_x509_life life;
    struct cof_diag diag;
    struct chain c;

    prepare(&c, &rng);
    if (verify(&c, &life, &diag) != COF_OK)
        fail_msg("%s", diag.text);
    assert_int_equal(life.leaf_from_ms, NOW);
    assert_int_equal(life.leaf_to_ms, NOW + 3600000 + 999);
    assert_int_equal(life.chain_from_ms, NOW);
    assert_int_equal(life.chain_to_ms, NOW + 3600000 + 999);
    finish(&c);
}

/* The root is pinned, so nobody asks who signed it; an authority of the same name and another key signs nothing. */
static void the_root_is_the_anchor(void **state)
{
    TEST_RNG(rng, 1);
    struct cof_x509_life life;
    struct cof_diag diag;
    struct chain c;

    prepare(&c, &rng);
    c.specs[3].issuer_key = c.keys[2];
    assert_ok(verify(&c, &life, &diag));
    cof_buf_reset(&c.certs[3]);
    c.specs[3].subject_key = c.keys[0];
    assert_int_equal(verify(&c, &life, &diag), COF_E_AUTH);
    assert_non_null(strstr(diag.text, "wrong signature"));
    finish(&c);
}

#define REFUSED(word, change)                                    \
    do {                                                         \
        struct cof_x509_life life;                               \
        struct cof_diag diag;                                    \
        struct chain c;                                          \
        prepare(&c, &rng);                                       \
        change;                                                  \
        assert_int_equal(verify(&c, &life, &diag), COF_E_AUTH);  \
        if (strstr(diag.text, word) == NULL)                     \
            fail_msg("%s: %s", #change, diag.text);              \
        finish(&c);                                              \
    } while (0)

static void each_broken_rule_is_refused(void **state)
{
    TEST_RNG(rng, 2);

    REFUSED("pathLen", c.specs[2].path_len = 0);
    REFUSED("pathLen", c.specs[3].path_len = 1);
    REFUSED("no authority", c.specs[1].authority = false);
    REFUSED("not a leaf", c.specs[0].authority = true);
    REFUSED("another issuer", c.specs[0].issuer.common_name = "someone");
    REFUSED("another issuer", c.specs[1].subject.unit = "other");
    REFUSED("wrong signature", c.specs[0].issuer_key = c.keys[2]);
    REFUSED("wrong signature", make(&c); c.certs[1].data[c.certs[1].len - 1] ^= 1);
    REFUSED("followed by bytes", make(&c); cof_buf_add_u8(&c.certs[0], 0));
    REFUSED("no certificate", make(&c); cof_buf_truncate(&c.certs[2], 100));
    REFUSED("another issuer", make(&c); struct cof_buf t = c.certs[1]; c.certs[1] = c.certs[2]; c.certs[2] = t);
}

static void other_curves_are_refused(void **state)
{
    TEST_RNG(rng, 3);
    struct cof_ecdsa_key *p256 = NULL;

    assert_ok(cof_ecdsa_generate(COF_P256, &rng, &p256));
    REFUSED("no P-384 key", c.specs[0].subject_key = p256);
    cof_ecdsa_free(p256);
}

static void impossible_certificates_are_not_made(void **state)
{
    TEST_RNG(rng, 4);
    struct chain c;

    prepare(&c, &rng);
    c.specs[0].serial = COF_LIT("");
    assert_int_equal(cof_x509_make(&c.specs[0], &c.certs[0]), COF_E_USAGE);
    c.specs[1].to_ms = c.specs[1].from_ms - 1;
    assert_int_equal(cof_x509_make(&c.specs[1], &c.certs[1]), COF_E_USAGE);
    finish(&c);
}

static X509 *load(struct cof_view der)
{
    const unsigned char *p = der.data;
    X509 *x509 = d2i_X509(NULL, &p, (long)der.len);

    assert_non_null(x509);
    return x509;
}

/* A path builder that is not ours accepts what we make. */
static void another_implementation_verifies_it(void **state)
{
    TEST_RNG(rng, 5);
    struct cof_x509_life life;
    struct cof_diag diag;
    struct chain c;
    X509 *certs[N];
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *between = sk_X509_new_null();

    prepare(&c, &rng);
    assert_ok(verify(&c, &life, &diag));
    for (size_t i = 0; i < N; i++)
        certs[i] = load(cof_buf_view(&c.certs[i]));
    assert_int_equal(X509_STORE_add_cert(store, certs[3]), 1);
    assert_true(sk_X509_push(between, certs[2]) > 0 && sk_X509_push(between, certs[1]) > 0);
    assert_int_equal(X509_STORE_CTX_init(ctx, store, certs[0], between), 1);
    X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), NOW / 1000 + 1);
    assert_int_equal(X509_verify_cert(ctx), 1);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    sk_X509_free(between);
    for (size_t i = 0; i < N; i++)
        X509_free(certs[i]);
    finish(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_right_chain_verifies),
        cmocka_unit_test(each_broken_rule_is_refused),
        cmocka_unit_test(the_root_is_the_anchor),
        cmocka_unit_test(other_curves_are_refused),
        cmocka_unit_test(another_implementation_verifies_it),
        cmocka_unit_test(impossible_certificates_are_not_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
