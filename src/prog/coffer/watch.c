/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer watch: what appears in a folder is sealed at once, kept durably, and sent to S3 when the link allows.
 *
 * The order of things makes it safe at any moment: an entry of the spool is durable before its file is deleted, and is sent only
 * after that; it is deleted only after S3 said that it has the same bytes. A file that is still there with its entry (a crash came
 * between) is deleted, not sealed again. An entry sent a second time (a crash came before it was deleted) finds its own bytes under
 * its key, and is done.
 */
#include "keep.h"
#include "spool.h"
#include "sse_options.h"
#include "verbs.h"

#include "client/s3_send.h"
#include "format/json.h"
#include "io/clock.h"

#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define PROG "coffer watch"
#define SCAN_MS 5000         /* besides being told: folders below, and what was missed */
#define LINK_AGAIN_MS 1000   /* after the first failure; doubles */
#define LINK_AGAIN_MAX_MS 60000
#define PRIORITY 5

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

struct config {
    struct aws_options aws;
    struct sse_options sse;
    struct seal_options seal;
    struct cof_text_list priorities, exclude;
    const char *spool, *type;
    uint64_t jobs, rate, quota, settle_s, retain_s;
    bool once, json, quiet;
};

#define O(field) offsetof(struct config, field)
static const struct cof_option options[] = {
    SEAL_OPTIONS(struct config, "seal", "who can open what is sent; repeatable, at least one"),
    {"spool", 0, COF_OPT_TEXT, "FOLDER", "where sealed files wait (default: FOLDER/.coffer-spool)", O(spool)},
    {"quota", 0, COF_OPT_SIZE, "SIZE", "most bytes that wait there; then files wait unsealed (default: no limit)", O(quota)},
    {"retain", 0, COF_OPT_NUMBER, "SECONDS", "how long what was sent is kept, sealed, in FOLDER/sent (default: not at all)", O(retain_s)},
    {"priority", 'p', COF_OPT_LIST, "GLOB=N", "0 to 9, higher is sent first (default 5); repeatable, the first match counts", O(priorities)},
    {"exclude", 0, COF_OPT_LIST, "GLOB", "files to leave alone; repeatable (hidden ones always are)", O(exclude)},
    {"settle", 0, COF_OPT_NUMBER, "SECONDS", "a file found, not seen being closed, must be so old (default 2)", O(settle_s)},
    {"once", 0, COF_OPT_FLAG, NULL, "send what is there, then end: exit code 4 when something is left", O(once)},
    {"jobs", 'j', COF_OPT_NUMBER, "N", "requests at the same time, 1 to 64 (default 4)", O(jobs)},
    {"limit-rate", 0, COF_OPT_SIZE, "SIZE", "at most so many bytes a second", O(rate)},
    {"type", 't', COF_OPT_TEXT, "TYPE", "media type (default application/octet-stream)", O(type)},
    {"json", 0, COF_OPT_FLAG, NULL, "one JSON object a line", O(json)},
    {"quiet", 'q', COF_OPT_FLAG, NULL, "only errors", O(quiet)},
    SSE_PUT_OPTIONS(struct config),
    AWS_OPTIONS(struct config),
};
static const struct cof_command command = {
    .name = "watch",
    .args = "FOLDER s3://BUCKET/[PREFIX/]",
    .summary = "Seals what appears in a folder at once, and sends it to S3 when the link allows.",
    .details = "A file is sealed when it was closed after writing or moved in, then deleted; its sealed copy waits in the spool until S3 "
               "has it. kill -9 or a power cut at any moment loses nothing and sends nothing under two names. An object that is there "
               "already is never replaced: then the key gets the entry's id before its extension.\n"
               "With a raw-rsa keyring of a public key the device can seal without a link, and cannot open what it sealed.\n" KEYRINGS_HELP,
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 2,
    .max_args = 2,
};

