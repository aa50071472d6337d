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

static struct cof_policy *everything, *careless;

static int load(void **state)
{
    static const char all[] =
        "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}";
    static const char open[] = "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\","
                               "\"Action\":\"*\",\"Resource\":\"*\"}}";

    assert_ok(cof_policy_parse(cof_view_str(all), COF_POLICY_IDENTITY, 4096, &everything, NULL));
    assert_ok(cof_policy_parse(cof_view_str(open), COF_POLICY_RESOURCE, 4096, &careless, NULL));
    for (size_t i = 0; i < N_FILES; i++) {
        struct cof_buf text, filled;
        struct cof_diag diag = {0};
        char path[4096];

        (void)snprintf(path, sizeof path, "%s/deploy/iam/%s.json", SOURCE_ROOT, files[i].name);
        if (!read_file(path, &text))
            fail_msg("cannot read %s", path);
        cof_buf_init(&filled, COF_POLICY_SIZE_MAX);
        if (cof_template_fill(cof_buf_view(&text), values, sizeof values / sizeof values[0], &filled, &diag) !=
                COF_OK ||
            cof_policy_parse(cof_buf_view(&filled), files[i].kind, COF_POLICY_SIZE_MAX, &files[i].policy, &diag) !=
                COF_OK)
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
    cof_policy_free(everything);
    cof_policy_free(careless);
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
    c->kind = strcmp(who, "device-s3") == 0 ? COF_CALLER_USER
              : strcmp(who, "root") == 0    ? COF_CALLER_ROOT
                                            : COF_CALLER_ROLE;
    if (c->kind == COF_CALLER_USER) {
        (void)snprintf(r->arn, sizeof r->arn, "arn:aws:iam::%s:user/device-s3", account);
        c->name = COF_LIT("device-s3");
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
        (void)snprintf(name, sizeof name,
                       strcmp(resource, DEAD_QUEUE) == 0 ? "queue-policy-dead-letter" : "queue-policy");
    return named(name);
}

/* The layers back each other up, so each is also judged alone: else a hole in one would hide behind the other. */
enum layers {
    ALL_LAYERS,
    IDENTITY_ALONE, /* no resource policy */
    IDENTITY_AND_MORE, /* the same, and beside it a second identity policy that allows everything */
    ALLOWS_ALONE,   /* the resource policy without its Deny statements, callers without identity policy */
    DENIES_ALONE,   /* its Deny statements, behind a careless Allow of everything to everybody (C-11) */
};

/* A copy that shares the statements' insides; free(statements). */
static struct cof_policy only(const struct cof_policy *policy, enum cof_effect effect)
{
    struct cof_policy out = {.kind = policy->kind, .variables = policy->variables};

    out.statements = calloc(policy->n_statements + 1, sizeof *out.statements);
    if (out.statements == NULL)
        abort();
    for (size_t i = 0; i < policy->n_statements; i++)
        if (policy->statements[i].effect == effect)
            out.statements[out.n_statements++] = policy->statements[i];
    if (effect == COF_EFFECT_DENY)
        out.statements[out.n_statements++] = careless->statements[0];
    return out;
}

static enum cof_verdict ask(enum layers layers, const char *who, const char *action, const char *resource,
                            const char *context, struct cof_buf *why)
{
    struct cof_named_policy identity[] = {named(who), {"everything", everything}};
    struct cof_policy_set set = {.identity = identity,
                                 .n_identity = layers == ALLOWS_ALONE        ? 0
                                               : layers == IDENTITY_AND_MORE ? 2
                                                                             : 1,
                                 .resource = resource_policy(action, resource),
                                 .rule = strncmp(action, "kms:", 4) == 0 ? COF_RESOURCE_AUTHORITATIVE
                                                                         : COF_RESOURCE_EITHER};
    struct cof_policy part = {0};
    struct cof_decision d;
    struct request r = {.access = {.action = cof_view_str(action), .resource = cof_view_str(resource),
                                   .resource_account = COF_LIT(ACCOUNT), .now_ms = 1795456800000}};

    if (layers == DENIES_ALONE || identity[0].policy == NULL)
        identity[0] = identity[1];
    if (layers == ALLOWS_ALONE || layers == DENIES_ALONE) {
        part = only(set.resource.policy, layers == ALLOWS_ALONE ? COF_EFFECT_ALLOW : COF_EFFECT_DENY);
        set.resource.policy = &part;
    }
    if (layers == IDENTITY_ALONE || layers == IDENTITY_AND_MORE) {
        set.resource.policy = NULL;
        set.rule = COF_RESOURCE_EITHER;
    }
    set_context(&r, context);
    set_caller(&r, who);
    d = cof_evaluate(&set, &r.access);
    cof_decision_explain(&d, &r.access, why);
    free(part.statements);
    return d.verdict;
}

struct row {
    const char *who, *action, *resource, *context;
    bool allowed;
};

static void check(enum layers layers, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct cof_buf why;
        enum cof_verdict verdict;

        cof_buf_init(&why, 8192);
        verdict = ask(layers, rows[i].who, rows[i].action, rows[i].resource, rows[i].context, &why);
        if ((verdict == COF_VERDICT_ALLOW) != rows[i].allowed)
            fail_msg("row %zu: %s [%s]", i, cof_buf_cstr(&why), rows[i].context);
        cof_buf_done(&why);
    }
}

#define CHECK_LAYER(layers, rows) check(layers, rows, sizeof rows / sizeof rows[0])
#define CHECK(rows) CHECK_LAYER(ALL_LAYERS, rows)
#define PCR(i, v) " kms:RecipientAttestation:PCR" #i "=" v
#define ATTESTED(p0, p1, p2) "kms:RecipientAttestation:ImageSha384=" p0 PCR(0, p0) PCR(1, p1) PCR(2, p2)
#define ENCLAVE ATTESTED(P0, P1, P2)
#define TENANT " kms:EncryptionContext:tenant=t1"
#define MFA " aws:MultiFactorAuthPresent=true"
/* What AWS says of a role session, even one that AssumeRole opened with a code (docs/decisions/0013). */
#define SESSION " aws:MultiFactorAuthPresent=false"
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
        {"consumer", "kms:Decrypt", KEY("data"), ATTESTED("AA11" DIGITS, P1, "CC33" DIGITS) TENANT,
         true},                                                  /* case of hex */
        {"consumer", "kms:Decrypt", KEY("data"), TENANT, false}, /* C-07: no attestation */
        {"consumer", "kms:Decrypt", KEY("data"), ENCLAVE, false},
        {"consumer", "kms:Decrypt", KEY("data"), ATTESTED(ZEROS, ZEROS, ZEROS) TENANT, false}, /* C-13: debug enclave */
        {"consumer", "kms:Decrypt", KEY("data"), ATTESTED("dd44", P1, P2) TENANT, false},
        {"consumer", "kms:Decrypt", KEY("data"), ATTESTED(P0, "dd44", P2) TENANT, false},        /* C-15: PCR1 */
        {"consumer", "kms:Decrypt", KEY("data"), ATTESTED(P0, P1, "dd44") TENANT, false},        /* C-15: PCR2 */
        {"consumer", "kms:Decrypt", KEY("data"), "kms:RecipientAttestation=aa11" TENANT, false}, /* C-12: no such key */
        {"consumer", "kms:Decrypt", KEY("data"), "aws:RequestContext=aa11" TENANT, false},       /* C-12 */
        {"consumer", "kms:Decrypt", KEY("data"), "kms:RecipientAttestation:PCR8=aa11" TENANT, false}, /* C-14 */
        {"consumer", "kms:GenerateDataKey", KEY("data"), ENCLAVE TENANT, false},
        {"consumer", "kms:ReEncryptFrom", KEY("data"), ENCLAVE TENANT, false}, /* C-11 */
        {"consumer", "kms:CreateGrant", KEY("data"), ENCLAVE TENANT, false},   /* C-11 */
        {"owner", "kms:Decrypt", KEY("data"), ENCLAVE TENANT, false},
        {"insider", "kms:Decrypt", KEY("data"), ENCLAVE TENANT, false}, /* C-11: no identity policy can add anyone */
        {"insider", "kms:GenerateDataKey", KEY("data"), TENANT, false},
        {"insider", "kms:PutKeyPolicy", KEY("data"), SESSION, false},
        {"root", "kms:Decrypt", KEY("data"), ENCLAVE TENANT, false}, /* C-11: no root delegation */
        {"root", "kms:PutKeyPolicy", KEY("data"), SESSION, false},
        {"stranger", "kms:Decrypt", KEY("data"), ENCLAVE TENANT, false},
        {"admin", "kms:PutKeyPolicy", KEY("data"), SESSION, true},
        {"admin", "kms:Decrypt", KEY("data"), ENCLAVE TENANT SESSION, false},
        {"admin", "kms:CreateGrant", KEY("data"), SESSION, false},
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
        {"deployer", "kms:GenerateDataKey", KEY("models"), SESSION, true},
        {"deployer", "kms:Sign", KEY("models"), SESSION, true},
        {"deployer", "kms:Decrypt", KEY("models"), SESSION, false},
        {"consumer", "kms:Decrypt", KEY("models"), ENCLAVE, true},
        {"consumer", "kms:Decrypt", KEY("models"), "", false},
        {"consumer", "kms:Decrypt", KEY("models"), ATTESTED("dd44", P1, P2), false},
        {"consumer", "kms:GenerateDataKey", KEY("models"), ENCLAVE, false},
        {"producer", "kms:GenerateDataKey", KEY("models"), SESSION, false},
        {"device-s3", "kms:GenerateDataKey", KEY("storage"),
         "kms:ViaService=s3.eu-west-1.amazonaws.com kms:CallerAccount=" ACCOUNT, true},
        {"device-s3", "kms:Decrypt", KEY("storage"),
         "kms:ViaService=s3.eu-west-1.amazonaws.com kms:CallerAccount=" ACCOUNT, true},
        {"device-s3", "kms:Decrypt", KEY("storage"), "kms:CallerAccount=" ACCOUNT, false},
        {"device-s3", "kms:Decrypt", KEY("data"), TENANT, false},
        {"producer", "kms:Decrypt", KEY("storage"),
         "kms:ViaService=s3.eu-west-1.amazonaws.com kms:CallerAccount=" ACCOUNT, false},
        {"insider", "kms:Decrypt", KEY("storage"), "kms:CallerAccount=" ACCOUNT, false},
        {"stranger", "kms:Decrypt", KEY("storage"),
         "kms:ViaService=s3.eu-west-1.amazonaws.com kms:CallerAccount=999988887777", false},
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
        {"producer", "s3:PutObject", BUCKET "/jobs/t1/j1",
         TLS " s3:x-amz-server-side-encryption-customer-algorithm=AES256", false}, /* C-30 */
        {"producer", "s3:PutObject", BUCKET "/results/t1/j1", TLS " s3:if-none-match=*", false},
        {"producer", "s3:GetObject", BUCKET "/results/t1/j1", TLS, true},
        {"producer", "s3:GetObject", BUCKET "/receipts/t1/j1", TLS, true},
        {"producer", "s3:GetObject", BUCKET "/status/t1/j1", TLS, true},
        {"producer", "s3:GetObject", BUCKET "/jobs/t1/j1", TLS, false},
        {"producer", "s3:DeleteObject", BUCKET "/jobs/t1/j1", TLS, false},
        {"producer", "s3:PutObject", BUCKET "/submissions/t1/d", TLS " s3:if-none-match=*", true},
        {"producer", "s3:PutObject", BUCKET "/submissions/t1/d", TLS " s3:ObjectCreationOperation=true", false}, /* never replaced */
        {"producer", "s3:GetObject", BUCKET "/submissions/t1/d", TLS, true},
        {"consumer", "s3:GetObject", BUCKET "/submissions/t1/d", TLS, false},
        {"consumer", "s3:PutObject", BUCKET "/submissions/t1/d", TLS " s3:if-none-match=*", false},
        {"owner", "s3:GetObject", BUCKET "/submissions/t1/d", TLS, false},
        {"consumer", "s3:GetObject", BUCKET "/jobs/t1/j1", TLS, true},
        {"consumer", "s3:GetObject", BUCKET "/models/m1", TLS, true},
        {"consumer", "s3:PutObject", BUCKET "/jobs/t1/j1", TLS, false},
        {"consumer", "s3:PutObject", BUCKET "/models/m1", TLS, false},
        {"consumer", "s3:PutObject", BUCKET "/status/t1/j1", TLS, true},
        {"consumer", "s3:PutObject", BUCKET "/results/t1/j1", TLS " s3:ObjectCreationOperation=true s3:if-none-match=*",
         true},
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
        {"device-s3", "s3:PutObject", BUCKET "/edge/cam/1.jpg",
         TLS " s3:x-amz-server-side-encryption-customer-algorithm=AES256", true},
        {"device-s3", "s3:PutObject", BUCKET "/edge/1",
         TLS " s3:x-amz-server-side-encryption=aws:kms s3:x-amz-server-side-encryption-aws-kms-key-id=" KEY("storage"),
         true},
        {"device-s3", "s3:PutObject", BUCKET "/edge/1",
         TLS " s3:x-amz-server-side-encryption=aws:kms s3:x-amz-server-side-encryption-aws-kms-key-id=" KEY("other"),
         false},
        {"device-s3", "s3:GetObject", BUCKET "/edge/cam/1.jpg", TLS, true},
        {"device-s3", "s3:DeleteObject", BUCKET "/edge/cam/1.jpg", TLS, true},
        {"device-s3", "s3:PutObject", BUCKET "/jobs/t1/j1", TLS, false},
        {"device-s3", "s3:GetObject", BUCKET "/edgeless", TLS, false},
        {"device-s3", "s3:GetObject", "arn:aws:s3:::other/edge/1", TLS, false},
        {"deployer", "s3:PutObject", BUCKET "/models/m1", TLS SESSION, true},
        {"deployer", "s3:GetObject", BUCKET "/results/t1/j1", TLS SESSION, false},
        {"auditor", "s3:GetObject", BUCKET "/receipts/t1/j1", TLS, true},
        {"auditor", "s3:GetObject", BUCKET "/results/t1/j1", TLS, false},
        {"admin", "s3:PutBucketPolicy", BUCKET, TLS SESSION, true},
        {"admin", "s3:GetObject", BUCKET "/jobs/t1/j1", TLS SESSION, false},
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
        {"admin", "sqs:ReceiveMessage", DEAD_QUEUE, TLS SESSION, true},
        {"admin", "sqs:ReceiveMessage", JOBS_QUEUE, TLS SESSION, false},
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
    const struct cof_caller ec2 = {.kind = COF_CALLER_SERVICE, .arn = COF_LIT("ec2.amazonaws.com")};
    const struct cof_caller lambda = {.kind = COF_CALLER_SERVICE, .arn = COF_LIT("lambda.amazonaws.com")};
    const struct cof_caller user = {
        .kind = COF_CALLER_USER, .account = COF_LIT(ACCOUNT), .arn = COF_LIT("arn:aws:iam::" ACCOUNT ":user/u")};
    const struct cof_caller other = {.kind = COF_CALLER_USER,
                                     .account = COF_LIT("999988887777"),
                                     .arn = COF_LIT("arn:aws:iam::999988887777:user/u")};

    assert_true(may_assume("trust-consumer", &ec2, ""));
    assert_true(may_assume("trust-producer", &ec2, ""));
    assert_false(may_assume("trust-consumer", &lambda, ""));
    assert_false(may_assume("trust-consumer", &user, MFA));
    assert_true(may_assume("trust-owner", &user, ""));
    assert_false(may_assume("trust-owner", &other, ""));
    assert_true(may_assume("trust-admin", &user, MFA " aws:MultiFactorAuthAge=60"));
    assert_false(may_assume("trust-admin", &user, MFA " aws:MultiFactorAuthAge=3600"));
    assert_false(may_assume("trust-admin", &user, "aws:MultiFactorAuthAge=60"));
    assert_true(may_assume("trust-auditor", &user, ""));
    assert_false(may_assume("trust-deployer", &user, ""));
    assert_false(may_assume("trust-deployer", &user, MFA " aws:MultiFactorAuthAge=3600"));
    assert_false(may_assume("trust-deployer", &user, "aws:MultiFactorAuthAge=60"));
    assert_true(may_assume("trust-deployer", &user, MFA " aws:MultiFactorAuthAge=60"));
}

