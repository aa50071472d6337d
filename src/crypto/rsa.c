/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/rsa.h"

#include "base/secret.h"
#include "crypto/ossl.h"
#include "format/der.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#define EXPONENT_BITS_MAX 32 /* a verifier's work grows with it */

struct cof_rsa_key {
    EVP_PKEY *pkey;
    bool is_private;
};

static bool is_usable(EVP_PKEY *pkey)
{
    BIGNUM *e = NULL;
    int bits = EVP_PKEY_get_bits(pkey);
    bool ok = EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA && bits >= COF_RSA_BITS_MIN && bits <= COF_RSA_BITS_MAX &&
              EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && BN_is_odd(e) && !BN_is_one(e) &&
              BN_num_bits(e) <= EXPONENT_BITS_MAX;

    BN_free(e);
    return ok;
}

/* Takes pkey over, also on failure. */
static enum cof_err adopt(EVP_PKEY *pkey, bool is_private, struct cof_rsa_key **out)
{
    enum cof_err err = COF_E_UNSUPPORTED;

    *out = NULL;
    if (pkey == NULL)
        return COF_E_FORMAT;
    if (!is_usable(pkey))
        goto out;
    err = COF_E_MEMORY;
    *out = calloc(1, sizeof **out);
    if (*out != NULL) {
        **out = (struct cof_rsa_key){.pkey = pkey, .is_private = is_private};
        pkey = NULL; /* moved */
        err = COF_OK;
    }
out:
    EVP_PKEY_free(pkey);
    cof_ossl_quiet();
    return err;
}

enum cof_err cof_rsa_generate(unsigned bits, struct cof_rsa_key **out)
{
    *out = NULL;
    if (bits != 2048 && bits != 3072 && bits != 4096)
        return COF_E_USAGE;
    return adopt(EVP_RSA_gen(bits), true, out);
}

/* SEQUENCE { rsaEncryption, NULL } */
static const uint8_t rsa_encryption[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};

/* A positive INTEGER in its shortest form, without the zero that keeps it positive. */
static bool take_number(struct cof_view *in, struct cof_view *out)
{
    if (cof_der_take(in, COF_DER_INTEGER, out) != COF_OK || out->len == 0 || (out->data[0] & 0x80) != 0)
        return false;
    if (out->data[0] != 0)
        return true;
    *out = cof_view_sub(*out, 1, SIZE_MAX);
    return out->len > 0 && (out->data[0] & 0x80) != 0;
}

/* spec: RFC 3279 section 2.3.1. Read and written here, since the library's decoders and encoders cost more than a signature
 * is verified for; what is of another form it shall name. */
static bool read_spki(struct cof_view der, struct cof_view *n, struct cof_view *e)
{
    struct cof_view spki, bits, numbers;

    if (cof_der_take(&der, COF_DER_SEQUENCE, &spki) != COF_OK || der.len != 0 ||
        cof_der_take_exact(&spki, cof_view_of(rsa_encryption, sizeof rsa_encryption)) != COF_OK ||
        cof_der_take(&spki, COF_DER_BIT_STRING, &bits) != COF_OK || spki.len != 0 || bits.len == 0 || bits.data[0] != 0)
        return false;
    bits = cof_view_sub(bits, 1, SIZE_MAX);
    return cof_der_take(&bits, COF_DER_SEQUENCE, &numbers) == COF_OK && bits.len == 0 && take_number(&numbers, n) &&
           take_number(&numbers, e) && numbers.len == 0;
}

enum cof_err cof_rsa_from_spki(struct cof_view der, struct cof_rsa_key **out)
{
    struct cof_view n, e;

    return read_spki(der, &n, &e) ? cof_rsa_from_modulus(n, e, out) : adopt(cof_ossl_from_spki(der), false, out);
}

enum cof_err cof_rsa_from_pkcs8(struct cof_view der, struct cof_rsa_key **out)
{
    return adopt(cof_ossl_from_pkcs8(der), true, out);
}

enum cof_err cof_rsa_from_pem(struct cof_view pem, struct cof_rsa_key **out)
{
    bool is_private;
    EVP_PKEY *pkey = cof_ossl_from_pem(pem, &is_private);

