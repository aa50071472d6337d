/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: a manifest becomes an account whose questions the evaluator answers; a witness is found for each kind of condition, holds when it is
 * asked again by itself, has no attestation where none may be made up, and leaves alone what the request gave; and a manifest that is wrong is
 * told with line and column.
 *
 * In the texts ' stands for ".
 */
#include "testing.h"

#include "policy/simulate.h"

#define NOW 1795456800000
#define POLICY(statements) "{'name':'p','document':{'Version':'2012-10-17','Statement':[" statements "]}}"
#define GET(cond) "{'Sid':'get','Effect':'Allow','Action':'s3:GetObject','Resource':'arn:aws:s3:::b/*'" cond "}"
#define MANIFEST(policies, more)                                                                                                        \
    "{'account':'111122223333','region':'eu-west-1','values':{'x':'y'},'users':[{'name':'ann','policies':[" policies "]" more "}],"        \
    "'roles':[{'name':'app-r','policies':[" policies "],'trust':{'Version':'2012-10-17','Statement':[{'Effect':'Allow','Principal':"        \
    "{'Service':'ec2.amazonaws.com'},'Action':'sts:AssumeRole'}]}}],'buckets':[{'name':'b'}],'queues':[{'name':'q'}],"                       \
    "'keys':[{'id':'k','alias':'alias/k'}]}"

static struct cof_account *account;
static struct cof_findings findings;
static char text[16384];

static enum cof_err read_beside(void *ctx, const char *file, struct cof_view *out, const char **name, struct cof_diag *diag)
{
    static const char here[] = "{\"Version\":\"2012-10-17\",\"Statement\":{\"Sid\":\"file\",\"Effect\":\"Allow\",\"Action\":\"sqs:SendMessage\",\"Resource\":\"*\"}}";

    if (strcmp(file, "p.json") != 0)
        return cof_diag_set(diag, COF_E_NOT_FOUND, "no %s", file);
    *out = cof_view_str(here);
    *name = "p.json";
    return COF_OK;
}

static enum cof_err load(const char *manifest, struct cof_diag *diag)
{
    size_t n = 0;

    for (; manifest[n] != '\0'; n++)
        text[n] = manifest[n] == '\'' ? '"' : manifest[n];
    cof_account_init(account);
    return cof_account_read(account, cof_view_of(text, n), "m.json", read_beside, NULL, &findings, diag);
}

static void unload(void)
{
    cof_account_done(account);
    cof_findings_done(&findings);
}

static struct cof_simulate_request ask(const char *who, const char *action, const char *resource)
{
    struct cof_simulate_request q = {.identity = cof_account_find_identity(account, cof_view_str(who)), .action = cof_view_str(action), .session = SIZE_MAX, .now_ms = NOW};

    q.resource = cof_account_find_resource(account, cof_view_str(resource), &q.arn);
    assert_int_not_equal(q.identity, SIZE_MAX);
    assert_int_not_equal(q.resource, SIZE_MAX);
    return q;
}

static void an_account(void **state)
{
    struct cof_simulation *s = calloc(1, sizeof *s);
    struct cof_simulate_request q;
    struct cof_view arn;

    assert_non_null(s);
    assert_ok(load(MANIFEST(POLICY(GET("")) ",{'name':'f','document':{'$file':'p.json'}}", ",'tags':{'team':'${x}'},'path':'/staff/'"), NULL));
    assert_int_equal(account->n_identities, 2);
    assert_int_equal(account->n_resources, 4);
    assert_true(cof_view_eq_str(account->identities[0].arn, "arn:aws:iam::111122223333:user/staff/ann"));
    assert_int_equal(cof_account_find_identity(account, COF_LIT("r")), 1); /* short for app-r */
    assert_int_equal(cof_account_find_identity(account, COF_LIT("arn:aws:iam::111122223333:role/app-r")), 1);
    assert_int_equal(cof_account_find_identity(account, COF_LIT("p-r")), SIZE_MAX);
    assert_true(cof_view_eq_str(cof_account_nearest_identity(account, COF_LIT("an")), "ann"));
    assert_int_not_equal(cof_account_find_resource(account, COF_LIT("alias/k"), &arn), SIZE_MAX);
    assert_true(cof_view_eq_str(arn, "arn:aws:kms:eu-west-1:111122223333:key/k"));
    assert_int_not_equal(cof_account_find_resource(account, COF_LIT("s3://b/x/y"), &arn), SIZE_MAX);
    assert_true(cof_view_eq_str(arn, "arn:aws:s3:::b/x/y"));
    assert_int_equal(cof_account_find_resource(account, COF_LIT("s3://bb/x"), &arn), SIZE_MAX);
    q = ask("ann", "s3:GetObject", "s3://b/x");
    cof_simulate(account, &q, s);
    assert_int_equal(s->decision.verdict, COF_VERDICT_ALLOW);
    assert_true(cof_view_eq_str(s->decision.sid, "get"));
    assert_int_equal(s->document, account->identities[0].policies[0]);
    q = ask("app-r", "sqs:SendMessage", "q");
    cof_simulate(account, &q, s);
    assert_int_equal(s->decision.verdict, COF_VERDICT_ALLOW);
    assert_string_equal(account->documents[s->document].file, "p.json");
    q = ask("ann", "sqs:DeleteQueue", "q");
    cof_simulate(account, &q, s);
    assert_int_equal(s->decision.verdict, COF_VERDICT_IMPLICIT_DENY);
    q = ask("ann", "sts:AssumeRole", "app-r"); /* the trust policy has to say so */
    cof_simulate(account, &q, s);
    assert_int_equal(s->decision.source, COF_SOURCE_RESOURCE);
    q.identity = SIZE_MAX;
    q.caller = (struct cof_caller){.kind = COF_CALLER_SERVICE, .arn = COF_LIT("ec2.amazonaws.com")};
    cof_simulate(account, &q, s);
    assert_int_equal(s->decision.verdict, COF_VERDICT_ALLOW);
    free(s);
    unload();
}

