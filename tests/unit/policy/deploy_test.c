/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: every file of deploy/iam parses once filled in, and together they allow each role what it needs and nothing
 * of what it must not have. A row that allows is there for each one that denies, so no denial is for a wrong reason.
 */
#include "testing.h"

#include "policy/evaluate.h"
#include "policy/lint.h"
#include "policy/template.h"

#define ACCOUNT "111122223333"
#define ROLE(name) "arn:aws:iam::" ACCOUNT ":role/coffer-" name
#define KEY(name) "arn:aws:kms:eu-west-1:" ACCOUNT ":key/" name
#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab"
#define P0 "aa11" DIGITS
#define P1 "bb22" DIGITS
#define P2 "cc33" DIGITS
#define JOBS_QUEUE "arn:aws:sqs:eu-west-1:" ACCOUNT ":jobs"
#define DEAD_QUEUE "arn:aws:sqs:eu-west-1:" ACCOUNT ":dead"
#define BUCKET "arn:aws:s3:::vault"

static const struct cof_template_value values[] = {
    {"account", ACCOUNT}, {"region", "eu-west-1"}, {"bucket", "vault"}, {"data_key_arn", KEY("data")},
    {"results_key_arn", KEY("results")}, {"models_key_arn", KEY("models")}, {"storage_key_arn", KEY("storage")},
    {"jobs_queue_arn", JOBS_QUEUE}, {"dead_letter_queue_arn", DEAD_QUEUE}, {"pcr0", P0}, {"pcr1", P1}, {"pcr2", P2},
    {"producer_role_arn", ROLE("producer")}, {"consumer_role_arn", ROLE("consumer")}, {"owner_role_arn", ROLE("owner")},
    {"deployer_role_arn", ROLE("deployer")}, {"auditor_role_arn", ROLE("auditor")}, {"admin_role_arn", ROLE("admin")},
};

static struct {
    const char *name;
    enum cof_policy_kind kind;
    struct cof_policy *policy;
} files[] = {
    {"producer", COF_POLICY_IDENTITY, NULL},     {"consumer", COF_POLICY_IDENTITY, NULL},
    {"owner", COF_POLICY_IDENTITY, NULL},        {"device-s3", COF_POLICY_IDENTITY, NULL},
    {"deployer", COF_POLICY_IDENTITY, NULL},     {"auditor", COF_POLICY_IDENTITY, NULL},
    {"admin", COF_POLICY_IDENTITY, NULL},        {"key-data", COF_POLICY_RESOURCE, NULL},
    {"key-results", COF_POLICY_RESOURCE, NULL},  {"key-models", COF_POLICY_RESOURCE, NULL},
    {"key-storage", COF_POLICY_RESOURCE, NULL},  {"bucket-policy", COF_POLICY_RESOURCE, NULL},
    {"queue-policy", COF_POLICY_RESOURCE, NULL}, {"queue-policy-dead-letter", COF_POLICY_RESOURCE, NULL},
    {"trust-producer", COF_POLICY_TRUST, NULL},  {"trust-consumer", COF_POLICY_TRUST, NULL},
    {"trust-owner", COF_POLICY_TRUST, NULL},     {"trust-auditor", COF_POLICY_TRUST, NULL},
    {"trust-deployer", COF_POLICY_TRUST, NULL},  {"trust-admin", COF_POLICY_TRUST, NULL},
};

#define N_FILES (sizeof files / sizeof files[0])

static struct cof_named_policy named(const char *name)
{
    for (size_t i = 0; i < N_FILES; i++)
        if (strcmp(files[i].name, name) == 0)
            return (struct cof_named_policy){files[i].name, files[i].policy};
    return (struct cof_named_policy){name, NULL};
}

static int load(void **state)
{
    for (size_t i = 0; i < N_FILES; i++) {
        struct cof_buf text, filled;
        struct cof_diag diag = {0};
        char path[4096];

        (void)snprintf(path, sizeof path, "%s/deploy/iam/%s.json", SOURCE_ROOT, files[i].name);
        if (!read_file(path, &text))
            fail_msg("cannot read %s", path);
        cof_buf_init(&filled, COF_POLICY_SIZE_MAX);
        if (cof_template_fill(cof_buf_view(&text), values, sizeof values / sizeof values[0], &filled, &diag) != COF_OK ||
            cof_policy_parse(cof_buf_view(&filled), files[i].kind, COF_POLICY_SIZE_MAX, &files[i].policy, &diag) != COF_OK)
            fail_msg("%s: %s", files[i].name, diag.text);
        cof_buf_done(&text);
        cof_buf_done(&filled);
    }
    return 0;
}

