/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics for Prometheus: GET /metrics on a listener of its own, where --metrics says. It is not on the serving port: there
 * everybody may knock, and behind a proxy everybody comes from the same address.
 */
#ifndef COF_LOCAL_METRICS_H
#define COF_LOCAL_METRICS_H

#include "io/loop.h"
#include "standin/metrics.h"

struct metrics;

struct metrics_opts {
    struct cof_loop *loop;
    const char *address; /* "tcp:127.0.0.1:9464"; NULL: they are counted, and nobody can ask */
    const char *data;    /* where the URL is written to, DIR/metrics */
    bool (*has_operation)(void *ctx, const char *service, const char *operation);
    /* What is so now; resident_bytes is filled in here. */
    void (*read_off)(void *ctx, struct cof_metrics_now *out);
    void *ctx;
};

COF_MUST_USE enum cof_err metrics_new(const struct metrics_opts *opts, struct metrics **out, struct cof_diag *diag);
struct cof_metrics *metrics_counts(struct metrics *metrics);
void metrics_free(struct metrics *metrics); /* takes NULL; before its loop goes */

#endif
