/* SPDX-License-Identifier: Apache-2.0
 *
 * One TLS connection over a non-blocking socket, for src/io/stream.c alone.
 */
#ifndef COF_IO_TLS_CONN_H
#define COF_IO_TLS_CONN_H

#include "io/tls.h"

struct cof_tls_conn;

/* What a call wants before it can go on. */
enum cof_tls_want { COF_TLS_OK, COF_TLS_WANT_READ, COF_TLS_WANT_WRITE, COF_TLS_EOF, COF_TLS_FAILED };

/* host: the name to check and send (clients); NULL for servers. fd stays the caller's. small_sends: at most 32 KiB each, for vsock. */
COF_MUST_USE enum cof_err cof_tls_conn_new(struct cof_tls_ctx *ctx, int fd, const char *host, bool small_sends,
                                           struct cof_tls_conn **out);
enum cof_tls_want cof_tls_conn_handshake(struct cof_tls_conn *conn, enum cof_err *err, struct cof_diag *diag);
enum cof_tls_want cof_tls_conn_read(struct cof_tls_conn *conn, uint8_t *out, size_t len, size_t *n);
enum cof_tls_want cof_tls_conn_write(struct cof_tls_conn *conn, const uint8_t *data, size_t len, size_t *n);
/* Records that were written are gathered: sends them, as far as the socket takes them. false: it is broken. */
bool cof_tls_conn_push(struct cof_tls_conn *conn);
size_t cof_tls_conn_waiting(const struct cof_tls_conn *conn); /* bytes gathered that the socket has not taken */
/* Whether the peer sent a session since this was last asked. */
bool cof_tls_conn_take_news(struct cof_tls_conn *conn);
/* Data flow from now on: several records are read at once. Until it rests, when buffers are let go of. */
void cof_tls_conn_flow(struct cof_tls_conn *conn);
void cof_tls_conn_rest(struct cof_tls_conn *conn);
/* "TLSv1.3" and "TLS_AES_128_GCM_SHA256"; static storage. */
void cof_tls_conn_names(const struct cof_tls_conn *conn, const char **version, const char **cipher);
/* Sends close_notify, best effort. */
void cof_tls_conn_shutdown(struct cof_tls_conn *conn);
void cof_tls_conn_free(struct cof_tls_conn *conn);

#endif
