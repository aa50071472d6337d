/* SPDX-License-Identifier: Apache-2.0
 *
 * The instance metadata service, version 2 (EC2 User Guide, "Use the Instance Metadata Service to access instance
 * metadata"), of one instance that runs as one role (cof_standin_opts.instance_role). It is reached by a listener of its
 * own only (cof_standin_peer.service), because whoever reaches it gets the role's credentials.
 *
 *   PUT /latest/api/token       X-aws-ec2-metadata-token-ttl-seconds: 1 to 21600; refused with X-Forwarded-For
 *   GET /latest/meta-data/...   X-aws-ec2-metadata-token: without it, version 1's way, 401
 *   GET /latest/dynamic/instance-identity/document
 *
 * The credentials last six hours and are replaced in the last hour. The role must trust ec2.amazonaws.com.
 */
#ifndef COF_STANDIN_IMDS_H
#define COF_STANDIN_IMDS_H

#include "standin/standin.h"

#define COF_IMDS_INSTANCE_ID "i-0c0ffee00c0ffee00"

extern const struct cof_service cof_service_imds;

#endif