/* PCR0 goes by two names; both are asked for. */
#define ALIAS(image, p0) "kms:RecipientAttestation:ImageSha384=" image PCR(0, p0) PCR(1, P1) PCR(2, P2)
#define VIA_S3 "kms:ViaService=s3.eu-west-1.amazonaws.com kms:CallerAccount=" ACCOUNT

static void identity_policies_alone(void **state)
{
    static const struct row rows[] = {
        {"consumer", "kms:Decrypt", KEY("data"), ENCLAVE TENANT, true},
        {"consumer", "kms:Decrypt", KEY("data"), TENANT, false},
        {"consumer", "kms:Decrypt", KEY("data"), ENCLAVE, false},
        {"consumer", "kms:Decrypt", KEY("data"), ALIAS("dd44", P0) TENANT, false},
        {"consumer", "kms:Decrypt", KEY("data"), ALIAS(P0, "dd44") TENANT, false},
        {"consumer", "kms:Decrypt", KEY("data"), ATTESTED(P0, "dd44", P2) TENANT, false},
        {"consumer", "kms:Decrypt", KEY("data"), ATTESTED(P0, P1, "dd44") TENANT, false},
        {"consumer", "kms:GenerateDataKey", KEY("results"), ENCLAVE TENANT, true},
        {"consumer", "kms:GenerateDataKey", KEY("results"), TENANT, false},
        {"consumer", "kms:GenerateDataKey", KEY("results"), ENCLAVE, false},
        {"consumer", "kms:GenerateDataKey", KEY("results"), ALIAS("dd44", P0) TENANT, false},
        {"consumer", "kms:GenerateDataKey", KEY("results"), ALIAS(P0, "dd44") TENANT, false},
        {"consumer", "kms:GenerateDataKey", KEY("results"), ATTESTED(P0, "dd44", P2) TENANT, false},
        {"consumer", "kms:GenerateDataKey", KEY("results"), ATTESTED(P0, P1, "dd44") TENANT, false},
        {"consumer", "kms:Decrypt", KEY("models"), ENCLAVE, true},
        {"consumer", "kms:Decrypt", KEY("models"), "", false},
        {"consumer", "kms:Decrypt", KEY("models"), ALIAS("dd44", P0), false},
        {"consumer", "kms:Decrypt", KEY("models"), ALIAS(P0, "dd44"), false},
        {"consumer", "kms:Decrypt", KEY("models"), ATTESTED(P0, "dd44", P2), false},
        {"consumer", "kms:Decrypt", KEY("models"), ATTESTED(P0, P1, "dd44"), false},
        {"producer", "kms:GenerateDataKey", KEY("data"), TENANT, true},
        {"producer", "kms:GenerateDataKey", KEY("data"), "", false},
        {"producer", "kms:Decrypt", KEY("data"), TENANT, false},
        {"owner", "kms:Decrypt", KEY("results"), TENANT, true},
        {"owner", "kms:Decrypt", KEY("results"), "", false},
        {"owner", "kms:Decrypt", KEY("data"), TENANT, false},
        {"device-s3", "kms:Decrypt", KEY("storage"), VIA_S3, true},
        {"device-s3", "kms:Decrypt", KEY("storage"), "", false},
        {"device-s3", "s3:ListBucket", BUCKET, "s3:prefix=edge/", true},
        {"device-s3", "s3:ListBucket", BUCKET, "s3:prefix=jobs/", false},
        {"device-s3", "s3:ListBucket", BUCKET, "", false},
        {"deployer", "kms:GenerateDataKey", KEY("models"), SESSION, true},
        {"deployer", "kms:Sign", KEY("models"), SESSION, true},
        {"deployer", "s3:PutObject", BUCKET "/models/m", SESSION, true},
        {"deployer", "s3:ListBucket", BUCKET, "s3:prefix=models/" SESSION, true},
        {"deployer", "s3:ListBucket", BUCKET, "s3:prefix=results/" SESSION, false},
        {"auditor", "s3:ListBucket", BUCKET, "s3:prefix=receipts/t1/", true},
        {"auditor", "s3:ListBucket", BUCKET, "s3:prefix=jobs/", false},
        {"auditor", "s3:GetBucketPolicy", BUCKET, "", true},
        {"auditor", "s3:PutBucketPolicy", BUCKET, "", false},
        {"auditor", "kms:ListGrants", KEY("data"), "", true},
        {"auditor", "cloudtrail:LookupEvents", "*", "", true},
        {"auditor", "sqs:GetQueueAttributes", JOBS_QUEUE, "", true},
        {"admin", "kms:PutKeyPolicy", KEY("data"), SESSION, true},
        {"admin", "s3:PutBucketPolicy", BUCKET, SESSION, true},
        {"admin", "sqs:StartMessageMoveTask", DEAD_QUEUE, SESSION, true},
        {"admin", "kms:Decrypt", KEY("data"), ENCLAVE TENANT SESSION, false},
    };

    CHECK_LAYER(IDENTITY_ALONE, rows);
}

