/* SPDX-License-Identifier: Apache-2.0
 *
 * One request from head to reply: which service, who, body whole or piece by piece, savepoint, audit record.
 */
#include "base/codec.h"
#include "base/uuid.h"
#include "crypto/hash.h"
#include "standin/call.h"
#include "standin/reply.h"
#include "standin/trail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cof_service *service_named(const struct cof_standin *s, struct cof_view name)
{
    for (size_t i = 0; i < s->opts.n_services; i++)
        if (cof_view_eq_str(name, s->opts.services[i]->name))
            return s->opts.services[i];
    return NULL;
}

/* Of the services that requests may name; one without a signature's scope has a listener of its own. */
static const struct cof_service *signed_for(const struct cof_standin *s, struct cof_view name)
{
    return cof_view_eq(name, COF_LIT("imds")) ? NULL : service_named(s, name);
}

static enum cof_auth_shape shape_of(const struct cof_standin_call *c)
{
    const struct cof_service *service = c->service;
    struct cof_view target;

    if (service != NULL && service->query_xmlns != NULL && !cof_headers_get(&c->req.head->headers, "x-amz-target", &target))
        return COF_AUTH_SHAPE_QUERY;
    if (service != NULL && service->json)
        return COF_AUTH_SHAPE_JSON;
    return service != NULL && strcmp(service->name, "s3") != 0 ? COF_AUTH_SHAPE_QUERY : COF_AUTH_SHAPE_S3;
}

/* An error in the shape of the call's service. */
static void refuse(struct cof_standin_call *c, int status, const char *code, const char *message)
{
    switch (shape_of(c)) {
    case COF_AUTH_SHAPE_JSON:
        (void)cof_reply_json_error(&c->reply, c->service->json_type, status, code, NULL, cof_view_str(message));
        break;
    case COF_AUTH_SHAPE_QUERY:
        (void)cof_reply_query_error(
            &c->reply, &c->req, c->service->query_xmlns != NULL ? c->service->query_xmlns : "https://sts.amazonaws.com/doc/2011-06-15/", status,
            code, cof_view_str(message));
        break;
    case COF_AUTH_SHAPE_S3:
        (void)cof_reply_s3_error(&c->reply, &c->req, status, code, message, NULL);
        break;
    }
}

static void name_reply(struct cof_standin_call *c)
{
    bool s3 = shape_of(c) == COF_AUTH_SHAPE_S3;

    cof_headers_set(&c->reply.headers, s3 ? "x-amz-request-id" : "x-amzn-RequestId", c->req.id);
    if (s3)
        cof_headers_set(&c->reply.headers, "x-amz-id-2", "coffer-local");
    if (cof_view_eq_str(c->req.head->method, "HEAD") && c->reply.status >= 300)
        cof_buf_reset(&c->reply.body); /* spec: the answer to HEAD has no body, so only the status tells */
}

/* The records leave before the reply stands: what cannot be recorded is not answered as done. */
static enum cof_err audit(struct cof_standin_call *c)
{
    struct cof_buf *lines = &c->s->lines;
    enum cof_err err;

    if (c->s->opts.audit == NULL || strcmp(c->req.service, "coffer") == 0) /* health and metrics are no calls of AWS's */
        return COF_OK;
    cof_buf_reset(lines);
    err = cof_trail_records(c->s, &c->req, &c->reply, lines);
    return err == COF_OK ? c->s->opts.audit(c->s->opts.ctx, cof_buf_view(lines)) : err;
}

/* The reply stands. */
static void finish(struct cof_standin_call *c)
{
    if (cof_buf_err(&c->reply.body) != COF_OK || cof_headers_err(&c->reply.headers) != COF_OK)
        refuse(c, 500, c->service != NULL && c->service->json ? "InternalFailure" : "InternalError",
            "We encountered an internal error. Please try again.");
    name_reply(c);
    c->state = CALL_READY;
    cof_trail_name(&c->req);
    if (audit(c) != COF_OK) {
        refuse(c, 503, "ServiceUnavailable", "The request cannot be recorded now. Please try again later.");
        name_reply(c);
    }
}

