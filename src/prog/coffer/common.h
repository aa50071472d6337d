/* SPDX-License-Identifier: Apache-2.0
 *
 * What several verbs of coffer share: keyrings, the encryption context from the command line, the AWS session.
 */
#ifndef COF_COFFER_COMMON_H
#define COF_COFFER_COMMON_H

#include "client/session.h"
#include "engine/esdk_decrypt.h"
#include "prog/options.h"

/* The options that verbs talking to AWS have, to be the first member of their config. */
struct aws_options {
    struct cof_aws_overrides overrides;
};
#define AWS_OPTIONS(type)                                                                                             \
    {"region", 0, COF_OPT_TEXT, "NAME", "AWS region", offsetof(type, aws.overrides.region)},                           \
    {"profile", 0, COF_OPT_TEXT, "NAME", "profile of ~/.aws", offsetof(type, aws.overrides.profile)},                  \
    {"endpoint-url", 0, COF_OPT_TEXT, "URL", "another endpoint for all services", offsetof(type, aws.overrides.endpoint_url)}, \
    {"ca-bundle", 0, COF_OPT_TEXT, "FILE", "trusted certificate authorities, PEM", offsetof(type, aws.overrides.ca_bundle)}

struct aws_use {
    struct cof_loop *loop;
    struct cof_session session;
    struct cof_log log;
};
COF_MUST_USE enum cof_err aws_open(struct aws_use *use, const struct aws_options *options, struct cof_diag *diag);
void aws_close(struct aws_use *use);

#define KEYRINGS_MAX 10
enum keyring_kind { KEYRING_RAW_AES, KEYRING_KMS };
struct keyring {
    enum keyring_kind kind;
    char name_space[128], name[128];
    struct cof_secret key;
    char arn[512];
};
struct keyrings {
    struct keyring items[KEYRINGS_MAX];
    size_t n;
    bool needs_aws;
};
/* "raw-aes:NAMESPACE:NAME:FILE" or "kms:ARN". */
COF_MUST_USE enum cof_err keyrings_parse(const struct cof_text_list *texts, struct keyrings *out, struct cof_diag *diag);
void keyrings_done(struct keyrings *keyrings);

/* A fresh data key, wrapped by every keyring. Buffers behind the EDKs are owned by store. */
struct edk_store {
    struct cof_buf bytes[2 * KEYRINGS_MAX];
    struct cof_esdk_edk edks[KEYRINGS_MAX];
    size_t n;
};
COF_MUST_USE enum cof_err keyrings_generate(const struct keyrings *keyrings, struct aws_use *aws,
                                            const struct cof_esdk_pair *pairs, size_t n, struct cof_secret *data_key,
                                            struct edk_store *out, struct cof_diag *diag);
void edk_store_done(struct edk_store *store);
/* The data key of a message, from the first keyring that can. COF_E_AUTH when none can. */
COF_MUST_USE enum cof_err keyrings_unwrap(const struct keyrings *keyrings, struct aws_use *aws,
                                          const struct cof_esdk_header *header, struct cof_secret *data_key,
                                          struct cof_diag *diag);

/* "k=v" texts, as sorted pairs pointing into them. */
COF_MUST_USE enum cof_err context_parse(const struct cof_text_list *texts, struct cof_esdk_pair *pairs, size_t max, size_t *n,
                                        struct cof_diag *diag);

/* "s3://bucket/key". */
COF_MUST_USE enum cof_err s3_url_parse(const char *text, struct cof_view *bucket, struct cof_view *key,
                                       struct cof_diag *diag);

/* A verb from its command line to its exit code: parses into config (defaults filled in), runs, says what went wrong. */
typedef enum cof_err verb_fn(const void *config, char **args, struct cof_diag *diag);
int verb_run(const char *prog, const struct cof_command *command, void *config, verb_fn *verb, int argc, char **argv);

#endif
