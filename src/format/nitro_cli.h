/* SPDX-License-Identifier: Apache-2.0
 *
 * What AWS's nitro-cli prints: JSON of run-enclave, describe-enclaves and terminate-enclave (Nitro Enclaves user guide, "Nitro
 * CLI commands"). Members that are not needed are passed over, since its versions differ; those that are must be right.
 */
#ifndef COF_FORMAT_NITRO_CLI_H
#define COF_FORMAT_NITRO_CLI_H

#include "base/view.h"

#define COF_NITRO_ID_MAX 96
#define COF_NITRO_OUTPUT_MAX 131072 /* bytes */
#define COF_NITRO_PCRS 3

struct cof_nitro_enclave {
    char id[COF_NITRO_ID_MAX];  /* "i-0abc...-enc0123..." */
    uint32_t cid;
    bool is_running, is_debug;  /* of describe-enclaves */
    bool has_pcrs;              /* PCR0 to 2; of describe-enclaves, where it was told them */
    uint8_t pcrs[COF_NITRO_PCRS][48];
};

/* Letters, digits and hyphens: it is an argument of commands. */
bool cof_nitro_is_id(struct cof_view text);
/* COF_E_FORMAT for what cannot be such output. */
COF_MUST_USE enum cof_err cof_nitro_parse_run(struct cof_view output, struct cof_nitro_enclave *out, struct cof_diag *diag);
/* The one with that id; *found false when it is not among them. */
COF_MUST_USE enum cof_err cof_nitro_parse_describe(struct cof_view output, const char *id, bool *found, struct cof_nitro_enclave *out,
                                                   struct cof_diag *diag);
COF_MUST_USE enum cof_err cof_nitro_parse_terminate(struct cof_view output, const char *id, bool *terminated, struct cof_diag *diag);

#endif
