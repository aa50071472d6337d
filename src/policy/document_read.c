/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/document_read.h"

#include "policy/suggest.h"

#include <stdlib.h>
#include <string.h>

static const char *const document_names[] = {"Version", "Id", "Statement", NULL};
static const char *const statement_names[] = {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction",
    "Resource", "NotResource", "Condition", NULL};
static const char *const principal_names[] = {"AWS", "Service", "Federated", "CanonicalUser", NULL};

/* The statement under way. */
struct current {
    struct reading *r;
    uint32_t node;
    struct cof_statement *st;
    struct cof_statement_place *place;
};

static const struct cof_json_node *node_at(const struct reading *r, uint32_t index)
{
    return &r->document->tree.nodes[index];
}

static struct cof_finding *found(struct reading *r, enum cof_rule rule, size_t at, const char *what, struct cof_view detail)
{
    return cof_findings_add(r->findings, rule, r->document->index, at, detail.len > 0 ? "%s: %.*s" : "%s%.*s", what,
                            COF_SHOWN(detail));
}

static struct cof_finding *wrong_type(struct reading *r, const struct cof_json_node *node, const char *what)
{
    return found(r, COF_RULE_WRONG_TYPE, node->has_key ? node->key_at : node->at, what, (struct cof_view){0});
}

static bool among(const char *const *names, struct cof_view name, bool nocase)
{
    for (size_t i = 0; names[i] != NULL; i++)
        if (nocase ? cof_view_eq_nocase(name, cof_view_str(names[i])) : cof_view_eq_str(name, names[i]))
            return true;
    return false;
}

static struct cof_view nearest(const char *const *names, struct cof_view name)
{
    struct cof_suggestion s = {0};

    for (size_t i = 0; names[i] != NULL; i++)
        cof_suggest_try(&s, name, cof_view_str(names[i]));
    return cof_suggested(&s);
}

/* An element that does not belong where it stands: from elsewhere, misspelt, or unknown. */
static void stray(struct reading *r, const struct cof_json_node *node, const char *const *here, const char *where)
{
    struct cof_view close = nearest(here, node->key);
    struct cof_finding *f;

    if (!among(here, node->key, true)) {
        static const struct { const char *const *names; const char *where; } levels[] = {
            {document_names, "the policy, beside Statement"}, {statement_names, "the statement, beside Effect and Action"},
            {principal_names, "Principal"}};

        for (size_t i = 0; i < 3; i++)
            if (levels[i].names != here && among(levels[i].names, node->key, false)) {
                f = cof_findings_add(r->findings, COF_RULE_MISPLACED_ELEMENT, r->document->index, node->key_at,
                                     "%.*s inside %s", COF_SHOWN(node->key), where);
                cof_finding_mend(f, "%.*s belongs to %s", COF_SHOWN(node->key), levels[i].where);
                return;
            }
    }
    f = cof_findings_add(r->findings, COF_RULE_UNKNOWN_ELEMENT, r->document->index, node->key_at,
                         "\"%.*s\" is no element of %s", COF_SHOWN(node->key), where);
    if (close.len > 0)
        cof_finding_mend(f, "did you mean \"%.*s\"?", COF_SHOWN(close));
}

static void find_duplicates(struct reading *r)
{
    const struct cof_json_tree *t = &r->document->tree;

    for (uint32_t i = 0; i < t->n; i++) {
        if (t->nodes[i].kind != COF_JSON_OBJECT || t->nodes[i].n_children > COF_POLICY_LIST_MAX)
            continue;
        for (uint32_t a = t->nodes[i].first; a != COF_JSON_NONE; a = t->nodes[a].next)
            for (uint32_t b = t->nodes[a].next; b != COF_JSON_NONE; b = t->nodes[b].next)
                if (cof_view_eq(t->nodes[a].key, t->nodes[b].key))
                    found(r, COF_RULE_JSON_DUPLICATE, t->nodes[b].key_at, "the same name a second time", t->nodes[b].key);
    }
}

