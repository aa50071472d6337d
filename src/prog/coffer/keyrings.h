/* SPDX-License-Identifier: Apache-2.0
 *
 * --keyring: from its texts to one keyring.
 */
#ifndef COF_COFFER_KEYRINGS_H
#define COF_COFFER_KEYRINGS_H

#include "common.h"

#include "client/keyring_kms.h"
#include "client/regions.h"
#include "engine/keyring_raw.h"

#define KEYRINGS_MAX 10

#define KEYRINGS_HELP                                                                                                          \
    "A KEYRING is one of\n"                                                                                                    \
    "  raw-aes:NAMESPACE:NAME:FILE           FILE holds 16, 24 or 32 bytes of an AES key\n"                                    \
    "  raw-rsa:NAMESPACE:NAME:PADDING:FILE   FILE holds an RSA key as PEM; PADDING is pkcs1, oaep-sha1, oaep-sha256,\n"       \
    "                                        oaep-sha384 or oaep-sha512\n"                                                     \
    "  kms:ARN                               an AWS KMS key by its full ARN\n"                                                 \
    "  kms-discovery[:ACCOUNT]               whatever KMS key the message names, in that account; opens only"

struct keyring_item {
    struct cof_view parts[5]; /* of the text: kind, namespace, name, ...; or kind, ARN or account */
    struct cof_secret key;
    struct cof_raw_aes aes;
    struct cof_rsa_key *rsa_key;
    struct cof_raw_rsa rsa;
    struct cof_keyring_kms kms;
};

struct keyrings {
    struct keyring_item items[KEYRINGS_MAX];
    struct cof_keyring children[KEYRINGS_MAX];
    struct cof_keyring_multi multi;
    struct cof_regions regions; /* a key is called where its ARN says */
    struct cof_log log;
};

/* Reads the key files; keeps views of texts, and must not move. AWS is not talked to before a KMS key is
 * used. for_encrypt: refuses what can only open. */
COF_MUST_USE enum cof_err keyrings_parse(const struct cof_text_list *texts, const struct aws_options *aws_options,
                                         bool for_encrypt, struct keyrings *out, struct cof_diag *diag);
/* All of them as one. */
struct cof_keyring keyrings_get(struct keyrings *keyrings);
void keyrings_done(struct keyrings *keyrings); /* takes a zeroed one */

#endif
