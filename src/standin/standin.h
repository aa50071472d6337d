/* SPDX-License-Identifier: Apache-2.0
 *
 * The stand-in of AWS as pure code: a request comes in, is authenticated, dispatched to a service, authorised and
 * answered. Services are tables of functions over a store (store.h). The runtime (src/prog/coffer-local) owns sockets,
 * clock and files and drives the calls below.
 *
 *   head --> cof_standin_open --> body pieces --> cof_standin_end --> WAIT --(notified, or time over)--> cof_standin_end
 *                                                        |
 *                                                        +--> READY: reply->body, or reply->stream pulled piece by piece
 *
 * Every call is authorised: a service that answers below 400 without cof_standin_authorize having said yes (or
 * cof_standin_public having been called) is answered 500 instead, and its changes are undone.
 */
#ifndef COF_STANDIN_STANDIN_H
#define COF_STANDIN_STANDIN_H

#include "base/log.h"
#include "base/rng.h"
#include "base/secret.h"
#include "format/http1.h"
#include "policy/evaluate.h"
#include "standin/iam.h"
#include "standin/store.h"

#define COF_STANDIN_BODY_MAX ((size_t)2 << 20) /* requests taken whole */
#define COF_STANDIN_REPLY_MAX ((size_t)8 << 20)
#define COF_STANDIN_WAIT_MAX 256

struct cof_auth;
struct cof_md5_job;
struct cof_rsa_key;
struct cof_faults;
struct json_t;
struct cof_standin;
struct cof_standin_call; /* one request in progress */

/* What is noted of a call for its audit record (trail.h); JSON, ready made. */
struct cof_trail_notes {
    char operation[64];         /* "PutObject" */
    struct cof_buf data;        /* members of additionalEventData */
    struct cof_buf parameters;  /* members of requestParameters */
    struct cof_buf recipient;   /* members of additionalEventData.recipient */
    struct cof_buf resources;   /* objects */
    struct cof_buf arn;         /* the last resource of the service itself */
    struct cof_buf object;      /* S3: bucket/key of the request */
    struct cof_buf behalf;      /* calls of other services in the caller's name */
    unsigned n_resources;
    bool silent;                /* nothing is noted now: a service asks for itself */
};

struct cof_standin_request {
    const struct cof_http_head *head;
    struct cof_view body;       /* whole; empty while a streaming body is on its way */
    const char *service;        /* "s3", "kms", "sqs", "sts", "oauth", ... */
    const struct cof_iam_principal *principal; /* never NULL; may be anonymous where the service allows it */
    struct cof_buf *identity;   /* where what audit records say of the principal is kept from one to the next; NULL: nowhere */
    const char *region;         /* of the credential scope; the stand-in's own when unsigned */
    bool tls;
    const char *source_ip;
    const char *tls_version, *tls_cipher; /* static; NULL: not known */
    const struct cof_auth *auth; /* what the signature said; never NULL (auth.h) */
    int64_t now_ms;
    int64_t started_ms;         /* when the request was first handled; earlier than now_ms after a wait */
    char id[40];                /* request id: a UUID */
    struct cof_trail_notes notes; /* for the audit record */
    char action[96];            /* the last action authorised, for the audit record */
    bool authorized;
};

/* A reply body that comes piece by piece. Filled in by the service; done is called exactly once. */
struct cof_standin_stream {
    uint64_t length; /* bytes in all */
    /* Appends some bytes (about want) to out; nothing appended means the end. An error cuts the connection. */
    enum cof_err (*pull)(void *ctx, size_t want, struct cof_buf *out);
    void (*done)(void *ctx);
    void *ctx;
};