struct task {
    const struct config *config;
    const char *folder;
    struct cof_view bucket, prefix;
    struct aws_use aws;
    struct sse sse;
    struct sealing sealing;
    struct spool spool;
    struct cof_s3_lanes lanes;
    struct cof_pace pace;
    struct cof_watch notify, signals;
    struct cof_timer scan, send;
    unsigned link_failures, n_under_way;
    int64_t link_not_before_ms;
    bool is_told_full, is_done;
    size_t n_sent, n_failed;
    struct job *jobs;
    enum cof_err err;
    struct cof_diag *diag;
};

struct job {
    struct task *task;
    struct spool_entry *entry;
    struct source file;
    struct cof_s3_source whole;
    struct keep_upload keep;
    struct cof_s3_send *send;
    bool is_renamed;
    char key[1100];
    struct job *next;
};

static void warn(const struct task *t, enum cof_err err, const struct cof_diag *diag)
{
    (void)t;
    cof_fail(PROG, err, diag);
}

static void arm(struct task *t, struct cof_timer *timer, int64_t after_ms)
{
    enum cof_err err = cof_loop_arm(t->aws.loop, timer, after_ms);

    if (err != COF_OK) { /* without timers it cannot go on */
        t->err = err;
        t->is_done = true;
    }
}

/* --- sending --- */

static void pump_send(struct task *t);

static enum cof_err read_message(void *ctx, uint64_t offset, uint8_t *data, size_t len, struct cof_diag *diag)
{
    struct job *job = ctx;

    return job->whole.read_at(job->whole.ctx, job->entry->head + offset, data, len, diag);
}

static enum cof_err on_begun(void *ctx, const char *upload_id, uint64_t part_size, struct cof_diag *diag)
{
    struct job *job = ctx;

    (void)snprintf(job->keep.upload_id, sizeof job->keep.upload_id, "%s", upload_id);
    job->keep.part_size = part_size;
    return keep_upload_write(&job->keep, &job->file.st, diag);
}

static void say_sent(const struct task *t, const struct job *job, const struct cof_s3_object *object)
{
    struct cof_buf out;

    if (t->config->quiet)
        return;
    cof_buf_init(&out, 16384);
    if (t->config->json) {
        cof_buf_add_str(&out, "{");
        cof_json_add_member(&out, "sent", cof_view_str(job->key));
        cof_json_add_member_int(&out, "bytes", (int64_t)object->size);
        cof_json_add_member(&out, "encryption", cof_view_str(cof_sse_name(object->sse)));
        cof_json_add_member_int(&out, "waiting", (int64_t)t->spool.n - 1);
        cof_buf_add_str(&out, "}");
    } else {
        cof_buf_printf(&out, "sent %s (%llu bytes, %s)", job->key, (unsigned long long)object->size, cof_sse_name(object->sse));
    }
    (void)printf("%s\n", cof_buf_cstr(&out));
    (void)fflush(stdout);
    cof_buf_done(&out);
}

static enum cof_err start_send(struct task *t, struct spool_entry *entry, bool renamed, struct cof_diag *diag);

/* A failure of the link holds everything back, one of the entry only that. */
static void postpone(struct task *t, struct spool_entry *entry, enum cof_err err)
{
    int64_t now = cof_loop_now_ms(t->aws.loop), pause;
    bool is_link = cof_err_class(err) == COF_CLASS_RETRY || cof_err_class(err) == COF_CLASS_IO;
    unsigned n = is_link ? ++t->link_failures : ++entry->failures;

    pause = (int64_t)LINK_AGAIN_MS << (n < 7 ? n - 1 : 6);
    pause = pause > LINK_AGAIN_MAX_MS ? LINK_AGAIN_MAX_MS : pause;
    if (is_link)
        t->link_not_before_ms = now + pause;
    else
        entry->not_before_ms = now + LINK_AGAIN_MAX_MS;
    if (t->config->once)
        entry->not_before_ms = INT64_MAX;
}

static void end_job(struct job *job)
{
    struct task *t = job->task;

    for (struct job **at = &t->jobs; *at != NULL; at = &(*at)->next)
        if (*at == job) {
            *at = job->next;
            break;
        }
    source_close(&job->file);
    t->n_under_way--;
    job->entry->is_under_way = false;
    cof_loop_discard(t->aws.loop, job);
}

