/* SPDX-License-Identifier: Apache-2.0
 *
 * A key's life: CreateKey, DescribeKey, ListKeys, EnableKey, DisableKey, UpdateKeyDescription, ScheduleKeyDeletion,
 * CancelKeyDeletion.
 */
#include "standin/kms_cache.h"
#include "standin/kms_policy.h"
#include "standin/kms_tags.h"

#include <stdio.h>

#define WINDOW_MIN 7 /* days */
#define WINDOW_MAX 30

static void add_metadata(struct cof_kms_call *c, const struct cof_kms_key *key)
{
    struct cof_buf *out = &c->out;

    cof_json_add_name(out, "KeyMetadata");
    cof_buf_add_str(out, "{");
    cof_json_add_member(out, "AWSAccountId", cof_view_str(cof_standin_account(c->s)));
    cof_json_add_member(out, "KeyId", cof_view_str(key->id));
    cof_json_add_member(out, "Arn", cof_view_str(key->arn));
    cof_kms_add_time(out, "CreationDate", key->created_ms);
    cof_kms_add_bool(out, "Enabled", key->state == COF_KMS_ENABLED);
    cof_json_add_member(out, "Description", cof_view_str(cof_kms_key_text(key, "description")));
    cof_json_add_member(out, "KeyUsage", cof_view_str(cof_kms_usage_name(key->usage)));
    cof_json_add_member(out, "KeyState", cof_view_str(cof_kms_state_name(key->state)));
    if (key->state == COF_KMS_PENDING_DELETION)
        cof_kms_add_time(out, "DeletionDate", key->deletion_ms);
    cof_json_add_member(out, "Origin", COF_LIT("AWS_KMS"));
    cof_json_add_member(out, "KeyManager", cof_view_str(key->aws_managed ? "AWS" : "CUSTOMER"));
    cof_json_add_member(out, "CustomerMasterKeySpec", cof_view_str(key->spec->name));
    cof_json_add_member(out, "KeySpec", cof_view_str(key->spec->name));
    cof_kms_add_algorithms(out, key->spec, key->usage);
    cof_kms_add_bool(out, "MultiRegion", false);
    if (key->spec->kind == COF_KMS_SYMMETRIC)
        cof_json_add_member(out, "CurrentKeyMaterialId", cof_view_str(cof_kms_version_id(key, key->n_versions - 1)));
    cof_buf_add_str(out, "}");
}

/* What CreateKey is to make. */
static enum cof_err read_spec(struct cof_kms_call *c, struct cof_kms_make *make)
{
    struct cof_view spec = cof_kms_arg(c, "KeySpec"), old = cof_kms_arg(c, "CustomerMasterKeySpec");
    struct cof_view usage = cof_kms_arg(c, "KeyUsage"), origin = cof_kms_arg(c, "Origin");

    if (spec.len > 0 && old.len > 0)
        return cof_kms_fail(c, "ValidationException", "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
                            "CustomerMasterKeySpec is deprecated.");
    if (spec.len == 0)
        spec = old.len > 0 ? old : COF_LIT("SYMMETRIC_DEFAULT");
    make->spec = cof_kms_spec_named(spec);
    if (make->spec == NULL)
        return cof_kms_fail(c, "UnsupportedOperationException", "Keys of this spec are not made here.");
    if (cof_kms_arg(c, "CustomKeyStoreId").len > 0)
        return cof_kms_fail(c, "CustomKeyStoreNotFoundException", "There are no custom key stores here.");
    if (cof_kms_arg_flag(c, "MultiRegion") || cof_kms_arg(c, "XksKeyId").len > 0 || (origin.len > 0 && !cof_view_eq(origin, COF_LIT("AWS_KMS"))))
        return cof_kms_fail(c, "UnsupportedOperationException", "Keys here have one Region, and their material is made here.");
    if (usage.len == 0 && make->spec->kind == COF_KMS_SYMMETRIC)
        usage = COF_LIT("ENCRYPT_DECRYPT");
    if (usage.len == 0)
        return cof_kms_fail(c, "ValidationException",
                            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.");
    if (!cof_kms_usage_named(usage, &make->usage) || (make->spec->usages >> make->usage & 1) == 0)
        return cof_kms_fail(c, "ValidationException", "KeyUsage %.*s is not compatible with KeySpec %s",
                            (int)usage.len, (const char *)usage.data, make->spec->name);
    return COF_OK;
}

static enum cof_err ask_create(struct cof_kms_call *c, const struct cof_kms_make *make, const json_t *tags, bool bypass)
{
    struct cof_view spec = cof_view_str(make->spec->name), usage = cof_view_str(cof_kms_usage_name(make->usage));
    struct cof_view flag = bypass ? COF_LIT("true") : COF_LIT("false"), no = COF_LIT("false"), origin = COF_LIT("AWS_KMS");
    struct cof_context_value more[COF_KMS_TAGS_MAX + 8] = {{COF_LIT("kms:KeySpec"), &spec, 1},
        {COF_LIT("kms:KeyUsage"), &usage, 1}, {COF_LIT("kms:CustomerMasterKeySpec"), &spec, 1},
        {COF_LIT("kms:CustomerMasterKeyUsage"), &usage, 1}, {COF_LIT("kms:KeyOrigin"), &origin, 1},
        {COF_LIT("kms:MultiRegion"), &no, 1}, {COF_LIT("kms:BypassPolicyLockoutSafetyCheck"), &flag, 1}};
    struct cof_kms_tag_asking asking;
    size_t n = 7;
    enum cof_err err = cof_kms_tag_asking_init(c, tags, false, &asking);

