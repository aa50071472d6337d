/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_show.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

#define OUT_MAX ((size_t)1 << 24)

static const char *const sources[] = {[COF_SOURCE_NONE] = "no policy", [COF_SOURCE_IDENTITY] = "identity policy",
    [COF_SOURCE_RESOURCE] = "resource policy", [COF_SOURCE_BOUNDARY] = "permission boundary", [COF_SOURCE_SESSION] = "session policy",
    [COF_SOURCE_ROOT] = "account root"};

void policy_show_text(struct cof_buf *out, const char *name, struct cof_view text)
{
    cof_buf_printf(out, "%s\"%s\":\"", out->len > 0 && out->data[out->len - 1] == '{' ? "" : ",", name);
    cof_json_escape(out, text);
    cof_buf_add_str(out, "\"");
}

static bool has(const struct cof_simulate_context *c, const struct cof_context_value *item)
{
    for (size_t i = 0; i < c->n; i++)
        if (cof_view_eq_nocase(c->items[i].key, item->key) && c->items[i].n_values > 0 && item->n_values > 0 &&
            cof_view_eq(c->items[i].values[0], item->values[0]))
            return true;
    return false;
}

void policy_show_needs(const struct cof_simulation *witness, const struct cof_simulation *asked, const char *between, struct cof_buf *out)
{
    size_t n = 0;

    for (size_t i = 0; i < witness->context.n; i++) {
        const struct cof_context_value *item = &witness->context.items[i];

        if (item->n_values == 0 || has(&asked->context, item))
            continue;
        if (n++ > 0)
            cof_buf_add_str(out, between);
        cof_buf_add(out, item->key);
        cof_buf_add_str(out, "=");
        cof_buf_add(out, cof_view_sub(item->values[0], 0, 24));
        if (item->values[0].len > 24)
            cof_buf_add_str(out, "...");
    }
}

void policy_show_needs_json(const struct cof_simulation *witness, const struct cof_simulation *asked, struct cof_buf *out)
{
    size_t n = 0;

    for (size_t i = 0; i < witness->context.n; i++) {
        const struct cof_context_value *item = &witness->context.items[i];

        if (item->n_values == 0 || has(&asked->context, item))
            continue;
        cof_buf_add_str(out, n++ > 0 ? ",\"" : "\"");
        cof_json_escape(out, item->key);
        cof_buf_add_str(out, "\":\"");
        cof_json_escape(out, item->values[0]);
        cof_buf_add_str(out, "\"");
    }
}

struct showing {
    const struct policy_account *a;
    const struct cof_simulation *s;
    struct cof_buf *out;
    bool all, json;
    size_t n; /* statements shown */
};

static const char *const operators[] = {
#define X(name, family, negated) #name,
    COF_COND_TABLE(X)
#undef X
};

static void add_operator(struct cof_buf *out, const struct cof_condition *c)
{
    cof_buf_printf(out, "%s%s%s", c->set == COF_COND_FOR_ALL_VALUES ? "ForAllValues:" : c->set == COF_COND_FOR_ANY_VALUE ? "ForAnyValue:" : "",
                   operators[c->op], c->if_exists ? "IfExists" : "");
}

/* A measurement is as good as its first digits for a person. */
static void add_short(struct cof_buf *out, struct cof_view v)
{
    cof_buf_add(out, v.len > 90 && cof_view_find(v, ' ') == SIZE_MAX ? cof_view_sub(v, 0, 16) : v);
    if (v.len > 90 && cof_view_find(v, ' ') == SIZE_MAX)
        cof_buf_add_str(out, "...");
}

static void show_condition(const struct showing *w, const struct cof_document *d, const struct cof_condition *c,
                           const struct cof_condition_place *place, bool holds)
{
    struct cof_buf has_now;
    size_t line, column;

    cof_text_position(d->text, place->key, &line, &column);
    cof_buf_init(&has_now, 65536);
    cof_access_describe(&w->s->access, c->key, &has_now);
    if (w->json) {
        cof_buf_printf(w->out, "%s{\"line\":%zu,\"column\":%zu,\"holds\":%s,\"operator\":\"", w->out->data[w->out->len - 1] == '[' ? "" : ",", line,
                       column, holds ? "true" : "false");
        add_operator(w->out, c);
        cof_buf_add_str(w->out, "\"");
        policy_show_text(w->out, "key", c->key);
        policy_show_text(w->out, "has", cof_buf_view(&has_now));
        cof_buf_add_str(w->out, ",\"wants\":[");
        for (size_t i = 0; i < c->n_values; i++) {
            cof_buf_add_str(w->out, i > 0 ? ",\"" : "\"");
            cof_json_escape(w->out, c->values[i]);
            cof_buf_add_str(w->out, "\"");
        }
        cof_buf_add_str(w->out, "]}");
    } else {
        cof_buf_printf(w->out, "        %s:%zu:%zu: %s: ", d->file, line, column, holds ? "holds" : "fails");
        add_operator(w->out, c);
        cof_buf_add_str(w->out, " ");
        cof_buf_add(w->out, c->key);
        for (size_t i = 0; i < c->n_values && i < 3; i++) {
            cof_buf_add_str(w->out, i > 0 ? ", " : " ");
            add_short(w->out, c->values[i]);
        }
        cof_buf_printf(w->out, "%s; the request has ", c->n_values > 3 ? ", ..." : "");
        add_short(w->out, cof_buf_view(&has_now));
        cof_buf_add_str(w->out, "\n");
    }
    cof_buf_done(&has_now);
}

