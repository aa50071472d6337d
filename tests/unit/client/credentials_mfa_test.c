/* SPDX-License-Identifier: Apache-2.0
 *
 * Codes from the environment, and sessions that are kept: for whom, and what of them is believed.
 */
#include "testing.h"

#include "client/credentials.h"
#include "client/credentials_mfa.h"

#include <sys/stat.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_six_digits),
        cmocka_unit_test(each_has_its_own_place),
        cmocka_unit_test(what_others_can_touch_is_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
