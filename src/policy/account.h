/* SPDX-License-Identifier: Apache-2.0
 *
 * An account as its policies see it: who there is, which policies each has, and which resources with theirs. Built from the
 * manifest that coffer-local begins with (deploy/local/manifest.json), or piece by piece; asked in simulate.h and reach.h.
 */
#ifndef COF_POLICY_ACCOUNT_H
#define COF_POLICY_ACCOUNT_H

#include "policy/document.h"
#include "policy/evaluate.h"

#define COF_ACCOUNT_POLICIES_MAX 12 /* of one identity */
#define COF_ACCOUNT_TAGS_MAX 16
#define COF_ACCOUNT_MAX 128 /* identities; resources */
#define COF_ACCOUNT_DOCUMENTS_MAX 512
#define COF_ACCOUNT_VALUES_MAX 128

struct cof_account_identity {
    bool role;
    struct cof_view name, arn, account, session_arn, user_id; /* session_arn and user_id: of a session of the role */
    size_t policies[COF_ACCOUNT_POLICIES_MAX], n_policies; /* documents */
    size_t boundary;                                 /* or SIZE_MAX */
    struct cof_tag tags[COF_ACCOUNT_TAGS_MAX];
    size_t n_tags;
};

enum cof_account_kind { COF_ACCOUNT_KEY, COF_ACCOUNT_BUCKET, COF_ACCOUNT_QUEUE, COF_ACCOUNT_ROLE };

struct cof_account_resource {
    enum cof_account_kind kind;
    struct cof_view name, arn, alias; /* alias: of a key, may be empty */
    size_t policy;                    /* document, or SIZE_MAX */
};

/* All texts belong to the account. */
struct cof_account {
    struct cof_view id, region;
    struct cof_document documents[COF_ACCOUNT_DOCUMENTS_MAX];
    size_t n_documents;
    struct cof_account_identity identities[COF_ACCOUNT_MAX];
    size_t n_identities;
    struct cof_account_resource resources[COF_ACCOUNT_MAX];
    size_t n_resources;
    struct cof_template_value values[COF_ACCOUNT_VALUES_MAX];
    size_t n_values;
    char **owned;
    size_t n_owned;
};

/* A large struct, to live on the heap. */
void cof_account_init(struct cof_account *account);
void cof_account_done(struct cof_account *account);

/* A copy that lives as long as the account; empty without memory. */
struct cof_view cof_account_keep(struct cof_account *account, struct cof_view text);
/* A value for holes; one that is there stays. text may use those before it. */
COF_MUST_USE enum cof_err cof_account_value(struct cof_account *account, struct cof_view name, struct cof_view text,
                                            struct cof_diag *diag);
const char *cof_account_value_of(const struct cof_account *account, const char *name); /* or NULL */

/* The text of a file that the manifest names; it has to stay until the account is done. name is for messages, of the
 * same life. */
typedef enum cof_err cof_account_read_fn(void *ctx, const char *file, struct cof_view *text, const char **name,
                                         struct cof_diag *diag);

/* Reads a manifest: its "values", "users", "roles", "keys", "buckets" and "queues"; what else it holds is not looked at. What
 * is wrong in the policies goes to findings, what is wrong with the manifest itself to diag, with line and column. text and
 * name have to stay. */
COF_MUST_USE enum cof_err cof_account_read(struct cof_account *account, struct cof_view text, const char *name,
                                           cof_account_read_fn *read, void *ctx, struct cof_findings *findings,
                                           struct cof_diag *diag);

/* Piece by piece. The index of the new one, or SIZE_MAX when there is no room. */
size_t cof_account_add_document(struct cof_account *account, struct cof_document_source source,
                                struct cof_findings *findings);
size_t cof_account_add_identity(struct cof_account *account, bool role, struct cof_view arn);
size_t cof_account_add_resource(struct cof_account *account, enum cof_account_kind kind, struct cof_view arn,
                                struct cof_view alias, size_t policy);

/* By name ("coffer-consumer", "alias/coffer-data", "s3://bucket/key") or ARN; SIZE_MAX when there is none. *arn is the
 * resource in full, with the object of a bucket. */
size_t cof_account_find_identity(const struct cof_account *account, struct cof_view name);
size_t cof_account_find_resource(struct cof_account *account, struct cof_view name, struct cof_view *arn);
/* The nearest name for a message; empty when none is near. */
struct cof_view cof_account_nearest_identity(const struct cof_account *account, struct cof_view name);
struct cof_view cof_account_nearest_resource(const struct cof_account *account, struct cof_view name);

#endif
