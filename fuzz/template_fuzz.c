/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct cof_template_value values[] = {{"a", "x\"\\\n"}, {"bucket", "vault"}};
    struct cof_diag diag;
    struct cof_buf out;

    cof_buf_init(&out, 65536);
    if (cof_template_fill(cof_view_of(data, size), values, 2, &out, &diag) != COF_OK)
        cof_buf_reset(&out);
    cof_buf_done(&out);
    return 0;
}
