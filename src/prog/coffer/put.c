/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer put: files, folders and pipes to S3.
 */
#include "batch.h"
#include "keep.h"
#include "sealed.h"
#include "sse_options.h"
#include "verbs.h"

#include "format/uri.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROG "coffer put"

struct config {
    struct aws_options aws;
    struct sse_options sse;
    struct batch_options batch;
    struct seal_options seal;
    const char *type, *if_match, *lock_mode, *lock_until, *storage_class;
    struct cof_text_list tags;
    bool create_only, legal_hold;
};

#define O(field) offsetof(struct config, field)
static const struct cof_option options[] = {
    SSE_PUT_OPTIONS(struct config),
    SEAL_OPTIONS(struct config, "seal", "seal on this machine first, for KEYRING; repeatable"),
    BATCH_OPTIONS(struct config),
    {"type", 't', COF_OPT_TEXT, "TYPE", "media type", O(type)},
    {"tag", 0, COF_OPT_LIST, "NAME=VALUE", "object tag; repeatable", O(tags)},
    {"create-only", 0, COF_OPT_FLAG, NULL, "fail when the object is there already", O(create_only)},
    {"if-match", 0, COF_OPT_TEXT, "ETAG", "replace the object only while it has this ETag", O(if_match)},
    {"storage-class", 0, COF_OPT_TEXT, "CLASS", "such as STANDARD_IA", O(storage_class)},
    {"lock-mode", 0, COF_OPT_TEXT, "MODE", "Object Lock: GOVERNANCE or COMPLIANCE", O(lock_mode)},
    {"lock-until", 0, COF_OPT_TEXT, "TIME", "Object Lock: until when, such as 2030-01-01T00:00:00Z", O(lock_until)},
    {"legal-hold", 0, COF_OPT_FLAG, NULL, "Object Lock: a legal hold", O(legal_hold)},
    AWS_OPTIONS(struct config),
};
static const struct cof_command command = {
    .name = "put",
    .args = "FILE... s3://BUCKET/[KEY]",
    .summary = "Uploads files; the encryption that S3 reports must be the one asked for.",
    .details = "One FILE goes to KEY; with a KEY that is empty or ends in / each goes below it under its own name. \"-\" is "
               "standard input. A FILE that does not exist and has * or ? in it is a glob.\n"
               "Large files go in parts, side by side. When the transfer is cut off, the same command goes on where it was: "
               "parts that S3 has, and that still match the file, are not sent again.\n"
               "With --seal what leaves this machine is an AWS Encryption SDK message, whatever S3 does besides; 'coffer get "
               "--open', 'coffer decrypt' and the SDKs open it. Sealed files are not taken up again: every time they are sealed "
               "anew.\n" KEYRINGS_HELP,
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 2,
    .max_args = -1,
};

struct task {
    const struct config *config;
    struct batch batch;
    struct aws_use aws;
    struct sse sse;
    struct sealing sealing;
    struct cof_buf tags;
    struct cof_s3_attributes attributes;
    struct cof_view bucket, key;
    struct job *jobs;
    bool is_told; /* that nothing can be kept */
};

struct job {
    struct task *task;
    struct job *prev, *next;
    const struct batch_item *item;
    struct source source;
    struct sealed_source sealed;
    struct keep_upload keep;
    bool is_kept;
    struct cof_s3_send *send;
};

static void end_job(struct job *job)
{
    struct task *t = job->task;

    sealed_source_close(&job->sealed);
    source_close(&job->source);
    if (job->prev != NULL)
        job->prev->next = job->next;
    else
        t->jobs = job->next;
    if (job->next != NULL)
        job->next->prev = job->prev;
    cof_loop_discard(t->aws.loop, job);
}

static void on_moved(void *ctx, int64_t bytes)
{
    cof_progress_add(&((struct job *)ctx)->task->batch.progress, (uint64_t)bytes);
}