    for (size_t i = 0; err == COF_OK && i < asking.n_items; i++)
        more[n++] = asking.items[i];
    if (err == COF_OK)
        err = cof_kms_allowed(c, NULL, &(struct cof_kms_ask){.more = more, .n_more = n});
    if (err == COF_OK && json_array_size(tags) > 0) /* spec: CreateKey, "Tags": needs kms:TagResource too */
        err = cof_kms_allowed(c, NULL, &(struct cof_kms_ask){.action = "kms:TagResource", .more = more, .n_more = n});
    if (err == COF_OK)
        (void)snprintf(c->req->action, sizeof c->req->action, "%s", c->op->action);
    cof_kms_tag_asking_done(&asking);
    return err;
}

static enum cof_err create_key(struct cof_kms_call *c)
{
    bool bypass = cof_kms_arg_flag(c, "BypassPolicyLockoutSafetyCheck");
    const json_t *list = json_object_get(c->in, "Tags");
    struct cof_kms_make make = {.policy = cof_kms_arg(c, "Policy"), .description = cof_kms_arg(c, "Description")};
    json_t *tags = json_object();
    struct cof_buf usual;
    enum cof_err err = tags == NULL ? COF_E_MEMORY : read_spec(c, &make);

    cof_buf_init(&usual, 1024);
    if (err == COF_OK)
        err = ask_create(c, &make, list, bypass);
    if (err == COF_OK)
        err = cof_kms_tags_merge(c, list, tags);
    if (err == COF_OK && make.policy.len > 0)
        err = cof_kms_policy_check(c, NULL, make.policy, bypass);
    if (make.policy.len == 0) {
        cof_kms_policy_default(c->s, &usual);
        make.policy = cof_buf_view(&usual);
    }
    make.tags = tags;
    if (err == COF_OK)
        err = cof_kms_key_make(c->s, &make, c->req->now_ms, &c->key);
    if (err == COF_OK)
        add_metadata(c, c->key);
    json_decref(tags);
    cof_buf_done(&usual);
    return err;
}

static enum cof_err describe_key(struct cof_kms_call *c)
{
    enum cof_err err = cof_kms_begin(c, false, NULL);

    if (err == COF_OK)
        add_metadata(c, c->key);
    return err;
}

static enum cof_err set_state(struct cof_kms_call *c, enum cof_kms_state state)
{
    if (json_object_set_new(c->key->record, "state", json_string(cof_kms_state_name(state))) != 0)
        return COF_E_MEMORY;
    return cof_kms_key_save(c->s, c->key);
}

static enum cof_err enable_key(struct cof_kms_call *c)
{
    enum cof_err err = cof_kms_begin(c, true, NULL);

    return err == COF_OK ? set_state(c, COF_KMS_ENABLED) : err;
}

static enum cof_err disable_key(struct cof_kms_call *c)
{
    enum cof_err err = cof_kms_begin(c, true, NULL);

