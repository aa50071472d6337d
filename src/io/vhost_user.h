/* SPDX-License-Identifier: Apache-2.0
 *
 * A device with one queue of requests and answers, served to a virtual machine monitor over a Unix socket (QEMU's
 * "Vhost-user Protocol"; virtqueues as in VIRTIO 1.2, section 2.7). The driver puts a request into one buffer and room for
 * the answer into the next, as Linux's drivers/misc/nsm.c does for the Nitro Security Module (device id 33); both in one
 * chain of descriptors do as well.
 *
 * The guest writes the rings and the requests, and is hostile: every address, length, index and count is checked before use.
 * The monitor was started by whoever calls this; it could end us by cutting the guest's memory short, and nothing worse.
 */
#ifndef COF_IO_VHOST_USER_H
#define COF_IO_VHOST_USER_H

#include "base/buf.h"
#include "io/loop.h"

struct cof_vhost;

struct cof_vhost_opts {
    const char *path; /* of the socket; made with mode 0600, replacing what is there */
    size_t request_max, response_max; /* bytes */
    /* Adds the response; an error ends the device. */
    enum cof_err (*answer)(void *ctx, struct cof_view request, struct cof_buf *response);
    void *ctx;
};

/* Listens for one monitor. */
COF_MUST_USE enum cof_err cof_vhost_open(struct cof_loop *loop, const struct cof_vhost_opts *opts, struct cof_vhost **out,
                                         struct cof_diag *diag);
void cof_vhost_close(struct cof_vhost *v); /* takes NULL */

#endif
