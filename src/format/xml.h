/* SPDX-License-Identifier: Apache-2.0
 *
 * Small XML documents as trees (expat): elements and their text. Names lose their prefix; attributes are dropped.
 * Refused: a DOCTYPE (and so every entity of its own), depth, number of elements and size over the limits.
 */
#ifndef COF_FORMAT_XML_H
#define COF_FORMAT_XML_H

#include "base/buf.h"

#define COF_XML_DEPTH_MAX 16

struct cof_xml_node {
    char *name;
    struct cof_buf text; /* directly inside this element, pieces joined */
    struct cof_xml_node *parent, *child, *last, *next;
};

/* The root element; free it. COF_E_FORMAT, COF_E_LIMIT, COF_E_MEMORY. */
COF_MUST_USE enum cof_err cof_xml_parse(struct cof_view text, size_t max_bytes, size_t max_nodes,
                                        struct cof_xml_node **out);
void cof_xml_free(struct cof_xml_node *root);

/* The first child of that name, or NULL; the next sibling of that name after node, or NULL. Take NULL. */
const struct cof_xml_node *cof_xml_child(const struct cof_xml_node *node, const char *name);
const struct cof_xml_node *cof_xml_again(const struct cof_xml_node *node, const char *name);
/* The text of the first child of that name; empty when there is none. */
struct cof_view cof_xml_text(const struct cof_xml_node *node, const char *name);

#endif
