/* SPDX-License-Identifier: Apache-2.0
 *
 * What is counted of the stand-in at work, and its text for Prometheus (exposition format 0.0.4): requests by service,
 * operation and class of status, with the time until the answer began; commits; and what the runtime reads off at that
 * moment. The number of series is bounded whatever clients send: operations are those that a service has, all else is
 * "other".
 */
#ifndef COF_STANDIN_METRICS_H
#define COF_STANDIN_METRICS_H

#include "base/buf.h"

#define COF_METRICS_BOUNDS 15  /* of histograms, +Inf left out */
#define COF_METRICS_ROWS 512
#define COF_METRICS_TEXT_MAX ((size_t)4 << 20)

struct cof_metrics_histogram {
    uint64_t at_most[COF_METRICS_BOUNDS]; /* not cumulative */
    uint64_t n, sum_us;
};

struct cof_metrics_row {
    const char *service; /* static */
    char operation[64];
    int class;           /* 2 for 200 to 299 */
    struct cof_metrics_histogram seconds;
};

struct cof_metrics {
    /* Whether the service has an operation of that name; asked when it is first seen. */
    bool (*has_operation)(void *ctx, const char *service, const char *operation);
    void *ctx;
    uint64_t n_aborted, n_faults, n_commits_failed;
    struct cof_metrics_histogram commits;
    struct cof_metrics_row rows[COF_METRICS_ROWS];
    size_t n_rows;
    uint16_t slots[2 * COF_METRICS_ROWS]; /* hash table of the rows: number + 1 */
};

/* What is so now. */
struct cof_metrics_now {
    const char *version;
    uint64_t database_bytes, body_bytes, n_bodies; /* small bodies are in the database, too */
    uint64_t n_connections, n_waiting, n_faults_scripted;
    uint64_t n_audit_records, audit_file_bytes, audit_waiting_bytes;
    uint64_t resident_bytes; /* 0: not known */
    int64_t started_ms;      /* since 1970 */
};

/* An answer of that status began so many microseconds after the request's head. service: static, "" for none. */
void cof_metrics_request(struct cof_metrics *metrics, const char *service, const char *operation, int status, uint64_t us);
void cof_metrics_commit(struct cof_metrics *metrics, bool kept, uint64_t us);
void cof_metrics_write(const struct cof_metrics *metrics, const struct cof_metrics_now *now, struct cof_buf *out);

#endif
