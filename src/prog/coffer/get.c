/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer get: objects of S3 to files, folders and pipes.
 */
#include "batch.h"
#include "keep.h"
#include "listing.h"
#include "sealed.h"
#include "sse_options.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROG "coffer get"

struct config {
    struct aws_options aws;
    struct sse_options sse;
    struct batch_options batch;
    struct seal_options seal;
    const char *version;
    bool no_overwrite;
};

static const struct cof_option options[] = {
    SSE_OPTIONS(struct config),
    SEAL_OPTIONS(struct config, "open", "open what was sealed, with KEYRING; repeatable"),
    BATCH_OPTIONS(struct config),
    {"version-id", 0, COF_OPT_TEXT, "ID", "this version of the object", offsetof(struct config, version)},
    {"no-overwrite", 0, COF_OPT_FLAG, NULL, "fail when the file is there already", offsetof(struct config, no_overwrite)},
    AWS_OPTIONS(struct config),
};
static const struct cof_command command = {
    .name = "get",
    .args = "s3://BUCKET/KEY [FILE|FOLDER/|-]",
    .summary = "Downloads objects; a file appears whole, after its checksum matched, or not at all.",
    .details = "A KEY may be a glob (unless an object has just that name); with --recursive it is a prefix, and the names below it become paths below the folder. "
               "\"-\" is standard output, which gets the bytes as they come: look at the exit code.\n"
               "Large objects come in ranges, side by side. When the transfer is cut off, the same command goes on with what is "
               "there (in .coffer-FILE.part beside the file), as long as the object is the same.\n"
               "With --open the object is fetched whole, checked and then opened; what is kept meanwhile is sealed.\n" KEYRINGS_HELP,
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 1,
    .max_args = 2,
};

struct task {
    const struct config *config;
    struct batch batch;
    struct aws_use aws;
    struct sse sse;
    struct sealing sealing;
    struct cof_view bucket, key;
    const char *target;
    bool is_folder;
    struct job *jobs;
};

struct job {
    struct task *task;
    struct job *prev, *next;
    const struct batch_item *item;
    char path[4096];
    char store[4096]; /* where it is fetched to: the same, but for what is opened into a pipe */
    struct keep_download keep;
    struct cof_s3_receive *receive;
};