static void on_done(void *ctx, enum cof_err err, const struct cof_s3_object *object, uint64_t stored_before,
                    const struct cof_diag *diag)
{
    struct job *job = ctx;
    struct task *t = job->task;
    struct spool_entry *entry = job->entry;
    struct cof_diag full = {0}, again = {0};

    (void)stored_before;
    if (err == COF_OK || !cof_s3_send_is_worth_again(err))
        keep_upload_forget(&job->keep);
    end_job(job);
    if (err == COF_OK) {
        say_sent(t, job, object);
        t->link_failures = 0;
        t->n_sent++;
        spool_remove(&t->spool, entry, t->config->retain_s > 0);
        if (t->is_told_full) /* there is room again for what had to stay where it was */
            arm(t, &t->scan, 0);
    } else if (err == COF_E_PRECONDITION && !job->is_renamed) {
        err = start_send(t, entry, true, &again);
        if (err != COF_OK) {
            warn(t, err, &again);
            postpone(t, entry, err);
        }
    } else {
        (void)cof_diag_set(&full, err, "%s: %s", job->key, diag != NULL && diag->text[0] != '\0' ? diag->text : cof_err_text(err));
        if (diag != NULL && diag->hint[0] != '\0')
            cof_diag_hint(&full, "%s", diag->hint);
        warn(t, err, &full);
        t->n_failed++;
        postpone(t, entry, err);
    }
    arm(t, &t->send, 0);
}

/* "a/b.jpg" as "a/b-0123456789abcdef.jpg" */
static void rename_key(const struct spool_entry *entry, char out[static 1100])
{
    const char *slash = strrchr(entry->key, '/'), *dot = strrchr(entry->key, '.'), *id = strrchr(entry->name, '-');
    size_t stem = dot != NULL && (slash == NULL || dot > slash + 1) ? (size_t)(dot - entry->key) : strlen(entry->key);

    (void)snprintf(out, 1100, "%.*s-%.16s%s", (int)stem, entry->key, id == NULL ? entry->name : id + 1, entry->key + stem);
}

static enum cof_err start_send(struct task *t, struct spool_entry *entry, bool renamed, struct cof_diag *diag)
{
    struct job *job = calloc(1, sizeof *job);
    struct cof_s3_send_opts opts = {.lanes = &t->lanes, .pace = &t->pace, .keep_parts = true, .same_is_done = true};
    struct cof_s3_send_events events = {NULL, on_begun, on_done, job};
    char path[4096];
    enum cof_err err;

    if (job == NULL)
        return COF_E_MEMORY;
    job->task = t;
    job->entry = entry;
    job->is_renamed = renamed;
    (void)snprintf(job->key, sizeof job->key, "%s", entry->key);
    if (renamed)
        rename_key(entry, job->key);
    job->next = t->jobs;
    t->jobs = job;
    t->n_under_way++;
    entry->is_under_way = true;
    spool_path(&t->spool, entry, path);
    err = source_open(&job->file, path, &job->whole, diag);
    if (err == COF_OK && (job->whole.read_at == NULL || job->whole.length < entry->head))
        err = cof_diag_set(diag, COF_E_FORMAT, "%s: is no entry any more", path);
    opts.put = (struct cof_s3_put){.bucket = t->bucket, .key = cof_view_str(job->key), .sse = t->sse.is, .checksum = t->sse.checksum, .create_only = true,
                                   .attributes.content_type = cof_view_str(t->config->type)};
    opts.source = (struct cof_s3_source){.read_at = read_message, .length = entry->size - entry->head, .ctx = job};
    if (err == COF_OK && opts.source.length > COF_S3_PART_DEFAULT) {
        keep_upload_find(&job->keep, &t->aws.session.aws, &opts.put, path, &job->file.st);
        opts.upload_id = cof_view_str(job->keep.upload_id);
        opts.upload_part_size = job->keep.part_size;
    }
    if (err == COF_OK)
        err = cof_s3_send_start(&t->aws.session.aws, &opts, &events, &job->send);
    if (err != COF_OK)
        end_job(job);
    return err;
}

