/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: each operator holds and fails as the IAM User Guide says, for absent, single and several values, with
 * IfExists, both set forms and policy variables. One row a case.
 */
#include "testing.h"

#include "policy/condition.h"

#define MAX_VALUES 4

static size_t split(const char *joined, struct cof_view *out)
{
    struct cof_view rest = cof_view_str(joined);
    size_t n = 0;

    if (joined == NULL)
        return 0;
    while (cof_view_split(rest, '|', &out[n++], &rest))
        assert_true(n < MAX_VALUES);
    return n;
}

/* want and got: values joined by '|'; got NULL: the key is absent. */
static bool holds(const char *op, const char *want, const char *got)
{
    struct cof_view wants[MAX_VALUES], gots[MAX_VALUES];
    static const struct cof_view user = {(const uint8_t *)"ann*", 4},
                                 two[] = {{(const uint8_t *)"x", 1}, {(const uint8_t *)"y", 1}};
    struct cof_condition cond = {.key = COF_LIT("test:Key"), .values = wants, .n_values = split(want, wants)};
    struct cof_context_value items[] = {{COF_LIT("TEST:key"), gots, split(got, gots)},
                                        {COF_LIT("aws:username"), &user, 1},
                                        {COF_LIT("aws:TagKeys"), two, 2}};
    struct cof_context context = {items, 3};
    bool out = false;

    assert_ok(cof_condition_parse_op(cof_view_str(op), &cond));
    for (size_t i = 0; i < cond.n_values; i++)
        if (!cof_condition_value_ok(&cond, wants[i]))
            fail_msg("%s refuses %s", op, want);
    assert_ok(cof_condition_check(&cond, &context, true, &out));
    return out;
}

struct row {
    const char *op, *want, *got;
    bool holds;
};

static void check(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (holds(rows[i].op, rows[i].want, rows[i].got) != rows[i].holds)
            fail_msg("%s: want %s, got %s", rows[i].op, rows[i].want, rows[i].got != NULL ? rows[i].got : "(absent)");
}

#define CHECK(rows) check(rows, sizeof rows / sizeof rows[0])

static void strings(void **state)
{
    static const struct row rows[] = {
        {"StringEquals", "a|b", "b", true},
        {"StringEquals", "a|b", "c", false},
        {"StringEquals", "a", "A", false},
        {"StringEquals", "a", NULL, false},
        {"StringEquals", "*", "a", false},
        {"StringEquals", "", "", true},
        {"StringNotEquals", "a|b", "c", true},
        {"StringNotEquals", "a|b", "b", false},
        {"StringNotEquals", "a", NULL, true},
        {"StringEqualsIgnoreCase", "ab", "AB", true},
        {"StringEqualsIgnoreCase", "ab", "AC", false},
        {"StringNotEqualsIgnoreCase", "ab", "AB", false},
        {"StringNotEqualsIgnoreCase", "ab", "x", true},
        {"StringLike", "a*c|x?", "abc", true},
        {"StringLike", "a*c|x?", "x", false},
        {"StringLike", "A*", "abc", false},
        {"StringNotLike", "a*", "abc", false},
        {"StringNotLike", "a*", "b", true},
        {"StringNotLike", "a*", NULL, true},
    };

    CHECK(rows);
}

static void numbers(void **state)
{
    static const struct row rows[] = {
        {"NumericEquals", "10", "10.0", true},
        {"NumericEquals", "10", "10.000000000000000001", false},
        {"NumericEquals", "-0", "0", true},
        {"NumericEquals", "1", "x", false},
        {"NumericEquals", "1", NULL, false},
        {"NumericNotEquals", "10", "11", true},
        {"NumericNotEquals", "10", "10", false},
        {"NumericNotEquals", "10", NULL, true},
        {"NumericLessThan", "10", "9.9", true},
        {"NumericLessThan", "10", "10", false},
        {"NumericLessThan", "-1", "-2", true},
        {"NumericLessThanEquals", "10", "10", true},
        {"NumericLessThanEquals", "10", "10.1", false},
        {"NumericGreaterThan", "10", "11", true},
        {"NumericGreaterThan", "10", "10", false},
        {"NumericGreaterThan", "-2", "-1", true},
        {"NumericGreaterThanEquals", "10", "10", true},
        {"NumericGreaterThanEquals", "10", "9", false},
        {"NumericLessThan", "10", "", false},
        {"NumericGreaterThan", "10", "99999999999999999999", false},
    };

    CHECK(rows);
}

