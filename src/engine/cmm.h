/* SPDX-License-Identifier: Apache-2.0
 *
 * Cryptographic materials managers (AWS Encryption SDK specification, "CMM interface"): between the message engines, which want
 * a data key, and the keyrings, which wrap and unwrap one. The default manager asks its keyring for every message; the caching
 * one (cmm_cache.h) hands out the same materials again. And the two calls that join a manager and an engine.
 */
#ifndef COF_ENGINE_CMM_H
#define COF_ENGINE_CMM_H

#include "engine/keyring.h"

/* What a message is sealed or opened with. Shared by reference and never changed; wiped when the last reference goes. */
struct cof_cmm_materials;

COF_MUST_USE struct cof_cmm_materials *cof_cmm_materials_ref(struct cof_cmm_materials *m);
void cof_cmm_materials_unref(struct cof_cmm_materials *m); /* takes NULL */

struct cof_cmm_encrypt {
    const struct cof_suite *suite;
    const struct cof_esdk_pair *pairs; /* the caller's context: sorted, no reserved names */
    size_t n_pairs;
    bool length_known;     /* a cache does not serve messages of unknown length */
    uint64_t plain_length; /* bytes */
    const struct cof_rng *rng;
    struct cof_diag *diag;
};

struct cof_cmm_decrypt {
    const struct cof_suite *suite;
    const struct cof_esdk_pair *pairs; /* the whole context, sorted */
    size_t n_pairs;
    const struct cof_esdk_edk *edks;
    size_t n_edks;
    struct cof_diag *diag;
};

struct cof_cmm {
    /* *out is the caller's reference. Errors are the keyrings'. */
    enum cof_err (*encrypt)(void *ctx, const struct cof_cmm_encrypt *request, struct cof_cmm_materials **out);
    enum cof_err (*decrypt)(void *ctx, const struct cof_cmm_decrypt *request, struct cof_cmm_materials **out);
    void *ctx;
};

/* The default manager; points at the keyring. */
struct cof_cmm cof_cmm_of_keyring(struct cof_keyring *keyring);

/* Starts a message: gets materials and seals the header. Of materials, data_key, edks and signer are ignored. */
COF_MUST_USE enum cof_err cof_esdk_encrypt_with(const struct cof_cmm *cmm, const struct cof_esdk_materials *materials,
                                                const struct cof_rng *rng, struct cof_diag *diag,
                                                struct cof_esdk_encrypt **out);
/* Gives a session that wants a key one. COF_E_NOT_FOUND: no keyring has one; after that, and after a keyring's own failure, the
 * session still wants a key. */
COF_MUST_USE enum cof_err cof_esdk_decrypt_with(const struct cof_cmm *cmm, struct cof_esdk_decrypt *session,
                                                struct cof_diag *diag);

#endif
