/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/image.h"

#include "crypto/checksum.h"
#include "format/cbor.h"
#include "format/cose.h"
#include "format/pem.h"

#include <string.h>

#define CERTIFICATE_MAX 8192 /* bytes of PEM */
#define COSE_MAX 2048

static const char *const entry_names[] = {"signing_certificate", "signature"};
static const char *const payload_names[] = {"register_index", "register_value"};

enum cof_err cof_image_measure(const struct cof_eif *eif, struct cof_view certificate, struct cof_image_pcrs *out)
{
    struct cof_view ramdisks[COF_EIF_SECTIONS_MAX];
    const struct cof_eif_section *kernel = cof_eif_find(eif, COF_EIF_KERNEL, 0);
    const struct cof_eif_section *cmdline = cof_eif_find(eif, COF_EIF_CMDLINE, 0);
    const struct cof_eif_section *ramdisk;
    size_t n = 0;

    while ((ramdisk = cof_eif_find(eif, COF_EIF_RAMDISK, n)) != NULL)
        ramdisks[n++] = ramdisk->data;
    if (kernel == NULL || cmdline == NULL || n == 0)
        return COF_E_USAGE;
    return cof_measure_image(&(struct cof_image_parts){kernel->data, cmdline->data, ramdisks, n, certificate}, out);
}

enum cof_err cof_image_crc(const struct cof_eif *eif, uint32_t *out)
{
    uint8_t head[COF_EIF_HEAD], sum[COF_CHECKSUM_MAX];
    struct cof_checksum crc;
    struct cof_view v;
    enum cof_err err = cof_checksum_init(&crc, COF_CHECKSUM_CRC32);

    cof_eif_head(eif, 0, head);
    head[5] = (uint8_t)eif->version; /* 3 stays 3 */
    if (err == COF_OK)
        err = cof_checksum_update(&crc, cof_view_of(head, COF_EIF_CRC_AT));
    for (size_t i = 0; i < eif->n_sections && err == COF_OK; i++) {
        uint8_t section[COF_EIF_SECTION_HEAD];

        cof_eif_section_head(&eif->sections[i], section);
        err = cof_checksum_update(&crc, cof_view_of(section, sizeof section));
        if (err == COF_OK)
            err = cof_checksum_update(&crc, eif->sections[i].data);
    }
    if (err == COF_OK)
        err = cof_checksum_final(&crc, sum);
    cof_checksum_done(&crc);
    v = cof_view_of(sum, 4);
    return err != COF_OK ? err : cof_take_u32(&v, out);
}

/* serde writes a Vec<u8> as an array of numbers. */
static void add_numbers(struct cof_buf *out, struct cof_view bytes)
{
    cof_cbor_add_array(out, bytes.len);
    for (size_t i = 0; i < bytes.len; i++)
        cof_cbor_add_uint(out, bytes.data[i]);
}

static enum cof_err take_numbers(struct cof_view *v, size_t max, struct cof_buf *out)
{
    size_t n;
    uint64_t byte;
    enum cof_err err = cof_cbor_take_array(v, max, &n);

    for (size_t i = 0; err == COF_OK && i < n; i++) {
        err = cof_cbor_take_uint(v, UINT8_MAX, &byte);
        if (err == COF_OK)
            cof_buf_add_u8(out, (uint8_t)byte);
    }
    return err == COF_OK ? cof_buf_err(out) : err;
}

/* What is signed; a verifier makes it anew and compares, and so need not parse it. */
static void add_payload(struct cof_buf *out, const uint8_t *pcr0)
{
    cof_cbor_add_map(out, 2);
    cof_cbor_add_str(out, payload_names[0]);
    cof_cbor_add_uint(out, 0);
    cof_cbor_add_str(out, payload_names[1]);
    add_numbers(out, cof_view_of(pcr0, COF_PCR_SIZE));
}

