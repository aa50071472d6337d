/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/deployment.h"

#include "format/json.h"
#include "policy/json_tree.h"
#include "policy/locate.h"
#include "policy/suggest.h"

#include <stdio.h>
#include <string.h>

struct reader {
    struct cof_view text;
    struct cof_locate_path path;
    struct cof_deployment *out;
    struct cof_diag *diag;
};

static enum cof_err complain(struct reader *r, const char *what, struct cof_view detail)
{
    size_t line, column;

    cof_locate(r->text, &r->path, &line, &column);
    return cof_diag_set(r->diag, COF_E_CONFIG, "line %zu, column %zu: %s%s%.*s", line, column, what, detail.len > 0 ? ": " : "",
                        (int)cof_view_sub(detail, 0, 80).len, detail.len > 0 ? (const char *)detail.data : "");
}

/* A text that is no JSON: where, and what mends it. The strict parser knows only the first; of what it alone refuses (a member twice) that has
 * to do. */
static enum cof_err parse(struct cof_view text, json_t **root, struct cof_diag *diag)
{
    enum cof_err err = cof_json_parse(text, COF_DEPLOYMENT_TEXT_MAX, root, diag);
    struct cof_json_fault fault = {0};
    struct cof_json_tree tree;
    size_t line, column;

    if (err != COF_E_FORMAT)
        return err;
    if (cof_json_tree_parse(text, &tree, &fault) == COF_E_FORMAT) {
        cof_text_position(text, fault.at, &line, &column);
        (void)cof_diag_set(diag, COF_E_CONFIG, "line %zu, column %zu: %s", line, column, fault.what);
        cof_diag_hint(diag, "%s", text.len == 0 ? "examples/deployment.json is one to begin with" : fault.mend);
    }
    cof_json_tree_done(&tree);
    return COF_E_CONFIG;
}

static struct cof_view view_of(const json_t *s)
{
    return cof_view_of(json_string_value(s), json_string_length(s));
}

static bool all_of(struct cof_view v, const char *chars)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.data[i] == '\0' || strchr(chars, v.data[i]) == NULL)
            return false;
    return v.len > 0;
}

#define DIGITS "0123456789"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

const char *cof_pcr_read(struct cof_view text, char out[static COF_PCR_HEX + 1])
{
    bool zeros = true;

    memset(out, 0, COF_PCR_HEX + 1);
    if (!all_of(text, DIGITS "abcdefABCDEF"))
        return "a PCR is 96 hex digits";
    if (text.len != COF_PCR_HEX)
        return text.len == 64 ? "a PCR is 96 hex digits (SHA-384), and this has 64: a SHA-256"
                              : "a PCR is 96 hex digits, and this has another length";
    for (size_t i = 0; i < text.len; i++) {
        out[i] = (char)(text.data[i] >= 'A' && text.data[i] <= 'F' ? text.data[i] | 0x20 : text.data[i]);
        zeros = zeros && out[i] == '0';
    }
    return zeros ? "a PCR of zeros is that of every debug enclave, whose host reads its memory" : NULL;
}

/* Members of the object must be in the NULL-ended list; "$comment" may be anywhere. */
static enum cof_err only(struct reader *r, json_t *object, const char *const *names)
{
    const char *name, *near;
    json_t *value;

    if (!json_is_object(object))
        return complain(r, "an object is expected here", (struct cof_view){NULL, 0});
    json_object_foreach(object, name, value) {
        enum cof_err err = COF_OK;
        size_t i = 0;

        while (names[i] != NULL && strcmp(name, names[i]) != 0)
            i++;
        if (strcmp(name, "$comment") == 0 || names[i] != NULL)
            continue;
        cof_locate_push_key(&r->path, name);
        err = complain(r, "unknown member", cof_view_str(name));
        near = cof_suggest(cof_view_str(name), names);
        if (near != NULL)
            cof_diag_hint(r->diag, "did you mean \"%s\"?", near);
        return err;
    }
    return COF_OK;
}

/* A member's text, under which the path then stands (pop it). fallback NULL: the member must be there. */
static enum cof_err get_text(struct reader *r, const json_t *object, const char *name, const char *fallback, struct cof_view *out)
{
    const json_t *value = json_object_get(object, name);
    char what[64];

    *out = (struct cof_view){NULL, 0};
    if (value == NULL && fallback == NULL) {
        (void)snprintf(what, sizeof what, "member \"%s\" is missing", name);
        return complain(r, what, (struct cof_view){NULL, 0});
    }
    cof_locate_push_key(&r->path, name);
    if (value == NULL)
        *out = cof_view_str(fallback);
    else if (!json_is_string(value))
        return complain(r, "a string is expected here", (struct cof_view){NULL, 0});
    else
        *out = view_of(value);
    return COF_OK;
}

