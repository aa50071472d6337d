/* SPDX-License-Identifier: Apache-2.0
 *
 * The KMS keyring of AWS Encryption SDK messages ("AWS KMS keyrings", framework specification): data keys from and to
 * KMS, under keys pinned by ARN. Provider "aws-kms", provider info = key ARN, ciphertext = KMS's blob. A strict keyring
 * names its keys; a discovery keyring opens whatever key a message names, within one partition and the accounts listed.
 * With `attested` set, all goes through the enclave's attested calls.
 */
#ifndef COF_CLIENT_KEYRING_KMS_H
#define COF_CLIENT_KEYRING_KMS_H

#include "client/kms_attested.h"
#include "format/esdk_header.h"

#define COF_KMS_PROVIDER "aws-kms"

struct cof_keyring_kms {
    struct cof_aws *aws;
    struct cof_kms_attested *attested; /* NULL: plain calls */
    const struct cof_view *keys;       /* pinned ARNs; the first one makes data keys */
    size_t n_keys;
    bool discovery;                    /* keys is not looked at; decryption only */
    const char *partition;             /* discovery: "aws" when NULL */
    const struct cof_view *accounts;   /* discovery: twelve digits each; at least one */
    size_t n_accounts;
};

/* A fresh 32-byte data key, and the same sealed (appended to blob): its edk has the provider above and keys[0] as info.
 */
COF_MUST_USE enum cof_err cof_keyring_kms_generate(const struct cof_keyring_kms *keyring,
                                                   const struct cof_esdk_pair *pairs, size_t n,
                                                   struct cof_secret *data_key, struct cof_buf *blob,
                                                   struct cof_diag *diag);
/* Opens the first encrypted data key that is this keyring's. COF_E_NOT_FOUND: none is; else the last failure: RETRY
 * class failures stop at once, others go on to the next. data_key is 32 bytes. */
COF_MUST_USE enum cof_err cof_keyring_kms_decrypt(const struct cof_keyring_kms *keyring,
                                                  const struct cof_esdk_header *header, struct cof_secret *data_key,
                                                  struct cof_diag *diag);
/* Whether this keyring may use that key: pinned, or within partition and accounts. Aliases never. */
bool cof_keyring_kms_allows(const struct cof_keyring_kms *keyring, struct cof_view key_arn);

#endif
