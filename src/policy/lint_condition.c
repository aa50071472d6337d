/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/lint_rules.h"

#include "policy/glob.h"
#include "policy/principal.h"

#include <stdio.h>

/* One condition under examination. */
struct one {
    const struct lint *l;
    struct lint_statement s;
    const struct cof_condition *c;
    const struct cof_condition_place *at;
    struct cof_key_fact fact;
    bool known;
};

static struct cof_finding *found(const struct one *o, enum cof_rule rule, size_t at, const char *what)
{
    struct cof_finding *f =
        cof_findings_add(o->l->f, rule, o->l->d->index, at, "%s (%.*s)", what, COF_SHOW(o->c->key));

    f->sid = o->s.st->sid;
    return f;
}

/* Keys of identity providers, "token.actions.githubusercontent.com:sub", and of services without a table. */
static bool beyond_us(struct cof_view key)
{
    struct cof_view prefix, name;

    (void)cof_view_split(key, ':', &prefix, &name);
    return cof_view_find(prefix, '.') != SIZE_MAX || cof_view_eq_nocase(prefix, COF_LIT("saml")) ||
           (!cof_view_eq_nocase(prefix, COF_LIT("aws")) && cof_facts_service(prefix) == NULL && name.len > 0);
}

static void unknown_key(const struct one *o)
{
    struct cof_view key = o->c->key, near = cof_facts_nearest_key(key);
    struct cof_finding *f = found(o, COF_RULE_UNKNOWN_KEY, o->at->key, "there is no such condition key");
    static const char keys[] = "the attestation keys of KMS are kms:RecipientAttestation:ImageSha384 and kms:RecipientAttestation:PCR0 to PCR31";

    if (cof_lint_key_is(key, "aws:RequestContext*"))
        cof_finding_mend(f, "aws:RequestContext attests nothing; %s", keys);
    else if (cof_lint_key_is(key, "kms:RecipientAttestation*"))
        cof_finding_mend(f, "%s", keys);
    else if (cof_lint_key_is(key, "kms:EncryptionContext"))
        cof_finding_mend(f, "name the pair: kms:EncryptionContext:NAME (or kms:EncryptionContextKeys for the names)");
    else if (cof_view_find(key, ':') == SIZE_MAX)
        cof_finding_mend(f, "a condition key is service:Name, as in aws:SourceArn");
    else if (near.len > 0)
        cof_finding_mend(f, "did you mean %.*s?", COF_SHOW(near));
}

/* What one action means for a key of its own service: whether its requests can carry it. */
static void ask_action(struct cof_view pattern, struct cof_view key, size_t *n_known, size_t *n_with)
{
    struct cof_view prefix, name, key_prefix, candidate;
    const struct cof_service_fact *service;
    const struct cof_action_fact *fact;
    size_t cursor = 0;

    (void)cof_view_split(pattern, ':', &prefix, &name);
    (void)cof_view_split(key, ':', &key_prefix, &candidate);
    service = cof_facts_service(prefix);
    if (cof_view_eq_str(pattern, "*") || service == NULL || service->common_keys == NULL) {
        (*n_known)++;
        (*n_with)++; /* not judged */
        return;
    }
    while (cof_facts_next(service, &cursor, &candidate, &fact))
        if (cof_glob_match_nocase((struct cof_glob){name, NULL}, candidate)) {
            (*n_known)++;
            *n_with += cof_view_eq_nocase(key_prefix, prefix) && cof_facts_action_has_key(service, fact, key);
        }
}

