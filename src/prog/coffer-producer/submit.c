/* SPDX-License-Identifier: Apache-2.0
 *
 * One submission: checks, a data key of its own, sealing as it streams to S3, then the queue, then 202. Memory is one frame and
 * the connections' buffers. Nothing is answered before the job is in the queue, and what fails before leaves at most an object
 * that no job names.
 */
#include "submission.h"

#include "base/codec.h"
#include "client/kms.h"
#include "client/sqs.h"
#include "format/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC_BYTES 16

static void drop(struct submission *s)
{
    if (s->fetch != NULL)
        cof_fetch_cancel(s->fetch);
    if (s->upload != NULL)
        cof_s3_upload_cancel(s->upload);
    cof_s3_download_cancel(s->look_up);
    cof_buf_done(&s->noted);
    cof_esdk_encrypt_free(s->seal);
    cof_hash_free(s->hash);
    cof_buf_done(&s->json);
    cof_buf_done(&s->first);
    cof_buf_done(&s->sealed);
    free(s);
}

/* Ends the work; the exchange frees s when its reply is out. */
void submission_refuse(struct submission *s, int status, const char *code, const char *text)
{
    if (s->upload != NULL)
        cof_s3_upload_cancel(s->upload);
    s->upload = NULL;
    s->state = EXPECT_NOTHING;
    s->p->n_refused++;
    cof_log_event(&s->p->log, COF_LOG_INFO, "job.refused", "job", s->job.job, "tenant", s->job.tenant, "why", code, NULL);
    reply_error(s->x, status, code, text);
}

void submission_failed(struct submission *s, const char *step, enum cof_err err, const struct cof_diag *diag)
{
    bool later = cof_err_class(err) == COF_CLASS_RETRY || cof_err_class(err) == COF_CLASS_IO;

    s->p->n_failed++;
    cof_log_event(&s->p->log, COF_LOG_ERROR, "job.failed", "job", s->job.job, "step", step, "why",
                  diag != NULL && diag->text[0] != '\0' ? diag->text : cof_err_text(err), NULL);
    if (s->upload != NULL)
        cof_s3_upload_cancel(s->upload);
    s->upload = NULL;
    s->state = EXPECT_NOTHING;
    reply_error(s->x, later ? 503 : 500, "service-failed", later ? "a service behind does not answer; try again"
                                                                 : "the job could not be stored; nothing was accepted");
}

/* Declared types that have a signature must show it. */
static bool type_fits(const char *type, struct cof_view first)
{
    static const struct {
        const char *type;
        const char *magic;
        size_t offset, len;
    } known[] = {
        {"image/png", "\x89PNG\r\n\x1a\n", 0, 8}, {"image/jpeg", "\xff\xd8\xff", 0, 3}, {"image/gif", "GIF8", 0, 4},
        {"image/webp", "WEBP", 8, 4},             {"application/pdf", "%PDF-", 0, 5},  {"application/zip", "PK\x03\x04", 0, 4},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(type, known[i].type) == 0)
            return cof_view_eq(cof_view_sub(first, known[i].offset, known[i].len), cof_view_of(known[i].magic, known[i].len));
    return true;
}

static void on_queued(void *ctx, enum cof_err err, struct cof_sqs_message *message, const struct cof_diag *diag)
{
    struct submission *s = ctx;
    struct cof_buf json;

    (void)message;
    s->fetch = NULL;
    if (err != COF_OK) {
        submission_failed(s, "queue", err, diag);
        return;
    }
    s->state = EXPECT_NOTHING;
    s->p->n_accepted++;
    cof_log_event(&s->p->log, COF_LOG_INFO, s->is_repeated ? "job.repeated" : "job.accepted", "job", s->job.job, "tenant", s->job.tenant,
                  NULL);
    cof_buf_init(&json, 2048);
    cof_buf_add_str(&json, "{");
    cof_json_add_member(&json, "job", cof_view_str(s->job.job));
    cof_json_add_member(&json, "tenant", cof_view_str(s->job.tenant));
    cof_json_add_member(&json, "state", COF_LIT("pending"));
    cof_json_add_member(&json, "sealed_sha256", cof_view_str(s->job.sealed_sha256));
    if (s->is_repeated)
        cof_buf_add_str(&json, ",\"repeated\":true");
    cof_json_add_name(&json, "links");
    cof_buf_printf(&json, "{\"status\":\"/jobs/%s\",\"result\":\"/jobs/%s/result\"}}\n", s->job.job, s->job.job);
    reply_json(s->x, 202, cof_buf_view(&json));
    cof_buf_done(&json);
}

