/* SPDX-License-Identifier: Apache-2.0
 *
 * A bucket's settings: what they share, and versioning. Others: s3_encryption.c, s3_policy.c, s3_owner.c.
 */
#include "standin/s3_body.h"
#include "standin/s3_config.h"

#include "standin/s3_lock.h"

#include <string.h>

struct cof_xml_node *cof_s3_config_xml(struct cof_s3_call *c, const char *root, enum cof_err *err)
{
    struct cof_xml_node *node = NULL;

    *err = cof_xml_parse(c->req->body, 65536, 1000, &node);
    if (*err == COF_OK && strcmp(node->name, root) != 0) {
        cof_xml_free(node);
        node = NULL;
        *err = COF_E_FORMAT;
    }
    if (*err == COF_E_FORMAT || *err == COF_E_LIMIT)
        *err = cof_s3_fail(c, 400, "MalformedXML", COF_S3_BAD_XML);
    return node;
}

enum cof_err cof_s3_config_save(struct cof_s3_call *c, int status)
{
    enum cof_err err = cof_s3_bucket_put(c->store, c->bucket, c->bucket_record);

    if (err == COF_OK)
        cof_reply_set(c->reply, status, NULL, COF_LIT(""));
    return err;
}

enum cof_err cof_s3_get_versioning(struct cof_s3_call *c)
{
    const char *status = cof_s3_text(c->bucket_record, "versioning");
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:GetBucketVersioning", false, NULL, false, &err))
        return err;
    cof_s3_xml_open(c, "VersioningConfiguration");
    if (status[0] != '\0')
        cof_xml_element(&c->reply->body, "Status", cof_view_str(status));
    return cof_s3_xml_close(c, "VersioningConfiguration");
}

enum cof_err cof_s3_put_versioning(struct cof_s3_call *c)
{
    struct cof_xml_node *root;
    struct cof_view status;
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:PutBucketVersioning", false, NULL, false, &err))
        return err;
    root = cof_s3_config_xml(c, "VersioningConfiguration", &err);
    if (root == NULL)
        return err;
    status = cof_xml_text(root, "Status");
    if (cof_view_eq_str(cof_xml_text(root, "MfaDelete"), "Enabled"))
        err = cof_s3_fail(c, 501, "NotImplemented", "MFA delete is not implemented.");
    else if (status.len > 0 && !cof_view_eq_str(status, "Enabled") && !cof_view_eq_str(status, "Suspended"))
        err = cof_s3_bad_xml(c);
    else if (status.len == 0)
        err =
            cof_s3_fail(c, 400, "IllegalVersioningConfigurationException", "The Versioning element must be specified");
    else if (cof_s3_lock_enabled(c) && !cof_view_eq_str(status, "Enabled"))
        err = cof_s3_fail(c, 409, "InvalidBucketState",
            "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.");
    else if (json_object_set_new(c->bucket_record, "versioning", cof_s3_string(status)) != 0)
        err = COF_E_MEMORY;
    else
        err = cof_s3_config_save(c, 200);
    cof_xml_free(root);
    return err;
}
