/* SPDX-License-Identifier: Apache-2.0 */
#include "format/cms.h"

#include "format/der.h"

#define ENCRYPTED_KEY_MIN 256 /* bytes: RSA-2048 */
#define ENCRYPTED_KEY_MAX 512 /* RSA-4096 */
#define BLOCK 16
#define CIPHERTEXT_MAX 4352 /* bytes: a plaintext of 4096, padded, with room */

/* Whole encodings that may only be one way. */
static const uint8_t oid_enveloped[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03};
static const uint8_t oid_data[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01};
static const uint8_t oid_aes256_cbc[] = {0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a};
static const uint8_t version_2[] = {0x02, 0x01, 0x02};
/* SEQUENCE { id-RSAES-OAEP, SEQUENCE { [0] { SHA-256, NULL }, [1] { MGF1, { SHA-256, NULL } } } } */
static const uint8_t oaep_sha256[] = {
    0x30, 0x3c, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x07, 0x30, 0x2f,
    0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08,
    0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00};

#define WHOLE(array) cof_view_of(array, sizeof(array))

/* spec: RFC 5652 section 6.2.1, KeyTransRecipientInfo; DER throughout, and no other recipient beside it. */
static enum cof_err parse_recipients(struct cof_view *in, struct cof_cms_enveloped *out, struct cof_diag *diag)
{
    struct cof_view set, info;
    enum cof_err err = cof_der_take(in, COF_DER_SET, &set);

    if (err == COF_OK)
        err = cof_der_take(&set, COF_DER_SEQUENCE, &info);
    if (err == COF_OK)
        err = cof_der_take_exact(&info, WHOLE(version_2));
    if (err == COF_OK)
        err = cof_der_take(&info, COF_DER_CONTEXT(0), &out->key_id);
    if (err == COF_OK && (err = cof_der_take_exact(&info, WHOLE(oaep_sha256))) == COF_E_FORMAT)
        err = cof_diag_set(diag, err, "its key is not wrapped with RSAES-OAEP under SHA-256");
    if (err == COF_OK)
        err = cof_der_take(&info, COF_DER_OCTET_STRING, &out->encrypted_key);
    if (err == COF_OK && (info.len != 0 || set.len != 0 || out->key_id.len != COF_CMS_KEY_ID_SIZE ||
                          out->encrypted_key.len < ENCRYPTED_KEY_MIN || out->encrypted_key.len > ENCRYPTED_KEY_MAX))
        err = COF_E_FORMAT;
    return err;
}

static enum cof_err add_chunk(struct cof_cms_enveloped *out, struct cof_view chunk)
{
    if (out->n_chunks == COF_CMS_CHUNKS_MAX || chunk.len > CIPHERTEXT_MAX - out->ciphertext_len)
        return COF_E_LIMIT;
    out->chunks[out->n_chunks++] = chunk;
    out->ciphertext_len += chunk.len;
    return COF_OK;
}

/* [0] IMPLICIT OCTET STRING: primitive, or constructed of definite primitive pieces. */
static enum cof_err parse_ciphertext(struct cof_view *in, struct cof_cms_enveloped *out)
{
    struct cof_ber_open content;
    struct cof_view chunk;
    uint8_t tag;
    enum cof_err err;

    if (!cof_der_peek(*in, &tag))
        return COF_E_TRUNCATED;
    if (tag == COF_DER_CONTEXT(0)) {
        err = cof_der_take(in, tag, &chunk);
        return err != COF_OK ? err : add_chunk(out, chunk);
    }
    err = cof_ber_open(*in, COF_DER_CONTEXT_CONS(0), &content);
    while (err == COF_OK && !cof_ber_at_end(&content)) {
        err = cof_der_take(&content.inside, COF_DER_OCTET_STRING, &chunk);
        if (err == COF_OK)
            err = add_chunk(out, chunk);
    }
    return err != COF_OK ? err : cof_ber_close(&content, in);
}

static enum cof_err parse_content(struct cof_view *in, struct cof_cms_enveloped *out, struct cof_diag *diag)
{
    struct cof_ber_open info;
    struct cof_view algorithm;
    enum cof_err err = cof_ber_open(*in, COF_DER_SEQUENCE, &info);

    if (err == COF_OK)
        err = cof_der_take_exact(&info.inside, WHOLE(oid_data));
    if (err == COF_OK)
        err = cof_der_take(&info.inside, COF_DER_SEQUENCE, &algorithm);
    if (err == COF_OK && (err = cof_der_take_exact(&algorithm, WHOLE(oid_aes256_cbc))) == COF_E_FORMAT)
        err = cof_diag_set(diag, err, "its content is not encrypted with AES-256-CBC");
    if (err == COF_OK)
        err = cof_der_take(&algorithm, COF_DER_OCTET_STRING, &out->iv);
    if (err == COF_OK && (algorithm.len != 0 || out->iv.len != COF_CMS_IV_SIZE))
        err = COF_E_FORMAT;
    if (err == COF_OK)
        err = parse_ciphertext(&info.inside, out);
    if (err == COF_OK && (out->ciphertext_len == 0 || out->ciphertext_len % BLOCK != 0))
        err = COF_E_FORMAT;
    return err != COF_OK ? err : cof_ber_close(&info, in);
}

