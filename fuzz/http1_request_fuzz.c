/* SPDX-License-Identifier: Apache-2.0
 *
 * A head that is taken was complete, has unambiguous framing, and is taken the same way again from its own bytes alone.
 */
#include "format/http1.h"

#include <stdlib.h>

static void check_views(const struct cof_http_head *head, size_t size)
{
    if (head->headers.bytes.len > size || head->headers.n > COF_HEADERS_MAX || (head->chunked && head->has_length))
        abort();
    if (head->method.len == 0 || head->target.len == 0 || cof_view_find(head->target, ' ') != SIZE_MAX)
        abort();
    for (size_t i = 0; i < head->headers.n; i++) {
        struct cof_view value = cof_headers_value(&head->headers, i);
        if (!cof_is_token(cof_headers_name(&head->headers, i)) || cof_view_find(value, '\n') != SIZE_MAX ||
            cof_view_find(value, '\r') != SIZE_MAX || cof_view_find(value, 0) != SIZE_MAX)
            abort();
    }
    if (cof_headers_count(&head->headers, "host") > 1 || cof_headers_count(&head->headers, "content-length") > 1)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_http_head head, again;
    size_t used, used_again;
    enum cof_err err = cof_http1_request((struct cof_view){data, size}, 8192, &head, &used);

    if (err != COF_OK)
        return 0;
    if (used > size || used > 8192)
        abort();
    check_views(&head, size);
    if (cof_http1_request((struct cof_view){data, used}, 8192, &again, &used_again) != COF_OK || used_again != used)
        abort();
    cof_http1_head_done(&again);
    if (cof_http1_request((struct cof_view){data, used - 1}, 8192, &again, &used_again) != COF_E_SHORT)
        abort();
    cof_http1_head_done(&head);
    return 0;
}