/* A text, or where scalars is set a number or truth value in its place. */
static bool text_of(const struct cof_json_node *node, bool scalars, struct cof_view *out)
{
    *out = node->text;
    if (node->kind == COF_JSON_STRING)
        return true;
    if (!scalars)
        return false;
    if (node->kind == COF_JSON_TRUE)
        *out = COF_LIT("true");
    else if (node->kind == COF_JSON_FALSE)
        *out = COF_LIT("false");
    return node->kind != COF_JSON_OBJECT && node->kind != COF_JSON_ARRAY && node->kind != COF_JSON_NULL;
}

/* The texts of one node, a text or a list of them, added to those there are. */
static enum cof_err add_texts(struct reading *r, uint32_t index, bool scalars, struct cof_view **items, size_t **places,
                              size_t *n)
{
    const struct cof_json_node *node = node_at(r, index);
    bool list = node->kind == COF_JSON_ARRAY;
    size_t room = *n + (list ? node->n_children : 1);
    struct cof_view *grown = realloc(*items, (room + 1) * sizeof *grown);
    size_t *grown_places;

    if (grown == NULL)
        return COF_E_MEMORY;
    *items = grown;
    grown_places = realloc(*places, (room + 1) * sizeof *grown_places);
    if (grown_places == NULL)
        return COF_E_MEMORY;
    *places = grown_places;
    if (list && node->n_children == 0)
        wrong_type(r, node, "the list is empty");
    if (list && node->n_children > COF_POLICY_LIST_MAX)
        found(r, COF_RULE_TOO_LARGE, node->at, "the list is too long", (struct cof_view){0});
    for (uint32_t i = list ? node->first : index; i != COF_JSON_NONE; i = list ? node_at(r, i)->next : COF_JSON_NONE) {
        struct cof_view text;

        if (!text_of(node_at(r, i), scalars, &text)) {
            wrong_type(r, node_at(r, i), "a text is expected here");
            continue;
        }
        grown[*n] = text;
        grown_places[(*n)++] = node_at(r, i)->at;
    }
    return COF_OK;
}

static enum cof_err add_condition(struct current *c, const struct cof_condition *op, size_t op_at, uint32_t index)
{
    const struct cof_json_node *node = node_at(c->r, index);
    size_t n = c->st->n_conditions;
    struct cof_condition *grown = realloc(c->st->conditions, (n + 1) * sizeof *grown);
    struct cof_condition_place *places;

    if (grown == NULL)
        return COF_E_MEMORY;
    c->st->conditions = grown;
    places = realloc(c->place->conditions, (n + 1) * sizeof *places);
    if (places == NULL)
        return COF_E_MEMORY;
    c->place->conditions = places;
    grown[n] = *op;
    grown[n].key = node->key;
    places[n] = (struct cof_condition_place){op_at, node->key_at, NULL};
    c->st->n_conditions++;
    return add_texts(c->r, index, true, &grown[n].values, &places[n].values, &grown[n].n_values);
}

/* The closest operator, with its prefix and suffix kept: "StringEqual" is near "StringEquals". */
static void unknown_operator(struct reading *r, const struct cof_json_node *node)
{
    static const char *const operators[] = {
#define X(name, family, negated) #name,
        COF_COND_TABLE(X)
#undef X
        NULL};
    static const char *const sets[] = {"ForAllValues", "ForAnyValue", NULL};
    struct cof_view prefix = {0}, name = node->key, close;
    bool suffix;
    struct cof_finding *f = cof_findings_add(r->findings, COF_RULE_UNKNOWN_OPERATOR, r->document->index, node->key_at,
                                             "\"%.*s\" is no condition operator", COF_SHOWN(node->key));

    if (among(statement_names, node->key, false)) {
        cof_finding_mend(f, "%.*s belongs to the statement, not into Condition", COF_SHOWN(node->key));
        return;
    }
    if (cof_view_find(name, ':') != SIZE_MAX)
        (void)cof_view_split(name, ':', &prefix, &name);
    if (prefix.len > 0 && nearest(sets, prefix).len == 0 && node->kind != COF_JSON_OBJECT) {
        cof_finding_mend(f, "a key stands under an operator: {\"StringEquals\": {\"%.*s\": ...}}", COF_SHOWN(node->key));
        return;
    }
    suffix = cof_view_ends(name, COF_LIT("IfExists"));
    if (suffix)
        name.len -= 8;
    close = nearest(operators, name);
    if (cof_view_eq_str(close, "Null") && (suffix || prefix.len > 0))
        cof_finding_mend(f, "Null takes neither ForAllValues nor IfExists");
    else if (close.len > 0)
        cof_finding_mend(f, "did you mean \"%.*s%s%.*s%s\"?", COF_SHOWN(nearest(sets, prefix)), prefix.len > 0 ? ":" : "",
                         COF_SHOWN(close), suffix ? "IfExists" : "");
}

