/* SPDX-License-Identifier: Apache-2.0
 *
 * Object Lock: what may be set, by whom, and that locked versions stay.
 */
#include "standin_fixture.h"

#define DAY_MS 86400000LL

/* A body and what it calls for: the MD5 that these calls want. */
static void put_xml(struct fixture *f, const char *target, const char *extra, const char *xml, struct answer *a)
{
    uint8_t digest[16];
    struct cof_buf lines;

    cof_buf_init(&lines, 4096);
    assert_ok(cof_hash_once(COF_MD5, cof_view_str(xml), digest));
    cof_buf_printf(&lines, "%s\ncontent-md5: ", extra);
    cof_base64_add(&lines, cof_view_of(digest, 16));
    fixture_call(f, "PUT", target, cof_buf_cstr(&lines), NULL, cof_view_str(xml), 9, a);
    cof_buf_done(&lines);
}

static void expect(struct answer *a, int status, const char *text)
{
    if (a->status != status || (text != NULL && !answer_has(a, text)))
        fail_msg("%d %s in place of %d %s", a->status, cof_buf_cstr(&a->body), status, text == NULL ? "" : text);
    answer_done(a);
}

static void call(struct fixture *f, const char *method, const char *target, const char *extra, const char *body, int status,
                 const char *text)
{
    struct answer a;

    fixture_call(f, method, target, extra, NULL, cof_view_str(body), 5, &a);
    expect(&a, status, text);
}

static void set(struct fixture *f, const char *target, const char *extra, const char *xml, int status, const char *text)
{
    struct answer a;

    put_xml(f, target, extra, xml, &a);
    expect(&a, status, text);
}

/* Puts an object; its version id into id. */
static void put(struct fixture *f, const char *target, const char *extra, char id[64])
{
    struct cof_view value;
    struct answer a;

    fixture_call(f, "PUT", target, extra, NULL, COF_LIT("x"), 1, &a);
    assert_int_equal(a.status, 200);
    assert_true(cof_headers_get(&a.headers, "x-amz-version-id", &value));
    (void)snprintf(id, 64, "%.*s", (int)value.len, (const char *)value.data);
    answer_done(&a);
}

#define GOVERNED "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>%s</RetainUntilDate></Retention>"
#define COMPLIED "<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>%s</RetainUntilDate></Retention>"

static const char *retention(char out[static 256], const char *shape, const char *until)
{
    (void)snprintf(out, 256, strcmp(shape, "G") == 0 ? GOVERNED : COMPLIED, until);
    return out;
}

static void only_versioned_buckets_lock(void **state)
{
    static const char config[] = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>"
        "<Mode>GOVERNANCE</Mode><Days>2</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
    struct fixture f;

    fixture_init(&f, NULL);
    call(&f, "GET", "/bbb?object-lock", "", "", 404, "ObjectLockConfigurationNotFoundError");
    set(&f, "/bbb?object-lock", "", config, 409, "InvalidBucketState");
    call(&f, "PUT", "/bbb/k", "x-amz-object-lock-legal-hold: ON", "x", 400, "InvalidRequest");
    call(&f, "PUT", "/bbb/k", "", "x", 200, NULL);
    set(&f, "/bbb/k?legal-hold", "", "<LegalHold><Status>ON</Status></LegalHold>", 400, "missing Object Lock");
    set(&f, "/bbb?versioning", "", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>", 200, NULL);
    call(&f, "PUT", "/bbb?object-lock", "", config, 400, "Content-MD5 OR x-amz-checksum-*"); /* unproved */
    set(&f, "/bbb?object-lock", "", config, 200, NULL);
    call(&f, "GET", "/bbb?object-lock", "", "", 200, "<Mode>GOVERNANCE</Mode><Days>2</Days>");
    set(&f, "/bbb?versioning", "", "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>", 409, "InvalidBucketState");
    fixture_done(&f);
}

static void configurations_are_checked(void **state)
{
    static const struct { const char *inside; int status; const char *text; } cases[] = {
        {"<ObjectLockEnabled>Disabled</ObjectLockEnabled>", 400, "MalformedXML"},
        {"<ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule/>", 400, "MalformedXML"},
        {"<ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>governance</Mode><Days>1</Days></DefaultRetention></Rule>",
            400, "MalformedXML"},
        {"<ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode></DefaultRetention></Rule>", 400,
            "MalformedXML"},
        {"<ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>1</Days><Years>1</Years>"
         "</DefaultRetention></Rule>", 400, "MalformedXML"},
        {"<ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>0</Days></DefaultRetention></Rule>",
            400, "InvalidArgument"},
        {"<ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Years>-1</Years></DefaultRetention></Rule>",
            400, "InvalidArgument"},
        {"<ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Years>101</Years></DefaultRetention></Rule>",
            400, "InvalidArgument"},
        {"<ObjectLockEnabled>Enabled</ObjectLockEnabled>", 200, NULL},
    };
    struct fixture f;

    fixture_init(&f, NULL);
    call(&f, "PUT", "/locked", "x-amz-bucket-object-lock-enabled: true", "", 200, NULL);
    call(&f, "GET", "/locked?versioning", "", "", 200, "<Status>Enabled</Status>");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char xml[700];

        (void)snprintf(xml, sizeof xml, "<ObjectLockConfiguration>%s</ObjectLockConfiguration>", cases[i].inside);
        set(&f, "/locked?object-lock", "", xml, cases[i].status, cases[i].text);
    }
    fixture_done(&f);
}

