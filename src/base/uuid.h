/* SPDX-License-Identifier: Apache-2.0
 *
 * UUIDs as text (RFC 9562): "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx", lower case.
 */
#ifndef COF_BASE_UUID_H
#define COF_BASE_UUID_H

#include "base/rng.h"

#define COF_UUID_SIZE 37 /* the text, with its NUL */

void cof_uuid_text(const uint8_t bytes[static 16], char out[static COF_UUID_SIZE]);
/* A random one (version 4). On failure out is that of zeros with the version's bits: not to be used. */
COF_MUST_USE enum cof_err cof_uuid_new(const struct cof_rng *rng, char out[static COF_UUID_SIZE]);

#endif
