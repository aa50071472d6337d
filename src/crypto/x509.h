/* SPDX-License-Identifier: Apache-2.0
 *
 * The certificates of Nitro attestation: verifying an ordered chain up to a pinned root, and making such chains for
 * the simulated hypervisor. This is no general path builder: the document says the order, the root is known byte for
 * byte, everything is P-384 with ecdsa-with-SHA384, and there are no revocation lists (RFC 5280 for the fields).
 */
#ifndef COF_CRYPTO_X509_H
#define COF_CRYPTO_X509_H

#include "crypto/ecdsa.h"
#include "format/x509_cert.h"

#define COF_X509_CHAIN_MAX 16

struct cof_x509_life {
    int64_t leaf_from_ms, leaf_to_ms;   /* both inclusive */
    int64_t chain_from_ms, chain_to_ms; /* when all certificates, the root included, are valid */
};

/* Verifies leaf <- intermediates[0] <- ... <- intermediates[n - 1] <- root: signatures, names (as bytes), version, critical
 * basicConstraints with path lengths, keyCertSign in the authorities, digitalSignature and no authority in the leaf,
 * no critical extension that is not known. The root is the anchor that the caller pinned, so nobody asks who signed it (RFC
 * 5280 section 6.1.1). Times go out in life for the caller to judge. On success *leaf_key is the
 * leaf's key, to be freed. COF_E_AUTH with a diag otherwise (COF_E_MEMORY apart). */
COF_MUST_USE enum cof_err cof_x509_verify_chain(struct cof_view leaf, const struct cof_view *intermediates, size_t n,
                                                struct cof_view root, struct cof_ecdsa_key **leaf_key,
                                                struct cof_x509_life *life, struct cof_diag *diag);

/* What a certificate says of itself; nothing of it is verified. */
struct cof_x509_facts {
    struct cof_ecdsa_key *key; /* to be freed */
    int64_t from_ms, to_ms;    /* both inclusive */
    char subject[256], issuer[256]; /* as RFC 4514 writes names; cut when longer */
};
/* COF_E_FORMAT; COF_E_UNSUPPORTED when its key is not on P-256 or P-384. */
COF_MUST_USE enum cof_err cof_x509_facts(struct cof_view der, struct cof_x509_facts *out);

struct cof_x509_name {
    const char *common_name, *organization, *unit; /* NULL leaves one out; the country is US, as in AWS's */
};

struct cof_x509_make {
    struct cof_x509_name subject, issuer;
    const struct cof_ecdsa_key *subject_key; /* its public half */
    const struct cof_ecdsa_key *issuer_key;  /* P-384, private */
    struct cof_view serial;                  /* big-endian, 1..20 bytes */
    int64_t from_ms, to_ms;
    bool authority;
    int path_len; /* authorities: >= 0, or COF_X509_NO_PATH_LEN */
};

/* Adds the certificate's DER. */
COF_MUST_USE enum cof_err cof_x509_make(const struct cof_x509_make *spec, struct cof_buf *out);

#endif