static void copy(char *out, size_t size, struct cof_view v)
{
    size_t n = v.len < size - 1 ? v.len : size - 1;

    if (n > 0)
        memcpy(out, v.data, n);
    out[n] = '\0';
}

static bool is_account(struct cof_view v)
{
    return v.len == 12 && all_of(v, DIGITS);
}

static bool is_region(struct cof_view v)
{
    return v.len < 32 && all_of(v, LOWER DIGITS "-") && cof_view_find(v, '-') != SIZE_MAX && v.data[v.len - 1] >= '0' &&
           v.data[v.len - 1] <= '9';
}

static bool is_bucket(struct cof_view v)
{
    return v.len >= 3 && v.len <= 63 && all_of(v, LOWER DIGITS "-.") && v.data[0] != '-' && v.data[0] != '.' &&
           v.data[v.len - 1] != '-' && v.data[v.len - 1] != '.';
}

static bool is_endpoint(struct cof_view v)
{
    struct cof_view id = cof_view_sub(v, 5, SIZE_MAX);

    return cof_view_starts(v, COF_LIT("vpce-")) && (id.len == 8 || id.len == 17) && all_of(id, DIGITS "abcdef");
}

static enum cof_err get_checked(struct reader *r, const json_t *object, const char *name, bool (*right)(struct cof_view),
                                const char *otherwise, char *out, size_t size)
{
    struct cof_view v = {NULL, 0};
    enum cof_err err = get_text(r, object, name, NULL, &v);

    if (err != COF_OK)
        return err;
    if (!right(v))
        return complain(r, otherwise, v);
    copy(out, size, v);
    cof_locate_pop(&r->path);
    return COF_OK;
}

/* One thing that has an ARN: how it is written, and where. */
struct arn_kind {
    const char *service, *prefix; /* before the name in the ARN: "key/", "role/", "" */
    const char *chars;            /* of a bare name */
    const char *what;
    bool regional;
    size_t name_max;
};
static const struct arn_kind key_kind = {"kms", "key/", LOWER DIGITS "-", "a key is its id or its ARN", true, 64};
static const struct arn_kind queue_kind = {"sqs", "", LOWER UPPER DIGITS "_-", "a queue is its name or its ARN", true, 80};
static const struct arn_kind role_kind = {
    "iam", "role/", LOWER UPPER DIGITS "_+=,.@-/", "a role is its name or its ARN", false, 576};

static enum cof_err read_arn(struct reader *r, const struct arn_kind *kind, struct cof_view v, char *out, size_t size)
{
    const struct cof_deployment *d = r->out;
    struct cof_view arn, partition, service, region, account, rest = v;
    int n;

    if (!cof_view_starts(v, COF_LIT("arn:"))) {
        if (kind == &key_kind && cof_view_starts(v, COF_LIT("alias/"))) {
            (void)complain(r, "a key by its alias", v);
            cof_diag_hint(r->diag, "an alias can be pointed at another key: write the key's id or ARN");
            return COF_E_CONFIG;
        }
        if (v.len > kind->name_max || !all_of(v, kind->chars))
            return complain(r, kind->what, v);
        n = snprintf(out, size, "arn:aws:%s:%s:%s:%s%.*s", kind->service, kind->regional ? d->region : "", d->account, kind->prefix,
                     (int)v.len, (const char *)v.data);
        return n < 0 || (size_t)n >= size ? complain(r, "too long", v) : COF_OK;
    }
    if (!cof_view_split(rest, ':', &arn, &rest) || !cof_view_split(rest, ':', &partition, &rest) ||
        !cof_view_split(rest, ':', &service, &rest) || !cof_view_split(rest, ':', &region, &rest) ||
        !cof_view_split(rest, ':', &account, &rest) || !cof_view_eq_str(partition, "aws") ||
        !cof_view_eq_str(service, kind->service) || !cof_view_starts(rest, cof_view_str(kind->prefix)) ||
        !all_of(cof_view_sub(rest, strlen(kind->prefix), SIZE_MAX), kind->chars))
        return complain(r, kind->what, v);
    if (!cof_view_eq_str(region, kind->regional ? d->region : ""))
        return complain(r, kind->regional ? "an ARN of another region than the deployment's" : "this ARN has no region", v);
    if (!cof_view_eq_str(account, d->account))
        return complain(r, "an ARN of another account than the deployment's", v);
    if (v.len >= size)
        return complain(r, "too long", v);
    copy(out, size, v);
    return COF_OK;
}

