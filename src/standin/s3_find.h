/* SPDX-License-Identifier: Apache-2.0
 *
 * Which version of an object a call is about, found with the permission that takes.
 */
#ifndef COF_STANDIN_S3_FIND_H
#define COF_STANDIN_S3_FIND_H

#include "standin/s3_api.h"

/* The version asked for (empty: the newest), with permission to read it. False: the reply holds the error (or *err);
 * *record may be given all the same; it is to be given back, and not to be changed. */
bool cof_s3_find_readable(struct cof_s3_call *call, struct cof_view version_id, json_t **record, enum cof_err *err);

/* The version that the parameter versionId names (without one the newest), with permission for action, or
 * version_action where a version is named. A delete marker is refused. False and *record as above. */
bool cof_s3_find_version(struct cof_s3_call *call, const char *action, const char *version_action, json_t **record,
                         enum cof_err *err);

/* What may be a version's id at all. False: the reply holds InvalidArgument. */
bool cof_s3_version_id_ok(struct cof_s3_call *call, struct cof_view version_id);

/* Of tags and ACLs the newest version answers even where it is a delete marker: 405 in place of the 404 that the reply holds then.
 * Passes err on. */
enum cof_err cof_s3_marker_told(struct cof_s3_call *call, enum cof_err err);

#endif
