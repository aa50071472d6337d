/* SPDX-License-Identifier: Apache-2.0
 *
 * What the settings of a bucket share: their XML, and the bucket's record written back.
 */
#ifndef COF_STANDIN_S3_CONFIG_H
#define COF_STANDIN_S3_CONFIG_H

#include "format/xml.h"
#include "standin/s3_record.h"

#define COF_S3_BAD_XML "The XML you provided was not well-formed or did not validate against our published schema"

/* The request's body as XML with that root, the caller's to free. NULL: the reply holds MalformedXML (or *err). */
struct cof_xml_node *cof_s3_config_xml(struct cof_s3_call *call, const char *root, enum cof_err *err);
/* Writes the bucket's record back and answers with status and no body. */
COF_MUST_USE enum cof_err cof_s3_config_save(struct cof_s3_call *call, int status);

#endif
