/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON (RFC 8259) with the place of every value and name, for complaints that name line and column; and what is wrong
 * with a text that is none, with the mend. Repeated names are kept. Meant for documents people write; what strangers send
 * goes through format/json.h.
 */
#ifndef COF_POLICY_JSON_TREE_H
#define COF_POLICY_JSON_TREE_H

#include "base/view.h"

enum cof_json_kind {
    COF_JSON_OBJECT,
    COF_JSON_ARRAY,
    COF_JSON_STRING,
    COF_JSON_NUMBER,
    COF_JSON_TRUE,
    COF_JSON_FALSE,
    COF_JSON_NULL,
};

#define COF_JSON_TREE_DEPTH 32
#define COF_JSON_TREE_NODES 65536
#define COF_JSON_NONE UINT32_MAX

struct cof_json_node {
    enum cof_json_kind kind;
    struct cof_view text; /* a string's, decoded; a number's, as written */
    size_t at, end;       /* of the value, in bytes from the start of the document */
    bool has_key;         /* a member of an object: */
    struct cof_view key;  /* decoded */
    size_t key_at;
    uint32_t first, next; /* child, sibling; COF_JSON_NONE */
    uint32_t n_children;
};

/* Node 0 is the document. Views live as long as the tree. */
struct cof_json_tree {
    struct cof_json_node *nodes;
    uint32_t n, room;
    char *decoded; /* owns the texts of strings */
    bool bom;      /* a byte order mark was there, and skipped */
};

struct cof_json_fault {
    size_t at;              /* byte */
    const char *what, *mend; /* static */
};

/* COF_E_FORMAT: fault says where and why. COF_E_LIMIT (depth, nodes), COF_E_MEMORY. The tree is empty on failure. */
COF_MUST_USE enum cof_err cof_json_tree_parse(struct cof_view text, struct cof_json_tree *out,
                                              struct cof_json_fault *fault);
void cof_json_tree_done(struct cof_json_tree *tree);

/* The first member of that name, or COF_JSON_NONE. */
uint32_t cof_json_tree_member(const struct cof_json_tree *tree, uint32_t object, const char *name);

/* Line and column of a byte, from 1; columns are in bytes. */
void cof_text_position(struct cof_view text, size_t at, size_t *line, size_t *column);

#endif
