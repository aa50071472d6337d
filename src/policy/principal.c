/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/principal.h"

bool cof_is_account(struct cof_view v)
{
    if (v.len != 12)
        return false;
    for (size_t i = 0; i < v.len; i++)
        if (v.data[i] < '0' || v.data[i] > '9')
            return false;
    return true;
}

static const char *aws_principal(struct cof_view v, struct cof_principal *out)
{
    struct cof_view part[6], rest = v;

    *out = (struct cof_principal){COF_PRINCIPAL_ARN, v};
    if (cof_view_eq_str(v, "*")) {
        out->kind = COF_PRINCIPAL_ANYONE;
        return NULL;
    }
    if (cof_is_account(v)) {
        out->kind = COF_PRINCIPAL_ACCOUNT;
        return NULL;
    }
    for (int i = 0; i < 6; i++)
        (void)cof_view_split(rest, ':', &part[i], &rest);
    if (!cof_view_eq_str(part[0], "arn") || rest.len > 0 || !cof_is_account(part[4]) || part[5].len == 0 ||
        (!cof_view_eq_str(part[2], "iam") && !cof_view_eq_str(part[2], "sts")))
        return "no account and no ARN of a principal";
    if (cof_view_find(v, '*') != SIZE_MAX || cof_view_find(v, '?') != SIZE_MAX)
        return "a principal takes no wildcard but \"*\" alone";
    if (cof_view_eq_str(part[2], "iam") && cof_view_eq_str(part[5], "root"))
        *out = (struct cof_principal){COF_PRINCIPAL_ACCOUNT, part[4]};
    return NULL;
}

bool cof_principal_is_type(struct cof_view type)
{
    return cof_view_eq_str(type, "AWS") || cof_view_eq_str(type, "Service") || cof_view_eq_str(type, "Federated") ||
           cof_view_eq_str(type, "CanonicalUser");
}

const char *cof_principal_read(struct cof_view type, struct cof_view v, struct cof_principal *out)
{
    *out = (struct cof_principal){COF_PRINCIPAL_CANONICAL, v};
    if (cof_view_eq_str(type, "AWS"))
        return aws_principal(v, out);
    if (cof_view_eq_str(type, "Service"))
        out->kind = COF_PRINCIPAL_SERVICE;
    else if (cof_view_eq_str(type, "Federated"))
        out->kind = COF_PRINCIPAL_FEDERATED;
    else if (!cof_principal_is_type(type))
        return "unknown kind of principal";
    return v.len == 0 || cof_view_find(v, '*') != SIZE_MAX ? "not the name of a principal" : NULL;
}
