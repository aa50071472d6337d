/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a byte stream leads: TCP, Unix socket or vsock for connecting and listening, optionally through an HTTP
 * CONNECT proxy (RFC 9110 section 9.3.6) that itself is reached by any of the three - which is how an enclave reaches
 * the outside through its untrusted host. Addresses are text: "tcp:HOST:PORT", "unix:/path", "unix:@abstract",
 * "vsock:CID:PORT", "fd:N" (an inherited, connected descriptor).
 */
#ifndef COF_IO_DIAL_H
#define COF_IO_DIAL_H

#include "base/view.h"

enum cof_addr_kind { COF_ADDR_TCP, COF_ADDR_UNIX, COF_ADDR_VSOCK, COF_ADDR_FD };

struct cof_addr {
    enum cof_addr_kind kind;
    char host[256]; /* TCP name or literal, or Unix path */
    uint32_t cid;   /* vsock */
    uint32_t port;  /* TCP or vsock port; FD number */
};

COF_MUST_USE enum cof_err cof_addr_parse(const char *text, struct cof_addr *out, struct cof_diag *diag);
void cof_addr_text(const struct cof_addr *addr, char out[static 300]);

/* Turns a host name into socket addresses. The DNS one (src/io/dial_dns.c) is linked only by programs that need it; the
 * enclave uses cof_resolve_literal (numeric addresses only). Blocking. */
struct cof_sockaddr {
    uint8_t bytes[128];
    uint32_t len;
};
typedef enum cof_err cof_resolve_fn(const char *host, uint16_t port, struct cof_sockaddr *out, size_t max, size_t *n);
cof_resolve_fn cof_resolve_literal;
cof_resolve_fn cof_resolve_dns;

/* Starts a non-blocking connect; *fd is the caller's. Completion shows as writable. */
COF_MUST_USE enum cof_err cof_dial(const struct cof_addr *addr, cof_resolve_fn *resolve, int *fd,
                                   struct cof_diag *diag);
/* The same to one address. errno tells why not. */
COF_MUST_USE enum cof_err cof_dial_at(const struct cof_sockaddr *to, int *fd);
/* Binds and listens (SO_REUSEADDR; Unix: replaces a dead socket file, mode 0600 unless the caller changes it).
 * Port 0 picks one; *bound tells which. */
COF_MUST_USE enum cof_err cof_listen(const struct cof_addr *addr, int *fd, struct cof_addr *bound,
                                     struct cof_diag *diag);

#endif
