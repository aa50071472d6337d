/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "crypto/hash.h"
#include "engine/kms_call.h"
#include "format/json.h"

#include <string.h>

#define DOCUMENT_S_MAX 240 /* KMS takes no document that is older than five minutes */

static enum cof_err text(const json_t *o, const char *name, char *out, size_t size, struct cof_diag *diag)
{
    struct cof_view v;
    enum cof_err err = cof_json_text(o, name, &v, diag);

    if (err != COF_OK)
        return err;
    if (v.len == 0 || v.len >= size || cof_view_find(v, 0) != SIZE_MAX)
        return cof_diag_set(diag, COF_E_CONFIG, "configuration: \"%s\" is empty or too long", name);
    memcpy(out, v.data, v.len);
    out[v.len] = '\0';
    return COF_OK;
}

static enum cof_err key_arn(const json_t *o, const char *name, const struct config *c, char out[300], struct cof_diag *diag)
{
    char prefix[160];
    enum cof_err err = text(o, name, out, 300, diag);

    (void)snprintf(prefix, sizeof prefix, ":kms:%s:%s:key/", c->region, c->account);
    if (err == COF_OK && (!cof_kms_is_key_arn(cof_view_str(out)) || strstr(out, prefix) == NULL))
        err = cof_diag_set(diag, COF_E_CONFIG, "configuration: \"%s\" must be a full key ARN of the region and account", name);
    return err;
}

static enum cof_err endpoints(const json_t *o, struct config *c, struct cof_diag *diag)
{
    char url[300];
    enum cof_err err = COF_OK;

    for (int i = 0; err == COF_OK && i < 4; i++) {
        err = text(o, cof_aws_service_name((enum cof_aws_service)i), url, sizeof url, diag);
        if (err == COF_OK)
            err = cof_aws_endpoint_parse(url, &c->endpoints[i], diag);
        if (err == COF_OK && !c->endpoints[i].https)
            err = cof_diag_set(diag, COF_E_CONFIG, "configuration: endpoints must be https: TLS ends in the enclave");
        if (strstr(url, ".amazonaws.com") != NULL)
            c->endpoints[i].custom = false;
    }
    return err;
}

static enum cof_err processor(const json_t *o, struct config *c, struct cof_diag *diag)
{
    const json_t *args = json_object_get(o, "args");
    size_t n = json_array_size(args);
    int64_t ms;
    enum cof_err err = cof_json_int_or(o, "timeout_ms", 1000, 3600000, 60000, &ms, diag);

    if (err != COF_OK)
        return err;
    c->processor_ms = ms;
    if (n == 0 || n > PROCESSOR_ARGS_MAX)
        return cof_diag_set(diag, COF_E_CONFIG, "configuration: \"args\" must be a list of 1 to %d texts", PROCESSOR_ARGS_MAX);
    for (size_t i = 0; i < n; i++) {
        const char *arg = json_string_value(json_array_get(args, i));
        if (arg == NULL || strlen(arg) >= sizeof c->args[i])
            return cof_diag_set(diag, COF_E_CONFIG, "configuration: \"args\" must be a list of short texts");
        memcpy(c->args[i], arg, strlen(arg) + 1);
        c->argv[i] = c->args[i];
    }
    return COF_OK;
}

static enum cof_err model(const json_t *o, struct config *c, struct cof_diag *diag)
{
    static const char *const names[] = {"key", "key_arn", NULL};
    enum cof_err err;

    if (o == NULL)
        return COF_OK;
    err = json_is_object(o) ? cof_json_only(o, names, diag) : cof_diag_set(diag, COF_E_CONFIG, "configuration: \"model\" must be an object");
    if (err == COF_OK)
        err = text(o, "key", c->model_key, sizeof c->model_key, diag);
    return err == COF_OK ? key_arn(o, "key_arn", c, c->model_key_arn, diag) : err;
}

static enum cof_err recipient_key(const json_t *o, struct config *c, struct cof_diag *diag)
{
    static const char *const names[] = {"rsa_bits", "epoch_s", "document_s", NULL};
    int64_t bits = 2048, epoch_s = 600, document_s = 0;
    enum cof_err err = COF_OK;

