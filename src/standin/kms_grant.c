/* SPDX-License-Identifier: Apache-2.0
 *
 * CreateGrant, ListGrants, ListRetirableGrants, RetireGrant, RevokeGrant.
 */
#include "base/codec.h"
#include "standin/kms_grants.h"
#include "standin/kms_policy.h"

#include <string.h>

#define OPERATIONS_MAX 32

/* What a grant may allow, and on which keys it makes sense. */
static const struct {
    const char *name;
    unsigned usages;      /* bit i: usage i; 0: any key */
    bool symmetric, pair; /* only symmetric, only asymmetric keys */
} operations[] = {
    {"Decrypt", 1u << COF_KMS_ENCRYPT_DECRYPT, false, false},
    {"Encrypt", 1u << COF_KMS_ENCRYPT_DECRYPT, false, false},
    {"GenerateDataKey", 1u << COF_KMS_ENCRYPT_DECRYPT, true, false},
    {"GenerateDataKeyWithoutPlaintext", 1u << COF_KMS_ENCRYPT_DECRYPT, true, false},
    {"ReEncryptFrom", 1u << COF_KMS_ENCRYPT_DECRYPT, false, false},
    {"ReEncryptTo", 1u << COF_KMS_ENCRYPT_DECRYPT, false, false},
    {"Sign", 1u << COF_KMS_SIGN_VERIFY, false, false},
    {"Verify", 1u << COF_KMS_SIGN_VERIFY, false, false},
    {"GetPublicKey", 0, false, true},
    {"CreateGrant", 0, false, false},
    {"RetireGrant", 0, false, false},
    {"DescribeKey", 0, false, false},
    {"GenerateDataKeyPair", 1u << COF_KMS_ENCRYPT_DECRYPT, true, false},
    {"GenerateDataKeyPairWithoutPlaintext", 1u << COF_KMS_ENCRYPT_DECRYPT, true, false},
    {"GenerateMac", 1u << COF_KMS_GENERATE_VERIFY_MAC, false, false},
    {"VerifyMac", 1u << COF_KMS_GENERATE_VERIFY_MAC, false, false},
    {"DeriveSharedSecret", 1u << COF_KMS_KEY_AGREEMENT, false, false},
};
#define N_OPERATIONS (sizeof operations / sizeof operations[0])

static bool fits(const char *name, const struct cof_kms_key *key)
{
    bool pair = key->spec->kind == COF_KMS_RSA || key->spec->kind == COF_KMS_ECC;
    size_t i = 0;

    while (i < N_OPERATIONS && strcmp(operations[i].name, name) != 0)
        i++;
    return i < N_OPERATIONS && (operations[i].usages == 0 || (operations[i].usages >> key->usage & 1) != 0) &&
           (!operations[i].symmetric || key->spec->kind == COF_KMS_SYMMETRIC) && (!operations[i].pair || pair);
}

static enum cof_err check_operations(struct cof_kms_call *c)
{
    const json_t *list = json_object_get(c->in, "Operations");

    if (json_array_size(list) == 0 || json_array_size(list) > OPERATIONS_MAX)
        return cof_kms_fail(c, "ValidationException", "Operations must name 1 to %d grant operations.", OPERATIONS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));

        if (!fits(name, c->key))
            return cof_kms_fail(c, "ValidationException", "Grant operation %s is not valid for KMS key %s.", name, c->key->arn);
    }
    return COF_OK;
}

static enum cof_err check_constraints(struct cof_kms_call *c)
{
    static const struct cof_kms_member members[] = {{.name = "EncryptionContextEquals", .type = COF_KMS_MAP},
        {.name = "EncryptionContextSubset", .type = COF_KMS_MAP}, {.name = NULL}};
    const json_t *constraints = cof_kms_arg_object(c, "Constraints");
    struct cof_buf message;
    enum cof_err err;

    if (constraints == NULL)
        return COF_OK;
    cof_buf_init(&message, 4096);
    err = cof_kms_shape_check(constraints, members, &message);
    if (err == COF_E_FORMAT)
        err = cof_kms_fail(c, "SerializationException", "%s", cof_buf_cstr(&message));
    cof_buf_done(&message);
    return err;
}

static enum cof_err check_principal(struct cof_kms_call *c, struct cof_view arn)
{
    bool exists = true;
    enum cof_err err = arn.len == 0 ? COF_OK : cof_kms_principal_exists(c->s, arn, &exists);

