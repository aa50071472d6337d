/* SPDX-License-Identifier: Apache-2.0
 *
 * AWS STS of the stand-in (query protocol, XML, version 2011-06-15): AssumeRole, AssumeRoleWithWebIdentity,
 * GetCallerIdentity, GetSessionToken, GetAccessKeyInfo, DecodeAuthorizationMessage. Codes and wordings are those of the
 * STS API reference. A session that AssumeRole opened with a second factor carries it (aws:MultiFactorAuthPresent), as
 * the mfaAuthenticated attribute of CloudTrail's sessions does.
 */
#ifndef COF_STANDIN_STS_H
#define COF_STANDIN_STS_H

#include "standin/standin.h"

extern const struct cof_service cof_service_sts;

#endif