static int unload(void **state)
{
    for (size_t i = 0; i < N_FILES; i++) {
        cof_policy_free(files[i].policy);
        files[i].policy = NULL;
    }
    return 0;
}

#define MAX_CONTEXT 12

struct request {
    struct cof_context_value items[MAX_CONTEXT];
    struct cof_view values[MAX_CONTEXT];
    struct cof_access access;
    char arn[128], role[128];
};

/* "key=value key=value": keys of KMS hold no '='. */
static void set_context(struct request *r, const char *text)
{
    struct cof_view rest = cof_view_str(text), pair;
    size_t n = 0;

    while (rest.len > 0) {
        (void)cof_view_split(rest, ' ', &pair, &rest);
        assert_true(n < MAX_CONTEXT);
        if (cof_view_split(pair, '=', &r->items[n].key, &r->values[n])) {
            r->items[n].values = &r->values[n];
            r->items[n].n_values = 1;
            n++;
        }
    }
    r->access.context = (struct cof_context){r->items, n};
}

/* A role of the deployment by its short name; "device-s3" is a user, "stranger" a role of another account that gave
 * itself every right, "insider" a role of ours with every right IAM can give. */
static void set_caller(struct request *r, const char *who)
{
    struct cof_caller *c = &r->access.caller;
    const char *account = strcmp(who, "stranger") == 0 ? "999988887777" : ACCOUNT;

    c->account = cof_view_str(account);
    c->user_id = COF_LIT("AROAEXAMPLE:session");
    c->kind = strcmp(who, "device-s3") == 0 ? COF_CALLER_USER : strcmp(who, "root") == 0 ? COF_CALLER_ROOT : COF_CALLER_ROLE;
    if (c->kind == COF_CALLER_USER) {
        (void)snprintf(r->arn, sizeof r->arn, "arn:aws:iam::%s:user/%s", account, who);
        c->name = cof_view_str(who);
    } else if (c->kind == COF_CALLER_ROOT) {
        (void)snprintf(r->arn, sizeof r->arn, "arn:aws:iam::%s:root", account);
    } else {
        (void)snprintf(r->arn, sizeof r->arn, "arn:aws:sts::%s:assumed-role/coffer-%s/session", account, who);
        (void)snprintf(r->role, sizeof r->role, "arn:aws:iam::%s:role/coffer-%s", account, who);
        c->role_arn = cof_view_str(r->role);
    }
    c->arn = cof_view_str(r->arn);
}

static struct cof_named_policy resource_policy(const char *action, const char *resource)
{
    char name[64] = "bucket-policy";

    if (strncmp(action, "kms:", 4) == 0)
        (void)snprintf(name, sizeof name, "key-%s", strrchr(resource, '/') + 1);
    else if (strncmp(action, "sqs:", 4) == 0)
        (void)snprintf(name, sizeof name, strcmp(resource, DEAD_QUEUE) == 0 ? "queue-policy-dead-letter" : "queue-policy");
    return named(name);
}

static struct cof_policy *everything;

static struct cof_decision ask(const char *who, const char *action, const char *resource, const char *context,
                               struct request *r)
{
    bool own = named(who).policy != NULL;
    struct cof_named_policy identity = own ? named(who) : (struct cof_named_policy){"everything", everything};
    struct cof_policy_set set = {.identity = &identity, .n_identity = 1, .resource = resource_policy(action, resource),
        .rule = strncmp(action, "kms:", 4) == 0 ? COF_RESOURCE_AUTHORITATIVE : COF_RESOURCE_EITHER};

    *r = (struct request){.access = {.action = cof_view_str(action), .resource = cof_view_str(resource),
                                     .resource_account = COF_LIT(ACCOUNT), .now_ms = 1795456800000}};
    set_context(r, context);
    set_caller(r, who);
    return cof_evaluate(&set, &r->access);
}

struct row {
    const char *who, *action, *resource, *context;
    bool allowed;
};

