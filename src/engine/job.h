/* SPDX-License-Identifier: Apache-2.0
 *
 * A job: what the producer says in the queue about an object it has sealed, and the encryption context that both ends build
 * from it. The queue is not trusted: the enclave believes a job only as far as the object's authenticated context says the
 * same (C-01, C-02, C-33). Names of objects follow from tenant and job alone.
 */
#ifndef COF_ENGINE_JOB_H
#define COF_ENGINE_JOB_H

#include "base/buf.h"
#include "engine/aws_request.h"

#define COF_JOB_ID_MAX 64      /* tenant and job: [a-z0-9-]{1,64} */
#define COF_JOB_KEY_MAX 256
#define COF_JOB_MESSAGE_MAX 4096
#define COF_JOB_PAIRS 8

struct cof_job {
    char tenant[COF_JOB_ID_MAX + 1], job[COF_JOB_ID_MAX + 1];
    char bucket[64];
    char key[COF_JOB_KEY_MAX]; /* jobs/TENANT/JOB */
    char media_type[128];
    int64_t submitted_ms;
    uint64_t sealed_bytes;
    char sealed_sha256[65];    /* hex, of the stored object */
};

bool cof_job_is_id(struct cof_view text);
/* Fills the key from tenant and job. */
COF_MUST_USE enum cof_err cof_job_make(struct cof_job *job, struct cof_view tenant, struct cof_view id,
                                       struct cof_view bucket, struct cof_view media_type, int64_t submitted_ms);

/* The queue's message (JSON). Parsing is strict: the key must be the one that follows from tenant and job. */
COF_MUST_USE enum cof_err cof_job_write(const struct cof_job *job, struct cof_buf *out);
COF_MUST_USE enum cof_err cof_job_parse(struct cof_view text, struct cof_job *out, struct cof_diag *diag);

/* The encryption context of the sealed input ("input") or result ("result"), sorted by name. Views live as long as job and
 * text do. */
struct cof_job_context {
    struct cof_pair pairs[COF_JOB_PAIRS];
    size_t n;
    char submitted[24], result_key[COF_JOB_KEY_MAX];
};
void cof_job_context(const struct cof_job *job, bool result, struct cof_job_context *out);
/* Of a result that is padded: one pair more, in its place; padding must outlive it (cof_pad_name). */
void cof_job_context_pad(struct cof_job_context *context, const char *padding);

/* "results/TENANT/JOB", "receipts/TENANT/JOB/SHA256", "status/TENANT/JOB". */
void cof_job_result_key(const struct cof_job *job, char out[static COF_JOB_KEY_MAX]);
void cof_job_receipt_key(const struct cof_job *job, const char *sealed_sha256, char out[static COF_JOB_KEY_MAX]);
void cof_job_status_key(const struct cof_job *job, char out[static COF_JOB_KEY_MAX]);

#endif
