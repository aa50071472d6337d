/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: the decision over every combination of caller, identity, resource, boundary and session policy, rule and account
 * (some nine thousand) is what the flow chart of "Policy evaluation logic" says, written down here a second time as
 * plain logic over a table of who is named by what.
 */
#include "testing.h"

#include "policy/evaluate.h"

#define C(text) {(const uint8_t *)("" text), sizeof(text) - 1}
#define OURS "111122223333"
#define THEIRS "999988887777"
#define ANN "arn:aws:iam::" OURS ":user/ann"
#define ROLE "arn:aws:iam::" OURS ":role/r"
#define SESSION "arn:aws:sts::" OURS ":assumed-role/r/s"
#define EVE "arn:aws:iam::" THEIRS ":user/eve"

enum who { USER, ASSUMED, ROOT, STRANGER, NOBODY, N_WHO };

static const struct cof_caller callers[N_WHO] = {
    [USER] = {.kind = COF_CALLER_USER, .account = C(OURS), .arn = C(ANN), .name = C("ann"), .user_id = C("AIDA1")},
    [ASSUMED] = {.kind = COF_CALLER_ROLE, .account = C(OURS), .arn = C(SESSION), .role_arn = C(ROLE), .user_id = C("AROA1:s")},
    [ROOT] = {.kind = COF_CALLER_ROOT, .account = C(OURS), .arn = C("arn:aws:iam::" OURS ":root"), .user_id = C(OURS)},
    [STRANGER] = {.kind = COF_CALLER_USER, .account = C(THEIRS), .arn = C(EVE), .name = C("eve"), .user_id = C("AIDA2")},
    [NOBODY] = {.kind = COF_CALLER_ANONYMOUS},
};

/* How the resource's policy may name its principals, and whom that reaches: '*' anyone, 'S' the caller itself, 'R' its
 * role, 'A' its account, '-' not. */
static const struct {
    const char *principal, *reaches; /* of USER ASSUMED ROOT STRANGER NOBODY */
} forms[] = {
    {"\"Principal\":\"*\"", "*****"},
    {"\"Principal\":{\"AWS\":\"*\"}", "*****"},
    {"\"Principal\":{\"AWS\":\"" OURS "\"}", "AAS--"},
    {"\"Principal\":{\"AWS\":\"arn:aws:iam::" THEIRS ":root\"}", "---A-"},
    {"\"Principal\":{\"AWS\":\"" ANN "\"}", "S----"},
    {"\"Principal\":{\"AWS\":\"" ROLE "\"}", "-R---"},
    {"\"Principal\":{\"AWS\":\"" SESSION "\"}", "-S---"},
    {"\"Principal\":{\"AWS\":[\"" EVE "\",\"" OURS "\"]}", "AASS-"},
    {"\"Principal\":{\"Service\":\"ec2.amazonaws.com\"}", "-----"},
};
#define N_FORMS (sizeof forms / sizeof forms[0])

/* NotPrincipal in a Deny: whom it does not spare. */
static const struct {
    const char *principal, *denies;
} not_forms[] = {
    {"\"NotPrincipal\":{\"AWS\":[\"" ANN "\",\"" OURS "\"]}", "-*-**"},
    {"\"NotPrincipal\":{\"AWS\":\"" ANN "\"}", "*****"},
    {"\"NotPrincipal\":{\"AWS\":[\"" ROLE "\",\"" OURS "\"]}", "**-**"},
    {"\"NotPrincipal\":{\"AWS\":[\"" ROLE "\",\"" SESSION "\",\"" OURS "\"]}", "*--**"},
    {"\"NotPrincipal\":{\"AWS\":\"" OURS "\"}", "**-**"},
};
#define N_NOT_FORMS (sizeof not_forms / sizeof not_forms[0])

static struct cof_policy *parse(const char *effect, const char *action, const char *principal)
{
    enum cof_policy_kind kind = principal[0] != '\0' ? COF_POLICY_RESOURCE : COF_POLICY_IDENTITY;
    struct cof_policy *policy = NULL;
    char text[600];

    (void)snprintf(text, sizeof text, "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"%s\",\"Action\":\"%s\",\"Resource\":\"*\"%s%s}]}",
        effect, action, principal[0] != '\0' ? "," : "", principal);
    assert_ok(cof_policy_parse(cof_view_str(text), kind, sizeof text, &policy, NULL));
    return policy;
}

enum says { NOTHING, ALLOWS, ELSEWHERE, DENIES, N_SAYS }; /* NOTHING: there is no such policy */

struct one {
    enum who who;
    enum says identity, boundary, session;
    enum cof_resource_rule rule;
    bool ours;             /* the resource is our account's */
    enum says resource;    /* NOTHING, ALLOWS or DENIES */
    char reach;            /* what the resource policy's form is to the caller */
};

