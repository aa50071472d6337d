/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/condition.h"

#include "base/codec.h"
#include "base/date.h"
#include "base/num.h"

#include <arpa/inet.h>
#include <string.h>

enum family {
    FAMILY_STRING,
    FAMILY_STRING_NOCASE,
    FAMILY_STRING_LIKE,
    FAMILY_NUMERIC_EQ,
    FAMILY_NUMERIC_LT,
    FAMILY_NUMERIC_LE,
    FAMILY_NUMERIC_GT,
    FAMILY_NUMERIC_GE,
    FAMILY_DATE_EQ,
    FAMILY_DATE_LT,
    FAMILY_DATE_LE,
    FAMILY_DATE_GT,
    FAMILY_DATE_GE,
    FAMILY_BOOL,
    FAMILY_BINARY,
    FAMILY_IP,
    FAMILY_ARN,
    FAMILY_NULL,
};

static const struct {
    const char *name;
    enum family family;
    bool negated;
} ops[] = {
#define X(name, family, negated) [COF_COND_##name] = {#name, FAMILY_##family, negated},
    COF_COND_TABLE(X)
#undef X
};

#define N_OPS (sizeof ops / sizeof ops[0])

const struct cof_context_value *cof_context_find(const struct cof_context *context, struct cof_view key)
{
    for (size_t i = 0; i < context->n_items; i++)
        if (context->items[i].n_values > 0 && cof_view_eq_nocase(context->items[i].key, key))
            return &context->items[i];
    return NULL;
}

enum cof_err cof_condition_parse_op(struct cof_view name, struct cof_condition *out)
{
    enum cof_cond_set set = COF_COND_SINGLE;
    bool if_exists;

    if (cof_view_starts(name, COF_LIT("ForAllValues:"))) {
        set = COF_COND_FOR_ALL_VALUES;
        name = cof_view_sub(name, strlen("ForAllValues:"), SIZE_MAX);
    } else if (cof_view_starts(name, COF_LIT("ForAnyValue:"))) {
        set = COF_COND_FOR_ANY_VALUE;
        name = cof_view_sub(name, strlen("ForAnyValue:"), SIZE_MAX);
    }
    if_exists = cof_view_ends(name, COF_LIT("IfExists"));
    if (if_exists)
        name.len -= strlen("IfExists");
    for (size_t i = 0; i < N_OPS; i++) {
        if (!cof_view_eq_str(name, ops[i].name))
            continue;
        if (i == COF_COND_Null && (if_exists || set != COF_COND_SINGLE))
            return COF_E_FORMAT;
        out->op = (enum cof_cond_op)i;
        out->set = set;
        out->if_exists = if_exists;
        return COF_OK;
    }
    return COF_E_FORMAT;
}

/* A decimal of at most 18 digits on either side of the point, exactly. */
struct decimal {
    bool negative;
    uint64_t whole, fraction; /* fraction in units of 1e-18 */
};

static bool parse_decimal(struct cof_view text, struct decimal *out)
{
    struct cof_view whole, fraction;
    uint64_t n = 0;

    *out = (struct decimal){0};
    if (text.len > 0 && (text.data[0] == '-' || text.data[0] == '+')) {
        out->negative = text.data[0] == '-';
        text = cof_view_sub(text, 1, SIZE_MAX);
    }
    if (cof_view_split(text, '.', &whole, &fraction)) {
        if (fraction.len > 18 || cof_parse_u64_padded(fraction, UINT64_MAX, &n) != COF_OK)
            return false;
        for (size_t i = fraction.len; i < 18; i++)
            n *= 10;
    }
    out->fraction = n;
    if (whole.len > 18 || cof_parse_u64_padded(whole, UINT64_MAX, &out->whole) != COF_OK)
        return false;
    if (out->whole == 0 && out->fraction == 0)
        out->negative = false;
    return true;
}

static int compare_decimal(const struct decimal *a, const struct decimal *b)
{
    int magnitude;

    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    magnitude = a->whole != b->whole ? (a->whole < b->whole ? -1 : 1)
                                     : (a->fraction > b->fraction) - (a->fraction < b->fraction);
    return a->negative ? -magnitude : magnitude;
}

