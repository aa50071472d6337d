/* SPDX-License-Identifier: Apache-2.0 */
#include "submission.h"

#include "base/codec.h"
#include "crypto/hash.h"

#include <stdio.h>
#include <string.h>

#define KEY_MAX 128

/* Text, or a quoted text (an RFC 8941 string): visible ASCII without quotes and backslashes. */
static bool is_key(struct cof_view *text)
{
    struct cof_view v = cof_view_trim(*text);

    if (v.len >= 2 && v.data[0] == '"' && v.data[v.len - 1] == '"')
        v = cof_view_sub(v, 1, v.len - 2);
    for (size_t i = 0; i < v.len; i++)
        if (v.data[i] <= ' ' || v.data[i] >= 0x7f || v.data[i] == '"' || v.data[i] == '\\')
            return false;
    *text = v;
    return v.len > 0 && v.len <= KEY_MAX;
}

bool once_read_key(struct submission *s, const struct cof_token *token)
{
    struct cof_view text;
    struct cof_buf who;
    uint8_t digest[32];
    char hex[65];
    enum cof_err err;

    if (!cof_headers_get(&cof_xchg_head(s->x)->headers, "idempotency-key", &text))
        return true;
    if (!is_key(&text)) {
        submission_refuse(s, 400, "key-malformed", "Idempotency-Key: 1 to 128 visible characters, quoted or not");
        return false;
    }
    cof_buf_init(&who, 1024);
    cof_buf_printf(&who, "%zu:%s", strlen(token->subject), token->subject);
    cof_buf_add(&who, text);
    err = cof_buf_err(&who);
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, cof_buf_view(&who), digest);
    cof_buf_done(&who);
    if (err != COF_OK) {
        submission_failed(s, "idempotency key", err, NULL);
        return false;
    }
    cof_hex_encode(digest, sizeof digest, hex);
    (void)snprintf(s->note, sizeof s->note, "submissions/%s/%s", s->job.tenant, hex);
    return true;
}

/* The store is not trusted: what it gives as ours must be of this tenant and bucket; the rest the enclave compares with what is sealed. */
static void take_noted(struct submission *s)
{
    struct cof_job job;
    struct cof_diag diag = {0};
    enum cof_err err = cof_job_parse(cof_buf_view(&s->noted), &job, &diag);

    if (err == COF_OK && (strcmp(job.tenant, s->job.tenant) != 0 || strcmp(job.bucket, s->job.bucket) != 0))
        err = cof_diag_set(&diag, COF_E_FORMAT, "%s: another tenant's, or of another bucket", s->note);
    if (err != COF_OK) {
        submission_failed(s, "note", err, &diag);
        return;
    }
    if (strcmp(job.media_type, s->job.media_type) != 0) {
        submission_refuse(s, 422, "key-reused", "this Idempotency-Key was used for a submission of another media type");
        return;
    }
    s->job = job;
    s->is_repeated = true;
    submission_enqueue(s);
}

static void look_up_body(void *ctx, struct cof_s3_download *download, struct cof_view piece)
{
    (void)download;
    cof_buf_add(&((struct submission *)ctx)->noted, piece);
}

static void look_up_done(void *ctx, struct cof_s3_download *download, enum cof_err err, const struct cof_aws_error *error,
                         const struct cof_diag *diag)
{
    struct submission *s = ctx;
    bool was_noted = s->state == EXPECT_NOTED; /* we were told that it is there */

    (void)download;
    (void)error;
    s->look_up = NULL;
    if (err == COF_OK)
        err = cof_buf_err(&s->noted);
    if (err == COF_OK)
        take_noted(s);
    else if ((err == COF_E_NOT_FOUND || err == COF_E_DENIED) && !was_noted) /* S3 denies what is not there to who may not list */
        submission_seal(s);
    else
        submission_failed(s, "note", err, diag);
}

static void look_up(struct submission *s)
{
    struct cof_s3_download_events events = {.body = look_up_body, .done = look_up_done, .ctx = s};
    struct cof_s3_get get = {.bucket = cof_view_str(s->job.bucket), .key = cof_view_str(s->note)};
    enum cof_err err;

    cof_buf_reset(&s->noted);
    err = cof_s3_start_get(&s->p->session.aws, &get, &events, &s->look_up);
    if (err != COF_OK)
        submission_failed(s, "note", err, NULL);
}

void once_look_up(struct submission *s)
{
    s->state = EXPECT_LOOK_UP;
    look_up(s);
}

static void on_noted(void *ctx, struct cof_s3_upload *upload, enum cof_err err, const struct cof_s3_object *object,
                     const struct cof_aws_error *error, const struct cof_diag *diag)
{
    struct submission *s = ctx;

    (void)upload;
    (void)object;
    (void)error;
    s->upload = NULL;
    if (err == COF_OK)
        submission_enqueue(s);
    else if (err == COF_E_PRECONDITION) /* by another attempt at the same time, or this one, whose first answer was lost */
        look_up(s);
    else
        submission_failed(s, "note", err, diag);
}

void once_note(struct submission *s)
{
    struct cof_s3_upload_events events = {.done = on_noted, .ctx = s};
    struct cof_buf message;
    struct cof_s3_put put = {.bucket = cof_view_str(s->job.bucket), .key = cof_view_str(s->note),
                             .attributes.content_type = COF_LIT("application/json"), .create_only = true};
    enum cof_err err;

    s->state = EXPECT_NOTED;
    cof_buf_init(&message, COF_JOB_MESSAGE_MAX);
    err = cof_job_write(&s->job, &message);
    put.body = cof_buf_view(&message);
    if (err == COF_OK)
        err = cof_s3_start_put(&s->p->session.aws, &put, &events, &s->upload);
    cof_buf_done(&message);
    if (err != COF_OK)
        submission_failed(s, "note", err, NULL);
}
