/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ecdsa.h"

#include "base/secret.h"
#include "crypto/ossl.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_MAX 66                      /* bytes of a P-521 coordinate */
#define POINT_MAX (1 + 2 * FIELD_MAX)     /* uncompressed */
#define GENERATE_TRIES 64                 /* each fails with a chance under 2^-32 */

struct cof_ecdsa_key {
    EVP_PKEY *pkey;
    enum cof_curve curve;
    bool is_private;
};

static const struct {
    const char *group;
    int nid;
    size_t field;    /* bytes */
    uint8_t top_bits; /* mask of the first of them */
} curves[COF_CURVES] = {
    [COF_P256] = {SN_X9_62_prime256v1, NID_X9_62_prime256v1, 32, 0xff},
    [COF_P384] = {SN_secp384r1, NID_secp384r1, 48, 0xff},
    [COF_P521] = {SN_secp521r1, NID_secp521r1, 66, 0x01},
    [COF_SECP256K1] = {SN_secp256k1, NID_secp256k1, 32, 0xff},
};

/* Takes pkey over, also on failure. */
static enum cof_err adopt(EVP_PKEY *pkey, bool is_private, struct cof_ecdsa_key **out)
{
    enum cof_err err = COF_E_UNSUPPORTED;
    char group[32];
    size_t len, i = 0;
    int loose = 0;

    *out = NULL;
    if (pkey == NULL)
        return COF_E_FORMAT;
    if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_EC || EVP_PKEY_get_group_name(pkey, group, sizeof group, &len) != 1)
        goto out;
    /* a curve spelled out by its parameters, however well known they are (Wycheproof's ECDH 799, 801) */
    if (EVP_PKEY_get_int_param(pkey, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &loose) == 1 && loose != 0)
        goto out;
    while (i < sizeof curves / sizeof curves[0] && strcmp(group, curves[i].group) != 0)
        i++;
    if (i == sizeof curves / sizeof curves[0])
        goto out;
    err = COF_E_MEMORY;
    *out = calloc(1, sizeof **out);
    if (*out != NULL) {
        **out = (struct cof_ecdsa_key){.pkey = pkey, .curve = (enum cof_curve)i, .is_private = is_private};
        pkey = NULL; /* moved */
        err = COF_OK;
    }
out:
    EVP_PKEY_free(pkey);
    cof_ossl_quiet();
    return err;
}

enum cof_err cof_ecdsa_from_spki(struct cof_view der, struct cof_ecdsa_key **out)
{
    return adopt(cof_ossl_from_spki(der), false, out);
}

/* A PKCS#8 key may carry a public half that is not its own: check that they belong together. */
static enum cof_err adopt_private(EVP_PKEY *pkey, struct cof_ecdsa_key **out)
{
    enum cof_err err = adopt(pkey, true, out);
    EVP_PKEY_CTX *ctx;

    if (err != COF_OK)
        return err;
    ctx = cof_ossl_ctx((*out)->pkey);
    if (ctx == NULL)
        err = COF_E_MEMORY;
    else if (EVP_PKEY_pairwise_check(ctx) != 1)
        err = COF_E_FORMAT;
    EVP_PKEY_CTX_free(ctx);
    cof_ossl_quiet();
    if (err != COF_OK) {
        cof_ecdsa_free(*out);
        *out = NULL;
    }
    return err;
}

enum cof_err cof_ecdsa_from_pkcs8(struct cof_view der, struct cof_ecdsa_key **out)
{
    return adopt_private(cof_ossl_from_pkcs8(der), out);
}

enum cof_err cof_ecdsa_from_pem(struct cof_view pem, struct cof_ecdsa_key **out)
{
    bool is_private;
    EVP_PKEY *pkey = cof_ossl_from_pem(pem, &is_private);

    return is_private ? adopt_private(pkey, out) : adopt(pkey, false, out);
}

