/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer put and get: one file to and from S3 under one of the three server-side encryption modes.
 */
#include "common.h"
#include "verbs.h"

#include "client/s3.h"
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct config {
    struct aws_options aws;
    const char *mode, *kms_key, *key_file, *type;
    bool create_only;
};

#define O(field) offsetof(struct config, field)
#define MODE_OPTIONS                                                                                                    \
    {"encryption", 'e', COF_OPT_TEXT, "MODE", "sse-s3, sse-kms, sse-c or none (also: default, KMS, SSE_C)", O(mode)},     \
    {"key-file", 0, COF_OPT_TEXT, "FILE", "sse-c: the 32 bytes of the key", O(key_file)},                                \
    AWS_OPTIONS(struct config)

static const struct cof_option put_options[] = {
    MODE_OPTIONS,
    {"kms-key-id", 0, COF_OPT_TEXT, "ID", "sse-kms: the KMS key (default: the account's)", O(kms_key)},
    {"type", 't', COF_OPT_TEXT, "TYPE", "media type", O(type)},
    {"create-only", 0, COF_OPT_FLAG, NULL, "fail when the object is there already", O(create_only)},
};
static const struct cof_command put_command = {
    .name = "put",
    .args = "FILE s3://BUCKET/KEY",
    .summary = "Uploads a file; the encryption that S3 reports must be the one asked for.",
    .options = put_options,
    .n_options = sizeof put_options / sizeof put_options[0],
    .min_args = 2,
    .max_args = 2,
};
static const struct cof_option get_options[] = {
    MODE_OPTIONS,
};
static const struct cof_command get_command = {
    .name = "get",
    .args = "s3://BUCKET/KEY FILE|-",
    .summary = "Downloads an object; the file appears whole, after its checksum matched, or not at all.",
    .options = get_options,
    .n_options = sizeof get_options / sizeof get_options[0],
    .min_args = 2,
    .max_args = 2,
};

static enum cof_err read_mode(const struct config *config, struct cof_s3_sse *sse, struct cof_secret *key,
                              struct cof_diag *diag)
{
    struct cof_buf bytes;
    enum cof_err err = COF_OK;

    *sse = (struct cof_s3_sse){.mode = COF_SSE_NONE, .customer_key = key};
    if (config->mode != NULL && cof_sse_parse(config->mode, &sse->mode) != COF_OK)
        return cof_diag_set(diag, COF_E_USAGE, "-e '%s': sse-s3, sse-kms, sse-c or none", config->mode);
    if (config->kms_key != NULL)
        sse->kms_key_id = cof_view_str(config->kms_key);
    if (sse->mode != COF_SSE_C)
        return COF_OK;
    if (config->key_file == NULL) {
        err = cof_diag_set(diag, COF_E_USAGE, "sse-c needs --key-file");
        cof_diag_hint(diag, "make a key with: head -c 32 /dev/urandom > FILE; without it nobody opens the object again");
        return err;
    }
    cof_buf_init_secret(&bytes, COF_SECRET_MAX);
    err = cof_file_read(config->key_file, &bytes, diag);
    if (err == COF_E_TOO_LARGE || (err == COF_OK && bytes.len != 32))
        err = cof_diag_set(diag, COF_E_USAGE, "%s: an sse-c key has exactly 32 bytes", config->key_file);
    if (err == COF_OK)
        err = cof_secret_set(key, cof_buf_view(&bytes));
    cof_buf_done(&bytes);
    return err;
}

struct pipe {
    int fd;
    struct cof_file_out *out;
    struct cof_diag *diag;
};

static enum cof_err source(void *ctx, size_t want, struct cof_buf *out)
{
    struct pipe *p = ctx;
    ssize_t n;

    if (cof_buf_reserve(out, want) != COF_OK)
        return cof_buf_err(out);
    do
        n = read(p->fd, out->data + out->len, want);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return cof_diag_set(p->diag, cof_err_from_errno(errno), "reading: %s", strerror(errno));
    out->len += (size_t)n;
    return COF_OK;
}

