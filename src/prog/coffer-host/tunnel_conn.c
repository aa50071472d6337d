/* SPDX-License-Identifier: Apache-2.0 */
#include "tunnel_conn.h"

#include "format/http1.h"
#include "format/tls_hello.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX 4096
#define IN_MAX 32768 /* a head, or a ClientHello */
#define READ_BYTES 4096

_Static_assert(IN_MAX + READ_BYTES <= COF_RELAY_EARLY_MAX, "all that was read before goes into the relay");

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

static void unlink_conn(struct conn *c)
{
    *(c->prev != NULL ? &c->prev->next : &c->in->first) = c->next;
    *(c->next != NULL ? &c->next->prev : &c->in->last) = c->prev;
    c->in->n--;
}

static void link_conn(struct conn *c, struct conn_list *list)
{
    c->in = list;
    c->prev = NULL;
    c->next = list->first;
    *(list->first != NULL ? &list->first->prev : &list->last) = c;
    list->first = c;
    list->n++;
}

static void close_outer(struct conn *c)
{
    if (c->outer.fd < 0)
        return;
    cof_loop_unwatch(c->tunnel->loop, &c->outer);
    (void)close(c->outer.fd);
    c->outer.fd = -1;
}

void conn_drop(struct conn *c)
{
    struct cof_loop *loop = c->tunnel->loop;

    cof_loop_disarm(loop, &c->deadline);
    names_forget(&c->wait);
    cof_relay_cancel(c->relay);
    if (c->inner.fd >= 0) {
        cof_loop_unwatch(loop, &c->inner);
        (void)close(c->inner.fd);
    }
    close_outer(c);
    unlink_conn(c);
    free(c->addresses);
    cof_buf_done(&c->buf);
    free(c);
}

