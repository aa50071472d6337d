/* SPDX-License-Identifier: Apache-2.0
 *
 * An entry of the spool to S3: created, never replaced. An object that is there with the entry's own bytes is the entry (its answer
 * was lost); another one keeps its name, and the entry goes under one with its id.
 */
#include "keep.h"
#include "watch.h"

#include "format/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct watch_job {
    struct watch *w;
    struct spool_entry *entry;
    struct source file;
    struct cof_s3_source whole;
    struct keep_upload keep;
    struct cof_s3_send *send;
    bool is_renamed;
    char key[1100];
    struct watch_job *next;
};

static enum cof_err read_message(void *ctx, uint64_t offset, uint8_t *data, size_t len, struct cof_diag *diag)
{
    struct watch_job *job = ctx;

    return job->whole.read_at(job->whole.ctx, job->entry->head + offset, data, len, diag);
}

static enum cof_err on_begun(void *ctx, const char *upload_id, uint64_t part_size, struct cof_diag *diag)
{
    struct watch_job *job = ctx;

    (void)snprintf(job->keep.upload_id, sizeof job->keep.upload_id, "%s", upload_id);
    job->keep.part_size = part_size;
    return keep_upload_write(&job->keep, &job->file.st, diag);
}

static void end_job(struct watch_job *job)
{
    struct watch *w = job->w;

    for (struct watch_job **at = &w->jobs; *at != NULL; at = &(*at)->next)
        if (*at == job) {
            *at = job->next;
            break;
        }
    source_close(&job->file);
    w->n_under_way--;
    job->entry->is_under_way = false;
    cof_loop_discard(w->loop, job);
}

void watch_send_cancel(struct watch *w)
{
    while (w->jobs != NULL) {
        cof_s3_send_cancel(w->jobs->send);
        end_job(w->jobs);
    }
}

static enum cof_err start(struct watch *w, struct spool_entry *entry, bool renamed, struct cof_diag *diag);

static void say_sent(struct watch_job *job, const struct cof_s3_object *object)
{
    struct cof_buf json, text;

    cof_buf_init(&json, 16384);
    cof_buf_init(&text, 4096);
    cof_json_add_member(&json, "sent", cof_view_str(job->key));
    cof_json_add_member_int(&json, "bytes", (int64_t)object->size);
    cof_json_add_member(&json, "encryption", cof_view_str(cof_sse_name(object->sse)));
    cof_buf_printf(&text, "sent %s (%llu bytes, %s)", job->key, (unsigned long long)object->size, cof_sse_name(object->sse));
    watch_sent(job->w, job->entry, cof_buf_cstr(&text), cof_buf_cstr(&json));
    cof_buf_done(&json);
    cof_buf_done(&text);
}

static void on_done(void *ctx, enum cof_err err, const struct cof_s3_object *object, uint64_t stored_before,
                    const struct cof_diag *diag)
{
    struct watch_job *job = ctx;
    struct watch *w = job->w;
    struct spool_entry *entry = job->entry;
    struct cof_diag full = {0};

    (void)stored_before;
    if (err == COF_OK || !cof_s3_send_is_worth_again(err))
        keep_upload_forget(&job->keep);
    end_job(job); /* which stays until this turn of the loop is over */
    if (err == COF_OK) {
        say_sent(job, object);
        return;
    }
    if (err == COF_E_PRECONDITION && !job->is_renamed) {
        err = start(w, entry, true, &full);
        if (err == COF_OK)
            return;
        diag = &full;
    }
    watch_failed(w, entry, err, diag);
}

/* "a/b.jpg" as "a/b-0123456789abcdef.jpg" */
static void rename_key(const struct spool_entry *entry, char out[static 1100])
{
    const char *slash = strrchr(entry->key, '/'), *dot = strrchr(entry->key, '.');
    size_t stem = dot != NULL && (slash == NULL || dot > slash + 1) ? (size_t)(dot - entry->key) : strlen(entry->key);
    char id[33];

    watch_entry_id(entry, id);
    (void)snprintf(out, 1100, "%.*s-%.16s%s", (int)stem, entry->key, id, entry->key + stem);
}

static enum cof_err start(struct watch *w, struct spool_entry *entry, bool renamed, struct cof_diag *diag)
{
    struct watch_job *job = calloc(1, sizeof *job);
    struct cof_s3_send_opts opts = {.lanes = &w->lanes, .pace = &w->pace, .keep_parts = true, .same_is_done = true};
    struct cof_s3_send_events events = {NULL, on_begun, on_done, job};
    char path[4096];
    enum cof_err err;

    if (job == NULL)
        return COF_E_MEMORY;
    job->w = w;
    job->entry = entry;
    job->is_renamed = renamed;
    (void)snprintf(job->key, sizeof job->key, "%s", entry->key);
    if (renamed)
        rename_key(entry, job->key);
    job->next = w->jobs;
    w->jobs = job;
    w->n_under_way++;
    entry->is_under_way = true;
    spool_path(&w->spool, entry, path);
    err = source_open(&job->file, path, &job->whole, diag);
    if (err == COF_OK && (job->whole.read_at == NULL || job->whole.length < entry->head))
        err = cof_diag_set(diag, COF_E_FORMAT, "%s: is no entry any more", path);
    opts.put = (struct cof_s3_put){.bucket = w->bucket, .key = cof_view_str(job->key), .sse = w->sse.is, .checksum = w->sse.checksum,
                                   .create_only = true, .attributes.content_type = cof_view_str(w->config->type)};
    opts.source = (struct cof_s3_source){.read_at = read_message, .length = entry->size - entry->head, .ctx = job};
    if (err == COF_OK && opts.source.length > COF_S3_PART_DEFAULT) {
        keep_upload_find(&job->keep, &w->aws.session.aws, &opts.put, path, &job->file.st);
        opts.upload_id = cof_view_str(job->keep.upload_id);
        opts.upload_part_size = job->keep.part_size;
    }
    if (err == COF_OK)
        err = cof_s3_send_start(&w->aws.session.aws, &opts, &events, &job->send);
    if (err != COF_OK)
        end_job(job);
    return err;
}

enum cof_err watch_send(struct watch *w, struct spool_entry *entry, struct cof_diag *diag)
{
    return start(w, entry, false, diag);
}
