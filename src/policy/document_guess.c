/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/document_read.h"

#include <string.h>

struct votes {
    size_t statements, principals, resources, sts, kms, s3, sqs;
};

static void count_actions(const struct cof_json_tree *t, uint32_t index, struct votes *v)
{
    const struct cof_json_node *node = &t->nodes[index];
    bool list = node->kind == COF_JSON_ARRAY;

    for (uint32_t i = list ? node->first : index; i != COF_JSON_NONE; i = list ? t->nodes[i].next : COF_JSON_NONE) {
        struct cof_view service, rest;

        if (t->nodes[i].kind != COF_JSON_STRING)
            continue;
        (void)cof_view_split(t->nodes[i].text, ':', &service, &rest);
        v->sts += cof_view_eq_nocase(service, COF_LIT("sts"));
        v->kms += cof_view_eq_nocase(service, COF_LIT("kms"));
        v->s3 += cof_view_eq_nocase(service, COF_LIT("s3"));
        v->sqs += cof_view_eq_nocase(service, COF_LIT("sqs"));
    }
}

static void count(const struct cof_json_tree *t, uint32_t statement, struct votes *v)
{
    v->statements++;
    if (t->nodes[statement].kind != COF_JSON_OBJECT)
        return;
    for (uint32_t i = t->nodes[statement].first; i != COF_JSON_NONE; i = t->nodes[i].next) {
        struct cof_view key = t->nodes[i].key;

        v->principals += cof_view_eq_str(key, "Principal") || cof_view_eq_str(key, "NotPrincipal");
        v->resources += cof_view_eq_str(key, "Resource") || cof_view_eq_str(key, "NotResource");
        if (cof_view_eq_nocase(key, COF_LIT("Action")) || cof_view_eq_nocase(key, COF_LIT("NotAction")))
            count_actions(t, i, v);
    }
}

/* The last part of the path begins with the word. */
static bool named(const char *file, const char *word)
{
    const char *slash = strrchr(file, '/');

    return strncmp(slash != NULL ? slash + 1 : file, word, strlen(word)) == 0;
}

enum cof_document_kind cof_document_guess(const struct cof_document *d)
{
    const struct cof_json_tree *t = &d->tree;
    uint32_t statements = cof_json_tree_member(t, 0, "Statement");
    struct votes v = {0};

    if (statements != COF_JSON_NONE && t->nodes[statements].kind == COF_JSON_ARRAY)
        for (uint32_t i = t->nodes[statements].first; i != COF_JSON_NONE; i = t->nodes[i].next)
            count(t, i, &v);
    else if (statements != COF_JSON_NONE)
        count(t, statements, &v);
    if (v.principals * 2 < v.statements || v.principals == 0)
        return named(d->file, "trust") ? COF_DOCUMENT_TRUST : named(d->file, "boundary") ? COF_DOCUMENT_BOUNDARY : COF_DOCUMENT_IDENTITY;
    if (named(d->file, "endpoint"))
        return COF_DOCUMENT_ENDPOINT;
    if (v.sts > 0 && v.kms + v.s3 + v.sqs == 0)
        return v.resources * 2 > v.statements ? COF_DOCUMENT_ENDPOINT : COF_DOCUMENT_TRUST;
    if (v.kms > v.s3 + v.sqs)
        return COF_DOCUMENT_KEY;
    if (v.s3 > v.kms + v.sqs)
        return COF_DOCUMENT_BUCKET;
    if (v.sqs > v.kms + v.s3)
        return COF_DOCUMENT_QUEUE;
    return named(d->file, "key") ? COF_DOCUMENT_KEY : named(d->file, "bucket") ? COF_DOCUMENT_BUCKET :
           named(d->file, "queue") ? COF_DOCUMENT_QUEUE : COF_DOCUMENT_RESOURCE;
}
