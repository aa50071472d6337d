/* SPDX-License-Identifier: Apache-2.0
 *
 * Callers of late: an access key and whose it is, worked out of the records of the key and of its user or role, which
 * nearly every request needs. What is remembered is used only while the store's memory (memo.h) gives the very same two
 * records; a record that is written, removed or undone is another one afterwards. So a caller is always what
 * cof_iam_principal_init would say. Bounded; secrets are wiped.
 */
#ifndef COF_STANDIN_CALLERS_H
#define COF_STANDIN_CALLERS_H

#include "base/buf.h"
#include "standin/iam.h"

#define COF_CALLERS 128 /* a power of two */

struct cof_known_caller {
    size_t refs;
    struct json_t *key_record, *entity_record; /* entity_record NULL: the account itself */
    char *secret; /* the access key's */
    struct cof_iam_principal principal;
    struct cof_buf identity; /* how audit records name the caller, once one did (trail.c) */
};

struct cof_callers {
    struct cof_known_caller *items[COF_CALLERS]; /* by the access key's hash; NULL: empty */
};

/* The caller of that access key, shared and not to be changed; to be given back with cof_known_caller_unref, which may be after
 * its records are gone. account is the stand-in's own. COF_E_NOT_FOUND: no such key, or its user or role is gone. */
COF_MUST_USE enum cof_err cof_callers_get(struct cof_callers *callers, const struct cof_store *store, const char *account,
                                          struct cof_view access_key_id, struct cof_known_caller **out);
void cof_known_caller_unref(struct cof_known_caller *caller); /* takes NULL */
void cof_callers_done(struct cof_callers *callers);

#endif
