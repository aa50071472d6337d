/* SPDX-License-Identifier: Apache-2.0
 *
 * One connection of the enclave's, between tunnel.c (which takes them in) and tunnel_conn.c (which serves them).
 */
#ifndef COF_HOST_TUNNEL_CONN_H
#define COF_HOST_TUNNEL_CONN_H

#include "engine/burst.h"
#include "io/relay.h"
#include "names.h"
#include "tunnel.h"

/* What a connection is waiting for. */
enum conn_expects { EXPECT_HEAD, EXPECT_NAME, EXPECT_CONNECT, EXPECT_HELLO, EXPECT_NOTHING };

struct conn;

struct conn_list {
    struct conn *first, *last; /* youngest, oldest */
    uint32_t n;
};

struct destination {
    char host[256];
    uint16_t port;
    bool is_literal; /* an address: TLS has no server name for it (RFC 6066 section 3) */
};

struct tunnel {
    struct cof_loop *loop;
    struct tunnel_opts opts;
    struct destination *destinations;
    struct names *names;
    struct cof_relay_pool *pool;
    struct cof_watch listener;
    struct cof_timer held; /* the listener is not watched until it fires */
    struct cof_burst rate, log_rate;
    struct conn_list pending, forwarding;
    struct tunnel_counts counts;
};

struct conn {
    struct tunnel *tunnel;
    struct conn_list *in;
    struct conn *prev, *next;
    enum conn_expects state;
    int64_t since_ms;
    struct cof_watch inner; /* the enclave's side */
    struct cof_watch outer; /* the service's side; fd -1 before the dial */
    struct cof_timer deadline;
    struct cof_buf buf;
    const struct destination *to; /* NULL before CONNECT */
    struct names_wait wait;
    struct cof_sockaddr *addresses; /* heap, while they are tried */
    size_t n_addresses, at_address;
    int64_t connect_until_ms;
    struct cof_relay *relay;
};

/* fd: accepted, non-blocking; its from now on. */
void conn_serve(struct tunnel *tunnel, int fd);
/* Counts, logs (at a bounded rate) and closes it. */
void conn_refuse(struct conn *conn, enum tunnel_refusal why);
void conn_drop(struct conn *conn);

/* In tunnel.c. Writes the line unless there were too many; c may be NULL. */
void tunnel_note(struct tunnel *tunnel, enum tunnel_refusal why, const struct destination *to);

#endif
