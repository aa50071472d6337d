/* SPDX-License-Identifier: Apache-2.0
 *
 * libcoffer: seals and opens AWS Encryption SDK messages (formats 1 and 2, all algorithm suites), with local keys or AWS KMS;
 * verifies attestation documents of Nitro Enclaves.
 *
 *     struct coffer_keyring *keyring;
 *     void *sealed;
 *     size_t sealed_len;
 *     if (coffer_keyring_raw_aes("my-app", "key-1", key, 32, &keyring) == COFFER_OK &&
 *         coffer_seal(keyring, NULL, "hello", 5, &sealed, &sealed_len) == COFFER_OK)
 *         ...
 *     coffer_free(sealed, sealed_len);
 *     coffer_keyring_free(keyring);
 *
 * Every call that can fail returns an enum coffer_err; outputs are empty then. Strings are UTF-8 and end in NUL. A keyring may be
 * used by many threads at once, any other object by one at a time. Structs of options may be NULL, and begin with their size, so
 * that later versions can add members: {.size = sizeof options, ...}. The library never prints and never exits.
 */
#ifndef COFFER_H
#define COFFER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COFFER_API __attribute__((visibility("default")))

enum coffer_err {
    COFFER_OK = 0,
    COFFER_E_BUG = 1,     /* a broken invariant of the library */
    COFFER_E_USAGE = 2,   /* the call cannot be meant so */
    COFFER_E_FORMAT = 3,  /* not such a message; or it ends too early */
    COFFER_E_LIMIT = 4,   /* well formed, but over a limit in force */
    COFFER_E_AUTH = 5,    /* altered; another key; another context; no keyring opens it */
    COFFER_E_DENIED = 6,  /* the commitment policy, or a service, refuses */
    COFFER_E_RETRY = 7,   /* worth trying again later */
    COFFER_E_IO = 8,      /* the system, the network or a callback failed */
    COFFER_E_MEMORY = 9,
};
COFFER_API const char *coffer_strerror(int err);
/* "0.1.0" */
COFFER_API const char *coffer_version(void);

/* What a person may be told; holds no secret. Filled on failure where there is more to say than the code. */
struct coffer_diag {
    char text[400];
    char hint[240];
};

/* Keyrings: who can open a message. */
struct coffer_keyring;

/* Raw AES ("raw AES keyring" of the AWS Encryption SDK). key: 16, 24 or 32 bytes, copied. */
COFFER_API int coffer_keyring_raw_aes(const char *name_space, const char *name, const void *key, size_t key_len,
                                      struct coffer_keyring **out);
enum coffer_rsa_padding {
    COFFER_RSA_PKCS1 = 0,
    COFFER_RSA_OAEP_SHA1 = 1,
    COFFER_RSA_OAEP_SHA256 = 2,
    COFFER_RSA_OAEP_SHA384 = 3,
    COFFER_RSA_OAEP_SHA512 = 4,
};
/* Raw RSA. pem: a private key seals and opens, a public one only seals. */
COFFER_API int coffer_keyring_raw_rsa(const char *name_space, const char *name, enum coffer_rsa_padding padding, const char *pem,
                                      size_t pem_len, struct coffer_keyring **out);
/* AWS KMS keys by their full ARNs; aliases are refused. The first makes the data key, all wrap it, any one opens. Credentials,
 * endpoints and so on come from the standard environment variables and files; each key is called in its ARN's region. Calls of
 * one keyring to KMS are made one at a time. diag may be NULL; it must outlive the keyring. */
COFFER_API int coffer_keyring_kms(const char *const *key_arns, size_t n, struct coffer_diag *diag, struct coffer_keyring **out);
/* Opens whatever key of the aws partition a message names, of one account (twelve digits) or, with NULL, any. Seals nothing. */
COFFER_API int coffer_keyring_kms_discovery(const char *account, struct coffer_diag *diag, struct coffer_keyring **out);
/* Several in one: the first makes the data key, all wrap it, any one opens. The children must outlive it. */
COFFER_API int coffer_keyring_multi(struct coffer_keyring *const *children, size_t n, struct coffer_keyring **out);

