/* SPDX-License-Identifier: Apache-2.0
 *
 * ECDSA (FIPS 186-5) on NIST's curves and secp256k1 (SEC 2), and the Diffie-Hellman that their keys allow. A key comes from its standard encodings, never from loose parameters that
 * were not checked to lie on the curve. Signing nonces come from the library's own generator; key generation takes
 * its randomness as an argument.
 */
#ifndef COF_CRYPTO_ECDSA_H
#define COF_CRYPTO_ECDSA_H

#include "base/buf.h"
#include "base/rng.h"
#include "crypto/hash.h"

enum cof_curve { COF_P256, COF_P384, COF_P521, COF_SECP256K1 };
#define COF_CURVES 4
enum cof_ecdsa_form {
    COF_ECDSA_DER, /* SEQUENCE of two INTEGERs: X.509, AWS Encryption SDK */
    COF_ECDSA_RAW, /* r || s, each as long as the field: COSE, JOSE */
};

#define COF_ECDSA_SIG_MAX 144 /* bytes of the longest signature, either form */

struct cof_ecdsa_key; /* public, or private with its public half */

COF_MUST_USE enum cof_err cof_ecdsa_generate(enum cof_curve curve, const struct cof_rng *rng,
                                             struct cof_ecdsa_key **out);
/* COF_E_FORMAT when it is no such key or bytes follow; COF_E_UNSUPPORTED for another curve or kind of key. */
COF_MUST_USE enum cof_err cof_ecdsa_from_spki(struct cof_view der, struct cof_ecdsa_key **out);
COF_MUST_USE enum cof_err cof_ecdsa_from_pkcs8(struct cof_view der, struct cof_ecdsa_key **out);
/* PEM of either kind: "PRIVATE KEY" (PKCS#8, not encrypted), "EC PRIVATE KEY" or "PUBLIC KEY". */
COF_MUST_USE enum cof_err cof_ecdsa_from_pem(struct cof_view pem, struct cof_ecdsa_key **out);
/* A public point (SEC 1): 0x04 || x || y, or compressed 0x02/0x03 || x. */
COF_MUST_USE enum cof_err cof_ecdsa_from_point(enum cof_curve curve, struct cof_view point,
                                               struct cof_ecdsa_key **out);
void cof_ecdsa_free(struct cof_ecdsa_key *key);

enum cof_curve cof_ecdsa_curve(const struct cof_ecdsa_key *key);
bool cof_ecdsa_is_private(const struct cof_ecdsa_key *key);
COF_MUST_USE enum cof_err cof_ecdsa_spki(const struct cof_ecdsa_key *key, struct cof_buf *out);
COF_MUST_USE enum cof_err cof_ecdsa_spki_pem(const struct cof_ecdsa_key *key, struct cof_buf *out);
COF_MUST_USE enum cof_err cof_ecdsa_point(const struct cof_ecdsa_key *key, bool compressed, struct cof_buf *out);
/* Private keys; out should be a secret builder. */
COF_MUST_USE enum cof_err cof_ecdsa_pkcs8(const struct cof_ecdsa_key *key, struct cof_buf *out);
COF_MUST_USE enum cof_err cof_ecdsa_pkcs8_pem(const struct cof_ecdsa_key *key, struct cof_buf *out);

/* Adds the signature over hash(data), or over a digest made elsewhere. */
COF_MUST_USE enum cof_err cof_ecdsa_sign(const struct cof_ecdsa_key *key, enum cof_hash_alg alg, struct cof_view data,
                                         enum cof_ecdsa_form form, struct cof_buf *out);
COF_MUST_USE enum cof_err cof_ecdsa_sign_digest(const struct cof_ecdsa_key *key, struct cof_view digest,
                                                enum cof_ecdsa_form form, struct cof_buf *out);
/* COF_OK or COF_E_AUTH (COF_E_MEMORY apart). A raw signature must have exactly its length, a DER one must be DER. */
COF_MUST_USE enum cof_err cof_ecdsa_verify(const struct cof_ecdsa_key *key, enum cof_hash_alg alg,
                                           struct cof_view data, enum cof_ecdsa_form form, struct cof_view sig);
COF_MUST_USE enum cof_err cof_ecdsa_verify_digest(const struct cof_ecdsa_key *key, struct cof_view digest,
                                                  enum cof_ecdsa_form form, struct cof_view sig);

/* The shared secret of a private key and a peer's public one (SP 800-56A): the x coordinate, as long as the field.
 * COF_E_USAGE for a public key or two curves. out should be a secret builder. */
COF_MUST_USE enum cof_err cof_ecdsa_agree(const struct cof_ecdsa_key *key, const struct cof_ecdsa_key *peer,
                                          struct cof_buf *out);

#endif
