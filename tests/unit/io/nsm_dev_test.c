/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls over a socket, against a peer on a thread that answers as told: whole, in pieces, too long, not at all.
 */
#include "testing.h"

#include "format/nsm.h"
#include "io/nsm_dev.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer {
    int fd;
    struct cof_buf answers[8]; /* raw bytes sent after each request */
    size_t n_answers, piece;   /* at most this many bytes a write; 0: all */
    struct cof_buf seen;
};

static bool read_exactly(int fd, uint8_t *out, size_t len)
{
    while (len > 0) {
        ssize_t n = read(fd, out, len);
        if (n <= 0)
            return false;
        out += n;
        len -= (size_t)n;
    }
    return true;
}

static void *serve(void *arg)
{
    struct peer *p = arg;

    for (size_t i = 0; i < p->n_answers; i++) {
        uint8_t prefix[4], body[COF_NSM_REQUEST_MAX];
        struct cof_view v = {prefix, 4}, answer = cof_buf_view(&p->answers[i]);
        uint32_t len;

        if (!read_exactly(p->fd, prefix, 4) || cof_take_u32(&v, &len) != COF_OK || len > sizeof body ||
            !read_exactly(p->fd, body, len))
            break;
        cof_buf_add_bytes(&p->seen, body, len);
        while (answer.len > 0) {
            size_t n = p->piece > 0 && p->piece < answer.len ? p->piece : answer.len;
            if (send(p->fd, answer.data, n, MSG_NOSIGNAL) != (ssize_t)n)
                break;
            answer = cof_view_sub(answer, n, SIZE_MAX);
        }
    }
    (void)close(p->fd);
    return NULL;
}

static struct cof_nsm *open_against(struct peer *p, pthread_t *thread)
{
    struct cof_nsm *nsm;
    char where[32];
    int fd[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
    p->fd = fd[0];
    cof_buf_init(&p->seen, 1 << 20);
    assert_int_equal(pthread_create(thread, NULL, serve, p), 0);
    (void)snprintf(where, sizeof where, "fd:%d", fd[1]);
    assert_ok(cof_nsm_open(where, &nsm, NULL));
    (void)close(fd[1]);
    return nsm;
}

static void end(struct peer *p, pthread_t thread, struct cof_nsm *nsm)
{
    cof_nsm_close(nsm);
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (size_t i = 0; i < p->n_answers; i++)
        cof_buf_done(&p->answers[i]);
    cof_buf_done(&p->seen);
}

static void frame(struct cof_buf *out, struct cof_view body)
{
    cof_buf_init(out, 1 << 20);
    cof_buf_add_u32(out, (uint32_t)body.len);
    cof_buf_add(out, body);
}

static void asks_and_is_answered(void **state)
{
    static const size_t pieces[] = {0, 1, 3};

    for (size_t i = 0; i < 3; i++) {
        struct peer p = {.n_answers = 2, .piece = pieces[i]};
        pthread_t thread;
        struct cof_nsm *nsm;
        struct cof_buf out;

        frame(&p.answers[0], COF_LIT("first"));
        frame(&p.answers[1], COF_LIT("second"));
        nsm = open_against(&p, &thread);
        cof_buf_init(&out, 100);
        assert_ok(cof_nsm_call(nsm, COF_LIT("one"), &out));
        assert_ok(cof_nsm_call(nsm, COF_LIT("two"), &out));
        assert_true(cof_view_eq_str(cof_buf_view(&out), "firstsecond"));
        assert_int_equal(cof_nsm_call(nsm, COF_LIT("three"), &out), COF_E_CLOSED); /* the peer has left */
        cof_buf_done(&out);
        end(&p, thread, nsm);
    }
}

static void refuses_what_does_not_fit(void **state)
{
    static uint8_t large[COF_NSM_REQUEST_MAX + 1];
    static const struct {
        const char *bytes;
        size_t len;
        enum cof_err err;
    } cases[] = {
        {"\0\0\0\0", 4, COF_E_FORMAT},         /* empty */
        {"\0\0\x30\x01xxxx", 8, COF_E_FORMAT}, /* over 12 KiB */
        {"\xff\xff\xff\xff", 4, COF_E_FORMAT},
        {"\0\0\0\x05four", 8, COF_E_CLOSED},   /* ends too early */
        {"\0\0", 2, COF_E_CLOSED},
    };
    struct cof_buf out;

    cof_buf_init(&out, 100);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer p = {.n_answers = 1};
        pthread_t thread;
        struct cof_nsm *nsm;

        cof_buf_init(&p.answers[0], 100);
        cof_buf_add_bytes(&p.answers[0], cases[i].bytes, cases[i].len);
        nsm = open_against(&p, &thread);
        assert_int_equal(cof_nsm_call(nsm, cof_view_of(large, sizeof large), &out), COF_E_LIMIT);
        assert_int_equal(cof_nsm_call(nsm, (struct cof_view){0}, &out), COF_E_LIMIT);
        assert_int_equal(cof_nsm_call(nsm, COF_LIT("x"), &out), cases[i].err);
        assert_int_equal(cof_nsm_call(nsm, COF_LIT("x"), &out), COF_E_CLOSED); /* no answer is taken for another's */
        assert_int_equal(out.len, 0);
        end(&p, thread, nsm);
    }
    cof_buf_done(&out);
}

static void draws_random_bytes(void **state)
{
    struct peer p = {.n_answers = 3};
    uint8_t block[COF_NSM_RANDOM_MAX], got[300], zero[10] = {0};
    struct cof_buf body;
    pthread_t thread;
    struct cof_nsm *nsm;
    struct cof_rng rng;

    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (uint8_t)(i + 1);
    cof_buf_init(&body, 1000);
    cof_nsm_add_response(&body, &(struct cof_nsm_response){.op = COF_NSM_GET_RANDOM, .data = {block, sizeof block}});
    frame(&p.answers[0], cof_buf_view(&body));
    frame(&p.answers[1], cof_buf_view(&body));
    cof_buf_reset(&body);
    cof_nsm_add_response(&body, &(struct cof_nsm_response){.op = COF_NSM_ERROR, .error = COF_NSM_INTERNAL_ERROR});
    frame(&p.answers[2], cof_buf_view(&body));
    cof_buf_done(&body);
    nsm = open_against(&p, &thread);
    rng = cof_nsm_rng(nsm);
    assert_ok(cof_rng_fill(&rng, got, sizeof got));
    assert_memory_equal(got, block, sizeof block);
    assert_memory_equal(got + sizeof block, block, sizeof got - sizeof block);
    assert_int_equal(cof_rng_fill(&rng, got, sizeof zero), COF_E_REMOTE); /* fails closed */
    assert_memory_equal(got, zero, sizeof zero);
    end(&p, thread, nsm);
}

static void opens_only_modules(void **state)
{
    struct cof_nsm *nsm;
    struct cof_diag diag = {0};

    assert_int_equal(cof_nsm_open("/nonexistent", &nsm, &diag), COF_E_NOT_FOUND);
    assert_true(diag.hint[0] != '\0');
    assert_int_equal(cof_nsm_open("tcp:127.0.0.1:1", &nsm, &diag), COF_E_USAGE);
    assert_int_equal(cof_nsm_open("fd:9999", &nsm, &diag), COF_E_IO);
    assert_null(nsm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_and_is_answered),
        cmocka_unit_test(refuses_what_does_not_fit),
        cmocka_unit_test(draws_random_bytes),
        cmocka_unit_test(opens_only_modules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
