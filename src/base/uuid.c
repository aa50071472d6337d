/* SPDX-License-Identifier: Apache-2.0 */
#include "base/uuid.h"

#include "base/codec.h"

#include <stdio.h>

void cof_uuid_text(const uint8_t bytes[static 16], char out[static COF_UUID_SIZE])
{
    char hex[33];

    cof_hex_encode(bytes, 16, hex);
    (void)snprintf(out, COF_UUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

enum cof_err cof_uuid_new(const struct cof_rng *rng, char out[static COF_UUID_SIZE])
{
    uint8_t b[16];
    enum cof_err err = cof_rng_fill(rng, b, sizeof b);

    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    cof_uuid_text(b, out);
    return err;
}
