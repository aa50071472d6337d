/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer watch: what appears in a folder is sealed at once, kept durably, and sent to S3 or a gateway when the link allows.
 *
 * The order of things makes it safe at any moment: an entry of the spool is durable before its file is deleted, and is sent only
 * after that; it is deleted only after S3 said that it has the same bytes, or the gateway that it has the job. A file that is still there with its entry (a crash came
 * between) is deleted, not sealed again. An entry sent a second time (a crash came before it was deleted) finds its own bytes under
 * its key, and is done; a gateway knows it by its id.
 */
#include "verbs.h"
#include "watch.h"

#include "io/clock.h"

#include <errno.h>
#include <fcntl.h>
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
#define ENTRY_AGAIN_MS 60000 /* of an entry that was refused; doubles */
#define ENTRY_AGAIN_MAX_MS 3600000
#define PRIORITY 5

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#define O(field) offsetof(struct watch_config, field)
static const struct cof_option options[] = {
    SEAL_OPTIONS(struct watch_config, "seal", "who can open what is sent; repeatable, at least one"),
    {"open", 0, COF_OPT_LIST, "KEYRING", "to a gateway: opens what waits when it is sent (default: the --seal keyrings)", O(open.keyrings)},
    {"spool", 0, COF_OPT_TEXT, "FOLDER", "where sealed files wait (default: FOLDER/.coffer-spool)", O(spool)},
    {"quota", 0, COF_OPT_SIZE, "SIZE", "most bytes that wait there; then files wait unsealed (default: no limit)", O(quota)},
    {"retain", 0, COF_OPT_NUMBER, "SECONDS", "how long what was sent is kept, sealed, in FOLDER/sent (default: not at all)", O(retain_s)},
    {"priority", 'p', COF_OPT_LIST, "GLOB=N", "0 to 9, higher is sent first (default 5); repeatable, the first match counts", O(priorities)},
    {"exclude", 0, COF_OPT_LIST, "GLOB", "files to leave alone; repeatable (hidden ones always are)", O(exclude)},
    {"settle", 0, COF_OPT_NUMBER, "SECONDS", "a file found, not seen being closed, must be so old (default 2)", O(settle_s)},
    {"once", 0, COF_OPT_FLAG, NULL, "send what is there, then end: exit code 4 when something is left", O(once)},
    {"jobs", 'j', COF_OPT_NUMBER, "N", "requests at the same time, 1 to 64 (default 4)", O(jobs)},
    {"limit-rate", 0, COF_OPT_SIZE, "SIZE", "at most so many bytes a second", O(rate)},
    {"type", 't', COF_OPT_TEXT, "TYPE", "media type (default application/octet-stream; to a gateway: by the first bytes)", O(type)},
    {"json", 0, COF_OPT_FLAG, NULL, "one JSON object a line", O(json)},
    {"quiet", 'q', COF_OPT_FLAG, NULL, "only errors", O(quiet)},
    GATEWAY_OPTIONS(struct watch_config),
    SSE_PUT_OPTIONS(struct watch_config),
    AWS_OPTIONS(struct watch_config),
};
static const struct cof_command command = {
    .name = "watch",
    .args = "FOLDER s3://BUCKET/[PREFIX/]|https://GATEWAY",
    .summary = "Seals what appears in a folder at once, and sends it to S3 or a gateway when the link allows.",
    .details = "A file is sealed when it was closed after writing or moved in, then deleted; its sealed copy waits in the spool until S3 "
               "has it. kill -9 or a power cut at any moment loses nothing and sends nothing under two names. An object that is there "
               "already is never replaced: then the key gets the entry's id before its extension.\n"
               "With a raw-rsa keyring of a public key the device can seal without a link, and cannot open what it sealed.\n"
               "To a gateway (coffer-producer) each file becomes a job. The gateway seals it for the enclave, so it must get the file "
               "itself, over TLS: the entry is opened in memory when it is sent, and the device needs a key that can, such as raw-aes "
               "of a key file that does not lie on the same disk. The entry's id goes as Idempotency-Key: sent again it is no second "
               "job. Empty files are left where they are.\n" KEYRINGS_HELP,
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 2,
    .max_args = 2,
};

