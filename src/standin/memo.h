/* SPDX-License-Identifier: Apache-2.0
 *
 * A store before the store: passes everything on, and remembers records (JSON values) that were parsed, so that the keys,
 * identities, buckets and queues that every request needs are not read and parsed by each; of objects ("s3.current") those that
 * are asked for again (ranges of one after another, one that many read). What is put or removed is forgotten at once, everything
 * is when changes are undone; so a record is always what the store holds. Bounded; what is let go of is wiped (keys' secrets are
 * among it).
 */
#ifndef COF_STANDIN_MEMO_H
#define COF_STANDIN_MEMO_H

#include "standin/store.h"

struct json_t;
struct cof_memo;

/* below must outlive it. */
COF_MUST_USE enum cof_err cof_memo_new(const struct cof_store *below, struct cof_memo **out);
void cof_memo_free(struct cof_memo *memo); /* takes NULL */
const struct cof_store *cof_memo_store(const struct cof_memo *memo);

/* The record of a key, shared: not to be changed, and to be given back with json_decref. Any store; one that is no memo's
 * reads and parses. COF_E_NOT_FOUND, COF_E_FORMAT. */
COF_MUST_USE enum cof_err cof_record_get(const struct cof_store *store, const char *space, struct cof_view key,
                                         struct json_t **out);
/* The value as it is, as a JSON string; where there is none that is remembered too. For spaces that are read by this alone, under
 * keys that not just anybody can make up. COF_E_NOT_FOUND. */
COF_MUST_USE enum cof_err cof_record_text(const struct cof_store *store, const char *space, struct cof_view key,
                                          struct json_t **out);
/* Gives a shared record back that holds secrets: the last who has it wipes it. Takes NULL. */
void cof_record_done(struct json_t *record);
/* The caller's own, to be changed at will. */
COF_MUST_USE enum cof_err cof_record_copy(const struct cof_store *store, const char *space, struct cof_view key,
                                          struct json_t **out);

#endif
