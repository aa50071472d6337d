/* SPDX-License-Identifier: Apache-2.0
 *
 * What AWS publishes of its services: which actions there are, which kinds of resource each takes, which condition keys
 * its requests carry, and of which type a condition key is (Service Authorization Reference; IAM User Guide, "AWS global
 * condition context keys"). The tables are in facts_*.c; they are of October 2026. For services without condition keys here
 * only names are known; services that are not here at all are not judged.
 */
#ifndef COF_POLICY_FACTS_H
#define COF_POLICY_FACTS_H

#include "base/view.h"

struct cof_action_fact {
    const char *name;      /* "Decrypt" */
    const char *resources; /* "alias key", "bucket", "object"; "": the action takes none, Resource must be "*" */
    const char *keys;      /* of the service, without its prefix, separated by spaces; "EncryptionContext:*" */
};

struct cof_service_fact {
    const char *prefix;
    const struct cof_action_fact *actions; /* ends with a NULL name; NULL: only names are known */
    const char *const *names;              /* lines of names separated by spaces, where actions is NULL */
    const char *common_keys;               /* that all its actions have, besides the global ones */
};

enum cof_key_type {
    COF_KEY_UNKNOWN,
    COF_KEY_STRING,
    COF_KEY_ARN,
    COF_KEY_BOOL,
    COF_KEY_NUMERIC,
    COF_KEY_DATE,
    COF_KEY_IP,
};

struct cof_key_list {
    enum cof_key_type type;
    bool list;         /* its value is a list, for ForAllValues and ForAnyValue */
    const char *names; /* separated by spaces; NULL ends the table */
};

struct cof_key_fact {
    enum cof_key_type type;
    bool list;
};

extern const struct cof_action_fact cof_facts_kms[], cof_facts_s3[], cof_facts_sqs[], cof_facts_sts[];
extern const char *const cof_facts_iam[], *const cof_facts_cloudtrail[], *const cof_facts_logs[], *const cof_facts_sns[],
    *const cof_facts_cloudwatch[], *const cof_facts_autoscaling[], *const cof_facts_ssm[], *const cof_facts_ssmmessages[],
    *const cof_facts_ec2messages[], *const cof_facts_events[], *const cof_facts_lambda[], *const cof_facts_secretsmanager[],
    *const cof_facts_ec2[];
extern const struct cof_key_list cof_facts_key_lists[];

/* By prefix ("kms", in any case), or NULL. */
const struct cof_service_fact *cof_facts_service(struct cof_view prefix);
/* The services one after another; NULL after the last. */
const struct cof_service_fact *cof_facts_service_at(size_t index);

/* The actions of a service one after another, *cursor from 0; *fact is NULL where only names are known. */
bool cof_facts_next(const struct cof_service_fact *service, size_t *cursor, struct cof_view *name,
                    const struct cof_action_fact **fact);
/* By "kms:Decrypt", in any case; *service is NULL for an unknown one. False when the action is not known. */
bool cof_facts_action(struct cof_view action, const struct cof_service_fact **service,
                      const struct cof_action_fact **fact);

/* False when there is no such key. */
bool cof_facts_key(struct cof_view key, struct cof_key_fact *out);
/* Whether requests of that action can carry this key of the action's own service. */
bool cof_facts_action_has_key(const struct cof_service_fact *service, const struct cof_action_fact *action,
                              struct cof_view key);
/* Keys that every request carries: a condition with IfExists or Null on them is no different from one without. */
bool cof_facts_key_always(struct cof_view key);

/* One word of a list separated by spaces, off its front; false at the end. */
bool cof_facts_word(struct cof_view *list, struct cof_view *word);

/* The closest known name, for "did you mean": empty when none is close. */
struct cof_view cof_facts_nearest_key(struct cof_view key);
struct cof_view cof_facts_nearest_action(const struct cof_service_fact *service, struct cof_view name);

#endif
