/* SPDX-License-Identifier: Apache-2.0
 *
 * Verifies an attestation document: attest FILE PCR0-IN-HEX [NONCE-IN-HEX]
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

int main(int argc, char **argv)
{
    static unsigned char document[32768], nonce[256];
    struct coffer_diag diag = {{0}, {0}};
    struct coffer_pcr pcr = {0, {0}};
    struct coffer_attest_options options = {.size = sizeof options, .pcrs = &pcr, .n_pcrs = 1, .diag = &diag};
    struct coffer_attestation attestation;
    FILE *f = argc > 2 ? fopen(argv[1], "rb") : NULL;
    size_t len;
    int err;

    if (f == NULL || from_hex(argv[2], pcr.value, sizeof pcr.value) != sizeof pcr.value ||
        (argc > 3 && (options.nonce_len = from_hex(argv[3], nonce, sizeof nonce)) == 0)) {
        fprintf(stderr, "usage: attest FILE PCR0-IN-HEX [NONCE-IN-HEX]\n");
        return 2;
    }
    if (argc > 3)
        options.nonce = nonce;
    len = fread(document, 1, sizeof document, f);
    fclose(f);
    err = coffer_attest_verify(document, len, &options, &attestation);
    if (err != COFFER_OK) {
        fprintf(stderr, "refused: %s (%s)\n", coffer_strerror(err), diag.text);
        return 3;
    }
    printf("proved: %.*s runs this image\n", (int)attestation.module_id_len, attestation.module_id);
    return 0;
}
