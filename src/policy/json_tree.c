/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/json_tree.h"

#include <stdlib.h>
#include <string.h>

struct reader {
    struct cof_view text;
    size_t at;
    struct cof_json_tree *tree;
    size_t n_decoded;
    struct cof_json_fault *fault;
};

static enum cof_err fail(struct reader *r, size_t at, const char *what, const char *mend)
{
    *r->fault = (struct cof_json_fault){at, what, mend};
    return COF_E_FORMAT;
}

static int peek(const struct reader *r)
{
    return r->at < r->text.len ? r->text.data[r->at] : -1;
}

static bool ahead(const struct reader *r, const char *s)
{
    return cof_view_starts(cof_view_sub(r->text, r->at, SIZE_MAX), cof_view_str(s));
}

static void skip_space(struct reader *r)
{
    while (r->at < r->text.len && memchr(" \t\r\n", r->text.data[r->at], 4) != NULL)
        r->at++;
}

static bool is_word(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

/* What stands where a value, a name or a separator should, in words. */
static enum cof_err stranger(struct reader *r, const char *what, const char *mend)
{
    int c = peek(r);

    if (c == -1)
        return fail(r, r->at, "the document ends too early", "close every { with } and every [ with ]");
    if (ahead(r, "//") || ahead(r, "/*") || c == '#')
        return fail(r, r->at, "JSON has no comments", "remove it; a statement's Sid can say what it is for");
    if (c == '\'' || c == '`')
        return fail(r, r->at, "a text in single quotes", "use double quotes");
    if (ahead(r, "\xe2\x80\x9c") || ahead(r, "\xe2\x80\x9d") || ahead(r, "\xe2\x80\x98") || ahead(r, "\xe2\x80\x99"))
        return fail(r, r->at, "a typographic quote", "use the plain double quote \"");
    if (ahead(r, "\xc2\xa0"))
        return fail(r, r->at, "a no-break space", "use a plain space");
    if (ahead(r, "True") || ahead(r, "False") || ahead(r, "None"))
        return fail(r, r->at, "not JSON's spelling", "write true, false or null in small letters");
    if (c < ' ' && c != '\n' && c != '\r' && c != '\t')
        return fail(r, r->at, "a control character", "remove it");
    return fail(r, r->at, what, mend);
}

static enum cof_err add_node(struct reader *r, enum cof_json_kind kind, uint32_t *index)
{
    struct cof_json_tree *t = r->tree;

    if (t->n == COF_JSON_TREE_NODES)
        return COF_E_LIMIT;
    if (t->n == t->room) {
        uint32_t room = t->room == 0 ? 64 : t->room * 2;
        struct cof_json_node *grown = realloc(t->nodes, room * sizeof *grown);

        if (grown == NULL)
            return COF_E_MEMORY;
        t->nodes = grown;
        t->room = room;
    }
    *index = t->n++;
    t->nodes[*index] = (struct cof_json_node){
        .kind = kind, .at = r->at, .end = r->at, .first = COF_JSON_NONE, .next = COF_JSON_NONE};
    return COF_OK;
}

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

static bool take_hex4(struct reader *r, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++) {
        int d = r->at < r->text.len ? hex_digit(r->text.data[r->at]) : -1;

        if (d < 0)
            return false;
        *out = *out << 4 | (uint32_t)d;
        r->at++;
    }
    return true;
}

static void put(struct reader *r, uint32_t byte)
{
    r->tree->decoded[r->n_decoded++] = (char)byte;
}

static void put_utf8(struct reader *r, uint32_t c)
{
    if (c < 0x80) {
        put(r, c);
    } else if (c < 0x800) {
        put(r, 0xc0 | c >> 6);
        put(r, 0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        put(r, 0xe0 | c >> 12);
        put(r, 0x80 | (c >> 6 & 0x3f));
        put(r, 0x80 | (c & 0x3f));
    } else {
        put(r, 0xf0 | c >> 18);
        put(r, 0x80 | (c >> 12 & 0x3f));
        put(r, 0x80 | (c >> 6 & 0x3f));
        put(r, 0x80 | (c & 0x3f));
    }
}

/* Behind the backslash. */
static enum cof_err take_escape(struct reader *r)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    size_t at = r->at - 1;
    int c = peek(r);
    const char *known = c > 0 ? strchr(from, c) : NULL;
    uint32_t high, low;

    r->at++;
    if (known != NULL) {
        put(r, (uint8_t)to[known - from]);
        return COF_OK;
    }
    if (c != 'u' || !take_hex4(r, &high))
        return fail(r, at, "an escape that JSON does not have", "write \\\\ for a backslash");
    if (high >= 0xdc00 && high <= 0xdfff)
        return fail(r, at, "half of a surrogate pair", "write both halves");
    if (high >= 0xd800 && high <= 0xdbff) {
        if (!ahead(r, "\\u"))
            return fail(r, at, "half of a surrogate pair", "write both halves");
        r->at += 2;
        if (!take_hex4(r, &low) || low < 0xdc00 || low > 0xdfff)
            return fail(r, at, "half of a surrogate pair", "write both halves");
        high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    }
    put_utf8(r, high);
    return COF_OK;
}

