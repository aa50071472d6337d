/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/lint_rules.h"

/* A Deny for everybody and every action, of requests without TLS. */
static bool denies_plain(const struct cof_statement *st, const char *everything)
{
    bool all = false;

    for (size_t i = 0; i < st->n_actions; i++)
        all = all || cof_view_eq_str(st->actions[i], "*") || cof_view_eq_nocase(st->actions[i], cof_view_str(everything));
    if (st->effect != COF_EFFECT_DENY || !all || st->not_action || !cof_lint_has_principal(st, COF_PRINCIPAL_ANYONE) || st->n_conditions != 1)
        return false;
    return cof_lint_key_is(st->conditions[0].key, "aws:SecureTransport") && st->conditions[0].n_values == 1 &&
           cof_view_eq_nocase(st->conditions[0].values[0], COF_LIT("false"));
}

void cof_lint_guards(const struct lint *l)
{
    const char *everything = l->d->kind == COF_DOCUMENT_BUCKET ? "s3:*" : "sqs:*";
    bool tls = false, endpoint = false;

    if (l->d->kind != COF_DOCUMENT_BUCKET && l->d->kind != COF_DOCUMENT_QUEUE)
        return;
    for (size_t i = 0; i < l->d->policy->n_statements; i++) {
        const struct cof_statement *st = &l->d->policy->statements[i];

        tls = tls || denies_plain(st, everything);
        for (size_t c = 0; c < st->n_conditions; c++)
            endpoint = endpoint || cof_lint_key_is(st->conditions[c].key, "aws:SourceVpc*") || cof_lint_key_is(st->conditions[c].key, "aws:Vpce*");
    }
    if (!tls)
        cof_findings_add(l->f, COF_RULE_NO_TLS, l->d->index, l->d->tree.nodes[0].at, "this %s takes requests without TLS",
                         cof_document_kind_name(l->d->kind));
    if (!endpoint)
        cof_findings_add(l->f, COF_RULE_NO_ENDPOINT, l->d->index, l->d->tree.nodes[0].at, "this %s can be reached from everywhere",
                         cof_document_kind_name(l->d->kind));
}