static enum cof_err on_begun(void *ctx, const char *upload_id, uint64_t part_size, struct cof_diag *diag)
{
    struct job *job = ctx;

    if (!job->is_kept)
        return COF_OK;
    (void)snprintf(job->keep.upload_id, sizeof job->keep.upload_id, "%s", upload_id);
    job->keep.part_size = part_size;
    return keep_upload_write(&job->keep, &job->source.st, diag);
}

static void on_done(void *ctx, enum cof_err err, const struct cof_s3_object *object, uint64_t stored_before,
                    const struct cof_diag *diag)
{
    struct job *job = ctx;
    struct task *t = job->task;
    char extra[64] = "", url[1200];
    struct cof_diag full = diag != NULL ? *diag : (struct cof_diag){0};

    if (job->is_kept && (err == COF_OK || !cof_s3_send_is_worth_again(err))) {
        keep_upload_forget(&job->keep);
        job->is_kept = false;
    }
    if (err == COF_OK) {
        if (stored_before > 0)
            (void)snprintf(extra, sizeof extra, ",\"resumed_bytes\":%llu", (unsigned long long)stored_before);
        (void)snprintf(url, sizeof url, "s3://%.*s/%s", (int)t->bucket.len, (const char *)t->bucket.data, job->item->key);
        if (stored_before > 0 && !t->config->batch.json && !t->config->batch.quiet)
            (void)printf("%llu bytes were there from before: ", (unsigned long long)stored_before);
        batch_say(&t->batch, job->item->path, url, object, extra);
    } else if (err != COF_E_PRECONDITION && job->is_kept && job->keep.upload_id[0] != '\0' && full.hint[0] == '\0') {
        cof_diag_hint(&full, "the same command goes on where this one stopped");
    }
    batch_done_item(&t->batch, job->item, err, &full);
    end_job(job);
}

/* A device whose disk is read-only can send all the same, only not go on later. */
static bool has_place(struct task *t, const struct keep_upload *keep)
{
    struct cof_diag why = {0};

    if (keep_upload_place(keep, &why) == COF_OK)
        return true;
    if (!t->is_told && !t->config->batch.quiet)
        (void)fprintf(stderr, PROG ": a transfer that is cut off begins anew: %s (COFFER_STATE_DIR names another place)\n", why.text);
    t->is_told = true;
    return false;
}

static enum cof_err start(struct batch *b, struct batch_item *item, struct cof_diag *diag)
{
    struct task *t = b->ctx;
    struct job *job = calloc(1, sizeof *job);
    struct cof_s3_send_opts opts = {.part_size = t->config->batch.part_size, .lanes = &b->lanes, .pace = &b->pace};
    struct cof_s3_send_events events = {on_moved, on_begun, on_done, job};
    enum cof_err err;

    if (job == NULL)
        return COF_E_MEMORY;
    job->task = t;
    job->item = item;
    job->next = t->jobs;
    if (t->jobs != NULL)
        t->jobs->prev = job;
    t->jobs = job;
    opts.put = (struct cof_s3_put){.bucket = t->bucket, .key = cof_view_str(item->key), .attributes = t->attributes,
                                   .sse = t->sse.is, .checksum = t->sse.checksum, .create_only = t->config->create_only,
                                   .if_match = cof_view_str(t->config->if_match)};
    err = source_open(&job->source, item->path, &opts.source, diag);
    if (err == COF_OK && t->sealing.is_on) {
        struct cof_s3_source plain = opts.source;
        err = sealed_source_open(&job->sealed, &t->sealing, &job->source, &plain, &opts.source, diag);
    }
    job->is_kept = err == COF_OK && opts.source.read_at != NULL && !t->config->batch.no_resume &&
                   opts.source.length > (opts.part_size != 0 ? opts.part_size : COF_S3_PART_DEFAULT);
    if (job->is_kept) {
        keep_upload_find(&job->keep, b->aws, &opts.put, item->path, &job->source.st);
        job->is_kept = job->keep.path[0] != '\0' && has_place(t, &job->keep);
        opts.upload_id = cof_view_str(job->keep.upload_id);
        opts.upload_part_size = job->keep.part_size;
    }
    opts.keep_parts = job->is_kept;
    if (err == COF_OK)
        err = cof_s3_send_start(b->aws, &opts, &events, &job->send);
    if (err != COF_OK)
        end_job(job);
    return err;
}

