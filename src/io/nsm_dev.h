/* SPDX-License-Identifier: Apache-2.0
 *
 * The way to the Nitro Security Module: the device (one ioctl a call, request up to 4 KiB, response up to 12 KiB), or a
 * stream socket that leads to a simulated hypervisor and carries the very same CBOR, each message after its length as a
 * 32-bit big-endian number. What the messages mean is src/format/nsm.h's.
 */
#ifndef COF_IO_NSM_DEV_H
#define COF_IO_NSM_DEV_H

#include "base/buf.h"
#include "base/rng.h"

struct cof_nsm;

/* where: "/dev/nsm" (any absolute path), "unix:/path", or "fd:N" (either kind, told by what it is; duplicated). */
COF_MUST_USE enum cof_err cof_nsm_open(const char *where, struct cof_nsm **out, struct cof_diag *diag);
/* Takes NULL. */
void cof_nsm_close(struct cof_nsm *nsm);

/* Adds the response to out. Blocks; a socket for 10 s at most (COF_E_TIMEOUT), and any failure closes it: later calls
 * give COF_E_CLOSED. COF_E_LIMIT: the request is too large. */
COF_MUST_USE enum cof_err cof_nsm_call(struct cof_nsm *nsm, struct cof_view request, struct cof_buf *out);

/* Random bytes from the module (GetRandom). nsm must outlive it. */
struct cof_rng cof_nsm_rng(struct cof_nsm *nsm);

#endif
