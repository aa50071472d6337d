/* SPDX-License-Identifier: Apache-2.0
 *
 * A policy document read for a person: as much as can be understood of it, wrong or not, with the place of every part. What
 * is wrong with its form goes to the findings. policy.h is the strict reader, which decides whether it may be used at all
 * (member sound); where both read it, they read the same.
 */
#ifndef COF_POLICY_DOCUMENT_H
#define COF_POLICY_DOCUMENT_H

#include "policy/findings.h"
#include "policy/json_tree.h"
#include "policy/policy.h"
#include "policy/template.h"

enum cof_document_kind {
    COF_DOCUMENT_UNKNOWN, /* found out from what it says */
    COF_DOCUMENT_IDENTITY,
    COF_DOCUMENT_BOUNDARY,
    COF_DOCUMENT_SESSION,
    COF_DOCUMENT_KEY,
    COF_DOCUMENT_BUCKET,
    COF_DOCUMENT_QUEUE,
    COF_DOCUMENT_RESOURCE, /* of another kind */
    COF_DOCUMENT_ENDPOINT, /* of a VPC endpoint: narrows, grants nothing */
    COF_DOCUMENT_TRUST,
};

const char *cof_document_kind_name(enum cof_document_kind kind); /* "identity" */
/* False when there is none of that name. */
bool cof_document_kind_parse(const char *name, enum cof_document_kind *out);
/* How the evaluator sees it. */
enum cof_policy_kind cof_document_policy_kind(enum cof_document_kind kind);

#define COF_NO_PLACE SIZE_MAX

struct cof_condition_place {
    size_t op, key; /* bytes */
    size_t *values;
};

/* Where things stand, in bytes; COF_NO_PLACE for what is not there. */
struct cof_statement_place {
    size_t at, sid, effect, principal, action, resource, condition;
    size_t *principals, *actions, *resources;
    struct cof_condition_place *conditions;
};

struct cof_document {
    const char *file;         /* what names it; the caller's */
    struct cof_view text;     /* the caller's, and has to stay */
    size_t index;             /* in the set, for findings */
    enum cof_document_kind kind;
    struct cof_json_tree tree;
    struct cof_policy *policy; /* NULL: not even JSON */
    struct cof_statement_place *places; /* of its statements */
    size_t version;           /* place, or COF_NO_PLACE */
    size_t size_bytes;        /* filled in, without white space: what AWS counts */
    bool sound;               /* the strict reader takes it, */
    char refused[400];        /* or why not */
    char **owned;             /* filled texts */
    size_t n_owned, room_owned;
};

struct cof_document_source {
    const char *file;
    struct cof_view text;
    size_t index;
    enum cof_document_kind kind;
    const struct cof_template_value *values; /* for its holes */
    size_t n_values;
    size_t from, to; /* the part of text that is the policy; both 0: all of it */
};

/* Fails for memory alone; out is to be done with in any case. */
COF_MUST_USE enum cof_err cof_document_read(const struct cof_document_source *source, struct cof_findings *findings,
                                            struct cof_document *out);
void cof_document_done(struct cof_document *document);

/* A template's hole that was left open. */
bool cof_text_has_hole(struct cof_view text);
/* The document as JSON, holes filled. */
COF_MUST_USE enum cof_err cof_document_write(const struct cof_document *document, struct cof_buf *out);

#endif