static void identity_denies_hold_against_more_rights(void **state)
{
    static const struct row rows[] = {
        {"admin", "kms:PutKeyPolicy", KEY("data"), SESSION, true},
        {"admin", "kms:Decrypt", KEY("data"), ENCLAVE TENANT SESSION, false},
        {"admin", "kms:CreateGrant", KEY("data"), SESSION, false},
        {"auditor", "kms:DescribeKey", KEY("data"), "", true},
        {"auditor", "kms:Decrypt", KEY("data"), "", false},
        {"auditor", "kms:Decrypt", KEY("storage"), "", false},
        {"auditor", "kms:Decrypt", KEY("storage"), "kms:ViaService=s3.eu-west-1.amazonaws.com", true},
        {"auditor", "kms:GenerateDataKey", KEY("data"), "", false},
        {"deployer", "s3:PutObject", BUCKET "/models/m1", SESSION, true},
    };

    CHECK_LAYER(IDENTITY_AND_MORE, rows);
}

static void key_policies_without_their_denies(void **state)
{
    static const struct row rows[] = {
        {"consumer", "kms:Decrypt", KEY("data"), ENCLAVE TENANT, true},
        {"consumer", "kms:Decrypt", KEY("data"), TENANT, false},
        {"consumer", "kms:Decrypt", KEY("data"), ENCLAVE, false},
        {"consumer", "kms:Decrypt", KEY("data"), ALIAS("dd44", P0) TENANT, false},
        {"consumer", "kms:Decrypt", KEY("data"), ALIAS(P0, "dd44") TENANT, false},
        {"consumer", "kms:Decrypt", KEY("data"), ATTESTED(P0, "dd44", P2) TENANT, false},
        {"consumer", "kms:Decrypt", KEY("data"), ATTESTED(P0, P1, "dd44") TENANT, false},
        {"consumer", "kms:GenerateDataKey", KEY("results"), ENCLAVE TENANT, true},
        {"consumer", "kms:GenerateDataKey", KEY("results"), TENANT, false},
        {"consumer", "kms:GenerateDataKey", KEY("results"), ENCLAVE, false},
        {"consumer", "kms:GenerateDataKey", KEY("results"), ALIAS("dd44", P0) TENANT, false},
        {"consumer", "kms:GenerateDataKey", KEY("results"), ALIAS(P0, "dd44") TENANT, false},
        {"consumer", "kms:GenerateDataKey", KEY("results"), ATTESTED(P0, "dd44", P2) TENANT, false},
        {"consumer", "kms:GenerateDataKey", KEY("results"), ATTESTED(P0, P1, "dd44") TENANT, false},
        {"consumer", "kms:Decrypt", KEY("models"), ENCLAVE, true},
        {"consumer", "kms:Decrypt", KEY("models"), "", false},
        {"consumer", "kms:Decrypt", KEY("models"), ALIAS("dd44", P0), false},
        {"consumer", "kms:Decrypt", KEY("models"), ALIAS(P0, "dd44"), false},
        {"consumer", "kms:Decrypt", KEY("models"), ATTESTED(P0, "dd44", P2), false},
        {"consumer", "kms:Decrypt", KEY("models"), ATTESTED(P0, P1, "dd44"), false},
        {"admin", "kms:PutKeyPolicy", KEY("data"), SESSION, true},
        {"admin", "kms:Decrypt", KEY("data"), ENCLAVE TENANT SESSION, false},
        {"auditor", "kms:GetKeyPolicy", KEY("data"), "", true},
        {"auditor", "kms:PutKeyPolicy", KEY("data"), SESSION, false},
        {"root", "kms:PutKeyPolicy", KEY("data"), SESSION, false},
        {"admin", "kms:PutKeyPolicy", KEY("results"), SESSION, true},
        {"admin", "kms:Decrypt", KEY("results"), ENCLAVE TENANT SESSION, false},
        {"auditor", "kms:GetKeyPolicy", KEY("results"), "", true},
        {"auditor", "kms:PutKeyPolicy", KEY("results"), SESSION, false},
        {"root", "kms:PutKeyPolicy", KEY("results"), SESSION, false},
        {"admin", "kms:PutKeyPolicy", KEY("models"), SESSION, true},
        {"admin", "kms:Decrypt", KEY("models"), ENCLAVE TENANT SESSION, false},
        {"auditor", "kms:GetKeyPolicy", KEY("models"), "", true},
        {"auditor", "kms:PutKeyPolicy", KEY("models"), SESSION, false},
        {"root", "kms:PutKeyPolicy", KEY("models"), SESSION, false},
        {"admin", "kms:PutKeyPolicy", KEY("storage"), SESSION, true},
        {"admin", "kms:Decrypt", KEY("storage"), ENCLAVE TENANT SESSION, false},
        {"auditor", "kms:GetKeyPolicy", KEY("storage"), "", true},
        {"auditor", "kms:PutKeyPolicy", KEY("storage"), SESSION, false},
        {"root", "kms:PutKeyPolicy", KEY("storage"), SESSION, false},
        {"producer", "kms:GenerateDataKey", KEY("data"), TENANT, true},
        {"producer", "kms:GenerateDataKey", KEY("data"), "", false},
        {"owner", "kms:Decrypt", KEY("results"), TENANT, true},
        {"owner", "kms:Decrypt", KEY("results"), "", false},
        {"deployer", "kms:GenerateDataKey", KEY("models"), SESSION, true},
        {"insider", "kms:Decrypt", KEY("storage"), VIA_S3, false},
    };

    CHECK_LAYER(ALLOWS_ALONE, rows);
}

