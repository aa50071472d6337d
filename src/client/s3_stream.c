/* SPDX-License-Identifier: Apache-2.0 */
#include "client/s3_object.h"

#include "base/codec.h"
#include "base/num.h"
#include "engine/aws_chunked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cof_s3_upload {
    struct cof_aws *aws;
    struct cof_aws_call *call;
    struct cof_s3_upload_events events;
    struct cof_s3_sse asked;
    struct cof_buf kms_key_id;
    enum cof_checksum_alg alg;
    struct cof_buf sum;   /* base64, as sent in a header; empty: a trailer, or none */
    bool has_trailer;
    unsigned attempts;    /* known when it is done, as is: */
    char sent[COF_S3_SUM_MAX]; /* the checksum that went with the body */
    struct cof_s3_object object;
    enum cof_err verdict; /* on what the reply's head says */
    struct cof_diag diag;
};

struct cof_s3_download {
    struct cof_aws *aws;
    struct cof_aws_call *call;
    struct cof_s3_download_events events;
    struct cof_s3_sse asked;
    struct cof_checksum sum;
    uint8_t expected[COF_CHECKSUM_MAX];
    enum cof_err verdict;
    struct cof_diag diag;
};

static void upload_free(struct cof_s3_upload *u)
{
    cof_buf_done(&u->kms_key_id);
    cof_buf_done(&u->sum);
    cof_loop_discard(u->aws->loop, u);
}

/* The checksum that went with the body, as text; empty when none did. */
static void sent_checksum(const struct cof_s3_upload *u, char out[static COF_S3_SUM_MAX])
{
    struct cof_buf text;

    cof_buf_init(&text, 128);
    if (u->sum.len > 0)
        cof_buf_add(&text, cof_buf_view(&u->sum));
    else if (u->has_trailer && u->call != NULL)
        cof_base64_add(&text, cof_view_of(cof_aws_call_checksum(u->call), cof_checksum_size(u->alg)));
    (void)snprintf(out, COF_S3_SUM_MAX, "%s", text.len < COF_S3_SUM_MAX ? cof_buf_cstr(&text) : "");
    cof_buf_done(&text);
}

/* The checksum S3 computed, where it says one, must be ours. */
static enum cof_err check_stored(struct cof_s3_upload *u, const struct cof_http_head *head)
{
    char sent[COF_S3_SUM_MAX];
    struct cof_view theirs;

    sent_checksum(u, sent);
    if (sent[0] == '\0' || !cof_headers_get(&head->headers, cof_aws_checksum_header(u->alg), &theirs) ||
        cof_view_eq_str(theirs, sent))
        return COF_OK;
    return cof_diag_set(&u->diag, COF_E_AUTH, "S3 stored other bytes than were sent: the checksums differ");
}

static void upload_head(void *ctx, struct cof_aws_call *call, const struct cof_http_head *head)
{
    struct cof_s3_upload *u = ctx;
    struct cof_s3_facts facts;
    uint64_t size = u->object.size;

    (void)call;
    cof_s3_facts_read(head, &facts);
    u->verdict = cof_s3_check_sse(&facts, &u->asked, &u->diag);
    cof_s3_object_read(head, &u->object);
    u->object.size = size;
    if (u->verdict == COF_OK)
        u->verdict = check_stored(u, head);
}

static void upload_writable(void *ctx, struct cof_aws_call *call)
{
    struct cof_s3_upload *u = ctx;

    (void)call;
    if (u->events.writable != NULL)
        u->events.writable(u->events.ctx, u);
}

static bool upload_rewind(void *ctx, struct cof_aws_call *call)
{
    struct cof_s3_upload *u = ctx;

    (void)call;
    return u->events.rewind != NULL && u->events.rewind(u->events.ctx, u);
}

static void upload_done(void *ctx, struct cof_aws_call *call, enum cof_err err, const struct cof_aws_error *error,
                        const struct cof_diag *diag)
{
    struct cof_s3_upload *u = ctx;

    if (err == COF_OK && u->verdict != COF_OK) {
        err = u->verdict;
        diag = &u->diag;
    }
    u->attempts = cof_aws_call_attempts(call);
    sent_checksum(u, u->sent);
    u->call = NULL;
    u->events.done(u->events.ctx, u, err, err == COF_OK ? &u->object : NULL, error, diag);
    upload_free(u);
}

enum cof_checksum_alg cof_s3_checksum_of(const struct cof_aws *aws, const struct cof_s3_put *put)
{
    if (put->checksum != COF_CHECKSUM_NONE)
        return put->checksum;
    return aws->checksum_when_required ? COF_CHECKSUM_NONE : COF_CHECKSUM_CRC64NVME;
}

/* A small body's checksum goes as header, a streamed one's as trailer. */
static enum cof_err sum_body(struct cof_s3_upload *u, const struct cof_s3_put *put)
{
    struct cof_checksum sum;
    uint8_t value[COF_CHECKSUM_MAX];
    enum cof_err err;

