/* SPDX-License-Identifier: Apache-2.0
 *
 * One job from message to stored result: fetch, compare with its authenticated context, open with an attested key, process,
 * seal, sign a receipt, store.
 */
#ifndef COF_ENCLAVE_WORK_H
#define COF_ENCLAVE_WORK_H

#include "client/kms_attested.h"
#include "config.h"
#include "crypto/ecdsa.h"
#include "telemetry.h"

enum outcome {
    OUTCOME_DONE,    /* stored, or stored already by somebody: delete the message */
    OUTCOME_REFUSED, /* it will never do: let the redrive policy take it to the dead-letter queue */
    OUTCOME_LATER,   /* a service or the processor failed: again later */
};

struct worker {
    const struct config *config;
    struct cof_aws *aws;
    struct cof_kms_attested kms;
    const struct cof_rng *rng;
    const struct cof_log *log;
    struct cof_ecdsa_key *signer;    /* of receipts; P-256, made at start */
    struct cof_http_client *http;    /* to the processor */
    struct cof_addr processor;
    uint8_t processor_sha256[32], model_sha256[32];
    bool has_model;
    struct telemetry *telemetry;     /* NULL: nobody is told */
    struct telemetry_state *state;   /* shared */
    bool processor_lost;             /* set when the connection is of no more use */
};

enum outcome work_on(struct worker *worker, struct cof_view message);

#endif