static void dates(void **state)
{
    static const struct row rows[] = {
        {"DateEquals", "2026-11-23T18:00:00Z", "1795456800", true},
        {"DateEquals", "2026-11-23", "2026-11-23T00:00:00Z", true},
        {"DateNotEquals", "2026-11-23", "2026-11-24T00:00:00Z", true},
        {"DateNotEquals", "2026-11-23", "2026-11-23", false},
        {"DateLessThan", "2026-11-23T18:00:00Z", "2026-11-23T17:59:59Z", true},
        {"DateLessThan", "2026-11-23T18:00:00Z", "2026-11-23T18:00:00Z", false},
        {"DateLessThanEquals", "2026-11-23T18:00:00Z", "2026-11-23T19:00:00+01:00", true},
        {"DateLessThanEquals", "2026-11-23T18:00:00Z", "2026-11-23T18:00:01Z", false},
        {"DateGreaterThan", "2026-11-23T18:00:00Z", "2026-11-23T18:00:01Z", true},
        {"DateGreaterThan", "2026-11-23T18:00:00Z", "2026-11-23T18:00:00Z", false},
        {"DateGreaterThanEquals", "2026-11-23T18:00:00Z", "2026-11-23T18:00:00Z", true},
        {"DateGreaterThanEquals", "2026-11-23T18:00:00Z", "never", false},
        {"DateLessThan", "2026-11-23", NULL, false},
    };

    CHECK(rows);
}

static void others(void **state)
{
    static const struct row rows[] = {
        {"Bool", "true", "TRUE", true},
        {"Bool", "true", "false", false},
        {"Bool", "false", NULL, false},
        {"Bool", "true", "1", false},
        {"BinaryEquals", "AQID", "AQID", true},
        {"BinaryEquals", "AQID", "AQIE", false},
        {"BinaryEquals", "AQID", NULL, false},
        {"Null", "true", NULL, true},
        {"Null", "true", "x", false},
        {"Null", "false", "x", true},
        {"Null", "false", NULL, false},
        {"IpAddress", "10.0.0.0/8", "10.255.0.1", true},
        {"IpAddress", "10.0.0.0/8", "11.0.0.1", false},
        {"IpAddress", "192.0.2.128/25", "192.0.2.127", false},
        {"IpAddress", "192.0.2.7", "192.0.2.7", true},
        {"IpAddress", "2001:db8::/33", "2001:db8:7fff::1", true},
        {"IpAddress", "2001:db8::/33", "2001:db8:8000::1", false},
        {"IpAddress", "0.0.0.0/0", "::1", false},
        {"IpAddress", "0.0.0.0/0", "1.2.3.4", true},
        {"IpAddress", "0.0.0.0/0", "no", false},
        {"NotIpAddress", "10.0.0.0/8", "10.0.0.1", false},
        {"NotIpAddress", "10.0.0.0/8", "11.0.0.1", true},
        {"NotIpAddress", "10.0.0.0/8", NULL, true},
        {"ArnEquals", "arn:aws:iam::1:role/*", "arn:aws:iam::1:role/x", true},
        {"ArnEquals", "arn:aws:iam::1:role/*", "arn:aws:iam::2:role/x", false},
        {"ArnLike", "arn:aws:sns:*:1:t", "arn:aws:sns:eu-west-1:1:t", true},
        {"ArnLike", "arn:aws:*:1:t", "arn:aws:sns:eu-west-1:1:t", false},
        {"ArnNotEquals", "arn:aws:iam::1:role/x", "arn:aws:iam::1:role/x", false},
        {"ArnNotEquals", "arn:aws:iam::1:role/x", NULL, true},
        {"ArnNotLike", "arn:aws:iam::1:*", "arn:aws:iam::2:role/x", true},
        {"ArnLike", "arn:aws:iam::1:*", NULL, false},
    };

    CHECK(rows);
}