    if (put->sum.len > 0 || put->streaming || u->alg == COF_CHECKSUM_NONE) {
        cof_buf_add(&u->sum, put->sum);
        return cof_buf_err(&u->sum);
    }
    err = cof_checksum_init(&sum, u->alg);
    if (err == COF_OK)
        err = cof_checksum_update(&sum, put->body);
    if (err == COF_OK)
        err = cof_checksum_final(&sum, value);
    cof_checksum_done(&sum);
    cof_base64_add(&u->sum, cof_view_of(value, cof_checksum_size(u->alg)));
    return err == COF_OK ? cof_buf_err(&u->sum) : err;
}

static enum cof_err build_put(struct cof_s3_upload *u, const struct cof_s3_put *put, struct cof_aws_request *request)
{
    struct cof_s3_put with_sum = *put;
    enum cof_err err;

    u->alg = cof_s3_checksum_of(u->aws, put);
    err = sum_body(u, put);
    with_sum.checksum = u->alg;
    with_sum.sum = cof_buf_view(&u->sum);
    cof_buf_add(&u->kms_key_id, put->sse.kms_key_id);
    u->asked = (struct cof_s3_sse){.mode = put->sse.mode, .kms_key_id = cof_buf_view(&u->kms_key_id)};
    if (err == COF_OK)
        err = cof_buf_err(&u->kms_key_id);
    if (err == COF_OK)
        err = cof_s3_put_object(request, &with_sum);
    if (err != COF_OK)
        return err;
    u->has_trailer = put->streaming && put->sum.len == 0 && u->alg != COF_CHECKSUM_NONE;
    request->checksum = u->has_trailer ? u->alg : COF_CHECKSUM_NONE;
    u->object.size = request->length;
    return COF_OK;
}

enum cof_err cof_s3_start_put(struct cof_aws *aws, const struct cof_s3_put *put,
                              const struct cof_s3_upload_events *events, struct cof_s3_upload **out)
{
    struct cof_s3_upload *u = calloc(1, sizeof *u);
    struct cof_aws_callbacks cb = {.head = upload_head, .writable = upload_writable, .rewind = upload_rewind,
                                   .done = upload_done, .may_restart = true, .ctx = u};
    struct cof_aws_request request;
    enum cof_err err;

    *out = NULL;
    if (u == NULL)
        return COF_E_MEMORY;
    u->aws = aws;
    u->events = *events;
    cof_buf_init(&u->kms_key_id, 2048);
    cof_buf_init(&u->sum, COF_S3_SUM_MAX);
    err = build_put(u, put, &request);
    if (err == COF_OK)
        err = cof_aws_start(aws, &request, &cb, &u->call);
    if (err != COF_OK) {
        upload_free(u);
        return err;
    }
    *out = u;
    return COF_OK;
}

bool cof_s3_upload_write(struct cof_s3_upload *upload, struct cof_view piece)
{
    return upload->call == NULL || cof_aws_write(upload->call, piece);
}

void cof_s3_upload_end(struct cof_s3_upload *upload)
{
    if (upload->call != NULL)
        cof_aws_end(upload->call);
}

void cof_s3_upload_sent(const struct cof_s3_upload *upload, unsigned *attempts, char sum[static COF_S3_SUM_MAX])
{
    *attempts = upload->attempts;
    memcpy(sum, upload->sent, sizeof upload->sent);
}

void cof_s3_upload_cancel(struct cof_s3_upload *upload)
{
    if (upload == NULL)
        return;
    if (upload->call != NULL)
        cof_aws_cancel(upload->call);
    upload->call = NULL;
    upload_free(upload);
}

enum cof_err cof_s3_expected_read(const struct cof_http_head *head, struct cof_s3_expected *out)
{
    static const enum cof_checksum_alg order[] = {COF_CHECKSUM_CRC64NVME, COF_CHECKSUM_SHA256, COF_CHECKSUM_CRC32C,
                                                  COF_CHECKSUM_CRC32, COF_CHECKSUM_SHA1, COF_CHECKSUM_SHA512, COF_CHECKSUM_XXHASH128,
                                                  COF_CHECKSUM_XXHASH3, COF_CHECKSUM_XXHASH64, COF_CHECKSUM_MD5};
    struct cof_view text = {0}, type = {0}, count;
    uint64_t n = 0;
    struct cof_buf value;
    enum cof_err err = COF_OK;

