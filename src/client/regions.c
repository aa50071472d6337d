/* SPDX-License-Identifier: Apache-2.0 */
#include "client/regions.h"

#include "io/clock.h"
#include "io/dial.h"
#include "io/rng_os.h"

#include <stdlib.h>
#include <string.h>

void cof_regions_init(struct cof_regions *regions, const struct cof_aws_overrides *overrides, const struct cof_log *log)
{
    *regions = (struct cof_regions){.log = log};
    if (overrides != NULL)
        regions->overrides = *overrides;
}

static void close_region(struct cof_region *r)
{
    cof_session_close(&r->session);
    cof_loop_free(r->loop);
    free(r);
}

static enum cof_err open_region(struct cof_regions *regions, struct cof_view name, struct cof_diag *diag)
{
    struct cof_session_opts opts = {.env = &cof_env_process, .resolve = cof_resolve_dns, .rng = &cof_rng_os,
                                    .now_ms = cof_clock_wall_ms, .log = regions->log, .overrides = regions->overrides};
    struct cof_region *r = calloc(1, sizeof *r);
    enum cof_err err;

    if (r == NULL)
        return COF_E_MEMORY;
    (void)memcpy(r->name, name.data, name.len);
    opts.overrides.region = r->name;
    err = cof_loop_new(&r->loop);
    opts.loop = r->loop;
    if (err == COF_OK)
        err = cof_session_open(&r->session, &opts, diag);
    if (err == COF_OK)
        regions->items[regions->n++] = r;
    else
        close_region(r);
    return err;
}

enum cof_err cof_regions_client(void *ctx, struct cof_view region, struct cof_aws **out, struct cof_diag *diag)
{
    struct cof_regions *regions = ctx;
    enum cof_err err;

    *out = NULL;
    for (size_t i = 0; i < regions->n; i++)
        if (cof_view_eq_str(region, regions->items[i]->name)) {
            *out = &regions->items[i]->session.aws;
            return COF_OK;
        }
    if (regions->n == COF_REGIONS_MAX || region.len >= sizeof regions->items[0]->name)
        return cof_diag_set(diag, COF_E_LIMIT, "the KMS keys are in more than %d regions", COF_REGIONS_MAX);
    err = open_region(regions, region, diag);
    if (err == COF_OK)
        *out = &regions->items[regions->n - 1]->session.aws;
    return err;
}

void cof_regions_done(struct cof_regions *regions)
{
    while (regions->n > 0)
        close_region(regions->items[--regions->n]);
}
