/* SPDX-License-Identifier: Apache-2.0
 *
 * The enclave's way out: a listener (vsock or Unix) that answers HTTP CONNECT for an allow-list of HOST:PORT, holds each
 * connection to the name it asked for (the server name in its TLS ClientHello must be the same), and then copies bytes it
 * cannot read. `GET /credentials` hands over the role's credentials in the container-credentials format. Everything the
 * enclave sends is parsed as hostile, and the enclave parses all of ours so.
 */
#ifndef COF_HOST_TUNNEL_H
#define COF_HOST_TUNNEL_H

#include "base/log.h"
#include "io/dial.h"
#include "io/loop.h"

struct tunnel;

struct tunnel_counts {
    uint64_t accepted, tunnels, refused, credentials, bytes_out, bytes_in;
    uint32_t open;
};

struct tunnel_opts {
    struct cof_addr listen;
    const char *const *allow; /* "kms.us-east-1.amazonaws.com:443", exact, lower case; must outlive the tunnel */
    size_t n_allow;
    cof_resolve_fn *resolve;
    uint32_t max_open;    /* connections at once; more wait in the kernel's queue; default 1024 */
    int64_t setup_ms;     /* from accept to the first relayed byte; default 10000 */
    int64_t idle_ms;      /* of an open tunnel; default 300000 */
    /* Adds the credentials document. */
    enum cof_err (*credentials)(void *ctx, struct cof_buf *json);
    void *ctx;
    const struct cof_log *log;
};

COF_MUST_USE enum cof_err tunnel_new(struct cof_loop *loop, const struct tunnel_opts *opts, struct tunnel **out,
                                     struct cof_diag *diag);
void tunnel_counts(const struct tunnel *tunnel, struct tunnel_counts *out);
void tunnel_free(struct tunnel *tunnel); /* cuts what is open */

#endif
