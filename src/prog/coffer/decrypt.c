/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer decrypt: opens a message. The output appears whole, after everything verified, or not at all.
 */
#include "common.h"
#include "verbs.h"

#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PROG "coffer decrypt"
#define PIECE 262144
#define PIPE_MAX ((size_t)256 << 20)

struct config {
    struct aws_options aws;
    struct cof_text_list keyrings, required;
    const char *output;
    uint64_t max_edks;
};

#define O(field) offsetof(struct config, field)
static const struct cof_option options[] = {
    {"output", 'o', COF_OPT_TEXT, "FILE", "where it goes (default: standard output, held back until all is verified)", O(output)},
    {"keyring", 'k', COF_OPT_LIST, "KEYRING", "raw-aes:NAMESPACE:NAME:FILE or kms:ARN; repeatable", O(keyrings)},
    {"required-context", 'c', COF_OPT_LIST, "K=V", "must be in the message's context; repeatable", O(required)},
    {"max-edks", 0, COF_OPT_NUMBER, "N", "most encrypted data keys accepted (10)", O(max_edks)},
    AWS_OPTIONS(struct config),
};
static const struct cof_command command = {
    .name = "decrypt",
    .args = "FILE|-",
    .summary = "Opens an AWS Encryption SDK message.",
    .details = "Exit code 3: the message, its context or its key was refused.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 1,
    .max_args = 1,
};

struct task {
    const struct config *config;
    struct keyrings keyrings;
    struct aws_use aws;
    struct cof_esdk_decrypt *d;
    struct cof_diag *diag;
};

static enum cof_err check_required(const struct task *t, const struct cof_esdk_header *h)
{
    struct cof_esdk_pair want[COF_ESDK_PAIRS_MAX];
    size_t n;
    enum cof_err err = context_parse(&t->config->required, want, COF_ESDK_PAIRS_MAX, &n, t->diag);

    for (size_t i = 0; err == COF_OK && i < n; i++) {
        bool found = false;
        for (size_t k = 0; k < h->n_pairs; k++)
            found = found || (cof_view_eq(h->pairs[k].name, want[i].name) && cof_view_eq(h->pairs[k].value, want[i].value));
        if (!found)
            err = cof_diag_set(t->diag, COF_E_AUTH, "the message's context lacks %.*s=%.*s", (int)want[i].name.len,
                               (const char *)want[i].name.data, (int)want[i].value.len, (const char *)want[i].value.data);
    }
    return err;
}

static enum cof_err give_key(struct task *t)
{
    struct cof_secret data_key COF_SECRET_AUTO = {0};
    const struct cof_esdk_header *h = cof_esdk_decrypt_header(t->d);
    enum cof_err err = check_required(t, h);

    if (err == COF_OK && t->keyrings.needs_aws)
        err = aws_open(&t->aws, &t->config->aws, t->diag);
    if (err == COF_OK)
        err = keyrings_unwrap(&t->keyrings, &t->aws, h, &data_key, t->diag);
    return err == COF_OK ? cof_esdk_decrypt_set_key(t->d, &data_key) : err;
}

static enum cof_err open_piece(struct task *t, struct cof_view in, struct cof_buf *plain)
{
    enum cof_err err = COF_OK;

    while (err == COF_OK && in.len > 0) {
        err = cof_esdk_decrypt_push_before_signature(t->d, &in, plain); /* nothing appears before finish */
        if (err == COF_OK && cof_esdk_decrypt_wants_key(t->d))
            err = give_key(t);
    }
    return err;
}

/* To a file the plaintext goes as it is verified, into a temporary that appears at the end; to a pipe only at the end. */
static enum cof_err pump(struct task *t, int fd, const char *path, struct cof_file_out *out, struct cof_buf *held)
{
    static uint8_t in[PIECE];
    struct cof_buf plain;
    enum cof_err err = COF_OK;

    cof_buf_init_secret(&plain, (size_t)96 << 20);
    for (bool end = false; err == COF_OK && !end;) {
        ssize_t n = read(fd, in, sizeof in);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            err = cof_diag_set(t->diag, cof_err_from_errno(errno), "%s: %s", path, strerror(errno));
        end = n == 0;
        if (err == COF_OK && n > 0)
            err = open_piece(t, cof_view_of(in, (size_t)n), &plain);
        if (err == COF_OK && out->is_stdout) {
            cof_buf_add(held, cof_buf_view(&plain));
            if (cof_buf_err(held) != COF_OK)
                err = cof_diag_set(t->diag, COF_E_TOO_LARGE, "too large to hold back for a pipe: use -o FILE");
        } else if (err == COF_OK) {
            err = cof_file_out_write(out, cof_buf_view(&plain), t->diag);
        }
        cof_buf_reset(&plain);
    }
    cof_buf_done(&plain);
    return err == COF_OK ? cof_esdk_decrypt_finish(t->d) : err;
}

static void explain(enum cof_err err, struct cof_diag *diag)
{
    if (diag->text[0] != '\0')
        return;
    if (err == COF_E_AUTH)
        (void)cof_diag_set(diag, err, "the message was refused: altered, or sealed under another key");
    else if (err == COF_E_FORMAT)
        (void)cof_diag_set(diag, err, "not an AWS Encryption SDK message, or damaged");
    else if (err == COF_E_TRUNCATED)
        (void)cof_diag_set(diag, err, "the message ends too early");
    else if (err == COF_E_UNSUPPORTED)
        (void)cof_diag_set(diag, err, "the message's format or algorithm suite is not supported");
    else if (err == COF_E_DENIED)
        (void)cof_diag_set(diag, err, "the message's algorithm suite has no key commitment");
    else if (err == COF_E_LIMIT)
        (void)cof_diag_set(diag, err, "the message is over a limit (encrypted data keys, frame length)");
}

static enum cof_err run(const void *options_given, char **args, struct cof_diag *diag)
{
    const struct config *config = options_given;
    const char *path = args[0];
    struct cof_esdk_decrypt_options how = {.limits = {.max_edks = (size_t)config->max_edks}};
    struct task t = {.config = config, .diag = diag};
    struct cof_file_out out = {.fd = -1};
    struct cof_buf held;
    int fd = -1;
    enum cof_err err = keyrings_parse(&config->keyrings, &t.keyrings, diag);

    cof_buf_init_secret(&held, PIPE_MAX);
    if (err == COF_OK)
        err = cof_esdk_decrypt_new(&how, &t.d);
    if (err == COF_OK) {
        fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            err = cof_diag_set(diag, cof_err_from_errno(errno), "%s: %s", path, strerror(errno));
    }
    if (err == COF_OK)
        err = cof_file_out_open(&out, config->output == NULL ? "-" : config->output, 0600, diag);
    if (err == COF_OK)
        err = pump(&t, fd, path, &out, &held);
    if (err == COF_OK)
        err = cof_file_out_write(&out, cof_buf_view(&held), diag);
    if (err == COF_OK)
        err = cof_file_out_commit(&out, diag);
    cof_file_out_close(&out);
    cof_buf_done(&held);
    cof_esdk_decrypt_free(t.d);
    keyrings_done(&t.keyrings);
    if (fd > 2)
        (void)close(fd);
    aws_close(&t.aws);
    explain(err, diag);
    return err;
}

static int run_decrypt(int argc, char **argv)
{
    struct config config = {.max_edks = 10};

    return verb_run(PROG, &command, &config, run, argc, argv);
}

const struct verb verb_decrypt = {"decrypt", &command, run_decrypt};
