/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/receipt.h"

#include "base/secret.h"
#include "format/cbor.h"
#include "format/cose.h"

#define VERSION 1
#define LABEL "coffer receipt v1"
#define SIGNATURE_SIZE 64 /* ES256 */

enum key {
    KEY_VERSION,
    KEY_TENANT,
    KEY_JOB,
    KEY_INPUT,
    KEY_OUTPUT,
    KEY_PROCESSOR,
    KEY_MODEL,
    KEY_CONFIG,
    KEY_STARTED,
    KEY_FINISHED,
    KEY_DATA_KEY,
    KEY_RESULTS_KEY,
    KEY_ATTESTATION,
    N_KEYS,
};

static const char *const keys[N_KEYS] = {
    [KEY_VERSION] = "version",
    [KEY_TENANT] = "tenant",
    [KEY_JOB] = "job",
    [KEY_INPUT] = "input",
    [KEY_OUTPUT] = "output",
    [KEY_PROCESSOR] = "processor_sha256",
    [KEY_MODEL] = "model_sha256",
    [KEY_CONFIG] = "config_sha256",
    [KEY_STARTED] = "started_ms",
    [KEY_FINISHED] = "finished_ms",
    [KEY_DATA_KEY] = "data_key_arn",
    [KEY_RESULTS_KEY] = "results_key_arn",
    [KEY_ATTESTATION] = "attestation",
};

/* Of input and output; the fifth differs. */
enum object_key { OBJECT_BUCKET, OBJECT_KEY, OBJECT_SEALED, OBJECT_COMMITMENT, OBJECT_LAST, N_OBJECT_KEYS };

static const char *const input_keys[N_OBJECT_KEYS] = {"bucket", "key", "sealed_sha256", "commitment", "version_id"};
static const char *const output_keys[N_OBJECT_KEYS] = {"bucket", "key", "sealed_sha256", "commitment", "media_type"};

/* One side of the work, so that both are written and read by one piece of code. */
struct object {
    struct cof_view bucket, key, sealed_sha256, commitment, last;
};

static enum cof_err digest_parts(const struct cof_view *parts, size_t n, uint8_t *out)
{
    struct cof_hash *hash = NULL;
    enum cof_err err = cof_hash_new(COF_SHA256, &hash);

    for (size_t i = 0; err == COF_OK && i < n; i++)
        err = cof_hash_update(hash, parts[i]);
    if (err == COF_OK)
        err = cof_hash_final(hash, out);
    cof_hash_free(hash);
    return err;
}

enum cof_err cof_receipt_user_data(struct cof_view signer_spki, uint8_t out[static COF_RECEIPT_DIGEST])
{
    /* The NUL of the literal ends the label, so that no longer label can begin with this one. */
    struct cof_view parts[2] = {cof_view_of(LABEL, sizeof LABEL), signer_spki};

    return digest_parts(parts, 2, out);
}

enum cof_err cof_receipt_commit(struct cof_view salt, struct cof_view plaintext_sha256,
                                uint8_t out[static COF_RECEIPT_DIGEST])
{
    if (salt.len != COF_RECEIPT_SALT || plaintext_sha256.len != COF_RECEIPT_DIGEST)
        return COF_E_USAGE;
    return cof_hmac(COF_SHA256, salt, &plaintext_sha256, 1, out);
}

enum cof_err cof_receipt_check_commitment(struct cof_view commitment, struct cof_view salt,
                                          struct cof_view plaintext_sha256)
{
    uint8_t expected[COF_RECEIPT_DIGEST];
    enum cof_err err = cof_receipt_commit(salt, plaintext_sha256, expected);

    if (err != COF_OK)
        return err;
    return cof_equal_ct(commitment, cof_view_of(expected, sizeof expected)) ? COF_OK : COF_E_AUTH;
}

static bool is_text(struct cof_view v)
{
    return v.len > 0 && v.len <= COF_RECEIPT_TEXT_MAX && cof_view_is_utf8(v);
}

static bool is_digest(struct cof_view v)
{
    return v.len == COF_RECEIPT_DIGEST;
}

/* What the builder is given and what the verifier hands out must both satisfy this. */
static bool is_complete(const struct cof_receipt *r)
{
    return is_text(r->tenant) && is_text(r->job) && is_text(r->input.bucket) && is_text(r->input.key) &&
           (r->input.version_id.len == 0 || is_text(r->input.version_id)) && is_digest(r->input.sealed_sha256) &&
           is_digest(r->input.commitment) && is_text(r->output.bucket) && is_text(r->output.key) &&
           is_text(r->output.media_type) && is_digest(r->output.sealed_sha256) && is_digest(r->output.commitment) &&
           is_digest(r->processor_sha256) && is_digest(r->config_sha256) &&
           (r->model_sha256.len == 0 || is_digest(r->model_sha256)) && r->started_ms > 0 &&
           r->finished_ms >= r->started_ms && is_text(r->data_key_arn) && is_text(r->results_key_arn) &&
           r->attestation.len > 0 && r->attestation.len <= COF_ATTEST_DOC_MAX;
}

