/* SPDX-License-Identifier: Apache-2.0
 *
 * Conditional requests: the table of what each operation does with each condition.
 */
#include "standin_fixture.h"

#define X_ETAG "9dd4e461268c8034f5c8564e155c67a6" /* of an object "x" */
#define BEFORE "Mon, 23 Nov 2026 19:00:00 GMT"
#define AT "Mon, 23 Nov 2026 20:00:00 GMT" /* FIXTURE_NOW, when it is written */

static const char plain[] = "{\"credentials\":[{\"name\":\"root\",\"root\":true}],\"buckets\":[{\"name\":\"bbb\"},"
    "{\"name\":\"vvv\",\"versioning\":true}]}";
static const char as_ceph[] = "{\"credentials\":[{\"name\":\"root\",\"root\":true}],\"s3\":{\"as_ceph\":true},"
    "\"buckets\":[{\"name\":\"bbb\"},{\"name\":\"vvv\",\"versioning\":true}]}";

struct row {
    const char *method, *target, *headers, *body;
    int status;
    const char *text;
};

static void play(const char *manifest, const struct row *rows, size_t n)
{
    struct fixture f;

    fixture_init(&f, manifest);
    for (size_t i = 0; i < n; i++) {
        struct answer a;

        fixture_call(&f, rows[i].method, rows[i].target, rows[i].headers, NULL, cof_view_str(rows[i].body), 5, &a);
        if (a.status != rows[i].status || (rows[i].text != NULL && !answer_has(&a, rows[i].text)))
            fail_msg("row %zu, %s %s: %d %s", i, rows[i].method, rows[i].target, a.status, cof_buf_cstr(&a.body));
        answer_done(&a);
        f.now_ms += 60000;
    }
    fixture_done(&f);
}
#define PLAY(manifest, rows) play(manifest, rows, sizeof rows / sizeof rows[0])

static void reads(void **state)
{
    static const struct row rows[] = {
        {"PUT", "/bbb/k", "", "x", 200, NULL},
        {"GET", "/bbb/k", "if-match: \"" X_ETAG "\"", "", 200, NULL},
        {"GET", "/bbb/k", "if-match: \"0\", \"" X_ETAG "\"", "", 200, NULL},
        {"GET", "/bbb/k", "if-match: *", "", 200, NULL},
        {"GET", "/bbb/k", "if-match: \"0\"", "", 412, "<Condition>If-Match</Condition>"},
        {"GET", "/bbb/k", "if-none-match: " X_ETAG, "", 304, NULL},
        {"GET", "/bbb/k", "if-none-match: W/\"" X_ETAG "\"", "", 304, NULL},
        {"GET", "/bbb/k", "if-none-match: \"0\"", "", 200, NULL},
        {"GET", "/bbb/k", "if-modified-since: " BEFORE, "", 200, NULL},
        {"GET", "/bbb/k", "if-modified-since: " AT, "", 304, NULL},
        {"GET", "/bbb/k", "if-modified-since: Mon, 23 Nov 2099 20:00:00 GMT", "", 200, NULL}, /* yet to come */
        {"GET", "/bbb/k", "if-unmodified-since: " BEFORE, "", 412, "<Condition>If-Unmodified-Since</Condition>"},
        {"GET", "/bbb/k", "if-unmodified-since: " AT, "", 200, NULL},
        {"GET", "/bbb/k", "if-match: " X_ETAG "\nif-unmodified-since: " BEFORE, "", 200, NULL}, /* the ETag decides */
        {"GET", "/bbb/k", "if-none-match: \"0\"\nif-modified-since: " AT, "", 200, NULL},
        {"GET", "/bbb/k", "range: bytes=0-0\nif-range: \"0\"", "", 200, NULL},
        {"GET", "/bbb/k", "range: bytes=0-0\nif-range: \"" X_ETAG "\"", "", 206, NULL},
        {"GET", "/bbb/k?partNumber=1", "range: bytes=0-0", "", 400, "Cannot specify both Range header and partNumber"},
        {"GET", "/bbb/k?partNumber=2", "", "", 416, "<Code>InvalidPartNumber</Code>"},
        {"GET", "/bbb/none", "if-match: *", "", 404, NULL},
    };

    PLAY(plain, rows);
}

static void copies(void **state)
{
    static const struct row rows[] = {
        {"PUT", "/bbb/k", "", "x", 200, NULL},
        {"PUT", "/bbb/c", "x-amz-copy-source: bbb/k\nx-amz-copy-source-if-match: \"0\"", "", 412, "PreconditionFailed"},
        {"PUT", "/bbb/c", "x-amz-copy-source: bbb/k\nx-amz-copy-source-if-none-match: " X_ETAG, "", 412, "PreconditionFailed"},
        {"PUT", "/bbb/c", "x-amz-copy-source: bbb/k\nx-amz-copy-source-if-modified-since: " AT, "", 412, "PreconditionFailed"},
        {"GET", "/bbb/c", "", "", 404, NULL},
        {"PUT", "/bbb/c", "x-amz-copy-source: bbb/k\nx-amz-copy-source-if-match: " X_ETAG, "", 200, X_ETAG},
        {"PUT", "/bbb/c", "x-amz-copy-source: bbb/k\nif-none-match: *", "", 412, "PreconditionFailed"},
    };

    PLAY(plain, rows);
}