static void check(const struct row *rows, size_t n)
{
    static const char all[] = "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}";
    struct request r;

    assert_ok(cof_policy_parse(cof_view_str(all), COF_POLICY_IDENTITY, 4096, &everything, NULL));
    for (size_t i = 0; i < n; i++) {
        struct cof_decision d = ask(rows[i].who, rows[i].action, rows[i].resource, rows[i].context, &r);
        struct cof_buf why;

        cof_buf_init(&why, 4096);
        cof_decision_explain(&d, &r.access, &why);
        if ((d.verdict == COF_VERDICT_ALLOW) != rows[i].allowed)
            fail_msg("row %zu: %s [%s]", i, cof_buf_cstr(&why), rows[i].context);
        cof_buf_done(&why);
    }
    cof_policy_free(everything);
}

#define CHECK(rows) check(rows, sizeof rows / sizeof rows[0])
#define PCR(i, v) " kms:RecipientAttestation:PCR" #i "=" v
#define ATTESTED(p0, p1, p2) "kms:RecipientAttestation:ImageSha384=" p0 PCR(0, p0) PCR(1, p1) PCR(2, p2)
#define ENCLAVE ATTESTED(P0, P1, P2)
#define TENANT " kms:EncryptionContext:tenant=t1"
#define MFA " aws:MultiFactorAuthPresent=true"
#define TLS "aws:SecureTransport=true s3:TlsVersion=1.3"
#define ZEROS "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"

static void data_key(void **state)
{
    static const struct row rows[] = {
        {"producer", "kms:GenerateDataKey", KEY("data"), TENANT, true},
        {"producer", "kms:GenerateDataKey", KEY("data"), "", false}, /* no tenant in the encryption context */
        {"producer", "kms:Decrypt", KEY("data"), TENANT, false},
        {"producer", "kms:Encrypt", KEY("data"), TENANT, false},
        {"producer", "kms:Decrypt", KEY("data"), ENCLAVE TENANT, false}, /* not even with a borrowed attestation */
        {"consumer", "kms:Decrypt", KEY("data"), ENCLAVE TENANT, true},
        {"consumer", "kms:Decrypt", KEY("data"), ATTESTED("AA11" DIGITS, P1, "CC33" DIGITS) TENANT, true}, /* case of hex */
        {"consumer", "kms:Decrypt", KEY("data"), TENANT, false}, /* C-07: no attestation */
        {"consumer", "kms:Decrypt", KEY("data"), ENCLAVE, false},
        {"consumer", "kms:Decrypt", KEY("data"), ATTESTED(ZEROS, ZEROS, ZEROS) TENANT, false}, /* C-13: debug enclave */
        {"consumer", "kms:Decrypt", KEY("data"), ATTESTED("dd44", P1, P2) TENANT, false},
        {"consumer", "kms:Decrypt", KEY("data"), ATTESTED(P0, "dd44", P2) TENANT, false}, /* C-15: PCR1 */
        {"consumer", "kms:Decrypt", KEY("data"), ATTESTED(P0, P1, "dd44") TENANT, false}, /* C-15: PCR2 */
        {"consumer", "kms:Decrypt", KEY("data"), "kms:RecipientAttestation=aa11" TENANT, false}, /* C-12: no such key */
        {"consumer", "kms:Decrypt", KEY("data"), "aws:RequestContext=aa11" TENANT, false},       /* C-12 */
        {"consumer", "kms:Decrypt", KEY("data"), "kms:RecipientAttestation:PCR8=aa11" TENANT, false}, /* C-14 */
        {"consumer", "kms:GenerateDataKey", KEY("data"), ENCLAVE TENANT, false},
        {"consumer", "kms:ReEncryptFrom", KEY("data"), ENCLAVE TENANT, false}, /* C-11 */
        {"consumer", "kms:CreateGrant", KEY("data"), ENCLAVE TENANT, false},   /* C-11 */
        {"owner", "kms:Decrypt", KEY("data"), ENCLAVE TENANT, false},
        {"insider", "kms:Decrypt", KEY("data"), ENCLAVE TENANT, false}, /* C-11: no identity policy can add anyone */
        {"insider", "kms:GenerateDataKey", KEY("data"), TENANT, false},
        {"insider", "kms:PutKeyPolicy", KEY("data"), MFA, false},
        {"root", "kms:Decrypt", KEY("data"), ENCLAVE TENANT, false}, /* C-11: no root delegation */
        {"root", "kms:PutKeyPolicy", KEY("data"), MFA, false},
        {"stranger", "kms:Decrypt", KEY("data"), ENCLAVE TENANT, false},
        {"admin", "kms:PutKeyPolicy", KEY("data"), MFA, true},
        {"admin", "kms:PutKeyPolicy", KEY("data"), "", false},
        {"admin", "kms:Decrypt", KEY("data"), ENCLAVE TENANT MFA, false},
        {"admin", "kms:CreateGrant", KEY("data"), MFA, false},
        {"auditor", "kms:GetKeyPolicy", KEY("data"), "", true},
        {"auditor", "kms:Decrypt", KEY("data"), ENCLAVE TENANT, false},
    };

    CHECK(rows);
}

