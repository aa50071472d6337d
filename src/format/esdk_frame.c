/* SPDX-License-Identifier: Apache-2.0 */
#include "format/esdk_frame.h"

#include <string.h>

#define HEAD 16       /* sequence, IV */
#define FINAL_HEAD 24 /* marker, sequence, IV, length */
#define BLOCK_HEAD 20 /* IV, length */

static uint8_t *put_u32(uint8_t *at, uint32_t n)
{
    for (int i = 3; i >= 0; i--)
        *at++ = (uint8_t)(n >> 8 * i);
    return at;
}

enum cof_err cof_esdk_frame_parse(struct cof_view in, uint32_t sequence, uint32_t frame_length, struct cof_esdk_frame *out,
                                  size_t *size)
{
    struct cof_view rest = in;
    uint32_t length = frame_length, number;
    bool final;
    enum cof_err err = cof_take_u32(&rest, &number);

    *out = (struct cof_esdk_frame){0};
    *size = 4;
    if (err != COF_OK)
        return err;
    out->sequence = number;
    final = number == COF_ESDK_FINAL;
    *size = 8; /* no more, so that a wrong number is seen as soon as it is there */
    if (final)
        err = cof_take_u32(&rest, &out->sequence);
    if (err != COF_OK)
        return err;
    if (out->sequence != sequence)
        return COF_E_FORMAT; /* spec: sequence numbers count up from 1 by one */
    *size = final ? FINAL_HEAD : HEAD;
    err = cof_take(&rest, COF_ESDK_IV, &out->iv);
    if (err == COF_OK && final)
        err = cof_take_u32(&rest, &length);
    if (err != COF_OK)
        return err;
    if (length > frame_length)
        return COF_E_FORMAT; /* spec: a final frame is never longer than the others */
    out->part = final ? COF_ESDK_FINAL_FRAME : COF_ESDK_FRAME;
    out->length = length;
    out->head = in.len - rest.len;
    *size = out->head + length + COF_ESDK_TAG;
    return COF_OK;
}

enum cof_err cof_esdk_block_parse(struct cof_view in, uint64_t max, struct cof_esdk_frame *out, size_t *size)
{
    struct cof_view rest = in;
    enum cof_err err;

    *out = (struct cof_esdk_frame){.part = COF_ESDK_SINGLE_BLOCK, .sequence = 1, .head = BLOCK_HEAD};
    *size = BLOCK_HEAD;
    err = cof_take(&rest, COF_ESDK_IV, &out->iv);
    if (err == COF_OK)
        err = cof_take_u64(&rest, &out->length);
    if (err != COF_OK)
        return err;
    if (out->length > max || out->length > SIZE_MAX - BLOCK_HEAD - COF_ESDK_TAG)
        return COF_E_LIMIT;
    *size = BLOCK_HEAD + (size_t)out->length + COF_ESDK_TAG;
    return COF_OK;
}

enum cof_err cof_esdk_footer_parse(struct cof_view in, struct cof_view *signature, size_t *size)
{
    struct cof_view rest = in;
    uint16_t length;
    enum cof_err err = cof_take_u16(&rest, &length);

    *signature = (struct cof_view){0};
    *size = 2;
    if (err != COF_OK)
        return err;
    if (length == 0 || length > COF_ESDK_SIGNATURE_MAX)
        return COF_E_FORMAT;
    *size = 2 + (size_t)length;
    return cof_take(&rest, length, signature);
}

void cof_esdk_frame_iv(uint32_t sequence, uint8_t iv[static COF_ESDK_IV])
{
    (void)memset(iv, 0, COF_ESDK_IV);
    (void)put_u32(iv + COF_ESDK_IV - 4, sequence);
}

size_t cof_esdk_frame_head(enum cof_esdk_part part, uint32_t sequence, uint32_t length,
                           uint8_t out[static COF_ESDK_FRAME_HEAD_MAX])
{
    uint8_t *at = out;

    if (part == COF_ESDK_FINAL_FRAME)
        at = put_u32(at, COF_ESDK_FINAL);
    at = put_u32(at, sequence);
    cof_esdk_frame_iv(sequence, at);
    at += COF_ESDK_IV;
    if (part == COF_ESDK_FINAL_FRAME)
        at = put_u32(at, length);
    return (size_t)(at - out);
}

size_t cof_esdk_frame_size(enum cof_esdk_part part, size_t length)
{
    static const size_t heads[] = {HEAD, FINAL_HEAD, BLOCK_HEAD};

    return heads[part] + length + COF_ESDK_TAG;
}

size_t cof_esdk_body_aad(struct cof_view message_id, enum cof_esdk_part part, uint32_t sequence, uint64_t length,
                         uint8_t out[static COF_ESDK_BODY_AAD_MAX])
{
    static const struct {
        const char *text;
        size_t len;
    } purposes[] = {
#define PURPOSE(s) {s, sizeof(s) - 1}
        PURPOSE("AWSKMSEncryptionClient Frame"),
        PURPOSE("AWSKMSEncryptionClient Final Frame"),
        PURPOSE("AWSKMSEncryptionClient Single Block"),
#undef PURPOSE
    };
    size_t id = message_id.len < COF_ESDK_MESSAGE_ID ? message_id.len : COF_ESDK_MESSAGE_ID;
    uint8_t *at = out;

    (void)memcpy(at, message_id.data, id);
    at += id;
    (void)memcpy(at, purposes[part].text, purposes[part].len);
    at = put_u32(at + purposes[part].len, sequence);
    at = put_u32(at, (uint32_t)(length >> 32));
    at = put_u32(at, (uint32_t)length);
    return (size_t)(at - out);
}
