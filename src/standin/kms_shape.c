/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/kms_shape.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define VALUE_SHOWN 512 /* characters of a wrong value that go into the message */

static const struct {
    const char *pattern, *others; /* allowed besides letters and digits */
} charsets[] = {
    [COF_KMS_CHARS_ANY] = {NULL, NULL},
    [COF_KMS_CHARS_ALIAS] = {"^[a-zA-Z0-9:/_-]+$", ":/_-"},
    [COF_KMS_CHARS_PRINCIPAL] = {"^[\\w+=,.@:/-]+$", "_+=,.@:/-"},
    [COF_KMS_CHARS_WORD] = {"[\\w]+", "_"},
    [COF_KMS_CHARS_XKS] = {"^[a-zA-Z0-9-_.]+$", "-_."},
};

struct checking {
    struct cof_buf list; /* of violations */
    size_t n;
    const char *name; /* of the member */
};

/* "KeyId" -> "keyId" */
static void add_name(struct cof_buf *out, const char *name)
{
    cof_buf_add_u8(out, (uint8_t)tolower((unsigned char)name[0]));
    cof_buf_add_str(out, name + 1);
}

static const uint8_t unquoted; /* where a value that is not told points */

static void violation(struct checking *ch, struct cof_view value, const char *constraint)
{
    if (ch->n++ > 0)
        cof_buf_add_str(&ch->list, "; ");
    if (value.data == &unquoted) {
        cof_buf_add_str(&ch->list, "Value at '");
    } else if (value.data == NULL) {
        cof_buf_add_str(&ch->list, "Value null at '");
    } else {
        cof_buf_add_str(&ch->list, "Value '");
        cof_buf_add(&ch->list, cof_view_sub(value, 0, VALUE_SHOWN));
        cof_buf_add_str(&ch->list, "' at '");
    }
    add_name(&ch->list, ch->name);
    cof_buf_add_str(&ch->list, "' failed to satisfy constraint: Member must ");
    cof_buf_add_str(&ch->list, constraint);
}

static void check_length(struct checking *ch, const struct cof_kms_member *m, int64_t len, struct cof_view value)
{
    char text[80];

    if (len < m->min) {
        (void)snprintf(text, sizeof text, "have length greater than or equal to %lld", (long long)m->min);
        violation(ch, value, text);
    } else if (len > m->max) {
        (void)snprintf(text, sizeof text, "have length less than or equal to %lld", (long long)m->max);
        violation(ch, value, text);
    }
}

/* As AWS counts: characters, not bytes. */
static int64_t characters(struct cof_view text)
{
    int64_t n = 0;

    for (size_t i = 0; i < text.len; i++)
        n += (text.data[i] & 0xc0) != 0x80;
    return n;
}

static bool chars_ok(enum cof_kms_charset set, struct cof_view text)
{
    for (size_t i = 0; charsets[set].pattern != NULL && i < text.len; i++)
        if (text.data[i] >= 0x80 || text.data[i] == 0 ||
            (!isalnum(text.data[i]) && strchr(charsets[set].others, text.data[i]) == NULL))
            return false;
    return true;
}

static void check_text(struct checking *ch, const struct cof_kms_member *m, struct cof_view text)
{
    char constraint[80];

    check_length(ch, m, characters(text), text);
    if (chars_ok(m->chars, text))
        return;
    (void)snprintf(constraint, sizeof constraint, "satisfy regular expression pattern: %s", charsets[m->chars].pattern);
    violation(ch, text, constraint);
}

static void check_choice(struct checking *ch, const struct cof_kms_member *m, struct cof_view text)
{
    struct cof_buf constraint;

    cof_buf_init(&constraint, 2048);
    cof_buf_add_str(&constraint, "satisfy enum value set: [");
    for (size_t i = 0; m->choices[i] != NULL; i++) {
        if (cof_view_eq_str(text, m->choices[i])) {
            cof_buf_done(&constraint);
            return;
        }
        cof_buf_printf(&constraint, "%s%s", i > 0 ? ", " : "", m->choices[i]);
    }
    cof_buf_add_str(&constraint, "]");
    violation(ch, text, cof_buf_cstr(&constraint));
    cof_buf_done(&constraint);
}

/* How many bytes base64 text stands for; the decoder judges the rest. */
static int64_t decoded(struct cof_view text)
{
    size_t n = text.len / 4 * 3;

    if (text.len > 0 && text.data[text.len - 1] == '=')
        n--;
    if (text.len > 1 && text.data[text.len - 2] == '=')
        n--;
    return (int64_t)n;
}

static void check_bytes(struct checking *ch, const struct cof_kms_member *m, struct cof_view text)
{
    int64_t n = decoded(text);

    if (n < m->min || n > m->max) /* spec: bytes are not quoted */
        check_length(ch, m, n, cof_view_of(&unquoted, 0));
}

