/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/generate.h"

#include "format/json.h"
#include "policy/template.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 16
#define TEXT_MAX ((size_t)1 << 20)

struct job {
    const struct cof_generate_value *values;
    size_t n_values;
    struct cof_diag *diag;
};

static const struct cof_generate_value *find(const struct job *job, struct cof_view name)
{
    for (size_t i = 0; i < job->n_values; i++)
        if (cof_view_eq_str(name, job->values[i].name))
            return &job->values[i];
    return NULL;
}

/* The value that "${name}" alone stands for; NULL when the text is anything else. */
static const struct cof_generate_value *alone(const struct job *job, const json_t *item)
{
    struct cof_view text;

    if (!json_is_string(item))
        return NULL;
    text = cof_view_of(json_string_value(item), json_string_length(item));
    if (!cof_view_starts(text, COF_LIT("${")) || cof_view_find(text, '}') != text.len - 1)
        return NULL;
    return find(job, cof_view_sub(text, 2, text.len - 3));
}

static enum cof_err fill_text(const struct job *job, const json_t *value, json_t **out)
{
    struct cof_template_value singles[COF_GENERATE_VALUES_MAX];
    struct cof_buf filled;
    size_t n = 0;
    char *raw = json_dumps(value, JSON_ENCODE_ANY);
    enum cof_err err = raw == NULL ? COF_E_MEMORY : COF_OK;

    for (size_t i = 0; i < job->n_values && n < COF_GENERATE_VALUES_MAX; i++)
        if (job->values[i].n == 1)
            singles[n++] = (struct cof_template_value){job->values[i].name, job->values[i].items[0]};
    cof_buf_init(&filled, TEXT_MAX);
    if (err == COF_OK) {
        const struct cof_generate_value *list;

        err = cof_template_fill(cof_view_str(raw), singles, n, &filled, job->diag);
        list = err == COF_E_CONFIG ? alone(job, value) : NULL;
        if (list != NULL && list->n == 0)
            err = cof_diag_set(job->diag, COF_E_CONFIG, "no value for ${%s}", list->name);
        else if (list != NULL)
            err = cof_diag_set(job->diag, COF_E_CONFIG, "${%s} has %zu values and is no element of a list", list->name, list->n);
    }
    if (err == COF_OK) {
        *out = json_loadb((const char *)filled.data, filled.len, JSON_DECODE_ANY, NULL);
        err = *out == NULL ? COF_E_FORMAT : COF_OK;
    }
    cof_buf_done(&filled);
    free(raw);
    return err;
}

static enum cof_err fill(const struct job *job, json_t *value, int depth, json_t **out);

static enum cof_err add_list(const struct cof_generate_value *list, json_t *array)
{
    for (size_t i = 0; i < list->n; i++)
        if (json_array_append_new(array, json_string(list->items[i])) != 0)
            return COF_E_MEMORY;
    return COF_OK;
}

static enum cof_err fill_array(const struct job *job, json_t *value, int depth, json_t *array)
{
    enum cof_err err = COF_OK;

    for (size_t i = 0; i < json_array_size(value) && err == COF_OK; i++) {
        json_t *item = json_array_get(value, i);
        const struct cof_generate_value *list = alone(job, item);
        json_t *done = NULL;

        if (list != NULL && list->n > 0) {
            err = add_list(list, array);
            continue;
        }
        err = fill(job, item, depth + 1, &done);
        if (err == COF_OK && json_array_append_new(array, done) != 0)
            err = COF_E_MEMORY;
    }
    return err;
}

static enum cof_err fill_object(const struct job *job, json_t *value, int depth, json_t *object)
{
    const char *name;
    json_t *item;

    json_object_foreach(value, name, item) {
        json_t *done = NULL;
        enum cof_err err = fill(job, item, depth + 1, &done);

        if (err == COF_OK && json_object_set_new(object, name, done) != 0)
            err = COF_E_MEMORY;
        if (err != COF_OK)
            return err;
    }
    return COF_OK;
}

static enum cof_err fill(const struct job *job, json_t *value, int depth, json_t **out)
{
    enum cof_err err;

