/* SPDX-License-Identifier: Apache-2.0 */
#include "client/endpoint.h"

#include <stdio.h>
#include <string.h>

struct partition {
    const char *prefix; /* of region names */
    const char *suffix, *dual_suffix;
    bool has_fips;
    bool plain_is_fips; /* for SQS and STS: the ordinary names are the FIPS ones */
};

static const struct partition partitions[] = {
    {"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn", false, false},
    {"us-gov-", "amazonaws.com", "api.aws", true, true},
    {"us-isob-", "sc2s.sgov.gov", NULL, true, false},
    {"us-iso-", "c2s.ic.gov", NULL, true, false},
    {"eusc-", "amazonaws.eu", "api.amazonwebservices.eu", true, false},
    {"", "amazonaws.com", "api.aws", true, false},
};

/* It becomes part of a host name: letters, digits and single hyphens. */
static bool is_region(const char *region)
{
    size_t n = strlen(region);

    if (n == 0 || n > 40 || region[0] == '-' || region[n - 1] == '-')
        return false;
    for (size_t i = 0; i < n; i++)
        if (!((region[i] >= 'a' && region[i] <= 'z') || (region[i] >= '0' && region[i] <= '9') ||
              (region[i] == '-' && region[i + 1] != '-')))
            return false;
    return true;
}

static const struct partition *partition_of(const char *region)
{
    size_t i = 0;

    while (strncmp(region, partitions[i].prefix, strlen(partitions[i].prefix)) != 0)
        i++;
    return &partitions[i];
}

enum cof_err cof_endpoint_host(enum cof_aws_service service, const char *region, bool fips, bool dual_stack,
                               char out[static 256], struct cof_diag *diag)
{
    const char *name = cof_aws_service_name(service), *word;
    const struct partition *p;

    out[0] = '\0';
    if (!is_region(region))
        return cof_diag_set(diag, COF_E_CONFIG, "'%s' is not the name of an AWS region", region);
    p = partition_of(region);
    if ((fips && !p->has_fips) || (dual_stack && p->dual_suffix == NULL))
        return cof_diag_set(diag, COF_E_CONFIG, "region %s has no %s endpoints", region, fips ? "FIPS" : "dual-stack");
    word = fips && !(p->plain_is_fips && (service == COF_AWS_SQS || service == COF_AWS_STS)) ? "-fips" : "";
    if (service == COF_AWS_S3)
        (void)snprintf(out, 256, "%s%s.%s%s.%s", name, word, dual_stack ? "dualstack." : "", region, p->suffix);
    else
        (void)snprintf(out, 256, "%s%s.%s.%s", name, word, region, dual_stack ? p->dual_suffix : p->suffix);
    return COF_OK;
}
