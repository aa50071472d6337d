/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves of the tables of other services (facts_services.c, facts_ec2.c): names are written as AWS writes them and stand in order, lines
 * are no longer than the cursor over them can hold, and those that a deployment's policies need are there.
 */
#include "testing.h"

#include "policy/facts.h"

#include <string.h>

#define LINE_MAX_BYTES 1024 /* LINE_BYTES of facts.c */

static void names_are_in_order(void **state)
{
    size_t services = 0, names = 0;

    for (size_t i = 0; cof_facts_service_at(i) != NULL; i++) {
        const struct cof_service_fact *s = cof_facts_service_at(i);
        struct cof_view before = {NULL, 0}, name;
        const struct cof_action_fact *fact;

        if (s->names == NULL)
            continue;
        services++;
        for (size_t l = 0; s->names[l] != NULL; l++)
            assert_true(strlen(s->names[l]) < LINE_MAX_BYTES && strlen(s->names[l]) > 0 && strstr(s->names[l], "  ") == NULL);
        for (size_t c = 0; cof_facts_next(s, &c, &name, &fact); before = name, names++) {
            for (size_t k = 0; k < name.len; k++) {
                uint8_t b = name.data[k];

                if (!(b >= 'A' && b <= 'Z') && !(k > 0 && ((b >= 'a' && b <= 'z') || (b >= '0' && b <= '9'))))
                    fail_msg("%s:%.*s", s->prefix, (int)name.len, (const char *)name.data);
            }
            if (before.len > 0 && cof_view_cmp(before, name) >= 0)
                fail_msg("%s:%.*s stands behind %.*s", s->prefix, (int)name.len, (const char *)name.data, (int)before.len, (const char *)before.data);
        }
    }
    assert_true(services >= 10 && names > 1000);
}

static void queues_and_roles(void **state)
{
    for (const struct cof_action_fact *a = cof_facts_sqs; a->name != NULL; a++)
        assert_string_equal(a->resources, strcmp(a->name, "ListQueues") == 0 ? "" : "queue");
    for (const struct cof_action_fact *a = cof_facts_sts; a->name != NULL; a++)
        if (strncmp(a->name, "AssumeRole", 10) == 0)
            assert_string_equal(a->resources, strcmp(a->name, "AssumeRoot") == 0 ? "other" : "role");
}

static void what_deployments_need(void **state)
{
    static const char *const needed[] = {"ec2:CreateVpcEndpoint", "ec2:RunInstances", "logs:PutLogEvents", "cloudwatch:PutMetricData", "ssm:UpdateInstanceInformation",
        "ssmmessages:OpenDataChannel", "ec2messages:GetMessages", "iam:UpdateAssumeRolePolicy", "iam:EnableMFADevice", "iam:ResyncMFADevice", "sns:Publish",
        "cloudtrail:StopLogging", "autoscaling:CompleteLifecycleAction", "secretsmanager:GetSecretValue", "lambda:InvokeFunction", "events:PutRule"};
    const struct cof_service_fact *service;
    const struct cof_action_fact *fact;

    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (!cof_facts_action(cof_view_str(needed[i]), &service, &fact))
            fail_msg("%s is not there", needed[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_in_order),
        cmocka_unit_test(queues_and_roles),
        cmocka_unit_test(what_deployments_need),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
