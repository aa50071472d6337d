/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: a caller that is remembered is the one the store says, whatever was written, removed or undone since; one that is
 * held meanwhile stays as it was; what is remembered is used again.
 */
#include "testing.h"

#include "memory_store.h"
#include "seeded.h"
#include "standin/callers.h"
#include "standin/memo.h"

#define ACCOUNT "111122223333"

struct world {
    struct memory_store memory;
    struct cof_memo *memo;
    const struct cof_store *store;
    struct cof_callers callers;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    memory_store_init(&w->memory);
    assert_ok(cof_memo_new(&w->memory.ops, &w->memo));
    w->store = cof_memo_store(w->memo);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    cof_callers_done(&w->callers);
    cof_memo_free(w->memo);
    memory_store_done(&w->memory);
    free(w);
    return 0;
}

/* User or role n, whose policy, boundary and tag are of that edition. */
static void put_entity(struct world *w, bool role, int n, unsigned edition)
{
    char name[16], arn[80], text[40], id[16];
    struct cof_iam_entity e = {.name = name, .arn = arn, .id = id, .n_policies = 1 + edition % 3, .n_tags = edition % 2};

    (void)snprintf(name, sizeof name, "e%d", n);
    (void)snprintf(arn, sizeof arn, "arn:aws:iam::" ACCOUNT ":%s/%s", role ? "role" : "user", name);
    (void)snprintf(id, sizeof id, "ID%d-%u", n, edition % 4);
    (void)snprintf(text, sizeof text, "edition %u", edition);
    for (size_t i = 0; i < e.n_policies; i++)
        e.policies[i] = (struct cof_iam_policy){(char *)(uintptr_t)"p", text};
    if (edition % 5 == 0)
        e.boundary = (struct cof_iam_policy){(char *)(uintptr_t)"b", text};
    e.tags[0].key = (char *)(uintptr_t)"team";
    e.tags[0].value = text;
    assert_ok(cof_iam_put(w->store, role ? COF_IAM_ROLE : COF_IAM_USER, cof_view_str(""), &e));
}

static void put_key(struct world *w, int n, unsigned edition)
{
    char id[24], secret[24], name[16];
    struct cof_iam_key key = {.access_key_id = id, .secret = secret, .name = name, .created_ms = edition,
        .kind = edition % 7 == 0 ? COF_CALLER_ROOT : edition % 2 == 0 ? COF_CALLER_USER : COF_CALLER_ROLE, .mfa_ms = edition % 3};

    (void)snprintf(id, sizeof id, "AKIA%d", n);
    (void)snprintf(secret, sizeof secret, "secret %u", edition);
    (void)snprintf(name, sizeof name, "e%u", edition % 3);
    if (key.kind == COF_CALLER_ROLE) {
        key.session_token = secret;
        key.session_name = name;
        key.session_policy = id;
        assert_ok(cof_iam_key_tag(&key, COF_LIT("Team"), cof_view_str(name), true));
    }
    assert_ok(cof_iam_key_put(w->store, &key));
    free(key.tags[0].key);
    free(key.tags[0].value);
}

static void assert_text(const char *a, const char *b)
{
    assert_true((a == NULL) == (b == NULL));
    if (a != NULL)
        assert_string_equal(a, b);
}

static void assert_view(struct cof_view a, struct cof_view b)
{
    assert_true(cof_view_eq(a, b));
}

static void assert_policy(const struct cof_iam_policy *a, const struct cof_iam_policy *b)
{
    assert_text(a->name, b->name);
    assert_text(a->text, b->text);
}

static void assert_principal(const struct cof_iam_principal *a, const struct cof_iam_principal *b)
{
    assert_int_equal(a->caller.kind, b->caller.kind);
    assert_view(a->caller.account, b->caller.account);
    assert_view(a->caller.arn, b->caller.arn);
    assert_view(a->caller.role_arn, b->caller.role_arn);
    assert_view(a->caller.user_id, b->caller.user_id);
    assert_view(a->caller.name, b->caller.name);
    assert_int_equal(a->caller.n_tags, b->caller.n_tags);
    for (size_t i = 0; i < a->caller.n_tags; i++) {
        assert_view(a->caller.tags[i].key, b->caller.tags[i].key);
        assert_view(a->caller.tags[i].value, b->caller.tags[i].value);
    }
    assert_int_equal(a->entity.n_policies, b->entity.n_policies);
    for (size_t i = 0; i < a->entity.n_policies; i++)
        assert_policy(&a->entity.policies[i], &b->entity.policies[i]);
    assert_policy(&a->entity.boundary, &b->entity.boundary);
    assert_text(a->key.session_policy, b->key.session_policy);
    assert_text(a->key.session_token, b->key.session_token);
    assert_null(a->key.secret);
    assert_int_equal(a->key.created_ms, b->key.created_ms);
    assert_int_equal(a->key.mfa_ms, b->key.mfa_ms);
}

