/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS contexts (OpenSSL). Client: TLS 1.2+ with name check and roots from a bundle, a hashed directory or memory;
 * server: TLS 1.3 (1.2 by option), with client certificates where demanded. Sessions are resumed. No verification can be switched off.
 */
#ifndef COF_IO_TLS_H
#define COF_IO_TLS_H

#include "base/view.h"

struct cof_tls_ctx; /* shared by many connections of one thread; reference counted */

struct cof_tls_client_opts {
    const char *ca_file;     /* PEM bundle, or NULL */
    const char *ca_dir;      /* hashed directory, or NULL; both NULL and no ca_pem: the system's hashed directory */
    struct cof_view ca_pem;  /* roots from memory (an enclave's measured configuration): then nothing else is trusted */
};
struct cof_tls_server_opts {
    const char *cert_file, *key_file; /* PEM */
    bool allow_tls12;
    const char *client_ca_file; /* PEM: a client certificate signed by one of these is demanded; NULL: none is asked for */
};
COF_MUST_USE enum cof_err cof_tls_client_new(const struct cof_tls_client_opts *opts, struct cof_tls_ctx **out,
                                             struct cof_diag *diag);
COF_MUST_USE enum cof_err cof_tls_server_new(const struct cof_tls_server_opts *opts, struct cof_tls_ctx **out,
                                             struct cof_diag *diag);
struct cof_tls_ctx *cof_tls_ref(struct cof_tls_ctx *ctx);
void cof_tls_unref(struct cof_tls_ctx *ctx);
/* Whether a connection to this name would resume a session: a client's context alone. */
bool cof_tls_has_session(const struct cof_tls_ctx *ctx, const char *host);
/* Handshakes that a client's context has finished, and how many of them resumed a session. */
void cof_tls_handshakes(const struct cof_tls_ctx *ctx, unsigned long *finished, unsigned long *resumed);

/* Makes, when not there yet or about to expire: DIR/ca.pem + ca.key (a local CA) and DIR/NAME.pem + NAME.key (P-256,
 * signed by it, with the given DNS names and IP addresses as alternative names, 825 days). Files 0600/0644, written
 * whole. */
COF_MUST_USE enum cof_err cof_tls_local_cert(const char *dir, const char *name, const char *const *alt_names, size_t n,
                                             struct cof_diag *diag);
#endif