/* Epoch seconds, a date, or a date with time. */
static bool parse_date(struct cof_view text, int64_t *ms)
{
    char day[sizeof "2026-11-23T00:00:00Z"];
    uint64_t seconds;

    if (cof_parse_u64(text, 253402300799ULL, &seconds) == COF_OK) {
        *ms = (int64_t)seconds * 1000;
        return true;
    }
    if (text.len == strlen("2026-11-23")) {
        memcpy(day, text.data, text.len);
        memcpy(day + text.len, "T00:00:00Z", sizeof "T00:00:00Z");
        text = cof_view_str(day);
    }
    return cof_date_parse_iso(text, ms) == COF_OK;
}

static bool parse_bool(struct cof_view text, bool *out)
{
    *out = cof_view_eq_nocase(text, COF_LIT("true"));
    return *out || cof_view_eq_nocase(text, COF_LIT("false"));
}

struct range {
    int family; /* AF_INET, AF_INET6 */
    uint8_t address[16];
    unsigned prefix; /* bits that count */
};

/* An address, or an address and a prefix length. */
static bool parse_range(struct cof_view text, struct range *out)
{
    struct cof_view host, bits;
    char name[INET6_ADDRSTRLEN];
    bool has_bits = cof_view_split(text, '/', &host, &bits);
    uint64_t n;

    *out = (struct range){0};
    if (host.len == 0 || host.len >= sizeof name || cof_view_find(host, '\0') != SIZE_MAX)
        return false;
    memcpy(name, host.data, host.len);
    name[host.len] = '\0';
    out->family = cof_view_find(host, ':') == SIZE_MAX ? AF_INET : AF_INET6;
    if (inet_pton(out->family, name, out->address) != 1)
        return false;
    out->prefix = out->family == AF_INET ? 32 : 128;
    if (!has_bits)
        return true;
    if (cof_parse_u64(bits, out->prefix, &n) != COF_OK)
        return false;
    out->prefix = (unsigned)n;
    return true;
}

static bool in_range(const struct range *range, const struct range *address)
{
    unsigned whole = range->prefix / 8, rest = range->prefix % 8;

    if (range->family != address->family || memcmp(range->address, address->address, whole) != 0)
        return false;
    return rest == 0 || ((range->address[whole] ^ address->address[whole]) >> (8 - rest)) == 0;
}

static bool binary_ok(struct cof_view text)
{
    struct cof_buf bytes;
    bool ok;

    cof_buf_init(&bytes, text.len);
    ok = cof_base64_decode(text, &bytes) == COF_OK;
    cof_buf_done(&bytes);
    return ok;
}

bool cof_condition_value_ok(const struct cof_condition *cond, struct cof_view value)
{
    struct decimal number;
    struct range range;
    int64_t ms;
    bool b;

    switch (ops[cond->op].family) {
    case FAMILY_NUMERIC_EQ:
    case FAMILY_NUMERIC_LT:
    case FAMILY_NUMERIC_LE:
    case FAMILY_NUMERIC_GT:
    case FAMILY_NUMERIC_GE:
        return parse_decimal(value, &number);
    case FAMILY_DATE_EQ:
    case FAMILY_DATE_LT:
    case FAMILY_DATE_LE:
    case FAMILY_DATE_GT:
    case FAMILY_DATE_GE:
        return parse_date(value, &ms);
    case FAMILY_BOOL:
    case FAMILY_NULL:
        return parse_bool(value, &b);
    case FAMILY_IP:
        return parse_range(value, &range);
    case FAMILY_BINARY:
        return binary_ok(value);
    case FAMILY_STRING:
    case FAMILY_STRING_NOCASE:
    case FAMILY_STRING_LIKE:
    case FAMILY_ARN:
        return true;
    }
    return false;
}

static bool numeric_matches(enum family family, struct cof_view want, struct cof_view got)
{
    struct decimal w, g;
    int c;

    if (!parse_decimal(want, &w) || !parse_decimal(got, &g))
        return false;
    c = compare_decimal(&g, &w);
    return family == FAMILY_NUMERIC_EQ ? c == 0
         : family == FAMILY_NUMERIC_LT ? c < 0
         : family == FAMILY_NUMERIC_LE ? c <= 0
         : family == FAMILY_NUMERIC_GT ? c > 0
                                       : c >= 0;
}

