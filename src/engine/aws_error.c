/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/aws_error.h"

#include "format/json.h"
#include "format/xml.h"

#include <string.h>

#define BODY_MAX 65536

static void put(char *out, size_t size, struct cof_view v)
{
    size_t n = v.len < size - 1 ? v.len : size - 1;

    if (n > 0)
        memcpy(out, v.data, n);
    out[n] = '\0';
}

static void read_xml(struct cof_view body, struct cof_aws_error *out)
{
    struct cof_xml_node *root = NULL;
    const struct cof_xml_node *error;

    if (cof_xml_parse(body, BODY_MAX, 64, &root) != COF_OK)
        return;
    error = strcmp(root->name, "Error") == 0 ? root : cof_xml_child(root, "Error");
    put(out->code, sizeof out->code, cof_xml_text(error, "Code"));
    put(out->message, sizeof out->message, cof_xml_text(error, "Message"));
    put(out->request_id, sizeof out->request_id, cof_xml_text(root, "RequestId"));
    cof_xml_free(root);
}

/* "com.amazonaws.sqs#QueueDoesNotExist", "NotFoundException:http://..." */
static struct cof_view bare_code(struct cof_view type)
{
    struct cof_view head, tail;

    (void)cof_view_split(type, ':', &head, &tail);
    return cof_view_split(head, '#', &type, &tail) ? tail : head;
}

static void read_json(const struct cof_http_head *head, struct cof_view body, struct cof_aws_error *out)
{
    struct cof_view v;
    json_t *object;

    if (cof_headers_get(&head->headers, "x-amzn-errortype", &v))
        put(out->code, sizeof out->code, bare_code(v));
    if (cof_json_parse_object(body, BODY_MAX, &object, NULL) != COF_OK)
        return;
    if (cof_json_text(object, "__type", &v, NULL) == COF_OK)
        put(out->code, sizeof out->code, bare_code(v));
    if (cof_json_text(object, "message", &v, NULL) == COF_OK || cof_json_text(object, "Message", &v, NULL) == COF_OK)
        put(out->message, sizeof out->message, v);
    json_decref(object);
}

struct known {
    const char *code;
    enum cof_err err;
    const char *hint;
};

static const struct known table[] = {
    {"AccessDenied", COF_E_DENIED, NULL},
    {"AccessDeniedException", COF_E_DENIED, NULL},
    {"KMSAccessDeniedException", COF_E_DENIED, NULL},
    {"UnauthorizedOperation", COF_E_DENIED, NULL},
    {"SignatureDoesNotMatch", COF_E_DENIED, "check the secret access key"},
    {"InvalidSignatureException", COF_E_DENIED, "check the secret access key and the clock"},
    {"InvalidAccessKeyId", COF_E_DENIED, "the access key is not known: check AWS_ACCESS_KEY_ID or the profile"},
    {"InvalidClientTokenId", COF_E_DENIED, "the access key is not known: check AWS_ACCESS_KEY_ID or the profile"},
    {"UnrecognizedClientException", COF_E_DENIED, "the access key is not known: check AWS_ACCESS_KEY_ID or the profile"},
    {"ExpiredToken", COF_E_DENIED, "the session has expired: fetch new credentials"},
    {"ExpiredTokenException", COF_E_DENIED, "the session has expired: fetch new credentials"},
    {"InvalidToken", COF_E_DENIED, "the session token does not belong to these keys"},
    {"AuthorizationHeaderMalformed", COF_E_DENIED, "the region is another one: check AWS_REGION or --region"},
    {"RequestTimeTooSkewed", COF_E_DENIED, "this machine's clock is wrong: set it"},
    {"NoSuchBucket", COF_E_NOT_FOUND, "the bucket does not exist, or lives in another region or account"},
    {"NoSuchKey", COF_E_NOT_FOUND, NULL},
    {"NoSuchVersion", COF_E_NOT_FOUND, NULL},
    {"NotFoundException", COF_E_NOT_FOUND, NULL},
    {"QueueDoesNotExist", COF_E_NOT_FOUND, "check the queue URL and its region"},
    {"AWS.SimpleQueueService.NonExistentQueue", COF_E_NOT_FOUND, "check the queue URL and its region"},
    {"PreconditionFailed", COF_E_PRECONDITION, NULL},
    {"ConditionalRequestConflict", COF_E_RETRY, NULL},
    {"InvalidCiphertextException", COF_E_AUTH, "the sealed data key, its key or its encryption context was altered"},
    {"IncorrectKeyException", COF_E_AUTH, "the data was sealed under another KMS key than the one named"},
    {"BadDigest", COF_E_AUTH, "the body was altered on its way, or this server knows no streamed checksums (AWS_REQUEST_CHECKSUM_CALCULATION=when_required "
                                             "leaves them out)"},
    {"XAmzContentSHA256Mismatch", COF_E_AUTH, "the body was altered on its way, or this server knows no streamed checksums (AWS_REQUEST_CHECKSUM_CALCULATION=when_required "
                                             "leaves them out)"},
    {"DisabledException", COF_E_REMOTE, "the KMS key is disabled"},
    {"KMSInvalidStateException", COF_E_REMOTE, "the KMS key is disabled or pending deletion"},
    {"SlowDown", COF_E_THROTTLED, NULL},
    {"Throttling", COF_E_THROTTLED, NULL},
    {"ThrottlingException", COF_E_THROTTLED, NULL},
    {"RequestThrottled", COF_E_THROTTLED, NULL},
    {"TooManyRequestsException", COF_E_THROTTLED, NULL},
    {"RequestLimitExceeded", COF_E_THROTTLED, NULL},
    {"InternalError", COF_E_RETRY, NULL},
    {"InternalFailure", COF_E_RETRY, NULL},
    {"KMSInternalException", COF_E_RETRY, NULL},
    {"DependencyTimeoutException", COF_E_RETRY, NULL},
    {"ServiceUnavailable", COF_E_RETRY, NULL},
    {"RequestTimeout", COF_E_RETRY, NULL},
};

