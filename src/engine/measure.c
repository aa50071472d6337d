/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/measure.h"

#include "crypto/hash.h"

#include <string.h>

static enum cof_err extend(struct cof_hash *hash, const uint8_t *old, struct cof_view data, uint8_t *out)
{
    enum cof_err err = cof_hash_update(hash, cof_view_of(old, COF_PCR_SIZE));

    if (err == COF_OK)
        err = cof_hash_update(hash, data);
    return err != COF_OK ? err : cof_hash_final(hash, out);
}

/* Hashes first, then parts[0..n), then extends a zero register with the digest. */
static enum cof_err measure(struct cof_hash *hash, const struct cof_view *first, size_t n_first,
                            const struct cof_view *parts, size_t n, uint8_t *out)
{
    static const uint8_t zeros[COF_PCR_SIZE] = {0};
    uint8_t digest[COF_PCR_SIZE];
    enum cof_err err = COF_OK;

    for (size_t i = 0; err == COF_OK && i < n_first; i++)
        err = cof_hash_update(hash, first[i]);
    for (size_t i = 0; err == COF_OK && i < n; i++)
        err = cof_hash_update(hash, parts[i]);
    if (err == COF_OK)
        err = cof_hash_final(hash, digest);
    return err != COF_OK ? err : extend(hash, zeros, cof_view_of(digest, sizeof digest), out);
}

enum cof_err cof_measure_image(const struct cof_image_parts *parts, struct cof_image_pcrs *out)
{
    struct cof_view boot[2] = {parts->kernel, parts->cmdline};
    struct cof_hash *hash = NULL;
    enum cof_err err;

    memset(out, 0, sizeof *out);
    if (parts->n_ramdisks == 0)
        return COF_E_USAGE;
    err = cof_hash_new(COF_SHA384, &hash);
    if (err == COF_OK)
        err = measure(hash, boot, 2, parts->ramdisks, parts->n_ramdisks, out->pcr0);
    if (err == COF_OK)
        err = measure(hash, boot, 2, parts->ramdisks, 1, out->pcr1);
    if (err == COF_OK)
        err = measure(hash, NULL, 0, parts->ramdisks + 1, parts->n_ramdisks - 1, out->pcr2);
    if (err == COF_OK && parts->signing_cert.len > 0)
        err = measure(hash, NULL, 0, &parts->signing_cert, 1, out->pcr8);
    cof_hash_free(hash);
    if (err != COF_OK)
        memset(out, 0, sizeof *out);
    return err;
}

enum cof_err cof_measure_extend(const uint8_t old[static COF_PCR_SIZE], struct cof_view data,
                                uint8_t out[static COF_PCR_SIZE])
{
    struct cof_hash *hash = NULL;
    enum cof_err err = cof_hash_new(COF_SHA384, &hash);

    if (err == COF_OK)
        err = extend(hash, old, data, out);
    cof_hash_free(hash);
    return err;
}