    if (err == COF_OK && !exists)
        err = cof_kms_fail(c, "InvalidArnException", "ARN does not refer to a valid principal: %.*s", (int)arn.len,
                           (const char *)arn.data);
    return err;
}

static enum cof_err ask_create(struct cof_kms_call *c)
{
    const json_t *list = json_object_get(c->in, "Operations"), *constraints = cof_kms_arg_object(c, "Constraints");
    const json_t *equals = json_object_get(constraints, "EncryptionContextEquals");
    const json_t *subset = json_object_get(constraints, "EncryptionContextSubset");
    struct cof_view grantee = cof_kms_arg(c, "GranteePrincipal"), retiring = cof_kms_arg(c, "RetiringPrincipal");
    struct cof_view names[OPERATIONS_MAX], no = COF_LIT("false");
    struct cof_view type = equals != NULL ? COF_LIT("EncryptionContextEquals") : COF_LIT("EncryptionContextSubset");
    struct cof_context_value more[5] = {{COF_LIT("kms:GranteePrincipal"), &grantee, 1},
        {COF_LIT("kms:GrantIsForAWSResource"), &no, 1}};
    size_t n = 2, n_names = 0;

    for (; n_names < json_array_size(list) && n_names < OPERATIONS_MAX; n_names++)
        names[n_names] = cof_view_str(json_string_value(json_array_get(list, n_names)));
    more[n++] = (struct cof_context_value){COF_LIT("kms:GrantOperations"), names, n_names};
    if (retiring.len > 0)
        more[n++] = (struct cof_context_value){COF_LIT("kms:RetiringPrincipal"), &retiring, 1};
    if (equals != NULL || subset != NULL)
        more[n++] = (struct cof_context_value){COF_LIT("kms:GrantConstraintType"), &type, 1};
    return cof_kms_begin(c, false, &(struct cof_kms_ask){.more = more, .n_more = n, .new_grant = c->in,
        .context = equals != NULL ? equals : subset});
}

static json_t *text_or_null(struct cof_view v)
{
    return v.len == 0 ? json_null() : json_stringn((const char *)v.data, v.len);
}

/* The record of the grant that is asked for. */
static json_t *make_record(const struct cof_kms_call *c)
{
    const json_t *constraints = cof_kms_arg_object(c, "Constraints");
    struct cof_view grantee = cof_kms_arg(c, "GranteePrincipal");

    return json_pack("{s:s#, s:o, s:O, s:o, s:o, s:s, s:I}", "grantee", (const char *)grantee.data, grantee.len, "retiring",
        text_or_null(cof_kms_arg(c, "RetiringPrincipal")), "operations", json_object_get(c->in, "Operations"), "constraints",
        constraints == NULL ? json_null() : json_deep_copy(constraints), "name", text_or_null(cof_kms_arg(c, "Name")), "issuer",
        cof_standin_account(c->s), "created_ms", (json_int_t)c->req->now_ms);
}

struct twin {
    const json_t *record;
    size_t prefix;
    char id[COF_KMS_GRANT_ID + 1];
};

static bool same_but_time(const json_t *a, const json_t *b)
{
    static const char *const members[] = {"grantee", "retiring", "operations", "constraints", "name"};

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (!json_equal(json_object_get(a, members[i]), json_object_get(b, members[i])))
            return false;
    return true;
}

static bool try_twin(void *arg, struct cof_view key, struct cof_view value)
{
    struct twin *t = arg;
    json_t *grant;
    bool found;

    if (cof_json_parse_object(value, COF_KMS_GRANT_MAX, &grant, NULL) != COF_OK)
        return true;
    found = key.len == t->prefix + COF_KMS_GRANT_ID && same_but_time(grant, t->record);
    if (found)
        memcpy(t->id, key.data + t->prefix, COF_KMS_GRANT_ID);
    json_decref(grant);
    return !found;
}

/* spec: CreateGrant, "Name": the same request with a name makes one grant. */
static enum cof_err find_twin(struct cof_kms_call *c, const json_t *record, struct twin *t)
{
    const struct cof_store *store = cof_standin_store(c->s);
    char prefix[COF_KMS_ID_MAX + 2];

