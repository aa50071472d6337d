/* SPDX-License-Identifier: Apache-2.0 */
#include "base/uuid.h"

#include "base/codec.h"

#include <string.h>

void cof_uuid_text(const uint8_t bytes[static 16], char out[static COF_UUID_SIZE])
{
    char digits[33];

    cof_hex_encode(bytes, 16, digits);
    memcpy(out, digits, 8);
    memcpy(out + 9, digits + 8, 4);
    memcpy(out + 14, digits + 12, 4);
    memcpy(out + 19, digits + 16, 4);
    memcpy(out + 24, digits + 20, 13);
    out[8] = out[13] = out[18] = out[23] = '-';
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