static const struct known *look_up(const char *code)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(code, table[i].code) == 0)
            return &table[i];
    return NULL;
}

static enum cof_err from_status(int status)
{
    switch (status) {
    case 401:
    case 403:
        return COF_E_DENIED;
    case 404:
        return COF_E_NOT_FOUND;
    case 412:
        return COF_E_PRECONDITION;
    case 429:
        return COF_E_THROTTLED;
    default:
        return status >= 500 ? COF_E_RETRY : COF_E_REMOTE;
    }
}

enum cof_err cof_aws_error_read(enum cof_aws_service service, const struct cof_http_head *head, struct cof_view body,
                                struct cof_aws_error *out, struct cof_diag *diag)
{
    const struct known *known;
    struct cof_view id;

    *out = (struct cof_aws_error){0};
    if (service == COF_AWS_KMS || service == COF_AWS_SQS)
        read_json(head, body, out);
    else
        read_xml(body, out);
    if (out->request_id[0] == '\0' && (cof_headers_get(&head->headers, "x-amz-request-id", &id) ||
                                       cof_headers_get(&head->headers, "x-amzn-requestid", &id)))
        put(out->request_id, sizeof out->request_id, id);
    known = look_up(out->code);
    out->err = known != NULL ? known->err : from_status(head->status);
    (void)cof_diag_set(diag, out->err, "%s: %s%s%s (status %d%s%s)", cof_aws_service_name(service),
                       out->code[0] != '\0' ? out->code : cof_http1_reason(head->status), out->message[0] != '\0' ? ": " : "", out->message,
                       head->status, out->request_id[0] != '\0' ? ", request " : "", out->request_id);
    if (known != NULL && known->hint != NULL)
        cof_diag_hint(diag, "%s", known->hint);
    else if (service == COF_AWS_S3 && strstr(out->message, "stored using a form of Server Side Encryption") != NULL)
        cof_diag_hint(diag, "the object is under a customer key: -e sse-c with --key-file names it (of a copy's source --source-key-file)");
    else if (service == COF_AWS_S3 && out->err == COF_E_DENIED && strstr(out->message, "SSE-C") != NULL)
        cof_diag_hint(diag, "the bucket blocks SSE-C (the default for new buckets since April 2026): allow it with "
                            "PutBucketEncryption, BlockedEncryptionTypes NONE, or use sse-kms");
    return out->err;
}
