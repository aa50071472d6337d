/* SPDX-License-Identifier: Apache-2.0 */
#include "io/rng_os.h"

#include "base/secret.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#define SUPPLY 512 /* bytes fetched ahead */

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

/* Taken from the end. */
static _Thread_local struct {
    uint8_t bytes[SUPPLY];
    size_t left;
} supply;
static pthread_once_t watch_forks = PTHREAD_ONCE_INIT;
static bool forks_are_watched;

/* In the child, whose only thread is the one that forked. */
static void forget_supply(void)
{
    cof_wipe(supply.bytes, sizeof supply.bytes);
    supply.left = 0;
}

static void begin_watching(void)
{
    forks_are_watched = pthread_atfork(NULL, NULL, forget_supply) == 0;
}

static enum cof_err fill_supplied(void *ctx, uint8_t *out, size_t len)
{
    enum cof_err err = COF_OK;

    if (len > COF_RNG_SUPPLIED_MAX || len == 0)
        return fill(ctx, out, len);
    (void)pthread_once(&watch_forks, begin_watching);
    if (!forks_are_watched)
        return fill(ctx, out, len);
    if (supply.left < len) {
        supply.left = 0;
        err = fill(ctx, supply.bytes, sizeof supply.bytes);
        supply.left = err == COF_OK ? sizeof supply.bytes : 0;
    }
    if (err != COF_OK)
        return err;
    supply.left -= len;
    memcpy(out, supply.bytes + supply.left, len);
    cof_wipe(supply.bytes + supply.left, len);
    return COF_OK;
}

const struct cof_rng cof_rng_supplied = {fill_supplied, NULL};