/* S3 tells which region it is, and its clients sign anew for that one. False: it is not that. */
static bool refuse_region(struct cof_standin_call *c, enum cof_auth_failure failure)
{
    bool by_query = failure == COF_AUTH_QUERY;
    struct cof_view region = c->auth.claim.region;
    char message[200], extra[80];

    if (shape_of(c) != COF_AUTH_SHAPE_S3 || (failure != COF_AUTH_SCOPE && !by_query) || region.len == 0 || region.len > 64 ||
        cof_view_eq_str(region, c->s->region))
        return false;
    (void)snprintf(message, sizeof message, "%s; the region '%.*s' is wrong; expecting '%s'",
        by_query ? "Error parsing the X-Amz-Credential parameter" : "The authorization header is malformed", (int)region.len,
        (const char *)region.data, c->s->region);
    (void)snprintf(extra, sizeof extra, "<Region>%s</Region>", c->s->region);
    (void)cof_reply_s3_error(&c->reply, &c->req, 400,
        by_query ? "AuthorizationQueryParametersError" : "AuthorizationHeaderMalformed", message, extra);
    return true;
}

/* S3 quotes what is wrong with a credential. False: it is not that. */
static bool refuse_credential(struct cof_standin_call *c, enum cof_auth_failure failure)
{
    char message[300];

    if (shape_of(c) != COF_AUTH_SHAPE_S3 || !cof_auth_credential_words(&c->auth, failure, message, sizeof message))
        return false;
    refuse(c, 400, c->auth.claim.presigned ? "AuthorizationQueryParametersError" : "AuthorizationHeaderMalformed", message);
    return true;
}

static void refuse_auth(struct cof_standin_call *c, enum cof_auth_failure failure)
{
    const struct cof_auth_code *code = cof_auth_code(failure, shape_of(c));

    if (!refuse_region(c, failure) && !refuse_credential(c, failure))
        refuse(c, code->status, code->code, code->message);
    finish(c);
}

static void refuse_fault(struct cof_standin_call *c, enum cof_err err)
{
    if (err == COF_E_NO_SPACE)
        refuse(c, 503, "ServiceUnavailable", "There is no room left to keep what was asked for. Please try again later.");
    else
        refuse(c, 500, c->service != NULL && c->service->json ? "InternalFailure" : "InternalError",
            "We encountered an internal error. Please try again.");
}

static void fail(struct cof_standin_call *c, enum cof_err err)
{
    if (c->failed == COF_OK) /* a second time when what came after it in its turn could not be kept */
        cof_standin_audit(&c->req, "fault", cof_view_str(cof_err_name(err)));
    c->failed = err;
    refuse_fault(c, err);
    finish(c);
}

/* An unsigned form for /ACCOUNT/NAME: a queue may be open to anybody. S3 takes no forms of that type. */
static bool is_queue_form(const struct cof_standin_call *c)
{
    const struct cof_http_head *head = c->req.head;
    struct cof_view type, none, rest, account, name;

    return cof_view_eq_str(head->method, "POST") && head->query.len == 0 && cof_headers_get(&head->headers, "content-type", &type) &&
        cof_view_starts(type, COF_LIT("application/x-www-form-urlencoded")) && cof_view_split(head->path, '/', &none, &rest) &&
        cof_view_split(rest, '/', &account, &name) && cof_view_eq_str(account, c->s->account) && cof_view_find(name, '/') == SIZE_MAX;
}

