/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/version.h"

#include "crypto/start.h"
#include "version_facts.h"

#include <stdio.h>
#include <sys/auxv.h>

#if defined(__x86_64__)
#define MACHINE "x86_64"
#elif defined(__aarch64__)
#define MACHINE "aarch64"
#else
#define MACHINE "other"
#endif
#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

void cof_version_print(const char *prog)
{
    (void)printf("%s " COF_VERSION "\ncommit:   %s\nmachine:  " MACHINE "\ncompiler: " COMPILER "\nTLS:      %s\n"
                 "features: %s, " COF_FEATURES "\n", prog, cof_version_commit, cof_crypto_library(),
                 getauxval(AT_BASE) == 0 ? "static" : "dynamic" /* an interpreter, or none */);
}
