/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of S3 share: one call taken apart, its errors, its permission checks. Handlers return COF_OK with a
 * reply, errors of S3's kind included; any other value is a fault of ours.
 */
#ifndef COF_STANDIN_S3_API_H
#define COF_STANDIN_S3_API_H

#include "format/uri.h"
#include "standin/auth.h"
#include "standin/reply.h"
#include "standin/s3.h"

#include <jansson.h>

#define COF_S3_NS "http://s3.amazonaws.com/doc/2006-03-01/"
#define COF_S3_KEY_MAX 1024
#define COF_S3_QUERY_MAX 8192
#define COF_S3_SCRATCH_MAX (1024 + 17 * COF_S3_QUERY_MAX)
#define COF_S3_PARTS_MAX 10000
#define COF_S3_PART_MIN ((uint64_t)5 << 20)
#define COF_S3_OBJECT_MAX ((uint64_t)5 << 30) /* one PUT or part; a multipart object reaches 5 TiB */

enum cof_s3_level { COF_S3_SERVICE, COF_S3_BUCKET, COF_S3_OBJECT, COF_S3_ACCOUNT /* S3 Control */ };

struct cof_xml_node;

struct cof_s3_call {
    struct cof_standin *s;
    const struct cof_store *store;
    struct cof_standin_request *req;
    struct cof_standin_reply *reply;
    enum cof_s3_level level;
    char bucket[64];
    struct cof_buf key;     /* decoded */
    struct cof_buf scratch; /* decoded parameters, texts; lives as long as the call */
    json_t *bucket_record;
    const json_t *object;   /* the record that is asked about, borrowed, for its ACL and owner; or NULL */
    struct cof_view version_id; /* of a copy's source, or of what is deleted */
    /* What the body says, for the policies: the lock it sets (s3_lock.c), the tags (<TagSet>). */
    struct cof_view lock_mode, lock_until;
    int64_t lock_days;
    const struct cof_xml_node *body_tags;
    struct cof_buf policy;  /* the bucket's, or empty */
    /* A bit for each length (modulo 64) that no field's name of the request has: some fifty fields are asked for, few are there. */
    uint64_t no_such_len;
};

struct cof_s3_op {
    const char *method;
    enum cof_s3_level level;
    const char *param;  /* a query parameter that must be there; NULL: none of the known ones */
    const char *header; /* a header that must be there, or NULL */
    const char *name;
    enum cof_err (*run)(struct cof_s3_call *call);
};

/* Takes the address apart. False: the reply holds the error. */
bool cof_s3_call_init(struct cof_s3_call *call, struct cof_standin *s, struct cof_standin_request *req,
                      struct cof_standin_reply *reply);
void cof_s3_call_done(struct cof_s3_call *call);
/* The operation asked for; NULL: the reply holds NotImplemented or MethodNotAllowed. */
const struct cof_s3_op *cof_s3_route(struct cof_s3_call *call);

/* Errors; they return COF_OK for a handler to pass on. */
enum cof_err cof_s3_fail(struct cof_s3_call *call, int status, const char *code, const char *message);
enum cof_err cof_s3_fail_with(
    struct cof_s3_call *call, int status, const char *code, const char *message, const char *extra);
/* One more member of an error; left out where the value has no data. */
struct cof_s3_detail {
    const char *name;
    struct cof_view value;
};
enum cof_err cof_s3_fail_of(struct cof_s3_call *call, int status, const char *code, const char *message,
    const struct cof_s3_detail *details, size_t n);
/* InvalidArgument with ArgumentName and, where value has data, ArgumentValue. */
enum cof_err cof_s3_bad_argument(struct cof_s3_call *call, const char *name, struct cof_view value, const char *message);
/* The same of a header, with its value; a header that is absent has none. */
enum cof_err cof_s3_bad_header(struct cof_s3_call *call, const char *header, const char *message);
/* 404 of what a bucket has none of, with BucketName. */
enum cof_err cof_s3_bucket_has_none(struct cof_s3_call *call, const char *code, const char *message);
enum cof_err cof_s3_no_key(struct cof_s3_call *call);
/* 405 of a delete marker. */
enum cof_err cof_s3_is_marker(struct cof_s3_call *call);

