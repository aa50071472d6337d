/* SPDX-License-Identifier: Apache-2.0
 *
 * What TLS reads from and writes to, for src/io/tls.c alone: the socket, with the records of several writes gathered into one send.
 * A send for each record of 16 KiB costs the kernel (and the peer, which is woken by each) more than copying them together does.
 */
#ifndef COF_IO_TLS_WIRE_H
#define COF_IO_TLS_WIRE_H

#include "base/err.h"

#include <openssl/bio.h>
#include <stdbool.h>

BIO_METHOD *cof_tls_wire_method(void); /* NULL: no memory. BIO_meth_free. */
/* fd stays the caller's. small_sends: no more than 32 KiB each, since larger ones wedge vsock back-ends. Freed by its SSL. */
BIO *cof_tls_wire_new(const BIO_METHOD *method, int fd, bool small_sends);
/* Sends what was gathered, as far as the socket takes it. false: the socket is broken. */
bool cof_tls_wire_push(BIO *wire);
size_t cof_tls_wire_waiting(BIO *wire); /* bytes gathered and not yet sent */
/* Lets go of the buffer if it is empty. */
void cof_tls_wire_release(BIO *wire);

#endif