static const struct { const char *manifest; bool found; } rows[] = {
#define IF(cond) MANIFEST(POLICY(GET(",'Condition':{" cond "}")), "")
    {IF("'StringEquals':{'s3:versionid':'7'}"), true},
    {IF("'StringLike':{'s3:versionid':'a*b?'}"), true},
    {IF("'StringNotEquals':{'s3:versionid':'7'}"), true},
    {IF("'ArnLike':{'aws:SourceArn':'arn:aws:s3:::*'}"), true},
    {IF("'Bool':{'aws:SecureTransport':'true'}"), true},
    {IF("'Bool':{'aws:SecureTransport':'false'}"), true},
    {IF("'Bool':{'aws:MultiFactorAuthPresent':'true'},'NumericLessThan':{'aws:MultiFactorAuthAge':'3600'}"), true},
    {IF("'NumericGreaterThan':{'s3:max-keys':'3600'}"), true},
    {IF("'IpAddress':{'aws:SourceIp':'203.0.113.0/24'}"), true},
    {IF("'NotIpAddress':{'aws:SourceIp':'203.0.113.0/24'}"), true},
    {IF("'Null':{'aws:TagKeys':'false'}"), true},
    {IF("'Null':{'aws:TagKeys':'true'}"), true},
    {IF("'ForAllValues:StringEquals':{'aws:TagKeys':'a'},'Null':{'aws:TagKeys':'false'}"), true},
    {IF("'ForAnyValue:StringLike':{'aws:TagKeys':'a*'}"), true},
    {IF("'DateLessThan':{'aws:TokenIssueTime':'2026-01-01T00:00:00Z'}"), false}, /* the date itself is not before it */
    {IF("'StringEquals':{'aws:username':'bob'}"), false},                      /* follows from who asks */
    {IF("'DateLessThan':{'aws:CurrentTime':'2020-01-01T00:00:00Z'}"), false},
    {IF("'StringEquals':{'s3:versionid':'7'},'Null':{'s3:versionid':'true'}"), false},
    {MANIFEST(POLICY(GET("") ",{'Effect':'Deny','Action':'*','Resource':'*','Condition':{'StringNotEquals':{'aws:SourceVpce':'vpce-1'}}}"), ""), true},
    {MANIFEST(POLICY(GET("") ",{'Effect':'Deny','Action':'*','Resource':'*','Condition':{'Null':{'aws:SourceVpce':'true'}}}"), ""), true},
    {MANIFEST(POLICY(GET("") ",{'Effect':'Deny','Action':'*','Resource':'*','Condition':{'BoolIfExists':{'aws:MultiFactorAuthPresent':'false'}}}"), ""), true},
    {MANIFEST(POLICY(GET("") ",{'Effect':'Deny','Action':'s3:*','Resource':'*'}"), ""), false},
    {MANIFEST(POLICY(GET("") ",{'Effect':'Deny','Action':'s3:*','Resource':'*','Condition':{'StringEquals':{'aws:username':'ann'}}}"), ""), false},
    {MANIFEST(POLICY(GET("")), ",'boundary':{'Version':'2012-10-17','Statement':[{'Effect':'Allow','Action':'s3:*','Resource':'*','Condition':{'StringEquals':{'s3:versionid':'9'}}}]}"), true},
    {MANIFEST(POLICY(GET("")), ",'boundary':{'Version':'2012-10-17','Statement':[{'Effect':'Allow','Action':'sqs:*','Resource':'*'}]}"), false},
};

