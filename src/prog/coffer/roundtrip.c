/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer roundtrip: sends a file, fetches it again, and compares bytes and encryption: does this bucket, key and link work?
 */
#include "common.h"
#include "source.h"
#include "sse_options.h"
#include "verbs.h"

#include "client/s3_receive.h"
#include "format/json.h"
#include "io/clock.h"
#include "prog/progress.h"

#include <stdio.h>
#include <string.h>

#define PROG "coffer roundtrip"
#define LANES 8

struct config {
    struct aws_options aws;
    struct sse_options sse;
    bool remove, json, quiet;
};
static const struct cof_option options[] = {
    SSE_PUT_OPTIONS(struct config),
    {"remove", 0, COF_OPT_FLAG, NULL, "delete the object afterwards", offsetof(struct config, remove)},
    {"json", 0, COF_OPT_FLAG, NULL, "as JSON", offsetof(struct config, json)},
    {"quiet", 'q', COF_OPT_FLAG, NULL, "no progress, and only errors", offsetof(struct config, quiet)},
    AWS_OPTIONS(struct config),
};
static const struct cof_command command = {
    .name = "roundtrip",
    .args = "FILE s3://BUCKET/[KEY]",
    .summary = "Uploads a file, downloads it again, compares bytes and encryption, and says so.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 2,
    .max_args = 2,
};

struct task {
    const struct config *config;
    struct aws_use aws;
    struct sse sse;
    struct source source;
    struct cof_s3_source file;
    struct cof_progress progress;
    struct cof_s3_object sent, got;
    struct cof_view bucket, key;
    int64_t up_ms, down_ms;
    bool is_done;
    enum cof_err err;
    struct cof_diag *diag;
};

static void end_with(struct task *t, enum cof_err err, const struct cof_diag *diag)
{
    t->is_done = true;
    t->err = err;
    if (err != COF_OK && diag != NULL && t->diag != NULL)
        *t->diag = *diag;
}

static void on_moved(void *ctx, int64_t bytes)
{
    struct cof_progress *p = &((struct task *)ctx)->progress;

    p->done += (uint64_t)bytes;
    cof_progress_add(p, 0);
}

static void on_sent(void *ctx, enum cof_err err, const struct cof_s3_object *object, uint64_t stored_before,
                    const struct cof_diag *diag)
{
    struct task *t = ctx;

    (void)stored_before;
    if (object != NULL)
        t->sent = *object;
    end_with(t, err, diag);
}

/* What comes back is held against the file, which is still there. */
static enum cof_err compare(void *ctx, uint64_t offset, struct cof_view piece, struct cof_diag *diag)
{
    struct task *t = ctx;
    uint8_t ours[65536];

    while (piece.len > 0) {
        size_t n = piece.len < sizeof ours ? piece.len : sizeof ours;
        enum cof_err err = offset + n > t->file.length ? COF_E_AUTH : t->file.read_at(&t->source, offset, ours, n, diag);
        if (err == COF_OK && memcmp(ours, piece.data, n) != 0)
            err = COF_E_AUTH;
        if (err == COF_E_AUTH)
            (void)cof_diag_set(diag, err, "what came back differs from the file, at byte %llu or after",
                               (unsigned long long)offset);
        if (err != COF_OK)
            return err;
        offset += n;
        piece = cof_view_sub(piece, n, SIZE_MAX);
    }
    return COF_OK;
}

static void on_got(void *ctx, enum cof_err err, const struct cof_s3_object *object, const struct cof_diag *diag)
{
    struct task *t = ctx;

    if (object != NULL)
        t->got = *object;
    end_with(t, err, diag);
}

static enum cof_err wait_for(struct task *t, enum cof_err started)
{
    enum cof_err err = started;

    if (err == COF_OK)
        err = cof_loop_run_until(t->aws.loop, &t->is_done, -1);
    return err == COF_OK ? t->err : err;
}

static enum cof_err send_file(struct task *t, struct cof_s3_lanes *lanes)
{
    struct cof_s3_send_opts opts = {.put = {.bucket = t->bucket, .key = t->key, .sse = t->sse.is, .checksum = t->sse.checksum}, .source = t->file,
                                    .lanes = lanes};
    struct cof_s3_send_events events = {.moved = on_moved, .done = on_sent, .ctx = t};
    struct cof_s3_send *send;
    int64_t began = cof_clock_monotonic_ms();
    enum cof_err err;

    cof_progress_begin(&t->progress, "up", t->file.length, t->config->quiet || t->config->json);
    err = wait_for(t, cof_s3_send_start(&t->aws.session.aws, &opts, &events, &send));
    cof_progress_end(&t->progress);
    t->up_ms = cof_clock_monotonic_ms() - began;
    return err;
}

