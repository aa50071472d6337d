/* SPDX-License-Identifier: Apache-2.0
 *
 * In a file of its own, so that a program's own definition (version.h) stands in for this one.
 */
#include "prog/version.h"

#include "version_facts.h"

const char *const cof_version_commit = COF_COMMIT;
