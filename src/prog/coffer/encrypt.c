/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer encrypt: seals a file or a pipe.
 */
#include "common.h"
#include "verbs.h"

#include "crypto/ecdsa.h"
#include "engine/esdk_encrypt.h"
#include "io/file.h"
#include "io/rng_os.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PROG "coffer encrypt"
#define PIECE 262144

struct config {
    struct aws_options aws;
    struct cof_text_list keyrings, context;
    const char *output, *suite;
    uint64_t frame_length;
};

#define O(field) offsetof(struct config, field)
static const struct cof_option options[] = {
    {"output", 'o', COF_OPT_TEXT, "FILE", "where it goes (default: standard output)", O(output)},
    {"keyring", 'k', COF_OPT_LIST, "KEYRING", "raw-aes:NAMESPACE:NAME:FILE or kms:ARN; repeatable, any one of them opens it", O(keyrings)},
    {"context", 'c', COF_OPT_LIST, "K=V", "encryption context: authenticated, not secret; repeatable", O(context)},
    {"suite", 0, COF_OPT_TEXT, "ID", "0578 (signed, the default) or 0478", O(suite)},
    {"frame-length", 0, COF_OPT_SIZE, "SIZE", "plaintext bytes a frame (4K)", O(frame_length)},
    AWS_OPTIONS(struct config),
};
static const struct cof_command command = {
    .name = "encrypt",
    .args = "FILE|-",
    .summary = "Seals a file as an AWS Encryption SDK message.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 1,
    .max_args = 1,
};

static enum cof_err open_input(const char *path, int *fd, struct cof_diag *diag)
{
    *fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return cof_diag_set(diag, cof_err_from_errno(errno), "%s: %s", path, strerror(errno));
    return COF_OK;
}

static enum cof_err pump(int fd, const char *path, struct cof_esdk_encrypt *e, struct cof_file_out *out, struct cof_diag *diag)
{
    struct cof_buf plain, sealed;
    enum cof_err err = COF_OK;

    cof_buf_init_secret(&plain, PIECE);
    cof_buf_init(&sealed, (size_t)64 << 20);
    for (bool end = false; err == COF_OK && !end;) {
        ssize_t n;
        cof_buf_reset(&plain);
        cof_buf_reset(&sealed);
        err = cof_buf_reserve(&plain, PIECE);
        n = err == COF_OK ? read(fd, plain.data, PIECE) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            err = cof_diag_set(diag, cof_err_from_errno(errno), "%s: %s", path, strerror(errno));
        end = n == 0;
        if (err == COF_OK && n > 0)
            err = cof_esdk_encrypt_push(e, cof_view_of(plain.data, (size_t)n), &sealed);
        if (n > 0)
            cof_wipe(plain.data, (size_t)n);
        if (err == COF_OK && end)
            err = cof_esdk_encrypt_finish(e, &sealed);
        if (err == COF_OK)
            err = cof_file_out_write(out, cof_buf_view(&sealed), diag);
    }
    cof_buf_done(&plain);
    cof_buf_done(&sealed);
    return err;
}

static enum cof_err run(const void *options_given, char **args, struct cof_diag *diag)
{
    const struct config *config = options_given;
    const char *path = args[0];
    struct cof_secret data_key COF_SECRET_AUTO = {0};
    struct cof_esdk_pair pairs[COF_ESDK_PAIRS_MAX];
    struct cof_esdk_materials m = {.suite = COF_ESDK_SUITE_SIGNED, .frame_length = (uint32_t)config->frame_length,
                                   .data_key = &data_key, .pairs = pairs};
    struct aws_use aws = {0};
    struct keyrings keyrings = {0};
    struct edk_store store = {0};
    struct cof_file_out out = {.fd = -1};
    struct cof_ecdsa_key *signer = NULL;
    struct cof_esdk_encrypt *e = NULL;
    struct cof_buf public_key;
    int fd = -1;
    enum cof_err err = context_parse(&config->context, pairs, COF_ESDK_PAIRS_MAX - 1, &m.n_pairs, diag);

    cof_buf_init(&public_key, 256);
    if (err == COF_OK && config->suite != NULL && strcmp(config->suite, "0478") == 0)
        m.suite = COF_ESDK_SUITE;
    else if (err == COF_OK && config->suite != NULL && strcmp(config->suite, "0578") != 0)
        err = cof_diag_set(diag, COF_E_USAGE, "--suite: 0478 or 0578");
    if (err == COF_OK && (config->frame_length == 0 || config->frame_length > (16u << 20)))
        err = cof_diag_set(diag, COF_E_USAGE, "--frame-length: 1 byte to 16M");
    if (err == COF_OK)
        err = keyrings_parse(&config->keyrings, &keyrings, diag);
    if (err == COF_OK)
        err = open_input(path, &fd, diag);
    if (err == COF_OK && m.suite == COF_ESDK_SUITE_SIGNED) {
        err = cof_esdk_signer_make(&cof_rng_os, &signer, &public_key);
        pairs[m.n_pairs++] = (struct cof_esdk_pair){COF_LIT(COF_ESDK_PUBLIC_KEY), cof_buf_view(&public_key)};
        m.signer = signer;
        if (err == COF_OK)
            err = cof_esdk_sort_pairs(pairs, m.n_pairs);
    }
    if (err == COF_OK && keyrings.needs_aws)
        err = aws_open(&aws, &config->aws, diag);
    if (err == COF_OK)
        err = keyrings_generate(&keyrings, &aws, pairs, m.n_pairs, &data_key, &store, diag);
    m.edks = store.edks;
    m.n_edks = store.n;
    if (err == COF_OK)
        err = cof_esdk_encrypt_new(&m, &cof_rng_os, &e);
    if (err == COF_OK)
        err = cof_file_out_open(&out, config->output == NULL ? "-" : config->output, 0644, diag);
    if (err == COF_OK)
        err = pump(fd, path, e, &out, diag);
    if (err == COF_OK)
        err = cof_file_out_commit(&out, diag);
    cof_file_out_close(&out);
    cof_esdk_encrypt_free(e);
    cof_ecdsa_free(signer);
    edk_store_done(&store);
    keyrings_done(&keyrings);
    cof_buf_done(&public_key);
    if (fd > 2)
        (void)close(fd);
    aws_close(&aws);
    return err;
}

static int run_encrypt(int argc, char **argv)
{
    struct config config = {.frame_length = 4096};

    return verb_run(PROG, &command, &config, run, argc, argv);
}

const struct verb verb_encrypt = {"encrypt", &command, run_encrypt};
