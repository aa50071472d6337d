/* SPDX-License-Identifier: Apache-2.0
 *
 * A token under a fixed key set, whose private key nobody here has: nothing may be accepted.
 */
#include "engine/token.h"

#include <stdlib.h>

static const char keys[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"e1\",\"x\":\"eLEzoxixo1ILMhgW2rcJLdSjPFf-uqxWI92w1l0aSlA\","
    "\"y\":\"TN5Vz4UlhS9Rj3tmK_qjfFmTiAZud7CsWlf7HnLqxsU\"}]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct cof_token_policy policy = {.issuer = "i", .audience = "a"};
    static struct cof_jwks *jwks;
    struct cof_token token;
    struct cof_diag diag;

    if (jwks == NULL && cof_jwks_parse(cof_view_str(keys), &jwks, NULL) != COF_OK)
        abort();
    if (cof_token_verify(cof_view_of(data, size), jwks, &policy, 1795456800000, &token, &diag) == COF_OK)
        abort();
    return 0;
}