struct cof_standin_reply {
    int status;
    struct cof_buf body;
    struct cof_standin_stream stream; /* used when pull is set, then body is not */
    uint64_t head_length;  /* HEAD: the length to state; only when has_head_length */
    bool has_head_length;
    bool keep;             /* keep the changes though the status is an error's */
    char error_code[64];   /* AWS's code, for the audit record; set by the error helpers */
    char error_message[240];
    /* "Not yet": a handler sets wait_until_ms > 0 and wait_on, and returns COF_OK without a status. It is called again,
     * from the start, when it is its turn after cof_standin_notify named wait_on, or wait_until_ms has come.
     * wait_next_ms: when something may be there for one of that name without a notify; 0: not known. */
    int64_t wait_until_ms, wait_next_ms;
    char wait_on[COF_STANDIN_WAIT_MAX];
    struct cof_headers headers; /* last, because it is large and need not be cleared */
};

/* A body that is not taken whole (S3 uploads). Set up by service.stream; done is called exactly once. */
struct cof_standin_sink {
    enum cof_err (*write)(void *ctx, struct cof_view piece);
    /* An MD5 that the end will need and that may be computed with others' before (cof_standin_md5); or NULL. */
    struct cof_md5_job *(*md5)(void *ctx);
    /* The end: fills the reply, inside a savepoint. trailers may be NULL. */
    enum cof_err (*end)(void *ctx, struct cof_standin_request *req, const struct cof_headers *trailers,
                        struct cof_standin_reply *reply);
    void (*done)(void *ctx);
    void *ctx;
};

struct cof_service {
    const char *name;       /* as in credential scopes */
    const char *target;     /* prefix of X-Amz-Target ("TrentService."), or NULL */
    const char *path;       /* prefix of unsigned paths ("/_oauth/"), or NULL; such requests come as anonymous */
    bool anonymous;         /* unsigned requests reach handle; else they are refused in the service's shape */
    bool json;              /* shape of errors the dispatcher makes: {"__type":...}, else XML */
    const char *json_type;  /* content type of those, "application/x-amz-json-1.1" */
    const char *query_xmlns; /* json, but requests without X-Amz-Target are answered as the query protocol does; or NULL */
    size_t body_max;        /* of bodies taken whole; 0: COF_STANDIN_BODY_MAX */
    /* Sets req->notes.operation from the head alone, where no other protocol tells it. NULL: they do. */
    void (*name_operation)(struct cof_standin *s, struct cof_standin_request *req);
    /* Whether it has an operation of that name. NULL: it has none that are counted by name. */
    bool (*has_operation)(struct cof_view name);
    /* Answers. COF_OK with a reply (also for errors of AWS's kind), or an error: then 500 InternalFailure is sent.
     * The changes are kept when the status is below 400 or reply->keep. */
    enum cof_err (*handle)(struct cof_standin *s, struct cof_standin_request *req, struct cof_standin_reply *reply);
    /* May take the body piece by piece: sets *sink and returns COF_OK; or fills the reply (status != 0) to answer at
     * once; or does neither, and the body is taken whole. NULL: always whole. */
    enum cof_err (*stream)(struct cof_standin *s, struct cof_standin_request *req, struct cof_standin_sink *sink,
                           struct cof_standin_reply *reply);
    /* Makes what the manifest names, at init; text values of the manifest are already filled in. NULL: nothing to do. */
    enum cof_err (*bootstrap)(struct cof_standin *s, const struct json_t *manifest, int64_t now_ms,
                              struct cof_diag *diag);
    /* The service's own state in memory: made when the stand-in starts, freed when it ends. May be NULL. */
    enum cof_err (*start)(struct cof_standin *s, void **state, struct cof_diag *diag);
    void (*stop)(struct cof_standin *s, void *state);
    /* Changes were undone: a request's of this service, or all since the last commit. What the state knows of them is to be
     * forgotten. NULL: it knows nothing. */
    void (*undone)(struct cof_standin *s, void *state);
    /* Work that no request asks for: when it is due (INT64_MAX: there is none), and a short piece of it, in a savepoint. Both
     * or neither. */
    int64_t (*due)(const void *state);
    enum cof_err (*tick)(struct cof_standin *s, void *state, int64_t now_ms);
};

