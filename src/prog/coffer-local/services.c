/* SPDX-License-Identifier: Apache-2.0
 *
 * Which services there are.
 */
#include "local.h"
#include "standin/iam_api.h"
#include "standin/imds.h"
#include "standin/kms.h"
#include "standin/oauth.h"
#include "standin/reply.h"
#include "standin/s3.h"
#include "standin/sts.h"
#include "standin/sqs.h"

/* GET /_coffer/health, for whoever starts us. */
static enum cof_err health(struct cof_standin *s, struct cof_standin_request *req, struct cof_standin_reply *reply)
{
    (void)s;
    cof_standin_public(req, "coffer:Health");
    if (cof_view_eq_str(req->head->path, "/_coffer/health"))
        cof_reply_set(reply, 200, "application/json", COF_LIT("{\"status\":\"ok\"}\n"));
    else
        cof_reply_set(reply, 404, "application/json", COF_LIT("{\"status\":\"no such page\"}\n"));
    return COF_OK;
}

static const struct cof_service service_health = {.name = "coffer", .path = "/_coffer/", .anonymous = true, .json = true,
    .json_type = "application/json", .handle = health};

const struct cof_service *const cof_local_services[] = {&service_health, &cof_service_oauth, &cof_service_openid,
    &cof_service_kms, &cof_service_sqs, &cof_service_sts, &cof_service_s3, &cof_service_imds, &cof_service_iam};
const size_t cof_local_n_services = sizeof cof_local_services / sizeof cof_local_services[0];
