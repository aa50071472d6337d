/* SPDX-License-Identifier: Apache-2.0
 *
 * Structured log lines through a sink given by the program; one JSON object a line. Fields are names from code and
 * values that may be hostile: values are escaped, cut at 512 bytes, and never secret.
 */
#ifndef COF_BASE_LOG_H
#define COF_BASE_LOG_H

#include "base/buf.h"

enum cof_log_level { COF_LOG_DEBUG, COF_LOG_INFO, COF_LOG_WARN, COF_LOG_ERROR };

struct cof_log {
    /* Gets one whole line, newline included. NULL drops everything. */
    void (*line)(void *ctx, enum cof_log_level level, struct cof_view line);
    int64_t (*now_ms)(void *ctx); /* NULL: no time field */
    void *ctx;
    enum cof_log_level least;
    const char *component; /* "coffer-producer" */
};

/* cof_log_event(log, COF_LOG_INFO, "job.accepted", "tenant", tenant, "job", job, NULL): name/value pairs of C strings,
 * ended by NULL. A NULL log is allowed. */
void cof_log_event(const struct cof_log *log, enum cof_log_level level, const char *event, ...)
    __attribute__((sentinel));

/* Adds v as the inside of a JSON string; bytes that are no UTF-8 become U+FFFD. */
void cof_json_escape(struct cof_buf *out, struct cof_view v);
/* How many bytes at the front stand for themselves there. */
size_t cof_json_plain_len(struct cof_view v);

#endif
