/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/locate.h"

#include <string.h>

static void push(struct cof_locate_path *path, const char *key, size_t index)
{
    if (path->n < COF_LOCATE_DEPTH) {
        path->steps[path->n].key = key;
        path->steps[path->n].index = index;
    }
    path->n++;
}

void cof_locate_push_key(struct cof_locate_path *path, const char *key)
{
    push(path, key, 0);
}

void cof_locate_push_index(struct cof_locate_path *path, size_t index)
{
    push(path, NULL, index);
}

void cof_locate_pop(struct cof_locate_path *path)
{
    if (path->n > 0)
        path->n--;
}

static size_t skip_space(struct cof_view text, size_t at)
{
    while (at < text.len && memchr(" \t\r\n", text.data[at], 4) != NULL)
        at++;
    return at;
}

/* From the opening quote to behind the closing one. */
static size_t skip_string(struct cof_view text, size_t at)
{
    at++;
    while (at < text.len && text.data[at] != '"')
        at += text.data[at] == '\\' ? 2 : 1;
    return at < text.len ? at + 1 : text.len;
}

/* Behind the value that begins at at. */
static size_t skip_value(struct cof_view text, size_t at)
{
    size_t depth = 0;

    while (at < text.len) {
        uint8_t c = text.data[at];

        if (c == '"') {
            at = skip_string(text, at);
        } else if (c == '{' || c == '[') {
            depth++;
            at++;
        } else if (c == '}' || c == ']') {
            if (depth == 0)
                return at;
            depth--;
            at++;
        } else if (depth == 0 && (c == ',' || memchr(" \t\r\n", c, 4) != NULL)) {
            return at;
        } else {
            at++;
            continue;
        }
        if (depth == 0)
            return at;
    }
    return at;
}

/* The next member or element: to behind a comma, or the closing bracket. */
static size_t next_item(struct cof_view text, size_t at)
{
    at = skip_space(text, skip_value(text, at));
    return at < text.len && text.data[at] == ',' ? skip_space(text, at + 1) : SIZE_MAX;
}

/* The member of the object at at; *value is where its value begins. */
static size_t find_key(struct cof_view text, size_t at, const char *key, size_t *value)
{
    if (at >= text.len || text.data[at] != '{')
        return SIZE_MAX;
    at = skip_space(text, at + 1);
    while (at < text.len && text.data[at] == '"') {
        size_t end = skip_string(text, at), colon = skip_space(text, end);
        bool same = end - at >= 2 && cof_view_eq_str(cof_view_sub(text, at + 1, end - at - 2), key);

        *value = skip_space(text, colon + 1);
        if (same)
            return at;
        at = next_item(text, *value);
    }
    return SIZE_MAX;
}

static size_t find_index(struct cof_view text, size_t at, size_t index)
{
    if (at >= text.len || text.data[at] != '[')
        return SIZE_MAX;
    at = skip_space(text, at + 1);
    while (index-- > 0 && at < text.len)
        at = next_item(text, at);
    return at;
}

void cof_locate(struct cof_view text, const struct cof_locate_path *path, size_t *line, size_t *column)
{
    size_t at = skip_space(text, 0), found = at;

    for (size_t i = 0; i < path->n && i < COF_LOCATE_DEPTH; i++) {
        size_t value = SIZE_MAX, here;

        if (path->steps[i].key != NULL)
            here = find_key(text, at, path->steps[i].key, &value);
        else
            here = value = find_index(text, at, path->steps[i].index);
        if (here >= text.len)
            break;
        found = here;
        at = value;
    }
    *line = *column = 1;
    for (size_t i = 0; i < found && i < text.len; i++) {
        (*column)++;
        if (text.data[i] == '\n') {
            (*line)++;
            *column = 1;
        }
    }
}