static void warn(enum cof_err err, const struct cof_diag *diag)
{
    cof_fail(PROG, err, diag);
}

static void arm(struct watch *w, struct cof_timer *timer, int64_t after_ms)
{
    enum cof_err err = cof_loop_arm(w->loop, timer, after_ms);

    if (err != COF_OK) { /* without timers it cannot go on */
        w->err = err;
        w->is_done = w->is_awake = true;
    }
}

/* --- sending --- */

void watch_entry_id(const struct spool_entry *entry, char out[static 33])
{
    const char *dash = strrchr(entry->name, '-'), *id = dash == NULL ? entry->name : dash + 1;

    (void)snprintf(out, 33, "%.*s", (int)strcspn(id, "."), id);
}

void watch_wants_link(struct watch *w)
{
    w->wants_link = w->is_awake = true;
}

static void end(struct watch *w)
{
    w->is_done = w->is_awake = true;
}

void watch_sent(struct watch *w, struct spool_entry *entry, const char *text, const char *json)
{
    if (!w->config->quiet && w->config->json)
        (void)printf("{%s,\"waiting\":%zu}\n", json, w->spool.n - 1);
    else if (!w->config->quiet) {
        print_name(cof_view_str(text)); /* it holds the file's name */
        (void)printf("\n");
    }
    (void)fflush(stdout);
    w->link_failures = 0;
    w->n_sent++;
    spool_remove(&w->spool, entry, w->config->retain_s > 0);
    if (w->is_told_full) /* there is room again for what had to stay where it was */
        arm(w, &w->scan, 0);
    arm(w, &w->send, 0);
}

/* first, doubled for each failure after the first */
static int64_t pause_of(unsigned n_failures, int64_t first_ms, int64_t max_ms)
{
    int64_t pause = first_ms << (n_failures < 7 ? n_failures - 1 : 6);

    return pause > max_ms ? max_ms : pause;
}

static void link_failed(struct watch *w)
{
    w->link_not_before_ms = cof_loop_now_ms(w->loop) + pause_of(++w->link_failures, LINK_AGAIN_MS, LINK_AGAIN_MAX_MS);
}

/* A failure of the link holds everything back, one of the entry only that. */
void watch_failed(struct watch *w, struct spool_entry *entry, enum cof_err err, const struct cof_diag *diag)
{
    struct cof_diag full = {0};

    (void)cof_diag_set(&full, err, "%s: %s", entry->key, diag != NULL && diag->text[0] != '\0' ? diag->text : cof_err_text(err));
    if (diag != NULL && diag->hint[0] != '\0')
        cof_diag_hint(&full, "%s", diag->hint);
    warn(err, &full);
    w->n_failed++;
    if (cof_err_class(err) == COF_CLASS_RETRY || cof_err_class(err) == COF_CLASS_IO)
        link_failed(w);
    else
        entry->not_before_ms = cof_loop_now_ms(w->loop) + pause_of(++entry->failures, ENTRY_AGAIN_MS, ENTRY_AGAIN_MAX_MS);
    if (w->config->once)
        entry->not_before_ms = INT64_MAX;
    arm(w, &w->send, 0);
}

static bool has_link(const struct watch *w)
{
    return w->to_gateway ? gateway_is_ready(&w->gateway) : w->aws.session.aws.credentials.access_key_id.len > 0;
}

