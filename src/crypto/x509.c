/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/x509.h"

#include "crypto/ossl.h"

#include <limits.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <time.h>

static bool parse_time(const ASN1_TIME *t, int64_t *ms)
{
    static const int days_before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    struct tm tm;
    int64_t year, days;

    if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1 || tm.tm_year < 70)
        return false;
    /* Counted here: timegm would be the library's word on time zones, and no pure layer asks for those. */
    year = tm.tm_year + 1900;
    days = (year - 1970) * 365 + (year - 1969) / 4 - (year - 1901) / 100 + (year - 1601) / 400;
    days += days_before[tm.tm_mon] + tm.tm_mday - 1;
    if (tm.tm_mon > 1 && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0))
        days++;
    *ms = ((days * 24 + tm.tm_hour) * 60 + tm.tm_min) * 60000 + tm.tm_sec * 1000;
    return true;
}

/* n_below: how many authorities stand between this certificate and the leaf. */
static const char *check_authority(const struct cof_x509_cert *cert, size_t n_below)
{
    if (!cert->has_constraints || !cert->constraints_critical || !cert->is_authority)
        return "is no authority (critical basicConstraints)";
    if (cert->path_len != COF_X509_NO_PATH_LEN && (size_t)cert->path_len < n_below)
        return "allows a shorter path only (pathLen)";
    return cert->may_sign_certs ? NULL : "may not sign certificates (keyUsage)";
}

static const char *check_leaf(const struct cof_x509_cert *cert)
{
    if (!cert->has_constraints || !cert->constraints_critical)
        return "lacks critical basicConstraints";
    if (cert->is_authority || cert->path_len != COF_X509_NO_PATH_LEN)
        return "is an authority, not a leaf";
    return cert->may_sign ? NULL : "may not sign (keyUsage)";
}

static const char *check_signature(const struct cof_x509_cert *cert, const struct cof_x509_cert *issuer)
{
    struct cof_ecdsa_key *key = NULL;
    const char *wrong = NULL;

    if (cof_ecdsa_from_point(COF_P384, issuer->point, &key) != COF_OK)
        wrong = "is signed with a key that is none";
    else if (cof_ecdsa_verify(key, COF_SHA384, cert->tbs, COF_ECDSA_DER, cert->signature) != COF_OK)
        wrong = "has a wrong signature";
    cof_ecdsa_free(key);
    return wrong;
}

/* certs[0] is the leaf, certs[n - 1] the root. */
static const char *check_links(const struct cof_x509_cert *certs, size_t n, size_t *at)
{
    const char *wrong = check_leaf(&certs[0]);

    *at = 0;
    for (size_t i = 0; wrong == NULL && i < n; i++) {
        *at = i;
        if (i > 0)
            wrong = check_authority(&certs[i], i - 1);
        if (wrong == NULL && !cof_view_eq(certs[i].issuer, certs[i + 1 < n ? i + 1 : i].subject))
            wrong = "names another issuer";
        if (wrong == NULL && i + 1 < n)
            wrong = check_signature(&certs[i], &certs[i + 1]);
    }
    return wrong;
}

static void intersect(const struct cof_x509_cert *certs, size_t n, struct cof_x509_life *life)
{
    *life = (struct cof_x509_life){certs[0].from_ms, certs[0].to_ms, certs[0].from_ms, certs[0].to_ms};
    for (size_t i = 1; i < n; i++) {
        if (certs[i].from_ms > life->chain_from_ms)
            life->chain_from_ms = certs[i].from_ms;
        if (certs[i].to_ms < life->chain_to_ms)
            life->chain_to_ms = certs[i].to_ms;
    }
}

enum cof_err cof_x509_verify_chain(struct cof_view leaf, const struct cof_view *intermediates, size_t n,
                                   struct cof_view root, struct cof_ecdsa_key **leaf_key, struct cof_x509_life *life,
                                   struct cof_diag *diag)
{
    struct cof_x509_cert certs[COF_X509_CHAIN_MAX + 2];
    const char *wrong = NULL;
    size_t at = 0, n_all = n + 2;
    enum cof_err err = COF_OK;

    *leaf_key = NULL;
    *life = (struct cof_x509_life){0};
    if (n > COF_X509_CHAIN_MAX)
        return cof_diag_set(diag, COF_E_AUTH, "certificate chain is too long");
    for (size_t i = 0; err == COF_OK && i < n_all; i++) {
        at = i;
        err = cof_x509_cert_parse(i == 0 ? leaf : i <= n ? intermediates[i - 1] : root, &certs[i], &wrong);
    }
    if (err == COF_OK)
        wrong = check_links(certs, n_all, &at);
    if (wrong == NULL && cof_ecdsa_from_point(COF_P384, certs[0].point, leaf_key) != COF_OK)
        wrong = "has no P-384 key";
    if (wrong != NULL)
        return cof_diag_set(diag, COF_E_AUTH, "certificate %zu of %zu (leaf first) %s", at + 1, n_all, wrong);
    intersect(certs, n_all, life);
    return COF_OK;
}

static void name_text(const X509_NAME *name, char *out, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int len = 0;

    if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0)
        len = BIO_read(bio, out, (int)size - 1);
    out[len > 0 ? len : 0] = 0;
    BIO_free(bio);
}

static enum cof_err take_key(const X509 *x509, struct cof_ecdsa_key **out)
{
    struct cof_buf spki;
    enum cof_err err;

    cof_buf_init(&spki, 1024);
    err = cof_ossl_spki(X509_get0_pubkey(x509), &spki);
    if (err == COF_OK)
        err = cof_ecdsa_from_spki(cof_buf_view(&spki), out);
    cof_buf_done(&spki);
    return err;
}

enum cof_err cof_x509_facts(struct cof_view der, struct cof_x509_facts *out)
{
    const unsigned char *p = der.data;
    X509 *x509 = der.len == 0 || der.len > INT_MAX ? NULL : d2i_X509(NULL, &p, (long)der.len);
    bool whole = x509 != NULL && p == der.data + der.len;
    enum cof_err err = COF_OK;

    *out = (struct cof_x509_facts){0};
    if (!whole || !parse_time(X509_get0_notBefore(x509), &out->from_ms) || !parse_time(X509_get0_notAfter(x509), &out->to_ms))
        err = COF_E_FORMAT;
    if (err == COF_OK)
        err = X509_get0_pubkey(x509) == NULL ? COF_E_UNSUPPORTED : take_key(x509, &out->key);
    if (err == COF_OK) {
        out->to_ms += 999; /* notAfter is inclusive, in whole seconds */
        name_text(X509_get_subject_name(x509), out->subject, sizeof out->subject);
        name_text(X509_get_issuer_name(x509), out->issuer, sizeof out->issuer);
    } else {
        *out = (struct cof_x509_facts){0};
    }
    X509_free(x509);
    cof_ossl_quiet();
    return err;
}