static bool date_matches(enum family family, struct cof_view want, struct cof_view got)
{
    int64_t w, g;

    if (!parse_date(want, &w) || !parse_date(got, &g))
        return false;
    return family == FAMILY_DATE_EQ ? g == w
         : family == FAMILY_DATE_LT ? g < w
         : family == FAMILY_DATE_LE ? g <= w
         : family == FAMILY_DATE_GT ? g > w
                                    : g >= w;
}

static enum cof_err text_matches(enum family family, struct cof_view want, struct cof_view got,
                                 const struct cof_context *context, bool variables, bool *out)
{
    struct cof_expanded e;
    enum cof_err err = cof_expand(want, context, variables, &e);
    struct cof_glob pattern = cof_expanded_glob(&e);

    *out = false;
    if (err == COF_E_NOT_FOUND) /* a variable without a value matches nothing */
        err = COF_OK;
    else if (err == COF_OK)
        *out = family == FAMILY_STRING          ? cof_view_eq(pattern.text, got)
             : family == FAMILY_STRING_NOCASE ? cof_view_eq_nocase(pattern.text, got)
             : family == FAMILY_STRING_LIKE   ? cof_glob_match(pattern, got)
                                              : cof_glob_match_arn(pattern, got);
    cof_expanded_done(&e);
    return err;
}

/* Whether one value of the request matches one of the policy, negation left out; all families but text. */
static bool value_matches(enum family family, struct cof_view want, struct cof_view got)
{
    struct range range, address;
    bool w, g;

    switch (family) {
    case FAMILY_NUMERIC_EQ:
    case FAMILY_NUMERIC_LT:
    case FAMILY_NUMERIC_LE:
    case FAMILY_NUMERIC_GT:
    case FAMILY_NUMERIC_GE:
        return numeric_matches(family, want, got);
    case FAMILY_DATE_EQ:
    case FAMILY_DATE_LT:
    case FAMILY_DATE_LE:
    case FAMILY_DATE_GT:
    case FAMILY_DATE_GE:
        return date_matches(family, want, got);
    case FAMILY_BOOL:
        return parse_bool(want, &w) && parse_bool(got, &g) && w == g;
    case FAMILY_BINARY: /* strict base64 is canonical, so equal bytes are equal text */
        return cof_view_eq(want, got);
    case FAMILY_IP:
        return parse_range(want, &range) && parse_range(got, &address) && in_range(&range, &address);
    case FAMILY_STRING:
    case FAMILY_STRING_NOCASE:
    case FAMILY_STRING_LIKE:
    case FAMILY_ARN:
    case FAMILY_NULL:
        return false;
    }
    return false;
}

static enum cof_err any_matches(const struct cof_condition *cond, struct cof_view got,
                                const struct cof_context *context, bool variables, bool *out)
{
    enum family family = ops[cond->op].family;
    bool text = family == FAMILY_STRING || family == FAMILY_STRING_NOCASE || family == FAMILY_STRING_LIKE ||
                family == FAMILY_ARN;
    enum cof_err err = COF_OK;

    *out = false;
    for (size_t i = 0; i < cond->n_values && err == COF_OK && !*out; i++) {
        if (text)
            err = text_matches(family, cond->values[i], got, context, variables, out);
        else
            *out = value_matches(family, cond->values[i], got);
    }
    return err;
}

static bool null_holds(const struct cof_condition *cond, bool present)
{
    for (size_t i = 0; i < cond->n_values; i++)
        if (cof_view_eq_nocase(cond->values[i], present ? COF_LIT("false") : COF_LIT("true")))
            return true;
    return false;
}