static void pump_all(struct batch *b)
{
    for (struct job *job = ((struct task *)b->ctx)->jobs; job != NULL; job = job->next)
        if (job->send != NULL)
            cof_s3_send_pump(job->send);
}

/* --- what is to be sent --- */

static bool is_below(struct cof_view key)
{
    return key.len == 0 || key.data[key.len - 1] == '/';
}

static enum cof_err add(struct task *t, const char *path, const char *name, uint64_t size, struct cof_diag *diag)
{
    char key[1100];
    int n = snprintf(key, sizeof key, "%.*s%s", (int)t->key.len, (const char *)t->key.data, name);

    if (n <= 0 || n > 1024)
        return cof_diag_set(diag, COF_E_USAGE, "%s: its key would be longer than 1024 bytes", path);
    return batch_add(&t->batch, path, key, size);
}

static enum cof_err each_below(void *ctx, const char *path, const char *relative, uint64_t size, struct cof_diag *diag)
{
    struct task *t = ctx;

    return batch_wants(&t->config->batch, relative) ? add(t, path, relative, size, diag) : COF_OK;
}

static enum cof_err add_path(struct task *t, const char *path, bool only_one, struct cof_diag *diag)
{
    const char *slash = strrchr(path, '/'), *base = slash == NULL ? path : slash + 1;
    struct stat st;

    if (strcmp(path, "-") == 0) {
        if (is_below(t->key))
            return cof_diag_set(diag, COF_E_USAGE, "standard input needs a KEY of its own");
        return add(t, path, "", 0, diag);
    }
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode) && t->config->batch.recursive) {
        if (!is_below(t->key))
            return cof_diag_set(diag, COF_E_USAGE, "a folder goes below a key that ends in /");
        return source_walk(path, each_below, t, true, diag);
    }
    return add(t, path, is_below(t->key) ? base : "", only_one || stat(path, &st) == 0 ? (uint64_t)st.st_size : 0, diag);
}

static enum cof_err add_glob(struct task *t, const char *pattern, struct cof_diag *diag)
{
    glob_t found = {0};
    enum cof_err err = COF_OK;
    int r = glob(pattern, GLOB_ERR, NULL, &found);

    if (r != 0)
        err = cof_diag_set(diag, r == GLOB_NOMATCH ? COF_E_NOT_FOUND : COF_E_IO, "%s: %s", pattern,
                           r == GLOB_NOMATCH ? "nothing matches" : "a folder cannot be read");
    if (err == COF_OK && found.gl_pathc > 1 && !is_below(t->key))
        err = cof_diag_set(diag, COF_E_USAGE, "several files go below a key that ends in /");
    for (size_t i = 0; i < found.gl_pathc && err == COF_OK; i++)
        err = add_path(t, found.gl_pathv[i], false, diag);
    globfree(&found);
    return err;
}

static enum cof_err collect(struct task *t, char **args, struct cof_diag *diag)
{
    enum cof_err err = COF_OK;
    size_t n = 0;

    while (args[n + 1] != NULL)
        n++;
    err = s3_url_split(args[n], &t->bucket, &t->key, diag);
    if (err == COF_OK && n > 1 && !is_below(t->key))
        err = cof_diag_set(diag, COF_E_USAGE, "several files go below a key that ends in /");
    for (size_t i = 0; i < n && err == COF_OK; i++)
        err = access(args[i], F_OK) != 0 && strpbrk(args[i], "*?[") != NULL ? add_glob(t, args[i], diag)
                                                                         : add_path(t, args[i], n == 1, diag);
    if (err == COF_OK && t->config->if_match != NULL && t->batch.n != 1)
        err = cof_diag_set(diag, COF_E_USAGE, "--if-match is of one object, and these are %zu files", t->batch.n);
    return err;
}

