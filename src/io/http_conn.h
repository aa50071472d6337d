/* SPDX-License-Identifier: Apache-2.0
 *
 * A server's connection and its exchange, shared by http_server.c (what comes in) and http_reply.c (what goes out).
 */
#ifndef COF_IO_HTTP_CONN_H
#define COF_IO_HTTP_CONN_H

#include "io/http_server.h"
#include "io/stream.h"

struct cof_http_conn;

/* What a connection expects next. */
enum cof_http_expects { EXPECT_TLS_OR_PLAIN, EXPECT_HEAD, EXPECT_BODY, EXPECT_REPLY, EXPECT_LINGER };

/* Made for each request, so that an idle connection is small. */
struct cof_xchg {
    struct cof_http_conn *conn;
    struct cof_http_head head;
    struct cof_headers trailers;
    struct cof_chunked chunks;
    void *user;
    bool told;      /* the handler knows of it */
    bool decided;   /* the reply is known, and nobody needs the body */
    bool started;   /* the reply's head is out */
    bool finished;  /* the reply is complete in the buffer, or cut */
    bool cut;       /* the reply was aborted */
    bool chunked;   /* the reply is */
    bool bodiless;  /* the reply has no body whatever its fields say */
    bool body_done; /* the request's body was received */
    bool closed;    /* the handler has had its last call */
    bool need_peer; /* it ends when the peer's side does */
    int64_t left;   /* of the reply's stated length */
    uint64_t body_left, received;
};

struct cof_http_conn {
    struct cof_http_server *server;
    struct cof_http_conn *prev, *next;
    struct cof_xchg *x; /* NULL between requests */
    struct cof_stream stream;
    struct cof_timer deadline, finish;
    enum cof_http_expects state;
    bool tls, busy, keep_alive, head_begun;
    uint64_t moved;  /* bytes either way when the deadline was set */
    int64_t since_ms; /* when that was */
    uint32_t peer_slot;
    size_t lingered;
    char peer[46];
};

#define COF_HTTP_PEERS 4096

struct cof_http_server {
    struct cof_loop *loop;
    struct cof_http_server_opts opts;
    struct cof_watch listener;
    struct cof_timer retry; /* accepting, after descriptors ran out */
    struct cof_addr bound;
    struct cof_http_conn *conns;
    size_t n_conns;
    uint16_t per_peer[COF_HTTP_PEERS]; /* connections, by a hash of the address; addresses that meet share their limit */
    struct cof_buf head; /* of the reply at hand */
    int64_t date_s; /* what date says */
    char date[40];
};

/* http_server.c */
void cof_http_conn_arm(struct cof_http_conn *c, int64_t ms);

/* http_reply.c */
#define COF_HTTP_DRAIN_MAX 65536 /* of an unread body, read and dropped to keep the connection */
/* A refusal that no handler sees. */
void cof_http_refuse(struct cof_http_conn *c, int status);

#endif