static enum cof_err take_signature(struct cof_view section, struct cof_buf *pem, struct cof_buf *cose)
{
    struct cof_buf *parts[] = {pem, cose};
    const size_t max[] = {CERTIFICATE_MAX, COSE_MAX};
    struct cof_cbor_map map;
    size_t n, which;
    enum cof_err err = cof_cbor_take_array(&section, 1, &n);

    if (err == COF_OK && n != 1)
        err = COF_E_FORMAT;
    if (err == COF_OK)
        err = cof_cbor_map_open(&section, false, &map);
    while (err == COF_OK && (err = cof_cbor_map_next(&section, &map, entry_names, 2, &which)) == COF_OK && which != COF_CBOR_END)
        err = take_numbers(&section, max[which], parts[which]);
    if (err == COF_OK && (!cof_cbor_map_has(&map, 0) || !cof_cbor_map_has(&map, 1) || section.len > 0))
        err = COF_E_FORMAT;
    return err;
}

static void algorithms(const struct cof_ecdsa_key *key, int64_t *cose, enum cof_hash_alg *hash)
{
    bool p384 = cof_ecdsa_curve(key) == COF_P384;

    *cose = p384 ? COF_COSE_ES384 : COF_COSE_ES256;
    *hash = p384 ? COF_SHA384 : COF_SHA256;
}

static enum cof_err check_signature(const struct cof_ecdsa_key *key, struct cof_view doc, const uint8_t *pcr0)
{
    struct cof_buf payload, tbs;
    struct cof_cose_sign1 cose;
    enum cof_hash_alg hash;
    int64_t alg;
    enum cof_err err = cof_cose_sign1_parse(doc, 512, &cose);

    cof_buf_init(&payload, 512);
    cof_buf_init(&tbs, 2048);
    algorithms(key, &alg, &hash);
    add_payload(&payload, pcr0);
    if (err == COF_OK && (cose.alg != alg || !cof_view_eq(cose.payload, cof_buf_view(&payload))))
        err = COF_E_AUTH;
    if (err == COF_OK) {
        cof_cose_add_sig_structure(&tbs, cose.protected_header, COF_LIT(""), cose.payload);
        err = cof_buf_err(&tbs);
    }
    if (err == COF_OK)
        err = cof_ecdsa_verify(key, hash, cof_buf_view(&tbs), COF_ECDSA_RAW, cose.signature);
    cof_buf_done(&payload);
    cof_buf_done(&tbs);
    return err;
}

/* The signer's certificate out of the section; what cannot be read makes the signature bad. */
static enum cof_err read_certificate(struct cof_image *image, struct cof_buf *cose)
{
    const struct cof_eif_section *section = cof_eif_find(&image->eif, COF_EIF_SIGNATURE, 0);
    struct cof_buf pem;
    enum cof_err err;

    if (section == NULL)
        return COF_OK;
    image->signature = COF_IMAGE_SIGNATURE_BAD;
    cof_buf_init(&pem, CERTIFICATE_MAX);
    err = take_signature(section->data, &pem, cose);
    if (err == COF_OK)
        err = cof_pem_certificate(cof_buf_view(&pem), &image->certificate);
    if (err == COF_OK)
        err = cof_x509_facts(cof_buf_view(&image->certificate), &image->signer);
    cof_buf_done(&pem);
    return err == COF_E_MEMORY ? err : COF_OK;
}

enum cof_err cof_image_read(struct cof_view file, struct cof_image *out, struct cof_diag *diag)
{
    struct cof_buf cose;
    uint32_t crc = 0;
    enum cof_err err;

    *out = (struct cof_image){0};
    cof_buf_init(&out->certificate, CERTIFICATE_MAX);
    cof_buf_init(&cose, COSE_MAX);
    err = cof_eif_parse(file, &out->eif, diag);
    if (err == COF_OK)
        err = cof_image_crc(&out->eif, &crc);
    out->crc_right = err == COF_OK && crc == out->eif.crc;
    if (err == COF_OK)
        err = read_certificate(out, &cose);
    if (err == COF_OK)
        err = cof_image_measure(&out->eif, cof_buf_view(&out->certificate), &out->pcrs);
    if (err == COF_OK && out->signer.key != NULL && check_signature(out->signer.key, cof_buf_view(&cose), out->pcrs.pcr0) == COF_OK)
        out->signature = COF_IMAGE_SIGNED;
    cof_buf_done(&cose);
    if (err != COF_OK)
        cof_image_done(out);
    return err;
}

