/* SPDX-License-Identifier: Apache-2.0
 *
 * For the checksums: long input of a reflected CRC shortened to 16 bytes of the same CRC, by carry-less multiplication
 * ("Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Gopal et al., Intel 2009).
 */
#ifndef COF_BASE_CRC_FOLD_H
#define COF_BASE_CRC_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COF_CRC_FOLD_MIN 256 /* bytes: shorter input is not worth it */

/* x^n mod P, reflected, the lowest power in bit 63. */
struct cof_crc_fold {
    uint64_t x127, x191;   /* past 16 bytes */
    uint64_t x1023, x1087; /* past 128 bytes */
    bool is_wide;          /* the processor can fold two times 16 bytes at once */
};

/* Whether this processor can. */
bool cof_crc_can_fold(void);
bool cof_crc_can_fold_wide(void);
/* Takes a multiple of 16 bytes of data, at least 128; returns how many. CRC(0, rest) is then CRC(crc, what was taken). */
size_t cof_crc_fold(const struct cof_crc_fold *k, uint64_t crc, const uint8_t *data, size_t len, uint8_t rest[static 16]);

#endif
