/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer submit, status and result: a job from the device's and from the owner's side.
 */
#include "common.h"
#include "expected.h"
#include "gateway.h"
#include "receipt_view.h"
#include "verbs.h"

#include "base/codec.h"
#include "client/keyring_kms.h"
#include "client/s3.h"
#include "crypto/hash.h"
#include "engine/cmm.h"
#include "engine/job.h"
#include "engine/pad.h"
#include "format/json.h"
#include "io/file.h"
#include "io/rng_os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REPLY_MAX 65536
#define RESULT_MAX ((size_t)256 << 20)
#define SALT_LABEL "receipt salt v1"

struct config {
    struct aws_options aws;
    struct gateway_options gateway;
    const char *type, *key;
    const char *bucket, *tenant, *results_key, *output, *receipt_file, *input;
    struct expected_options expected;
    uint64_t wait_s;
    bool json;
};

#define O(field) offsetof(struct config, field)
#define PRODUCER_OPTIONS                                                                                               \
    {"producer", 'p', COF_OPT_TEXT, "URL", "the gateway, https://HOST:PORT", O(gateway.producer)},                      \
    GATEWAY_OPTIONS(struct config),                                                                                    \
    {"json", 0, COF_OPT_FLAG, NULL, "print JSON", O(json)}

static const struct cof_option submit_options[] = {
    PRODUCER_OPTIONS,
    {"type", 't', COF_OPT_TEXT, "TYPE", "media type (default: by the file's first bytes)", O(type)},
    {"idempotency-key", 0, COF_OPT_TEXT, "TEXT", "a second submission with the same is no second job", O(key)},
};
static const struct cof_command submit_command = {
    .name = "submit",
    .args = "FILE",
    .summary = "Sends a file to the gateway as a job; prints the job's id.",
    .options = submit_options,
    .n_options = sizeof submit_options / sizeof submit_options[0],
    .min_args = 1,
    .max_args = 1,
};
static const struct cof_option status_options[] = {
    PRODUCER_OPTIONS,
    {"wait", 'w', COF_OPT_NUMBER, "SECONDS", "wait so long for the job to end", O(wait_s)},
};
static const struct cof_command status_command = {
    .name = "status",
    .args = "JOB",
    .summary = "Says what has become of a job: pending, done or refused.",
    .details = "Exit code 0: done. 3: refused. 4: pending.",
    .options = status_options,
    .n_options = sizeof status_options / sizeof status_options[0],
    .min_args = 1,
    .max_args = 1,
};
static const struct cof_option result_options[] = {
    {"output", 'o', COF_OPT_TEXT, "FILE", "where the result goes (default: standard output)", O(output)},
    {"bucket", 'b', COF_OPT_TEXT, "NAME", "where results are stored", O(bucket)},
    {"tenant", 0, COF_OPT_TEXT, "NAME", "whose job it is", O(tenant)},
    {"results-key-arn", 'k', COF_OPT_TEXT, "ARN", "the KMS key that results are sealed under", O(results_key)},
    EXPECTED_OPTIONS(struct config),
    {"input", 'i', COF_OPT_TEXT, "FILE", "the file that was submitted: is the result made from it?", O(input)},
    {"receipt", 'r', COF_OPT_TEXT, "FILE", "keep the receipt here", O(receipt_file)},
    {"json", 0, COF_OPT_FLAG, NULL, "tell what was proved as JSON (on standard error without -o)", O(json)},
    AWS_OPTIONS(struct config),
};
static const struct cof_command result_command = {
    .name = "result",
    .args = "JOB",
    .summary = "Fetches and opens a job's result with the owner's rights, and verifies its receipt.",
    .details = "Nothing is written unless everything is proved. Exit code 3: refused. 4: no result yet.",
    .options = result_options,
    .n_options = sizeof result_options / sizeof result_options[0],
    .min_args = 1,
    .max_args = 1,
};

/* --- one exchange with the gateway --- */

struct exchange {
    struct gateway gateway;
    int status, fd; /* fd: of what is sent, or -1 */
    uint64_t left;  /* of it */
    struct cof_buf reply;
    struct cof_diag *diag;
    enum cof_err err;
    bool done;
};

static enum cof_err exchange_open(struct exchange *x, const struct config *config, struct cof_diag *diag)
{
    enum cof_err err;

