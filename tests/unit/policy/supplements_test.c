/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: what the supplements of deploy/iam say does hold once they are laid on: particular models, endpoints, and devices of other
 * accounts; that nothing else opens with them; and several images in one list.
 */
#include "testing.h"

#include "policy/evaluate.h"
#include "policy/generate.h"

#define OURS "111122223333"
#define THEIRS "444455556666"
#define ROLE(name) "arn:aws:iam::" OURS ":role/coffer-" name
#define KEY(name) "arn:aws:kms:eu-west-1:" OURS ":key/" name
#define QUEUE "arn:aws:sqs:eu-west-1:" OURS ":jobs"
#define BUCKET "arn:aws:s3:::vault"
#define D "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab"

static const char *const pcr0[] = {"aa00" D, "aa11" D}, *const pcr1[] = {"bb00" D}, *const pcr2[] = {"cc00" D, "cc11" D}, *const pcr16[] = {"dd00" D, "dd11" D},
                         *const endpoints[] = {"vpce-0123456789abcdef0", "vpce-0123456789abcdef1"}, *const accounts[] = {THEIRS};
#define ONE(text) (const char *const[]){text}, 1

static void make(const char *name, enum cof_policy_kind kind, const char *const *folders, size_t n_folders, struct cof_policy **out)
{
    const struct cof_generate_value values[] = {
        {"account", ONE(OURS)}, {"region", ONE("eu-west-1")}, {"bucket", ONE("vault")}, {"data_key_arn", ONE(KEY("data"))}, {"results_key_arn", ONE(KEY("results"))},
        {"models_key_arn", ONE(KEY("models"))}, {"storage_key_arn", ONE(KEY("storage"))}, {"jobs_queue_arn", ONE(QUEUE)}, {"producer_role_arn", ONE(ROLE("producer"))},
        {"consumer_role_arn", ONE(ROLE("consumer"))}, {"owner_role_arn", ONE(ROLE("owner"))}, {"deployer_role_arn", ONE(ROLE("deployer"))},
        {"auditor_role_arn", ONE(ROLE("auditor"))}, {"admin_role_arn", ONE(ROLE("admin"))}, {"pcr0", pcr0, 2}, {"pcr1", pcr1, 1}, {"pcr2", pcr2, 2},
        {"pcr16", pcr16, 2}, {"vpc_endpoint", endpoints, 2}, {"source_account", accounts, 1}};
    struct cof_buf texts[4], filled;
    struct cof_view supplements[3];
    struct cof_diag diag = {0};

    for (size_t i = 0; i <= n_folders; i++) {
        char path[4096];

        (void)snprintf(path, sizeof path, "%s/deploy/iam/%s%s.json", SOURCE_ROOT, i == 0 ? "" : folders[i - 1], name);
        if (!read_file(path, &texts[i]))
            fail_msg("cannot read %s", path);
        if (i > 0)
            supplements[i - 1] = cof_buf_view(&texts[i]);
    }
    cof_buf_init(&filled, COF_POLICY_SIZE_MAX);
    if (cof_generate_policy(name, cof_buf_view(&texts[0]), supplements, n_folders, values, sizeof values / sizeof values[0], &filled, &diag) != COF_OK ||
        cof_policy_parse(cof_buf_view(&filled), kind, COF_POLICY_SIZE_MAX, out, &diag) != COF_OK)
        fail_msg("%s: %s", name, diag.text);
    for (size_t i = 0; i <= n_folders; i++)
        cof_buf_done(&texts[i]);
    cof_buf_done(&filled);
}

/* A role of ours by its short name, or "device" of the other account, or "stranger" of a third; each has every right that its
 * own account can give. context: "key=value ...". */
