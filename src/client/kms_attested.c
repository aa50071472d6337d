/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kms_attested.h"

#include "crypto/hash.h"
#include "engine/kms_recipient.h"
#include "format/attest_doc.h"
#include "format/cose.h"
#include "format/nsm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EPOCH_MS 600000
#define RSA_BITS 2048
#define NONCE_BYTES 32
#define DRIFT_MS 1000 /* less is not worth a correction */
#define DATA_KEY_BYTES 32
#define SPKI_MAX 1024

void cof_kms_attested_init(struct cof_kms_attested *att, struct cof_aws *aws, const struct cof_nsm_port *nsm)
{
    *att = (struct cof_kms_attested){.aws = aws, .nsm = *nsm, .epoch_ms = EPOCH_MS, .rsa_bits = RSA_BITS};
    cof_buf_init(&att->spki, SPKI_MAX);
    cof_buf_init(&att->document, COF_NSM_RESPONSE_MAX);
}

void cof_kms_attested_done(struct cof_kms_attested *att)
{
    if (att == NULL)
        return;
    cof_rsa_free(att->key);
    att->key = NULL;
    cof_buf_done(&att->spki);
    cof_buf_done(&att->document);
}

void cof_kms_attested_renew(struct cof_kms_attested *att)
{
    cof_buf_reset(&att->document);
}

/* Whether the key at hand will do: it is younger than max_ms, or, where each call has its own, unused. */
static bool good(const struct cof_kms_attested *att, int64_t max_ms, int64_t now_ms)
{
    return att->key != NULL && (att->epoch_ms > 0 ? now_ms - att->made_ms < max_ms : !att->used);
}

static enum cof_err fresh_key(struct cof_kms_attested *att, int64_t max_ms)
{
    int64_t now_ms = cof_loop_now_ms(att->aws->loop);
    struct cof_rsa_key *key;
    enum cof_err err;

    if (good(att, max_ms, now_ms))
        return COF_OK;
    err = cof_rsa_generate(att->rsa_bits, &key);
    if (err != COF_OK)
        return err;
    cof_rsa_free(att->key);
    att->key = key;
    att->made_ms = now_ms;
    att->used = false;
    cof_kms_attested_renew(att);
    cof_buf_reset(&att->spki);
    return cof_rsa_spki(key, &att->spki);
}

enum cof_err cof_kms_attested_prepare(struct cof_kms_attested *att)
{
    return fresh_key(att, att->epoch_ms / 2);
}

static int by_name(const void *a, const void *b)
{
    return cof_view_cmp(((const struct cof_pair *)a)->name, ((const struct cof_pair *)b)->name);
}

enum cof_err cof_kms_attested_digest(const char *operation, const struct cof_kms_key_use *use, struct cof_view blob,
                                     uint8_t out[static 32])
{
    struct cof_pair *sorted = calloc(use->n_context + 1, sizeof *sorted);
    struct cof_buf text;
    enum cof_err err;

    memset(out, 0, 32);
    if (sorted == NULL)
        return COF_E_MEMORY;
    if (use->n_context > 0)
        memcpy(sorted, use->context, use->n_context * sizeof *sorted);
    qsort(sorted, use->n_context, sizeof *sorted, by_name);
    cof_buf_init(&text, (size_t)1 << 20);
    cof_buf_add(&text, COF_LIT("coffer kms request v1\0"));
    cof_buf_add_str(&text, operation);
    cof_buf_add_u8(&text, 0);
    cof_buf_add(&text, use->key_arn);
    cof_buf_add_u8(&text, 0);
    err = use->n_context > UINT16_MAX || blob.len > UINT32_MAX ? COF_E_LIMIT : COF_OK;
    cof_buf_add_u16(&text, (uint16_t)use->n_context);
    for (size_t i = 0; i < use->n_context && err == COF_OK; i++) {
        if (sorted[i].name.len > UINT16_MAX || sorted[i].value.len > UINT16_MAX)
            err = COF_E_LIMIT;
        cof_buf_add_u16(&text, (uint16_t)sorted[i].name.len);
        cof_buf_add(&text, sorted[i].name);
        cof_buf_add_u16(&text, (uint16_t)sorted[i].value.len);
        cof_buf_add(&text, sorted[i].value);
    }
    cof_buf_add_u32(&text, (uint32_t)blob.len);
    cof_buf_add(&text, blob);
    if (err == COF_OK)
        err = cof_buf_err(&text);
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, cof_buf_view(&text), out);
    cof_buf_done(&text);
    free(sorted);
    return err;
}

