/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens an AWS Encryption SDK message (formats 1 and 2, all suites) as it streams. States: the header; then the caller's
 * data key; then frames or the single block, each released only after its tag; then, in signed suites, the signature; then
 * nothing more. A failure is final and every later call repeats it; a tag, commitment or signature that does not verify, and
 * a required context that differs, is COF_E_AUTH.
 *
 * What is released when: an unsigned suite's frames as soon as their tags verified. A signed suite's only after the signature
 * at the end: cof_esdk_decrypt_push holds them in memory (limits.max_held); cof_esdk_decrypt_push_before_signature releases
 * them early, to a caller that keeps them aside until cof_esdk_decrypt_finish says COF_OK. Either way the message is whole
 * only then: until it, an attacker may have cut off its end, or (after a verified signature) added to it.
 */
#ifndef COF_ENGINE_ESDK_DECRYPT_H
#define COF_ENGINE_ESDK_DECRYPT_H

#include "engine/esdk_keys.h"

struct cof_esdk_decrypt;

struct cof_esdk_decrypt_options {
    struct cof_esdk_limits limits;     /* zeros: the defaults */
    enum cof_commitment_policy policy; /* zero: only committing suites */
    bool refuse_signed;                /* for callers that must not wait for a signature: COF_E_DENIED */
    /* The encryption context that the caller knows. Pairs the message carries must equal it; those it does not carry are
     * authenticated with the header. The views must live as long as the session. */
    const struct cof_esdk_pair *known_pairs;
    size_t n_known;
};

/* options may be NULL. */
COF_MUST_USE enum cof_err cof_esdk_decrypt_new(const struct cof_esdk_decrypt_options *options,
                                               struct cof_esdk_decrypt **out);
/* Takes bytes from the front of *in, appends plaintext to out. COF_OK: all of *in was used, or the data key is wanted
 * (cof_esdk_decrypt_wants_key; the rest of *in waits). COF_E_DENIED: a suite that policy or options refuse. */
COF_MUST_USE enum cof_err cof_esdk_decrypt_push(struct cof_esdk_decrypt *d, struct cof_view *in, struct cof_buf *out);
/* The same, but a signed suite's plaintext comes before its signature is checked: not to be used before finish. */
COF_MUST_USE enum cof_err cof_esdk_decrypt_push_before_signature(struct cof_esdk_decrypt *d, struct cof_view *in,
                                                                 struct cof_buf *out);
bool cof_esdk_decrypt_wants_key(const struct cof_esdk_decrypt *d);
/* Valid from when the key is wanted until free, but authentic only once the key is set. NULL before. */
const struct cof_esdk_header *cof_esdk_decrypt_header(const struct cof_esdk_decrypt *d);
const struct cof_suite *cof_esdk_decrypt_suite(const struct cof_esdk_decrypt *d);
/* The limits in force, defaults filled in. */
const struct cof_esdk_limits *cof_esdk_decrypt_limits(const struct cof_esdk_decrypt *d);
/* The whole encryption context, sorted: the header's pairs and the known ones. This is what keyrings are given. */
const struct cof_esdk_pair *cof_esdk_decrypt_context(const struct cof_esdk_decrypt *d, size_t *n);
/* Checks commitment first, then the header's tag. */
COF_MUST_USE enum cof_err cof_esdk_decrypt_set_key(struct cof_esdk_decrypt *d, const struct cof_secret *data_key);
/* The data key of another session that has one, for reading the same message once more. COF_E_AUTH when its header is not byte
 * for byte the same. */
COF_MUST_USE enum cof_err cof_esdk_decrypt_set_key_of(struct cof_esdk_decrypt *d, const struct cof_esdk_decrypt *other);
/* For opening the frames elsewhere, on several threads (io/open.h). take_body: COF_E_STATE unless a framed body is about to
 * begin; then every thread forks a key context of its own, parses and opens frames from sequence number 1 on (cof_esdk_open_frame);
 * note gets all their bytes, in order, one call at a time; body_end says that the final frame was among them and verified. What
 * follows is pushed here again. */
COF_MUST_USE enum cof_err cof_esdk_decrypt_take_body(struct cof_esdk_decrypt *d);
COF_MUST_USE enum cof_err cof_esdk_decrypt_fork(const struct cof_esdk_decrypt *d, struct cof_gcm **content_key);
COF_MUST_USE enum cof_err cof_esdk_decrypt_note(struct cof_esdk_decrypt *d, struct cof_view bytes);
COF_MUST_USE enum cof_err cof_esdk_decrypt_body_end(struct cof_esdk_decrypt *d);
/* Whether the message is complete and everything in it, its signature too, verified. */
bool cof_esdk_decrypt_verified(const struct cof_esdk_decrypt *d);
/* The input is over: COF_OK only when the message was complete and everything verified; COF_E_TRUNCATED, or the failure
 * there was. */
COF_MUST_USE enum cof_err cof_esdk_decrypt_finish(struct cof_esdk_decrypt *d);
/* 32 bytes that only this message's two ends can compute, the same on both. COF_E_STATE before the key is set. */
COF_MUST_USE enum cof_err cof_esdk_decrypt_export(const struct cof_esdk_decrypt *d, const char *label,
                                                  uint8_t out[static 32]);
void cof_esdk_decrypt_free(struct cof_esdk_decrypt *d);

#endif
