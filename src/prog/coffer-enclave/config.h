/* SPDX-License-Identifier: Apache-2.0
 *
 * The enclave's configuration: one JSON file that is part of the measurement (docs/enclave-config.md). Nothing else
 * configures it: no environment, no arguments, no files of the host's (C-16).
 */
#ifndef COF_ENCLAVE_CONFIG_H
#define COF_ENCLAVE_CONFIG_H

#include "client/aws.h"
#include "engine/pad.h"
#include "io/dial.h"

#define CONFIG_MAX 131072 /* bytes */
#define PROCESSOR_ARGS_MAX 16
#define CLOCKS_MAX 8
#define JOBS_MAX 16

struct config {
    char region[64], account[16], bucket[64];
    char queue_url[512];
    char data_key_arn[300], results_key_arn[300];
    char model_key[512], model_key_arn[300]; /* the model's object and the KMS key it is sealed under; empty: none */
    struct cof_aws_endpoint endpoints[4];
    struct cof_buf ca_pem;     /* the only roots the enclave trusts */
    struct cof_addr host;      /* the parent's CONNECT proxy */
    uint64_t max_bytes;        /* of a sealed job; it is held in memory */
    size_t jobs;               /* at once, 1 to JOBS_MAX */
    unsigned recipient_bits;   /* of the RSA key that KMS seals data keys for */
    int64_t recipient_epoch_ms; /* how long one serves; 0: for one call */
    int64_t recipient_document_ms; /* how long one attestation document serves; 0: for one call */
    struct cof_pad result_pad; /* of results, before they are sealed */
    int64_t release_ms;        /* results leave at multiples of this after work on them began; 0: at once */
    int64_t processor_ms;      /* how long one job may take */
    uint32_t visibility_s;     /* of a message in work */
    char args[PROCESSOR_ARGS_MAX][128];
    const char *argv[PROCESSOR_ARGS_MAX + 1];
    bool allow_debug;          /* start though PCR0 is zero: anybody can look into such an enclave */
    char clocks[CLOCKS_MAX][32]; /* of an image: the clock sources that the kernel may use */
    size_t n_clocks;
    bool has_telemetry;        /* events and heartbeats go to the parent (docs/telemetry.md) */
    struct cof_addr telemetry;
    bool has_heartbeat;        /* of an image: tell the parent early that the kernel has booted */
    struct cof_addr heartbeat;
    uint8_t sha256[32];        /* of the file */
};

COF_MUST_USE enum cof_err config_parse(struct cof_view text, struct config *out, struct cof_diag *diag);
void config_done(struct config *config);

#endif