    *out = (struct cof_s3_expected){0};
    (void)cof_headers_get(&head->headers, "x-amz-checksum-type", &type);
    cof_buf_init(&value, 128);
    for (size_t i = 0; i < sizeof order / sizeof order[0] && out->alg == COF_CHECKSUM_NONE && err == COF_OK; i++) {
        bool is_composite;
        if (!cof_headers_get(&head->headers, cof_aws_checksum_header(order[i]), &text))
            continue;
        is_composite = cof_view_split(text, '-', &text, &count);
        if (is_composite && (cof_parse_u64(count, 10000, &n) != COF_OK || n == 0))
            err = COF_E_FORMAT;
        if (err == COF_OK)
            err = cof_base64_decode(text, &value);
        if (err == COF_OK && value.len != cof_checksum_size(order[i]))
            err = COF_E_FORMAT;
        if (err != COF_OK || (!is_composite && cof_view_eq(type, COF_LIT("COMPOSITE"))))
            break;
        out->alg = order[i];
        out->n_parts = (unsigned)n;
        memcpy(out->value, value.data, value.len);
    }
    cof_buf_done(&value);
    return err;
}

static enum cof_err choose_checksum(struct cof_s3_download *d, const struct cof_http_head *head)
{
    struct cof_s3_expected expected;
    enum cof_err err;

    if (head->status != 200)
        return COF_OK;
    err = cof_s3_expected_read(head, &expected);
    if (err != COF_OK || expected.n_parts > 0)
        return err;
    memcpy(d->expected, expected.value, sizeof d->expected);
    return cof_checksum_init(&d->sum, expected.alg);
}

static void download_head(void *ctx, struct cof_aws_call *call, const struct cof_http_head *head)
{
    struct cof_s3_download *d = ctx;
    struct cof_s3_object object = {0};

    (void)call;
    cof_s3_object_read(head, &object);
    if (!head->has_length && !head->chunked)
        d->verdict = cof_diag_set(&d->diag, COF_E_FORMAT, "S3: a reply without length, whose end cannot be told");
    else if (d->asked.mode == COF_SSE_C && object.sse != COF_SSE_C)
        d->verdict = cof_diag_set(&d->diag, COF_E_AUTH, "S3 did not use the customer's key");
    else
        d->verdict = choose_checksum(d, head);
    if (d->verdict == COF_OK && d->events.head != NULL)
        d->events.head(d->events.ctx, d, &object);
}

static void download_body(void *ctx, struct cof_aws_call *call, struct cof_view piece)
{
    struct cof_s3_download *d = ctx;

    (void)call;
    if (d->verdict == COF_OK)
        d->verdict = cof_checksum_update(&d->sum, piece);
    if (d->verdict == COF_OK && d->events.body != NULL)
        d->events.body(d->events.ctx, d, piece);
}

static enum cof_err check_received(struct cof_s3_download *d)
{
    uint8_t got[COF_CHECKSUM_MAX];
    size_t n = cof_checksum_size(d->sum.alg);
    enum cof_err err;

    if (d->verdict != COF_OK || d->sum.alg == COF_CHECKSUM_NONE)
        return d->verdict;
    err = cof_checksum_final(&d->sum, got);
    if (err == COF_OK && memcmp(got, d->expected, n) != 0)
        err = cof_diag_set(&d->diag, COF_E_AUTH, "what S3 sent does not match its %s checksum",
                           cof_checksum_name(d->sum.alg));
    return err;
}

static void download_free(struct cof_s3_download *d)
{
    cof_checksum_done(&d->sum);
    cof_loop_discard(d->aws->loop, d);
}

static void download_done(void *ctx, struct cof_aws_call *call, enum cof_err err, const struct cof_aws_error *error,
                          const struct cof_diag *diag)
{
    struct cof_s3_download *d = ctx;

    (void)call;
    d->call = NULL;
    if (err == COF_OK) {
        err = check_received(d);
        diag = &d->diag;
    }
    d->events.done(d->events.ctx, d, err, error, diag);
    download_free(d);
}

enum cof_err cof_s3_start_get(struct cof_aws *aws, const struct cof_s3_get *get,
                              const struct cof_s3_download_events *events, struct cof_s3_download **out)
{
    struct cof_s3_download *d = calloc(1, sizeof *d);
    struct cof_aws_callbacks cb = {.head = download_head, .body = download_body, .done = download_done, .ctx = d};
    struct cof_aws_request request;
    enum cof_err err;

    *out = NULL;
    if (d == NULL)
        return COF_E_MEMORY;
    d->aws = aws;
    d->events = *events;
    d->asked.mode = get->sse.mode;
    err = cof_s3_get_object(&request, get);
    if (err == COF_OK)
        err = cof_aws_start(aws, &request, &cb, &d->call);
    if (err != COF_OK) {
        download_free(d);
        return err;
    }
    *out = d;
    return COF_OK;
}

void cof_s3_download_pause(struct cof_s3_download *download)
{
    if (download->call != NULL)
        cof_aws_pause(download->call);
}

void cof_s3_download_resume(struct cof_s3_download *download)
{
    if (download->call != NULL)
        cof_aws_resume(download->call);
}

void cof_s3_download_cancel(struct cof_s3_download *download)
{
    if (download == NULL)
        return;
    if (download->call != NULL)
        cof_aws_cancel(download->call);
    download->call = NULL;
    download_free(download);
}
