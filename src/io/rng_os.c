/* SPDX-License-Identifier: Apache-2.0 */
#include "io/rng_os.h"

#include <errno.h>
#include <sys/random.h>

static enum cof_err fill(void *ctx, uint8_t *out, size_t len)
{
    (void)ctx;
    while (len > 0) {
        ssize_t n = getrandom(out, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return COF_E_IO;
        out += n;
        len -= (size_t)n;
    }
    return COF_OK;
}

const struct cof_rng cof_rng_os = {fill, NULL};
