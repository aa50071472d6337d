/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer cp: objects copied within S3, whose bytes do not pass through this machine.
 */
#include "batch.h"
#include "listing.h"
#include "sse_options.h"
#include "verbs.h"

#include "client/s3_copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROG "coffer cp"
#define URL_MAX 1200

struct config {
    struct aws_options aws;
    struct sse_options sse, source;
    struct batch_options batch;
    const char *version, *if_match, *storage_class;
    bool create_only;
};

#define O(field) offsetof(struct config, field)
static const struct cof_option options[] = {
    SSE_PUT_OPTIONS(struct config),
    {"source-key-file", 0, COF_OPT_TEXT, "FILE", "the source is under sse-c: the 32 bytes of its key", O(source.key_file)},
    {"source-key-fd", 0, COF_OPT_NUMBER, "N", "read them from this descriptor", O(source.key_fd)},
    {"source-key-command", 0, COF_OPT_TEXT, "COMMAND", "a program that prints them (no shell)", O(source.key_command)},
    FILTER_OPTIONS(struct config),
    {"jobs", 'j', COF_OPT_NUMBER, "N", "requests at the same time, 1 to 64 (default 8)", O(batch.jobs)},
    {"part-size", 0, COF_OPT_SIZE, "SIZE", "larger objects are copied in parts of it (default 256M)", O(batch.part_size)},
    {"quiet", 'q', COF_OPT_FLAG, NULL, "no progress, and only errors", O(batch.quiet)},
    {"version-id", 0, COF_OPT_TEXT, "ID", "this version of the source", O(version)},
    {"create-only", 0, COF_OPT_FLAG, NULL, "fail when there is an object already", O(create_only)},
    {"if-match", 0, COF_OPT_TEXT, "ETAG", "replace the object only while it has this ETag", O(if_match)},
    {"storage-class", 0, COF_OPT_TEXT, "CLASS", "of the copy, such as STANDARD_IA (default: STANDARD)", O(storage_class)},
    AWS_OPTIONS(struct config),
};
static const struct cof_command command = {
    .name = "cp",
    .args = "s3://BUCKET/KEY s3://BUCKET/[KEY]",
    .summary = "Copies objects within S3, without moving their bytes through here.",
    .details = "With a target KEY that is empty or ends in / the copy goes below it under the source's name; a source KEY may be a glob, or "
               "with --recursive a prefix, and what is below it goes below the target.\n"
               "Metadata and tags are kept, and without -e the encryption: S3's own key, the same KMS key, or the same customer key. With -e "
               "it is what -e says, and 'none' means as the target's bucket has it. Not kept are Object Lock, ACLs and the encryption context "
               "of KMS. What is copied is what was looked at: a source that is replaced meanwhile is an error. The encryption that S3 "
               "reports must be the one meant, and the copy's checksum the source's.\n"
               "It takes s3:GetObject and s3:GetObjectTagging on the source and s3:PutObject and s3:PutObjectTagging on the target.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 2,
    .max_args = 2,
};

struct task {
    const struct config *config;
    struct batch batch;
    struct aws_use aws;
    struct sse sse, source;
    struct cof_view from_bucket, from_key, to_bucket, to_key;
    bool is_below; /* the target key is what the names go below */
    struct job *jobs;
};

struct job {
    struct task *task;
    struct job *prev, *next;
    const struct batch_item *item;
    char key[1100]; /* the copy's */
    struct cof_s3_copy *copy;
};

