/* SPDX-License-Identifier: Apache-2.0 */
#include "image.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <jpeglib.h> /* needs stdio.h before it */
#include <stdlib.h>
#include <string.h>

/* Both libraries report errors by jumping; everything they need lives in one struct outside the jumping frames. */
struct png_job {
    struct cof_view in;
    const struct image_sink *sink;
    uint64_t max_pixels;
    struct cof_diag *diag;
    png_structp png;
    png_infop info;
    uint8_t *pixels; /* a row, or the whole image when interlaced */
    enum cof_err err;
};

static void png_feed(png_structp png, png_bytep out, size_t len)
{
    struct png_job *job = png_get_io_ptr(png);
    struct cof_view piece;

    if (cof_take(&job->in, len, &piece) != COF_OK)
        png_error(png, "the file ends too early");
    memcpy(out, piece.data, len);
}

static void png_failed(png_structp png, png_const_charp message)
{
    struct png_job *job = png_get_error_ptr(png);

    job->err = cof_diag_set(job->diag, COF_E_FORMAT, "damaged PNG: %s", message);
    png_longjmp(png, 1);
}

static void png_warned(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void png_to_rgb(png_structp png)
{
    png_set_expand(png);
    png_set_strip_16(png);
    png_set_strip_alpha(png);
    png_set_gray_to_rgb(png);
}

static void png_rows(struct png_job *job, uint32_t width, uint32_t height, int passes)
{
    size_t stride = (size_t)width * 3, rows = passes > 1 ? height : 1;

    if (png_get_rowbytes(job->png, job->info) != stride) {
        job->err = COF_E_BUG;
        return;
    }
    job->pixels = calloc(rows, stride);
    if (job->pixels == NULL) {
        job->err = COF_E_MEMORY;
        return;
    }
    for (int pass = 0; pass < passes; pass++)
        for (uint32_t y = 0; y < height; y++) {
            uint8_t *row = job->pixels + (passes > 1 ? y * stride : 0);
            png_read_row(job->png, row, NULL);
            if (pass == passes - 1)
                job->sink->row(job->sink->ctx, row);
        }
    png_read_end(job->png, NULL);
    job->err = COF_OK;
}

static void png_run(struct png_job *job)
{
    uint32_t width, height;
    uint64_t pixels;
    int passes;

    if (setjmp(png_jmpbuf(job->png)) != 0)
        return;
    png_set_read_fn(job->png, job, png_feed);
    png_set_user_limits(job->png, 1u << 20, 1u << 20);
    png_set_chunk_malloc_max(job->png, 8u << 20);
    png_read_info(job->png, job->info);
    width = png_get_image_width(job->png, job->info);
    height = png_get_image_height(job->png, job->info);
    png_to_rgb(job->png);
    passes = png_set_interlace_handling(job->png);
    pixels = (uint64_t)width * height;
    if (pixels > (passes > 1 ? job->max_pixels / 4 : job->max_pixels)) {
        job->err = cof_diag_set(job->diag, COF_E_TOO_LARGE, "the image has %u x %u pixels, more than allowed", width,
                                height);
        return;
    }
    png_read_update_info(job->png, job->info);
    job->err = job->sink->size(job->sink->ctx, width, height);
    if (job->err == COF_OK)
        png_rows(job, width, height, passes);
}

static enum cof_err decode_png(struct png_job *job)
{
    job->err = COF_E_MEMORY;
    job->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, job, png_failed, png_warned);
    if (job->png == NULL)
        return COF_E_MEMORY;
    job->info = png_create_info_struct(job->png);
    if (job->info != NULL)
        png_run(job);
    png_destroy_read_struct(&job->png, &job->info, NULL);
    free(job->pixels);
    return job->err;
}

struct jpeg_job {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    jmp_buf failed;
    struct cof_view in;
    const struct image_sink *sink;
    uint64_t max_pixels;
    struct cof_diag *diag;
    uint8_t *row;
    enum cof_err err;
};

static void jpeg_failed(j_common_ptr common)
{
    struct jpeg_job *job = common->client_data;
    char message[JMSG_LENGTH_MAX];

    common->err->format_message(common, message);
    job->err = cof_diag_set(job->diag, COF_E_FORMAT, "damaged JPEG: %s", message);
    longjmp(job->failed, 1);
}

/* libjpeg goes on after warnings (truncated data is filled with grey): here damage is an error. */
static void jpeg_warned(j_common_ptr common, int level)
{
    if (level < 0)
        jpeg_failed(common);
}

static void jpeg_run(struct jpeg_job *job)
{
    struct jpeg_decompress_struct *j = &job->jpeg;

    if (setjmp(job->failed) != 0)
        return;
    jpeg_create_decompress(j);
    jpeg_mem_src(j, job->in.data, job->in.len);
    (void)jpeg_read_header(j, TRUE);
    if ((uint64_t)j->image_width * j->image_height > job->max_pixels) {
        job->err = cof_diag_set(job->diag, COF_E_TOO_LARGE, "the image has %u x %u pixels, more than allowed",
                                j->image_width, j->image_height);
        return;
    }
    j->out_color_space = JCS_RGB;
    j->dct_method = JDCT_ISLOW;
    (void)jpeg_start_decompress(j);
    job->row = calloc(j->output_width, 3);
    if (job->row == NULL) {
        job->err = COF_E_MEMORY;
        return;
    }
    job->err = job->sink->size(job->sink->ctx, j->output_width, j->output_height);
    while (job->err == COF_OK && j->output_scanline < j->output_height) {
        JSAMPROW rows[1] = {job->row};
        (void)jpeg_read_scanlines(j, rows, 1);
        job->sink->row(job->sink->ctx, job->row);
    }
    if (job->err == COF_OK)
        (void)jpeg_finish_decompress(j);
}

static enum cof_err decode_jpeg(struct jpeg_job *job)
{
    job->jpeg.err = jpeg_std_error(&job->errors);
    job->errors.error_exit = jpeg_failed;
    job->errors.emit_message = jpeg_warned;
    job->jpeg.client_data = job;
    jpeg_run(job);
    jpeg_destroy_decompress(&job->jpeg);
    free(job->row);
    return job->err;
}

enum cof_err image_decode(struct cof_view bytes, uint64_t max_pixels, const struct image_sink *sink, const char **format,
                          struct cof_diag *diag)
{
    static const uint8_t png_magic[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    static const uint8_t jpeg_magic[] = {0xff, 0xd8, 0xff};

    *format = NULL;
    if (cof_view_starts(bytes, cof_view_of(png_magic, sizeof png_magic))) {
        struct png_job job = {.in = bytes, .sink = sink, .max_pixels = max_pixels, .diag = diag};
        *format = "png";
        return decode_png(&job);
    }
    if (cof_view_starts(bytes, cof_view_of(jpeg_magic, sizeof jpeg_magic))) {
        struct jpeg_job job = {.in = bytes, .sink = sink, .max_pixels = max_pixels, .diag = diag, .err = COF_E_MEMORY};
        *format = "jpeg";
        return decode_jpeg(&job);
    }
    return cof_diag_set(diag, COF_E_UNSUPPORTED, "neither a PNG nor a JPEG");
}