static enum cof_err read_condition(struct current *c, uint32_t index)
{
    const struct cof_json_node *node = node_at(c->r, index);
    enum cof_err err = COF_OK;

    if (node->kind != COF_JSON_OBJECT) {
        wrong_type(c->r, node, "Condition is an object of operators: {\"StringEquals\": {KEY: VALUE}}");
        return COF_OK;
    }
    for (uint32_t i = node->first; i != COF_JSON_NONE && err == COF_OK; i = node_at(c->r, i)->next) {
        const struct cof_json_node *op = node_at(c->r, i);
        struct cof_condition parsed = {0};

        if (cof_condition_parse_op(op->key, &parsed) != COF_OK) {
            unknown_operator(c->r, op);
            if (op->kind != COF_JSON_OBJECT)
                continue; /* else its keys are looked at as if it were StringEquals */
        }
        if (op->kind != COF_JSON_OBJECT || op->n_children == 0) {
            wrong_type(c->r, op, "an operator holds keys and values: {\"StringEquals\": {KEY: VALUE}}");
            continue;
        }
        for (uint32_t k = op->first; k != COF_JSON_NONE && err == COF_OK; k = node_at(c->r, k)->next)
            err = add_condition(c, &parsed, op->key_at, k);
    }
    return err;
}

static enum cof_err add_principals(struct current *c, struct cof_view type, uint32_t index)
{
    struct cof_view *items = NULL;
    size_t *places = NULL, n = 0, old = c->st->n_principals;
    enum cof_err err = add_texts(c->r, index, false, &items, &places, &n);
    struct cof_principal *grown = NULL;
    size_t *grown_places = NULL;

    if (err == COF_OK) {
        grown = realloc(c->st->principals, (old + n + 1) * sizeof *grown);
        if (grown != NULL)
            c->st->principals = grown;
        grown_places = realloc(c->place->principals, (old + n + 1) * sizeof *grown_places);
        if (grown_places != NULL)
            c->place->principals = grown_places;
        err = grown == NULL || grown_places == NULL ? COF_E_MEMORY : COF_OK;
    }
    for (size_t i = 0; err == COF_OK && i < n; i++) {
        const char *what = cof_principal_read(type, items[i], &grown[old + i]);

        grown_places[old + i] = places[i];
        c->st->n_principals++;
        if (what != NULL && !cof_text_has_hole(items[i]))
            found(c->r, COF_RULE_BAD_PRINCIPAL, places[i], what, items[i]);
    }
    free(items);
    free(places);
    return err;
}

static enum cof_err read_principal(struct current *c, uint32_t index)
{
    static const char shape[] = "a principal is \"*\" or an object such as {\"AWS\": ...}";
    const struct cof_json_node *node = node_at(c->r, index);
    enum cof_err err = COF_OK;

    if (node->kind == COF_JSON_STRING && !cof_view_eq_str(node->text, "*")) {
        struct cof_finding *f = found(c->r, COF_RULE_BAD_PRINCIPAL, node->at, shape, node->text);

        cof_finding_mend(f, "write {\"%s\": \"%.*s\"}", cof_view_ends(node->text, COF_LIT(".amazonaws.com")) ? "Service" : "AWS",
                         COF_SHOWN(node->text));
    }
    if (node->kind == COF_JSON_STRING)
        return add_principals(c, COF_LIT("AWS"), index);
    if (node->kind != COF_JSON_OBJECT || node->n_children == 0) {
        wrong_type(c->r, node, shape);
        return COF_OK;
    }
    for (uint32_t i = node->first; i != COF_JSON_NONE && err == COF_OK; i = node_at(c->r, i)->next) {
        const struct cof_json_node *member = node_at(c->r, i);

        if (among(principal_names, member->key, false)) {
            err = add_principals(c, member->key, i);
            continue;
        }
        stray(c->r, member, principal_names, "Principal");
        if (cof_view_eq_str(member->key, "Condition")) /* its keys are looked at all the same */
            err = read_condition(c, i);
    }
    return err;
}