static void other_keys(void **state)
{
    static const struct row rows[] = {
        {"consumer", "kms:GenerateDataKey", KEY("results"), ENCLAVE TENANT, true},
        {"consumer", "kms:GenerateDataKey", KEY("results"), TENANT, false},
        {"consumer", "kms:GenerateDataKey", KEY("results"), ATTESTED(P0, P1, "dd44") TENANT, false},
        {"consumer", "kms:GenerateDataKeyWithoutPlaintext", KEY("results"), ENCLAVE TENANT, false},
        {"consumer", "kms:Decrypt", KEY("results"), ENCLAVE TENANT, false},
        {"owner", "kms:Decrypt", KEY("results"), TENANT, true},
        {"owner", "kms:Decrypt", KEY("results"), "", false},
        {"owner", "kms:GenerateDataKey", KEY("results"), TENANT, false},
        {"producer", "kms:Decrypt", KEY("results"), TENANT, false},
        {"producer", "kms:GenerateDataKey", KEY("results"), TENANT, false},
        {"insider", "kms:Decrypt", KEY("results"), TENANT, false},
        {"deployer", "kms:GenerateDataKey", KEY("models"), MFA, true},
        {"deployer", "kms:GenerateDataKey", KEY("models"), "", false},
        {"deployer", "kms:GenerateDataKey", KEY("models"), "aws:MultiFactorAuthPresent=false", false},
        {"deployer", "kms:Sign", KEY("models"), MFA, true},
        {"deployer", "kms:Decrypt", KEY("models"), MFA, false},
        {"consumer", "kms:Decrypt", KEY("models"), ENCLAVE, true},
        {"consumer", "kms:Decrypt", KEY("models"), "", false},
        {"consumer", "kms:Decrypt", KEY("models"), ATTESTED("dd44", P1, P2), false},
        {"consumer", "kms:GenerateDataKey", KEY("models"), ENCLAVE, false},
        {"producer", "kms:GenerateDataKey", KEY("models"), MFA, false},
        {"device-s3", "kms:GenerateDataKey", KEY("storage"), "kms:ViaService=s3.eu-west-1.amazonaws.com kms:CallerAccount=" ACCOUNT, true},
        {"device-s3", "kms:Decrypt", KEY("storage"), "kms:ViaService=s3.eu-west-1.amazonaws.com kms:CallerAccount=" ACCOUNT, true},
        {"device-s3", "kms:Decrypt", KEY("storage"), "kms:CallerAccount=" ACCOUNT, false},
        {"device-s3", "kms:Decrypt", KEY("data"), TENANT, false},
        {"producer", "kms:Decrypt", KEY("storage"), "kms:ViaService=s3.eu-west-1.amazonaws.com kms:CallerAccount=" ACCOUNT, false},
        {"insider", "kms:Decrypt", KEY("storage"), "kms:CallerAccount=" ACCOUNT, false},
        {"stranger", "kms:Decrypt", KEY("storage"), "kms:ViaService=s3.eu-west-1.amazonaws.com kms:CallerAccount=999988887777", false},
        {"auditor", "kms:DescribeKey", KEY("storage"), "", true},
    };

    CHECK(rows);
}

