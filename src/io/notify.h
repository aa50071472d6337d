/* SPDX-License-Identifier: Apache-2.0
 *
 * Tells a service manager how we are, as sd_notify(3) describes: datagrams to the socket that $NOTIFY_SOCKET names.
 */
#ifndef COF_IO_NOTIFY_H
#define COF_IO_NOTIFY_H

#include "base/err.h"

#include <stdint.h>

struct cof_notify {
    int fd;              /* -1: nobody wants to know */
    int64_t watchdog_ms; /* "WATCHDOG=1" must come at least as often; 0: need not */
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and takes them out of the environment: children are not asked. */
COF_MUST_USE enum cof_err cof_notify_open(struct cof_notify *out, struct cof_diag *diag);
/* "READY=1\nSTATUS=serving". What cannot be told is not. */
void cof_notify_send(const struct cof_notify *notify, const char *text);
void cof_notify_close(struct cof_notify *notify);

#endif
