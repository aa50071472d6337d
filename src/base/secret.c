/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <string.h>

void cof_wipe(void *data, size_t len)
{
    if (data != NULL && len > 0)
        explicit_bzero(data, len);
}

bool cof_equal_ct(struct cof_view a, struct cof_view b)
{
    volatile uint64_t diff = 0; /* so that no comparison ends early */
    size_t i = 0;
    uint64_t x, y;

    if (a.len != b.len)
        return false;
    for (; a.len - i >= sizeof x; i += sizeof x) {
        memcpy(&x, a.data + i, sizeof x);
        memcpy(&y, b.data + i, sizeof y);
        diff = diff | (x ^ y);
    }
    for (; i < a.len; i++)
        diff = diff | (uint64_t)(a.data[i] ^ b.data[i]);
    return diff == 0;
}

enum cof_err cof_secret_set(struct cof_secret *secret, struct cof_view v)
{
    cof_secret_done(secret);
    if (v.len > sizeof secret->bytes)
        return COF_E_LIMIT;
    if (v.len > 0)
        memcpy(secret->bytes, v.data, v.len);
    secret->len = v.len;
    return COF_OK;
}

struct cof_view cof_secret_view(const struct cof_secret *secret)
{
    return (struct cof_view){secret->bytes, secret->len};
}

void cof_secret_done(struct cof_secret *secret)
{
    if (secret != NULL)
        cof_wipe(secret, sizeof *secret);
}
