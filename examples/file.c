/* SPDX-License-Identifier: Apache-2.0
 *
 * Seals or opens standard input to a file, whatever its size, in bounded memory and on two threads. The file gets its name only
 * when everything verified.
 *     file seal|open KEYFILE OUT [NAME=VALUE]
 */
#include <coffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int to_file(void *ctx, const void *data, size_t len)
{
    return fwrite(data, 1, len, ctx) == len ? 0 : -1;
}

static int seal(struct coffer_keyring *keyring, const struct coffer_pair *context, size_t n, FILE *out)
{
    struct coffer_seal_options options = {.size = sizeof options};
    struct coffer_sealer *sealer = NULL;
    static char block[65536];
    size_t len;
    int err;

    options.context = context;
    options.n_context = n;
    options.threads = 1;
    err = coffer_sealer_new(keyring, &options, to_file, out, &sealer);
    while (err == COFFER_OK && (len = fread(block, 1, sizeof block, stdin)) > 0)
        err = coffer_sealer_push(sealer, block, len);
    if (err == COFFER_OK)
        err = coffer_sealer_finish(sealer);
    coffer_sealer_free(sealer);
    return err;
}

static int open_message(struct coffer_keyring *keyring, const struct coffer_pair *context, size_t n, FILE *out)
{
    struct coffer_open_options options = {.size = sizeof options};
    struct coffer_opener *opener = NULL;
    static char block[65536];
    size_t len;
    int err;

    options.context = context;
    options.n_context = n;
    options.threads = 1;
    options.release_before_signature = 1; /* the temporary file is removed unless finish is content */
    err = coffer_opener_new(keyring, &options, to_file, out, &opener);
    while (err == COFFER_OK && (len = fread(block, 1, sizeof block, stdin)) > 0)
        err = coffer_opener_push(opener, block, len);
    if (err == COFFER_OK)
        err = coffer_opener_finish(opener);
    coffer_opener_free(opener);
    return err;
}

int main(int argc, char **argv)
{
    unsigned char key[33];
    char temp[4096], *value = argc > 4 ? strchr(argv[4], '=') : NULL;
    struct coffer_keyring *keyring = NULL;
    struct coffer_pair context = {0};
    FILE *key_file = argc > 3 ? fopen(argv[2], "rb") : NULL, *out = NULL;
    size_t key_len = key_file == NULL ? 0 : fread(key, 1, sizeof key, key_file);
    int err = COFFER_E_USAGE;

    if (value != NULL) {
        *value = '\0';
        context = (struct coffer_pair){argv[4], value + 1};
    }
    if (argc > 3 && snprintf(temp, sizeof temp, "%s.part", argv[3]) < (int)sizeof temp)
        err = coffer_keyring_raw_aes("examples", "key-1", key, key_len, &keyring);
    if (err == COFFER_OK && (out = fopen(temp, "wb")) == NULL)
        err = COFFER_E_IO;
    if (err == COFFER_OK)
        err = strcmp(argv[1], "seal") == 0 ? seal(keyring, &context, value != NULL, out)
                                           : open_message(keyring, &context, value != NULL, out);
    if (out != NULL && fclose(out) != 0 && err == COFFER_OK)
        err = COFFER_E_IO;
    if (err == COFFER_OK && rename(temp, argv[3]) != 0)
        err = COFFER_E_IO;
    if (err != COFFER_OK) {
        fprintf(stderr, "%s\n", coffer_strerror(err));
        if (out != NULL)
            remove(temp);
    }
    coffer_keyring_free(keyring);
    if (key_file != NULL)
        fclose(key_file);
    return err;
}
