/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames, the single block and the footer: parsed sizes add up, never over the limits.
 * Input: frame length (2 bytes), sequence number (4), the bytes.
 */
#include "format/esdk_frame.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_view in = {data, size}, signature, head;
    struct cof_esdk_frame f;
    uint16_t frame_length;
    uint32_t sequence;
    size_t used = 0;
    enum cof_err err;

    if (cof_take_u16(&in, &frame_length) != COF_OK || cof_take_u32(&in, &sequence) != COF_OK || sequence == 0)
        return 0;
    err = cof_esdk_frame_parse(in, sequence, frame_length, &f, &used);
    if (err == COF_E_SHORT && used <= in.len)
        abort();
    if (err == COF_OK) {
        uint8_t again[COF_ESDK_FRAME_HEAD_MAX];

        if (f.length > frame_length || f.sequence != sequence || used != cof_esdk_frame_size(f.part, (size_t)f.length))
            abort();
        head = cof_view_sub(in, 0, cof_esdk_frame_head(f.part, f.sequence, (uint32_t)f.length, again));
        if (f.head != head.len) /* the IV is the writer's choice */
            abort();
    }
    err = cof_esdk_block_parse(in, 1000, &f, &used);
    if ((err == COF_OK && f.length > 1000) || (err == COF_E_SHORT && used <= in.len))
        abort();
    err = cof_esdk_footer_parse(in, &signature, &used);
    if ((err == COF_OK && (signature.len == 0 || signature.len > COF_ESDK_SIGNATURE_MAX || used != signature.len + 2)) ||
        (err == COF_E_SHORT && used <= in.len))
        abort();
    return 0;
}
