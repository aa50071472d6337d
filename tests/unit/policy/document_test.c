/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: the reader for people reads every policy of the deployment as the strict reader does, finds out what each is attached to, keeps
 * places those of the template when holes are filled, and understands as much of a wrong document as there is; cut at any byte or with a bit
 * flipped, nothing is read past the end, and what has no error the strict reader takes.
 */
#include "testing.h"

#include "policy/lint.h"

#include <dirent.h>

static const struct cof_template_value values[] = {
    {"account", "111122223333"}, {"region", "eu-west-1"}, {"bucket", "vault"}, {"data_key_arn", "arn:aws:kms:eu-west-1:111122223333:key/d"},
    {"results_key_arn", "arn:aws:kms:eu-west-1:111122223333:key/r"}, {"models_key_arn", "arn:aws:kms:eu-west-1:111122223333:key/m"},
    {"storage_key_arn", "arn:aws:kms:eu-west-1:111122223333:key/s"}, {"jobs_queue_arn", "arn:aws:sqs:eu-west-1:111122223333:j"},
    {"dead_letter_queue_arn", "arn:aws:sqs:eu-west-1:111122223333:d"}, {"producer_role_arn", "arn:aws:iam::111122223333:role/p"},
    {"consumer_role_arn", "arn:aws:iam::111122223333:role/c"}, {"owner_role_arn", "arn:aws:iam::111122223333:role/o"},
    {"deployer_role_arn", "arn:aws:iam::111122223333:role/e"}, {"auditor_role_arn", "arn:aws:iam::111122223333:role/a"},
    {"admin_role_arn", "arn:aws:iam::111122223333:role/x"}, {"pcr0", "aa"}, {"pcr1", "bb"}, {"pcr2", "cc"},
};

static enum cof_err read_text(const char *file, struct cof_view text, struct cof_findings *f, struct cof_document *d)
{
    struct cof_document_source source = {.file = file, .text = text, .values = values, .n_values = sizeof values / sizeof values[0]};

    return cof_document_read(&source, f, d);
}

static bool views_eq(const struct cof_view *a, size_t n_a, const struct cof_view *b, size_t n_b)
{
    for (size_t i = 0; n_a == n_b && i < n_a; i++)
        if (!cof_view_eq(a[i], b[i]))
            return false;
    return n_a == n_b;
}

static void same(const char *file, const struct cof_document *d)
{
    struct cof_policy *strict;
    struct cof_buf text;

    cof_buf_init(&text, (size_t)1 << 20);
    assert_ok(cof_document_write(d, &text));
    assert_int_equal(text.len, d->size_bytes);
    assert_ok(cof_policy_parse(cof_buf_view(&text), cof_document_policy_kind(d->kind), SIZE_MAX, &strict, NULL));
    assert_int_equal(strict->n_statements, d->policy->n_statements);
    for (size_t i = 0; i < strict->n_statements; i++) {
        const struct cof_statement *a = &strict->statements[i], *b = &d->policy->statements[i];

        if (a->effect != b->effect || !cof_view_eq(a->sid, b->sid) || !views_eq(a->actions, a->n_actions, b->actions, b->n_actions) ||
            !views_eq(a->resources, a->n_resources, b->resources, b->n_resources) || a->n_principals != b->n_principals ||
            a->n_conditions != b->n_conditions)
            fail_msg("%s: statement %zu differs", file, i);
        for (size_t c = 0; c < a->n_conditions; c++)
            if (a->conditions[c].op != b->conditions[c].op || !cof_view_eq(a->conditions[c].key, b->conditions[c].key) ||
                !views_eq(a->conditions[c].values, a->conditions[c].n_values, b->conditions[c].values, b->conditions[c].n_values))
                fail_msg("%s: condition %zu of statement %zu differs", file, c, i);
        for (size_t p = 0; p < a->n_principals; p++)
            assert_true(a->principals[p].kind == b->principals[p].kind &&
                        (a->principals[p].kind == COF_PRINCIPAL_ANYONE || cof_view_eq(a->principals[p].value, b->principals[p].value)));
        /* every place is where it says */
        assert_int_equal(d->text.data[d->places[i].at], '{');
        for (size_t k = 0; k < b->n_actions; k++)
            assert_int_equal(d->text.data[d->places[i].actions[k]], '"');
        for (size_t c = 0; c < b->n_conditions; c++)
            assert_memory_equal(d->text.data + d->places[i].conditions[c].key + 1, b->conditions[c].key.data, b->conditions[c].key.len);
    }
    cof_policy_free(strict);
    cof_buf_done(&text);
}

