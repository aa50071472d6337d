/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/template.h"

#include "base/log.h"

static const struct cof_template_value *find(const struct cof_template_value *values, size_t n, struct cof_view name)
{
    for (size_t i = 0; i < n; i++)
        if (cof_view_eq_str(name, values[i].name))
            return &values[i];
    return NULL;
}

static size_t line_of(struct cof_view text, size_t at)
{
    size_t line = 1;

    for (size_t i = 0; i < at; i++)
        line += text.data[i] == '\n';
    return line;
}

/* IAM's own: a key such as aws:username (with or without default), or an escaped wildcard. */
static bool is_iam(struct cof_view name)
{
    return cof_view_find(name, ':') != SIZE_MAX || cof_view_eq_str(name, "*") || cof_view_eq_str(name, "?") ||
           cof_view_eq_str(name, "$");
}

enum cof_err cof_template_fill(struct cof_view text, const struct cof_template_value *values, size_t n_values,
                               struct cof_buf *out, struct cof_diag *diag)
{
    for (size_t i = 0; i < text.len;) {
        const struct cof_template_value *value;
        struct cof_view rest = cof_view_sub(text, i, SIZE_MAX), name;
        size_t end;

        if (cof_view_starts(rest, COF_LIT("$${"))) {
            cof_buf_add_str(out, "${");
            i += 3;
            continue;
        }
        if (!cof_view_starts(rest, COF_LIT("${"))) {
            cof_buf_add_u8(out, rest.data[0]);
            i++;
            continue;
        }
        end = cof_view_find(rest, '}');
        if (end == SIZE_MAX)
            return cof_diag_set(diag, COF_E_FORMAT, "line %zu: ${ without its }", line_of(text, i));
        name = cof_view_sub(rest, 2, end - 2);
        value = find(values, n_values, name);
        if (value != NULL)
            cof_json_escape(out, cof_view_str(value->value));
        else if (is_iam(name))
            cof_buf_add(out, cof_view_sub(rest, 0, end + 1));
        else
            return cof_diag_set(diag, COF_E_CONFIG, "line %zu: no value for ${%.*s}", line_of(text, i),
                                (int)(name.len > 64 ? 64 : name.len), (const char *)name.data);
        i += end + 1;
    }
    return cof_buf_err(out);
}