void submission_enqueue(struct submission *s)
{
    struct cof_sqs_events events = {on_queued, s};
    struct cof_buf message;
    enum cof_err err;

    s->state = EXPECT_QUEUED;
    cof_buf_init(&message, COF_JOB_MESSAGE_MAX);
    err = cof_job_write(&s->job, &message);
    if (err == COF_OK)
        err = cof_sqs_start_send(&s->p->session.aws, cof_view_str(s->p->queue_url), cof_buf_view(&message), &events, &s->fetch);
    if (err != COF_OK)
        submission_failed(s, "queue", err, NULL);
    cof_buf_done(&message);
}

static void on_stored(void *ctx, struct cof_s3_upload *upload, enum cof_err err, const struct cof_s3_object *object,
                      const struct cof_aws_error *error, const struct cof_diag *diag)
{
    struct submission *s = ctx;

    (void)upload;
    (void)object;
    (void)error;
    s->upload = NULL;
    if (err != COF_OK)
        submission_failed(s, "store", err, diag);
    else if (s->note[0] != '\0')
        once_note(s);
    else
        submission_enqueue(s);
}

static enum cof_err send_sealed(struct submission *s)
{
    enum cof_err err = cof_hash_update(s->hash, cof_buf_view(&s->sealed));

    if (err == COF_OK && !cof_s3_upload_write(s->upload, cof_buf_view(&s->sealed)))
        cof_xchg_pause(s->x);
    cof_buf_reset(&s->sealed);
    return err;
}

static void take(struct submission *s, struct cof_view piece)
{
    enum cof_err err = cof_esdk_encrypt_push(s->seal, piece, &s->sealed);

    if (err == COF_OK)
        err = send_sealed(s);
    if (err != COF_OK)
        submission_failed(s, "seal", err, NULL);
}

static void take_all(struct submission *s)
{
    uint8_t digest[32];
    enum cof_err err = cof_esdk_encrypt_finish(s->seal, &s->sealed);

    if (err == COF_OK)
        err = send_sealed(s);
    if (err == COF_OK)
        err = cof_hash_final(s->hash, digest);
    if (err != COF_OK) {
        submission_failed(s, "seal", err, NULL);
        return;
    }
    cof_hex_encode(digest, sizeof digest, s->job.sealed_sha256);
    s->state = EXPECT_STORED;
    cof_s3_upload_end(s->upload);
}

/* The first bytes are held back until the type is sure. */
static void check_type(struct submission *s, struct cof_view piece, bool last)
{
    cof_buf_add(&s->first, piece);
    if (s->first.len < MAGIC_BYTES && !last)
        return;
    s->type_checked = true;
    if (!type_fits(s->job.media_type, cof_buf_view(&s->first))) {
        submission_refuse(s, 415, "type-differs", "the body is not of the declared media type");
        return;
    }
    take(s, cof_buf_view(&s->first));
    cof_buf_done(&s->first);
}

static void on_writable(void *ctx, struct cof_s3_upload *upload)
{
    struct submission *s = ctx;

    (void)upload;
    if (s->is_json) {
        if (s->state == EXPECT_BODY) {
            struct cof_view body = cof_buf_view(&s->json);
            take(s, body);
            if (s->state == EXPECT_BODY)
                take_all(s);
        }
        return;
    }
    cof_xchg_resume(s->x);
}

static enum cof_err open_seal(struct submission *s, struct cof_kms_reply *reply, const struct cof_job_context *context)
{
    struct cof_secret data_key COF_SECRET_AUTO = {0};
    struct cof_esdk_pair pairs[COF_JOB_PAIRS];
    struct cof_esdk_edk edk = {COF_LIT("aws-kms"), cof_view_str(reply->key_id), cof_buf_view(&reply->blob)};
    struct cof_esdk_materials m = {.suite = COF_ESDK_SUITE, .frame_length = (uint32_t)s->p->frame_length,
                                   .data_key = &data_key, .pairs = pairs, .n_pairs = context->n, .edks = &edk, .n_edks = 1};
    enum cof_err err = cof_secret_set(&data_key, cof_buf_view(&reply->plaintext));