static void pump_send(struct watch *w)
{
    int64_t now = cof_loop_now_ms(w->loop), next = INT64_MAX;
    size_t left = 0;

    for (struct spool_entry *e = w->spool.first; e != NULL && !w->is_done; e = e->next) {
        int64_t due = e->not_before_ms > w->link_not_before_ms ? e->not_before_ms : w->link_not_before_ms;
        struct cof_diag diag = {0};
        enum cof_err err;

        left += !e->is_under_way && e->not_before_ms != INT64_MAX;
        if (e->is_under_way || w->wants_link || w->lanes.used >= w->lanes.max || w->n_under_way >= w->lanes.max)
            continue;
        if (due > now) {
            next = due < next ? due : next;
            continue;
        }
        if (!has_link(w)) {
            watch_wants_link(w);
            continue;
        }
        err = w->to_gateway ? watch_submit(w, e, &diag) : watch_send(w, e, &diag);
        if (err != COF_OK)
            watch_failed(w, e, err, &diag);
    }
    if (next != INT64_MAX)
        arm(w, &w->send, next > now ? next - now : 0);
    if (w->config->once && w->n_under_way == 0 && left == 0 && !w->scan.armed && !w->send.armed)
        end(w);
}

static void on_send(struct cof_timer *timer)
{
    pump_send(OWNER(timer, struct watch, send));
}

/* Outside the loop's callbacks, which run meanwhile: files are sealed while there is no link. */
static void find_link(struct watch *w)
{
    struct cof_diag diag = {0};
    enum cof_err err = w->to_gateway ? gateway_ready(&w->gateway, &diag) : aws_ready(&w->aws, &diag);

    w->wants_link = false;
    w->is_awake = w->is_done;
    if (err != COF_OK) {
        warn(err, &diag);
        w->n_failed++;
        link_failed(w);
        for (struct spool_entry *e = w->spool.first; e != NULL && w->config->once; e = e->next)
            e->not_before_ms = INT64_MAX;
    }
    arm(w, &w->send, 0);
}

/* --- sealing --- */

static bool is_hidden(const char *relative)
{
    return relative[0] == '.' || strstr(relative, "/.") != NULL;
}

static bool wants(const struct watch *w, const char *relative)
{
    const char *base = strrchr(relative, '/');

    base = base == NULL ? relative : base + 1;
    for (size_t i = 0; i < w->config->exclude.n; i++)
        if (fnmatch(w->config->exclude.items[i], relative, 0) == 0 || fnmatch(w->config->exclude.items[i], base, 0) == 0)
            return false;
    return !is_hidden(relative);
}

static unsigned priority_of(const struct watch *w, const char *relative)
{
    const char *base = strrchr(relative, '/');
    char glob[1024];

    for (size_t i = 0; i < w->config->priorities.n; i++) {
        const char *text = w->config->priorities.items[i], *equals = strrchr(text, '=');
        (void)snprintf(glob, sizeof glob, "%.*s", (int)(equals - text), text);
        if (fnmatch(glob, relative, 0) == 0 || (base != NULL && fnmatch(glob, base + 1, 0) == 0))
            return (unsigned)(equals[1] - '0');
    }
    return PRIORITY;
}

static bool is_full(struct watch *w, uint64_t more)
{
    bool full = w->config->quota > 0 && w->spool.bytes + more > w->config->quota;

    if (full && !w->is_told_full)
        (void)fprintf(stderr, PROG ": warning: the spool is full (%llu bytes wait): files stay where they are until some were sent\n",
                      (unsigned long long)w->spool.bytes);
    w->is_told_full = full;
    return full;
}

/* What a gateway is told that the file is; it looks whether that is true. */
static const char *type_of(const struct watch *w, const char *path)
{
    uint8_t first[GATEWAY_SNIFF];
    ssize_t n = -1;
    int fd;

    if (!w->to_gateway || w->config->type != NULL)
        return w->config->type;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0) {
        n = read(fd, first, sizeof first);
        (void)close(fd);
    }
    return gateway_media_type(cof_view_of(first, n > 0 ? (size_t)n : 0));
}

