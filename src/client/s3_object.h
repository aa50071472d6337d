/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the S3 client: a reply's head as struct cof_s3_object.
 */
#ifndef COF_CLIENT_S3_OBJECT_H
#define COF_CLIENT_S3_OBJECT_H

#include "client/s3.h"

/* Values too long for their field are left out. */
void cof_s3_object_read(const struct cof_http_head *head, struct cof_s3_object *out);

#endif
