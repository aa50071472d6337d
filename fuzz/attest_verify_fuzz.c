/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole document: envelope, payload, certificates. Any that verifies must be AWS's own (the seeds are).
 */
#include "engine/attest_verify.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_attest_policy policy = {.mode = COF_ATTEST_ARCHIVE, .any_image = true, .allow_debug = true};
    struct cof_attest attest;
    enum cof_err err = cof_attest_verify((struct cof_view){data, size}, &policy, &attest, NULL);

    if (err == COF_OK && !cof_view_eq(attest.doc.cabundle[0], cof_attest_aws_root()))
        abort();
    if (err != COF_OK && (err != COF_E_AUTH || attest.doc.n_cabundle != 0))
        abort();
    return 0;
}
