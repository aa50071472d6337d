/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets: short key bytes, wiped when let go. That memory is not swapped and not dumped is the process's doing
 * (src/io/harden.h: mlock and RLIMIT_CORE), since the pure layers make no system calls.
 */
#ifndef COF_BASE_SECRET_H
#define COF_BASE_SECRET_H

#include "base/view.h"

#define COF_SECRET_MAX 64

struct cof_secret {
    uint8_t bytes[COF_SECRET_MAX];
    size_t len; /* bytes */
};

/* Wipes in a way no optimiser removes. */
void cof_wipe(void *data, size_t len);
/* Equal, in time that depends on the lengths alone. */
bool cof_equal_ct(struct cof_view a, struct cof_view b);

/* Copies v in. COF_E_LIMIT over COF_SECRET_MAX; then the secret is empty. */
COF_MUST_USE enum cof_err cof_secret_set(struct cof_secret *secret, struct cof_view v);
struct cof_view cof_secret_view(const struct cof_secret *secret);
/* Wipes; takes NULL. */
void cof_secret_done(struct cof_secret *secret);

/* `struct cof_secret key COF_SECRET_AUTO = {0};` is wiped on every way out of its scope. */
#define COF_SECRET_AUTO __attribute__((cleanup(cof_secret_done)))

#endif
