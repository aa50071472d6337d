/* SPDX-License-Identifier: Apache-2.0
 *
 * Whatever nitro-cli prints: what is read of it has an id that may be an argument, and a context of an enclave's.
 */
#include "format/nitro_cli.h"

#include <stdlib.h>
#include <string.h>

static const char id[] = "i-abc12345def67890a-enc9876abcd543210ef12";

static void look_at(const struct cof_nitro_enclave *e)
{
    if (!cof_nitro_is_id(cof_view_str(e->id)) || e->cid < 4)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_view v = cof_view_of(data, size);
    struct cof_nitro_enclave e;
    struct cof_diag diag;
    bool found, terminated;

    if (cof_nitro_parse_run(v, &e, &diag) == COF_OK)
        look_at(&e);
    if (cof_nitro_parse_describe(v, id, &found, &e, &diag) == COF_OK && found) {
        look_at(&e);
        if (strcmp(e.id, id) != 0)
            abort();
    }
    if (cof_nitro_parse_terminate(v, id, &terminated, NULL) != COF_OK && terminated)
        abort();
    return 0;
}