static void retention_only_grows(void **state)
{
    static const char bypass[] = "x-amz-bypass-governance-retention: true";
    char id[64], target[160], erase[160], xml[256];
    struct fixture f;

    fixture_init(&f, NULL);
    call(&f, "PUT", "/locked", "x-amz-bucket-object-lock-enabled: true", "", 200, NULL);
    put(&f, "/locked/k", "", id);
    (void)snprintf(target, sizeof target, "/locked/k?retention&versionId=%s", id);
    (void)snprintf(erase, sizeof erase, "/locked/k?versionId=%s", id);
    call(&f, "GET", target, "", "", 404, "NoSuchObjectLockConfiguration");
    set(&f, target, "", retention(xml, "G", "2026-11-23T19:59:59Z"), 400, "must be in the future");
    set(&f, target, "", "<Retention><Mode>GOVERNANCE</Mode></Retention>", 400, "MalformedXML");
    set(&f, target, "", "<Retention><Mode>abc</Mode><RetainUntilDate>2027-01-01T00:00:00Z</RetainUntilDate></Retention>", 400, "MalformedXML");
    set(&f, target, "", retention(xml, "G", "2027-01-01T00:00:00Z"), 200, NULL);
    call(&f, "GET", target, "", "", 200, "<RetainUntilDate>2027-01-01T00:00:00Z</RetainUntilDate>");
    set(&f, target, "", retention(xml, "G", "2027-01-02T00:00:00Z"), 200, NULL);
    set(&f, target, "", retention(xml, "G", "2027-01-01T00:00:00Z"), 403, "AccessDenied");
    set(&f, target, "", "<Retention/>", 403, "AccessDenied");
    set(&f, target, "", retention(xml, "C", "2027-01-02T00:00:00Z"), 403, "AccessDenied");
    call(&f, "DELETE", erase, "", "", 403, "protected by object lock");
    set(&f, target, bypass, retention(xml, "G", "2027-01-01T00:00:00Z"), 200, NULL);
    set(&f, target, bypass, "<Retention/>", 200, NULL);
    call(&f, "GET", target, "", "", 404, "NoSuchObjectLockConfiguration");
    set(&f, target, "", retention(xml, "C", "2027-01-01T00:00:00Z"), 200, NULL);
    set(&f, target, bypass, retention(xml, "C", "2026-12-31T00:00:00Z"), 403, "AccessDenied"); /* nobody shortens it */
    set(&f, target, bypass, retention(xml, "G", "2027-02-01T00:00:00Z"), 403, "AccessDenied");
    call(&f, "DELETE", erase, bypass, "", 403, "protected by object lock");
    f.now_ms += 40 * DAY_MS;
    call(&f, "DELETE", erase, "", "", 204, NULL);
    fixture_done(&f);
}