static void both_readers_agree(void **state)
{
    DIR *dir = opendir(SOURCE_ROOT "/deploy/iam");
    const struct dirent *entry;
    size_t n = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        struct cof_findings f = {0};
        struct cof_document d;
        struct cof_buf text;
        char path[4096];

        if (strstr(entry->d_name, ".json") == NULL)
            continue;
        (void)snprintf(path, sizeof path, SOURCE_ROOT "/deploy/iam/%s", entry->d_name);
        assert_true(read_file(path, &text));
        assert_ok(read_text(entry->d_name, cof_buf_view(&text), &f, &d));
        assert_int_equal(f.n, 0);
        assert_true(d.sound);
        same(entry->d_name, &d);
        assert_int_equal(strncmp(entry->d_name, "key-", 4) == 0, d.kind == COF_DOCUMENT_KEY);
        assert_int_equal(strncmp(entry->d_name, "trust-", 6) == 0, d.kind == COF_DOCUMENT_TRUST);
        assert_int_equal(strncmp(entry->d_name, "queue-", 6) == 0, d.kind == COF_DOCUMENT_QUEUE);
        assert_int_equal(strncmp(entry->d_name, "bucket-", 7) == 0, d.kind == COF_DOCUMENT_BUCKET);
        cof_document_done(&d);
        cof_findings_done(&f);
        cof_buf_done(&text);
        n++;
    }
    (void)closedir(dir);
    assert_true(n >= 20);
}

static void wrong_documents_are_understood_as_far_as_they_go(void **state)
{
    static const char text[] = "{\"Statement\":[{\"Effect\":\"Deny\",\"Principal\":{\"AWS\":[\"111122223333\",7],\"Condition\":{\"StringEqual\":{\"a:b\":[1,true]}}},"
                               "\"Action\":[\"kms:*\",{}],\"Resource\":\"*\"},5]}";
    struct cof_findings f = {0};
    struct cof_document d;

    assert_ok(read_text("x", cof_view_str(text), &f, &d));
    assert_false(d.sound);
    assert_true(d.refused[0] != '\0');
    assert_int_equal(d.policy->n_statements, 2);
    assert_int_equal(d.policy->statements[0].n_actions, 1);
    assert_int_equal(d.policy->statements[0].n_principals, 1);
    assert_int_equal(d.policy->statements[0].n_conditions, 1);
    assert_true(cof_view_eq_str(d.policy->statements[0].conditions[0].values[1], "true"));
    assert_int_equal(d.kind, COF_DOCUMENT_KEY);
    cof_document_done(&d);
    cof_findings_done(&f);
}

static void check_one(const uint8_t *bytes, size_t n)
{
    uint8_t *copy = malloc(n + 1);
    struct cof_findings f = {0};
    struct cof_document d;

    assert_non_null(copy);
    memcpy(copy, bytes, n);
    assert_ok(read_text("x", cof_view_of(copy, n), &f, &d));
    cof_policy_lint(&d, &f);
    if (!d.sound && cof_findings_count(&f, COF_SEVERITY_ERROR) == 0)
        fail_msg("no error in %.*s", (int)n, (const char *)bytes);
    for (size_t i = 0; i < f.n; i++)
        assert_true(f.items[i].at <= n);
    cof_document_done(&d);
    cof_findings_done(&f);
    free(copy);
}

static void every_cut_and_flip(void **state)
{
    static const char text[] = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"a\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"${admin_role_arn}\"},"
                               "\"Action\":\"kms:Decrypt\",\"Resource\":\"*\",\"Condition\":{\"Null\":{\"kms:RecipientAttestation:PCR0\":\"false\"}}}]}";
    char bytes[sizeof text];
    size_t n = sizeof text - 1;

    for (size_t i = 0; i <= n; i++)
        check_one((const uint8_t *)text, i);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        memcpy(bytes, text, n);
        bytes[bit / 8] ^= (char)(1u << bit % 8);
        check_one((const uint8_t *)bytes, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_readers_agree),
        cmocka_unit_test(wrong_documents_are_understood_as_far_as_they_go),
        cmocka_unit_test(every_cut_and_flip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
