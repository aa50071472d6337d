/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/sqs_content.h"

#include "base/codec.h"
#include "crypto/hash.h"

#include <string.h>

#define NAME_MAX_BYTES 256
#define KEPT_MAX ((size_t)2 * COF_SQS_MESSAGE_MAX)
#define VERSION 1

void cof_sqs_content_done(struct cof_sqs_content *content)
{
    if (content == NULL)
        return;
    cof_buf_done(&content->kept);
    *content = (struct cof_sqs_content){0};
}

/* Nothing but ASCII that is allowed: in one pass without a branch for each byte. */
static bool is_plain(struct cof_view v)
{
    uint8_t bad = 0;

    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.data[i];

        bad |= (uint8_t)(c & 0x80) | (uint8_t)((c < 0x20) & (c != '\t') & (c != '\n') & (c != '\r'));
    }
    return bad == 0;
}

bool cof_sqs_is_text(struct cof_view v)
{
    if (is_plain(v))
        return true;
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.data[i];

        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
            return false;
        if (c == 0xef && v.len - i >= 3 && v.data[i + 1] == 0xbf && v.data[i + 2] >= 0xbe)
            return false; /* U+FFFE, U+FFFF */
    }
    return cof_view_is_utf8(v);
}

static bool is_name(struct cof_view v)
{
    if (v.len == 0 || v.len > NAME_MAX_BYTES || v.data[0] == '.' || v.data[v.len - 1] == '.')
        return false;
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.data[i];

        if (i + 1 < v.len && c >= 0xc3 && c <= 0xc5 && v.data[i + 1] >= 0x80 && v.data[i + 1] <= 0xbf) {
            i++; /* spec: undocumented, and taken: the letters of the Latin scripts, U+00C0 to U+017F */
            continue;
        }
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.') ||
            (c == '.' && i > 0 && v.data[i - 1] == '.'))
            return false;
    }
    return !cof_view_eq_nocase(cof_view_sub(v, 0, 4), COF_LIT("aws.")) && !cof_view_eq_nocase(cof_view_sub(v, 0, 7), COF_LIT("amazon."));
}

/* "String", or "String." and a label of one's own. */
static bool is_type(struct cof_view type, const char *kind)
{
    size_t len = strlen(kind);

    return cof_view_starts(type, cof_view_str(kind)) && (type.len == len || (type.data[len] == '.' && type.len > len + 1));
}

/* Sign, digits with a point somewhere, exponent; SQS keeps 38 digits, from 10^-128 to 10^126. */
static bool is_number(struct cof_view v)
{
    size_t i = 0, digits = 0, significant = 0, points = 0;

    if (v.len > 0 && (v.data[0] == '-' || v.data[0] == '+'))
        i++;
    for (; i < v.len && (v.data[i] == '.' || (v.data[i] >= '0' && v.data[i] <= '9')); i++) {
        if (v.data[i] == '.') {
            if (++points > 1)
                return false;
            continue;
        }
        digits++;
        if (significant > 0 || v.data[i] != '0')
            significant++;
    }
    if (digits == 0 || significant > 38)
        return false;
    if (i < v.len && (v.data[i] == 'e' || v.data[i] == 'E')) {
        unsigned exponent = 0;
        size_t first;

        i++;
        if (i < v.len && (v.data[i] == '-' || v.data[i] == '+'))
            i++;
        for (first = i; i < v.len && v.data[i] >= '0' && v.data[i] <= '9' && exponent < 1000; i++)
            exponent = exponent * 10 + (unsigned)(v.data[i] - '0');
        if (i == first || exponent > 128)
            return false;
    }
    return i == v.len;
}

/* The value's bytes: text is a view into the request, binary is decoded into kept (as an offset until all are there). */
static enum cof_err read_value(const json_t *given, const char *what, const char *name, struct cof_sqs_value *out, struct cof_buf *kept,
                               struct cof_sqs_refusal *refusal)
{
    enum cof_err err;
    size_t start = kept->len;

