/* SPDX-License-Identifier: Apache-2.0
 *
 * Who can, and the whole matrix: one row an action on a resource, one column a principal.
 */
#include "policy_show.h"

#include "base/log.h"
#include "policy/facts.h"
#include "policy/lint_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 2048
#define OUT_MAX ((size_t)1 << 24)

enum answer { NO, IF, YES };

struct row {
    size_t resource;
    struct cof_view arn, action;
};

struct matrix {
    struct policy_account *a;
    struct cof_simulate_request request;
    struct cof_simulation *now, *witness;
    struct cof_buf texts, needs;
    struct row *rows;
    size_t n_rows;
    struct cof_buf out;
};

/* needs then holds what an IF asks for. */
static enum answer ask(struct matrix *m, size_t identity)
{
    cof_buf_reset(&m->needs);
    m->request.identity = identity;
    cof_simulate(&m->a->account, &m->request, m->now);
    if (m->now->decision.verdict == COF_VERDICT_ALLOW)
        return YES;
    cof_buf_truncate(&m->texts, 0);
    if (!cof_simulate_witness(&m->a->account, &m->request, &m->texts, m->witness))
        return NO;
    policy_show_needs(m->witness, m->now, " ", &m->needs);
    return IF;
}

static enum cof_err matrix_init(struct matrix *m, struct policy_account *a, const struct cof_simulate_request *request)
{
    *m = (struct matrix){.a = a, .request = *request};
    cof_buf_init(&m->out, OUT_MAX);
    cof_buf_init(&m->texts, 65536);
    cof_buf_init(&m->needs, 65536);
    m->now = calloc(1, sizeof *m->now);
    m->witness = calloc(1, sizeof *m->witness);
    m->rows = calloc(ROWS_MAX, sizeof *m->rows);
    return m->now == NULL || m->witness == NULL || m->rows == NULL ? COF_E_MEMORY : COF_OK;
}

static enum cof_err matrix_done(struct matrix *m, enum cof_err err)
{
    if (err == COF_OK)
        err = cof_buf_err(&m->out);
    if (err == COF_OK)
        (void)fputs(cof_buf_cstr(&m->out), stdout);
    cof_buf_done(&m->out);
    cof_buf_done(&m->texts);
    cof_buf_done(&m->needs);
    free(m->now);
    free(m->witness);
    free(m->rows);
    return err;
}

/* What the witness of the last ask has besides. */
static void add_needs(struct matrix *m)
{
    cof_buf_add_str(&m->out, ",\"with\":{");
    policy_show_needs_json(m->witness, m->now, &m->out);
    cof_buf_add_str(&m->out, "}");
}

enum cof_err policy_show_who(struct policy_account *a, const struct cof_simulate_request *request, enum policy_form form)
{
    static const char *const answers[] = {"no", "if", "yes"};
    struct matrix m;
    enum cof_err err = matrix_init(&m, a, request);

    if (err == COF_OK && form == POLICY_JSON) {
        cof_buf_add_str(&m.out, "{");
        policy_show_text(&m.out, "action", request->action);
        policy_show_text(&m.out, "resource", request->arn);
        cof_buf_add_str(&m.out, ",\"principals\":[");
    }
    for (size_t i = 0; err == COF_OK && i < a->account.n_identities; i++) {
        enum answer answer = ask(&m, i);

        if (form == POLICY_JSON) {
            cof_buf_add_str(&m.out, i > 0 ? ",\n{" : "\n{");
            policy_show_text(&m.out, "principal", a->account.identities[i].arn);
            policy_show_text(&m.out, "can", cof_view_str(answers[answer]));
            if (answer == IF)
                add_needs(&m);
            cof_buf_add_str(&m.out, "}");
        } else {
            cof_buf_printf(&m.out, "%-3s  %.*s", answers[answer], (int)a->account.identities[i].name.len, (const char *)a->account.identities[i].name.data);
            cof_buf_printf(&m.out, answer == IF ? "  with %s\n" : "%s\n", answer == IF ? cof_buf_cstr(&m.needs) : "");
        }
    }
    if (form == POLICY_JSON)
        cof_buf_add_str(&m.out, "]}\n");
    return matrix_done(&m, err);
}

static const char *service_of(const struct cof_account_resource *r)
{
    static const char *const services[] = {[COF_ACCOUNT_KEY] = "kms", [COF_ACCOUNT_BUCKET] = "s3", [COF_ACCOUNT_QUEUE] = "sqs", [COF_ACCOUNT_ROLE] = "sts"};

    return services[r->kind];
}

/* Whether an action is about objects rather than the bucket. */
static bool about_objects(struct cof_view action)
{
    const struct cof_service_fact *service;
    const struct cof_action_fact *fact;

    return cof_facts_action(action, &service, &fact) && fact != NULL && strstr(fact->resources, "object") != NULL;
}

static void add_row(struct matrix *m, size_t resource, struct cof_view arn, struct cof_view action)
{
    for (size_t i = 0; i < m->n_rows; i++)
        if (cof_view_eq(m->rows[i].arn, arn) && cof_view_eq_nocase(m->rows[i].action, action))
            return;
    if (m->n_rows < ROWS_MAX)
        m->rows[m->n_rows++] = (struct row){resource, arn, action};
}

