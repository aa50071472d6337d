/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/version.h"

#include "crypto/start.h"
#include "version_facts.h"

#include <stdio.h>
#include <sys/auxv.h>

void cof_version_print(const char *prog)
{
    (void)printf("%s " COF_VERSION "\ncommit:   %s\nmachine:  " COF_MACHINE "\ncompiler: " COF_COMPILER "\nTLS:      %s\n"
                 "features: %s, " COF_FEATURES "\n", prog, cof_version_commit, cof_crypto_library(),
                 getauxval(AT_BASE) == 0 ? "static" : "dynamic" /* an interpreter, or none */);
}
