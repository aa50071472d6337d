/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: the sample manifest is read; each thing that is wrong in a manifest is refused, by line, column and reason, with a
 * suggestion where there is one; images and models from other files are held to the same rules.
 */
#include "testing.h"

#include "policy/deployment.h"

#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab"
#define P(x) x DIGITS
#define IMAGE(a, b, c) "{\"PCR0\":\"" a "\",\"PCR1\":\"" b "\",\"PCR2\":\"" c "\"}"
#define GOOD IMAGE(P("aa00"), P("bb00"), P("cc00"))
#define KEYS "\"keys\":{\"data\":\"d\",\"results\":\"r\",\"models\":\"m\",\"storage\":\"s\"}"
#define BEGIN "{\n \"account\":\"111122223333\",\n \"region\":\"eu-west-1\",\n \"bucket\":\"vault\",\n "
#define IMAGES(list) "\"images\":[" list "]"

static struct cof_deployment d;

static void sample(void **state)
{
    struct cof_diag diag = {0};
    struct cof_buf text;

    (void)state;
    if (!read_file(SOURCE_ROOT "/examples/deployment.json", &text))
        fail_msg("no sample");
    if (cof_deployment_parse(cof_buf_view(&text), &d, &diag) != COF_OK || cof_deployment_check(&d, &diag) != COF_OK)
        fail_msg("%s", diag.text);
    cof_buf_done(&text);
    assert_string_equal(d.arns[COF_ARN_MODELS_KEY], "arn:aws:kms:eu-west-1:111122223333:key/3456cdef-12ab-34cd-56ef-1234567890ab");
    assert_string_equal(d.arns[COF_ARN_DEAD_LETTER_QUEUE], "arn:aws:sqs:eu-west-1:111122223333:coffer-jobs-dead");
    assert_string_equal(d.arns[COF_ARN_ADMIN_ROLE], "arn:aws:iam::111122223333:role/coffer-admin");
    assert_int_equal(d.n_images + d.n_models + d.n_endpoints + d.n_source_accounts, 4);
}

static const struct {
    const char *text, *says, *hint;
} wrong[] = {
    {"[]", "line 1, column 1: an object is expected", ""},
    {"{", "line 1, column 2: the document ends too early", "close every {"},
    {"", "line 1, column 1: the document is empty", "examples/deployment.json"},
    {"{\"account\":\"1\" \"region\":\"1\"}", "line 1, column 15: a comma is missing", "between two items"},
    {"{\"account\":\"1\",\"account\":\"1\"}", "duplicate", ""},
    {"{\"acount\":\"111122223333\"}", "line 1, column 2: unknown member: acount", "did you mean \"account\"?"},
    {"{\"account\":111122223333}", "line 1, column 2: a string is expected", ""},
    {"{\"account\":\"11112222333\"}", "line 1, column 2: an account is twelve digits", ""},
    {"{\"account\":\"111122223333\",\"region\":\"here\"}", "column 27: no region (as in eu-west-1): here", ""},
    {"{\"account\":\"111122223333\",\"region\":\"eu-west-1\",\"bucket\":\"A\"}", "no bucket's name (3 to 63 of a-z 0-9 - .): A", ""},
    {BEGIN IMAGES(GOOD) "}", "member \"keys\" is missing", ""},
    {BEGIN "\"keys\":{\"data\":\"d\"}," IMAGES(GOOD) "}", "line 5, column 2: member \"results\" is missing", ""},
    {BEGIN "\"keys\":{\"data\":\"alias/d\"}}", "line 5, column 10: a key by its alias", "an alias can be pointed at another key"},
    {BEGIN "\"keys\":{\"data\":\"arn:aws:kms:eu-west-1:999988887777:key/d\"}}", "an ARN of another account", ""},
    {BEGIN "\"keys\":{\"data\":\"arn:aws:kms:us-east-1:111122223333:key/d\"}}", "an ARN of another region", ""},
    {BEGIN "\"keys\":{\"data\":\"arn:aws:sqs:eu-west-1:111122223333:d\"}}", "a key is its id or its ARN", ""},
    {BEGIN "\"keys\":{\"data\":\"d\",\"results\":\"d\"}}", "the same as another one", "it is \"data\" already"},
    {BEGIN "\"keys\":{\"dta\":\"d\"}}", "unknown member: dta", "did you mean \"data\"?"},
    {BEGIN KEYS ",\"roles\":{\"owner\":\"coffer-producer\"}," IMAGES(GOOD) "}", "the same as another one", "it is \"producer\" already"},
    {BEGIN KEYS ",\"queues\":{\"jobs\":\"a b\"}," IMAGES(GOOD) "}", "a queue is its name or its ARN: a b", ""},
    {BEGIN KEYS "}", "member \"images\" is missing", ""},
    {BEGIN KEYS "," IMAGES("") "}", "\"images\" is a list of 1 to 8", "96 f each"},
    {BEGIN KEYS "," IMAGES("{}") "}", "member \"PCR0\" is missing", ""},
    {BEGIN KEYS "," IMAGES(IMAGE("aa", P("bb00"), P("cc00"))) "}", "this has 2: aa", "coffer eif describe"},
    {BEGIN KEYS "," IMAGES(IMAGE("0000000000000000000000000000000000000000000000000000000000000000", P("bb00"), P("cc00"))) "}",
     "this has 64: a SHA-256", ""},
    {BEGIN KEYS "," IMAGES(IMAGE(P("aa00"), P("bb00"), "00000000" "00000000" "00000000" "00000000" "00000000" "00000000" "00000000" "00000000"
                                 "00000000" "00000000" "00000000" "00000000")) "}", "every debug enclave", ""},
    {BEGIN KEYS "," IMAGES(IMAGE(P("gg00"), P("bb00"), P("cc00"))) "}", "a PCR is 96 hex digits", ""},
    {BEGIN KEYS "," IMAGES(GOOD "," GOOD) "}", "line 5, column 393: the same image as in line 5", ""},
    {BEGIN KEYS "," IMAGES(GOOD "," IMAGE(P("aa00"), P("bb11"), P("cc00"))) "}", "with another PCR1 or PCR2", ""},
    {BEGIN KEYS "," IMAGES(GOOD) ",\"models\":[\"" P("AA00") "\",\"" P("aa00") "\"]}", "the same model", ""},
    {BEGIN KEYS "," IMAGES(GOOD) ",\"models\":[7]}", "an object is expected", ""},
    {BEGIN KEYS "," IMAGES(GOOD) ",\"vpc_endpoints\":[\"vpc-0123456789abcdef0\"]}", "a VPC endpoint is vpce-", ""},
    {BEGIN KEYS "," IMAGES(GOOD) ",\"vpc_endpoints\":[\"vpce-01234567\",\"vpce-01234567\"]}", "named twice", ""},
    {BEGIN KEYS "," IMAGES(GOOD) ",\"source_accounts\":[\"111122223333\"]}", "the deployment's own account", ""},
    {BEGIN KEYS "," IMAGES("{\"$file\":\"x\",\"PCR0\":\"\"}") "}", "unknown member: PCR0", ""},
};

