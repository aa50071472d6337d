/* SPDX-License-Identifier: Apache-2.0
 *
 * A certificate of the kind that stands under attestation documents (RFC 5280, narrowed): version 3, P-384, signed with
 * ecdsa-with-SHA384, strict DER. Its parts as views; signatures and what a chain demands are src/crypto/x509's matter.
 */
#ifndef COF_FORMAT_X509_CERT_H
#define COF_FORMAT_X509_CERT_H

#include "base/view.h"

#define COF_X509_NO_PATH_LEN (-1)

struct cof_x509_cert {
    struct cof_view tbs;              /* what is signed: the whole encoding of TBSCertificate */
    struct cof_view issuer, subject;  /* names, encoded */
    struct cof_view point;            /* public key, uncompressed or compressed */
    struct cof_view signature;        /* DER */
    int64_t from_ms, to_ms;           /* both inclusive: the end counts to its last millisecond */
    bool has_constraints, constraints_critical, is_authority;
    int path_len;                     /* or COF_X509_NO_PATH_LEN */
    bool has_usage, may_sign, may_sign_certs;
};

/* COF_E_FORMAT, and *wrong says what is ("is no certificate"; static storage). */
COF_MUST_USE enum cof_err cof_x509_cert_parse(struct cof_view der, struct cof_x509_cert *out, const char **wrong);

#endif
