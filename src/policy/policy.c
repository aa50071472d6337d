/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy.h"

#include "policy/locate.h"
#include "policy/principal.h"

#include <jansson.h>

#include <stdlib.h>
#include <string.h>

/* Where in the document the parser is, so that a complaint can name line and column. */
struct parser {
    struct cof_view text;
    struct cof_policy *policy;
    struct cof_diag *diag;
    struct cof_locate_path path;
};

#define MAX_PRINTED 80

static int printed(struct cof_view v)
{
    return (int)(v.len > MAX_PRINTED ? MAX_PRINTED : v.len);
}

static enum cof_err complain(struct parser *p, enum cof_err err, const char *what, struct cof_view detail)
{
    size_t line, column;

    cof_locate(p->text, &p->path, &line, &column);
    return cof_diag_set(p->diag, err, "line %zu, column %zu: %s%s%.*s", line, column, what, detail.len > 0 ? ": " : "",
                        printed(detail), detail.len > 0 ? (const char *)detail.data : "");
}

static enum cof_err wrong(struct parser *p, const char *what)
{
    return complain(p, COF_E_FORMAT, what, (struct cof_view){NULL, 0});
}

static struct cof_view view_of(const json_t *s)
{
    return cof_view_of(json_string_value(s), json_string_length(s));
}

/* A string, and where scalars is set also true, false or an integer, which become strings. */
static enum cof_err get_text(struct parser *p, const json_t *value, bool scalars, struct cof_view *out)
{
    json_t *made = NULL;

    if (json_is_string(value)) {
        *out = view_of(value);
        return COF_OK;
    }
    if (scalars && json_is_boolean(value))
        made = json_string(json_is_true(value) ? "true" : "false");
    else if (scalars && json_is_integer(value))
        made = json_sprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else
        return wrong(p, "a string is expected here");
    if (made == NULL || json_array_append_new(p->policy->made, made) != 0)
        return COF_E_MEMORY;
    *out = view_of(made);
    return COF_OK;
}

/* One string or a list of them. */
static enum cof_err get_list(struct parser *p, const json_t *value, bool scalars, struct cof_view **items, size_t *n)
{
    bool list = json_is_array(value);
    size_t count = list ? json_array_size(value) : 1;
    enum cof_err err = COF_OK;

    if (count == 0)
        return wrong(p, "the list is empty");
    if (count > COF_POLICY_LIST_MAX)
        return complain(p, COF_E_LIMIT, "the list is too long", (struct cof_view){NULL, 0});
    *items = calloc(count, sizeof **items);
    if (*items == NULL)
        return COF_E_MEMORY;
    *n = count;
    for (size_t i = 0; i < count && err == COF_OK; i++) {
        if (list)
            cof_locate_push_index(&p->path, i);
        err = get_text(p, list ? json_array_get(value, i) : value, scalars, &(*items)[i]);
        if (err == COF_OK && list)
            cof_locate_pop(&p->path);
    }
    return err;
}

/* "*", or service:Name with a service of lower-case letters, digits and '-'. */
static bool action_ok(struct cof_view v)
{
    struct cof_view service, name;

    if (cof_view_eq_str(v, "*"))
        return true;
    if (!cof_view_split(v, ':', &service, &name) || service.len == 0 || name.len == 0)
        return false;
    for (size_t i = 0; i < v.len; i++)
        if (v.data[i] <= ' ' || v.data[i] > '~')
            return false;
    return cof_view_find(name, ':') == SIZE_MAX;
}

/* "*", or six colon-separated parts that begin with arn; colons inside ${...} do not count. */
static bool resource_ok(struct cof_view v)
{
    int colons = 0;
    bool inside = false;

    if (cof_view_eq_str(v, "*"))
        return true;
    for (size_t i = 0; i < v.len; i++) {
        if (v.data[i] == '$' && i + 1 < v.len && v.data[i + 1] == '{')
            inside = true;
        else if (v.data[i] == '}')
            inside = false;
        else if (v.data[i] == ':' && !inside)
            colons++;
    }
    return colons >= 5 && cof_view_starts(v, COF_LIT("arn:"));
}

