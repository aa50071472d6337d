/* SPDX-License-Identifier: Apache-2.0
 *
 * Time-based one-time passwords (RFC 6238 over RFC 4226) as virtual MFA devices make them: HMAC-SHA-1, 30 seconds, six
 * digits. The secret is base32 text (RFC 4648 section 6), as authenticators take it.
 */
#ifndef COF_ENGINE_TOTP_H
#define COF_ENGINE_TOTP_H

#include "base/buf.h"

#define COF_TOTP_STEP_MS 30000
#define COF_TOTP_DIGITS 6

/* Upper or lower case, with or without padding at the end. COF_E_FORMAT; bytes should be a secret builder. */
COF_MUST_USE enum cof_err cof_base32_decode(struct cof_view text, struct cof_buf *bytes);

/* The code of one step (time in ms / COF_TOTP_STEP_MS). COF_E_FORMAT for a secret that is no base32 or is empty. */
COF_MUST_USE enum cof_err cof_totp_code(struct cof_view secret, uint64_t step, char out[static COF_TOTP_DIGITS + 1]);

/* Whether code is that of the present step or of one within window steps around it, and later than step after (the last
 * one used; a code is good once). On COF_OK *step says which. COF_E_AUTH when it is none; COF_E_FORMAT as above. */
COF_MUST_USE enum cof_err cof_totp_check(struct cof_view secret, struct cof_view code, int64_t now_ms, unsigned window,
                                         uint64_t after, uint64_t *step);

#endif
