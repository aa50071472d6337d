/* SPDX-License-Identifier: Apache-2.0 */
#include "standin_fixture.h"

/* One request of a story: by the owner's root, or by nobody. */
struct step {
    bool nobody;
    const char *method, *target, *headers, *body; /* headers: "name: value\n" lines */
    int status;
    const char *says; /* a part of the answer, or NULL */
};

static void tell(const char *manifest, const struct step *steps, size_t n)
{
    struct fixture f;

    fixture_init(&f, manifest);
    for (size_t i = 0; i < n; i++) {
        const struct step *s = &steps[i];
        struct answer a;

        if (s->nobody) {
            struct cof_buf raw;

            cof_buf_init(&raw, 65536);
            cof_buf_printf(&raw, "%s %s HTTP/1.1\r\nHost: localhost:1\r\nContent-Length: %zu\r\n\r\n", s->method, s->target, strlen(s->body));
            fixture_send(&f, cof_buf_view(&raw), cof_view_str(s->body), 1000, &a);
            cof_buf_done(&raw);
        } else {
            fixture_call(&f, s->method, s->target, s->headers, NULL, cof_view_str(s->body), 1000, &a);
        }
        if (a.status != s->status || (s->says != NULL && !answer_has(&a, s->says)))
            fail_msg("step %zu (%s %s): %d in place of %d: %s", i, s->method, s->target, a.status, s->status, cof_buf_cstr(&a.body));
        answer_done(&a);
    }
    fixture_done(&f);
}

#define TELL(manifest, ...)                                            \
    do {                                                               \
        static const struct step steps[] = {__VA_ARGS__};              \
        tell(manifest, steps, sizeof steps / sizeof steps[0]);         \
    } while (0)

#define ANYONE_READS "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:GetObject\"," \
    "\"Resource\":\"arn:aws:s3:::bbb/*\"}]}"
#define NOBODY_DECIDES "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"s3:*BucketPolicy\"," \
    "\"Resource\":\"arn:aws:s3:::bbb\"}]}"
#define BLOCK(inside) "<PublicAccessBlockConfiguration>" inside "</PublicAccessBlockConfiguration>"
#define OPEN "{\"credentials\":[{\"name\":\"root\",\"root\":true}],\"buckets\":[{\"name\":\"bbb\",\"public_access\":true," \
    "\"object_ownership\":\"ObjectWriter\"}]}"

static void a_public_policy_must_be_let(void **state)
{
    TELL(NULL,
        {false, "PUT", "/bbb/k", "", "x", 200, NULL},
        {false, "PUT", "/bbb?policy", "", ANYONE_READS, 403, "BlockPublicPolicy"},
        {false, "GET", "/bbb?policyStatus", "", "", 404, "NoSuchBucketPolicy"},
        {false, "PUT", "/bbb?publicAccessBlock", "", BLOCK("<RestrictPublicBuckets>true</RestrictPublicBuckets>"), 200, NULL},
        {false, "PUT", "/bbb?policy", "", ANYONE_READS, 204, NULL},
        {false, "GET", "/bbb?policyStatus", "", "", 200, "<IsPublic>true</IsPublic>"},
        {true, "GET", "/bbb/k", "", "", 403, "AccessDenied"},
        {false, "DELETE", "/bbb?publicAccessBlock", "", "", 204, NULL},
        {true, "GET", "/bbb/k", "", "", 200, "x"},
        {true, "GET", "/bbb?policy", "", "", 403, NULL});
}

static void the_accounts_switches_count_for_its_buckets(void **state)
{
    TELL(OPEN,
        {false, "PUT", "/bbb?policy", "", ANYONE_READS, 204, NULL},
        {false, "PUT", "/bbb/k", "", "x", 200, NULL},
        {true, "GET", "/bbb/k", "", "", 200, NULL},
        {false, "PUT", "/v20180820/configuration/publicAccessBlock", "x-amz-account-id: 444455556666", BLOCK(""), 403, "AccessDenied"},
        {false, "PUT", "/v20180820/configuration/publicAccessBlock", "x-amz-account-id: 111122223333",
            BLOCK("<RestrictPublicBuckets>true</RestrictPublicBuckets>"), 201, NULL},
        {true, "GET", "/bbb/k", "", "", 403, NULL},
        {false, "DELETE", "/v20180820/configuration/publicAccessBlock", "x-amz-account-id: 111122223333", "", 204, NULL},
        {true, "GET", "/bbb/k", "", "", 200, NULL});
}

