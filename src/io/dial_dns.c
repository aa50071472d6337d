/* SPDX-License-Identifier: Apache-2.0
 *
 * Host names through a resolver. In a file of its own, so that programs that must not resolve names do not link it.
 */
#include "io/dial_lookup.h"

/* RFC 6761 section 6.3: these names mean this machine, whatever a resolver or a missing hosts file says. */
static bool is_localhost(struct cof_view host)
{
    return cof_view_eq_nocase(host, COF_LIT("localhost")) ||
           (host.len > 10 && cof_view_eq_nocase(cof_view_sub(host, host.len - 10, 10), COF_LIT(".localhost")));
}

enum cof_err cof_resolve_dns(const char *host, uint16_t port, struct cof_sockaddr *out, size_t max, size_t *n)
{
    *n = 0;
    if (cof_resolve_literal(host, port, out, max, n) == COF_OK)
        return COF_OK;
    if (is_localhost(cof_view_str(host)))
        return cof_resolve_literal("127.0.0.1", port, out, max, n);
    return cof_dial_lookup(host, port, out, max, n);
}
