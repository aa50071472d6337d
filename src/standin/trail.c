/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/trail.h"

#include "base/codec.h"
#include "base/date.h"
#include "base/uuid.h"
#include "engine/audit_chain.h"
#include "format/attest_doc.h"
#include "format/json.h"
#include "standin/auth.h"
#include "standin/call.h"
#include "standin/trail_fields.h"

#include <stdio.h>
#include <string.h>

#define NOTES_MAX ((size_t)32768) /* bytes of each kind of note */
#define RESOURCES_MAX 32
#define BEHALF_MAX 4

void cof_trail_init(struct cof_standin_request *req)
{
    struct cof_trail_notes *n = &req->notes;

    cof_buf_init(&n->data, NOTES_MAX);
    cof_buf_init(&n->parameters, NOTES_MAX);
    cof_buf_init(&n->recipient, NOTES_MAX);
    cof_buf_init(&n->resources, 2 * NOTES_MAX);
    cof_buf_init(&n->arn, 4096);
    cof_buf_init(&n->object, 8192);
    cof_buf_init(&n->behalf, NOTES_MAX);
}

void cof_trail_done(struct cof_standin_request *req)
{
    struct cof_trail_notes *n = &req->notes;

    cof_buf_done(&n->data);
    cof_buf_done(&n->parameters);
    cof_buf_done(&n->recipient);
    cof_buf_done(&n->resources);
    cof_buf_done(&n->arn);
    cof_buf_done(&n->object);
    cof_buf_done(&n->behalf);
}

void cof_trail_reset(struct cof_standin_request *req)
{
    struct cof_trail_notes *n = &req->notes;

    cof_buf_reset(&n->data);
    cof_buf_reset(&n->parameters);
    cof_buf_reset(&n->recipient);
    cof_buf_reset(&n->resources);
    cof_buf_reset(&n->arn);
    cof_buf_reset(&n->behalf);
    n->n_resources = 0;
}

void cof_trail_operation(struct cof_standin_request *req, const char *name)
{
    cof_view_copy(cof_view_str(name), req->notes.operation, sizeof req->notes.operation);
}

void cof_trail_object(struct cof_standin_request *req, const char *bucket, struct cof_view key)
{
    cof_buf_reset(&req->notes.object);
    cof_buf_add_str(&req->notes.object, bucket);
    cof_buf_add_u8(&req->notes.object, '/');
    cof_buf_add(&req->notes.object, key);
}

void cof_standin_audit(struct cof_standin_request *req, const char *name, struct cof_view value)
{
    if (!req->notes.silent)
        cof_json_add_member(&req->notes.data, name, cof_view_sub(value, 0, 1024));
}

void cof_trail_parameters(struct cof_standin_request *req, const struct json_t *parameters)
{
    cof_buf_reset(&req->notes.parameters);
    cof_trail_json(req->service, parameters, &req->notes.parameters);
}

void cof_trail_recipient(struct cof_standin_request *req, const struct cof_attest_doc *doc)
{
    struct cof_buf *out = &req->notes.recipient;
    char hex[2 * COF_ATTEST_PCR_SIZE + 1], name[48];

    cof_buf_reset(out);
    cof_json_add_member(out, "attestationDocumentModuleId", doc->module_id);
    for (unsigned i = 0; i < COF_ATTEST_PCRS; i++) {
        if ((doc->pcr_mask >> i & 1) == 0 || (i != 0 && cof_attest_doc_pcr_is_zero(doc, i)))
            continue;
        cof_hex_encode(doc->pcrs[i].data, COF_ATTEST_PCR_SIZE, hex);
        (void)snprintf(name, sizeof name, i == 0 ? "attestationDocumentEnclaveImageDigest" : "attestationDocumentEnclavePCR%u", i);
        cof_json_add_member(out, name, cof_view_str(hex));
    }
}

/* "kms" of "arn:aws:kms:..."; empty when it is none. */
static struct cof_view service_of(struct cof_view arn)
{
    struct cof_view head, rest;

    for (int i = 0; i < 2; i++) {
        if (!cof_view_split(arn, ':', &head, &rest))
            return (struct cof_view){0};
        arn = rest;
    }
    (void)cof_view_split(arn, ':', &head, &rest);
    return head;
}

static const char *type_of(struct cof_view arn)
{
    struct cof_view service = service_of(arn);

    if (cof_view_eq_str(service, "kms"))
        return "AWS::KMS::Key";
    if (cof_view_eq_str(service, "sqs"))
        return "AWS::SQS::Queue";
    if (cof_view_eq_str(service, "iam"))
        return cof_view_find(arn, '/') == SIZE_MAX ? "AWS::IAM::User" : "AWS::IAM::Role";
    if (cof_view_eq_str(service, "s3"))
        return cof_view_find(arn, '/') == SIZE_MAX ? "AWS::S3::Bucket" : "AWS::S3::Object";
    return NULL;
}

