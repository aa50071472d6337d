/* SPDX-License-Identifier: Apache-2.0
 *
 * Decodes a PNG or JPEG held in memory into rows of 8-bit RGB, top to bottom (libpng, libjpeg-turbo). Transparency is
 * dropped, grey becomes RGB, 16-bit channels are cut to 8; no colour management.
 */
#ifndef COF_IMAGEFACTS_IMAGE_H
#define COF_IMAGEFACTS_IMAGE_H

#include "base/view.h"

struct image_sink {
    /* Called once, before the rows. */
    enum cof_err (*size)(void *ctx, uint32_t width, uint32_t height);
    void (*row)(void *ctx, const uint8_t *rgb);
    void *ctx;
};

/* COF_E_UNSUPPORTED: neither PNG nor JPEG; COF_E_FORMAT: damaged; COF_E_TOO_LARGE: over max_pixels (or, for interlaced
 * PNGs, which must be held whole, over a quarter of it). *format is "png" or "jpeg". */
COF_MUST_USE enum cof_err image_decode(struct cof_view bytes, uint64_t max_pixels, const struct image_sink *sink,
                                       const char **format, struct cof_diag *diag);

#endif
