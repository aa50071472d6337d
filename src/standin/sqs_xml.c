/* SPDX-License-Identifier: Apache-2.0
 *
 * A JSON answer as the query protocol writes it: lists and maps flattened into repeated elements with names of their own.
 */
#include "standin/sqs_api.h"

#include "standin/reply.h"

#include <stdio.h>
#include <string.h>

static const struct { const char *json, *element, *key; } shapes[] = {
    {"QueueUrls", "QueueUrl", NULL},
    {"queueUrls", "QueueUrl", NULL},
    {"Messages", "Message", NULL},
    {"Failed", "BatchResultErrorEntry", NULL},
    {"Results", "ListMessageMoveTasksResultEntry", NULL},
    {"Attributes", "Attribute", "Name"},
    {"MessageAttributes", "MessageAttribute", "Name"},
    {"Tags", "Tag", "Key"},
};

static void write_value(const char *element, const json_t *value, const char *entry, struct cof_buf *out);

static void write_members(const json_t *object, const char *entry, struct cof_buf *out)
{
    json_t *mutable = (json_t *)(uintptr_t)object, *value;
    const char *name;

    json_object_foreach(mutable, name, value)
        write_value(name, value, entry, out);
}

static void write_scalar(const char *element, const json_t *value, struct cof_buf *out)
{
    char number[24];

    if (json_is_string(value)) {
        cof_xml_element(out, element, cof_view_of(json_string_value(value), json_string_length(value)));
    } else if (json_is_integer(value)) {
        (void)snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        cof_xml_element(out, element, cof_view_str(number));
    } else {
        cof_xml_element(out, element, json_is_true(value) ? COF_LIT("true") : COF_LIT("false"));
    }
}

static void write_one(const char *element, const json_t *value, const char *entry, struct cof_buf *out)
{
    if (!json_is_object(value)) {
        write_scalar(element, value, out);
        return;
    }
    cof_buf_printf(out, "<%s>", element);
    write_members(value, entry, out);
    cof_buf_printf(out, "</%s>", element);
}

static void write_map(const char *element, const char *key_name, const json_t *map, struct cof_buf *out)
{
    json_t *mutable = (json_t *)(uintptr_t)map, *value;
    const char *key;

    json_object_foreach(mutable, key, value) {
        cof_buf_printf(out, "<%s>", element);
        cof_xml_element(out, key_name, cof_view_str(key));
        write_one("Value", value, NULL, out);
        cof_buf_printf(out, "</%s>", element);
    }
}

/* entry: what an element of Successful is called. */
static void write_value(const char *name, const json_t *value, const char *entry, struct cof_buf *out)
{
    const char *element = strcmp(name, "Successful") == 0 ? entry : name, *key = NULL;

    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        if (strcmp(shapes[i].json, name) == 0) {
            element = shapes[i].element;
            key = shapes[i].key;
        }
    if (json_is_array(value))
        for (size_t i = 0; i < json_array_size(value); i++)
            write_one(element, json_array_get(value, i), entry, out);
    else if (json_is_object(value) && key != NULL)
        write_map(element, key, value, out);
    else
        write_one(element, value, entry, out);
}

enum cof_err cof_sqs_xml_write(const char *operation, const json_t *answer, const char *request_id, struct cof_buf *out)
{
    char entry[64];

    (void)snprintf(entry, sizeof entry, "%sResultEntry", operation);
    cof_buf_printf(out, "<?xml version=\"1.0\"?><%sResponse xmlns=\"" COF_SQS_XMLNS "\">", operation);
    if (answer != NULL) {
        cof_buf_printf(out, "<%sResult>", operation);
        write_members(answer, entry, out);
        cof_buf_printf(out, "</%sResult>", operation);
    }
    cof_buf_printf(out, "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>", request_id, operation);
    return cof_buf_err(out);
}