static void show_statement(struct showing *w, const struct cof_document *d, size_t i)
{
    static const char *const misses[] = {[COF_MISS_NOTHING] = "applies", [COF_MISS_PRINCIPAL] = "is about another principal",
        [COF_MISS_ACTION] = "is about other actions", [COF_MISS_RESOURCE] = "is about other resources", [COF_MISS_CONDITION] = "a condition fails"};
    const struct cof_statement *st = &d->policy->statements[i];
    enum cof_miss miss = cof_statement_miss(d->policy, st, &w->s->access);
    const char *effect = st->effect == COF_EFFECT_ALLOW ? "Allow" : "Deny";
    size_t line, column;

    if (!w->all && (miss == COF_MISS_ACTION || miss == COF_MISS_RESOURCE || miss == COF_MISS_PRINCIPAL))
        return;
    if (!w->all && st->effect == COF_EFFECT_DENY && miss == COF_MISS_CONDITION)
        return; /* stands in nobody's way */
    cof_text_position(d->text, d->places[i].at, &line, &column);
    w->n++;
    if (w->json) {
        cof_buf_printf(w->out, "%s{\"line\":%zu,\"column\":%zu,\"effect\":\"%s\",\"applies\":%s", w->out->data[w->out->len - 1] == '[' ? "" : ",", line,
                       column, effect, miss == COF_MISS_NOTHING ? "true" : "false");
        policy_show_text(w->out, "file", cof_view_str(d->file));
        policy_show_text(w->out, "sid", st->sid);
        policy_show_text(w->out, "why", cof_view_str(misses[miss]));
        cof_buf_add_str(w->out, ",\"conditions\":[");
    } else {
        cof_buf_printf(w->out, "    %s:%zu:%zu: %s ", d->file, line, column, effect);
        cof_buf_add(w->out, st->sid);
        cof_buf_printf(w->out, ": %s\n", misses[miss]);
    }
    for (size_t c = 0; c < st->n_conditions && (miss == COF_MISS_NOTHING || miss == COF_MISS_CONDITION); c++) {
        bool holds = cof_statement_condition_holds(d->policy, st, c, &w->s->access);

        if (w->json || miss == COF_MISS_NOTHING || !holds)
            show_condition(w, d, &st->conditions[c], &d->places[i].conditions[c], holds);
    }
    if (w->json)
        cof_buf_add_str(w->out, "]}");
}

static void show_policy(struct showing *w, const struct cof_named_policy *named, enum cof_policy_source source)
{
    const struct cof_document *d = NULL;

    for (size_t i = 0; i < w->a->account.n_documents; i++)
        if (w->a->account.documents[i].file == named->name)
            d = &w->a->account.documents[i];
    if (named->policy == NULL || d == NULL)
        return;
    if (!w->json)
        cof_buf_printf(w->out, "  %s %s\n", sources[source], d->file);
    w->n = 0;
    for (size_t i = 0; i < d->policy->n_statements; i++)
        show_statement(w, d, i);
    if (!w->json && w->n == 0)
        cof_buf_add_str(w->out, "    says nothing about it\n");
}

static void show_all(struct showing *w)
{
    for (size_t i = 0; i < w->s->set.n_identity; i++)
        show_policy(w, &w->s->set.identity[i], COF_SOURCE_IDENTITY);
    show_policy(w, &w->s->set.resource, COF_SOURCE_RESOURCE);
    show_policy(w, &w->s->set.boundary, COF_SOURCE_BOUNDARY);
    show_policy(w, &w->s->set.session, COF_SOURCE_SESSION);
    if (!w->json && w->s->set.n_identity == 0 && w->s->set.resource.policy == NULL)
        cof_buf_add_str(w->out, "  no policy speaks of it\n");
}

static void add_decision(struct showing *w)
{
    const struct cof_simulation *s = w->s;
    const struct cof_document *d = s->document == SIZE_MAX ? NULL : &w->a->account.documents[s->document];
    size_t line = 0, column = 0;

    if (d != NULL && s->decision.statement < d->policy->n_statements)
        cof_text_position(d->text, d->places[s->decision.statement].at, &line, &column);
    if (w->json) {
        policy_show_text(w->out, "source", cof_view_str(sources[s->decision.source]));
        if (line == 0)
            return;
        policy_show_text(w->out, "file", cof_view_str(d->file));
        policy_show_text(w->out, "sid", s->decision.sid);
        cof_buf_printf(w->out, ",\"line\":%zu,\"column\":%zu", line, column);
    } else if (line > 0) {
        cof_buf_printf(w->out, "  by %s:%zu:%zu", d->file, line, column);
        cof_buf_printf(w->out, " (%.*s, %s)\n", (int)s->decision.sid.len, s->decision.sid.len > 0 ? (const char *)s->decision.sid.data : "",
                       sources[s->decision.source]);
    } else {
        cof_buf_printf(w->out, s->decision.verdict == COF_VERDICT_ALLOW ? "  the %s may\n" : "  because no %s allows it\n",
                       s->decision.verdict == COF_VERDICT_ALLOW ? "account's root" : sources[s->decision.source]);
    }
}

