/* SPDX-License-Identifier: Apache-2.0
 *
 * One entry of a Principal element (IAM User Guide, "AWS JSON policy elements: Principal").
 */
#ifndef COF_POLICY_PRINCIPAL_H
#define COF_POLICY_PRINCIPAL_H

#include "base/view.h"

enum cof_principal_kind {
    COF_PRINCIPAL_ANYONE,    /* "*" or {"AWS": "*"} */
    COF_PRINCIPAL_ACCOUNT,   /* twelve digits, or arn:aws:iam::ACCOUNT:root; value holds the digits */
    COF_PRINCIPAL_ARN,       /* a user, role, assumed-role or federated-user */
    COF_PRINCIPAL_SERVICE,   /* {"Service": "ec2.amazonaws.com"} */
    COF_PRINCIPAL_FEDERATED, /* {"Federated": ...} */
    COF_PRINCIPAL_CANONICAL, /* {"CanonicalUser": ...}; never matches here */
};

struct cof_principal {
    enum cof_principal_kind kind;
    struct cof_view value;
};

/* Twelve digits. */
bool cof_is_account(struct cof_view v);
/* AWS, Service, Federated or CanonicalUser. */
bool cof_principal_is_type(struct cof_view type);
/* What {type: v} names. NULL when it may be, else what is wrong (static); out then holds type's kind and v. */
const char *cof_principal_read(struct cof_view type, struct cof_view v, struct cof_principal *out);

#endif
