/* SPDX-License-Identifier: Apache-2.0 */
#include "sse_options.h"

#include "format/json.h"
#include "io/file.h"

#include <string.h>

#define CONTEXT_MAX 32

static enum cof_err read_customer_key(const struct sse_options *o, struct sse *out, struct cof_diag *diag)
{
    int sources = (o->key_file != NULL) + (o->key_fd != UINT64_MAX) + (o->key_command != NULL);
    const char *what = o->key_file != NULL ? o->key_file : o->key_command != NULL ? o->key_command : "the descriptor";
    struct cof_buf bytes;
    enum cof_err err;

    if (sources != 1) {
        err = cof_diag_set(diag, COF_E_USAGE, sources == 0 ? "sse-c needs a key: --key-file, --key-fd or --key-command"
                                                           : "sse-c needs one key: more than one was named");
        cof_diag_hint(diag, "'coffer keygen FILE' makes one; without it nobody opens the object again");
        return err;
    }
    cof_buf_init_secret(&bytes, COF_SECRET_MAX);
    if (o->key_file != NULL)
        err = cof_file_read(o->key_file, &bytes, diag);
    else if (o->key_command != NULL)
        err = cof_credentials_process(&cof_env_process, cof_view_str(o->key_command), &bytes, diag);
    else if (o->key_fd > INT32_MAX)
        err = cof_diag_set(diag, COF_E_USAGE, "--key-fd: no descriptor");
    else
        err = cof_file_read_fd((int)o->key_fd, "the descriptor of --key-fd", &bytes, diag);
    if (err == COF_E_TOO_LARGE || (err == COF_OK && bytes.len != 32))
        err = cof_diag_set(diag, COF_E_USAGE, "%s: an sse-c key has exactly 32 bytes%s", what,
                           bytes.len == 33 && bytes.data[32] == '\n' ? ", without a newline" : "");
    if (err == COF_OK)
        err = cof_secret_set(&out->key, cof_buf_view(&bytes));
    cof_buf_done(&bytes);
    return err;
}

static enum cof_err read_context(const struct cof_text_list *texts, struct cof_buf *out, struct cof_diag *diag)
{
    struct cof_esdk_pair pairs[CONTEXT_MAX];
    size_t n;
    enum cof_err err = context_parse(texts, pairs, CONTEXT_MAX, &n, diag);

    for (size_t i = 0; i < n && err == COF_OK; i++) {
        cof_buf_add_str(out, i == 0 ? "{" : ",");
        cof_json_add_text(out, pairs[i].name);
        cof_buf_add_str(out, ":");
        cof_json_add_text(out, pairs[i].value);
    }
    if (n > 0)
        cof_buf_add_str(out, "}");
    return err == COF_OK ? cof_buf_err(out) : err;
}

enum cof_err sse_read(const struct sse_options *options, struct sse *out, struct cof_diag *diag)
{
    bool has_kms = options->kms_key != NULL || options->kms_context.n > 0 || options->bucket_key;
    enum cof_err err;

    *out = (struct sse){.is.mode = COF_SSE_NONE};
    cof_buf_init(&out->context, 8192);
    if (options->mode != NULL && cof_sse_parse(options->mode, &out->is.mode) != COF_OK)
        return cof_diag_set(diag, COF_E_USAGE, "-e '%s': sse-s3, sse-kms, sse-c or none", options->mode);
    if (options->checksum != NULL)
        out->checksum = cof_checksum_named(cof_view_str(options->checksum));
    if (options->checksum != NULL && out->checksum == COF_CHECKSUM_NONE)
        return cof_diag_set(diag, COF_E_USAGE, "--checksum-algorithm '%s': CRC64NVME, CRC32, CRC32C, SHA1, SHA256, SHA512, MD5, XXHASH64, XXHASH3 or XXHASH128", options->checksum);
    if (has_kms && out->is.mode != COF_SSE_KMS)
        return cof_diag_set(diag, COF_E_USAGE, "--kms-key-id, --kms-context and --bucket-key go with -e sse-kms");
    if (out->is.mode != COF_SSE_C) {
        if (options->key_file != NULL || options->key_command != NULL || options->key_fd != UINT64_MAX)
            return cof_diag_set(diag, COF_E_USAGE, "a key was named, but it is used only with -e sse-c");
        out->is.kms_key_id = cof_view_str(options->kms_key);
        out->is.bucket_key = options->bucket_key;
        err = read_context(&options->kms_context, &out->context, diag);
        out->is.kms_context = cof_buf_view(&out->context);
        return err;
    }
    err = read_customer_key(options, out, diag);
    out->is.customer_key = &out->key;
    return err;
}

void sse_done(struct sse *sse)
{
    cof_secret_done(&sse->key);
    cof_buf_done(&sse->context);
}
