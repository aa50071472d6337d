/* SPDX-License-Identifier: Apache-2.0
 *
 * The processor: a program of the measured image that speaks HTTP/1.1 on a socket pair. It gets the opened input as the
 * body of a POST and answers with the result.
 */
#ifndef COF_ENCLAVE_PROCESSOR_H
#define COF_ENCLAVE_PROCESSOR_H

#include "work.h"

struct processor_reply {
    int status;
    char media_type[128];
    struct cof_buf body; /* secret */
};

/* Blocking. COF_OK: an answer, whatever its status. */
COF_MUST_USE enum cof_err processor_run(struct worker *worker, const char *media_type, struct cof_view input,
                                        struct processor_reply *out, struct cof_diag *diag);
/* PUT /model, once, before the first input. */
COF_MUST_USE enum cof_err processor_put_model(struct worker *worker, struct cof_view model, struct processor_reply *out,
                                              struct cof_diag *diag);
void processor_reply_done(struct processor_reply *reply);

#endif
