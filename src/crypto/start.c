/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/start.h"

#include <openssl/crypto.h>

void cof_crypto_start(void)
{
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL); /* the first call decides for the process */
}

const char *cof_crypto_library(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}