static void twice(struct current *c, const struct cof_json_node *node, bool before, const char *what)
{
    if (before)
        found(c->r, COF_RULE_POLICY_SHAPE, node->key_at, what, (struct cof_view){0});
}

static enum cof_err read_element(struct current *c, uint32_t index)
{
    const struct cof_json_node *node = node_at(c->r, index);
    struct cof_view name = node->key;
    bool no = cof_view_starts(name, COF_LIT("Not"));
    enum cof_policy_kind kind = cof_document_policy_kind(c->r->document->kind);

    if (cof_view_eq_str(name, "Sid")) {
        c->place->sid = node->key_at;
        if (!text_of(node, false, &c->st->sid))
            wrong_type(c->r, node, "Sid is a text");
        return COF_OK;
    }
    if (cof_view_eq_str(name, "Effect")) {
        c->place->effect = node->key_at;
        c->st->effect = cof_view_eq_nocase(node->text, COF_LIT("Allow")) ? COF_EFFECT_ALLOW : COF_EFFECT_DENY;
        if (node->kind != COF_JSON_STRING || (!cof_view_eq_str(node->text, "Allow") && !cof_view_eq_str(node->text, "Deny")))
            found(c->r, COF_RULE_BAD_EFFECT, node->at, "no effect", node->text);
        return COF_OK;
    }
    if (cof_view_eq_str(name, "Condition")) {
        c->place->condition = node->key_at;
        return read_condition(c, index);
    }
    if (cof_view_eq_str(name, "Principal") || cof_view_eq_str(name, "NotPrincipal")) {
        if (kind == COF_POLICY_IDENTITY)
            found(c->r, COF_RULE_MISPLACED_ELEMENT, node->key_at, "an identity policy speaks of its owner, and has no Principal",
                  (struct cof_view){0});
        twice(c, node, c->place->principal != COF_NO_PLACE, "Principal and NotPrincipal exclude each other");
        c->place->principal = node->key_at;
        c->st->not_principal = no;
        return read_principal(c, index);
    }
    if (cof_view_eq_str(name, "Action") || cof_view_eq_str(name, "NotAction")) {
        twice(c, node, c->place->action != COF_NO_PLACE, "Action and NotAction exclude each other");
        c->place->action = node->key_at;
        c->st->not_action = no;
        return add_texts(c->r, index, false, &c->st->actions, &c->place->actions, &c->st->n_actions);
    }
    if (cof_view_eq_str(name, "Resource") || cof_view_eq_str(name, "NotResource")) {
        if (kind == COF_POLICY_TRUST)
            found(c->r, COF_RULE_MISPLACED_ELEMENT, node->key_at, "a trust policy speaks of its own role, and has no Resource",
                  (struct cof_view){0});
        twice(c, node, c->place->resource != COF_NO_PLACE, "Resource and NotResource exclude each other");
        c->place->resource = node->key_at;
        c->st->not_resource = no;
        return add_texts(c->r, index, false, &c->st->resources, &c->place->resources, &c->st->n_resources);
    }
    stray(c->r, node, statement_names, "a statement");
    return COF_OK;
}

static enum cof_err read_statement(struct current *c)
{
    static const char *const needed[] = {"Effect", "Action or NotAction", "Resource or NotResource", "Principal or NotPrincipal"};
    const struct cof_json_node *node = node_at(c->r, c->node);
    enum cof_policy_kind kind = cof_document_policy_kind(c->r->document->kind);
    struct cof_statement_place *p = c->place;
    enum cof_err err = COF_OK;