    return err == COF_OK ? set_state(c, COF_KMS_DISABLED) : err;
}

static enum cof_err update_description(struct cof_kms_call *c)
{
    struct cof_view text = cof_kms_arg(c, "Description");
    enum cof_err err = cof_kms_begin(c, true, NULL);

    if (err == COF_OK && json_object_set_new(c->key->record, "description",
                                             json_stringn(text.len == 0 ? "" : (const char *)text.data, text.len)) != 0)
        err = COF_E_MEMORY;
    return err == COF_OK ? cof_kms_key_save(c->s, c->key) : err;
}

static enum cof_err schedule_deletion(struct cof_kms_call *c)
{
    int64_t days = cof_kms_arg_int(c, "PendingWindowInDays", WINDOW_MAX), when_ms;
    int64_t *next_ms = cof_kms_cache_next_deletion(c->s);
    char text[24];
    struct cof_view view;
    struct cof_context_value more = {COF_LIT("kms:ScheduleKeyDeletionPendingWindowInDays"), &view, 1};
    enum cof_err err;

    if (days < WINDOW_MIN || days > WINDOW_MAX)
        return cof_kms_fail(c, "ValidationException", "PendingWindowInDays must be between %d and %d (inclusive).", WINDOW_MIN,
                            WINDOW_MAX);
    (void)snprintf(text, sizeof text, "%lld", (long long)days);
    view = cof_view_str(text);
    err = cof_kms_begin(c, true, &(struct cof_kms_ask){.more = &more, .n_more = 1});
    if (err != COF_OK)
        return err;
    when_ms = c->req->now_ms + days * COF_KMS_DAY_MS;
    if (json_object_set_new(c->key->record, "deletion_ms", json_integer(when_ms)) != 0)
        return COF_E_MEMORY;
    if (next_ms != NULL && when_ms < *next_ms)
        *next_ms = when_ms;
    err = set_state(c, COF_KMS_PENDING_DELETION);
    cof_json_add_member(&c->out, "KeyId", cof_view_str(c->key->arn));
    cof_kms_add_time(&c->out, "DeletionDate", when_ms);
    cof_json_add_member(&c->out, "KeyState", cof_view_str(cof_kms_state_name(COF_KMS_PENDING_DELETION)));
    cof_json_add_member_int(&c->out, "PendingWindowInDays", days);
    return err;
}

static enum cof_err cancel_deletion(struct cof_kms_call *c)
{
    enum cof_err err = cof_kms_begin(c, true, NULL);

    if (err != COF_OK)
        return err;
    if (c->key->state != COF_KMS_PENDING_DELETION)
        return cof_kms_fail(c, "KMSInvalidStateException", "%s is not pending deletion.", c->key->arn);
    (void)json_object_del(c->key->record, "deletion_ms");
    cof_json_add_member(&c->out, "KeyId", cof_view_str(c->key->arn));
    return set_state(c, COF_KMS_DISABLED); /* spec: it is not enabled by itself */
}

struct listing {
    struct cof_kms_call *c;
    struct cof_kms_page page;
    bool first;
};

static bool list_one(void *arg, struct cof_view id, struct cof_view value)
{
    struct listing *l = arg;
    struct cof_buf *out = &l->c->out;
    char arn[COF_KMS_ARN_SIZE];

    (void)value;
    if (!cof_kms_page_take(&l->page, id))
        return false;
    (void)snprintf(arn, sizeof arn, "arn:aws:kms:%s:%s:key/%.*s", cof_standin_region(l->c->s), cof_standin_account(l->c->s),
                   (int)id.len, (const char *)id.data);
    cof_buf_add_str(out, l->first ? "{" : ",{");
    l->first = false;
    cof_json_add_member(out, "KeyId", id);
    cof_json_add_member(out, "KeyArn", cof_view_str(arn));
    cof_buf_add_str(out, "}");
    return true;
}

static enum cof_err list_keys(struct cof_kms_call *c)
{
    const struct cof_store *store = cof_standin_store(c->s);
    struct listing l = {.c = c, .first = true};
    enum cof_err err = cof_kms_allowed(c, NULL, NULL);