enum cof_err cof_kms_attested_epoch_digest(struct cof_view spki, uint8_t out[static 32])
{
    struct cof_buf text;
    enum cof_err err;

    memset(out, 0, 32);
    cof_buf_init(&text, SPKI_MAX + 64);
    cof_buf_add(&text, COF_LIT("coffer kms epoch v1\0"));
    cof_buf_add(&text, spki);
    err = cof_buf_err(&text);
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, cof_buf_view(&text), out);
    cof_buf_done(&text);
    return err;
}

/* The hypervisor's time is in every document, which comes from the module itself: no signature is asked of it. The parent
 * steers neither, and the kernel's clock drifts. */
static void follow_clock(const struct cof_kms_attested *att, struct cof_view document)
{
    struct cof_cose_sign1 cose;
    struct cof_attest_doc doc;
    char off[32];
    int64_t off_ms;

    if (!att->aws->own_clock || cof_cose_sign1_parse(document, COF_ATTEST_PAYLOAD_MAX, &cose) != COF_OK ||
        cof_attest_doc_parse(cose.payload, &doc, NULL) != COF_OK)
        return;
    off_ms = doc.timestamp_ms - att->aws->now_ms();
    if (off_ms <= DRIFT_MS && off_ms >= -DRIFT_MS)
        off_ms = 0;
    if (off_ms - att->aws->skew_ms > DRIFT_MS || off_ms - att->aws->skew_ms < -DRIFT_MS) {
        (void)snprintf(off, sizeof off, "%lld", (long long)-off_ms);
        cof_log_event(att->aws->log, COF_LOG_WARN, "clock.off", "by_ms", off, NULL);
    }
    att->aws->skew_ms = off_ms;
}

/* Has the security module sign a document over our public key, a nonce and what it is for. */
static enum cof_err attest(struct cof_kms_attested *att, const uint8_t user_data[static 32], struct cof_diag *diag)
{
    uint8_t nonce[NONCE_BYTES];
    struct cof_nsm_request request = {.op = COF_NSM_ATTESTATION};
    struct cof_nsm_response response;
    struct cof_buf out, in;
    enum cof_err err = cof_rng_fill(att->aws->rng, nonce, sizeof nonce);

    cof_buf_init(&out, COF_NSM_REQUEST_MAX);
    cof_buf_init(&in, COF_NSM_RESPONSE_MAX);
    if (err == COF_OK) {
        request.public_key.present = request.nonce.present = request.user_data.present = true;
        request.public_key.bytes = cof_buf_view(&att->spki);
        request.nonce.bytes = cof_view_of(nonce, sizeof nonce);
        request.user_data.bytes = cof_view_of(user_data, 32);
        cof_nsm_add_request(&out, &request);
        err = cof_buf_err(&out);
    }
    if (err == COF_OK)
        err = att->nsm.call(att->nsm.ctx, cof_buf_view(&out), &in);
    if (err == COF_OK)
        err = cof_nsm_parse_response(cof_buf_view(&in), &response);
    if (err == COF_OK && response.op != COF_NSM_ATTESTATION) {
        err = cof_diag_set(diag, COF_E_REMOTE, "the security module gives no attestation: %s",
                           response.op == COF_NSM_ERROR ? cof_nsm_error_name(response.error) : "another answer came");
    } else if (err == COF_OK) {
        cof_buf_add(&att->document, response.data);
        follow_clock(att, response.data);
    } else {
        (void)cof_diag_set(diag, err, "the security module does not answer: %s", cof_err_text(err));
    }
    cof_buf_done(&out);
    cof_buf_done(&in);
    if (err == COF_OK && response.data.len == 0)
        err = cof_diag_set(diag, COF_E_FORMAT, "the security module gives an empty document");
    return err == COF_OK ? cof_buf_err(&att->document) : err;
}