    *out = NULL;
    if (depth > DEPTH_MAX)
        return cof_diag_set(job->diag, COF_E_LIMIT, "the template is nested too deeply");
    if (json_is_string(value))
        return fill_text(job, value, out);
    *out = json_is_object(value) ? json_object() : json_is_array(value) ? json_array() : json_deep_copy(value);
    if (*out == NULL)
        return COF_E_MEMORY;
    err = json_is_object(value)  ? fill_object(job, value, depth, *out)
          : json_is_array(value) ? fill_array(job, value, depth, *out)
                                 : COF_OK;
    if (err != COF_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return err;
}

static enum cof_err read_template(struct cof_view text, json_t **root, json_t **statements, struct cof_diag *diag)
{
    enum cof_err err = cof_json_parse_object(text, TEXT_MAX, root, diag);

    if (err != COF_OK)
        return err;
    *statements = json_object_get(*root, "Statement");
    if (!json_is_array(*statements)) {
        json_decref(*root);
        *root = NULL;
        return cof_diag_set(diag, COF_E_FORMAT, "a template's Statement is a list");
    }
    return COF_OK;
}

static bool same_sid(const json_t *a, const json_t *b)
{
    const char *x = json_string_value(json_object_get(a, "Sid")), *y = json_string_value(json_object_get(b, "Sid"));

    return x != NULL && y != NULL && strcmp(x, y) == 0;
}

/* Statements of the supplement take the place of those with their Sid, or follow the others. */
static enum cof_err supplement(json_t *statements, struct cof_view text, struct cof_diag *diag)
{
    json_t *root = NULL, *more = NULL;
    enum cof_err err = read_template(text, &root, &more, diag);

    for (size_t i = 0; err == COF_OK && i < json_array_size(more); i++) {
        json_t *statement = json_array_get(more, i);
        size_t at = 0;

        while (at < json_array_size(statements) && !same_sid(json_array_get(statements, at), statement))
            at++;
        if ((at < json_array_size(statements) ? json_array_set(statements, at, statement)
                                              : json_array_append(statements, statement)) != 0)
            err = COF_E_MEMORY;
    }
    json_decref(root);
    return err;
}

/* IAM and S3 quotas, KMS "Key policy" (32 KB); SQS also counts: 7 actions and 10 conditions a statement, 20 statements. A trust
 * policy has 2,048 characters unless the quota was raised; so have all policies in one user together. */
static const struct cof_generate_limit limits[] = {
    {"trust-", 2048}, {"key-", 32768}, {"bucket-policy", 20480}, {"queue-policy", 8192}, {"device-", 2048}, {"", 10240},
};

const struct cof_generate_limit *cof_generate_limit(const char *name)
{
    size_t i = 0;

    while (strncmp(name, limits[i].name, strlen(limits[i].name)) != 0)
        i++;
    return &limits[i];
}

static size_t count_of(const json_t *value)
{
    return json_is_array(value) ? json_array_size(value) : 1;
}

#define SQS_ACTIONS_MAX 7
#define SQS_STATEMENTS_MAX 20

static enum cof_err check_limits(const char *name, const json_t *policy, struct cof_diag *diag)
{
    const struct cof_generate_limit *limit = cof_generate_limit(name);
    const json_t *statements = json_object_get(policy, "Statement");
    bool sqs = strcmp(limit->name, "queue-policy") == 0;
    char *compact = json_dumps(policy, JSON_COMPACT);
    size_t len = compact == NULL ? 0 : strlen(compact);

