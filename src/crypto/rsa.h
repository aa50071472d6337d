/* SPDX-License-Identifier: Apache-2.0
 *
 * RSA (RFC 8017): wrapping keys with OAEP (and PKCS#1 v1.5 where the raw keyring of the message format asks for it),
 * and the signatures of tokens. Keys of 2048 to 4096 bits with an odd exponent of at least 3 (ours: 65537) and at most
 * 32 bits. Randomness is the library's own generator: RSA there takes no other.
 */
#ifndef COF_CRYPTO_RSA_H
#define COF_CRYPTO_RSA_H

#include "base/buf.h"
#include "crypto/hash.h"

#define COF_RSA_BITS_MIN 2048
#define COF_RSA_BITS_MAX 4096
#define COF_RSA_SIZE_MAX (COF_RSA_BITS_MAX / 8)

enum cof_rsa_padding {
    COF_RSA_OAEP_SHA1,
    COF_RSA_OAEP_SHA256,
    COF_RSA_OAEP_SHA384,
    COF_RSA_OAEP_SHA512,
    COF_RSA_PKCS1, /* v1.5; decryption can be an oracle, never expose its failures to a peer */
};
enum cof_rsa_scheme {
    COF_RSA_RS256,
    COF_RSA_RS384,
    COF_RSA_RS512,
    COF_RSA_PS256, /* salt as long as the digest */
    COF_RSA_PS384,
    COF_RSA_PS512,
};

struct cof_rsa_key; /* public, or private with its public half */

/* bits is 2048, 3072 or 4096. Slow: 0.1 to several seconds. */
COF_MUST_USE enum cof_err cof_rsa_generate(unsigned bits, struct cof_rsa_key **out);
/* COF_E_FORMAT when it is no such key or bytes follow; COF_E_UNSUPPORTED for another kind of key or size. */
COF_MUST_USE enum cof_err cof_rsa_from_spki(struct cof_view der, struct cof_rsa_key **out);
COF_MUST_USE enum cof_err cof_rsa_from_pkcs8(struct cof_view der, struct cof_rsa_key **out);
/* "PRIVATE KEY" (not encrypted), "RSA PRIVATE KEY" or "PUBLIC KEY". */
COF_MUST_USE enum cof_err cof_rsa_from_pem(struct cof_view pem, struct cof_rsa_key **out);
/* A JWK's n and e, base64url already decoded: big-endian, no leading zero. */
COF_MUST_USE enum cof_err cof_rsa_from_modulus(struct cof_view n, struct cof_view e, struct cof_rsa_key **out);
void cof_rsa_free(struct cof_rsa_key *key);

unsigned cof_rsa_bits(const struct cof_rsa_key *key);
size_t cof_rsa_size(const struct cof_rsa_key *key); /* bytes of the modulus, a ciphertext, a signature */
bool cof_rsa_is_private(const struct cof_rsa_key *key);
COF_MUST_USE enum cof_err cof_rsa_modulus(const struct cof_rsa_key *key, struct cof_buf *n, struct cof_buf *e);
COF_MUST_USE enum cof_err cof_rsa_spki(const struct cof_rsa_key *key, struct cof_buf *out);
COF_MUST_USE enum cof_err cof_rsa_spki_pem(const struct cof_rsa_key *key, struct cof_buf *out);
/* Private keys; out should be a secret builder. */
COF_MUST_USE enum cof_err cof_rsa_pkcs8(const struct cof_rsa_key *key, struct cof_buf *out);
COF_MUST_USE enum cof_err cof_rsa_pkcs8_pem(const struct cof_rsa_key *key, struct cof_buf *out);

/* COF_E_USAGE when plain is too long for key and padding. */
COF_MUST_USE enum cof_err cof_rsa_encrypt(const struct cof_rsa_key *key, enum cof_rsa_padding padding,
                                          struct cof_view plain, struct cof_buf *out);
/* COF_E_AUTH whatever is wrong with the ciphertext; out (a secret builder) then gets nothing. */
COF_MUST_USE enum cof_err cof_rsa_decrypt(const struct cof_rsa_key *key, enum cof_rsa_padding padding,
                                          struct cof_view cipher, struct cof_buf *out);

/* The digest's size (bytes) that a scheme wants. */
size_t cof_rsa_digest_size(enum cof_rsa_scheme scheme);
COF_MUST_USE enum cof_err cof_rsa_sign(const struct cof_rsa_key *key, enum cof_rsa_scheme scheme, struct cof_view data,
                                       struct cof_buf *out);
/* COF_OK or COF_E_AUTH (COF_E_MEMORY apart). */
COF_MUST_USE enum cof_err cof_rsa_verify(const struct cof_rsa_key *key, enum cof_rsa_scheme scheme,
                                         struct cof_view data, struct cof_view sig);
/* The same over a digest made elsewhere; COF_E_USAGE when it has another size. */
COF_MUST_USE enum cof_err cof_rsa_sign_digest(const struct cof_rsa_key *key, enum cof_rsa_scheme scheme,
                                              struct cof_view digest, struct cof_buf *out);
COF_MUST_USE enum cof_err cof_rsa_verify_digest(const struct cof_rsa_key *key, enum cof_rsa_scheme scheme,
                                                struct cof_view digest, struct cof_view sig);

#endif
