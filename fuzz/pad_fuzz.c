/* SPDX-License-Identifier: Apache-2.0
 *
 * A name, a newline and a padded text: whatever is read writes back to the same bytes, name and padding.
 */
#include "engine/pad.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_view name, padded, content;
    char again[COF_PAD_NAME_MAX];
    struct cof_pad pad;
    uint8_t piece[64];
    uint64_t at = 0;

    if (!cof_view_split(cof_view_of(data, size), '\n', &name, &padded) || cof_pad_parse(name, &pad) != COF_OK)
        return 0;
    cof_pad_name(&pad, again);
    if (!cof_view_eq_str(name, again))
        abort();
    if (cof_pad_strip(&pad, padded, &content) != COF_OK)
        return 0;
    for (size_t n = 1; n > 0; at += n) {
        n = cof_pad_piece(&pad, content.len, at, piece, sizeof piece);
        if (at + n > padded.len - content.len || memcmp(piece, padded.data + content.len + at, n) != 0)
            abort();
    }
    if (content.len + at != padded.len)
        abort();
    return 0;
}