static bool narrows(enum says policy)
{
    return policy != NOTHING && policy != ALLOWS;
}

static enum cof_verdict expected(const struct one *o)
{
    bool own = o->who != NOBODY && o->ours == (o->who != STRANGER);
    bool granted = o->resource == ALLOWS && o->reach != '-';
    bool identity = o->identity == ALLOWS || o->who == ROOT;
    bool narrowed = narrows(o->boundary) || narrows(o->session);
    bool yes;

    if (o->identity == DENIES || o->boundary == DENIES || o->session == DENIES || (o->resource == DENIES && o->reach != '-'))
        return COF_VERDICT_EXPLICIT_DENY;
    if (o->who == NOBODY)
        yes = granted;
    else if (!own)
        yes = granted && identity && !narrowed;
    else if (granted && o->reach == 'S')
        yes = true;
    else if (granted && o->reach != 'A')
        yes = !narrowed;
    else if (o->rule == COF_RESOURCE_AUTHORITATIVE)
        yes = granted && identity && !narrowed;
    else
        yes = identity && !narrowed;
    return yes ? COF_VERDICT_ALLOW : COF_VERDICT_IMPLICIT_DENY;
}

static struct cof_policy *plain[N_SAYS];

static void check(const struct one *o, const struct cof_policy *resource, size_t form)
{
    struct cof_named_policy identity = {"identity", plain[o->identity]};
    struct cof_policy_set set = {.identity = &identity, .n_identity = o->identity != NOTHING, .resource = {"resource", resource},
        .rule = o->rule, .boundary = {"boundary", plain[o->boundary]}, .session = {"session", plain[o->session]}};
    struct cof_access access = {.caller = callers[o->who], .action = COF_LIT("s3:GetObject"), .resource = COF_LIT("arn:aws:s3:::b/x"),
        .resource_account = o->ours ? COF_LIT(OURS) : COF_LIT(THEIRS), .now_ms = 1795456800000};
    enum cof_verdict got = cof_evaluate(&set, &access).verdict;

    if (got != expected(o))
        fail_msg("caller %d, form %zu, identity %d, boundary %d, session %d, resource %d, rule %d, ours %d: %d, not %d", (int)o->who, form,
            (int)o->identity, (int)o->boundary, (int)o->session, (int)o->resource, (int)o->rule, (int)o->ours, (int)got,
            (int)expected(o));
}

/* All that can be said beside the resource's policy. Root and nobody have no policies; users have no session's. */
static size_t around(struct one o, const struct cof_policy *resource, size_t form)
{
    bool none = o.who == ROOT || o.who == NOBODY;
    size_t n = 0;

    for (int i = 0; i < (none ? 1 : N_SAYS); i++)
        for (int b = 0; b < (none ? 1 : N_SAYS); b++)
            for (int s = 0; s < (o.who == ASSUMED ? N_SAYS : 1); s++)
                for (int rule = 0; rule < 2; rule++)
                    for (int ours = 0; ours < 2; ours++, n++) {
                        o.identity = (enum says)i;
                        o.boundary = (enum says)b;
                        o.session = (enum says)s;
                        o.rule = rule == 0 ? COF_RESOURCE_EITHER : COF_RESOURCE_AUTHORITATIVE;
                        o.ours = ours != 0;
                        check(&o, resource, form);
                    }
    return n;
}

static void every_combination(void **state)
{
    size_t n = 0;

    (void)state;
    for (int who = 0; who < N_WHO; who++) {
        struct one o = {.who = (enum who)who, .reach = '-'};

        n += around(o, NULL, SIZE_MAX);
        for (size_t f = 0; f < N_FORMS; f++)
            for (int deny = 0; deny < 2; deny++) {
                struct cof_policy *resource = parse(deny ? "Deny" : "Allow", "s3:Get*", forms[f].principal);

                o.resource = deny ? DENIES : ALLOWS;
                o.reach = forms[f].reaches[who];
                n += around(o, resource, f);
                cof_policy_free(resource);
            }
        for (size_t f = 0; f < N_NOT_FORMS; f++) {
            struct cof_policy *resource = parse("Deny", "s3:Get*", not_forms[f].principal);

            o.resource = DENIES;
            o.reach = not_forms[f].denies[who];
            n += around(o, resource, N_FORMS + f);
            cof_policy_free(resource);
        }
    }
    assert_true(n > 9000);
}

static int begin(void **state)
{
    (void)state;
    plain[ALLOWS] = parse("Allow", "s3:Get*", "");
    plain[ELSEWHERE] = parse("Allow", "s3:Put*", "");
    plain[DENIES] = parse("Deny", "s3:*", "");
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (int i = 0; i < N_SAYS; i++)
        cof_policy_free(plain[i]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_combination)};

    return cmocka_run_group_tests(tests, begin, end);
}
