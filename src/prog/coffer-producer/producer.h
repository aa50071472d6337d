/* SPDX-License-Identifier: Apache-2.0
 *
 * The gateway's parts: what they share.
 */
#ifndef COF_PRODUCER_H
#define COF_PRODUCER_H

#include "client/session.h"
#include "engine/ratelimit.h"
#include "engine/token.h"
#include "io/http_server.h"
#include "prog/options.h"

#define SCOPE_SUBMIT "jobs:submit"
#define SCOPE_READ "jobs:read"

struct producer {
    /* options */
    const char *listen, *bucket, *queue_url, *data_key_arn, *issuer, *audience, *tls_dir, *cert, *key;
    struct cof_text_list types; /* media types taken */
    uint64_t max_bytes, max_json_bytes, per_minute;
    uint64_t frame_length;

    struct cof_log log;
    struct cof_loop *loop;
    struct cof_session session;
    struct cof_http_server *server;
    struct cof_ratelimit *limit;
    struct cof_jwks *jwks;
    struct cof_timer refresh; /* of the key set */
    bool fetching, has_asked; /* has_asked: the key set came, or could not be had, once */
    struct cof_buf fetched;
    int fetched_status;
    int64_t not_rotated_before_ms; /* monotonic */
    uint64_t n_accepted, n_refused, n_failed;
};

/* --- auth.c --- */
/* Fetches the issuer's key set now; *done is set when it is there or has failed. */
void auth_refresh(struct producer *p);
/* Checks the bearer token for a scope. False: the reply was sent (401 or 403). */
bool auth_check(struct producer *p, struct cof_xchg *x, const char *scope, struct cof_token *token);

/* --- reply.c --- */
void reply_json(struct cof_xchg *x, int status, struct cof_view json);
/* {"error": code, "message": text}. */
void reply_error(struct cof_xchg *x, int status, const char *code, const char *text);
/* 429, and in Retry-After how long the subject's next token takes. */
void reply_too_many(struct cof_xchg *x, int64_t wait_ms);

/* --- submit.c: POST /encrypt --- */
void submit_head(struct producer *p, struct cof_xchg *x);
void submit_body(struct cof_xchg *x, struct cof_view piece);
void submit_end(struct cof_xchg *x);
void submit_closed(struct cof_xchg *x);

/* --- outcome.c: GET /jobs/ID, /jobs/ID/result, /jobs/ID/receipt --- */
void outcome_head(struct producer *p, struct cof_xchg *x);
void outcome_writable(struct cof_xchg *x);
void outcome_closed(struct cof_xchg *x);

/* The first thing behind an exchange's user pointer says whose it is. */
enum kind { KIND_SUBMIT, KIND_OUTCOME };

#endif
