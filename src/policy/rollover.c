/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/rollover.h"

#include "format/json.h"
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

bool cof_measurement_eq(const struct cof_measurement *a, const struct cof_measurement *b)
{
    return strcmp(a->pcr[0], b->pcr[0]) == 0 && strcmp(a->pcr[1], b->pcr[1]) == 0 && strcmp(a->pcr[2], b->pcr[2]) == 0;
}

/* Which of the three a condition key is about, or -1. */
static int pcr_of(const char *key)
{
    static const char prefix[] = "kms:RecipientAttestation:";
    static const struct {
        const char *name;
        int pcr;
    } names[] = {{"ImageSha384", 0}, {"PCR0", 0}, {"PCR1", 1}, {"PCR2", 2}};
    struct cof_view v = cof_view_str(key), rest = cof_view_sub(v, sizeof prefix - 1, SIZE_MAX);

    if (!cof_view_eq_nocase(cof_view_sub(v, 0, sizeof prefix - 1), cof_view_str(prefix)))
        return -1;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (cof_view_eq_nocase(rest, cof_view_str(names[i].name)))
            return names[i].pcr;
    return -1;
}

/* What is done with each list of measurements. items: the condition's value, a list by now. */
struct visit {
    enum cof_err (*list)(void *ctx, int pcr, json_t *items, struct cof_diag *diag);
    void *ctx;
    size_t n;
    struct cof_diag *diag;
};

static enum cof_err visit_key(struct visit *v, const struct cof_condition *op, const char *name, json_t *keys, const char *key)
{
    int pcr = pcr_of(key);
    json_t *value = json_object_get(keys, key), *list;
    enum cof_err err;

    if (pcr < 0 || op->op == COF_COND_Null)
        return COF_OK;
    if (op->op != COF_COND_StringEquals && op->op != COF_COND_StringEqualsIgnoreCase && op->op != COF_COND_StringNotEquals &&
        op->op != COF_COND_StringNotEqualsIgnoreCase)
        return cof_diag_set(v->diag, COF_E_CONFIG, "%s on %s: a measurement is compared for equality", name, key);
    list = json_is_array(value) ? json_deep_copy(value) : json_pack("[O]", value);
    if (list == NULL)
        return COF_E_MEMORY;
    v->n++;
    err = v->list(v->ctx, pcr, list, v->diag);
    /* one text that is still one text stays a text, so that a policy which needs no change keeps its form */
    if (err == COF_OK && (json_is_array(value) || json_array_size(list) != 1) && json_object_set(keys, key, list) != 0)
        err = COF_E_MEMORY;
    json_decref(list);
    return err;
}

static enum cof_err visit_statement(struct visit *v, const json_t *statement)
{
    json_t *conditions = json_object_get(statement, "Condition"), *keys;
    const char *name, *key;
    enum cof_err err = COF_OK;

    json_object_foreach(conditions, name, keys) {
        struct cof_condition op = {.op = COF_COND_Null};
        void *it = json_object_iter(keys);

        err = cof_condition_parse_op(cof_view_str(name), &op);
        for (; it != NULL && err == COF_OK; it = json_object_iter_next(keys, it)) {
            key = json_object_iter_key(it);
            err = visit_key(v, &op, name, keys, key);
        }
        if (err != COF_OK)
            break;
    }
    return err;
}

/* Parses strictly, and visits a copy of the JSON; *out is the caller's. */
static enum cof_err visit_policy(struct cof_view text, struct visit *v, json_t **out)
{
    struct cof_policy *policy = NULL;
    struct cof_diag why = {0};
    json_t *statements, *root;
    enum cof_err err = cof_policy_parse(text, COF_POLICY_RESOURCE, COF_POLICY_SIZE_MAX, &policy, &why);

    *out = NULL;
    if (err == COF_E_MEMORY)
        return err;
    if (err != COF_OK)
        return cof_diag_set(v->diag, COF_E_CONFIG, "the key's policy: %s", why.text);
    root = json_deep_copy(policy->json);
    cof_policy_free(policy);
    if (root == NULL)
        return COF_E_MEMORY;
    statements = json_object_get(root, "Statement");
    if (json_is_object(statements))
        err = visit_statement(v, statements);
    for (size_t i = 0; i < json_array_size(statements) && err == COF_OK; i++)
        err = visit_statement(v, json_array_get(statements, i));
    if (err == COF_OK && v->n == 0) {
        err = cof_diag_set(v->diag, COF_E_CONFIG, "the key's policy demands no measurement of an image");
        cof_diag_hint(v->diag, "deploy/iam/key-data.json is one that does");
    }
    if (err == COF_OK)
        *out = root;
    else
        json_decref(root);
    return err;
}

/* An element of a list beside its text, by which lists are sorted. */
struct element {
    char *text;
    json_t *value;
};

static int by_text(const void *a, const void *b)
{
    const struct element *x = a, *y = b;

    return strcmp(x->text, y->text);
}

#define CANONICAL_FLAGS (JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY)

static json_t *canonical(json_t *value);