static enum cof_err seal_file(struct watch *w, const char *path, const char *relative, bool is_closed, struct cof_diag *diag)
{
    struct spool_entry *entry;
    char id[33], key[1100];
    struct stat st;
    int64_t age_ms;
    enum cof_err err;

    if (!wants(w, relative) || lstat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return COF_OK;
    err = spool_id(relative, &st, id);
    if (err == COF_OK && spool_find(&w->spool, id) != NULL) /* sealed before a crash */
        return watch_take_away(path, &st, diag);
    age_ms = cof_clock_wall_ms() - ((int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000);
    if (err != COF_OK || (!is_closed && age_ms < (int64_t)w->config->settle_s * 1000 && age_ms > -86400000) ||
        (w->to_gateway && st.st_size == 0) || is_full(w, (uint64_t)st.st_size))
        return err;
    if (snprintf(key, sizeof key, "%.*s%s", (int)w->prefix.len, (const char *)w->prefix.data, relative) > 1000)
        return cof_diag_set(diag, COF_E_USAGE, "%s: its key would be too long", path);
    err = spool_add(&w->spool, &w->sealing, path, &st, id, key, type_of(w, path), priority_of(w, relative), &entry, diag);
    if (err != COF_OK)
        return err;
    err = watch_take_away(path, &st, diag);
    if (err != COF_OK)
        spool_remove(&w->spool, entry, false); /* else it would be sent again and again */
    else
        arm(w, &w->send, 0);
    return err;
}

/* One file that cannot be sealed does not hold up others. */
static enum cof_err each_found(void *ctx, const char *path, const char *relative, uint64_t size, struct cof_diag *diag)
{
    struct watch *w = ctx;
    struct cof_diag why = {0};
    char back[4096];
    enum cof_err err = COF_OK;

    (void)size;
    (void)diag;
    if (watch_was_taken(path)) { /* a crash came between */
        err = watch_give_back(path, back, &why);
        relative = back + (relative - path);
        path = back;
    }
    if (err == COF_OK)
        err = seal_file(w, path, relative, false, &why);
    if (err != COF_OK && err != COF_E_TRUNCATED) {
        warn(err, &why);
        w->n_failed++;
    }
    return COF_OK;
}

static void on_scan(struct cof_timer *timer)
{
    struct watch *w = OWNER(timer, struct watch, scan);
    struct cof_diag diag = {0};
    enum cof_err err = source_walk(w->folder, each_found, w, false, &diag);

    if (err != COF_OK)
        warn(err, &diag);
    if (w->config->retain_s > 0)
        spool_forget_sent(&w->spool, (int64_t)w->config->retain_s);
    if (!w->config->once)
        arm(w, &w->scan, SCAN_MS);
    else if (w->n_sent > 0)
        arm(w, &w->send, 0);
}

static void on_notify(struct cof_watch *watch, unsigned events)
{
    struct watch *w = OWNER(watch, struct watch, notify);
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
            arm(w, &w->scan, 0);
        if (e->len == 0 || (e->mask & IN_ISDIR) != 0 ||
            snprintf(path, sizeof path, "%s/%s", w->folder, e->name) >= (int)sizeof path)
            continue;
        err = seal_file(w, path, e->name, true, &diag);
        if (err != COF_OK && err != COF_E_TRUNCATED) /* what changes meanwhile is closed once more */
            warn(err, &diag);
    }
}

static void on_signal(struct cof_watch *watch, unsigned events)
{
    struct watch *w = OWNER(watch, struct watch, signals);

    (void)events;
    end(w); /* everything is durable already */
}

static void lane_freed(void *ctx)
{
    pump_send(ctx);
}

static enum cof_err check_destination(const struct watch *w, struct cof_diag *diag)
{
    const struct watch_config *c = w->config;
    bool has_gateway = c->gateway.token_file != NULL || c->gateway.token_url != NULL || c->gateway.client_file != NULL ||
                       c->gateway.ca_file != NULL || c->open.keyrings.n > 0;

