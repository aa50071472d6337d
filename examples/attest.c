/* SPDX-License-Identifier: Apache-2.0
 *
 * Verifies an attestation document: attest FILE PCR0-IN-HEX [NONCE-IN-HEX], or attest FILE --expect MANIFEST PEMFILE
 * Exit code 0: it is that image, in an enclave. 3: it is not proved.
 */
#include <coffer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Returns how many bytes, or 0. */
static size_t from_hex(const char *text, unsigned char *out, size_t max)
{
    size_t n = strlen(text) / 2;

    if (strlen(text) % 2 != 0 || n > max || strspn(text, "0123456789abcdefABCDEF") != 2 * n)
        return 0;
    for (size_t i = 0; i < n; i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], 0};
        out[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return n;
}

static size_t read_file(const char *path, void *out, size_t max)
{
    FILE *f = fopen(path, "rb");
    size_t n = f == NULL ? 0 : fread(out, 1, max, f);

    if (f != NULL)
        fclose(f);
    return n;
}

int main(int argc, char **argv)
{
    static unsigned char document[32768], manifest[32768], nonce[256];
    static char key_pem[4096];
    struct coffer_diag diag = {{0}, {0}};
    struct coffer_pcr pcr = {0, {0}};
    struct coffer_attest_options options = {.size = sizeof options, .diag = &diag};
    struct coffer_attestation attestation;
    size_t len = argc > 2 ? read_file(argv[1], document, sizeof document) : 0;
    int err, usage = len == 0;

    if (argc == 5 && strcmp(argv[2], "--expect") == 0) { /* what the image has to be, signed by whoever built it */
        options.manifest = manifest;
        options.manifest_len = read_file(argv[3], manifest, sizeof manifest);
        options.manifest_key_pem = key_pem;
        usage |= options.manifest_len == 0 || read_file(argv[4], key_pem, sizeof key_pem - 1) == 0;
    } else if (!usage) {
        options.pcrs = &pcr;
        options.n_pcrs = 1;
        usage = from_hex(argv[2], pcr.value, sizeof pcr.value) != sizeof pcr.value;
        if (argc > 3) {
            options.nonce = nonce;
            options.nonce_len = from_hex(argv[3], nonce, sizeof nonce);
            usage |= options.nonce_len == 0;
        }
    }
    if (usage) {
        fprintf(stderr, "usage: attest FILE PCR0-IN-HEX [NONCE-IN-HEX]\n       attest FILE --expect MANIFEST PEMFILE\n");
        return 2;
    }
    err = coffer_attest_verify(document, len, &options, &attestation);
    if (err != COFFER_OK) {
        fprintf(stderr, "refused: %s (%s)\n", coffer_strerror(err), diag.text);
        return 3;
    }
    printf("proved: %.*s runs this image\n", (int)attestation.module_id_len, attestation.module_id);
    return 0;
}
