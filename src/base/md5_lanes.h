/* SPDX-License-Identifier: Apache-2.0
 *
 * The inner loop of MD5 (RFC 1321) for eight messages side by side, where the processor has AVX2. MD5 is one long chain of
 * dependent steps, so that a processor idles through most of it; eight chains take little longer than one.
 * src/crypto/md5_many.h is what to use.
 */
#ifndef COF_BASE_MD5_LANES_H
#define COF_BASE_MD5_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COF_MD5_LANES 8

bool cof_md5_can_lanes(void);
/* Moves each lane's state (a, b, c, d; state[word][lane]) over n_blocks blocks of 64 bytes. Only where can_lanes. */
void cof_md5_lanes(uint32_t state[4][COF_MD5_LANES], const uint8_t *const data[COF_MD5_LANES], size_t n_blocks);

#endif
