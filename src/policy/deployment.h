/* SPDX-License-Identifier: Apache-2.0
 *
 * The manifest of a deployment: the little that its policies (deploy/iam) depend on, as JSON.
 *
 *   {"account": "111122223333", "region": "eu-west-1", "bucket": "NAME",
 *    "keys": {"data", "results", "models", "storage"},                 a key id or its ARN; no alias, since aliases move
 *    "queues"?: {"jobs", "dead_letter"},                               a name or ARN; coffer-jobs, coffer-jobs-dead
 *    "roles"?: {"producer", "consumer", "owner", "deployer", "auditor", "admin"},   a name or ARN; coffer-producer, ...
 *    "images": [{"PCR0", "PCR1", "PCR2"} | {"$file": "PATH"}],         as `coffer eif describe --json` prints them
 *    "models"?: ["PCR16" | {"PCR16"} | {"$file": "PATH"}],             as `coffer model measure --json` prints them
 *    "vpc_endpoints"?: ["vpce-..."], "source_accounts"?: ["..."]}
 *
 * "$comment" is allowed in every object. Everything else is refused, with line and column and, where one helps, a
 * suggestion: unknown members, wrong lengths, PCRs of zeros (a debug enclave), one thing under two names, an ARN of
 * another account or region, two images that contradict each other.
 */
#ifndef COF_POLICY_DEPLOYMENT_H
#define COF_POLICY_DEPLOYMENT_H

#include "base/buf.h"

#define COF_DEPLOYMENT_IMAGES_MAX 8
#define COF_DEPLOYMENT_LIST_MAX 32
#define COF_DEPLOYMENT_TEXT_MAX ((size_t)256 << 10)
#define COF_PCR_HEX 96

enum cof_deployment_arn {
    COF_ARN_DATA_KEY,
    COF_ARN_RESULTS_KEY,
    COF_ARN_MODELS_KEY,
    COF_ARN_STORAGE_KEY,
    COF_ARN_JOBS_QUEUE,
    COF_ARN_DEAD_LETTER_QUEUE,
    COF_ARN_PRODUCER_ROLE,
    COF_ARN_CONSUMER_ROLE,
    COF_ARN_OWNER_ROLE,
    COF_ARN_DEPLOYER_ROLE,
    COF_ARN_AUDITOR_ROLE,
    COF_ARN_ADMIN_ROLE,
    COF_ARN_COUNT,
};

/* PCRs are lower-case hex. An entry that stands in another file has only file until cof_deployment_fill gave it the
 * file's text. */
struct cof_deployment_entry {
    char pcr[3][COF_PCR_HEX + 1]; /* an image: PCR0, 1 and 2; a model: PCR16 in the first */
    char file[256];
    size_t line, column;
};

struct cof_deployment {
    char account[13], region[32], bucket[64];
    char arns[COF_ARN_COUNT][640];
    struct cof_deployment_entry images[COF_DEPLOYMENT_IMAGES_MAX], models[COF_DEPLOYMENT_LIST_MAX];
    char endpoints[COF_DEPLOYMENT_LIST_MAX][32], source_accounts[COF_DEPLOYMENT_LIST_MAX][13];
    size_t n_images, n_models, n_endpoints, n_source_accounts;
};

/* COF_E_CONFIG (or COF_E_LIMIT, COF_E_MEMORY) with line and column in diag. Not yet checked: what stands in other files. */
COF_MUST_USE enum cof_err cof_deployment_parse(struct cof_view text, struct cof_deployment *out, struct cof_diag *diag);
/* The text of entry->file, of an image or of a model. */
COF_MUST_USE enum cof_err cof_deployment_fill(struct cof_deployment_entry *entry, bool model, struct cof_view text,
                                              struct cof_diag *diag);
/* Once all entries are filled: images and models that are there twice or contradict each other. */
COF_MUST_USE enum cof_err cof_deployment_check(const struct cof_deployment *deployment, struct cof_diag *diag);

/* One image as `coffer eif describe --json` and nitro-cli print it, alone or as member "Measurements". COF_E_CONFIG; COF_E_AUTH
 * when it is described as damaged or with a signature that does not hold. */
COF_MUST_USE enum cof_err cof_deployment_image(struct cof_view text, struct cof_deployment_entry *out,
                                               struct cof_diag *diag);

/* The text as a PCR in lower case; what is wrong with it otherwise, as words, and NULL when nothing is. */
const char *cof_pcr_read(struct cof_view text, char out[static COF_PCR_HEX + 1]);

#endif
