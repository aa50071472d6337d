/* SPDX-License-Identifier: Apache-2.0
 *
 * For a program's main, before anything else of this folder: what libcrypto would read of the machine's own accord
 * (openssl.cnf, and the modules that it names) is not read. A library has no business calling it.
 */
#ifndef COF_CRYPTO_START_H
#define COF_CRYPTO_START_H

/* Code that a configuration file can load is code that nobody measured, and a static program may not survive it: it would
 * be shared libraries made for another C library. */
void cof_crypto_start(void);

/* "OpenSSL 3.0.17 1 Jul 2025": the library that is in use, which need not be the one that was compiled against. */
const char *cof_crypto_library(void);

#endif
