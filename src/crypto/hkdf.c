/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/hkdf.h"

#include <string.h>

enum cof_err cof_hkdf_extract(enum cof_hash_alg alg, struct cof_view ikm, struct cof_view salt, struct cof_secret *prk)
{
    static const uint8_t zeros[COF_HASH_MAX] = {0};
    size_t size = cof_hash_size(alg);
    enum cof_err err;

    cof_secret_done(prk);
    if (size == 0)
        return COF_E_UNSUPPORTED;
    err = cof_hmac(alg, salt.len > 0 ? salt : cof_view_of(zeros, size), &ikm, 1, prk->bytes);
    if (err == COF_OK)
        prk->len = size;
    else
        cof_secret_done(prk);
    return err;
}

enum cof_err cof_hkdf_expand(enum cof_hash_alg alg, const struct cof_secret *prk, struct cof_view info, uint8_t *out,
                             size_t len)
{
    uint8_t block[COF_HASH_MAX];
    size_t size = cof_hash_size(alg), done = 0, have = 0;
    enum cof_err err = size == 0 ? COF_E_UNSUPPORTED : len > 255 * size ? COF_E_LIMIT : COF_OK;

    for (uint8_t i = 1; err == COF_OK && done < len; i++) {
        struct cof_view parts[3] = {{block, have}, info, {&i, 1}};
        size_t n = len - done < size ? len - done : size;

        err = cof_hmac(alg, cof_secret_view(prk), parts, 3, block);
        have = size;
        if (err == COF_OK)
            (void)memcpy(out + done, block, n);
        done += n;
    }
    cof_wipe(block, sizeof block);
    if (err != COF_OK && len > 0)
        cof_wipe(out, len);
    return err;
}

enum cof_err cof_hkdf(enum cof_hash_alg alg, struct cof_view ikm, struct cof_view salt, struct cof_view info, uint8_t *out,
                      size_t len)
{
    struct cof_secret prk COF_SECRET_AUTO = {0};
    enum cof_err err = cof_hkdf_extract(alg, ikm, salt, &prk);

    if (err == COF_OK)
        return cof_hkdf_expand(alg, &prk, info, out, len);
    if (len > 0)
        cof_wipe(out, len);
    return err;
}