/* A document for this question: one of its own, or, where documents serve for a while, the one at hand while it is young. */
static enum cof_err document_for(struct cof_kms_attested *att, const char *operation, const struct cof_kms_key_use *use,
                                 struct cof_view blob, struct cof_diag *diag)
{
    int64_t now_ms = cof_loop_now_ms(att->aws->loop);
    uint8_t user_data[32];
    enum cof_err err;

    if (att->document.len > 0 && now_ms - att->attested_ms < att->document_ms)
        return COF_OK;
    cof_kms_attested_renew(att);
    err = att->document_ms > 0 ? cof_kms_attested_epoch_digest(cof_buf_view(&att->spki), user_data)
                               : cof_kms_attested_digest(operation, use, blob, user_data);
    att->attested_ms = now_ms;
    return err == COF_OK ? attest(att, user_data, diag) : err;
}

/* Key, document and request; *reply is the caller's on COF_OK. */
static enum cof_err ask(struct cof_kms_attested *att, const char *operation, const struct cof_kms_key_use *use,
                        struct cof_view blob, struct cof_kms_reply *reply, struct cof_diag *diag)
{
    struct cof_kms_key_use attested = *use;
    enum cof_err err = fresh_key(att, att->epoch_ms);

    *reply = (struct cof_kms_reply){0};
    if (err == COF_OK)
        err = document_for(att, operation, use, blob, diag);
    att->used = true;
    attested.recipient = cof_buf_view(&att->document);
    if (err == COF_OK)
        err = blob.len > 0 ? cof_kms_run_decrypt(att->aws, &attested, blob, reply, diag)
                           : cof_kms_run_generate_data_key(att->aws, &attested, reply, diag);
    if (err != COF_OK || att->document_ms == 0)
        cof_kms_attested_renew(att); /* whatever KMS minds about it, the next call asks with another */
    return err;
}

static enum cof_err open_key(struct cof_kms_attested *att, const struct cof_kms_reply *reply, size_t key_bytes,
                             struct cof_secret *out, struct cof_diag *diag)
{
    struct cof_diag why = {0};
    enum cof_err err = cof_kms_recipient_open(att->key, cof_buf_view(&reply->ciphertext_for_recipient), key_bytes, out, &why);

    if (err != COF_OK)
        (void)cof_diag_set(diag, err, "what KMS sealed for this enclave is refused: %s", why.text[0] != '\0' ? why.text : cof_err_text(err));
    return err;
}

enum cof_err cof_kms_attested_decrypt(struct cof_kms_attested *att, const struct cof_kms_key_use *use,
                                      struct cof_view blob, size_t key_bytes, struct cof_secret *out,
                                      struct cof_diag *diag)
{
    struct cof_kms_reply reply;
    enum cof_err err;

    cof_secret_done(out);
    if (blob.len == 0 || key_bytes == 0 || key_bytes > COF_SECRET_MAX)
        return COF_E_USAGE;
    err = ask(att, "Decrypt", use, blob, &reply, diag);
    if (err == COF_OK)
        err = open_key(att, &reply, key_bytes, out, diag);
    cof_kms_reply_done(&reply);
    return err;
}

enum cof_err cof_kms_attested_generate(struct cof_kms_attested *att, const struct cof_kms_key_use *use,
                                       struct cof_secret *out, struct cof_buf *blob, struct cof_diag *diag)
{
    struct cof_kms_reply reply;
    enum cof_err err;

    cof_secret_done(out);
    err = ask(att, "GenerateDataKey", use, (struct cof_view){0}, &reply, diag);
    if (err == COF_OK && reply.blob.len == 0)
        err = cof_diag_set(diag, COF_E_FORMAT, "KMS sent an empty sealed data key");
    if (err == COF_OK)
        err = open_key(att, &reply, use->key_bytes == 0 ? DATA_KEY_BYTES : use->key_bytes, out, diag);
    if (err == COF_OK) {
        cof_buf_add(blob, cof_buf_view(&reply.blob));
        err = cof_buf_err(blob);
    }
    if (err != COF_OK)
        cof_secret_done(out);
    cof_kms_reply_done(&reply);
    return err;
}