static bool allowed(const struct cof_policy *policy, enum cof_resource_rule rule, const char *who, const char *action, const char *resource, const char *context)
{
    static struct cof_policy *everything;
    bool role = strcmp(who, "device") != 0 && strcmp(who, "stranger") != 0;
    const char *account = role ? OURS : strcmp(who, "device") == 0 ? THEIRS : "999988887777";
    struct cof_context_value items[12];
    struct cof_view values[12], rest = cof_view_str(context), pair;
    struct cof_named_policy identity = {"everything", NULL};
    struct cof_policy_set set = {.identity = &identity, .n_identity = 1, .resource = {"policy", policy}, .rule = rule};
    struct cof_access access = {.action = cof_view_str(action), .resource = cof_view_str(resource), .resource_account = COF_LIT(OURS), .now_ms = 1795456800000};
    char arn[128], role_arn[128];
    size_t n = 0;

    if (everything == NULL)
        assert_ok(cof_policy_parse(COF_LIT("{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}"), COF_POLICY_IDENTITY, 4096, &everything, NULL));
    identity.policy = everything;
    while (rest.len > 0) {
        (void)cof_view_split(rest, ' ', &pair, &rest);
        assert_true(cof_view_split(pair, '=', &items[n].key, &values[n]));
        items[n].values = &values[n];
        items[n].n_values = 1;
        n++;
    }
    access.context = (struct cof_context){items, n};
    (void)snprintf(arn, sizeof arn, role ? "arn:aws:sts::%s:assumed-role/coffer-%s/s" : "arn:aws:iam::%s:user/%s", account, who);
    (void)snprintf(role_arn, sizeof role_arn, "arn:aws:iam::%s:role/coffer-%s", account, who);
    access.caller = (struct cof_caller){.kind = role ? COF_CALLER_ROLE : COF_CALLER_USER, .account = cof_view_str(account), .arn = cof_view_str(arn),
                                        .role_arn = role ? cof_view_str(role_arn) : (struct cof_view){NULL, 0}, .user_id = COF_LIT("ID"), .name = role ? (struct cof_view){NULL, 0} : cof_view_str(who)};
    return cof_evaluate(&set, &access).verdict == COF_VERDICT_ALLOW;
}

#define PCRS(p0, p1, p2) "kms:RecipientAttestation:ImageSha384=" p0 D " kms:RecipientAttestation:PCR0=" p0 D " kms:RecipientAttestation:PCR1=" p1 D " kms:RecipientAttestation:PCR2=" p2 D
#define TENANT " kms:EncryptionContext:tenant=t"
#define MODEL(p) " kms:RecipientAttestation:PCR16=" p D
#define KMS COF_RESOURCE_AUTHORITATIVE

static void several_images(void **state)
{
    struct cof_policy *data;

    (void)state;
    make("key-data", COF_POLICY_RESOURCE, NULL, 0, &data);
    assert_true(allowed(data, KMS, "consumer", "kms:Decrypt", KEY("data"), PCRS("aa00", "bb00", "cc00") TENANT));
    assert_true(allowed(data, KMS, "consumer", "kms:Decrypt", KEY("data"), PCRS("aa11", "bb00", "cc11") TENANT));
    assert_false(allowed(data, KMS, "consumer", "kms:Decrypt", KEY("data"), PCRS("aa22", "bb00", "cc11") TENANT));
    assert_false(allowed(data, KMS, "consumer", "kms:Decrypt", KEY("data"), PCRS("aa11", "bb22", "cc11") TENANT));
    assert_false(allowed(data, KMS, "consumer", "kms:Decrypt", KEY("data"), PCRS("aa11", "bb00", "cc22") TENANT));
    cof_policy_free(data);
}

static void models(void **state)
{
    static const char *const folders[] = {"when-models/"};
    static const struct {
        const char *key, *action;
    } rows[] = {{"data", "kms:Decrypt"}, {"results", "kms:GenerateDataKey"}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct cof_policy *policy;
        char name[32], arn[64];

        (void)snprintf(name, sizeof name, "key-%s", rows[i].key);
        (void)snprintf(arn, sizeof arn, KEY("%s"), rows[i].key);
        make(name, COF_POLICY_RESOURCE, folders, 1, &policy);
        assert_true(allowed(policy, KMS, "consumer", rows[i].action, arn, PCRS("aa00", "bb00", "cc00") TENANT MODEL("dd00")));
        assert_true(allowed(policy, KMS, "consumer", rows[i].action, arn, PCRS("aa11", "bb00", "cc11") TENANT MODEL("dd11")));
        assert_false(allowed(policy, KMS, "consumer", rows[i].action, arn, PCRS("aa00", "bb00", "cc00") TENANT)); /* no model loaded */
        assert_false(allowed(policy, KMS, "consumer", rows[i].action, arn, PCRS("aa00", "bb00", "cc00") TENANT MODEL("dd22")));
        assert_false(allowed(policy, KMS, "consumer", rows[i].action, arn, PCRS("aa22", "bb00", "cc00") TENANT MODEL("dd00")));
        assert_false(allowed(policy, KMS, "consumer", rows[i].action, arn, PCRS("aa00", "bb00", "cc00") MODEL("dd00"))); /* no tenant */
        cof_policy_free(policy);
    }
}

#define TLS "aws:SecureTransport=true s3:TlsVersion=1.3"
#define VIA " aws:SourceVpce=vpce-0123456789abcdef1"

