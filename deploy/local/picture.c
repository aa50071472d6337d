/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes the demo's pictures, so that none has to be shipped: a photograph-like landscape (sky, sun, hills, grain) drawn
 * from a seed. picture FILE.png|FILE.jpg [SEED]
 */
#include <math.h>
#include <png.h>
#include <stdint.h>
#include <stdio.h>
#include <jpeglib.h> /* needs stdio.h before it */
#include <stdlib.h>
#include <string.h>

#define W 1024
#define H 683

static uint32_t noise(uint32_t x, uint32_t y, uint32_t seed)
{
    uint32_t h = x * 374761393u + y * 668265263u + seed * 2246822519u;

    h = (h ^ (h >> 13)) * 1274126177u;
    return h ^ (h >> 16);
}

/* Value noise along a line: hills. */
static double hill(double x, uint32_t layer, uint32_t seed)
{
    double y = 0, weight = 1, scale = 1.0 / 190;

    for (uint32_t octave = 0; octave < 5; octave++) {
        double t = x * scale, f = t - floor(t);
        double a = noise((uint32_t)floor(t), layer * 16 + octave, seed) % 1024 / 1024.0;
        double b = noise((uint32_t)floor(t) + 1, layer * 16 + octave, seed) % 1024 / 1024.0;
        y += weight * (a + (b - a) * f * f * (3 - 2 * f));
        weight /= 2;
        scale *= 2;
    }
    return y / 2;
}

static uint8_t tone(double v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void pixel(uint32_t x, uint32_t y, uint32_t seed, uint8_t *rgb)
{
    double sky = (double)y / H, dx = (double)x - W * 0.7, dy = (double)y - H * 0.28;
    double sun = 190 * exp(-(dx * dx + dy * dy) / 5200), grain = (double)(noise(x, y, seed + 7) % 17) - 8;
    double c[3] = {70 + 150 * sky + sun, 120 + 75 * sky + sun * 0.85, 205 - 30 * sky + sun * 0.4};

    for (uint32_t layer = 0; layer < 4; layer++) {
        double top = H * (0.45 + 0.13 * layer) - hill(x, layer, seed) * 110;
        if ((double)y > top) {
            double haze = 0.55 - 0.16 * layer, depth = ((double)y - top) / 260;
            double wood = (double)(noise(x / 3, y / 3, seed + layer) % 31) - 15;
            c[0] = 150 * haze + 38 + 30 * depth + wood;
            c[1] = 165 * haze + 62 + 22 * depth + wood;
            c[2] = 190 * haze + 34 + wood * 0.6;
        }
    }
    for (int i = 0; i < 3; i++)
        rgb[i] = tone(c[i] + grain);
}

static int write_png(FILE *f, uint8_t *rgb)
{
    png_image image = {.version = PNG_IMAGE_VERSION, .width = W, .height = H, .format = PNG_FORMAT_RGB};

    return png_image_write_to_stdio(&image, f, 0, rgb, 0, NULL);
}

static int write_jpeg(FILE *f, uint8_t *rgb)
{
    struct jpeg_compress_struct j;
    struct jpeg_error_mgr errors;

    j.err = jpeg_std_error(&errors);
    jpeg_create_compress(&j);
    jpeg_stdio_dest(&j, f);
    j.image_width = W;
    j.image_height = H;
    j.input_components = 3;
    j.in_color_space = JCS_RGB;
    jpeg_set_defaults(&j);
    jpeg_set_quality(&j, 88, TRUE);
    jpeg_start_compress(&j, TRUE);
    while (j.next_scanline < j.image_height) {
        JSAMPROW row = rgb + (size_t)j.next_scanline * W * 3;
        (void)jpeg_write_scanlines(&j, &row, 1);
    }
    jpeg_finish_compress(&j);
    jpeg_destroy_compress(&j);
    return 1;
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : NULL, *dot = path != NULL ? strrchr(path, '.') : NULL;
    uint32_t seed = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1;
    uint8_t *rgb;
    FILE *f;
    int ok;

    if (dot == NULL || (strcmp(dot, ".png") != 0 && strcmp(dot, ".jpg") != 0)) {
        (void)fprintf(stderr, "usage: picture FILE.png|FILE.jpg [SEED]\n");
        return 2;
    }
    rgb = calloc((size_t)W * H, 3);
    f = fopen(path, "wb");
    if (rgb == NULL || f == NULL) {
        perror(path);
        free(rgb);
        return 1;
    }
    for (uint32_t y = 0; y < H; y++)
        for (uint32_t x = 0; x < W; x++)
            pixel(x, y, seed, rgb + ((size_t)y * W + x) * 3);
    ok = strcmp(dot, ".png") == 0 ? write_png(f, rgb) : write_jpeg(f, rgb);
    ok = fclose(f) == 0 && ok;
    free(rgb);
    if (!ok)
        (void)fprintf(stderr, "picture: could not write %s\n", path);
    return ok ? 0 : 1;
}
