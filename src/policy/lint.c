/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/lint.h"

#include <string.h>

#define ATTESTATION "kms:RecipientAttestation"
#define PCR_HEX 96 /* SHA-384 */

static const struct {
    const char *name, *text;
    enum cof_lint_level level;
} table[] = {
#define X(code, lvl, what) [COF_LINT_##code] = {#code, what, COF_LINT_##lvl},
    COF_LINT_TABLE(X)
#undef X
};

const char *cof_lint_name(enum cof_lint_code code)
{
    return table[code].name;
}

const char *cof_lint_text(enum cof_lint_code code)
{
    return table[code].text;
}

enum cof_lint_level cof_lint_level(enum cof_lint_code code)
{
    return table[code].level;
}

struct findings {
    struct cof_lint_finding *out;
    size_t max, n;
};

static void add(struct findings *f, enum cof_lint_code code, size_t statement)
{
    for (size_t i = 0; i < f->n && i < f->max; i++)
        if (f->out[i].code == code && f->out[i].statement == statement)
            return;
    if (f->n < f->max)
        f->out[f->n] = (struct cof_lint_finding){code, statement};
    f->n++;
}

static bool starts_nocase(struct cof_view v, const char *prefix)
{
    return cof_view_eq_nocase(cof_view_sub(v, 0, strlen(prefix)), cof_view_str(prefix));
}

/* The register a key speaks of: 0..31, -1 for what is no attestation key at all, -2 for one that does not exist. */
static int pcr_of(struct cof_view key)
{
    struct cof_view rest = cof_view_sub(key, strlen(ATTESTATION), SIZE_MAX);
    int n = 0;

    if (!starts_nocase(key, ATTESTATION))
        return -1;
    if (cof_view_eq_nocase(rest, COF_LIT(":ImageSha384")))
        return 0;
    if (starts_nocase(rest, ":NitroTPMPCR"))
        return -1; /* another product's registers */
    if (!starts_nocase(rest, ":PCR") || rest.len < 5 || rest.len > 6)
        return -2;
    for (size_t i = 4; i < rest.len; i++) {
        if (rest.data[i] < '0' || rest.data[i] > '9')
            return -2;
        n = n * 10 + (rest.data[i] - '0');
    }
    return n <= 31 ? n : -2;
}

static bool is_negated(enum cof_cond_op op)
{
    return op == COF_COND_StringNotEquals || op == COF_COND_StringNotEqualsIgnoreCase || op == COF_COND_StringNotLike;
}

static bool is_equality(enum cof_cond_op op)
{
    return op == COF_COND_StringEquals || op == COF_COND_StringEqualsIgnoreCase || op == COF_COND_StringLike;
}

static void check_pcr_value(struct findings *f, size_t statement, const struct cof_condition *c, struct cof_view v)
{
    bool zeros = v.len > 0, hex = v.len == PCR_HEX, upper = false;

    for (size_t i = 0; i < v.len; i++) {
        uint8_t ch = v.data[i], low = ch | 0x20;

        zeros = zeros && ch == '0';
        hex = hex && ((ch >= '0' && ch <= '9') || (low >= 'a' && low <= 'f'));
        upper = upper || (ch >= 'A' && ch <= 'F');
    }
    if (zeros)
        add(f, COF_LINT_ZERO_PCR, statement);
    else if (!hex)
        add(f, COF_LINT_EMPTY_PCR, statement);
    else if (upper && c->op != COF_COND_StringEqualsIgnoreCase && c->op != COF_COND_StringNotEqualsIgnoreCase)
        add(f, COF_LINT_PCR_CASE, statement);
}

/* What a statement's conditions pin: a bit for each PCR under equality. */
static uint32_t check_conditions(struct findings *f, size_t index, const struct cof_statement *st)
{
    uint32_t pinned = 0;
    size_t n_negated = 0;

    for (size_t i = 0; i < st->n_conditions; i++) {
        const struct cof_condition *c = &st->conditions[i];
        int pcr = pcr_of(c->key);

        if (starts_nocase(c->key, "aws:RequestContext"))
            add(f, COF_LINT_REQUEST_CONTEXT, index);
        if (pcr == -2)
            add(f, COF_LINT_UNKNOWN_KEY, index);
        if (pcr < 0 || c->op == COF_COND_Null)
            continue;
        for (size_t v = 0; v < c->n_values; v++)
            check_pcr_value(f, index, c, c->values[v]);
        n_negated += is_negated(c->op);
        if (is_equality(c->op) && !c->if_exists && c->set != COF_COND_FOR_ALL_VALUES)
            pinned |= UINT32_C(1) << pcr;
    }
    if (st->effect == COF_EFFECT_DENY && n_negated > 1)
        add(f, COF_LINT_ANDED_DENY, index);
    return pinned;
}

