/* SPDX-License-Identifier: Apache-2.0
 *
 * The local certificate authority of one machine: made at first start, kept in one folder.
 */
#include "io/clock.h"
#include "io/file.h"
#include "io/rng_os.h"
#include "io/tls.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DAYS_LEAF 825
#define DAYS_CA 3650

static enum cof_err write_pem(const char *path, BIO *bio, mode_t mode, struct cof_diag *diag)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);

    return len <= 0 ? COF_E_MEMORY : cof_file_write(path, cof_view_of(data, (size_t)len), mode, diag);
}

static enum cof_err save(const char *dir, const char *name, X509 *cert, X509 *chain, EVP_PKEY *key,
                         struct cof_diag *diag)
{
    char path[4096];
    BIO *bio = BIO_new(BIO_s_secmem());
    enum cof_err err = COF_E_MEMORY;

    (void)snprintf(path, sizeof path, "%s/%s.key", dir, name);
    if (bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1)
        err = write_pem(path, bio, 0600, diag);
    BIO_free(bio);
    if (err != COF_OK)
        return err;
    bio = BIO_new(BIO_s_mem());
    err = COF_E_MEMORY;
    (void)snprintf(path, sizeof path, "%s/%s.pem", dir, name);
    if (bio != NULL && PEM_write_bio_X509(bio, cert) == 1 && (chain == NULL || PEM_write_bio_X509(bio, chain) == 1))
        err = write_pem(path, bio, 0644, diag);
    BIO_free(bio);
    return err;
}

static bool add_extension(X509 *cert, X509V3_CTX *ctx, int nid, const char *value)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
    bool ok = ext != NULL && X509_add_ext(cert, ext, -1) == 1;

    X509_EXTENSION_free(ext);
    return ok;
}

static bool set_serial(X509 *cert)
{
    uint8_t bytes[16];
    BIGNUM *bn;
    bool ok;

    if (cof_rng_fill(&cof_rng_os, bytes, sizeof bytes) != COF_OK)
        return false;
    bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40);
    bn = BN_bin2bn(bytes, sizeof bytes, NULL);
    ok = bn != NULL && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert)) != NULL;
    BN_free(bn);
    return ok;
}

static void alternative_names(const char *const *names, size_t n, char *out, size_t size)
{
    size_t at = 0;

    for (size_t i = 0; i < n && at < size; i++) {
        struct in6_addr literal;
        bool ip = inet_pton(AF_INET, names[i], &literal) == 1 || inet_pton(AF_INET6, names[i], &literal) == 1;
        int w = snprintf(out + at, size - at, "%s%s:%s", i == 0 ? "" : ",", ip ? "IP" : "DNS", names[i]);
        at += w > 0 ? (size_t)w : 0;
    }
}

/* issuer NULL: self-signed authority. */
static X509 *make(const char *common_name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, const char *alt_names)
{
    X509 *cert = X509_new();
    X509V3_CTX ctx;
    bool ca = issuer == NULL, ok;
    X509_NAME *name;

    if (cert == NULL)
        return NULL;
    name = X509_get_subject_name(cert);
    ok = X509_set_version(cert, 2) == 1 && set_serial(cert) &&
         X509_gmtime_adj(X509_getm_notBefore(cert), -300) != NULL &&
         X509_time_adj_ex(X509_getm_notAfter(cert), ca ? DAYS_CA : DAYS_LEAF, 0, NULL) != NULL &&
         X509_set_pubkey(cert, key) == 1 &&
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0) == 1 &&
         X509_set_issuer_name(cert, ca ? name : X509_get_subject_name(issuer)) == 1;
    X509V3_set_ctx(&ctx, ca ? cert : issuer, cert, NULL, NULL, 0);
    ok = ok &&
         add_extension(cert, &ctx, NID_basic_constraints, ca ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") &&
         add_extension(cert, &ctx, NID_key_usage, ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
         add_extension(cert, &ctx, NID_subject_key_identifier, "hash") &&
         add_extension(cert, &ctx, NID_authority_key_identifier, "keyid:always");
    if (ok && !ca)
        ok = add_extension(cert, &ctx, NID_ext_key_usage, "serverAuth,clientAuth") &&
             add_extension(cert, &ctx, NID_subject_alt_name, alt_names);
    if (!ok || X509_sign(cert, issuer_key, EVP_sha256()) == 0) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

static enum cof_err load(const char *dir, X509 **cert, EVP_PKEY **key)
{
    char path[4096];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/ca.pem", dir);
    f = fopen(path, "re");
    if (f == NULL)
        return COF_E_NOT_FOUND;
    *cert = PEM_read_X509(f, NULL, NULL, NULL);
    (void)fclose(f);
    (void)snprintf(path, sizeof path, "%s/ca.key", dir);
    f = fopen(path, "re");
    if (f == NULL)
        return COF_E_NOT_FOUND;
    *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    (void)fclose(f);
    return *cert != NULL && *key != NULL ? COF_OK : COF_E_FORMAT;
}

/* There, and good for another week: one about to expire is made again. */
static bool is_current(const char *dir, const char *name)
{
    char path[4096];
    time_t soon = (time_t)(cof_clock_wall_ms() / 1000) + (time_t)7 * 86400;
    X509 *cert;
    FILE *f;
    bool current;

    (void)snprintf(path, sizeof path, "%s/%s.pem", dir, name);
    f = fopen(path, "re");
    if (f == NULL)
        return false;
    cert = PEM_read_X509(f, NULL, NULL, NULL);
    (void)fclose(f);
    current = cert != NULL && X509_cmp_time(X509_get0_notAfter(cert), &soon) > 0;
    X509_free(cert);
    return current;
}

enum cof_err cof_tls_local_cert(const char *dir, const char *name, const char *const *alt_names, size_t n,
                                struct cof_diag *diag)
{
    X509 *ca = NULL, *cert = NULL;
    EVP_PKEY *ca_key = NULL, *key = NULL;
    char alt[2048] = "";
    enum cof_err err = COF_OK;

    if (is_current(dir, name))
        return COF_OK;
    if (!is_current(dir, "ca")) {
        ca_key = EVP_EC_gen("P-256");
        ca = ca_key == NULL ? NULL : make("Coffer local authority", ca_key, NULL, ca_key, NULL);
        err = ca == NULL ? COF_E_MEMORY : save(dir, "ca", ca, NULL, ca_key, diag);
    } else {
        err = load(dir, &ca, &ca_key);
        if (err != COF_OK)
            (void)cof_diag_set(diag, err, "%s: ca.pem and ca.key cannot be read", dir);
    }
    if (err == COF_OK) {
        alternative_names(alt_names, n, alt, sizeof alt);
        key = EVP_EC_gen("P-256");
        cert = key == NULL ? NULL : make(name, key, ca, ca_key, alt);
        err = cert == NULL ? COF_E_MEMORY : save(dir, name, cert, ca, key, diag);
    }
    X509_free(ca);
    X509_free(cert);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
    return err;
}