/* A key of a service in a statement about actions that never carry it. */
static void check_presence(const struct one *o)
{
    bool demands = cof_lint_demands(o->c);
    size_t n_all = 0, n_all_with = 0;

    if (cof_lint_key_is(o->c->key, "aws:*") || o->s.st->not_action || o->c->if_exists || o->s.st->n_actions == 0)
        return;
    for (size_t i = 0; i < o->s.st->n_actions; i++) {
        size_t n = 0, with = 0;

        ask_action(o->s.st->actions[i], o->c->key, &n, &with);
        n_all += n;
        n_all_with += with;
        if (n == 0 || with > 0 || cof_lint_is_wild(o->s.st->actions[i]) || !demands)
            continue;
        cof_findings_add(o->l->f, COF_RULE_ABSENT_KEY, o->l->d->index, o->s.at->actions[i],
                         "requests of %.*s never carry %.*s, so this %s", COF_SHOW(o->s.st->actions[i]), COF_SHOW(o->c->key),
                         o->s.st->effect == COF_EFFECT_ALLOW ? "Allow never applies to it" : "Deny never applies to it")->sid = o->s.st->sid;
    }
    if (n_all == 0 || n_all_with > 0 || (demands && o->s.st->n_actions > 0 && !cof_lint_is_wild(o->s.st->actions[0])))
        return;
    (void)found(o, COF_RULE_ABSENT_KEY, o->at->key,
                demands ? "no action of this statement carries the key, so it never applies"
                        : "no action of this statement carries the key, so the condition always holds");
}

static enum cof_key_type type_of(enum cof_cond_op op)
{
    switch (op) {
    case COF_COND_StringEquals:
    case COF_COND_StringNotEquals:
    case COF_COND_StringEqualsIgnoreCase:
    case COF_COND_StringNotEqualsIgnoreCase:
    case COF_COND_StringLike:
    case COF_COND_StringNotLike:
        return COF_KEY_STRING;
    case COF_COND_NumericEquals:
    case COF_COND_NumericNotEquals:
    case COF_COND_NumericLessThan:
    case COF_COND_NumericLessThanEquals:
    case COF_COND_NumericGreaterThan:
    case COF_COND_NumericGreaterThanEquals:
        return COF_KEY_NUMERIC;
    case COF_COND_DateEquals:
    case COF_COND_DateNotEquals:
    case COF_COND_DateLessThan:
    case COF_COND_DateLessThanEquals:
    case COF_COND_DateGreaterThan:
    case COF_COND_DateGreaterThanEquals:
        return COF_KEY_DATE;
    case COF_COND_Bool:
        return COF_KEY_BOOL;
    case COF_COND_IpAddress:
    case COF_COND_NotIpAddress:
        return COF_KEY_IP;
    case COF_COND_ArnEquals:
    case COF_COND_ArnLike:
    case COF_COND_ArnNotEquals:
    case COF_COND_ArnNotLike:
        return COF_KEY_ARN;
    case COF_COND_BinaryEquals:
    case COF_COND_Null:
        break;
    }
    return COF_KEY_UNKNOWN; /* fits everything */
}

static void check_type(const struct one *o)
{
    static const char *const mends[] = {"", "StringEquals or StringLike", "ArnLike or ArnEquals", "Bool", "NumericEquals, NumericLessThan, ...",
        "DateLessThan, DateGreaterThan, ...", "IpAddress or NotIpAddress"};
    static const char *const types[] = {"", "a text", "an ARN", "true or false", "a number", "a date", "an address"};
    enum cof_key_type want = o->fact.type, have = type_of(o->c->op);
    struct cof_finding *f;
    char what[64];

    if (!o->known || want == COF_KEY_UNKNOWN || have == COF_KEY_UNKNOWN || want == have ||
        (want == COF_KEY_ARN && have == COF_KEY_STRING) ||
        (cof_lint_key_is(o->c->key, "aws:EpochTime") && have == COF_KEY_NUMERIC))
        return;
    (void)snprintf(what, sizeof what, "the key holds %s", types[want]);
    f = found(o, COF_RULE_TYPE_MISMATCH, o->at->op, what);
    cof_finding_mend(f, "use %s", mends[want]);
    if (want == COF_KEY_BOOL && have == COF_KEY_STRING)
        f->severity = COF_SEVERITY_WARNING; /* compares as text, and works while both write it alike */
}

static void check_set(const struct one *o)
{
    bool allow = o->s.st->effect == COF_EFFECT_ALLOW;

    if (o->c->set == COF_COND_FOR_ALL_VALUES && allow && !cof_lint_demands_presence(o->s.st, o->c->key))
        (void)found(o, COF_RULE_FOR_ALL_VACUOUS, o->at->op, "this Allow also holds without the key");
    if (!o->known || o->c->op == COF_COND_Null)
        return;
    if (o->c->set != COF_COND_SINGLE && !o->fact.list)
        (void)found(o, COF_RULE_SET_ON_SINGLE, o->at->op, "the key has one value");
    if (o->c->set == COF_COND_SINGLE && o->fact.list)
        (void)found(o, COF_RULE_LIST_WITHOUT_SET, o->at->op, "the key holds a list");
}

