/* SPDX-License-Identifier: Apache-2.0 */
#include "common.h"

#include "client/kms.h"
#include "engine/keyring_raw.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/log_stderr.h"
#include "io/rng_os.h"

#include <string.h>

int verb_run(const char *prog, const struct cof_command *command, void *config, verb_fn *verb, int argc, char **argv)
{
    struct cof_diag diag = {0};
    char **args;
    int n_args;
    bool exit_now;
    enum cof_err err;

    if (cof_options_parse(prog, command, argc, argv, config, &args, &n_args, &exit_now) != COF_OK)
        return COF_EXIT_USAGE;
    if (exit_now)
        return COF_EXIT_DONE;
    err = verb(config, args, &diag);
    if (err != COF_OK)
        cof_fail(prog, err, &diag);
    return cof_exit_code(err);
}

enum cof_err aws_open(struct aws_use *use, const struct aws_options *options, struct cof_diag *diag)
{
    struct cof_session_opts opts = {.env = &cof_env_process, .resolve = cof_resolve_dns, .rng = &cof_rng_os,
                                    .now_ms = cof_clock_wall_ms, .log = &use->log};
    enum cof_err err = cof_loop_new(&use->loop);

    cof_log_stderr(&use->log, "coffer", COF_LOG_ERROR);
    opts.loop = use->loop;
    opts.overrides = options->overrides;
    return err == COF_OK ? cof_session_open(&use->session, &opts, diag) : err;
}

void aws_close(struct aws_use *use)
{
    cof_session_close(&use->session);
    cof_loop_free(use->loop);
    *use = (struct aws_use){0};
}

static bool copy(struct cof_view v, char *out, size_t size)
{
    if (v.len == 0 || v.len >= size)
        return false;
    memcpy(out, v.data, v.len);
    out[v.len] = '\0';
    return true;
}

static enum cof_err parse_raw_aes(struct cof_view rest, struct keyring *k, struct cof_diag *diag)
{
    struct cof_view name_space, name, file;
    char path[4096];
    struct cof_buf bytes;
    enum cof_err err;

    if (!cof_view_split(rest, ':', &name_space, &rest) || !cof_view_split(rest, ':', &name, &file) ||
        !copy(name_space, k->name_space, sizeof k->name_space) || !copy(name, k->name, sizeof k->name) ||
        !copy(file, path, sizeof path))
        return cof_diag_set(diag, COF_E_USAGE, "write the keyring as raw-aes:NAMESPACE:NAME:FILE");
    cof_buf_init_secret(&bytes, COF_SECRET_MAX);
    err = cof_file_read(path, &bytes, diag);
    if (err == COF_E_TOO_LARGE || (err == COF_OK && bytes.len != 32))
        err = cof_diag_set(diag, COF_E_USAGE, "%s: an AES key file holds exactly 32 bytes", path);
    if (err == COF_OK)
        err = cof_secret_set(&k->key, cof_buf_view(&bytes));
    cof_buf_done(&bytes);
    return err;
}

enum cof_err keyrings_parse(const struct cof_text_list *texts, struct keyrings *out, struct cof_diag *diag)
{
    enum cof_err err = COF_OK;

    *out = (struct keyrings){0};
    if (texts->n == 0 || texts->n > KEYRINGS_MAX)
        err = cof_diag_set(diag, COF_E_USAGE, "give 1 to %d --keyring", KEYRINGS_MAX);
    for (size_t i = 0; err == COF_OK && i < texts->n; i++) {
        struct cof_view kind, rest;
        struct keyring *k = &out->items[out->n++];

        (void)cof_view_split(cof_view_str(texts->items[i]), ':', &kind, &rest);
        if (cof_view_eq(kind, COF_LIT("raw-aes"))) {
            k->kind = KEYRING_RAW_AES;
            err = parse_raw_aes(rest, k, diag);
        } else if (cof_view_eq(kind, COF_LIT("kms"))) {
            k->kind = KEYRING_KMS;
            out->needs_aws = true;
            if (!cof_kms_is_key_arn(rest) || !copy(rest, k->arn, sizeof k->arn))
                err = cof_diag_set(diag, COF_E_USAGE, "a KMS keyring is kms:ARN with a full key ARN; aliases are refused");
        } else {
            err = cof_diag_set(diag, COF_E_USAGE, "'%s' is not a keyring", texts->items[i]);
            cof_diag_hint(diag, "raw-aes:NAMESPACE:NAME:FILE or kms:ARN");
        }
    }
    if (err != COF_OK)
        keyrings_done(out);
    return err;
}

