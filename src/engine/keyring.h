/* SPDX-License-Identifier: Apache-2.0
 *
 * Keyrings (framework specification, "Keyring interface"): what wraps a message's data key for its readers, and unwraps it
 * again. A keyring is two functions and their state, so that local keys (keyring_raw.h), KMS (client layer; its calls may
 * block) and several together look alike. Materials managers (cmm.h) join them to the message engines.
 */
#ifndef COF_ENGINE_KEYRING_H
#define COF_ENGINE_KEYRING_H

#include "engine/esdk_decrypt.h"
#include "engine/esdk_encrypt.h"

/* Encrypted data keys that own their bytes. */
struct cof_edk_list {
    struct cof_buf bytes;
    struct {
        size_t provider, info, ciphertext; /* lengths; they follow each other in bytes */
    } items[COF_ESDK_EDKS_MAX];
    size_t n;
};

void cof_edk_list_init(struct cof_edk_list *list);
void cof_edk_list_done(struct cof_edk_list *list);
COF_MUST_USE enum cof_err cof_edk_list_add(struct cof_edk_list *list, const struct cof_esdk_edk *edk);
/* Views that live until the next add. Returns how many. */
size_t cof_edk_list_views(const struct cof_edk_list *list, struct cof_esdk_edk out[static COF_ESDK_EDKS_MAX]);

/* The context is whole (pairs that the message does not carry, too) and sorted. */
struct cof_keyring_wrap {
    size_t key_len; /* bytes of the suite's data key */
    const struct cof_esdk_pair *pairs;
    size_t n_pairs;
    const struct cof_rng *rng;
    struct cof_secret *data_key; /* empty: the keyring makes it; else it wraps this one */
    struct cof_edk_list *edks;   /* appended to */
    struct cof_diag *diag;       /* may be NULL */
};

struct cof_keyring_unwrap {
    size_t key_len;
    const struct cof_esdk_pair *pairs;
    size_t n_pairs;
    const struct cof_esdk_edk *edks;
    size_t n_edks;
    struct cof_secret *data_key;
    struct cof_diag *diag;
};

struct cof_keyring {
    enum cof_err (*wrap)(void *ctx, const struct cof_keyring_wrap *request);
    /* COF_E_NOT_FOUND: none of the encrypted data keys is this keyring's. */
    enum cof_err (*unwrap)(void *ctx, const struct cof_keyring_unwrap *request);
    void *ctx;
};

/* Calls the keyring and checks what it did: the data key has its length, and on wrap at least one EDK was added. On failure
 * the data key is empty. */
COF_MUST_USE enum cof_err cof_keyring_wrap(const struct cof_keyring *keyring, const struct cof_keyring_wrap *request);
COF_MUST_USE enum cof_err cof_keyring_unwrap(const struct cof_keyring *keyring, const struct cof_keyring_unwrap *request);

/* Several in one: the first makes the data key, every one of them wraps it, and any of them opens. Opening tries them in
 * order and gives the first success, or else the failure of the last one that knew an encrypted data key. */
struct cof_keyring_multi {
    const struct cof_keyring *children;
    size_t n_children;
};
struct cof_keyring cof_keyring_of_multi(struct cof_keyring_multi *multi);

#endif
