/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/facts.h"

#include "policy/suggest.h"

#include <string.h>

static const struct cof_service_fact services[] = {
    {"kms", cof_facts_kms, NULL,
     "CallerAccount KeyOrigin KeySpec KeyUsage MultiRegion MultiRegionKeyType ResourceAliases ViaService "
     "CustomerMasterKeySpec CustomerMasterKeyUsage"},
    {"s3", cof_facts_s3, NULL,
     "ResourceAccount TlsVersion authType signatureAge signatureversion x-amz-content-sha256 DataAccessPointAccount "
     "DataAccessPointArn AccessPointNetworkOrigin"},
    {"sqs", cof_facts_sqs, NULL, ""},
    {"sts", cof_facts_sts, NULL, NULL},
    {"iam", NULL, cof_facts_iam, NULL},
    {"cloudtrail", NULL, cof_facts_cloudtrail, NULL},
    {"logs", NULL, cof_facts_logs, NULL},
    {"sns", NULL, cof_facts_sns, NULL},
    {"cloudwatch", NULL, cof_facts_cloudwatch, NULL},
    {"autoscaling", NULL, cof_facts_autoscaling, NULL},
    {"ssm", NULL, cof_facts_ssm, NULL},
    {"ssmmessages", NULL, cof_facts_ssmmessages, NULL},
    {"ec2messages", NULL, cof_facts_ec2messages, NULL},
    {"events", NULL, cof_facts_events, NULL},
    {"lambda", NULL, cof_facts_lambda, NULL},
    {"secretsmanager", NULL, cof_facts_secretsmanager, NULL},
    {"ec2", NULL, cof_facts_ec2, NULL},
};

#define LINE_BYTES 1024 /* longer than a line of names, so that a cursor is line and place */
#define N_SERVICES (sizeof services / sizeof services[0])

const struct cof_service_fact *cof_facts_service_at(size_t index)
{
    return index < N_SERVICES ? &services[index] : NULL;
}

const struct cof_service_fact *cof_facts_service(struct cof_view prefix)
{
    for (size_t i = 0; i < N_SERVICES; i++)
        if (cof_view_eq_nocase(prefix, cof_view_str(services[i].prefix)))
            return &services[i];
    return NULL;
}

bool cof_facts_word(struct cof_view *list, struct cof_view *word)
{
    (void)cof_view_split(*list, ' ', word, list);
    return word->len > 0;
}

bool cof_facts_next(const struct cof_service_fact *service, size_t *cursor, struct cof_view *name,
                    const struct cof_action_fact **fact)
{
    struct cof_view rest;

    *fact = NULL;
    if (service->actions != NULL) {
        if (service->actions[*cursor].name == NULL)
            return false;
        *fact = &service->actions[(*cursor)++];
        *name = cof_view_str((*fact)->name);
        return true;
    }
    while (service->names[*cursor / LINE_BYTES] != NULL) {
        rest = cof_view_sub(cof_view_str(service->names[*cursor / LINE_BYTES]), *cursor % LINE_BYTES, SIZE_MAX);
        if (cof_facts_word(&rest, name)) {
            *cursor += name->len + 1;
            return true;
        }
        *cursor = (*cursor / LINE_BYTES + 1) * LINE_BYTES;
    }
    return false;
}

bool cof_facts_action(struct cof_view action, const struct cof_service_fact **service,
                      const struct cof_action_fact **fact)
{
    struct cof_view prefix, wanted, name;
    size_t cursor = 0;

    *fact = NULL;
    (void)cof_view_split(action, ':', &prefix, &wanted);
    *service = cof_facts_service(prefix);
    while (*service != NULL && cof_facts_next(*service, &cursor, &name, fact))
        if (cof_view_eq_nocase(name, wanted))
            return true;
    *fact = NULL;
    return false;
}

static bool is_register(struct cof_view digits)
{
    unsigned n = 0;

    if (digits.len == 0 || digits.len > 2 || (digits.len == 2 && digits.data[0] == '0'))
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return false;
        n = n * 10 + (digits.data[i] - '0');
    }
    return n <= 31;
}

/* "EncryptionContext:*" takes any text after the colon, "PCR#" a register. */
static bool name_fits(struct cof_view name, struct cof_view key)
{
    uint8_t last = name.len > 0 ? name.data[name.len - 1] : 0;
    struct cof_view stem = last == '*' || last == '#' ? cof_view_sub(name, 0, name.len - 1) : name;
    struct cof_view rest = cof_view_sub(key, stem.len, SIZE_MAX);

    if (!cof_view_eq_nocase(stem, cof_view_sub(key, 0, stem.len)))
        return false;
    return last == '*' ? rest.len > 0 : last == '#' ? is_register(rest) : rest.len == 0;
}

bool cof_facts_key(struct cof_view key, struct cof_key_fact *out)
{
    *out = (struct cof_key_fact){COF_KEY_UNKNOWN, false};
    for (const struct cof_key_list *l = cof_facts_key_lists; l->names != NULL; l++) {
        struct cof_view rest = cof_view_str(l->names), name;

        while (cof_facts_word(&rest, &name))
            if (name_fits(name, key)) {
                *out = (struct cof_key_fact){l->type, l->list};
                return true;
            }
    }
    return false;
}

static bool listed(const char *list, struct cof_view key)
{
    struct cof_view rest = cof_view_str(list), name;

    while (cof_facts_word(&rest, &name))
        if (name_fits(name, key))
            return true;
    return false;
}

bool cof_facts_action_has_key(const struct cof_service_fact *service, const struct cof_action_fact *action,
                              struct cof_view key)
{
    struct cof_view prefix, name;

    (void)cof_view_split(key, ':', &prefix, &name);
    if (action == NULL || service->common_keys == NULL || !cof_view_eq_nocase(prefix, cof_view_str(service->prefix)))
        return true;
    return listed(service->common_keys, name) || listed(action->keys, name);
}

bool cof_facts_key_always(struct cof_view key)
{
    static const char always[] = "aws:PrincipalArn aws:PrincipalAccount aws:PrincipalType aws:userid aws:SecureTransport "
                                 "aws:CurrentTime aws:EpochTime aws:PrincipalIsAWSService aws:ViaAWSService "
                                 "aws:RequestedRegion aws:ResourceAccount kms:CallerAccount kms:KeySpec kms:KeyUsage";

    return listed(always, key);
}

struct cof_view cof_facts_nearest_key(struct cof_view key)
{
    struct cof_suggestion s = {0};

    for (const struct cof_key_list *l = cof_facts_key_lists; l->names != NULL; l++) {
        struct cof_view rest = cof_view_str(l->names), name;

        while (cof_facts_word(&rest, &name))
            cof_suggest_try(&s, key, name);
    }
    return cof_suggested(&s);
}

struct cof_view cof_facts_nearest_action(const struct cof_service_fact *service, struct cof_view wanted)
{
    struct cof_suggestion s = {0};
    const struct cof_action_fact *fact;
    struct cof_view name;
    size_t cursor = 0;

    while (cof_facts_next(service, &cursor, &name, &fact))
        cof_suggest_try(&s, wanted, name);
    return cof_suggested(&s);
}
