/* SPDX-License-Identifier: Apache-2.0
 *
 * AssumeRole: tags and transitive tags, source identity, external id, second factor.
 */
#include "standin/sts_api.h"

#include <stdio.h>
#include <string.h>

/* Tags.member.N.Key and .Value, and whether TransitiveTagKeys names it. */
static void read_tags(struct cof_sts_call *c, struct cof_sts_session *session)
{
    char name[48], label[40];

    for (int i = 1; i <= COF_IAM_TAGS_MAX + 1; i++) {
        struct cof_view key, value;

        (void)snprintf(name, sizeof name, "Tags.member.%d.Key", i);
        key = cof_sts_param(c, name);
        (void)snprintf(name, sizeof name, "Tags.member.%d.Value", i);
        value = cof_sts_param(c, name);
        if (key.data == NULL && value.data == NULL)
            break;
        (void)snprintf(label, sizeof label, "tags.%d.member.key", i);
        cof_sts_need(c, key, label);
        cof_sts_check_length(c, key, label, 1, 128);
        (void)snprintf(label, sizeof label, "tags.%d.member.value", i);
        cof_sts_need(c, value, label);
        cof_sts_check_length(c, value, label, 0, 256);
        if (c->err == COF_OK)
            c->err = cof_iam_key_tag(&session->key, key, value, false);
    }
    session->n_own_tags = session->key.n_tags;
}

static size_t find_tag(const struct cof_iam_key *key, struct cof_view name)
{
    for (size_t i = 0; i < key->n_tags; i++)
        if (cof_view_eq_nocase(cof_view_str(key->tags[i].key), name))
            return i;
    return SIZE_MAX;
}

static bool tags_are_apart(struct cof_sts_call *c, const struct cof_sts_session *session, enum cof_err *err)
{
    for (size_t i = 0; i < session->key.n_tags; i++)
        if (find_tag(&session->key, cof_view_str(session->key.tags[i].key)) != i) {
            *err = cof_sts_fail(c, 400, "InvalidParameterValue",
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.");
            return false;
        }
    return true;
}

/* The request's transitive keys, and what the calling session hands on. */
static bool transitive_tags(struct cof_sts_call *c, struct cof_sts_session *session, enum cof_err *err)
{
    const struct cof_iam_key *caller = &c->req->principal->key;

    for (int i = 1; i <= COF_IAM_TAGS_MAX; i++) {
        struct cof_view key;
        size_t at;
        char name[48];

        (void)snprintf(name, sizeof name, "TransitiveTagKeys.member.%d", i);
        key = cof_sts_param(c, name);
        if (key.data == NULL)
            break;
        at = find_tag(&session->key, key);
        if (at == SIZE_MAX) {
            *err = cof_sts_fail(c, 400, "InvalidParameterValue",
                "The specified transitive tag key must be included in the requested tags.");
            return false;
        }
        session->key.tags[at].transitive = true;
    }
    for (size_t i = 0; i < caller->n_tags; i++) {
        struct cof_view key = cof_view_str(caller->tags[i].key);

        if (!caller->tags[i].transitive)
            continue;
        if (find_tag(&session->key, key) < session->n_own_tags) {
            *err = cof_sts_fail(c, 400, "InvalidParameterValue",
                "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key "
                "from the calling session.");
            return false;
        }
        *err = cof_iam_key_tag(&session->key, key, cof_view_str(caller->tags[i].value), true);
        if (*err == COF_E_LIMIT)
            *err = cof_sts_fail(c, 400, "ValidationError", "A session has at most %d tags.", COF_IAM_TAGS_MAX);
        if (*err != COF_OK || c->reply->status != 0)
            return false;
    }
    return true;
}

/* Once set it stays, through all sessions made from this one. */
static bool source_identity(struct cof_sts_call *c, struct cof_sts_session *session, enum cof_err *err)
{
    const char *have = c->req->principal->key.source_identity;

    if (have == NULL)
        return true;
    if (session->source_identity.data != NULL && !cof_view_eq_str(session->source_identity, have)) {
        *err = cof_sts_fail(c, 400, "ValidationError",
            "The source identity is already set for this assume role session and can't be changed.");
        return false;
    }
    session->source_identity = cof_view_str(have);
    return true;
}

static bool read_all(struct cof_sts_call *c, struct cof_sts_session *session, enum cof_err *err)
{
    session->external_id = cof_sts_param(c, "ExternalId");
    cof_sts_check_length(c, session->external_id, "externalId", 2, 1224);
    cof_sts_check_chars(c, session->external_id, "externalId", "_+=,.@:/-", "[\\w+=,.@:\\/-]*");
    session->source_identity = cof_sts_param(c, "SourceIdentity");
    cof_sts_check_length(c, session->source_identity, "sourceIdentity", 2, 64);
    cof_sts_check_chars(c, session->source_identity, "sourceIdentity", "_+=,.@-", "[\\w+=,.@-]*");
    read_tags(c, session);
    return cof_sts_session_read(c, session, err) && tags_are_apart(c, session, err) &&
        transitive_tags(c, session, err) && source_identity(c, session, err) && cof_sts_session_pack(c, session, err);
}

enum cof_err cof_sts_assume_role(struct cof_sts_call *c)
{
    struct cof_sts_session session = {.duration_s = 0};
    struct cof_buf xml;
    enum cof_err err = COF_OK;

    cof_buf_init_secret(&xml, 32768);
    if (!read_all(c, &session, &err))
        goto out;
    if (c->req->principal->caller.kind == COF_CALLER_ROOT)
        err = cof_sts_fail(c, 403, "AccessDenied", "Roles may not be assumed by root accounts.");
    else if (cof_sts_mfa(c, &session.mfa, &err) &&
        cof_sts_session_role(c, &session, "sts:AssumeRole", &err) &&
        cof_sts_session_permit(c, &session, "sts:AssumeRole", NULL, NULL, &err)) {
        /* spec: the code that came with this call is for the trust policy alone; a calling session's own factor stays */
        session.key.mfa_ms = c->req->principal->key.mfa_ms;
        err = cof_sts_session_issue(c, &session, &xml);
        if (err == COF_OK)
            err = cof_sts_answer(c, "AssumeRole", &xml);
    }
out:
    cof_sts_session_done(&session);
    cof_buf_done(&xml);
    return err;
}
