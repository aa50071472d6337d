/* SPDX-License-Identifier: Apache-2.0
 *
 * RSA keys made by a thread of their own: a key of 4096 bits takes up to seconds, in which nobody else on the loop would be served.
 * Who asks gets a key that is ready, or is told that one is being made; the loop then hears of it. The thread starts with the first
 * key asked for. All calls are the loop's thread's.
 */
#ifndef COF_IO_KEY_MAKER_H
#define COF_IO_KEY_MAKER_H

#include "crypto/rsa.h"
#include "io/loop.h"

struct cof_key_maker;

/* ready: a key of that size may be taken now; from the loop. */
COF_MUST_USE enum cof_err cof_key_maker_new(struct cof_loop *loop, void (*ready)(void *ctx, unsigned bits), void *ctx,
                                            struct cof_key_maker **out);
/* Waits for the key that is being made; takes NULL. Before the loop is freed. */
void cof_key_maker_free(struct cof_key_maker *maker);

/* bits: 2048, 3072 or 4096. COF_OK: *out is the caller's. COF_E_RETRY: one is being made. */
COF_MUST_USE enum cof_err cof_key_maker_take(struct cof_key_maker *maker, unsigned bits, struct cof_rsa_key **out);

#endif