static void add_resource(struct cof_buf *out, const char *account, struct cof_view arn)
{
    const char *type = type_of(arn);

    cof_buf_add_str(out, out->len == 0 ? "{" : ",{");
    if (account != NULL)
        cof_json_add_member(out, "accountId", cof_view_str(account));
    if (type != NULL)
        cof_json_add_member(out, "type", cof_view_str(type));
    cof_json_add_member(out, "ARN", arn);
    cof_buf_add_str(out, "}");
}

/* Kept until the record is made: action NUL arn NUL and whether. */
static void note_behalf(struct cof_trail_notes *n, const char *action, struct cof_view arn, bool allowed)
{
    if (n->behalf.len + strlen(action) + arn.len + 16 > NOTES_MAX)
        return;
    cof_buf_add_str(&n->behalf, action);
    cof_buf_add_u8(&n->behalf, 0);
    cof_buf_add(&n->behalf, arn);
    cof_buf_add_u8(&n->behalf, 0);
    cof_buf_add_u8(&n->behalf, allowed ? 1 : 2);
}

void cof_trail_resource(struct cof_standin_request *req, const char *action, struct cof_view arn, bool allowed)
{
    struct cof_trail_notes *n = &req->notes;
    struct cof_view prefix, rest;

    if (n->silent)
        return;
    if (cof_view_split(cof_view_str(action), ':', &prefix, &rest) && cof_view_eq_str(prefix, "kms") && strcmp(req->service, "kms") != 0) {
        note_behalf(n, action, arn, allowed);
        return;
    }
    if (arn.len < 4 || n->n_resources == RESOURCES_MAX || cof_view_eq(arn, cof_buf_view(&n->arn)))
        return;
    cof_buf_reset(&n->arn);
    cof_buf_add(&n->arn, arn);
    add_resource(&n->resources, cof_view_eq_str(prefix, "s3") && type_of(arn) != NULL && cof_view_find(arn, '/') != SIZE_MAX ? NULL :
        req->principal->account[0] != '\0' ? req->principal->account : NULL, arn);
    n->n_resources++;
}

static void add_attributes(const struct cof_iam_principal *p, struct cof_buf *out)
{
    char date[COF_DATE_MAX];

    cof_date_iso_seconds(p->key.created_ms, date);
    cof_json_add_name(out, "attributes");
    cof_buf_add_str(out, "{");
    cof_json_add_member(out, "creationDate", cof_view_str(date));
    cof_json_add_member(out, "mfaAuthenticated", p->key.mfa_ms != 0 ? COF_LIT("true") : COF_LIT("false"));
    cof_buf_add_str(out, "}");
}

static void add_session(const struct cof_iam_principal *p, const char *account, struct cof_buf *out)
{
    if (p->key.session_token == NULL)
        return;
    cof_json_add_name(out, "sessionContext");
    cof_buf_add_str(out, "{");
    if (p->caller.kind == COF_CALLER_ROLE) {
        cof_buf_add_str(out, "\"sessionIssuer\":{\"type\":\"Role\"");
        cof_json_add_member(out, "principalId", cof_view_str(p->entity.id));
        cof_json_add_member(out, "arn", cof_view_str(p->entity.arn));
        cof_json_add_member(out, "accountId", cof_view_str(account));
        cof_json_add_member(out, "userName", cof_view_str(p->entity.name));
        cof_buf_add_str(out, "},\"webIdFederationData\":{}");
        if (p->key.source_identity != NULL)
            cof_json_add_member(out, "sourceIdentity", cof_view_str(p->key.source_identity));
    }
    add_attributes(p, out);
    cof_buf_add_str(out, "}");
}

