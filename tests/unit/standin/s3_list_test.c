/* SPDX-License-Identifier: Apache-2.0
 *
 * Listings page by page say what they say at once, with every page size, prefix and delimiter, and odd keys.
 */
#include "standin_fixture.h"

static const char *const keys[] = {"a", "a/", "a/b", "a/b/c", "a/b/d", "a/e", "a0", "b%20c", "b%2Bc", "c/%0A", "c/%C3%A4", "c/%C3%B6/x",
    "c/%F0%9F%98%80", "d//", "d//e", "%3Cx%3E&amp", "z"};
static const char *const prefixes[] = {"", "a", "a/", "a/b/", "c/", "d/", "none"};
static const char *const delimiters[] = {"", "%2F", "b", "%2Fb%2F"};

static void call(struct fixture *f, const char *method, const char *target, struct answer *a)
{
    fixture_call(f, method, target, "", NULL, COF_LIT(""), 1, a);
    cof_buf_add_u8(&a->body, 0);
    if (a->status != 200)
        fail_msg("%s %s: %d %s", method, target, a->status, (const char *)a->body.data);
}

static bool between(const char *text, const char *open, const char *close, char *out, size_t cap)
{
    const char *at = strstr(text, open), *end;

    out[0] = '\0';
    if (at == NULL)
        return false;
    at += strlen(open);
    end = strstr(at, close);
    assert_non_null(end);
    assert_true((size_t)(end - at) < cap);
    memcpy(out, at, (size_t)(end - at));
    out[end - at] = '\0';
    return true;
}

/* Everything inside these elements, one after the other, in the order of names; counts them. */
static size_t collect(const char *text, const char *open, const char *close, struct cof_buf *out)
{
    size_t n = 0;
    const char *at = text, *end;

    while ((at = strstr(at, open)) != NULL) {
        end = strstr(at, close);
        assert_non_null(end);
        cof_buf_add(out, cof_view_of((const uint8_t *)at, (size_t)(end - at)));
        cof_buf_add_str(out, "\n");
        at = end;
        n++;
    }
    return n;
}

struct kind {
    const char *query, *item, *item_end, *max, *next, *next_end, *marker, *next2, *next2_end, *marker2;
};

static const struct kind kinds[] = {
    {"list-type=2", "<Contents>", "</Contents>", "max-keys", "<NextContinuationToken>", "</NextContinuationToken>", "continuation-token", NULL, NULL,
        NULL},
    {"encoding-type=url", "<Contents>", "</Contents>", "max-keys", "<NextMarker>", "</NextMarker>", "marker", NULL, NULL, NULL},
    {"versions=&encoding-type=url", "<Version>", "</Version>", "max-keys", "<NextKeyMarker>", "</NextKeyMarker>", "key-marker",
        "<NextVersionIdMarker>", "</NextVersionIdMarker>", "version-id-marker"},
    {"uploads=&encoding-type=url", "<Upload>", "</Upload>", "max-uploads", "<NextKeyMarker>", "</NextKeyMarker>", "key-marker",
        "<NextUploadIdMarker>", "</NextUploadIdMarker>", "upload-id-marker"},
};

static void last_between(const char *text, const char *from, const char *to, char *out, size_t size)
{
    while ((text = strstr(text, from)) != NULL)
        assert_true(between(text++, from, to, out, size));
}

/* In a listing's URL encoding a space is a plus sign, in a query it is none. */
static void spaces(char *text, size_t size)
{
    for (char *at = strchr(text, '+'); at != NULL; at = strchr(at, '+')) {
        assert_true(strlen(text) + 3 <= size);
        memmove(at + 3, at + 1, strlen(at + 1) + 1);
        memcpy(at, "%20", 3);
    }
}

static void page_through(struct fixture *f, const struct kind *k, const char *prefix, const char *delimiter, int max)
{
    char target[4000], marker[2000] = "", marker2[200] = "";
    struct cof_buf whole, groups, items, group_pages;
    struct answer a;
    size_t n_whole, pages = 0;

    cof_buf_init(&whole, 1 << 20);
    cof_buf_init(&groups, 1 << 20);
    cof_buf_init(&items, 1 << 20);
    cof_buf_init(&group_pages, 1 << 20);
    (void)snprintf(target, sizeof target, "/vvv?%s&prefix=%s&delimiter=%s", k->query, prefix, delimiter);
    call(f, "GET", target, &a);
    n_whole = collect((const char *)a.body.data, k->item, k->item_end, &whole);
    n_whole += collect((const char *)a.body.data, "<CommonPrefixes>", "</CommonPrefixes>", &groups);
    answer_done(&a);
    for (;;) {
        size_t n;

        if (marker[0] == '\0')
            (void)snprintf(target, sizeof target, "/vvv?%s&prefix=%s&delimiter=%s&%s=%d", k->query, prefix, delimiter, k->max, max);
        else
            (void)snprintf(target, sizeof target, "/vvv?%s&prefix=%s&delimiter=%s&%s=%d&%s=%s%s%s%s%s", k->query, prefix, delimiter,
                k->max, max, k->marker, marker, marker2[0] ? "&" : "", marker2[0] ? k->marker2 : "", marker2[0] ? "=" : "", marker2);
        call(f, "GET", target, &a);
        n = collect((const char *)a.body.data, k->item, k->item_end, &items);
        n += collect((const char *)a.body.data, "<CommonPrefixes>", "</CommonPrefixes>", &group_pages);
        assert_true(n <= (size_t)max);
        pages++;
        assert_true(pages <= n_whole + 1);
        if (strstr((const char *)a.body.data, "<IsTruncated>true") == NULL) {
            answer_done(&a);
            break;
        }
        assert_true(n > 0);
        if (!between((const char *)a.body.data, k->next, k->next_end, marker, sizeof marker)) {
            /* spec: ListObjects without a delimiter goes on behind its last key */
            const char *last = NULL, *at = (const char *)a.body.data;

            while ((at = strstr(at, "<Key>")) != NULL)
                last = at++;
            assert_non_null(last);
            assert_true(between(last, "<Key>", "</Key>", marker, sizeof marker));
        }
        if (k->next2 != NULL)
            (void)between((const char *)a.body.data, k->next2, k->next2_end, marker2, sizeof marker2);
        if (marker[0] == '\0') /* spec: of uploads, a common prefix that came last is no marker; who goes on says it as one */
            last_between((const char *)a.body.data, "<CommonPrefixes><Prefix>", "</Prefix>", marker, sizeof marker);
        spaces(marker, sizeof marker);
        answer_done(&a);
    }
    if (!cof_view_eq(cof_buf_view(&whole), cof_buf_view(&items)) || !cof_view_eq(cof_buf_view(&groups), cof_buf_view(&group_pages)))
        fail_msg("%s prefix %s delimiter %s by %d:\n%s%s--- in place of\n%s%s", k->query, prefix, delimiter, max, cof_buf_cstr(&items),
            cof_buf_cstr(&group_pages), cof_buf_cstr(&whole), cof_buf_cstr(&groups));
    cof_buf_done(&whole);
    cof_buf_done(&groups);
    cof_buf_done(&items);
    cof_buf_done(&group_pages);
}