    *x = (struct exchange){.fd = -1, .diag = diag};
    cof_buf_init(&x->reply, REPLY_MAX);
    err = gateway_open(&x->gateway, &config->gateway, NULL, diag);
    return err == COF_OK ? gateway_ready(&x->gateway, diag) : err;
}

static void exchange_close(struct exchange *x)
{
    gateway_close(&x->gateway);
    cof_buf_done(&x->reply);
    if (x->fd >= 0)
        (void)close(x->fd);
}

static void on_writable(void *ctx, struct gateway_call *call)
{
    static uint8_t block[65536];
    struct exchange *x = ctx;
    bool more = true;

    while (more && x->left > 0) {
        size_t want = x->left < sizeof block ? (size_t)x->left : sizeof block;
        ssize_t n = read(x->fd, block, want);
        if (n <= 0) { /* the file has shrunk or cannot be read: the request must not look whole */
            x->err = cof_diag_set(x->diag, COF_E_IO, "the file could not be read to its end");
            x->done = true;
            gateway_cancel(call);
            return;
        }
        x->left -= (uint64_t)n;
        more = gateway_write(call, cof_view_of(block, (size_t)n));
    }
    if (x->left == 0)
        gateway_end(call);
}

static void on_done(void *ctx, enum cof_err err, int status, struct cof_view body, const struct cof_diag *diag)
{
    struct exchange *x = ctx;

    x->done = true;
    x->err = err;
    x->status = status;
    cof_buf_reset(&x->reply);
    cof_buf_add(&x->reply, body);
    if (err != COF_OK && diag != NULL && x->diag != NULL)
        *x->diag = *diag;
}

static enum cof_err exchange(struct exchange *x, const struct gateway_request *request)
{
    struct gateway_events events = {on_writable, on_done, x};
    struct gateway_call *call;
    enum cof_err err = gateway_start(&x->gateway, request, &events, &call);

    x->done = false;
    if (err == COF_OK)
        err = cof_loop_run_until(x->gateway.loop, &x->done, -1);
    return err == COF_OK ? x->err : err;
}

/* --- submit --- */

static enum cof_err open_file(struct exchange *x, const char *path, struct cof_diag *diag)
{
    struct stat st;

    x->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (x->fd < 0 || fstat(x->fd, &st) != 0)
        return cof_diag_set(diag, cof_err_from_errno(errno), "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return cof_diag_set(diag, COF_E_USAGE, "%s: not a file", path);
    if (st.st_size == 0)
        return cof_diag_set(diag, COF_E_USAGE, "%s: is empty", path);
    x->left = (uint64_t)st.st_size;
    return COF_OK;
}

static enum cof_err submit(const void *options_given, char **args, struct cof_diag *diag)
{
    const struct config *config = options_given;
    struct gateway_request request = {.method = "POST", .path = "/encrypt", .type = config->type, .key = config->key};
    struct exchange x;
    uint8_t first[GATEWAY_SNIFF];
    char job[COF_JOB_ID_MAX + 1];
    ssize_t n;
    enum cof_err err = exchange_open(&x, config, diag);

    if (err == COF_OK && config->key != NULL && !gateway_is_key(config->key))
        err = cof_diag_set(diag, COF_E_USAGE, "--idempotency-key: 1 to 128 letters, digits, '-', '_', '.' or ':'");
    if (err == COF_OK)
        err = open_file(&x, args[0], diag);
    if (err == COF_OK) {
        n = pread(x.fd, first, sizeof first, 0);
        request.length = x.left;
        if (request.type == NULL)
            request.type = gateway_media_type(cof_view_of(first, n > 0 ? (size_t)n : 0));
        err = exchange(&x, &request);
    }
    if (err == COF_OK)
        err = gateway_read_job(cof_buf_view(&x.reply), job, diag);
    if (err == COF_OK && config->json)
        (void)fputs(cof_buf_cstr(&x.reply), stdout);
    else if (err == COF_OK)
        (void)printf("%s\n", job);
    exchange_close(&x);
    return err;
}

/* --- status --- */

static enum cof_err status_once(struct exchange *x, const char *job, char state[16], struct cof_diag *diag)
{
    char path[128];
    struct gateway_request request = {.method = "GET", .path = path};
    struct cof_view v;
    json_t *o = NULL;
    enum cof_err err;