/* Keys on which a deployment's safety hangs. */
static bool is_guard(struct cof_view key)
{
    return cof_lint_key_is(key, "kms:RecipientAttestation:*") || cof_lint_key_is(key, "aws:MultiFactorAuth*") || cof_lint_key_is(key, "kms:ViaService");
}

static void check_absence(const struct one *o)
{
    bool allow = o->s.st->effect == COF_EFFECT_ALLOW, always = cof_facts_key_always(o->c->key);
    struct cof_finding *f = NULL;

    if (allow && !always && o->c->if_exists)
        f = found(o, COF_RULE_IF_EXISTS_OPENS, o->at->op, "this Allow also holds without the key");
    else if (allow && !always && cof_lint_is_negated(o->c->op) && o->c->set == COF_COND_SINGLE && !cof_lint_demands_presence(o->s.st, o->c->key))
        f = found(o, COF_RULE_NEGATED_ALLOW, o->at->op, "this Allow also holds without the key");
    if (f != NULL && !is_guard(o->c->key))
        f->severity = COF_SEVERITY_WARNING;
    if (allow && o->c->op == COF_COND_Null && !cof_lint_demands(o->c) && cof_lint_key_is(o->c->key, "kms:RecipientAttestation:*"))
        (void)found(o, COF_RULE_NEGATED_ALLOW, o->at->op, "this Allow holds just where nothing is attested");
    if (!allow && o->c->op == COF_COND_Bool && !o->c->if_exists && cof_lint_key_is(o->c->key, "aws:MultiFactorAuthPresent") &&
        o->c->n_values == 1 && cof_view_eq_nocase(o->c->values[0], COF_LIT("false")))
        (void)found(o, COF_RULE_DENY_SKIPS_ABSENT, o->at->op, "long-term credentials lack the key");
}

/* Role sessions do not carry the factor (IAM User Guide, "Configuring MFA-protected API access"). */
static void check_factor(const struct one *o)
{
    if (o->s.st->effect == COF_EFFECT_ALLOW && o->l->d->kind != COF_DOCUMENT_TRUST && cof_lint_demands(o->c) &&
        cof_lint_key_is(o->c->key, "aws:MultiFactorAuth*") && cof_lint_only_roles(o->s.st))
        (void)found(o, COF_RULE_MFA_ON_ROLE, o->at->key, "a role's session never has it");
}

static const char *wrong_account(struct cof_view key, struct cof_view v)
{
    bool account = cof_lint_key_is(key, "aws:PrincipalAccount") || cof_lint_key_is(key, "aws:SourceAccount") || cof_lint_key_is(key, "aws:ResourceAccount") ||
                   cof_lint_key_is(key, "kms:CallerAccount") || cof_lint_key_is(key, "s3:ResourceAccount") || cof_lint_key_is(key, "aws:VpceAccount");

    return account && !cof_is_account(v) ? "an account has twelve digits" : NULL;
}

static const char *wrong_form(struct cof_view key, struct cof_view v)
{
    static const struct { const char *key, *prefix, *what; } forms[] = {
        {"aws:SourceVpce", "vpce-", "an endpoint is named vpce-..."},
        {"aws:SourceVpc", "vpc-", "a VPC is named vpc-..."},
        {"aws:PrincipalOrgID", "o-", "an organization is named o-..."},
        {"kms:RequestAlias", "alias/", "an alias is named alias/..."},
        {"kms:ResourceAliases", "alias/", "an alias is named alias/..."},
    };

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (cof_lint_key_is(key, forms[i].key) && !cof_view_starts(v, cof_view_str(forms[i].prefix)))
            return forms[i].what;
    if (cof_lint_key_is(key, "s3:x-amz-server-side-encryption") && !cof_view_eq_str(v, "AES256") && !cof_view_eq_str(v, "aws:kms") &&
        !cof_view_eq_str(v, "aws:kms:dsse"))
        return "S3 says AES256, aws:kms or aws:kms:dsse";
    if (cof_lint_key_is(key, "kms:ViaService") && !cof_view_ends(v, COF_LIT(".amazonaws.com")) && !cof_view_ends(v, COF_LIT(".amazonaws.com.cn")))
        return "a service is named as in s3.eu-west-1.amazonaws.com";
    return wrong_account(key, v);
}

