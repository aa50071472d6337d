/* SPDX-License-Identifier: Apache-2.0
 *
 * A bucket's settings: versioning, default encryption (and which kinds are refused), policy, the fixed ACL.
 */
#include "format/xml.h"
#include "standin/s3_record.h"

#include <string.h>

#define BAD_XML "The XML you provided was not well-formed or did not validate against our published schema"

/* The body as XML with that root; NULL: the reply holds MalformedXML (or *err). */
static struct cof_xml_node *body(struct cof_s3_call *c, const char *root, enum cof_err *err)
{
    struct cof_xml_node *node = NULL;

    *err = cof_xml_parse(c->req->body, 65536, 1000, &node);
    if (*err == COF_OK && strcmp(node->name, root) != 0) {
        cof_xml_free(node);
        node = NULL;
        *err = COF_E_FORMAT;
    }
    if (*err == COF_E_FORMAT || *err == COF_E_LIMIT)
        *err = cof_s3_fail(c, 400, "MalformedXML", BAD_XML);
    return node;
}

static enum cof_err save(struct cof_s3_call *c, int status)
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
    root = body(c, "VersioningConfiguration", &err);
    if (root == NULL)
        return err;
    status = cof_xml_text(root, "Status");
    if (cof_view_eq_str(cof_xml_text(root, "MfaDelete"), "Enabled"))
        err = cof_s3_fail(c, 501, "NotImplemented", "MFA delete is not implemented.");
    else if (!cof_view_eq_str(status, "Enabled") && !cof_view_eq_str(status, "Suspended"))
        err =
            cof_s3_fail(c, 400, "IllegalVersioningConfigurationException", "The Versioning element must be specified");
    else if (json_object_set_new(c->bucket_record, "versioning", cof_s3_string(status)) != 0)
        err = COF_E_MEMORY;
    else
        err = save(c, 200);
    cof_xml_free(root);
    return err;
}

enum cof_err cof_s3_get_encryption(struct cof_s3_call *c)
{
    const json_t *e = json_object_get(c->bucket_record, "encryption");
    struct cof_buf *b = &c->reply->body;
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:GetEncryptionConfiguration", false, NULL, false, &err))
        return err;
    cof_s3_xml_open(c, "ServerSideEncryptionConfiguration");
    cof_buf_add_str(b, "<Rule><ApplyServerSideEncryptionByDefault>");
    cof_xml_element(b, "SSEAlgorithm", cof_view_str(cof_s3_text(e, "algorithm")));
    if (cof_s3_text(e, "key_id")[0] != '\0')
        cof_xml_element(b, "KMSMasterKeyID", cof_view_str(cof_s3_text(e, "key_id")));
    cof_buf_printf(b, "</ApplyServerSideEncryptionByDefault><BucketKeyEnabled>%s</BucketKeyEnabled>",
        cof_s3_is(e, "bucket_key") ? "true" : "false");
    cof_buf_printf(b, "<BlockedEncryptionTypes><EncryptionType>%s</EncryptionType></BlockedEncryptionTypes></Rule>",
        cof_s3_is(e, "sse_c_blocked") ? "SSE-C" : "NONE");
    return cof_s3_xml_close(c, "ServerSideEncryptionConfiguration");
}

static enum cof_err set_encryption(struct cof_s3_call *c, const struct cof_xml_node *rule)
{
    const struct cof_xml_node *by_default = cof_xml_child(rule, "ApplyServerSideEncryptionByDefault"),
                              *blocked = cof_xml_child(rule, "BlockedEncryptionTypes");
    struct cof_view algorithm = cof_xml_text(by_default, "SSEAlgorithm"),
                    key = cof_xml_text(by_default, "KMSMasterKeyID"), type = cof_xml_text(blocked, "EncryptionType");
    bool kms = cof_view_eq_str(algorithm, "aws:kms");
    bool sse_c_blocked = cof_s3_is(json_object_get(c->bucket_record, "encryption"), "sse_c_blocked");

