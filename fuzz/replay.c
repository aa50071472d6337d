/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a fuzz target over its corpus (fuzz/corpus/NAME) in the ordinary test run: every file whole, cut short, and with
 * single bits flipped. A target reports by abort(), so reaching the end is passing.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_SIZE_MAX 65536
#define CHANGES 64 /* cuts, and flips, of one file */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An exact allocation, so that a sanitizer sees the first byte read too far. */
static void run(const uint8_t *data, size_t size, size_t flip)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);

    if (copy == NULL)
        abort();
    if (size > 0)
        memcpy(copy, data, size);
    if (flip < 8 * size)
        copy[flip / 8] ^= (uint8_t)(1u << flip % 8);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_file(const char *path)
{
    static uint8_t data[FILE_SIZE_MAX];
    FILE *f = fopen(path, "rb");
    size_t size;

    if (f == NULL)
        return;
    size = fread(data, 1, sizeof data, f);
    (void)fclose(f);
    run(data, size, SIZE_MAX);
    for (size_t i = 0; i < CHANGES; i++) {
        run(data, size * i / CHANGES, SIZE_MAX);
        run(data, size, 8 * size * i / CHANGES + i % 8);
    }
}

int main(void)
{
    DIR *dir = opendir(CORPUS);
    struct dirent *entry;
    unsigned n = 0;

    run(NULL, 0, SIZE_MAX);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char path[4096];

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", CORPUS, entry->d_name);
        run_file(path);
        n++;
    }
    if (dir != NULL)
        (void)closedir(dir);
    (void)printf("1..1\nok 1 - %u corpus files\n", n);
    return 0;
}
