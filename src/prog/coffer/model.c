/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer model measure: what a model makes of PCR16, for key policies to demand.
 */
#include "common.h"
#include "eif_view.h"
#include "verbs.h"

#include "base/codec.h"
#include "crypto/hash.h"
#include "engine/measure.h"

#include <stdio.h>

struct config {
    bool json;
};
static const struct cof_option options[] = {
    {"json", 0, COF_OPT_FLAG, NULL, "print it as JSON", offsetof(struct config, json)},
};
static const struct cof_command command = {
    .name = "model measure",
    .args = "FILE",
    .summary = "Prints the PCR16 of an enclave that has loaded this model, and the model's digests.",
    .details = "An enclave whose configuration names a model extends PCR16 with its SHA-384 and locks it before it asks for a data key, so\n"
               "that a key policy can demand this model (kms:RecipientAttestation:PCR16). To put a model where the enclave finds it:\n"
               "coffer put FILE s3://BUCKET/models/NAME --seal kms:ARN -c purpose=model -c key=models/NAME",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 1,
    .max_args = 1,
};

static enum cof_err run(const void *options_given, char **args, struct cof_diag *diag)
{
    const struct config *config = options_given;
    static const uint8_t zeros[COF_PCR_SIZE] = {0};
    uint8_t sha256[32], sha384[COF_PCR_SIZE], pcr[COF_PCR_SIZE];
    char hex[3][2 * COF_PCR_SIZE + 1];
    struct cof_buf model;
    enum cof_err err = eif_read_file(args[0], &model, diag);

    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, cof_buf_view(&model), sha256);
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA384, cof_buf_view(&model), sha384);
    if (err == COF_OK)
        err = cof_measure_extend(zeros, cof_view_of(sha384, sizeof sha384), pcr);
    cof_buf_done(&model);
    if (err != COF_OK)
        return err;
    cof_hex_encode(pcr, sizeof pcr, hex[0]);
    cof_hex_encode(sha384, sizeof sha384, hex[1]);
    cof_hex_encode(sha256, sizeof sha256, hex[2]);
    if (config->json)
        (void)printf("{\"PCR16\":\"%s\",\"sha384\":\"%s\",\"sha256\":\"%s\"}\n", hex[0], hex[1], hex[2]);
    else
        (void)printf("PCR16   %s\nSHA-384 %s\nSHA-256 %s\n", hex[0], hex[1], hex[2]);
    return COF_OK;
}

static int run_measure(int argc, char **argv)
{
    struct config config = {0};

    return verb_run("coffer model measure", &command, &config, run, argc, argv);
}

const struct verb verb_model_measure = {"model measure", &command, run_measure};