/* By path, by the signature's scope, by X-Amz-Target; what is left is a form for STS or a request for S3. */
static const struct cof_service *choose(const struct cof_standin_call *c)
{
    const struct cof_standin *s = c->s;
    const struct cof_http_head *head = c->req.head;
    struct cof_view target;

    for (size_t i = 0; i < s->opts.n_services; i++)
        if (s->opts.services[i]->path != NULL && cof_view_starts(head->path, cof_view_str(s->opts.services[i]->path)))
            return s->opts.services[i];
    if (c->auth.is_signed && c->auth.claim.service.len > 0)
        return signed_for(s, c->auth.claim.service);
    if (cof_headers_get(&head->headers, "x-amz-target", &target))
        for (size_t i = 0; i < s->opts.n_services; i++)
            if (s->opts.services[i]->target != NULL &&
                cof_view_starts(target, cof_view_str(s->opts.services[i]->target)))
                return s->opts.services[i];
    if (is_queue_form(c))
        return service_named(s, COF_LIT("sqs"));
    if (cof_view_eq_str(head->method, "POST") && cof_view_eq_str(head->path, "/") && head->query.len == 0)
        return service_named(s, COF_LIT("sts"));
    return service_named(s, COF_LIT("s3"));
}

static bool by_path(const struct cof_standin_call *c)
{
    return c->service->path != NULL && cof_view_starts(c->req.head->path, cof_view_str(c->service->path));
}

/* Checks the signature, and so who calls. False: the reply stands. */
static bool identify(struct cof_standin_call *c, const uint8_t body_hash[32])
{
    enum cof_auth_failure failure;
    enum cof_err err = cof_auth_check(&c->s->callers, c->s->opts.store, c->s->account, &c->s->signing_keys, c->req.head, &c->auth,
                                      c->s->region, body_hash, c->req.now_ms, &c->caller, &failure);

    if (err != COF_OK)
        fail(c, err);
    else if (failure != COF_AUTH_FINE)
        refuse_auth(c, failure);
    else {
        c->req.principal = &c->caller->principal;
        c->req.identity = &c->caller->identity;
    }
    return err == COF_OK && failure == COF_AUTH_FINE;
}

/* S3 signs what the header says of the body, so the check need not wait for it. */
static bool checked_at_head(const struct cof_standin_call *c)
{
    return c->auth.payload != COF_PAYLOAD_ABSENT;
}

/* Asks the scripted faults, once the operation is known. True: the reply stands. */
static bool judge(struct cof_standin_call *c)
{
    struct cof_fault_effect *f = &c->fault;
    int status;

    if (c->judged || c->s->opts.faults == NULL || c->s->opts.faults->n == 0 || by_path(c))
        return false;
    if (c->service->name_operation != NULL)
        c->service->name_operation(c->s, &c->req);
    else
        cof_trail_name(&c->req);
    if (c->req.notes.operation[0] == '\0')
        return false;
    c->judged = true;
    cof_faults_judge(c->s->opts.faults, c->service->name, c->req.notes.operation, f);
    if (f->any)
        cof_standin_audit(&c->req, "scriptedFault", COF_LIT("true"));
    c->req.now_ms += f->skew_s * 1000;
    if (!f->throttle && f->status == 0)
        return false;
    status = f->status != 0 ? f->status : strcmp(c->service->name, "s3") == 0 ? 503 : 400;
    refuse(c, status, f->code[0] != '\0' ? f->code : !f->throttle ? (status == 503 ? "ServiceUnavailable" : "InternalError") :
        strcmp(c->service->name, "s3") == 0 ? "SlowDown" : "ThrottlingException", f->throttle ? "Rate exceeded" : "Scripted fault.");
    finish(c);
    return true;
}

static void begin(struct cof_standin_call *c, enum cof_auth_failure failure)
{
    enum cof_err err = COF_OK;

    if (c->service == NULL) {
        refuse_auth(c, failure != COF_AUTH_FINE ? failure : COF_AUTH_SCOPE); /* signed for a service that is not here */
        return;
    }
    if (judge(c))
        return;
    if (by_path(c)) { /* no AWS service: what it does with credentials of its own kind is its business */
        c->auth.is_signed = false;
    } else if (failure != COF_AUTH_FINE && !(failure == COF_AUTH_MISSING && c->service->anonymous)) {
        refuse_auth(c, failure);
        return;
    } else if (c->auth.is_signed && strcmp(c->service->name, "s3") == 0 && !checked_at_head(c)) {
        refuse_auth(c, COF_AUTH_PAYLOAD);
        return;
    }
    if (c->auth.is_signed && checked_at_head(c) && !identify(c, NULL))
        return;
    if (c->service->stream != NULL && (!c->auth.is_signed || checked_at_head(c)))
        err = c->service->stream(c->s, &c->req, &c->sink, &c->reply);
    if (err != COF_OK)
        fail(c, err);
    else if (c->reply.status != 0)
        finish(c);
}

