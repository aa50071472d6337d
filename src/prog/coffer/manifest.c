/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer manifest sign and coffer manifest verify: what a release's enclave is, said by whoever released it.
 */
#include "common.h"
#include "expected.h"
#include "verbs.h"

#include "base/codec.h"
#include "base/date.h"
#include "format/json.h"
#include "io/clock.h"
#include "io/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS ((int64_t)86400000)
#define DAYS_DEFAULT 90

struct config {
    const char *image, *version, *pcrs_file, *issued, *expires, *key, *output, *trust;
    struct cof_text_list pcrs, key_arns;
    uint64_t serial, days;
    bool json;
};
#define O(field) offsetof(struct config, field)
static const struct cof_option sign_options[] = {
    {"output", 'o', COF_OPT_TEXT, "FILE", "where the manifest goes", O(output)},
    {"key", 'k', COF_OPT_TEXT, "PEMFILE", "private key on P-384 or P-256, not encrypted", O(key)},
    {"image", 0, COF_OPT_TEXT, "NAME", "what the image is called", O(image)},
    {"image-version", 0, COF_OPT_TEXT, "TEXT", "its version", O(version)},
    {"serial", 0, COF_OPT_NUMBER, "N", "serial number; each release of the image has a higher one", O(serial)},
    {"pcrs", 0, COF_OPT_TEXT, "FILE", "measurements as eif build and nitro-cli print them", O(pcrs_file)},
    {"pcr", 0, COF_OPT_LIST, "N=HEX", "a measurement, beside or instead; repeatable", O(pcrs)},
    {"kms-key-id", 0, COF_OPT_LIST, "ARN", "a KMS key that the image may work with; repeatable", O(key_arns)},
    {"issued", 0, COF_OPT_TEXT, "ISO", "in force from (default: now)", O(issued)},
    {"expires", 0, COF_OPT_TEXT, "ISO", "in force until", O(expires)},
    {"days", 0, COF_OPT_NUMBER, "N", "instead of --expires: so long (default 90)", O(days)},
};
static const struct cof_command sign_command = {
    .name = "manifest sign",
    .args = "",
    .summary = "Signs which measurements a release's enclave image has.",
    .details = "Verifiers name the manifest with --expect, and the public key with --trust, in place of --pcr. PCR0, PCR1 and PCR2 must be\n"
               "there. 'openssl ecparam -name secp384r1 -genkey -noout' makes a key, 'openssl pkey -pubout' its public half.",
    .options = sign_options,
    .n_options = sizeof sign_options / sizeof sign_options[0],
    .min_args = 0,
    .max_args = 0,
};
static const struct cof_option verify_options[] = {
    {"trust", 0, COF_OPT_TEXT, "PEMFILE", "the public key that must have signed it", O(trust)},
    {"json", 0, COF_OPT_FLAG, NULL, "print the manifest's JSON", O(json)},
};
static const struct cof_command verify_command = {
    .name = "manifest verify",
    .args = "FILE",
    .summary = "Verifies and shows a manifest.",
    .details = "Exit code 0: signed with that key, and in force now. 3: refused.",
    .options = verify_options,
    .n_options = sizeof verify_options / sizeof verify_options[0],
    .min_args = 1,
    .max_args = 1,
};

/* {"Measurements":{"PCR0":"...",...}} or the inner object alone; what else stands there ("HashAlgorithm") is passed over. */
static enum cof_err read_pcrs(const char *path, struct cof_manifest *m, struct cof_diag *diag)
{
    struct cof_buf text;
    json_t *json = NULL;
    const json_t *object;
    struct cof_diag why = {0};
    enum cof_err err;

