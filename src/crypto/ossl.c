/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ossl.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pthread.h>

#define PEM_MAX 65536 /* bytes */

static EVP_MD *md_fetched[3]; /* the digests of signatures; they live as long as the process */
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;

static void fetch_all(void)
{
    md_fetched[COF_SHA256] = EVP_MD_fetch(NULL, "SHA256", NULL);
    md_fetched[COF_SHA384] = EVP_MD_fetch(NULL, "SHA384", NULL);
    md_fetched[COF_SHA512] = EVP_MD_fetch(NULL, "SHA512", NULL);
}

const EVP_MD *cof_ossl_md(enum cof_hash_alg alg)
{
    (void)pthread_once(&fetch_once, fetch_all);
    return (size_t)alg < sizeof md_fetched / sizeof md_fetched[0] ? md_fetched[alg] : NULL;
}

void cof_ossl_quiet(void)
{
    ERR_clear_error();
}

EVP_PKEY_CTX *cof_ossl_ctx(EVP_PKEY *pkey)
{
    return EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
}

/* Whether a decoder that started at der and stopped at p used everything. */
static bool used_all(struct cof_view der, const unsigned char *p)
{
    return p == der.data + der.len;
}

EVP_PKEY *cof_ossl_from_spki(struct cof_view der)
{
    const unsigned char *p = der.data;
    EVP_PKEY *pkey = der.len == 0 || der.len > LONG_MAX ? NULL : d2i_PUBKEY(NULL, &p, (long)der.len);

    if (pkey != NULL && !used_all(der, p)) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }
    cof_ossl_quiet();
    return pkey;
}

EVP_PKEY *cof_ossl_from_pkcs8(struct cof_view der)
{
    const unsigned char *p = der.data;
    PKCS8_PRIV_KEY_INFO *info = der.len == 0 || der.len > LONG_MAX ? NULL
                                                                   : d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)der.len);
    EVP_PKEY *pkey = info != NULL && used_all(der, p) ? EVP_PKCS82PKEY(info) : NULL;

    PKCS8_PRIV_KEY_INFO_free(info);
    cof_ossl_quiet();
    return pkey;
}

/* An encrypted key is refused, not asked about on a terminal. */
static int no_passphrase(char *buf, int size, int rwflag, void *u)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)u;
    return -1;
}

EVP_PKEY *cof_ossl_from_pem(struct cof_view pem, bool *is_private)
{
    BIO *bio = pem.len == 0 || pem.len > PEM_MAX ? NULL : BIO_new_mem_buf(pem.data, (int)pem.len);
    EVP_PKEY *pkey = NULL;

    *is_private = false;
    if (bio == NULL)
        return NULL;
    pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    *is_private = pkey != NULL;
    if (pkey == NULL && BIO_reset(bio) >= 0)
        pkey = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    (void)BIO_free(bio);
    cof_ossl_quiet();
    return pkey;
}

static enum cof_err add_and_free(unsigned char *der, int len, bool secret, struct cof_buf *out)
{
    if (len <= 0)
        return COF_E_MEMORY;
    cof_buf_add_bytes(out, der, (size_t)len);
    if (secret)
        OPENSSL_clear_free(der, (size_t)len);
    else
        OPENSSL_free(der);
    return cof_buf_err(out);
}

enum cof_err cof_ossl_spki(EVP_PKEY *pkey, struct cof_buf *out)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(pkey, &der);

    return add_and_free(der, len, false, out);
}

enum cof_err cof_ossl_pkcs8(EVP_PKEY *pkey, struct cof_buf *out)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey);
    unsigned char *der = NULL;
    int len = info == NULL ? 0 : i2d_PKCS8_PRIV_KEY_INFO(info, &der);

    PKCS8_PRIV_KEY_INFO_free(info);
    return add_and_free(der, len, true, out);
}

static enum cof_err write_pem(EVP_PKEY *pkey, bool private, struct cof_buf *out)
{
    BIO *bio = BIO_new(private ? BIO_s_secmem() : BIO_s_mem());
    enum cof_err err = COF_E_MEMORY;
    char *text = NULL;
    long len;
    bool ok;

    if (bio == NULL)
        return COF_E_MEMORY;
    ok = private ? PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) == 1
                 : PEM_write_bio_PUBKEY(bio, pkey) == 1;
    len = ok ? BIO_get_mem_data(bio, &text) : 0;
    if (len > 0) {
        cof_buf_add_bytes(out, text, (size_t)len);
        err = cof_buf_err(out);
    }
    (void)BIO_free(bio);
    cof_ossl_quiet();
    return err;
}

enum cof_err cof_ossl_spki_pem(EVP_PKEY *pkey, struct cof_buf *out)
{
    return write_pem(pkey, false, out);
}

enum cof_err cof_ossl_pkcs8_pem(EVP_PKEY *pkey, struct cof_buf *out)
{
    return write_pem(pkey, true, out);
}