static enum cof_err parse_enveloped(struct cof_view *in, struct cof_cms_enveloped *out, struct cof_diag *diag)
{
    struct cof_ber_open enveloped;
    enum cof_err err = cof_ber_open(*in, COF_DER_SEQUENCE, &enveloped);

    if (err == COF_OK)
        err = cof_der_take_exact(&enveloped.inside, WHOLE(version_2));
    if (err == COF_OK)
        err = parse_recipients(&enveloped.inside, out, diag);
    if (err == COF_OK)
        err = parse_content(&enveloped.inside, out, diag);
    return err != COF_OK ? err : cof_ber_close(&enveloped, in);
}

static enum cof_err parse(struct cof_view in, struct cof_cms_enveloped *out, struct cof_diag *diag)
{
    struct cof_ber_open info, content;
    enum cof_err err;

    if (in.len > COF_CMS_MAX)
        return COF_E_LIMIT;
    err = cof_ber_open(in, COF_DER_SEQUENCE, &info);
    if (err == COF_OK)
        err = cof_der_take_exact(&info.inside, WHOLE(oid_enveloped));
    if (err == COF_OK)
        err = cof_ber_open(info.inside, COF_DER_CONTEXT_CONS(0), &content);
    if (err == COF_OK)
        err = parse_enveloped(&content.inside, out, diag);
    if (err == COF_OK)
        err = cof_ber_close(&content, &info.inside);
    if (err == COF_OK)
        err = cof_ber_close(&info, &in);
    return err == COF_OK && in.len != 0 ? COF_E_FORMAT : err;
}

enum cof_err cof_cms_enveloped_parse(struct cof_view ber, struct cof_cms_enveloped *out, struct cof_diag *diag)
{
    struct cof_diag why = {0};
    enum cof_err err;

    *out = (struct cof_cms_enveloped){0};
    err = parse(ber, out, &why);
    if (err == COF_OK)
        return COF_OK;
    *out = (struct cof_cms_enveloped){0};
    return cof_diag_set(diag, err, "%s", why.text[0] != '\0' ? why.text : "it is no EnvelopedData as KMS writes it");
}

void cof_cms_add_ciphertext(struct cof_buf *out, const struct cof_cms_enveloped *cms)
{
    for (size_t i = 0; i < cms->n_chunks; i++)
        cof_buf_add(out, cms->chunks[i]);
}

static void open_indefinite(struct cof_buf *out, uint8_t tag)
{
    cof_buf_add_u8(out, tag);
    cof_buf_add_u8(out, 0x80);
}

static void add_recipient(struct cof_buf *out, const struct cof_cms_enveloped *cms)
{
    size_t set = cof_der_begin(out, COF_DER_SET);
    size_t info = cof_der_begin(out, COF_DER_SEQUENCE);

    cof_buf_add(out, WHOLE(version_2));
    cof_der_add(out, COF_DER_CONTEXT(0), cms->key_id);
    cof_buf_add(out, WHOLE(oaep_sha256));
    cof_der_add(out, COF_DER_OCTET_STRING, cms->encrypted_key);
    cof_der_end(out, info);
    cof_der_end(out, set);
}

void cof_cms_add_enveloped(struct cof_buf *out, const struct cof_cms_enveloped *cms)
{
    static const uint8_t end_marks[10] = {0}; /* of the five indefinite elements below */
    size_t mark;

    open_indefinite(out, COF_DER_SEQUENCE);
    cof_buf_add(out, WHOLE(oid_enveloped));
    open_indefinite(out, COF_DER_CONTEXT_CONS(0));
    open_indefinite(out, COF_DER_SEQUENCE);
    cof_buf_add(out, WHOLE(version_2));
    add_recipient(out, cms);
    open_indefinite(out, COF_DER_SEQUENCE);
    cof_buf_add(out, WHOLE(oid_data));
    mark = cof_der_begin(out, COF_DER_SEQUENCE);
    cof_buf_add(out, WHOLE(oid_aes256_cbc));
    cof_der_add(out, COF_DER_OCTET_STRING, cms->iv);
    cof_der_end(out, mark);
    open_indefinite(out, COF_DER_CONTEXT_CONS(0));
    for (size_t i = 0; i < cms->n_chunks; i++)
        cof_der_add(out, COF_DER_OCTET_STRING, cms->chunks[i]);
    cof_buf_add(out, WHOLE(end_marks));
}