    cof_buf_init(&text, 65536);
    err = cof_file_read(path, &text, diag);
    if (err == COF_OK)
        err = cof_json_parse_object(cof_buf_view(&text), 65536, &json, &why);
    if (why.text[0] != '\0')
        (void)cof_diag_set(diag, err, "%s: %s", path, why.text);
    object = json_object_get(json, "Measurements");
    if (!json_is_object(object))
        object = json;
    for (unsigned i = 0; err == COF_OK && i < COF_ATTEST_PCRS; i++) {
        struct cof_view hex;
        char name[8];

        (void)snprintf(name, sizeof name, "PCR%u", i);
        if (json_object_get(object, name) == NULL)
            continue;
        err = cof_json_text(object, name, &hex, diag);
        if (err == COF_OK && cof_hex_decode_fixed(hex, m->pcrs[i], COF_ATTEST_PCR_SIZE) != COF_OK)
            err = cof_diag_set(diag, COF_E_CONFIG, hex.len == 2 * COF_ATTEST_PCR_SIZE ? "%s: %s is not 96 hex digits" :
                               "%s: %s is not 96 hex digits, but %zu characters", path, name, hex.len);
        m->pcr_mask |= (uint32_t)1 << i;
    }
    json_decref(json);
    cof_buf_done(&text);
    return err;
}

static enum cof_err times(const struct config *c, struct cof_manifest *m, struct cof_diag *diag)
{
    m->issued_ms = cof_clock_wall_ms() / 1000 * 1000;
    if (c->issued != NULL && cof_date_parse_iso(cof_view_str(c->issued), &m->issued_ms) != COF_OK)
        return cof_diag_set(diag, COF_E_USAGE, "--issued: write it as 2026-11-23T18:00:00Z");
    if (c->expires != NULL && c->days != 0)
        return cof_diag_set(diag, COF_E_USAGE, "--expires and --days exclude each other");
    if (c->days > 36500)
        return cof_diag_set(diag, COF_E_USAGE, "--days: 1 to 36500");
    m->expires_ms = m->issued_ms + DAY_MS * (c->days == 0 ? DAYS_DEFAULT : (int64_t)c->days);
    if (c->expires != NULL && cof_date_parse_iso(cof_view_str(c->expires), &m->expires_ms) != COF_OK)
        return cof_diag_set(diag, COF_E_USAGE, "--expires: write it as 2026-11-23T18:00:00Z");
    return COF_OK;
}

static enum cof_err gather(const struct config *c, struct cof_manifest *m, struct cof_diag *diag)
{
    enum cof_err err = times(c, m, diag);

    if (err == COF_OK && (c->output == NULL || c->key == NULL || c->image == NULL || c->version == NULL || c->serial == 0))
        err = cof_diag_set(diag, COF_E_USAGE, "--output, --key, --image, --image-version and --serial are needed");
    if (err == COF_OK && (strlen(c->image) >= sizeof m->image || strlen(c->version) >= sizeof m->version))
        err = cof_diag_set(diag, COF_E_USAGE, "--image takes up to %zu characters, --image-version up to %zu", sizeof m->image - 1, sizeof m->version - 1);
    if (err == COF_OK && (c->serial > (uint64_t)COF_MANIFEST_SERIAL_MAX || c->key_arns.n > COF_MANIFEST_KEYS_MAX))
        err = cof_diag_set(diag, COF_E_USAGE, "--serial goes up to 2^53, and there is room for %d keys", COF_MANIFEST_KEYS_MAX);
    if (err != COF_OK)
        return err;
    memcpy(m->image, c->image, strlen(c->image));
    memcpy(m->version, c->version, strlen(c->version));
    m->serial = (int64_t)c->serial;
    if (c->pcrs_file != NULL)
        err = read_pcrs(c->pcrs_file, m, diag);
    for (size_t i = 0; err == COF_OK && i < c->pcrs.n; i++) {
        uint8_t pcr[COF_ATTEST_PCR_SIZE];
        unsigned n = 0;

        err = pcr_parse(c->pcrs.items[i], &n, pcr, diag);
        if (err == COF_OK && (m->pcr_mask >> n & 1) != 0)
            err = cof_diag_set(diag, COF_E_USAGE, "PCR%u is given twice", n);
        memcpy(m->pcrs[n], pcr, sizeof pcr);
        m->pcr_mask |= (uint32_t)1 << n;
    }
    for (size_t i = 0; err == COF_OK && i < c->key_arns.n; i++) {
        if (strlen(c->key_arns.items[i]) >= COF_MANIFEST_ARN_MAX)
            err = cof_diag_set(diag, COF_E_USAGE, "--kms-key-id: too long for an ARN");
        else
            memcpy(m->key_arns[m->n_key_arns++], c->key_arns.items[i], strlen(c->key_arns.items[i]));
    }
    return err;
}

