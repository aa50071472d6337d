/* SPDX-License-Identifier: Apache-2.0 */
#include "format/ini.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_ini ini;

    if (cof_ini_parse(cof_view_of(data, size), 16384, &ini, NULL) != COF_OK)
        return 0;
    for (size_t i = 0; i < ini.n; i++) {
        const struct cof_ini_entry *e = &ini.entries[i];
        if (e->section.len == 0 || e->section.len + e->name.len + e->outer.len + e->value.len > 3 * size)
            abort();
        for (size_t k = 0; k < e->value.len; k++)
            if (e->value.data[k] == '\n' || e->value.data[k] == 0)
                abort();
    }
    cof_ini_done(&ini);
    return 0;
}
