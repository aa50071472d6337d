/* SPDX-License-Identifier: Apache-2.0
 *
 * The signed suites' key and signature: the public half stands in the encryption context (base64 of the compressed point
 * under "aws-crypto-public-key"), the signature at the message's end has a length known beforehand.
 */
#ifndef COF_ENGINE_ESDK_SIGN_H
#define COF_ENGINE_ESDK_SIGN_H

#include "engine/esdk_keys.h"

/* The context value of a key, appended. */
COF_MUST_USE enum cof_err cof_esdk_public_value(const struct cof_ecdsa_key *key, struct cof_buf *value);
/* The key of a context value. COF_E_FORMAT when it is none of the suite's curve. */
COF_MUST_USE enum cof_err cof_esdk_public_parse(const struct cof_suite *suite, struct cof_view value,
                                                struct cof_ecdsa_key **out);

/* Bytes of every signature we write under that suite; 0 for an unsigned one. */
size_t cof_esdk_signature_length(const struct cof_suite *suite);
/* Adds the DER signature of a digest, of just that length. */
COF_MUST_USE enum cof_err cof_esdk_sign(const struct cof_suite *suite, const struct cof_ecdsa_key *key,
                                        struct cof_view digest, struct cof_buf *out);

#endif
