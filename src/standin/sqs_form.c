/* SPDX-License-Identifier: Apache-2.0
 *
 * The query protocol's parameters ("MessageAttribute.1.Value.StringValue=x") as the JSON protocol has them. First a tree by the
 * dots, then by one table what is a list, a map or a number. What no table knows is text under its own name.
 */
#include "standin/sqs_api.h"

#include "base/num.h"
#include "format/uri.h"

#include <stdio.h>
#include <string.h>

#define PARAMETERS_MAX 1000
#define PARTS_MAX 8
#define PART_MAX 300
#define VALUE_MAX ((size_t)3 << 20)

enum shape { NUMBER, LIST, MAP, TAGS, VALUES, ENTRIES };

static const struct { const char *query, *json; enum shape shape; } parameters[] = {
    {"DelaySeconds", NULL, NUMBER},
    {"VisibilityTimeout", NULL, NUMBER},
    {"WaitTimeSeconds", NULL, NUMBER},
    {"MaxNumberOfMessages", NULL, NUMBER},
    {"MaxNumberOfMessagesPerSecond", NULL, NUMBER},
    {"MaxResults", NULL, NUMBER},
    {"AttributeName", "AttributeNames", LIST},
    {"MessageAttributeName", "MessageAttributeNames", LIST},
    {"MessageSystemAttributeName", "MessageSystemAttributeNames", LIST},
    {"AWSAccountId", "AWSAccountIds", LIST},
    {"ActionName", "Actions", LIST},
    {"TagKey", "TagKeys", LIST},
    {"Attribute", "Attributes", MAP},
    {"Tag", "Tags", TAGS},
    {"MessageAttribute", "MessageAttributes", VALUES},
    {"MessageSystemAttribute", "MessageSystemAttributes", VALUES},
    {"SendMessageBatchRequestEntry", "Entries", ENTRIES},
    {"DeleteMessageBatchRequestEntry", "Entries", ENTRIES},
    {"ChangeMessageVisibilityBatchRequestEntry", "Entries", ENTRIES},
};

/* Puts a value into the tree, making branches. COF_E_FORMAT when a name is both branch and leaf, or comes twice. */
static enum cof_err plant(json_t *tree, struct cof_view name, struct cof_view value)
{
    struct cof_view part, rest = name;
    char text[PART_MAX];
    bool more = true;
    json_t *leaf;

    for (int depth = 0; more; depth++) {
        json_t *next;

        more = cof_view_split(rest, '.', &part, &rest);
        if (part.len == 0 || part.len >= sizeof text || depth == PARTS_MAX || memchr(part.data, 0, part.len) != NULL)
            return COF_E_FORMAT;
        (void)snprintf(text, sizeof text, "%.*s", (int)part.len, (const char *)part.data);
        if (!more)
            break;
        next = json_object_get(tree, text);
        if (next == NULL) {
            next = json_object();
            if (json_object_set_new(tree, text, next) != 0)
                return cof_view_is_utf8(part) ? COF_E_MEMORY : COF_E_FORMAT;
        }
        if (!json_is_object(next))
            return COF_E_FORMAT;
        tree = next;
    }
    if (json_object_get(tree, text) != NULL)
        return COF_E_FORMAT;
    if (!cof_view_is_utf8(value) || !cof_view_is_utf8(part))
        return COF_E_FORMAT;
    leaf = json_stringn(value.len == 0 ? "" : (const char *)value.data, value.len);
    return json_object_set_new(tree, text, leaf) == 0 ? COF_OK : COF_E_MEMORY;
}

static enum cof_err read_tree(struct cof_view form, json_t *tree, struct cof_buf *action)
{
    struct cof_view raw_name, raw_value;
    struct cof_buf name, value;
    size_t n = 0;
    enum cof_err err = COF_OK;

    cof_buf_init(&name, 4096);
    cof_buf_init_secret(&value, VALUE_MAX);
    while (err == COF_OK && cof_query_next(&form, &raw_name, &raw_value)) {
        cof_buf_reset(&name);
        cof_buf_reset(&value);
        err = ++n > PARAMETERS_MAX ? COF_E_LIMIT : cof_uri_decode(raw_name, true, &name);
        if (err == COF_OK)
            err = cof_uri_decode(raw_value, true, &value);
        if (err != COF_OK)
            break;
        if (cof_view_eq_str(cof_buf_view(&name), "Action"))
            cof_buf_add(action, cof_buf_view(&value));
        else if (!cof_view_eq_str(cof_buf_view(&name), "Version") && !cof_view_starts(cof_buf_view(&name), COF_LIT("X-Amz-")))
            err = plant(tree, cof_buf_view(&name), cof_buf_view(&value));
    }
    if (err == COF_OK)
        err = cof_buf_err(action);
    cof_buf_done(&name);
    cof_buf_done(&value);
    return err;
}

static enum cof_err convert(const json_t *tree, json_t *out, bool creating);