    if (o != NULL)
        err = json_is_object(o) ? cof_json_only(o, names, diag)
                                : cof_diag_set(diag, COF_E_CONFIG, "configuration: \"recipient_key\" must be an object");
    if (o != NULL && err == COF_OK)
        err = cof_json_int_or(o, "rsa_bits", 2048, 4096, 2048, &bits, diag);
    if (o != NULL && err == COF_OK)
        err = cof_json_int_or(o, "epoch_s", 0, 86400, 600, &epoch_s, diag);
    if (o != NULL && err == COF_OK)
        err = cof_json_int_or(o, "document_s", 0, DOCUMENT_S_MAX, 0, &document_s, diag);
    if (err == COF_OK && bits != 2048 && bits != 3072 && bits != 4096)
        err = cof_diag_set(diag, COF_E_CONFIG, "configuration: \"rsa_bits\" must be 2048, 3072 or 4096");
    if (err == COF_OK && document_s > epoch_s)
        err = cof_diag_set(diag, COF_E_CONFIG, "configuration: \"document_s\" is more than \"epoch_s\": a document names one key");
    c->recipient_bits = (unsigned)bits;
    c->recipient_epoch_ms = epoch_s * 1000;
    c->recipient_document_ms = document_s * 1000;
    return err;
}

/* What of a result's size and time the host sees (C-24). */
static enum cof_err results(const json_t *o, struct config *c, struct cof_diag *diag)
{
    static const char *const names[] = {"padding", "release_ms", NULL};
    struct cof_view padding;
    enum cof_err err;

    if (o == NULL)
        return COF_OK;
    err = json_is_object(o) ? cof_json_only(o, names, diag) : cof_diag_set(diag, COF_E_CONFIG, "configuration: \"results\" must be an object");
    if (err == COF_OK)
        err = cof_json_text_or(o, "padding", "none", &padding, diag);
    if (err == COF_OK && !cof_view_eq_str(padding, "none") && cof_pad_parse(padding, &c->result_pad) != COF_OK)
        err = cof_diag_set(diag, COF_E_CONFIG, "configuration: \"padding\" must be \"none\", \"padme-N\" or \"step-N\", N %d to %d bytes",
                           COF_PAD_BYTES_MIN, COF_PAD_BYTES_MAX);
    return err == COF_OK ? cof_json_int_or(o, "release_ms", 0, 3600000, 0, &c->release_ms, diag) : err;
}

/* An address that need not be there. */
static enum cof_err address_or_none(const json_t *o, const char *name, bool *has, struct cof_addr *out, struct cof_diag *diag)
{
    struct cof_view v;
    char address[300];
    enum cof_err err = cof_json_text_or(o, name, "", &v, diag);

    *has = err == COF_OK && v.len > 0;
    if (*has)
        err = text(o, name, address, sizeof address, diag);
    return *has && err == COF_OK ? cof_addr_parse(address, out, diag) : err;
}

/* What only an image's first process asks for (init.h). */
static enum cof_err image_members(const json_t *o, struct config *c, struct cof_diag *diag)
{
    const json_t *clocks = json_object_get(o, "clocks");

    (void)snprintf(c->clocks[0], sizeof c->clocks[0], "kvm-clock");
    c->n_clocks = 1;
    if (clocks != NULL && (json_array_size(clocks) == 0 || json_array_size(clocks) > CLOCKS_MAX))
        return cof_diag_set(diag, COF_E_CONFIG, "configuration: \"clocks\" must be a list of 1 to %d names", CLOCKS_MAX);
    for (size_t i = 0; i < json_array_size(clocks); i++) {
        const char *name = json_string_value(json_array_get(clocks, i));

        if (name == NULL || name[0] == '\0' || strlen(name) >= sizeof c->clocks[0])
            return cof_diag_set(diag, COF_E_CONFIG, "configuration: \"clocks\" must be a list of short names");
        memcpy(c->clocks[i], name, strlen(name) + 1);
        c->n_clocks = i + 1;
    }
    return address_or_none(o, "heartbeat", &c->has_heartbeat, &c->heartbeat, diag);
}