/* Replies here are small against a fresh socket's buffer; what does not fit at once is a peer not worth waiting for. */
static bool send_reply(struct conn *c, int status, struct cof_view body)
{
    struct cof_buf out;
    ssize_t n;
    bool whole;

    cof_buf_init_secret(&out, 65536);
    cof_buf_printf(&out, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                   status, cof_http1_reason(status), body.len);
    cof_buf_add(&out, body);
    do
        n = send(c->inner.fd, out.data, out.len, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    whole = n == (ssize_t)out.len;
    cof_buf_done(&out);
    return whole;
}

void conn_refuse(struct conn *c, enum tunnel_refusal why)
{
    static const int status[TUNNEL_REFUSALS] = {[REFUSED_MALFORMED] = 400, [REFUSED_REQUEST] = 404, [REFUSED_DESTINATION] = 403,
                                                [REFUSED_UNREACHABLE] = 502, [REFUSED_CREDENTIALS] = 503};
    char body[96];

    tunnel_note(c->tunnel, why, c->to);
    (void)snprintf(body, sizeof body, "{\"error\":\"%s\"}\n", tunnel_refusal_word(why));
    if (status[why] != 0 && c->state != EXPECT_HELLO)
        (void)send_reply(c, status[why], cof_view_str(body));
    conn_drop(c);
}

static void on_relay_done(void *ctx, struct cof_relay *relay, enum cof_err why)
{
    struct conn *c = ctx;

    (void)relay;
    c->tunnel->counts.ended[why == COF_OK ? END_CLEAN : why == COF_E_TIMEOUT ? END_IDLE : END_RESET]++;
    c->relay = NULL;
    conn_drop(c);
}

static void start_relay(struct conn *c)
{
    struct tunnel *t = c->tunnel;
    struct cof_relay_opts opts = {
        .pool = t->pool,
        .fd = {c->inner.fd, c->outer.fd},
        .early = cof_buf_view(&c->buf),
        .idle_ms = t->opts.limits.idle_ms,
        .done = on_relay_done,
        .ctx = c,
    };

    cof_loop_unwatch(t->loop, &c->inner);
    cof_loop_unwatch(t->loop, &c->outer);
    cof_loop_disarm(t->loop, &c->deadline);
    c->state = EXPECT_NOTHING;
    if (cof_relay_start(t->loop, &opts, &c->relay) != COF_OK) {
        conn_drop(c);
        return;
    }
    c->inner.fd = c->outer.fd = -1; /* moved */
    t->counts.forwarded++;
    unlink_conn(c);
    link_conn(c, &t->forwarding);
    cof_buf_done(&c->buf);
}

static void check_hello(struct conn *c)
{
    struct cof_view name;
    enum cof_err err = cof_tls_hello_server_name(cof_buf_view(&c->buf), &name);

    if (err == COF_E_SHORT && c->buf.len < IN_MAX)
        return;
    if (err != COF_OK)
        conn_refuse(c, REFUSED_NOT_TLS);
    else if (name.len == 0 ? !c->to->is_literal : !cof_view_eq_nocase(name, cof_view_str(c->to->host)))
        conn_refuse(c, REFUSED_SERVER_NAME);
    else
        start_relay(c);
}

static bool arm(struct conn *c, int64_t ms)
{
    if (cof_loop_arm(c->tunnel->loop, &c->deadline, ms) == COF_OK)
        return true;
    conn_drop(c);
    return false;
}

/* The next address that lets itself be dialled; each gets its share of the time that is left. */
static void dial_next(struct conn *c)
{
    struct tunnel *t = c->tunnel;
    int64_t left_ms = c->connect_until_ms - cof_loop_now_ms(t->loop);
    size_t n_left;

    close_outer(c);
    while (c->at_address < c->n_addresses && left_ms > 0) {
        n_left = c->n_addresses - c->at_address;
        if (cof_dial_at(&c->addresses[c->at_address++], &c->outer.fd) != COF_OK)
            continue;
        if (cof_loop_watch(t->loop, &c->outer, COF_WRITABLE) != COF_OK)
            conn_drop(c);
        else
            (void)arm(c, left_ms / (int64_t)n_left + 1);
        return;
    }
    conn_refuse(c, REFUSED_UNREACHABLE);
}

static void on_connected(struct cof_watch *watch, unsigned events)
{
    static const char established[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    struct conn *c = OWNER(watch, struct conn, outer);
    int error = 0;
    socklen_t len = sizeof error;

    (void)events;
    cof_loop_unwatch(c->tunnel->loop, watch);
    if (getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
        dial_next(c);
        return;
    }
    free(c->addresses);
    c->addresses = NULL;
    if (send(c->inner.fd, established, sizeof established - 1, MSG_NOSIGNAL) != (ssize_t)sizeof established - 1) {
        conn_refuse(c, REFUSED_GONE);
        return;
    }
    c->state = EXPECT_HELLO;
    if (!arm(c, c->tunnel->opts.limits.setup_ms))
        return;
    if (cof_loop_watch(c->tunnel->loop, &c->inner, COF_READABLE) != COF_OK)
        conn_drop(c);
    else if (c->buf.len > 0)
        check_hello(c);
}

static void dial_all(struct conn *c, const struct cof_sockaddr *list, size_t n)
{
    c->state = EXPECT_CONNECT;
    c->addresses = calloc(n == 0 ? 1 : n, sizeof *c->addresses);
    if (c->addresses == NULL) {
        conn_drop(c);
        return;
    }
    memcpy(c->addresses, list, n * sizeof *list);
    c->n_addresses = n;
    dial_next(c);
}

static void on_addresses(struct names_wait *wait, const struct cof_sockaddr *list, size_t n)
{
    dial_all(OWNER(wait, struct conn, wait), list, n);
}

static void connect_to(struct conn *c, size_t which)
{
    struct tunnel *t = c->tunnel;
    struct cof_sockaddr list[NAMES_ADDRESSES];
    size_t n;
    enum cof_err err;

    cof_loop_unwatch(t->loop, &c->inner);
    c->connect_until_ms = cof_loop_now_ms(t->loop) + t->opts.limits.connect_ms;
    if (!arm(c, t->opts.limits.connect_ms))
        return;
    c->state = EXPECT_NAME;
    err = names_find(t->names, which, c->to->host, c->to->port, &c->wait, list, &n);
    if (err != COF_OK)
        conn_refuse(c, REFUSED_UNREACHABLE);
    else if (n > 0)
        dial_all(c, list, n);
}

static void on_connect_request(struct conn *c, struct cof_view target)
{
    const struct tunnel *t = c->tunnel;

    for (size_t i = 0; i < t->opts.n_allow; i++)
        if (cof_view_eq_nocase(target, cof_view_str(t->opts.allow[i]))) {
            c->to = &t->destinations[i];
            connect_to(c, i);
            return;
        }
    conn_refuse(c, REFUSED_DESTINATION);
}

static void give_credentials(struct conn *c)
{
    struct tunnel *t = c->tunnel;
    struct cof_buf json;
    enum cof_err err;

    cof_buf_init_secret(&json, 16384);
    err = t->opts.credentials == NULL ? COF_E_NOT_FOUND : t->opts.credentials(t->opts.ctx, &json);
    if (err != COF_OK) {
        conn_refuse(c, REFUSED_CREDENTIALS);
    } else if (!send_reply(c, 200, cof_buf_view(&json))) {
        conn_refuse(c, REFUSED_GONE);
    } else {
        t->counts.credentials++;
        conn_drop(c);
    }
    cof_buf_done(&json);
}

static void parse_head(struct conn *c)
{
    struct cof_http_head head = {0};
    size_t used = 0;
    enum cof_err err = cof_http1_request(cof_buf_view(&c->buf), HEAD_MAX, &head, &used);

    if (err == COF_E_SHORT)
        return;
    if (err != COF_OK) {
        conn_refuse(c, REFUSED_MALFORMED);
        return;
    }
    cof_buf_drop(&c->buf, used);
    if (head.chunked || (head.has_length && head.length > 0))
        conn_refuse(c, REFUSED_MALFORMED);
    else if (cof_view_eq(head.method, COF_LIT("CONNECT")))
        on_connect_request(c, head.target);
    else if (cof_view_eq(head.method, COF_LIT("GET")) && cof_view_eq(head.target, COF_LIT("/credentials")))
        give_credentials(c);
    else
        conn_refuse(c, REFUSED_REQUEST);
    cof_http1_head_done(&head);
}

static void on_inner(struct cof_watch *watch, unsigned events)
{
    struct conn *c = OWNER(watch, struct conn, inner);
    ssize_t n;

    (void)events;
    if (cof_buf_reserve(&c->buf, READ_BYTES) != COF_OK) {
        conn_drop(c);
        return;
    }
    n = recv(watch->fd, c->buf.data + c->buf.len, READ_BYTES, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        conn_refuse(c, REFUSED_GONE);
        return;
    }
    c->buf.len += (size_t)n;
    if (c->state == EXPECT_HEAD)
        parse_head(c);
    else if (c->state == EXPECT_HELLO)
        check_hello(c);
}

static void on_deadline(struct cof_timer *timer)
{
    struct conn *c = OWNER(timer, struct conn, deadline);

    if (c->state == EXPECT_CONNECT)
        dial_next(c);
    else
        conn_refuse(c, c->state == EXPECT_NAME ? REFUSED_UNREACHABLE : REFUSED_SLOW);
}

void conn_serve(struct tunnel *t, int fd)
{
    struct conn *c = calloc(1, sizeof *c);

    if (c == NULL) {
        (void)close(fd);
        return;
    }
    c->tunnel = t;
    c->since_ms = cof_loop_now_ms(t->loop);
    cof_buf_init(&c->buf, IN_MAX + READ_BYTES);
    c->inner = (struct cof_watch){.ready = on_inner, .fd = fd};
    c->outer = (struct cof_watch){.ready = on_connected, .fd = -1};
    c->deadline.fire = on_deadline;
    c->wait.answered = on_addresses;
    link_conn(c, &t->pending);
    if (arm(c, t->opts.limits.setup_ms) && cof_loop_watch(t->loop, &c->inner, COF_READABLE) != COF_OK)
        conn_drop(c);
}