/* Addresses that AWS never sees as a source; over a VPC endpoint aws:SourceIp is not there at all. */
static bool is_private(struct cof_view v)
{
    return cof_view_starts(v, COF_LIT("10.")) || cof_view_starts(v, COF_LIT("192.168.")) || cof_view_starts(v, COF_LIT("127.")) ||
           cof_view_starts(v, COF_LIT("172.16.")) || cof_view_starts(v, COF_LIT("172.31."));
}

static void check_value(const struct one *o, size_t i)
{
    struct cof_view v = o->c->values[i];
    const char *wrong = NULL;
    struct cof_finding *f;
    enum cof_cond_op op = o->c->op;
    bool exact = op == COF_COND_StringEquals || op == COF_COND_StringNotEquals || op == COF_COND_StringEqualsIgnoreCase ||
                 op == COF_COND_StringNotEqualsIgnoreCase;

    if (cof_view_find(v, '$') != SIZE_MAX)
        return; /* a variable or a hole */
    if (!cof_condition_value_ok(o->c, v))
        wrong = op == COF_COND_Null ? "Null takes true or false" : op == COF_COND_Bool ? "write true or false" :
                type_of(op) == COF_KEY_IP ? "write an address or a range, as in 203.0.113.0/24" :
                type_of(op) == COF_KEY_DATE ? "write a date, as in 2026-12-31T23:59:59Z" : "write a number";
    else if (type_of(op) == COF_KEY_ARN && !cof_view_eq_str(v, "*") && !cof_view_starts(v, COF_LIT("arn:")))
        wrong = "write an ARN";
    else if (type_of(op) == COF_KEY_IP && cof_lint_key_is(o->c->key, "aws:SourceIp") && is_private(v))
        wrong = "AWS sees public addresses; for private networks there are aws:VpcSourceIp and aws:SourceVpce";
    else if (type_of(op) == COF_KEY_STRING && !cof_lint_is_wild(v))
        wrong = wrong_form(o->c->key, v);
    if (wrong != NULL) {
        f = cof_findings_add(o->l->f, COF_RULE_BAD_VALUE, o->l->d->index, o->at->values[i], "no value for %.*s: \"%.*s\"",
                             COF_SHOW(o->c->key), COF_SHOW(v));
        f->sid = o->s.st->sid;
        cof_finding_mend(f, "%s", wrong);
    }
    if (exact && cof_lint_is_wild(v) && cof_lint_pcr_of(o->c->key) < 0 && !cof_lint_key_is(o->c->key, "kms:EncryptionContext:*"))
        (void)found(o, COF_RULE_WILDCARD_WITHOUT_LIKE, o->at->values[i], "a wildcard that is compared as it is");
}

static void check_case(const struct one *o, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        const struct cof_condition *other = &o->s.st->conditions[i];

        if (other->op == o->c->op && other->set == o->c->set && other->if_exists == o->c->if_exists &&
            cof_view_eq_nocase(other->key, o->c->key) && !cof_view_eq(other->key, o->c->key))
            (void)found(o, COF_RULE_DUPLICATE_KEY, o->at->key, "the key stands here a second time");
    }
}

void cof_lint_conditions(const struct lint *l, struct lint_statement s)
{
    for (size_t i = 0; i < s.st->n_conditions; i++) {
        struct one o = {.l = l, .s = s, .c = &s.st->conditions[i], .at = &s.at->conditions[i]};

        if (cof_text_has_hole(o.c->key))
            continue;
        o.known = cof_facts_key(o.c->key, &o.fact);
        if (!o.known && !beyond_us(o.c->key))
            unknown_key(&o);
        if (o.known) {
            check_presence(&o);
            check_type(&o);
        }
        check_set(&o);
        check_absence(&o);
        check_factor(&o);
        check_case(&o, i);
        for (size_t v = 0; v < o.c->n_values; v++)
            check_value(&o, v);
    }
}