    return adopt(pkey, is_private, out);
}

enum cof_err cof_rsa_from_modulus(struct cof_view n, struct cof_view e, struct cof_rsa_key **out)
{
    BIGNUM *bn_n = NULL, *bn_e = NULL;
    OSSL_PARAM_BLD *bld = NULL;
    OSSL_PARAM *params = NULL;
    EVP_PKEY_CTX *ctx = NULL;
    EVP_PKEY *pkey = NULL;
    enum cof_err err = COF_E_MEMORY;

    *out = NULL;
    if (n.len == 0 || e.len == 0 || n.data[0] == 0 || e.data[0] == 0)
        return COF_E_FORMAT;
    if (n.len > COF_RSA_SIZE_MAX || e.len > EXPONENT_BITS_MAX / 8)
        return COF_E_UNSUPPORTED;
    bn_n = BN_bin2bn(n.data, (int)n.len, NULL);
    bn_e = BN_bin2bn(e.data, (int)e.len, NULL);
    bld = OSSL_PARAM_BLD_new();
    ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    if (bn_n == NULL || bn_e == NULL || bld == NULL || ctx == NULL ||
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn_n) != 1 ||
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, bn_e) != 1)
        goto out;
    params = OSSL_PARAM_BLD_to_param(bld);
    if (params == NULL || EVP_PKEY_fromdata_init(ctx) != 1)
        goto out;
    err = EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) == 1 ? adopt(pkey, false, out) : COF_E_FORMAT;
out:
    BN_free(bn_n);
    BN_free(bn_e);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    cof_ossl_quiet();
    return err;
}

void cof_rsa_free(struct cof_rsa_key *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->pkey);
    free(key);
}

unsigned cof_rsa_bits(const struct cof_rsa_key *key)
{
    return (unsigned)EVP_PKEY_get_bits(key->pkey);
}

size_t cof_rsa_size(const struct cof_rsa_key *key)
{
    return (size_t)EVP_PKEY_get_size(key->pkey);
}

bool cof_rsa_is_private(const struct cof_rsa_key *key)
{
    return key->is_private;
}

static enum cof_err add_number(const struct cof_rsa_key *key, const char *name, struct cof_buf *out)
{
    BIGNUM *n = NULL;
    enum cof_err err = COF_E_BUG;
    uint8_t *at;

    if (EVP_PKEY_get_bn_param(key->pkey, name, &n) == 1) {
        at = cof_buf_extend(out, (size_t)BN_num_bytes(n));
        if (at != NULL)
            (void)BN_bn2bin(n, at);
        err = cof_buf_err(out);
    }
    BN_free(n);
    return err;
}

enum cof_err cof_rsa_modulus(const struct cof_rsa_key *key, struct cof_buf *n, struct cof_buf *e)
{
    enum cof_err err = add_number(key, OSSL_PKEY_PARAM_RSA_N, n);

    return err != COF_OK ? err : add_number(key, OSSL_PKEY_PARAM_RSA_E, e);
}

enum cof_err cof_rsa_spki(const struct cof_rsa_key *key, struct cof_buf *out)
{
    struct cof_buf n, e;
    enum cof_err err;

    cof_buf_init(&n, COF_RSA_SIZE_MAX);
    cof_buf_init(&e, COF_RSA_SIZE_MAX);
    err = cof_rsa_modulus(key, &n, &e);
    if (err == COF_OK) {
        size_t spki = cof_der_begin(out, COF_DER_SEQUENCE), bits, numbers;

        cof_buf_add_bytes(out, rsa_encryption, sizeof rsa_encryption);
        bits = cof_der_begin(out, COF_DER_BIT_STRING);
        cof_buf_add_u8(out, 0);
        numbers = cof_der_begin(out, COF_DER_SEQUENCE);
        cof_der_add_uint(out, cof_buf_view(&n));
        cof_der_add_uint(out, cof_buf_view(&e));
        cof_der_end(out, numbers);
        cof_der_end(out, bits);
        cof_der_end(out, spki);
        err = cof_buf_err(out);
    }
    cof_buf_done(&n);
    cof_buf_done(&e);
    return err;
}

