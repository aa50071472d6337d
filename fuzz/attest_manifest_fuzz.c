/* SPDX-License-Identifier: Apache-2.0
 *
 * A manifest's JSON: what parses keeps the rules, is written again and parses to the same. As a signed manifest the same bytes
 * verify under no key.
 */
#include "engine/attest_manifest.h"

#include <stdlib.h>

/* The public key of RFC 6979's example on P-256: nobody signs with it. */
static const uint8_t point[33] = {
    0x03, 0x60, 0xfe, 0xd4, 0xba, 0x25, 0x5a, 0x9d, 0x31, 0xc9, 0x61, 0xeb, 0x74, 0xc6, 0x35, 0x6d, 0x68,
    0xc0, 0x49, 0xb8, 0x92, 0x3b, 0x61, 0xfa, 0x6c, 0xe6, 0x69, 0x62, 0x2e, 0x60, 0xf2, 0x9f, 0xb6};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cof_ecdsa_key *key;
    struct cof_manifest m, again;
    struct cof_buf json, twice;

    if (key == NULL && cof_ecdsa_from_point(COF_P256, cof_view_of(point, sizeof point), &key) != COF_OK)
        abort();
    if (cof_manifest_verify((struct cof_view){data, size}, key, &m, NULL) == COF_OK || m.serial != 0)
        abort();
    if (cof_manifest_parse((struct cof_view){data, size}, &m, NULL) != COF_OK)
        return 0;
    if (m.serial < 1 || m.issued_ms >= m.expires_ms || (m.pcr_mask & 7) != 7 || m.image[0] == '\0' || m.n_key_arns > COF_MANIFEST_KEYS_MAX)
        abort();
    cof_buf_init(&json, COF_MANIFEST_MAX);
    if (cof_manifest_add(&json, &m, NULL) != COF_OK || cof_manifest_parse(cof_buf_view(&json), &again, NULL) != COF_OK ||
        again.serial != m.serial)
        abort();
    cof_buf_init(&twice, COF_MANIFEST_MAX);
    if (cof_manifest_add(&twice, &again, NULL) != COF_OK || !cof_view_eq(cof_buf_view(&json), cof_buf_view(&twice)))
        abort();
    cof_buf_done(&json);
    cof_buf_done(&twice);
    return 0;
}
