/* SPDX-License-Identifier: Apache-2.0
 *
 * A buffered byte stream over a non-blocking socket, plain or TLS: what the HTTP server and client stand on.
 * Embedded in its owner. Callbacks run from the loop only, never from inside a call of the owner's. In any callback
 * the owner may close the stream, but its memory must live to the end of the loop's turn (cof_loop_discard).
 */
#ifndef COF_IO_STREAM_H
#define COF_IO_STREAM_H

#include "base/buf.h"
#include "io/loop.h"
#include "io/tls.h"

#define COF_STREAM_IN_MAX 65536     /* unread bytes kept before reading stops */
#define COF_STREAM_OUT_HIGH 262144  /* over this a writer should stop */
#define COF_STREAM_OUT_LOW 65536    /* under this it is told to go on */
#define COF_STREAM_OUT_MAX 16777216 /* the hard cap */

struct cof_tls_conn;

struct cof_stream_events {
    void (*ready)(void *ctx);   /* connected, and TLS is up */
    void (*data)(void *ctx);    /* in has grown, or eof was seen, or TLS has a session to resume */
    void (*drained)(void *ctx); /* out fell below the low mark, or became empty */
    void (*failed)(void *ctx, enum cof_err err, const struct cof_diag *diag); /* final; nothing is called after it */
    void *ctx;
};

struct cof_stream {
    struct cof_loop *loop;
    struct cof_watch watch;
    struct cof_stream_events events;
    struct cof_tls_conn *tls;
    struct cof_buf in, out;
    size_t in_at;         /* bytes of in already consumed */
    size_t out_at;        /* bytes of out already sent */
    bool connecting, handshaking, up;
    bool paused, eof, over_high, unsent_seen, end_wanted, end_sent, failed, pumping;
    bool more_in;         /* the socket, or TLS, may hold bytes not read yet */
    bool flowing;         /* a read filled its room: the next ones are large, until the stream rests */
    bool tls_read_wants_write, tls_write_wants_read;
    bool is_inet;         /* takes writes of any length */
    uint64_t total_in, total_out;
    struct cof_timer kick;
};

/* fd is owned from here on, whatever happens. connecting: a non-blocking connect is under way. tls may be NULL; host is
 * the name to check (clients) or NULL (servers). */
COF_MUST_USE enum cof_err cof_stream_open(struct cof_stream *s, struct cof_loop *loop, int fd, bool connecting,
                                          const struct cof_stream_events *events);
/* Puts TLS on top now; what is already in `in` must have been consumed. */
COF_MUST_USE enum cof_err cof_stream_start_tls(struct cof_stream *s, struct cof_tls_ctx *tls, const char *host);
void cof_stream_close(struct cof_stream *s); /* idempotent */

struct cof_view cof_stream_in(const struct cof_stream *s);
size_t cof_stream_unread(const struct cof_stream *s); /* bytes of it */
void cof_stream_consume(struct cof_stream *s, size_t n);
void cof_stream_pause(struct cof_stream *s);
void cof_stream_resume(struct cof_stream *s); /* `data` follows from the loop when something is there */

/* Copies to the out buffer, which goes out at the end of the loop's turn. Failures show through `failed`; what the peer
 * has said before is still handed over first. */
void cof_stream_write(struct cof_stream *s, struct cof_view data);
bool cof_stream_over_high(const struct cof_stream *s);
bool cof_stream_is_drained(const struct cof_stream *s);
/* A stream that was idle: whether the peer has ended it, or (plain) said something, that the loop has not told yet. */
bool cof_stream_is_stale(const struct cof_stream *s);
/* The stream is to be idle for a while: empty buffers are let go of. */
void cof_stream_release(struct cof_stream *s);
/* Ends our direction once everything was sent. */
void cof_stream_end(struct cof_stream *s);

#endif
