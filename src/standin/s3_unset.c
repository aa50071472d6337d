/* SPDX-License-Identifier: Apache-2.0
 *
 * Configurations that no bucket here ever has (docs/s3-compatibility.md): they cannot be put, and who asks for one is told as AWS
 * tells of a bucket without it. Tools that read a bucket whole (Terraform's provider) go on then.
 */
#include "standin/s3_api.h"

static const struct {
    const char *param, *action;
    const char *code, *message; /* 404; NULL: an answer that says nothing is set */
    const char *root, *inside;
} unset[] = {
    {"cors", "s3:GetBucketCORS", "NoSuchCORSConfiguration", "The CORS configuration does not exist", NULL, NULL},
    {"website", "s3:GetBucketWebsite", "NoSuchWebsiteConfiguration",
        "The specified bucket does not have a website configuration", NULL, NULL},
    {"lifecycle", "s3:GetLifecycleConfiguration", "NoSuchLifecycleConfiguration",
        "The lifecycle configuration does not exist", NULL, NULL},
    {"replication", "s3:GetReplicationConfiguration", "ReplicationConfigurationNotFoundError",
        "The replication configuration was not found", NULL, NULL},
    {"logging", "s3:GetBucketLogging", NULL, NULL, "BucketLoggingStatus", ""},
    {"notification", "s3:GetBucketNotification", NULL, NULL, "NotificationConfiguration", ""},
    {"requestPayment", "s3:GetBucketRequestPayment", NULL, NULL, "RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>"},
    {"accelerate", "s3:GetAccelerateConfiguration", NULL, NULL, "AccelerateConfiguration", ""},
    {"metrics", "s3:GetMetricsConfiguration", NULL, NULL, "ListMetricsConfigurationsResult", "<IsTruncated>false</IsTruncated>"},
    {"inventory", "s3:GetInventoryConfiguration", NULL, NULL, "ListInventoryConfigurationsResult",
        "<IsTruncated>false</IsTruncated>"},
    {"analytics", "s3:GetAnalyticsConfiguration", NULL, NULL, "ListBucketAnalyticsConfigurationResult",
        "<IsTruncated>false</IsTruncated>"},
    {"intelligent-tiering", "s3:GetIntelligentTieringConfiguration", NULL, NULL,
        "ListBucketIntelligentTieringConfigurationsOutput", "<IsTruncated>false</IsTruncated>"},
};

enum cof_err cof_s3_get_unset(struct cof_s3_call *c)
{
    enum cof_err err;
    size_t i = 0;

    while (i < sizeof unset / sizeof unset[0] && !cof_s3_has_param(c, unset[i].param))
        i++;
    if (i == sizeof unset / sizeof unset[0])
        return COF_E_BUG;
    if (!cof_s3_allowed(c, unset[i].action, false, NULL, false, &err))
        return err;
    if (unset[i].code != NULL)
        return cof_s3_bucket_has_none(c, unset[i].code, unset[i].message);
    if (cof_s3_has_param(c, "id")) /* one of many of a kind */
        return cof_s3_fail(c, 404, "NoSuchConfiguration", "The specified configuration does not exist.");
    cof_s3_xml_open(c, unset[i].root);
    cof_buf_add_str(&c->reply->body, unset[i].inside);
    return cof_s3_xml_close(c, unset[i].root);
}
