/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/lint_rules.h"

#include <stdio.h>

#define PCR_HEX 96 /* SHA-384 */

static void check_pcr_value(const struct lint *l, const struct cof_statement *st, const struct cof_condition *c, struct cof_view v, size_t at)
{
    bool zeros = v.len > 0, hex = v.len == PCR_HEX, upper = false;
    bool exact = c->op != COF_COND_StringEqualsIgnoreCase && c->op != COF_COND_StringNotEqualsIgnoreCase;
    struct cof_finding *f;

    if (cof_text_has_hole(v))
        return;
    for (size_t i = 0; i < v.len; i++) {
        uint8_t ch = v.data[i], low = ch | 0x20;

        zeros = zeros && ch == '0';
        hex = hex && ((ch >= '0' && ch <= '9') || (low >= 'a' && low <= 'f'));
        upper = upper || (ch >= 'A' && ch <= 'F');
    }
    if (zeros) {
        f = cof_findings_add(l->f, COF_RULE_ZERO_PCR, l->d->index, at, "%.*s is all zeros", COF_SHOW(c->key));
    } else if (v.len != PCR_HEX && !cof_lint_is_wild(v)) {
        f = cof_findings_add(l->f, COF_RULE_BAD_PCR, l->d->index, at, "%.*s has %zu digits, not %d", COF_SHOW(c->key), v.len, PCR_HEX);
        if (v.len == 64)
            cof_finding_mend(f, "this looks like a SHA-256; a PCR is a SHA-384, as 'coffer eif describe' gives it");
    } else if (!hex) {
        f = cof_findings_add(l->f, COF_RULE_BAD_PCR, l->d->index, at, cof_lint_is_wild(v) ? "%.*s with a wildcard" : "%.*s is not hex",
                             COF_SHOW(c->key));
    } else if (upper && exact) {
        f = cof_findings_add(l->f, COF_RULE_PCR_CASE, l->d->index, at, "%.*s in upper case", COF_SHOW(c->key));
    } else {
        return;
    }
    f->sid = st->sid;
}

/* What a statement pins: a bit for each PCR that has to have a value. */
static uint32_t check_pcrs(const struct lint *l, struct lint_statement s)
{
    uint32_t pinned = 0;
    size_t n_negated = 0, last = 0;

    for (size_t i = 0; i < s.st->n_conditions; i++) {
        const struct cof_condition *c = &s.st->conditions[i];
        int pcr = cof_lint_pcr_of(c->key);

        if (pcr < 0 || c->op == COF_COND_Null)
            continue;
        for (size_t v = 0; v < c->n_values; v++)
            check_pcr_value(l, s.st, c, c->values[v], s.at->conditions[i].values[v]);
        if (cof_lint_is_negated(c->op)) {
            n_negated++;
            last = s.at->conditions[i].key;
        }
        if (cof_lint_is_equality(c->op) && cof_lint_demands(c))
            pinned |= UINT32_C(1) << pcr;
    }
    if (s.st->effect == COF_EFFECT_DENY && n_negated > 1)
        cof_findings_add(l->f, COF_RULE_ANDED_DENY, l->d->index, last, "%zu PCRs in one Deny", n_negated)->sid = s.st->sid;
    return pinned;
}

static bool uses_key(const struct cof_statement *st)
{
    static const char *const uses[] = {"kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyPair", "kms:Encrypt",
        "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:CreateGrant", "kms:DeriveSharedSecret", "kms:Sign"};

    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++)
        if (cof_lint_covers(st, uses[i]))
            return true;
    return false;
}

