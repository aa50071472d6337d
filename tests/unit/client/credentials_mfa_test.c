/* SPDX-License-Identifier: Apache-2.0
 *
 * Codes from the environment, and sessions that are kept: for whom, and what of them is believed.
 */
#include "testing.h"

#include "client/credentials.h"
#include "client/credentials_mfa.h"

#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *code, *cache, *home;

static const char *get_env(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "COFFER_MFA_CODE") == 0 ? code : strcmp(name, "XDG_CACHE_HOME") == 0 ? cache : strcmp(name, "HOME") == 0 ? home : NULL;
}

static const struct cof_env env = {get_env, NULL};

static enum cof_err take_code(const char *text)
{
    struct cof_buf out;
    enum cof_err err;

    code = text;
    cof_buf_init_secret(&out, 64);
    err = cof_credentials_mfa_code(&env, COF_LIT("arn:aws:iam::1:mfa/me"), &out, NULL);
    if (err == COF_OK)
        assert_true(cof_view_eq_str(cof_buf_view(&out), text));
    cof_buf_done(&out);
    return err;
}

static void codes_are_six_digits(void **state)
{
    static const char *const bad[] = {"12345", "1234567", "12345a", " 12345", "-12345", "123456\n"};

    (void)state;
    assert_ok(take_code("000000"));
    assert_ok(take_code("987654"));
    assert_int_equal(take_code(NULL), COF_E_SHORT); /* who sits at the terminal is asked */
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(take_code(bad[i]), COF_E_USAGE);
}

/* Another role, device, name, external id or key: another session. */
static void each_has_its_own_place(void **state)
{
    struct cof_credentials_role role = {COF_LIT("arn:r"), COF_LIT("name"), COF_LIT("ext"), COF_LIT("mfa"), 900}, other;
    char first[4096], path[4096];

    (void)state;
    cache = "/c";
    home = "/h";
    assert_true(cof_mfa_session_path(&env, &role, COF_LIT("AKIA1"), first));
    assert_int_equal(strncmp(first, "/c/coffer/sessions/", 19), 0);
    assert_true(cof_mfa_session_path(&env, &role, COF_LIT("AKIA1"), path));
    assert_string_equal(first, path);
    for (int i = 0; i < 6; i++) {
        other = role;
        if (i == 0)
            other.arn = COF_LIT("arn:");
        else if (i == 1)
            other.session_name = COF_LIT("namee"), other.external_id = COF_LIT("xt"); /* the same letters, parted otherwise */
        else if (i == 2)
            other.external_id = (struct cof_view){0};
        else if (i == 3)
            other.mfa_serial = COF_LIT("mfb");
        else if (i == 4)
            other.duration_s = 901;
        assert_true(cof_mfa_session_path(&env, &other, i == 5 ? COF_LIT("AKIA2") : COF_LIT("AKIA1"), path));
        assert_string_not_equal(first, path);
    }
    cache = NULL;
    assert_true(cof_mfa_session_path(&env, &role, COF_LIT("AKIA1"), path));
    assert_int_equal(strncmp(path, "/h/.cache/coffer/sessions/", 26), 0);
    home = NULL;
    assert_false(cof_mfa_session_path(&env, &role, COF_LIT("AKIA1"), path));
}

static void what_others_can_touch_is_not_read(void **state)
{
    char dir[] = "/tmp/coffer-mfa-XXXXXX", path[256], link_path[256];
    struct cof_aws_credentials session;
    struct cof_buf text;
    struct stat st;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/a/b/session.json", dir);
    (void)snprintf(link_path, sizeof link_path, "%s/a/b/link.json", dir);
    cof_aws_credentials_init(&session);
    cof_buf_add_str(&session.access_key_id, "ASIA");
    cof_buf_add_str(&session.secret_access_key, "s\"ecret");
    cof_buf_add_str(&session.session_token, "tok");
    session.expires_ms = 1795464000000;
    cof_mfa_session_write(path, &session);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    cof_buf_init_secret(&text, 65536);
    assert_ok(cof_mfa_session_read(path, &text));
    assert_string_equal(cof_buf_cstr(&text), "{\"Version\":1,\"AccessKeyId\":\"ASIA\",\"SecretAccessKey\":\"s\\\"ecret\",\"SessionToken\":\"tok\","
                                             "\"Expiration\":\"2026-11-23T20:00:00Z\"}\n");
    assert_int_equal(symlink(path, link_path), 0);
    assert_int_equal(cof_mfa_session_read(link_path, &text), COF_E_NOT_FOUND);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(cof_mfa_session_read(path, &text), COF_E_NOT_FOUND);
    assert_int_equal(chmod(path, 0602), 0);
    assert_int_equal(cof_mfa_session_read(path, &text), COF_E_NOT_FOUND);
    assert_int_equal(cof_mfa_session_read(dir, &text), COF_E_NOT_FOUND);
    cof_buf_done(&text);
    cof_aws_credentials_done(&session);
    assert_int_equal(unlink(path) | unlink(link_path), 0);
    (void)snprintf(path, sizeof path, "%s/a/b", dir);
    assert_int_equal(rmdir(path), 0);
    (void)snprintf(path, sizeof path, "%s/a", dir);
    assert_int_equal(rmdir(path) | rmdir(dir), 0);
}

