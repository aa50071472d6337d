/* SPDX-License-Identifier: Apache-2.0 */
#include "facts.h"

#include "base/secret.h"

#include <stdlib.h>

enum cof_err facts_init(struct facts *facts, uint32_t width, uint32_t height)
{
    *facts = (struct facts){.width = width, .height = height};
    if (width == 0 || height == 0)
        return COF_E_FORMAT;
    for (int i = 0; i < 3; i++) {
        facts->luma[i] = calloc(width, 1);
        if (facts->luma[i] == NULL) {
            facts_done(facts);
            return COF_E_MEMORY;
        }
    }
    return COF_OK;
}

void facts_done(struct facts *facts)
{
    for (int i = 0; i < 3; i++) {
        if (facts->luma[i] != NULL)
            cof_wipe(facts->luma[i], facts->width);
        free(facts->luma[i]);
    }
    cof_wipe(facts, sizeof *facts);
}

/* Laplacian of the middle one of the last three rows. */
static void add_laplace(struct facts *f)
{
    const uint8_t *up = f->luma[0], *mid = f->luma[1], *down = f->luma[2];

    for (uint32_t x = 1; x + 1 < f->width; x++) {
        int64_t l = 4 * (int64_t)mid[x] - mid[x - 1] - mid[x + 1] - up[x] - down[x];
        f->laplace_sum += l;
        f->laplace_squares += (uint64_t)(l * l);
        f->laplace_n++;
    }
}

void facts_add_row(struct facts *f, const uint8_t *rgb)
{
    uint8_t *oldest = f->luma[0];
    uint32_t cell_y = (uint32_t)((uint64_t)f->row * FACTS_HASH_H / f->height);

    if (f->row >= f->height)
        return;
    f->luma[0] = f->luma[1];
    f->luma[1] = f->luma[2];
    f->luma[2] = oldest;
    for (uint32_t x = 0; x < f->width; x++) {
        const uint8_t *p = rgb + 3 * (size_t)x;
        uint32_t cell_x = (uint32_t)((uint64_t)x * FACTS_HASH_W / f->width);
        for (int c = 0; c < 3; c++) {
            f->histogram[c][p[c] / (256 / FACTS_BINS)]++;
            f->sum[c] += p[c];
        }
        oldest[x] = (uint8_t)((299u * p[0] + 587u * p[1] + 114u * p[2] + 500u) / 1000u);
        f->cell_sum[cell_y][cell_x] += oldest[x];
        f->cell_n[cell_y][cell_x]++;
    }
    f->row++;
    if (f->row >= 3)
        add_laplace(f);
}

/* a/b < c/d without rounding; an empty cell (an image narrower than the grid) counts as black. A cell holds at most a
 * few million pixels (main.c's limit), so the products fit. */
static bool darker(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    if (b == 0)
        return d != 0 && c > 0;
    if (d == 0)
        return false;
    return a * d < c * b;
}

static uint64_t dhash(const struct facts *f)
{
    uint64_t bits = 0;

    for (int y = 0; y < FACTS_HASH_H; y++)
        for (int x = 0; x + 1 < FACTS_HASH_W; x++)
            bits = bits << 1 | darker(f->cell_sum[y][x], f->cell_n[y][x], f->cell_sum[y][x + 1], f->cell_n[y][x + 1]);
    return bits;
}

static double sharpness(const struct facts *f)
{
    double n = (double)f->laplace_n, mean;

    if (f->laplace_n == 0)
        return 0;
    mean = (double)f->laplace_sum / n;
    return (double)f->laplace_squares / n - mean * mean;
}

void facts_json(const struct facts *f, struct cof_buf *out)
{
    static const char *const names[] = {"red", "green", "blue"};
    double n = (double)f->width * (double)f->height;

    cof_buf_printf(out, "\"width\":%u,\"height\":%u,\"histogram\":{", f->width, f->height);
    for (int c = 0; c < 3; c++) {
        cof_buf_printf(out, "%s\"%s\":[", c == 0 ? "" : ",", names[c]);
        for (int b = 0; b < FACTS_BINS; b++)
            cof_buf_printf(out, "%s%llu", b == 0 ? "" : ",", (unsigned long long)f->histogram[c][b]);
        cof_buf_add_str(out, "]");
    }
    cof_buf_printf(out, "},\"mean\":[%.3f,%.3f,%.3f],\"sharpness\":%.3f,\"dhash\":\"%016llx\"", (double)f->sum[0] / n,
                   (double)f->sum[1] / n, (double)f->sum[2] / n, sharpness(f), (unsigned long long)dhash(f));
}