/* "arn:aws:s3:::b/jobs/x" for each folder that the policies name. */
static void add_folders(struct matrix *m, size_t resource, struct cof_view action)
{
    struct cof_account *account = &m->a->account;
    struct cof_view bucket = account->resources[resource].arn;
    bool any = false;

    for (size_t d = 0; d < account->n_documents; d++)
        for (size_t s = 0; account->documents[d].policy != NULL && s < account->documents[d].policy->n_statements; s++) {
            const struct cof_statement *st = &account->documents[d].policy->statements[s];

            for (size_t r = 0; r < st->n_resources; r++) {
                struct cof_view v = st->resources[r], rest = cof_view_sub(v, bucket.len, SIZE_MAX);
                struct cof_buf arn;

                if (!cof_view_starts(v, bucket) || !cof_view_starts(rest, COF_LIT("/")) || !cof_view_ends(rest, COF_LIT("/*")) || rest.len < 3 ||
                    cof_view_find(rest, '$') != SIZE_MAX)
                    continue;
                cof_buf_init(&arn, 4096);
                cof_buf_add(&arn, cof_view_sub(v, 0, v.len - 1));
                cof_buf_add_str(&arn, "x");
                add_row(m, resource, cof_account_keep(account, cof_buf_view(&arn)), action);
                cof_buf_done(&arn);
                any = true;
            }
        }
    if (!any) {
        struct cof_view object;

        (void)cof_account_find_resource(account, bucket, &object);
        add_row(m, resource, object, action);
    }
}

static void add_actions(struct matrix *m, size_t resource, const struct cof_statement *st)
{
    const struct cof_account_resource *r = &m->a->account.resources[resource];

    for (size_t i = 0; i < st->n_actions; i++) {
        struct cof_view service, name;

        (void)cof_view_split(st->actions[i], ':', &service, &name);
        if (cof_lint_is_wild(st->actions[i]) || !cof_view_eq_nocase(service, cof_view_str(service_of(r))))
            continue;
        if (r->kind == COF_ACCOUNT_BUCKET && about_objects(st->actions[i]))
            add_folders(m, resource, st->actions[i]);
        else
            add_row(m, resource, r->arn, st->actions[i]);
    }
}

/* Every action that some policy names, on each resource of its service. */
static void make_rows(struct matrix *m)
{
    struct cof_account *account = &m->a->account;

    for (size_t r = 0; r < account->n_resources; r++)
        for (size_t d = 0; d < account->n_documents; d++)
            for (size_t s = 0; account->documents[d].policy != NULL && s < account->documents[d].policy->n_statements; s++)
                add_actions(m, r, &account->documents[d].policy->statements[s]);
}

static int in_order(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int c = x->resource != y->resource ? (x->resource < y->resource ? -1 : 1) : cof_view_cmp(x->arn, y->arn);

    return c != 0 ? c : cof_view_cmp(x->action, y->action);
}

static void html_text(struct cof_buf *out, struct cof_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.data[i] == '<')
            cof_buf_add_str(out, "&lt;");
        else if (v.data[i] == '&')
            cof_buf_add_str(out, "&amp;");
        else if (v.data[i] == '"')
            cof_buf_add_str(out, "&quot;");
        else
            cof_buf_add_u8(out, v.data[i]);
}

/* Without what all names begin with ("coffer-"), for narrow columns. */
static struct cof_view short_name(const struct cof_account *account, size_t i)
{
    struct cof_view name = account->identities[i].name;
    size_t dash = cof_view_find(name, '-');

    return dash == SIZE_MAX || dash + 1 == name.len ? name : cof_view_sub(name, dash + 1, SIZE_MAX);
}

static int width(const struct cof_account *account, size_t i)
{
    size_t len = short_name(account, i).len;

    return len > 24 ? 24 : len < 3 ? 3 : (int)len;
}

