/* SPDX-License-Identifier: Apache-2.0
 *
 * The verbs of `coffer`: one file each, all with this shape. argv[0] is the verb; the return is the exit code.
 */
#ifndef COF_COFFER_VERBS_H
#define COF_COFFER_VERBS_H

#include "prog/options.h"

struct verb {
    const char *name;
    const struct cof_command *command;
    int (*run)(int argc, char **argv);
};

extern const struct verb verb_attest_verify;
extern const struct verb verb_receipt_verify;
extern const struct verb verb_manifest_sign, verb_manifest_verify;
extern const struct verb verb_audit_verify;
extern const struct verb verb_policy_generate, verb_policy_lint, verb_policy_rollover, verb_policy_simulate;
extern const struct verb verb_encrypt, verb_decrypt, verb_inspect;
extern const struct verb verb_put, verb_get, verb_cp, verb_ls, verb_rm, verb_roundtrip, verb_presign, verb_keygen, verb_watch;
extern const struct verb verb_rewrap;
extern const struct verb verb_eif_build, verb_eif_ramdisk, verb_eif_describe, verb_eif_verify, verb_eif_split;
extern const struct verb verb_model_measure;
extern const struct verb verb_submit, verb_status, verb_result;

#endif
