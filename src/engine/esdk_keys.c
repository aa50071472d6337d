/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/esdk_keys.h"

#include "crypto/hkdf.h"

#include <string.h>

enum cof_err cof_esdk_derive(uint16_t suite, const struct cof_secret *data_key, struct cof_view message_id,
                             struct cof_gcm **content_key, uint8_t commitment[static COF_ESDK_COMMITMENT])
{
    uint8_t info[11] = {(uint8_t)(suite >> 8), (uint8_t)suite, 'D', 'E', 'R', 'I', 'V', 'E', 'K', 'E', 'Y'};
    uint8_t key[COF_GCM_KEY];
    enum cof_err err;

    *content_key = NULL;
    if (data_key->len != COF_ESDK_DATA_KEY)
        return COF_E_AUTH;
    err = cof_hkdf(COF_SHA512, cof_secret_view(data_key), message_id, cof_view_of(info, sizeof info), key, sizeof key);
    if (err == COF_OK)
        err = cof_hkdf(COF_SHA512, cof_secret_view(data_key), message_id, COF_LIT("COMMITKEY"), commitment,
                       COF_ESDK_COMMITMENT);
    if (err == COF_OK)
        err = cof_gcm_new(cof_view_of(key, sizeof key), content_key);
    cof_wipe(key, sizeof key);
    return err;
}

void cof_esdk_body_aad(struct cof_view message_id, enum cof_esdk_part part, uint32_t sequence, uint64_t length,
                       struct cof_buf *out)
{
    static const char *const purposes[] = {"AWSKMSEncryptionClient Frame", "AWSKMSEncryptionClient Final Frame",
                                           "AWSKMSEncryptionClient Single Block"};

    cof_buf_reset(out);
    cof_buf_add(out, message_id);
    cof_buf_add_str(out, purposes[part]);
    cof_buf_add_u32(out, sequence);
    cof_buf_add_u64(out, length);
}

void cof_esdk_iv(uint32_t sequence, uint8_t iv[static COF_GCM_NONCE])
{
    memset(iv, 0, COF_GCM_NONCE);
    for (int i = 0; i < 4; i++)
        iv[COF_GCM_NONCE - 1 - i] = (uint8_t)(sequence >> 8 * i);
}

enum cof_err cof_esdk_export(const struct cof_secret *data_key, struct cof_view message_id, const char *label,
                             uint8_t out[static 32])
{
    struct cof_buf info;
    enum cof_err err;

    cof_buf_init(&info, 256);
    cof_buf_add_str(&info, "coffer exporter ");
    cof_buf_add_str(&info, label);
    err = cof_buf_err(&info);
    if (err == COF_OK)
        err = cof_hkdf(COF_SHA512, cof_secret_view(data_key), message_id, cof_buf_view(&info), out, 32);
    cof_buf_done(&info);
    return err;
}