/* C-11: the statement that every tutorial has, added by someone in a hurry. */
static void denies_survive_a_careless_allow(void **state)
{
    static const struct row rows[] = {
        {"insider", "kms:Decrypt", KEY("data"), ENCLAVE TENANT, true},
        {"insider", "kms:Decrypt", KEY("data"), TENANT, false},
        {"insider", "kms:Decrypt", KEY("data"), ATTESTED("dd44", P1, P2) TENANT, false},
        {"insider", "kms:Decrypt", KEY("data"), ATTESTED(P0, "dd44", P2) TENANT, false},
        {"insider", "kms:Decrypt", KEY("data"), ATTESTED(P0, P1, "dd44") TENANT, false},
        {"insider", "kms:Encrypt", KEY("data"), ENCLAVE TENANT SESSION, false},
        {"insider", "kms:ReEncryptFrom", KEY("data"), ENCLAVE TENANT SESSION, false},
        {"insider", "kms:ReEncryptTo", KEY("data"), ENCLAVE TENANT SESSION, false},
        {"insider", "kms:CreateGrant", KEY("data"), ENCLAVE TENANT SESSION, false},
        {"insider", "kms:GenerateDataKeyWithoutPlaintext", KEY("data"), ENCLAVE TENANT SESSION, false},
        {"insider", "kms:GenerateDataKeyPairWithoutPlaintext", KEY("data"), ENCLAVE TENANT SESSION, false},
        {"insider", "kms:DescribeKey", KEY("data"), "", true},
        {"insider", "kms:GenerateDataKey", KEY("results"), ENCLAVE TENANT, true},
        {"insider", "kms:GenerateDataKey", KEY("results"), TENANT, false},
        {"insider", "kms:GenerateDataKey", KEY("results"), ATTESTED("dd44", P1, P2) TENANT, false},
        {"insider", "kms:GenerateDataKey", KEY("results"), ATTESTED(P0, "dd44", P2) TENANT, false},
        {"insider", "kms:GenerateDataKey", KEY("results"), ATTESTED(P0, P1, "dd44") TENANT, false},
        {"insider", "kms:Encrypt", KEY("results"), ENCLAVE TENANT SESSION, false},
        {"insider", "kms:ReEncryptFrom", KEY("results"), ENCLAVE TENANT SESSION, false},
        {"insider", "kms:ReEncryptTo", KEY("results"), ENCLAVE TENANT SESSION, false},
        {"insider", "kms:CreateGrant", KEY("results"), ENCLAVE TENANT SESSION, false},
        {"insider", "kms:GenerateDataKeyWithoutPlaintext", KEY("results"), ENCLAVE TENANT SESSION, false},
        {"insider", "kms:GenerateDataKeyPairWithoutPlaintext", KEY("results"), ENCLAVE TENANT SESSION, false},
        {"insider", "kms:DescribeKey", KEY("results"), "", true},
        {"insider", "kms:Decrypt", KEY("models"), ENCLAVE, true},
        {"insider", "kms:Decrypt", KEY("models"), "", false},
        {"insider", "kms:Decrypt", KEY("models"), ATTESTED("dd44", P1, P2), false},
        {"insider", "kms:Decrypt", KEY("models"), ATTESTED(P0, "dd44", P2), false},
        {"insider", "kms:Decrypt", KEY("models"), ATTESTED(P0, P1, "dd44"), false},
        {"insider", "kms:Encrypt", KEY("models"), ENCLAVE TENANT SESSION, false},
        {"insider", "kms:ReEncryptFrom", KEY("models"), ENCLAVE TENANT SESSION, false},
        {"insider", "kms:ReEncryptTo", KEY("models"), ENCLAVE TENANT SESSION, false},
        {"insider", "kms:CreateGrant", KEY("models"), ENCLAVE TENANT SESSION, false},
        {"insider", "kms:GenerateDataKeyWithoutPlaintext", KEY("models"), ENCLAVE TENANT SESSION, false},
        {"insider", "kms:GenerateDataKeyPairWithoutPlaintext", KEY("models"), ENCLAVE TENANT SESSION, false},
        {"insider", "kms:DescribeKey", KEY("models"), "", true},
        {"insider", "kms:GenerateDataKey", KEY("models"), SESSION, true},
        {"insider", "kms:Decrypt", KEY("storage"), "kms:ViaService=s3.eu-west-1.amazonaws.com", true},
        {"insider", "kms:Decrypt", KEY("storage"), "", false},
        {"insider", "kms:Decrypt", KEY("storage"), "kms:ViaService=sqs.eu-west-1.amazonaws.com", false},
        {"insider", "kms:GenerateDataKey", KEY("storage"), "kms:ViaService=s3.eu-west-1.amazonaws.com", true},
        {"insider", "kms:GenerateDataKey", KEY("storage"), "", false},
        {"insider", "kms:GenerateDataKey", KEY("storage"), "kms:ViaService=sqs.eu-west-1.amazonaws.com", false},
        {"insider", "kms:Encrypt", KEY("storage"), "", false},
        {"insider", "kms:ReEncryptFrom", KEY("storage"), "", false},
        {"insider", "kms:CreateGrant", KEY("storage"), "kms:ViaService=s3.eu-west-1.amazonaws.com", false},
        {"insider", "s3:GetObject", BUCKET "/edge/1", TLS, true},
        {"stranger", "s3:GetObject", BUCKET "/edge/1", TLS, false},
        {"consumer", "s3:PutObject", BUCKET "/results/1", TLS " s3:if-none-match=*", true},
        {"insider", "s3:PutObject", BUCKET "/results/1", TLS " s3:if-none-match=*", false},
        {"consumer", "s3:PutObject", BUCKET "/receipts/1", TLS " s3:if-none-match=*", true},
        {"insider", "s3:PutObject", BUCKET "/receipts/1", TLS " s3:if-none-match=*", false},
        {"consumer", "s3:PutObject", BUCKET "/status/1", TLS " s3:if-none-match=*", true},
        {"insider", "s3:PutObject", BUCKET "/status/1", TLS " s3:if-none-match=*", false},
        {"consumer", "s3:PutObject", BUCKET "/results/1", TLS, true},
        {"deployer", "s3:PutObject", BUCKET "/models/1", TLS, true},
        {"insider", "s3:PutObject", BUCKET "/models/1", TLS, false},
        {"consumer", "s3:DeleteObject", BUCKET "/jobs/1", TLS, false},
        {"consumer", "s3:DeleteObject", BUCKET "/results/1", TLS, false},
        {"consumer", "s3:DeleteObject", BUCKET "/receipts/1", TLS, false},
        {"consumer", "s3:DeleteObject", BUCKET "/models/1", TLS, false},
        {"insider", "s3:DeleteObject", BUCKET "/edge/1", TLS, true},
        {"admin", "s3:DeleteObjectVersion", BUCKET "/receipts/1", TLS SESSION, false},
        {"admin", "sqs:PurgeQueue", JOBS_QUEUE, TLS, true},
        {"insider", "sqs:PurgeQueue", JOBS_QUEUE, TLS, false},
        {"insider", "sqs:SetQueueAttributes", JOBS_QUEUE, TLS, false},
        {"insider", "sqs:GetQueueAttributes", JOBS_QUEUE, TLS, true},
        {"stranger", "sqs:GetQueueAttributes", JOBS_QUEUE, TLS, false},
        {"insider", "sqs:GetQueueAttributes", DEAD_QUEUE, TLS, true},
        {"stranger", "sqs:GetQueueAttributes", DEAD_QUEUE, TLS, false},
        {"insider", "sqs:GetQueueAttributes", DEAD_QUEUE, "aws:SecureTransport=false", false},
        {"admin", "sqs:ReceiveMessage", DEAD_QUEUE, TLS, true},
        {"insider", "sqs:ReceiveMessage", DEAD_QUEUE, TLS, false},
    };

    CHECK_LAYER(DENIES_ALONE, rows);
}

