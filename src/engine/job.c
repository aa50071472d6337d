/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/job.h"

#include "base/codec.h"
#include "engine/pad.h"
#include "format/json.h"

#include <stdio.h>
#include <string.h>

bool cof_job_is_id(struct cof_view text)
{
    if (text.len == 0 || text.len > COF_JOB_ID_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

static bool copy(struct cof_view v, char *out, size_t size)
{
    if (v.len == 0 || v.len >= size)
        return false;
    for (size_t i = 0; i < v.len; i++)
        if (v.data[i] < 0x20 || v.data[i] > 0x7e)
            return false;
    memcpy(out, v.data, v.len);
    out[v.len] = '\0';
    return true;
}

enum cof_err cof_job_make(struct cof_job *job, struct cof_view tenant, struct cof_view id, struct cof_view bucket,
                          struct cof_view media_type, int64_t submitted_ms)
{
    *job = (struct cof_job){.submitted_ms = submitted_ms};
    if (!cof_job_is_id(tenant) || !cof_job_is_id(id) || !copy(tenant, job->tenant, sizeof job->tenant) ||
        !copy(id, job->job, sizeof job->job) || !copy(bucket, job->bucket, sizeof job->bucket) ||
        !copy(media_type, job->media_type, sizeof job->media_type))
        return COF_E_FORMAT;
    (void)snprintf(job->key, sizeof job->key, "jobs/%s/%s", job->tenant, job->job);
    return COF_OK;
}

enum cof_err cof_job_write(const struct cof_job *job, struct cof_buf *out)
{
    cof_buf_add_str(out, "{");
    cof_json_add_member_int(out, "version", 1);
    cof_json_add_member(out, "tenant", cof_view_str(job->tenant));
    cof_json_add_member(out, "job", cof_view_str(job->job));
    cof_json_add_member(out, "bucket", cof_view_str(job->bucket));
    cof_json_add_member(out, "key", cof_view_str(job->key));
    cof_json_add_member(out, "media_type", cof_view_str(job->media_type));
    cof_json_add_member_int(out, "submitted_ms", job->submitted_ms);
    cof_json_add_member_int(out, "sealed_bytes", (int64_t)job->sealed_bytes);
    cof_json_add_member(out, "sealed_sha256", cof_view_str(job->sealed_sha256));
    cof_buf_add_str(out, "}");
    return cof_buf_err(out);
}

static enum cof_err read_members(const json_t *o, struct cof_job *out, struct cof_diag *diag)
{
    static const char *const names[] = {"version", "tenant", "job", "bucket", "key", "media_type", "submitted_ms",
                                        "sealed_bytes", "sealed_sha256", NULL};
    struct cof_view tenant, id, bucket, key, media_type, digest;
    uint8_t bytes[32];
    int64_t version, submitted_ms, sealed_bytes;
    enum cof_err err = cof_json_only(o, names, diag);

    if (err == COF_OK)
        err = cof_json_int(o, "version", 1, 1, &version, diag);
    if (err == COF_OK)
        err = cof_json_text(o, "tenant", &tenant, diag);
    if (err == COF_OK)
        err = cof_json_text(o, "job", &id, diag);
    if (err == COF_OK)
        err = cof_json_text(o, "bucket", &bucket, diag);
    if (err == COF_OK)
        err = cof_json_text(o, "key", &key, diag);
    if (err == COF_OK)
        err = cof_json_text(o, "media_type", &media_type, diag);
    if (err == COF_OK)
        err = cof_json_int(o, "submitted_ms", 0, INT64_MAX / 2, &submitted_ms, diag);
    if (err == COF_OK)
        err = cof_json_int(o, "sealed_bytes", 1, INT64_MAX, &sealed_bytes, diag);
    if (err == COF_OK)
        err = cof_json_text(o, "sealed_sha256", &digest, diag);
    if (err == COF_OK)
        err = cof_job_make(out, tenant, id, bucket, media_type, submitted_ms);
    if (err == COF_OK && (cof_hex_decode_fixed(digest, bytes, sizeof bytes) != COF_OK || !cof_view_eq_str(key, out->key)))
        err = COF_E_FORMAT;
    if (err != COF_OK)
        return cof_diag_set(diag, COF_E_FORMAT, "not a job of this version");
    out->sealed_bytes = (uint64_t)sealed_bytes;
    cof_hex_encode(bytes, sizeof bytes, out->sealed_sha256);
    return COF_OK;
}

enum cof_err cof_job_parse(struct cof_view text, struct cof_job *out, struct cof_diag *diag)
{
    json_t *object;
    enum cof_err err = cof_json_parse_object(text, COF_JOB_MESSAGE_MAX, &object, diag);

    *out = (struct cof_job){0};
    if (err != COF_OK)
        return err;
    err = read_members(object, out, diag);
    json_decref(object);
    if (err != COF_OK)
        *out = (struct cof_job){0};
    return err;
}

void cof_job_context(const struct cof_job *job, bool result, struct cof_job_context *out)
{
    const char *key = job->key;

    (void)snprintf(out->submitted, sizeof out->submitted, "%lld", (long long)job->submitted_ms);
    if (result) {
        cof_job_result_key(job, out->result_key);
        key = out->result_key;
    }
    out->n = 0;
    out->pairs[out->n++] = (struct cof_pair){COF_LIT("bucket"), cof_view_str(job->bucket)};
    out->pairs[out->n++] = (struct cof_pair){COF_LIT("job"), cof_view_str(job->job)};
    out->pairs[out->n++] = (struct cof_pair){COF_LIT("key"), cof_view_str(key)};
    out->pairs[out->n++] = (struct cof_pair){COF_LIT("media_type"), cof_view_str(job->media_type)};
    out->pairs[out->n++] = (struct cof_pair){COF_LIT("purpose"), cof_view_str(result ? "result" : "input")};
    out->pairs[out->n++] = (struct cof_pair){COF_LIT("submitted_ms"), cof_view_str(out->submitted)};
    out->pairs[out->n++] = (struct cof_pair){COF_LIT("tenant"), cof_view_str(job->tenant)};
}

void cof_job_context_pad(struct cof_job_context *context, const char *padding)
{
    struct cof_pair pair = {COF_LIT(COF_PAD_CONTEXT), cof_view_str(padding)};
    size_t at = context->n++;

    for (; at > 0 && cof_view_cmp(context->pairs[at - 1].name, pair.name) > 0; at--)
        context->pairs[at] = context->pairs[at - 1];
    context->pairs[at] = pair;
}

void cof_job_result_key(const struct cof_job *job, char out[static COF_JOB_KEY_MAX])
{
    (void)snprintf(out, COF_JOB_KEY_MAX, "results/%s/%s", job->tenant, job->job);
}

void cof_job_receipt_key(const struct cof_job *job, const char *sealed_sha256, char out[static COF_JOB_KEY_MAX])
{
    (void)snprintf(out, COF_JOB_KEY_MAX, "receipts/%s/%s/%.64s", job->tenant, job->job, sealed_sha256);
}

void cof_job_status_key(const struct cof_job *job, char out[static COF_JOB_KEY_MAX])
{
    (void)snprintf(out, COF_JOB_KEY_MAX, "status/%s/%s", job->tenant, job->job);
}
