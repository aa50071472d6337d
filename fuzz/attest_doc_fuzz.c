/* SPDX-License-Identifier: Apache-2.0
 *
 * What parses obeys the bounds, is written again and parses to the same bytes a second time.
 */
#include "format/attest_doc.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_attest_doc doc, again;
    struct cof_buf one, two;

    if (cof_attest_doc_parse((struct cof_view){data, size}, &doc, NULL) != COF_OK)
        return 0;
    if (doc.module_id.len == 0 || doc.timestamp_ms <= 0 || doc.pcr_mask == 0 || doc.certificate.len == 0 ||
        doc.n_cabundle == 0 || doc.n_cabundle > COF_ATTEST_CABUNDLE_MAX)
        abort();
    cof_buf_init(&one, 2 * COF_ATTEST_PAYLOAD_MAX);
    cof_buf_init(&two, 2 * COF_ATTEST_PAYLOAD_MAX);
    cof_attest_doc_add(&one, &doc);
    if (one.len <= COF_ATTEST_PAYLOAD_MAX) {
        if (cof_attest_doc_parse(cof_buf_view(&one), &again, NULL) != COF_OK)
            abort();
        cof_attest_doc_add(&two, &again);
        if (!cof_view_eq(cof_buf_view(&one), cof_buf_view(&two)))
            abort();
    }
    cof_buf_done(&one);
    cof_buf_done(&two);
    return 0;
}
