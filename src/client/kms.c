/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kms.h"

#include <stdlib.h>
#include <string.h>

#define REPLY_MAX 65536
#define DATA_KEY_BYTES 32

enum operation { GENERATE, DECRYPT, ENCRYPT };

struct pending {
    enum operation operation;
    bool with_recipient;
    size_t key_bytes;
    struct cof_buf key_arn;
    struct cof_kms_events events;
};

static size_t key_bytes(const struct cof_kms_key_use *use)
{
    return use->key_bytes == 0 ? DATA_KEY_BYTES : use->key_bytes;
}

static enum cof_err build(struct cof_aws_request *request, enum operation operation, const struct cof_kms_key_use *use,
                          struct cof_view input, struct cof_diag *diag)
{
    if (!cof_kms_is_key_arn(use->key_arn)) {
        (void)cof_diag_set(diag, COF_E_CONFIG, "'%.*s' is not the full ARN of a KMS key",
                           use->key_arn.len < 200 ? (int)use->key_arn.len : 200, (const char *)use->key_arn.data);
        cof_diag_hint(diag,
                      "aliases and bare ids can be made to mean another key: write arn:aws:kms:REGION:ACCOUNT:key/ID");
        return COF_E_CONFIG;
    }
    switch (operation) {
    case GENERATE:
        return cof_kms_generate_data_key(request, use->key_arn, key_bytes(use), use->context, use->n_context,
                                         use->recipient);
    case DECRYPT:
        return cof_kms_decrypt(request, use->key_arn, input, use->context, use->n_context, use->recipient);
    case ENCRYPT:
        return cof_kms_encrypt(request, use->key_arn, input, use->context, use->n_context);
    }
    return COF_E_BUG;
}

static enum cof_err read_reply(enum operation operation, struct cof_view key_arn, bool with_recipient, size_t key_len,
                               struct cof_view body, struct cof_kms_reply *out, struct cof_diag *diag)
{
    enum cof_err err = cof_kms_parse_reply(body, key_arn, with_recipient, operation != ENCRYPT, operation != DECRYPT,
                                           out, diag);

    if (err == COF_OK && operation == GENERATE && !with_recipient && out->plaintext.len != key_len) {
        cof_kms_reply_done(out);
        *out = (struct cof_kms_reply){0};
        err = cof_diag_set(diag, COF_E_FORMAT, "KMS sent a data key of another length than was asked for");
    }
    return err;
}

static enum cof_err run(struct cof_aws *aws, enum operation operation, const struct cof_kms_key_use *use,
                        struct cof_view input, struct cof_kms_reply *out, struct cof_diag *diag)
{
    struct cof_aws_request request;
    struct cof_aws_reply reply;
    enum cof_err err;

    *out = (struct cof_kms_reply){0};
    err = build(&request, operation, use, input, diag);
    if (err != COF_OK)
        return err;
    err = cof_aws_run(aws, &request, REPLY_MAX, &reply, diag);
    if (err != COF_OK)
        return err;
    err = read_reply(operation, use->key_arn, use->recipient.len > 0, key_bytes(use), cof_buf_view(&reply.body), out,
                     diag);
    cof_aws_reply_done(&reply);
    return err;
}

enum cof_err cof_kms_run_generate_data_key(struct cof_aws *aws, const struct cof_kms_key_use *use,
                                           struct cof_kms_reply *out, struct cof_diag *diag)
{
    return run(aws, GENERATE, use, (struct cof_view){0}, out, diag);
}

enum cof_err cof_kms_run_decrypt(struct cof_aws *aws, const struct cof_kms_key_use *use, struct cof_view blob,
                                 struct cof_kms_reply *out, struct cof_diag *diag)
{
    return run(aws, DECRYPT, use, blob, out, diag);
}

enum cof_err cof_kms_run_encrypt(struct cof_aws *aws, const struct cof_kms_key_use *use, struct cof_view plaintext,
                                 struct cof_kms_reply *out, struct cof_diag *diag)
{
    return run(aws, ENCRYPT, use, plaintext, out, diag);
}

static void on_done(void *ctx, enum cof_err err, struct cof_view body, const struct cof_aws_error *error,
                    const struct cof_diag *diag)
{
    struct pending *p = ctx;
    struct cof_kms_reply reply = {0};
    struct cof_diag own = {0};

    (void)error;
    if (err == COF_OK) {
        err = read_reply(p->operation, cof_buf_view(&p->key_arn), p->with_recipient, p->key_bytes, body, &reply,
                         &own);
        diag = &own;
    }
    p->events.done(p->events.ctx, err, &reply, diag);
    cof_kms_reply_done(&reply);
}

static void on_drop(void *ctx)
{
    struct pending *p = ctx;

    cof_buf_done(&p->key_arn);
    free(p);
}

static enum cof_err start(struct cof_aws *aws, enum operation operation, const struct cof_kms_key_use *use,
                          struct cof_view input, const struct cof_kms_events *events, struct cof_fetch **out)
{
    struct cof_aws_request request;
    struct pending *p;
    struct cof_fetch_events fetch = {on_done, on_drop, NULL};
    enum cof_err err;

    *out = NULL;
    err = build(&request, operation, use, input, NULL);
    if (err != COF_OK)
        return err;
    p = calloc(1, sizeof *p);
    if (p == NULL) {
        cof_aws_request_done(&request);
        return COF_E_MEMORY;
    }
    p->operation = operation;
    p->with_recipient = use->recipient.len > 0;
    p->key_bytes = key_bytes(use);
    p->events = *events;
    cof_buf_init(&p->key_arn, COF_KMS_ARN_MAX);
    cof_buf_add(&p->key_arn, use->key_arn);
    fetch.ctx = p;
    err = cof_buf_err(&p->key_arn);
    if (err == COF_OK)
        err = cof_fetch_start(aws, &request, REPLY_MAX, &fetch, out);
    else
        cof_aws_request_done(&request);
    if (err != COF_OK)
        on_drop(p);
    return err;
}

enum cof_err cof_kms_start_generate_data_key(struct cof_aws *aws, const struct cof_kms_key_use *use,
                                             const struct cof_kms_events *events, struct cof_fetch **out)
{
    return start(aws, GENERATE, use, (struct cof_view){0}, events, out);
}

enum cof_err cof_kms_start_decrypt(struct cof_aws *aws, const struct cof_kms_key_use *use, struct cof_view blob,
                                   const struct cof_kms_events *events, struct cof_fetch **out)
{
    return start(aws, DECRYPT, use, blob, events, out);
}