enum cof_err cof_rsa_spki_pem(const struct cof_rsa_key *key, struct cof_buf *out)
{
    return cof_ossl_spki_pem(key->pkey, out);
}

enum cof_err cof_rsa_pkcs8(const struct cof_rsa_key *key, struct cof_buf *out)
{
    return key->is_private ? cof_ossl_pkcs8(key->pkey, out) : COF_E_USAGE;
}

enum cof_err cof_rsa_pkcs8_pem(const struct cof_rsa_key *key, struct cof_buf *out)
{
    return key->is_private ? cof_ossl_pkcs8_pem(key->pkey, out) : COF_E_USAGE;
}

static const struct {
    const char *digest; /* NULL: PKCS#1 v1.5 */
    size_t overhead;    /* bytes that a block holds besides the message */
} paddings[] = {
    [COF_RSA_OAEP_SHA1] = {"SHA1", 42},      [COF_RSA_OAEP_SHA256] = {"SHA256", 66},
    [COF_RSA_OAEP_SHA384] = {"SHA384", 98},  [COF_RSA_OAEP_SHA512] = {"SHA512", 130},
    [COF_RSA_PKCS1] = {NULL, 11},
};

/* MGF1 uses the same digest (RFC 8017 leaves it open; every format here says so). */
static bool set_padding(EVP_PKEY_CTX *ctx, enum cof_rsa_padding padding)
{
    const char *digest = paddings[padding].digest;

    if (digest == NULL)
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_oaep_md_name(ctx, digest, NULL) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, digest, NULL) == 1;
}

enum cof_err cof_rsa_encrypt(const struct cof_rsa_key *key, enum cof_rsa_padding padding, struct cof_view plain,
                             struct cof_buf *out)
{
    static const uint8_t nothing[1] = {0};
    uint8_t block[COF_RSA_SIZE_MAX];
    size_t len = sizeof block;
    EVP_PKEY_CTX *ctx;
    bool ok;

    if ((size_t)padding >= sizeof paddings / sizeof paddings[0] ||
        plain.len > cof_rsa_size(key) - paddings[padding].overhead)
        return COF_E_USAGE;
    ctx = cof_ossl_ctx(key->pkey);
    ok = ctx != NULL && EVP_PKEY_encrypt_init(ctx) == 1 && set_padding(ctx, padding) &&
         EVP_PKEY_encrypt(ctx, block, &len, plain.len == 0 ? nothing : plain.data, plain.len) == 1;
    EVP_PKEY_CTX_free(ctx);
    cof_ossl_quiet();
    if (!ok)
        return COF_E_MEMORY;
    cof_buf_add_bytes(out, block, len);
    return cof_buf_err(out);
}

enum cof_err cof_rsa_decrypt(const struct cof_rsa_key *key, enum cof_rsa_padding padding, struct cof_view cipher,
                             struct cof_buf *out)
{
    uint8_t block[COF_RSA_SIZE_MAX];
    size_t len = sizeof block;
    enum cof_err err = COF_E_AUTH;
    EVP_PKEY_CTX *ctx;

    if (!key->is_private || (size_t)padding >= sizeof paddings / sizeof paddings[0])
        return COF_E_USAGE;
    if (cipher.len != cof_rsa_size(key))
        return COF_E_AUTH;
    ctx = cof_ossl_ctx(key->pkey);
    if (ctx == NULL || EVP_PKEY_decrypt_init(ctx) != 1 || !set_padding(ctx, padding))
        err = COF_E_MEMORY;
    else if (EVP_PKEY_decrypt(ctx, block, &len, cipher.data, cipher.len) == 1) {
        cof_buf_add_bytes(out, block, len);
        err = cof_buf_err(out);
    }
    cof_wipe(block, sizeof block);
    EVP_PKEY_CTX_free(ctx);
    cof_ossl_quiet();
    return err;
}

static const struct {
    enum cof_hash_alg alg;
    const char *digest;
    bool pss;
} schemes[] = {
    [COF_RSA_RS256] = {COF_SHA256, "SHA256", false}, [COF_RSA_RS384] = {COF_SHA384, "SHA384", false},
    [COF_RSA_RS512] = {COF_SHA512, "SHA512", false}, [COF_RSA_PS256] = {COF_SHA256, "SHA256", true},
    [COF_RSA_PS384] = {COF_SHA384, "SHA384", true},  [COF_RSA_PS512] = {COF_SHA512, "SHA512", true},
};

