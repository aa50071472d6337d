/* SPDX-License-Identifier: Apache-2.0
 *
 * S3 Object Lock (S3 User Guide, "Locking objects"): versions that can be neither removed nor altered until a date
 * (GOVERNANCE, which who may bypass it does; COMPLIANCE, which nobody does) or while a legal hold stands.
 *
 * In a bucket's record: "object_lock": {"mode": "GOVERNANCE", "days" or "years": n}, {} without a default retention.
 * In an object's: "lock": {"mode", "until": ms, "hold": bool}, each where it was ever set.
 */
#ifndef COF_STANDIN_S3_LOCK_H
#define COF_STANDIN_S3_LOCK_H

#include "standin/s3_api.h"

#define COF_S3_LOCKED "Access Denied because object protected by object lock."

bool cof_s3_lock_enabled(const struct cof_s3_call *call);
/* Turns the bucket's Object Lock on, which nothing turns off. */
COF_MUST_USE enum cof_err cof_s3_lock_enable(json_t *bucket_record);

/* What a writing request says of the new version's lock, as "lock" of record; asks for the permissions that takes. False:
 * the reply holds the error (or *err). */
bool cof_s3_lock_for_write(struct cof_s3_call *call, json_t *record, enum cof_err *err);

/* The bucket's default retention, from now on, for a version about to be added that has none. */
COF_MUST_USE enum cof_err cof_s3_lock_preset(const struct cof_s3_call *call, json_t *record);

/* Whether this version may be removed now. False, with *err COF_OK: it is locked (the reply holds AccessDenied unless
 * quiet). The bypass header counts for who may s3:BypassGovernanceRetention. */
bool cof_s3_lock_lets_go(struct cof_s3_call *call, const json_t *record, bool quiet, enum cof_err *err);

/* x-amz-object-lock-... of a version, as far as the caller may know. */
void cof_s3_lock_headers(struct cof_s3_call *call, const json_t *record);

#endif