static enum cof_err check_each(struct parser *p, const struct cof_view *items, size_t n,
                               bool (*ok)(struct cof_view), const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (!ok(items[i]))
            return complain(p, COF_E_FORMAT, what, items[i]);
    return COF_OK;
}

/* Appends what one member of the Principal object lists. */
static enum cof_err add_principals(struct parser *p, const char *type, const json_t *value, struct cof_statement *st)
{
    struct cof_view *items = NULL;
    struct cof_principal *grown;
    const char *what;
    size_t n = 0;
    enum cof_err err = get_list(p, value, false, &items, &n);

    if (err != COF_OK)
        goto out;
    grown = realloc(st->principals, (st->n_principals + n) * sizeof *grown);
    if (grown == NULL) {
        err = COF_E_MEMORY;
        goto out;
    }
    st->principals = grown;
    for (size_t i = 0; i < n && err == COF_OK; i++) {
        grown[st->n_principals] = (struct cof_principal){0};
        what = cof_principal_read(cof_view_str(type), items[i], &grown[st->n_principals]);
        if (what != NULL)
            err = complain(p, COF_E_FORMAT, what, cof_principal_is_type(cof_view_str(type)) ? items[i] : cof_view_str(type));
        st->n_principals++;
    }
out:
    free(items);
    return err;
}

static enum cof_err get_principal(struct parser *p, json_t *value, struct cof_statement *st)
{
    static const char shape[] = "a principal is \"*\" or an object such as {\"AWS\": ...}";
    const char *type;
    json_t *member;
    enum cof_err err;

    if (json_is_string(value)) {
        if (!cof_view_eq_str(view_of(value), "*"))
            return complain(p, COF_E_FORMAT, shape, view_of(value));
        st->principals = calloc(1, sizeof *st->principals);
        if (st->principals == NULL)
            return COF_E_MEMORY;
        st->n_principals = 1;
        st->principals[0].kind = COF_PRINCIPAL_ANYONE;
        return COF_OK;
    }
    if (!json_is_object(value) || json_object_size(value) == 0)
        return wrong(p, shape);
    json_object_foreach(value, type, member) {
        cof_locate_push_key(&p->path, type);
        err = add_principals(p, type, member, st);
        if (err != COF_OK)
            return err;
        cof_locate_pop(&p->path);
    }
    return COF_OK;
}

/* Policy variables exist for the String and Arn operators only, so all others can be judged here. */
static enum cof_err check_values(struct parser *p, const struct cof_condition *cond)
{
    for (size_t i = 0; i < cond->n_values; i++)
        if (!cof_condition_value_ok(cond, cond->values[i]))
            return complain(p, COF_E_FORMAT, "not a value for this operator", cond->values[i]);
    return COF_OK;
}

static enum cof_err get_operator(struct parser *p, const char *name, json_t *keys, struct cof_statement *st)
{
    struct cof_condition op = {0}, *grown;
    const char *key;
    json_t *values;
    enum cof_err err;

    if (cof_condition_parse_op(cof_view_str(name), &op) != COF_OK)
        return complain(p, COF_E_FORMAT, "unknown condition operator", cof_view_str(name));
    if (!json_is_object(keys) || json_object_size(keys) == 0)
        return wrong(p, "a condition operator needs an object of keys");
    if (json_object_size(keys) > COF_POLICY_LIST_MAX)
        return complain(p, COF_E_LIMIT, "too many condition keys", (struct cof_view){NULL, 0});
    grown = realloc(st->conditions, (st->n_conditions + json_object_size(keys)) * sizeof *grown);
    if (grown == NULL)
        return COF_E_MEMORY;
    st->conditions = grown;
    json_object_foreach(keys, key, values) {
        struct cof_condition *cond = &grown[st->n_conditions];

        *cond = op;
        cond->key = cof_view_str(key);
        st->n_conditions++;
        cof_locate_push_key(&p->path, key);
        if (strchr(key, ':') == NULL)
            return complain(p, COF_E_FORMAT, "a condition key is service:Name", cond->key);
        err = get_list(p, values, true, &cond->values, &cond->n_values);
        if (err == COF_OK)
            err = check_values(p, cond);
        if (err != COF_OK)
            return err;
        cof_locate_pop(&p->path);
    }
    return COF_OK;
}

