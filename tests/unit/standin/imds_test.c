/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: metadata tokens end when they say, are nobody else's and cannot be made up; credentials are the same until their
 * last hour, then replaced before they end; a role that does not trust EC2 is not handed out.
 */
#include "identity_fixture.h"

#define DOC(rest) "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\"," rest "}}"
#define ROLE(name, service)                                                                                            \
    "{\"name\":\"" name "\",\"trust\":" DOC("\"Action\":\"sts:AssumeRole\",\"Principal\":{\"Service\":\"" service "\"}") "}"
#define MANIFEST "{\"roles\":[" ROLE("w", "ec2.amazonaws.com") "," ROLE("l", "lambda.amazonaws.com") "]}"
#define KEYS "/latest/meta-data/iam/security-credentials/"

static void start(struct fixture *f, const char *role)
{
    identity_init(f, MANIFEST, role);
    f->only_service = "imds";
}

static void token(struct fixture *f, int ttl, char out[300])
{
    struct answer a;
    char header[100];

    (void)snprintf(header, sizeof header, "X-aws-ec2-metadata-token-ttl-seconds: %d\r\n", ttl);
    identity_ask(f, "PUT", "/latest/api/token", header, &a);
    assert_int_equal(a.status, 200);
    (void)snprintf(out, 300, "X-aws-ec2-metadata-token: %.*s\r\n", (int)a.body.len, (const char *)a.body.data);
    answer_done(&a);
}

static void tokens(void **state)
{
    char good[300], changed[300];
    struct fixture f;
    struct answer a;

    (void)state;
    start(&f, "w");
    token(&f, 60, good);
    f.now_ms += 59999;
    identity_ask(&f, "GET", KEYS, good, &a);
    assert_int_equal(a.status, 200);
    answer_done(&a);
    f.now_ms += 1;
    identity_ask(&f, "GET", KEYS, good, &a);
    assert_int_equal(a.status, 401);
    answer_done(&a);
    token(&f, 21600, good);
    for (size_t i = strlen("X-aws-ec2-metadata-token: "); good[i] != '\r'; i++) {
        memcpy(changed, good, sizeof good);
        changed[i] = good[i] == 'A' ? 'B' : 'A';
        identity_ask(&f, "GET", KEYS, changed, &a);
        assert_int_equal(a.status, 401);
        answer_done(&a);
    }
    fixture_done(&f);
}

static void credentials(struct fixture *f, char id[64])
{
    char t[300];
    struct answer a;

    token(f, 60, t);
    identity_ask(f, "GET", KEYS "w", t, &a);
    assert_true(answer_has(&a, "\"Code\" : \"Success\""));
    answer_between(&a, "\"AccessKeyId\" : \"", "\"", id, 64);
    assert_true(strncmp(id, "ASIA", 4) == 0);
    answer_done(&a);
}

static void refreshed_in_time(void **state)
{
    char first[64], again[64];
    struct fixture f;

    (void)state;
    start(&f, "w");
    credentials(&f, first);
    f.now_ms += 5 * 3600000 - 1;
    credentials(&f, again);
    assert_string_equal(first, again);
    f.now_ms += 1;
    credentials(&f, again);
    assert_string_not_equal(first, again);
    f.now_ms += 48LL * 3600000; /* the old ones are swept meanwhile */
    credentials(&f, first);
    assert_string_not_equal(first, again);
    fixture_done(&f);
}

static void refusals(void **state)
{
    static const struct {
        const char *role, *method, *path;
        int status;
        const char *has;
    } rows[] = {
        {"l", "GET", KEYS "l", 200, "AssumeRoleUnauthorizedAccess"},
        {"gone", "GET", KEYS "gone", 404, "Not Found"},
        {"w", "GET", KEYS "l", 404, "Not Found"},
        {"w", "GET", KEYS "w/", 404, "Not Found"},
        {"w", "GET", "/latest/meta-data/../meta-data/iam/", 404, "Not Found"},
        {"w", "DELETE", KEYS "w", 405, "Not Allowed"},
        {"w", "PUT", KEYS "w", 405, "Not Allowed"},
        {NULL, "GET", KEYS, 404, "Not Found"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char t[300] = "";
        struct fixture f;
        struct answer a;

        start(&f, rows[i].role);
        if (rows[i].role != NULL)
            token(&f, 60, t);
        identity_ask(&f, rows[i].method, rows[i].path, t, &a);
        if (a.status != rows[i].status || !answer_has(&a, rows[i].has) || answer_has(&a, "AccessKeyId"))
            fail_msg("row %zu: %d %.*s", i, a.status, (int)a.body.len, (const char *)a.body.data);
        answer_done(&a);
        fixture_done(&f);
    }
}

/* The metadata's paths mean nothing to the other listener. */
static void not_on_the_services_port(void **state)
{
    struct fixture f;
    struct answer a;

    (void)state;
    start(&f, "w");
    f.only_service = NULL;
    identity_ask(&f, "PUT", "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 60\r\nContent-Length: 0\r\n", &a);
    assert_true(a.status >= 400);
    answer_done(&a);
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens),
        cmocka_unit_test(refreshed_in_time),
        cmocka_unit_test(refusals),
        cmocka_unit_test(not_on_the_services_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
