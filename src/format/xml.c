/* SPDX-License-Identifier: Apache-2.0 */
#include "format/xml.h"

#include <expat.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    XML_Parser parser;
    struct cof_xml_node *root, *at;
    size_t depth, n_nodes, max_nodes, max_bytes;
    enum cof_err err;
};

static void stop(struct reader *r, enum cof_err err)
{
    if (r->err == COF_OK)
        r->err = err;
    (void)XML_StopParser(r->parser, XML_FALSE);
}

static void on_start(void *ctx, const char *name, const char **attributes)
{
    struct reader *r = ctx;
    const char *colon = strrchr(name, ':');
    struct cof_xml_node *node;

    (void)attributes;
    if (++r->depth > COF_XML_DEPTH_MAX || ++r->n_nodes > r->max_nodes) {
        stop(r, COF_E_LIMIT);
        return;
    }
    node = calloc(1, sizeof *node);
    if (node == NULL || (node->name = strdup(colon == NULL ? name : colon + 1)) == NULL) {
        free(node);
        stop(r, COF_E_MEMORY);
        return;
    }
    cof_buf_init(&node->text, r->max_bytes);
    node->parent = r->at;
    if (r->at == NULL)
        r->root = node;
    else if (r->at->last == NULL)
        r->at->child = node;
    else
        r->at->last->next = node;
    if (r->at != NULL)
        r->at->last = node;
    r->at = node;
}

static void on_end(void *ctx, const char *name)
{
    struct reader *r = ctx;

    (void)name;
    if (r->err != COF_OK)
        return;
    r->depth--;
    r->at = r->at->parent;
}

static void on_text(void *ctx, const char *text, int len)
{
    struct reader *r = ctx;

    if (r->err != COF_OK || r->at == NULL)
        return;
    cof_buf_add_bytes(&r->at->text, text, (size_t)len);
    if (cof_buf_err(&r->at->text) != COF_OK)
        stop(r, cof_buf_err(&r->at->text));
}

static void on_doctype(void *ctx, const char *name, const char *sysid, const char *pubid, int internal)
{
    (void)name;
    (void)sysid;
    (void)pubid;
    (void)internal;
    stop(ctx, COF_E_FORMAT);
}

enum cof_err cof_xml_parse(struct cof_view text, size_t max_bytes, size_t max_nodes, struct cof_xml_node **out)
{
    struct reader r = {.max_nodes = max_nodes, .max_bytes = max_bytes};

    *out = NULL;
    if (text.len > max_bytes || text.len > INT_MAX)
        return COF_E_LIMIT;
    if (!cof_view_is_utf8(text))
        return COF_E_FORMAT;
    r.parser = XML_ParserCreate("UTF-8");
    if (r.parser == NULL)
        return COF_E_MEMORY;
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, on_start, on_end);
    XML_SetCharacterDataHandler(r.parser, on_text);
    XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
    if (XML_Parse(r.parser, (const char *)text.data, (int)text.len, XML_TRUE) != XML_STATUS_OK && r.err == COF_OK)
        r.err = XML_GetErrorCode(r.parser) == XML_ERROR_NO_MEMORY ? COF_E_MEMORY : COF_E_FORMAT;
    XML_ParserFree(r.parser);
    if (r.err != COF_OK) {
        cof_xml_free(r.root);
        return r.err;
    }
    *out = r.root;
    return COF_OK;
}

void cof_xml_free(struct cof_xml_node *root)
{
    while (root != NULL) {
        struct cof_xml_node *next = root->next;

        cof_xml_free(root->child); /* no deeper than COF_XML_DEPTH_MAX */
        cof_buf_done(&root->text);
        free(root->name);
        free(root);
        root = next;
    }
}

static const struct cof_xml_node *named(const struct cof_xml_node *node, const char *name)
{
    while (node != NULL && strcmp(node->name, name) != 0)
        node = node->next;
    return node;
}

const struct cof_xml_node *cof_xml_child(const struct cof_xml_node *node, const char *name)
{
    return node == NULL ? NULL : named(node->child, name);
}

const struct cof_xml_node *cof_xml_again(const struct cof_xml_node *node, const char *name)
{
    return node == NULL ? NULL : named(node->next, name);
}

struct cof_view cof_xml_text(const struct cof_xml_node *node, const char *name)
{
    const struct cof_xml_node *child = cof_xml_child(node, name);

    return child == NULL ? (struct cof_view){NULL, 0} : cof_buf_view(&child->text);
}