/* What S3 and SQS ask of the KMS beside them, in the name of the caller: its permissions on the key are asked with
 * kms:ViaService. key_id: ARN, id or alias; empty: the service's own key (alias/aws/s3), made at need. context: a JSON
 * object of strings. COF_E_DENIED: error (size 64) gets the code ("AccessDenied", "KMS.NotFoundException",
 * "KMS.DisabledException") and why (may be NULL) the sentence. */
struct cof_kms_hooks {
    /* A fresh 256-bit key: plain, and as the blob that decrypt takes; arn gets the key's ARN. */
    enum cof_err (*generate)(struct cof_standin *s, struct cof_standin_request *req, const char *via,
        struct cof_view key_id, const struct json_t *context, struct cof_secret *key, struct cof_buf *blob,
        struct cof_buf *arn, char error[static 64], struct cof_buf *why);
    enum cof_err (*decrypt)(struct cof_standin *s, struct cof_standin_request *req, const char *via,
        struct cof_view key_id, const struct json_t *context, struct cof_view blob, struct cof_secret *key,
        char error[static 64], struct cof_buf *why);
};

/* Running MD5s of long bodies, made beside the thread that calls. */
struct cof_aside_digest;
struct cof_standin_aside {
    /* *out NULL: none is made here now, and the caller does it itself. */
    enum cof_err (*begin)(void *ctx, struct cof_aside_digest **out);
    enum cof_err (*update)(struct cof_aside_digest *digest, struct cof_view data); /* the bytes are copied */
    enum cof_err (*final)(struct cof_aside_digest *digest, uint8_t *out);         /* 16 bytes; once */
    void (*free)(struct cof_aside_digest *digest);
    void *ctx;
};

struct cof_standin_opts {
    const struct cof_kms_hooks *kms; /* NULL: SSE-KMS keys are wrapped like SSE-S3's, with no permission asked */
    const struct cof_store *store;
    const struct cof_rng *rng;
    const struct cof_secret *master_key; /* 32 bytes: wraps every other key at rest; copied */
    const char *account;                 /* "111122223333" */
    const char *region;                  /* "us-east-1" */
    const char *endpoint;                /* "https://localhost:4566", for queue URLs and issuers; may be set later */
    const struct cof_service *const *services;
    size_t n_services;
    const char *instance_role;           /* the role of the instance metadata service (imds.h), or NULL; kept */
    struct cof_faults *faults;           /* scripted ones (fault.h), which may change at any time; NULL: none */
    bool sse_c_needs_tls;                /* refuse customer keys over plain HTTP, as AWS does */
    /* The audit records of a request (trail.h), a line each, before its reply stands. When they cannot be kept the
     * request is not answered as done. May be NULL. */
    enum cof_err (*audit)(void *ctx, struct cof_view lines);
    /* An RSA key of that size for the caller, made meanwhile: COF_E_RETRY when it is not there yet, and cof_standin_rsa_ready is
     * called when it may be. NULL: it is made in the call. */
    enum cof_err (*rsa_key)(void *ctx, unsigned bits, struct cof_rsa_key **out);
    const struct cof_standin_aside *aside; /* kept; NULL: bodies are hashed in the calls that bring them */
    /* One of those who wait on this name should be called again, now or at that time; set by the runtime. May be NULL. */
    void (*notify)(void *ctx, const char *wait_on, int64_t at_ms);
    void *ctx;
};

COF_MUST_USE enum cof_err cof_standin_new(const struct cof_standin_opts *opts, struct cof_standin **out,
                                          struct cof_diag *diag);
void cof_standin_free(struct cof_standin *s);

