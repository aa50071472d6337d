/* SPDX-License-Identifier: Apache-2.0
 *
 * The shortest use of libcoffer: seals a text under a key and opens it again.
 *     cc hello.c $(pkg-config --cflags --libs coffer) -o hello
 */
#include <coffer.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    static const unsigned char key[32] = {1, 2, 3}; /* a real one is random */
    struct coffer_keyring *keyring = NULL;
    void *sealed = NULL, *opened = NULL;
    size_t sealed_len = 0, opened_len = 0;
    int err = coffer_keyring_raw_aes("examples", "key-1", key, sizeof key, &keyring);

    if (err == COFFER_OK)
        err = coffer_seal(keyring, NULL, "hello", 5, &sealed, &sealed_len);
    if (err == COFFER_OK)
        err = coffer_open(keyring, NULL, sealed, sealed_len, &opened, &opened_len);
    if (err == COFFER_OK)
        printf("%zu bytes sealed, and opened again: %.*s\n", sealed_len, (int)opened_len, (char *)opened);
    else
        fprintf(stderr, "%s\n", coffer_strerror(err));
    coffer_free(sealed, sealed_len);
    coffer_free(opened, opened_len);
    coffer_keyring_free(keyring);
    return err == COFFER_OK ? 0 : 1;
}
