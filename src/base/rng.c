/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"

#include <string.h>

enum cof_err cof_rng_fill(const struct cof_rng *rng, uint8_t *out, size_t len)
{
    enum cof_err err = rng->fill(rng->ctx, out, len);

    if (err != COF_OK && len > 0)
        memset(out, 0, len);
    return err;
}
