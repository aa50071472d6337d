/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: what a key policy demands is read from all its conditions or refused; an image comes to every list and goes from every
 * list; what is shared stays; nothing else changes; the last image that is known to work cannot go.
 */
#include "testing.h"

#include "policy/generate.h"
#include "policy/rollover.h"

#include <jansson.h>

#define D "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab"
#define Z24 "000000000000000000000000"
static const struct cof_measurement one = {{"aa00" D, "bb00" D, "cc00" D}}, two = {{"aa11" D, "bb00" D, "cc11" D}},
                                    three = {{"aa22" D, "bb22" D, "cc22" D}};

#define DOC(statements) "{\"Version\":\"2012-10-17\",\"Statement\":[" statements "]}"
#define DENY(condition) "{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"kms:Decrypt\",\"Resource\":\"*\",\"Condition\":{" condition "}}"
#define IS(op, pcr, values) "\"" op "\":{\"kms:RecipientAttestation:" pcr "\":" values "}"
#define Q(hex) "\"" hex "\""
#define ALL(op) DENY(IS(op, "PCR0", Q("aa00" D))) "," DENY(IS(op, "PCR1", Q("bb00" D))) "," DENY(IS(op, "PCR2", Q("cc00" D)))

/* deploy/iam's own policy for one image. */
static void template(const char *name, struct cof_buf *out)
{
    static const char *const p0[] = {"aa00" D}, *const p1[] = {"bb00" D}, *const p2[] = {"cc00" D}, *const role[] = {"arn:aws:iam::111122223333:role/r"};
    static const struct cof_generate_value values[] = {{"pcr0", p0, 1}, {"pcr1", p1, 1}, {"pcr2", p2, 1}, {"producer_role_arn", role, 1},
        {"consumer_role_arn", role, 1}, {"owner_role_arn", role, 1}, {"deployer_role_arn", role, 1}, {"auditor_role_arn", role, 1}, {"admin_role_arn", role, 1}};
    struct cof_buf text;
    char path[4096];

    (void)snprintf(path, sizeof path, "%s/deploy/iam/%s.json", SOURCE_ROOT, name);
    if (!read_file(path, &text))
        fail_msg("%s", path);
    cof_buf_init(out, 32768);
    assert_ok(cof_generate_policy(name, cof_buf_view(&text), NULL, 0, values, sizeof values / sizeof values[0], out, NULL));
    cof_buf_done(&text);
}

static void assert_same_json(const struct cof_buf *a, const struct cof_buf *b)
{
    json_t *x = json_loadb((const char *)a->data, a->len, 0, NULL), *y = json_loadb((const char *)b->data, b->len, 0, NULL);

    assert_true(json_equal(x, y));
    json_decref(x);
    json_decref(y);
}

static void there_and_back(void **state)
{
    static const char *const names[] = {"key-data", "key-results", "key-models"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct cof_buf first, both, again, back, forth;
        struct cof_rollover_lists lists;
        struct cof_measurement only;

        template(names[i], &first);
        cof_buf_init(&both, 65536), cof_buf_init(&again, 65536), cof_buf_init(&back, 65536), cof_buf_init(&forth, 65536);
        assert_ok(cof_rollover_read(cof_buf_view(&first), &lists, NULL));
        assert_int_equal(lists.n_conditions, 7); /* four of the Allow, three Deny */
        assert_ok(cof_rollover_only(&lists, &only, NULL));
        assert_true(cof_measurement_eq(&only, &one));
        assert_ok(cof_rollover_add(cof_buf_view(&first), &two, &both, NULL));
        assert_ok(cof_rollover_read(cof_buf_view(&both), &lists, NULL));
        assert_true(cof_rollover_has(&lists, &one) && cof_rollover_has(&lists, &two) && !cof_rollover_has(&lists, &three));
        assert_int_equal(lists.n[0] * 100 + lists.n[1] * 10 + lists.n[2], 212); /* PCR1 is shared */
        assert_int_equal(cof_rollover_only(&lists, &only, NULL), COF_E_CONFIG);
        assert_ok(cof_rollover_add(cof_buf_view(&both), &two, &again, NULL));
        assert_true(cof_view_eq(cof_buf_view(&both), cof_buf_view(&again)));
        assert_ok(cof_rollover_remove(cof_buf_view(&both), &two, &one, &back, NULL));
        assert_same_json(&first, &back);
        assert_ok(cof_rollover_remove(cof_buf_view(&both), &one, &two, &forth, NULL));
        assert_ok(cof_rollover_read(cof_buf_view(&forth), &lists, NULL));
        assert_ok(cof_rollover_only(&lists, &only, NULL));
        assert_true(cof_measurement_eq(&only, &two));
        cof_buf_done(&first), cof_buf_done(&both), cof_buf_done(&again), cof_buf_done(&back), cof_buf_done(&forth);
    }
}