/* From the opening quote. A text never spans lines, so a missing quote is named where its text begins. */
static enum cof_err take_string(struct reader *r, struct cof_view *out)
{
    size_t at = r->at, start = r->n_decoded;

    r->at++;
    for (;;) {
        int c = peek(r);
        enum cof_err err = COF_OK;

        if (c == -1 || c == '\n' || c == '\r')
            return fail(r, at, "this text has no closing quote", "end it with a double quote on the same line");
        if (c < ' ')
            return fail(r, r->at, "a control character inside a text", "remove it, or escape it as \\u00XX");
        r->at++;
        if (c == '"')
            break;
        if (c == '\\')
            err = take_escape(r);
        else
            put(r, (uint32_t)c);
        if (err != COF_OK)
            return err;
    }
    *out = cof_view_of(r->tree->decoded + start, r->n_decoded - start);
    return cof_view_is_utf8(*out) ? COF_OK : fail(r, at, "this text is not UTF-8", "save the file as UTF-8");
}

static bool take_digits(struct reader *r)
{
    size_t start = r->at;

    while (peek(r) >= '0' && peek(r) <= '9')
        r->at++;
    return r->at > start;
}

static enum cof_err take_number(struct reader *r)
{
    size_t at = r->at;
    bool good, zero;

    if (peek(r) == '-')
        r->at++;
    zero = peek(r) == '0';
    good = take_digits(r) && (!zero || r->at == at + 1 + (r->text.data[at] == '-'));
    if (good && peek(r) == '.') {
        r->at++;
        good = take_digits(r);
    }
    if (good && (peek(r) == 'e' || peek(r) == 'E')) {
        r->at++;
        if (peek(r) == '+' || peek(r) == '-')
            r->at++;
        good = take_digits(r);
    }
    return good ? COF_OK : fail(r, at, "not a number", "put it in double quotes, if a text is meant");
}

static enum cof_err take_value(struct reader *r, unsigned depth, uint32_t *index);

static void append(struct cof_json_tree *t, uint32_t parent, uint32_t *last, uint32_t child)
{
    if (*last == COF_JSON_NONE)
        t->nodes[parent].first = child;
    else
        t->nodes[*last].next = child;
    *last = child;
    t->nodes[parent].n_children++;
}

/* After an item: a comma and another one, or the closing bracket. */
static enum cof_err take_separator(struct reader *r, uint32_t parent, char closing, bool *more)
{
    size_t behind = r->at, comma;
    bool object = closing == '}';

    skip_space(r);
    *more = false;
    if (peek(r) == closing) {
        r->at++;
        return COF_OK;
    }
    if (peek(r) == ',') {
        comma = r->at++;
        skip_space(r);
        if (peek(r) == closing || peek(r) == (object ? ']' : '}'))
            return fail(r, comma, "a comma behind the last item", "remove the comma");
        if (peek(r) == ',')
            return fail(r, r->at, "a comma too many", "remove one");
        *more = true;
        return COF_OK;
    }
    if (peek(r) == '"' || peek(r) == '{' || peek(r) == '[')
        return fail(r, behind, "a comma is missing here", "put one between two items");
    if (peek(r) == -1)
        return fail(r, r->tree->nodes[parent].at, object ? "this { is never closed" : "this [ is never closed",
                    "add the closing bracket");
    if (peek(r) == '}' || peek(r) == ']')
        return fail(r, r->at, "the wrong closing bracket", object ? "write }" : "write ]");
    return stranger(r, "something else than a comma or a closing bracket", "put a comma between two items");
}

static enum cof_err take_key(struct reader *r, struct cof_view *key)
{
    if (peek(r) == '"')
        return take_string(r, key);
    if (is_word(peek(r)) && !ahead(r, "True") && !ahead(r, "False") && !ahead(r, "None"))
        return fail(r, r->at, "a name without quotes", "put it in double quotes");
    return stranger(r, "a member's name is expected here", "names are texts in double quotes");
}

static enum cof_err take_object(struct reader *r, unsigned depth, uint32_t self)
{
    uint32_t last = COF_JSON_NONE;
    bool more = true;

    r->at++;
    skip_space(r);
    if (peek(r) == '}') {
        r->at++;
        return COF_OK;
    }
    while (more) {
        size_t key_at = r->at;
        struct cof_view key;
        uint32_t child;
        enum cof_err err = take_key(r, &key);

        if (err != COF_OK)
            return err;
        skip_space(r);
        if (peek(r) != ':')
            return stranger(r, "a colon is missing behind this name", "write \"name\": value");
        r->at++;
        skip_space(r);
        err = take_value(r, depth + 1, &child);
        if (err != COF_OK)
            return err;
        r->tree->nodes[child].has_key = true;
        r->tree->nodes[child].key = key;
        r->tree->nodes[child].key_at = key_at;
        append(r->tree, self, &last, child);
        err = take_separator(r, self, '}', &more);
        if (err != COF_OK)
            return err;
    }
    return COF_OK;
}