/* The remembered one against the store below, which remembers nothing. */
static void compare(struct world *w, int n)
{
    struct cof_known_caller *known;
    struct cof_iam_principal fresh = {.account = ""};
    struct cof_iam_key key = {0};
    char id[24], secret[24] = "";
    enum cof_err want, err;

    (void)snprintf(id, sizeof id, "AKIA%d", n);
    want = cof_iam_key_get(&w->memory.ops, cof_view_str(id), &key);
    if (want == COF_OK) {
        (void)snprintf(secret, sizeof secret, "%s", key.secret);
        want = cof_iam_principal_init(&w->memory.ops, ACCOUNT, &key, &fresh);
    }
    err = cof_callers_get(&w->callers, w->store, ACCOUNT, cof_view_str(id), &known);
    assert_int_equal(err, want);
    if (err == COF_OK) {
        assert_string_equal(known->secret, secret);
        assert_principal(&known->principal, &fresh);
    } else {
        assert_null(known);
    }
    cof_known_caller_unref(known);
    cof_iam_principal_done(&fresh);
    cof_iam_key_done(&key);
}

static void remove_record(struct world *w, const char *space, const char *prefix, int n)
{
    char key[24];

    (void)snprintf(key, sizeof key, "%s%d", prefix, n);
    assert_ok(w->store->remove(w->store->ctx, space, cof_view_str(key)));
}

static void change(struct world *w, unsigned what, int n, unsigned edition)
{
    switch (what) {
    case 0:
    case 1:
        put_key(w, n, edition);
        break;
    case 2:
    case 3:
        put_entity(w, what == 3, n % 3, edition);
        break;
    case 4:
        remove_record(w, "iam.key", "AKIA", n);
        break;
    case 5:
        remove_record(w, edition % 2 == 0 ? "iam.user" : "iam.role", "e", n % 3);
        break;
    case 6:
        assert_ok(w->store->commit(w->store->ctx));
        break;
    default:
        break; /* nothing changed: what is remembered serves */
    }
}

static void what_is_remembered_is_what_the_store_says(void **state)
{
    struct world *w = *state;
    uint64_t seed = 20261130;
    uint8_t r[8];

    for (unsigned round = 1; round < 3000; round++) {
        (void)seeded_fill(&seed, r, sizeof r);
        if (r[0] % 4 == 0) { /* undone, after it was looked at */
            assert_ok(w->store->savepoint(w->store->ctx));
            change(w, r[1] % 6, r[2] % 5, round);
            compare(w, r[3] % 5);
            assert_ok(w->store->rollback(w->store->ctx));
        } else {
            change(w, r[1] % 12, r[2] % 5, round);
        }
        for (int n = 0; n < 5; n++)
            compare(w, n);
    }
}

static void what_is_held_stays(void **state)
{
    struct world *w = *state;
    struct cof_known_caller *before, *again, *after;

    put_entity(w, false, 2, 4);
    put_key(w, 0, 2);
    assert_ok(cof_callers_get(&w->callers, w->store, ACCOUNT, COF_LIT("AKIA0"), &before));
    assert_ok(cof_callers_get(&w->callers, w->store, ACCOUNT, COF_LIT("AKIA0"), &again));
    assert_ptr_equal(before, again);
    put_entity(w, false, 2, 5);
    put_key(w, 0, 8);
    assert_ok(cof_callers_get(&w->callers, w->store, ACCOUNT, COF_LIT("AKIA0"), &after));
    assert_ptr_not_equal(before, after);
    assert_string_equal(before->secret, "secret 2");
    assert_string_equal(before->principal.entity.policies[0].text, "edition 4");
    assert_string_equal(after->secret, "secret 8");
    assert_string_equal(after->principal.entity.policies[0].text, "edition 5");
    cof_known_caller_unref(after);
    cof_known_caller_unref(again);
    cof_callers_done(&w->callers);
    assert_string_equal(before->secret, "secret 2");
    cof_known_caller_unref(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_remembered_is_what_the_store_says, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_held_stays, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