static bool set_scheme(EVP_PKEY_CTX *ctx, enum cof_rsa_scheme scheme)
{
    const EVP_MD *md = cof_ossl_md(schemes[scheme].alg);
    bool ok = md != NULL &&
              EVP_PKEY_CTX_set_rsa_padding(ctx, schemes[scheme].pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) == 1 &&
              EVP_PKEY_CTX_set_signature_md(ctx, md) == 1;

    if (ok && schemes[scheme].pss)
        ok = EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, schemes[scheme].digest, NULL) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
    return ok;
}

#define N_SCHEMES (sizeof schemes / sizeof schemes[0])

size_t cof_rsa_digest_size(enum cof_rsa_scheme scheme)
{
    return (size_t)scheme < N_SCHEMES ? cof_hash_size(schemes[scheme].alg) : 0;
}

enum cof_err cof_rsa_sign_digest(const struct cof_rsa_key *key, enum cof_rsa_scheme scheme, struct cof_view digest,
                                 struct cof_buf *out)
{
    uint8_t sig[COF_RSA_SIZE_MAX];
    size_t len = sizeof sig;
    EVP_PKEY_CTX *ctx;
    bool ok;

    if (!key->is_private || (size_t)scheme >= N_SCHEMES || digest.len != cof_rsa_digest_size(scheme))
        return COF_E_USAGE;
    ctx = cof_ossl_ctx(key->pkey);
    ok = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 && set_scheme(ctx, scheme) &&
         EVP_PKEY_sign(ctx, sig, &len, digest.data, digest.len) == 1;
    EVP_PKEY_CTX_free(ctx);
    cof_ossl_quiet();
    if (!ok)
        return COF_E_MEMORY;
    cof_buf_add_bytes(out, sig, len);
    return cof_buf_err(out);
}

enum cof_err cof_rsa_sign(const struct cof_rsa_key *key, enum cof_rsa_scheme scheme, struct cof_view data,
                          struct cof_buf *out)
{
    uint8_t digest[COF_HASH_MAX];
    enum cof_err err = (size_t)scheme >= N_SCHEMES ? COF_E_USAGE : cof_hash_once(schemes[scheme].alg, data, digest);

    if (err != COF_OK)
        return err;
    return cof_rsa_sign_digest(key, scheme, cof_view_of(digest, cof_rsa_digest_size(scheme)), out);
}

enum cof_err cof_rsa_verify_digest(const struct cof_rsa_key *key, enum cof_rsa_scheme scheme, struct cof_view digest,
                                   struct cof_view sig)
{
    enum cof_err err = COF_E_AUTH;
    EVP_PKEY_CTX *ctx;

    if ((size_t)scheme >= N_SCHEMES || digest.len != cof_rsa_digest_size(scheme))
        return COF_E_USAGE;
    if (sig.len != cof_rsa_size(key))
        return COF_E_AUTH;
    ctx = cof_ossl_ctx(key->pkey);
    if (ctx == NULL || EVP_PKEY_verify_init(ctx) != 1 || !set_scheme(ctx, scheme))
        err = COF_E_MEMORY;
    else if (EVP_PKEY_verify(ctx, sig.data, sig.len, digest.data, digest.len) == 1)
        err = COF_OK;
    EVP_PKEY_CTX_free(ctx);
    cof_ossl_quiet();
    return err;
}

enum cof_err cof_rsa_verify(const struct cof_rsa_key *key, enum cof_rsa_scheme scheme, struct cof_view data,
                            struct cof_view sig)
{
    uint8_t digest[COF_HASH_MAX];
    enum cof_err err = (size_t)scheme >= N_SCHEMES ? COF_E_USAGE : cof_hash_once(schemes[scheme].alg, data, digest);

    if (err != COF_OK)
        return err;
    return cof_rsa_verify_digest(key, scheme, cof_view_of(digest, cof_rsa_digest_size(scheme)), sig);
}
