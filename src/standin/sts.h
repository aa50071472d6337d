/* SPDX-License-Identifier: Apache-2.0
 *
 * AWS STS of the stand-in (query protocol, XML, version 2011-06-15): GetCallerIdentity, AssumeRole, GetSessionToken.
 */
#ifndef COF_STANDIN_STS_H
#define COF_STANDIN_STS_H

#include "standin/standin.h"

extern const struct cof_service cof_service_sts;

#endif
