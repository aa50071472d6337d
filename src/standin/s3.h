/* SPDX-License-Identifier: Apache-2.0
 *
 * Amazon S3 (API reference 2006-03-01): buckets, objects, versions, multipart uploads, the three kinds of server-side
 * encryption, bucket policies. Bodies are encrypted at rest in every case (s3_crypt.h).
 */
#ifndef COF_STANDIN_S3_H
#define COF_STANDIN_S3_H

#include "standin/standin.h"

extern const struct cof_service cof_service_s3;

#endif