    if (cof_json_text(given, "DataType", &out->type, NULL) != COF_OK || out->type.len == 0)
        return cof_sqs_refuse(refusal, COF_SQS_INVALID_PARAMETER_VALUE,
                              "The message %sattribute '%s' must contain non-empty message attribute type.", what, name);
    out->binary = is_type(out->type, "Binary");
    if ((!out->binary && !is_type(out->type, "String") && !is_type(out->type, "Number")) || out->type.len > NAME_MAX_BYTES ||
        !cof_sqs_is_text(out->type))
        return cof_sqs_refuse(refusal, COF_SQS_INVALID_PARAMETER_VALUE,
                              "The message %sattribute '%s' has an invalid message attribute type, the set of supported type "
                              "prefixes is Binary, Number, and String.", what, name);
    if (json_array_size(json_object_get(given, "StringListValues")) > 0 || json_array_size(json_object_get(given, "BinaryListValues")) > 0)
        return cof_sqs_refuse(refusal, COF_SQS_UNSUPPORTED_OPERATION,
                              "Message attribute list values in SendMessage operation are not supported.");
    if (out->binary) {
        err = cof_json_base64(given, "BinaryValue", kept, NULL);
        if (err == COF_E_MEMORY)
            return err;
        out->value = cof_view_of(NULL, kept->len - start);
        if (err != COF_OK)
            out->value.len = 0;
    } else if (cof_json_text(given, "StringValue", &out->value, NULL) != COF_OK) {
        out->value.len = 0;
    }
    if (out->value.len == 0)
        return cof_sqs_refuse(refusal, COF_SQS_INVALID_PARAMETER_VALUE,
                              "Message (user) attribute '%s' must contain a non-empty value of type '%s'.", name,
                              out->binary ? "Binary" : "String");
    if (!out->binary && !cof_sqs_is_text(out->value))
        return cof_sqs_refuse(refusal, COF_SQS_INVALID_PARAMETER_VALUE,
                              "Invalid binary character was found in the message attribute '%s', the set of allowed characters is "
                              "#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF", name);
    if (is_type(out->type, "Number") && !is_number(out->value))
        return cof_sqs_refuse(refusal, COF_SQS_INVALID_PARAMETER_VALUE,
                              "Can't cast the value of message (user) attribute '%s' to a number.", name);
    return COF_OK;
}

static enum cof_err read_values(const json_t *given, struct cof_sqs_content *out, struct cof_sqs_refusal *refusal)
{
    json_t *mutable = (json_t *)(uintptr_t)given, *value;
    const char *name;
    size_t at = 0;
    enum cof_err err = COF_OK;

    if (json_object_size(given) > COF_SQS_VALUES_MAX)
        return cof_sqs_refuse(refusal, COF_SQS_INVALID_PARAMETER_VALUE,
                              "Number of message attributes [%zu] exceeds the allowed maximum [%d].", json_object_size(given),
                              COF_SQS_VALUES_MAX);
    json_object_foreach(mutable, name, value) {
        struct cof_sqs_value *v = &out->values[out->n_values];

        v->name = cof_view_str(name);
        if (!is_name(v->name))
            return cof_sqs_refuse(refusal, COF_SQS_INVALID_PARAMETER_VALUE,
                                  "The message attribute name '%.256s' is invalid. Attribute name can contain A-Z, a-z, 0-9, underscore "
                                  "(_), hyphen (-), and period (.) characters; it must not start with AWS. or Amazon., nor start or end "
                                  "with a period, nor have two in a row.", name);
        err = read_value(value, "", name, v, &out->kept, refusal);
        if (err != COF_OK || refusal->code != COF_SQS_FINE)
            return err;
        out->n_values++;
        out->size += v->name.len + v->type.len + v->value.len;
    }
    for (size_t i = 0; i < out->n_values; i++)
        if (out->values[i].binary) {
            out->values[i].value.data = out->kept.data + at;
            at += out->values[i].value.len;
        }
    return cof_buf_err(&out->kept);
}

