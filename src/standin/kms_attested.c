/* SPDX-License-Identifier: Apache-2.0
 *
 * Recipients: the attestation document is verified as AWS would (COSE, chain to a configured root, time), its
 * measurements are then for the policies to judge, and the answer is sealed for its public key.
 */
#include "base/codec.h"
#include "engine/kms_recipient.h"
#include "standin/kms_api.h"
#include "standin/kms_cache.h"
#include "standin/trail.h"

#include <stdio.h>

/* Against the simulated root, and then AWS's. */
static enum cof_err verify(struct cof_kms_call *c, struct cof_diag *diag)
{
    struct cof_attest_policy policy = {.mode = COF_ATTEST_LIVE, .now_ms = c->req->now_ms, .any_image = true,
        .allow_debug = true, .cache = cof_kms_cache_attest(c->s)};
    enum cof_err err = cof_kms_cache_root(c->s, c->req->now_ms, &policy.root_der);

    if (err == COF_OK)
        err = cof_attest_verify(cof_buf_view(&c->document), &policy, &c->attest, diag);
    if (err == COF_E_AUTH) {
        policy.root_der = (struct cof_view){0};
        err = cof_attest_verify(cof_buf_view(&c->document), &policy, &c->attest, NULL);
    }
    return err;
}

enum cof_err cof_kms_read_recipient(struct cof_kms_call *c)
{
    static const char *const algorithms[] = {"RSAES_OAEP_SHA_256", NULL};
    static const struct cof_kms_member members[] = {
        {.name = "KeyEncryptionAlgorithm", .type = COF_KMS_ENUM, .required = true, .choices = algorithms},
        {.name = "AttestationDocument", .type = COF_KMS_BYTES, .required = true, .min = 1, .max = 262144},
        {.name = NULL}};
    const json_t *recipient = json_object_get(c->in, "Recipient");
    struct cof_buf message;
    struct cof_diag diag = {0};
    enum cof_err err;

    if (recipient == NULL || json_is_null(recipient))
        return COF_OK;
    if (!c->op->recipient)
        return cof_kms_fail(c, "ValidationException", "This operation takes no Recipient.");
    cof_buf_init(&message, 16384);
    err = cof_kms_shape_check(recipient, members, &message);
    if (err == COF_E_FORMAT || err == COF_E_DENIED)
        err = cof_kms_fail(c, err == COF_E_FORMAT ? "SerializationException" : "ValidationException", "%s",
                           cof_buf_cstr(&message));
    cof_buf_done(&message);
    if (err != COF_OK)
        return err;
    err = cof_json_base64(recipient, "AttestationDocument", &c->document, NULL);
    if (err == COF_OK)
        err = verify(c, &diag);
    if (err == COF_OK && (!c->attest.doc.public_key.present ||
                          cof_kms_cache_recipient(c->s, c->attest.doc.public_key.bytes, &c->recipient_key) != COF_OK))
        err = cof_diag_set(&diag, COF_E_AUTH, "the document has no RSA public key of 2048 to 4096 bits");
    if (err == COF_OK) {
        c->has_recipient = true;
        cof_trail_recipient(c->req, &c->attest.doc);
        return COF_OK;
    }
    if (err == COF_E_MEMORY || err == COF_E_IO || err == COF_E_BUG)
        return err;
    cof_standin_audit(c->req, "attestationFailure", cof_view_str(diag.text));
    return cof_kms_fail(c, "ValidationException", "The attestation document in the request is not valid");
}

enum cof_err cof_kms_add_secret(struct cof_kms_call *c, const char *name, struct cof_view plaintext)
{
    struct cof_buf cms;
    enum cof_err err;

    if (!c->has_recipient) {
        cof_json_add_member_base64(&c->out, name, plaintext);
        return cof_buf_err(&c->out);
    }
    cof_buf_init(&cms, COF_CMS_MAX);
    err = cof_kms_recipient_seal_for(c->recipient_key, c->attest.doc.public_key.bytes, plaintext, cof_standin_rng(c->s), &cms);
    if (err == COF_OK)
        cof_json_add_member_base64(&c->out, "CiphertextForRecipient", cof_buf_view(&cms));
    cof_buf_done(&cms);
    return err;
}
