/* SPDX-License-Identifier: Apache-2.0
 *
 * In an enclave's place: asks its hypervisor for an attestation document over the public key that is its configuration, and prints
 * it as base64 on its console. For tests that make attested calls by themselves. Run by least_privilege_test.py.
 */
#include "base/codec.h"
#include "format/nsm.h"
#include "io/file.h"
#include "io/nsm_dev.h"

#include <stdio.h>

int main(void)
{
    struct cof_nsm *nsm = NULL;
    struct cof_nsm_response response;
    struct cof_diag diag = {0};
    struct cof_buf key, request, reply, text;
    enum cof_err err;

    cof_buf_init(&key, 4096);
    cof_buf_init(&request, 8192);
    cof_buf_init(&reply, 65536);
    cof_buf_init(&text, 131072);
    err = cof_file_read_fd(4, "the configuration", &key, &diag);
    if (err == COF_OK)
        err = cof_nsm_open("fd:3", &nsm, &diag);
    if (err == COF_OK) {
        cof_nsm_add_request(&request, &(struct cof_nsm_request){.op = COF_NSM_ATTESTATION, .public_key = {.present = true, .bytes = cof_buf_view(&key)}});
        err = cof_nsm_call(nsm, cof_buf_view(&request), &reply);
    }
    if (err == COF_OK)
        err = cof_nsm_parse_response(cof_buf_view(&reply), &response);
    if (err == COF_OK && response.op == COF_NSM_ATTESTATION) {
        cof_base64_add(&text, response.data);
        (void)fprintf(stderr, "%s\n", cof_buf_cstr(&text));
    } else {
        (void)fprintf(stderr, "no document: %s %s\n", cof_err_name(err), diag.text);
    }
    cof_nsm_close(nsm);
    cof_buf_done(&key);
    cof_buf_done(&request);
    cof_buf_done(&reply);
    cof_buf_done(&text);
    return 0;
}
