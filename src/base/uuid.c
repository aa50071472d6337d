/* SPDX-License-Identifier: Apache-2.0 */
#include "base/uuid.h"

#include "base/codec.h"

void cof_uuid_text(const uint8_t bytes[static 16], char out[static COF_UUID_SIZE])
{
    static const struct { uint8_t from, n, at; } groups[] = {{0, 4, 0}, {4, 2, 9}, {6, 2, 14}, {8, 2, 19}, {10, 6, 24}};

    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        cof_hex_encode(bytes + groups[i].from, groups[i].n, out + groups[i].at);
        if (i + 1 < sizeof groups / sizeof groups[0])
            out[groups[i].at + 2 * groups[i].n] = '-';
    }
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