static void bucket(void **state)
{
    static const struct row rows[] = {
        {"producer", "s3:PutObject", BUCKET "/jobs/t1/j1", TLS, true},
        {"producer", "s3:PutObject", BUCKET "/jobs/t1/j1", "aws:SecureTransport=false", false},
        {"producer", "s3:PutObject", BUCKET "/jobs/t1/j1", "aws:SecureTransport=true s3:TlsVersion=1.1", false},
        {"producer", "s3:PutObject", BUCKET "/jobs/t1/j1", TLS " s3:x-amz-server-side-encryption=AES256", true},
        {"producer", "s3:PutObject", BUCKET "/jobs/t1/j1", TLS " s3:x-amz-server-side-encryption=none", false},
        {"producer", "s3:PutObject", BUCKET "/jobs/t1/j1", TLS " s3:x-amz-server-side-encryption-customer-algorithm=AES256", false}, /* C-30 */
        {"producer", "s3:PutObject", BUCKET "/results/t1/j1", TLS " s3:if-none-match=*", false},
        {"producer", "s3:GetObject", BUCKET "/results/t1/j1", TLS, true},
        {"producer", "s3:GetObject", BUCKET "/receipts/t1/j1", TLS, true},
        {"producer", "s3:GetObject", BUCKET "/status/t1/j1", TLS, true},
        {"producer", "s3:GetObject", BUCKET "/jobs/t1/j1", TLS, false},
        {"producer", "s3:DeleteObject", BUCKET "/jobs/t1/j1", TLS, false},
        {"consumer", "s3:GetObject", BUCKET "/jobs/t1/j1", TLS, true},
        {"consumer", "s3:GetObject", BUCKET "/models/m1", TLS, true},
        {"consumer", "s3:PutObject", BUCKET "/jobs/t1/j1", TLS, false},
        {"consumer", "s3:PutObject", BUCKET "/models/m1", TLS, false},
        {"consumer", "s3:PutObject", BUCKET "/status/t1/j1", TLS, true},
        {"consumer", "s3:PutObject", BUCKET "/results/t1/j1", TLS " s3:ObjectCreationOperation=true s3:if-none-match=*", true},
        {"consumer", "s3:PutObject", BUCKET "/results/t1/j1", TLS " s3:ObjectCreationOperation=true", false}, /* C-10 */
        {"consumer", "s3:PutObject", BUCKET "/receipts/t1/j1", TLS " s3:ObjectCreationOperation=true", false},
        {"consumer", "s3:DeleteObject", BUCKET "/results/t1/j1", TLS, false},
        {"consumer", "s3:GetObject", BUCKET "/results/t1/j1", TLS, false},
        {"owner", "s3:GetObject", BUCKET "/results/t1/j1", TLS, true},
        {"owner", "s3:ListBucket", BUCKET, TLS " s3:prefix=results/t1/", true},
        {"owner", "s3:ListBucket", BUCKET, TLS " s3:prefix=jobs/", false},
        {"owner", "s3:ListBucket", BUCKET, TLS, false},
        {"owner", "s3:PutObject", BUCKET "/results/t1/j1", TLS " s3:if-none-match=*", false},
        {"owner", "s3:GetObject", BUCKET "/jobs/t1/j1", TLS, false},
        {"device-s3", "s3:PutObject", BUCKET "/edge/cam/1.jpg", TLS, true},
        {"device-s3", "s3:PutObject", BUCKET "/edge/cam/1.jpg", TLS " s3:x-amz-server-side-encryption-customer-algorithm=AES256", true},
        {"device-s3", "s3:PutObject", BUCKET "/edge/1", TLS " s3:x-amz-server-side-encryption=aws:kms s3:x-amz-server-side-encryption-aws-kms-key-id=" KEY("storage"), true},
        {"device-s3", "s3:PutObject", BUCKET "/edge/1", TLS " s3:x-amz-server-side-encryption=aws:kms s3:x-amz-server-side-encryption-aws-kms-key-id=" KEY("other"), false},
        {"device-s3", "s3:GetObject", BUCKET "/edge/cam/1.jpg", TLS, true},
        {"device-s3", "s3:DeleteObject", BUCKET "/edge/cam/1.jpg", TLS, true},
        {"device-s3", "s3:PutObject", BUCKET "/jobs/t1/j1", TLS, false},
        {"device-s3", "s3:GetObject", BUCKET "/edgeless", TLS, false},
        {"device-s3", "s3:GetObject", "arn:aws:s3:::other/edge/1", TLS, false},
        {"deployer", "s3:PutObject", BUCKET "/models/m1", TLS MFA, true},
        {"deployer", "s3:PutObject", BUCKET "/models/m1", TLS, false},
        {"deployer", "s3:GetObject", BUCKET "/results/t1/j1", TLS MFA, false},
        {"auditor", "s3:GetObject", BUCKET "/receipts/t1/j1", TLS, true},
        {"auditor", "s3:GetObject", BUCKET "/results/t1/j1", TLS, false},
        {"admin", "s3:PutBucketPolicy", BUCKET, TLS MFA, true},
        {"admin", "s3:PutBucketPolicy", BUCKET, TLS, false},
        {"admin", "s3:GetObject", BUCKET "/jobs/t1/j1", TLS MFA, false},
        {"insider", "s3:GetObject", BUCKET "/jobs/t1/j1", TLS, false},
        {"insider", "s3:GetObject", BUCKET "/results/t1/j1", TLS, false},
        {"insider", "s3:PutObject", BUCKET "/jobs/t1/j1", TLS, false},
        {"insider", "s3:PutBucketPolicy", BUCKET, TLS, false},
        {"insider", "s3:GetObject", BUCKET "/edge/cam/1.jpg", TLS, true}, /* plain storage is IAM's to give */
        {"stranger", "s3:GetObject", BUCKET "/edge/cam/1.jpg", TLS, false},
    };

    CHECK(rows);
}

