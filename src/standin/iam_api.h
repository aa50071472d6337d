/* SPDX-License-Identifier: Apache-2.0
 *
 * IAM's own API is not served: users, roles and their policies come from the manifest (bootstrap.h). Its callers are told
 * so, once they have proved who they are.
 */
#ifndef COF_STANDIN_IAM_API_H
#define COF_STANDIN_IAM_API_H

#include "standin/standin.h"

extern const struct cof_service cof_service_iam;

#endif
