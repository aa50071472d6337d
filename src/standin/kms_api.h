/* SPDX-License-Identifier: Apache-2.0
 *
 * What the operations of the KMS share: the call in progress, finding its key, asking for permission, refusing.
 *
 * Functions that may refuse return COF_E_DENIED when they have made the error reply; it is passed up as it is, and the
 * dispatcher sends what stands. Other errors are faults.
 */
#ifndef COF_STANDIN_KMS_API_H
#define COF_STANDIN_KMS_API_H

#include "standin/kms_permit.h"
#include "standin/kms_shape.h"

/* What a key's state must be for an operation. */
enum cof_kms_need {
    COF_KMS_ANY_STATE,
    COF_KMS_NOT_PENDING, /* KMSInvalidStateException when it is pending deletion */
    COF_KMS_NEEDS_ENABLED, /* and DisabledException when it is disabled */
};

struct cof_kms_call;

struct cof_kms_operation {
    const char *action; /* "kms:Decrypt"; the operation's name is what follows the colon */
    /* Adds the answer's members to c->out. */
    enum cof_err (*run)(struct cof_kms_call *c);
    const struct cof_kms_member *members;
    enum cof_kms_need need;
    bool alias_ok;    /* KeyId may be an alias */
    bool arn_error;   /* InvalidArnException is among its errors */
    bool recipient;   /* takes a Recipient */
    bool foreign;     /* callers of other accounts may be allowed it, with a key that they name by its ARN */
    bool use;         /* uses the key's material: kms:RequestAlias counts, grants look at the context */
};

struct cof_kms_call {
    struct cof_standin *s;
    struct cof_standin_request *req;
    struct cof_standin_reply *reply;
    const struct cof_kms_operation *op;
    json_t *in;
    struct cof_kms_key *key; /* the one that KeyId names; closed by the dispatcher */
    struct cof_view alias;   /* by which it was named, or empty */
    bool has_recipient;
    struct cof_buf document; /* of the recipient */
    struct cof_attest attest;
    const struct cof_rsa_key *recipient_key; /* that the document names; lent by the cache */
    struct cof_buf out; /* "{" and the members so far; secret */
};

/* Error replies: 400 with AWS's code. Always COF_E_DENIED. */
enum cof_err cof_kms_fail(struct cof_kms_call *c, const char *code, const char *fmt, ...) COF_PRINTF(3, 4);

/* Members of the request, whose shape was checked. Absent: empty, false, or the default. */
struct cof_view cof_kms_arg(const struct cof_kms_call *c, const char *name);
bool cof_kms_arg_flag(const struct cof_kms_call *c, const char *name);
int64_t cof_kms_arg_int(const struct cof_kms_call *c, const char *name, int64_t otherwise);
const json_t *cof_kms_arg_object(const struct cof_kms_call *c, const char *name); /* NULL when absent or empty */
COF_MUST_USE enum cof_err cof_kms_arg_bytes(struct cof_kms_call *c, const char *name, struct cof_buf *out);

/* The key that a member names; own: a copy to change. alias (may be NULL) gets the alias it was named by. */
COF_MUST_USE enum cof_err cof_kms_find(struct cof_kms_call *c, struct cof_view name, bool own, struct cof_kms_key **out,
                                       struct cof_view *alias);
/* Permission for the operation, or for another action of it (NULL: its own). key may be NULL. */
struct cof_kms_ask {
    const char *action;
    struct cof_view resource, alias, grant_id;
    const json_t *context, *new_grant;
    const struct cof_context_value *more;
    size_t n_more;
};
COF_MUST_USE enum cof_err cof_kms_allowed(struct cof_kms_call *c, struct cof_kms_key *key, const struct cof_kms_ask *ask);
COF_MUST_USE enum cof_err cof_kms_check_state(struct cof_kms_call *c, const struct cof_kms_key *key,
                                              enum cof_kms_need need);
/* All of it for KeyId: finds c->key, asks (ask may be NULL: the plain action), checks the state. */
COF_MUST_USE enum cof_err cof_kms_begin(struct cof_kms_call *c, bool own, const struct cof_kms_ask *ask);
/* InvalidKeyUsageException unless the key has that usage. */
COF_MUST_USE enum cof_err cof_kms_check_usage(struct cof_kms_call *c, const struct cof_kms_key *key,
                                              enum cof_kms_usage usage);
/* The algorithm that a member names (empty: SYMMETRIC_DEFAULT), which must fit usage and key. */
COF_MUST_USE enum cof_err cof_kms_check_algorithm(struct cof_kms_call *c, const struct cof_kms_key *key,
                                                  struct cof_view name, enum cof_kms_usage usage,
                                                  const struct cof_kms_algorithm **out);
/* DryRunOperationException when the caller only wanted to know. Call it before anything is done. */
COF_MUST_USE enum cof_err cof_kms_check_dry_run(struct cof_kms_call *c);

/* "name":1795464000.123 */
void cof_kms_add_time(struct cof_buf *json, const char *name, int64_t ms);
void cof_kms_add_bool(struct cof_buf *json, const char *name, bool value);

/* Lists in pages: items come from a scan of the store; the marker is the last key given, base64. */
struct cof_kms_page {
    int64_t left;        /* items that still fit */
    struct cof_buf after; /* key to go on after; then the last one given */
    bool truncated;
};
/* COF_E_DENIED with InvalidMarkerException. */
COF_MUST_USE enum cof_err cof_kms_page_begin(struct cof_kms_call *c, int64_t otherwise, int64_t most,
                                             struct cof_kms_page *page);
/* Whether one more item fits; notes its key. */
bool cof_kms_page_take(struct cof_kms_page *page, struct cof_view key);
/* Truncated and NextMarker. */
void cof_kms_page_end(struct cof_kms_call *c, struct cof_kms_page *page);

/* kms_attested.c: reads and verifies the Recipient, and adds a secret to the answer for it: sealed for its key as
 * CiphertextForRecipient, or plain under the given name when there is none. */
COF_MUST_USE enum cof_err cof_kms_read_recipient(struct cof_kms_call *c);
COF_MUST_USE enum cof_err cof_kms_add_secret(struct cof_kms_call *c, const char *name, struct cof_view plaintext);

/* The tables of operations, one a file; ended by an action of NULL. */
extern const struct cof_kms_operation cof_kms_crypt_ops[], cof_kms_datakey_ops[], cof_kms_sign_ops[], cof_kms_admin_ops[],
    cof_kms_policy_ops[], cof_kms_tag_ops[], cof_kms_alias_ops[], cof_kms_rotate_ops[], cof_kms_grant_ops[];

/* Members that many operations have. */
#define COF_KMS_M_KEY_ID {.name = "KeyId", .type = COF_KMS_TEXT, .required = true, .min = 1, .max = 2048}
#define COF_KMS_M_DRY_RUN {.name = "DryRun", .type = COF_KMS_BOOL}
#define COF_KMS_M_TOKENS {.name = "GrantTokens", .type = COF_KMS_TEXTS, .min = 0, .max = 10, .item_max = 8192}
#define COF_KMS_M_CONTEXT {.name = "EncryptionContext", .type = COF_KMS_MAP}
#define COF_KMS_M_RECIPIENT {.name = "Recipient", .type = COF_KMS_THING}
#define COF_KMS_M_PAGE \
    {.name = "Limit", .type = COF_KMS_INT, .min = 1, .max = 1000}, \
    {.name = "Marker", .type = COF_KMS_TEXT, .min = 1, .max = 1024}

#endif
