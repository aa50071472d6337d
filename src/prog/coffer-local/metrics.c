/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics.h"

#include "io/file.h"
#include "io/metrics_server.h"
#include "io/resident.h"
#include "local.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct metrics {
    struct metrics_opts opts;
    struct cof_metrics_server *server; /* NULL: not asked for */
    struct cof_metrics counts;
};

static void write_text(void *ctx, struct cof_buf *out)
{
    struct metrics *m = ctx;
    struct cof_metrics_now now;

    m->opts.read_off(m->opts.ctx, &now);
    now.resident_bytes = cof_resident_bytes();
    cof_metrics_write(&m->counts, &now, out);
}

static enum cof_err listen_at(struct metrics *m, struct cof_diag *diag)
{
    struct cof_metrics_server_opts opts = {.address = m->opts.address, .text_max = COF_METRICS_TEXT_MAX, .write = write_text, .ctx = m};
    char url[400], line[404], path[4096];
    enum cof_err err = cof_metrics_server_new(m->opts.loop, &opts, &m->server, diag);

    if (err != COF_OK)
        return err;
    cof_metrics_server_url(m->server, url);
    (void)snprintf(line, sizeof line, "%s\n", url);
    return cof_local_path(path, m->opts.data, "metrics") ? cof_file_write(path, cof_view_str(line), 0644, diag) : COF_E_USAGE;
}

enum cof_err metrics_new(const struct metrics_opts *opts, struct metrics **out, struct cof_diag *diag)
{
    struct metrics *m = calloc(1, sizeof *m);
    enum cof_err err;

    *out = NULL;
    if (m == NULL)
        return COF_E_MEMORY;
    m->opts = *opts;
    m->counts.has_operation = opts->has_operation;
    m->counts.ctx = opts->ctx;
    err = opts->address == NULL ? COF_OK : listen_at(m, diag);
    if (err != COF_OK) {
        metrics_free(m);
        return err;
    }
    *out = m;
    return COF_OK;
}

struct cof_metrics *metrics_counts(struct metrics *m)
{
    return &m->counts;
}

void metrics_free(struct metrics *m)
{
    if (m == NULL)
        return;
    cof_metrics_server_free(m->server);
    free(m);
}