static void pump_send(struct task *t)
{
    int64_t now = cof_loop_now_ms(t->aws.loop), next = INT64_MAX;
    struct cof_diag diag = {0};
    size_t left = 0;

    for (struct spool_entry *e = t->spool.first; e != NULL && !t->is_done; e = e->next) {
        int64_t due = e->not_before_ms > t->link_not_before_ms ? e->not_before_ms : t->link_not_before_ms;
        enum cof_err err = COF_OK;

        left += !e->is_under_way && e->not_before_ms != INT64_MAX;
        if (e->is_under_way || t->lanes.used >= t->lanes.max)
            continue;
        if (due > now) {
            next = due < next ? due : next;
            continue;
        }
        if (t->aws.session.aws.credentials.access_key_id.len == 0) /* there was no link for that before */
            err = aws_ready(&t->aws, &diag);
        if (err == COF_OK)
            err = start_send(t, e, false, &diag);
        if (err != COF_OK) {
            warn(t, err, &diag);
            t->n_failed++;
            postpone(t, e, err);
        }
    }
    if (next != INT64_MAX)
        arm(t, &t->send, next > now ? next - now : 0);
    if (t->config->once && t->n_under_way == 0 && left == 0 && !t->scan.armed)
        t->is_done = true;
}

static void on_send(struct cof_timer *timer)
{
    pump_send(OWNER(timer, struct task, send));
}

/* --- sealing --- */

static bool is_hidden(const char *relative)
{
    return relative[0] == '.' || strstr(relative, "/.") != NULL;
}

static bool wants(const struct task *t, const char *relative)
{
    const char *base = strrchr(relative, '/');

    base = base == NULL ? relative : base + 1;
    for (size_t i = 0; i < t->config->exclude.n; i++)
        if (fnmatch(t->config->exclude.items[i], relative, 0) == 0 || fnmatch(t->config->exclude.items[i], base, 0) == 0)
            return false;
    return !is_hidden(relative);
}

static unsigned priority_of(const struct task *t, const char *relative)
{
    const char *base = strrchr(relative, '/');
    char glob[1024];

    for (size_t i = 0; i < t->config->priorities.n; i++) {
        const char *text = t->config->priorities.items[i], *equals = strrchr(text, '=');
        (void)snprintf(glob, sizeof glob, "%.*s", (int)(equals - text), text);
        if (fnmatch(glob, relative, 0) == 0 || (base != NULL && fnmatch(glob, base + 1, 0) == 0))
            return (unsigned)(equals[1] - '0');
    }
    return PRIORITY;
}

static bool is_full(struct task *t, uint64_t more)
{
    bool full = t->config->quota > 0 && t->spool.bytes + more > t->config->quota;

    if (full && !t->is_told_full)
        (void)fprintf(stderr, PROG ": warning: the spool is full (%llu bytes wait): files stay where they are until some were sent\n",
                      (unsigned long long)t->spool.bytes);
    t->is_told_full = full;
    return full;
}

/* For good: a power cut must not bring it back after its entry was sent. */
static enum cof_err delete_file(const char *path, struct cof_diag *diag)
{
    enum cof_err err = unlink(path) != 0 ? cof_err_from_errno(errno) : cof_file_sync_folder(path);

    return err == COF_OK ? COF_OK : cof_diag_set(diag, err, "%s: cannot be deleted: %s", path, cof_err_text(err));
}

static enum cof_err seal_file(struct task *t, const char *path, const char *relative, bool is_closed, struct cof_diag *diag)
{
    struct spool_entry *entry;
    char id[33], key[1100];
    struct stat st;
    int64_t age_ms;
    enum cof_err err;