    if (err == COF_OK)
        err = cof_kms_page_begin(c, 100, 1000, &l.page);
    if (err != COF_OK)
        return err;
    cof_json_add_name(&c->out, "Keys");
    cof_buf_add_str(&c->out, "[");
    err = store->scan(store->ctx, "kms.key", (struct cof_view){0}, cof_buf_view(&l.page.after), SIZE_MAX, list_one, &l);
    cof_buf_add_str(&c->out, "]");
    cof_kms_page_end(c, &l.page);
    return err;
}

static const char *const old_specs[] = {"RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521",
    "ECC_SECG_P256K1", "SYMMETRIC_DEFAULT", "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512", "SM2", NULL};
static const char *const key_specs[] = {"RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521",
    "ECC_SECG_P256K1", "SYMMETRIC_DEFAULT", "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512", "SM2", "ML_DSA_44", "ML_DSA_65",
    "ML_DSA_87", "ECC_NIST_EDWARDS25519", NULL};
static const char *const usages[] = {"SIGN_VERIFY", "ENCRYPT_DECRYPT", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT", NULL};
static const char *const origins[] = {"AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE", NULL};

#define DESCRIPTION(must) {.name = "Description", .type = COF_KMS_TEXT, .required = must, .min = 0, .max = 8192}

static const struct cof_kms_member create_members[] = {
    {.name = "Policy", .type = COF_KMS_TEXT, .min = 1, .max = 131072}, DESCRIPTION(false),
    {.name = "KeyUsage", .type = COF_KMS_ENUM, .choices = usages},
    {.name = "CustomerMasterKeySpec", .type = COF_KMS_ENUM, .choices = old_specs},
    {.name = "KeySpec", .type = COF_KMS_ENUM, .choices = key_specs}, {.name = "Origin", .type = COF_KMS_ENUM, .choices = origins},
    {.name = "BypassPolicyLockoutSafetyCheck", .type = COF_KMS_BOOL}, {.name = "Tags", .type = COF_KMS_TAGS},
    {.name = "MultiRegion", .type = COF_KMS_BOOL}, {.name = "CustomKeyStoreId", .type = COF_KMS_TEXT, .min = 1, .max = 64},
    {.name = "XksKeyId", .type = COF_KMS_TEXT, .min = 1, .max = 128, .chars = COF_KMS_CHARS_XKS}, {.name = NULL}};
static const struct cof_kms_member key_members[] = {COF_KMS_M_KEY_ID, {.name = NULL}};
static const struct cof_kms_member describe_members[] = {COF_KMS_M_KEY_ID, COF_KMS_M_TOKENS, {.name = NULL}};
static const struct cof_kms_member description_members[] = {COF_KMS_M_KEY_ID, DESCRIPTION(true), {.name = NULL}};
static const struct cof_kms_member schedule_members[] = {COF_KMS_M_KEY_ID,
    {.name = "PendingWindowInDays", .type = COF_KMS_INT, .min = 1, .max = 365}, {.name = NULL}};
static const struct cof_kms_member list_members[] = {COF_KMS_M_PAGE, {.name = NULL}};

const struct cof_kms_operation cof_kms_admin_ops[] = {
    {.action = "kms:CreateKey", .run = create_key, .members = create_members, .arn_error = true},
    {.action = "kms:DescribeKey", .run = describe_key, .members = describe_members, .foreign = true, .alias_ok = true, .arn_error = true},
    {.action = "kms:ListKeys", .run = list_keys, .members = list_members},
    {.action = "kms:EnableKey", .run = enable_key, .members = key_members, .need = COF_KMS_NOT_PENDING, .arn_error = true},
    {.action = "kms:DisableKey", .run = disable_key, .members = key_members, .need = COF_KMS_NOT_PENDING, .arn_error = true},
    {.action = "kms:UpdateKeyDescription", .run = update_description, .members = description_members,
        .need = COF_KMS_NOT_PENDING, .arn_error = true},
    {.action = "kms:ScheduleKeyDeletion", .run = schedule_deletion, .members = schedule_members, .need = COF_KMS_NOT_PENDING,
        .arn_error = true},
    {.action = "kms:CancelKeyDeletion", .run = cancel_deletion, .members = key_members, .arn_error = true},
    {.action = NULL}};