/* C-11 to C-15: none of the known mistakes. What is left are the two things that have to be: somebody administers each
 * attested key, and where the network has no VPC nothing can demand one. */
static void lint_finds_nothing(void **state)
{
    for (size_t i = 0; i < N_FILES; i++) {
        struct cof_document_source source = {.file = files[i].name, .values = values, .n_values = sizeof values / sizeof values[0]};
        struct cof_findings found = {0};
        struct cof_document d;
        struct cof_buf text;
        char path[4096];

        (void)snprintf(path, sizeof path, "%s/deploy/iam/%s.json", SOURCE_ROOT, files[i].name);
        assert_true(read_file(path, &text));
        source.text = cof_buf_view(&text);
        assert_ok(cof_document_read(&source, &found, &d));
        cof_policy_lint(&d, &found);
        for (size_t k = 0; k < found.n; k++)
            if (found.items[k].rule != COF_RULE_PUT_KEY_POLICY && found.items[k].rule != COF_RULE_NO_ENDPOINT)
                fail_msg("%s: %s: %s", files[i].name, cof_rule_name(found.items[k].rule), found.items[k].text);
        assert_int_equal(cof_document_policy_kind(d.kind), files[i].kind); /* found out rightly */
        assert_true(d.sound);
        cof_findings_done(&found);
        cof_document_done(&d);
        cof_buf_done(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_key),
        cmocka_unit_test(other_keys),
        cmocka_unit_test(bucket),
        cmocka_unit_test(queues),
        cmocka_unit_test(trust),
        cmocka_unit_test(identity_policies_alone),
        cmocka_unit_test(identity_denies_hold_against_more_rights),
        cmocka_unit_test(key_policies_without_their_denies),
        cmocka_unit_test(denies_survive_a_careless_allow),
        cmocka_unit_test(lint_finds_nothing),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