    free(compact);
    if (compact == NULL)
        return COF_E_MEMORY;
    if (len > limit->bytes)
        return cof_diag_set(diag, COF_E_LIMIT, "%s: %zu characters, and AWS takes %zu: name fewer images or endpoints", name, len,
                            limit->bytes);
    if (sqs && json_array_size(statements) > SQS_STATEMENTS_MAX)
        return cof_diag_set(diag, COF_E_LIMIT, "%s: SQS takes %d statements at most", name, SQS_STATEMENTS_MAX);
    for (size_t i = 0; sqs && i < json_array_size(statements); i++)
        if (count_of(json_object_get(json_array_get(statements, i), "Action")) > SQS_ACTIONS_MAX)
            return cof_diag_set(diag, COF_E_LIMIT, "%s: statement %zu: SQS takes %d actions a statement at most", name, i + 1,
                                SQS_ACTIONS_MAX);
    return COF_OK;
}

enum cof_err cof_generate_policy(const char *name, struct cof_view text, const struct cof_view *supplements,
                                 size_t n_supplements, const struct cof_generate_value *values, size_t n_values,
                                 struct cof_buf *out, struct cof_diag *diag)
{
    const struct job job = {values, n_values, diag};
    json_t *root = NULL, *statements = NULL, *filled = NULL;
    char *dumped = NULL;
    enum cof_err err = read_template(text, &root, &statements, diag);

    for (size_t i = 0; i < n_supplements && err == COF_OK; i++)
        err = supplement(statements, supplements[i], diag);
    if (err == COF_OK)
        err = fill(&job, root, 0, &filled);
    if (err == COF_OK)
        err = check_limits(name, filled, diag);
    if (err == COF_OK) {
        dumped = json_dumps(filled, JSON_INDENT(2));
        err = dumped == NULL ? COF_E_MEMORY : COF_OK;
    }
    if (err == COF_OK) {
        cof_buf_add_str(out, dumped);
        cof_buf_add_str(out, "\n");
        err = cof_buf_err(out);
    }
    free(dumped);
    json_decref(filled);
    json_decref(root);
    return err;
}

static bool has(const char *const *items, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(items[i], text) == 0)
            return true;
    return false;
}

static void add_single(struct cof_generate_values *out, const char *name, const char *text)
{
    out->singles[out->n] = text;
    out->values[out->n] = (struct cof_generate_value){name, &out->singles[out->n], 1};
    out->n++;
}

void cof_generate_values(const struct cof_deployment *d, struct cof_generate_values *out)
{
    static const char *const arns[COF_ARN_COUNT] = {
        [COF_ARN_DATA_KEY] = "data_key_arn", [COF_ARN_RESULTS_KEY] = "results_key_arn", [COF_ARN_MODELS_KEY] = "models_key_arn",
        [COF_ARN_STORAGE_KEY] = "storage_key_arn", [COF_ARN_JOBS_QUEUE] = "jobs_queue_arn",
        [COF_ARN_DEAD_LETTER_QUEUE] = "dead_letter_queue_arn", [COF_ARN_PRODUCER_ROLE] = "producer_role_arn",
        [COF_ARN_CONSUMER_ROLE] = "consumer_role_arn", [COF_ARN_OWNER_ROLE] = "owner_role_arn",
        [COF_ARN_DEPLOYER_ROLE] = "deployer_role_arn", [COF_ARN_AUDITOR_ROLE] = "auditor_role_arn",
        [COF_ARN_ADMIN_ROLE] = "admin_role_arn"};
    static const char *const names[6] = {"pcr0", "pcr1", "pcr2", "pcr16", "vpc_endpoint", "source_account"};
    size_t n[6] = {0};

    *out = (struct cof_generate_values){.n = 0};
    add_single(out, "account", d->account);
    add_single(out, "region", d->region);
    add_single(out, "bucket", d->bucket);
    for (size_t i = 0; i < COF_ARN_COUNT; i++)
        add_single(out, arns[i], d->arns[i]);
    for (size_t i = 0; i < d->n_images; i++) /* images often share a kernel, and so PCR1 */
        for (size_t r = 0; r < 3; r++)
            if (!has(out->lists[r], n[r], d->images[i].pcr[r]))
                out->lists[r][n[r]++] = d->images[i].pcr[r];
    for (size_t i = 0; i < d->n_models; i++)
        out->lists[3][n[3]++] = d->models[i].pcr[0];
    for (size_t i = 0; i < d->n_endpoints; i++)
        out->lists[4][n[4]++] = d->endpoints[i];
    for (size_t i = 0; i < d->n_source_accounts; i++)
        out->lists[5][n[5]++] = d->source_accounts[i];
    for (size_t i = 0; i < 6; i++)
        out->values[out->n++] = (struct cof_generate_value){names[i], out->lists[i], n[i]};
}
