/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/s3_owner.h"

#include "standin/s3_config.h"
#include "standin/s3_find.h"
#include "standin/s3_public.h"

#include <string.h>

#define ENFORCED "BucketOwnerEnforced"
#define PREFERRED "BucketOwnerPreferred"
#define WRITER "ObjectWriter"
#define GROUPS "http://acs.amazonaws.com/groups/global/"

/* The canned ACLs, and whom they let read and write beside the owner. */
enum grantee { NOBODY, BUCKET_OWNER, AUTHENTICATED, EVERYBODY };

static const struct canned {
    const char *name;
    enum grantee read, write;
    bool full;       /* the bucket's owner gets everything */
    bool for_bucket; /* may be a bucket's */
} canned[] = {
    {"private", NOBODY, NOBODY, false, true}, {"public-read", EVERYBODY, NOBODY, false, true},
    {"public-read-write", EVERYBODY, EVERYBODY, false, true}, {"authenticated-read", AUTHENTICATED, NOBODY, false, true},
    {"bucket-owner-read", BUCKET_OWNER, NOBODY, false, false},
    {"bucket-owner-full-control", BUCKET_OWNER, NOBODY, true, false}};

static const struct canned *find_canned(struct cof_view name)
{
    for (size_t i = 0; i < sizeof canned / sizeof canned[0]; i++)
        if (cof_view_eq_str(name, canned[i].name))
            return &canned[i];
    return NULL;
}

static const struct canned *acl_of(const json_t *record)
{
    const struct canned *found = find_canned(cof_view_str(cof_s3_text(record, "acl")));

    return found == NULL ? &canned[0] : found;
}

static bool is_public(const struct canned *acl)
{
    return acl->read >= AUTHENTICATED || acl->write >= AUTHENTICATED;
}

static bool enforced(const json_t *bucket_record)
{
    return strcmp(cof_s3_text(bucket_record, "ownership"), ENFORCED) == 0;
}

bool cof_s3_has_public_acl(const struct cof_s3_call *c)
{
    return !enforced(c->bucket_record) && is_public(acl_of(c->bucket_record));
}

