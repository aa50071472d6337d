/* SPDX-License-Identifier: Apache-2.0
 *
 * The stand-in's store on disk (interface: src/standin/store.h). What a commit changes is one record of a log (store_log.h), synced, and
 * is kept in memory (store_recent.h) until the database has it, too (SQLite, store_db.h), where it goes with the changes of many other
 * commits (store_settle.c). Blobs up to 32 KiB go that way as well; those up to 256 KiB lie in slots (store_slots.h), larger
 * ones are files: written to blobs/tmp, synced, renamed, and their directory synced before the record that names them. A crash leaves
 * a log that is read at the next start, and at worst files that nothing names; opening removes them.
 *
 *   DIR/store.log-0 and -1  DIR/store.db  DIR/store.db-wal  DIR/blobs/tmp/ID  DIR/blobs/ab/ID  DIR/blobs/slots-64k ...  DIR/lock
 */
#ifndef COF_IO_STORE_H
#define COF_IO_STORE_H

#include "base/rng.h"
#include "standin/store.h"

struct cof_disk_store;

struct cof_disk_store_check {
    uint64_t n_keys, n_blobs, n_orphans_removed, n_blobs_missing;
};

/* Opens (and makes, mode 0700) DIR, takes its lock and checks it. COF_E_EXISTS when another process has it.
 * rng names blobs and must outlive the store. check may be NULL. */
COF_MUST_USE enum cof_err cof_disk_store_open(const char *dir, const struct cof_rng *rng,
                                              struct cof_disk_store_check *check, struct cof_disk_store **out,
                                              struct cof_diag *diag);
/* What was not committed is lost; takes NULL. */
void cof_disk_store_close(struct cof_disk_store *store);
/* Looks at everything: the database's own structure, each body's place and size, bodies that nothing names, records that
 * are no JSON. Each finding is told by found: what (static text), which, and whether repair mends it. repair: bodies that
 * nothing names are removed, and those that are missing are noted as lost, so that the store opens again (reading such
 * an object fails, deleting it does not). Nothing is ever made up. COF_OK with *n_found 0: in order. */
typedef void cof_disk_store_found_fn(void *ctx, const char *what, const char *which, bool mended);
COF_MUST_USE enum cof_err cof_disk_store_verify(struct cof_disk_store *store, bool repair, cof_disk_store_found_fn *found,
                                                void *ctx, uint64_t *n_found, struct cof_diag *diag);

/* Asks the database whether its structure is whole (SQLite's quick_check). COF_E_IO: it is not; diag has the first finding and
 * the mend. */
COF_MUST_USE enum cof_err cof_disk_store_quick_check(struct cof_disk_store *store, struct cof_diag *diag);

/* Writes a copy of database and bodies, as of now, into the empty folder target; no transaction may be open. The copy is
 * synced. Files of bodies are linked where they can be, since they never change. */
COF_MUST_USE enum cof_err cof_disk_store_backup(struct cof_disk_store *store, const char *target, struct cof_diag *diag);

/* There is time: the database gets what it does not have yet, and memory is given back. Nothing is lost when that fails. */
void cof_disk_store_rest(struct cof_disk_store *store);

/* A commit failed, and yet it may be on the disk: its sync failed, and so did that of taking it back. Whoever serves must end, before
 * anything is said or kept that rests on the one or the other; the next open finds out. */
bool cof_disk_store_is_in_doubt(const struct cof_disk_store *store);

struct cof_disk_store_stat {
    uint64_t database_bytes, n_bodies, body_bytes; /* database: with its log; small bodies are in it, too */
};
void cof_disk_store_stat(const struct cof_disk_store *store, struct cof_disk_store_stat *out);
/* Pairs in a space; looks at each of them. */
COF_MUST_USE enum cof_err cof_disk_store_count(struct cof_disk_store *store, const char *space, uint64_t *n);

const struct cof_store *cof_disk_store_ops(const struct cof_disk_store *store);

#endif