struct arn_member {
    const char *name, *fallback;
};

static enum cof_err get_arns(struct reader *r, json_t *root, const char *group, const struct arn_kind *kind,
                             const struct arn_member *members, size_t n, enum cof_deployment_arn first, bool optional)
{
    const char *names[8] = {NULL};
    json_t *object = json_object_get(root, group);
    enum cof_err err = COF_OK;

    for (size_t i = 0; i < n; i++)
        names[i] = members[i].name;
    if (object == NULL && !optional) {
        char what[64];

        (void)snprintf(what, sizeof what, "member \"%s\" is missing", group);
        return complain(r, what, (struct cof_view){NULL, 0});
    }
    cof_locate_push_key(&r->path, group);
    if (object != NULL)
        err = only(r, object, names);
    for (size_t i = 0; i < n && err == COF_OK; i++) {
        char *out = r->out->arns[first + i];
        struct cof_view v = {NULL, 0};

        err = get_text(r, object, members[i].name, members[i].fallback, &v);
        if (err == COF_OK)
            err = read_arn(r, kind, v, out, sizeof r->out->arns[0]);
        for (size_t k = 0; k < i && err == COF_OK; k++)
            if (strcmp(out, r->out->arns[first + k]) == 0) {
                err = complain(r, "the same as another one, and they must be apart", v);
                cof_diag_hint(r->diag, "it is \"%s\" already", members[k].name);
            }
        if (err == COF_OK)
            cof_locate_pop(&r->path);
    }
    if (err == COF_OK)
        cof_locate_pop(&r->path);
    return err;
}

/* With the number of digits, where that is what is wrong. */
static enum cof_err complain_pcr(struct reader *r, const char *wrong, struct cof_view v)
{
    char what[64];

    if (v.len == COF_PCR_HEX || v.len == 64 || !all_of(v, DIGITS "abcdefABCDEF"))
        return complain(r, wrong, v);
    (void)snprintf(what, sizeof what, "a PCR is 96 hex digits, and this has %zu", v.len);
    return complain(r, what, v);
}

static enum cof_err get_pcr(struct reader *r, const json_t *object, const char *name, char out[static COF_PCR_HEX + 1])
{
    struct cof_view v = {NULL, 0};
    enum cof_err err = get_text(r, object, name, NULL, &v);
    const char *wrong;

    if (err != COF_OK)
        return err;
    wrong = cof_pcr_read(v, out);
    if (wrong != NULL) {
        err = complain_pcr(r, wrong, v);
        cof_diag_hint(r->diag, "`coffer eif describe --json` prints an image's, `coffer model measure --json` a model's");
        return err;
    }
    cof_locate_pop(&r->path);
    return COF_OK;
}

static const char *const image_members[] = {"PCR0", "PCR1", "PCR2", "PCR8", "HashAlgorithm", NULL};
static const char *const model_members[] = {"PCR16", "sha384", "sha256", NULL};

static enum cof_err read_image(struct reader *r, json_t *object, struct cof_deployment_entry *out)
{
    static const char *const names[3] = {"PCR0", "PCR1", "PCR2"};
    enum cof_err err = only(r, object, image_members);

    for (size_t i = 0; i < 3 && err == COF_OK; i++)
        err = get_pcr(r, object, names[i], out->pcr[i]);
    return err;
}

static enum cof_err read_model(struct reader *r, json_t *value, struct cof_deployment_entry *out)
{
    const char *wrong;
    enum cof_err err;

    if (json_is_string(value)) {
        wrong = cof_pcr_read(view_of(value), out->pcr[0]);
        return wrong == NULL ? COF_OK : complain_pcr(r, wrong, view_of(value));
    }
    err = only(r, value, model_members);
    return err == COF_OK ? get_pcr(r, value, "PCR16", out->pcr[0]) : err;
}

static enum cof_err read_entry(struct reader *r, bool model, json_t *value, struct cof_deployment_entry *out)
{
    static const char *const file_only[] = {"$file", NULL};
    struct cof_view file;
    enum cof_err err;

    cof_locate(r->text, &r->path, &out->line, &out->column);
    if (json_object_get(value, "$file") == NULL)
        return model ? read_model(r, value, out) : read_image(r, value, out);
    err = only(r, value, file_only);
    if (err == COF_OK)
        err = get_text(r, value, "$file", NULL, &file);
    if (err != COF_OK)
        return err;
    if (file.len == 0 || file.len >= sizeof out->file || cof_view_find(file, '\0') != SIZE_MAX)
        return complain(r, "no file's name", file);
    copy(out->file, sizeof out->file, file);
    cof_locate_pop(&r->path);
    return COF_OK;
}

