/* SPDX-License-Identifier: Apache-2.0
 *
 * An HTTP/1.1 client on a loop: a pool of kept-alive connections per endpoint, TLS with name check, an optional CONNECT
 * proxy, streaming bodies both ways with back-pressure, deadlines. No retries here: that is the AWS client's decision.
 */
#ifndef COF_IO_HTTP_CLIENT_H
#define COF_IO_HTTP_CLIENT_H

#include "format/http1.h"
#include "io/dial.h"
#include "io/loop.h"
#include "io/tls.h"

struct cof_http_client;
struct cof_http_call; /* one exchange in flight */

struct cof_http_client_opts {
    struct cof_tls_ctx *tls;     /* needed for https endpoints */
    cof_resolve_fn *resolve;
    bool has_proxy;              /* CONNECT through it for https, and for http too */
    struct cof_addr proxy;
    const char *proxy_basic;     /* its Basic credentials in base64, or NULL; outlives the client */
    int64_t connect_ms;          /* default 5000, TLS included */
    int64_t idle_ms;             /* how long an unused connection is kept, default 20000 */
    size_t per_endpoint;         /* connections at most, default 64; further calls wait */
};

COF_MUST_USE enum cof_err cof_http_client_new(struct cof_loop *loop, const struct cof_http_client_opts *opts,
                                              struct cof_http_client **out);
/* Cancels what is in flight without callbacks. Not from its own callbacks. */
void cof_http_client_free(struct cof_http_client *client);

struct cof_http_callbacks {
    /* Final status and headers (1xx are swallowed); views live until done. */
    void (*head)(void *ctx, struct cof_http_call *call, const struct cof_http_head *head);
    void (*body)(void *ctx, struct cof_http_call *call, struct cof_view piece);
    /* The request body may go on: call cof_http_call_write. First called when the head was sent (and, with
     * Expect: 100-continue, allowed). Not called when the body was given whole. */
    void (*writable)(void *ctx, struct cof_http_call *call);
    /* Exactly once, last; the call is freed after it. COF_OK: the reply was received whole.
     * sent: whether any byte of the request left us (a retry of a non-idempotent request depends on it). */
    void (*done)(void *ctx, struct cof_http_call *call, enum cof_err err, const struct cof_diag *diag, bool sent);
    void *ctx;
};

struct cof_http_call_opts {
    bool https;
    const char *host;         /* name for TLS, SNI and pooling */
    uint16_t port;
    bool has_addr;            /* connect to addr instead of host:port (Unix, vsock, inherited descriptor) */
    struct cof_addr addr;
    struct cof_view head;     /* the whole request head, CRLFCRLF included; copied */
    bool is_head;             /* method HEAD: no body comes back */
    struct cof_view body;     /* whole body, copied; or */
    bool streaming;           /* body comes by write/end; its framing is what the head says */
    bool chunked;             /* with streaming: pieces are framed as chunks here */
    int64_t total_ms;         /* default 60000; 0 < stall_ms alone rules when total_ms < 0 */
    int64_t stall_ms;         /* less than 1 KiB moved in so long, and not for our own pausing; default 30000 */
};

COF_MUST_USE enum cof_err cof_http_call_start(struct cof_http_client *client, const struct cof_http_call_opts *opts,
                                              const struct cof_http_callbacks *callbacks, struct cof_http_call **out);
/* Copies; false when over the high mark: wait for writable. */
bool cof_http_call_write(struct cof_http_call *call, struct cof_view piece);
void cof_http_call_end(struct cof_http_call *call);
void cof_http_call_pause(struct cof_http_call *call); /* stop reading the reply body */
void cof_http_call_resume(struct cof_http_call *call);
void cof_http_call_cancel(struct cof_http_call *call); /* done is not called; the connection is dropped */
struct cof_loop *cof_http_client_loop(const struct cof_http_client *client);

#endif
