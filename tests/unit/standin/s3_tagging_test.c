/* SPDX-License-Identifier: Apache-2.0
 *
 * Tags of objects and buckets: what may be a tag, and where it is told.
 */
#include "standin_fixture.h"

static void call(struct fixture *f, const char *method, const char *target, const char *extra, const char *body, int status,
                 const char *text)
{
    struct answer a;

    fixture_call(f, method, target, extra, NULL, cof_view_str(body), 7, &a);
    if (a.status != status || (text != NULL && !answer_has(&a, text)))
        fail_msg("%s %s: %d %s", method, target, a.status, cof_buf_cstr(&a.body));
    answer_done(&a);
}

#define TAG(key, value) "<Tag><Key>" key "</Key><Value>" value "</Value></Tag>"
#define TAGS(inside) "<Tagging><TagSet>" inside "</TagSet></Tagging>"
#define FIVE(c) TAG(c "1", "") TAG(c "2", "") TAG(c "3", "") TAG(c "4", "") TAG(c "5", "")

static void objects_have_tags(void **state)
{
    struct fixture f;
    char xml[1200], text[300];

    fixture_init(&f, NULL);
    call(&f, "PUT", "/bbb/k", "x-amz-tagging: foo=b%20r&bar", "x", 200, NULL);
    call(&f, "GET", "/bbb/k?tagging", "", "", 200, &TAGS(TAG("bar", "") TAG("foo", "b r"))[9]);
    call(&f, "PUT", "/bbb/k?tagging", "", TAGS(FIVE("a") FIVE("b")), 200, NULL);
    call(&f, "PUT", "/bbb/k?tagging", "", TAGS(FIVE("a") FIVE("b") TAG("c", "")), 400, "Object tags cannot be greater than 10");
    call(&f, "PUT", "/bbb/k?tagging", "", TAGS(TAG("a", "1") TAG("a", "2")), 400, "multiple Tags with the same key");
    call(&f, "PUT", "/bbb/k?tagging", "", TAGS(TAG("", "1")), 400, "MalformedXML");
    call(&f, "PUT", "/bbb/k?tagging", "", TAGS("<Tag><Key>a</Key></Tag>"), 400, "MalformedXML");
    call(&f, "PUT", "/bbb/k?tagging", "", TAGS(TAG("aws:x", "1")), 400, "Your TagKey cannot be prefixed with aws:</Message><TagKey>aws:x</TagKey>");
    call(&f, "PUT", "/bbb/k?tagging", "", TAGS(TAG("a;b", "1")), 400, "<TagKey>a;b</TagKey>");
    call(&f, "PUT", "/bbb/k?tagging", "", TAGS(TAG("a", "{}")), 400, "<TagKey>a</TagKey><TagValue>{}</TagValue>");
    call(&f, "PUT", "/bbb/k?tagging", "", "<Tagging/>", 200, NULL); /* spec: no tags */
    call(&f, "PUT", "/bbb/t", "x-amz-tagging: a=b,c=d", "x", 400, "<ArgumentName>x-amz-tagging</ArgumentName><ArgumentValue>a=b,c=d<");
    call(&f, "PUT", "/bbb/k?tagging", "content-md5: AAAAAAAAAAAAAAAAAAAAAA==", TAGS(""), 400, "BadDigest");
    memset(text, 'v', 256);
    text[256] = '\0';
    (void)snprintf(xml, sizeof xml, "<Tagging><TagSet><Tag><Key>\xc3\xa4</Key><Value>%s</Value></Tag></TagSet></Tagging>", text);
    call(&f, "PUT", "/bbb/k?tagging", "", xml, 200, NULL);
    (void)snprintf(xml, sizeof xml, "<Tagging><TagSet><Tag><Key>a</Key><Value>%sw</Value></Tag></TagSet></Tagging>", text);
    call(&f, "PUT", "/bbb/k?tagging", "", xml, 400, "TagValue");
    call(&f, "GET", "/bbb/k?tagging", "", "", 200, "<Key>\xc3\xa4</Key>");
    call(&f, "DELETE", "/bbb/k?tagging", "", "", 204, NULL);
    call(&f, "GET", "/bbb/k?tagging", "", "", 200, "<TagSet></TagSet>");
    call(&f, "GET", "/bbb/none?tagging", "", "", 404, "<Key>bbb/none</Key>"); /* spec: told so by this call alone */
    call(&f, "PUT", "/bbb/none?tagging", "", TAGS(""), 404, "<Key>none</Key>");
    fixture_done(&f);
}

static void buckets_have_tags(void **state)
{
    struct fixture f;

    fixture_init(&f, NULL);
    call(&f, "GET", "/bbb?tagging", "", "", 404, "NoSuchTagSet</Code><Message>The TagSet does not exist</Message><BucketName>bbb<");
    call(&f, "PUT", "/bbb?tagging", "", TAGS(TAG("aws:x", "")), 400, "System tags cannot be added/updated by requester");
    call(&f, "PUT", "/bbb?tagging", "", TAGS(FIVE("a") FIVE("b") FIVE("c")), 204, NULL);
    call(&f, "GET", "/bbb?tagging", "", "", 200, TAG("c5", ""));
    call(&f, "PUT", "/bbb?tagging", "", TAGS(""), 204, NULL);
    call(&f, "GET", "/bbb?tagging", "", "", 404, "NoSuchTagSet"); /* spec: an empty set is none */
    call(&f, "DELETE", "/bbb?tagging", "", "", 204, NULL);
    call(&f, "GET", "/bbb?tagging", "", "", 404, "NoSuchTagSet");
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(objects_have_tags), cmocka_unit_test(buckets_have_tags)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
