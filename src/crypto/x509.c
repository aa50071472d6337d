/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/x509.h"

#include "crypto/ossl.h"

#include <limits.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <time.h>

struct cert {
    X509 *x509;
    int64_t from_ms, to_ms;
};

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

/* The issuer's signature is checked with ecdsa-with-SHA384 alone; the library demands that the algorithm inside the
 * certificate is the one outside. */
static const char *check_form(const struct cert *cert)
{
    const X509_ALGOR *alg;
    const ASN1_OBJECT *oid;
    EVP_PKEY *pkey = X509_get0_pubkey(cert->x509);
    char group[32];
    size_t len;

    if (X509_get_version(cert->x509) != X509_VERSION_3)
        return "is not X.509 version 3";
    X509_get0_signature(NULL, &alg, cert->x509);
    X509_ALGOR_get0(&oid, NULL, NULL, alg);
    if (OBJ_obj2nid(oid) != NID_ecdsa_with_SHA384)
        return "is not signed with ecdsa-with-SHA384";
    if (pkey == NULL || EVP_PKEY_get_base_id(pkey) != EVP_PKEY_EC ||
        EVP_PKEY_get_group_name(pkey, group, sizeof group, &len) != 1 ||
        !cof_view_eq_str(cof_view_str(group), SN_secp384r1))
        return "has no P-384 key";
    return NULL;
}

/* Every critical extension must be one that is judged here, and none may come twice. */
static const char *check_extensions(const struct cert *cert)
{
    int n = X509_get_ext_count(cert->x509);

    for (int i = 0; i < n; i++) {
        X509_EXTENSION *ext = X509_get_ext(cert->x509, i);
        const ASN1_OBJECT *oid = X509_EXTENSION_get_object(ext);
        int nid = OBJ_obj2nid(oid);

        if (X509_EXTENSION_get_critical(ext) != 0 && nid != NID_basic_constraints && nid != NID_key_usage)
            return "has an unknown critical extension";
        if (X509_get_ext_by_OBJ(cert->x509, oid, i) >= 0)
            return "has an extension twice";
    }
    return NULL;
}

/* n_below: how many authorities stand between this certificate and the leaf. */
static const char *check_authority(const struct cert *cert, size_t n_below)
{
    int critical = -1;
    BASIC_CONSTRAINTS *bc = X509_get_ext_d2i(cert->x509, NID_basic_constraints, &critical, NULL);
    const char *wrong = NULL;

    if (bc == NULL || critical != 1 || bc->ca == 0)
        wrong = "is no authority (critical basicConstraints)";
    else if (bc->pathlen != NULL && (ASN1_INTEGER_get(bc->pathlen) < 0 ||
                                     (uint64_t)ASN1_INTEGER_get(bc->pathlen) < (uint64_t)n_below))
        wrong = "allows a shorter path only (pathLen)";
    else if (X509_get_ext_by_NID(cert->x509, NID_key_usage, -1) < 0 ||
             (X509_get_key_usage(cert->x509) & KU_KEY_CERT_SIGN) == 0)
        wrong = "may not sign certificates (keyUsage)";
    BASIC_CONSTRAINTS_free(bc);
    return wrong;
}

static const char *check_leaf(const struct cert *cert)
{
    int critical = -1;
    BASIC_CONSTRAINTS *bc = X509_get_ext_d2i(cert->x509, NID_basic_constraints, &critical, NULL);
    const char *wrong = NULL;

    if (bc == NULL || critical != 1)
        wrong = "lacks critical basicConstraints";
    else if (bc->ca != 0 || bc->pathlen != NULL)
        wrong = "is an authority, not a leaf";
    else if (X509_get_ext_by_NID(cert->x509, NID_key_usage, -1) < 0 ||
             (X509_get_key_usage(cert->x509) & KU_DIGITAL_SIGNATURE) == 0)
        wrong = "may not sign (keyUsage)";
    BASIC_CONSTRAINTS_free(bc);
    return wrong;
}

static const char *read_cert(struct cof_view der, struct cert *out)
{
    const unsigned char *p = der.data;

    out->x509 = der.len == 0 || der.len > INT_MAX ? NULL : d2i_X509(NULL, &p, (long)der.len);
    if (out->x509 == NULL)
        return "is no certificate";
    if (p != der.data + der.len)
        return "is followed by bytes";
    if (!parse_time(X509_get0_notBefore(out->x509), &out->from_ms) ||
        !parse_time(X509_get0_notAfter(out->x509), &out->to_ms))
        return "has no readable validity";
    out->to_ms += 999; /* notAfter is inclusive, in whole seconds */
    return NULL;
}

