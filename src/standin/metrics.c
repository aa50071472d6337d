/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/metrics.h"

#include "format/prom.h"

#include <stdio.h>
#include <string.h>

#define SLOTS (2 * COF_METRICS_ROWS)
#define ROWS_FOR_NAMES (COF_METRICS_ROWS - 64) /* the rest is kept for "other": one a service and class at most */

static const struct {
    uint64_t us;
    const char *le;
} bounds[COF_METRICS_BOUNDS] = {{250, "0.00025"}, {500, "0.0005"}, {1000, "0.001"}, {2500, "0.0025"}, {5000, "0.005"}, {10000, "0.01"},
    {25000, "0.025"}, {50000, "0.05"}, {100000, "0.1"}, {250000, "0.25"}, {500000, "0.5"}, {1000000, "1"}, {2500000, "2.5"},
    {5000000, "5"}, {20000000, "20"}};

static void observe(struct cof_metrics_histogram *h, uint64_t us)
{
    for (size_t i = 0; i < COF_METRICS_BOUNDS; i++)
        if (us <= bounds[i].us) {
            h->at_most[i]++;
            break;
        }
    h->n++;
    h->sum_us += us;
}

static uint32_t hash_text(uint32_t h, const char *text)
{
    for (; *text != '\0'; text++)
        h = (h ^ (uint8_t)*text) * 16777619u;
    return (h ^ 0xffu) * 16777619u;
}

/* The slot of that row, or the empty one where it belongs. */
static uint16_t *slot_of(struct cof_metrics *m, const char *service, const char *operation, int class)
{
    uint32_t h = hash_text(hash_text(2166136261u ^ (uint32_t)class, service), operation), i = h ^ h >> 15;

    for (;; i++) {
        uint16_t *slot = &m->slots[i % SLOTS];
        const struct cof_metrics_row *row = *slot == 0 ? NULL : &m->rows[*slot - 1];

        if (row == NULL || (row->class == class && strcmp(row->operation, operation) == 0 && strcmp(row->service, service) == 0))
            return slot;
    }
}

static struct cof_metrics_row *row_of(struct cof_metrics *m, const char *service, const char *operation, int class, size_t limit)
{
    uint16_t *slot = slot_of(m, service, operation, class);
    struct cof_metrics_row *row;

    if (*slot != 0)
        return &m->rows[*slot - 1];
    if (m->n_rows >= limit)
        return NULL;
    row = &m->rows[m->n_rows++];
    *slot = (uint16_t)m->n_rows;
    row->service = service;
    row->class = class;
    (void)snprintf(row->operation, sizeof row->operation, "%s", operation);
    return row;
}

void cof_metrics_request(struct cof_metrics *m, const char *service, const char *operation, int status, uint64_t us)
{
    int class = status >= 100 && status < 600 ? status / 100 : 5;
    struct cof_metrics_row *row = NULL;
    uint16_t *slot;

    service = service[0] == '\0' ? "none" : service;
    slot = slot_of(m, service, operation, class);
    if (*slot != 0)
        row = &m->rows[*slot - 1];
    else if (strlen(operation) < sizeof row->operation && m->has_operation(m->ctx, service, operation))
        row = row_of(m, service, operation, class, ROWS_FOR_NAMES);
    if (row == NULL)
        row = row_of(m, service, "other", class, COF_METRICS_ROWS);
    if (row != NULL)
        observe(&row->seconds, us);
}

void cof_metrics_commit(struct cof_metrics *m, bool kept, uint64_t us)
{
    if (kept)
        observe(&m->commits, us);
    else
        m->n_commits_failed++;
}

static void add_row_labels(struct cof_buf *out, const struct cof_metrics_row *row)
{
    const char class[] = {(char)('0' + row->class), 'x', 'x', '\0'};

    cof_prom_label(out, "service", row->service);
    cof_buf_add_u8(out, ',');
    cof_prom_label(out, "operation", row->operation);
    cof_buf_add_u8(out, ',');
    cof_prom_label(out, "status", class);
}

/* labels: without braces, or "". */
static void add_histogram(struct cof_buf *out, const char *name, const char *labels, const struct cof_metrics_histogram *h)
{
    const char *comma = labels[0] != '\0' ? "," : "", *open = labels[0] != '\0' ? "{" : "", *close = labels[0] != '\0' ? "}" : "";
    uint64_t n = 0;

    for (size_t i = 0; i < COF_METRICS_BOUNDS; i++) {
        n += h->at_most[i];
        cof_buf_printf(out, "%s_bucket{%s%sle=\"%s\"} %llu\n", name, labels, comma, bounds[i].le, (unsigned long long)n);
    }
    cof_buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, labels, comma, (unsigned long long)h->n);
    cof_buf_printf(out, "%s_sum%s%s%s %llu.%06llu\n", name, open, labels, close, (unsigned long long)(h->sum_us / 1000000),
                   (unsigned long long)(h->sum_us % 1000000));
    cof_buf_printf(out, "%s_count%s%s%s %llu\n", name, open, labels, close, (unsigned long long)h->n);
}

