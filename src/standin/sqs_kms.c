/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/sqs_kms.h"

#include "base/num.h"

#include <stdio.h>
#include <string.h>

#define VERSION 2
#define VIA "sqs"
#define REUSE_S 300

bool cof_sqs_kms_is_wanted(const struct cof_sqs_call *c)
{
    return cof_sqs_queue_attribute(c->queue, "KmsMasterKeyId") != NULL && cof_standin_options(c->s)->kms != NULL;
}

bool cof_sqs_kms_is_sealed(struct cof_view bytes)
{
    return bytes.len > 0 && bytes.data[0] == VERSION;
}

static enum cof_err refuse(struct cof_sqs_refusal *refusal, const char *error, struct cof_buf *why)
{
    static const struct { const char *error; enum cof_sqs_error code; } codes[] = {
        {"AccessDenied", COF_SQS_KMS_ACCESS_DENIED}, {"KMS.DisabledException", COF_SQS_KMS_DISABLED}, {"KMS.NotFoundException", COF_SQS_KMS_NOT_FOUND}};
    enum cof_sqs_error code = COF_SQS_KMS_INVALID_STATE;

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(codes[i].error, error) == 0)
            code = codes[i].code;
    return cof_sqs_refuse(refusal, code, "%s", cof_buf_cstr(why));
}

static bool is_fresh(const struct cof_sqs_call *c, const struct cof_sqs_data_key *key)
{
    const char *arn = c->req->principal->arn;

    return key->gcm != NULL && c->req->now_ms < key->until_ms && strcmp(key->who, arn == NULL ? "" : arn) == 0;
}

/* Takes a data key over; until when it may serve is the queue's to say. */
static enum cof_err keep_key(struct cof_sqs_call *c, struct cof_sqs_data_key *key, struct cof_view secret, struct cof_view blob, struct cof_view arn)
{
    const char *period = cof_sqs_queue_attribute(c->queue, "KmsDataKeyReusePeriodSeconds"), *who = c->req->principal->arn;
    uint64_t seconds = REUSE_S;
    enum cof_err err;

    cof_sqs_data_key_done(key);
    if (who == NULL || strlen(who) >= sizeof key->who)
        who = "";
    if (period != NULL && cof_parse_u64(cof_view_str(period), INT32_MAX, &seconds) != COF_OK)
        seconds = REUSE_S;
    (void)snprintf(key->who, sizeof key->who, "%s", who);
    key->until_ms = who[0] == '\0' ? 0 : c->req->now_ms + (int64_t)seconds * 1000; /* a name that does not fit is asked each time */
    cof_buf_init(&key->blob, 8192);
    cof_buf_init(&key->arn, 2048);
    cof_buf_add(&key->blob, blob);
    cof_buf_add(&key->arn, arn);
    err = cof_buf_err(&key->blob) != COF_OK ? cof_buf_err(&key->blob) : cof_buf_err(&key->arn);
    return err == COF_OK ? cof_gcm_new(secret, &key->gcm) : err;
}

static json_t *context_of(struct cof_view queue_arn)
{
    return json_pack("{s:s%}", "aws:sqs:arn", (const char *)queue_arn.data, queue_arn.len);
}

/* A caller who sends needs kms:GenerateDataKey and kms:Decrypt (SQS Developer Guide, "Configure KMS permissions for producers"). */
static enum cof_err new_key(struct cof_sqs_call *c, struct cof_sqs_data_key *key, struct cof_sqs_refusal *refusal)
{
    const struct cof_kms_hooks *kms = cof_standin_options(c->s)->kms;
    struct cof_secret secret COF_SECRET_AUTO = {0}, again COF_SECRET_AUTO = {0};
    json_t *context = context_of(cof_view_str(c->queue->arn));
    struct cof_buf blob, arn, why;
    char error[64] = "", action[sizeof c->req->action];
    enum cof_err err;

    cof_buf_init(&blob, 8192);
    cof_buf_init(&arn, 2048);
    cof_buf_init(&why, 16384);
    memcpy(action, c->req->action, sizeof action);
    err = context == NULL ? COF_E_MEMORY
        : kms->generate(c->s, c->req, VIA, cof_view_str(cof_sqs_queue_attribute(c->queue, "KmsMasterKeyId")), context, &secret, &blob, &arn,
                        error, &why);
    if (err == COF_OK)
        err = kms->decrypt(c->s, c->req, VIA, cof_buf_view(&arn), context, cof_buf_view(&blob), &again, error, &why);
    memcpy(c->req->action, action, sizeof action); /* the audit line is of SQS's action */
    if (err == COF_OK)
        err = keep_key(c, key, cof_secret_view(&secret), cof_buf_view(&blob), cof_buf_view(&arn));
    else if (err == COF_E_DENIED)
        err = refuse(refusal, error, &why);
    cof_buf_done(&blob);
    cof_buf_done(&arn);
    cof_buf_done(&why);
    json_decref(context);
    return err;
}

