/* SPDX-License-Identifier: Apache-2.0
 *
 * Random bytes from the kernel (getrandom(2)), which blocks until the pool is seeded and never afterwards.
 */
#ifndef COF_IO_RNG_OS_H
#define COF_IO_RNG_OS_H

#include "base/rng.h"

extern const struct cof_rng cof_rng_os;

#endif