void keyrings_done(struct keyrings *keyrings)
{
    cof_wipe(keyrings, sizeof *keyrings);
}

void edk_store_done(struct edk_store *store)
{
    for (size_t i = 0; i < 2 * store->n; i++)
        cof_buf_done(&store->bytes[i]);
    store->n = 0;
}

static void pairs_for_kms(const struct cof_esdk_pair *pairs, size_t n, struct cof_pair *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (struct cof_pair){pairs[i].name, pairs[i].value};
}

/* The first keyring makes the data key (KMS draws it itself), the others wrap it. */
static enum cof_err add_edk(const struct keyring *k, struct aws_use *aws, const struct cof_esdk_pair *pairs, size_t n,
                            bool first, struct cof_secret *data_key, struct edk_store *out, struct cof_diag *diag)
{
    struct cof_buf *info = &out->bytes[2 * out->n], *ciphertext = &out->bytes[2 * out->n + 1];
    struct cof_pair context[COF_ESDK_PAIRS_MAX];
    struct cof_kms_key_use use = {.key_arn = cof_view_str(k->arn), .context = context, .n_context = n};
    struct cof_raw_aes raw = {cof_view_str(k->name_space), cof_view_str(k->name), &k->key};
    struct cof_kms_reply reply;
    uint8_t fresh[COF_ESDK_DATA_KEY];
    enum cof_err err = COF_OK;

    cof_buf_init(info, 1024);
    cof_buf_init(ciphertext, COF_KMS_BLOB_MAX);
    out->n++;
    if (k->kind == KEYRING_KMS) {
        pairs_for_kms(pairs, n, context);
        err = first ? cof_kms_run_generate_data_key(&aws->session.aws, &use, &reply, diag)
                    : cof_kms_run_encrypt(&aws->session.aws, &use, cof_secret_view(data_key), &reply, diag);
        if (err != COF_OK)
            return err;
        if (first)
            err = cof_secret_set(data_key, cof_buf_view(&reply.plaintext));
        cof_buf_add_str(info, reply.key_id);
        cof_buf_add(ciphertext, cof_buf_view(&reply.blob));
        cof_kms_reply_done(&reply);
    } else {
        if (first)
            err = cof_rng_fill(&cof_rng_os, fresh, sizeof fresh);
        if (first && err == COF_OK)
            err = cof_secret_set(data_key, cof_view_of(fresh, sizeof fresh));
        cof_wipe(fresh, sizeof fresh);
        if (err == COF_OK)
            err = cof_raw_aes_wrap(&raw, pairs, n, data_key, &cof_rng_os, info, ciphertext);
    }
    out->edks[out->n - 1] = (struct cof_esdk_edk){k->kind == KEYRING_KMS ? COF_LIT("aws-kms") : cof_view_str(k->name_space),
                                                  cof_buf_view(info), cof_buf_view(ciphertext)};
    return err;
}

enum cof_err keyrings_generate(const struct keyrings *keyrings, struct aws_use *aws, const struct cof_esdk_pair *pairs,
                               size_t n, struct cof_secret *data_key, struct edk_store *out, struct cof_diag *diag)
{
    enum cof_err err = COF_OK;

    *out = (struct edk_store){0};
    for (size_t i = 0; err == COF_OK && i < keyrings->n; i++)
        err = add_edk(&keyrings->items[i], aws, pairs, n, i == 0, data_key, out, diag);
    if (err != COF_OK)
        edk_store_done(out);
    return err;
}

