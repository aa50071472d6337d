/* SPDX-License-Identifier: Apache-2.0 */
#include "format/jwt.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_jwt jwt;
    struct cof_view v;
    int64_t ms;

    if (cof_jwt_parse(cof_view_of(data, size), 65536, &jwt) != COF_OK)
        return 0;
    if (jwt.signing_input.len >= size)
        abort();
    if (cof_jwt_read_claims(&jwt) == COF_OK) {
        if (cof_jwt_date(&jwt, "exp", &ms) == COF_OK && (ms < 0 || ms > 253402300799000))
            abort();
        if (cof_jwt_text(&jwt, "iss", &v) == COF_OK && v.data == NULL)
            abort();
        for (size_t i = 0; cof_jwt_item(&jwt, "aud", i, &v) == COF_OK; i++)
            if (i > size)
                abort();
    }
    cof_jwt_done(&jwt);
    return 0;
}
