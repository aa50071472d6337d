/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests and responses that parse are written again and parse again, to the same bytes.
 */
#include "format/nsm.h"

#include <stdlib.h>

static void request(struct cof_view in)
{
    struct cof_nsm_request req;
    struct cof_buf one, two;

    if (cof_nsm_parse_request(in, &req) != COF_OK)
        return;
    cof_buf_init(&one, 65536);
    cof_buf_init(&two, 65536);
    cof_nsm_add_request(&one, &req);
    if (one.len <= COF_NSM_REQUEST_MAX) {
        if (cof_nsm_parse_request(cof_buf_view(&one), &req) != COF_OK)
            abort();
        cof_nsm_add_request(&two, &req);
        if (!cof_view_eq(cof_buf_view(&one), cof_buf_view(&two)))
            abort();
    }
    cof_buf_done(&one);
    cof_buf_done(&two);
}

static void response(struct cof_view in)
{
    struct cof_nsm_response res;
    struct cof_buf one, two;

    if (cof_nsm_parse_response(in, &res) != COF_OK)
        return;
    cof_buf_init(&one, 65536);
    cof_buf_init(&two, 65536);
    cof_nsm_add_response(&one, &res);
    if (one.len <= COF_NSM_RESPONSE_MAX) {
        if (cof_nsm_parse_response(cof_buf_view(&one), &res) != COF_OK)
            abort();
        cof_nsm_add_response(&two, &res);
        if (!cof_view_eq(cof_buf_view(&one), cof_buf_view(&two)))
            abort();
    }
    cof_buf_done(&one);
    cof_buf_done(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    request((struct cof_view){data, size});
    response((struct cof_view){data, size});
    return 0;
}