    if (!w->to_gateway && has_gateway)
        return cof_diag_set(diag, COF_E_USAGE, "--open, --token-file, --token-url, --client-file and --ca-file go with a gateway, https://...");
    if (w->to_gateway && (c->sse.mode != NULL || c->sse.checksum != NULL))
        return cof_diag_set(diag, COF_E_USAGE, "-e and --checksum-algorithm go with s3://BUCKET/; the gateway stores as it is set up to");
    if (!w->to_gateway && w->prefix.len > 0 && w->prefix.data[w->prefix.len - 1] != '/')
        return cof_diag_set(diag, COF_E_USAGE, "the prefix must end in /");
    return COF_OK;
}

static enum cof_err check_config(const struct watch *w, struct cof_diag *diag)
{
    const struct watch_config *c = w->config;

    if (c->seal.keyrings.n == 0) {
        (void)cof_diag_set(diag, COF_E_USAGE, "--seal is needed: who can open what %s", w->to_gateway ? "waits" : "is sent");
        cof_diag_hint(diag, "%s", w->to_gateway ? "such as --seal raw-aes:camera:spool:spool.key, of a key that 'coffer keygen' made"
                                                : "such as --seal raw-rsa:fleet:owner:oaep-sha256:owner-public.pem, or --seal kms:ARN");
        return COF_E_USAGE;
    }
    for (size_t i = 0; i < c->priorities.n; i++) {
        const char *equals = strrchr(c->priorities.items[i], '=');
        if (equals == NULL || equals == c->priorities.items[i] || equals[1] < '0' || equals[1] > '9' || equals[2] != '\0')
            return cof_diag_set(diag, COF_E_USAGE, "--priority '%s': write GLOB=N, N from 0 to 9", c->priorities.items[i]);
    }
    if (c->jobs == 0 || c->jobs > COF_S3_LANES_MAX)
        return cof_diag_set(diag, COF_E_USAGE, "--jobs: 1 to %d", COF_S3_LANES_MAX);
    if (access(w->folder, R_OK | W_OK | X_OK) != 0)
        return cof_diag_set(diag, cof_err_from_errno(errno), "%s: %s", w->folder, strerror(errno));
    return check_destination(w, diag);
}

static enum cof_err watch_folder(struct watch *w, struct cof_diag *diag)
{
    sigset_t set;
    enum cof_err err;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    w->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    w->notify.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (w->signals.fd < 0 || w->notify.fd < 0 ||
        inotify_add_watch(w->notify.fd, w->folder, IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR) < 0)
        return cof_diag_set(diag, cof_err_from_errno(errno), "%s: %s", w->folder, strerror(errno));
    w->notify.ready = on_notify;
    w->signals.ready = on_signal;
    err = cof_loop_watch(w->loop, &w->signals, COF_READABLE);
    if (err == COF_OK && !w->config->once)
        err = cof_loop_watch(w->loop, &w->notify, COF_READABLE);
    return err;
}

static void close_watches(struct watch *w)
{
    if (w->notify.fd >= 0)
        (void)close(w->notify.fd);
    if (w->signals.fd >= 0)
        (void)close(w->signals.fd);
}

static enum cof_err serve(struct watch *w, struct cof_diag *diag)
{
    enum cof_err err = watch_folder(w, diag);

    if (err != COF_OK)
        return err;
    on_scan(&w->scan); /* before anything is sent: files whose entry is there are deleted */
    arm(w, &w->send, 0);
    while (err == COF_OK && !w->is_done) {
        err = cof_loop_run_until(w->loop, &w->is_awake, -1);
        if (err == COF_OK && w->wants_link && !w->is_done)
            find_link(w);
    }
    watch_send_cancel(w); /* told to end: the next run goes on with them */
    watch_submit_cancel(w);
    if (err == COF_OK)
        err = w->err;
    if (err == COF_OK && w->config->once && w->spool.n > 0) {
        err = cof_diag_set(diag, COF_E_RETRY, "%zu files wait in %s", w->spool.n, w->spool.path);
        cof_diag_hint(diag, "they are sent by the next run");
    }
    return err;
}

/* To a gateway the device must be able to open what it seals: better seen now than when files wait. */
static enum cof_err read_opening(struct watch *w, struct cof_diag *diag)
{
    const struct watch_config *c = w->config;
    enum cof_err err;

