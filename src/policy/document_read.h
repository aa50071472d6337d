/* SPDX-License-Identifier: Apache-2.0
 *
 * Between document.c, which gets the JSON, and document_read.c, which understands it.
 */
#ifndef COF_POLICY_DOCUMENT_READ_H
#define COF_POLICY_DOCUMENT_READ_H

#include "policy/document.h"

#define COF_DOCUMENT_MAX ((size_t)1 << 20)

/* For "%.*s": a text as far as it is worth showing. */
#define COF_SHOWN(v) (int)((v).len > 90 ? 90 : (v).len), (v).len > 0 ? (const char *)(v).data : ""

struct reading {
    const struct cof_document_source *source;
    struct cof_document *document;
    struct cof_findings *findings;
};

/* From the tree to policy and places. Fails for memory alone. */
COF_MUST_USE enum cof_err cof_document_understand(struct reading *r);

/* What kind of policy this is, from its elements and actions, or else its file's name. */
enum cof_document_kind cof_document_guess(const struct cof_document *document);

#endif