static void check_allow(const struct lint *l, struct lint_statement s, uint32_t pinned)
{
    enum cof_rule rule = pinned == UINT32_C(1) << 8 ? COF_RULE_SIGNER_ONLY : (pinned & 7) == 1 ? COF_RULE_PCR0_ONLY :
                         pinned != 0 && (pinned & 0x107) == 0 ? COF_RULE_NO_CODE_PCR : COF_N_RULES;

    if (rule != COF_N_RULES)
        cof_findings_add(l->f, rule, l->d->index, s.at->condition, rule == COF_RULE_NO_CODE_PCR ? "PCRs that do not measure the code" :
                         "%s pinned alone", rule == COF_RULE_SIGNER_ONLY ? "PCR8" : "PCR0")->sid = s.st->sid;
    if (cof_lint_lists(s.st, "kms:Encrypt") && !cof_lint_via_service(s.st) && !cof_lint_has_principal(s.st, COF_PRINCIPAL_SERVICE))
        cof_findings_add(l->f, COF_RULE_ENCRYPT_DIRECTLY, l->d->index, s.at->action, "Allow kms:Encrypt")->sid = s.st->sid;
    for (size_t i = 0; i < s.st->n_conditions && uses_key(s.st); i++)
        if (cof_lint_demands(&s.st->conditions[i]) &&
            (cof_lint_key_is(s.st->conditions[i].key, "kms:RequestAlias") || cof_lint_key_is(s.st->conditions[i].key, "kms:ResourceAliases")))
            cof_findings_add(l->f, COF_RULE_ALIAS_CONDITION, l->d->index, s.at->conditions[i].key, "the key is chosen by its alias (%.*s)",
                             COF_SHOW(s.st->conditions[i].key))->sid = s.st->sid;
    if (l->d->kind != COF_DOCUMENT_KEY || s.st->not_principal || !uses_key(s.st) || cof_lint_via_service(s.st))
        return;
    for (size_t i = 0; i < s.st->n_principals; i++)
        if (s.st->principals[i].kind == COF_PRINCIPAL_ACCOUNT)
            cof_findings_add(l->f, COF_RULE_ROOT_DELEGATION, l->d->index, s.at->principals[i], "the key's data operations go to account %.*s",
                             COF_SHOW(s.st->principals[i].value))->sid = s.st->sid;
}

static bool denies_missing_attestation(const struct cof_statement *st)
{
    if (st->effect != COF_EFFECT_DENY || !cof_lint_covers(st, "kms:Decrypt") || st->n_conditions != 1 ||
        cof_lint_pcr_of(st->conditions[0].key) < 0)
        return false;
    return cof_lint_is_negated(st->conditions[0].op) ? !st->conditions[0].if_exists
                                                 : st->conditions[0].op == COF_COND_Null && !cof_lint_demands(&st->conditions[0]);
}

static const char *who(const struct cof_statement *st, char *out, size_t size)
{
    struct cof_view v = st->n_principals > 0 ? st->principals[0].value : COF_LIT("nobody");

    (void)snprintf(out, size, "%.*s%s", COF_SHOW(v), st->n_principals > 1 ? " and others" : "");
    return out;
}

/* Somebody must be able to change the policy, and whoever can may open the key. */
static void check_holders(const struct lint *l, bool attested)
{
    bool any = false;

    for (size_t i = 0; i < l->d->policy->n_statements; i++) {
        const struct cof_statement *st = &l->d->policy->statements[i];
        bool mfa = cof_lint_only_roles(st) || cof_lint_has_demand(st, "aws:MultiFactorAuth*") || /* of a role its trust policy speaks */
                   (st->n_principals > 0 && cof_text_has_hole(st->principals[0].value));
        char name[128];

        if (st->effect != COF_EFFECT_ALLOW || !cof_lint_covers(st, "kms:PutKeyPolicy"))
            continue;
        any = true;
        if (attested)
            cof_findings_add(l->f, mfa ? COF_RULE_PUT_KEY_POLICY : COF_RULE_PUT_KEY_POLICY_UNGUARDED, l->d->index,
                             l->d->places[i].action == COF_NO_PLACE ? l->d->places[i].at : l->d->places[i].action,
                             "%s may replace this key policy", who(st, name, sizeof name))->sid = st->sid;
    }
    if (!any && !cof_view_starts(l->d->policy->id, COF_LIT("auto-"))) /* AWS's own keys say so in their Id */
        cof_findings_add(l->f, COF_RULE_LOCKED_OUT, l->d->index, l->d->tree.nodes[0].at, "nobody has kms:PutKeyPolicy");
}

void cof_lint_attestation(const struct lint *l)
{
    bool attested = false, denied = false;
    size_t first = COF_NO_PLACE;

    for (size_t i = 0; i < l->d->policy->n_statements; i++) {
        const struct cof_statement *st = &l->d->policy->statements[i];
        struct lint_statement s = {st, &l->d->places[i]};
        uint32_t pinned = check_pcrs(l, s);

        if (st->effect == COF_EFFECT_ALLOW)
            check_allow(l, s, pinned);
        if (st->effect == COF_EFFECT_ALLOW && pinned != 0 && cof_lint_covers(st, "kms:Decrypt") && !attested) {
            attested = true;
            first = s.at->at;
        }
        denied = denied || denies_missing_attestation(st);
    }
    if (l->d->kind != COF_DOCUMENT_KEY)
        return;
    if (attested && !denied)
        cof_findings_add(l->f, COF_RULE_NO_ATTESTATION_DENY, l->d->index, first, "no Deny for a missing attestation");
    check_holders(l, attested);
}