    if (!cof_job_is_id(cof_view_str(job)))
        return cof_diag_set(diag, COF_E_USAGE, "'%s' is not a job's id", job);
    (void)snprintf(path, sizeof path, "/jobs/%s", job);
    err = exchange(x, &request);
    if (err == COF_OK)
        err = cof_json_parse_object(cof_buf_view(&x->reply), REPLY_MAX, &o, diag);
    if (err == COF_OK)
        err = cof_json_text(o, "state", &v, diag);
    if (err == COF_OK)
        (void)snprintf(state, 16, "%.*s", (int)v.len, (const char *)v.data);
    json_decref(o);
    return err;
}

static enum cof_err status(const void *options_given, char **args, struct cof_diag *diag)
{
    const struct config *config = options_given;
    const char *job = args[0];
    struct exchange x;
    char state[16] = "";
    bool never = false;
    int64_t until_ms, pause_ms = 25;
    enum cof_err err = exchange_open(&x, config, diag);

    until_ms = err == COF_OK ? cof_loop_now_ms(x.gateway.loop) + (int64_t)config->wait_s * 1000 : 0;
    if (err == COF_OK)
        err = status_once(&x, job, state, diag);
    while (err == COF_OK && strcmp(state, "pending") == 0 && cof_loop_now_ms(x.gateway.loop) < until_ms) {
        if (cof_loop_run_until(x.gateway.loop, &never, pause_ms) == COF_E_TIMEOUT && pause_ms < 1000)
            pause_ms *= 2;
        err = gateway_ready(&x.gateway, diag);
        if (err == COF_OK)
            err = status_once(&x, job, state, diag);
    }
    if (err == COF_OK && config->json)
        (void)fputs(cof_buf_cstr(&x.reply), stdout);
    else if (err == COF_OK)
        (void)puts(state);
    if (err == COF_OK && strcmp(state, "refused") == 0)
        err = cof_diag_set(diag, COF_E_AUTH, "the enclave refused the job: %s", cof_buf_cstr(&x.reply));
    else if (err == COF_OK && strcmp(state, "done") != 0)
        err = cof_diag_set(diag, COF_E_RETRY, "the job is not done yet");
    exchange_close(&x);
    return err;
}

/* --- result --- */

struct opened {
    struct cof_job job;
    struct cof_buf sealed, receipt, plain;
    struct cof_pad pad;
    struct cof_view content; /* of plain: without its padding */
    uint8_t salt[32], plain_sha256[32], sealed_sha256[32];
};

static enum cof_err fetch_object(struct aws_use *aws, const char *bucket, const char *key, struct cof_buf *out,
                                 struct cof_diag *diag)
{
    struct cof_s3_get get = {.bucket = cof_view_str(bucket), .key = cof_view_str(key)};
    struct cof_s3_object object;

    return cof_s3_run_get_whole(&aws->session.aws, &get, out, &object, diag);
}

static enum cof_err count_entry(void *ctx, const struct cof_s3_entry *entry)
{
    (void)entry;
    (*(size_t *)ctx)++;
    return COF_OK;
}

/* S3 says "denied" for what is not there to those who may not list the whole bucket: may we list, and is it not there? */
static bool is_absent(struct aws_use *aws, const char *bucket, const char *key)
{
    size_t n = 0;

    return cof_s3_run_list(&aws->session.aws, cof_view_str(bucket), cof_view_str(key), (struct cof_view){0}, count_entry, &n,
                           NULL) == COF_OK && n == 0;
}

/* The result's context must say that it is this job's result and nobody else's, and how it is padded if it is. */
static bool is_this_result(struct opened *o, const struct cof_esdk_header *h)
{
    static const char *const names[] = {"tenant", "job", "bucket", "purpose", "key"};
    char key[COF_JOB_KEY_MAX];
    const char *values[5] = {o->job.tenant, o->job.job, o->job.bucket, "result", key};
    struct cof_view padding;

    cof_job_result_key(&o->job, key);
    for (size_t i = 0; i < 5; i++) {
        struct cof_view v;
        if (!cof_esdk_find_pair(h, names[i], &v) || !cof_view_eq_str(v, values[i]))
            return false;
    }
    return !cof_esdk_find_pair(h, COF_PAD_CONTEXT, &padding) || cof_pad_parse(padding, &o->pad) == COF_OK;
}

static enum cof_err open_result(struct opened *o, struct aws_use *aws, const char *key_arn, struct cof_diag *diag)
{
    struct cof_view in = cof_buf_view(&o->sealed), key = cof_view_str(key_arn);
    struct cof_keyring_kms kms = {.aws = &aws->session.aws, .keys = &key, .n_keys = 1};
    struct cof_keyring keyring = cof_keyring_of_kms(&kms);
    struct cof_cmm cmm = cof_cmm_of_keyring(&keyring);
    struct cof_esdk_decrypt *d;
    enum cof_err err = cof_esdk_decrypt_new(NULL, &d);