static enum cof_err take_array(struct reader *r, unsigned depth, uint32_t self)
{
    uint32_t last = COF_JSON_NONE;
    bool more = true;

    r->at++;
    skip_space(r);
    if (peek(r) == ']') {
        r->at++;
        return COF_OK;
    }
    while (more) {
        uint32_t child;
        enum cof_err err = take_value(r, depth + 1, &child);

        if (err != COF_OK)
            return err;
        append(r->tree, self, &last, child);
        err = take_separator(r, self, ']', &more);
        if (err != COF_OK)
            return err;
    }
    return COF_OK;
}

static enum cof_err take_value(struct reader *r, unsigned depth, uint32_t *index)
{
    static const struct { const char *word; enum cof_json_kind kind; } words[] = {
        {"true", COF_JSON_TRUE}, {"false", COF_JSON_FALSE}, {"null", COF_JSON_NULL}};
    enum cof_json_kind kind = COF_JSON_NUMBER;
    const char *word = NULL;
    int c = peek(r);
    struct cof_view text = {NULL, 0};
    enum cof_err err;

    if (depth >= COF_JSON_TREE_DEPTH)
        return COF_E_LIMIT;
    for (size_t i = 0; i < sizeof words / sizeof words[0] && word == NULL; i++)
        if (ahead(r, words[i].word)) {
            word = words[i].word;
            kind = words[i].kind;
        }
    if (c == '{')
        kind = COF_JSON_OBJECT;
    else if (c == '[')
        kind = COF_JSON_ARRAY;
    else if (c == '"')
        kind = COF_JSON_STRING;
    else if (word == NULL && c != '-' && (c < '0' || c > '9'))
        return is_word(c) && c != 'T' && c != 'F' && c != 'N'
                   ? fail(r, r->at, "a text without quotes", "put it in double quotes")
                   : stranger(r, "a value is expected here", "a text in double quotes, a list [...] or an object {...}");
    err = add_node(r, kind, index);
    if (err != COF_OK)
        return err;
    if (kind == COF_JSON_OBJECT)
        err = take_object(r, depth, *index);
    else if (kind == COF_JSON_ARRAY)
        err = take_array(r, depth, *index);
    else if (kind == COF_JSON_STRING)
        err = take_string(r, &text);
    else if (word != NULL)
        r->at += strlen(word);
    else
        err = take_number(r);
    if (err != COF_OK)
        return err;
    if (kind == COF_JSON_NUMBER)
        text = cof_view_sub(r->text, r->tree->nodes[*index].at, r->at - r->tree->nodes[*index].at);
    r->tree->nodes[*index].text = text;
    r->tree->nodes[*index].end = r->at;
    return COF_OK;
}

enum cof_err cof_json_tree_parse(struct cof_view text, struct cof_json_tree *out, struct cof_json_fault *fault)
{
    struct reader r = {.text = text, .tree = out, .fault = fault};
    uint32_t root;
    enum cof_err err;

    *out = (struct cof_json_tree){0};
    *fault = (struct cof_json_fault){0, "", ""};
    out->decoded = malloc(text.len + 1); /* decoding never makes a text longer */
    if (out->decoded == NULL)
        return COF_E_MEMORY;
    out->bom = ahead(&r, "\xef\xbb\xbf");
    if (out->bom)
        r.at = 3;
    skip_space(&r);
    if (r.at == text.len)
        err = fail(&r, r.at, "the document is empty", "a policy is an object: {\"Version\": \"2012-10-17\", ...}");
    else
        err = take_value(&r, 0, &root);
    skip_space(&r);
    if (err == COF_OK && r.at < text.len)
        err = stranger(&r, "something stands behind the end of the document",
                       "one file holds one document; look for a bracket that closes too early");
    if (err != COF_OK)
        cof_json_tree_done(out);
    return err;
}

void cof_json_tree_done(struct cof_json_tree *tree)
{
    if (tree == NULL)
        return;
    free(tree->nodes);
    free(tree->decoded);
    *tree = (struct cof_json_tree){0};
}

uint32_t cof_json_tree_member(const struct cof_json_tree *tree, uint32_t object, const char *name)
{
    if (object >= tree->n || tree->nodes[object].kind != COF_JSON_OBJECT)
        return COF_JSON_NONE;
    for (uint32_t i = tree->nodes[object].first; i != COF_JSON_NONE; i = tree->nodes[i].next)
        if (cof_view_eq_str(tree->nodes[i].key, name))
            return i;
    return COF_JSON_NONE;
}

void cof_text_position(struct cof_view text, size_t at, size_t *line, size_t *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < at && i < text.len; i++) {
        (*column)++;
        if (text.data[i] == '\n') {
            (*line)++;
            *column = 1;
        }
    }
}
