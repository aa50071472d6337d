/* SPDX-License-Identifier: Apache-2.0
 *
 * What a writing request says of the object it makes: stored headers, user metadata, tags, checksum, conditions.
 */
#ifndef COF_STANDIN_S3_PUT_H
#define COF_STANDIN_S3_PUT_H

#include "crypto/checksum.h"
#include "standin/s3_api.h"

#define COF_S3_META_MAX 2048 /* bytes of names and values */
#define COF_S3_TAGS_MAX 10

/* Adds "head", "meta" and "tags" to record. False: the reply holds the error (or *err). */
bool cof_s3_put_fields(struct cof_s3_call *call, json_t *record, enum cof_err *err);
/* tag=value&... into a fresh object. */
bool cof_s3_put_tags(struct cof_s3_call *call, struct cof_view text, json_t **out, enum cof_err *err);
/* InvalidTag with TagKey and, where value has data, TagValue. */
enum cof_err cof_s3_bad_tag(struct cof_s3_call *call, struct cof_view key, struct cof_view value, const char *message);
bool cof_s3_tag_ok(struct cof_view key, struct cof_view value);

/* The checksum that the request promises. */
struct cof_s3_sum {
    enum cof_checksum_alg alg; /* NONE: nothing promised */
    struct cof_view value;     /* base64; empty while it is to come as a trailer */
    bool trailer;
};
bool cof_s3_put_sum(struct cof_s3_call *call, struct cof_s3_sum *out);
/* Whether the text is base64 of as many bytes as such a checksum has. */
bool cof_s3_sum_value_ok(enum cof_checksum_alg alg, struct cof_view value);
/* "x-amz-checksum-crc32". */
const char *cof_s3_sum_header(enum cof_checksum_alg alg);

/* What the reply tells of a written object. */
struct cof_s3_told {
    const char *etag, *id;
    const json_t *sse;
    enum cof_checksum_alg alg; /* NONE: no checksum */
    const char *sum, *type;
};
/* ETag, version, encryption and checksum headers. */
void cof_s3_put_headers(struct cof_s3_call *call, const struct cof_s3_told *told);

/* <Tags> of a bucket to be, into a fresh object. False: the reply holds the error (or *err). */
bool cof_s3_tags_of_new_bucket(struct cof_s3_call *call, const struct cof_xml_node *set, json_t **out, enum cof_err *err);

#endif
