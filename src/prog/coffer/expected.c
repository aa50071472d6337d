/* SPDX-License-Identifier: Apache-2.0 */
#include "expected.h"

#include "base/codec.h"
#include "base/num.h"
#include "format/pem.h"
#include "io/file.h"

#include <inttypes.h>
#include <string.h>

#define FILE_MAX 65536 /* bytes */

/* The certificate inside the PEM armour, as DER. */
static enum cof_err read_root(const char *path, struct cof_buf *der, struct cof_diag *diag)
{
    struct cof_buf text;
    enum cof_err err;

    cof_buf_init(&text, FILE_MAX);
    err = cof_file_read(path, &text, diag);
    if (err == COF_OK) {
        err = cof_pem_certificate(cof_buf_view(&text), der);
        if (err == COF_E_NOT_FOUND)
            err = cof_diag_set(diag, COF_E_FORMAT, "%s: holds no PEM certificate", path);
        else if (err != COF_OK)
            err = cof_diag_set(diag, COF_E_FORMAT, "%s: the certificate is damaged", path);
    }
    cof_buf_done(&text);
    return err;
}

enum cof_err manifest_read(const char *path, const char *trust, struct cof_manifest *out, struct cof_diag *diag)
{
    struct cof_ecdsa_key *key = NULL;
    struct cof_buf bytes, pem;
    struct cof_diag why = {0};
    enum cof_err err;

    cof_buf_init(&bytes, FILE_MAX);
    cof_buf_init_secret(&pem, FILE_MAX); /* somebody may well name the private key */
    err = cof_file_read(trust, &pem, diag);
    if (err == COF_OK && cof_ecdsa_from_pem(cof_buf_view(&pem), &key) != COF_OK)
        err = cof_diag_set(diag, COF_E_CONFIG, "%s: holds no key on P-384 or P-256 (PEM, \"PUBLIC KEY\")", trust);
    if (err == COF_OK)
        err = cof_file_read(path, &bytes, diag);
    if (err == COF_OK) {
        err = cof_manifest_verify(cof_buf_view(&bytes), key, out, &why);
        if (err != COF_OK)
            (void)cof_diag_set(diag, err, "%s: %s", path, why.text);
    }
    cof_ecdsa_free(key);
    cof_buf_done(&bytes);
    cof_buf_done(&pem);
    return err;
}

/* "SERIAL IMAGE\n" of the last manifest that was accepted; 0 where there is none yet. */
static enum cof_err recall(const char *path, const char *image, uint64_t *serial, struct cof_diag *diag)
{
    struct cof_view number, name;
    struct cof_buf text;
    enum cof_err err;

    *serial = 0;
    cof_buf_init(&text, FILE_MAX);
    err = cof_file_read(path, &text, diag);
    if (err == COF_OK && text.len > 0 && text.data[text.len - 1] == '\n')
        cof_buf_truncate(&text, text.len - 1);
    if (err == COF_OK && (!cof_view_split(cof_buf_view(&text), ' ', &number, &name) ||
                          cof_parse_u64(number, (uint64_t)COF_MANIFEST_SERIAL_MAX, serial) != COF_OK))
        err = cof_diag_set(diag, COF_E_CONFIG, "%s: holds no remembered serial number", path);
    else if (err == COF_OK && !cof_view_eq(name, cof_view_str(image)))
        err = cof_diag_set(diag, COF_E_AUTH, "%s: remembers another image than '%s'", path, image);
    cof_buf_done(&text);
    return err == COF_E_NOT_FOUND ? COF_OK : err;
}

/* An older manifest is as well signed as the newest: the number tells (C-10). */
static enum cof_err check_serial(const struct expected *e, struct cof_diag *diag)
{
    uint64_t known = e->options->min_serial, remembered = 0;
    enum cof_err err = COF_OK;

    if (e->options->remember != NULL)
        err = recall(e->options->remember, e->manifest.image, &remembered, diag);
    if (err == COF_OK && remembered > known)
        known = remembered;
    if (err == COF_OK && (uint64_t)e->manifest.serial < known) {
        (void)cof_diag_set(diag, COF_E_AUTH, "the manifest of %s %s has serial number %" PRId64 ", %" PRIu64 " was there before",
                           e->manifest.image, e->manifest.version, e->manifest.serial, known);
        cof_diag_hint(diag, "an old release's manifest was put in the place of the present one");
        err = COF_E_AUTH;
    }
    return err;
}

