/* SPDX-License-Identifier: Apache-2.0
 *
 * An HTTP/1.1 server on a loop: strict framing (RFC 9112), keep-alive, pipelining one at a time, Expect: 100-continue,
 * streaming bodies both ways with back-pressure, plain and TLS on one port (told by the first byte), limits and
 * deadlines on everything.
 */
#ifndef COF_IO_HTTP_SERVER_H
#define COF_IO_HTTP_SERVER_H

#include "format/http1.h"
#include "io/dial.h"
#include "io/loop.h"
#include "io/tls.h"

struct cof_http_server;
struct cof_xchg; /* one request and its reply */

/* All callbacks run on the loop's thread. `user` is the handler's own pointer per exchange (cof_xchg_set_user). */
struct cof_http_handler {
    /* The head is here; views live until `closed`. The handler may reply at once (an unread body is then drained up
     * to a limit, or the connection closed). 100-continue is sent when the handler has not replied. */
    void (*head)(void *ctx, struct cof_xchg *x);
    /* A piece of body, de-chunked. Never called while paused or after a reply was finished. */
    void (*body)(void *ctx, struct cof_xchg *x, struct cof_view piece);
    /* The whole body was received (also called for requests without one). */
    void (*end)(void *ctx, struct cof_xchg *x);
    /* The reply's out-buffer fell below the low mark, or is empty: write more. Only between start and end. */
    void (*writable)(void *ctx, struct cof_xchg *x);
    /* Last call for x, always made once after head: reply fully sent (COF_OK) or connection lost (why). Free user. */
    void (*closed)(void *ctx, struct cof_xchg *x, enum cof_err why);
    void *ctx;
};

struct cof_http_limits {
    size_t head_bytes;      /* default 32768 */
    uint64_t body_bytes;    /* default UINT64_MAX; over it: 413 */
    /* Default: 4096, or what descriptors allow (64 are left for other things). When all are taken, those that have kept us
     * waiting longest for a head, a body or a handshake, or rested longest, are closed; those who have been so for less
     * than a second stay, and accept waits. */
    size_t connections;
    size_t per_peer;        /* of one address, default three quarters of connections; over it: closed at once */
    int64_t head_ms;        /* whole head, default 10000 */
    int64_t idle_ms;        /* keep-alive, default 60000 */
    int64_t stall_ms;       /* less than 4 KiB of body in or reply out in so long, default 30000 */
};

struct cof_http_server_opts {
    struct cof_addr listen;
    struct cof_tls_ctx *tls; /* NULL: plain only */
    bool allow_plain;        /* with tls: serve plain HTTP on the same port too */
    struct cof_http_handler handler;
    struct cof_http_limits limits; /* zero fields take the defaults */
};

COF_MUST_USE enum cof_err cof_http_server_new(struct cof_loop *loop, const struct cof_http_server_opts *opts,
                                              struct cof_http_server **out, struct cof_diag *diag);
/* Where it listens (the port picked for 0). */
void cof_http_server_addr(const struct cof_http_server *server, struct cof_addr *out);
/* Stops accepting; open exchanges finish. */
void cof_http_server_drain(struct cof_http_server *server);
size_t cof_http_server_open_connections(const struct cof_http_server *server);
void cof_http_server_free(struct cof_http_server *server); /* not from its own callbacks */

/* The request. */
const struct cof_http_head *cof_xchg_head(const struct cof_xchg *x);
bool cof_xchg_is_tls(const struct cof_xchg *x);
void cof_xchg_tls_names(const struct cof_xchg *x, const char **version, const char **cipher); /* NULL when plain */
void cof_xchg_peer(const struct cof_xchg *x, char out[static 64]); /* "127.0.0.1" or "unix" */
void cof_xchg_set_user(struct cof_xchg *x, void *user);
void *cof_xchg_user(const struct cof_xchg *x);
struct cof_loop *cof_xchg_loop(const struct cof_xchg *x);
const struct cof_headers *cof_xchg_trailers(const struct cof_xchg *x); /* after end */

/* Body flow: pause stops reading (back-pressure to the peer), resume goes on. */
void cof_xchg_pause(struct cof_xchg *x);
void cof_xchg_resume(struct cof_xchg *x);

/* For the head callback: the reply is known and comes later. The body is not asked for (100 Continue). */
void cof_xchg_decided(struct cof_xchg *x);
/* The reply. Whole: status, headers (may be NULL) and body (16 MiB at most; larger ones are streamed) in one. Date,
 * Content-Length, Transfer-Encoding and Connection are this layer's: the handler's are left out, but "Connection:
 * close" is obeyed. A reply may be started, and streamed, while the body still arrives. */
void cof_xchg_reply(struct cof_xchg *x, int status, const struct cof_headers *headers, struct cof_view body);
/* Streamed: start, write..., end. length < 0: chunked. A HEAD reply states the length and writes nothing.
 * write copies; it returns false when the buffer is over the high mark: stop until `writable`. */
void cof_xchg_start(struct cof_xchg *x, int status, const struct cof_headers *headers, int64_t length);
bool cof_xchg_write(struct cof_xchg *x, struct cof_view piece);
void cof_xchg_end(struct cof_xchg *x);
/* Something broke in the middle of a streamed reply: cut the connection so that the peer notices. */
void cof_xchg_abort(struct cof_xchg *x);

/* For replies that come much later. While need is set, the exchange ends as soon as the peer has closed its side, too:
 * who waits for an answer does not. (Else a peer may half-close and still read the reply.) */
void cof_xchg_need_peer(struct cof_xchg *x, bool need);
/* Asks the kernel: the peer has closed its side, or the connection is broken. */
bool cof_xchg_peer_is_gone(const struct cof_xchg *x);

#endif
