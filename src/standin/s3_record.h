/* SPDX-License-Identifier: Apache-2.0
 *
 * S3's records in the store, as JSON.
 *
 *   s3.bucket   BUCKET                          {created, versioning, encryption, ...}
 *   s3.policy   BUCKET                          the policy's text
 *   s3.current  BUCKET 00 KEY                   the newest version, unless it is a delete marker
 *   s3.version  BUCKET 00 KEY 00 ORDER          every version; ORDER is 16 hex digits, the newest least
 *   s3.upload   BUCKET 00 KEY 00 UPLOAD         a multipart upload in progress
 *   s3.part     UPLOAD 00 NUMBER                its parts, number in five digits
 *   s3.setting  account                         what the manifest says of all of S3 (s3_setup.c)
 *
 * An object's record: {"id": version id ("null", or the order and 16 random hex digits), "order", "marker": delete marker, "size", "etag", "modified", "head": {headers},
 * "meta": {...}, "tags": {...}, "sse": {...} (s3_sse.h), "sum": {"alg", "value", "type"}, "parts": [segment, ...]}
 * "lock" (s3_lock.h), "multipart": true, "upload": the upload it was made by
 * A segment: {"n": part number, "size", "blob", "key": wrapped key in hex; of a multipart object also "alg", "sum"}
 */
#ifndef COF_STANDIN_S3_RECORD_H
#define COF_STANDIN_S3_RECORD_H

#include "standin/s3_api.h"

/* All give a fresh reference; COF_E_NOT_FOUND. */
COF_MUST_USE enum cof_err cof_s3_bucket_get(const struct cof_store *store, const char *bucket, json_t **out);
COF_MUST_USE enum cof_err cof_s3_bucket_put(const struct cof_store *store, const char *bucket, const json_t *record);

COF_MUST_USE enum cof_err cof_s3_load(
    const struct cof_store *store, const char *space, struct cof_view key, json_t **out);
COF_MUST_USE enum cof_err cof_s3_save(
    const struct cof_store *store, const char *space, struct cof_view key, const json_t *record);
COF_MUST_USE enum cof_err cof_s3_parse(struct cof_view text, json_t **out);

/* Keys of the spaces above, appended. */
void cof_s3_key_of(struct cof_buf *out, const char *bucket, struct cof_view key);
void cof_s3_key_of3(struct cof_buf *out, const char *bucket, struct cof_view key, struct cof_view last);

/* The newest version that is no delete marker; or, with a version id, that very version (marker or not). */
COF_MUST_USE enum cof_err cof_s3_object_get(struct cof_s3_call *call, struct cof_view version_id, json_t **out);
/* The same, not to be changed, as it may be others' too. */
COF_MUST_USE enum cof_err cof_s3_object_read(struct cof_s3_call *call, struct cof_view version_id, json_t **out);
/* The newest version whatever it is. */
COF_MUST_USE enum cof_err cof_s3_object_newest(struct cof_s3_call *call, json_t **out);
/* Adds record (whose "id" and "order" are set here) as the newest version, in the way of the bucket's versioning: what it
 * replaces goes, bodies and all. members: more of its members, as JSON text ("a":1,"b":2), or nothing. */
COF_MUST_USE enum cof_err cof_s3_object_add(struct cof_s3_call *call, json_t *record, struct cof_view members);
/* Writes a changed version back. */
COF_MUST_USE enum cof_err cof_s3_object_update(struct cof_s3_call *call, const json_t *record);
/* Removes one version for good. */
COF_MUST_USE enum cof_err cof_s3_object_erase(struct cof_s3_call *call, const json_t *record);
/* Removes the blobs of a record's segments. */
COF_MUST_USE enum cof_err cof_s3_segments_remove(const struct cof_store *store, const json_t *parts);

#define COF_S3_VERSION_ID 32 /* characters of a version id that is not "null" */

enum cof_s3_versioning { COF_S3_UNVERSIONED, COF_S3_VERSIONED, COF_S3_SUSPENDED };
enum cof_s3_versioning cof_s3_versioning_of(const struct cof_s3_call *call);

/* Members; "" and 0 when absent. */
const char *cof_s3_text(const json_t *record, const char *name);
int64_t cof_s3_int(const json_t *record, const char *name);
bool cof_s3_is(const json_t *record, const char *name);

/* Sets a member of a record under construction; the value is taken, NULL (no memory) fails. Names and texts are UTF-8, ours or checked:
 * json_object_set_new looks once more, and json_pack reads a format besides. */
bool cof_s3_set(json_t *record, const char *name, json_t *value);
bool cof_s3_set_text(json_t *record, const char *name, struct cof_view text);

/* A fresh JSON string; NULL when the bytes are not UTF-8 (or memory is short). */
json_t *cof_s3_string(struct cof_view text);

/* A switch of the manifest's "s3"; false where it says nothing. */
COF_MUST_USE enum cof_err cof_s3_setting(const struct cof_store *store, const char *name, bool *out);
/* "STANDARD" where the record says nothing. */
const char *cof_s3_storage_class(const json_t *record);

/* "abc" with quotes, as ETag headers have it. */
void cof_s3_quote(const char *etag, char out[static 80]);
void cof_s3_etag(const json_t *record, char out[static 80]);

#endif
