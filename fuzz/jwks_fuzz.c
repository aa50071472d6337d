/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/token.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_jwks *jwks;
    struct cof_diag diag;

    if (cof_jwks_parse(cof_view_of(data, size), &jwks, &diag) != COF_OK)
        return 0;
    if (cof_jwks_count(jwks) == 0)
        abort();
    cof_jwks_free(jwks);
    return 0;
}
