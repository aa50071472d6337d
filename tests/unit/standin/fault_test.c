/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "standin/fault.h"

#include <jansson.h>

static enum cof_err add(struct cof_faults *f, const char *script, unsigned *id)
{
    struct cof_diag diag = {.text = ""};
    json_t *json = json_loads(script, 0, NULL);
    enum cof_err err = cof_faults_add(f, json, id, &diag);

    assert_true((err == COF_OK) == (diag.text[0] == '\0'));
    json_decref(json);
    return err;
}

static void a_script_hits_what_it_names_as_often_as_it_says(void **state)
{
    struct cof_faults f = {.n = 0};
    struct cof_fault_effect e;
    unsigned id;

    assert_ok(add(&f, "{\"service\":\"s3\",\"operation\":\"PutObject\",\"status\":503,\"code\":\"SlowDown\",\"skip\":1,\"count\":2}", &id));
    cof_faults_judge(&f, "s3", "GetObject", &e);
    assert_false(e.any);
    cof_faults_judge(&f, "kms", "PutObject", &e);
    assert_false(e.any);
    for (int i = 0; i < 5; i++) {
        cof_faults_judge(&f, "s3", "PutObject", &e);
        assert_int_equal(e.any, i == 1 || i == 2);
        assert_int_equal(e.status, e.any ? 503 : 0);
        assert_string_equal(e.code, e.any ? "SlowDown" : "");
    }
    assert_false(cof_faults_clear(&f, id + 1));
    assert_true(cof_faults_clear(&f, id));
    assert_int_equal(f.n, 0);
}

static void effects_join(void **state)
{
    struct cof_faults f = {.n = 0};
    struct cof_fault_effect e;
    struct cof_buf list;
    json_t *json;
    unsigned id;

    assert_ok(add(&f, "{\"latencyMs\":100,\"cutAfter\":50}", &id));
    assert_ok(add(&f, "{\"latencyMs\":200,\"cutAfter\":20,\"tamper\":true,\"skewSeconds\":-5}", &id));
    assert_ok(add(&f, "{\"throttle\":true,\"probability\":0.25}", &id));
    cof_faults_judge(&f, "sqs", "SendMessage", &e);
    assert_int_equal(e.latency_ms, 300);
    assert_int_equal(e.cut_after, 20);
    assert_int_equal(e.skew_s, -5);
    assert_true(e.tamper);
    cof_buf_init(&list, 65536);
    cof_faults_list(&f, &list);
    json = json_loads(cof_buf_cstr(&list), 0, NULL);
    assert_int_equal(json_array_size(json), 3);
    assert_true(json_number_value(json_object_get(json_array_get(json, 2), "probability")) == 0.25);
    json_decref(json);
    cof_buf_done(&list);
}

static void the_same_seed_draws_the_same(void **state)
{
    unsigned drawn[3] = {0}, id;

    for (int round = 0; round < 3; round++) {
        struct cof_faults f = {.n = 0};
        struct cof_fault_effect e;

        assert_ok(add(&f, round < 2 ? "{\"tamper\":true,\"probability\":0.5,\"seed\":9}" : "{\"tamper\":true,\"probability\":0.5,\"seed\":10}", &id));
        for (int i = 0; i < 30; i++) {
            cof_faults_judge(&f, "s3", "GetObject", &e);
            drawn[round] = drawn[round] << 1 | e.any;
        }
    }
    assert_int_equal(drawn[0], drawn[1]);
    assert_int_not_equal(drawn[0], drawn[2]);
}

static void bad_scripts_are_refused(void **state)
{
    static const char *const bad[] = {"{}", "{\"latency\":1}", "{\"latencyMs\":-1}", "{\"latencyMs\":600001}", "{\"status\":200}", "{\"status\":600}",
        "{\"tamper\":1}", "{\"throttle\":true,\"probability\":2}", "{\"throttle\":true,\"probability\":\"x\"}", "{\"throttle\":true,\"service\":\"a b\"}",
        "{\"throttle\":true,\"operation\":7}", "{\"throttle\":true,\"code\":\"\\\"\"}", "{\"cutAfter\":-2}"};
    struct cof_faults f = {.n = 0};
    unsigned id;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(add(&f, bad[i], &id), COF_E_FORMAT);
    assert_int_equal(f.n, 0);
    for (int i = 0; i < COF_FAULTS_MAX; i++)
        assert_ok(add(&f, "{\"tamper\":true}", &id));
    assert_int_equal(add(&f, "{\"tamper\":true}", &id), COF_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_script_hits_what_it_names_as_often_as_it_says),
        cmocka_unit_test(effects_join),
        cmocka_unit_test(the_same_seed_draws_the_same),
        cmocka_unit_test(bad_scripts_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
