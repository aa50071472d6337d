/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints how fast this processor's time-stamp counter runs, in kHz. A guest of emulated QEMU has that same counter; a microvm has no timer
 * to measure it by, and no hypervisor that tells (deploy/vm/monitor).
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define SPAN_MS 100
#define TRIES 100

/* Both clocks at nearly the same moment: the closest pair of some, since we may be interrupted between the two. */
static void now(uint64_t *ticks, int64_t *ns)
{
    int64_t best = INT64_MAX;

    for (int i = 0; i < TRIES; i++) {
        struct timespec a, b;
        uint64_t t;
        int64_t took;

        (void)clock_gettime(CLOCK_MONOTONIC_RAW, &a);
        t = __builtin_ia32_rdtsc();
        (void)clock_gettime(CLOCK_MONOTONIC_RAW, &b);
        took = (b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec;
        if (took < best) {
            best = took;
            *ticks = t;
            *ns = (int64_t)a.tv_sec * 1000000000 + a.tv_nsec + took / 2;
        }
    }
}

int main(void)
{
    const struct timespec span = {.tv_nsec = SPAN_MS * 1000000};
    uint64_t ticks = 0, ticks_later = 0;
    int64_t ns = 0, ns_later = 0;

    now(&ticks, &ns);
    (void)nanosleep(&span, NULL);
    now(&ticks_later, &ns_later);
    if (ns_later <= ns || ticks_later <= ticks)
        return 1;
    printf("%.0f\n", (double)(ticks_later - ticks) * 1e6 / (double)(ns_later - ns));
    return 0;
}