static void sets_and_absence(void **state)
{
    static const struct row rows[] = {
        {"StringEqualsIfExists", "a", NULL, true},
        {"StringEqualsIfExists", "a", "b", false},
        {"StringNotEqualsIfExists", "a", "a", false},
        {"BoolIfExists", "true", NULL, true},
        {"IpAddressIfExists", "10.0.0.0/8", NULL, true},
        {"ForAllValues:StringEquals", "a|b", "a|b", true},
        {"ForAllValues:StringEquals", "a|b", "a|c", false},
        {"ForAllValues:StringEquals", "a", NULL, true},
        {"ForAllValues:StringNotEquals", "a", "b|c", true},
        {"ForAllValues:StringNotEquals", "a", "b|a", false},
        {"ForAnyValue:StringEquals", "a|b", "c|b", true},
        {"ForAnyValue:StringEquals", "a|b", "c|d", false},
        {"ForAnyValue:StringEquals", "a", NULL, false},
        {"ForAnyValue:StringEqualsIfExists", "a", NULL, true},
        {"ForAnyValue:StringNotEquals", "a", "a|b", true},
        {"ForAnyValue:StringNotEquals", "a", "a|a", false},
        {"ForAnyValue:StringNotEquals", "a", NULL, false},
        {"ForAnyValue:StringLike", "x*", "a|xy", true},
        {"StringNotEquals", "a", "b|a", false}, /* a second value must not talk its way around a negation */
    };

    CHECK(rows);
}

static void variables(void **state)
{
    static const struct row rows[] = {
        {"StringEquals", "${aws:username}", "ann*", true},
        {"StringLike", "${aws:username}", "annabel", false},
        {"StringLike", "${AWS:UserName}/*", "ann*/x", true},
        {"StringEquals", "${aws:nobody}", "", false},
        {"StringNotEquals", "${aws:nobody}", "x", true},
        {"StringEquals", "${aws:nobody, 'fallback'}", "fallback", true},
        {"StringEquals", "${aws:username, 'fallback'}", "fallback", false},
        {"StringEquals", "${aws:TagKeys}", "x", false},
        {"StringEquals", "${aws:TagKeys, 'd'}", "d", false},
        {"StringLike", "a${*}b", "a*b", true},
        {"StringLike", "a${*}b", "axb", false},
        {"StringLike", "${?}${$}", "?$", true},
        {"StringEquals", "${unclosed", "${unclosed", true},
        {"StringEquals", "$${*}$", "$*$", true},
    };
    struct cof_view want = COF_LIT("${aws:username}"), got = COF_LIT("${aws:username}");
    struct cof_context_value item = {COF_LIT("test:Key"), &got, 1};
    struct cof_condition cond = {.key = COF_LIT("test:Key"), .values = &want, .n_values = 1};
    bool out = false;

    CHECK(rows);
    assert_ok(cof_condition_parse_op(COF_LIT("StringEquals"), &cond));
    assert_ok(cof_condition_check(&cond, &(struct cof_context){&item, 1}, false, &out));
    assert_true(out); /* the old language version has no variables */
}

static void what_cannot_be_decided_is_an_error(void **state)
{
    static uint8_t huge[COF_EXPANDED_MAX + 1];
    struct cof_view want = COF_LIT("${test:Key}"), got = {huge, sizeof huge};
    struct cof_context_value item = {COF_LIT("test:Key"), &got, 1};
    struct cof_condition cond = {.key = COF_LIT("test:Key"), .values = &want, .n_values = 1};
    bool out;

    assert_int_equal(cof_condition_check(&cond, &(struct cof_context){&item, 1}, true, &out), COF_E_LIMIT);
}

static void impossible_names_and_values(void **state)
{
    static const char *const names[] = {"",
                                        "stringEquals",
                                        "StringEqual",
                                        "StringEqualsIfExistsIfExists",
                                        "NullIfExists",
                                        "ForAnyValue:Null",
                                        "ForSomeValues:StringEquals",
                                        "IfExists"};
    static const char *const values[][2] = {{"NumericEquals", "1e3"}, {"NumericEquals", ""}, {"NumericEquals", "--1"},
        {"NumericEquals", "1."}, {"DateEquals", "soon"}, {"Bool", "yes"}, {"Null", "1"}, {"IpAddress", "10.0.0.0/33"},
        {"IpAddress", "10.0.0"}, {"IpAddress", "::1/129"}, {"BinaryEquals", "AQ"}};
    struct cof_condition cond = {0};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(cof_condition_parse_op(cof_view_str(names[i]), &cond), COF_E_FORMAT);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        assert_ok(cof_condition_parse_op(cof_view_str(values[i][0]), &cond));
        if (cof_condition_value_ok(&cond, cof_view_str(values[i][1])))
            fail_msg("%s takes %s", values[i][0], values[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings),
        cmocka_unit_test(numbers),
        cmocka_unit_test(dates),
        cmocka_unit_test(others),
        cmocka_unit_test(sets_and_absence),
        cmocka_unit_test(variables),
        cmocka_unit_test(what_cannot_be_decided_is_an_error),
        cmocka_unit_test(impossible_names_and_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