static enum cof_err read_attributes(struct task *t, struct cof_diag *diag)
{
    const struct config *c = t->config;
    struct cof_view name, value;

    cof_buf_init(&t->tags, 8192);
    for (size_t i = 0; i < c->tags.n; i++) {
        if (!cof_view_split(cof_view_str(c->tags.items[i]), '=', &name, &value) || name.len == 0 || c->tags.n > 10)
            return cof_diag_set(diag, COF_E_USAGE, "--tag '%s': write NAME=VALUE, at most ten", c->tags.items[i]);
        cof_buf_add_str(&t->tags, i == 0 ? "" : "&");
        cof_uri_encode(&t->tags, name, false);
        cof_buf_add_str(&t->tags, "=");
        cof_uri_encode(&t->tags, value, false);
    }
    if (c->if_match != NULL && c->create_only)
        return cof_diag_set(diag, COF_E_USAGE, "--if-match replaces an object that is there, --create-only one that is not");
    if ((c->lock_mode == NULL) != (c->lock_until == NULL))
        return cof_diag_set(diag, COF_E_USAGE, "--lock-mode and --lock-until go together");
    t->attributes = (struct cof_s3_attributes){.content_type = cof_view_str(c->type), .tags = cof_buf_view(&t->tags),
                                               .lock_mode = cof_view_str(c->lock_mode),
                                               .lock_until = cof_view_str(c->lock_until), .legal_hold = c->legal_hold,
                                               .storage_class = cof_view_str(c->storage_class)};
    return cof_buf_err(&t->tags);
}

static void say_dry(const struct task *t)
{
    char url[1200];

    for (size_t i = 0; i < t->batch.n; i++) {
        (void)snprintf(url, sizeof url, "s3://%.*s/%s", (int)t->bucket.len, (const char *)t->bucket.data, t->batch.items[i].key);
        batch_say_would(&t->batch, "send", t->batch.items[i].path, url);
    }
}

static enum cof_err run(const void *options_given, char **args, struct cof_diag *diag)
{
    struct task t = {.config = options_given};
    enum cof_err err = batch_init(&t.batch, PROG, &t.config->batch, diag);

    t.batch.start = start;
    t.batch.pump = pump_all;
    t.batch.ctx = &t;
    if (err == COF_OK)
        err = sse_read(&t.config->sse, &t.sse, diag);
    if (err == COF_OK)
        err = sealing_read(&t.config->seal, &t.config->aws, true, &t.sealing, diag);
    if (err == COF_OK)
        err = read_attributes(&t, diag);
    if (err == COF_OK)
        err = collect(&t, args, diag);
    if (err == COF_OK)
        batch_note_empty(&t.batch);
    if (err == COF_OK && t.config->batch.dry_run) {
        say_dry(&t);
    } else if (err == COF_OK) {
        err = aws_open(&t.aws, &t.config->aws, diag);
        if (err == COF_OK)
            err = aws_ready(&t.aws, diag);
        if (err == COF_OK)
            err = batch_run(&t.batch, &t.aws.session.aws, diag);
    }
    aws_close(&t.aws);
    batch_done(&t.batch);
    sse_done(&t.sse);
    sealing_done(&t.sealing);
    cof_buf_done(&t.tags);
    return err;
}

static int run_put(int argc, char **argv)
{
    struct config config = {.sse = SSE_OPTIONS_DEFAULT, .batch = BATCH_OPTIONS_DEFAULT};

    return verb_run(PROG, &command, &config, run, argc, argv);
}

const struct verb verb_put = {"put", &command, run_put};