    w->open_options = (struct seal_options){.keyrings = c->open.keyrings.n > 0 ? c->open.keyrings : c->seal.keyrings,
                                            .context = c->seal.context};
    err = sealing_read(&w->open_options, &w->config->aws, false, &w->opening, diag);
    if (err == COF_OK)
        err = sealing_try(&w->sealing, &w->opening, diag);
    if (err == COF_E_AUTH || err == COF_E_NOT_FOUND) {
        (void)cof_diag_set(diag, COF_E_USAGE, "what --seal makes cannot be opened here, which sending to a gateway needs");
        cof_diag_hint(diag, "seal with raw-aes, or name with --open a keyring that has the private key");
        err = COF_E_USAGE;
    }
    return err;
}

static enum cof_err open_link(struct watch *w, char **args, struct cof_diag *diag)
{
    enum cof_err err;

    if (w->to_gateway) {
        w->gateway_options = w->config->gateway;
        w->gateway_options.producer = args[1];
        err = gateway_open(&w->gateway, &w->gateway_options, NULL, diag);
        w->loop = w->gateway.loop;
    } else {
        err = aws_open(&w->aws, &w->config->aws, diag);
        w->loop = w->aws.loop;
    }
    return err;
}

static enum cof_err run(const void *options_given, char **args, struct cof_diag *diag)
{
    struct watch *w = calloc(1, sizeof *w);
    char spool[3072];
    enum cof_err err = w == NULL ? COF_E_MEMORY : COF_OK;

    if (w == NULL)
        return err;
    *w = (struct watch){.config = options_given, .folder = args[0], .notify.fd = -1, .signals.fd = -1};
    w->to_gateway = strncmp(args[1], "https://", 8) == 0;
    w->scan.fire = on_scan;
    w->send.fire = on_send;
    w->lanes = (struct cof_s3_lanes){.max = (unsigned)w->config->jobs, .freed = lane_freed, .ctx = w};
    w->pace.bytes_per_s = w->config->rate;
    (void)snprintf(spool, sizeof spool, "%s/.coffer-spool", args[0]);
    if (!w->to_gateway)
        err = s3_url_split(args[1], &w->bucket, &w->prefix, diag);
    if (err == COF_OK)
        err = check_config(w, diag);
    if (err == COF_OK)
        err = sse_read(&w->config->sse, &w->sse, diag);
    if (err == COF_OK)
        err = sealing_read(&w->config->seal, &w->config->aws, true, &w->sealing, diag);
    if (err == COF_OK && w->to_gateway)
        err = read_opening(w, diag);
    if (err == COF_OK)
        err = spool_open(&w->spool, w->config->spool != NULL ? w->config->spool : spool, PROG, diag);
    if (err == COF_OK)
        err = open_link(w, args, diag);
    if (err == COF_OK)
        err = serve(w, diag);
    gateway_close(&w->gateway);
    aws_close(&w->aws);
    close_watches(w);
    spool_close(&w->spool);
    sse_done(&w->sse);
    sealing_done(&w->sealing);
    sealing_done(&w->opening);
    free(w);
    return err;
}

static int run_watch(int argc, char **argv)
{
    struct watch_config config = {.sse = SSE_OPTIONS_DEFAULT, .jobs = 4, .settle_s = 2};

    return verb_run(PROG, &command, &config, run, argc, argv);
}

const struct verb verb_watch = {"watch", &command, run_watch};
