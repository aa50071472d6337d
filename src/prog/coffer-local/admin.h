/* SPDX-License-Identifier: Apache-2.0
 *
 * The admin socket, DIR/admin.sock (mode 0600, so for its owner alone): HTTP over a Unix socket.
 *
 *   GET /status -> {...}     POST /faults {fault.h} -> {"id":N}     GET /faults -> [...]     DELETE /faults[/N]
 *   POST /backup {"target":DIR} -> {...}
 *
 * What the verbs status, fault and backup of coffer-local say to a running server, and say themselves when there is none.
 */
#ifndef COF_LOCAL_ADMIN_H
#define COF_LOCAL_ADMIN_H

#include "local.h"

#include "io/loop.h"

#include <stdio.h>

struct admin;

struct admin_opts {
    struct cof_loop *loop;
    struct cof_local *local;
    const char *data;
    /* Ends the present transaction, so that a copy can be made. */
    enum cof_err (*commit)(void *ctx);
    /* Members of /status that the server knows: ,"name":value. */
    void (*describe)(void *ctx, struct cof_buf *out);
    void *ctx;
};

COF_MUST_USE enum cof_err admin_new(const struct admin_opts *opts, struct admin **out, struct cof_diag *diag);
void admin_free(struct admin *admin); /* takes NULL */

/* Says method and path to the server of this data directory; out gets the body of its answer. COF_E_NOT_FOUND: nobody
 * serves it. COF_E_REMOTE: it refused; diag has its words. */
COF_MUST_USE enum cof_err admin_ask(const char *data, const char *method, const char *path, struct cof_view body,
                                    struct cof_buf *out, struct cof_diag *diag);

/* Copies the data directory, whose store has no transaction open, to target, which is made. */
COF_MUST_USE enum cof_err admin_backup(struct cof_local *local, const char *data, const char *target, struct cof_diag *diag);

/* Who there is, and the environment of the first useful one (root, or the first by name), to paste. without lines: the command
 * that prints it. */
COF_MUST_USE enum cof_err env_tell(FILE *out, const char *data, bool lines, struct cof_diag *diag);
/* Members of a JSON object: what the store holds. */
COF_MUST_USE enum cof_err status_count(struct cof_disk_store *disk, struct cof_buf *out);

/* The verbs. */
COF_MUST_USE enum cof_err do_status(struct cof_local_config *config, struct cof_diag *diag);
COF_MUST_USE enum cof_err do_env(struct cof_local_config *config, struct cof_diag *diag);
COF_MUST_USE enum cof_err do_check(struct cof_local_config *config, struct cof_diag *diag);
COF_MUST_USE enum cof_err do_backup(struct cof_local_config *config, struct cof_diag *diag);
COF_MUST_USE enum cof_err do_fault(struct cof_local_config *config, struct cof_diag *diag);

#endif