    if (!wants(t, relative) || lstat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return COF_OK;
    err = spool_id(relative, &st, id);
    if (err == COF_OK && spool_find(&t->spool, id) != NULL) /* sealed before a crash */
        return delete_file(path, diag);
    age_ms = cof_clock_wall_ms() - ((int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000);
    if (err != COF_OK || (!is_closed && age_ms < (int64_t)t->config->settle_s * 1000 && age_ms > -86400000) ||
        is_full(t, (uint64_t)st.st_size))
        return err;
    if (snprintf(key, sizeof key, "%.*s%s", (int)t->prefix.len, (const char *)t->prefix.data, relative) > 1000)
        return cof_diag_set(diag, COF_E_USAGE, "%s: its key would be too long", path);
    err = spool_add(&t->spool, &t->sealing, path, &st, id, key, priority_of(t, relative), &entry, diag);
    if (err != COF_OK)
        return err;
    err = delete_file(path, diag);
    if (err != COF_OK)
        spool_remove(&t->spool, entry, false); /* else it would be sent again and again */
    else
        arm(t, &t->send, 0);
    return err;
}

/* One file that cannot be sealed does not hold up others. */
static enum cof_err each_found(void *ctx, const char *path, const char *relative, uint64_t size, struct cof_diag *diag)
{
    struct task *t = ctx;
    struct cof_diag why = {0};
    enum cof_err err = seal_file(t, path, relative, false, &why);

    (void)size;
    (void)diag;
    if (err != COF_OK && err != COF_E_TRUNCATED) {
        warn(t, err, &why);
        t->n_failed++;
    }
    return COF_OK;
}

static void on_scan(struct cof_timer *timer)
{
    struct task *t = OWNER(timer, struct task, scan);
    struct cof_diag diag = {0};
    enum cof_err err = source_walk(t->folder, each_found, t, &diag);

    if (err != COF_OK)
        warn(t, err, &diag);
    if (t->config->retain_s > 0)
        spool_forget_sent(&t->spool, (int64_t)t->config->retain_s);
    if (!t->config->once)
        arm(t, &t->scan, SCAN_MS);
    else if (t->n_sent > 0)
        arm(t, &t->send, 0);
}

static void on_notify(struct cof_watch *watch, unsigned events)
{
    struct task *t = OWNER(watch, struct task, notify);
    _Alignas(struct inotify_event) char data[16384];
    ssize_t n = read(watch->fd, data, sizeof data);

    (void)events;
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *e = (const struct inotify_event *)(const void *)(data + at);
        struct cof_diag diag = {0};
        char path[4096];
        enum cof_err err;

        at += (ssize_t)sizeof *e + (ssize_t)e->len;
        if ((e->mask & IN_Q_OVERFLOW) != 0)
            arm(t, &t->scan, 0);
        if (e->len == 0 || (e->mask & IN_ISDIR) != 0 ||
            snprintf(path, sizeof path, "%s/%s", t->folder, e->name) >= (int)sizeof path)
            continue;
        err = seal_file(t, path, e->name, true, &diag);
        if (err != COF_OK && err != COF_E_TRUNCATED) /* what changes meanwhile is closed once more */
            warn(t, err, &diag);
    }
}

static void on_signal(struct cof_watch *watch, unsigned events)
{
    struct task *t = OWNER(watch, struct task, signals);

    (void)events;
    t->is_done = true; /* everything is durable already */
}

static void lane_freed(void *ctx)
{
    pump_send(ctx);
}

static enum cof_err check_config(struct task *t, struct cof_diag *diag)
{
    const struct config *c = t->config;