enum cof_err cof_standin_open(struct cof_standin *s, const struct cof_http_head *head,
    const struct cof_standin_peer *peer, int64_t now_ms, struct cof_standin_call **out)
{
    struct cof_standin_call *c = malloc(sizeof *c);
    enum cof_auth_failure failure;
    enum cof_err err;

    *out = NULL;
    if (c == NULL)
        return COF_E_MEMORY;
    memset(c, 0, offsetof(struct cof_standin_call, reply));
    c->s = s;
    c->state = CALL_BODY;
    c->fault = (struct cof_fault_effect){.cut_after = -1, .code = ""};
    cof_reply_init(&c->reply);
    cof_buf_init_secret(&c->body, COF_STANDIN_BODY_MAX);
    cof_trail_init(&c->req);
    cof_view_copy(cof_view_str(peer->source_ip), c->source_ip, sizeof c->source_ip);
    err = cof_uuid_new(s->opts.rng, c->req.id);
    if (err != COF_OK) {
        cof_standin_close(c);
        return err;
    }
    c->req.head = head;
    c->req.principal = &cof_iam_nobody;
    c->req.region = s->region;
    c->req.tls = peer->tls;
    c->req.tls_version = peer->tls_version;
    c->req.tls_cipher = peer->tls_cipher;
    c->req.source_ip = c->source_ip;
    c->req.now_ms = c->req.started_ms = now_ms;
    c->req.auth = &c->auth;
    err = cof_auth_read(head, &c->auth, &failure);
    if (err != COF_OK) {
        cof_standin_close(c);
        return err;
    }
    c->service = peer->service != NULL ? service_named(s, cof_view_str(peer->service)) : choose(c);
    if (c->service != NULL && c->service->body_max != 0)
        c->body.max = c->service->body_max;
    c->req.service = c->service == NULL ? "" : c->service->name;
    if (strcmp(c->req.service, "s3") != 0)
        cof_auth_sign_body(&c->auth, &failure);
    begin(c, failure);
    *out = c;
    return COF_OK;
}

bool cof_standin_call_ready(const struct cof_standin_call *c)
{
    return c->state == CALL_READY;
}

void cof_standin_body(struct cof_standin_call *c, struct cof_view piece)
{
    if (c->state != CALL_BODY || c->err != COF_OK)
        return;
    if (c->sink.write != NULL) {
        c->err = c->sink.write(c->sink.ctx, piece);
        return;
    }
    cof_buf_add(&c->body, piece);
    c->err = cof_buf_err(&c->body);
}

/* A body taken whole: its hash against what was signed, and the signature where that had to wait. */
static bool check_body(struct cof_standin_call *c)
{
    uint8_t hash[32];
    enum cof_err err = COF_OK;

    if (c->body_checked || !c->auth.is_signed)
        return true;
    c->body_checked = true;
    if (c->auth.payload == COF_PAYLOAD_HASH || c->auth.payload == COF_PAYLOAD_ABSENT)
        err = cof_hash_once(COF_SHA256, cof_buf_view(&c->body), hash);
    if (err != COF_OK) {
        fail(c, err);
        return false;
    }
    if (c->auth.payload == COF_PAYLOAD_ABSENT)
        return identify(c, hash);
    if (c->auth.payload == COF_PAYLOAD_HASH && memcmp(hash, c->auth.payload_hash, sizeof hash) != 0) {
        refuse(c, 400, "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.");
        finish(c);
        return false;
    }
    return true;
}