/* What services use. */
const struct cof_store *cof_standin_store(const struct cof_standin *s);
const struct cof_rng *cof_standin_rng(const struct cof_standin *s);
const struct cof_secret *cof_standin_master_key(const struct cof_standin *s);
const char *cof_standin_account(const struct cof_standin *s);
const char *cof_standin_region(const struct cof_standin *s);
const char *cof_standin_endpoint(const struct cof_standin *s);
void cof_standin_set_endpoint(struct cof_standin *s, const char *endpoint);
const struct cof_standin_opts *cof_standin_options(const struct cof_standin *s);
/* The state that service.start of that name made; NULL when there is none. */
void *cof_standin_state(const struct cof_standin *s, const char *service);
/* An RSA key of 2048, 3072 or 4096 bits. COF_E_RETRY: not yet; the handler lets go of what it has done and calls
 * cof_standin_rsa_wait, so that it is called again when there is one. */
COF_MUST_USE enum cof_err cof_standin_rsa_key(struct cof_standin *s, unsigned bits, struct cof_rsa_key **out);
void cof_standin_rsa_wait(const struct cof_standin *s, const struct cof_standin_request *req, struct cof_standin_reply *reply);
/* The runtime has a key of that size for one who waits. */
void cof_standin_rsa_ready(struct cof_standin *s, unsigned bits);
/* Wakes one of the requests that wait on this name, the one that has waited for longest: soon, or at at_ms (0: soon).
 * Who finds nothing goes back to the head of the line; who finds more than it takes calls the next by another notify. */
void cof_standin_notify(struct cof_standin *s, const char *wait_on, int64_t at_ms);

/* Does a piece of the services' own work that is due, and says when to come again (INT64_MAX: when a request was handled). */
int64_t cof_standin_tick(struct cof_standin *s, int64_t now_ms);
/* The same without doing anything. */
int64_t cof_standin_due(const struct cof_standin *s);
/* The runtime's commit failed: nothing since the last one has happened. */
void cof_standin_undone(struct cof_standin *s);

/* The context keys a service adds to those the dispatcher knows (aws:SecureTransport, aws:SourceIp, s3:TlsVersion,
 * aws:RequestedRegion, aws:MultiFactorAuthPresent, aws:MultiFactorAuthAge, aws:UserAgent, ... and what evaluate.h
 * derives). Keys and values are views that must live until authorize returns. */
#define COF_STANDIN_CONTEXT_MAX 128
struct cof_standin_context {
    struct cof_context_value items[COF_STANDIN_CONTEXT_MAX];
    struct cof_view values[COF_STANDIN_CONTEXT_MAX];
    size_t n;
    bool over; /* too many: authorize refuses */
};
void cof_standin_context_add(struct cof_standin_context *context, struct cof_view key, struct cof_view value);
/* A multi-valued key; values stay the caller's. */
void cof_standin_context_add_list(struct cof_standin_context *context, struct cof_view key,
                                  const struct cof_view *values, size_t n_values);

struct cof_standin_access {
    const char *action;              /* "kms:Decrypt" */
    struct cof_view resource;        /* an ARN, or "*" */
    struct cof_view resource_account; /* empty: the stand-in's */
    struct cof_view resource_policy; /* JSON text; empty: none */
    const char *resource_policy_name; /* for messages: "bucket-policy" */
    enum cof_policy_kind resource_policy_kind; /* COF_POLICY_RESOURCE, or COF_POLICY_TRUST for AssumeRole */
    enum cof_resource_rule rule;
    const struct cof_standin_context *context; /* may be NULL */
    const struct cof_caller *caller; /* NULL: the request's principal (AssumeRoleWithWebIdentity gives its own) */
    bool mfa_now;                    /* a second factor came with this very request */
    const char *via; /* the service that asks in the caller's name ("s3"); NULL: the caller itself */
    /* Asked when nothing allowed and nothing denied explicitly: the text of a resource policy that is tried in place of
     * the one above (KMS grants), or nothing. May be NULL. */
    struct cof_view (*more_policy)(void *ctx);
    void *more_ctx;
};

/* Asks the policies. COF_OK, or COF_E_DENIED: then why (may be NULL) gets AWS's sentence ("User: ... is not authorized
 * to perform: ... because ..."). Other errors are faults of the store or of memory; they too mean no. */
