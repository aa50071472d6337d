/* SPDX-License-Identifier: Apache-2.0
 *
 * What several verbs of coffer share: the encryption context from the command line, the AWS session.
 */
#ifndef COF_COFFER_COMMON_H
#define COF_COFFER_COMMON_H

#include "client/session.h"
#include "engine/esdk_decrypt.h"
#include "prog/options.h"

/* The options that verbs talking to AWS have, to be the first member of their config. */
struct aws_options {
    struct cof_aws_overrides overrides;
    const char *config;
    uint64_t max_attempts, stall_s;
};
#define AWS_OPTIONS(type)                                                                                             \
    {"region", 0, COF_OPT_TEXT, "NAME", "AWS region", offsetof(type, aws.overrides.region)},                           \
    {"profile", 0, COF_OPT_TEXT, "NAME", "profile of ~/.aws", offsetof(type, aws.overrides.profile)},                  \
    {"config", 0, COF_OPT_TEXT, "FILE", "access_key, secret_key and region as JSON (config/aws_config.json)",           \
     offsetof(type, aws.config)},                                                                                     \
    {"max-attempts", 0, COF_OPT_NUMBER, "N", "how often a request is sent, 1 to 100 (default 3)", offsetof(type, aws.max_attempts)}, \
    {"stall-time", 0, COF_OPT_NUMBER, "SECONDS", "give a connection up on which nothing moves for so long (default 30)",  \
     offsetof(type, aws.stall_s)},                                                                                    \
    {"endpoint-url", 0, COF_OPT_TEXT, "URL", "another endpoint for all services", offsetof(type, aws.overrides.endpoint_url)}, \
    {"ca-bundle", 0, COF_OPT_TEXT, "FILE", "trusted certificate authorities, PEM", offsetof(type, aws.overrides.ca_bundle)}

struct aws_use {
    struct cof_loop *loop;
    struct cof_session session;
    struct cof_log log;
};
COF_MUST_USE enum cof_err aws_open(struct aws_use *use, const struct aws_options *options, struct cof_diag *diag);
void aws_close(struct aws_use *use);
/* Credentials that last, and are kept fresh while the loop runs. */
COF_MUST_USE enum cof_err aws_ready(struct aws_use *use, struct cof_diag *diag);

/* "k=v" texts, as sorted pairs pointing into them. */
COF_MUST_USE enum cof_err context_parse(const struct cof_text_list *texts, struct cof_esdk_pair *pairs, size_t max, size_t *n,
                                        struct cof_diag *diag);

/* Says what differs between a refused message's context and what the caller knows of it; false when nothing is seen to. */
bool context_explain(const struct cof_esdk_decrypt *d, const struct cof_esdk_pair *known, size_t n_known,
                     struct cof_diag *diag);

/* The name of a commitment policy; the strictest for NULL. */
#define COMMITMENT_HELP "require-encrypt-require-decrypt (the default), require-encrypt-allow-decrypt, forbid-encrypt-allow-decrypt"
COF_MUST_USE enum cof_err commitment_parse(const char *text, enum cof_commitment_policy *out, struct cof_diag *diag);

/* "s3://bucket/key". */
COF_MUST_USE enum cof_err s3_url_parse(const char *text, struct cof_view *bucket, struct cof_view *key,
                                       struct cof_diag *diag);

/* "s3://bucket", "s3://bucket/" or "s3://bucket/key": the key may be empty. */
COF_MUST_USE enum cof_err s3_url_split(const char *text, struct cof_view *bucket, struct cof_view *key,
                                       struct cof_diag *diag);

/* A name to standard output. Names come from others: what a terminal would act on is shown as \xNN. */
void print_name(struct cof_view name);

/* Whether a file of that path can be written at any place: not "-", a device or a pipe. */
bool path_is_file(const char *path);

/* A verb from its command line to its exit code: parses into config (defaults filled in), runs, says what went wrong. */
typedef enum cof_err verb_fn(const void *config, char **args, struct cof_diag *diag);
int verb_run(const char *prog, const struct cof_command *command, void *config, verb_fn *verb, int argc, char **argv);

#endif