/* A key from its point and, when it is given, its scalar. */
static EVP_PKEY *from_numbers(enum cof_curve curve, const uint8_t *point, size_t point_len, const BIGNUM *scalar)
{
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;

    if (bld == NULL || ctx == NULL ||
        OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, curves[curve].group, 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, point_len) != 1)
        goto out;
    if (scalar != NULL && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, scalar) != 1)
        goto out;
    params = OSSL_PARAM_BLD_to_param(bld);
    if (params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, scalar == NULL ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR, params) != 1)
        pkey = NULL;
out:
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

enum cof_err cof_ecdsa_from_point(enum cof_curve curve, struct cof_view point, struct cof_ecdsa_key **out)
{
    uint8_t full[POINT_MAX];
    EC_GROUP *group = EC_GROUP_new_by_curve_name(curves[curve].nid);
    EC_POINT *p = group == NULL ? NULL : EC_POINT_new(group);
    size_t field = curves[curve].field, full_len = 0;
    EVP_PKEY *pkey = NULL;
    bool known_form;

    *out = NULL;
    known_form = (point.len == 1 + 2 * field && point.data[0] == POINT_CONVERSION_UNCOMPRESSED) ||
                 (point.len == 1 + field && (point.data[0] == 2 || point.data[0] == 3));
    /* EC_POINT_oct2point refuses what is not on the curve. */
    if (p != NULL && known_form && EC_POINT_oct2point(group, p, point.data, point.len, NULL) == 1 &&
        EC_POINT_is_at_infinity(group, p) == 0)
        full_len = EC_POINT_point2oct(group, p, POINT_CONVERSION_UNCOMPRESSED, full, sizeof full, NULL);
    if (full_len > 0)
        pkey = from_numbers(curve, full, full_len, NULL);
    EC_POINT_free(p);
    EC_GROUP_free(group);
    return adopt(pkey, false, out);
}

/* A scalar in 1..order-1 by drawing until one fits (FIPS 186-5 A.2.2). */
static enum cof_err draw_scalar(const EC_GROUP *group, enum cof_curve curve, const struct cof_rng *rng, BIGNUM *scalar)
{
    size_t field = curves[curve].field;
    uint8_t bytes[FIELD_MAX];
    enum cof_err err = COF_E_BUG;

    for (int i = 0; i < GENERATE_TRIES; i++) {
        err = cof_rng_fill(rng, bytes, field);
        if (err != COF_OK)
            break;
        bytes[0] &= curves[curve].top_bits;
        err = BN_bin2bn(bytes, (int)field, scalar) == NULL ? COF_E_MEMORY : COF_OK;
        if (err != COF_OK || (!BN_is_zero(scalar) && BN_cmp(scalar, EC_GROUP_get0_order(group)) < 0))
            break;
        err = COF_E_BUG; /* a source that never gives a usable number */
    }
    cof_wipe(bytes, sizeof bytes);
    return err;
}

enum cof_err cof_ecdsa_generate(enum cof_curve curve, const struct cof_rng *rng, struct cof_ecdsa_key **out)
{
    uint8_t point[POINT_MAX];
    EC_GROUP *group = EC_GROUP_new_by_curve_name(curves[curve].nid);
    EC_POINT *p = group == NULL ? NULL : EC_POINT_new(group);
    BIGNUM *scalar = BN_secure_new();
    EVP_PKEY *pkey = NULL;
    enum cof_err err = COF_E_MEMORY;
    size_t len;

    *out = NULL;
    if (p == NULL || scalar == NULL)
        goto out;
    err = draw_scalar(group, curve, rng, scalar);
    if (err != COF_OK)
        goto out;
    BN_set_flags(scalar, BN_FLG_CONSTTIME);
    err = COF_E_MEMORY;
    if (EC_POINT_mul(group, p, scalar, NULL, NULL, NULL) != 1)
        goto out;
    len = EC_POINT_point2oct(group, p, POINT_CONVERSION_UNCOMPRESSED, point, sizeof point, NULL);
    pkey = len == 0 ? NULL : from_numbers(curve, point, len, scalar);
    if (pkey != NULL)
        err = adopt(pkey, true, out);
out:
    BN_clear_free(scalar);
    EC_POINT_free(p);
    EC_GROUP_free(group);
    cof_ossl_quiet();
    return err;
}

