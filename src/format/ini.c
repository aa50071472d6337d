/* SPDX-License-Identifier: Apache-2.0 */
#include "format/ini.h"

#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 4096

struct reader {
    struct cof_ini *ini;
    size_t cap;
    struct cof_view section; /* of the lines that follow; data NULL: none yet */
    struct cof_view outer;   /* the name above without a value */
};

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static enum cof_err add(struct reader *r, struct cof_ini_entry entry)
{
    struct cof_ini *ini = r->ini;

    if (ini->n >= ENTRIES_MAX)
        return COF_E_LIMIT;
    if (ini->n == r->cap) {
        size_t cap = r->cap == 0 ? 32 : r->cap * 2;
        struct cof_ini_entry *more = realloc(ini->entries, cap * sizeof *more);
        if (more == NULL)
            return COF_E_MEMORY;
        ini->entries = more;
        r->cap = cap;
    }
    ini->entries[ini->n++] = entry;
    return COF_OK;
}

/* The bytes of a view into our own text, to be changed in place. */
static uint8_t *own(struct reader *r, struct cof_view v)
{
    return r->ini->text.data + (v.data - r->ini->text.data);
}

/* "profile   "my team"" becomes "profile my team", in place. */
static struct cof_view tidy_section(struct reader *r, struct cof_view v)
{
    uint8_t *p = own(r, v);
    bool quoted = false;
    size_t n = 0;

    for (size_t i = 0; i < v.len; i++) {
        if (v.data[i] == '"')
            quoted = !quoted;
        else if (quoted || !is_space(v.data[i]) || (n > 0 && !is_space(p[n - 1])))
            p[n++] = quoted || !is_space(v.data[i]) ? v.data[i] : ' ';
    }
    return quoted ? (struct cof_view){0} : cof_view_trim(cof_view_of(p, n));
}

static bool is_there(const struct cof_ini *ini, struct cof_view section, struct cof_view outer, struct cof_view name)
{
    for (size_t i = 0; i < ini->n; i++)
        if (cof_view_eq(ini->entries[i].section, section) && cof_view_eq(ini->entries[i].outer, outer) &&
            cof_view_eq(ini->entries[i].name, name))
            return true;
    return false;
}

static const char *open_section(struct reader *r, struct cof_view line, enum cof_err *err)
{
    struct cof_view inner, tail;

    if (!cof_view_split(cof_view_sub(line, 1, SIZE_MAX), ']', &inner, &tail))
        return "a section's ']' is missing";
    tail = cof_view_trim(tail);
    if (tail.len > 0 && tail.data[0] != '#' && tail.data[0] != ';')
        return "text after a section's ']'";
    inner = tidy_section(r, cof_view_trim(inner));
    if (inner.len == 0)
        return "a section has no name";
    if (is_there(r->ini, inner, (struct cof_view){0}, (struct cof_view){0}))
        return "a section is there twice";
    r->section = inner;
    r->outer = (struct cof_view){0};
    *err = add(r, (struct cof_ini_entry){.section = inner});
    return NULL;
}

static const char *take_pair(struct reader *r, struct cof_view line, bool indented, enum cof_err *err)
{
    size_t at = 0;
    struct cof_view name, value;
    uint8_t *p;

    while (at < line.len && line.data[at] != '=' && line.data[at] != ':')
        at++;
    name = cof_view_trim(cof_view_sub(line, 0, at));
    value = cof_view_trim(cof_view_sub(line, at + 1, SIZE_MAX));
    if (at == line.len || name.len == 0)
        return "expected 'name = value'";
    if (r->section.data == NULL)
        return "a value stands before the first section";
    if (indented && r->outer.len == 0)
        return "an indented line below a name that has a value";
    p = own(r, name);
    for (size_t i = 0; i < name.len; i++)
        if (p[i] >= 'A' && p[i] <= 'Z')
            p[i] = (uint8_t)(p[i] - 'A' + 'a');
    if (!indented)
        r->outer = (struct cof_view){0};
    if (is_there(r->ini, r->section, r->outer, name))
        return "a name is there twice";
    *err = add(r, (struct cof_ini_entry){r->section, name, r->outer, value});
    if (!indented && value.len == 0)
        r->outer = name;
    return NULL;
}

static bool has_controls(struct cof_view line)
{
    for (size_t i = 0; i < line.len; i++)
        if ((line.data[i] < 0x20 && line.data[i] != '\t') || line.data[i] == 0x7f)
            return true;
    return false;
}

static const char *take_line(struct reader *r, struct cof_view line, enum cof_err *err)
{
    struct cof_view text;

    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    text = cof_view_trim(line);
    if (text.len == 0 || text.data[0] == '#' || text.data[0] == ';')
        return NULL;
    if (has_controls(line))
        return "a control character";
    if (text.data[0] == '[' && !is_space(line.data[0]))
        return open_section(r, text, err);
    return take_pair(r, text, is_space(line.data[0]), err);
}

enum cof_err cof_ini_parse(struct cof_view text, size_t max_bytes, struct cof_ini *out, struct cof_diag *diag)
{
    struct reader r = {.ini = out};
    struct cof_view rest, line;
    enum cof_err err = COF_OK;

    *out = (struct cof_ini){0};
    if (text.len > max_bytes)
        return cof_diag_set(diag, COF_E_LIMIT, "the file is larger than %zu bytes", max_bytes);
    if (cof_view_starts(text, COF_LIT("\xef\xbb\xbf")))
        text = cof_view_sub(text, 3, SIZE_MAX);
    cof_buf_init_secret(&out->text, max_bytes);
    cof_buf_add(&out->text, text);
    err = cof_buf_err(&out->text);
    rest = cof_buf_view(&out->text);
    for (unsigned n = 1; err == COF_OK && rest.len > 0; n++) {
        const char *wrong;
        (void)cof_view_split(rest, '\n', &line, &rest);
        wrong = take_line(&r, line, &err);
        if (wrong != NULL)
            err = cof_diag_set(diag, COF_E_FORMAT, "line %u: %s", n, wrong);
    }
    if (err != COF_OK)
        cof_ini_done(out);
    return err;
}

void cof_ini_done(struct cof_ini *ini)
{
    if (ini == NULL)
        return;
    cof_buf_done(&ini->text);
    free(ini->entries);
    ini->entries = NULL;
    ini->n = 0;
}

bool cof_ini_has(const struct cof_ini *ini, const char *section)
{
    return is_there(ini, cof_view_str(section), (struct cof_view){0}, (struct cof_view){0});
}

bool cof_ini_get(const struct cof_ini *ini, const char *section, const char *name, struct cof_view *value)
{
    return cof_ini_get_nested(ini, section, "", name, value);
}

bool cof_ini_get_nested(const struct cof_ini *ini, const char *section, const char *outer, const char *name,
                        struct cof_view *value)
{
    *value = (struct cof_view){0};
    for (size_t i = 0; i < ini->n; i++) {
        const struct cof_ini_entry *e = &ini->entries[i];
        if (e->name.len > 0 && cof_view_eq_str(e->section, section) && cof_view_eq_str(e->outer, outer) &&
            cof_view_eq_str(e->name, name)) {
            *value = e->value;
            return true;
        }
    }
    return false;
}
