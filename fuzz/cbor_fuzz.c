/* SPDX-License-Identifier: Apache-2.0
 *
 * What the strict reader takes must be well formed, and lie inside the input.
 */
#include "format/cbor.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"a", "b", "module_id"};
    struct cof_view in = {data, size}, item;
    struct cof_cbor_map map;
    size_t index;

    if (cof_cbor_skip(&in, 16, &item) == COF_OK) {
        if (item.data != data || item.len + in.len != size || !cof_cbor_well_formed(item, 17))
            abort();
    }
    (void)cof_cbor_well_formed((struct cof_view){data, size}, 64);
    in = (struct cof_view){data, size};
    if (cof_cbor_map_open(&in, true, &map) == COF_OK)
        while (cof_cbor_map_next(&in, &map, names, 3, &index) == COF_OK && index != COF_CBOR_END)
            if (cof_cbor_skip(&in, 4, NULL) != COF_OK)
                break;
    return 0;
}
