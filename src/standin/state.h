/* SPDX-License-Identifier: Apache-2.0
 *
 * The stand-in's own state; for the files of its core only (standin, call, auth).
 */
#ifndef COF_STANDIN_STATE_H
#define COF_STANDIN_STATE_H

#include "standin/auth.h"
#include "standin/memo.h"
#include "standin/standin.h"

#define COF_STANDIN_SERVICES_MAX 16
#define COF_STANDIN_POLICY_CACHE 64 /* more than one decision can need */

struct cof_standin {
    struct cof_standin_opts opts; /* its store is the memo's */
    unsigned rsa_bits; /* of the RSA key asked for last */
    struct cof_memo *memo;
    struct cof_callers callers;
    struct cof_auth_keys signing_keys;
    struct cof_secret master_key;
    char account[16], region[32], endpoint[300];
    uint64_t n_decisions;
    void *state[COF_STANDIN_SERVICES_MAX];
    struct cof_buf lines; /* the audit records of the call at hand */
    struct {
        uint8_t *text; /* what it was parsed from */
        size_t len;
        enum cof_policy_kind kind;
        struct cof_policy *policy; /* NULL: empty */
        uint64_t used;      /* the last decision that needed it */
    } policies[COF_STANDIN_POLICY_CACHE];
};

/* A request's changes were undone. */
void cof_standin_service_undone(struct cof_standin *s, const struct cof_service *service);
/* The parsed policy, from the cache; lives until the next decision. COF_E_FORMAT when the text is no policy. */
COF_MUST_USE enum cof_err cof_standin_policy(struct cof_standin *s, struct cof_view text, enum cof_policy_kind kind,
                                             const struct cof_policy **out);

#endif
