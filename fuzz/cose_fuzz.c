/* SPDX-License-Identifier: Apache-2.0
 *
 * What parses is written again and parses to the same.
 */
#include "format/cose.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_cose_sign1 a, b;
    struct cof_buf out;

    if (cof_cose_sign1_parse((struct cof_view){data, size}, 65536, &a) != COF_OK)
        return 0;
    cof_buf_init(&out, size + 64);
    cof_cose_add_sign1(&out, a.tagged, a.protected_header, a.payload, a.signature);
    if (cof_cose_sign1_parse(cof_buf_view(&out), 65536, &b) != COF_OK || b.alg != a.alg || b.tagged != a.tagged ||
        !cof_view_eq(a.payload, b.payload) || !cof_view_eq(a.signature, b.signature))
        abort();
    cof_buf_done(&out);
    return 0;
}
