/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: whether a statement asks of the request's context or not changes no decision. Random policies decide the same when
 * each of their statements also gets a condition that always holds, so that the context is made for it.
 */
#include "testing.h"

#include "policy/evaluate.h"
#include "seeded.h"

#define C(text) {(const uint8_t *)("" text), sizeof(text) - 1}
#define OURS "111122223333"
#define ANN "arn:aws:iam::" OURS ":user/ann"
#define THINGS "\"arn:aws:s3:::b/"

static const char *const actions[] = {"\"s3:GetObject\"", "\"s3:*\"", "\"s3:Put*\"", "[\"kms:Decrypt\",\"s3:getobject\"]"};
static const char *const resources[] = {"\"*\"", THINGS "x\"", THINGS "*\"", THINGS "${aws:username}\"", THINGS "${no:such}\"",
    "[" THINGS "y\"," THINGS "${aws:username}/*\"," THINGS "?\"]", THINGS "${*}\"", THINGS "${aws:PrincipalTag/team}\""};
static const char *const conditions[] = {"", "\"StringEquals\":{\"aws:username\":\"ann\"}", "\"StringEquals\":{\"aws:username\":\"bob\"}",
    "\"Bool\":{\"aws:SecureTransport\":\"false\"}", "\"StringLike\":{\"aws:PrincipalTag/team\":\"${aws:username}\"}",
    "\"DateGreaterThan\":{\"aws:CurrentTime\":\"2026-01-01T00:00:00Z\"}"};
static const char *const principals[] = {"\"Principal\":\"*\"", "\"Principal\":{\"AWS\":\"" ANN "\"}", "\"Principal\":{\"AWS\":\"" OURS "\"}",
    "\"NotPrincipal\":{\"AWS\":[\"" ANN "\",\"" OURS "\"]}"};

#define PICK(list, n) list[(n) % (sizeof(list) / sizeof(list)[0])]

/* The same policy twice, from the same bytes; asking: every statement asks. */
static struct cof_policy *make(const uint8_t r[16], bool resource, bool asking)
{
    struct cof_policy *policy;
    struct cof_buf text;
    size_t n = 1 + r[0] % 3;

    cof_buf_init(&text, 8192);
    cof_buf_printf(&text, "{\"Version\":\"%s\",\"Statement\":[", r[1] % 4 == 0 ? "2008-10-17" : "2012-10-17");
    for (size_t i = 0; i < n; i++) {
        const uint8_t *s = r + 2 + 4 * i;
        const char *condition = PICK(conditions, s[2]);
        bool deny = s[3] % 3 == 0;

        cof_buf_printf(&text, "%s{\"Effect\":\"%s\",\"%sAction\":%s,\"%sResource\":%s", i == 0 ? "" : ",", deny ? "Deny" : "Allow",
                       s[3] % 7 == 0 ? "Not" : "", PICK(actions, s[0]), s[3] % 11 == 0 ? "Not" : "", PICK(resources, s[1]));
        if (resource)
            cof_buf_printf(&text, ",%s", deny ? PICK(principals, s[3] / 3u) : principals[s[3] % 3]);
        if (condition[0] != '\0' || asking)
            cof_buf_printf(&text, ",\"Condition\":{%s%s%s}", condition, condition[0] != '\0' && asking ? "," : "",
                           asking ? "\"Null\":{\"aws:EpochTime\":\"false\"}" : "");
        cof_buf_add_str(&text, "}");
    }
    cof_buf_add_str(&text, "]}");
    if (cof_policy_parse(cof_buf_view(&text), resource ? COF_POLICY_RESOURCE : COF_POLICY_IDENTITY, 8192, &policy, NULL) != COF_OK)
        fail_msg("%s", cof_buf_cstr(&text));
    cof_buf_done(&text);
    return policy;
}

static void what_is_not_asked_changes_nothing(void **state)
{
    static const struct cof_tag team = {C("team"), C("ann")};
    const struct cof_view no = COF_LIT("false");
    const struct cof_context_value secure = {COF_LIT("aws:SecureTransport"), &no, 1};
    size_t n_seen[3] = {0};
    uint64_t seed = 11;

    for (int round = 0; round < 20000; round++) {
        struct cof_access access = {.caller = {.kind = COF_CALLER_USER, .account = C(OURS), .arn = C(ANN), .name = C("ann"), .user_id = C("AIDA1"),
                                               .tags = &team, .n_tags = 1},
            .action = COF_LIT("s3:GetObject"), .resource_account = COF_LIT(OURS), .now_ms = 1795456800000, .context = {&secure, 1}};
        struct cof_policy *made[2][2];
        struct cof_decision d[2];
        uint8_t r[34];

        (void)seeded_fill(&seed, r, sizeof r);
        access.resource = r[32] % 3 == 0 ? COF_LIT("arn:aws:s3:::b/x") : r[32] % 3 == 1 ? COF_LIT("arn:aws:s3:::b/ann") : COF_LIT("arn:aws:s3:::b/ann/1");
        for (int asking = 0; asking < 2; asking++) {
            struct cof_named_policy identity = {"identity", made[asking][0] = make(r, false, asking != 0)};
            struct cof_policy_set set = {.identity = &identity, .n_identity = 1, .rule = COF_RESOURCE_EITHER,
                .resource = {"resource", made[asking][1] = make(r + 16, true, asking != 0)}};

            d[asking] = cof_evaluate(&set, &access);
        }
        assert_int_equal(d[0].verdict, d[1].verdict);
        assert_int_equal(d[0].source, d[1].source);
        assert_int_equal(d[0].statement, d[1].statement);
        n_seen[d[0].verdict]++;
        for (int i = 0; i < 4; i++)
            cof_policy_free(made[i / 2][i % 2]);
    }
    for (size_t i = 0; i < 3; i++)
        assert_true(n_seen[i] > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_not_asked_changes_nothing)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
