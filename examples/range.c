/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads bytes FIRST to LAST of a sealed file, from just the frames that hold them; says how much of the file it read.
 *     range KEYFILE FILE FIRST LAST
 */
#include <coffer.h>
#include <stdio.h>
#include <stdlib.h>

struct source {
    FILE *file;
    size_t bytes_read;
};

static int read_at(void *ctx, uint64_t offset, void *data, size_t len)
{
    struct source *source = ctx;

    source->bytes_read += len;
    return fseek(source->file, (long)offset, SEEK_SET) == 0 && fread(data, 1, len, source->file) == len ? 0 : -1;
}

static int to_stdout(void *ctx, const void *data, size_t len)
{
    (void)ctx;
    return fwrite(data, 1, len, stdout) == len ? 0 : -1;
}

int main(int argc, char **argv)
{
    unsigned char key[33];
    struct coffer_keyring *keyring = NULL;
    struct source source = {0};
    FILE *key_file = argc == 5 ? fopen(argv[1], "rb") : NULL;
    size_t key_len = key_file == NULL ? 0 : fread(key, 1, sizeof key, key_file);
    int err = COFFER_E_USAGE;

    if (key_file != NULL)
        err = coffer_keyring_raw_aes("examples", "key-1", key, key_len, &keyring);
    if (err == COFFER_OK && ((source.file = fopen(argv[2], "rb")) == NULL || fseek(source.file, 0, SEEK_END) != 0))
        err = COFFER_E_IO;
    if (err == COFFER_OK)
        err = coffer_open_range(keyring, NULL, read_at, &source, (uint64_t)ftell(source.file), strtoull(argv[3], NULL, 10),
                                strtoull(argv[4], NULL, 10), to_stdout, NULL);
    fprintf(stderr, "%s; %zu bytes read\n", coffer_strerror(err), source.bytes_read);
    coffer_keyring_free(keyring);
    if (source.file != NULL)
        fclose(source.file);
    if (key_file != NULL)
        fclose(key_file);
    return err;
}