static void end_job(struct job *job)
{
    struct task *t = job->task;

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

static void url(char out[static URL_MAX], struct cof_view bucket, const char *key)
{
    (void)snprintf(out, URL_MAX, "s3://%.*s/%s", (int)bucket.len, (const char *)bucket.data, key);
}

static void on_done(void *ctx, enum cof_err err, const struct cof_s3_object *object, const struct cof_diag *diag)
{
    struct job *job = ctx;
    struct task *t = job->task;
    struct cof_diag full = diag != NULL ? *diag : (struct cof_diag){0};
    char from[URL_MAX], to[URL_MAX];

    if (err == COF_OK) {
        url(from, t->from_bucket, job->item->key);
        url(to, t->to_bucket, job->key);
        batch_say(&t->batch, from, to, object, "");
    }
    batch_done_item(&t->batch, job->item, err, &full);
    end_job(job);
}

static enum cof_err target_key(const struct task *t, const struct batch_item *item, char out[static 1100], struct cof_diag *diag)
{
    int n = snprintf(out, 1100, "%.*s%s", (int)t->to_key.len, (const char *)t->to_key.data, t->is_below ? item->path : "");

    return n > 0 && n <= 1024 ? COF_OK : cof_diag_set(diag, COF_E_USAGE, "the copy's key would be longer than 1024 bytes");
}

static enum cof_err start(struct batch *b, struct batch_item *item, struct cof_diag *diag)
{
    struct task *t = b->ctx;
    const struct config *config = t->config;
    struct job *job = calloc(1, sizeof *job);
    struct cof_s3_copy_opts opts = {.keep_sse = config->sse.mode == NULL, .part_size = config->batch.part_size, .lanes = &b->lanes};
    struct cof_s3_copy_events events = {on_moved, on_done, job};
    enum cof_err err;

    if (job == NULL)
        return COF_E_MEMORY;
    job->task = t;
    job->item = item;
    job->next = t->jobs;
    if (t->jobs != NULL)
        t->jobs->prev = job;
    t->jobs = job;
    err = target_key(t, item, job->key, diag);
    opts.from = (struct cof_s3_get){.bucket = t->from_bucket, .key = cof_view_str(item->key), .version_id = cof_view_str(config->version),
                                    .sse = t->source.is};
    opts.to = (struct cof_s3_put){.bucket = t->to_bucket, .key = cof_view_str(job->key), .sse = t->sse.is, .checksum = t->sse.checksum,
                                  .create_only = config->create_only, .if_match = cof_view_str(config->if_match),
                                  .attributes.storage_class = cof_view_str(config->storage_class)};
    if (err == COF_OK)
        err = cof_s3_copy_start(b->aws, &opts, &events, &job->copy);
    if (err != COF_OK)
        end_job(job);
    return err;
}

static void pump_all(struct batch *b)
{
    for (struct job *job = ((struct task *)b->ctx)->jobs, *next; job != NULL; job = next) {
        next = job->next;
        if (job->copy != NULL)
            cof_s3_copy_pump(job->copy);
    }
}

static enum cof_err read_arguments(struct task *t, char **args, struct cof_diag *diag)
{
    const struct config *config = t->config;
    enum cof_err err = s3_url_split(args[0], &t->from_bucket, &t->from_key, diag);

    if (err == COF_OK)
        err = s3_url_split(args[1], &t->to_bucket, &t->to_key, diag);
    if (err != COF_OK)
        return err;
    t->is_below = t->to_key.len == 0 || t->to_key.data[t->to_key.len - 1] == '/';
    if (t->from_key.len == 0 && !config->batch.recursive)
        return cof_diag_set(diag, COF_E_USAGE, "no key; --recursive copies all of the bucket");
    if (config->if_match != NULL && config->create_only)
        return cof_diag_set(diag, COF_E_USAGE, "--if-match replaces an object that is there, --create-only one that is not");
    return COF_OK;
}

static enum cof_err collect(struct task *t, struct cof_diag *diag)
{
    struct cof_aws *aws = &t->aws.session.aws;
    bool many = t->config->batch.recursive;
    enum cof_err err = many ? COF_OK : listing_is_glob(aws, t->from_bucket, t->from_key, &many, diag);

    if (err == COF_OK && many && !t->is_below)
        err = cof_diag_set(diag, COF_E_USAGE, "several objects go below a key that ends in /");
    if (err == COF_OK && many && (t->config->version != NULL || t->config->if_match != NULL))
        err = cof_diag_set(diag, COF_E_USAGE, "--version-id and --if-match are of one object");
    return err == COF_OK ? listing_collect(&t->batch, aws, t->from_bucket, t->from_key, diag) : err;
}

static enum cof_err read_keys(struct task *t, struct cof_diag *diag)
{
    struct sse_options source = t->config->source;
    enum cof_err err = sse_read(&t->config->sse, &t->sse, diag);

    if (source.key_file != NULL || source.key_command != NULL || source.key_fd != UINT64_MAX)
        source.mode = "sse-c";
    return err == COF_OK ? sse_read(&source, &t->source, diag) : err;
}

/* What would be done, or COF_E_USAGE for a copy onto itself that changes nothing. */
static enum cof_err look_over(const struct task *t, struct cof_diag *diag)
{
    const struct config *config = t->config;
    bool changes = config->sse.mode != NULL || config->storage_class != NULL || config->version != NULL || config->sse.checksum != NULL;
    char key[1100], from[URL_MAX], to[URL_MAX];
    enum cof_err err = COF_OK;

    for (size_t i = 0; i < t->batch.n && err == COF_OK; i++) {
        err = target_key(t, &t->batch.items[i], key, diag);
        url(from, t->from_bucket, t->batch.items[i].key);
        url(to, t->to_bucket, key);
        if (err == COF_OK && !changes && strcmp(from, to) == 0)
            err = cof_diag_set(diag, COF_E_USAGE, "%s would be copied onto itself, and nothing changed", from);
        if (err == COF_OK && config->batch.dry_run)
            batch_say_would(&t->batch, "copy", from, to);
    }
    return err;
}

static enum cof_err run(const void *options_given, char **args, struct cof_diag *diag)
{
    struct task t = {.config = options_given};
    enum cof_err err = batch_init(&t.batch, PROG, &t.config->batch, diag);

    t.batch.start = start;
    t.batch.pump = pump_all;
    t.batch.ctx = &t;
    if (err == COF_OK)
        err = read_arguments(&t, args, diag);
    if (err == COF_OK)
        err = read_keys(&t, diag);
    if (err == COF_OK)
        err = aws_open(&t.aws, &t.config->aws, diag);
    if (err == COF_OK)
        err = aws_ready(&t.aws, diag);
    if (err == COF_OK)
        err = collect(&t, diag);
    if (err == COF_OK)
        err = batch_empty(&t.batch, t.from_key, diag);
    if (err == COF_OK)
        err = look_over(&t, diag);
    if (err == COF_OK && !t.config->batch.dry_run)
        err = batch_run(&t.batch, &t.aws.session.aws, diag);
    aws_close(&t.aws);
    batch_done(&t.batch);
    sse_done(&t.sse);
    sse_done(&t.source);
    return err;
}

static int run_cp(int argc, char **argv)
{
    struct config config = {.sse = SSE_OPTIONS_DEFAULT, .source = SSE_OPTIONS_DEFAULT, .batch = BATCH_OPTIONS_DEFAULT};

    return verb_run(PROG, &command, &config, run, argc, argv);
}

const struct verb verb_cp = {"cp", &command, run_cp};
