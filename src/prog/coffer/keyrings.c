/* SPDX-License-Identifier: Apache-2.0 */
#include "keyrings.h"

#include "io/file.h"
#include "io/log_stderr.h"

#include <string.h>

/* Reads a key file whole. */
static enum cof_err read_key(struct cof_view file, size_t max, struct cof_buf *out, struct cof_diag *diag)
{
    char path[4096];
    enum cof_err err;

    if (file.len == 0 || file.len >= sizeof path)
        return cof_diag_set(diag, COF_E_USAGE, "--keyring: name the key's file");
    (void)memcpy(path, file.data, file.len);
    path[file.len] = '\0';
    cof_buf_init_secret(out, max);
    err = cof_file_read(path, out, diag);
    if (err != COF_OK)
        cof_buf_done(out);
    return err;
}

/* Splits off n-1 parts and the rest, which may itself hold colons; none may be empty. */
static bool split(struct cof_view text, struct cof_view *parts, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++)
        if (!cof_view_split(text, ':', &parts[i], &text) || parts[i].len == 0)
            return false;
    parts[n - 1] = text;
    return text.len > 0;
}

/* spec: raw AES keyring, "the key namespace MUST NOT be aws-kms" */
static enum cof_err check_namespace(struct cof_view name_space, struct cof_diag *diag)
{
    if (cof_view_starts(name_space, COF_LIT("aws-kms")))
        return cof_diag_set(diag, COF_E_USAGE, "--keyring: the namespace aws-kms is for keys in KMS");
    return COF_OK;
}

static enum cof_err parse_aes(struct cof_view text, struct keyring_item *item, struct cof_keyring *out, struct cof_diag *diag)
{
    struct cof_buf bytes;
    enum cof_err err;

    if (!split(text, item->parts, 4))
        return cof_diag_set(diag, COF_E_USAGE, "write the keyring as raw-aes:NAMESPACE:NAME:FILE");
    err = check_namespace(item->parts[1], diag);
    if (err == COF_OK)
        err = read_key(item->parts[3], COF_SECRET_MAX, &bytes, diag);
    if (err == COF_E_TOO_LARGE)
        bytes = (struct cof_buf){0};
    else if (err != COF_OK)
        return err;
    if (bytes.len == 16 || bytes.len == 24 || bytes.len == 32) {
        err = cof_secret_set(&item->key, cof_buf_view(&bytes));
    } else {
        err = cof_diag_set(diag, COF_E_USAGE, "%.*s: an AES key file holds 16, 24 or 32 bytes", (int)item->parts[3].len,
                           (const char *)item->parts[3].data);
        cof_diag_hint(diag, "raw bytes, not hex: head -c 32 /dev/urandom > FILE makes one");
    }
    cof_buf_done(&bytes);
    item->aes = (struct cof_raw_aes){item->parts[1], item->parts[2], &item->key};
    *out = cof_keyring_of_raw_aes(&item->aes);
    return err;
}

static bool parse_padding(struct cof_view text, enum cof_rsa_padding *out)
{
    static const struct {
        const char *name;
        enum cof_rsa_padding padding;
    } names[] = {{"pkcs1", COF_RSA_PKCS1},
                 {"oaep-sha1", COF_RSA_OAEP_SHA1},
                 {"oaep-sha256", COF_RSA_OAEP_SHA256},
                 {"oaep-sha384", COF_RSA_OAEP_SHA384},
                 {"oaep-sha512", COF_RSA_OAEP_SHA512}};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (cof_view_eq_str(text, names[i].name)) {
            *out = names[i].padding;
            return true;
        }
    return false;
}

static enum cof_err parse_rsa(struct cof_view text, struct keyring_item *item, struct cof_keyring *out, struct cof_diag *diag)
{
    struct cof_buf pem;
    enum cof_err err;

    if (!split(text, item->parts, 5))
        return cof_diag_set(diag, COF_E_USAGE, "write the keyring as raw-rsa:NAMESPACE:NAME:PADDING:PEMFILE");
    item->rsa.name_space = item->parts[1];
    item->rsa.name = item->parts[2];
    if (!parse_padding(item->parts[3], &item->rsa.padding))
        return cof_diag_set(diag, COF_E_USAGE, "--keyring: RSA padding is pkcs1, oaep-sha1, oaep-sha256, oaep-sha384 or "
                                               "oaep-sha512, not '%.*s'",
                            (int)item->parts[3].len, (const char *)item->parts[3].data);
    err = check_namespace(item->parts[1], diag);
    if (err == COF_OK)
        err = read_key(item->parts[4], 65536, &pem, diag);
    if (err != COF_OK)
        return err;
    err = cof_rsa_from_pem(cof_buf_view(&pem), &item->rsa_key);
    if (err != COF_OK)
        err = cof_diag_set(diag, COF_E_USAGE, "%.*s: no RSA key in PEM, or one of a size that is not accepted",
                           (int)item->parts[4].len, (const char *)item->parts[4].data);
    cof_buf_done(&pem);
    item->rsa.key = item->rsa_key;
    *out = cof_keyring_of_raw_rsa(&item->rsa);
    return err;
}

