/* SPDX-License-Identifier: Apache-2.0
 *
 * The AWS client: signs requests, sends them through the HTTP client, tries again what is worth it (standard mode: up
 * to max_attempts, exponential back-off with full jitter, a quota that failing services use up), corrects clock skew
 * once, and turns error replies into codes with words. Asynchronous on a loop, with a blocking form for programs that
 * do one thing.
 */
#ifndef COF_CLIENT_AWS_H
#define COF_CLIENT_AWS_H

#include "base/log.h"
#include "base/rng.h"
#include "engine/aws_error.h"
#include "engine/aws_request.h"
#include "io/http_client.h"

struct cof_aws_credentials {
    struct cof_buf access_key_id, secret_access_key, session_token; /* the last may be empty */
    int64_t expires_ms; /* 0: never */
};
void cof_aws_credentials_init(struct cof_aws_credentials *credentials);
void cof_aws_credentials_done(struct cof_aws_credentials *credentials);

struct cof_aws_endpoint {
    bool https;
    char host[256];
    uint16_t port;
    bool custom; /* given by the user */
    bool has_addr; /* connect here, whatever the host (and past any proxy) */
    struct cof_addr addr;
};
/* "https://host[:port][/]"; an IPv6 address in brackets, which host then lacks. COF_E_USAGE with words. */
COF_MUST_USE enum cof_err cof_aws_endpoint_parse(const char *url, struct cof_aws_endpoint *out, struct cof_diag *diag);

/* Where S3's requests name the bucket. */
enum cof_aws_style {
    COF_AWS_IN_EITHER, /* in AWS's own host names, and in the path of an endpoint of the user's */
    COF_AWS_IN_PATH,
    COF_AWS_IN_HOST,   /* but not where its name has dots, which no certificate covers */
};

/* A bucket that S3 said is in another region, and the endpoint there. */
struct cof_aws_moved {
    char bucket[64], region[64]; /* region empty: no entry */
    struct cof_aws_endpoint endpoint;
};

#define COF_AWS_REFRESH_MS 300000 /* credentials that end sooner are refreshed before use */

struct cof_aws {
    struct cof_loop *loop;
    struct cof_http_client *http;
    const struct cof_rng *rng;
    int64_t (*now_ms)(void); /* wall clock */
    char region[64];
    char bucket_owner[16]; /* the account that must own any bucket asked of; empty: whoever does */
    struct cof_aws_moved moved[2]; /* of a copy both may be elsewhere; a third takes the place of the oldest */
    unsigned n_moved;
    bool fips, dual_stack; /* what AWS's own host names are made with */
    enum cof_aws_style s3_style;
    struct cof_aws_endpoint endpoints[4]; /* by enum cof_aws_service */
    struct cof_aws_credentials credentials;
    /* Fills credentials anew; called from the blocking form when they end soon. May be NULL. */
    enum cof_err (*refresh)(void *ctx, struct cof_aws *aws, struct cof_diag *diag);
    void *refresh_ctx;
    unsigned max_attempts; /* 3 */
    int64_t backoff_ms;    /* 100: the first pause is up to twice that, doubling with each attempt */
    int64_t stall_ms;      /* less than 1 KiB moved in so long: the connection is given up; 0: 30 s */
    bool checksum_when_required; /* send body checksums only where S3 demands them */
    bool no_reply_checksum;      /* do not ask for, nor look at, those that S3 keeps */
    int quota;             /* 500 at start: a retry costs 5, a success gives 1 back */
    int64_t skew_ms;       /* added to now_ms */
    bool own_clock;        /* no reply's date moves skew_ms: whoever sets this sees to it (kms_attested does, in an enclave) */
    const struct cof_log *log;
};
void cof_aws_init(struct cof_aws *aws, struct cof_loop *loop, struct cof_http_client *http, const struct cof_rng *rng,
                  int64_t (*now_ms)(void));
void cof_aws_done(struct cof_aws *aws);
/* Default endpoints of a region, for those that were not set. */
void cof_aws_set_region(struct cof_aws *aws, const char *region);

struct cof_aws_call;

struct cof_aws_callbacks {
    /* 2xx only; views live until done. */
    void (*head)(void *ctx, struct cof_aws_call *call, const struct cof_http_head *head);
    void (*body)(void *ctx, struct cof_aws_call *call, struct cof_view piece);
    void (*writable)(void *ctx, struct cof_aws_call *call);
    /* A streamed body must begin again for another attempt; false, or NULL: no such attempt. */
    bool (*rewind)(void *ctx, struct cof_aws_call *call);
    /* The reply may come again from its head after some of it was given: the receiver starts anew at each head. */
    bool may_restart;
    /* Exactly once, last. error (NULL on success and for failures on the way) is what the service said. */
    void (*done)(void *ctx, struct cof_aws_call *call, enum cof_err err, const struct cof_aws_error *error,
                 const struct cof_diag *diag);
    void *ctx;
};

/* Takes request over, on failure too (then it is done). No callback runs before it returns. */
COF_MUST_USE enum cof_err cof_aws_start(struct cof_aws *aws, struct cof_aws_request *request,
                                        const struct cof_aws_callbacks *callbacks, struct cof_aws_call **out);
/* More or fewer bytes than the request's length end the call with COF_E_TOO_LARGE or COF_E_TRUNCATED. */
bool cof_aws_write(struct cof_aws_call *call, struct cof_view piece);
void cof_aws_end(struct cof_aws_call *call);
void cof_aws_pause(struct cof_aws_call *call);
void cof_aws_resume(struct cof_aws_call *call);
void cof_aws_cancel(struct cof_aws_call *call);
/* The checksum that went as trailer (valid after end), and how often the request was sent. */
const uint8_t *cof_aws_call_checksum(const struct cof_aws_call *call);
unsigned cof_aws_call_attempts(const struct cof_aws_call *call);

/* The request as a URL that anyone may use for expires_s seconds (1 to 604,800), appended to url: presigned, with the
 * endpoint's host. Only the host is signed, so that headers stay the user's choice. */
COF_MUST_USE enum cof_err cof_aws_presign(struct cof_aws *aws, const struct cof_aws_request *request, uint32_t expires_s,
                                          struct cof_buf *url);

/* Sees to credentials that last (aws->refresh); blocking. The run_* calls do it by themselves. */
COF_MUST_USE enum cof_err cof_aws_ready(struct cof_aws *aws, struct cof_diag *diag);

/* The blocking form. */
struct cof_aws_reply {
    int status;
    struct cof_http_head head; /* a copy */
    struct cof_buf body;
    struct cof_aws_error error;
};
/* body_max: more is COF_E_TOO_LARGE. */
COF_MUST_USE enum cof_err cof_aws_run(struct cof_aws *aws, struct cof_aws_request *request, size_t body_max,
                                      struct cof_aws_reply *out, struct cof_diag *diag);
void cof_aws_reply_done(struct cof_aws_reply *reply);

/* The same with pieces: source gives the request's body (appends up to want bytes to out; nothing: the end), sink takes
 * the reply's. Either may be NULL. */
struct cof_aws_pipes {
    enum cof_err (*source)(void *ctx, size_t want, struct cof_buf *out);
    enum cof_err (*sink)(void *ctx, struct cof_view piece);
    enum cof_err (*rewind)(void *ctx); /* the source begins again; NULL: a body is sent once only */
    void *ctx;
};
COF_MUST_USE enum cof_err cof_aws_run_piped(struct cof_aws *aws, struct cof_aws_request *request,
                                            const struct cof_aws_pipes *pipes, struct cof_aws_reply *out,
                                            struct cof_diag *diag);

#endif
