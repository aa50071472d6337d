/* SPDX-License-Identifier: Apache-2.0 */
#include "format/json.h"

#include "base/codec.h"
#include "base/log.h"
#include "base/secret.h"
#include "format/json_read.h"

#include <stdio.h>
#include <string.h>

enum cof_err cof_json_parse(struct cof_view text, size_t max_bytes, json_t **out, struct cof_diag *diag)
{
    json_error_t error = {0};

    *out = NULL;
    if (text.len > max_bytes)
        return cof_diag_set(diag, COF_E_LIMIT, "JSON of more than %zu bytes", max_bytes);
    *out = cof_json_read(text);
    if (*out != NULL)
        return COF_OK;
    if (cof_view_find(text, '\0') != SIZE_MAX) /* which the library overlooks behind a number or a word */
        return cof_diag_set(diag, COF_E_FORMAT, "JSON: a NUL byte");
    *out = json_loadb(text.len == 0 ? "" : (const char *)text.data, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                      &error);
    if (*out != NULL)
        return COF_OK;
    if (json_error_code(&error) == json_error_out_of_memory)
        return COF_E_MEMORY;
    return cof_diag_set(diag, COF_E_FORMAT, "JSON, line %d column %d: %s", error.line, error.column, error.text);
}

enum cof_err cof_json_parse_object(struct cof_view text, size_t max_bytes, json_t **out, struct cof_diag *diag)
{
    enum cof_err err = cof_json_parse(text, max_bytes, out, diag);

    if (err == COF_OK && !json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        err = cof_diag_set(diag, COF_E_FORMAT, "JSON: an object is expected");
    }
    return err;
}

static enum cof_err wrong(struct cof_diag *diag, const char *name, const char *what)
{
    return cof_diag_set(diag, COF_E_FORMAT, "JSON: \"%s\" must be %s", name, what);
}

static const json_t *member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return json_is_null(value) ? NULL : value;
}

enum cof_err cof_json_text(const json_t *object, const char *name, struct cof_view *out, struct cof_diag *diag)
{
    const json_t *value = member(object, name);

    *out = (struct cof_view){NULL, 0};
    if (!json_is_string(value))
        return wrong(diag, name, "text");
    *out = cof_view_of(json_string_value(value), json_string_length(value));
    return COF_OK;
}

enum cof_err cof_json_text_or(const json_t *object, const char *name, const char *otherwise, struct cof_view *out,
                              struct cof_diag *diag)
{
    if (member(object, name) != NULL)
        return cof_json_text(object, name, out, diag);
    *out = cof_view_str(otherwise);
    return COF_OK;
}

enum cof_err cof_json_int(const json_t *object, const char *name, int64_t min, int64_t max, int64_t *out,
                          struct cof_diag *diag)
{
    const json_t *value = member(object, name);

    *out = 0;
    if (!json_is_integer(value))
        return wrong(diag, name, "a whole number");
    if (json_integer_value(value) < min || json_integer_value(value) > max)
        return cof_diag_set(diag, COF_E_FORMAT, "JSON: \"%s\" must lie between %lld and %lld", name, (long long)min,
                            (long long)max);
    *out = json_integer_value(value);
    return COF_OK;
}

enum cof_err cof_json_int_or(const json_t *object, const char *name, int64_t min, int64_t max, int64_t otherwise,
                             int64_t *out, struct cof_diag *diag)
{
    if (member(object, name) != NULL)
        return cof_json_int(object, name, min, max, out, diag);
    *out = otherwise;
    return COF_OK;
}

enum cof_err cof_json_bool_or(const json_t *object, const char *name, bool otherwise, bool *out, struct cof_diag *diag)
{
    const json_t *value = member(object, name);

    *out = otherwise;
    if (value == NULL)
        return COF_OK;
    if (!json_is_boolean(value))
        return wrong(diag, name, "true or false");
    *out = json_is_true(value);
    return COF_OK;
}

enum cof_err cof_json_base64(const json_t *object, const char *name, struct cof_buf *out, struct cof_diag *diag)
{
    struct cof_view text;
    enum cof_err err = cof_json_text(object, name, &text, diag);

    if (err == COF_OK && (err = cof_base64_decode(text, out)) == COF_E_FORMAT)
        err = wrong(diag, name, "base64");
    return err;
}

enum cof_err cof_json_only(const json_t *object, const char *const *names, struct cof_diag *diag)
{
    json_t *mutable = (json_t *)(uintptr_t)object; /* jansson's iterators want it so; nothing is changed */
    const char *name;
    json_t *value;

    json_object_foreach(mutable, name, value) {
        size_t i = 0;
        while (names[i] != NULL && strcmp(names[i], name) != 0)
            i++;
        if (names[i] == NULL)
            return cof_diag_set(diag, COF_E_FORMAT, "JSON: unknown member \"%s\"", name);
    }
    return COF_OK;
}

