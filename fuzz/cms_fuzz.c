/* SPDX-License-Identifier: Apache-2.0
 *
 * What parses has the sizes it promises, is written again and parses to the same parts.
 */
#include "format/cms.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_cms_enveloped a, b;
    struct cof_buf one, two, out;

    if (cof_cms_enveloped_parse((struct cof_view){data, size}, &a, NULL) != COF_OK)
        return 0;
    cof_buf_init(&one, 65536);
    cof_buf_init(&two, 65536);
    cof_buf_init(&out, 65536);
    cof_cms_add_ciphertext(&one, &a);
    cof_cms_add_enveloped(&out, &a);
    if (one.len != a.ciphertext_len || one.len % 16 != 0 || one.len == 0 || a.iv.len != 16 || a.key_id.len != 32)
        abort();
    if (out.len <= COF_CMS_MAX) {
        if (cof_cms_enveloped_parse(cof_buf_view(&out), &b, NULL) != COF_OK)
            abort();
        cof_cms_add_ciphertext(&two, &b);
        if (!cof_view_eq(cof_buf_view(&one), cof_buf_view(&two)) || !cof_view_eq(a.encrypted_key, b.encrypted_key))
            abort();
    }
    cof_buf_done(&one);
    cof_buf_done(&two);
    cof_buf_done(&out);
    return 0;
}
