/* SPDX-License-Identifier: Apache-2.0
 *
 * Digests of attributes as SQS itself gave them, what attributes are refused, and content kept and read back.
 */
#include "testing.h"

#include "standin/sqs_content.h"

static void read_content(const char *json, struct cof_sqs_content *out, struct cof_sqs_refusal *refusal, json_t **kept)
{
    *refusal = (struct cof_sqs_refusal){.code = COF_SQS_FINE};
    *kept = json_loads(json, 0, NULL);
    assert_non_null(*kept);
    assert_ok(cof_sqs_content_read(*kept, out, refusal));
}

/* Answers of the service, as its users have published them. */
static void digests_are_those_of_the_service(void **state)
{
#define TEXT(name, value) "\"" name "\":{\"DataType\":\"String\",\"StringValue\":\"" value "\"}"
#define THREE TEXT("Hello", "There") "," TEXT("General", "Kenobi") "," TEXT("Help.Me", "Me")
    static const struct { const char *attributes, *md5; bool want[3]; } cases[] = {
        {THREE, "4c360f3fdafd970e05fae2f149d997f5", {true, true, true}},
        {THREE, "fca026605781cb4126a1e9044df24232", {true, true, false}},
        {THREE, "a311262e065454b75da111d535b8dacd", {true, false, false}},
        {THREE, "83fee93c1bcd8b9a5a923ffacdc636c7", {true, false, true}},
        {TEXT("Foo", "Bar"), "ae7155c6026991b6d54b11589678bf9c", {true, false, false}},
        {"\"attr1\":{\"DataType\":\"Binary\",\"BinaryValue\":\"dHJhY2VwYXJlbnQeMDAtNzc0MDYyZDZjMzcwODFhNWEwYjliNWI4OGUzMDYyN2MtMmQyND"
         "gyMjExZjY0ODlkYS0wMQ==\"}", "8cbe4db156db8a94db8b801b7addb984", {true, false, false}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_sqs_refusal refusal;
        struct cof_sqs_content content;
        char json[1024], md5[33];
        json_t *kept;

        (void)snprintf(json, sizeof json, "{\"MessageBody\":\"test\",\"MessageAttributes\":{%s}}", cases[i].attributes);
        read_content(json, &content, &refusal, &kept);
        assert_int_equal(refusal.code, COF_SQS_FINE);
        assert_ok(cof_sqs_values_md5(content.values, content.n_values, cases[i].want, md5));
        assert_string_equal(md5, cases[i].md5);
        cof_hex_encode(content.body_md5, 16, md5);
        assert_string_equal(md5, "098f6bcd4621d373cade4e832627b4f6");
        cof_sqs_content_done(&content);
        json_decref(kept);
    }
}

static void numbers_are_numbers(void **state)
{
    static const struct { const char *text; bool fine; } cases[] = {
        {"0", true}, {"-1", true}, {"+1.5", true}, {".5", true}, {"5.", true}, {"1e10", true}, {"1E-10", true}, {"00012", true},
        {"99999999999999999999999999999999999999", true}, {"999999999999999999999999999999999999999", false}, {"", false}, {"-", false},
        {".", false}, {"1.2.3", false}, {"1e", false}, {"1e+", false}, {"1e129", false}, {"0x10", false}, {" 1", false}, {"1 ", false}, {"NaN", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_sqs_refusal refusal;
        struct cof_sqs_content content;
        char json[256];
        json_t *kept;

        (void)snprintf(json, sizeof json, "{\"MessageBody\":\"x\",\"MessageAttributes\":{\"n\":{\"DataType\":\"Number\",\"StringValue\":\"%s\"}}}",
                       cases[i].text);
        read_content(json, &content, &refusal, &kept);
        assert_int_equal(refusal.code == COF_SQS_FINE, cases[i].fine);
        cof_sqs_content_done(&content);
        json_decref(kept);
    }
}

static void texts_are_xml_characters_in_utf8(void **state)
{
    static const char *const fine[] = {"a\t\n\r", "\xc3\xa4", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x01", "\x0b", "\x1f", "\xef\xbf\xbe", "\xef\xbf\xbf", "\xed\xa0\x80", "\xff", "\xc3", "\xc0\x80", "\xf4\x90\x80\x80"};

    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
        assert_true(cof_sqs_is_text(cof_view_str(fine[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(cof_sqs_is_text(cof_view_str(bad[i])));
}

static void what_is_kept_is_read_back_and_damage_is_seen(void **state)
{
    struct cof_sqs_refusal refusal;
    struct cof_sqs_content content, back;
    struct cof_buf bytes;
    json_t *kept;

    read_content("{\"MessageBody\":\"b\xc3\xb6" "dy\",\"MessageGroupId\":\"g\",\"MessageSystemAttributes\":{\"AWSTraceHeader\":{\"DataType\":\"String\","
                 "\"StringValue\":\"Root=1\"}},\"MessageAttributes\":{\"z\":{\"DataType\":\"Number.int\",\"StringValue\":\"7\"},\"a\":{\"DataType\":"
                 "\"Binary\",\"BinaryValue\":\"AAEC\"}}}", &content, &refusal, &kept);
    assert_int_equal(refusal.code, COF_SQS_FINE);
    assert_int_equal(content.size, 5 + 1 + 10 + 1 + 1 + 6 + 3);
    content.sender = COF_LIT("AIDAX");
    cof_buf_init(&bytes, 65536);
    cof_sqs_content_write(&content, &bytes);
    assert_ok(cof_sqs_content_parse(cof_buf_view(&bytes), &back));
    assert_true(cof_view_eq(back.body, content.body) && cof_view_eq_str(back.sender, "AIDAX") && cof_view_eq_str(back.trace, "Root=1") &&
                cof_view_eq_str(back.group, "g"));
    assert_int_equal(back.n_values, 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(cof_view_eq(back.values[i].name, content.values[i].name) && cof_view_eq(back.values[i].type, content.values[i].type) &&
                    cof_view_eq(back.values[i].value, content.values[i].value) && back.values[i].binary == content.values[i].binary);
    for (size_t i = 0; i < bytes.len; i++)
        assert_int_not_equal(cof_sqs_content_parse(cof_view_sub(cof_buf_view(&bytes), 0, i), &back), COF_OK);
    cof_buf_add_u8(&bytes, 0);
    assert_int_equal(cof_sqs_content_parse(cof_buf_view(&bytes), &back), COF_E_FORMAT);
    cof_buf_done(&bytes);
    cof_sqs_content_done(&content);
    json_decref(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_those_of_the_service),
        cmocka_unit_test(numbers_are_numbers),
        cmocka_unit_test(texts_are_xml_characters_in_utf8),
        cmocka_unit_test(what_is_kept_is_read_back_and_damage_is_seen),
    };

    return cmocka_run_group_tests_name("standin/sqs_content", tests, NULL, NULL);
}
