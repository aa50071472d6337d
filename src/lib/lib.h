/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside libcoffer: from the public types to the layers' own.
 */
#ifndef COF_LIB_LIB_H
#define COF_LIB_LIB_H

#include "coffer.h"

#include "engine/cmm.h"

/* A code of ours as a public one. */
int cof_lib_err(enum cof_err err);
/* diag moved to the caller's struct, if there is one. */
void cof_lib_diag(struct coffer_diag *to, const struct cof_diag *from);

/* How messages get their keys from a keyring. */
struct cof_cmm cof_lib_keyring_cmm(struct coffer_keyring *keyring);

#endif
