/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/glob.h"

static uint8_t fold(uint8_t c, bool nocase)
{
    return nocase && c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool wild(const struct cof_glob *p, size_t i, uint8_t c)
{
    return i < p->text.len && p->text.data[i] == c && (p->mask == NULL || p->mask[i] != 0);
}

/* The length of the UTF-8 character at i; stray bytes count as characters of one byte. */
static size_t char_len(struct cof_view text, size_t i)
{
    size_t n = 1;

    if (text.data[i] < 0xc0)
        return 1;
    while (n < 4 && i + n < text.len && (text.data[i + n] & 0xc0) == 0x80)
        n++;
    return n;
}

/* After a mismatch it is enough to let the last '*' take one byte more: what an earlier one could still take, the last
 * one can take as well. */
static bool match(struct cof_glob p, struct cof_view text, bool nocase)
{
    size_t pi = 0, ti = 0, star = SIZE_MAX, resume = 0;

    while (ti < text.len) {
        if (wild(&p, pi, '*')) {
            star = pi++;
            resume = ti;
        } else if (wild(&p, pi, '?')) {
            pi++;
            ti += char_len(text, ti);
        } else if (pi < p.text.len && fold(p.text.data[pi], nocase) == fold(text.data[ti], nocase)) {
            pi++;
            ti++;
        } else if (star != SIZE_MAX) {
            if (star + 1 == p.text.len)
                return true;
            resume += char_len(text, resume);
            pi = star + 1;
            ti = resume;
        } else {
            return false;
        }
    }
    while (wild(&p, pi, '*'))
        pi++;
    return pi == p.text.len;
}

bool cof_glob_match(struct cof_glob pattern, struct cof_view text)
{
    return match(pattern, text, false);
}

bool cof_glob_match_nocase(struct cof_glob pattern, struct cof_view text)
{
    return match(pattern, text, true);
}

/* Takes the pattern's part before the next colon. A masked colon separates as well: a variable's value that holds one
 * then shifts the parts, and matches nothing it should not. */
static bool take_part(struct cof_glob *p, struct cof_glob *part)
{
    size_t at = cof_view_find(p->text, ':');

    if (at == SIZE_MAX)
        return false;
    *part = (struct cof_glob){cof_view_sub(p->text, 0, at), p->mask};
    if (p->mask != NULL)
        p->mask += at + 1;
    p->text = cof_view_sub(p->text, at + 1, SIZE_MAX);
    return true;
}

/* How far both are the same, up to the pattern's first wildcard. */
static size_t same_start(const struct cof_glob *p, struct cof_view arn, size_t *n_colons)
{
    size_t i = 0;

    *n_colons = 0;
    for (; i < p->text.len && i < arn.len && p->text.data[i] == arn.data[i]; i++) {
        uint8_t c = arn.data[i];

        if ((c == '*' || c == '?') && wild(p, i, c))
            break;
        *n_colons += c == ':';
    }
    return i;
}

bool cof_glob_match_arn(struct cof_glob pattern, struct cof_view arn)
{
    size_t n_colons, same;

    if (pattern.text.len == 1 && wild(&pattern, 0, '*'))
        return true;
    same = same_start(&pattern, arn, &n_colons);
    if (n_colons >= 5) /* only the last part is left to compare, and it begins the same */
        return match((struct cof_glob){cof_view_sub(pattern.text, same, SIZE_MAX), pattern.mask == NULL ? NULL : pattern.mask + same},
                     cof_view_sub(arn, same, SIZE_MAX), false);
    if (same < pattern.text.len && !wild(&pattern, same, '*') && !wild(&pattern, same, '?'))
        return false;
    for (int i = 0; i < 5; i++) {
        struct cof_glob part;
        struct cof_view head;

        if (!take_part(&pattern, &part) || !cof_view_split(arn, ':', &head, &arn) || !match(part, head, false))
            return false;
    }
    return match(pattern, arn, false);
}