/* The items "1", "2", ... of a branch, up to the first that is missing; a branch that is no list is its own only item, as
 * "Attribute.Name=..." was once written. */
static const json_t *item(const json_t *branch, size_t i)
{
    char number[24];

    if (json_object_get(branch, "Name") != NULL || json_object_get(branch, "Key") != NULL)
        return i == 1 ? branch : NULL;
    (void)snprintf(number, sizeof number, "%zu", i);
    return json_object_get(branch, number);
}

static enum cof_err to_list(const json_t *branch, json_t *list)
{
    const json_t *one;

    if (json_is_string(branch)) /* "ActionName=x" */
        return json_array_append(list, (json_t *)(uintptr_t)branch) == 0 ? COF_OK : COF_E_MEMORY;
    for (size_t i = 1; (one = item(branch, i)) != NULL; i++) {
        if (!json_is_string(one))
            return COF_E_FORMAT;
        if (json_array_append(list, (json_t *)(uintptr_t)one) != 0)
            return COF_E_MEMORY;
    }
    return COF_OK;
}

static enum cof_err to_map(const json_t *branch, const char *key_name, json_t *map)
{
    const json_t *one;

    for (size_t i = 1; (one = item(branch, i)) != NULL; i++) {
        const char *key = json_string_value(json_object_get(one, key_name));
        json_t *value = json_object_get(one, "Value");

        if (key == NULL || json_object_get(map, key) != NULL)
            return COF_E_FORMAT;
        if (json_object_set_new(map, key, value == NULL ? json_string("") : json_incref(value)) != 0)
            return COF_E_MEMORY;
    }
    return COF_OK;
}

static enum cof_err to_entries(const json_t *branch, json_t *list)
{
    const json_t *one;
    enum cof_err err = COF_OK;

    for (size_t i = 1; err == COF_OK && (one = item(branch, i)) != NULL; i++) {
        json_t *entry = json_object();

        err = !json_is_object(one) ? COF_E_FORMAT : convert(one, entry, false);
        if (json_array_append_new(list, entry) != 0)
            return COF_E_MEMORY;
    }
    return err;
}

/* Digits are a number; anything else stays text, and is refused by name later. */
static json_t *to_number(const json_t *leaf)
{
    struct cof_view text = cof_view_str(json_string_value(leaf));
    bool negative = text.len > 0 && text.data[0] == '-';
    uint64_t n;

    if (cof_parse_u64(cof_view_sub(text, negative ? 1 : 0, SIZE_MAX), INT32_MAX, &n) != COF_OK)
        return json_incref((json_t *)(uintptr_t)leaf);
    return json_integer(negative ? -(json_int_t)n : (json_int_t)n);
}

static enum cof_err convert_one(const char *name, const json_t *value, json_t *out, bool creating)
{
    json_t *made = NULL;
    enum cof_err err = COF_OK;
    size_t i = 0;

    while (i < sizeof parameters / sizeof parameters[0] && strcmp(parameters[i].query, name) != 0)
        i++;
    if (i == sizeof parameters / sizeof parameters[0])
        return json_object_set(out, name, (json_t *)(uintptr_t)value) == 0 ? COF_OK : COF_E_MEMORY;
    if (parameters[i].shape == NUMBER) {
        if (!json_is_string(value))
            return COF_E_FORMAT;
        return json_object_set_new(out, name, to_number(value)) == 0 ? COF_OK : COF_E_MEMORY;
    }
    made = parameters[i].shape == LIST || parameters[i].shape == ENTRIES ? json_array() : json_object();
    switch (parameters[i].shape) {
    case LIST:
        err = to_list(value, made);
        break;
    case ENTRIES:
        err = to_entries(value, made);
        break;
    case TAGS:
        err = to_map(value, "Key", made);
        break;
    case MAP:
    case VALUES:
    case NUMBER:
        err = to_map(value, "Name", made);
        break;
    }
    name = parameters[i].shape == TAGS && creating ? "tags" : parameters[i].json;
    if (err == COF_OK && json_object_set(out, name, made) != 0)
        err = COF_E_MEMORY;
    json_decref(made);
    return err;
}

static enum cof_err convert(const json_t *tree, json_t *out, bool creating)
{
    json_t *mutable = (json_t *)(uintptr_t)tree, *value;
    const char *name;
    enum cof_err err = COF_OK;

    json_object_foreach(mutable, name, value)
        if (err == COF_OK)
            err = convert_one(name, value, out, creating);
    return err;
}

enum cof_err cof_sqs_form_parse(struct cof_view form, json_t **out, struct cof_buf *action)
{
    json_t *tree = json_object();
    enum cof_err err = tree == NULL ? COF_E_MEMORY : read_tree(form, tree, action);

    *out = json_object();
    if (err == COF_OK)
        err = *out == NULL ? COF_E_MEMORY : convert(tree, *out, cof_view_eq_str(cof_buf_view(action), "CreateQueue"));
    json_decref(tree);
    if (err != COF_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return err;
}