static json_t *canonical_list(json_t *list)
{
    size_t n = json_array_size(list), last = 0;
    struct element *elements = calloc(n + 1, sizeof *elements);
    json_t *out = json_array();
    bool fine = elements != NULL && out != NULL;

    for (size_t i = 0; i < n && fine; i++) {
        elements[i].value = canonical(json_array_get(list, i));
        elements[i].text = elements[i].value == NULL ? NULL : json_dumps(elements[i].value, CANONICAL_FLAGS);
        fine = elements[i].text != NULL;
    }
    if (fine)
        qsort(elements, n, sizeof *elements, by_text);
    for (size_t i = 0; i < n && fine; i++) {
        if (i > 0 && strcmp(elements[i].text, elements[last].text) == 0)
            continue;
        last = i;
        fine = json_array_append(out, elements[i].value) == 0;
    }
    for (size_t i = 0; elements != NULL && i < n; i++) {
        free(elements[i].text);
        json_decref(elements[i].value);
    }
    free(elements);
    if (!fine) {
        json_decref(out);
        return NULL;
    }
    if (json_array_size(out) == 1) {
        json_t *only = json_incref(json_array_get(out, 0));

        json_decref(out);
        return only;
    }
    return out;
}

/* The policy's grammar keeps it shallow. */
static json_t *canonical(json_t *value)
{
    json_t *out;
    void *it;

    if (json_is_array(value))
        return canonical_list(value);
    if (!json_is_object(value))
        return json_deep_copy(value);
    out = json_object();
    for (it = out == NULL ? NULL : json_object_iter(value); it != NULL; it = json_object_iter_next(value, it)) {
        json_t *inner = canonical(json_object_iter_value(it));

        if (inner == NULL || json_object_set_new(out, json_object_iter_key(it), inner) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

enum cof_err cof_rollover_canonical(struct cof_view text, struct cof_buf *out, struct cof_diag *diag)
{
    struct cof_policy *policy = NULL;
    struct cof_diag why = {0};
    json_t *same = NULL;
    char *dumped = NULL;
    enum cof_err err = cof_policy_parse(text, COF_POLICY_RESOURCE, COF_POLICY_SIZE_MAX, &policy, &why);

    if (err != COF_OK)
        return err == COF_E_MEMORY ? err : cof_diag_set(diag, COF_E_CONFIG, "the key's policy: %s", why.text);
    same = canonical(policy->json);
    dumped = same == NULL ? NULL : json_dumps(same, CANONICAL_FLAGS);
    if (dumped != NULL)
        cof_buf_add_str(out, dumped);
    err = dumped == NULL ? COF_E_MEMORY : cof_buf_err(out);
    free(dumped);
    json_decref(same);
    cof_policy_free(policy);
    return err;
}

static bool listed(const struct cof_rollover_lists *lists, int pcr, const char *hex)
{
    for (size_t i = 0; i < lists->n[pcr]; i++)
        if (strcmp(lists->items[pcr][i], hex) == 0)
            return true;
    return false;
}

/* The first list of a register is kept; every later one must hold the same. */
static enum cof_err read_list(void *ctx, int pcr, json_t *items, struct cof_diag *diag)
{
    struct cof_rollover_lists *lists = ctx;
    bool first = lists->n[pcr] == 0;
    size_t n = json_array_size(items);

    if (n > COF_ROLLOVER_VALUES_MAX)
        return cof_diag_set(diag, COF_E_CONFIG, "the key's policy lists %zu values of PCR%d; up to %d are looked at", n, pcr,
                            COF_ROLLOVER_VALUES_MAX);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(items, i);
        char hex[COF_PCR_HEX + 1];
        const char *wrong = cof_pcr_read(cof_view_of(json_string_value(item), json_string_length(item)), hex);

        if (wrong != NULL)
            return cof_diag_set(diag, COF_E_CONFIG, "the key's policy, PCR%d: %s", pcr, wrong);
        if (first && !listed(lists, pcr, hex))
            memcpy(lists->items[pcr][lists->n[pcr]++], hex, sizeof hex);
        else if (!listed(lists, pcr, hex))
            return cof_diag_set(diag, COF_E_CONFIG, "the key's policy names PCR%d %.16s... in one statement and not in another", pcr, hex);
    }
    lists->n_conditions++;
    return n == lists->n[pcr] ? COF_OK
                              : cof_diag_set(diag, COF_E_CONFIG, "the key's policy lists different values of PCR%d in its statements", pcr);
}

enum cof_err cof_rollover_read(struct cof_view policy, struct cof_rollover_lists *out, struct cof_diag *diag)
{
    struct visit v = {read_list, out, 0, diag};
    json_t *root = NULL;
    enum cof_err err;

    memset(out, 0, sizeof *out);
    err = visit_policy(policy, &v, &root);
    json_decref(root);
    for (int pcr = 0; pcr < 3 && err == COF_OK; pcr++)
        if (out->n[pcr] == 0) {
            err = cof_diag_set(diag, COF_E_CONFIG, "the key's policy does not demand PCR%d", pcr);
            cof_diag_hint(diag, "PCR0, PCR1 and PCR2 together fix an image: PCR0 does not tell where its parts end");
        }
    if (err != COF_OK)
        memset(out, 0, sizeof *out);
    return err;
}

bool cof_rollover_has(const struct cof_rollover_lists *lists, const struct cof_measurement *m)
{
    return listed(lists, 0, m->pcr[0]) && listed(lists, 1, m->pcr[1]) && listed(lists, 2, m->pcr[2]);
}

enum cof_err cof_rollover_only(const struct cof_rollover_lists *lists, struct cof_measurement *out, struct cof_diag *diag)
{
    memset(out, 0, sizeof *out);
    if (lists->n[0] != 1 || lists->n[1] != 1 || lists->n[2] != 1) {
        (void)cof_diag_set(diag, COF_E_CONFIG, "the key's policy lists several images");
        cof_diag_hint(diag, "say with --old which one the new image takes the place of");
        return COF_E_CONFIG;
    }
    for (int pcr = 0; pcr < 3; pcr++)
        memcpy(out->pcr[pcr], lists->items[pcr][0], sizeof out->pcr[pcr]);
    return COF_OK;
}

/* What to do to the lists: add a value, or take those out that are marked. */
struct change {
    const struct cof_measurement *add, *remove;
    bool take[3];
    bool changed;
};

static bool same_hex(const json_t *item, const char *hex)
{
    return cof_view_eq_nocase(cof_view_of(json_string_value(item), json_string_length(item)), cof_view_str(hex));
}

static enum cof_err change_list(void *ctx, int pcr, json_t *items, struct cof_diag *diag)
{
    struct change *c = ctx;
    bool there = false;

    (void)diag;
    for (size_t i = json_array_size(items); i-- > 0;) {
        const json_t *item = json_array_get(items, i);

        there = there || (c->add != NULL && same_hex(item, c->add->pcr[pcr]));
        if (c->remove != NULL && c->take[pcr] && same_hex(item, c->remove->pcr[pcr])) {
            c->changed = true;
            if (json_array_remove(items, i) != 0)
                return COF_E_BUG;
        }
    }
    if (c->add == NULL || there)
        return json_array_size(items) == 0 ? COF_E_BUG : COF_OK;
    c->changed = true;
    return json_array_append_new(items, json_string(c->add->pcr[pcr])) == 0 ? COF_OK : COF_E_MEMORY;
}

static enum cof_err apply(struct cof_view policy, struct change *c, struct cof_buf *out, struct cof_diag *diag)
{
    struct visit v = {change_list, c, 0, diag};
    json_t *root = NULL;
    char *text = NULL;
    enum cof_err err = visit_policy(policy, &v, &root);

    if (err == COF_OK && !c->changed) {
        cof_buf_add(out, policy);
        err = cof_buf_err(out);
    } else if (err == COF_OK) {
        text = json_dumps(root, JSON_INDENT(2));
        if (text != NULL && strlen(text) > COF_POLICY_SIZE_MAX) { /* the limit counts white space */
            free(text);
            text = json_dumps(root, JSON_COMPACT);
        }
        if (text == NULL)
            err = COF_E_MEMORY;
        else if (strlen(text) > COF_POLICY_SIZE_MAX)
            err = cof_diag_set(diag, COF_E_LIMIT, "the key's policy would be %zu bytes long, and KMS takes %d", strlen(text), COF_POLICY_SIZE_MAX);
    }
    if (text != NULL && err == COF_OK) {
        cof_buf_add_str(out, text);
        err = cof_buf_err(out);
    }
    free(text);
    json_decref(root);
    return err;
}

enum cof_err cof_rollover_add(struct cof_view policy, const struct cof_measurement *image, struct cof_buf *out, struct cof_diag *diag)
{
    struct change c = {.add = image};
    struct cof_rollover_lists lists;
    enum cof_err err = cof_rollover_read(policy, &lists, diag);

    return err == COF_OK ? apply(policy, &c, out, diag) : err;
}

enum cof_err cof_rollover_remove(struct cof_view policy, const struct cof_measurement *image, const struct cof_measurement *stays,
                                 struct cof_buf *out, struct cof_diag *diag)
{
    struct change c = {.remove = image};
    struct cof_rollover_lists lists;
    enum cof_err err = cof_rollover_read(policy, &lists, diag);
    bool others;

    if (err != COF_OK)
        return err;
    if (!cof_rollover_has(&lists, stays))
        return cof_diag_set(diag, COF_E_CONFIG, "the key's policy does not list the image that is to stay");
    if (strcmp(image->pcr[0], stays->pcr[0]) == 0)
        return cof_diag_set(diag, COF_E_CONFIG, "the image to be removed is the one that is to stay");
    others = lists.n[0] > (size_t)1 + listed(&lists, 0, image->pcr[0]);
    for (int pcr = 0; pcr < 3; pcr++)
        c.take[pcr] = strcmp(image->pcr[pcr], stays->pcr[pcr]) != 0 && (pcr == 0 || !others);
    return apply(policy, &c, out, diag);
}
