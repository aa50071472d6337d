/* SPDX-License-Identifier: Apache-2.0
 *
 * The KMS keyring of AWS Encryption SDK messages ("AWS KMS keyrings", framework specification): data keys from and to
 * KMS, under keys pinned by ARN. Provider "aws-kms", provider info = key ARN, ciphertext = KMS's blob.
 *
 * A strict keyring names its keys: the first makes the data key, all of them wrap it, and only messages for one of them open. A
 * discovery keyring opens whatever key a message names, within one partition and the accounts listed, and seals nothing. Every
 * answer must name the key that was asked for. With `attested` set all goes through the enclave's attested calls; KMS has no
 * attested Encrypt (C-09), so such a keyring has one key.
 */
#ifndef COF_CLIENT_KEYRING_KMS_H
#define COF_CLIENT_KEYRING_KMS_H

#include "client/kms_attested.h"
#include "engine/keyring.h"

#define COF_KMS_PROVIDER "aws-kms"

struct cof_keyring_kms {
    struct cof_aws *aws;               /* the client of every region, unless aws_of is set */
    /* The client of a region; *out stays the callee's. May be NULL. */
    enum cof_err (*aws_of)(void *ctx, struct cof_view region, struct cof_aws **out, struct cof_diag *diag);
    void *aws_of_ctx;
    struct cof_kms_attested *attested; /* NULL: plain calls */
    const struct cof_view *keys;       /* pinned ARNs */
    size_t n_keys;
    bool discovery;                    /* keys is not looked at */
    const char *partition;             /* discovery: "aws" when NULL */
    const struct cof_view *accounts;   /* discovery: twelve digits each; none: any account */
    size_t n_accounts;
};

/* As a keyring; points at it. Its calls block. Failures of the service come with words in the request's diag; opening tries every
 * data key that is this keyring's until one opens, but stops at once when KMS cannot be reached or asks to wait. */
struct cof_keyring cof_keyring_of_kms(struct cof_keyring_kms *keyring);
/* Whether this keyring may use that key: pinned, or within partition and accounts. Aliases never. */
bool cof_keyring_kms_allows(const struct cof_keyring_kms *keyring, struct cof_view key_arn);

#endif