static enum cof_err unwrap_kms(const struct keyring *k, struct aws_use *aws, const struct cof_esdk_header *h,
                               const struct cof_esdk_edk *edk, struct cof_secret *data_key, struct cof_diag *diag)
{
    struct cof_pair context[COF_ESDK_PAIRS_MAX];
    struct cof_kms_key_use use = {.key_arn = cof_view_str(k->arn), .context = context, .n_context = h->n_pairs};
    struct cof_kms_reply reply;
    enum cof_err err;

    if (!cof_view_eq(edk->provider, COF_LIT("aws-kms")) || !cof_view_eq_str(edk->info, k->arn))
        return COF_E_NOT_FOUND;
    pairs_for_kms(h->pairs, h->n_pairs, context);
    err = cof_kms_run_decrypt(&aws->session.aws, &use, edk->ciphertext, &reply, diag);
    if (err != COF_OK)
        return err;
    err = cof_secret_set(data_key, cof_buf_view(&reply.plaintext));
    cof_kms_reply_done(&reply);
    return err;
}

enum cof_err keyrings_unwrap(const struct keyrings *keyrings, struct aws_use *aws, const struct cof_esdk_header *header,
                             struct cof_secret *data_key, struct cof_diag *diag)
{
    enum cof_err err = COF_E_NOT_FOUND, worst = COF_E_NOT_FOUND;

    for (size_t i = 0; i < keyrings->n; i++)
        for (size_t e = 0; e < header->n_edks; e++) {
            const struct keyring *k = &keyrings->items[i];
            struct cof_raw_aes raw = {cof_view_str(k->name_space), cof_view_str(k->name), &k->key};

            err = k->kind == KEYRING_KMS ? unwrap_kms(k, aws, header, &header->edks[e], data_key, diag)
                                         : cof_raw_aes_unwrap(&raw, header->pairs, header->n_pairs, &header->edks[e], data_key);
            if (err == COF_OK)
                return COF_OK;
            if (err != COF_E_NOT_FOUND)
                worst = err;
        }
    if (worst == COF_E_NOT_FOUND || worst == COF_E_AUTH) {
        (void)cof_diag_set(diag, COF_E_AUTH, "none of the keyrings opens this message's data key");
        cof_diag_hint(diag, "'coffer inspect' shows which keys it was sealed for");
        return COF_E_AUTH;
    }
    return worst;
}

enum cof_err context_parse(const struct cof_text_list *texts, struct cof_esdk_pair *pairs, size_t max, size_t *n,
                           struct cof_diag *diag)
{
    *n = 0;
    for (size_t i = 0; i < texts->n; i++) {
        if (*n == max || !cof_view_split(cof_view_str(texts->items[i]), '=', &pairs[*n].name, &pairs[*n].value))
            return cof_diag_set(diag, COF_E_USAGE, "'%s': write context as NAME=VALUE", texts->items[i]);
        if (cof_view_starts(pairs[*n].name, COF_LIT("aws-crypto-")))
            return cof_diag_set(diag, COF_E_USAGE, "names that begin with aws-crypto- are reserved");
        (*n)++;
    }
    if (cof_esdk_sort_pairs(pairs, *n) != COF_OK)
        return cof_diag_set(diag, COF_E_USAGE, "a context name is empty, given twice, or not UTF-8");
    return COF_OK;
}

enum cof_err s3_url_parse(const char *text, struct cof_view *bucket, struct cof_view *key, struct cof_diag *diag)
{
    struct cof_view v = cof_view_str(text);

    if (!cof_view_starts(v, COF_LIT("s3://")) ||
        !cof_view_split(cof_view_sub(v, 5, SIZE_MAX), '/', bucket, key) || bucket->len < 3 || key->len == 0)
        return cof_diag_set(diag, COF_E_USAGE, "'%s': write s3://BUCKET/KEY", text);
    return COF_OK;
}