static void check_int(struct checking *ch, const struct cof_kms_member *m, int64_t n)
{
    char value[24], text[80];

    (void)snprintf(value, sizeof value, "%lld", (long long)n);
    if (n < m->min) {
        (void)snprintf(text, sizeof text, "have value greater than or equal to %lld", (long long)m->min);
        violation(ch, cof_view_str(value), text);
    } else if (n > m->max) {
        (void)snprintf(text, sizeof text, "have value less than or equal to %lld", (long long)m->max);
        violation(ch, cof_view_str(value), text);
    }
}

static struct cof_view text_of(const json_t *value)
{
    return cof_view_of(json_string_value(value), json_string_length(value));
}

static bool all_texts(const json_t *value)
{
    json_t *mutable = (json_t *)(uintptr_t)value, *item;
    const char *name;
    size_t i;

    if (json_is_array(value)) {
        json_array_foreach(mutable, i, item)
            if (!json_is_string(item))
                return false;
        return true;
    }
    json_object_foreach(mutable, name, item)
        if (!json_is_string(item))
            return false;
    return json_is_object(value);
}

static bool all_tags(const json_t *value)
{
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!json_is_string(json_object_get(json_array_get(value, i), "TagKey")) ||
            !json_is_string(json_object_get(json_array_get(value, i), "TagValue")))
            return false;
    return json_is_array(value);
}

static bool type_ok(enum cof_kms_type type, const json_t *value)
{
    switch (type) {
    case COF_KMS_TEXT:
    case COF_KMS_ENUM:
    case COF_KMS_BYTES:
        return json_is_string(value);
    case COF_KMS_INT:
        return json_is_integer(value);
    case COF_KMS_BOOL:
        return json_is_boolean(value);
    case COF_KMS_MAP:
        return json_is_object(value) && all_texts(value);
    case COF_KMS_TEXTS:
    case COF_KMS_ENUMS:
        return json_is_array(value) && all_texts(value);
    case COF_KMS_TAGS:
        return all_tags(value);
    case COF_KMS_THING:
        return json_is_object(value);
    }
    return false;
}

static void check_items(struct checking *ch, const struct cof_kms_member *m, const json_t *list)
{
    const struct cof_kms_member item = {.name = m->name, .min = 1, .max = m->item_max, .choices = m->choices};

    check_length(ch, m, (int64_t)json_array_size(list), COF_LIT("[...]"));
    for (size_t i = 0; i < json_array_size(list); i++)
        if (m->type == COF_KMS_ENUMS)
            check_choice(ch, &item, text_of(json_array_get(list, i)));
        else
            check_text(ch, &item, text_of(json_array_get(list, i)));
}

static void check_tags(struct checking *ch, const json_t *list)
{
    static const struct cof_kms_member key = {.name = "TagKey", .min = 1, .max = 128};
    static const struct cof_kms_member value = {.name = "TagValue", .min = 0, .max = 256};

    for (size_t i = 0; i < json_array_size(list); i++) {
        check_text(ch, &key, text_of(json_object_get(json_array_get(list, i), "TagKey")));
        check_text(ch, &value, text_of(json_object_get(json_array_get(list, i), "TagValue")));
    }
}

static void check_value(struct checking *ch, const struct cof_kms_member *m, const json_t *value)
{
    switch (m->type) {
    case COF_KMS_TEXT:
        check_text(ch, m, text_of(value));
        break;
    case COF_KMS_ENUM:
        check_choice(ch, m, text_of(value));
        break;
    case COF_KMS_BYTES:
        check_bytes(ch, m, text_of(value));
        break;
    case COF_KMS_INT:
        check_int(ch, m, json_integer_value(value));
        break;
    case COF_KMS_TEXTS:
    case COF_KMS_ENUMS:
        check_items(ch, m, value);
        break;
    case COF_KMS_TAGS:
        check_tags(ch, value);
        break;
    case COF_KMS_BOOL:
    case COF_KMS_MAP:
    case COF_KMS_THING:
        break;
    }
}

enum cof_err cof_kms_shape_check(const json_t *in, const struct cof_kms_member *members, struct cof_buf *message)
{
    struct checking ch = {.n = 0};

    cof_buf_init(&ch.list, 16384);
    for (const struct cof_kms_member *m = members; m != NULL && m->name != NULL; m++) {
        const json_t *value = json_object_get(in, m->name);

        ch.name = m->name;
        if (value == NULL || json_is_null(value)) {
            if (m->required)
                violation(&ch, (struct cof_view){0}, "not be null");
            continue;
        }
        if (!type_ok(m->type, value)) {
            cof_buf_printf(message, "%s is of another type than it should be", m->name);
            cof_buf_done(&ch.list);
            return COF_E_FORMAT;
        }
        check_value(&ch, m, value);
    }
    if (ch.n > 0) {
        cof_buf_printf(message, "%zu validation error%s detected: ", ch.n, ch.n == 1 ? "" : "s");
        cof_buf_add(message, cof_buf_view(&ch.list));
    }
    cof_buf_done(&ch.list);
    return ch.n > 0 ? COF_E_DENIED : COF_OK;
}
