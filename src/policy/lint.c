/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/lint.h"

#include "policy/lint_rules.h"

/* Nothing may be clean and yet refused: what the strict reader alone minds is a finding too. */
static void check_refused(const struct lint *l)
{
    if (l->d->sound)
        return;
    for (size_t i = 0; i < l->f->n; i++)
        if (l->f->items[i].document == l->d->index && l->f->items[i].severity == COF_SEVERITY_ERROR)
            return;
    cof_findings_add(l->f, COF_RULE_REFUSED, l->d->index, l->d->tree.n > 0 ? l->d->tree.nodes[0].at : 0, "%s", l->d->refused);
}

void cof_policy_lint(const struct cof_document *document, struct cof_findings *findings)
{
    const struct lint l = {document, findings};

    if (document->policy == NULL || document->places == NULL)
        return; /* no JSON or no statements, which was said */
    cof_lint_form(&l);
    for (size_t i = 0; i < document->policy->n_statements; i++) {
        struct lint_statement s = {&document->policy->statements[i], &document->places[i]};

        cof_lint_actions(&l, s);
        cof_lint_resources(&l, s);
        cof_lint_principals(&l, s);
        cof_lint_conditions(&l, s);
        cof_lint_contradictions(&l, s);
    }
    cof_lint_attestation(&l);
    cof_lint_overlaps(&l);
    cof_lint_guards(&l);
    check_refused(&l);
}