static void begin(struct matrix *m, enum policy_form form)
{
    const struct cof_account *account = &m->a->account;

    if (form == POLICY_HTML)
        cof_buf_add_str(&m->out,
            "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>Who may do what</title><style>"
            "body{font:14px/1.4 system-ui,sans-serif;margin:2em;color:#222;background:#fff}table{border-collapse:collapse}"
            "th,td{border:1px solid #ccc;padding:2px 8px}thead th{position:sticky;top:0;background:#f4f4f4}th{text-align:left;font-weight:500}"
            "td{text-align:center}tr.r th{background:#e8eef4;font-weight:700}.yes{background:#b7e4c7}.if{background:#ffe8a3}.no{color:#bbb}"
            "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}thead th{background:#222}tr.r th{background:#243140}"
            ".yes{background:#1f5c38}.if{background:#6b5413}th,td{border-color:#444}.no{color:#666}}</style><h1>Who may do what</h1>"
            "<p><span class=\"yes\">&nbsp;yes&nbsp;</span> as it is, <span class=\"if\">&nbsp;if&nbsp;</span> under conditions (point at it), "
            "- never</p><table><thead><tr><th>action</th>");
    else if (form == POLICY_JSON)
        cof_buf_add_str(&m->out, "{\"principals\":[");
    else
        cof_buf_printf(&m->out, "Y: allowed   c: allowed under conditions   -: denied\n\n%-42s", "");
    for (size_t i = 0; i < account->n_identities; i++) {
        struct cof_view name = account->identities[i].name;

        if (form == POLICY_HTML) {
            cof_buf_add_str(&m->out, "<th>");
            html_text(&m->out, name);
            cof_buf_add_str(&m->out, "</th>");
        } else if (form == POLICY_JSON) {
            cof_buf_add_str(&m->out, i > 0 ? ",\"" : "\"");
            cof_json_escape(&m->out, account->identities[i].arn);
            cof_buf_add_str(&m->out, "\"");
        } else {
            name = short_name(account, i);
            cof_buf_printf(&m->out, "  %-*.*s", width(account, i), (int)(name.len > 24 ? 24 : name.len), (const char *)name.data);
        }
    }
    cof_buf_add_str(&m->out, form == POLICY_HTML ? "</tr></thead><tbody>\n" : form == POLICY_JSON ? "],\"rows\":[" : "\n");
}

static void begin_row(struct matrix *m, size_t i, enum policy_form form)
{
    const struct row *row = &m->rows[i];
    bool new = i == 0 || !cof_view_eq(m->rows[i - 1].arn, row->arn);
    struct cof_view alias = m->a->account.resources[row->resource].alias;

    if (form == POLICY_JSON) {
        cof_buf_add_str(&m->out, i > 0 ? ",\n{" : "\n{");
        policy_show_text(&m->out, "resource", row->arn);
        policy_show_text(&m->out, "action", row->action);
        cof_buf_add_str(&m->out, ",\"answers\":[");
        return;
    }
    if (new && form == POLICY_HTML) {
        cof_buf_printf(&m->out, "<tr class=\"r\"><th colspan=\"%zu\">", m->a->account.n_identities + 1);
        html_text(&m->out, row->arn);
        html_text(&m->out, alias);
        cof_buf_add_str(&m->out, "</th></tr>\n");
    } else if (new) {
        cof_buf_add_str(&m->out, "\n");
        cof_buf_add(&m->out, row->arn);
        cof_buf_printf(&m->out, "%s%.*s\n", alias.len > 0 ? "  " : "", (int)alias.len, alias.len > 0 ? (const char *)alias.data : "");
    }
    if (form == POLICY_HTML) {
        cof_buf_add_str(&m->out, "<tr><th>");
        html_text(&m->out, row->action);
        cof_buf_add_str(&m->out, "</th>");
    } else {
        cof_buf_printf(&m->out, "  %-40.*s", (int)row->action.len, (const char *)row->action.data);
    }
}

static void add_cell(struct matrix *m, size_t i, enum answer answer, enum policy_form form)
{
    static const char *const words[] = {"no", "if", "yes"}, *const letters[] = {"-", "c", "Y"};

    if (form == POLICY_WORDS) {
        cof_buf_printf(&m->out, "  %-*s", width(&m->a->account, i), letters[answer]);
        return;
    }
    if (form == POLICY_JSON) {
        cof_buf_printf(&m->out, "%s{\"can\":\"%s\"", i > 0 ? "," : "", words[answer]);
        if (answer == IF)
            add_needs(m);
        cof_buf_add_str(&m->out, "}");
        return;
    }
    cof_buf_printf(&m->out, "<td class=\"%s\"", words[answer]);
    if (answer == IF) {
        cof_buf_add_str(&m->out, " title=\"");
        html_text(&m->out, cof_buf_view(&m->needs));
        cof_buf_add_str(&m->out, "\"");
    }
    cof_buf_printf(&m->out, ">%s</td>", answer == NO ? "-" : words[answer]);
}

enum cof_err policy_show_matrix(struct policy_account *a, const struct cof_simulate_request *request, enum policy_form form)
{
    struct matrix m;
    enum cof_err err = matrix_init(&m, a, request);

    if (err == COF_OK) {
        make_rows(&m);
        qsort(m.rows, m.n_rows, sizeof m.rows[0], in_order);
        begin(&m, form);
    }
    for (size_t i = 0; err == COF_OK && i < m.n_rows; i++) {
        m.request.resource = m.rows[i].resource;
        m.request.arn = m.rows[i].arn;
        m.request.action = m.rows[i].action;
        begin_row(&m, i, form);
        for (size_t k = 0; k < a->account.n_identities; k++)
            add_cell(&m, k, ask(&m, k), form);
        cof_buf_add_str(&m.out, form == POLICY_HTML ? "</tr>\n" : form == POLICY_JSON ? "]}" : "\n");
    }
    cof_buf_add_str(&m.out, form == POLICY_HTML ? "</tbody></table></html>\n" : form == POLICY_JSON ? "]}\n" : "");
    return matrix_done(&m, err);
}