static void others_keep_what_may_be_theirs(void **state)
{
    struct cof_buf a, b, c, d;
    struct cof_rollover_lists lists;

    (void)state;
    cof_buf_init(&a, 65536), cof_buf_init(&b, 65536), cof_buf_init(&c, 65536), cof_buf_init(&d, 65536);
    assert_ok(cof_rollover_add(cof_view_str(DOC(ALL("StringNotEquals"))), &two, &a, NULL));
    assert_ok(cof_rollover_add(cof_buf_view(&a), &three, &b, NULL));
    assert_ok(cof_rollover_remove(cof_buf_view(&b), &two, &three, &c, NULL));
    assert_ok(cof_rollover_read(cof_buf_view(&c), &lists, NULL));
    assert_true(cof_rollover_has(&lists, &one) && cof_rollover_has(&lists, &three) && !cof_rollover_has(&lists, &two));
    assert_int_equal(lists.n[0] * 100 + lists.n[1] * 10 + lists.n[2], 223); /* cc11 opens nothing without aa11 */
    assert_int_equal(cof_rollover_remove(cof_buf_view(&c), &one, &two, &d, NULL), COF_E_CONFIG); /* two is not there */
    assert_int_equal(cof_rollover_remove(cof_buf_view(&c), &one, &one, &d, NULL), COF_E_CONFIG);
    cof_buf_done(&a), cof_buf_done(&b), cof_buf_done(&c), cof_buf_done(&d);
}

static void forms(void **state)
{
    struct cof_rollover_lists lists;
    struct cof_buf out;

    (void)state;
    cof_buf_init(&out, 65536);
    /* one statement in place of a list, keys in another case, upper-case hex */
    assert_ok(cof_rollover_read(cof_view_str("{\"Version\":\"2012-10-17\",\"Statement\":" DENY("\"StringNotEqualsIgnoreCase\":{\"kms:recipientattestation:pcr0\":" Q("AA00" D)
        ",\"kms:RecipientAttestation:PCR1\":[" Q("bb00" D) "],\"kms:RecipientAttestation:PCR2\":" Q("cc00" D) "}") "}"), &lists, NULL));
    assert_true(cof_rollover_has(&lists, &one));
    /* a text that is not touched stays a text; PCR16 is none of ours */
    assert_ok(cof_rollover_add(cof_view_str(DOC(ALL("StringNotEquals") "," DENY(IS("StringNotEquals", "PCR16", Q("dd00" D))))), &two, &out, NULL));
    assert_non_null(strstr(cof_buf_cstr(&out), "\"kms:RecipientAttestation:PCR1\": \"bb00" D "\""));
    assert_non_null(strstr(cof_buf_cstr(&out), "\"kms:RecipientAttestation:PCR16\": \"dd00" D "\""));
    assert_non_null(strstr(cof_buf_cstr(&out), "\"aa11" D "\""));
    cof_buf_done(&out);
}