static void through_the_endpoints(void **state)
{
    static const char *const folders[] = {"when-endpoints/"};
    struct cof_policy *bucket, *queue;

    (void)state;
    make("bucket-policy", COF_POLICY_RESOURCE, folders, 1, &bucket);
    make("queue-policy", COF_POLICY_RESOURCE, folders, 1, &queue);
    assert_true(allowed(bucket, COF_RESOURCE_EITHER, "producer", "s3:PutObject", BUCKET "/jobs/1", TLS VIA));
    assert_false(allowed(bucket, COF_RESOURCE_EITHER, "producer", "s3:PutObject", BUCKET "/jobs/1", TLS));
    assert_false(allowed(bucket, COF_RESOURCE_EITHER, "producer", "s3:PutObject", BUCKET "/jobs/1", TLS " aws:SourceVpce=vpce-99999999"));
    assert_false(allowed(bucket, COF_RESOURCE_EITHER, "consumer", "s3:GetObject", BUCKET "/jobs/1", TLS));
    assert_true(allowed(bucket, COF_RESOURCE_EITHER, "consumer", "s3:GetObject", BUCKET "/jobs/1", TLS VIA));
    assert_true(allowed(bucket, COF_RESOURCE_EITHER, "owner", "s3:GetObject", BUCKET "/results/1", TLS)); /* people are not bound to it */
    assert_true(allowed(queue, COF_RESOURCE_EITHER, "producer", "sqs:SendMessage", QUEUE, TLS VIA));
    assert_false(allowed(queue, COF_RESOURCE_EITHER, "producer", "sqs:SendMessage", QUEUE, TLS));
    assert_false(allowed(queue, COF_RESOURCE_EITHER, "consumer", "sqs:ReceiveMessage", QUEUE, TLS));
    cof_policy_free(bucket);
    cof_policy_free(queue);
}

static void keys_through_the_endpoints(void **state)
{
    static const char *const folders[] = {"when-models/", "when-endpoints/"};
    struct cof_policy *data;

    (void)state;
    make("key-data", COF_POLICY_RESOURCE, folders, 2, &data);
    assert_false(allowed(data, KMS, "producer", "kms:GenerateDataKey", KEY("data"), "kms:EncryptionContext:tenant=t"));
    assert_true(allowed(data, KMS, "producer", "kms:GenerateDataKey", KEY("data"), "kms:EncryptionContext:tenant=t" VIA));
    assert_false(allowed(data, KMS, "consumer", "kms:Decrypt", KEY("data"), PCRS("aa00", "bb00", "cc00") TENANT MODEL("dd00")));
    assert_true(allowed(data, KMS, "consumer", "kms:Decrypt", KEY("data"), PCRS("aa00", "bb00", "cc00") TENANT MODEL("dd00") VIA));
    cof_policy_free(data);
}

static void devices_of_other_accounts(void **state)
{
    static const char *const folders[] = {"when-source-accounts/"};
    struct cof_policy *without, *with;

    (void)state;
    make("bucket-policy", COF_POLICY_RESOURCE, NULL, 0, &without);
    make("bucket-policy", COF_POLICY_RESOURCE, folders, 1, &with);
    assert_false(allowed(without, COF_RESOURCE_EITHER, "device", "s3:PutObject", BUCKET "/edge/1", TLS));
    assert_true(allowed(with, COF_RESOURCE_EITHER, "device", "s3:PutObject", BUCKET "/edge/1", TLS));
    assert_true(allowed(with, COF_RESOURCE_EITHER, "device", "s3:ListBucket", BUCKET, TLS " s3:prefix=edge/"));
    assert_false(allowed(with, COF_RESOURCE_EITHER, "device", "s3:ListBucket", BUCKET, TLS " s3:prefix=jobs/"));
    assert_false(allowed(with, COF_RESOURCE_EITHER, "device", "s3:PutObject", BUCKET "/edge/1", "aws:SecureTransport=false"));
    assert_false(allowed(with, COF_RESOURCE_EITHER, "device", "s3:PutObject", BUCKET "/jobs/1", TLS));
    assert_false(allowed(with, COF_RESOURCE_EITHER, "device", "s3:GetObject", BUCKET "/results/1", TLS));
    assert_false(allowed(with, COF_RESOURCE_EITHER, "device", "s3:PutBucketPolicy", BUCKET, TLS));
    assert_false(allowed(with, COF_RESOURCE_EITHER, "stranger", "s3:PutObject", BUCKET "/edge/1", TLS));
    assert_true(allowed(with, COF_RESOURCE_EITHER, "producer", "s3:PutObject", BUCKET "/jobs/1", TLS));
    cof_policy_free(without);
    cof_policy_free(with);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_images),
        cmocka_unit_test(models),
        cmocka_unit_test(through_the_endpoints),
        cmocka_unit_test(keys_through_the_endpoints),
        cmocka_unit_test(devices_of_other_accounts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