void cof_image_done(struct cof_image *image)
{
    if (image == NULL)
        return;
    cof_ecdsa_free(image->signer.key);
    cof_buf_done(&image->certificate);
    *image = (struct cof_image){0};
}

/* The certificate must be this key's: PCR8 would else vouch for somebody who signed nothing. */
static enum cof_err check_pair(const struct cof_ecdsa_key *key, struct cof_view pem, struct cof_diag *diag)
{
    struct cof_x509_facts facts = {0};
    struct cof_buf der, ours, theirs;
    enum cof_err err;

    cof_buf_init(&der, CERTIFICATE_MAX);
    cof_buf_init(&ours, 1024);
    cof_buf_init(&theirs, 1024);
    err = pem.len > CERTIFICATE_MAX ? COF_E_LIMIT : cof_pem_certificate(pem, &der);
    if (err == COF_OK)
        err = cof_x509_facts(cof_buf_view(&der), &facts);
    if (err != COF_OK && err != COF_E_MEMORY)
        err = cof_diag_set(diag, COF_E_CONFIG, "the signing certificate is no PEM certificate with a key on P-256 or P-384");
    if (err == COF_OK)
        err = cof_ecdsa_spki(key, &ours);
    if (err == COF_OK)
        err = cof_ecdsa_spki(facts.key, &theirs);
    if (err == COF_OK && !cof_view_eq(cof_buf_view(&ours), cof_buf_view(&theirs)))
        err = cof_diag_set(diag, COF_E_CONFIG, "the signing certificate is for another key");
    cof_ecdsa_free(facts.key);
    cof_buf_done(&der);
    cof_buf_done(&ours);
    cof_buf_done(&theirs);
    return err;
}

enum cof_err cof_image_sign(const uint8_t pcr0[static COF_PCR_SIZE], const struct cof_ecdsa_key *key,
                            struct cof_view certificate_pem, struct cof_buf *out, struct cof_diag *diag)
{
    struct cof_buf payload, head, tbs, sig, cose;
    enum cof_hash_alg hash;
    int64_t alg;
    enum cof_err err = check_pair(key, certificate_pem, diag);

    cof_buf_init(&payload, 512);
    cof_buf_init(&head, 64);
    cof_buf_init(&tbs, 2048);
    cof_buf_init(&sig, COF_ECDSA_SIG_MAX);
    cof_buf_init(&cose, COSE_MAX);
    algorithms(key, &alg, &hash);
    add_payload(&payload, pcr0);
    cof_cose_add_protected(&head, alg);
    cof_cose_add_sig_structure(&tbs, cof_buf_view(&head), COF_LIT(""), cof_buf_view(&payload));
    if (err == COF_OK)
        err = cof_buf_err(&tbs);
    if (err == COF_OK)
        err = cof_ecdsa_sign(key, hash, cof_buf_view(&tbs), COF_ECDSA_RAW, &sig);
    if (err == COF_OK) {
        cof_cose_add_sign1(&cose, false, cof_buf_view(&head), cof_buf_view(&payload), cof_buf_view(&sig));
        err = cof_buf_err(&cose);
    }
    if (err == COF_OK) {
        cof_cbor_add_array(out, 1);
        cof_cbor_add_map(out, 2);
        cof_cbor_add_str(out, entry_names[0]);
        add_numbers(out, certificate_pem);
        cof_cbor_add_str(out, entry_names[1]);
        add_numbers(out, cof_buf_view(&cose));
        err = cof_buf_err(out);
    }
    cof_buf_done(&payload);
    cof_buf_done(&head);
    cof_buf_done(&tbs);
    cof_buf_done(&sig);
    cof_buf_done(&cose);
    return err;
}
