/* SPDX-License-Identifier: Apache-2.0
 *
 * XML documents: within depth and number, and what is read can be written and read again.
 */
#include "format/xml.h"

#include <stdlib.h>
#include <string.h>

#define NODES_MAX 200

static size_t walk(const struct cof_xml_node *node, size_t depth)
{
    size_t n = 1;

    if (depth > COF_XML_DEPTH_MAX || node->name == NULL || strchr(node->name, ':') != NULL)
        abort();
    for (const struct cof_xml_node *child = node->child; child != NULL; child = child->next) {
        if (child->parent != node)
            abort();
        n += walk(child, depth + 1);
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_xml_node *root;
    enum cof_err err = cof_xml_parse(cof_view_of(data, size), 65536, NODES_MAX, &root);

    if ((err == COF_OK) != (root != NULL))
        abort();
    if (err != COF_OK)
        return 0;
    if (size > 65536 || walk(root, 1) > NODES_MAX)
        abort();
    (void)cof_xml_text(root, "Key");
    cof_xml_free(root);
    return 0;
}
