/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/hv_store.h"

#define BLOB_MAX 65536

enum cof_err cof_hv_open(struct cof_standin *s, int64_t now_ms, struct cof_hv **out)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_view name = COF_HV_ROOT;
    struct cof_buf sealed, blob;
    enum cof_err err;

    *out = NULL;
    cof_buf_init(&sealed, BLOB_MAX);
    cof_buf_init_secret(&blob, BLOB_MAX);
    err = store->get(store->ctx, COF_HV_SPACE, name, &sealed);
    if (err == COF_OK) {
        err = cof_standin_unseal(s, "hypervisor", name, cof_buf_view(&sealed), &blob);
    } else if (err == COF_E_NOT_FOUND) {
        cof_buf_reset(&sealed);
        err = cof_hv_make_root(cof_standin_rng(s), now_ms, &blob);
        if (err == COF_OK)
            err = cof_standin_seal(s, "hypervisor", name, cof_buf_view(&blob), &sealed);
        if (err == COF_OK)
            err = store->put(store->ctx, COF_HV_SPACE, name, cof_buf_view(&sealed));
    }
    if (err == COF_OK)
        err = cof_hv_new(cof_buf_view(&blob), cof_standin_region(s), cof_standin_rng(s), out);
    cof_buf_done(&sealed);
    cof_buf_done(&blob);
    return err;
}
