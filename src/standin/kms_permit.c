/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/kms_permit.h"

#include "base/codec.h"

#include <stdio.h>
#include <string.h>

/* Texts that the condition context's views point to. */
struct texts {
    struct cof_buf names[COF_STANDIN_CONTEXT_MAX];
    size_t n;
    char via[128];
    char pcrs[COF_ATTEST_PCRS][2 * COF_ATTEST_PCR_SIZE + 1];
    char pcr_names[COF_ATTEST_PCRS][64];
};

static void texts_done(struct texts *t)
{
    for (size_t i = 0; i < t->n; i++)
        cof_buf_done(&t->names[i]);
}

static void add_encryption_context(const json_t *context, struct texts *t, struct cof_standin_context *out)
{
    json_t *mutable = (json_t *)(uintptr_t)context;
    struct cof_view keys[COF_STANDIN_CONTEXT_MAX];
    const char *name;
    json_t *value;
    size_t n = 0;

    if (context == NULL)
        return;
    json_object_foreach(mutable, name, value) {
        if (t->n == COF_STANDIN_CONTEXT_MAX) {
            out->over = true;
            return;
        }
        cof_buf_init(&t->names[t->n], 8192);
        cof_buf_printf(&t->names[t->n], "kms:EncryptionContext:%s", name);
        cof_standin_context_add(out, cof_buf_view(&t->names[t->n]),
                                cof_view_of(json_string_value(value), json_string_length(value)));
        keys[n++] = cof_view_sub(cof_buf_view(&t->names[t->n]), strlen("kms:EncryptionContext:"), SIZE_MAX);
        t->n++;
    }
    if (n > 0)
        cof_standin_context_add_list(out, COF_LIT("kms:EncryptionContextKeys"), keys, n);
}

/* What the VERIFIED document says; without one these keys are absent, and so every condition on them fails. */
static void add_attestation(const struct cof_attest *attest, struct texts *t, struct cof_standin_context *out)
{
    if (attest == NULL)
        return;
    for (unsigned i = 0; i < COF_ATTEST_PCRS; i++) {
        if ((attest->doc.pcr_mask >> i & 1) == 0)
            continue;
        cof_hex_encode(attest->doc.pcrs[i].data, COF_ATTEST_PCR_SIZE, t->pcrs[i]);
        (void)snprintf(t->pcr_names[i], sizeof t->pcr_names[i], "kms:RecipientAttestation:PCR%u", i);
        cof_standin_context_add(out, cof_view_str(t->pcr_names[i]), cof_view_str(t->pcrs[i]));
        if (i == 0)
            cof_standin_context_add(out, COF_LIT("kms:RecipientAttestation:ImageSha384"), cof_view_str(t->pcrs[i]));
    }
}

enum cof_err cof_kms_permit(struct cof_standin *s, struct cof_standin_request *req, const struct cof_kms_asking *asking,
                            struct cof_buf *why)
{
    const struct cof_kms_key *key = asking->key;
    struct cof_standin_context conditions = {0};
    struct texts t = {0};
    struct cof_standin_access access = {
        .action = asking->action,
        .resource = key == NULL ? COF_LIT("*") : cof_view_str(key->arn),
        .rule = key == NULL ? COF_RESOURCE_EITHER : COF_RESOURCE_AUTHORITATIVE,
        .resource_policy_name = "key-policy",
        .resource_policy_kind = COF_POLICY_RESOURCE,
        .context = &conditions,
        .via = asking->via,
    };
    enum cof_err err;

    if (key != NULL)
        access.resource_policy = cof_kms_key_policy(key);
    if (req->principal->caller.account.len > 0)
        cof_standin_context_add(&conditions, COF_LIT("kms:CallerAccount"), req->principal->caller.account);
    add_encryption_context(asking->context, &t, &conditions);
    add_attestation(asking->attest, &t, &conditions);
    if (asking->via != NULL) {
        (void)snprintf(t.via, sizeof t.via, "%s.%s.amazonaws.com", asking->via, cof_standin_region(s));
        cof_standin_context_add(&conditions, COF_LIT("kms:ViaService"), cof_view_str(t.via));
    }
    err = cof_standin_authorize(s, req, &access, why);
    texts_done(&t);
    return err;
}