enum cof_err pcr_parse(const char *text, unsigned *index, uint8_t out[static COF_ATTEST_PCR_SIZE], struct cof_diag *diag)
{
    struct cof_view number, hex;
    uint64_t n;

    if (!cof_view_split(cof_view_str(text), '=', &number, &hex) || cof_parse_u64(number, COF_ATTEST_PCRS - 1, &n) != COF_OK ||
        cof_hex_decode_fixed(hex, out, COF_ATTEST_PCR_SIZE) != COF_OK)
        return cof_diag_set(diag, COF_E_USAGE, "'%s': write a PCR as N=HEX with N from 0 to %d and 96 hex digits%s", text, COF_ATTEST_PCRS - 1,
                            hex.len == COF_ATTEST_PCR_SIZE * 2 ? "" : "; it has another length");
    *index = (unsigned)n;
    return COF_OK;
}

static enum cof_err read_manifest(struct expected *e, struct cof_diag *diag)
{
    const struct expected_options *o = e->options;
    enum cof_err err;

    if (o->manifest == NULL && (o->trust != NULL || o->remember != NULL || o->min_serial != 0))
        return cof_diag_set(diag, COF_E_USAGE, "--trust, --min-serial and --remember go with --expect");
    if (o->manifest == NULL)
        return COF_OK;
    if (o->trust == NULL)
        return cof_diag_set(diag, COF_E_USAGE, "--expect needs --trust: a manifest says nothing unless somebody known signed it");
    err = manifest_read(o->manifest, o->trust, &e->manifest, diag);
    if (err == COF_OK)
        err = check_serial(e, diag);
    if (err != COF_OK)
        return err;
    e->has_manifest = true;
    e->n += cof_manifest_pcrs(&e->manifest, e->pcrs + e->n);
    return COF_OK;
}

enum cof_err expected_open(const struct expected_options *options, struct expected *out, struct cof_diag *diag)
{
    enum cof_err err = COF_OK;

    *out = (struct expected){.options = options};
    cof_buf_init(&out->root, FILE_MAX);
    if (options->root != NULL)
        err = read_root(options->root, &out->root, diag);
    for (size_t i = 0; err == COF_OK && i < options->pcrs.n; i++) {
        err = pcr_parse(options->pcrs.items[i], &out->pcrs[i].index, out->bytes[i], diag);
        out->pcrs[i].value = cof_view_of(out->bytes[i], COF_ATTEST_PCR_SIZE);
        out->n = out->n_given = i + 1;
    }
    if (err == COF_OK)
        err = read_manifest(out, diag);
    out->policy = (struct cof_attest_policy){.root_der = cof_buf_view(&out->root), .mode = COF_ATTEST_ARCHIVE,
                                             .pcrs = out->pcrs, .n_pcrs = out->n, .any_image = out->n == 0};
    return err;
}

static enum cof_err remember(const struct expected *e, struct cof_diag *diag)
{
    struct cof_buf text;
    enum cof_err err;

    cof_buf_init(&text, FILE_MAX);
    cof_buf_printf(&text, "%" PRId64 " %s\n", e->manifest.serial, e->manifest.image);
    err = cof_buf_err(&text);
    if (err == COF_OK)
        err = cof_file_write(e->options->remember, cof_buf_view(&text), 0644, diag);
    cof_buf_done(&text);
    return err;
}

enum cof_err expected_judge(const struct expected *e, int64_t at_ms, const struct cof_receipt *receipt, struct cof_diag *diag)
{
    enum cof_err err;

    if (!e->has_manifest)
        return COF_OK;
    err = cof_manifest_in_force(&e->manifest, at_ms, e->policy.mode == COF_ATTEST_LIVE ? "now" : "the document's own time", diag);
    if (err == COF_OK && receipt != NULL && (!cof_manifest_allows_key(&e->manifest, receipt->data_key_arn) ||
                                             !cof_manifest_allows_key(&e->manifest, receipt->results_key_arn)))
        err = cof_diag_set(diag, COF_E_AUTH, "the receipt speaks of a KMS key that the manifest does not name");
    return err == COF_OK && e->options->remember != NULL ? remember(e, diag) : err;
}

void expected_done(struct expected *expected)
{
    cof_buf_done(&expected->root);
}