struct coffer_cache_options {
    size_t size;
    int64_t max_age_ms;    /* required */
    uint64_t max_messages; /* sealed with one data key; 0: 2^32 */
    uint64_t max_bytes;    /* of plaintext sealed with one data key; 0: 2^63 - 1 */
    size_t capacity;       /* data keys kept; 0: 1000 */
};
/* The same with a data-key cache ("caching CMM"): one call to KMS serves many messages. inner must outlive it; it may not be a
 * cached one. Streams of unknown length are sealed with a data key of their own. */
COFFER_API int coffer_keyring_cached(struct coffer_keyring *inner, const struct coffer_cache_options *options,
                                     struct coffer_keyring **out);
/* Wipes. Takes NULL. */
COFFER_API void coffer_keyring_free(struct coffer_keyring *keyring);

struct coffer_pair {
    const char *name, *value;
};

enum coffer_policy {
    COFFER_REQUIRE_ENCRYPT_REQUIRE_DECRYPT = 0, /* suites with key commitment only */
    COFFER_REQUIRE_ENCRYPT_ALLOW_DECRYPT = 1,
    COFFER_FORBID_ENCRYPT_ALLOW_DECRYPT = 2,
};

struct coffer_seal_options {
    size_t size;
    uint16_t suite;                     /* 0: 0x0578, signed; 0x0478 is unsigned and many times as fast */
    uint32_t frame_length;              /* bytes; 0: 4096, at most 16 MiB */
    const struct coffer_pair *context;  /* encryption context: authenticated, not secret */
    size_t n_context;
    const char *const *required_names;  /* names of context pairs that the message does not carry: who opens it must know them */
    size_t n_required_names;
    enum coffer_policy policy;
    unsigned threads;                   /* beside the caller's, of streams */
    int length_known;                   /* of a stream: then exactly plain_length bytes must be pushed, and a cache may serve it */
    uint64_t plain_length;
    struct coffer_diag *diag;
};
struct coffer_open_options {
    size_t size;
    const struct coffer_pair *context;  /* must be the message's; pairs that it does not carry are authenticated */
    size_t n_context;
    enum coffer_policy policy;
    size_t max_edks;                    /* encrypted data keys; 0: 10 */
    uint32_t max_frame_length;          /* bytes; 0: 16 MiB */
    uint64_t max_held;                  /* bytes of a signed or unframed message held until verified; 0: 64 MiB */
    unsigned threads;
    /* A signed message's plaintext reaches the sink frame by frame, before the signature at the end is checked: the caller keeps it
     * aside until coffer_opener_finish says COFFER_OK. */
    int release_before_signature;
    struct coffer_diag *diag;
};

/* A whole message in memory. *out is the caller's: coffer_free. */
COFFER_API int coffer_seal(struct coffer_keyring *keyring, const struct coffer_seal_options *options, const void *plain, size_t len,
                           void **out, size_t *out_len);
COFFER_API int coffer_open(struct coffer_keyring *keyring, const struct coffer_open_options *options, const void *message,
                           size_t len, void **out, size_t *out_len);
/* Wipes and frees. Takes NULL. */
COFFER_API void coffer_free(void *data, size_t len);

/* Gets the output in order; anything but 0 ends the work with COFFER_E_IO. Called on the thread that pushes. */
typedef int coffer_sink(void *ctx, const void *data, size_t len);

/* Streams of any length in bounded memory. A failure is final. */
struct coffer_sealer;
COFFER_API int coffer_sealer_new(struct coffer_keyring *keyring, const struct coffer_seal_options *options, coffer_sink *sink,
                                 void *ctx, struct coffer_sealer **out);
COFFER_API int coffer_sealer_push(struct coffer_sealer *sealer, const void *plain, size_t len);
COFFER_API int coffer_sealer_finish(struct coffer_sealer *sealer);
COFFER_API void coffer_sealer_free(struct coffer_sealer *sealer);

