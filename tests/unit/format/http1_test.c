/* SPDX-License-Identifier: Apache-2.0
 *
 * Heads and chunked coding: what must be taken, what must be refused, and that neither cuts nor pieces change the verdict.
 */
#include "testing.h"

#include "format/http1.h"

#define MAX 32768

static enum cof_err request(const char *bytes, size_t len)
{
    struct cof_http_head head;
    size_t used;
    enum cof_err err = cof_http1_request(cof_view_of(bytes, len), MAX, &head, &used);

    if (err == COF_OK)
        assert_int_equal(used, len);
    else
        assert_null(head.headers.bytes.data); /* nothing to free */
    cof_http1_head_done(&head);
    return err;
}

#define REQUEST(s) request(s, sizeof(s) - 1)
#define G "GET / HTTP/1.1\r\nHost: a\r\n"

static void takes_a_request_apart(void **state)
{
    static const char bytes[] = "PUT /b%20c/d?x=1&y=?z HTTP/1.1\r\nHost: example.com:8080\r\nContent-Length:  00005\t\r\n"
                                "EXPECT: 100-Continue\r\nX-A: one\r\nx-a: two\r\nEmpty:\r\n\r\nhello";
    struct cof_http_head head;
    struct cof_view value;
    size_t used;

    assert_ok(cof_http1_request(cof_view_of(bytes, sizeof bytes - 1), MAX, &head, &used));
    assert_int_equal(used, sizeof bytes - 1 - 5);
    assert_true(cof_view_eq_str(head.method, "PUT"));
    assert_true(cof_view_eq_str(head.target, "/b%20c/d?x=1&y=?z"));
    assert_true(cof_view_eq_str(head.path, "/b%20c/d"));
    assert_true(cof_view_eq_str(head.query, "x=1&y=?z"));
    assert_int_equal(head.minor, 1);
    assert_true(head.has_length && head.length == 5 && !head.chunked && head.keep_alive && head.expect_continue);
    assert_int_equal(head.headers.n, 6);
    assert_int_equal(cof_headers_count(&head.headers, "X-A"), 2);
    assert_true(cof_headers_get(&head.headers, "empty", &value) && value.len == 0);
    cof_http1_head_done(&head);
}