COF_MUST_USE enum cof_err cof_standin_authorize(struct cof_standin *s, struct cof_standin_request *req,
                                                const struct cof_standin_access *access, struct cof_buf *why);
/* For the few calls that no policy governs (token endpoint, key sets, GetCallerIdentity). */
void cof_standin_public(struct cof_standin_request *req, const char *action);

/* Adds a member to additionalEventData of the request's audit record: names come from code, values are escaped. */
void cof_standin_audit(struct cof_standin_request *req, const char *name, struct cof_view value);

/* Keys at rest: AES-256-GCM under a key derived from the master key for that purpose ("kms", "s3"), bound to id.
 * sealed is nonce, ciphertext, tag. COF_E_AUTH when it was altered or is somebody else's. */
COF_MUST_USE enum cof_err cof_standin_seal(struct cof_standin *s, const char *purpose, struct cof_view id,
                                           struct cof_view plaintext, struct cof_buf *sealed);
COF_MUST_USE enum cof_err cof_standin_unseal(struct cof_standin *s, const char *purpose, struct cof_view id,
                                             struct cof_view sealed, struct cof_buf *plaintext);

/* Driving one request, for the runtime. The head must outlive the call. *out is given even when the request is refused at once: then
 * cof_standin_call_ready says so. COF_E_MEMORY and the like when there is none. */
struct cof_standin_peer {
    bool tls;
    const char *source_ip;   /* "127.0.0.1", copied */
    const char *tls_version; /* "TLSv1.3", static; may be NULL */
    const char *tls_cipher;  /* "TLS_AES_128_GCM_SHA256", static; may be NULL */
    const char *service;   /* a listener for one service alone: its name; NULL: what the request asks for */
};
COF_MUST_USE enum cof_err cof_standin_open(struct cof_standin *s, const struct cof_http_head *head,
                                           const struct cof_standin_peer *peer, int64_t now_ms,
                                           struct cof_standin_call **out);
/* True when the reply stands already: no more body is wanted. */
bool cof_standin_call_ready(const struct cof_standin_call *call);
/* A piece of body. Errors are remembered and become the reply. */
void cof_standin_body(struct cof_standin_call *call, struct cof_view piece);
/* The body is whole: an MD5 that its end needs, for runtimes that compute those of many calls at once (crypto/md5_many.h)
 * before they call cof_standin_end. NULL: none. */
struct cof_md5_job *cof_standin_md5(struct cof_standin_call *call);
/* The body is whole, or a wait is over: runs the service in a savepoint. Afterwards cof_standin_call_ready is true, or
 * the reply's wait_until_ms and wait_on say what is waited for. */
void cof_standin_end(struct cof_standin_call *call, const struct cof_headers *trailers, int64_t now_ms);
/* What the runtime is to do to the reply besides (fault.h): latency, cut and tamper. */
struct cof_fault_effect;
const struct cof_fault_effect *cof_standin_call_fault(const struct cof_standin_call *call);
/* For counting: the service's name ("" for none) and the operation's. Known once the reply stands. */
const char *cof_standin_call_service(const struct cof_standin_call *call);
const char *cof_standin_call_operation(const struct cof_standin_call *call);
/* The operation's name may be the client's invention; here is told whether the service has it. */
bool cof_standin_has_operation(const struct cof_standin *s, const char *service, const char *operation);
/* Lives until close. The reply must not leave before the store's changes are committed. */
struct cof_standin_reply *cof_standin_call_reply(struct cof_standin_call *call);
/* The changes of a finished call could not be kept: its reply becomes an error of AWS's kind, with a record of its own. */
void cof_standin_undo(struct cof_standin_call *call, enum cof_err why);
/* What made a finished call fail that AWS would have done; COF_OK: nothing. */
enum cof_err cof_standin_call_failed(const struct cof_standin_call *call);
void cof_standin_close(struct cof_standin_call *call); /* takes NULL */

#endif
