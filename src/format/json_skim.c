/* SPDX-License-Identifier: Apache-2.0 */
#include "format/json_skim.h"

/* Nothing is read at or behind end. */
struct skim {
    const uint8_t *at, *end;
};

static void skip_space(struct skim *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t'))
        s->at++;
}

/* The next byte that is no space, taken if it is c. */
static bool takes(struct skim *s, uint8_t c)
{
    skip_space(s);
    if (s->at == s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

/* Behind the closing quote of a string whose opening one was taken. */
static bool skip_string(struct skim *s)
{
    while (s->at < s->end) {
        const uint8_t *quote = memchr(s->at, '"', (size_t)(s->end - s->at)), *escape;

        if (quote == NULL)
            return false;
        escape = memchr(s->at, '\\', (size_t)(quote - s->at));
        if (escape == NULL) {
            s->at = quote + 1;
            return true;
        }
        if (s->end - escape < 2)
            return false;
        s->at = escape + 2;
    }
    return false;
}

/* A number or a word. */
static bool skip_plain(struct skim *s)
{
    const uint8_t *start = s->at;

    while (s->at < s->end && ((*s->at >= '0' && *s->at <= '9') || (*s->at >= 'a' && *s->at <= 'z') || *s->at == '-' || *s->at == '+' ||
                              *s->at == '.' || *s->at == 'E'))
        s->at++;
    return s->at > start;
}

static bool skip_value(struct skim *s, struct cof_view *value)
{
    const uint8_t *start;
    size_t depth = 0;

    skip_space(s);
    start = s->at;
    do {
        bool fine = true;

        skip_space(s);
        if (s->at == s->end)
            return false;
        switch (*s->at) {
        case '{':
        case '[':
            depth++;
            s->at++;
            break;
        case '}':
        case ']':
            fine = depth-- > 0;
            s->at++;
            break;
        case ',':
        case ':':
            fine = depth > 0;
            s->at++;
            break;
        case '"':
            s->at++;
            fine = skip_string(s);
            break;
        default:
            fine = skip_plain(s);
            break;
        }
        if (!fine)
            return false;
    } while (depth > 0);
    *value = cof_view_of(start, (size_t)(s->at - start));
    return true;
}

static bool take_members(struct skim *s, const char *const *names, struct cof_view *values, size_t n)
{
    if (!takes(s, '{'))
        return false;
    if (takes(s, '}'))
        return true;
    do {
        struct cof_view name, value;
        const uint8_t *start;

        if (!takes(s, '"'))
            return false;
        start = s->at;
        if (!skip_string(s))
            return false;
        name = cof_view_of(start, (size_t)(s->at - start) - 1);
        if (!takes(s, ':') || !skip_value(s, &value))
            return false;
        for (size_t i = 0; i < n; i++)
            if (values[i].len == 0 && cof_view_eq_str(name, names[i])) {
                values[i] = value;
                break;
            }
    } while (takes(s, ','));
    return takes(s, '}');
}

bool cof_json_skim(struct cof_view object, const char *const *names, struct cof_view *values, size_t n)
{
    struct skim s = {object.data, object.data + object.len};

    for (size_t i = 0; i < n; i++)
        values[i] = (struct cof_view){NULL, 0};
    if (object.len > 0 && take_members(&s, names, values, n))
        return true;
    for (size_t i = 0; i < n; i++)
        values[i] = (struct cof_view){NULL, 0};
    return false;
}

bool cof_json_skim_next(struct cof_view *rest, struct cof_view *value)
{
    struct skim s = {rest->data, rest->data + rest->len};

    *value = (struct cof_view){NULL, 0};
    if (rest->len == 0 || (!takes(&s, '[') && !takes(&s, ',')) || !skip_value(&s, value)) {
        *rest = (struct cof_view){NULL, 0};
        return false;
    }
    *rest = cof_view_of(s.at, (size_t)(s.end - s.at));
    return true;
}

bool cof_json_skim_text(struct cof_view value, struct cof_view *text)
{
    *text = (struct cof_view){NULL, 0};
    if (value.len < 2 || value.data[0] != '"' || value.data[value.len - 1] != '"' || memchr(value.data, '\\', value.len) != NULL)
        return false;
    *text = cof_view_sub(value, 1, value.len - 2);
    return true;
}