/* AWSTraceHeader is the one there is, and text. */
static enum cof_err read_system(const json_t *given, struct cof_sqs_content *out, struct cof_sqs_refusal *refusal)
{
    json_t *mutable = (json_t *)(uintptr_t)given, *value;
    struct cof_sqs_value v;
    struct cof_buf none;
    const char *name;
    enum cof_err err = COF_OK;

    cof_buf_init(&none, COF_SQS_MESSAGE_MAX);
    json_object_foreach(mutable, name, value) {
        if (strcmp(name, "AWSTraceHeader") != 0) {
            err = cof_sqs_refuse(refusal, COF_SQS_INVALID_PARAMETER_VALUE, "Message system attribute name '%.256s' is invalid.", name);
            break;
        }
        err = read_value(value, "system ", name, &v, &none, refusal);
        if (err == COF_OK && refusal->code == COF_SQS_FINE && !cof_view_eq_str(v.type, "String"))
            err = cof_sqs_refuse(refusal, COF_SQS_INVALID_PARAMETER_VALUE,
                                 "The message system attribute 'AWSTraceHeader' must be of type String.");
        if (err != COF_OK || refusal->code != COF_SQS_FINE)
            break;
        out->trace = v.value;
    }
    cof_buf_done(&none);
    return err;
}

static bool is_group(struct cof_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.data[i] <= 0x20 || v.data[i] > 0x7e)
            return false;
    return v.len > 0 && v.len <= 128;
}

enum cof_err cof_sqs_content_read(const json_t *entry, struct cof_sqs_content *out, struct cof_sqs_refusal *refusal)
{
    const json_t *values = json_object_get(entry, "MessageAttributes"), *system = json_object_get(entry, "MessageSystemAttributes");
    enum cof_err err = COF_OK;

    *out = (struct cof_sqs_content){0};
    cof_buf_init(&out->kept, COF_SQS_MESSAGE_MAX * 2);
    if (cof_json_text(entry, "MessageBody", &out->body, NULL) != COF_OK)
        return cof_sqs_refuse(refusal, COF_SQS_MISSING_PARAMETER, "The request must contain the parameter MessageBody.");
    if (out->body.len == 0)
        return cof_sqs_refuse(refusal, COF_SQS_MISSING_PARAMETER, "The request must contain the parameter MessageBody.");
    if (!cof_sqs_is_text(out->body))
        return cof_sqs_refuse(refusal, COF_SQS_INVALID_MESSAGE_CONTENTS,
                              "Invalid binary character was found in the message body, the set of allowed characters is "
                              "#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF");
    if (json_object_get(entry, "MessageDeduplicationId") != NULL && !json_is_null(json_object_get(entry, "MessageDeduplicationId")))
        return cof_sqs_refuse(refusal, COF_SQS_INVALID_PARAMETER_VALUE,
                              "The request includes a parameter that is not valid for this queue type: MessageDeduplicationId");
    if (cof_json_text_or(entry, "MessageGroupId", "", &out->group, NULL) != COF_OK ||
        (json_is_string(json_object_get(entry, "MessageGroupId")) && !is_group(out->group)))
        return cof_sqs_refuse(refusal, COF_SQS_INVALID_PARAMETER_VALUE,
                              "Value %.*s for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and "
                              "punctuation characters. 1 to 128 in length.", out->group.len > 300 ? 300 : (int)out->group.len,
                              out->group.len == 0 ? "" : (const char *)out->group.data);
    out->size = out->body.len;
    if (json_is_object(values))
        err = read_values(values, out, refusal);
    else if (values != NULL && !json_is_null(values))
        err = cof_sqs_refuse(refusal, COF_SQS_SERIALIZATION, "MessageAttributes must be a map.");
    if (err == COF_OK && refusal->code == COF_SQS_FINE && json_is_object(system))
        err = read_system(system, out, refusal);
    if (err == COF_OK && refusal->code == COF_SQS_FINE)
        err = cof_hash_once(COF_MD5, out->body, out->body_md5);
    return err;
}

static void add_short(struct cof_buf *out, struct cof_view v)
{
    cof_buf_add_u16(out, (uint16_t)v.len);
    cof_buf_add(out, v);
}