/* What the sink gets is verified frame by frame, but the message is known to be whole only when finish says COFFER_OK. */
struct coffer_opener;
COFFER_API int coffer_opener_new(struct coffer_keyring *keyring, const struct coffer_open_options *options, coffer_sink *sink,
                                 void *ctx, struct coffer_opener **out);
COFFER_API int coffer_opener_push(struct coffer_opener *opener, const void *message, size_t len);
COFFER_API int coffer_opener_finish(struct coffer_opener *opener);
COFFER_API void coffer_opener_free(struct coffer_opener *opener);

/* Reads len bytes of the message from offset, all of them; anything but 0 is a failure. */
typedef int coffer_read_at(void *ctx, uint64_t offset, void *data, size_t len);
/* Bytes first to last (from 0, inclusive; last may lie behind the end) of a message of message_len bytes, reading only the frames
 * that hold them. Unsigned, framed messages only: COFFER_E_DENIED for others. first behind the end: COFFER_E_LIMIT. */
COFFER_API int coffer_open_range(struct coffer_keyring *keyring, const struct coffer_open_options *options, coffer_read_at *read_at,
                                 void *read_ctx, uint64_t message_len, uint64_t first, uint64_t last, coffer_sink *sink, void *ctx);

/* Attestation documents of AWS Nitro Enclaves: which code is it that speaks? */
#define COFFER_PCR_SIZE 48

struct coffer_pcr {
    unsigned index;                     /* 0 to 31 */
    unsigned char value[COFFER_PCR_SIZE];
};
struct coffer_attest_options {
    size_t size;
    const char *root_pem;               /* the root certificate to pin, PEM; NULL: AWS's own */
    const struct coffer_pcr *pcrs;      /* each must be there and equal; a value of zeros is refused */
    size_t n_pcrs;
    int any_image;                      /* judge signature and form alone: the one way to leave pcrs empty */
    int allow_debug;                    /* accept a debug enclave, whose PCR0 is zero and whose host sees into it */
    int live;                           /* judge now, and demand a fresh document; 0: at the document's own signed time */
    int64_t max_age_ms;                 /* live; 0: 5 minutes */
    int64_t at_ms;                      /* not live: the chain must also be valid then (ms since 1970); 0: no such demand */
    const void *nonce;                  /* NULL: whatever it says; else it must be there and equal (at least 16 bytes) */
    size_t nonce_len;
    const void *user_data, *public_key; /* the same */
    size_t user_data_len, public_key_len;
    struct coffer_diag *diag;           /* which check failed: for the local log, not for the peer */
    /* A signed manifest (coffer manifest sign): its measurements must hold, beside pcrs, and it must be in force when the document is
     * judged. NULL: none. */
    const void *manifest;
    size_t manifest_len;
    const char *manifest_key_pem;       /* the public key that must have signed it, PEM */
    int64_t manifest_min_serial;        /* a lower serial number is refused; keep the highest one seen */
    int64_t *manifest_serial;           /* not NULL: gets its serial number on success */
};
/* What a document says. The pointers lead into the document's bytes; NULL: absent. */
struct coffer_attestation {
    const char *module_id;              /* not ended by NUL */
    size_t module_id_len;
    int64_t timestamp_ms;               /* when the hypervisor signed it */
    uint32_t pcr_mask;                  /* bit i: PCR i is there */
    unsigned char pcrs[32][COFFER_PCR_SIZE];
    int debug;                          /* PCR0 is zero */
    const void *public_key, *user_data, *nonce;
    size_t public_key_len, user_data_len, nonce_len;
};
/* COFFER_E_AUTH whatever the document's fault; COFFER_E_USAGE for options that cannot be meant (no PCR, no manifest and not any_image). */
COFFER_API int coffer_attest_verify(const void *document, size_t len, const struct coffer_attest_options *options,
                                    struct coffer_attestation *out);

#ifdef __cplusplus
}
#endif

#endif