static bool has_grants(const struct cof_s3_call *c)
{
    static const char *const names[] = {"x-amz-grant-read", "x-amz-grant-write", "x-amz-grant-read-acp", "x-amz-grant-write-acp",
        "x-amz-grant-full-control"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (cof_s3_header(c, names[i]).len > 0)
            return true;
    return false;
}

static bool refuse(struct cof_s3_call *c, int status, const char *code, const char *message)
{
    (void)cof_s3_fail(c, status, code, message);
    return false;
}

/* The request's canned ACL, where its bucket (whose record it is) lets it be. *out NULL: none asked for. */
static bool read_acl(struct cof_s3_call *c, const json_t *bucket_record, const char *action, bool object,
    const struct canned **out, enum cof_err *err)
{
    struct cof_view name = cof_s3_header(c, "x-amz-acl");
    struct cof_s3_block block;

    *out = NULL;
    *err = COF_OK;
    if (name.len == 0 && !has_grants(c))
        return true;
    if (name.len > 0 && has_grants(c))
        return refuse(c, 400, "InvalidRequest", "Specifying both Canned ACLs and Header Grants is not allowed");
    if (has_grants(c))
        return enforced(bucket_record) ? refuse(c, 400, "AccessControlListNotSupported", "The bucket does not allow ACLs")
                                       : refuse(c, 501, "NotImplemented", "ACL grants are not implemented; a canned ACL is.");
    *out = find_canned(name);
    if (*out == NULL || (!object && !(*out)->for_bucket))
        return cof_s3_bad_header(c, "x-amz-acl", "") != COF_OK; /* spec: without a message */
    if (enforced(bucket_record) && strcmp((*out)->name, "private") != 0 && !(*out)->full)
        return refuse(c, 400, "AccessControlListNotSupported", "The bucket does not allow ACLs");
    *err = cof_s3_block_of(c, &block);
    if (*err != COF_OK)
        return false;
    if (is_public(*out) && block.acls) {
        *err = cof_s3_denied(c, action, object,
            "because public access control lists (ACLs) are prevented by the BlockPublicAcls setting in S3 Block Public Access.");
        return false;
    }
    return true;
}

static bool set_text(json_t *record, const char *name, const char *text, enum cof_err *err)
{
    if (json_object_set_new(record, name, json_string(text)) == 0)
        return true;
    *err = COF_E_MEMORY;
    return false;
}

static bool ownership_ok(struct cof_view text)
{
    return cof_view_eq_str(text, ENFORCED) || cof_view_eq_str(text, PREFERRED) || cof_view_eq_str(text, WRITER);
}

#define ACL_SET "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"

bool cof_s3_owner_for_bucket(struct cof_s3_call *c, const char *preset, json_t *record, enum cof_err *err)
{
    struct cof_view asked = cof_s3_header(c, "x-amz-object-ownership"), name = cof_s3_header(c, "x-amz-acl");
    const struct canned *acl = NULL;
    char message[160];

    *err = COF_OK;
    if (cof_headers_count(&c->req->head->headers, "x-amz-object-ownership") > 0 && !ownership_ok(asked)) {
        (void)snprintf(message, sizeof message, "Invalid x-amz-object-ownership header: %.*s", asked.len > 100 ? 100 : (int)asked.len,
            asked.len == 0 ? "" : (const char *)asked.data);
        (void)cof_s3_bad_argument(c, "x-amz-object-ownership", (struct cof_view){NULL, 0}, message);
        return false;
    }
    if (json_object_set_new(record, "ownership", asked.len > 0 ? cof_s3_string(asked) : json_string(preset)) != 0) {
        *err = COF_E_MEMORY;
        return false;
    }
    if (enforced(record) && ((name.len > 0 && !cof_view_eq_str(name, "private")) || has_grants(c)))
        return refuse(c, 400, "InvalidBucketAclWithObjectOwnership", ACL_SET);
    if (!read_acl(c, record, "s3:CreateBucket", false, &acl, err))
        return false;
    if (acl != NULL && is_public(acl) && cof_s3_is(json_object_get(record, "public_access_block"), "acls"))
        return refuse(c, 400, "InvalidBucketAclWithBlockPublicAccessError",
            "Bucket cannot have public ACLs set with BlockPublicAccess enabled");
    return acl == NULL || set_text(record, "acl", acl->name, err);
}

bool cof_s3_owner_for_object(struct cof_s3_call *c, json_t *record, enum cof_err *err)
{
    const char *writer = c->req->principal->account;
    bool foreign = writer[0] != '\0' && strcmp(writer, cof_s3_owner(c)) != 0;
    const struct canned *acl;

    if (!read_acl(c, c->bucket_record, "s3:PutObject", true, &acl, err))
        return false;
    /* spec: PutObject, "Permissions". What only gives the bucket's owner more needs none. */
    if (acl != NULL && is_public(acl) && !cof_s3_allowed_too(c, "s3:PutObjectAcl", NULL, err))
        return false;
    if (enforced(c->bucket_record))
        return true;
    if (acl != NULL && !set_text(record, "acl", acl->name, err))
        return false;
    if (!foreign ||
        (acl != NULL && acl->full && strcmp(cof_s3_text(c->bucket_record, "ownership"), PREFERRED) == 0))
        return true;
    return set_text(record, "owner", writer, err);
}

const char *cof_s3_object_owner(const struct cof_s3_call *c, const json_t *record)
{
    const char *owner = cof_s3_text(record, "owner");

    return owner[0] == '\0' || enforced(c->bucket_record) ? cof_s3_owner(c) : owner;
}

static bool in_list(const char *action, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(action, names[i]) == 0)
            return true;
    return false;
}

/* spec: "Mapping of ACL permissions and access policy permissions" */
static enum grantee granted(const struct cof_s3_call *c, const char *action)
{
    static const char *const bucket_read[] = {"s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"},
                             *const bucket_write[] = {"s3:PutObject"},
                             *const object_read[] = {"s3:GetObject", "s3:GetObjectVersion"};

    if (in_list(action, bucket_read, 3))
        return acl_of(c->bucket_record)->read;
    if (in_list(action, bucket_write, 1))
        return acl_of(c->bucket_record)->write;
    if (in_list(action, object_read, 2) && c->object != NULL)
        return acl_of(c->object)->read;
    return NOBODY;
}