static void witnesses(void **state)
{
    struct cof_simulation *s = calloc(1, sizeof *s), *again = calloc(1, sizeof *again);
    struct cof_buf texts;

    assert_true(s != NULL && again != NULL);
    cof_buf_init(&texts, 65536);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cof_simulate_request q;
        struct cof_diag diag = {0};

        if (load(rows[i].manifest, &diag) != COF_OK)
            fail_msg("row %zu: %s", i, diag.text);
        q = ask("ann", "s3:GetObject", "s3://b/x");
        if (cof_simulate_witness(account, &q, &texts, s) != rows[i].found)
            fail_msg("row %zu: %s", i, rows[i].found ? "no witness" : "a witness");
        if (rows[i].found) {
            q.context = &s->context; /* given, it is allowed */
            cof_simulate(account, &q, again);
            assert_int_equal(again->decision.verdict, COF_VERDICT_ALLOW);
        }
        cof_buf_reset(&texts);
        unload();
    }
    cof_buf_done(&texts);
    free(s);
    free(again);
}

static void what_is_given_stays(void **state)
{
    struct cof_simulation *s = calloc(1, sizeof *s);
    struct cof_simulate_context given = {.n = 0};
    struct cof_simulate_request q;
    struct cof_buf texts;

    assert_non_null(s);
    cof_buf_init(&texts, 65536);
    assert_ok(load(MANIFEST(POLICY(GET(",'Condition':{'StringEquals':{'s3:versionid':'7','kms:RecipientAttestation:PCR0':'aa'}}")), ""), NULL));
    q = ask("app-r", "s3:GetObject", "s3://b/x");
    assert_true(cof_simulate_witness(account, &q, &texts, s));
    q.unattested = true;
    assert_false(cof_simulate_witness(account, &q, &texts, s));
    q.unattested = false;
    assert_true(cof_simulate_context_add(&given, COF_LIT("S3:VersionId"), COF_LIT("8")));
    q.context = &given;
    assert_false(cof_simulate_witness(account, &q, &texts, s));
    assert_int_equal(s->decision.verdict, COF_VERDICT_IMPLICIT_DENY);
    cof_buf_done(&texts);
    free(s);
    unload();
    /* a role's session never has the factor, and is given none */
    s = calloc(1, sizeof *s);
    assert_non_null(s);
    cof_buf_init(&texts, 65536);
    assert_ok(load(MANIFEST(POLICY(GET(",'Condition':{'Bool':{'aws:MultiFactorAuthPresent':'true'}}")), ""), NULL));
    q = ask("app-r", "s3:GetObject", "s3://b/x");
    assert_false(cof_simulate_witness(account, &q, &texts, s));
    q = ask("ann", "s3:GetObject", "s3://b/x");
    assert_true(cof_simulate_witness(account, &q, &texts, s));
    cof_buf_done(&texts);
    free(s);
    unload();
}

static void wrong_manifests(void **state)
{
    static const struct { const char *manifest, *says; } bad[] = {
        {"{'account':'1',\n'region':5}", "m.json:2:1: a text is expected: region"},
        {"{'account':'1'}", "m.json:1:1: this has no member: region"},
        {"{'account':'${y}','region':'r'}", "m.json:1:12: a hole without a value: ${y}"},
        {"{'account':'1','region':'r','roles':{}}", "m.json:1:29: a list is expected: roles"},
        {"{'account':'1','region':'r','roles':[{}]}", "m.json:1:38: this has no member: name"},
        {"{'account':'1','region':'r','roles':[{'name':'x','policies':[{}]}]}", "m.json:1:62: this policy has no document"},
        {"{'account':'1','region':'r','roles':[{'name':'x','policies':[{'document':{'$file':'no'}}]}]}", "no no"},
        {"[]", "a manifest is a JSON object"},
        {"{'account':'1',}", "m.json:1:15: a comma behind the last item"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cof_diag diag = {0};

        assert_int_not_equal(load(bad[i].manifest, &diag), COF_OK);
        if (strstr(diag.text, bad[i].says) == NULL)
            fail_msg("%s\nsays %s", bad[i].manifest, diag.text);
        unload();
    }
}

static int setup(void **state)
{
    account = malloc(sizeof *account);
    return account == NULL;
}

static int teardown(void **state)
{
    free(account);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account),
        cmocka_unit_test(witnesses),
        cmocka_unit_test(what_is_given_stays),
        cmocka_unit_test(wrong_manifests),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
