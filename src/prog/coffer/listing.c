/* SPDX-License-Identifier: Apache-2.0 */
#include "listing.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

struct collect {
    struct batch *b;
    const char *pattern; /* NULL: everything below the prefix */
    size_t base;         /* bytes of the key that a relative name leaves out */
};

bool listing_is_safe(const char *name)
{
    const char *piece = name;

    if (name[0] == '\0' || name[0] == '/')
        return false;
    for (const unsigned char *c = (const unsigned char *)name; *c != '\0'; c++)
        if (*c < 0x20 || *c == 0x7f)
            return false;
    for (;;) {
        const char *slash = strchr(piece, '/');
        size_t len = slash == NULL ? strlen(piece) : (size_t)(slash - piece);
        if (len == 0 || len > 255 || (len == 1 && piece[0] == '.') || (len == 2 && memcmp(piece, "..", 2) == 0))
            return false;
        if (slash == NULL)
            return true;
        piece = slash + 1;
    }
}

static enum cof_err take(void *ctx, const struct cof_s3_entry *entry)
{
    const struct collect *c = ctx;
    char key[1100];

    if (entry->is_prefix || entry->key.len >= sizeof key || entry->key.len < c->base ||
        cof_view_find(entry->key, 0) != SIZE_MAX)
        return COF_OK;
    memcpy(key, entry->key.data, entry->key.len);
    key[entry->key.len] = '\0';
    if (entry->key.len == 0 || key[entry->key.len - 1] == '/') /* a folder marker */
        return COF_OK;
    if ((c->pattern != NULL && fnmatch(c->pattern, key, FNM_PATHNAME) != 0) ||
        !batch_wants(c->b->options, key + c->base))
        return COF_OK;
    return batch_add(c->b, key + c->base, key, entry->size);
}

struct exact {
    struct cof_view key;
    bool is_there;
};

static enum cof_err compare(void *ctx, const struct cof_s3_entry *entry)
{
    struct exact *exact = ctx;

    exact->is_there = exact->is_there || (!entry->is_prefix && cof_view_eq(entry->key, exact->key));
    return COF_OK;
}

enum cof_err listing_is_glob(struct cof_aws *aws, struct cof_view bucket, struct cof_view key, bool *out, struct cof_diag *diag)
{
    struct exact exact = {.key = key};
    enum cof_err err;

    *out = false;
    for (size_t i = 0; i < key.len && !*out; i++)
        *out = strchr("*?[", key.data[i]) != NULL && key.data[i] != '\0';
    if (!*out)
        return COF_OK;
    err = cof_s3_run_list(aws, bucket, key, COF_LIT("/"), compare, &exact, diag);
    *out = !exact.is_there;
    return err;
}

enum cof_err listing_collect(struct batch *b, struct cof_aws *aws, struct cof_view bucket, struct cof_view key,
                             struct cof_diag *diag)
{
    char text[1100];
    struct collect c = {.b = b};
    size_t plain, slash = 0, before = b->n;
    bool is_glob = false;
    enum cof_err err;

    if (key.len >= sizeof text - 1)
        return cof_diag_set(diag, COF_E_USAGE, "the key is longer than 1024 bytes");
    if (key.len > 0)
        memcpy(text, key.data, key.len);
    text[key.len] = '\0';
    err = b->options->recursive ? COF_OK : listing_is_glob(aws, bucket, key, &is_glob, diag);
    if (err != COF_OK)
        return err;
    plain = is_glob ? strcspn(text, "*?[") : key.len;
    if (!b->options->recursive && !is_glob) {
        const char *base = strrchr(text, '/');
        return batch_add(b, base == NULL ? text : base + 1, text, 0);
    }
    if (plain < key.len)
        c.pattern = text;
    else if (key.len > 0 && text[key.len - 1] != '/')
        text[plain++] = '/';
    for (size_t i = 0; i < plain; i++)
        slash = text[i] == '/' ? i + 1 : slash;
    c.base = slash;
    err = cof_s3_run_list(aws, bucket, cof_view_of(text, plain), (struct cof_view){0}, take, &c, diag);
    if (err == COF_OK && c.pattern != NULL && b->n == before)
        err = cof_diag_set(diag, COF_E_NOT_FOUND, "s3://%.*s/%.*s: nothing matches", (int)bucket.len,
                           (const char *)bucket.data, (int)key.len, (const char *)key.data);
    return err;
}