    *p = (struct cof_statement_place){.at = node->at, .sid = COF_NO_PLACE, .effect = COF_NO_PLACE, .principal = COF_NO_PLACE,
        .action = COF_NO_PLACE, .resource = COF_NO_PLACE, .condition = COF_NO_PLACE};
    if (node->kind != COF_JSON_OBJECT) {
        wrong_type(c->r, node, "a statement is an object");
        return COF_OK;
    }
    for (uint32_t i = node->first; i != COF_JSON_NONE && err == COF_OK; i = node_at(c->r, i)->next)
        err = read_element(c, i);
    const bool missing[] = {p->effect == COF_NO_PLACE, p->action == COF_NO_PLACE,
        p->resource == COF_NO_PLACE && kind != COF_POLICY_TRUST, p->principal == COF_NO_PLACE && kind != COF_POLICY_IDENTITY};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (missing[i])
            cof_findings_add(c->r->findings, COF_RULE_MISSING_ELEMENT, c->r->document->index, p->at, "the statement has no %s",
                             needed[i])->sid = c->st->sid;
    return err;
}

static enum cof_err read_statements(struct reading *r, uint32_t index)
{
    const struct cof_json_node *node = node_at(r, index);
    bool list = node->kind == COF_JSON_ARRAY;
    size_t n = list ? node->n_children : 1;
    struct cof_document *d = r->document;
    enum cof_err err = COF_OK;

    if (d->places != NULL)
        return COF_OK; /* a second one, which was said */
    if (n == 0)
        wrong_type(r, node, "there is no statement");
    if (n > COF_POLICY_STATEMENTS_MAX)
        found(r, COF_RULE_TOO_LARGE, node->at, "there are too many statements", (struct cof_view){0});
    n = n > COF_POLICY_STATEMENTS_MAX ? COF_POLICY_STATEMENTS_MAX : n;
    d->policy->statements = calloc(n + 1, sizeof *d->policy->statements);
    d->places = calloc(n + 1, sizeof *d->places);
    if (d->policy->statements == NULL || d->places == NULL)
        return COF_E_MEMORY;
    for (uint32_t i = list ? node->first : index; i != COF_JSON_NONE && d->policy->n_statements < n && err == COF_OK;
         i = list ? node_at(r, i)->next : COF_JSON_NONE) {
        size_t at = d->policy->n_statements++;

        err = read_statement(&(struct current){r, i, &d->policy->statements[at], &d->places[at]});
    }
    return err;
}

static void read_version(struct reading *r, const struct cof_json_node *node)
{
    struct cof_document *d = r->document;

    d->version = node->key_at;
    d->policy->variables = cof_view_eq_str(node->text, "2012-10-17");
    if (node->kind == COF_JSON_STRING && (d->policy->variables || cof_view_eq_str(node->text, "2008-10-17")))
        return;
    found(r, COF_RULE_BAD_VERSION, node->at, "there is no version", node->text);
    d->policy->variables = true; /* what was meant, surely */
}

enum cof_err cof_document_understand(struct reading *r)
{
    struct cof_document *d = r->document;
    const struct cof_json_node *root = node_at(r, 0);
    enum cof_err err = COF_OK;

    if (root->kind != COF_JSON_OBJECT) {
        found(r, COF_RULE_POLICY_SHAPE, root->at, "a policy is a JSON object", (struct cof_view){0});
        return COF_OK;
    }
    d->policy = calloc(1, sizeof *d->policy);
    if (d->policy == NULL)
        return COF_E_MEMORY;
    find_duplicates(r);
    if (d->kind == COF_DOCUMENT_UNKNOWN)
        d->kind = cof_document_guess(d);
    d->policy->kind = cof_document_policy_kind(d->kind);
    for (uint32_t i = root->first; i != COF_JSON_NONE && err == COF_OK; i = node_at(r, i)->next) {
        const struct cof_json_node *node = node_at(r, i);

        if (cof_view_eq_str(node->key, "Version"))
            read_version(r, node);
        else if (cof_view_eq_str(node->key, "Id"))
            d->policy->id = node->text;
        else if (cof_view_eq_str(node->key, "Statement"))
            err = read_statements(r, i);
        else
            stray(r, node, document_names, "a policy");
    }
    if (err == COF_OK && d->places == NULL)
        found(r, COF_RULE_MISSING_ELEMENT, root->at, "the policy has no Statement", (struct cof_view){0});
    return err;
}
