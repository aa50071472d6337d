/* SPDX-License-Identifier: Apache-2.0
 *
 * For S3 and SQS: a key is found, the caller is asked for permission as kms:ViaService, and the answer stays inside.
 */
#include "standin/kms.h"
#include "standin/kms_alias.h"
#include "standin/kms_blob.h"
#include "standin/kms_permit.h"

#include <stdio.h>

static enum cof_err refuse(char error[static 64], const char *code, struct cof_buf *why, const char *text)
{
    (void)snprintf(error, 64, "%s", code);
    if (why != NULL)
        cof_buf_add_str(why, text);
    return COF_E_DENIED;
}

/* The named key, or the one that AWS manages for the service. */
static enum cof_err find(struct cof_standin *s, struct cof_standin_request *req, const char *via, struct cof_view key_id,
                         struct cof_kms_key **key)
{
    char own[64];
    struct cof_view name = key_id;
    enum cof_err err;

    (void)snprintf(own, sizeof own, "alias/aws/%s", via);
    if (name.len == 0)
        name = cof_view_str(own);
    err = cof_kms_key_open(s, name, req->now_ms, key);
    if (err == COF_E_NOT_FOUND) {
        (void)cof_kms_name_form(s, name, &name);
        err = cof_kms_alias_make_aws(s, name, req->now_ms, key);
    }
    return err;
}

static enum cof_err begin(struct cof_standin *s, struct cof_standin_request *req, const char *via, struct cof_view key_id,
                          const char *action, const struct json_t *context, struct cof_kms_key **key, char error[static 64],
                          struct cof_buf *why)
{
    struct cof_view algorithm = COF_LIT("SYMMETRIC_DEFAULT");
    struct cof_context_value more = {COF_LIT("kms:EncryptionAlgorithm"), &algorithm, 1};
    struct cof_kms_asking asking = {.action = action, .context = context, .takes_context = true, .via = via, .more = &more,
        .n_more = 1};
    enum cof_err err = find(s, req, via, key_id, key);

    if (err == COF_E_NOT_FOUND)
        return refuse(error, "KMS.NotFoundException", why, "the KMS key does not exist");
    if (err != COF_OK)
        return err;
    asking.key = *key;
    if (cof_kms_form_is_alias(cof_kms_name_form(s, key_id, &asking.alias)) == false)
        asking.alias = (struct cof_view){0};
    err = cof_kms_permit(s, req, &asking, why);
    if (err == COF_E_DENIED)
        (void)snprintf(error, 64, "AccessDenied");
    if (err != COF_OK)
        return err;
    if ((*key)->state == COF_KMS_DISABLED)
        return refuse(error, "KMS.DisabledException", why, "the KMS key is disabled");
    if ((*key)->state == COF_KMS_PENDING_DELETION)
        return refuse(error, "KMS.KMSInvalidStateException", why, "the KMS key is pending deletion");
    if ((*key)->spec->kind != COF_KMS_SYMMETRIC)
        return refuse(error, "KMS.UnsupportedOperationException", why, "the KMS key is not a symmetric encryption key");
    return COF_OK;
}

static enum cof_err internal_generate(struct cof_standin *s, struct cof_standin_request *req, const char *via,
                                      struct cof_view key_id, const struct json_t *context, struct cof_secret *secret,
                                      struct cof_buf *blob, struct cof_buf *arn, char error[static 64], struct cof_buf *why)
{
    struct cof_kms_key *key = NULL;
    uint8_t bytes[32];
    enum cof_err err = begin(s, req, via, key_id, "kms:GenerateDataKey", context, &key, error, why);

    if (err == COF_OK)
        err = cof_rng_fill(cof_standin_rng(s), bytes, sizeof bytes);
    if (err == COF_OK)
        err = cof_secret_set(secret, cof_view_of(bytes, sizeof bytes));
    if (err == COF_OK)
        err = cof_kms_wrap(s, key, context, cof_secret_view(secret), blob);
    cof_wipe(bytes, sizeof bytes);
    if (key != NULL)
        cof_buf_add_str(arn, key->arn);
    cof_kms_key_close(key);
    return err;
}

static enum cof_err internal_decrypt(struct cof_standin *s, struct cof_standin_request *req, const char *via,
                                     struct cof_view key_id, const struct json_t *context, struct cof_view blob,
                                     struct cof_secret *secret, char error[static 64], struct cof_buf *why)
{
    struct cof_kms_key *key = NULL;
    struct cof_buf plain;
    enum cof_err err = begin(s, req, via, key_id, "kms:Decrypt", context, &key, error, why);

    cof_buf_init_secret(&plain, COF_KMS_BLOB_MAX);
    if (err == COF_OK)
        err = cof_kms_unwrap(s, key, context, blob, &plain, NULL);
    if (err == COF_OK)
        err = cof_secret_set(secret, cof_buf_view(&plain));
    cof_buf_done(&plain);
    cof_kms_key_close(key);
    return err;
}

const struct cof_kms_hooks cof_service_kms_hooks = {internal_generate, internal_decrypt};