static void add_text(struct cof_buf *out, const char *name, struct cof_view v)
{
    cof_cbor_add_str(out, name);
    if (v.len > 0)
        cof_cbor_add_text(out, v);
    else
        cof_cbor_add_null(out);
}

static void add_bytes(struct cof_buf *out, const char *name, struct cof_view v)
{
    cof_cbor_add_str(out, name);
    if (v.len > 0)
        cof_cbor_add_bytes(out, v);
    else
        cof_cbor_add_null(out);
}

static void add_object(struct cof_buf *out, const char *const *names, const struct object *o)
{
    cof_cbor_add_map(out, N_OBJECT_KEYS);
    add_text(out, names[OBJECT_BUCKET], o->bucket);
    add_text(out, names[OBJECT_KEY], o->key);
    add_bytes(out, names[OBJECT_SEALED], o->sealed_sha256);
    add_bytes(out, names[OBJECT_COMMITMENT], o->commitment);
    add_text(out, names[OBJECT_LAST], o->last);
}

static void add_payload(struct cof_buf *out, const struct cof_receipt *r)
{
    struct object input = {r->input.bucket, r->input.key, r->input.sealed_sha256, r->input.commitment,
        r->input.version_id};
    struct object output = {r->output.bucket, r->output.key, r->output.sealed_sha256, r->output.commitment,
        r->output.media_type};

    cof_cbor_add_map(out, N_KEYS);
    cof_cbor_add_str(out, keys[KEY_VERSION]);
    cof_cbor_add_uint(out, VERSION);
    add_text(out, keys[KEY_TENANT], r->tenant);
    add_text(out, keys[KEY_JOB], r->job);
    cof_cbor_add_str(out, keys[KEY_INPUT]);
    add_object(out, input_keys, &input);
    cof_cbor_add_str(out, keys[KEY_OUTPUT]);
    add_object(out, output_keys, &output);
    add_bytes(out, keys[KEY_PROCESSOR], r->processor_sha256);
    add_bytes(out, keys[KEY_MODEL], r->model_sha256);
    add_bytes(out, keys[KEY_CONFIG], r->config_sha256);
    cof_cbor_add_str(out, keys[KEY_STARTED]);
    cof_cbor_add_int(out, r->started_ms);
    cof_cbor_add_str(out, keys[KEY_FINISHED]);
    cof_cbor_add_int(out, r->finished_ms);
    add_text(out, keys[KEY_DATA_KEY], r->data_key_arn);
    add_text(out, keys[KEY_RESULTS_KEY], r->results_key_arn);
    add_bytes(out, keys[KEY_ATTESTATION], r->attestation);
}

/* The bytes that ES256 signs. */
static enum cof_err add_signed_bytes(struct cof_buf *out, struct cof_view protected_header, struct cof_view payload)
{
    cof_cose_add_sig_structure(out, protected_header, COF_LIT(""), payload);
    return cof_buf_err(out);
}

enum cof_err cof_receipt_build(const struct cof_receipt *receipt, const struct cof_ecdsa_key *signer,
                               struct cof_buf *out)
{
    struct cof_buf payload, protected_header, tbs, sig;
    enum cof_err err = COF_E_USAGE;

    cof_buf_init(&payload, COF_RECEIPT_MAX);
    cof_buf_init(&protected_header, 16);
    cof_buf_init(&tbs, COF_RECEIPT_MAX + 64);
    cof_buf_init(&sig, COF_ECDSA_SIG_MAX);
    if (!is_complete(receipt) || cof_ecdsa_curve(signer) != COF_P256)
        goto out;
    add_payload(&payload, receipt);
    err = cof_buf_err(&payload);
    if (err != COF_OK)
        goto out;
    cof_cose_add_protected(&protected_header, COF_COSE_ES256);
    err = add_signed_bytes(&tbs, cof_buf_view(&protected_header), cof_buf_view(&payload));
    if (err == COF_OK)
        err = cof_ecdsa_sign(signer, COF_SHA256, cof_buf_view(&tbs), COF_ECDSA_RAW, &sig);
    if (err != COF_OK)
        goto out;
    cof_cose_add_sign1(out, true, cof_buf_view(&protected_header), cof_buf_view(&payload), cof_buf_view(&sig));
    err = cof_buf_err(out);
out:
    cof_buf_done(&payload);
    cof_buf_done(&protected_header);
    cof_buf_done(&tbs);
    cof_buf_done(&sig);
    return err;
}