static void the_root_lets_go_of_a_policy_in_so_many_words(void **state)
{
    TELL(NULL,
        {false, "PUT", "/bbb?policy", "", NOBODY_DECIDES, 204, NULL},
        {false, "GET", "/bbb?policy", "", "", 200, "Deny"},
        {false, "DELETE", "/bbb?policy", "", "", 204, NULL},
        {false, "PUT", "/bbb?policy", "x-amz-confirm-remove-self-bucket-access: true", NOBODY_DECIDES, 204, NULL},
        {false, "GET", "/bbb?policy", "", "", 403, "explicit deny"},
        {false, "DELETE", "/bbb?policy", "", "", 403, NULL});
}

static void acls_count_where_they_are_on(void **state)
{
    TELL(NULL,
        {false, "PUT", "/bbb/k", "x-amz-acl: public-read", "x", 400, "AccessControlListNotSupported"},
        {false, "PUT", "/bbb/k", "x-amz-acl: bucket-owner-full-control", "x", 200, NULL},
        {false, "PUT", "/bbb?acl", "x-amz-acl: public-read", "", 400, "AccessControlListNotSupported"},
        {false, "PUT", "/ccc", "x-amz-acl: public-read", "", 400, "InvalidBucketAclWithObjectOwnership"},
        {false, "PUT", "/ccc", "x-amz-object-ownership: Anybody", "", 400, "InvalidArgument"});
    TELL(OPEN,
        {false, "PUT", "/bbb/k", "x-amz-acl: public-read", "x", 200, NULL},
        {false, "PUT", "/bbb/l", "", "x", 200, NULL},
        {true, "GET", "/bbb/k", "", "", 200, "x"},
        {true, "GET", "/bbb/l", "", "", 403, NULL},
        {true, "GET", "/bbb", "", "", 403, NULL},
        {false, "PUT", "/bbb?acl", "x-amz-acl: public-read-write", "", 200, NULL},
        {true, "GET", "/bbb", "", "", 200, "<Key>l</Key>"},
        {true, "PUT", "/bbb/n", "", "x", 200, NULL},
        {true, "DELETE", "/bbb/l", "", "", 403, NULL},
        {false, "PUT", "/bbb?publicAccessBlock", "", BLOCK("<IgnorePublicAcls>true</IgnorePublicAcls>"), 200, NULL},
        {true, "GET", "/bbb/k", "", "", 403, NULL},
        {true, "GET", "/bbb", "", "", 403, NULL},
        {false, "PUT", "/bbb?publicAccessBlock", "", BLOCK("<BlockPublicAcls>true</BlockPublicAcls>"), 200, NULL},
        {true, "GET", "/bbb/k", "", "", 200, NULL},
        {false, "PUT", "/bbb/m", "x-amz-acl: public-read", "x", 403, "BlockPublicAcls"},
        {false, "PUT", "/bbb/m", "x-amz-grant-read: id=1", "x", 501, "NotImplemented"},
        {false, "PUT", "/bbb/m", "x-amz-acl: nonsense", "x", 400, "InvalidArgument"});
}