    *t = (struct twin){.record = record};
    if (cof_kms_arg(c, "Name").len == 0)
        return COF_OK;
    t->prefix = strlen(c->key->id) + 1;
    memcpy(prefix, c->key->id, t->prefix - 1);
    prefix[t->prefix - 1] = '/';
    return store->scan(store->ctx, "kms.grant", cof_view_of(prefix, t->prefix), (struct cof_view){0}, SIZE_MAX, try_twin, t);
}

static enum cof_err create_grant(struct cof_kms_call *c)
{
    uint8_t id[COF_KMS_GRANT_ID / 2];
    struct cof_buf token;
    json_t *record = NULL;
    struct twin twin;
    enum cof_err err = check_constraints(c);

    cof_buf_init(&token, 512);
    if (err == COF_OK)
        err = ask_create(c);
    if (err == COF_OK)
        err = check_principal(c, cof_kms_arg(c, "GranteePrincipal"));
    if (err == COF_OK)
        err = check_principal(c, cof_kms_arg(c, "RetiringPrincipal"));
    if (err == COF_OK)
        err = check_operations(c);
    if (err == COF_OK && cof_kms_arg_object(c, "Constraints") != NULL && c->key->spec->kind != COF_KMS_SYMMETRIC)
        err = cof_kms_fail(c, "ValidationException", "Constraints need a symmetric encryption KMS key.");
    if (err == COF_OK)
        err = cof_kms_check_dry_run(c);
    if (err == COF_OK && (record = make_record(c)) == NULL)
        err = COF_E_MEMORY;
    if (err == COF_OK)
        err = find_twin(c, record, &twin);
    if (err == COF_OK && twin.id[0] == '\0') {
        err = cof_rng_fill(cof_standin_rng(c->s), id, sizeof id);
        cof_hex_encode(id, sizeof id, twin.id);
        if (err == COF_OK)
            err = cof_kms_grants_put(c->s, c->key->id, cof_view_str(twin.id), record);
        if (err == COF_E_LIMIT)
            err = cof_kms_fail(c, "ValidationException", "The grant is too large.");
    }
    if (err == COF_OK) {
        cof_kms_grant_token_add(&token, c->key->id, cof_view_str(twin.id));
        cof_json_add_member(&c->out, "GrantId", cof_view_str(twin.id));
        cof_json_add_member(&c->out, "GrantToken", cof_buf_view(&token));
    }
    json_decref(record);
    cof_buf_done(&token);
    return err;
}

static void add_json(struct cof_buf *out, const char *name, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    if (text == NULL) {
        out->err = COF_E_MEMORY;
        return;
    }
    cof_json_add_name(out, name);
    cof_buf_add_str(out, text);
    free(text);
}

static void add_grant(struct cof_kms_call *c, struct cof_view key_id, struct cof_view grant_id, const json_t *grant)
{
    static const struct {
        const char *name, *member;
    } texts[] = {{"Name", "name"}, {"GranteePrincipal", "grantee"}, {"RetiringPrincipal", "retiring"}};
    struct cof_buf *out = &c->out, arn;

    cof_buf_init(&arn, 512);
    cof_buf_printf(&arn, "arn:aws:kms:%s:%s:key/", cof_standin_region(c->s), cof_standin_account(c->s));
    cof_buf_add(&arn, key_id);
    cof_buf_add_str(out, out->data[out->len - 1] == '[' ? "{" : ",{");
    cof_json_add_member(out, "KeyId", cof_buf_view(&arn));
    cof_json_add_member(out, "GrantId", grant_id);
    for (size_t i = 0; i < 3; i++)
        if (json_is_string(json_object_get(grant, texts[i].member)))
            cof_json_add_member(out, texts[i].name, cof_view_str(json_string_value(json_object_get(grant, texts[i].member))));
    cof_buf_add_str(out, ",\"IssuingAccount\":\"arn:aws:iam::");
    cof_buf_add_str(out, json_string_value(json_object_get(grant, "issuer")));
    cof_buf_add_str(out, ":root\"");
    cof_kms_add_time(out, "CreationDate", json_integer_value(json_object_get(grant, "created_ms")));
    add_json(out, "Operations", json_object_get(grant, "operations"));
    if (json_is_object(json_object_get(grant, "constraints")))
        add_json(out, "Constraints", json_object_get(grant, "constraints"));
    cof_buf_add_str(out, "}");
    cof_buf_done(&arn);
}

