/* SPDX-License-Identifier: Apache-2.0
 *
 * What an s3:// argument names: one key, all keys below a prefix, or those that match a glob.
 */
#ifndef COF_COFFER_LISTING_H
#define COF_COFFER_LISTING_H

#include "batch.h"

/* Whether a key is a glob: it has wildcards, and no object has exactly that name, as with put's files. */
COF_MUST_USE enum cof_err listing_is_glob(struct cof_aws *aws, struct cof_view bucket, struct cof_view key, bool *out, struct cof_diag *diag);
/* Adds the objects; relative to `below` is what batch_wants sees and item->path becomes. A key that is no glob is taken
 * as it is unless --recursive. COF_E_NOT_FOUND when nothing matches a glob. */
COF_MUST_USE enum cof_err listing_collect(struct batch *b, struct cof_aws *aws, struct cof_view bucket,
                                          struct cof_view key, struct cof_diag *diag);
/* A name from a listing as the name of a local file below a folder: no "..", no empty piece, no control characters. */
bool listing_is_safe(const char *name);

#endif
