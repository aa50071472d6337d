/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/suggest.h"

#include <string.h>

#define LENGTH_MAX 64

static uint8_t low(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* Levenshtein's distance, one row at a time; both are at most LENGTH_MAX long. */
static size_t distance(struct cof_view a, struct cof_view b)
{
    size_t row[LENGTH_MAX + 1];

    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t here = diagonal + (low(a.data[i - 1]) != low(b.data[j - 1]));

            diagonal = row[j];
            if (row[j] + 1 < here)
                here = row[j] + 1;
            if (row[j - 1] + 1 < here)
                here = row[j - 1] + 1;
            row[j] = here;
        }
    }
    return row[b.len];
}

const char *cof_suggest(struct cof_view given, const char *const *names)
{
    const char *best = NULL;
    size_t least = SIZE_MAX;

    if (given.len == 0 || given.len > LENGTH_MAX)
        return NULL;
    for (; *names != NULL; names++) {
        struct cof_view name = cof_view_str(*names);
        size_t d = name.len > LENGTH_MAX ? SIZE_MAX : distance(given, name);

        if (d < least && d <= (name.len + 2) / 3) {
            least = d;
            best = *names;
        }
    }
    return best;
}
