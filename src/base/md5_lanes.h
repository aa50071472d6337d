/* SPDX-License-Identifier: Apache-2.0
 *
 * The inner loop of MD5 (RFC 1321) for sixteen messages side by side, where the processor has AVX2. MD5 is one long chain of
 * dependent steps, so that a processor idles through most of it; sixteen chains take little longer than one.
 * src/crypto/md5_many.h is what to use.
 */
#ifndef COF_BASE_MD5_LANES_H
#define COF_BASE_MD5_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COF_MD5_LANES 16

bool cof_md5_can_lanes(void);
/* Moves each lane's state (a, b, c, d; state[word][lane]) over n_blocks blocks of 64 bytes. Only where can_lanes. n_lanes: the
 * first so many count; up to half of all cost less than all. Those of the same half move with them and read their data. */
void cof_md5_lanes(
    uint32_t state[4][COF_MD5_LANES], const uint8_t *const data[COF_MD5_LANES], size_t n_lanes, size_t n_blocks);

#endif
