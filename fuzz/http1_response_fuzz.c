/* SPDX-License-Identifier: Apache-2.0
 *
 * A reply's head that is taken has a status and unambiguous framing.
 */
#include "format/http1.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int to_head = 0; to_head < 2; to_head++) {
        struct cof_http_head head;
        size_t used;

        if (cof_http1_response((struct cof_view){data, size}, 8192, to_head == 1, &head, &used) != COF_OK)
            continue;
        if (used > size || head.status < 100 || head.status > 599 || (head.chunked && head.has_length))
            abort();
        if (to_head == 1 && (head.chunked || head.length != 0))
            abort();
        cof_http1_head_done(&head);
    }
    return 0;
}