static void writes(void **state)
{
    static const struct row rows[] = {
        {"PUT", "/bbb/k", "if-match: *", "x", 501, "<Header>If-Match</Header>"},
        {"PUT", "/bbb/k", "if-match: \"" X_ETAG "\"", "x", 404, "NoSuchKey"},
        {"PUT", "/bbb/k", "if-none-match: *", "x", 200, NULL},
        {"PUT", "/bbb/k", "if-none-match: *", "y", 412, "<Condition>If-None-Match</Condition>"},
        {"PUT", "/bbb/k", "if-none-match: \"0\"", "y", 501, "<Header>If-None-Match</Header>"},
        {"PUT", "/bbb/k", "if-none-match: *\nif-match: \"0\"", "y", 501, "<Header>If-Match,If-None-Match</Header>"},
        {"PUT", "/bbb/k", "if-match: \"0\"", "y", 412, "<Condition>If-Match</Condition>"},
        {"PUT", "/bbb/k", "if-match: \"" X_ETAG "\"", "y", 200, NULL},
        {"PUT", "/bbb/k", "if-match: \"" X_ETAG "\"", "z", 412, "PreconditionFailed"},
        {"GET", "/bbb/k", "", "", 200, "y"},
    };

    PLAY(plain, rows);
}

static void deletes(void **state)
{
    static const struct row rows[] = {
        {"DELETE", "/bbb/k", "if-match: *", "", 404, "NoSuchKey"},
        {"DELETE", "/bbb/k", "x-amz-if-match-size: 5", "", 501, "<Header>x-amz-if-match-size</Header>"},
        {"PUT", "/bbb/k", "", "x", 200, NULL},
        {"DELETE", "/bbb/k", "if-match: \"0\"", "", 412, "<Condition>If-Match</Condition>"},
        {"DELETE", "/bbb/k", "x-amz-if-match-last-modified-time: " BEFORE, "", 501, "<Header>x-amz-if-match-last-modified-time</Header>"},
        {"GET", "/bbb/k", "", "", 200, "x"},
        {"DELETE", "/bbb/k", "if-match: " X_ETAG, "", 204, NULL},
        {"GET", "/bbb/k", "", "", 404, NULL},
        {"PUT", "/vvv/k", "", "x", 200, NULL},
        {"DELETE", "/vvv/k", "if-match: *", "", 204, NULL},
        {"DELETE", "/vvv/k", "if-match: *", "", 412, "PreconditionFailed"}, /* a marker is no object */
    };

    PLAY(plain, rows);
}

static void lists_of_deletes(void **state)
{
#define DELETE(inside) "<Delete><Object><Key>k</Key>" inside "</Object></Delete>"
    static const char *const bodies[][2] = {
        {DELETE("<ETag>\"0\"</ETag>"), "<Code>PreconditionFailed</Code>"},
        {DELETE("<Size>7</Size>"), "<Code>PreconditionFailed</Code>"},
        {DELETE("<LastModifiedTime>2020-01-01T00:00:00Z</LastModifiedTime>"), "<Code>PreconditionFailed</Code>"},
        {DELETE("<LastModifiedTime>" AT "</LastModifiedTime><Size>1</Size><ETag>" X_ETAG "</ETag>"), "<Deleted><Key>k</Key></Deleted>"},
        {DELETE("<ETag>*</ETag>"), "<Code>NoSuchKey</Code>"},
    };
    struct fixture f;
    struct answer a;

    fixture_init(&f, plain);
    fixture_call(&f, "PUT", "/bbb/k", "", NULL, COF_LIT("x"), 1, &a);
    answer_done(&a);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct cof_buf md5;
        uint8_t digest[16];

        cof_buf_init(&md5, 100);
        cof_buf_add_str(&md5, "content-md5: ");
        assert_ok(cof_hash_once(COF_MD5, cof_view_str(bodies[i][0]), digest));
        cof_base64_add(&md5, cof_view_of(digest, 16));
        fixture_call(&f, "POST", "/bbb?delete", cof_buf_cstr(&md5), NULL, cof_view_str(bodies[i][0]), 11, &a);
        if (a.status != 200 || !answer_has(&a, bodies[i][1]))
            fail_msg("%zu: %d %s", i, a.status, cof_buf_cstr(&a.body));
        answer_done(&a);
        cof_buf_done(&md5);
    }
    fixture_done(&f);
}

static void as_ceph_does(void **state)
{
    static const struct row rows[] = {
        {"PUT", "/bbb/k", "if-none-match: \"0\"", "x", 200, NULL},
        {"PUT", "/bbb/k", "if-none-match: \"" X_ETAG "\"", "y", 412, "PreconditionFailed"},
        {"GET", "/bbb/k?partNumber=2", "", "", 400, "InvalidPart"},
        {"DELETE", "/bbb/none", "if-match: *", "", 204, NULL},
        {"DELETE", "/vvv/none", "if-match: *", "", 204, NULL},
        {"DELETE", "/vvv/none", "if-match: \"0\"", "", 204, NULL}, /* not even a marker was made */
        {"PUT", "/vvv/k", "", "x", 200, NULL},
        {"DELETE", "/vvv/k", "", "", 204, NULL},
        {"DELETE", "/vvv/k", "if-match: *", "", 204, NULL},
        {"DELETE", "/vvv/k", "if-match: \"0\"", "", 412, "PreconditionFailed"},
    };

    PLAY(as_ceph, rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads), cmocka_unit_test(copies), cmocka_unit_test(writes),
        cmocka_unit_test(deletes), cmocka_unit_test(lists_of_deletes), cmocka_unit_test(as_ceph_does)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
