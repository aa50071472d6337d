/* SPDX-License-Identifier: Apache-2.0
 *
 * What nobody reads in a manifest (standin/bootstrap.h has its members), told with its place: a role whose "polices" nobody reads has no
 * rights, and whoever wrote it wonders why. Warnings, because a manifest may be written for a newer program.
 */
#include "local.h"

#include "policy/json_tree.h"
#include "policy/suggest.h"

#include <stdio.h>
#include <string.h>

struct shape {
    const char *member;         /* the list, or object, of its holder */
    const char *name;           /* by which its items are told apart; NULL: no such */
    const char *const *members; /* that its items have; NULL-ended */
    const struct shape *inner;  /* ends with a NULL member */
};

#define LIST(...) (const char *const[]){__VA_ARGS__, NULL}

static const struct shape policies[] = {{"policies", "name", LIST("name", "document"), NULL}, {NULL, NULL, NULL, NULL}};
#define IDENTITIES                                                                                                                          \
    {"users", "name", LIST("name", "path", "policies", "boundary", "tags", "mfa"), policies},                                               \
    {"roles", "name", LIST("name", "path", "policies", "trust", "boundary", "max_session_s", "tags"), policies},                            \
    {"credentials", "name", LIST("name", "user", "role", "root", "session", "mfa", "lifetime_s"), NULL},                                    \
    {"identity_providers", "url", LIST("url", "client_ids", "jwks"), NULL}
static const struct shape of_account[] = {IDENTITIES, {NULL, NULL, NULL, NULL}};
static const struct shape of_manifest[] = {
    IDENTITIES,
    {"accounts", "id", LIST("id", "users", "roles", "credentials", "identity_providers"), of_account},
    {"keys", "id", LIST("id", "alias", "description", "policy", "spec", "usage", "rotation_days"), NULL},
    {"buckets", "name", LIST("name", "policy", "versioning", "encryption", "block_sse_c", "owner", "object_lock", "public_access", "object_ownership"), NULL},
    {"queues", "name", LIST("name", "policy", "attributes", "dead_letter", "max_receive_count"), NULL},
    {"clients", "id", LIST("id", "tenant", "scopes", "audiences"), NULL},
    {"s3", NULL, LIST("open_to_sse_c", "open_to_public", "acls", "as_ceph"), NULL},
    {NULL, NULL, NULL, NULL},
};
static const char *const top[] = {"account", "region", "values", "users", "roles", "credentials", "identity_providers", "accounts", "keys", "buckets",
    "queues", "clients", "s3", NULL};

struct look {
    const char *path;
    struct cof_view text;
    struct cof_json_tree tree;
};

static void warn(const struct look *l, size_t at, const char *what, struct cof_view name, const char *mend)
{
    size_t line, column;

    cof_text_position(l->text, at, &line, &column);
    (void)fprintf(stderr, "coffer-local: warning: %s:%zu:%zu: %s \"%.*s\"%s%s%s\n", l->path, line, column, what, (int)(name.len < 80 ? name.len : 80),
                  (const char *)name.data, mend == NULL ? "" : "; did you mean \"", mend == NULL ? "" : mend, mend == NULL ? "" : "\"?");
}

static void members(const struct look *l, uint32_t object, const char *const *known)
{
    const struct cof_json_node *nodes = l->tree.nodes;

    for (uint32_t i = nodes[object].first; i != COF_JSON_NONE; i = nodes[i].next) {
        size_t k = 0;

        while (known[k] != NULL && !cof_view_eq_str(nodes[i].key, known[k]))
            k++;
        if (known[k] == NULL && !cof_view_starts(nodes[i].key, COF_LIT("$")))
            warn(l, nodes[i].key_at, "nobody reads", nodes[i].key, cof_suggest(nodes[i].key, known));
    }
}

static void twice(const struct look *l, uint32_t list, uint32_t item, const char *name)
{
    uint32_t own = name == NULL ? COF_JSON_NONE : cof_json_tree_member(&l->tree, item, name);

    for (uint32_t i = l->tree.nodes[list].first; own != COF_JSON_NONE && i != item; i = l->tree.nodes[i].next) {
        uint32_t other = l->tree.nodes[i].kind == COF_JSON_OBJECT ? cof_json_tree_member(&l->tree, i, name) : COF_JSON_NONE;

        if (other != COF_JSON_NONE && cof_view_eq(l->tree.nodes[own].text, l->tree.nodes[other].text))
            warn(l, l->tree.nodes[own].at, "there is one before of this name:", l->tree.nodes[own].text, NULL);
    }
}

static void items(const struct look *l, uint32_t holder, const struct shape *shapes)
{
    for (const struct shape *s = shapes; s != NULL && s->member != NULL; s++) {
        uint32_t list = cof_json_tree_member(&l->tree, holder, s->member);

        if (list == COF_JSON_NONE)
            continue;
        if (l->tree.nodes[list].kind == COF_JSON_OBJECT) {
            members(l, list, s->members);
            continue;
        }
        if (l->tree.nodes[list].kind != COF_JSON_ARRAY)
            continue;
        for (uint32_t i = l->tree.nodes[list].first; i != COF_JSON_NONE; i = l->tree.nodes[i].next) {
            if (l->tree.nodes[i].kind != COF_JSON_OBJECT)
                continue;
            members(l, i, s->members);
            twice(l, list, i, s->name);
            items(l, i, s->inner);
        }
    }
}

enum cof_err cof_local_manifest_look(const char *path, struct cof_view text, struct cof_diag *diag)
{
    struct look l = {.path = path, .text = text};
    struct cof_json_fault fault = {0};
    enum cof_err err = cof_json_tree_parse(text, &l.tree, &fault);
    size_t line, column;

    if (err == COF_E_FORMAT) {
        cof_text_position(text, fault.at, &line, &column);
        (void)cof_diag_set(diag, COF_E_CONFIG, "%s:%zu:%zu: %s", path, line, column, fault.what);
        cof_diag_hint(diag, "%s", fault.mend);
        return COF_E_CONFIG;
    }
    if (err == COF_OK && l.tree.nodes[0].kind == COF_JSON_OBJECT) {
        members(&l, 0, top);
        items(&l, 0, of_manifest);
    }
    cof_json_tree_done(&l.tree);
    return COF_OK; /* one that is too large for this is read all the same */
}
