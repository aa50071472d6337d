/* SPDX-License-Identifier: Apache-2.0
 *
 * The gateway (coffer-producer) as its clients see it: HTTPS with a bearer token, which is found, fetched and kept fresh here.
 */
#ifndef COF_COFFER_GATEWAY_H
#define COF_COFFER_GATEWAY_H

#include "client/oauth.h"
#include "engine/job.h"
#include "prog/options.h"

struct gateway_options {
    const char *producer, *token_file, *token_url, *client_file, *ca_file;
};
#define GATEWAY_OPTIONS(type)                                                                                                 \
    {"token-file", 0, COF_OPT_TEXT, "FILE", "a bearer token (or COFFER_TOKEN)", offsetof(type, gateway.token_file)},          \
    {"token-url", 0, COF_OPT_TEXT, "URL", "fetch a token here, as the client of --client-file", offsetof(type, gateway.token_url)}, \
    {"client-file", 0, COF_OPT_TEXT, "FILE", "client_id=... and client_secret=... lines", offsetof(type, gateway.client_file)}, \
    {"ca-file", 0, COF_OPT_TEXT, "FILE", "trusted certificate authorities of the gateway, PEM", offsetof(type, gateway.ca_file)}

struct gateway {
    const struct gateway_options *options;
    struct cof_loop *loop;
    bool owns_loop, has_oauth;
    struct cof_tls_ctx *tls;
    struct cof_http_client *http;
    struct cof_oauth oauth;
    struct cof_aws_endpoint endpoint;
    struct cof_buf token;
};
/* loop may be NULL: then it makes its own. On failure too it is to be closed. */
COF_MUST_USE enum cof_err gateway_open(struct gateway *g, const struct gateway_options *options, struct cof_loop *loop,
                                       struct cof_diag *diag);
void gateway_close(struct gateway *g); /* takes a zeroed one; calls under way are gone without a word */
/* Sees to a token that lasts another minute at least. Blocking: outside the loop's callbacks only. */
COF_MUST_USE enum cof_err gateway_ready(struct gateway *g, struct cof_diag *diag);
bool gateway_is_ready(const struct gateway *g); /* it needs not be seen to now */
void gateway_forget(struct gateway *g);         /* the token was refused */

#define GATEWAY_SNIFF 16 /* bytes */
/* The media type that a file's first bytes show; else application/octet-stream. */
const char *gateway_media_type(struct cof_view first);
bool gateway_is_key(const char *key); /* fit to be an Idempotency-Key */
/* The job's id from the answer to POST /encrypt. */
COF_MUST_USE enum cof_err gateway_read_job(struct cof_view body, char job[static COF_JOB_ID_MAX + 1], struct cof_diag *diag);

struct gateway_call;
struct gateway_request {
    const char *method, *path;
    const char *type; /* of the body; NULL: there is none */
    uint64_t length;  /* bytes of it, at least one */
    const char *key;  /* Idempotency-Key: a second one with the same is no second job. NULL: none */
};
struct gateway_events {
    void (*writable)(void *ctx, struct gateway_call *call); /* the body may go on; not without one */
    /* Once, last; the call is gone after it. COF_OK: status is 2xx, and body its answer. COF_E_DENIED, COF_E_NOT_FOUND,
     * COF_E_THROTTLED, COF_E_RETRY: the gateway refused, in words. status is 0 when there was no answer. */
    void (*done)(void *ctx, enum cof_err err, int status, struct cof_view body, const struct cof_diag *diag);
    void *ctx;
};
/* The token must be there (gateway_ready). No callback runs before it returns. */
COF_MUST_USE enum cof_err gateway_start(struct gateway *g, const struct gateway_request *request,
                                        const struct gateway_events *events, struct gateway_call **out);
bool gateway_write(struct gateway_call *call, struct cof_view piece); /* false: wait for writable */
void gateway_end(struct gateway_call *call);
void gateway_cancel(struct gateway_call *call); /* takes NULL; done is not called */

#endif
