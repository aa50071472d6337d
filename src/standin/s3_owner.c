/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose objects are, and the ACLs.
 */
#include "standin/s3_config.h"

/* "Bucket owner enforced": ACLs are off, and what is shown says that the owner has everything. */
enum cof_err cof_s3_get_acl(struct cof_s3_call *c)
{
    json_t *record = NULL;
    enum cof_err err;

    if (!cof_s3_allowed(c, c->level == COF_S3_OBJECT ? "s3:GetObjectAcl" : "s3:GetBucketAcl", c->level == COF_S3_OBJECT,
            NULL, false, &err))
        return err;
    if (c->level == COF_S3_OBJECT) {
        err = cof_s3_object_get(c, cof_s3_param(c, "versionId"), &record);
        json_decref(record);
        if (err != COF_OK)
            return err == COF_E_NOT_FOUND ? cof_s3_no_key(c) : err;
    }
    cof_s3_xml_open(c, "AccessControlPolicy");
    cof_s3_xml_owner(c, "Owner");
    cof_buf_printf(&c->reply->body,
        "<AccessControlList><Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
        "xsi:type=\"CanonicalUser\"><ID>%s</ID><DisplayName>%s</DisplayName></Grantee><Permission>FULL_CONTROL</"
        "Permission></Grant>"
        "</AccessControlList>",
        cof_s3_owner(c), cof_s3_owner(c));
    return cof_s3_xml_close(c, "AccessControlPolicy");
}