static void add_int(struct cof_buf *out, int64_t value)
{
    if (value < 0)
        cof_buf_add_u8(out, '-');
    cof_buf_add_decimal(out, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

/* Text that needs no escapes, as most of it does not, is written at once: here is where, or NULL. */
static uint8_t *room_for_plain(struct cof_buf *out, struct cof_view text, size_t len)
{
    bool fits = out->err == COF_OK && cof_json_plain_len(text) == text.len && (len < out->cap - out->len || cof_buf_reserve(out, len) == COF_OK);

    return fits ? out->data + out->len : NULL;
}

static uint8_t *put_plain(uint8_t *at, struct cof_view text)
{
    *at++ = '"';
    if (text.len > 0)
        memcpy(at, text.data, text.len);
    at += text.len;
    *at++ = '"';
    return at;
}

void cof_json_add_text(struct cof_buf *out, struct cof_view text)
{
    uint8_t *at = room_for_plain(out, text, text.len + 2);

    if (at != NULL) {
        out->len = (size_t)(put_plain(at, text) - out->data);
        return;
    }
    cof_buf_add_u8(out, '"');
    cof_json_escape(out, text);
    cof_buf_add_u8(out, '"');
}

/* So that it is a real number again when it is read. */
static void add_real(struct cof_buf *out, double value)
{
    char text[40];

    (void)snprintf(text, sizeof text, "%.17g", value);
    cof_buf_add_str(out, text);
    if (strchr(text, '.') == NULL && strchr(text, 'e') == NULL)
        cof_buf_add(out, COF_LIT(".0"));
}

static void add_object(struct cof_buf *out, const json_t *object)
{
    json_t *mutable = (json_t *)(uintptr_t)object; /* jansson's iterators want it so; nothing is changed */
    const char *name, *comma = "";
    json_t *member_value;

    cof_buf_add_u8(out, '{');
    json_object_foreach(mutable, name, member_value) {
        cof_buf_add_str(out, comma);
        cof_json_add_text(out, cof_view_str(name));
        cof_buf_add_u8(out, ':');
        cof_json_add_value(out, member_value);
        comma = ",";
    }
    cof_buf_add_u8(out, '}');
}

static void add_array(struct cof_buf *out, const json_t *array)
{
    cof_buf_add_u8(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0)
            cof_buf_add_u8(out, ',');
        cof_json_add_value(out, json_array_get(array, i));
    }
    cof_buf_add_u8(out, ']');
}

void cof_json_add_value(struct cof_buf *out, const json_t *value)
{
    if (value == NULL) {
        cof_buf_add(out, COF_LIT("null"));
        return;
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        add_object(out, value);
        break;
    case JSON_ARRAY:
        add_array(out, value);
        break;
    case JSON_STRING:
        cof_json_add_text(out, cof_view_of(json_string_value(value), json_string_length(value)));
        break;
    case JSON_INTEGER:
        add_int(out, json_integer_value(value));
        break;
    case JSON_REAL:
        add_real(out, json_real_value(value));
        break;
    case JSON_TRUE:
        cof_buf_add(out, COF_LIT("true"));
        break;
    case JSON_FALSE:
        cof_buf_add(out, COF_LIT("false"));
        break;
    case JSON_NULL:
        cof_buf_add(out, COF_LIT("null"));
        break;
    }
}

void cof_json_add_name(struct cof_buf *out, const char *name)
{
    bool comma = out->len > 0 && out->data[out->len - 1] != '{' && out->data[out->len - 1] != '[';
    struct cof_view text = cof_view_str(name);
    uint8_t *at = room_for_plain(out, text, text.len + 4);

    if (at != NULL) {
        if (comma)
            *at++ = ',';
        at = put_plain(at, text);
        *at++ = ':';
        out->len = (size_t)(at - out->data);
        return;
    }
    if (comma)
        cof_buf_add_u8(out, ',');
    cof_json_add_text(out, text);
    cof_buf_add_u8(out, ':');
}

void cof_json_add_member(struct cof_buf *out, const char *name, struct cof_view text)
{
    cof_json_add_name(out, name);
    cof_json_add_text(out, text);
}

void cof_json_add_member_int(struct cof_buf *out, const char *name, int64_t value)
{
    cof_json_add_name(out, name);
    add_int(out, value);
}

void cof_json_add_member_base64(struct cof_buf *out, const char *name, struct cof_view bytes)
{
    cof_json_add_name(out, name);
    cof_buf_add_u8(out, '"');
    cof_base64_add(out, bytes);
    cof_buf_add_u8(out, '"');
}

void cof_json_wipe(const json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);

    /* The library gives its own memory out as const; it is to be freed next. */
    if (json_is_string(value))
        cof_wipe((void *)(uintptr_t)json_string_value(value), json_string_length(value));
}