static enum cof_err take_optional_text(struct cof_view *in, struct cof_view *out)
{
    return cof_cbor_take_null(in) ? COF_OK : cof_cbor_take_text(in, 1, COF_RECEIPT_TEXT_MAX, out);
}

static enum cof_err take_digest(struct cof_view *in, struct cof_view *out)
{
    return cof_cbor_take_bytes(in, COF_RECEIPT_DIGEST, COF_RECEIPT_DIGEST, out);
}

static enum cof_err take_ms(struct cof_view *in, int64_t *out)
{
    uint64_t ms;
    enum cof_err err = cof_cbor_take_uint(in, INT64_MAX, &ms);

    if (err == COF_OK)
        *out = (int64_t)ms;
    return err;
}

static enum cof_err take_object(struct cof_view *in, const char *const *names, struct object *o)
{
    struct cof_cbor_map map;
    size_t index;
    enum cof_err err = cof_cbor_map_open(in, false, &map);

    while (err == COF_OK) {
        err = cof_cbor_map_next(in, &map, names, N_OBJECT_KEYS, &index);
        if (err != COF_OK || index == COF_CBOR_END)
            break;
        if (index == OBJECT_SEALED)
            err = take_digest(in, &o->sealed_sha256);
        else if (index == OBJECT_COMMITMENT)
            err = take_digest(in, &o->commitment);
        else if (index == OBJECT_BUCKET)
            err = take_optional_text(in, &o->bucket);
        else
            err = take_optional_text(in, index == OBJECT_KEY ? &o->key : &o->last);
    }
    return err;
}

static enum cof_err take_version(struct cof_view *in)
{
    uint64_t version;
    enum cof_err err = cof_cbor_take_uint(in, VERSION, &version);

    return err == COF_OK && version != VERSION ? COF_E_UNSUPPORTED : err;
}

static enum cof_err take_value(struct cof_view *in, enum key key, struct cof_receipt *r)
{
    struct object o = {0};
    enum cof_err err = COF_E_BUG;

    switch (key) {
    case KEY_VERSION:
        return take_version(in);
    case KEY_TENANT:
        return take_optional_text(in, &r->tenant);
    case KEY_JOB:
        return take_optional_text(in, &r->job);
    case KEY_INPUT:
        err = take_object(in, input_keys, &o);
        r->input.bucket = o.bucket;
        r->input.key = o.key;
        r->input.sealed_sha256 = o.sealed_sha256;
        r->input.commitment = o.commitment;
        r->input.version_id = o.last;
        return err;
    case KEY_OUTPUT:
        err = take_object(in, output_keys, &o);
        r->output.bucket = o.bucket;
        r->output.key = o.key;
        r->output.sealed_sha256 = o.sealed_sha256;
        r->output.commitment = o.commitment;
        r->output.media_type = o.last;
        return err;
    case KEY_PROCESSOR:
        return take_digest(in, &r->processor_sha256);
    case KEY_MODEL:
        return cof_cbor_take_null(in) ? COF_OK : take_digest(in, &r->model_sha256);
    case KEY_CONFIG:
        return take_digest(in, &r->config_sha256);
    case KEY_STARTED:
        return take_ms(in, &r->started_ms);
    case KEY_FINISHED:
        return take_ms(in, &r->finished_ms);
    case KEY_DATA_KEY:
        return take_optional_text(in, &r->data_key_arn);
    case KEY_RESULTS_KEY:
        return take_optional_text(in, &r->results_key_arn);
    case KEY_ATTESTATION:
        return cof_cbor_take_bytes(in, 1, COF_ATTEST_DOC_MAX, &r->attestation);
    case N_KEYS:
        break;
    }
    return err;
}

/* A receipt has one encoding: what was read must give the same bytes when it is written again. */
static enum cof_err check_canonical(const struct cof_receipt *r, struct cof_view payload)
{
    struct cof_buf again;
    enum cof_err err;

    cof_buf_init(&again, COF_RECEIPT_MAX);
    add_payload(&again, r);
    err = cof_buf_err(&again);
    if (err == COF_OK && !cof_view_eq(cof_buf_view(&again), payload))
        err = COF_E_FORMAT;
    cof_buf_done(&again);
    return err;
}

static enum cof_err parse_payload(struct cof_view payload, struct cof_receipt *r)
{
    struct cof_view in = payload;
    struct cof_cbor_map map;
    size_t index;
    enum cof_err err = cof_cbor_map_open(&in, false, &map);

