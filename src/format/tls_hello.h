/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the server name out of a TLS ClientHello (RFC 8446 section 4.1.2, RFC 6066 section 3), so that a forwarder can
 * hold a connection to the destination it asked for without being able to read it.
 */
#ifndef COF_FORMAT_TLS_HELLO_H
#define COF_FORMAT_TLS_HELLO_H

#include "base/view.h"

#define COF_TLS_HELLO_MAX 16384 /* bytes of handshake message accepted */

/* *name is the server name (a view into in), empty when the hello has none. COF_E_SHORT: the hello is not complete yet;
 * COF_E_FORMAT: not one ClientHello that fills one record (a hello spread over records is refused, not guessed), or
 * two names. */
COF_MUST_USE enum cof_err cof_tls_hello_server_name(struct cof_view in, struct cof_view *name);

#endif