static void what_is_refused(void **state)
{
    static const struct {
        const char *policy, *says;
    } rows[] = {
        {"", "policy"},
        {"{}", "policy"},
        {DOC(DENY(IS("Null", "PCR0", "\"true\""))), "demands no measurement"},
        {DOC(DENY(IS("StringNotEquals", "PCR8", Q("aa00" D)))), "demands no measurement"},
        {DOC(DENY(IS("StringNotEquals", "PCR0", Q("aa00" D)))), "does not demand PCR1"},
        {DOC(ALL("StringNotEquals") "," DENY(IS("StringEquals", "PCR0", Q("aa11" D)))), "in one statement and not in another"},
        {DOC(ALL("StringNotEquals") "," DENY(IS("StringEquals", "ImageSha384", Q("aa11" D)))), "in one statement and not in another"},
        {DOC(ALL("StringNotEquals") "," DENY(IS("StringEquals", "PCR0", "[" Q("aa00" D) "," Q("aa11" D) "]"))), "in one statement and not in another"},
        {DOC(DENY(IS("StringNotEquals", "PCR0", "[" Q("aa00" D) "," Q("aa11" D) "]")) "," ALL("StringNotEquals")), "different values of PCR0"},
        {DOC(ALL("StringNotLike")), "compared for equality"},
        {DOC(DENY(IS("StringNotEquals", "PCR0", Q("aa")))), "another length"},
        {DOC(DENY(IS("StringNotEquals", "PCR0", Q(Z24 Z24 Z24 Z24)))), "debug enclave"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cof_rollover_lists lists;
        struct cof_diag diag = {0};
        enum cof_err err = cof_rollover_read(cof_view_str(rows[i].policy), &lists, &diag);

        if (err != COF_E_CONFIG || strstr(diag.text, rows[i].says) == NULL || lists.n_conditions != 0)
            fail_msg("row %zu: %s: %s", i, cof_err_name(err), diag.text);
    }
}

/* KMS gives policies back in another form than they were put. */
static void one_form(void **state)
{
    static const char *const same[] = {
        "{\"Version\":\"2012-10-17\",\"Id\":\"i\",\"Statement\":[{\"Sid\":\"a\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":[\"111122223333\",\"444455556666\"]},\"Action\":[\"kms:A\",\"kms:B\"],\"Resource\":\"*\"},"
        "{\"Sid\":\"b\",\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"kms:C\",\"Resource\":\"*\"}]}",
        "{\n  \"Id\" : \"i\",\n \"Statement\" : [ {\"Resource\" : [\"*\"], \"Sid\":\"b\",\"Principal\":\"*\",\"Action\":[\"kms:C\"],\"Effect\":\"Deny\"},"
        "{\"Action\":[\"kms:B\",\"kms:A\",\"kms:A\"],\"Effect\":\"Allow\",\"Principal\":{\"AWS\":[\"444455556666\",\"111122223333\"]},\"Sid\":\"a\",\"Resource\":\"*\"} ], \"Version\" : \"2012-10-17\"}",
    };
    static const char *const others[] = {DOC(ALL("StringEquals")), DOC(ALL("StringNotEquals")), DOC(DENY(IS("Null", "PCR0", "\"true\"")))};
    struct cof_buf forms[5];

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        cof_buf_init(&forms[i], 65536);
        assert_ok(cof_rollover_canonical(cof_view_str(i < 2 ? same[i] : others[i - 2]), &forms[i], NULL));
        for (size_t k = 0; k < i; k++)
            assert_int_equal(cof_view_eq(cof_buf_view(&forms[i]), cof_buf_view(&forms[k])), i == 1 && k == 0);
    }
    assert_int_equal(cof_rollover_canonical(COF_LIT("{}"), &forms[0], NULL), COF_E_CONFIG);
    for (size_t i = 0; i < 5; i++)
        cof_buf_done(&forms[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(others_keep_what_may_be_theirs),
        cmocka_unit_test(forms),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(one_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