static void end_job(struct job *job, bool forget)
{
    struct task *t = job->task;

    keep_download_close(&job->keep, forget);
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

static enum cof_err on_begun(void *ctx, const struct cof_s3_object *object, struct cof_s3_part *ranges, size_t n_ranges,
                             struct cof_diag *diag)
{
    struct job *job = ctx;
    struct task *t = job->task;
    enum cof_err err = COF_OK;

    if (job->item->size == 0 && t->batch.progress.total == 0 && t->batch.n == 1)
        t->batch.progress.total = object->size;
    if (t->is_folder)
        err = cof_file_make_parents(job->path, 0755, diag); /* as readable as the files in it */
    if (err == COF_OK)
        err = keep_download_open(&job->keep, job->store, object, ranges, n_ranges,
                                 !t->config->batch.no_resume && strcmp(job->store, job->path) == 0, diag);
    for (size_t i = 0; i < n_ranges && err == COF_OK; i++)
        if (ranges[i].is_stored)
            on_moved(job, (int64_t)ranges[i].length);
    return err;
}

static enum cof_err on_write(void *ctx, uint64_t offset, struct cof_view piece, struct cof_diag *diag)
{
    return keep_download_write(&((struct job *)ctx)->keep, offset, piece, diag);
}

static enum cof_err on_stored(void *ctx, size_t index, const struct cof_s3_part *range, struct cof_diag *diag)
{
    enum cof_err err = keep_download_note(&((struct job *)ctx)->keep, index, range);

    return err == COF_OK ? COF_OK : cof_diag_set(diag, err, "the note of what was fetched cannot be written");
}

/* The message is here and is what S3 has; now it appears under the name it was asked for, opened. */
static enum cof_err open_sealed(struct job *job, struct cof_s3_object *shown, struct cof_diag *diag)
{
    struct cof_file_out out = {.fd = -1};
    int fd = job->keep.is_kept ? job->keep.fd : job->keep.out.fd;
    enum cof_err err = cof_file_out_open(&out, job->path, 0600, diag);

    if (err == COF_OK)
        err = sealed_open_file(&job->task->sealing, fd, &out, &shown->size, diag);
    if (err == COF_OK)
        err = cof_file_out_commit(&out, diag);
    cof_file_out_close(&out);
    return err;
}

static void on_done(void *ctx, enum cof_err err, const struct cof_s3_object *object, const struct cof_diag *diag)
{
    struct job *job = ctx;
    struct task *t = job->task;
    struct cof_diag full = diag != NULL ? *diag : (struct cof_diag){0};
    struct cof_s3_object shown = object != NULL ? *object : (struct cof_s3_object){0};
    char url[1200], extra[64];

    if (err == COF_OK && t->sealing.is_on)
        err = open_sealed(job, &shown, &full);
    else if (err == COF_OK)
        err = keep_download_commit(&job->keep, &full);
    if (err == COF_OK && strcmp(job->path, "-") != 0) {
        (void)snprintf(url, sizeof url, "s3://%.*s/%s", (int)t->bucket.len, (const char *)t->bucket.data, job->item->key);
        (void)snprintf(extra, sizeof extra, ",\"checked\":\"%s\"", object->checked != NULL ? object->checked : "");
        batch_say(&t->batch, url, job->path, &shown, extra);
    } else if (err != COF_OK && job->keep.is_kept && !t->sealing.is_on && full.hint[0] == '\0' && err != COF_E_AUTH) {
        cof_diag_hint(&full, err == COF_E_NO_SPACE ? "free some space; then the same command goes on where this one stopped"
                                                  : "the same command goes on where this one stopped");
    }
    batch_done_item(&t->batch, job->item, err, &full);
    end_job(job, err == COF_OK || err == COF_E_AUTH || job->task->sealing.is_on);
}

/* Where the item goes. */
static enum cof_err target_path(const struct task *t, const struct batch_item *item, char out[static 4096], struct cof_diag *diag)
{
    const char *slash = t->is_folder && t->target[0] != '\0' && t->target[strlen(t->target) - 1] != '/' ? "/" : "";
    int n;

    if (t->is_folder && !listing_is_safe(item->path))
        return cof_diag_set(diag, COF_E_DENIED, "the key cannot be the name of a file below a folder; name the file");
    n = snprintf(out, 4096, "%s%s%s", t->target, slash, t->is_folder ? item->path : "");
    return n > 0 && n < 4096 ? COF_OK : cof_diag_set(diag, COF_E_USAGE, "the file's name is too long");
}

static enum cof_err choose_path(struct job *job, struct cof_diag *diag)
{
    const struct task *t = job->task;
    struct stat st;
    enum cof_err err = target_path(t, job->item, job->path, diag);

    if (err != COF_OK)
        return err;
    if (t->config->no_overwrite && strcmp(job->path, "-") != 0 && lstat(job->path, &st) == 0)
        return cof_diag_set(diag, COF_E_EXISTS, "%s: is there already", job->path);
    return COF_OK;
}

static enum cof_err choose_store(struct job *job, struct cof_diag *diag)
{
    const char *tmp = cof_env_get(&cof_env_process, "TMPDIR");
    int n;

    if (job->task->sealing.is_on && !path_is_file(job->path))
        n = snprintf(job->store, sizeof job->store, "%s/coffer-get-%ld", tmp != NULL ? tmp : "/tmp", (long)getpid());
    else
        n = snprintf(job->store, sizeof job->store, "%s", job->path);
    return n > 0 && (size_t)n < sizeof job->store ? COF_OK
                                                  : cof_diag_set(diag, COF_E_USAGE, "the file's name is too long");
}

static enum cof_err start(struct batch *b, struct batch_item *item, struct cof_diag *diag)
{
    struct task *t = b->ctx;
    struct job *job = calloc(1, sizeof *job);
    struct cof_s3_receive_opts opts = {.part_size = t->config->batch.part_size, .lanes = &b->lanes, .pace = &b->pace};
    struct cof_s3_receive_events events = {on_begun, on_write, on_stored, on_moved, on_done, job};
    enum cof_err err;

    if (job == NULL)
        return COF_E_MEMORY;
    job->task = t;
    job->item = item;
    job->next = t->jobs;
    if (t->jobs != NULL)
        t->jobs->prev = job;
    t->jobs = job;
    keep_download_init(&job->keep);
    opts.get = (struct cof_s3_get){.bucket = t->bucket, .key = cof_view_str(item->key), .sse = t->sse.is,
                                   .version_id = cof_view_str(t->config->version)};
    err = choose_path(job, diag);
    if (err == COF_OK)
        err = choose_store(job, diag);
    opts.in_order = err == COF_OK && !path_is_file(job->store);
    opts.gather = opts.in_order ? 0 : COF_FILE_WRITE_MAX;
    if (err == COF_OK)
        err = cof_s3_receive_start(b->aws, &opts, &events, &job->receive);
    if (err != COF_OK)
        end_job(job, false);
    return err;
}

static void pump_all(struct batch *b)
{
    for (struct job *job = ((struct task *)b->ctx)->jobs; job != NULL; job = job->next)
        if (job->receive != NULL)
            cof_s3_receive_pump(job->receive);
}

static enum cof_err choose_target(struct task *t, const char *given, struct cof_diag *diag)
{
    size_t len;
    struct stat st;
    bool many = t->config->batch.recursive;
    enum cof_err err = many ? COF_OK : listing_is_glob(&t->aws.session.aws, t->bucket, t->key, &many, diag);

    if (err != COF_OK)
        return err;
    t->target = given != NULL ? given : ".";
    len = strlen(t->target);
    t->is_folder = many || (len > 0 && t->target[len - 1] == '/') || (stat(t->target, &st) == 0 && S_ISDIR(st.st_mode));
    if (many && strcmp(t->target, "-") == 0)
        return cof_diag_set(diag, COF_E_USAGE, "several objects go into a folder, not to standard output");
    if (many && t->config->version != NULL)
        return cof_diag_set(diag, COF_E_USAGE, "--version-id is of one object");
    if (!many && t->key.len == 0)
        return cof_diag_set(diag, COF_E_USAGE, "no key; --recursive fetches all of the bucket");
    return COF_OK;
}

static enum cof_err say_dry(const struct task *t, struct cof_diag *diag)
{
    char url[1200], path[4096];
    enum cof_err err = COF_OK;

    for (size_t i = 0; i < t->batch.n; i++) {
        struct cof_diag why = {0};
        enum cof_err failed = target_path(t, &t->batch.items[i], path, &why);

        (void)snprintf(url, sizeof url, "s3://%.*s/%s", (int)t->bucket.len, (const char *)t->bucket.data, t->batch.items[i].key);
        if (failed == COF_OK)
            batch_say_would(&t->batch, "fetch", url, path);
        else
            err = cof_diag_set(diag, failed, "%s: %s", url, why.text);
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
        err = sse_read(&t.config->sse, &t.sse, diag);
    if (err == COF_OK)
        err = sealing_read(&t.config->seal, &t.config->aws, false, &t.sealing, diag);
    if (err == COF_OK)
        err = s3_url_split(args[0], &t.bucket, &t.key, diag);
    if (err == COF_OK)
        err = aws_open(&t.aws, &t.config->aws, diag);
    if (err == COF_OK)
        err = aws_ready(&t.aws, diag);
    if (err == COF_OK)
        err = choose_target(&t, args[1], diag);
    if (err == COF_OK)
        err = listing_collect(&t.batch, &t.aws.session.aws, t.bucket, t.key, diag);
    if (err == COF_OK)
        err = batch_empty(&t.batch, t.key, diag);
    if (err == COF_OK && t.config->batch.dry_run) {
        err = say_dry(&t, diag);
    } else if (err == COF_OK) {
        err = batch_run(&t.batch, &t.aws.session.aws, diag);
    }
    aws_close(&t.aws);
    batch_done(&t.batch);
    sse_done(&t.sse);
    sealing_done(&t.sealing);
    return err;
}

static int run_get(int argc, char **argv)
{
    struct config config = {.sse = SSE_OPTIONS_DEFAULT, .batch = BATCH_OPTIONS_DEFAULT};

    return verb_run(PROG, &command, &config, run, argc, argv);
}

const struct verb verb_get = {"get", &command, run_get};
