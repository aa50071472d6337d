/* SPDX-License-Identifier: Apache-2.0
 *
 * Message headers: what parses is within the limits and, written again, the same where our writer can say it (framed).
 */
#include "format/esdk_header.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct cof_esdk_limits limits = {0}, wide = {.max_edks = COF_ESDK_EDKS_MAX, .max_frame_length = UINT32_MAX};
    static struct cof_esdk_header h, again;
    struct cof_view in = {data, size};
    struct cof_buf out;
    size_t used = 0, used_again = 0;
    enum cof_err err = cof_esdk_header_parse(in, &limits, &h, &used);

    if (err == COF_E_SHORT && used <= size)
        abort(); /* it must ask for more than there is */
    if (cof_esdk_header_parse(in, &wide, &again, &used_again) != COF_OK && err == COF_OK)
        abort();
    if (err != COF_OK)
        return 0;
    if (used > size || h.n_edks == 0 || h.n_edks > 10 || h.n_pairs > COF_ESDK_PAIRS_MAX || h.frame_length > 16u << 20)
        abort();
    for (size_t cut = 0; cut < used; cut += used / 16 + 1)
        if (cof_esdk_header_parse((struct cof_view){data, cut}, &limits, &again, &used_again) != COF_E_SHORT)
            abort();
    if (h.content_type != COF_ESDK_FRAMED)
        return 0;
    cof_buf_init(&out, COF_ESDK_HEADER_MAX);
    /* the reader takes pairs in any order and sorts them: then the same length, else the same bytes */
    if (cof_esdk_header_add(&out, &h) != COF_OK || out.len != h.body.len ||
        (h.n_pairs < 2 && !cof_view_eq(cof_buf_view(&out), h.body)))
        abort();
    cof_buf_done(&out);
    return 0;
}
