/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *why, *mend;
    enum cof_severity severity;
} rules[] = {
#define X(code, name, severity, why, mend) [COF_RULE_##code] = {name, why, mend, COF_SEVERITY_##severity},
    COF_RULE_TABLE(X)
#undef X
};

const char *cof_rule_name(enum cof_rule rule)
{
    return rules[rule].name;
}

enum cof_severity cof_rule_severity(enum cof_rule rule)
{
    return rules[rule].severity;
}

const char *cof_rule_why(enum cof_rule rule)
{
    return rules[rule].why;
}

const char *cof_rule_mend(enum cof_rule rule)
{
    return rules[rule].mend;
}

const char *cof_severity_name(enum cof_severity severity)
{
    switch (severity) {
    case COF_SEVERITY_NOTE:
        return "note";
    case COF_SEVERITY_WARNING:
        return "warning";
    case COF_SEVERITY_ERROR:
        break;
    }
    return "error";
}

/* Control characters and cut UTF-8 do not belong on a terminal. */
static void make_printable(char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            text[i] = '?';
    while (len > 0 && !cof_view_is_utf8(cof_view_of(text, len)))
        text[--len] = '\0';
}

static bool is_same(const struct cof_finding *a, const struct cof_finding *b)
{
    return a->rule == b->rule && a->document == b->document && a->at == b->at && strcmp(a->text, b->text) == 0;
}

struct cof_finding *cof_findings_add(struct cof_findings *f, enum cof_rule rule, size_t document, size_t at,
                                     const char *fmt, ...)
{
    struct cof_finding new = {.rule = rule, .severity = rules[rule].severity, .document = document, .at = at};
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(new.text, sizeof new.text, fmt, args);
    va_end(args);
    make_printable(new.text);
    for (size_t i = 0; i < f->n; i++)
        if (is_same(&f->items[i], &new))
            return &f->items[i];
    if (f->n == f->room && f->room < COF_FINDINGS_MAX) {
        size_t room = f->room == 0 ? 32 : f->room * 2;
        struct cof_finding *grown = realloc(f->items, room * sizeof *grown);

        if (grown != NULL) {
            f->items = grown;
            f->room = room;
        }
    }
    if (f->n == f->room) {
        f->n_lost++;
        f->lost = new;
        return &f->lost;
    }
    f->items[f->n] = new;
    return &f->items[f->n++];
}

void cof_finding_mend(struct cof_finding *finding, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(finding->mend, sizeof finding->mend, fmt, args);
    va_end(args);
    make_printable(finding->mend);
}

static int in_order(const void *a, const void *b)
{
    const struct cof_finding *x = a, *y = b;

    if (x->document != y->document)
        return x->document < y->document ? -1 : 1;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    if (x->severity != y->severity)
        return x->severity > y->severity ? -1 : 1;
    return x->rule != y->rule ? (x->rule < y->rule ? -1 : 1) : strcmp(x->text, y->text);
}

void cof_findings_sort(struct cof_findings *f)
{
    if (f->n > 1)
        qsort(f->items, f->n, sizeof f->items[0], in_order);
}

size_t cof_findings_count(const struct cof_findings *f, enum cof_severity severity)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n; i++)
        n += f->items[i].severity == severity;
    return n;
}

void cof_findings_done(struct cof_findings *f)
{
    if (f == NULL)
        return;
    free(f->items);
    *f = (struct cof_findings){0};
}