static enum cof_err rewind_source(void *ctx)
{
    return lseek(((struct pipe *)ctx)->fd, 0, SEEK_SET) == 0 ? COF_OK : COF_E_IO;
}

static enum cof_err sink(void *ctx, struct cof_view piece)
{
    struct pipe *p = ctx;

    return cof_file_out_write(p->out, piece, p->diag);
}

static enum cof_err put(const void *options_given, char **args, struct cof_diag *diag)
{
    const struct config *config = options_given;
    struct cof_secret key COF_SECRET_AUTO = {0};
    struct cof_s3_put p = {.create_only = config->create_only, .streaming = true};
    struct pipe pipe = {.fd = -1, .diag = diag};
    struct cof_s3_pipe io = {.source = source, .rewind = rewind_source, .ctx = &pipe};
    struct cof_s3_object object;
    struct aws_use aws = {0};
    struct stat st;
    enum cof_err err = s3_url_parse(args[1], &p.bucket, &p.key, diag);

    if (err == COF_OK)
        err = read_mode(config, &p.sse, &key, diag);
    if (err == COF_OK) {
        pipe.fd = open(args[0], O_RDONLY | O_CLOEXEC);
        if (pipe.fd < 0 || fstat(pipe.fd, &st) != 0)
            err = cof_diag_set(diag, cof_err_from_errno(errno), "%s: %s", args[0], strerror(errno));
        else if (!S_ISREG(st.st_mode))
            err = cof_diag_set(diag, COF_E_USAGE, "%s: not a file", args[0]);
        else
            p.length = (uint64_t)st.st_size;
    }
    p.content_type = cof_view_str(config->type);
    if (err == COF_OK)
        err = aws_open(&aws, &config->aws, diag);
    if (err == COF_OK)
        err = cof_s3_run_put(&aws.session.aws, &p, &io, &object, diag);
    if (err == COF_OK)
        (void)printf("%s (%llu bytes, %s)\n", args[1], (unsigned long long)p.length, cof_sse_name(object.sse));
    if (pipe.fd >= 0)
        (void)close(pipe.fd);
    aws_close(&aws);
    return err;
}

static enum cof_err get(const void *options_given, char **args, struct cof_diag *diag)
{
    const struct config *config = options_given;
    struct cof_secret key COF_SECRET_AUTO = {0};
    struct cof_file_out out = {.fd = -1};
    struct cof_s3_get g = {0};
    struct pipe pipe = {.fd = -1, .out = &out, .diag = diag};
    struct cof_s3_pipe io = {.sink = sink, .ctx = &pipe};
    struct cof_s3_object object;
    struct aws_use aws = {0};
    enum cof_err err = s3_url_parse(args[0], &g.bucket, &g.key, diag);

    if (err == COF_OK)
        err = read_mode(config, &g.sse, &key, diag);
    if (err == COF_OK)
        err = aws_open(&aws, &config->aws, diag);
    if (err == COF_OK)
        err = cof_file_out_open(&out, args[1], 0644, diag);
    if (err == COF_OK)
        err = cof_s3_run_get(&aws.session.aws, &g, &io, &object, diag);
    if (err == COF_OK && g.sse.mode != COF_SSE_NONE && object.sse != g.sse.mode)
        err = cof_diag_set(diag, COF_E_AUTH, "S3 reports encryption %s though %s was expected", cof_sse_name(object.sse),
                           cof_sse_name(g.sse.mode));
    if (err == COF_OK)
        err = cof_file_out_commit(&out, diag);
    cof_file_out_close(&out);
    if (err == COF_OK && strcmp(args[1], "-") != 0)
        (void)printf("%s (%llu bytes, %s)\n", args[1], (unsigned long long)object.size, cof_sse_name(object.sse));
    aws_close(&aws);
    return err;
}

static int run_put(int argc, char **argv)
{
    struct config config = {0};

    return verb_run("coffer put", &put_command, &config, put, argc, argv);
}

static int run_get(int argc, char **argv)
{
    struct config config = {0};

    return verb_run("coffer get", &get_command, &config, get, argc, argv);
}

const struct verb verb_put = {"put", &put_command, run_put};
const struct verb verb_get = {"get", &get_command, run_get};
