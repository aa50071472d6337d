/* SPDX-License-Identifier: Apache-2.0
 *
 * Records are gathered and leave together; a socket that takes no more, has ended or is broken shows as TLS expects it of a BIO.
 */
#include "testing.h"

#include "io/tls_wire.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

struct pair {
    BIO_METHOD *method;
    BIO *wire;
    int ours, theirs;
};

static struct pair open_pair(void)
{
    struct pair p = {.method = cof_tls_wire_method()};
    int fds[2];

    assert_non_null(p.method);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    p.ours = fds[0];
    p.theirs = fds[1];
    p.wire = cof_tls_wire_new(p.method, p.ours, true);
    assert_non_null(p.wire);
    return p;
}

static void close_pair(struct pair *p)
{
    BIO_free(p->wire);
    BIO_meth_free(p->method);
    (void)close(p->ours);
    if (p->theirs >= 0)
        (void)close(p->theirs);
}

static size_t read_all(int fd, uint8_t *out, size_t size)
{
    size_t got = 0;
    ssize_t n;

    while (got < size && (n = read(fd, out + got, size - got)) > 0)
        got += (size_t)n;
    return got;
}

static void writes_leave_together(void **state)
{
    struct pair p = open_pair();
    uint8_t record[1000], seen[4096];
    size_t n;

    (void)state;
    for (int i = 0; i < 3; i++) {
        memset(record, 'a' + i, sizeof record);
        assert_int_equal(BIO_write_ex(p.wire, record, sizeof record, &n), 1);
        assert_int_equal(n, sizeof record);
    }
    assert_int_equal(read(p.theirs, seen, sizeof seen), -1); /* nothing has left yet */
    assert_int_equal(cof_tls_wire_waiting(p.wire), 3000);
    assert_true(cof_tls_wire_push(p.wire));
    assert_int_equal(cof_tls_wire_waiting(p.wire), 0);
    assert_int_equal(read_all(p.theirs, seen, sizeof seen), 3000);
    assert_int_equal(seen[999], 'a');
    assert_int_equal(seen[1000], 'b');
    assert_int_equal(seen[2999], 'c');
    cof_tls_wire_release(p.wire);
    assert_int_equal(BIO_write_ex(p.wire, record, 1, &n), 1); /* and is there again at need */
    assert_int_equal(BIO_flush(p.wire), 1);                   /* as the handshake does */
    assert_int_equal(read_all(p.theirs, seen, sizeof seen), 1);
    close_pair(&p);
}

/* Every byte arrives in its order, however little the socket takes at a time. */
static void a_full_socket_is_waited_for(void **state)
{
    struct pair p = open_pair();
    static uint8_t seen[2000000];
    uint8_t piece[16406];
    size_t sent = 0, got = 0, refused = 0, n;

    (void)state;
    while (got < sizeof seen) {
        size_t want = sizeof seen - sent < sizeof piece ? sizeof seen - sent : sizeof piece;
        for (size_t i = 0; i < want; i++)
            piece[i] = (uint8_t)((sent + i) * 31 >> 3);
        if (want > 0 && BIO_write_ex(p.wire, piece, want, &n) == 1) {
            assert_in_range(n, 1, want); /* a part is as good */
            sent += n;
            continue;
        }
        refused++;
        if (want > 0) {
            assert_true(BIO_should_write(p.wire));
            assert_true(cof_tls_wire_waiting(p.wire) > 0);
            assert_int_equal(BIO_flush(p.wire), -1);
            assert_true(BIO_should_write(p.wire));
        }
        got += read_all(p.theirs, seen + got, 100001 < sizeof seen - got ? 100001 : sizeof seen - got);
        assert_true(cof_tls_wire_push(p.wire));
    }
    assert_true(refused > 3);
    for (size_t i = 0; i < sizeof seen; i++)
        if (seen[i] != (uint8_t)(i * 31 >> 3))
            fail_msg("byte %zu is another", i);
    close_pair(&p);
}

static void reads_say_why_there_is_nothing(void **state)
{
    struct pair p = open_pair();
    uint8_t byte;
    size_t n;

    (void)state;
    assert_int_equal(BIO_read_ex(p.wire, &byte, 1, &n), 0);
    assert_true(BIO_should_read(p.wire));
    assert_false(BIO_eof(p.wire));
    assert_int_equal(write(p.theirs, "x", 1), 1);
    assert_int_equal(BIO_read_ex(p.wire, &byte, 1, &n), 1);
    assert_int_equal(byte, 'x');
    (void)close(p.theirs);
    p.theirs = -1;
    assert_int_equal(BIO_read_ex(p.wire, &byte, 1, &n), 0);
    assert_false(BIO_should_retry(p.wire));
    assert_true(BIO_eof(p.wire));
    assert_int_equal(BIO_write_ex(p.wire, "y", 1, &n), 1); /* gathered; nothing is known yet */
    assert_false(cof_tls_wire_push(p.wire));
    assert_int_equal(BIO_flush(p.wire), -1);
    assert_false(BIO_should_retry(p.wire));
    close_pair(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_leave_together),
        cmocka_unit_test(a_full_socket_is_waited_for),
        cmocka_unit_test(reads_say_why_there_is_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