static const char *load(struct cof_view der, struct cert *out)
{
    const char *wrong = read_cert(der, out);

    if (wrong == NULL)
        wrong = check_form(out);
    return wrong != NULL ? wrong : check_extensions(out);
}

/* certs[0] is the leaf, certs[n - 1] the root, which must have signed itself too: the pin says so anyway. */
static const char *check_links(const struct cert *certs, size_t n, size_t *at)
{
    const char *wrong = check_leaf(&certs[0]);

    *at = 0;
    for (size_t i = 0; wrong == NULL && i < n; i++) {
        size_t issuer = i + 1 < n ? i + 1 : i;

        *at = i;
        if (i > 0)
            wrong = check_authority(&certs[i], i - 1);
        if (wrong == NULL &&
            X509_NAME_cmp(X509_get_issuer_name(certs[i].x509), X509_get_subject_name(certs[issuer].x509)) != 0)
            wrong = "names another issuer";
        if (wrong == NULL && X509_verify(certs[i].x509, X509_get0_pubkey(certs[issuer].x509)) != 1)
            wrong = "has a wrong signature";
    }
    return wrong;
}

static void intersect(const struct cert *certs, size_t n, struct cof_x509_life *life)
{
    *life = (struct cof_x509_life){certs[0].from_ms, certs[0].to_ms, certs[0].from_ms, certs[0].to_ms};
    for (size_t i = 1; i < n; i++) {
        if (certs[i].from_ms > life->chain_from_ms)
            life->chain_from_ms = certs[i].from_ms;
        if (certs[i].to_ms < life->chain_to_ms)
            life->chain_to_ms = certs[i].to_ms;
    }
}

static enum cof_err take_leaf_key(const struct cert *leaf, struct cof_ecdsa_key **out)
{
    struct cof_buf spki;
    enum cof_err err;

    cof_buf_init(&spki, 1024);
    err = cof_ossl_spki(X509_get0_pubkey(leaf->x509), &spki);
    if (err == COF_OK)
        err = cof_ecdsa_from_spki(cof_buf_view(&spki), out);
    cof_buf_done(&spki);
    return err;
}

enum cof_err cof_x509_verify_chain(struct cof_view leaf, const struct cof_view *intermediates, size_t n,
                                   struct cof_view root, struct cof_ecdsa_key **leaf_key, struct cof_x509_life *life,
                                   struct cof_diag *diag)
{
    struct cert certs[COF_X509_CHAIN_MAX + 2] = {{0}};
    const char *wrong = NULL;
    enum cof_err err = COF_E_BUG;
    size_t at = 0, n_all = n + 2;

    *leaf_key = NULL;
    *life = (struct cof_x509_life){0};
    if (n > COF_X509_CHAIN_MAX)
        return cof_diag_set(diag, COF_E_AUTH, "certificate chain is too long");
    for (size_t i = 0; wrong == NULL && i < n_all; i++) {
        at = i;
        wrong = load(i == 0 ? leaf : i <= n ? intermediates[i - 1] : root, &certs[i]);
    }
    if (wrong == NULL)
        wrong = check_links(certs, n_all, &at);
    if (wrong != NULL) {
        err = cof_diag_set(diag, COF_E_AUTH, "certificate %zu of %zu (leaf first) %s", at + 1, n_all, wrong);
    } else {
        intersect(certs, n_all, life);
        err = take_leaf_key(&certs[0], leaf_key);
    }
    for (size_t i = 0; i < n_all; i++)
        X509_free(certs[i].x509);
    cof_ossl_quiet();
    return err;
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

enum cof_err cof_x509_facts(struct cof_view der, struct cof_x509_facts *out)
{
    struct cert cert = {0};
    enum cof_err err = read_cert(der, &cert) == NULL ? COF_OK : COF_E_FORMAT;

    *out = (struct cof_x509_facts){0};
    if (err == COF_OK)
        err = X509_get0_pubkey(cert.x509) == NULL ? COF_E_UNSUPPORTED : take_leaf_key(&cert, &out->key);
    if (err == COF_OK) {
        out->from_ms = cert.from_ms;
        out->to_ms = cert.to_ms;
        name_text(X509_get_subject_name(cert.x509), out->subject, sizeof out->subject);
        name_text(X509_get_issuer_name(cert.x509), out->issuer, sizeof out->issuer);
    }
    X509_free(cert.x509);
    cof_ossl_quiet();
    return err;
}
