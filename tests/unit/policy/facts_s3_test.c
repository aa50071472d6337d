/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves of S3's table what its names promise: actions on objects act on objects, those on versions have their twins without, and an
 * action that writes an object carries what a bucket policy asks of writes.
 */
#include "testing.h"

#include "policy/facts.h"

#include <string.h>

static bool in(const char *list, const char *word)
{
    struct cof_view rest = cof_view_str(list), w;

    while (cof_facts_word(&rest, &w))
        if (cof_view_eq_str(w, word))
            return true;
    return false;
}

static const struct cof_action_fact none = {"", "", ""};

static const struct cof_action_fact *action(const char *name)
{
    for (const struct cof_action_fact *a = cof_facts_s3; a->name != NULL; a++)
        if (strcmp(a->name, name) == 0)
            return a;
    return &none;
}

static void kinds_are_known(void **state)
{
    size_t n = 0;

    for (const struct cof_action_fact *a = cof_facts_s3; a->name != NULL; a++, n++)
        for (struct cof_view rest = cof_view_str(a->resources), kind; cof_facts_word(&rest, &kind);)
            if (!cof_view_eq_str(kind, "bucket") && !cof_view_eq_str(kind, "object") && !cof_view_eq_str(kind, "accesspoint") && !cof_view_eq_str(kind, "job") &&
                !cof_view_eq_str(kind, "other"))
                fail_msg("s3:%s acts on %.*s", a->name, (int)kind.len, (const char *)kind.data);
    assert_true(n > 150);
}

static void versions_have_twins(void **state)
{
    size_t n = 0;

    for (const struct cof_action_fact *a = cof_facts_s3; a->name != NULL; a++) {
        const char *at = strstr(a->name, "ObjectVersion");
        char twin[96];

        if (at == NULL || strstr(a->name, "ForReplication") != NULL) /* replication reads versions alone */
            continue;
        (void)snprintf(twin, sizeof twin, "%.*sObject%s", (int)(at - a->name), a->name, at + strlen("ObjectVersion"));
        if (!in(action(twin)->resources, "object") || !in(a->resources, "object"))
            fail_msg("s3:%s has no s3:%s beside it", a->name, twin);
        n++;
    }
    assert_true(n >= 8);
}

static void objects_and_buckets(void **state)
{
    static const char *const objects[] = {"GetObject", "PutObject", "DeleteObject", "GetObjectAttributes", "PutObjectRetention", "PutObjectLegalHold",
        "BypassGovernanceRetention", "AbortMultipartUpload", "ListMultipartUploadParts", "RestoreObject", "UpdateObjectEncryption"};
    static const char *const buckets[] = {"ListBucket", "ListBucketVersions", "GetBucketPolicy", "PutBucketPolicy", "PutBucketVersioning", "PutLifecycleConfiguration",
        "PutEncryptionConfiguration", "PutBucketPublicAccessBlock", "PutBucketObjectLockConfiguration", "ListBucketMultipartUploads"};

    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++)
        if (!in(action(objects[i])->resources, "object") || in(action(objects[i])->resources, "bucket"))
            fail_msg("s3:%s is about objects", objects[i]);
    for (size_t i = 0; i < sizeof buckets / sizeof buckets[0]; i++)
        if (!in(action(buckets[i])->resources, "bucket") || in(action(buckets[i])->resources, "object"))
            fail_msg("s3:%s is about buckets", buckets[i]);
    assert_true(action("ListAllMyBuckets") != &none && action("ListAllMyBuckets")->resources[0] == '\0');
    for (const char *const *k = (const char *const[]){"x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
                                                      "x-amz-server-side-encryption-customer-algorithm", "if-none-match", "x-amz-acl", "object-lock-mode", NULL}; *k != NULL; k++)
        if (!in(action("PutObject")->keys, *k))
            fail_msg("s3:PutObject carries %s", *k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_known),
        cmocka_unit_test(versions_have_twins),
        cmocka_unit_test(objects_and_buckets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
