/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/document_read.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    enum cof_policy_kind as;
} kinds[] = {
    [COF_DOCUMENT_UNKNOWN] = {"unknown", COF_POLICY_IDENTITY},   [COF_DOCUMENT_IDENTITY] = {"identity", COF_POLICY_IDENTITY},
    [COF_DOCUMENT_BOUNDARY] = {"boundary", COF_POLICY_IDENTITY}, [COF_DOCUMENT_SESSION] = {"session", COF_POLICY_IDENTITY},
    [COF_DOCUMENT_KEY] = {"key", COF_POLICY_RESOURCE},           [COF_DOCUMENT_BUCKET] = {"bucket", COF_POLICY_RESOURCE},
    [COF_DOCUMENT_QUEUE] = {"queue", COF_POLICY_RESOURCE},       [COF_DOCUMENT_RESOURCE] = {"resource", COF_POLICY_RESOURCE},
    [COF_DOCUMENT_ENDPOINT] = {"endpoint", COF_POLICY_RESOURCE}, [COF_DOCUMENT_TRUST] = {"trust", COF_POLICY_TRUST},
};

const char *cof_document_kind_name(enum cof_document_kind kind)
{
    return kinds[kind].name;
}

bool cof_document_kind_parse(const char *name, enum cof_document_kind *out)
{
    for (size_t i = COF_DOCUMENT_IDENTITY; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, name) == 0) {
            *out = (enum cof_document_kind)i;
            return true;
        }
    return false;
}

enum cof_policy_kind cof_document_policy_kind(enum cof_document_kind kind)
{
    return kinds[kind].as;
}

bool cof_text_has_hole(struct cof_view text)
{
    for (size_t i = 0; i + 1 < text.len; i++) {
        struct cof_view inside = cof_view_sub(text, i + 2, SIZE_MAX);
        size_t end = cof_view_find(inside, '}');

        if (text.data[i] != '$' || text.data[i + 1] != '{' || end == SIZE_MAX)
            continue;
        inside = cof_view_sub(inside, 0, end);
        if (cof_view_find(inside, ':') == SIZE_MAX && !(inside.len == 1 && strchr("*?$", inside.data[0]) != NULL))
            return true;
    }
    return false;
}

static enum cof_err keep(struct cof_document *d, struct cof_view text, struct cof_view *out)
{
    char *copy = malloc(text.len + 1);

    if (copy == NULL)
        return COF_E_MEMORY;
    if (d->n_owned == d->room_owned) {
        size_t room = d->room_owned == 0 ? 16 : d->room_owned * 2;
        char **grown = realloc(d->owned, room * sizeof *grown);

        if (grown == NULL) {
            free(copy);
            return COF_E_MEMORY;
        }
        d->owned = grown;
        d->room_owned = room;
    }
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    d->owned[d->n_owned++] = copy;
    *out = cof_view_of(copy, text.len);
    return COF_OK;
}

/* Each name once in a document: the template says which. */
static void open_hole(struct reading *r, size_t at, const struct cof_diag *diag)
{
    const char *what = strstr(diag->text, ": ");
    char text[160];

    (void)snprintf(text, sizeof text, "%.150s", what != NULL ? what + 2 : "a hole that cannot be filled");
    for (size_t i = 0; i < r->findings->n; i++)
        if (r->findings->items[i].rule == COF_RULE_HOLE && r->findings->items[i].document == r->document->index &&
            strcmp(r->findings->items[i].text, text) == 0)
            return;
    cof_finding_mend(cof_findings_add(r->findings, COF_RULE_HOLE, r->document->index, at, "%s", text),
                     "give --set NAME=VALUE or --manifest FILE; a policy variable is written with its prefix, as in ${aws:username}");
}

/* The text filled in, decoded; the template works on JSON as it is written. */
static enum cof_err fill(struct reading *r, struct cof_view written, size_t at, struct cof_view *text)
{
    const struct cof_document_source *s = r->source;
    struct cof_json_fault fault;
    struct cof_json_tree tree = {0};
    struct cof_diag diag = {0};
    struct cof_buf filled;
    enum cof_err err;

    cof_buf_init(&filled, 65536);
    err = cof_template_fill(written, s->values, s->n_values, &filled, &diag);
    if (err == COF_OK)
        err = cof_json_tree_parse(cof_buf_view(&filled), &tree, &fault);
    if (err == COF_OK && tree.nodes[0].kind == COF_JSON_STRING)
        err = keep(r->document, tree.nodes[0].text, text);
    else if (err != COF_E_MEMORY) {
        open_hole(r, at, &diag);
        err = COF_OK;
    }
    cof_json_tree_done(&tree);
    cof_buf_done(&filled);
    return err;
}

static enum cof_err fill_all(struct reading *r)
{
    struct cof_json_tree *t = &r->document->tree;
    enum cof_err err = COF_OK;

    for (uint32_t i = 0; i < t->n && err == COF_OK; i++) {
        struct cof_json_node *node = &t->nodes[i];

        if (node->kind == COF_JSON_STRING && (cof_text_has_hole(node->text) || memmem(node->text.data, node->text.len, "$${", 3)))
            err = fill(r, cof_view_sub(r->document->text, node->at, node->end - node->at), node->at, &node->text);
        if (err == COF_OK && node->has_key && cof_text_has_hole(node->key)) {
            size_t len = 1;

            while (r->document->text.data[node->key_at + len] != '"')
                len += r->document->text.data[node->key_at + len] == '\\' ? 2 : 1;
            err = fill(r, cof_view_sub(r->document->text, node->key_at, len + 1), node->key_at, &node->key);
        }
    }
    return err;
}

