/* SPDX-License-Identifier: Apache-2.0
 *
 * GET /metrics on a listener of its own, for Prometheus: never on a serving port, where everybody may knock.
 */
#ifndef COF_IO_METRICS_SERVER_H
#define COF_IO_METRICS_SERVER_H

#include "base/buf.h"
#include "io/loop.h"

struct cof_metrics_server;

struct cof_metrics_server_opts {
    const char *address; /* "tcp:127.0.0.1:9464" */
    size_t text_max;     /* bytes of an answer */
    void (*write)(void *ctx, struct cof_buf *out); /* the whole text */
    void *ctx;
};

COF_MUST_USE enum cof_err cof_metrics_server_new(struct cof_loop *loop, const struct cof_metrics_server_opts *opts,
                                                 struct cof_metrics_server **out, struct cof_diag *diag);
/* Where it can be asked: "http://127.0.0.1:9464/metrics", or the address itself of a Unix socket. */
void cof_metrics_server_url(const struct cof_metrics_server *server, char out[static 400]);
void cof_metrics_server_free(struct cof_metrics_server *server); /* takes NULL; before its loop goes */

#endif
