/* SPDX-License-Identifier: Apache-2.0
 *
 * Seals N records under an AWS KMS key and opens them again, with a data-key cache: two calls to KMS in all; or, to see the
 * difference, without: two calls a record. Credentials and endpoint come from the environment, as for the AWS CLI.
 *     kms_cached KEY_ARN N [uncached]
 */
#include <coffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char *arns[] = {argc >= 3 ? argv[1] : ""};
    struct coffer_diag diag = {{0}, {0}};
    struct coffer_cache_options limits = {.size = sizeof limits};
    struct coffer_seal_options options = {.size = sizeof options};
    struct coffer_pair context = {"table", "visits"};
    struct coffer_keyring *kms = NULL, *cached = NULL, *keyring;
    int err = argc >= 3 ? coffer_keyring_kms(arns, 1, &diag, &kms) : COFFER_E_USAGE;

    limits.max_age_ms = 300000;
    limits.max_messages = 100000;
    options.suite = 0x0478;
    options.context = &context;
    options.n_context = 1;
    if (err == COFFER_OK)
        err = coffer_keyring_cached(kms, &limits, &cached);
    keyring = argc > 3 ? kms : cached;
    for (long i = 0; err == COFFER_OK && i < strtol(argv[2], NULL, 10); i++) {
        void *sealed = NULL, *opened = NULL;
        size_t sealed_len = 0, opened_len = 0;
        char record[32];

        (void)snprintf(record, sizeof record, "record %ld", i);
        err = coffer_seal(keyring, &options, record, strlen(record), &sealed, &sealed_len);
        if (err == COFFER_OK)
            err = coffer_open(keyring, NULL, sealed, sealed_len, &opened, &opened_len);
        if (err == COFFER_OK && (opened_len != strlen(record) || memcmp(opened, record, opened_len) != 0))
            err = COFFER_E_BUG;
        coffer_free(sealed, sealed_len);
        coffer_free(opened, opened_len);
    }
    printf("%s%s%s\n", coffer_strerror(err), diag.text[0] != '\0' ? ": " : "", diag.text);
    coffer_keyring_free(cached);
    coffer_keyring_free(kms);
    return err;
}
