/* SPDX-License-Identifier: Apache-2.0
 *
 * The enclave's way out: a listener (vsock or Unix) that answers HTTP CONNECT for an allow-list of HOST:PORT, holds each
 * connection to the name it asked for (the server name in its TLS ClientHello must be the same), and then copies bytes it
 * cannot read. `GET /credentials` hands over the role's credentials in the container-credentials format. Everything the
 * enclave sends is parsed as hostile, and the enclave parses all of ours so.
 *
 * Limits hold for the one enclave: connections, those not yet forwarded, new ones a second, bytes waiting a direction, bytes
 * a second. New connections over the rate wait in the kernel's queue; over the number they are closed at once. Whoever is
 * slow to say what it wants makes room for others.
 */
#ifndef COF_HOST_TUNNEL_H
#define COF_HOST_TUNNEL_H

#include "base/log.h"
#include "io/dial.h"
#include "io/loop.h"

struct tunnel;

/* Why a connection was not forwarded. */
enum tunnel_refusal {
    REFUSED_PEER,        /* it comes from another context than the enclave's (vsock) */
    REFUSED_FULL,        /* too many connections */
    REFUSED_SLOW,        /* no whole request or ClientHello in time */
    REFUSED_MALFORMED,   /* no HTTP request */
    REFUSED_REQUEST,     /* neither CONNECT nor GET /credentials */
    REFUSED_DESTINATION, /* not on the allow-list */
    REFUSED_UNREACHABLE, /* the destination does not answer */
    REFUSED_NOT_TLS,
    REFUSED_SERVER_NAME, /* the TLS server name is another */
    REFUSED_CREDENTIALS, /* there are none at the moment */
    REFUSED_GONE,        /* the enclave closed it before it was forwarded */
    TUNNEL_REFUSALS
};
const char *tunnel_refusal_word(enum tunnel_refusal why);

/* How what was forwarded ended. */
enum tunnel_end { END_CLEAN, END_RESET, END_IDLE, TUNNEL_ENDS };
const char *tunnel_end_word(enum tunnel_end how);

struct tunnel_counts {
    uint64_t accepted, forwarded, credentials, throttled;
    uint64_t refused[TUNNEL_REFUSALS], ended[TUNNEL_ENDS];
    uint64_t bytes_out, bytes_in; /* from, and to, the enclave */
    uint32_t open, pending;       /* now: all, and those not yet forwarded */
};

struct tunnel_limits { /* zero fields take the defaults */
    uint32_t connections;      /* default 4096, or what descriptors allow */
    uint32_t pending;          /* not yet forwarded; default 256 */
    uint32_t new_per_s;        /* default 1000, and as many at once after a rest */
    uint64_t buffer_bytes;     /* default 131072 a direction */
    uint64_t bytes_per_s;      /* of all together; default no limit */
    int64_t setup_ms;          /* for the request, and for the ClientHello; default 10000 */
    int64_t connect_ms;        /* to reach the destination, all its addresses together; default 10000 */
    int64_t idle_ms;           /* of a forwarded connection; default 300000 */
};

struct tunnel_opts {
    struct cof_addr listen;
    bool has_peer;             /* vsock: only connections of this context are the enclave's */
    uint32_t peer_cid;
    const char *const *allow;  /* "kms.us-east-1.amazonaws.com:443", exact; must outlive the tunnel */
    size_t n_allow;
    cof_resolve_fn *resolve;
    struct tunnel_limits limits;
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
