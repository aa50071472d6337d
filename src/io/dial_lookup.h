/* SPDX-License-Identifier: Apache-2.0
 *
 * How cof_resolve_dns (dial_dns.c) asks for the addresses of a name. Two files define the one function and the build takes
 * one of them: dial_lookup_libc.c asks the system's resolver; dial_lookup_cares.c is for a static program, where glibc's
 * resolver would load modules that fit no other glibc than the one it was linked with.
 */
#ifndef COF_IO_DIAL_LOOKUP_H
#define COF_IO_DIAL_LOOKUP_H

#include "io/dial.h"

/* The addresses of a name as /etc/hosts and the servers of /etc/resolv.conf have them, IPv4 before IPv6. Blocks.
 * COF_E_NOT_FOUND: there is no such name or address; COF_E_RETRY: nobody could say. */
COF_MUST_USE enum cof_err cof_dial_lookup(const char *host, uint16_t port, struct cof_sockaddr *out, size_t max,
                                          size_t *n);

#endif