static enum cof_err read_members(const json_t *o, struct config *c, struct cof_diag *diag)
{
    static const char *const names[] = {"version", "region", "account", "bucket", "queue_url", "data_key_arn",
        "results_key_arn", "endpoints", "ca_pem", "host", "max_bytes", "jobs", "visibility_s", "processor",
        "model", "recipient_key", "results", "allow_debug", "clocks", "heartbeat", "telemetry", NULL};
    char host[300];
    struct cof_view pem;
    int64_t version, max_bytes, jobs, visibility_s;
    enum cof_err err = cof_json_only(o, names, diag);

    if (err == COF_OK)
        err = cof_json_int(o, "version", 1, 1, &version, diag);
    if (err == COF_OK)
        err = text(o, "region", c->region, sizeof c->region, diag);
    if (err == COF_OK)
        err = text(o, "account", c->account, sizeof c->account, diag);
    if (err == COF_OK)
        err = text(o, "bucket", c->bucket, sizeof c->bucket, diag);
    if (err == COF_OK)
        err = text(o, "queue_url", c->queue_url, sizeof c->queue_url, diag);
    if (err == COF_OK)
        err = key_arn(o, "data_key_arn", c, c->data_key_arn, diag);
    if (err == COF_OK)
        err = key_arn(o, "results_key_arn", c, c->results_key_arn, diag);
    if (err == COF_OK)
        err = endpoints(json_object_get(o, "endpoints"), c, diag);
    if (err == COF_OK)
        err = cof_json_text(o, "ca_pem", &pem, diag);
    if (err == COF_OK) {
        cof_buf_add(&c->ca_pem, pem);
        err = cof_buf_err(&c->ca_pem);
    }
    if (err == COF_OK)
        err = text(o, "host", host, sizeof host, diag);
    if (err == COF_OK)
        err = cof_addr_parse(host, &c->host, diag);
    if (err == COF_OK)
        err = cof_json_int_or(o, "max_bytes", 1024, (int64_t)1 << 32, 64 << 20, &max_bytes, diag);
    if (err == COF_OK)
        err = cof_json_int_or(o, "jobs", 1, JOBS_MAX, 1, &jobs, diag);
    if (err == COF_OK)
        err = cof_json_int_or(o, "visibility_s", 10, 43200, 60, &visibility_s, diag);
    if (err == COF_OK)
        err = processor(json_object_get(o, "processor"), c, diag);
    if (err == COF_OK)
        err = model(json_object_get(o, "model"), c, diag);
    if (err == COF_OK)
        err = recipient_key(json_object_get(o, "recipient_key"), c, diag);
    if (err == COF_OK)
        err = results(json_object_get(o, "results"), c, diag);
    if (err == COF_OK)
        err = cof_json_bool_or(o, "allow_debug", false, &c->allow_debug, diag);
    if (err == COF_OK)
        err = image_members(o, c, diag);
    if (err == COF_OK)
        err = address_or_none(o, "telemetry", &c->has_telemetry, &c->telemetry, diag);
    if (err == COF_OK) {
        c->max_bytes = (uint64_t)max_bytes;
        c->jobs = (size_t)jobs;
        c->visibility_s = (uint32_t)visibility_s;
    }
    return err;
}

enum cof_err config_parse(struct cof_view file, struct config *out, struct cof_diag *diag)
{
    json_t *object;
    enum cof_err err = cof_json_parse_object(file, CONFIG_MAX, &object, diag);

    *out = (struct config){0};
    cof_buf_init(&out->ca_pem, CONFIG_MAX);
    if (err != COF_OK)
        return err;
    err = cof_hash_once(COF_SHA256, file, out->sha256);
    if (err == COF_OK)
        err = read_members(object, out, diag);
    json_decref(object);
    if (err != COF_OK)
        config_done(out);
    return err;
}

void config_done(struct config *config)
{
    cof_buf_done(&config->ca_pem);
}
