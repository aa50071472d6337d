/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit log's own state, for audit_log.c and audit_recover.c only.
 */
#ifndef COF_IO_AUDIT_LOG_STATE_H
#define COF_IO_AUDIT_LOG_STATE_H

#include "io/audit_log.h"
#include "io/sync_aside.h"

#define COF_AUDIT_ROWS_MAX 4096

struct cof_audit_log {
    const struct cof_store *store;
    const struct cof_rng *rng;
    const struct cof_ecdsa_key *key;
    char account[16], region[32];
    char *path;
    int fd;
    bool synced;
    uint64_t rotate_bytes, bytes, n_records;
    uint64_t first;                /* number of the file's first record */
    struct cof_audit_chain chain;  /* with all that was appended */
    struct cof_audit_chain durable; /* what the file has for sure */
    uint64_t durable_bytes;        /* where that ends */
    bool forgotten;                /* a sync failed, and the kernel does not try again what it could not write */
    struct cof_sync_aside *aside;
    struct { /* a sync that is under way: what will be durable when it has ended */
        bool busy;
        struct cof_audit_chain chain;
        uint64_t bytes;
        size_t unsaved, row_bytes;
    } syncing;
    struct cof_audit_chain mark;   /* where a transaction that fails goes back to */
    size_t mark_unsaved, mark_waiting;
    struct cof_buf waiting;        /* for the file */
    struct cof_buf unsaved;        /* not durable: neither synced nor in the store */
    uint64_t signed_next;
    int64_t signed_ms;
    uint64_t head_kept, head_before;
    uint64_t rows[COF_AUDIT_ROWS_MAX]; /* the numbers of the store's rows, in order */
    size_t row_bytes, adding_bytes; /* of the rows added since the file was last durable; of those being added */
    size_t n_rows, n_adding, n_dropping; /* of those, what the transaction that save began puts and removes */
};

enum cof_err cof_audit_log_write_waiting(struct cof_audit_log *log);
enum cof_err cof_audit_log_make_durable(struct cof_audit_log *log);

#endif