static void add_long(struct cof_buf *out, struct cof_view v)
{
    cof_buf_add_u32(out, (uint32_t)v.len);
    cof_buf_add(out, v);
}

void cof_sqs_content_write(const struct cof_sqs_content *c, struct cof_buf *out)
{
    cof_buf_add_u8(out, VERSION);
    cof_buf_add_bytes(out, c->body_md5, sizeof c->body_md5);
    add_long(out, c->body);
    add_short(out, cof_view_sub(c->sender, 0, UINT16_MAX));
    add_short(out, cof_view_sub(c->trace, 0, UINT16_MAX));
    add_short(out, c->group);
    cof_buf_add_u8(out, (uint8_t)c->n_values);
    for (size_t i = 0; i < c->n_values; i++) {
        add_short(out, c->values[i].name);
        add_short(out, c->values[i].type);
        cof_buf_add_u8(out, c->values[i].binary ? 2 : 1);
        add_long(out, c->values[i].value);
    }
}

static enum cof_err take_short(struct cof_view *in, struct cof_view *out)
{
    uint16_t len;
    enum cof_err err = cof_take_u16(in, &len);

    return err == COF_OK ? cof_take(in, len, out) : err;
}

static enum cof_err take_long(struct cof_view *in, struct cof_view *out)
{
    uint32_t len;
    enum cof_err err = cof_take_u32(in, &len);

    return err == COF_OK ? cof_take(in, len, out) : err;
}

enum cof_err cof_sqs_content_parse(struct cof_view in, struct cof_sqs_content *out)
{
    uint8_t version, n, transport;
    struct cof_view md5;

    *out = (struct cof_sqs_content){0};
    if (cof_take_u8(&in, &version) != COF_OK || version != VERSION || cof_take(&in, sizeof out->body_md5, &md5) != COF_OK ||
        take_long(&in, &out->body) != COF_OK || take_short(&in, &out->sender) != COF_OK || take_short(&in, &out->trace) != COF_OK ||
        take_short(&in, &out->group) != COF_OK || cof_take_u8(&in, &n) != COF_OK || n > COF_SQS_VALUES_MAX)
        return COF_E_FORMAT;
    memcpy(out->body_md5, md5.data, md5.len);
    for (out->n_values = 0; out->n_values < n; out->n_values++) {
        struct cof_sqs_value *v = &out->values[out->n_values];

        if (take_short(&in, &v->name) != COF_OK || take_short(&in, &v->type) != COF_OK || cof_take_u8(&in, &transport) != COF_OK ||
            transport < 1 || transport > 2 || take_long(&in, &v->value) != COF_OK)
            return COF_E_FORMAT;
        v->binary = transport == 2;
    }
    return in.len == 0 ? COF_OK : COF_E_FORMAT;
}

enum cof_err cof_sqs_values_md5(const struct cof_sqs_value *values, size_t n, const bool *want, char out[static 33])
{
    const struct cof_sqs_value *sorted[COF_SQS_VALUES_MAX];
    size_t n_sorted = 0;
    uint8_t md5[16];
    struct cof_buf text;
    enum cof_err err;

    for (size_t i = 0; i < n && i < COF_SQS_VALUES_MAX; i++) {
        size_t at = n_sorted;

        if (want != NULL && !want[i])
            continue;
        for (; at > 0 && cof_view_cmp(sorted[at - 1]->name, values[i].name) > 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = &values[i];
        n_sorted++;
    }
    cof_buf_init(&text, KEPT_MAX);
    for (size_t i = 0; i < n_sorted; i++) {
        add_long(&text, sorted[i]->name);
        add_long(&text, sorted[i]->type);
        cof_buf_add_u8(&text, sorted[i]->binary ? 2 : 1);
        add_long(&text, sorted[i]->value);
    }
    err = cof_buf_err(&text);
    if (err == COF_OK)
        err = cof_hash_once(COF_MD5, cof_buf_view(&text), md5);
    cof_buf_done(&text);
    out[0] = '\0';
    if (err == COF_OK)
        cof_hex_encode(md5, sizeof md5, out);
    return err;
}