static void add_requests(const struct cof_metrics *m, struct cof_buf *out)
{
    static const char total[] = "coffer_local_requests_total", seconds[] = "coffer_local_request_duration_seconds";
    struct cof_buf labels;

    cof_prom_head(out, total, "counter", "Requests answered.");
    for (size_t i = 0; i < m->n_rows; i++) {
        cof_buf_printf(out, "%s{", total);
        add_row_labels(out, &m->rows[i]);
        cof_buf_printf(out, "} %llu\n", (unsigned long long)m->rows[i].seconds.n);
    }
    cof_prom_head(out, seconds, "histogram", "Time from a request's head until its answer began: its body, waits and the commit are in it.");
    cof_buf_init(&labels, 1024);
    for (size_t i = 0; i < m->n_rows; i++) {
        cof_buf_reset(&labels);
        add_row_labels(&labels, &m->rows[i]);
        add_histogram(out, seconds, cof_buf_cstr(&labels), &m->rows[i].seconds);
    }
    cof_buf_done(&labels);
    cof_prom_number(out, "coffer_local_requests_aborted_total", "counter", "Requests whose connection ended before they were answered.", m->n_aborted);
}

void cof_metrics_write(const struct cof_metrics *m, const struct cof_metrics_now *now, struct cof_buf *out)
{
    static const char commits[] = "coffer_local_commits_total", build[] = "coffer_local_build_info", start[] = "process_start_time_seconds";

    cof_prom_head(out, build, "gauge", "Always 1.");
    cof_buf_printf(out, "%s{", build);
    cof_prom_label(out, "version", now->version);
    cof_buf_add_str(out, "} 1\n");
    add_requests(m, out);
    cof_prom_head(out, commits, "counter", "Commits of the store, each of all that was done in a turn.");
    cof_buf_printf(out, "%s{result=\"kept\"} %llu\n%s{result=\"failed\"} %llu\n", commits, (unsigned long long)m->commits.n, commits,
                   (unsigned long long)m->n_commits_failed);
    cof_prom_head(out, "coffer_local_commit_duration_seconds", "histogram", "Time a commit took that was kept, the disk's included.");
    add_histogram(out, "coffer_local_commit_duration_seconds", "", &m->commits);
    cof_prom_number(out, "coffer_local_store_database_bytes", "gauge", "Size of the database and its log on disk.", now->database_bytes);
    cof_prom_number(out, "coffer_local_store_body_bytes", "gauge", "Bytes of all bodies (small ones lie in the database).", now->body_bytes);
    cof_prom_number(out, "coffer_local_store_bodies", "gauge", "Bodies kept: of objects and of parts.", now->n_bodies);
    cof_prom_number(out, "coffer_local_connections_open", "gauge", "Connections to the serving port.", now->n_connections);
    cof_prom_number(out, "coffer_local_long_polls_waiting", "gauge", "Requests that wait for a message.", now->n_waiting);
    cof_prom_number(out, "coffer_local_audit_records_total", "counter", "Records in the chain of the audit log, since it began.", now->n_audit_records);
    cof_prom_number(out, "coffer_local_audit_file_bytes", "gauge", "Size of the audit log's present file.", now->audit_file_bytes);
    cof_prom_number(out, "coffer_local_audit_waiting_bytes", "gauge", "Audit records that could not be written yet.", now->audit_waiting_bytes);
    cof_prom_number(out, "coffer_local_faults_scripted", "gauge", "Scripted faults that are set up.", now->n_faults_scripted);
    cof_prom_number(out, "coffer_local_faults_injected_total", "counter", "Requests that a scripted fault has hit.", m->n_faults);
    if (now->resident_bytes != 0)
        cof_prom_number(out, "process_resident_memory_bytes", "gauge", "Resident memory.", now->resident_bytes);
    cof_prom_head(out, start, "gauge", "When the process started, since 1970.");
    cof_buf_printf(out, "%s %lld.%03d\n", start, (long long)(now->started_ms / 1000), (int)(now->started_ms % 1000));
}