static void queues(void **state)
{
    static const struct row rows[] = {
        {"producer", "sqs:SendMessage", JOBS_QUEUE, TLS, true},
        {"producer", "sqs:SendMessage", JOBS_QUEUE, "aws:SecureTransport=false", false},
        {"producer", "sqs:ReceiveMessage", JOBS_QUEUE, TLS, false},
        {"producer", "sqs:SendMessage", DEAD_QUEUE, TLS, false},
        {"consumer", "sqs:ReceiveMessage", JOBS_QUEUE, TLS, true},
        {"consumer", "sqs:DeleteMessage", JOBS_QUEUE, TLS, true},
        {"consumer", "sqs:ChangeMessageVisibility", JOBS_QUEUE, TLS, true},
        {"consumer", "sqs:SendMessage", JOBS_QUEUE, TLS, false}, /* C-33: the host makes no jobs */
        {"consumer", "sqs:PurgeQueue", JOBS_QUEUE, TLS, false},
        {"consumer", "sqs:ReceiveMessage", DEAD_QUEUE, TLS, false},
        {"owner", "sqs:ReceiveMessage", JOBS_QUEUE, TLS, false},
        {"insider", "sqs:SendMessage", JOBS_QUEUE, TLS, false},
        {"insider", "sqs:ReceiveMessage", JOBS_QUEUE, TLS, false},
        {"stranger", "sqs:SendMessage", JOBS_QUEUE, TLS, false},
        {"admin", "sqs:ReceiveMessage", DEAD_QUEUE, TLS MFA, true},
        {"admin", "sqs:ReceiveMessage", DEAD_QUEUE, TLS, false},
        {"admin", "sqs:ReceiveMessage", JOBS_QUEUE, TLS MFA, false},
        {"auditor", "sqs:GetQueueAttributes", DEAD_QUEUE, TLS, true},
        {"auditor", "sqs:ReceiveMessage", DEAD_QUEUE, TLS, false},
    };

    CHECK(rows);
}

static bool may_assume(const char *trust, const struct cof_caller *caller, const char *context)
{
    struct request r = {.access = {.action = COF_LIT("sts:AssumeRole"), .resource = COF_LIT(ROLE("x")),
                                   .resource_account = COF_LIT(ACCOUNT)}};
    struct cof_named_policy identity = {"everything", everything};
    struct cof_policy_set set = {.identity = &identity, .n_identity = 1, .resource = named(trust),
                                 .rule = COF_RESOURCE_AUTHORITATIVE};

    set_context(&r, context);
    r.access.caller = *caller;
    return cof_evaluate(&set, &r.access).verdict == COF_VERDICT_ALLOW;
}

