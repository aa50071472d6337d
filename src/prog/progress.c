/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/progress.h"

#include "io/clock.h"

#include <stdio.h>
#include <unistd.h>

#define FIRST_MS 500
#define EVERY_MS 100

void cof_progress_begin(struct cof_progress *p, const char *label, uint64_t total, bool quiet)
{
    int64_t now = cof_clock_monotonic_ms();

    *p = (struct cof_progress){.label = label, .total = total, .started_ms = now,
                               .shown_ms = now + FIRST_MS - EVERY_MS, .is_on = !quiet && isatty(STDERR_FILENO) == 1};
}

/* "1.5 GiB" */
static void print_size(double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    unsigned unit = 0;

    for (; bytes >= 1024 && unit < 4; unit++)
        bytes /= 1024;
    (void)fprintf(stderr, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

static void show(const struct cof_progress *p, int64_t now)
{
    double seconds = (double)(now - p->started_ms) / 1000, rate = seconds > 0 ? (double)p->done / seconds : 0;

    (void)fprintf(stderr, "\r\033[K%s: ", p->label);
    print_size((double)p->done);
    if (p->total > 0) {
        (void)fprintf(stderr, " of ");
        print_size((double)p->total);
        (void)fprintf(stderr, ", %.0f %%", 100 * (double)p->done / (double)p->total);
    }
    (void)fprintf(stderr, ", ");
    print_size(rate);
    (void)fprintf(stderr, "/s");
    if (p->total > p->done && rate > 0) {
        uint64_t left = (uint64_t)((double)(p->total - p->done) / rate + 0.5);
        (void)fprintf(stderr, ", %u:%02u left", (unsigned)(left / 60), (unsigned)(left % 60));
    }
    (void)fflush(stderr);
}

void cof_progress_add(struct cof_progress *p, uint64_t bytes)
{
    int64_t now;

    p->done += bytes;
    if (!p->is_on)
        return;
    now = cof_clock_monotonic_ms();
    if (now - p->shown_ms < EVERY_MS)
        return;
    p->shown_ms = now;
    p->was_shown = true;
    show(p, now);
}

void cof_progress_end(struct cof_progress *p)
{
    if (p->was_shown)
        (void)fprintf(stderr, "\r\033[K");
    p->is_on = p->was_shown = false;
}