static void write_node(const struct cof_json_tree *t, uint32_t index, struct cof_buf *out)
{
    const struct cof_json_node *node = &t->nodes[index];
    bool object = node->kind == COF_JSON_OBJECT;

    if (node->has_key) {
        cof_buf_add_u8(out, '"');
        cof_json_escape(out, node->key);
        cof_buf_add_str(out, "\":");
    }
    switch (node->kind) {
    case COF_JSON_OBJECT:
    case COF_JSON_ARRAY:
        cof_buf_add_u8(out, object ? '{' : '[');
        for (uint32_t i = node->first; i != COF_JSON_NONE; i = t->nodes[i].next) {
            if (i != node->first)
                cof_buf_add_u8(out, ',');
            write_node(t, i, out);
        }
        cof_buf_add_u8(out, object ? '}' : ']');
        break;
    case COF_JSON_STRING:
        cof_buf_add_u8(out, '"');
        cof_json_escape(out, node->text);
        cof_buf_add_u8(out, '"');
        break;
    case COF_JSON_NUMBER:
        cof_buf_add(out, node->text);
        break;
    case COF_JSON_TRUE:
        cof_buf_add_str(out, "true");
        break;
    case COF_JSON_FALSE:
        cof_buf_add_str(out, "false");
        break;
    case COF_JSON_NULL:
        cof_buf_add_str(out, "null");
        break;
    }
}

enum cof_err cof_document_write(const struct cof_document *document, struct cof_buf *out)
{
    if (document->tree.n == 0)
        return COF_E_FORMAT;
    write_node(&document->tree, 0, out);
    return cof_buf_err(out);
}

/* Places in a part of a file count from the file's start. */
static void shift(struct cof_json_tree *t, size_t by)
{
    for (uint32_t i = 0; i < t->n; i++) {
        t->nodes[i].at += by;
        t->nodes[i].end += by;
        t->nodes[i].key_at += by;
    }
}

/* Whether the strict reader takes it, and if not, why. */
static enum cof_err ask_strict(struct cof_document *d)
{
    struct cof_policy *strict = NULL;
    struct cof_diag diag = {0};
    struct cof_buf text;
    enum cof_err err;

    cof_buf_init(&text, COF_DOCUMENT_MAX);
    err = cof_document_write(d, &text);
    d->size_bytes = text.len;
    if (err == COF_OK)
        err = cof_policy_parse(cof_buf_view(&text), cof_document_policy_kind(d->kind), SIZE_MAX, &strict, &diag);
    d->sound = err == COF_OK;
    if (err != COF_OK) {
        const char *what = strstr(diag.text, ": "); /* its place is one in the text just written */

        (void)snprintf(d->refused, sizeof d->refused, "%s", what != NULL ? what + 2 : diag.text);
    }
    cof_policy_free(strict);
    cof_buf_done(&text);
    return err == COF_E_MEMORY ? err : COF_OK;
}

enum cof_err cof_document_read(const struct cof_document_source *source, struct cof_findings *findings,
                               struct cof_document *out)
{
    struct reading r = {.source = source, .findings = findings, .document = out};
    struct cof_view part = source->to == 0 ? source->text : cof_view_sub(source->text, source->from, source->to - source->from);
    struct cof_json_fault fault;
    enum cof_err err;

    *out = (struct cof_document){.file = source->file, .text = source->text, .index = source->index, .kind = source->kind,
                                 .version = COF_NO_PLACE};
    err = cof_json_tree_parse(part, &out->tree, &fault);
    if (err == COF_E_FORMAT) {
        struct cof_finding *f =
            cof_findings_add(findings, COF_RULE_JSON_SYNTAX, source->index, source->from + fault.at, "%s", fault.what);

        cof_finding_mend(f, "%s", fault.mend);
        return COF_OK;
    }
    if (err == COF_E_LIMIT) {
        cof_findings_add(findings, COF_RULE_POLICY_SHAPE, source->index, source->from, "nested too deeply, or too long");
        return COF_OK;
    }
    if (err != COF_OK)
        return err;
    shift(&out->tree, source->from);
    if (out->tree.bom)
        cof_findings_add(findings, COF_RULE_JSON_BOM, source->index, 0, "the file begins with a byte order mark");
    err = fill_all(&r);
    if (err == COF_OK)
        err = cof_document_understand(&r);
    if (err == COF_OK && out->policy != NULL)
        err = ask_strict(out);
    return err;
}

void cof_document_done(struct cof_document *d)
{
    if (d == NULL)
        return;
    for (size_t i = 0; d->places != NULL && i < d->policy->n_statements; i++) {
        struct cof_statement_place *p = &d->places[i];

        for (size_t c = 0; c < d->policy->statements[i].n_conditions; c++)
            free(p->conditions[c].values);
        free(p->principals);
        free(p->actions);
        free(p->resources);
        free(p->conditions);
    }
    free(d->places);
    cof_policy_free(d->policy);
    cof_json_tree_done(&d->tree);
    for (size_t i = 0; i < d->n_owned; i++)
        free(d->owned[i]);
    free(d->owned);
    *d = (struct cof_document){0};
}
