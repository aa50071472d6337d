/* SPDX-License-Identifier: Apache-2.0
 *
 * The signing keys of the token issuer and their rotation. A key is published from the time it is made, signs from a time
 * of its own, and stays published until the last token it can have signed has ended:
 *
 *        made         signs                      superseded        gone
 *   key 1  |------------|============================|--------------|
 *   key 2                               |------------|=====================...
 *                                       made         signs
 *
 * A key is succeeded after COF_OAUTH_ROTATE_MS by one that was published COF_OAUTH_LEAD_MS before, so that whoever keeps
 * the set for a while has it in time; or at once, when asked to (then verifiers must look again for a kid they do not
 * know). Keys are sealed in the store's space "oauth.key", by the time they sign from.
 */
#ifndef COF_STANDIN_OAUTH_KEYS_H
#define COF_STANDIN_OAUTH_KEYS_H

#include "engine/token_signer.h"
#include "standin/standin.h"

#define COF_OAUTH_LIFE_MS 900000LL          /* of a token */
#define COF_OAUTH_GRACE_MS 300000LL         /* for verifiers' clocks */
#define COF_OAUTH_ROTATE_MS 2592000000LL    /* 30 days */
#define COF_OAUTH_LEAD_MS 3600000LL

/* Makes the first key, the next one when it is due, and drops what is gone. Changes the store, so it belongs where
 * changes are kept. */
COF_MUST_USE enum cof_err cof_oauth_keys_tend(struct cof_standin *s, int64_t now_ms);
/* A successor that signs at once. */
COF_MUST_USE enum cof_err cof_oauth_keys_rotate(struct cof_standin *s, int64_t now_ms);
/* The key that signs now. */
COF_MUST_USE enum cof_err cof_oauth_keys_signer(struct cof_standin *s, int64_t now_ms, struct cof_token_signer **out);
/* Appends {"keys":[...]} with all that are published now. */
COF_MUST_USE enum cof_err cof_oauth_keys_jwks(struct cof_standin *s, int64_t now_ms, struct cof_buf *out);

#endif
