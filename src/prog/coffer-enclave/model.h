/* SPDX-License-Identifier: Apache-2.0
 *
 * The model that the configuration names: fetched from S3, opened with a key that KMS releases under the models' key to this
 * image, measured, and handed to the processor. Its SHA-384 is extended into PCR16, which is then locked, before the first data
 * key is asked for: a key policy can demand "this code with this very model" (kms:RecipientAttestation:PCR16), and an enclave
 * that loaded another can change nothing about it.
 *
 *   PCR16 = SHA384( 48 zero bytes || SHA384(model) )       coffer model measure FILE
 */
#ifndef COF_ENCLAVE_MODEL_H
#define COF_ENCLAVE_MODEL_H

#include "work.h"

#define MODEL_PCR 16

/* Fetched, opened and measured, once; appended to model (a secret builder). Blocking. A model must be configured. */
COF_MUST_USE enum cof_err model_load(struct worker *worker, struct cof_buf *model, struct cof_diag *diag);
/* To the worker's processor, and into its receipts. Blocking. Only after it was measured. */
COF_MUST_USE enum cof_err model_hand_over(struct worker *worker, struct cof_view model, struct cof_diag *diag);

#endif
