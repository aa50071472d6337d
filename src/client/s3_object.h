/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the S3 client: a reply's head as struct cof_s3_object.
 */
#ifndef COF_CLIENT_S3_OBJECT_H
#define COF_CLIENT_S3_OBJECT_H

#include "client/s3.h"

/* Values too long for their field are left out. */
void cof_s3_object_read(const struct cof_http_head *head, struct cof_s3_object *out);
/* The checksum to hold a body against: the first that S3 sends, and whether it is one of parts (composite: n_parts of
 * them), else of the whole. COF_CHECKSUM_NONE: there is none. */
struct cof_s3_expected {
    enum cof_checksum_alg alg;
    uint8_t value[COF_CHECKSUM_MAX];
    unsigned n_parts; /* composite */
};
COF_MUST_USE enum cof_err cof_s3_expected_read(const struct cof_http_head *head, struct cof_s3_expected *out);
/* What a body that is put is checked by: as asked, else the client's default. */
enum cof_checksum_alg cof_s3_checksum_of(const struct cof_aws *aws, const struct cof_s3_put *put);
/* In an upload's done event: how often it was sent, and the checksum that went with it (empty: none). */
void cof_s3_upload_sent(const struct cof_s3_upload *upload, unsigned *attempts, char sum[static COF_S3_SUM_MAX]);
/* Whether S3 tells this very checksum of it. */
bool cof_s3_object_has_sum(const struct cof_s3_object *object, enum cof_checksum_alg alg, const char *sum);

#endif
