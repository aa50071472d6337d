/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: identities of other accounts are made from the manifest, come as principals of their account, and reach over
 * accounts only where both sides allow; what they make is theirs; manifests that make no sense are refused.
 */
#include "standin_fixture.h"

#define ALLOW(principal, action, resource)                                                                             \
    "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\"" principal ",\"Action\":\"" action                \
    "\",\"Resource\":\"" resource "\"}}"
#define S3_ALL "\"policies\":[{\"name\":\"all\",\"document\":" ALLOW("", "s3:*", "*") "}]"
#define OPEN_TO(who) ALLOW(",\"Principal\":{\"AWS\":\"" who "\"}", "s3:PutObject", "arn:aws:s3:::shared/*")

/* fixture_key keeps the credential called "root": the caller of each world. */
#define WORLD(theirs)                                                                                                  \
    "{\"users\":[{\"name\":\"eve\"," S3_ALL "}],\"accounts\":[{\"id\":\"222233334444\",\"users\":[{\"name\":\"eve\"," S3_ALL       \
    "},{\"name\":\"bob\"},{\"name\":\"dan\"}],\"credentials\":[" theirs "]}],\"buckets\":[{\"name\":\"private\"},{\"name\":"      \
    "\"shared\",\"policy\":" OPEN_TO("222233334444") "},{\"name\":\"theirs\",\"owner\":\"222233334444\"}]}"
#define AS(user) WORLD("{\"name\":\"root\",\"user\":\"" user "\"}")
#define AS_ROOT WORLD("{\"name\":\"root\",\"root\":true}")

static const struct {
    const char *world, *method, *target;
    int status;
    const char *has;
} rows[] = {
    /* both sides allow */
    {AS("eve"), "PUT", "/shared/x", 200, NULL},
    {AS_ROOT, "PUT", "/shared/x", 200, NULL},
    /* only one side */
    {AS("bob"), "PUT", "/shared/x", 403, "no identity-based policy allows the s3:PutObject action"},
    {AS("eve"), "PUT", "/private/x", 403, "no resource-based policy allows the s3:PutObject action"},
    {AS_ROOT, "PUT", "/private/x", 403, "no resource-based policy allows"},
    /* a resource of their own needs their side alone */
    {AS("eve"), "PUT", "/theirs/x", 200, NULL},
    {AS("bob"), "PUT", "/theirs/x", 403, "arn:aws:iam::222233334444:user/bob"},
    {AS_ROOT, "PUT", "/theirs/x", 200, NULL},
    {AS("eve"), "PUT", "/a-new-one", 200, NULL},
    {AS("bob"), "PUT", "/a-new-one", 403, NULL},
    {AS("eve"), "PUT", "/private", 409, "BucketAlreadyExists"},
    {AS("eve"), "PUT", "/theirs", 200, NULL},
    /* each account lists its own */
    {AS("eve"), "GET", "/", 200, "<Name>theirs</Name>"},
    {AS("eve"), "GET", "/", 200, "<ID>222233334444</ID>"},
};

static void accounts_are_kept_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f;
        struct answer a;

        fixture_init(&f, rows[i].world);
        fixture_call(&f, rows[i].method, rows[i].target, "", NULL, COF_LIT(""), 1, &a);
        if (a.status != rows[i].status || (rows[i].has != NULL && !answer_has(&a, rows[i].has)))
            fail_msg("row %zu (%s %s): %d %.*s", i, rows[i].method, rows[i].target, a.status, (int)a.body.len,
                (const char *)a.body.data);
        if (rows[i].target[1] == '\0')
            assert_false(answer_has(&a, "<Name>shared</Name>"));
        answer_done(&a);
        fixture_done(&f);
    }
}

static void what_they_make_is_theirs(void **state)
{
    struct fixture f;
    struct answer a;

    (void)state;
    fixture_init(&f, AS("eve"));
    fixture_call(&f, "PUT", "/a-new-one", "", NULL, COF_LIT(""), 1, &a);
    answer_done(&a);
    fixture_call(&f, "PUT", "/a-new-one/x", "", NULL, COF_LIT("abc"), 3, &a);
    assert_int_equal(a.status, 200);
    answer_done(&a);
    fixture_call(&f, "GET", "/", "", NULL, COF_LIT(""), 1, &a);
    assert_true(answer_has(&a, "<Name>a-new-one</Name>"));
    answer_done(&a);
    fixture_done(&f);
}

/* The same bare name in two accounts is two users. */
static void names_do_not_collide(void **state)
{
    struct cof_iam_entity ours, theirs;
    struct fixture f;

    (void)state;
    fixture_init(&f, AS("eve"));
    assert_ok(cof_iam_get(&f.store.ops, COF_IAM_USER, COF_LIT(""), COF_LIT("eve"), &ours));
    assert_ok(cof_iam_get(&f.store.ops, COF_IAM_USER, COF_LIT("222233334444"), COF_LIT("eve"), &theirs));
    assert_string_equal(ours.arn, "arn:aws:iam::111122223333:user/eve");
    assert_string_equal(theirs.arn, "arn:aws:iam::222233334444:user/eve");
    cof_iam_entity_done(&ours);
    cof_iam_entity_done(&theirs);
    /* and no name reaches into another account */
    assert_int_equal(cof_iam_get(&f.store.ops, COF_IAM_USER, COF_LIT(""), COF_LIT("222233334444/eve"), &ours),
        COF_E_NOT_FOUND);
    assert_int_equal(cof_iam_get(&f.store.ops, COF_IAM_USER, COF_LIT(""), COF_LIT("bob"), &ours), COF_E_NOT_FOUND);
    fixture_done(&f);
}

static const struct {
    const char *manifest, *says;
} wrong[] = {
    {"{\"accounts\":[{\"id\":\"12345\"}]}", "\"12345\" is no account"},
    {"{\"accounts\":[{\"id\":\"11112222333a\"}]}", "is no account"},
    {"{\"accounts\":[{}]}", "is no account"},
    {"{\"accounts\":[{\"id\":\"111122223333\"}]}", "is the manifest's own"},
    {"{\"accounts\":[{\"id\":\"222233334444\",\"credentials\":[{\"name\":\"x\",\"user\":\"none\"}]}]}", "there is no none"},
    {"{\"users\":[{\"name\":\"a/b\"}]}", "is no name"},
    {"{\"users\":[{\"name\":\"a\",\"policies\":[{\"name\":\"p\"}]}]}", "has no document"},
    {"{\"users\":[{\"name\":\"a\",\"policies\":[{\"name\":\"p\",\"document\":{}}]}]}", "policy p of a"},
    {"{\"roles\":[{\"name\":\"a\"}]}", "has no trust policy"},
    {"{\"credentials\":[{\"name\":\"a\"}]}", "one of user, role, root"},
};

static void nonsense_is_refused(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct cof_diag diag = {.text = ""};
        json_t *manifest = json_loads(wrong[i].manifest, 0, NULL);

        assert_non_null(manifest);
        assert_int_equal(cof_standin_bootstrap(f.s, manifest, f.now_ms, fixture_key, &f, &diag), COF_E_CONFIG);
        if (strstr(diag.text, wrong[i].says) == NULL)
            fail_msg("row %zu: %s", i, diag.text);
        json_decref(manifest);
    }
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accounts_are_kept_apart),
        cmocka_unit_test(what_they_make_is_theirs),
        cmocka_unit_test(names_do_not_collide),
        cmocka_unit_test(nonsense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