struct cof_md5_job *cof_standin_md5(struct cof_standin_call *c)
{
    return c->state == CALL_BODY && c->err == COF_OK && c->sink.md5 != NULL ? c->sink.md5(c->sink.ctx) : NULL;
}

static enum cof_err run(struct cof_standin_call *c, const struct cof_headers *trailers)
{
    if (c->sink.write != NULL)
        return c->sink.end(c->sink.ctx, &c->req, trailers, &c->reply);
    c->req.body = cof_buf_view(&c->body);
    return c->service->handle(c->s, &c->req, &c->reply);
}

void cof_standin_end(struct cof_standin_call *c, const struct cof_headers *trailers, int64_t now_ms)
{
    const struct cof_store *store = c->s->opts.store;
    enum cof_err err;
    bool keep;

    if (c->state == CALL_READY)
        return;
    c->req.body = cof_buf_view(&c->body);
    if (judge(c))
        return;
    c->req.now_ms = now_ms + c->fault.skew_s * 1000;
    if (c->err == COF_E_LIMIT && c->sink.write == NULL) {
        refuse(c, 413, "RequestEntityTooLarge", "The request is too large.");
        finish(c);
        return;
    }
    if (c->err != COF_OK && c->sink.write == NULL) {
        fail(c, c->err);
        return;
    }
    if (c->sink.write == NULL && !check_body(c))
        return;
    cof_reply_reset(&c->reply);
    if (c->state == CALL_WAIT)
        cof_trail_reset(&c->req);
    c->req.authorized = c->sink.write != NULL && c->req.authorized; /* a stream was authorised at its head */
    err = store->savepoint(store->ctx);
    if (err != COF_OK) {
        fail(c, err);
        return;
    }
    err = run(c, trailers);
    if (err == COF_OK && c->reply.status == 0 && c->reply.wait_until_ms == 0)
        err = COF_E_BUG;
    if (err == COF_OK && c->reply.status != 0 && c->reply.status < 400 && !c->req.authorized)
        err = COF_E_BUG; /* nobody asked the policies */
    keep = err == COF_OK && (c->reply.status < 400 || c->reply.keep);
    if ((keep ? store->release(store->ctx) : store->rollback(store->ctx)) != COF_OK && err == COF_OK)
        err = COF_E_IO;
    if (!keep || err != COF_OK)
        cof_standin_service_undone(c->s, c->service);
    if (err != COF_OK)
        fail(c, err);
    else if (c->reply.status != 0)
        finish(c);
    else
        c->state = CALL_WAIT;
}

void cof_standin_undo(struct cof_standin_call *c, enum cof_err why)
{
    fail(c, why);
}

enum cof_err cof_standin_call_failed(const struct cof_standin_call *c)
{
    return c->failed;
}

const struct cof_fault_effect *cof_standin_call_fault(const struct cof_standin_call *c)
{
    return &c->fault;
}

const char *cof_standin_call_service(const struct cof_standin_call *c)
{
    return c->req.service;
}

const char *cof_standin_call_operation(const struct cof_standin_call *c)
{
    return c->req.notes.operation;
}

bool cof_standin_has_operation(const struct cof_standin *s, const char *service, const char *operation)
{
    const struct cof_service *of = service_named(s, cof_view_str(service));

    return of != NULL && of->has_operation != NULL && of->has_operation(cof_view_str(operation));
}

struct cof_standin_reply *cof_standin_call_reply(struct cof_standin_call *c)
{
    return &c->reply;
}

void cof_standin_close(struct cof_standin_call *c)
{
    if (c == NULL)
        return;
    if (c->sink.done != NULL)
        c->sink.done(c->sink.ctx);
    cof_reply_done(&c->reply);
    cof_buf_done(&c->body);
    cof_trail_done(&c->req);
    cof_known_caller_unref(c->caller);
    cof_auth_done(&c->auth);
    free(c);
}
