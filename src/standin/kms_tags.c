/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/kms_tags.h"

#include <string.h>

static struct cof_view text_of(const json_t *value)
{
    return cof_view_of(json_string_value(value), json_string_length(value));
}

enum cof_err cof_kms_tag_asking_init(struct cof_kms_call *c, const json_t *list, bool only_keys,
                                     struct cof_kms_tag_asking *out)
{
    size_t n = json_array_size(list), at = 0;

    *out = (struct cof_kms_tag_asking){.n_items = 0};
    cof_buf_init(&out->names, 16384);
    if (n > COF_KMS_TAGS_MAX)
        return cof_kms_fail(c, "TagException", "Too many tags");
    for (size_t i = 0; i < n; i++) {
        const json_t *tag = json_array_get(list, i);

        out->keys[i] = text_of(only_keys ? tag : json_object_get(tag, "TagKey"));
        out->values[i] = only_keys ? (struct cof_view){0} : text_of(json_object_get(tag, "TagValue"));
        if (!only_keys && cof_view_eq_nocase(cof_view_sub(out->keys[i], 0, 4), COF_LIT("aws:")))
            return cof_kms_fail(c, "TagException", "Tags beginning with aws: are reserved");
        for (size_t j = 0; j < i; j++)
            if (cof_view_eq(out->keys[i], out->keys[j]))
                return cof_kms_fail(c, "TagException", "Duplicate tag keys");
        cof_buf_add_str(&out->names, "aws:RequestTag/");
        cof_buf_add(&out->names, out->keys[i]);
    }
    if (cof_buf_err(&out->names) != COF_OK)
        return cof_buf_err(&out->names);
    for (size_t i = 0; i < n && !only_keys; i++) {
        size_t len = strlen("aws:RequestTag/") + out->keys[i].len;

        out->items[out->n_items++] =
            (struct cof_context_value){cof_view_sub(cof_buf_view(&out->names), at, len), &out->values[i], 1};
        at += len;
    }
    if (n > 0)
        out->items[out->n_items++] = (struct cof_context_value){COF_LIT("aws:TagKeys"), out->keys, n};
    return COF_OK;
}

void cof_kms_tag_asking_done(struct cof_kms_tag_asking *asking)
{
    cof_buf_done(&asking->names);
}

enum cof_err cof_kms_tags_merge(struct cof_kms_call *c, const json_t *list, json_t *tags)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *tag = json_array_get(list, i);

        if (json_object_set(tags, json_string_value(json_object_get(tag, "TagKey")), json_object_get(tag, "TagValue")) != 0)
            return COF_E_MEMORY;
    }
    if (json_object_size(tags) > COF_KMS_TAGS_MAX)
        return cof_kms_fail(c, "LimitExceededException", "A KMS key has at most %d tags.", COF_KMS_TAGS_MAX);
    return COF_OK;
}

static enum cof_err tag_resource(struct cof_kms_call *c)
{
    const json_t *list = json_object_get(c->in, "Tags");
    struct cof_kms_tag_asking asking;
    enum cof_err err = cof_kms_tag_asking_init(c, list, false, &asking);

    if (err == COF_OK)
        err = cof_kms_begin(c, true, &(struct cof_kms_ask){.more = asking.items, .n_more = asking.n_items});
    if (err == COF_OK)
        err = cof_kms_tags_merge(c, list, json_object_get(c->key->record, "tags"));
    cof_kms_tag_asking_done(&asking);
    return err == COF_OK ? cof_kms_key_save(c->s, c->key) : err;
}

static enum cof_err untag_resource(struct cof_kms_call *c)
{
    const json_t *list = json_object_get(c->in, "TagKeys");
    struct cof_kms_tag_asking asking;
    enum cof_err err = cof_kms_tag_asking_init(c, list, true, &asking);

    if (err == COF_OK)
        err = cof_kms_begin(c, true, &(struct cof_kms_ask){.more = asking.items, .n_more = asking.n_items});
    for (size_t i = 0; err == COF_OK && i < json_array_size(list); i++)
        (void)json_object_del(json_object_get(c->key->record, "tags"), json_string_value(json_array_get(list, i)));
    cof_kms_tag_asking_done(&asking);
    return err == COF_OK ? cof_kms_key_save(c->s, c->key) : err;
}

static enum cof_err list_resource_tags(struct cof_kms_call *c)
{
    enum cof_err err = cof_kms_begin(c, false, NULL);
    json_t *tags = err == COF_OK ? json_object_get(c->key->record, "tags") : NULL, *value;
    bool first = true, found;
    struct cof_kms_page page;
    const char *name;

    if (err == COF_OK)
        err = cof_kms_page_begin(c, 50, 50, &page);
    if (err != COF_OK)
        return err;
    found = page.after.len == 0;
    cof_json_add_name(&c->out, "Tags");
    cof_buf_add_str(&c->out, "[");
    json_object_foreach(tags, name, value) {
        if (!found) {
            found = cof_view_eq_str(cof_buf_view(&page.after), name);
            continue;
        }
        if (!cof_kms_page_take(&page, cof_view_str(name)))
            break;
        cof_buf_add_str(&c->out, first ? "{" : ",{");
        first = false;
        cof_json_add_member(&c->out, "TagKey", cof_view_str(name));
        cof_json_add_member(&c->out, "TagValue", text_of(value));
        cof_buf_add_str(&c->out, "}");
    }
    cof_buf_add_str(&c->out, "]");
    cof_kms_page_end(c, &page);
    return COF_OK;
}

static const struct cof_kms_member tag_members[] = {COF_KMS_M_KEY_ID, {.name = "Tags", .type = COF_KMS_TAGS, .required = true},
    {.name = NULL}};
static const struct cof_kms_member untag_members[] = {COF_KMS_M_KEY_ID,
    {.name = "TagKeys", .type = COF_KMS_TEXTS, .required = true, .max = 1000, .item_max = 128}, {.name = NULL}};
static const struct cof_kms_member list_members[] = {COF_KMS_M_KEY_ID, COF_KMS_M_PAGE, {.name = NULL}};

const struct cof_kms_operation cof_kms_tag_ops[] = {
    {.action = "kms:TagResource", .run = tag_resource, .members = tag_members, .need = COF_KMS_NOT_PENDING, .arn_error = true},
    {.action = "kms:UntagResource", .run = untag_resource, .members = untag_members, .need = COF_KMS_NOT_PENDING, .arn_error = true},
    {.action = "kms:ListResourceTags", .run = list_resource_tags, .members = list_members, .arn_error = true},
    {.action = NULL}};
