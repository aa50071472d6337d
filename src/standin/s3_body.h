/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies of S3's configuration calls: proved by Content-MD5 or a checksum, parsed as XML.
 */
#ifndef COF_STANDIN_S3_BODY_H
#define COF_STANDIN_S3_BODY_H

#include "format/xml.h"
#include "standin/s3_api.h"

/* MalformedXML. */
enum cof_err cof_s3_bad_xml(struct cof_s3_call *call);

/* The body against every digest the request has; required: one at least must be there. False: the reply holds the error
 * (or *err). */
bool cof_s3_body_proved(struct cof_s3_call *call, bool required, enum cof_err *err);

/* The body, proved (required as above), as XML with that root; the caller's to free. NULL: the reply holds the error (or
 * *err). */
struct cof_xml_node *cof_s3_body_xml(struct cof_s3_call *call, const char *root, bool required, enum cof_err *err);
/* The same before anything is decided: NULL where there is no such XML, and nothing is said of it. */
struct cof_xml_node *cof_s3_body_peek(struct cof_s3_call *call, const char *root);

/* InvalidDigest of a Content-MD5 that is none; BadDigest of one that is of other bytes. */
enum cof_err cof_s3_bad_md5(struct cof_s3_call *call, struct cof_view given);
enum cof_err cof_s3_other_md5(struct cof_s3_call *call, const uint8_t given[16], const uint8_t actual[16], bool of_part);

#endif
