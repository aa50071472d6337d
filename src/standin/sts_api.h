/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of STS share: one call's form parameters, AWS's validation errors, session tags, answers. Handlers
 * return COF_OK with a reply, errors of AWS's kind included; any other value is a fault of ours.
 */
#ifndef COF_STANDIN_STS_API_H
#define COF_STANDIN_STS_API_H

#include "standin/bootstrap.h"
#include "standin/reply.h"

#define COF_STS_XMLNS "https://sts.amazonaws.com/doc/2011-06-15/"
#define COF_STS_PARAMETER_MAX 20000 /* a web identity token; the longest */
#define COF_STS_PARAMETERS_MAX 192
#define COF_STS_FORM_MAX 131072 /* each parameter is looked for from the front */
#define COF_STS_PACKED_MAX 4096     /* bytes of session policy and tags; AWS does not tell its own figure */

struct cof_sts_call {
    struct cof_standin *s;
    struct cof_standin_request *req;
    struct cof_standin_reply *reply;
    struct cof_view form;
    struct cof_buf texts[COF_STS_PARAMETERS_MAX]; /* decoded parameters */
    size_t n_texts;
    struct cof_buf faults; /* of validation, "; " between them */
    size_t n_faults;
    enum cof_err err;      /* of reading parameters */
    bool code_used;        /* a second factor's code is used up, whatever comes of the call */
};

void cof_sts_call_init(struct cof_sts_call *call, struct cof_standin *s, struct cof_standin_request *req,
                       struct cof_standin_reply *reply);
void cof_sts_call_done(struct cof_sts_call *call);

/* A form parameter; data NULL when absent. The view lives as long as the call; failures are kept in call->err. */
struct cof_view cof_sts_param(struct cof_sts_call *call, const char *name);
/* Constraints of the API's model on a parameter that is there; what fails is noted. label: as AWS names it. */
void cof_sts_need(struct cof_sts_call *call, struct cof_view value, const char *label);
void cof_sts_check_length(struct cof_sts_call *call, struct cof_view value, const char *label, size_t min, size_t max);
/* allowed: characters beside letters and digits; NULL: digits alone. pattern: as AWS prints it. */
void cof_sts_check_chars(struct cof_sts_call *call, struct cof_view value, const char *label, const char *allowed,
                         const char *pattern);
/* A number within bounds; absent: preset. */
int64_t cof_sts_seconds(struct cof_sts_call *call, const char *name, const char *label, int64_t min, int64_t max,
                        int64_t preset);
/* True when nothing was noted; else the reply holds the ValidationError (or MalformedInput), or call->err is ours. */
bool cof_sts_valid(struct cof_sts_call *call);

enum cof_err cof_sts_fail(struct cof_sts_call *call, int status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* <ActionResponse><ActionResult>result</...>. */
enum cof_err cof_sts_answer(struct cof_sts_call *call, const char *action, const struct cof_buf *result);
void cof_sts_add_credentials(struct cof_buf *xml, const struct cof_iam_key *key);

/* Checks a second factor the caller brought (SerialNumber, TokenCode). True: *given says whether there was one, and it was
 * right (and is used up). False: the reply holds AccessDenied (or *err says a fault). */
bool cof_sts_mfa(struct cof_sts_call *call, bool *given, enum cof_err *err);

/* A role to be assumed, and what the session will be like. */
struct cof_sts_session {
    struct cof_view role_arn, name, policy, source_identity, external_id;
    struct cof_view account;        /* of the ARN */
    struct cof_iam_entity role;
    struct cof_iam_key key;         /* collects tags, policy, ... */
    int64_t duration_s;
    unsigned packed_percent;
    bool packed;                    /* a policy or tags were given */
    size_t n_own_tags;              /* of key.tags, those of this request; inherited ones follow */
    bool mfa;
};
void cof_sts_session_done(struct cof_sts_session *session);
/* RoleArn, RoleSessionName, DurationSeconds, Policy, PolicyArns. False: the reply holds why not. */
bool cof_sts_session_read(struct cof_sts_call *call, struct cof_sts_session *out, enum cof_err *err);
/* Parses the session policy and works out the packed size; after the tags are known. */
bool cof_sts_session_pack(struct cof_sts_call *call, struct cof_sts_session *session, enum cof_err *err);
/* Finds the role by its whole ARN. False: the reply holds AccessDenied in AWS's words, which do not tell whether it
 * exists. */
bool cof_sts_session_role(struct cof_sts_call *call, struct cof_sts_session *session, const char *action,
                          enum cof_err *err);
/* Asks the trust policy (and the caller's own) for the action and, where tags or a source identity are set, for
 * sts:TagSession and sts:SetSourceIdentity. context: more keys. */
bool cof_sts_session_permit(struct cof_sts_call *call, struct cof_sts_session *session, const char *action,
                            const struct cof_caller *caller, const struct cof_standin_context *context,
                            enum cof_err *err);
/* Issues the key; adds Credentials, AssumedRoleUser, PackedPolicySize and SourceIdentity to xml. */
COF_MUST_USE enum cof_err cof_sts_session_issue(struct cof_sts_call *call, struct cof_sts_session *session,
                                                struct cof_buf *xml);

enum cof_err cof_sts_assume_role(struct cof_sts_call *call);
enum cof_err cof_sts_assume_role_with_web_identity(struct cof_sts_call *call);

#endif
