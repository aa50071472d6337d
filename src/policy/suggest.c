/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/suggest.h"

static uint8_t low(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Damerau's and Levenshtein's distance (swaps of neighbours alone), three rows at a time. */
size_t cof_distance(struct cof_view a, struct cof_view b)
{
    size_t rows[3][COF_SUGGEST_MAX + 1];

    if (a.len > COF_SUGGEST_MAX || b.len > COF_SUGGEST_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *now = rows[i % 3], *last = rows[(i + 2) % 3];
        const size_t *before = rows[(i + 1) % 3];

        now[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            uint8_t x = low(a.data[i - 1]), y = low(b.data[j - 1]);

            now[j] = min(last[j - 1] + (x != y), min(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && x == low(b.data[j - 2]) && y == low(a.data[i - 2]))
                now[j] = min(now[j], before[j - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}

void cof_suggest_try(struct cof_suggestion *s, struct cof_view given, struct cof_view name)
{
    size_t apart = given.len > name.len ? given.len - name.len : name.len - given.len;
    size_t d;

    if (given.len == 0 || (s->any && apart >= s->distance)) /* cannot be nearer */
        return;
    d = cof_distance(given, name);
    if (d == SIZE_MAX || (s->any && d >= s->distance))
        return;
    *s = (struct cof_suggestion){.best = name, .distance = d, .any = true};
}

struct cof_view cof_suggested(const struct cof_suggestion *s)
{
    return s->any && s->distance <= min((s->best.len + 2) / 3, 5) ? s->best : (struct cof_view){0};
}

const char *cof_suggest(struct cof_view given, const char *const *names)
{
    struct cof_suggestion s = {0};

    for (; *names != NULL; names++)
        cof_suggest_try(&s, given, cof_view_str(*names));
    return (const char *)cof_suggested(&s).data;
}