static void knows_who_stays(void **state)
{
    static const struct {
        const char *bytes;
        bool keep;
    } cases[] = {
        {G "\r\n", true},
        {G "Connection: close\r\n\r\n", false},
        {G "Connection: foo , CLOSE\r\n\r\n", false},
        {G "Connection: foo\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_http_head head;
        size_t used;
        assert_ok(cof_http1_request(cof_view_str(cases[i].bytes), MAX, &head, &used));
        assert_int_equal(head.keep_alive, cases[i].keep);
        cof_http1_head_done(&head);
    }
}

static void knows_the_forms_of_targets(void **state)
{
    static const struct {
        const char *bytes, *path, *query;
    } good[] = {
        {"GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", "/", ""},
        {"GET http://a?q HTTP/1.1\r\nHost: a\r\n\r\n", "/", "q"},
        {"GET HTTPS://A:443/b?c HTTP/1.1\r\nHost: a:443\r\n\r\n", "/b", "c"},
        {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "*", ""},
        {"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", "a:443", ""},
        {"GET //x HTTP/1.1\r\nHost: a\r\n\r\n", "//x", ""},
    };
    static const char *const bad[] = {
        "GET http://evil/ HTTP/1.1\r\nHost: a\r\n\r\n", /* says two hosts */
        "GET http:// HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /#f HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n",
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct cof_http_head head;
        size_t used;
        assert_ok(cof_http1_request(cof_view_str(good[i].bytes), MAX, &head, &used));
        assert_true(cof_view_eq_str(head.path, good[i].path));
        assert_true(cof_view_eq_str(head.query, good[i].query));
        cof_http1_head_done(&head);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (request(bad[i], strlen(bad[i])) != COF_E_FORMAT)
            fail_msg("taken: %s", bad[i]);
}

/* attack C-38: heads that two readers could take differently. */
static void refuses_what_could_be_smuggled(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
#define B(s) {s, sizeof(s) - 1}
        B(G "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
        B(G "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
        B(G "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"),
        B(G "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
        B(G "Content-Length: +5\r\n\r\n"),
        B(G "Content-Length: -5\r\n\r\n"),
        B(G "Content-Length: 5, 5\r\n\r\n"),
        B(G "Content-Length: 0x5\r\n\r\n"),
        B(G "Content-Length: 5 5\r\n\r\n"),
        B(G "Content-Length:\r\n\r\n"),
        B(G "Content-Length: 18446744073709551621\r\n\r\n"),
        B(G "Content-Length: 9223372036854775808\r\n\r\n"),
        B(G "Content-Length : 5\r\n\r\n"),
        B(G "Content-Length\t: 5\r\n\r\n"),
        B(G " Content-Length: 5\r\n\r\n"),
        B("GET / HTTP/1.1\nHost: a\n\n"),
        B("GET / HTTP/1.1\r\nHost: a\n\r\n"),
        B("GET / HTTP/1.1\r\nHost: a\r\n\n"),
        B(G "X: a\rContent-Length: 5\r\n\r\n"),
        B(G "X: a\r\r\n\r\n"),
        B(G "X: a\0b\r\n\r\n"),
        B(G "X: a\x01\r\n\r\n"),
        B(G "X: a\x7f\r\n\r\n"),
        B(G "X: a\r\n Content-Length: 5\r\n\r\n"),
        B(G "X: a\r\n\tb\r\n\r\n"),
        B(G "X\x01y: z\r\n\r\n"),
        B(G "X\0y: z\r\n\r\n"),
        B(G "X(y): z\r\n\r\n"),
        B(G ": z\r\n\r\n"),
        B(G "no colon\r\n\r\n"),
        B(G "Transfer-Encoding: xchunked\r\n\r\n"),
        B(G "Transfer-Encoding: chunked, identity\r\n\r\n"),
        B(G "Transfer-Encoding: identity, chunked\r\n\r\n"),
        B(G "Transfer-Encoding: chunked, chunked\r\n\r\n"),
        B(G "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
        B(G "Transfer-Encoding: \"chunked\"\r\n\r\n"),
        B(G "Transfer-Encoding: chunked;x\r\n\r\n"),
        B(G "Transfer-Encoding:\r\n\r\n"),
        B(G "Transfer-Encoding: \x0b" "chunked\r\n\r\n"),
        B("GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
        B("GET / HTTP/1.1\r\n\r\n"),
        B(G "Host: a\r\n\r\n"),
        B(G "host: b\r\n\r\n"),
        B("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
        B("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        B("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
        B("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"),
        B(G "Expect: 200-maybe\r\n\r\n"),
        B("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
        B("GET /  HTTP/1.1\r\nHost: a\r\n\r\n"),
        B("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
        B(" GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        B("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        B("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
        B("GET /\r\nHost: a\r\n\r\n"),
        B("GET HTTP/1.1\r\nHost: a\r\n\r\n"),
        B("G(T / HTTP/1.1\r\nHost: a\r\n\r\n"),
        B("GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
        B("GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
        B("GET / http/1.1\r\nHost: a\r\n\r\n"),
        B("GET / HTTP/1.10\r\nHost: a\r\n\r\n"),
        B("PRI * HTTP/2.0\r\n\r\n"),
        B("\r\n\r\n"),
        B("\x16\x03\x01\x02\x00\x01\r\n\r\n"),
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (request(bad[i].bytes, bad[i].len) != COF_E_FORMAT)
            fail_msg("taken: %s", bad[i].bytes);
}

static void heads_are_bounded(void **state)
{
    struct cof_buf buf;
    struct cof_http_head head;
    size_t used;

    cof_buf_init(&buf, 1 << 20);
    cof_buf_add_str(&buf, G "X: ");
    while (buf.len < 1000)
        cof_buf_add_u8(&buf, 'x');
    assert_int_equal(cof_http1_request(cof_buf_view(&buf), 1001, &head, &used), COF_E_SHORT);
    assert_int_equal(cof_http1_request(cof_buf_view(&buf), 1000, &head, &used), COF_E_LIMIT);
    cof_buf_add_str(&buf, "\r\n\r\n");
    assert_int_equal(cof_http1_request(cof_buf_view(&buf), 1003, &head, &used), COF_E_LIMIT);
    assert_ok(cof_http1_request(cof_buf_view(&buf), 1004, &head, &used));
    cof_http1_head_done(&head);
    cof_buf_reset(&buf);
    cof_buf_add_str(&buf, G);
    for (int i = 0; i < COF_HEADERS_MAX; i++)
        cof_buf_add_str(&buf, "a:b\r\n");
    cof_buf_add_str(&buf, "\r\n");
    assert_int_equal(cof_http1_request(cof_buf_view(&buf), MAX, &head, &used), COF_E_LIMIT);
    cof_buf_done(&buf);
}

/* RFC 9110 section 5.5: a value holds no controls but tabs, wherever it stands, beside whatever. */
static void each_byte_of_a_value_is_looked_at(void **state)
{
    static const uint8_t beside[] = {' ', 'x', '\t', 0x7e, 0x80, 0xff};
    struct cof_http_head head;
    size_t used;

    for (unsigned c = 0; c < 256; c++)
        for (size_t at = 0; at < 20; at++)
            for (size_t b = 0; b < sizeof beside; b++) {
                char bytes[] = G "A: <12345678901234567890>\r\nB: c\r\n\r\n";
                char *value = strchr(bytes, '<') + 1;
                bool fine = c == '\t' || (c >= 0x20 && c != 0x7f);
                enum cof_err err;

                memset(value, beside[b], 20);
                value[at] = (char)c;
                err = cof_http1_request(cof_view_of(bytes, sizeof bytes - 1), MAX, &head, &used);
                assert_int_equal(err, fine ? COF_OK : COF_E_FORMAT);
                cof_http1_head_done(&head);
            }
}

/* A good head cut anywhere is incomplete, and never anything else. */
static void a_cut_head_is_incomplete(void **state)
{
    static const char bytes[] = "POST /a?b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n";
    struct cof_http_head head;
    size_t used;

    for (size_t n = 0; n < sizeof bytes - 1; n++)
        assert_int_equal(request(bytes, n), COF_E_SHORT);
    assert_ok(cof_http1_request(cof_view_of(bytes, sizeof bytes - 1), MAX, &head, &used));
    assert_true(head.chunked && !head.has_length);
    cof_http1_head_done(&head);
}

static void takes_replies(void **state)
{
    static const struct {
        const char *bytes;
        bool to_head;
        int status;
        bool has_length, chunked, keep_alive;
        uint64_t length;
    } good[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", false, 200, true, false, true, 7},
        {"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", true, 200, true, false, true, 0},
        {"HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n", false, 200, false, true, true, 0},
        {"HTTP/1.1 204 \r\n\r\n", false, 204, true, false, true, 0},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", false, 304, true, false, true, 0},
        {"HTTP/1.1 100 Continue\r\n\r\n", false, 100, true, false, true, 0},
        {"HTTP/1.0 200 OK\r\n\r\n", false, 200, false, false, false, 0},
        {"HTTP/1.1 599 \xc3\xbc\r\nConnection: close\r\n\r\n", false, 599, false, false, false, 0},
    };
    static const char *const bad[] = {
        "HTTP/1.1 99 x\r\n\r\n", "HTTP/1.1 600 x\r\n\r\n", "HTTP/1.1 0200 x\r\n\r\n", "HTTP/1.1 2xx x\r\n\r\n",
        "HTTP/1.1  200 x\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/2 200 x\r\n\r\n", "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 200 a\x01\r\n\r\n", "HTTP/1.1 200 OK\n\n", "HTTP/1.1 -20 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
    };
    struct cof_http_head head;
    size_t used;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_ok(cof_http1_response(cof_view_str(good[i].bytes), MAX, good[i].to_head, &head, &used));
        assert_int_equal(head.status, good[i].status);
        assert_true(head.has_length == good[i].has_length && head.chunked == good[i].chunked &&
                    head.keep_alive == good[i].keep_alive && head.length == good[i].length);
        cof_http1_head_done(&head);
        for (size_t n = 0; n < strlen(good[i].bytes); n++)
            assert_int_equal(cof_http1_response(cof_view_of(good[i].bytes, n), MAX, false, &head, &used), COF_E_SHORT);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (cof_http1_response(cof_view_str(bad[i]), MAX, false, &head, &used) != COF_E_FORMAT)
            fail_msg("taken: %s", bad[i]);
}

/* Decodes bytes given in pieces of step; *rest is what was left over. */
static enum cof_err chunked(const char *bytes, size_t len, size_t step, struct cof_buf *out, struct cof_headers *trailers,
                            size_t *rest)
{
    struct cof_chunked c;
    enum cof_err err = COF_E_SHORT;
    bool end = false;
    size_t at = 0;

    cof_chunked_init(&c);
    while (at < len && !end && (err == COF_E_SHORT || err == COF_OK)) {
        size_t n = len - at < step ? len - at : step;
        struct cof_view in = cof_view_of(bytes + at, n), piece;

        do {
            err = cof_chunked_next(&c, &in, &piece, &end, trailers);
            if (err == COF_OK)
                cof_buf_add(out, piece);
        } while (err == COF_OK && !end);
        if (err == COF_E_SHORT)
            assert_int_equal(in.len, 0);
        at += n - in.len;
    }
    *rest = len - at;
    cof_chunked_done(&c);
    return err == COF_OK && !end ? COF_E_SHORT : err;
}

static void decodes_chunks_however_they_come(void **state)
{
    static const char bytes[] = "5\r\nhello\r\n0A;ext=\"a b\"\r\n0123456789\r\n1 \r\n!\r\n000\r\nX-Sum: 7\r\nY:z\r\n\r\nNEXT";

    for (size_t step = 1; step < sizeof bytes; step++) {
        struct cof_headers trailers;
        struct cof_view value;
        struct cof_buf out;
        size_t rest;

        cof_headers_init(&trailers);
        cof_buf_init(&out, 100);
        assert_ok(chunked(bytes, sizeof bytes - 1, step, &out, &trailers, &rest));
        assert_int_equal(rest, 4);
        assert_true(cof_view_eq_str(cof_buf_view(&out), "hello0123456789!"));
        assert_true(cof_headers_get(&trailers, "x-sum", &value) && cof_view_eq_str(value, "7"));
        assert_int_equal(trailers.n, 2);
        cof_headers_done(&trailers);
        cof_buf_done(&out);
    }
    for (size_t n = 0; n < sizeof bytes - 5; n++) {
        struct cof_buf out;
        size_t rest;

        cof_buf_init(&out, 100);
        assert_int_equal(chunked(bytes, n, n + 1, &out, NULL, &rest), COF_E_SHORT);
        cof_buf_done(&out);
    }
}

static void refuses_bad_chunks(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        B("10000000000000005\r\nabcde\r\n0\r\n\r\n"),
        B("1000000000000000\r\n"),
        B("-1\r\nabcde\r\n0\r\n\r\n"),
        B("+5\r\nabcde\r\n0\r\n\r\n"),
        B("0x5\r\nabcde\r\n0\r\n\r\n"),
        B("5;\nabcde\r\n0\r\n\r\n"),
        B("5\nabcde\r\n0\r\n\r\n"),
        B("5\rx\r\nabcde\r\n0\r\n\r\n"),
        B(" 5\r\nabcde\r\n0\r\n\r\n"),
        B("5 5\r\nabcde\r\n0\r\n\r\n"),
        B("\r\nabcde\r\n0\r\n\r\n"),
        B(";a\r\nabcde\r\n0\r\n\r\n"),
        B("g\r\n"),
        B("5\0\r\nabcde\r\n"),
        B("5;a=\x01\r\nabcde\r\n"),
        B("5;a=\rb\r\nabcde\r\n"),
        B("5\r\nabcdef\r\n0\r\n\r\n"), /* longer than stated */
        B("5\r\nabcde\n0\r\n\r\n"),
        B("5\r\nabcde\r0\r\n\r\n"),
        B("5\r\nabcde0\r\n\r\n"),
        B("5\r\nabcdehh"),
        B("0\r\nbad trailer\r\n\r\n"),
        B("0\r\nA: b\r\n c\r\n\r\n"),
        B("0\r\nA : b\r\n\r\n"),
        B("0\r\nA: \x01\r\n\r\n"),
        B("0\r\n\n"),
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        for (size_t step = 1; step <= 2; step++) {
            struct cof_buf out;
            size_t rest;

            cof_buf_init(&out, 100);
            if (chunked(bad[i].bytes, bad[i].len, step == 1 ? 1 : bad[i].len, &out, NULL, &rest) != COF_E_FORMAT)
                fail_msg("taken: %s", bad[i].bytes);
            cof_buf_done(&out);
        }
}

static void chunk_lines_and_trailers_are_bounded(void **state)
{
    struct cof_buf bytes, out;
    size_t rest;

    cof_buf_init(&bytes, 1 << 20);
    cof_buf_init(&out, 100);
    cof_buf_add_str(&bytes, "5;");
    for (int i = 0; i < 1000; i++)
        cof_buf_add_u8(&bytes, 'x');
    assert_int_equal(chunked((const char *)bytes.data, bytes.len, 7, &out, NULL, &rest), COF_E_LIMIT);
    cof_buf_reset(&bytes);
    cof_buf_add_str(&bytes, "0\r\n");
    for (int i = 0; i < 10000; i++)
        cof_buf_add_str(&bytes, "a: b\r\n");
    assert_int_equal(chunked((const char *)bytes.data, bytes.len, 1000, &out, NULL, &rest), COF_E_LIMIT);
    cof_buf_done(&bytes);
    cof_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_request_apart),
        cmocka_unit_test(knows_who_stays),
        cmocka_unit_test(knows_the_forms_of_targets),
        cmocka_unit_test(refuses_what_could_be_smuggled),
        cmocka_unit_test(heads_are_bounded),
        cmocka_unit_test(each_byte_of_a_value_is_looked_at),
        cmocka_unit_test(a_cut_head_is_incomplete),
        cmocka_unit_test(takes_replies),
        cmocka_unit_test(decodes_chunks_however_they_come),
        cmocka_unit_test(refuses_bad_chunks),
        cmocka_unit_test(chunk_lines_and_trailers_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