static enum cof_err get_condition(struct parser *p, json_t *value, struct cof_statement *st)
{
    const char *name;
    json_t *keys;
    enum cof_err err;

    if (!json_is_object(value))
        return wrong(p, "Condition is an object of operators");
    json_object_foreach(value, name, keys) {
        cof_locate_push_key(&p->path, name);
        err = get_operator(p, name, keys, st);
        if (err != COF_OK)
            return err;
        cof_locate_pop(&p->path);
    }
    return COF_OK;
}

static enum cof_err get_effect(struct parser *p, const json_t *value, struct cof_statement *st)
{
    struct cof_view text = view_of(value); /* empty when it is no string */

    if (!cof_view_eq_str(text, "Allow") && !cof_view_eq_str(text, "Deny"))
        return wrong(p, "Effect is \"Allow\" or \"Deny\"");
    st->effect = cof_view_eq_str(text, "Allow") ? COF_EFFECT_ALLOW : COF_EFFECT_DENY;
    return COF_OK;
}

static enum cof_err get_actions(struct parser *p, const json_t *value, struct cof_statement *st)
{
    enum cof_err err;

    if (st->n_actions > 0)
        return wrong(p, "Action and NotAction exclude each other");
    err = get_list(p, value, false, &st->actions, &st->n_actions);
    return err != COF_OK ? err : check_each(p, st->actions, st->n_actions, action_ok, "not an action (service:Name)");
}

static enum cof_err get_resources(struct parser *p, const json_t *value, struct cof_statement *st)
{
    enum cof_err err;

    if (p->policy->kind == COF_POLICY_TRUST)
        return wrong(p, "a trust policy has no Resource");
    if (st->n_resources > 0)
        return wrong(p, "Resource and NotResource exclude each other");
    err = get_list(p, value, false, &st->resources, &st->n_resources);
    return err != COF_OK ? err
                         : check_each(p, st->resources, st->n_resources, resource_ok, "not an ARN and not \"*\"");
}

static enum cof_err get_member(struct parser *p, const char *key, json_t *value, struct cof_statement *st)
{
    struct cof_view name = cof_view_str(key);

    if (cof_view_eq_str(name, "Sid"))
        return get_text(p, value, false, &st->sid);
    if (cof_view_eq_str(name, "Effect"))
        return get_effect(p, value, st);
    if (cof_view_eq_str(name, "Condition"))
        return get_condition(p, value, st);
    if (cof_view_eq_str(name, "Principal") || cof_view_eq_str(name, "NotPrincipal")) {
        if (p->policy->kind == COF_POLICY_IDENTITY)
            return wrong(p, "an identity policy has no Principal");
        if (st->n_principals > 0)
            return wrong(p, "Principal and NotPrincipal exclude each other");
        st->not_principal = key[0] == 'N';
        return get_principal(p, value, st);
    }
    if (cof_view_eq_str(name, "Action") || cof_view_eq_str(name, "NotAction")) {
        st->not_action = key[0] == 'N' || st->not_action;
        return get_actions(p, value, st);
    }
    if (cof_view_eq_str(name, "Resource") || cof_view_eq_str(name, "NotResource")) {
        st->not_resource = key[0] == 'N' || st->not_resource;
        return get_resources(p, value, st);
    }
    return complain(p, COF_E_FORMAT, "unknown element in a statement", name);
}

static enum cof_err get_statement(struct parser *p, json_t *value, struct cof_statement *st)
{
    enum cof_policy_kind kind = p->policy->kind;
    const char *key;
    json_t *member;
    enum cof_err err;

    if (!json_is_object(value))
        return wrong(p, "a statement is an object");
    json_object_foreach(value, key, member) {
        cof_locate_push_key(&p->path, key);
        err = get_member(p, key, member, st);
        if (err != COF_OK)
            return err;
        cof_locate_pop(&p->path);
    }
    if (json_object_get(value, "Effect") == NULL)
        return wrong(p, "the statement has no Effect");
    if (st->n_actions == 0)
        return wrong(p, "the statement has neither Action nor NotAction");
    if (kind != COF_POLICY_TRUST && st->n_resources == 0)
        return wrong(p, "the statement has neither Resource nor NotResource");
    if (kind != COF_POLICY_IDENTITY && st->n_principals == 0)
        return wrong(p, "the statement has neither Principal nor NotPrincipal");
    return COF_OK;
}

