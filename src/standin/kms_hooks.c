/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/kms.h"
#include "standin/kms_keys.h"
#include "standin/kms_permit.h"

#include <stdio.h>

#define BLOB_MAX 6144

/* For S3. A key is found, the caller is asked for permission as kms:ViaService, and the answer stays inside. */
static enum cof_err begin_internal(struct cof_standin *s, struct cof_standin_request *req, const char *via,
                                   struct cof_view key_id, const char *action, const struct json_t *context,
                                   struct cof_kms_key *key, char error[static 64], struct cof_buf *why)
{
    enum cof_err err = cof_kms_key_find(s, key_id.len == 0 ? COF_LIT("alias/aws/s3") : key_id, key);

    if (err == COF_E_NOT_FOUND) {
        (void)snprintf(error, 64, "KMS.NotFoundException");
        if (why != NULL)
            cof_buf_add_str(why, "the KMS key does not exist");
        return COF_E_DENIED;
    }
    if (err != COF_OK)
        return err;
    err = cof_kms_permit(s, req, &(struct cof_kms_asking){action, key, context, NULL, via}, why);
    if (err == COF_E_DENIED)
        (void)snprintf(error, 64, "AccessDenied");
    else if (err == COF_OK && !cof_kms_key_is_enabled(key)) {
        (void)snprintf(error, 64, "KMS.DisabledException");
        err = COF_E_DENIED;
    }
    return err;
}

static enum cof_err internal_generate(struct cof_standin *s, struct cof_standin_request *req, const char *via,
                                      struct cof_view key_id, const struct json_t *context, struct cof_secret *secret,
                                      struct cof_buf *blob, struct cof_buf *arn, char error[static 64], struct cof_buf *why)
{
    struct cof_kms_key key = {0};
    uint8_t bytes[32];
    enum cof_err err = begin_internal(s, req, via, key_id, "kms:GenerateDataKey", context, &key, error, why);

    if (err == COF_OK)
        err = cof_rng_fill(cof_standin_rng(s), bytes, sizeof bytes);
    if (err == COF_OK)
        err = cof_secret_set(secret, cof_view_of(bytes, sizeof bytes));
    if (err == COF_OK)
        err = cof_kms_wrap(s, &key, context, cof_secret_view(secret), blob);
    cof_wipe(bytes, sizeof bytes);
    cof_buf_add_str(arn, key.arn);
    cof_kms_key_done(&key);
    return err;
}

static enum cof_err internal_decrypt(struct cof_standin *s, struct cof_standin_request *req, const char *via,
                                     struct cof_view key_id, const struct json_t *context, struct cof_view blob,
                                     struct cof_secret *secret, char error[static 64], struct cof_buf *why)
{
    struct cof_kms_key key = {0};
    struct cof_buf plain;
    enum cof_err err = begin_internal(s, req, via, key_id, "kms:Decrypt", context, &key, error, why);

    cof_buf_init_secret(&plain, BLOB_MAX);
    if (err == COF_OK)
        err = cof_kms_unwrap(s, &key, context, blob, &plain);
    if (err == COF_OK)
        err = cof_secret_set(secret, cof_buf_view(&plain));
    cof_buf_done(&plain);
    cof_kms_key_done(&key);
    return err;
}

const struct cof_kms_hooks cof_service_kms_hooks = {internal_generate, internal_decrypt};