    if (c->seal.keyrings.n == 0) {
        (void)cof_diag_set(diag, COF_E_USAGE, "--seal is needed: who can open what is sent");
        cof_diag_hint(diag, "such as --seal raw-rsa:fleet:owner:oaep-sha256:owner-public.pem, or --seal kms:ARN");
        return COF_E_USAGE;
    }
    for (size_t i = 0; i < c->priorities.n; i++) {
        const char *equals = strrchr(c->priorities.items[i], '=');
        if (equals == NULL || equals == c->priorities.items[i] || equals[1] < '0' || equals[1] > '9' || equals[2] != '\0')
            return cof_diag_set(diag, COF_E_USAGE, "--priority '%s': write GLOB=N, N from 0 to 9", c->priorities.items[i]);
    }
    if (c->jobs == 0 || c->jobs > COF_S3_LANES_MAX)
        return cof_diag_set(diag, COF_E_USAGE, "--jobs: 1 to %d", COF_S3_LANES_MAX);
    if (t->prefix.len > 0 && t->prefix.data[t->prefix.len - 1] != '/')
        return cof_diag_set(diag, COF_E_USAGE, "the prefix must end in /");
    if (access(t->folder, R_OK | W_OK | X_OK) != 0)
        return cof_diag_set(diag, cof_err_from_errno(errno), "%s: %s", t->folder, strerror(errno));
    return COF_OK;
}

static enum cof_err watch_folder(struct task *t, struct cof_diag *diag)
{
    sigset_t set;
    enum cof_err err;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    t->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    t->notify.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (t->signals.fd < 0 || t->notify.fd < 0 ||
        inotify_add_watch(t->notify.fd, t->folder, IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR) < 0)
        return cof_diag_set(diag, cof_err_from_errno(errno), "%s: %s", t->folder, strerror(errno));
    t->notify.ready = on_notify;
    t->signals.ready = on_signal;
    err = cof_loop_watch(t->aws.loop, &t->signals, COF_READABLE);
    if (err == COF_OK && !t->config->once)
        err = cof_loop_watch(t->aws.loop, &t->notify, COF_READABLE);
    return err;
}

static void close_watches(struct task *t)
{
    if (t->notify.fd >= 0)
        (void)close(t->notify.fd);
    if (t->signals.fd >= 0)
        (void)close(t->signals.fd);
}

static enum cof_err serve(struct task *t, struct cof_diag *diag)
{
    enum cof_err err = watch_folder(t, diag);

    if (err != COF_OK)
        return err;
    on_scan(&t->scan); /* before anything is sent: files whose entry is there are deleted */
    arm(t, &t->send, 0);
    err = cof_loop_run_until(t->aws.loop, &t->is_done, -1);
    while (t->jobs != NULL) { /* told to end: the next run goes on with them */
        cof_s3_send_cancel(t->jobs->send);
        end_job(t->jobs);
    }
    if (err == COF_OK)
        err = t->err;
    if (err == COF_OK && t->config->once && t->spool.n > 0) {
        err = cof_diag_set(diag, COF_E_RETRY, "%zu files wait in %s", t->spool.n, t->spool.path);
        cof_diag_hint(diag, "they are sent by the next run");
    }
    return err;
}

static enum cof_err run(const void *options_given, char **args, struct cof_diag *diag)
{
    struct task t = {.config = options_given, .folder = args[0], .notify.fd = -1, .signals.fd = -1, .diag = diag};
    char spool[3072];
    enum cof_err err = s3_url_split(args[1], &t.bucket, &t.prefix, diag);

    t.scan.fire = on_scan;
    t.send.fire = on_send;
    t.lanes = (struct cof_s3_lanes){.max = (unsigned)t.config->jobs, .freed = lane_freed, .ctx = &t};
    t.pace.bytes_per_s = t.config->rate;
    (void)snprintf(spool, sizeof spool, "%s/.coffer-spool", args[0]);
    if (err == COF_OK)
        err = check_config(&t, diag);
    if (err == COF_OK)
        err = sse_read(&t.config->sse, &t.sse, diag);
    if (err == COF_OK)
        err = sealing_read(&t.config->seal, &t.config->aws, true, &t.sealing, diag);
    if (err == COF_OK)
        err = spool_open(&t.spool, t.config->spool != NULL ? t.config->spool : spool, PROG, diag);
    if (err == COF_OK)
        err = aws_open(&t.aws, &t.config->aws, diag);
    if (err == COF_OK)
        err = serve(&t, diag);
    aws_close(&t.aws);
    close_watches(&t);
    spool_close(&t.spool);
    sse_done(&t.sse);
    sealing_done(&t.sealing);
    return err;
}

static int run_watch(int argc, char **argv)
{
    struct config config = {.sse = SSE_OPTIONS_DEFAULT, .jobs = 4, .settle_s = 2};

    return verb_run(PROG, &command, &config, run, argc, argv);
}

const struct verb verb_watch = {"watch", &command, run_watch};