static void add_context(const struct showing *w)
{
    for (size_t i = 0; i < w->s->context.n; i++) {
        const struct cof_context_value *item = &w->s->context.items[i];

        cof_buf_add_str(w->out, i > 0 ? ",\"" : "\"");
        cof_json_escape(w->out, item->key);
        cof_buf_add_str(w->out, "\":[");
        for (size_t k = 0; k < item->n_values; k++) {
            cof_buf_add_str(w->out, k > 0 ? ",\"" : "\"");
            cof_json_escape(w->out, item->values[k]);
            cof_buf_add_str(w->out, "\"");
        }
        cof_buf_add_str(w->out, "]");
    }
}

static struct cof_view who(const struct cof_access *access)
{
    const struct cof_caller *c = &access->caller;

    return c->kind == COF_CALLER_ROLE ? c->role_arn : c->kind == COF_CALLER_ANONYMOUS ? COF_LIT("anonymous") : c->arn;
}

static void write_one(struct showing *w, const struct cof_simulation *witness, bool could)
{
    const struct cof_simulation *s = w->s;
    bool allowed = s->decision.verdict == COF_VERDICT_ALLOW;

    if (w->json) {
        cof_buf_printf(w->out, "{\"allowed\":%s,\"verdict\":\"%s\"", allowed ? "true" : "false",
                       allowed ? "allow" : s->decision.verdict == COF_VERDICT_EXPLICIT_DENY ? "explicit deny" : "implicit deny");
        policy_show_text(w->out, "principal", who(&s->access));
        policy_show_text(w->out, "action", s->access.action);
        policy_show_text(w->out, "resource", s->access.resource);
        cof_buf_add_str(w->out, ",\"decidedBy\":{");
        add_decision(w);
        cof_buf_add_str(w->out, "},\"statements\":[");
        show_all(w);
        cof_buf_add_str(w->out, "],\"context\":{");
        add_context(w);
        cof_buf_add_str(w->out, "}");
    } else {
        cof_buf_add_str(w->out, allowed ? "ALLOWED: " : "DENIED: ");
        cof_buf_add(w->out, who(&s->access));
        cof_buf_printf(w->out, "%s ", allowed ? " may" : " may not");
        cof_buf_add(w->out, s->access.action);
        cof_buf_add_str(w->out, " on ");
        cof_buf_add(w->out, s->access.resource);
        cof_buf_add_str(w->out, "\n");
        add_decision(w);
        show_all(w);
    }
    if (could && !allowed && w->json) {
        cof_buf_add_str(w->out, ",\"allowedWith\":{");
        policy_show_needs_json(witness, s, w->out);
        cof_buf_add_str(w->out, "}");
    } else if (could && !allowed) {
        struct cof_buf needs;

        cof_buf_init(&needs, 65536);
        policy_show_needs(witness, s, "\n      ", &needs);
        cof_buf_printf(w->out, "  it would be allowed with\n      %s\n", cof_buf_cstr(&needs));
        cof_buf_done(&needs);
    } else if (!allowed && !w->json) {
        cof_buf_add_str(w->out, "  no context that follows from the policies would allow it\n");
    }
    if (w->json)
        cof_buf_add_str(w->out, "}\n");
}

enum cof_err policy_show_one(struct policy_account *a, const struct cof_simulate_request *request, bool all_statements, enum policy_form form,
                             bool *allowed)
{
    struct cof_simulation *s = calloc(2, sizeof *s);
    struct cof_buf out, texts;
    struct showing w = {.a = a, .s = s, .out = &out, .all = all_statements, .json = form == POLICY_JSON};
    bool could;
    enum cof_err err;

    *allowed = false;
    if (s == NULL)
        return COF_E_MEMORY;
    cof_buf_init(&out, OUT_MAX);
    cof_buf_init(&texts, 65536);
    cof_simulate(&a->account, request, &s[0]);
    could = cof_simulate_witness(&a->account, request, &texts, &s[1]);
    write_one(&w, &s[1], could);
    err = cof_buf_err(&out);
    if (err == COF_OK)
        (void)fputs(cof_buf_cstr(&out), stdout);
    *allowed = s[0].decision.verdict == COF_VERDICT_ALLOW;
    cof_buf_done(&texts);
    cof_buf_done(&out);
    free(s);
    return err;
}
