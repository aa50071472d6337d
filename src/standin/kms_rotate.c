/* SPDX-License-Identifier: Apache-2.0
 *
 * Rotation: by the calendar and on demand. Old versions of the material stay and open what they sealed.
 */
#include "standin/kms_api.h"

#include <stdio.h>
#include <string.h>

#define USUAL_DAYS 365
#define ON_DEMAND_MAX 25 /* of one key: AWS's quota */

/* KeyId for an operation that symmetric keys alone have. */
static enum cof_err begin(struct cof_kms_call *c, bool own, const struct cof_kms_ask *ask)
{
    enum cof_err err = cof_kms_begin(c, own, ask);

    if (err == COF_OK && c->key->spec->kind != COF_KMS_SYMMETRIC)
        err = cof_kms_fail(c, "UnsupportedOperationException", "%s", "");
    return err;
}

static enum cof_err schedule(struct cof_kms_call *c, int64_t days)
{
    int64_t next_ms = days == 0 ? 0 : c->req->now_ms + days * COF_KMS_DAY_MS;

    if (json_object_set_new(c->key->record, "rotation_days", json_integer(days)) != 0 ||
        json_object_set_new(c->key->record, "rotation_ms", json_integer(next_ms)) != 0)
        return COF_E_MEMORY;
    return cof_kms_key_save(c->s, c->key);
}

static enum cof_err enable(struct cof_kms_call *c)
{
    int64_t asked = cof_kms_arg_int(c, "RotationPeriodInDays", 0), days;
    char text[24];
    struct cof_view view;
    struct cof_context_value more = {COF_LIT("kms:RotationPeriodInDays"), &view, 1};
    enum cof_err err;

    (void)snprintf(text, sizeof text, "%lld", (long long)(asked == 0 ? USUAL_DAYS : asked));
    view = cof_view_str(text);
    err = begin(c, true, &(struct cof_kms_ask){.more = &more, .n_more = 1});
    if (err != COF_OK)
        return err;
    days = asked != 0 ? asked : c->key->rotation_days != 0 ? c->key->rotation_days : USUAL_DAYS;
    if (days == c->key->rotation_days)
        return COF_OK; /* nothing changes, the day neither */
    return schedule(c, days);
}

static enum cof_err disable(struct cof_kms_call *c)
{
    enum cof_err err = begin(c, true, NULL);

    return err == COF_OK ? schedule(c, 0) : err;
}

/* spec: every key has a status; of keys that cannot rotate it is false. */
static enum cof_err get_status(struct cof_kms_call *c)
{
    enum cof_err err = cof_kms_begin(c, false, NULL);

    if (err != COF_OK)
        return err;
    cof_json_add_member(&c->out, "KeyId", cof_view_str(c->key->id));
    cof_kms_add_bool(&c->out, "KeyRotationEnabled", c->key->rotation_days != 0);
    if (c->key->rotation_days != 0) {
        cof_json_add_member_int(&c->out, "RotationPeriodInDays", c->key->rotation_days);
        cof_kms_add_time(&c->out, "NextRotationDate", c->key->rotation_ms);
    }
    return COF_OK;
}

static const char *how_of(const json_t *version)
{
    const char *how = json_string_value(json_object_get(version, "how"));

    return how == NULL ? "" : how;
}

static enum cof_err on_demand(struct cof_kms_call *c)
{
    const json_t *versions;
    size_t n = 0;
    enum cof_err err = begin(c, true, NULL);

    if (err != COF_OK)
        return err;
    versions = json_object_get(c->key->record, "versions");
    for (size_t i = 0; i < json_array_size(versions); i++)
        n += strcmp(how_of(json_array_get(versions, i)), "ON_DEMAND") == 0;
    if (n >= ON_DEMAND_MAX)
        return cof_kms_fail(c, "LimitExceededException", "The on-demand rotations limit has been reached for the given keyId. "
            "No more on-demand rotations can be performed for this key: %s", c->key->arn);
    err = cof_kms_key_rotate(c->s, c->key, "ON_DEMAND", c->req->now_ms);
    if (err == COF_OK)
        err = cof_kms_key_save(c->s, c->key);
    cof_json_add_member(&c->out, "KeyId", cof_view_str(c->key->arn)); /* spec: of this operation the ARN, of its neighbours the id */
    return err;
}

