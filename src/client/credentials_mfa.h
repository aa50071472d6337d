/* SPDX-License-Identifier: Apache-2.0
 *
 * Roles that ask for a second factor (mfa_serial of a profile): where the code comes from, and the session that is kept so that it
 * is asked for once an hour and not at every command. Private to the credentials.
 */
#ifndef COF_CLIENT_CREDENTIALS_MFA_H
#define COF_CLIENT_CREDENTIALS_MFA_H

#include "client/aws.h"
#include "client/credentials_plan.h"

#include <termios.h>

/* Somebody at the terminal is asked for a code, unseen, while the loop goes on. */
struct cof_mfa_ask {
    struct cof_loop *loop; /* NULL: never asked */
    int tty;
    struct termios was;
    struct cof_watch watch;
    struct cof_buf code;
    void (*done)(void *ctx, enum cof_err err, struct cof_view code);
    void *ctx;
};
/* done comes from the loop: COF_OK with six digits, COF_E_USAGE for anything else, COF_E_CONFIG: none was given. Of start COF_E_CONFIG with words: no terminal.
 * A zeroed one, or one that was used before. */
COF_MUST_USE enum cof_err cof_mfa_ask_start(struct cof_mfa_ask *ask, struct cof_loop *loop, struct cof_view serial,
                                            void (*done)(void *ctx, enum cof_err err, struct cof_view code), void *ctx, struct cof_diag *diag);
/* The terminal is as it was; done is not called. Takes a zeroed one. */
void cof_mfa_ask_cancel(struct cof_mfa_ask *ask);

/* Where the session of this role lies, by whose keys it was asked for: $XDG_CACHE_HOME or ~/.cache, coffer/sessions/HASH.json.
 * false: there is no such folder in this environment. */
bool cof_mfa_session_path(const struct cof_env *env, const struct cof_credentials_role *role, struct cof_view key_id,
                          char path[static 4096]);
/* Its JSON as credential_process prints it, when it is there and nobody else can read or write it; secret. COF_E_NOT_FOUND otherwise. */
COF_MUST_USE enum cof_err cof_mfa_session_read(const char *path, struct cof_buf *out);
/* Failing is no harm: the code is asked for again. */
void cof_mfa_session_write(const char *path, const struct cof_aws_credentials *session);

#endif