struct listing {
    struct cof_kms_call *c;
    struct cof_kms_page page;
    struct cof_view grant_id, grantee, retiring; /* only those; empty: all */
};

static bool matches(const json_t *grant, const char *member, struct cof_view wanted)
{
    const char *text = json_string_value(json_object_get(grant, member));

    return wanted.len == 0 || (text != NULL && cof_view_eq_str(wanted, text));
}

static bool list_one(void *arg, struct cof_view key, struct cof_view value)
{
    struct listing *l = arg;
    struct cof_view key_id, grant_id;
    json_t *grant;
    bool more = true;

    if (!cof_view_split(key, '/', &key_id, &grant_id) || (l->grant_id.len > 0 && !cof_view_eq(grant_id, l->grant_id)) ||
        cof_json_parse_object(value, COF_KMS_GRANT_MAX, &grant, NULL) != COF_OK)
        return true;
    if (matches(grant, "grantee", l->grantee) && matches(grant, "retiring", l->retiring)) {
        more = cof_kms_page_take(&l->page, key);
        if (more)
            add_grant(l->c, key_id, grant_id, grant);
    }
    json_decref(grant);
    return more;
}

static enum cof_err list(struct cof_kms_call *c, struct listing *l, struct cof_view prefix)
{
    const struct cof_store *store = cof_standin_store(c->s);
    enum cof_err err = cof_kms_page_begin(c, 50, 100, &l->page);

    if (err != COF_OK)
        return err;
    cof_json_add_name(&c->out, "Grants");
    cof_buf_add_str(&c->out, "[");
    err = store->scan(store->ctx, "kms.grant", prefix, cof_buf_view(&l->page.after), SIZE_MAX, list_one, l);
    cof_buf_add_str(&c->out, "]");
    cof_kms_page_end(c, &l->page);
    return err;
}

static enum cof_err check_grant_id(struct cof_kms_call *c, struct cof_view id)
{
    uint8_t bytes[COF_KMS_GRANT_ID / 2];

    if (id.len == 0 || (id.len == COF_KMS_GRANT_ID && cof_hex_decode_fixed(id, bytes, sizeof bytes) == COF_OK))
        return COF_OK;
    return cof_kms_fail(c, "InvalidGrantIdException", "Invalid grant ID %.*s", (int)id.len, (const char *)id.data);
}

static enum cof_err list_grants(struct cof_kms_call *c)
{
    struct listing l = {.c = c, .grant_id = cof_kms_arg(c, "GrantId"), .grantee = cof_kms_arg(c, "GranteePrincipal")};
    struct cof_buf prefix;
    enum cof_err err = check_grant_id(c, l.grant_id);

    cof_buf_init(&prefix, 128);
    if (err == COF_OK)
        err = cof_kms_begin(c, false, NULL);
    if (err == COF_OK) {
        cof_buf_printf(&prefix, "%s/", c->key->id);
        err = list(c, &l, cof_buf_view(&prefix));
    }
    cof_buf_done(&prefix);
    return err;
}

static enum cof_err list_retirable(struct cof_kms_call *c)
{
    struct listing l = {.c = c, .retiring = cof_kms_arg(c, "RetiringPrincipal")};
    enum cof_err err = cof_kms_allowed(c, NULL, NULL);

    return err == COF_OK ? list(c, &l, (struct cof_view){0}) : err;
}

static enum cof_err drop(struct cof_kms_call *c, struct cof_view grant_id)
{
    json_t *grant;
    enum cof_err err = cof_kms_grants_get(c->s, c->key->id, grant_id, &grant);

    if (err == COF_E_NOT_FOUND)
        err = cof_kms_fail(c, "NotFoundException", "Grant ID %.*s not found", (int)grant_id.len, (const char *)grant_id.data);
    if (err == COF_OK)
        err = cof_kms_check_dry_run(c);
    if (err == COF_OK)
        err = cof_kms_grants_remove(c->s, c->key->id, grant_id);
    json_decref(grant);
    return err;
}

static enum cof_err revoke_grant(struct cof_kms_call *c)
{
    struct cof_view id = cof_kms_arg(c, "GrantId");
    enum cof_err err = check_grant_id(c, id);

    if (err == COF_OK)
        err = cof_kms_begin(c, false, NULL);
    return err == COF_OK ? drop(c, id) : err;
}