    if (err == COF_OK)
        err = cof_esdk_decrypt_push(d, &in, &o->plain);
    if (err == COF_OK && (!cof_esdk_decrypt_wants_key(d) || !is_this_result(o, cof_esdk_decrypt_header(d))))
        err = cof_diag_set(diag, COF_E_AUTH, "the stored object is not this job's result");
    if (err == COF_OK)
        err = cof_esdk_decrypt_with(&cmm, d, diag);
    if (err == COF_OK)
        err = cof_esdk_decrypt_push(d, &in, &o->plain);
    if (err == COF_OK)
        err = cof_esdk_decrypt_finish(d);
    if (err == COF_OK)
        err = cof_esdk_decrypt_export(d, SALT_LABEL, o->salt);
    if (err == COF_OK && cof_pad_strip(&o->pad, cof_buf_view(&o->plain), &o->content) != COF_OK)
        err = cof_diag_set(diag, COF_E_AUTH, "the result is not padded as it says");
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, o->content, o->plain_sha256);
    if (err != COF_OK && diag->text[0] == '\0')
        (void)cof_diag_set(diag, err, "the sealed result was altered");
    cof_esdk_decrypt_free(d);
    return err;
}

static enum cof_err check_input(const char *path, const struct opened *o, const struct cof_receipt *r, struct cof_diag *diag)
{
    struct cof_buf bytes;
    uint8_t digest[32];
    enum cof_err err;

    cof_buf_init_secret(&bytes, (size_t)1 << 31);
    err = cof_file_read(path, &bytes, diag);
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, cof_buf_view(&bytes), digest);
    if (err == COF_OK && cof_receipt_check_commitment(r->input.commitment, cof_view_of(o->salt, 32), cof_view_of(digest, 32)) != COF_OK)
        err = cof_diag_set(diag, COF_E_AUTH, "the result was not made from %s", path);
    cof_buf_done(&bytes);
    return err;
}

static enum cof_err check_receipt(const struct config *config, struct opened *o, struct cof_buf *json, struct cof_diag *diag)
{
    struct expected expected;
    struct cof_receipt r;
    struct cof_attest attest;
    enum cof_err err = expected_open(&config->expected, &expected, diag);

    if (err == COF_OK)
        err = cof_receipt_verify(cof_buf_view(&o->receipt), &expected.policy, &r, &attest, diag);
    if (err == COF_OK)
        err = expected_judge(&expected, attest.doc.timestamp_ms, &r, diag);
    if (err == COF_OK && (!cof_view_eq(r.output.sealed_sha256, cof_view_of(o->sealed_sha256, 32)) ||
                          !cof_view_eq_str(r.job, o->job.job) || !cof_view_eq_str(r.tenant, o->job.tenant)))
        err = cof_diag_set(diag, COF_E_AUTH, "the receipt speaks of another result");
    if (err == COF_OK && cof_receipt_check_commitment(r.output.commitment, cof_view_of(o->salt, 32),
                                                      cof_view_of(o->plain_sha256, 32)) != COF_OK)
        err = cof_diag_set(diag, COF_E_AUTH, "the receipt speaks of another plaintext");
    if (err == COF_OK && config->input != NULL)
        err = check_input(config->input, o, &r, diag);
    if (err == COF_OK) {
        receipt_json(&r, &attest, expected.n > 0, json);
        if (!config->json) {
            FILE *was = stdout;
            if (config->output == NULL)
                stdout = stderr;
            (void)printf("proved: the result is sealed for you, unaltered, and was made%s by an attested enclave%s\n",
                         config->input != NULL ? " from your file" : "",
                         expected.n > 0 ? " with the expected measurements" : " (any: neither --expect nor --pcr was given)");
            print_receipt(&r, &attest);
            stdout = was;
        }
        err = cof_buf_err(json);
    }
    expected_done(&expected);
    return err;
}

