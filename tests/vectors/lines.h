/* SPDX-License-Identifier: Apache-2.0
 *
 * Walking a cases.jsonl: one JSON object a line.
 */
#ifndef COF_TESTS_VECTORS_LINES_H
#define COF_TESTS_VECTORS_LINES_H

#include "testing.h"

#include <jansson.h>

/* jansson cannot hold a NUL in a member's name, as a few contexts of the Encryption SDK's cases have: there U+0000 reads
 * as U+0001. No test compares those. */
static inline void hide_nul_in_names(uint8_t *line, size_t len)
{
    for (size_t i = 0; i + 6 <= len; i++)
        if (memcmp(line + i, "\\u0000", 6) == 0)
            line[i + 5] = '1';
}

/* Calls each(case) for every line; returns how many there were. */
static inline size_t each_case(const char *name, void (*each)(json_t *c))
{
    struct cof_buf file;
    struct cof_view line, rest;
    size_t n = 0;

    assert_true(read_vector(name, &file));
    rest = cof_buf_view(&file);
    while (rest.len > 0) {
        json_t *c;

        (void)cof_view_split(rest, '\n', &line, &rest);
        hide_nul_in_names(file.data + (line.data - file.data), line.len);
        c = json_loadb((const char *)line.data, line.len, JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL);
        assert_non_null(c);
        each(c);
        json_decref(c);
        n++;
    }
    cof_buf_done(&file);
    return n;
}

/* A string member, NULL when it is absent or null. */
static inline const char *member(const json_t *c, const char *name)
{
    return json_string_value(json_object_get(c, name));
}

/* A hex member decoded into a fresh builder. */
static inline struct cof_view hex_member(const json_t *c, const char *name, struct cof_buf *out)
{
    cof_buf_init(out, (size_t)1 << 20);
    assert_non_null(member(c, name));
    assert_ok(cof_hex_decode(cof_view_str(member(c, name)), out));
    return cof_buf_view(out);
}

#endif
