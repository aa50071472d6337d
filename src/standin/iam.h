/* SPDX-License-Identifier: Apache-2.0
 *
 * Who exists: users, roles, their policies, and access keys (long-lived and temporary), of the stand-in's own account
 * and of others. Records are JSON in the store's spaces "iam.user", "iam.role" and "iam.key"; "iam.end" lists
 * temporary keys by the time they end.
 *
 * The stand-in's own account goes without a name here: an empty account means it, and only identities of other accounts
 * carry their account's number (in the store their keys are ACCOUNT/NAME). A request's principal always says which:
 * req->principal->account.
 */
#ifndef COF_STANDIN_IAM_H
#define COF_STANDIN_IAM_H

#include "policy/evaluate.h"
#include "standin/store.h"

#define COF_IAM_POLICIES_MAX 16
#define COF_IAM_TAGS_MAX 50
#define COF_IAM_ARN_MAX 2048

/* A policy attached to somebody: its name and its JSON text. */
struct cof_iam_policy {
    char *name; /* owned */
    char *text; /* owned */
};

/* A user or a role. cof_iam_entity_done frees; a zeroed struct is empty. */
struct cof_iam_entity {
    char *name; /* last part of the ARN */
    char *arn;  /* arn:aws:iam::ACCOUNT:user/PATH/NAME or ...:role/PATH/NAME */
    char *id;   /* AIDA... or AROA... */
    char *trust; /* roles: the trust policy's text; else NULL */
    int64_t max_session_s; /* roles */
    int64_t created_ms;
    struct cof_iam_policy policies[COF_IAM_POLICIES_MAX];
    size_t n_policies;
    struct cof_iam_policy boundary; /* text NULL: none */
    char *mfa_serial; /* users: arn:aws:iam::ACCOUNT:mfa/NAME, or NULL */
    char *mfa_secret; /* users: the TOTP seed, base32, or NULL */
    struct { char *key, *value; } tags[COF_IAM_TAGS_MAX];
    size_t n_tags;
};

enum cof_iam_kind { COF_IAM_USER, COF_IAM_ROLE };

/* name is the bare name; account: empty for the stand-in's own. COF_E_NOT_FOUND. */
COF_MUST_USE enum cof_err cof_iam_get(const struct cof_store *store, enum cof_iam_kind kind, struct cof_view account,
                                      struct cof_view name, struct cof_iam_entity *out);
COF_MUST_USE enum cof_err cof_iam_put(const struct cof_store *store, enum cof_iam_kind kind, struct cof_view account,
                                      const struct cof_iam_entity *entity);
void cof_iam_entity_done(struct cof_iam_entity *entity);
/* The record it is read from, as cof_record_get gives it. */
COF_MUST_USE enum cof_err cof_iam_record(const struct cof_store *store, enum cof_iam_kind kind, struct cof_view account,
                                         struct cof_view name, struct json_t **out);

/* An access key: whose it is and what narrows it. */
struct cof_iam_key {
    char *access_key_id;  /* AKIA... or ASIA... */
    char *secret;
    char *session_token;  /* temporary keys; else NULL */
    enum cof_caller_kind kind; /* COF_CALLER_ROOT, _USER or _ROLE */
    char *account;        /* another account's number; NULL: the stand-in's own */
    char *name;           /* of the user or role; NULL for root */
    char *session_name;   /* assumed roles; else NULL */
    char *session_policy; /* text, or NULL */
    int64_t created_ms;
    int64_t expires_ms;   /* 0: never */
    int64_t mfa_ms;       /* when the caller proved a second factor; 0: not */
    char *source_identity; /* or NULL */
    char *provider;       /* sessions of AssumeRoleWithWebIdentity: the provider's ARN; else NULL */
    struct {
        char *key, *value;
        bool transitive;  /* passes to sessions made from this one */
    } tags[COF_IAM_TAGS_MAX]; /* of the session; they hide the role's own of the same name */
    size_t n_tags;
};

COF_MUST_USE enum cof_err cof_iam_key_get(const struct cof_store *store, struct cof_view access_key_id,
                                          struct cof_iam_key *out);
COF_MUST_USE enum cof_err cof_iam_key_put(const struct cof_store *store, const struct cof_iam_key *key);
void cof_iam_key_done(struct cof_iam_key *key);
/* Adds a tag to a session. COF_E_LIMIT. */
COF_MUST_USE enum cof_err cof_iam_key_tag(struct cof_iam_key *key, struct cof_view name, struct cof_view value,
                                          bool transitive);
/* Temporary keys that ended long ago are forgotten, a few at each call, so that they do not pile up. */
COF_MUST_USE enum cof_err cof_iam_key_sweep(const struct cof_store *store, int64_t now_ms);

/* The caller of a request, resolved from an access key. */
struct cof_iam_principal {
    struct cof_caller caller;   /* views into the fields below */
    struct cof_iam_key key;     /* secret wiped; kind COF_CALLER_ANONYMOUS when there was none */
    struct cof_iam_entity entity;
    char account[16];
    char *arn;                  /* user ARN, or the assumed role's session ARN */
    char *user_id;              /* AIDA..., or AROA...:session */
    struct cof_tag tags[2 * COF_IAM_TAGS_MAX]; /* the entity's and the session's */
};

/* Fills out from a key record (which is moved in); account is the stand-in's own. COF_E_NOT_FOUND when its user or role
 * is gone. */
COF_MUST_USE enum cof_err cof_iam_principal_init(const struct cof_store *store, const char *account,
                                                 struct cof_iam_key *key, struct cof_iam_principal *out);
extern const struct cof_iam_principal cof_iam_nobody; /* no credentials */
void cof_iam_principal_anonymous(struct cof_iam_principal *out);
void cof_iam_principal_done(struct cof_iam_principal *principal);

#endif