static void settings_must_be_what_they_say(void **state)
{
    TELL(NULL,
        {false, "PUT", "/bbb?publicAccessBlock", "", "<Other/>", 400, "MalformedXML"},
        {false, "PUT", "/bbb?publicAccessBlock", "", BLOCK("<BlockPublicAcls>perhaps</BlockPublicAcls>"), 400, "MalformedXML"},
        {false, "PUT", "/bbb?ownershipControls", "", "<OwnershipControls/>", 400, "MalformedXML"},
        {false, "PUT", "/bbb?ownershipControls", "",
            "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule><Rule/></OwnershipControls>", 400, "MalformedXML"},
        {false, "PUT", "/bbb?acl", "", "<AccessControlPolicy/>", 400, "AccessControlListNotSupported"},
        {false, "GET", "/bbb?publicAccessBlock", "", "", 200, "<BlockPublicAcls>true</BlockPublicAcls>"},
        {false, "GET", "/bbb?ownershipControls", "", "", 200, "BucketOwnerEnforced"});
}

/* A policy may look at no more than it can hold: what says more is refused, never weighed in part. */
static void what_is_too_much_to_weigh_is_refused(void **state)
{
    struct fixture f;
    struct cof_buf head, target;
    struct answer a;

    fixture_init(&f, NULL);
    cof_buf_init(&head, 65536);
    cof_buf_init(&target, 65536);
    cof_buf_add_str(&head, "x-amz-tagging: ");
    for (int i = 0; i < 60; i++)
        cof_buf_printf(&head, "%s%d=1", i == 0 ? "" : "&", i);
    fixture_call(&f, "PUT", "/bbb/k", cof_buf_cstr(&head), NULL, COF_LIT("x"), 1, &a);
    assert_int_equal(a.status, 400);
    answer_done(&a);
    cof_buf_add_str(&target, "/bbb?prefix=");
    for (int i = 0; i < 9000; i++)
        cof_buf_add_str(&target, "a");
    fixture_call(&f, "GET", cof_buf_cstr(&target), "", NULL, COF_LIT(""), 1, &a);
    assert_int_equal(a.status, 414);
    answer_done(&a);
    cof_buf_done(&head);
    cof_buf_done(&target);
    fixture_done(&f);
}

#define DENY(action, condition) "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"" action \
    "\",\"Resource\":\"arn:aws:s3:::bbb/*\"" condition "}]}"
#define WRITTEN_ONCE ",\"Condition\":{\"Null\":{\"s3:if-none-match\":\"true\"},\"Bool\":{\"s3:ObjectCreationOperation\":\"true\"}}"
#define OF_VERSION(id) ",\"Condition\":{\"StringEquals\":{\"s3:VersionId\":\"" id "\"}}"
#define DELETE_NULL "<Delete><Object><Key>k</Key><VersionId>null</VersionId></Object></Delete>"
#define OF_SECRETS(operator, source) ",\"Condition\":{\"" operator "\":{\"s3:x-amz-copy-source\":\"" source "\"}}"

/* spec: PutObject, CopyObject and CreateMultipartUpload, "Permissions": tags and ACLs that come with an object are permissions of their own */
static void what_comes_with_an_object_is_asked_for_too(void **state)
{
    TELL(NULL,
        {false, "PUT", "/bbb/tagged", "x-amz-tagging: level=open", "x", 200, NULL},
        {false, "PUT", "/bbb/plain", "", "x", 200, NULL},
        {false, "PUT", "/bbb?policy", "", DENY("s3:PutObjectTagging", ""), 204, NULL},
        {false, "PUT", "/bbb/k", "", "x", 200, NULL},
        {false, "PUT", "/bbb/k", "x-amz-tagging: level=secret", "x", 403, "s3:PutObjectTagging"},
        {false, "POST", "/bbb/k?uploads", "x-amz-tagging: level=secret", "", 403, "s3:PutObjectTagging"},
        {false, "PUT", "/bbb/c", "x-amz-copy-source: bbb/plain", "", 200, NULL},
        {false, "PUT", "/bbb/c", "x-amz-copy-source: bbb/tagged", "", 403, "s3:PutObjectTagging"},
        {false, "PUT", "/bbb/c", "x-amz-copy-source: bbb/tagged\nx-amz-tagging-directive: REPLACE", "", 200, NULL},
        {false, "PUT", "/bbb?policy", "", DENY("s3:GetObjectTagging", ""), 204, NULL},
        {false, "PUT", "/bbb/c", "x-amz-copy-source: bbb/tagged", "", 403, "s3:GetObjectTagging"},
        {false, "PUT", "/bbb/c", "x-amz-copy-source: bbb/plain", "", 200, NULL});
    TELL(OPEN,
        {false, "PUT", "/bbb?policy", "", DENY("s3:PutObjectAcl", ""), 204, NULL},
        {false, "PUT", "/bbb/k", "x-amz-acl: bucket-owner-full-control", "x", 200, NULL},
        {false, "PUT", "/bbb/k", "x-amz-acl: public-read", "x", 403, "s3:PutObjectAcl"},
        {false, "POST", "/bbb/k?uploads", "x-amz-acl: public-read", "", 403, "s3:PutObjectAcl"});
}

