/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves of KMS's table what can be said without it: the KMS Developer Guide's permissions reference names the operations that act on no
 * key, those that carry an encryption context, and those that alone name an alias.
 */
#include "testing.h"

#include "policy/facts.h"

#include <string.h>

static bool in(const char *list, const char *word)
{
    struct cof_view rest = cof_view_str(list), w;

    while (cof_facts_word(&rest, &w))
        if (cof_view_eq_str(w, word))
            return true;
    return false;
}

static void what_they_act_on(void **state)
{
    static const char keyless[] = "ConnectCustomKeyStore CreateCustomKeyStore CreateKey DeleteCustomKeyStore DescribeCustomKeyStores "
                                  "DisconnectCustomKeyStore GenerateRandom ListAliases ListKeys ListRetirableGrants UpdateCustomKeyStore";
    static const char aliases[] = "CreateAlias DeleteAlias UpdateAlias";

    for (const struct cof_action_fact *a = cof_facts_kms; a->name != NULL; a++) {
        const char *wanted = in(keyless, a->name) ? "" : in(aliases, a->name) ? "alias key" : "key";

        if (strcmp(a->resources, wanted) != 0)
            fail_msg("kms:%s acts on \"%s\", not \"%s\"", a->name, a->resources, wanted);
    }
}

static void encryption_contexts(void **state)
{
    static const char with[] = "CreateGrant Decrypt Encrypt GenerateDataKey GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext "
                               "GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo RetireGrant";

    for (const struct cof_action_fact *a = cof_facts_kms; a->name != NULL; a++)
        if (in(a->keys, "EncryptionContext:*") != in(with, a->name) || in(a->keys, "EncryptionContextKeys") != in(with, a->name))
            fail_msg("kms:%s and the encryption context", a->name);
}

/* An attested call is attested whichever of the registers a policy asks for. */
static void attestation_is_whole(void **state)
{
    for (const struct cof_action_fact *a = cof_facts_kms; a->name != NULL; a++) {
        bool image = in(a->keys, "RecipientAttestation:ImageSha384");

        if (in(a->keys, "RecipientAttestation:PCR#") != image || in(a->keys, "RecipientAttestation:NitroTPMPCR#") != image)
            fail_msg("kms:%s can be attested in part", a->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_they_act_on),
        cmocka_unit_test(encryption_contexts),
        cmocka_unit_test(attestation_is_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