static enum cof_err sign(const void *options, char **args, struct cof_diag *diag)
{
    const struct config *config = options;
    struct cof_manifest manifest = {0};
    struct cof_ecdsa_key *key = NULL;
    struct cof_buf pem, out;
    enum cof_err err = gather(config, &manifest, diag);

    (void)args;
    cof_buf_init_secret(&pem, 65536);
    cof_buf_init(&out, COF_MANIFEST_MAX);
    if (err == COF_OK)
        err = cof_file_read(config->key, &pem, diag);
    if (err == COF_OK && (cof_ecdsa_from_pem(cof_buf_view(&pem), &key) != COF_OK || !cof_ecdsa_is_private(key)))
        err = cof_diag_set(diag, COF_E_CONFIG, "%s: holds no private key on P-384 or P-256 (PEM, not encrypted)", config->key);
    if (err == COF_OK)
        err = cof_manifest_sign(&manifest, key, &out, diag);
    if (err == COF_OK)
        err = cof_file_write(config->output, cof_buf_view(&out), 0644, diag);
    cof_ecdsa_free(key);
    cof_buf_done(&pem);
    cof_buf_done(&out);
    return err;
}

static void print_words(const struct cof_manifest *m)
{
    char issued[COF_DATE_MAX], expires[COF_DATE_MAX], hex[2 * COF_ATTEST_PCR_SIZE + 1];

    cof_date_iso_seconds(m->issued_ms, issued);
    cof_date_iso_seconds(m->expires_ms, expires);
    (void)printf("verified: signed with the trusted key, and in force\nimage       %s %s (serial %lld)\nin force    %s to %s\n", m->image,
                 m->version, (long long)m->serial, issued, expires);
    for (unsigned i = 0; i < COF_ATTEST_PCRS; i++) {
        if ((m->pcr_mask >> i & 1) == 0)
            continue;
        cof_hex_encode(m->pcrs[i], COF_ATTEST_PCR_SIZE, hex);
        (void)printf("PCR%-2u       %s\n", i, hex);
    }
    for (size_t i = 0; i < m->n_key_arns; i++)
        (void)printf("key         %s\n", m->key_arns[i]);
}

static enum cof_err verify(const void *options, char **args, struct cof_diag *diag)
{
    const struct config *config = options;
    struct cof_manifest manifest;
    struct cof_buf json;
    enum cof_err err;

    if (config->trust == NULL)
        return cof_diag_set(diag, COF_E_USAGE, "--trust is needed: the public key of whoever signs manifests");
    err = manifest_read(args[0], config->trust, &manifest, diag);
    if (err == COF_OK)
        err = cof_manifest_in_force(&manifest, cof_clock_wall_ms(), "now", diag);
    cof_buf_init(&json, COF_MANIFEST_MAX);
    if (err == COF_OK && config->json) {
        err = cof_manifest_add(&json, &manifest, diag);
        if (err == COF_OK)
            (void)puts(cof_buf_cstr(&json));
    } else if (err == COF_OK) {
        print_words(&manifest);
    }
    cof_buf_done(&json);
    return err;
}

static int run_sign(int argc, char **argv)
{
    struct config config = {0};

    return verb_run("coffer manifest sign", &sign_command, &config, sign, argc, argv);
}

static int run_verify(int argc, char **argv)
{
    struct config config = {0};

    return verb_run("coffer manifest verify", &verify_command, &config, verify, argc, argv);
}

const struct verb verb_manifest_sign = {"manifest sign", &sign_command, run_sign};
const struct verb verb_manifest_verify = {"manifest verify", &verify_command, run_verify};