static void add_rotation(struct cof_kms_call *c, size_t i, bool first)
{
    const json_t *version = json_array_get(json_object_get(c->key->record, "versions"), i);
    const char *how = how_of(version);

    cof_buf_add_str(&c->out, first ? "{" : ",{");
    cof_json_add_member(&c->out, "KeyId", cof_view_str(c->key->id));
    cof_json_add_member(&c->out, "KeyMaterialId", cof_view_str(cof_kms_version_id(c->key, i)));
    cof_json_add_member(&c->out, "KeyMaterialState", i + 1 == c->key->n_versions ? COF_LIT("CURRENT") : COF_LIT("NON_CURRENT"));
    if (how[0] != '\0') {
        cof_kms_add_time(&c->out, "RotationDate", json_integer_value(json_object_get(version, "at_ms")));
        cof_json_add_member(&c->out, "RotationType", cof_view_str(how));
    }
    cof_buf_add_str(&c->out, "}");
}

static enum cof_err list_rotations(struct cof_kms_call *c)
{
    bool all = cof_view_eq(cof_kms_arg(c, "IncludeKeyMaterial"), COF_LIT("ALL_KEY_MATERIAL")), first = true;
    struct cof_kms_page page;
    size_t i = all ? 0 : 1;
    enum cof_err err = begin(c, false, NULL);

    if (err == COF_OK)
        err = cof_kms_page_begin(c, 100, 1000, &page);
    if (err != COF_OK)
        return err;
    if (page.after.len > 0) /* the marker is a version's id */
        while (i < c->key->n_versions && !cof_view_eq_str(cof_buf_view(&page.after), cof_kms_version_id(c->key, i++)))
            ;
    cof_json_add_name(&c->out, "Rotations");
    cof_buf_add_str(&c->out, "[");
    for (; i < c->key->n_versions && cof_kms_page_take(&page, cof_view_str(cof_kms_version_id(c->key, i))); i++) {
        add_rotation(c, i, first);
        first = false;
    }
    cof_buf_add_str(&c->out, "]");
    cof_kms_page_end(c, &page);
    return COF_OK;
}

static const char *const include[] = {"ALL_KEY_MATERIAL", "ROTATIONS_ONLY", NULL};

static const struct cof_kms_member key_members[] = {COF_KMS_M_KEY_ID, {.name = NULL}};
static const struct cof_kms_member enable_members[] = {COF_KMS_M_KEY_ID,
    {.name = "RotationPeriodInDays", .type = COF_KMS_INT, .min = 90, .max = 2560}, {.name = NULL}};
static const struct cof_kms_member list_members[] = {COF_KMS_M_KEY_ID,
    {.name = "IncludeKeyMaterial", .type = COF_KMS_ENUM, .choices = include}, COF_KMS_M_PAGE, {.name = NULL}};

const struct cof_kms_operation cof_kms_rotate_ops[] = {
    {.action = "kms:EnableKeyRotation", .run = enable, .members = enable_members, .need = COF_KMS_NEEDS_ENABLED, .arn_error = true},
    {.action = "kms:DisableKeyRotation", .run = disable, .members = key_members, .need = COF_KMS_NEEDS_ENABLED, .arn_error = true},
    {.action = "kms:GetKeyRotationStatus", .run = get_status, .foreign = true, .members = key_members, .need = COF_KMS_NOT_PENDING, .arn_error = true},
    {.action = "kms:RotateKeyOnDemand", .run = on_demand, .members = key_members, .need = COF_KMS_NEEDS_ENABLED, .arn_error = true},
    {.action = "kms:ListKeyRotations", .run = list_rotations, .members = list_members, .arn_error = true},
    {.action = NULL}};