/* The list under name, or NULL where there is none (and need not be); the path then stands under it. */
static enum cof_err get_list(struct reader *r, const json_t *root, const char *name, size_t min, size_t max, json_t **out)
{
    char what[80];

    *out = json_object_get(root, name);
    if (*out == NULL && min == 0)
        return COF_OK;
    (void)snprintf(what, sizeof what, *out == NULL ? "member \"%s\" is missing" : "\"%s\" is a list of %zu to %zu", name, min, max);
    if (*out == NULL)
        return complain(r, what, (struct cof_view){NULL, 0});
    cof_locate_push_key(&r->path, name);
    if (!json_is_array(*out) || json_array_size(*out) < min || json_array_size(*out) > max)
        return complain(r, what, (struct cof_view){NULL, 0});
    return COF_OK;
}

static enum cof_err get_entries(struct reader *r, const json_t *root, bool model)
{
    struct cof_deployment_entry *entries = model ? r->out->models : r->out->images;
    size_t *n = model ? &r->out->n_models : &r->out->n_images;
    json_t *list;
    enum cof_err err = get_list(r, root, model ? "models" : "images", model ? 0 : 1,
                                model ? COF_DEPLOYMENT_LIST_MAX : COF_DEPLOYMENT_IMAGES_MAX, &list);

    if (err == COF_E_CONFIG && !model)
        cof_diag_hint(r->diag, "before there is an image, give one whose PCRs are 96 f each: no image measures that, so nothing can be opened");
    if (err != COF_OK || list == NULL)
        return err;
    for (size_t i = 0; i < json_array_size(list) && err == COF_OK; i++) {
        cof_locate_push_index(&r->path, i);
        err = read_entry(r, model, json_array_get(list, i), &entries[i]);
        if (err == COF_OK)
            cof_locate_pop(&r->path);
    }
    *n = json_array_size(list);
    cof_locate_pop(&r->path);
    return err;
}

/* Texts of one kind, each once; item i is written to out + i * size. */
static enum cof_err get_texts(struct reader *r, const json_t *root, const char *name, bool (*right)(struct cof_view),
                              const char *otherwise, const char *not_this, char *out, size_t size, size_t *n)
{
    json_t *list;
    enum cof_err err = get_list(r, root, name, 0, COF_DEPLOYMENT_LIST_MAX, &list);

    if (err != COF_OK || list == NULL)
        return err;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);

        cof_locate_push_index(&r->path, i);
        if (!json_is_string(item) || !right(view_of(item)))
            return complain(r, otherwise, json_is_string(item) ? view_of(item) : (struct cof_view){NULL, 0});
        for (size_t k = 0; k < i; k++)
            if (cof_view_eq_str(view_of(item), out + k * size))
                return complain(r, "named twice", view_of(item));
        if (not_this != NULL && cof_view_eq_str(view_of(item), not_this))
            return complain(r, "this is the deployment's own account", view_of(item));
        copy(out + i * size, size, view_of(item));
        cof_locate_pop(&r->path);
    }
    *n = json_array_size(list);
    cof_locate_pop(&r->path);
    return COF_OK;
}

static enum cof_err read_all(struct reader *r, json_t *root)
{
    static const char *const members[] = {
        "account", "region", "bucket", "keys", "queues", "roles", "images", "models", "vpc_endpoints", "source_accounts", NULL};
    static const struct arn_member keys[] = {{"data", NULL}, {"results", NULL}, {"models", NULL}, {"storage", NULL}};
    static const struct arn_member queues[] = {{"jobs", "coffer-jobs"}, {"dead_letter", "coffer-jobs-dead"}};
    static const struct arn_member roles[] = {{"producer", "coffer-producer"}, {"consumer", "coffer-consumer"},
        {"owner", "coffer-owner"}, {"deployer", "coffer-deployer"}, {"auditor", "coffer-auditor"}, {"admin", "coffer-admin"}};
    struct cof_deployment *d = r->out;
    enum cof_err err = only(r, root, members);