/* The members of userIdentity. */
static void add_principal(const struct cof_standin *s, const struct cof_standin_request *req, struct cof_buf *out)
{
    const struct cof_iam_principal *p = req->principal;
    static const char *const types[] = {[COF_CALLER_ANONYMOUS] = "AWSAccount", [COF_CALLER_ROOT] = "Root", [COF_CALLER_USER] = "IAMUser",
        [COF_CALLER_ROLE] = "AssumedRole", [COF_CALLER_SERVICE] = "AWSService", [COF_CALLER_FEDERATED] = "WebIdentityUser"};

    cof_json_add_member(out, "type", cof_view_str(p->caller.kind == COF_CALLER_ANONYMOUS && req->auth->claim.access_key_id.len > 0 ?
        "Unknown" : types[p->caller.kind])); /* who signed, but not so that it held, is not known */
    if (p->caller.kind == COF_CALLER_ANONYMOUS) {
        cof_buf_add_str(out, ",\"principalId\":\"\",\"accountId\":\"anonymous\"");
    } else {
        cof_json_add_member(out, "principalId", p->caller.kind == COF_CALLER_ROOT ? cof_view_str(s->account) : cof_view_str(p->user_id));
        cof_json_add_member(out, "arn", p->caller.arn);
        cof_json_add_member(out, "accountId", cof_view_str(s->account));
    }
    if (req->auth->claim.access_key_id.len > 0)
        cof_json_add_member(out, "accessKeyId", cof_view_sub(req->auth->claim.access_key_id, 0, 128));
    if (p->caller.kind == COF_CALLER_USER)
        cof_json_add_member(out, "userName", cof_view_str(p->entity.name));
    add_session(p, s->account, out);
}

static void add_identity(const struct cof_standin *s, const struct cof_standin_request *req, const char *invoked_by, struct cof_buf *out)
{
    struct cof_buf *kept = req->identity;

    cof_json_add_name(out, "userIdentity");
    cof_buf_add_str(out, "{");
    if (kept != NULL && kept->len == 0)
        add_principal(s, req, kept);
    if (kept != NULL && cof_buf_err(kept) == COF_OK)
        cof_buf_add(out, cof_buf_view(kept));
    else
        add_principal(s, req, out);
    if (invoked_by != NULL)
        cof_json_add_member(out, "invokedBy", cof_view_str(invoked_by));
    cof_buf_add_str(out, "}");
}

/* An object of members, or null; what did not fit is said to be left out, as CloudTrail does. */
static void add_members(struct cof_buf *out, const char *name, const struct cof_buf *members)
{
    cof_json_add_name(out, name);
    if (cof_buf_err(members) != COF_OK) {
        cof_buf_add_str(out, "{\"omitted\":true,\"reason\":\"the field is too large\"}");
    } else if (members->len == 0) {
        cof_buf_add_str(out, "null");
    } else {
        cof_buf_add_str(out, "{");
        cof_buf_add(out, cof_buf_view(members));
        cof_buf_add_str(out, "}");
    }
}

/* service: "s3", of which the source is made. */
static void add_head(const struct cof_standin *s, const struct cof_standin_request *req, const char *service, const char *event,
                     const char *invoked_by, struct cof_buf *out)
{
    char time[COF_DATE_MAX];
    struct cof_view agent = {0};

    cof_date_iso(req->now_ms, time);
    (void)cof_headers_get(&req->head->headers, "user-agent", &agent);
    cof_buf_add_str(out, "{\"eventVersion\":\"" COF_AUDIT_VERSION "\"");
    add_identity(s, req, invoked_by, out);
    cof_json_add_member(out, "eventTime", cof_view_str(time));
    cof_json_add_name(out, "eventSource");
    cof_buf_add_str(out, "\"");
    cof_buf_add_str(out, service);
    cof_buf_add_str(out, ".amazonaws.com\"");
    cof_json_add_member(out, "eventName", cof_view_str(event));
    cof_json_add_member(out, "awsRegion", cof_view_str(s->region));
    cof_json_add_member(out, "sourceIPAddress", cof_view_str(invoked_by != NULL ? invoked_by : req->source_ip));
    cof_json_add_member(out, "userAgent", invoked_by != NULL ? cof_view_str(invoked_by) : cof_view_sub(agent, 0, 1024));
}

static enum cof_err add_tail(const struct cof_standin *s, const struct cof_standin_request *req, struct cof_view resources,
                             bool read_only, bool management, bool own_connection, struct cof_buf *out)
{
    struct cof_view host = {0};
    char id[40];
    enum cof_err err = cof_uuid_new(s->opts.rng, id);

    cof_json_add_member(out, "requestID", cof_view_str(req->id));
    cof_json_add_member(out, "eventID", cof_view_str(id));
    cof_buf_add_str(out, read_only ? ",\"readOnly\":true" : ",\"readOnly\":false");
    if (resources.len > 0) {
        cof_buf_add_str(out, ",\"resources\":[");
        cof_buf_add(out, resources);
        cof_buf_add_str(out, "]");
    }
    cof_buf_add_str(out, ",\"eventType\":\"AwsApiCall\"");
    cof_buf_add_str(out, management ? ",\"managementEvent\":true" : ",\"managementEvent\":false");
    cof_json_add_member(out, "recipientAccountId", cof_view_str(s->account));
    cof_json_add_member(out, "eventCategory", management ? COF_LIT("Management") : COF_LIT("Data"));
    if (own_connection && req->tls) {
        (void)cof_headers_get(&req->head->headers, "host", &host);
        cof_buf_add_str(out, ",\"tlsDetails\":{");
        if (req->tls_version != NULL)
            cof_json_add_member(out, "tlsVersion", cof_view_str(req->tls_version));
        if (req->tls_cipher != NULL)
            cof_json_add_member(out, "cipherSuite", cof_view_str(req->tls_cipher));
        cof_json_add_member(out, "clientProvidedHostHeader", cof_view_sub(host, 0, 256));
        cof_buf_add_str(out, "}");
    }
    cof_buf_add_str(out, "}\n");
    return err;
}