static enum cof_err fetch_file(struct task *t, struct cof_s3_lanes *lanes)
{
    struct cof_s3_receive_opts opts = {.get = {.bucket = t->bucket, .key = t->key, .sse = t->sse.is}, .lanes = lanes};
    struct cof_s3_receive_events events = {.write_at = compare, .moved = on_moved, .done = on_got, .ctx = t};
    struct cof_s3_receive *receive;
    int64_t began = cof_clock_monotonic_ms();
    enum cof_err err;

    if (strcmp(t->sent.version_id, "null") != 0)
        opts.get.version_id = cof_view_str(t->sent.version_id);
    t->is_done = false;
    cof_progress_begin(&t->progress, "down", t->file.length, t->config->quiet || t->config->json);
    err = wait_for(t, cof_s3_receive_start(&t->aws.session.aws, &opts, &events, &receive));
    cof_progress_end(&t->progress);
    t->down_ms = cof_clock_monotonic_ms() - began;
    if (err == COF_OK && t->got.size != t->file.length)
        err = cof_diag_set(t->diag, COF_E_AUTH, "what came back has %llu bytes, the file %llu",
                           (unsigned long long)t->got.size, (unsigned long long)t->file.length);
    if (err == COF_OK && t->got.sse != t->sent.sse)
        err = cof_diag_set(t->diag, COF_E_AUTH, "sent under %s, but fetched as %s", cof_sse_name(t->sent.sse),
                           cof_sse_name(t->got.sse));
    return err;
}

static void say(const struct task *t, const char *path)
{
    struct cof_buf out;

    if (t->config->quiet && !t->config->json)
        return;
    cof_buf_init(&out, 16384);
    if (t->config->json) {
        cof_buf_add_str(&out, "{");
        cof_json_add_member(&out, "file", cof_view_str(path));
        cof_json_add_member(&out, "bucket", t->bucket);
        cof_json_add_member(&out, "key", t->key);
        cof_json_add_member_int(&out, "bytes", (int64_t)t->got.size);
        cof_json_add_member(&out, "encryption", cof_view_str(cof_sse_name(t->got.sse)));
        cof_json_add_member(&out, "checked", cof_view_str(t->got.checked != NULL ? t->got.checked : ""));
        cof_json_add_member_int(&out, "upload_ms", t->up_ms);
        cof_json_add_member_int(&out, "download_ms", t->down_ms);
        cof_buf_add_str(&out, ",\"same\":true}");
        (void)printf("%s\n", cof_buf_cstr(&out));
    } else {
        (void)printf("%s: %llu bytes up (%lld ms) and down (%lld ms), the same bytes, encryption %s%s%s\n", path,
                     (unsigned long long)t->got.size, (long long)t->up_ms, (long long)t->down_ms, cof_sse_name(t->got.sse),
                     t->got.checked != NULL ? ", checked by " : "", t->got.checked != NULL ? t->got.checked : "");
    }
    cof_buf_done(&out);
}

static enum cof_err run(const void *options_given, char **args, struct cof_diag *diag)
{
    struct task t = {.config = options_given, .source.fd = -1, .diag = diag};
    struct cof_s3_lanes lanes = {.max = LANES};
    char key[1100];
    enum cof_err err = sse_read(&t.config->sse, &t.sse, diag);

    if (err == COF_OK)
        err = s3_url_split(args[1], &t.bucket, &t.key, diag);
    if (err == COF_OK && (t.key.len == 0 || t.key.data[t.key.len - 1] == '/')) {
        const char *slash = strrchr(args[0], '/');
        (void)snprintf(key, sizeof key, "%.*s%s", (int)(t.key.len < 1024 ? t.key.len : 1024), (const char *)t.key.data,
                       slash == NULL ? args[0] : slash + 1);
        t.key = cof_view_str(key);
    }
    if (err == COF_OK)
        err = source_open(&t.source, args[0], &t.file, diag);
    if (err == COF_OK && t.file.read_at == NULL)
        err = cof_diag_set(diag, COF_E_USAGE, "%s: a file is needed, which can be read twice", args[0]);
    if (err == COF_OK)
        err = aws_open(&t.aws, &t.config->aws, diag);
    if (err == COF_OK)
        err = aws_ready(&t.aws, diag);
    if (err == COF_OK)
        err = send_file(&t, &lanes);
    if (err == COF_OK)
        err = fetch_file(&t, &lanes);
    if (err == COF_OK && t.config->remove)
        err = cof_s3_run_delete(&t.aws.session.aws, t.bucket, t.key, cof_view_str(t.sent.version_id), diag);
    if (err == COF_OK)
        say(&t, args[0]);
    source_close(&t.source);
    aws_close(&t.aws);
    sse_done(&t.sse);
    return err;
}

static int run_roundtrip(int argc, char **argv)
{
    struct config config = {.sse = SSE_OPTIONS_DEFAULT};

    return verb_run(PROG, &command, &config, run, argc, argv);
}

const struct verb verb_roundtrip = {"roundtrip", &command, run_roundtrip};