void cof_ecdsa_free(struct cof_ecdsa_key *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->pkey);
    free(key);
}

enum cof_curve cof_ecdsa_curve(const struct cof_ecdsa_key *key)
{
    return key->curve;
}

bool cof_ecdsa_is_private(const struct cof_ecdsa_key *key)
{
    return key->is_private;
}

enum cof_err cof_ecdsa_spki(const struct cof_ecdsa_key *key, struct cof_buf *out)
{
    return cof_ossl_spki(key->pkey, out);
}

enum cof_err cof_ecdsa_spki_pem(const struct cof_ecdsa_key *key, struct cof_buf *out)
{
    return cof_ossl_spki_pem(key->pkey, out);
}

enum cof_err cof_ecdsa_pkcs8(const struct cof_ecdsa_key *key, struct cof_buf *out)
{
    return key->is_private ? cof_ossl_pkcs8(key->pkey, out) : COF_E_USAGE;
}

enum cof_err cof_ecdsa_pkcs8_pem(const struct cof_ecdsa_key *key, struct cof_buf *out)
{
    return key->is_private ? cof_ossl_pkcs8_pem(key->pkey, out) : COF_E_USAGE;
}

enum cof_err cof_ecdsa_point(const struct cof_ecdsa_key *key, bool compressed, struct cof_buf *out)
{
    uint8_t point[POINT_MAX];
    size_t field = curves[key->curve].field, len = 0;

    if (EVP_PKEY_get_octet_string_param(key->pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &len) != 1)
        return COF_E_BUG;
    if (len == 1 + field) { /* the key came compressed: give it in full through its coordinates */
        BIGNUM *y = NULL;
        bool ok = EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &y) == 1 &&
                  BN_bn2binpad(y, point + 1 + field, (int)field) == (int)field;

        BN_free(y);
        if (!ok)
            return COF_E_BUG;
    }
    if (compressed) {
        cof_buf_add_u8(out, 2 | (point[2 * field] & 1));
        cof_buf_add_bytes(out, point + 1, field);
    } else {
        cof_buf_add_u8(out, POINT_CONVERSION_UNCOMPRESSED);
        cof_buf_add_bytes(out, point + 1, 2 * field);
    }
    return cof_buf_err(out);
}

/* DER -> r || s */
static enum cof_err add_raw(const uint8_t *der, size_t len, size_t field, struct cof_buf *out)
{
    const unsigned char *p = der;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)len);
    uint8_t raw[2 * FIELD_MAX];
    bool ok = sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, (int)field) == (int)field &&
              BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + field, (int)field) == (int)field;

    ECDSA_SIG_free(sig);
    if (!ok)
        return COF_E_BUG;
    cof_buf_add_bytes(out, raw, 2 * field);
    return cof_buf_err(out);
}

enum cof_err cof_ecdsa_sign_digest(const struct cof_ecdsa_key *key, struct cof_view digest, enum cof_ecdsa_form form,
                                   struct cof_buf *out)
{
    uint8_t der[COF_ECDSA_SIG_MAX];
    size_t len = sizeof der;
    EVP_PKEY_CTX *ctx;
    bool ok;

    if (!key->is_private || digest.len == 0)
        return COF_E_USAGE;
    ctx = cof_ossl_ctx(key->pkey);
    ok = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_sign(ctx, der, &len, digest.data, digest.len) == 1;
    EVP_PKEY_CTX_free(ctx);
    cof_ossl_quiet();
    if (!ok)
        return COF_E_MEMORY;
    if (form == COF_ECDSA_RAW)
        return add_raw(der, len, curves[key->curve].field, out);
    cof_buf_add_bytes(out, der, len);
    return cof_buf_err(out);
}

