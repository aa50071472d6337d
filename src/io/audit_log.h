/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit log on disk: records chained (engine/audit_chain.h) into a file, so that no change is acknowledged without
 * its record, at the price of no further fsync. Records of the turn of the loop that is to be committed go into the
 * store too, in the very transaction; after the commit they are written to the file. Every few seconds the file is
 * synced, and the store lets go of them. What a crash kept from the file is written again from the store at the next
 * start; a half-written line is completed from there, or, when it belongs to a request that changed nothing, stays and is
 * spoken of by a TornRecord. A power cut may also lose bytes in the middle of what was not synced (zeros are read there): the
 * file is cut at the first and goes on with the store's lines; what then still stands there and follows no more goes to
 * FILE.damaged-TIME, and a TornRecord tells of it. Bytes that are neither those written nor zeros are no power cut's.
 *
 * Records of requests that changed nothing are written to the file before the answer leaves: kill -9 loses none, a
 * power cut at most those since the last sync.
 *
 *   append...  save  (store commits)  saved  |  append...  flush  |  sync now and then
 *
 * Store space "audit": rows of lines, keyed by the first one's number; "head": number and hash that the file has for sure.
 */
#ifndef COF_IO_AUDIT_LOG_H
#define COF_IO_AUDIT_LOG_H

#include "base/rng.h"
#include "engine/audit_chain.h"
#include "standin/store.h"

#define COF_AUDIT_BACKLOG_MAX ((size_t)4 << 20) /* bytes of records that wait for room on the disk */

struct cof_audit_log;

struct cof_audit_log_opts {
    const char *path;                /* "DIR/audit.jsonl"; rotated: "DIR/audit-<16 digits of the first number>.jsonl" */
    const struct cof_store *store;   /* NULL: nothing is kept there, and so nothing can be told of a cut file */
    const struct cof_rng *rng;
    const struct cof_ecdsa_key *key; /* signs now and then; NULL: nobody does. Outlives the log. */
    const char *account, *region;
    uint64_t rotate_bytes;           /* 0: never */
    bool repair;                     /* a log that does not fit the store is put aside, and a record tells of it */
};

/* Opens, mends what a crash left and continues the chain. COF_E_AUTH: the file is not what the store knows (cut, changed,
 * another one); diag says where, and the mend. */
COF_MUST_USE enum cof_err cof_audit_log_open(const struct cof_audit_log_opts *opts, int64_t now_ms,
                                             struct cof_audit_log **out, struct cof_diag *diag);
/* Signs, syncs and closes; takes NULL. */
void cof_audit_log_close(struct cof_audit_log *log, int64_t now_ms);

/* Chains records, one JSON object a line. COF_E_NO_SPACE: too many wait already; nothing was taken. */
COF_MUST_USE enum cof_err cof_audit_log_append(struct cof_audit_log *log, struct cof_view records);
/* A record of the log itself. data as in cof_audit_own_record. */
enum cof_err cof_audit_log_own(struct cof_audit_log *log, const char *event_name, struct cof_view data, int64_t now_ms);
/* Writes what waits. On failure it goes on waiting, and later calls try again. */
enum cof_err cof_audit_log_flush(struct cof_audit_log *log);
/* Puts what the store does not have yet into its transaction. */
COF_MUST_USE enum cof_err cof_audit_log_save(struct cof_audit_log *log);
/* The transaction ended. Not kept: the records since the last flush or save are taken back, for new ones in their place;
 * *n_dropped (may be NULL) says how many. */
void cof_audit_log_saved(struct cof_audit_log *log, bool kept, uint64_t *n_dropped);
/* Makes the file durable, signs when it is time (or now), rotates. */
enum cof_err cof_audit_log_sync(struct cof_audit_log *log, int64_t now_ms, bool sign_now);
bool cof_audit_log_is_synced(const struct cof_audit_log *log);
/* Somebody moved the file (logrotate): the chain goes on in a new one of the same name. */
COF_MUST_USE enum cof_err cof_audit_log_reopen(struct cof_audit_log *log, int64_t now_ms);

struct cof_audit_log_stat {
    uint64_t n_records, bytes, waiting_bytes; /* since open; of the present file; not written yet */
    struct cof_audit_chain chain;
};
void cof_audit_log_stat(const struct cof_audit_log *log, struct cof_audit_log_stat *out);

#endif