static enum cof_err parse_kms(struct cof_view text, struct keyring_item *item, struct keyrings *all, struct cof_keyring *out,
                              struct cof_diag *diag)
{
    if (!split(text, item->parts, 2) || !cof_kms_is_key_arn(item->parts[1])) {
        (void)cof_diag_set(diag, COF_E_USAGE, "a KMS keyring is kms:ARN with the full ARN of a key");
        cof_diag_hint(diag, "aliases and bare ids can be made to mean another key: kms:arn:aws:kms:REGION:ACCOUNT:key/ID");
        return COF_E_USAGE;
    }
    item->kms = (struct cof_keyring_kms){.aws_of = cof_regions_client, .aws_of_ctx = &all->regions, .keys = &item->parts[1], .n_keys = 1};
    *out = cof_keyring_of_kms(&item->kms);
    return COF_OK;
}

static enum cof_err parse_discovery(struct cof_view text, struct keyring_item *item, struct keyrings *all,
                                    struct cof_keyring *out, struct cof_diag *diag)
{
    bool has_account = cof_view_split(text, ':', &item->parts[0], &item->parts[1]), ok = true;

    for (size_t i = 0; has_account && i < item->parts[1].len; i++)
        ok = ok && item->parts[1].data[i] >= '0' && item->parts[1].data[i] <= '9';
    if (has_account && (!ok || item->parts[1].len != 12))
        return cof_diag_set(diag, COF_E_USAGE, "--keyring: an AWS account is twelve digits: kms-discovery:ACCOUNT");
    item->kms = (struct cof_keyring_kms){.aws_of = cof_regions_client, .aws_of_ctx = &all->regions, .discovery = true,
                                         .accounts = &item->parts[1], .n_accounts = has_account ? 1 : 0};
    *out = cof_keyring_of_kms(&item->kms);
    return COF_OK;
}

static enum cof_err parse_one(const char *given, bool for_encrypt, struct keyrings *out, size_t i, struct cof_diag *diag)
{
    struct cof_view text = cof_view_str(given), kind, rest;

    if (!cof_view_split(text, ':', &kind, &rest))
        kind = text;
    if (cof_view_eq_str(kind, "raw-aes"))
        return parse_aes(text, &out->items[i], &out->children[i], diag);
    if (cof_view_eq_str(kind, "raw-rsa"))
        return parse_rsa(text, &out->items[i], &out->children[i], diag);
    if (cof_view_eq_str(kind, "kms"))
        return parse_kms(text, &out->items[i], out, &out->children[i], diag);
    if (cof_view_eq_str(kind, "kms-discovery")) {
        if (for_encrypt)
            return cof_diag_set(diag, COF_E_USAGE, "kms-discovery only opens: name the KMS key to seal for, kms:ARN");
        return parse_discovery(text, &out->items[i], out, &out->children[i], diag);
    }
    (void)cof_diag_set(diag, COF_E_USAGE, "'%s' is not a keyring", given);
    cof_diag_hint(diag, "raw-aes:NAMESPACE:NAME:FILE, raw-rsa:NAMESPACE:NAME:PADDING:FILE, kms:ARN or kms-discovery[:ACCOUNT]");
    return COF_E_USAGE;
}

enum cof_err keyrings_parse(const struct cof_text_list *texts, const struct aws_options *aws_options, bool for_encrypt,
                            struct keyrings *out, struct cof_diag *diag)
{
    enum cof_err err = COF_OK;

    *out = (struct keyrings){.multi = {out->children, 0}};
    cof_log_stderr(&out->log, "coffer", COF_LOG_ERROR);
    cof_regions_init(&out->regions, &aws_options->overrides, &out->log);
    if (texts->n == 0 || texts->n > KEYRINGS_MAX) {
        (void)cof_diag_set(diag, COF_E_USAGE, "give 1 to %d --keyring", KEYRINGS_MAX);
        cof_diag_hint(diag, "raw-aes:NAMESPACE:NAME:FILE, raw-rsa:NAMESPACE:NAME:PADDING:FILE, kms:ARN or kms-discovery[:ACCOUNT]");
        return COF_E_USAGE;
    }
    for (size_t i = 0; err == COF_OK && i < texts->n; i++) {
        err = parse_one(texts->items[i], for_encrypt, out, i, diag);
        out->multi.n_children++;
    }
    if (err != COF_OK)
        keyrings_done(out);
    return err;
}

struct cof_keyring keyrings_get(struct keyrings *keyrings)
{
    return cof_keyring_of_multi(&keyrings->multi);
}

void keyrings_done(struct keyrings *keyrings)
{
    cof_regions_done(&keyrings->regions);
    for (size_t i = 0; i < keyrings->multi.n_children; i++)
        cof_rsa_free(keyrings->items[i].rsa_key);
    cof_wipe(keyrings, sizeof *keyrings);
}