    while (err == COF_OK) {
        err = cof_cbor_map_next(&in, &map, keys, N_KEYS, &index);
        if (err != COF_OK || index == COF_CBOR_END)
            break;
        err = take_value(&in, (enum key)index, r);
    }
    if (err == COF_OK && (in.len != 0 || !is_complete(r)))
        err = COF_E_FORMAT;
    return err != COF_OK ? err : check_canonical(r, payload);
}

static enum cof_err parse(struct cof_view doc, struct cof_cose_sign1 *cose, struct cof_receipt *r)
{
    enum cof_err err = doc.len > COF_RECEIPT_MAX ? COF_E_LIMIT : cof_cose_sign1_parse(doc, COF_RECEIPT_MAX, cose);

    if (err == COF_OK && (cose->alg != COF_COSE_ES256 || cose->n_protected != 1 || cose->n_unprotected != 0 ||
                          !cose->tagged || cose->signature.len != SIGNATURE_SIZE))
        err = COF_E_FORMAT;
    return err != COF_OK ? err : parse_payload(cose->payload, r);
}

/* The document must vouch for a key, and for this one use of it. */
static enum cof_err check_attestation(const struct cof_receipt *r, const struct cof_attest_policy *policy,
                                      struct cof_attest *attest, struct cof_ecdsa_key **signer, struct cof_diag *diag)
{
    struct cof_attest_policy archive = *policy;
    uint8_t user_data[COF_RECEIPT_DIGEST];
    enum cof_err err;

    archive.mode = COF_ATTEST_ARCHIVE;
    archive.at_given = true;
    archive.at_ms = r->finished_ms; /* the work must have ended while leaf and authorities were valid */
    archive.public_key = NULL;
    archive.user_data = NULL;
    err = cof_attest_verify(r->attestation, &archive, attest, diag);
    if (err != COF_OK)
        return err;
    if (!attest->doc.public_key.present || !attest->doc.user_data.present)
        return cof_diag_set(diag, COF_E_AUTH, "the receipt's attestation vouches for no key");
    err = cof_receipt_user_data(attest->doc.public_key.bytes, user_data);
    if (err != COF_OK)
        return err;
    if (!cof_equal_ct(attest->doc.user_data.bytes, cof_view_of(user_data, sizeof user_data)))
        return cof_diag_set(diag, COF_E_AUTH, "the receipt's attestation was made for another purpose");
    if (cof_ecdsa_from_spki(attest->doc.public_key.bytes, signer) != COF_OK || cof_ecdsa_curve(*signer) != COF_P256)
        return cof_diag_set(diag, COF_E_AUTH, "the receipt's attestation vouches for no P-256 key");
    return COF_OK;
}

static enum cof_err check_signature(const struct cof_cose_sign1 *cose, const struct cof_ecdsa_key *signer,
                                    struct cof_diag *diag)
{
    struct cof_buf tbs;
    enum cof_err err;

    cof_buf_init(&tbs, COF_RECEIPT_MAX + 64);
    err = add_signed_bytes(&tbs, cose->protected_header, cose->payload);
    if (err == COF_OK)
        err = cof_ecdsa_verify(signer, COF_SHA256, cof_buf_view(&tbs), COF_ECDSA_RAW, cose->signature);
    cof_buf_done(&tbs);
    return err == COF_E_AUTH ? cof_diag_set(diag, err, "the receipt's signature is wrong") : err;
}

/* Usage, memory and bugs are ours; everything else is the receipt's. */
static enum cof_err one_code(enum cof_err err)
{
    enum cof_class class = cof_err_class(err);

    return class == COF_CLASS_FORMAT || class == COF_CLASS_LIMIT ? COF_E_AUTH : err;
}

enum cof_err cof_receipt_verify(struct cof_view doc, const struct cof_attest_policy *policy, struct cof_receipt *out,
                                struct cof_attest *attest, struct cof_diag *diag)
{
    struct cof_receipt r = {0};
    struct cof_attest vouched = {0};
    struct cof_cose_sign1 cose = {0};
    struct cof_ecdsa_key *signer = NULL;
    enum cof_err err;

    *out = (struct cof_receipt){0};
    if (attest != NULL)
        *attest = (struct cof_attest){0};
    err = parse(doc, &cose, &r);
    if (err != COF_OK)
        err = cof_diag_set(diag, one_code(err), "this is no receipt, or one of another version");
    else
        err = check_attestation(&r, policy, &vouched, &signer, diag);
    if (err == COF_OK)
        err = check_signature(&cose, signer, diag);
    cof_ecdsa_free(signer);
    if (err != COF_OK)
        return err;
    *out = r;
    if (attest != NULL)
        *attest = vouched;
    return COF_OK;
}