enum cof_err cof_condition_check(const struct cof_condition *cond, const struct cof_context *context,
                                 bool variables, bool *holds)
{
    const struct cof_context_value *have = cof_context_find(context, cond->key);
    bool negated = ops[cond->op].negated, all, matches;
    size_t n_good = 0;
    enum cof_err err;

    *holds = false;
    if (ops[cond->op].family == FAMILY_NULL) {
        *holds = null_holds(cond, have != NULL);
        return COF_OK;
    }
    if (have == NULL) {
        *holds = cond->if_exists || cond->set == COF_COND_FOR_ALL_VALUES ||
                 (negated && cond->set == COF_COND_SINGLE);
        return COF_OK;
    }
    for (size_t i = 0; i < have->n_values; i++) {
        err = any_matches(cond, have->values[i], context, variables, &matches);
        if (err != COF_OK)
            return err;
        n_good += matches != negated;
    }
    /* A key that should be single: a negation must hold for every value, anything else for one. */
    all = cond->set == COF_COND_FOR_ALL_VALUES || (cond->set == COF_COND_SINGLE && negated);
    *holds = all ? n_good == have->n_values : n_good > 0;
    return COF_OK;
}

static void add_masked(struct cof_expanded *out, struct cof_view bytes, uint8_t mask)
{
    uint8_t *m;

    cof_buf_add(&out->text, bytes);
    m = cof_buf_extend(&out->mask, bytes.len);
    if (m != NULL)
        memset(m, mask, bytes.len);
}

/* The inside of ${...}: key, or key and a default in single quotes after a comma. */
static enum cof_err expand_one(struct cof_view inside, const struct cof_context *context, struct cof_expanded *out)
{
    struct cof_view key, fallback;
    bool has_default = cof_view_split(inside, ',', &key, &fallback);
    const struct cof_context_value *have;

    if (inside.len == 1 && strchr("*?$", inside.data[0]) != NULL) {
        add_masked(out, inside, 0);
        return COF_OK;
    }
    have = cof_context_find(context, cof_view_trim(key));
    if (have != NULL && have->n_values == 1) {
        add_masked(out, have->values[0], 0);
        return COF_OK;
    }
    fallback = cof_view_trim(fallback);
    if (!has_default || have != NULL || fallback.len < 2 || fallback.data[0] != '\'' ||
        fallback.data[fallback.len - 1] != '\'')
        return COF_E_NOT_FOUND;
    add_masked(out, cof_view_sub(fallback, 1, fallback.len - 2), 0);
    return COF_OK;
}

bool cof_expand_asks(struct cof_view pattern, bool variables)
{
    return variables && cof_view_find(pattern, '$') != SIZE_MAX;
}

enum cof_err cof_expand(struct cof_view pattern, const struct cof_context *context, bool variables,
                        struct cof_expanded *out)
{
    enum cof_err err = COF_OK;

    out->plain = (struct cof_view){NULL, 0};
    cof_buf_init(&out->text, COF_EXPANDED_MAX);
    cof_buf_init(&out->mask, COF_EXPANDED_MAX);
    if (pattern.len <= COF_EXPANDED_MAX && !cof_expand_asks(pattern, variables)) {
        out->plain = pattern;
        return COF_OK;
    }
    while (err == COF_OK && pattern.len > 0) {
        size_t end = SIZE_MAX;

        if (variables && cof_view_starts(pattern, COF_LIT("${")))
            end = cof_view_find(pattern, '}');
        if (end != SIZE_MAX) {
            err = expand_one(cof_view_sub(pattern, 2, end - 2), context, out);
            pattern = cof_view_sub(pattern, end + 1, SIZE_MAX);
        } else {
            size_t next = cof_view_find(cof_view_sub(pattern, 1, SIZE_MAX), '$');

            next = next == SIZE_MAX ? pattern.len : next + 1;
            add_masked(out, cof_view_sub(pattern, 0, next), 1);
            pattern = cof_view_sub(pattern, next, SIZE_MAX);
        }
    }
    if (err == COF_OK)
        err = cof_buf_err(&out->text);
    if (err == COF_OK)
        err = cof_buf_err(&out->mask);
    return err;
}

struct cof_glob cof_expanded_glob(const struct cof_expanded *expanded)
{
    if (expanded->plain.len > 0)
        return (struct cof_glob){expanded->plain, NULL};
    return (struct cof_glob){cof_buf_view(&expanded->text), cof_buf_view(&expanded->mask).data};
}

void cof_expanded_done(struct cof_expanded *expanded)
{
    if (expanded == NULL)
        return;
    cof_buf_done(&expanded->text);
    cof_buf_done(&expanded->mask);
}