static void add_error(const struct cof_standin_reply *reply, struct cof_buf *out)
{
    if (reply->status < 400 && reply->status != 304)
        return;
    if (reply->error_code[0] != '\0')
        cof_json_add_member(out, "errorCode", cof_view_str(reply->error_code));
    else {
        char code[16];

        (void)snprintf(code, sizeof code, "%d", reply->status);
        cof_json_add_member(out, "errorCode", cof_view_str(code));
    }
    if (reply->error_message[0] != '\0')
        cof_json_add_member(out, "errorMessage", cof_view_str(reply->error_message));
}

/* What another service did in the caller's name, as AWS records it of KMS: an event of that service. */
static enum cof_err add_behalf(const struct cof_standin *s, const struct cof_standin_request *req, struct cof_buf *out)
{
    struct cof_view rest = cof_buf_view(&req->notes.behalf), action, arn, service, name;
    struct cof_buf resource, parameters;
    char via[32], event[64];
    enum cof_err err = COF_OK;

    if (rest.len == 0)
        return COF_OK;
    (void)snprintf(via, sizeof via, "%s.amazonaws.com", req->service);
    cof_buf_init(&resource, 8192);
    cof_buf_init(&parameters, 8192);
    for (int i = 0; i < BEHALF_MAX && err == COF_OK && cof_view_split(rest, 0, &action, &rest) && cof_view_split(rest, 0, &arn, &rest); i++) {
        bool allowed = rest.len > 0 && rest.data[0] == 1;

        rest = cof_view_sub(rest, 1, SIZE_MAX);
        (void)cof_view_split(action, ':', &service, &name);
        cof_view_copy(name, event, sizeof event);
        cof_buf_reset(&resource);
        cof_buf_reset(&parameters);
        add_resource(&resource, s->account, arn);
        cof_json_add_member(&parameters, "keyId", arn);
        add_head(s, req, "kms", event, via, out);
        if (!allowed)
            cof_json_add_member(out, "errorCode", COF_LIT("AccessDenied"));
        add_members(out, "requestParameters", &parameters);
        cof_buf_add_str(out, ",\"responseElements\":null");
        err = add_tail(s, req, cof_buf_view(&resource), true, true, false, out);
    }
    cof_buf_done(&resource);
    cof_buf_done(&parameters);
    return err;
}

enum cof_err cof_trail_records(const struct cof_standin *s, const struct cof_standin_request *req,
                               const struct cof_standin_reply *reply, struct cof_buf *out)
{
    struct cof_trail_event event;
    struct cof_buf made, elements, data;
    const struct cof_buf *parameters;
    enum cof_err err = add_behalf(s, req, out);

    cof_buf_init(&made, NOTES_MAX + 1024);
    cof_buf_init(&elements, NOTES_MAX);
    cof_buf_init(&data, NOTES_MAX * 3);
    cof_trail_classify(req, &event);
    parameters = cof_trail_request(req, &event, &made);
    cof_trail_response(req, reply, &event, &elements);
    cof_trail_data(req, reply, &event, &data);
    if (req->notes.recipient.len > 0)
        add_members(&data, "recipient", &req->notes.recipient);
    if (data.len > 0 && req->notes.data.len > 0)
        cof_buf_add_u8(&data, ',');
    cof_buf_add(&data, cof_buf_view(&req->notes.data));
    add_head(s, req, req->service[0] == '\0' ? "unknown" : req->service, event.name, NULL, out);
    add_error(reply, out);
    add_members(out, "requestParameters", parameters);
    add_members(out, "responseElements", &elements);
    if (data.len > 0)
        add_members(out, "additionalEventData", &data);
    if (err == COF_OK)
        err = add_tail(s, req, cof_buf_view(&req->notes.resources), event.read_only, event.management, true, out);
    cof_buf_done(&made);
    cof_buf_done(&elements);
    cof_buf_done(&data);
    return err == COF_OK ? cof_buf_err(out) : err;
}