static void add_short(struct cof_buf *out, struct cof_view v)
{
    cof_buf_add_u16(out, (uint16_t)v.len);
    cof_buf_add(out, v);
}

enum cof_err cof_sqs_kms_seal(struct cof_sqs_call *c, struct cof_view plain, struct cof_buf *out, struct cof_sqs_refusal *refusal)
{
    struct cof_sqs_data_key *key = &c->queue->sealing;
    uint8_t nonce[COF_GCM_NONCE], *at;
    enum cof_err err = is_fresh(c, key) ? COF_OK : new_key(c, key, refusal);

    if (err == COF_OK && refusal->code == COF_SQS_FINE)
        err = cof_rng_fill(cof_standin_rng(c->s), nonce, sizeof nonce);
    if (err != COF_OK || refusal->code != COF_SQS_FINE)
        return err;
    cof_buf_add_u8(out, VERSION);
    add_short(out, cof_buf_view(&key->arn));
    add_short(out, cof_view_str(c->queue->arn));
    add_short(out, cof_buf_view(&key->blob));
    cof_buf_add_bytes(out, nonce, sizeof nonce);
    at = cof_buf_extend(out, plain.len + COF_GCM_TAG);
    return at == NULL ? cof_buf_err(out) : cof_gcm_seal(key->gcm, nonce, cof_view_str(c->queue->arn), plain, at);
}

static enum cof_err take_short(struct cof_view *in, struct cof_view *out)
{
    uint16_t len;
    enum cof_err err = cof_take_u16(in, &len);

    return err == COF_OK ? cof_take(in, len, out) : err;
}

static enum cof_err old_key(struct cof_sqs_call *c, struct cof_sqs_data_key *key, struct cof_view arn, struct cof_view queue_arn, struct cof_view blob,
                            struct cof_sqs_refusal *refusal)
{
    const struct cof_kms_hooks *kms = cof_standin_options(c->s)->kms;
    struct cof_secret secret COF_SECRET_AUTO = {0};
    json_t *context = context_of(queue_arn);
    struct cof_buf why;
    char error[64] = "", action[sizeof c->req->action];
    enum cof_err err;

    cof_buf_init(&why, 16384);
    memcpy(action, c->req->action, sizeof action);
    err = context == NULL ? COF_E_MEMORY : kms == NULL ? COF_E_AUTH : kms->decrypt(c->s, c->req, VIA, arn, context, blob, &secret, error, &why);
    memcpy(c->req->action, action, sizeof action);
    if (err == COF_OK)
        err = keep_key(c, key, cof_secret_view(&secret), blob, arn);
    else if (err == COF_E_DENIED)
        err = refuse(refusal, error, &why);
    cof_buf_done(&why);
    json_decref(context);
    return err;
}

enum cof_err cof_sqs_kms_open(struct cof_sqs_call *c, struct cof_view in, struct cof_buf *out, struct cof_sqs_refusal *refusal)
{
    struct cof_sqs_data_key *key = &c->queue->opening;
    struct cof_view arn, queue_arn, blob, nonce;
    uint8_t version, *at;
    enum cof_err err = COF_OK;

    if (cof_take_u8(&in, &version) != COF_OK || version != VERSION || take_short(&in, &arn) != COF_OK || take_short(&in, &queue_arn) != COF_OK ||
        take_short(&in, &blob) != COF_OK || cof_take(&in, COF_GCM_NONCE, &nonce) != COF_OK || in.len < COF_GCM_TAG)
        return COF_E_FORMAT;
    if (!is_fresh(c, key) || !cof_view_eq(cof_buf_view(&key->blob), blob))
        err = old_key(c, key, arn, queue_arn, blob, refusal);
    if (err != COF_OK || refusal->code != COF_SQS_FINE)
        return err;
    at = cof_buf_extend(out, in.len - COF_GCM_TAG);
    return at == NULL ? cof_buf_err(out) : cof_gcm_open(key->gcm, nonce.data, queue_arn, in, at);
}