static enum cof_err get_statements(struct parser *p, json_t *value)
{
    bool list = json_is_array(value);
    size_t n = list ? json_array_size(value) : 1;
    enum cof_err err = COF_OK;

    if (n == 0)
        return wrong(p, "there is no statement");
    if (n > COF_POLICY_STATEMENTS_MAX)
        return complain(p, COF_E_LIMIT, "too many statements", (struct cof_view){NULL, 0});
    p->policy->statements = calloc(n, sizeof *p->policy->statements);
    if (p->policy->statements == NULL)
        return COF_E_MEMORY;
    p->policy->n_statements = n;
    for (size_t i = 0; i < n && err == COF_OK; i++) {
        if (list)
            cof_locate_push_index(&p->path, i);
        err = get_statement(p, list ? json_array_get(value, i) : value, &p->policy->statements[i]);
        if (err == COF_OK && list)
            cof_locate_pop(&p->path);
    }
    return err;
}

static enum cof_err get_version(struct parser *p, const json_t *value)
{
    if (!json_is_string(value) ||
        (!cof_view_eq_str(view_of(value), "2012-10-17") && !cof_view_eq_str(view_of(value), "2008-10-17")))
        return wrong(p, "Version is \"2012-10-17\" (or the old \"2008-10-17\")");
    p->policy->variables = cof_view_eq_str(view_of(value), "2012-10-17");
    return COF_OK;
}

static enum cof_err get_document(struct parser *p)
{
    const char *key;
    json_t *member;
    enum cof_err err;

    json_object_foreach(p->policy->json, key, member) {
        struct cof_view name = cof_view_str(key);

        cof_locate_push_key(&p->path, key);
        if (cof_view_eq_str(name, "Version"))
            err = get_version(p, member);
        else if (cof_view_eq_str(name, "Id"))
            err = get_text(p, member, false, &p->policy->id);
        else if (cof_view_eq_str(name, "Statement"))
            err = get_statements(p, member);
        else
            err = complain(p, COF_E_FORMAT, "unknown element in a policy", name);
        if (err != COF_OK)
            return err;
        cof_locate_pop(&p->path);
    }
    return p->policy->n_statements == 0 ? wrong(p, "the policy has no Statement") : COF_OK;
}

enum cof_err cof_policy_parse(struct cof_view text, enum cof_policy_kind kind, size_t max, struct cof_policy **out,
                              struct cof_diag *diag)
{
    struct parser p = {.text = text, .diag = diag};
    json_error_t error;
    enum cof_err err = COF_E_BUG;

    *out = NULL;
    if (text.len > max)
        return cof_diag_set(diag, COF_E_LIMIT, "the policy has %zu bytes; at most %zu are allowed", text.len, max);
    p.policy = calloc(1, sizeof *p.policy);
    if (p.policy == NULL)
        return COF_E_MEMORY;
    p.policy->kind = kind;
    p.policy->made = json_array();
    p.policy->json = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &error);
    if (p.policy->json == NULL)
        err = cof_diag_set(diag, COF_E_FORMAT, "line %d, column %d: %s", error.line, error.column, error.text);
    else if (p.policy->made == NULL)
        err = COF_E_MEMORY;
    else if (!json_is_object(p.policy->json))
        err = cof_diag_set(diag, COF_E_FORMAT, "a policy is a JSON object");
    else
        err = get_document(&p);
    if (err != COF_OK) {
        cof_policy_free(p.policy);
        return err;
    }
    *out = p.policy;
    return COF_OK;
}

void cof_policy_free(struct cof_policy *policy)
{
    if (policy == NULL)
        return;
    for (size_t i = 0; i < policy->n_statements; i++) {
        struct cof_statement *st = &policy->statements[i];

        free(st->principals);
        free(st->actions);
        free(st->resources);
        for (size_t c = 0; c < st->n_conditions; c++)
            free(st->conditions[c].values);
        free(st->conditions);
    }
    free(policy->statements);
    json_decref(policy->json);
    json_decref(policy->made);
    free(policy);
}
