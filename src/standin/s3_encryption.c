/* SPDX-License-Identifier: Apache-2.0
 *
 * A bucket's default encryption, and which kinds of encryption it refuses.
 */
#include "standin/s3_config.h"

#include <string.h>

enum cof_err cof_s3_get_encryption(struct cof_s3_call *c)
{
    const json_t *e = json_object_get(c->bucket_record, "encryption");
    struct cof_buf *b = &c->reply->body;
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:GetEncryptionConfiguration", false, NULL, false, &err))
        return err;
    if (!cof_s3_is(e, "stated")) { /* spec: since January 2023 every bucket has AES256; Ceph's have nothing at first */
        bool as_ceph;

        err = cof_s3_setting(c->store, "as_ceph", &as_ceph);
        if (err != COF_OK)
            return err;
        if (as_ceph)
            return cof_s3_fail(c, 404, "ServerSideEncryptionConfigurationNotFoundError",
                "The server side encryption configuration was not found");
    }
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

/* <BlockedEncryptionTypes>: NONE or SSE-C, one of them. */
static bool read_blocked(const struct cof_xml_node *blocked, bool *sse_c_blocked)
{
    const struct cof_xml_node *type = cof_xml_child(blocked, "EncryptionType");
    struct cof_view text = cof_xml_text(blocked, "EncryptionType");

    if (blocked == NULL)
        return true; /* what was said before stays */
    *sse_c_blocked = cof_view_eq_str(text, "SSE-C");
    return type != NULL && cof_xml_again(type, "EncryptionType") == NULL && (*sse_c_blocked || cof_view_eq_str(text, "NONE"));
}

static enum cof_err set_encryption(struct cof_s3_call *c, const struct cof_xml_node *rule)
{
    const struct cof_xml_node *by_default = cof_xml_child(rule, "ApplyServerSideEncryptionByDefault"),
                              *blocked = cof_xml_child(rule, "BlockedEncryptionTypes");
    struct cof_view algorithm = cof_xml_text(by_default, "SSEAlgorithm"),
                    key = cof_xml_text(by_default, "KMSMasterKeyID"), bucket_key = cof_xml_text(rule, "BucketKeyEnabled");
    bool kms = cof_view_eq_str(algorithm, "aws:kms");
    bool sse_c_blocked = cof_s3_is(json_object_get(c->bucket_record, "encryption"), "sse_c_blocked");

    if (rule == NULL || cof_xml_again(rule, "Rule") != NULL || (by_default == NULL && blocked == NULL) ||
        !read_blocked(blocked, &sse_c_blocked) ||
        (bucket_key.len > 0 && !cof_view_eq_str(bucket_key, "true") && !cof_view_eq_str(bucket_key, "false")))
        return cof_s3_fail(c, 400, "MalformedXML", COF_S3_BAD_XML);
    if (cof_view_eq_str(algorithm, "aws:kms:dsse"))
        return cof_s3_fail(c, 501, "NotImplemented", "Dual-layer server-side encryption is not implemented.");
    if (by_default != NULL && !kms && !cof_view_eq_str(algorithm, "AES256"))
        return cof_s3_fail(c, 400, "MalformedXML", COF_S3_BAD_XML);
    if (key.len > 0 && !kms)
        return cof_s3_bad_argument(c, "ApplyServerSideEncryptionByDefault", (struct cof_view){NULL, 0},
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse");
    if (json_object_set_new(c->bucket_record, "encryption",
            json_pack("{s:s, s:s%, s:b, s:b, s:b}", "algorithm", kms ? "aws:kms" : "AES256", "key_id",
                key.len == 0 ? "" : (const char *)key.data, key.len, "bucket_key", cof_view_eq_str(bucket_key, "true"),
                "sse_c_blocked", sse_c_blocked, "stated", 1)) != 0)
        return COF_E_MEMORY;
    return cof_s3_config_save(c, 200);
}

enum cof_err cof_s3_put_encryption(struct cof_s3_call *c)
{
    struct cof_xml_node *root;
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:PutEncryptionConfiguration", false, NULL, false, &err))
        return err;
    root = cof_s3_config_xml(c, "ServerSideEncryptionConfiguration", &err);
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
    return cof_s3_config_save(c, 204);
}
