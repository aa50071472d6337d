/* SPDX-License-Identifier: Apache-2.0
 *
 * Random bytes from the kernel (getrandom(2)), which blocks until the pool is seeded and never afterwards.
 */
#ifndef COF_IO_RNG_OS_H
#define COF_IO_RNG_OS_H

#include "base/rng.h"

/* Asks the kernel each time. */
extern const struct cof_rng cof_rng_os;

/* For servers that name and number many things: up to COF_RNG_SUPPLIED_MAX bytes (identifiers, nonces) come out of a supply that each
 * thread fetches ahead, one system call for dozens of them; what is longer, as keys are, is asked of the kernel. A byte leaves the supply
 * once and is wiped there. A child that fork(2) made begins with an empty supply; one made by clone(2) itself would share its parent's, and
 * so would copies of a running virtual machine for what was fetched: whom that concerns takes cof_rng_os. */
#define COF_RNG_SUPPLIED_MAX 16
extern const struct cof_rng cof_rng_supplied;

#endif