/* r || s -> DER; NULL when it is too long for memory or has the wrong length. */
static unsigned char *raw_to_der(struct cof_view raw, size_t field, int *len)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw.data, (int)field, NULL), *s = BN_bin2bn(raw.data + field, (int)field, NULL);
    unsigned char *der = NULL;

    if (sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
        r = s = NULL; /* moved */
        *len = i2d_ECDSA_SIG(sig, &der);
        if (*len <= 0)
            der = NULL;
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return der;
}

enum cof_err cof_ecdsa_verify_digest(const struct cof_ecdsa_key *key, struct cof_view digest,
                                     enum cof_ecdsa_form form, struct cof_view sig)
{
    size_t field = curves[key->curve].field;
    unsigned char *der = NULL;
    EVP_PKEY_CTX *ctx;
    int len = 0, rc = 0;

    if (sig.len == 0 || sig.len > COF_ECDSA_SIG_MAX || digest.len == 0)
        return COF_E_AUTH;
    if (form == COF_ECDSA_RAW) {
        if (sig.len != 2 * field)
            return COF_E_AUTH;
        der = raw_to_der(sig, field, &len);
        if (der == NULL)
            return COF_E_MEMORY;
        sig = cof_view_of(der, (size_t)len);
    }
    /* The library re-encodes a DER signature and compares, so that other encodings of the same numbers fail. */
    ctx = cof_ossl_ctx(key->pkey);
    if (ctx != NULL && EVP_PKEY_verify_init(ctx) == 1)
        rc = EVP_PKEY_verify(ctx, sig.data, sig.len, digest.data, digest.len);
    EVP_PKEY_CTX_free(ctx);
    OPENSSL_free(der);
    cof_ossl_quiet();
    return rc == 1 ? COF_OK : COF_E_AUTH;
}

enum cof_err cof_ecdsa_sign(const struct cof_ecdsa_key *key, enum cof_hash_alg alg, struct cof_view data,
                            enum cof_ecdsa_form form, struct cof_buf *out)
{
    uint8_t digest[COF_HASH_MAX];
    enum cof_err err = cof_hash_once(alg, data, digest);

    if (err != COF_OK)
        return err;
    return cof_ecdsa_sign_digest(key, cof_view_of(digest, cof_hash_size(alg)), form, out);
}

enum cof_err cof_ecdsa_verify(const struct cof_ecdsa_key *key, enum cof_hash_alg alg, struct cof_view data,
                              enum cof_ecdsa_form form, struct cof_view sig)
{
    uint8_t digest[COF_HASH_MAX];
    enum cof_err err = cof_hash_once(alg, data, digest);

    if (err != COF_OK)
        return err;
    return cof_ecdsa_verify_digest(key, cof_view_of(digest, cof_hash_size(alg)), form, sig);
}

enum cof_err cof_ecdsa_agree(const struct cof_ecdsa_key *key, const struct cof_ecdsa_key *peer, struct cof_buf *out)
{
    uint8_t secret[FIELD_MAX];
    size_t len = sizeof secret;
    EVP_PKEY_CTX *ctx;
    bool ok;

    if (!key->is_private || key->curve != peer->curve)
        return COF_E_USAGE;
    ctx = cof_ossl_ctx(key->pkey);
    ok = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, peer->pkey) == 1 &&
         EVP_PKEY_derive(ctx, secret, &len) == 1;
    EVP_PKEY_CTX_free(ctx);
    cof_ossl_quiet();
    if (ok)
        cof_buf_add_bytes(out, secret, len);
    cof_wipe(secret, sizeof secret);
    return ok ? cof_buf_err(out) : COF_E_MEMORY;
}
