/* SPDX-License-Identifier: Apache-2.0
 *
 * An object that goes in one request: a small file from memory, a larger one (up to a part) and a short stream as they are read.
 */
#include "client/s3_sending.h"

#include "base/codec.h"
#include "client/s3_object.h"

#include <stdlib.h>
#include <string.h>

#define WHOLE_MAX ((size_t)1 << 20) /* up to here a body is held in memory, where it can be sent again */
#define WHOLE_HASHED_MAX ((size_t)64 << 20) /* and up to here where its hash goes before it */

static void single_done(void *ctx, struct cof_s3_upload *upload, enum cof_err err, const struct cof_s3_object *object,
                        const struct cof_aws_error *error, const struct cof_diag *diag);

void cof_s3_sending_single_more(void *ctx, struct cof_s3_upload *upload)
{
    struct cof_s3_send *s = ctx;
    uint8_t *piece = s->piece;
    bool more = true;

    if (s->is_kicked) /* the connection would take more, the pace allows none yet */
        return;
    while (more && s->single_at < s->total) {
        size_t n = cof_pace_piece(s->opts.pace, COF_S3_PIECE);
        const uint8_t *data = piece;
        int64_t wait;
        enum cof_err err = COF_OK;

        n = n > s->total - s->single_at ? (size_t)(s->total - s->single_at) : n;
        if (s->is_file && !s->is_whole)
            err = s->opts.source.read_at(s->opts.source.ctx, s->single_at, piece, n, &s->diag);
        else
            data = s->filling + s->single_at;
        if (err != COF_OK) {
            s->single = NULL;
            cof_s3_upload_cancel(upload);
            cof_s3_sending_failed(s, err);
            return;
        }
        more = cof_s3_upload_write(upload, cof_view_of(data, n));
        s->single_at += n;
        cof_s3_sending_moved(s, (int64_t)n);
        wait = cof_pace_book(s->opts.pace, n, cof_loop_now_ms(s->aws->loop));
        if (wait > 0 && s->single_at < s->total) {
            cof_s3_sending_kick(s, wait);
            return;
        }
    }
    if (s->single_at == s->total) {
        enum cof_err err = s->opts.source.check != NULL && !s->is_whole ? s->opts.source.check(s->opts.source.ctx, &s->diag) : COF_OK;
        if (err == COF_OK) {
            cof_s3_upload_end(upload);
        } else {
            s->single = NULL;
            cof_s3_upload_cancel(upload);
            cof_s3_sending_failed(s, err);
        }
    }
}

static bool single_rewind(void *ctx, struct cof_s3_upload *upload)
{
    struct cof_s3_send *s = ctx;

    (void)upload;
    cof_loop_disarm(s->aws->loop, &s->kick);
    s->is_kicked = false;
    cof_s3_sending_moved(s, -(int64_t)s->single_at);
    s->single_at = 0;
    return true;
}

/* A small file is read whole, so that what is sent is what it was at one moment, and its checksum is known before. */
static enum cof_err read_whole(struct cof_s3_send *s, struct cof_buf *text)
{
    struct cof_checksum sum;
    uint8_t value[COF_CHECKSUM_MAX];
    enum cof_err err = COF_OK;

    s->filling = malloc(s->total > 0 ? (size_t)s->total : 1);
    if (s->filling == NULL)
        return COF_E_MEMORY;
    if (s->total > 0)
        err = s->opts.source.read_at(s->opts.source.ctx, 0, s->filling, (size_t)s->total, &s->diag);
    s->is_whole = true;
    if (err != COF_OK || s->alg == COF_CHECKSUM_NONE)
        return err;
    err = cof_checksum_init(&sum, s->alg);
    if (err == COF_OK)
        err = cof_checksum_update(&sum, cof_view_of(s->filling, (size_t)s->total));
    if (err == COF_OK)
        err = cof_checksum_final(&sum, value);
    cof_checksum_done(&sum);
    cof_base64_add(text, cof_view_of(value, cof_checksum_size(s->alg)));
    return err == COF_OK ? cof_buf_err(text) : err;
}

void cof_s3_sending_single(struct cof_s3_send *s)
{
    struct cof_s3_put put = s->opts.put;
    struct cof_s3_upload_events events = {cof_s3_sending_single_more, single_done, single_rewind, s};
    struct cof_buf text;
    uint8_t digest[32];
    char hex[65];
    enum cof_err err = COF_OK;

    s->is_single = true;
    cof_buf_init(&text, COF_S3_SUM_MAX);
    if (s->is_file && s->total <= (cof_s3_sending_wants_hash(s) ? WHOLE_HASHED_MAX : WHOLE_MAX))
        err = read_whole(s, &text);
    put.length = s->total;
    /* In the clear the body's hash is signed, over TLS its bytes are not copied once more. */
    put.streaming = !s->is_whole || s->aws->endpoints[COF_AWS_S3].https;
    if (err == COF_OK && s->is_whole && s->total > WHOLE_MAX) { /* too long to be copied into the request */
        err = cof_hash_once(COF_SHA256, cof_view_of(s->filling, (size_t)s->total), digest);
        cof_hex_encode(digest, sizeof digest, hex);
        put.sha256 = cof_view_str(hex);
        put.streaming = true;
    }
    put.body = put.streaming ? (struct cof_view){0} : cof_view_of(s->filling, (size_t)s->total);
    put.checksum = s->alg;
    put.sum = cof_buf_view(&text);
    if (err == COF_OK)
        err = cof_s3_start_put(s->aws, &put, &events, &s->single);
    cof_buf_done(&text);
    if (err != COF_OK)
        cof_s3_sending_failed(s, err);
}

static void single_done(void *ctx, struct cof_s3_upload *upload, enum cof_err err, const struct cof_s3_object *object,
                        const struct cof_aws_error *error, const struct cof_diag *diag)
{
    struct cof_s3_send *s = ctx;
    unsigned attempts;

    (void)error;
    s->single = NULL;
    memset(s->sum, 0, sizeof s->sum);
    cof_s3_upload_sent(upload, &attempts, s->sum);
    if (err == COF_OK) {
        cof_s3_sending_moved(s, (int64_t)(s->total - s->single_at));
        s->object = *object;
        s->is_told = cof_s3_object_has_sum(object, s->alg, s->sum);
        cof_s3_sending_stored(s);
    } else if (err == COF_E_PRECONDITION && (attempts > 1 || s->opts.same_is_done) && s->sum[0] != '\0') {
        cof_s3_sending_settle(s, err, diag);
    } else {
        cof_s3_sending_fail(s, err, diag);
    }
}