/* Loads the bucket; false: NoSuchBucket (or *err says a fault). */
bool cof_s3_load_bucket(struct cof_s3_call *call, enum cof_err *err);
/* "arn:aws:s3:::BUCKET" or "arn:aws:s3:::BUCKET/KEY", appended. */
void cof_s3_arn(const struct cof_s3_call *call, bool object, struct cof_buf *out);
/* Asks the policies for the call's own bucket or object. tags: the existing object's, for s3:ExistingObjectTag; may be
 * NULL. False: the reply holds AccessDenied (or *err says a fault). quiet: leaves the reply alone. */
bool cof_s3_allowed(
    struct cof_s3_call *call, const char *action, bool object, const json_t *tags, bool quiet, enum cof_err *err);

/* A permission beside the call's own, on its object; the call keeps its name in the records. A stand-in for Ceph asks for none. */
bool cof_s3_allowed_too(struct cof_s3_call *call, const char *action, const json_t *tags, enum cof_err *err);

/* AccessDenied for another reason than a policy: "User: ... is not authorized to perform: ... because ...". */
enum cof_err cof_s3_denied(struct cof_s3_call *call, const char *action, bool object, const char *because);

/* A header's value, trimmed; empty when absent. */
struct cof_view cof_s3_header(const struct cof_s3_call *call, const char *name);
/* A decoded query parameter as a view into scratch's memory kept by the call; empty when absent. */
struct cof_view cof_s3_param(struct cof_s3_call *call, const char *name);
bool cof_s3_has_param(const struct cof_s3_call *call, const char *name);
/* A number parameter; false (and the reply holds InvalidArgument) when it is none. */
bool cof_s3_param_number(struct cof_s3_call *call, const char *name, uint64_t max, uint64_t preset, uint64_t *out);

/* The account the bucket belongs to: the one that made it (bootstrap.h). With no bucket at hand, the caller's. */
const char *cof_s3_owner(const struct cof_s3_call *call);

/* Whether the header, where it is there, names the bucket's account. False: the reply holds AccessDenied. */
bool cof_s3_expected_owner(struct cof_s3_call *call, const char *header);

/* Starts an XML reply: <?xml?><root xmlns>. */
void cof_s3_xml_open(struct cof_s3_call *call, const char *root);
/* Ends it and sets 200. */
enum cof_err cof_s3_xml_close(struct cof_s3_call *call, const char *root);
void cof_s3_xml_date(struct cof_buf *out, const char *name, int64_t ms);
/* The bucket's account as owner; the caller's own where there is no bucket. */
void cof_s3_add_owner(struct cof_s3_call *call, struct cof_buf *out, const char *element);
void cof_s3_xml_owner(struct cof_s3_call *call, const char *element);

bool cof_s3_bucket_name_ok(struct cof_view name);

/* The operations (names as in the API reference). */
#define COF_S3_OPERATIONS(X)                                                                       \
    X(list_buckets) X(create_bucket) X(head_bucket) X(delete_bucket) X(get_location)                \
    X(get_versioning) X(put_versioning) X(get_encryption) X(put_encryption) X(delete_encryption)    \
    X(get_policy) X(put_policy) X(delete_policy) X(get_policy_status) X(get_acl) X(put_acl)         \
    X(get_public_block) X(put_public_block) X(delete_public_block)                                  \
    X(get_account_block) X(put_account_block) X(delete_account_block)                               \
    X(get_ownership) X(put_ownership) X(delete_ownership)                                           \
    X(get_unset) X(list_objects) X(list_objects_v2) X(list_versions) X(list_uploads) X(list_parts)               \
    X(get_object) X(head_object) X(copy_object) X(delete_object) X(delete_objects)                  \
    X(create_upload) X(complete_upload) X(abort_upload) X(copy_part)                                \
    X(get_tagging) X(put_tagging) X(delete_tagging) X(get_attributes)                               \
    X(get_bucket_tagging) X(put_bucket_tagging) X(delete_bucket_tagging)                            \
    X(get_lock_config) X(put_lock_config) X(get_retention) X(put_retention)                         \
    X(get_legal_hold) X(put_legal_hold) X(update_object_encryption)
#define X(name) enum cof_err cof_s3_##name(struct cof_s3_call *call);
COF_S3_OPERATIONS(X)
#undef X

/* PutObject and UploadPart, which take their bodies piece by piece. */
enum cof_err cof_s3_put_stream(struct cof_s3_call *call, struct cof_standin_sink *sink);

#endif
