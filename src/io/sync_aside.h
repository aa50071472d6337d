/* SPDX-License-Identifier: Apache-2.0
 *
 * fdatasync by a thread of its own, for files that need not be durable before something is answered: a MiB takes the disk
 * milliseconds, in which nobody else on the loop would be served. The thread starts with the first file. All calls are one thread's.
 */
#ifndef COF_IO_SYNC_ASIDE_H
#define COF_IO_SYNC_ASIDE_H

#include "base/err.h"

struct cof_sync_aside;

COF_MUST_USE enum cof_err cof_sync_aside_new(struct cof_sync_aside **out);
/* Waits for the sync under way; takes NULL. */
void cof_sync_aside_free(struct cof_sync_aside *aside);

/* What was written to fd until now is made durable. fd must stay open until look or wait has told how it ended. COF_E_STATE:
 * it has not been told yet how the last one ended. */
COF_MUST_USE enum cof_err cof_sync_aside_start(struct cof_sync_aside *aside, int fd);
/* True, once: it ended, and so. */
bool cof_sync_aside_look(struct cof_sync_aside *aside, enum cof_err *ended);
/* Likewise, when it has ended; false: there was none. */
bool cof_sync_aside_wait(struct cof_sync_aside *aside, enum cof_err *ended);

#endif