    for (size_t i = 0; i < context->n; i++)
        pairs[i] = (struct cof_esdk_pair){context->pairs[i].name, context->pairs[i].value};
    if (err == COF_OK)
        err = cof_esdk_encrypt_new(&m, s->p->session.aws.rng, &s->seal);
    return err == COF_OK ? cof_hash_new(COF_SHA256, &s->hash) : err;
}

static void on_key(void *ctx, enum cof_err err, struct cof_kms_reply *reply, const struct cof_diag *diag)
{
    struct submission *s = ctx;
    struct cof_s3_upload_events events = {.writable = on_writable, .done = on_stored, .ctx = s};
    struct cof_s3_put put = {.bucket = cof_view_str(s->job.bucket), .key = cof_view_str(s->job.key),
                             .attributes.content_type = COF_LIT("application/octet-stream"), .create_only = true, .streaming = true};
    struct cof_job_context context;

    s->fetch = NULL;
    cof_job_context(&s->job, false, &context);
    if (err == COF_OK)
        err = open_seal(s, reply, &context);
    if (err == COF_OK) {
        put.length = s->job.sealed_bytes = cof_esdk_encrypt_total(s->seal, s->length);
        s->state = EXPECT_BODY;
        err = cof_s3_start_put(&s->p->session.aws, &put, &events, &s->upload);
    }
    if (err != COF_OK)
        submission_failed(s, "data key", err, diag);
}

void submission_seal(struct submission *s)
{
    struct cof_job_context context;
    struct cof_kms_key_use use = {.key_arn = cof_view_str(s->p->data_key_arn)};
    struct cof_kms_events events = {on_key, s};
    enum cof_err err;

    s->state = EXPECT_KEY;
    cof_job_context(&s->job, false, &context);
    use.context = context.pairs;
    use.n_context = context.n;
    err = cof_kms_start_generate_data_key(&s->p->session.aws, &use, &events, &s->fetch);
    if (err != COF_OK)
        submission_failed(s, "data key", err, NULL);
}

static void begin(struct submission *s)
{
    if (s->note[0] != '\0')
        once_look_up(s);
    else
        submission_seal(s);
}

static bool type_allowed(const struct producer *p, struct cof_view type)
{
    for (size_t i = 0; i < p->types.n; i++) {
        struct cof_view t = cof_view_str(p->types.items[i]);
        if (cof_view_eq_nocase(t, type) || cof_view_eq(t, COF_LIT("*/*")))
            return true;
        if (cof_view_ends(t, COF_LIT("/*")) && type.len >= t.len &&
            cof_view_eq_nocase(cof_view_sub(type, 0, t.len - 1), cof_view_sub(t, 0, t.len - 1)))
            return true;
    }
    return false;
}

/* Declared length, type and rate; false when the reply was sent. */
static bool admit(struct producer *p, struct cof_xchg *x, const struct cof_token *token, struct cof_view type)
{
    const struct cof_http_head *head = cof_xchg_head(x);
    int64_t retry_after_ms;

    if (cof_ratelimit_take(p->limit, cof_view_str(token->subject), 1, cof_loop_now_ms(p->loop), &retry_after_ms) != COF_OK)
        reply_too_many(x, retry_after_ms);
    else if (!type_allowed(p, type))
        reply_error(x, 415, "type-refused", "this media type is not taken");
    else if (!head->has_length)
        reply_error(x, 411, "length-missing", "send Content-Length: the sealed size must be known before");
    else if (head->length == 0)
        reply_error(x, 400, "empty", "the body is empty");
    else if (head->length > p->max_bytes)
        reply_error(x, 413, "too-large", "the body is larger than this service takes");
    else
        return true;
    p->n_refused++;
    return false;
}