static void what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct cof_diag diag = {0};
        enum cof_err err = cof_deployment_parse(cof_view_str(wrong[i].text), &d, &diag);

        if (err == COF_OK)
            err = cof_deployment_check(&d, &diag);
        if (err != COF_E_CONFIG || strstr(diag.text, wrong[i].says) == NULL || strstr(diag.hint, wrong[i].hint) == NULL)
            fail_msg("row %zu: %s: %s [%s]", i, cof_err_name(err), diag.text, diag.hint);
    }
}

static void upper_case_is_written_lower(void **state)
{
    (void)state;
    assert_ok(cof_deployment_parse(cof_view_str(BEGIN KEYS "," IMAGES(IMAGE(P("AA00"), P("bb00"), P("cc00"))) "}"), &d, NULL));
    assert_string_equal(d.images[0].pcr[0], P("aa00"));
}

static void from_other_files(void **state)
{
    static const struct {
        const char *text;
        enum cof_err err;
    } rows[] = {
        {GOOD, COF_OK},
        {"{\"EifVersion\":4,\"CheckCRC\":true,\"IsSigned\":false,\"Measurements\":" GOOD "}", COF_OK},
        {"{\"EifVersion\":4,\"CheckCRC\":true,\"IsSigned\":true,\"SignatureCheck\":true,\"Measurements\":" GOOD "}", COF_OK},
        {"{\"CheckCRC\":false,\"Measurements\":" GOOD "}", COF_E_AUTH},
        {"{\"CheckCRC\":true,\"SignatureCheck\":false,\"Measurements\":" GOOD "}", COF_E_AUTH},
        {"{\"Measurements\":{}}", COF_E_CONFIG},
        {"{\"PCR0\":\"00\"}", COF_E_CONFIG},
        {"\"PCR0\"", COF_E_CONFIG},
        {"", COF_E_CONFIG},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cof_deployment_entry entry;

        if (cof_deployment_image(cof_view_str(rows[i].text), &entry, NULL) != rows[i].err)
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sample),
        cmocka_unit_test(what_is_wrong),
        cmocka_unit_test(upper_case_is_written_lower),
        cmocka_unit_test(from_other_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
