/* SPDX-License-Identifier: Apache-2.0
 *
 * No bytes that the fuzzer finds can verify under AWS's root, and nothing goes out when they do not.
 */
#include "engine/receipt.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_attest_policy policy = {.any_image = true};
    struct cof_receipt receipt;
    struct cof_attest attest;
    struct cof_diag diag;

    if (cof_receipt_verify((struct cof_view){data, size}, &policy, &receipt, &attest, &diag) == COF_OK)
        abort();
    if (receipt.tenant.len != 0 || receipt.attestation.len != 0 || attest.doc.n_cabundle != 0)
        abort();
    return 0;
}