    if (err == COF_OK)
        err = get_checked(r, root, "account", is_account, "an account is twelve digits in quotes", d->account, sizeof d->account);
    if (err == COF_OK)
        err = get_checked(r, root, "region", is_region, "no region (as in eu-west-1)", d->region, sizeof d->region);
    if (err == COF_OK)
        err = get_checked(r, root, "bucket", is_bucket, "no bucket's name (3 to 63 of a-z 0-9 - .)", d->bucket, sizeof d->bucket);
    if (err == COF_OK)
        err = get_arns(r, root, "keys", &key_kind, keys, 4, COF_ARN_DATA_KEY, false);
    if (err == COF_OK)
        err = get_arns(r, root, "queues", &queue_kind, queues, 2, COF_ARN_JOBS_QUEUE, true);
    if (err == COF_OK)
        err = get_arns(r, root, "roles", &role_kind, roles, 6, COF_ARN_PRODUCER_ROLE, true);
    if (err == COF_OK)
        err = get_entries(r, root, false);
    if (err == COF_OK)
        err = get_entries(r, root, true);
    if (err == COF_OK)
        err = get_texts(r, root, "vpc_endpoints", is_endpoint, "a VPC endpoint is vpce- and 17 (or 8) hex digits", NULL,
                        d->endpoints[0], sizeof d->endpoints[0], &d->n_endpoints);
    if (err == COF_OK)
        err = get_texts(r, root, "source_accounts", is_account, "an account is twelve digits in quotes", d->account,
                        d->source_accounts[0], sizeof d->source_accounts[0], &d->n_source_accounts);
    return err;
}

enum cof_err cof_deployment_parse(struct cof_view text, struct cof_deployment *out, struct cof_diag *diag)
{
    struct reader r = {.text = text, .out = out, .diag = diag};
    json_t *root = NULL;
    enum cof_err err;

    memset(out, 0, sizeof *out);
    err = parse(text, &root, diag);
    if (err == COF_OK)
        err = read_all(&r, root);
    json_decref(root);
    if (err != COF_OK)
        memset(out, 0, sizeof *out);
    return err;
}

static enum cof_err sound(const json_t *description, struct cof_diag *diag)
{
    if (json_is_false(json_object_get(description, "CheckCRC")))
        return cof_diag_set(diag, COF_E_AUTH, "the image's CRC is wrong: it was damaged");
    if (json_is_false(json_object_get(description, "SignatureCheck")))
        return cof_diag_set(diag, COF_E_AUTH, "the image's signature does not hold");
    return COF_OK;
}

enum cof_err cof_deployment_fill(struct cof_deployment_entry *entry, bool model, struct cof_view text, struct cof_diag *diag)
{
    struct reader r = {.text = text, .diag = diag};
    json_t *root = NULL, *inner;
    enum cof_err err = parse(text, &root, diag);

    if (err == COF_OK) {
        /* describe prints more than the measurements; of the rest, what it found wrong with the image counts */
        inner = model ? NULL : json_object_get(root, "Measurements");
        if (inner != NULL) {
            err = sound(root, diag);
            cof_locate_push_key(&r.path, "Measurements");
        }
        if (err == COF_OK)
            err = model ? read_model(&r, root, entry) : read_image(&r, inner != NULL ? inner : root, entry);
    }
    json_decref(root);
    return err;
}

enum cof_err cof_deployment_image(struct cof_view text, struct cof_deployment_entry *out, struct cof_diag *diag)
{
    memset(out, 0, sizeof *out);
    return cof_deployment_fill(out, false, text, diag);
}

/* PCR0 covers all that PCR1 and PCR2 cover: with one PCR0 the others cannot differ. */
static enum cof_err compare(const struct cof_deployment_entry *a, const struct cof_deployment_entry *b, bool model,
                            struct cof_diag *diag)
{
    if (strcmp(a->pcr[0], b->pcr[0]) != 0)
        return COF_OK;
    if (model || (strcmp(a->pcr[1], b->pcr[1]) == 0 && strcmp(a->pcr[2], b->pcr[2]) == 0))
        return cof_diag_set(diag, COF_E_CONFIG, "line %zu, column %zu: the same %s as in line %zu", b->line, b->column,
                            model ? "model" : "image", a->line);
    return cof_diag_set(diag, COF_E_CONFIG,
                        "line %zu, column %zu: the PCR0 of the image in line %zu, with another PCR1 or PCR2: one of them is wrong",
                        b->line, b->column, a->line);
}

static enum cof_err compare_all(const struct cof_deployment_entry *entries, size_t n, bool model, struct cof_diag *diag)
{
    enum cof_err err = COF_OK;

    for (size_t i = 1; i < n; i++)
        for (size_t k = 0; k < i && err == COF_OK; k++)
            err = compare(&entries[k], &entries[i], model, diag);
    return err;
}

enum cof_err cof_deployment_check(const struct cof_deployment *d, struct cof_diag *diag)
{
    enum cof_err err = compare_all(d->images, d->n_images, false, diag);

    return err == COF_OK ? compare_all(d->models, d->n_models, true, diag) : err;
}