static void a_hold_stands_whatever_the_date(void **state)
{
    char id[64], target[160], erase[160];
    struct answer a;
    struct fixture f;

    fixture_init(&f, NULL);
    call(&f, "PUT", "/locked", "x-amz-bucket-object-lock-enabled: true", "", 200, NULL);
    call(&f, "PUT", "/locked/k", "x-amz-object-lock-legal-hold: ON", "x", 400, "Object Lock parameters"); /* no checksum */
    put(&f, "/locked/k", "x-amz-object-lock-legal-hold: ON\ncontent-md5: ndTkYSaMgDT1yFZOFVxnpg==", id);
    (void)snprintf(target, sizeof target, "/locked/k?legal-hold&versionId=%s", id);
    (void)snprintf(erase, sizeof erase, "/locked/k?versionId=%s", id);
    call(&f, "GET", target, "", "", 200, "<Status>ON</Status>");
    call(&f, "DELETE", erase, "x-amz-bypass-governance-retention: true", "", 403, "AccessDenied");
    f.now_ms += 3650 * DAY_MS;
    call(&f, "DELETE", erase, "", "", 403, "AccessDenied");
    call(&f, "DELETE", "/locked/k", "", "", 204, NULL); /* a marker covers it */
    set(&f, target, "", "<LegalHold><Status>maybe</Status></LegalHold>", 400, "MalformedXML");
    set(&f, target, "", "<LegalHold><Status>OFF</Status></LegalHold>", 200, NULL);
    fixture_call(&f, "HEAD", erase, "", NULL, COF_LIT(""), 1, &a);
    {
        struct cof_view hold;

        assert_true(cof_headers_get(&a.headers, "x-amz-object-lock-legal-hold", &hold));
        assert_true(cof_view_eq_str(hold, "OFF"));
    }
    answer_done(&a);
    call(&f, "DELETE", erase, "", "", 204, NULL);
    fixture_done(&f);
}

static void write_headers_are_checked(void **state)
{
#define MD5 "\ncontent-md5: ndTkYSaMgDT1yFZOFVxnpg=="
    static const struct { const char *headers, *text; } cases[] = {
        {"x-amz-object-lock-mode: GOVERNANCE" MD5, "must both be supplied"},
        {"x-amz-object-lock-retain-until-date: 2027-01-01T00:00:00Z" MD5, "must both be supplied"},
        {"x-amz-object-lock-mode: SOFT\nx-amz-object-lock-retain-until-date: 2027-01-01T00:00:00Z" MD5, "Unknown wormMode"},
        {"x-amz-object-lock-mode: GOVERNANCE\nx-amz-object-lock-retain-until-date: tomorrow" MD5, "ISO 8601"},
        {"x-amz-object-lock-mode: GOVERNANCE\nx-amz-object-lock-retain-until-date: 2020-01-01T00:00:00Z" MD5, "in the future"},
        {"x-amz-object-lock-legal-hold: on" MD5, "Legal Hold must be either"},
    };
    struct fixture f;

    fixture_init(&f, NULL);
    call(&f, "PUT", "/locked", "x-amz-bucket-object-lock-enabled: true", "", 200, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        call(&f, "PUT", "/locked/k", cases[i].headers, "x", 400, cases[i].text);
    call(&f, "GET", "/locked?versions", "", "", 200, "<MaxKeys>1000</MaxKeys></ListVersionsResult>"); /* nothing was stored */
    fixture_done(&f);
}

static void a_default_counts_from_the_write(void **state)
{
    static const char manifest[] = "{\"credentials\":[{\"name\":\"root\",\"root\":true}],"
        "\"buckets\":[{\"name\":\"kept\",\"object_lock\":{\"mode\":\"COMPLIANCE\",\"years\":1}}]}";
    char id[64], target[160];
    struct fixture f;

    fixture_init(&f, manifest);
    f.now_ms += DAY_MS;
    call(&f, "PUT", "/kept/k", "", "x", 400, "InvalidRequest"); /* spec: what will be retained comes with a checksum */
    put(&f, "/kept/k", "content-md5: ndTkYSaMgDT1yFZOFVxnpg==", id);
    (void)snprintf(target, sizeof target, "/kept/k?retention&versionId=%s", id);
    call(&f, "GET", target, "", "", 200, "<Mode>COMPLIANCE</Mode><RetainUntilDate>2027-11-24T20:00:00Z</RetainUntilDate>");
    (void)snprintf(target, sizeof target, "/kept/k?versionId=%s", id);
    f.now_ms += 365 * DAY_MS - 1;
    call(&f, "DELETE", target, "", "", 403, "AccessDenied");
    f.now_ms += 1;
    call(&f, "DELETE", target, "", "", 204, NULL);
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_versioned_buckets_lock), cmocka_unit_test(configurations_are_checked),
        cmocka_unit_test(retention_only_grows), cmocka_unit_test(a_hold_stands_whatever_the_date),
        cmocka_unit_test(write_headers_are_checked), cmocka_unit_test(a_default_counts_from_the_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