/* --- the terminal --- */

struct seat { /* in the child, which has a terminal of its own */
    struct cof_loop *loop;
    struct cof_timer tick;
    int ticks, told;
    bool done;
    enum cof_err err;
    char code[16];
};

static void on_tick(struct cof_timer *timer)
{
    struct seat *seat = (struct seat *)(void *)((char *)timer - offsetof(struct seat, tick));

    if (++seat->ticks == 3)
        (void)!write(seat->told, "t", 1);
    (void)!cof_loop_arm(seat->loop, timer, 1);
}

static void on_answer(void *ctx, enum cof_err err, struct cof_view given)
{
    struct seat *seat = ctx;

    seat->done = true;
    seat->err = err;
    if (err == COF_OK)
        (void)snprintf(seat->code, sizeof seat->code, "%.*s", (int)given.len, (const char *)given.data);
}

static bool echoes(int tty)
{
    struct termios now;

    return tcgetattr(tty, &now) == 0 && (now.c_lflag & (ECHO | ICANON | ISIG)) == (ECHO | ICANON | ISIG);
}

/* -> 0 when all is as it should be */
static int child(int tty, int told, enum cof_err expected, const char *expected_code)
{
    struct seat seat = {.told = told, .tick.fire = on_tick};
    struct cof_mfa_ask ask = {0};

    if (setsid() < 0 || ioctl(tty, TIOCSCTTY, 0) != 0 || cof_loop_new(&seat.loop) != COF_OK || !echoes(tty))
        return 2;
    (void)signal(SIGINT, SIG_IGN);
    if (cof_mfa_ask_start(&ask, seat.loop, COF_LIT("arn:mfa"), on_answer, &seat, NULL) != COF_OK || echoes(tty) || cof_loop_arm(seat.loop, &seat.tick, 1) != COF_OK)
        return 3;
    if (cof_loop_run_until(seat.loop, &seat.done, 20000) != COF_OK || seat.ticks < 3)
        return 4;
    if (seat.err != expected || strcmp(seat.code, expected_code) != 0 || !echoes(tty))
        return 5;
    if (cof_mfa_ask_start(&ask, seat.loop, COF_LIT("arn:mfa"), on_answer, &seat, NULL) != COF_OK || echoes(tty))
        return 6;
    cof_mfa_ask_cancel(&ask);
    cof_mfa_ask_cancel(&ask);
    if (!echoes(tty))
        return 7;
    cof_loop_free(seat.loop);
    return 0;
}

/* The loop goes on while somebody thinks; whatever they answer, the terminal is afterwards as it was. */
static void asked_on_a_terminal(void **state)
{
    static const struct {
        const char *keys;
        enum cof_err err;
        const char *code;
    } cases[] = {{"12x\b3456\r", COF_OK, "123456"}, {"\177" "000000\n", COF_OK, "000000"}, {"12345\n", COF_E_USAGE, ""}, {"\n", COF_E_USAGE, ""},
                 {"12\3", COF_E_CONFIG, ""}, {"\4", COF_E_CONFIG, ""}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int ours, theirs, told[2], status;
        char byte;
        pid_t pid;

        assert_int_equal(openpty(&ours, &theirs, NULL, NULL, NULL), 0);
        assert_int_equal(pipe(told), 0);
        pid = fork();
        if (pid == 0)
            _exit(child(theirs, told[1], cases[i].err, cases[i].code));
        (void)close(told[1]);
        assert_int_equal(read(told[0], &byte, 1), 1); /* it goes on although nobody answered yet */
        assert_int_equal(write(ours, cases[i].keys, strlen(cases[i].keys)), strlen(cases[i].keys));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WEXITSTATUS(status), 0);
        (void)close(ours);
        (void)close(theirs);
        (void)close(told[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_six_digits), cmocka_unit_test(asked_on_a_terminal),
        cmocka_unit_test(each_has_its_own_place),
        cmocka_unit_test(what_others_can_touch_is_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