/* By token, or by key and id; who may is said by the grant itself, or by the policies. */
static enum cof_err retire_grant(struct cof_kms_call *c)
{
    struct cof_view token = cof_kms_arg(c, "GrantToken"), key = cof_kms_arg(c, "KeyId"), id = cof_kms_arg(c, "GrantId");
    char key_id[COF_KMS_ID_MAX], grant_id[COF_KMS_GRANT_ID + 1];
    enum cof_err err = COF_OK;

    if ((token.len > 0) == (key.len > 0 || id.len > 0) || (token.len == 0 && (key.len == 0 || id.len == 0)))
        return cof_kms_fail(c, "ValidationException", "Specify a grant token, or the ARN of a KMS key and a grant ID.");
    if (token.len > 0) {
        if (cof_kms_grant_token_parse(token, key_id, grant_id) != COF_OK)
            return cof_kms_fail(c, "InvalidGrantTokenException", "%s", "");
        key = cof_view_str(key_id);
        id = cof_view_str(grant_id);
    }
    err = check_grant_id(c, id);
    if (err == COF_OK)
        err = cof_kms_find(c, key, false, &c->key, NULL);
    if (err == COF_OK)
        err = cof_kms_allowed(c, c->key, &(struct cof_kms_ask){.grant_id = id});
    return err == COF_OK ? drop(c, id) : err;
}

static const char *const names[] = {"Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom",
    "ReEncryptTo", "Sign", "Verify", "GetPublicKey", "CreateGrant", "RetireGrant", "DescribeKey", "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext", "GenerateMac", "VerifyMac", "DeriveSharedSecret", NULL};

#define PRINCIPAL(n, must) {.name = n, .type = COF_KMS_TEXT, .required = must, .min = 1, .max = 256, .chars = COF_KMS_CHARS_PRINCIPAL}
#define GRANT_ID(must) {.name = "GrantId", .type = COF_KMS_TEXT, .required = must, .min = 1, .max = 128}

static const struct cof_kms_member create_members[] = {COF_KMS_M_KEY_ID, PRINCIPAL("GranteePrincipal", true),
    PRINCIPAL("RetiringPrincipal", false),
    {.name = "Operations", .type = COF_KMS_ENUMS, .required = true, .max = OPERATIONS_MAX, .choices = names},
    {.name = "Constraints", .type = COF_KMS_THING}, COF_KMS_M_TOKENS,
    {.name = "Name", .type = COF_KMS_TEXT, .min = 1, .max = 256, .chars = COF_KMS_CHARS_ALIAS}, COF_KMS_M_DRY_RUN, {.name = NULL}};
static const struct cof_kms_member list_members[] = {COF_KMS_M_PAGE, COF_KMS_M_KEY_ID, GRANT_ID(false),
    PRINCIPAL("GranteePrincipal", false), {.name = NULL}};
static const struct cof_kms_member retirable_members[] = {COF_KMS_M_PAGE, PRINCIPAL("RetiringPrincipal", true), {.name = NULL}};
static const struct cof_kms_member retire_members[] = {{.name = "GrantToken", .type = COF_KMS_TEXT, .min = 1, .max = 8192},
    {.name = "KeyId", .type = COF_KMS_TEXT, .min = 1, .max = 2048}, GRANT_ID(false), COF_KMS_M_DRY_RUN, {.name = NULL}};
static const struct cof_kms_member revoke_members[] = {COF_KMS_M_KEY_ID, GRANT_ID(true), COF_KMS_M_DRY_RUN, {.name = NULL}};

const struct cof_kms_operation cof_kms_grant_ops[] = {
    {.action = "kms:CreateGrant", .run = create_grant, .foreign = true, .members = create_members, .need = COF_KMS_NEEDS_ENABLED, .arn_error = true},
    {.action = "kms:ListGrants", .run = list_grants, .foreign = true, .members = list_members, .arn_error = true},
    {.action = "kms:ListRetirableGrants", .run = list_retirable, .members = retirable_members, .arn_error = true},
    {.action = "kms:RetireGrant", .run = retire_grant, .foreign = true, .members = retire_members, .arn_error = true},
    {.action = "kms:RevokeGrant", .run = revoke_grant, .foreign = true, .members = revoke_members, .arn_error = true},
    {.action = NULL}};
