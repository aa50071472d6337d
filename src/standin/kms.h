/* SPDX-License-Identifier: Apache-2.0
 *
 * AWS KMS of the stand-in (JSON 1.1, "AWS KMS API Reference"). A Recipient's attestation document is verified as AWS would:
 * COSE, chain to the configured roots, time; then the key policy sees its PCRs. With a Recipient no plaintext is ever in an
 * answer.
 */
#ifndef COF_STANDIN_KMS_H
#define COF_STANDIN_KMS_H

#include "standin/standin.h"

extern const struct cof_service cof_service_kms;
/* For services that encrypt under the caller's key: S3. */
extern const struct cof_kms_hooks cof_service_kms_hooks;

#endif