/* The keys are of what is done: a parameter or a spelling for show must not change them. */
static void a_request_cannot_speak_for_itself(void **state)
{
    TELL(NULL,
        {false, "PUT", "/bbb/from", "", "y", 200, NULL},
        {false, "PUT", "/bbb/k", "", "x", 200, NULL},
        {false, "PUT", "/bbb?policy", "", DENY("s3:PutObject", WRITTEN_ONCE), 204, NULL},
        {false, "POST", "/bbb/k?uploads", "", "", 200, NULL},
        {false, "PUT", "/bbb/k", "", "y", 403, NULL},
        {false, "PUT", "/bbb/k", "x-amz-copy-source: bbb/from", "", 403, NULL},
        {false, "PUT", "/bbb/k?partNumber=1", "x-amz-copy-source: bbb/from", "", 403, NULL},
        {false, "POST", "/bbb/k?uploadId=u", "", "", 403, NULL},
        {false, "POST", "/bbb/k?uploadId=u&partNumber=1", "", "", 403, NULL},
        {false, "PUT", "/bbb/k?uploadId=u", "", "y", 403, NULL},
        {false, "PUT", "/bbb/k?uploadId=u&partNumber=1", "", "y", 404, "NoSuchUpload"});
    TELL(NULL,
        {false, "PUT", "/bbb/secret/k", "", "x", 200, NULL},
        {false, "PUT", "/bbb?policy", "", DENY("s3:PutObject", OF_SECRETS("StringLike", "bbb/secret/*")), 204, NULL},
        {false, "PUT", "/bbb/c", "x-amz-copy-source: bbb/secret/k", "", 403, NULL},
        {false, "PUT", "/bbb/c", "x-amz-copy-source: /bbb/secret/k", "", 403, NULL},
        {false, "PUT", "/bbb/c", "x-amz-copy-source: %2Fbbb/secret/k", "", 403, NULL});
    TELL(NULL,
        {false, "PUT", "/bbb/k", "", "x", 200, NULL},
        {false, "PUT", "/bbb?policy", "", DENY("s3:DeleteObjectVersion", OF_VERSION("null")), 204, NULL},
        {false, "DELETE", "/bbb/k?versionId=null", "", "", 403, NULL},
        {false, "POST", "/bbb?delete", "content-md5: 5Qx1xxrlousJpqdv28IXsQ==", DELETE_NULL, 200, "<Code>AccessDenied</Code>"},
        {false, "POST", "/bbb?delete&versionId=other", "content-md5: 5Qx1xxrlousJpqdv28IXsQ==", DELETE_NULL, 200, "<Code>AccessDenied</Code>"},
        {false, "GET", "/bbb/k", "", "", 200, NULL});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_public_policy_must_be_let),
        cmocka_unit_test(the_accounts_switches_count_for_its_buckets),
        cmocka_unit_test(the_root_lets_go_of_a_policy_in_so_many_words),
        cmocka_unit_test(acls_count_where_they_are_on),
        cmocka_unit_test(settings_must_be_what_they_say),
        cmocka_unit_test(what_is_too_much_to_weigh_is_refused),
        cmocka_unit_test(what_comes_with_an_object_is_asked_for_too),
        cmocka_unit_test(a_request_cannot_speak_for_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