static bool covers(const struct cof_statement *st, const char *action)
{
    bool found = false;

    for (size_t i = 0; i < st->n_actions && !found; i++)
        found = cof_glob_match_nocase((struct cof_glob){st->actions[i], NULL}, cof_view_str(action));
    return found != st->not_action;
}

static bool uses_key(const struct cof_statement *st)
{
    static const char *const uses[] = {"kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyPair", "kms:Encrypt",
        "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:CreateGrant", "kms:DeriveSharedSecret", "kms:Sign"};

    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++)
        if (covers(st, uses[i]))
            return true;
    return false;
}

static bool has_principal(const struct cof_statement *st, enum cof_principal_kind kind)
{
    for (size_t i = 0; i < st->n_principals; i++)
        if (st->principals[i].kind == kind)
            return true;
    return false;
}

/* Through a service only: S3 and the like use keys for callers they have checked. */
static bool via_service(const struct cof_statement *st)
{
    for (size_t i = 0; i < st->n_conditions; i++)
        if (is_equality(st->conditions[i].op) && !st->conditions[i].if_exists &&
            cof_view_eq_nocase(st->conditions[i].key, COF_LIT("kms:ViaService")))
            return true;
    return false;
}

static bool names_caller(const struct cof_statement *st)
{
    for (size_t i = 0; i < st->n_conditions; i++)
        if (starts_nocase(st->conditions[i].key, "aws:Principal") ||
            cof_view_eq_nocase(st->conditions[i].key, COF_LIT("kms:CallerAccount")))
            return true;
    return false;
}

static void check_allow(struct findings *f, size_t index, const struct cof_statement *st, uint32_t pinned)
{
    if (st->not_principal)
        add(f, COF_LINT_NOT_PRINCIPAL_ALLOW, index);
    if (pinned == UINT32_C(1) << 8)
        add(f, COF_LINT_SIGNER_ONLY, index);
    if ((pinned & 7) == 1)
        add(f, COF_LINT_PCR0_ONLY, index);
    if (st->n_principals == 0 || st->not_principal || !uses_key(st) || via_service(st))
        return;
    if (has_principal(st, COF_PRINCIPAL_ACCOUNT))
        add(f, COF_LINT_ROOT_DELEGATION, index);
    if (has_principal(st, COF_PRINCIPAL_ANYONE) && pinned == 0 && !names_caller(st))
        add(f, COF_LINT_PUBLIC_KEY_USE, index);
}

static bool denies_missing_attestation(const struct cof_statement *st)
{
    if (st->effect != COF_EFFECT_DENY || !covers(st, "kms:Decrypt") || st->n_conditions != 1 ||
        pcr_of(st->conditions[0].key) < 0)
        return false;
    return is_negated(st->conditions[0].op) ? !st->conditions[0].if_exists : st->conditions[0].op == COF_COND_Null;
}

size_t cof_policy_lint(const struct cof_policy *policy, struct cof_lint_finding *out, size_t max)
{
    struct findings f = {out, max, 0};
    bool attested = false, denied = false;

    if (!policy->variables)
        add(&f, COF_LINT_OLD_VERSION, SIZE_MAX);
    for (size_t i = 0; i < policy->n_statements; i++) {
        const struct cof_statement *st = &policy->statements[i];
        uint32_t pinned = check_conditions(&f, i, st);

        if (st->effect == COF_EFFECT_ALLOW)
            check_allow(&f, i, st, pinned);
        attested = attested || (st->effect == COF_EFFECT_ALLOW && pinned != 0 && covers(st, "kms:Decrypt"));
        denied = denied || denies_missing_attestation(st);
    }
    if (policy->kind == COF_POLICY_RESOURCE && attested && !denied)
        add(&f, COF_LINT_NO_ATTESTATION_DENY, SIZE_MAX);
    return f.n;
}
