/* SPDX-License-Identifier: Apache-2.0
 *
 * Facts about an image that another tool can check, gathered row by row: size, colour histogram, mean colour, sharpness
 * and a perceptual hash. Memory is a few rows whatever the size. Floating point is used for the final divisions only,
 * so that every build gives the same figures.
 */
#ifndef COF_IMAGEFACTS_FACTS_H
#define COF_IMAGEFACTS_FACTS_H

#include "base/buf.h"

#define FACTS_BINS 16 /* per channel, equal widths of 16 values */
#define FACTS_HASH_W 9
#define FACTS_HASH_H 8

struct facts {
    uint32_t width, height; /* pixels */
    uint32_t row;           /* rows seen */
    uint64_t histogram[3][FACTS_BINS];
    uint64_t sum[3];
    uint8_t *luma[3];       /* the last three rows of luma */
    int64_t laplace_sum;
    uint64_t laplace_squares, laplace_n;
    uint64_t cell_sum[FACTS_HASH_H][FACTS_HASH_W], cell_n[FACTS_HASH_H][FACTS_HASH_W];
};

COF_MUST_USE enum cof_err facts_init(struct facts *facts, uint32_t width, uint32_t height);
void facts_done(struct facts *facts);
/* One row of 8-bit RGB, width * 3 bytes, top to bottom. */
void facts_add_row(struct facts *facts, const uint8_t *rgb);
/* The members "width" to "dhash" of a JSON object, without braces:
 * histogram: counts per channel and bin; mean: 0-255; sharpness: variance of the 4-neighbour Laplacian of luma
 * (Rec. 601 weights, rounded) over inner pixels; dhash: 64 bits, bit set where a cell of the 9x8 mean-luma grid is
 * darker than its right neighbour, row by row, most significant bit first. */
void facts_json(const struct facts *facts, struct cof_buf *out);

#endif
