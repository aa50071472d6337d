/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: one value and several, supplements that replace and add, what is refused, and that the bytes are the same each time.
 */
#include "testing.h"

#include "policy/generate.h"

static const char *const one[] = {"x\"y"}, *const two[] = {"a", "b"};
static const struct cof_generate_value values[] = {{"one", one, 1}, {"two", two, 2}, {"none", NULL, 0}};

static enum cof_err make(const char *name, const char *text, const char *supplement, struct cof_buf *out, struct cof_diag *diag)
{
    struct cof_view more = supplement == NULL ? (struct cof_view){NULL, 0} : cof_view_str(supplement);

    cof_buf_init(out, 1 << 20);
    return cof_generate_policy(name, cof_view_str(text), &more, supplement != NULL, values, 3, out, diag);
}

#define S(inside) "{\"Statement\":[" inside "]}"

static void what_comes_out(void **state)
{
    static const struct {
        const char *text, *supplement, *has;
    } rows[] = {
        {S("{\"A\":\"${one}\"}"), NULL, "\"A\": \"x\\\"y\"\n"},
        {S("{\"A\":[\"${one}\"]}"), NULL, "\"A\": [\n        \"x\\\"y\"\n      ]"},
        {S("{\"A\":[\"${two}\"]}"), NULL, "\"A\": [\n        \"a\",\n        \"b\"\n      ]"},
        {S("{\"A\":[\"z\",\"${two}\"]}"), NULL, "\"z\",\n        \"a\",\n        \"b\"\n"},
        {S("{\"A\":\"${aws:username}\"}"), NULL, "\"${aws:username}\""},
        {S("{\"Sid\":\"s\",\"A\":\"1\"},{\"Sid\":\"t\"}"), S("{\"Sid\":\"s\",\"A\":\"2\"}"), "\"A\": \"2\"\n    },\n    {\n      \"Sid\": \"t\""},
        {S("{\"Sid\":\"s\"}"), S("{\"Sid\":\"t\",\"A\":[\"${two}\"]}"), "\"Sid\": \"s\"\n    },\n    {\n      \"Sid\": \"t\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cof_buf out, again;
        struct cof_diag diag = {0};

        if (make("x", rows[i].text, rows[i].supplement, &out, &diag) != COF_OK || strstr(cof_buf_cstr(&out), rows[i].has) == NULL)
            fail_msg("row %zu: %s%s", i, diag.text, cof_buf_cstr(&out));
        assert_ok(make("x", rows[i].text, rows[i].supplement, &again, &diag));
        assert_string_equal(cof_buf_cstr(&out), cof_buf_cstr(&again));
        cof_buf_done(&out);
        cof_buf_done(&again);
    }
}

static void what_is_refused(void **state)
{
    static const struct {
        const char *name, *text, *supplement;
        enum cof_err err;
        const char *says;
    } rows[] = {
        {"x", S("{\"A\":\"${two}\"}"), NULL, COF_E_CONFIG, "${two} has 2 values"},
        {"x", S("{\"A\":[\"${two} \"]}"), NULL, COF_E_CONFIG, "no value for ${two}"},
        {"x", S("{\"A\":[\"${none}\"]}"), NULL, COF_E_CONFIG, "no value for ${none}"},
        {"x", S("{\"A\":\"${what}\"}"), NULL, COF_E_CONFIG, "no value for ${what}"},
        {"x", S("{\"A\":\"${one\"}"), NULL, COF_E_FORMAT, "without its }"},
        {"x", "{}", NULL, COF_E_FORMAT, "Statement is a list"},
        {"x", "[]", NULL, COF_E_FORMAT, ""},
        {"x", S("{}"), "{", COF_E_FORMAT, ""},
        {"queue-policy", S("{\"Action\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\"]}"), NULL, COF_OK, ""},
        {"queue-policy", S("{\"Action\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\"]}"), NULL, COF_E_LIMIT, "7 actions"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cof_buf out;
        struct cof_diag diag = {0};
        enum cof_err err = make(rows[i].name, rows[i].text, rows[i].supplement, &out, &diag);

        if (err != rows[i].err || strstr(diag.text, rows[i].says) == NULL || (err != COF_OK && out.len != 0))
            fail_msg("row %zu: %s: %s", i, cof_err_name(err), diag.text);
        cof_buf_done(&out);
    }
}

static void the_services_limits(void **state)
{
    (void)state;
    assert_int_equal(cof_generate_limit("key-data")->bytes, 32768);
    assert_int_equal(cof_generate_limit("trust-admin")->bytes, 2048);
    assert_int_equal(cof_generate_limit("producer")->bytes, 10240);
    for (size_t size = 2047; size <= 2049; size++) {
        char text[4096] = "{\"Statement\":[{\"A\":\"";
        size_t begin = strlen(text);
        struct cof_buf out;

        memset(text + begin, 'x', size - begin - 4);
        (void)snprintf(text + size - 4, 5, "\"}]}");
        assert_int_equal(make("trust-x", text, NULL, &out, NULL), size <= 2048 ? COF_OK : COF_E_LIMIT);
        cof_buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_out),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(the_services_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
