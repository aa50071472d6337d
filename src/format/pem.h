/* SPDX-License-Identifier: Apache-2.0
 *
 * PEM armour (RFC 7468) around certificates.
 */
#ifndef COF_FORMAT_PEM_H
#define COF_FORMAT_PEM_H

#include "base/buf.h"

/* Adds the DER of the first "CERTIFICATE" in the text; what stands around it is passed over. COF_E_NOT_FOUND, COF_E_FORMAT. */
COF_MUST_USE enum cof_err cof_pem_certificate(struct cof_view text, struct cof_buf *der);
/* Adds the armour around a certificate's DER. */
void cof_pem_add_certificate(struct cof_buf *out, struct cof_view der);

#endif
