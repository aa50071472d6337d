/* SPDX-License-Identifier: Apache-2.0
 *
 * How much memory this process has in use.
 */
#ifndef COF_IO_RESIDENT_H
#define COF_IO_RESIDENT_H

#include <stdint.h>

/* Bytes resident; 0: not known. */
uint64_t cof_resident_bytes(void);

#endif