static enum cof_err write_out(const struct config *config, const struct opened *o, const struct cof_buf *json,
                              struct cof_diag *diag)
{
    enum cof_err err = COF_OK;

    if (config->receipt_file != NULL)
        err = cof_file_write(config->receipt_file, cof_buf_view(&o->receipt), 0644, diag);
    if (err == COF_OK && config->output != NULL)
        err = cof_file_write(config->output, o->content, 0600, diag);
    else if (err == COF_OK && fwrite(o->content.data, 1, o->content.len, stdout) != o->content.len)
        err = cof_diag_set(diag, COF_E_IO, "standard output: %s", strerror(errno));
    if (err == COF_OK && config->json)
        (void)fprintf(config->output != NULL ? stdout : stderr, "%.*s\n", (int)json->len, (const char *)json->data);
    return err;
}

static enum cof_err result(const void *options_given, char **args, struct cof_diag *diag)
{
    const struct config *config = options_given;
    const char *job = args[0];
    struct opened o = {0};
    struct aws_use aws = {0};
    struct cof_buf json;
    char key[COF_JOB_KEY_MAX], digest[65];
    enum cof_err err = COF_OK;

    cof_buf_init(&o.sealed, RESULT_MAX);
    cof_buf_init(&o.receipt, COF_RECEIPT_MAX);
    cof_buf_init_secret(&o.plain, RESULT_MAX);
    cof_buf_init(&json, 65536);
    if (config->bucket == NULL || config->tenant == NULL || config->results_key == NULL)
        err = cof_diag_set(diag, COF_E_USAGE, "--bucket, --tenant and --results-key-arn are needed");
    else if (!cof_kms_is_key_arn(cof_view_str(config->results_key)))
        err = cof_diag_set(diag, COF_E_USAGE, "--results-key-arn must be a full key ARN, not an alias");
    else if (cof_job_make(&o.job, cof_view_str(config->tenant), cof_view_str(job), cof_view_str(config->bucket), COF_LIT("-"),
                          0) != COF_OK)
        err = cof_diag_set(diag, COF_E_USAGE, "'%s' is not a job's id, or the tenant's name is not one", job);
    if (err == COF_OK)
        err = aws_open(&aws, &config->aws, diag);
    cof_job_result_key(&o.job, key);
    if (err == COF_OK) {
        err = fetch_object(&aws, o.job.bucket, key, &o.sealed, diag);
        if (err == COF_E_NOT_FOUND || (err == COF_E_DENIED && is_absent(&aws, o.job.bucket, key)))
            err = cof_diag_set(diag, COF_E_RETRY, "there is no result for %s (yet)", job);
    }
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, cof_buf_view(&o.sealed), o.sealed_sha256);
    if (err == COF_OK) {
        cof_hex_encode(o.sealed_sha256, 32, digest);
        cof_job_receipt_key(&o.job, digest, key);
        err = fetch_object(&aws, o.job.bucket, key, &o.receipt, diag);
        if (err == COF_E_NOT_FOUND || err == COF_E_TOO_LARGE)
            err = cof_diag_set(diag, COF_E_AUTH, "there is no receipt for this result");
    }
    if (err == COF_OK)
        err = open_result(&o, &aws, config->results_key, diag);
    if (err == COF_OK)
        err = check_receipt(config, &o, &json, diag);
    if (err == COF_OK)
        err = write_out(config, &o, &json, diag);
    cof_buf_done(&o.sealed);
    cof_buf_done(&o.receipt);
    cof_buf_done(&o.plain);
    cof_buf_done(&json);
    cof_wipe(o.salt, sizeof o.salt);
    aws_close(&aws);
    return err;
}

static int run_submit(int argc, char **argv)
{
    struct config config = {0};

    return verb_run("coffer submit", &submit_command, &config, submit, argc, argv);
}

static int run_status(int argc, char **argv)
{
    struct config config = {0};

    return verb_run("coffer status", &status_command, &config, status, argc, argv);
}

static int run_result(int argc, char **argv)
{
    struct config config = {0};

    return verb_run("coffer result", &result_command, &config, result, argc, argv);
}

const struct verb verb_submit = {"submit", &submit_command, run_submit};
const struct verb verb_status = {"status", &status_command, run_status};
const struct verb verb_result = {"result", &result_command, run_result};