void cof_s3_acl_policy(const struct cof_s3_call *c, const char *action, bool ignore_public, struct cof_buf *out)
{
    enum grantee to = enforced(c->bucket_record) ? NOBODY : granted(c, action);
    bool authenticated = to == AUTHENTICATED && c->req->principal->caller.kind == COF_CALLER_ANONYMOUS;

    if (to == NOBODY || authenticated || (to >= AUTHENTICATED && ignore_public))
        return;
    cof_buf_add_str(out, "{\"Version\":\"2012-10-17\",\"Statement\":{\"Sid\":\"Acl\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"");
    cof_buf_add_str(out, to == BUCKET_OWNER ? cof_s3_owner(c) : "*");
    cof_buf_printf(out, "\"},\"Action\":\"%s\",\"Resource\":\"*\"}}", action);
}

static void say_grant(struct cof_buf *b, const char *type, const char *id, const char *permission)
{
    cof_buf_printf(b, "<Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"%s\">", type);
    if (strcmp(type, "Group") == 0)
        cof_buf_printf(b, "<URI>%s</URI>", id);
    else
        cof_buf_printf(b, "<ID>%s</ID>", id);
    cof_buf_printf(b, "</Grantee><Permission>%s</Permission></Grant>", permission);
}

static void say_grants(struct cof_s3_call *c, const struct canned *acl, const char *owner)
{
    struct cof_buf *b = &c->reply->body;

    say_grant(b, "CanonicalUser", owner, "FULL_CONTROL");
    if (acl->read == EVERYBODY)
        say_grant(b, "Group", GROUPS "AllUsers", "READ");
    if (acl->write == EVERYBODY)
        say_grant(b, "Group", GROUPS "AllUsers", "WRITE");
    if (acl->read == AUTHENTICATED)
        say_grant(b, "Group", GROUPS "AuthenticatedUsers", "READ");
    if (acl->read == BUCKET_OWNER && strcmp(owner, cof_s3_owner(c)) != 0)
        say_grant(b, "CanonicalUser", cof_s3_owner(c), acl->full ? "FULL_CONTROL" : "READ");
}

enum cof_err cof_s3_get_acl(struct cof_s3_call *c)
{
    bool object = c->level == COF_S3_OBJECT;
    json_t *record = NULL;
    const char *owner;
    enum cof_err err = COF_OK;

    if (object ? !cof_s3_find_version(c, "s3:GetObjectAcl", "s3:GetObjectVersionAcl", &record, &err)
               : !cof_s3_allowed(c, "s3:GetBucketAcl", false, NULL, false, &err)) {
        json_decref(record);
        return err;
    }
    owner = cof_s3_object_owner(c, record);
    cof_s3_xml_open(c, "AccessControlPolicy");
    if (strcmp(owner, cof_s3_owner(c)) == 0)
        cof_s3_xml_owner(c, "Owner");
    else
        cof_buf_printf(&c->reply->body, "<Owner><ID>%s</ID></Owner>", owner);
    cof_buf_add_str(&c->reply->body, "<AccessControlList>");
    say_grants(c, enforced(c->bucket_record) ? &canned[0] : acl_of(object ? record : c->bucket_record), owner);
    cof_buf_add_str(&c->reply->body, "</AccessControlList>");
    json_decref(record);
    return cof_s3_xml_close(c, "AccessControlPolicy");
}

/* An ACL written out that says no more than "private": full control for the owner alone. Clients give back what they got. */
static bool says_private(struct cof_s3_call *c, const char *owner)
{
    struct cof_xml_node *root = NULL;
    const struct cof_xml_node *grant;
    bool good = cof_xml_parse(c->req->body, 65536, 1000, &root) == COF_OK && strcmp(root->name, "AccessControlPolicy") == 0;

    grant = cof_xml_child(cof_xml_child(root, "AccessControlList"), "Grant");
    good = good && grant != NULL;
    for (; grant != NULL && good; grant = cof_xml_again(grant, "Grant"))
        good = cof_view_eq_str(cof_xml_text(cof_xml_child(grant, "Grantee"), "ID"), owner) &&
            cof_view_eq_str(cof_xml_text(grant, "Permission"), "FULL_CONTROL");
    cof_xml_free(root);
    return good;
}

enum cof_err cof_s3_put_acl(struct cof_s3_call *c)
{
    bool object = c->level == COF_S3_OBJECT;
    const char *action = object ? "s3:PutObjectAcl" : "s3:PutBucketAcl";
    const struct cof_s3_detail missing[] = {{"MissingHeaderName", COF_LIT("x-amz-acl")}};
    const struct canned *acl = NULL;
    json_t *record = NULL;
    enum cof_err err = COF_OK;

    if (object ? !cof_s3_find_version(c, action, "s3:PutObjectVersionAcl", &record, &err)
               : !cof_s3_allowed(c, action, false, NULL, false, &err)) {
        if (object)
            err = cof_s3_marker_told(c, err);
        goto out;
    }
    if (!read_acl(c, c->bucket_record, action, object, &acl, &err))
        goto out;
    if (acl == NULL && c->req->body.len > 0 && says_private(c, cof_s3_object_owner(c, record)))
        acl = &canned[0];
    else if (!object && enforced(c->bucket_record))
        acl = NULL;
    if (acl == NULL) {
        err = enforced(c->bucket_record)
            ? cof_s3_fail(c, 400, "AccessControlListNotSupported", "The bucket does not allow ACLs")
            : c->req->body.len == 0
            ? cof_s3_fail_of(c, 400, "MissingSecurityHeader", "Your request was missing a required header", missing, 1)
            : cof_s3_fail(c, 501, "NotImplemented", "ACL grants are not implemented; a canned ACL is.");
        goto out;
    }
    if (!set_text(object ? record : c->bucket_record, "acl", acl->name, &err))
        goto out;
    err = object ? cof_s3_object_update(c, record) : cof_s3_config_save(c, 200);
    if (err == COF_OK && object)
        cof_reply_set(c->reply, 200, NULL, COF_LIT(""));
out:
    json_decref(record);
    return err;
}

enum cof_err cof_s3_get_ownership(struct cof_s3_call *c)
{
    const char *ownership = cof_s3_text(c->bucket_record, "ownership");
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:GetBucketOwnershipControls", false, NULL, false, &err))
        return err;
    if (ownership[0] == '\0')
        return cof_s3_bucket_has_none(c, "OwnershipControlsNotFoundError", "The bucket ownership controls were not found");
    cof_s3_xml_open(c, "OwnershipControls");
    cof_buf_printf(&c->reply->body, "<Rule><ObjectOwnership>%s</ObjectOwnership></Rule>", ownership);
    return cof_s3_xml_close(c, "OwnershipControls");
}

enum cof_err cof_s3_put_ownership(struct cof_s3_call *c)
{
    struct cof_xml_node *root;
    struct cof_view asked;
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:PutBucketOwnershipControls", false, NULL, false, &err))
        return err;
    root = cof_s3_config_xml(c, "OwnershipControls", &err);
    if (root == NULL)
        return err;
    asked = cof_xml_text(cof_xml_child(root, "Rule"), "ObjectOwnership");
    if (!ownership_ok(asked) || cof_xml_again(cof_xml_child(root, "Rule"), "Rule") != NULL)
        err = cof_s3_fail(c, 400, "MalformedXML", COF_S3_BAD_XML);
    else if (cof_view_eq_str(asked, ENFORCED) && strcmp(acl_of(c->bucket_record)->name, "private") != 0)
        err = cof_s3_fail(c, 400, "InvalidBucketAclWithObjectOwnership", ACL_SET);
    else if (json_object_set_new(c->bucket_record, "ownership", cof_s3_string(asked)) != 0)
        err = COF_E_MEMORY;
    else
        err = cof_s3_config_save(c, 200);
    cof_xml_free(root);
    return err;
}

enum cof_err cof_s3_delete_ownership(struct cof_s3_call *c)
{
    enum cof_err err;

    if (!cof_s3_allowed(c, "s3:PutBucketOwnershipControls", false, NULL, false, &err))
        return err;
    (void)json_object_del(c->bucket_record, "ownership");
    return cof_s3_config_save(c, 204);
}
