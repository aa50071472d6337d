/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the S3 client: a reply's head as struct cof_s3_object.
 */
#ifndef COF_CLIENT_S3_OBJECT_H
#define COF_CLIENT_S3_OBJECT_H

#include "client/s3.h"

/* Values too long for their field are left out. */
void cof_s3_object_read(const struct cof_http_head *head, struct cof_s3_object *out);
/* In an upload's done event: how often it was sent, and the checksum that went with it (empty: none). */
void cof_s3_upload_sent(const struct cof_s3_upload *upload, unsigned *attempts, char crc64[static 16]);

#endif