    if (rule == NULL || (by_default == NULL && blocked == NULL))
        return cof_s3_fail(c, 400, "MalformedXML", BAD_XML);
    if (by_default != NULL && !kms && !cof_view_eq_str(algorithm, "AES256"))
        return cof_s3_fail(c, 400, "MalformedXML", BAD_XML);
    if (key.len > 0 && !kms)
        return cof_s3_fail(c, 400, "InvalidArgument",
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse");
    if (blocked != NULL && !cof_view_eq_str(type, "NONE") && !cof_view_eq_str(type, "SSE-C"))
        return cof_s3_fail(c, 400, "MalformedXML", BAD_XML);
    if (blocked != NULL)
        sse_c_blocked = cof_view_eq_str(type, "SSE-C");
    if (json_object_set_new(c->bucket_record, "encryption",
            json_pack("{s:s, s:s%, s:b, s:b}", "algorithm", kms ? "aws:kms" : "AES256", "key_id",
                key.len == 0 ? "" : (const char *)key.data, key.len, "bucket_key",
                cof_view_eq_str(cof_xml_text(rule, "BucketKeyEnabled"), "true"), "sse_c_blocked", sse_c_blocked)) != 0)
        return COF_E_MEMORY;
    return save(c, 200);
}

enum cof_err cof_s3_put_encryption(struct cof_s3_call *c)
{
    struct cof_xml_node *root;
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:PutEncryptionConfiguration", false, NULL, false, &err))
        return err;
    root = body(c, "ServerSideEncryptionConfiguration", &err);
    if (root == NULL)
        return err;
    err = set_encryption(c, cof_xml_child(root, "Rule"));
    cof_xml_free(root);
    return err;
}

enum cof_err cof_s3_delete_encryption(struct cof_s3_call *c)
{
    bool blocked = cof_s3_is(json_object_get(c->bucket_record, "encryption"), "sse_c_blocked");
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:PutEncryptionConfiguration", false, NULL, false, &err))
        return err;
    if (json_object_set_new(c->bucket_record, "encryption",
            json_pack("{s:s, s:b}", "algorithm", "AES256", "sse_c_blocked", blocked)) != 0)
        return COF_E_MEMORY;
    return save(c, 204);
}

enum cof_err cof_s3_get_policy(struct cof_s3_call *c)
{
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:GetBucketPolicy", false, NULL, false, &err))
        return err;
    if (c->policy.len == 0)
        return cof_s3_fail(c, 404, "NoSuchBucketPolicy", "The bucket policy does not exist");
    cof_reply_set(c->reply, 200, "application/json", cof_buf_view(&c->policy));
    return COF_OK;
}

enum cof_err cof_s3_put_policy(struct cof_s3_call *c)
{
    struct cof_policy *policy = NULL;
    struct cof_diag diag = {.text = ""};
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:PutBucketPolicy", false, NULL, false, &err))
        return err;
    err = cof_policy_parse(c->req->body, COF_POLICY_RESOURCE, 20480, &policy, &diag);
    cof_policy_free(policy);
    if (err == COF_E_FORMAT || err == COF_E_LIMIT)
        return cof_s3_fail(c, 400, "MalformedPolicy", diag.text);
    if (err == COF_OK)
        err = c->store->put(c->store->ctx, "s3.policy", cof_view_str(c->bucket), c->req->body);
    if (err == COF_OK)
        cof_reply_set(c->reply, 204, NULL, COF_LIT(""));
    return err;
}

enum cof_err cof_s3_delete_policy(struct cof_s3_call *c)
{
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:DeleteBucketPolicy", false, NULL, false, &err))
        return err;
    err = c->store->remove(c->store->ctx, "s3.policy", cof_view_str(c->bucket));
    if (err == COF_OK)
        cof_reply_set(c->reply, 204, NULL, COF_LIT(""));
    return err;
}

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