static void pages_are_the_whole(void **state)
{
    struct fixture f;
    struct answer a;

    fixture_init(&f, "{\"credentials\":[{\"name\":\"root\",\"root\":true}],\"buckets\":[{\"name\":\"vvv\",\"versioning\":true}]}");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char target[100];

        (void)snprintf(target, sizeof target, "/vvv/%s", keys[i]);
        for (size_t n = 0; n <= i % 3; n++) {
            call(&f, "PUT", target, &a);
            answer_done(&a);
        }
        (void)snprintf(target, sizeof target, "/vvv/%s?uploads=", keys[i]);
        for (size_t n = 0; n <= i % 2; n++) {
            call(&f, "POST", target, &a);
            answer_done(&a);
        }
    }
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (size_t p = 0; p < sizeof prefixes / sizeof prefixes[0]; p++)
            for (size_t d = 0; d < sizeof delimiters / sizeof delimiters[0]; d++)
                for (int max = 1; max <= 5; max++)
                    page_through(&f, &kinds[k], prefixes[p], delimiters[d], max);
    fixture_done(&f);
}

/* Whoever empties a bucket page by page goes on behind versions that are gone. */
static void a_marker_may_be_gone(void **state)
{
    struct fixture f;
    struct answer a;
    size_t n = 0;

    fixture_init(&f, "{\"credentials\":[{\"name\":\"root\",\"root\":true}],\"buckets\":[{\"name\":\"vvv\",\"versioning\":true}]}");
    for (size_t i = 0; i < 5; i++) {
        call(&f, "PUT", "/vvv/k", &a);
        answer_done(&a);
    }
    {
        char target[200] = "/vvv?versions=&max-keys=1", id[64];
        bool more = true;

        while (more) {
            call(&f, "GET", target, &a);
            assert_true(between((const char *)a.body.data, "<VersionId>", "<", id, sizeof id));
            assert_true(answer_has(&a, "<IsLatest>true"));
            more = answer_has(&a, "<IsTruncated>true");
            answer_done(&a);
            (void)snprintf(target, sizeof target, "/vvv/k?versionId=%s", id);
            fixture_call(&f, "DELETE", target, "", NULL, COF_LIT(""), 1, &a);
            assert_int_equal(a.status, 204);
            answer_done(&a);
            (void)snprintf(target, sizeof target, "/vvv?versions=&max-keys=1&key-marker=k&version-id-marker=%s", id);
            n++;
        }
    }
    assert_int_equal(n, 5);
    call(&f, "GET", "/vvv?versions=", &a);
    assert_true(!answer_has(&a, "<Version>"));
    answer_done(&a);
    fixture_done(&f);
}

static void buckets_come_in_pages(void **state)
{
    struct fixture f;
    struct answer a;
    char token[100], target[200];

    fixture_init(&f, "{\"credentials\":[{\"name\":\"root\",\"root\":true}],\"buckets\":[{\"name\":\"one\"},{\"name\":\"two\"},{\"name\":\"three\"},"
        "{\"name\":\"theirs\",\"owner\":\"222233334444\"}]}");
    call(&f, "GET", "/?max-buckets=2", &a);
    assert_true(answer_has(&a, "<Name>one</Name>") && answer_has(&a, "<Name>three</Name>") && !answer_has(&a, "<Name>two</Name>"));
    assert_true(between((const char *)a.body.data, "<ContinuationToken>", "<", token, sizeof token));
    answer_done(&a);
    (void)snprintf(target, sizeof target, "/?max-buckets=1&continuation-token=%s", token);
    call(&f, "GET", target, &a);
    assert_true(answer_has(&a, "<Name>two</Name>") && !answer_has(&a, "Token") && !answer_has(&a, "theirs"));
    answer_done(&a);
    call(&f, "GET", "/?prefix=th", &a);
    assert_true(answer_has(&a, "<Name>three</Name>") && answer_has(&a, "<Prefix>th</Prefix>") && !answer_has(&a, "<Name>one</Name>"));
    answer_done(&a);
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pages_are_the_whole), cmocka_unit_test(a_marker_may_be_gone),
        cmocka_unit_test(buckets_come_in_pages)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
