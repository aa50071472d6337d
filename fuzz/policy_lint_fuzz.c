/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents as people write them: JSON with places, the tolerant reader, every rule, and what two documents allow together. The first
 * byte chooses the kind. What is clean the strict reader takes, and both read it alike; every place lies in the text.
 */
#include "policy/lint.h"
#include "policy/reach.h"

#include <stdlib.h>

static void check_places(const struct cof_findings *f, size_t len)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->items[i].at > len || f->items[i].text[0] == '\0')
            abort();
}

/* Both readers agree about what both take. */
static void check_same(const struct cof_document *d)
{
    struct cof_policy *strict = NULL;
    struct cof_buf text;

    cof_buf_init(&text, (size_t)1 << 22);
    if (d->sound && cof_document_write(d, &text) == COF_OK &&
        cof_policy_parse(cof_buf_view(&text), cof_document_policy_kind(d->kind), SIZE_MAX, &strict, NULL) == COF_OK) {
        if (strict->n_statements != d->policy->n_statements || strict->variables != d->policy->variables)
            abort();
        for (size_t i = 0; i < strict->n_statements; i++) {
            const struct cof_statement *a = &strict->statements[i], *b = &d->policy->statements[i];

            if (a->effect != b->effect || a->n_actions != b->n_actions || a->n_resources != b->n_resources || a->n_principals != b->n_principals ||
                a->n_conditions != b->n_conditions || a->not_action != b->not_action || a->not_resource != b->not_resource ||
                a->not_principal != b->not_principal)
                abort();
            for (size_t c = 0; c < a->n_conditions; c++)
                if (a->conditions[c].op != b->conditions[c].op || a->conditions[c].n_values != b->conditions[c].n_values ||
                    !cof_view_eq(a->conditions[c].key, b->conditions[c].key))
                    abort();
        }
    }
    cof_policy_free(strict);
    cof_buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct cof_template_value values[] = {{"name", "value"}, {"quote", "a\"b\\"}};
    static const char attested[] = "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"kms:Decrypt\",\"Resource\":"
        "\"arn:aws:kms:eu-west-1:111122223333:key/k\",\"Condition\":{\"Null\":{\"kms:RecipientAttestation:PCR0\":\"false\"}}}}";
    struct cof_document_source source = {.file = "fuzz.json", .values = values, .n_values = 2};
    struct cof_findings findings = {0};
    struct cof_account *account;

    if (size == 0)
        return 0;
    account = malloc(sizeof *account);
    if (account == NULL)
        return 0;
    cof_account_init(account);
    source.text = cof_view_of(data + 1, size - 1);
    source.kind = (enum cof_document_kind)(data[0] % (COF_DOCUMENT_TRUST + 1));
    if (cof_account_add_document(account, source, &findings) != SIZE_MAX) {
        const struct cof_document *d = &account->documents[0];

        cof_policy_lint(d, &findings);
        check_places(&findings, size - 1);
        if (d->policy == NULL || !d->sound) {
            if (cof_findings_count(&findings, COF_SEVERITY_ERROR) == 0)
                abort();
        } else {
            check_same(d);
        }
        source = (struct cof_document_source){.file = "other.json", .text = cof_view_str(attested), .kind = COF_DOCUMENT_IDENTITY};
        (void)cof_account_add_document(account, source, &findings);
        cof_account_guess(account);
        if (cof_policy_reach(account, 1795456800000, &findings) == COF_OK)
            cof_findings_sort(&findings);
    }
    cof_findings_done(&findings);
    cof_account_done(account);
    free(account);
    return 0;
}