void submit_head(struct producer *p, struct cof_xchg *x)
{
    const struct cof_http_head *head = cof_xchg_head(x);
    struct cof_view type = COF_LIT("application/octet-stream"), rest;
    struct cof_token token;
    struct submission *s;
    uint8_t r[16];
    char id[33];

    if (!auth_check(p, x, SCOPE_SUBMIT, &token))
        return;
    if (cof_headers_get(&head->headers, "content-type", &type)) {
        (void)cof_view_split(type, ';', &type, &rest);
        type = cof_view_trim(type);
    }
    if (!admit(p, x, &token, type))
        return;
    s = calloc(1, sizeof *s);
    if (s == NULL || cof_rng_fill(p->session.aws.rng, r, sizeof r) != COF_OK) {
        free(s);
        reply_error(x, 503, "busy", "out of memory; try again");
        return;
    }
    cof_hex_encode(r, sizeof r, id);
    s->kind = KIND_SUBMIT;
    s->p = p;
    s->x = x;
    s->length = head->length;
    cof_buf_init_secret(&s->first, 1048576);
    cof_buf_init(&s->sealed, (size_t)64 << 20);
    cof_buf_init(&s->noted, COF_JOB_MESSAGE_MAX);
    cof_buf_init_secret(&s->json, (size_t)p->max_json_bytes);
    cof_xchg_set_user(x, s);
    if (cof_job_make(&s->job, cof_view_str(token.tenant), cof_view_str(id), cof_view_str(p->bucket), type,
                     p->session.aws.now_ms()) != COF_OK) {
        submission_refuse(s, 400, "tenant-refused", "the token's tenant or the media type cannot be used in a name");
        return;
    }
    if (!once_read_key(s, &token))
        return;
    s->is_json = cof_view_eq_nocase(type, COF_LIT("application/json"));
    if (s->is_json && head->length > p->max_json_bytes) {
        submission_refuse(s, 413, "too-large", "JSON submissions are limited; send large data as a raw body");
        return;
    }
    if (s->is_json) {
        s->state = EXPECT_JSON;
        return;
    }
    cof_xchg_pause(x);
    begin(s);
}

void submit_body(struct cof_xchg *x, struct cof_view piece)
{
    struct submission *s = cof_xchg_user(x);

    if (s == NULL)
        return;
    if (s->state == EXPECT_JSON)
        cof_buf_add(&s->json, piece);
    else if (s->state == EXPECT_BODY && s->type_checked)
        take(s, piece);
    else if (s->state == EXPECT_BODY)
        check_type(s, piece, false);
}

/* {"data": ...}: a text's bytes, or any other value as compact JSON; other JSON goes as it is. */
static void unwrap_json(struct submission *s)
{
    struct cof_diag diag = {0};
    json_t *o, *data;
    enum cof_err err = cof_json_parse(cof_buf_view(&s->json), (size_t)s->p->max_json_bytes, &o, &diag);

    if (err != COF_OK) {
        submission_refuse(s, 400, "json-malformed", diag.text);
        return;
    }
    data = json_is_object(o) && json_object_size(o) == 1 ? json_object_get(o, "data") : NULL;
    if (json_is_string(data)) {
        cof_buf_reset(&s->json);
        cof_buf_add_bytes(&s->json, json_string_value(data), json_string_length(data));
        (void)snprintf(s->job.media_type, sizeof s->job.media_type, "text/plain");
    } else if (data != NULL) {
        char *text = json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY);
        cof_buf_reset(&s->json);
        cof_buf_add_str(&s->json, text);
        if (text != NULL)
            cof_wipe(text, strlen(text));
        free(text);
    }
    json_decref(o);
    s->length = s->json.len;
    if (s->length == 0)
        submission_refuse(s, 400, "empty", "\"data\" is empty");
    else
        begin(s);
}

void submit_end(struct cof_xchg *x)
{
    struct submission *s = cof_xchg_user(x);

    if (s == NULL)
        return;
    s->ended = true;
    if (s->state == EXPECT_JSON) {
        unwrap_json(s);
        return;
    }
    if (s->state == EXPECT_BODY && !s->type_checked)
        check_type(s, (struct cof_view){0}, true);
    if (s->state == EXPECT_BODY)
        take_all(s);
}

void submit_closed(struct cof_xchg *x)
{
    struct submission *s = cof_xchg_user(x);

    if (s != NULL)
        drop(s);
}
