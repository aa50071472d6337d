/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of one request; for call.c alone, and for tests that look inside.
 */
#ifndef COF_STANDIN_CALL_H
#define COF_STANDIN_CALL_H

#include "standin/fault.h"
#include "standin/state.h"

enum cof_call_state { CALL_BODY, CALL_WAIT, CALL_READY };

struct cof_standin_call {
    struct cof_standin *s;
    const struct cof_service *service; /* NULL: nobody's */
    struct cof_standin_request req;
    struct cof_standin_sink sink;
    struct cof_known_caller *caller; /* NULL: nobody yet, or without credentials */
    struct cof_auth auth;
    struct cof_buf body;
    char source_ip[64];
    enum cof_call_state state;
    enum cof_err err; /* the first failure of the body */
    enum cof_err failed; /* why the answer is that it failed; COF_OK: it is not */
    bool body_checked;
    bool judged;             /* faults were asked */
    struct cof_fault_effect fault;
    struct cof_standin_reply reply; /* last, because it is large and clears itself */
};

#endif