static void trust(void **state)
{
    static const char all[] = "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}";
    const struct cof_caller ec2 = {.kind = COF_CALLER_SERVICE, .arn = COF_LIT("ec2.amazonaws.com")};
    const struct cof_caller lambda = {.kind = COF_CALLER_SERVICE, .arn = COF_LIT("lambda.amazonaws.com")};
    const struct cof_caller user = {.kind = COF_CALLER_USER, .account = COF_LIT(ACCOUNT), .arn = COF_LIT("arn:aws:iam::" ACCOUNT ":user/u")};
    const struct cof_caller other = {.kind = COF_CALLER_USER, .account = COF_LIT("999988887777"), .arn = COF_LIT("arn:aws:iam::999988887777:user/u")};

    assert_ok(cof_policy_parse(cof_view_str(all), COF_POLICY_IDENTITY, 4096, &everything, NULL));
    assert_true(may_assume("trust-consumer", &ec2, ""));
    assert_true(may_assume("trust-producer", &ec2, ""));
    assert_false(may_assume("trust-consumer", &lambda, ""));
    assert_false(may_assume("trust-consumer", &user, MFA));
    assert_true(may_assume("trust-owner", &user, ""));
    assert_false(may_assume("trust-owner", &other, ""));
    assert_true(may_assume("trust-admin", &user, MFA " aws:MultiFactorAuthAge=60"));
    assert_false(may_assume("trust-admin", &user, MFA " aws:MultiFactorAuthAge=3600"));
    assert_false(may_assume("trust-deployer", &user, ""));
    assert_true(may_assume("trust-deployer", &user, MFA " aws:MultiFactorAuthAge=60"));
    cof_policy_free(everything);
}

/* The Deny statements alone hold when someone adds the careless statement every tutorial has (C-11). */
static void denies_survive_a_careless_allow(void **state)
{
    static const char careless[] = "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"kms:*\",\"Resource\":\"*\"}}";
    struct cof_policy *open = NULL, both = {.kind = COF_POLICY_RESOURCE, .variables = true};
    const struct cof_policy *key = named("key-data").policy;
    static const char *const contexts[] = {TENANT, ATTESTED("dd44", P1, P2) TENANT, ATTESTED(P0, "dd44", P2) TENANT,
                                           ATTESTED(P0, P1, "dd44") TENANT};
    struct request r;
    struct cof_policy_set set = {.resource = {"key-data", &both}, .rule = COF_RESOURCE_AUTHORITATIVE};

    assert_ok(cof_policy_parse(cof_view_str(careless), COF_POLICY_RESOURCE, 4096, &open, NULL));
    if (key == NULL || open == NULL) {
        fail_msg("not loaded");
        return;
    }
    both.n_statements = key->n_statements + 1;
    both.statements = calloc(both.n_statements, sizeof *both.statements);
    if (both.statements == NULL) {
        fail_msg("out of memory");
        return;
    }
    memcpy(both.statements, key->statements, key->n_statements * sizeof *both.statements);
    both.statements[key->n_statements] = open->statements[0];
    for (size_t i = 0; i < sizeof contexts / sizeof contexts[0]; i++) {
        r = (struct request){.access = {.action = COF_LIT("kms:Decrypt"), .resource = COF_LIT(KEY("data")), .resource_account = COF_LIT(ACCOUNT)}};
        set_context(&r, contexts[i]);
        set_caller(&r, "insider");
        assert_int_equal(cof_evaluate(&set, &r.access).verdict, COF_VERDICT_EXPLICIT_DENY);
    }
    set_context(&r, ENCLAVE TENANT);
    assert_int_equal(cof_evaluate(&set, &r.access).verdict, COF_VERDICT_ALLOW); /* so the attestation is what decides */
    free(both.statements);
    cof_policy_free(open);
}

/* C-11 to C-15: none of the known mistakes. */
static void lint_finds_nothing(void **state)
{
    for (size_t i = 0; i < N_FILES; i++) {
        struct cof_lint_finding found[4];

        if (cof_policy_lint(files[i].policy, found, 4) != 0)
            fail_msg("%s: %s", files[i].name, cof_lint_text(found[0].code));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_key), cmocka_unit_test(other_keys), cmocka_unit_test(bucket), cmocka_unit_test(queues),
        cmocka_unit_test(trust),    cmocka_unit_test(denies_survive_a_careless_allow),
        cmocka_unit_test(lint_finds_nothing),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
