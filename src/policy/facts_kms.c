/* SPDX-License-Identifier: Apache-2.0
 *
 * The actions of KMS: name, kinds of resource, and condition keys beside those that all of them have
 * (Service Authorization Reference, "Actions, resources, and condition keys for AWS Key Management Service").
 */
#include "policy/facts.h"

#include <stddef.h>

const struct cof_action_fact cof_facts_kms[] = {
    {"SynchronizeMultiRegionKey", "key", ""},
    {"CancelKeyDeletion", "key", ""},
    {"ConnectCustomKeyStore", "", ""},
    {"CreateAlias", "alias key", ""},
    {"CreateCustomKeyStore", "", ""},
    {"CreateGrant", "key",
        "EncryptionContext:* EncryptionContextKeys GrantConstraintSourceArn GrantConstraintType "
        "GrantIsForAWSResource GrantOperations GranteePrincipal GranteeServicePrincipal RetiringPrincipal "
        "RetiringServicePrincipal"},
    {"CreateKey", "", "BypassPolicyLockoutSafetyCheck"},
    {"Decrypt", "key",
        "EncryptionAlgorithm EncryptionContext:* EncryptionContextKeys RecipientAttestation:ImageSha384 "
        "RecipientAttestation:NitroTPMPCR# RecipientAttestation:PCR# RequestAlias"},
    {"DeleteAlias", "alias key", ""},
    {"DeleteCustomKeyStore", "", ""},
    {"DeleteImportedKeyMaterial", "key", ""},
    {"DeriveSharedSecret", "key",
        "KeyAgreementAlgorithm RecipientAttestation:ImageSha384 RecipientAttestation:NitroTPMPCR# "
        "RecipientAttestation:PCR# RequestAlias"},
    {"DescribeCustomKeyStores", "", ""},
    {"DescribeKey", "key", "RequestAlias"},
    {"DisableKey", "key", "TrailingDaysWithoutKeyUsage"},
    {"DisableKeyRotation", "key", ""},
    {"DisconnectCustomKeyStore", "", ""},
    {"EnableKey", "key", ""},
    {"EnableKeyRotation", "key", "RotationPeriodInDays"},
    {"Encrypt", "key", "EncryptionAlgorithm EncryptionContext:* EncryptionContextKeys RequestAlias"},
    {"GenerateDataKey", "key",
        "EncryptionAlgorithm EncryptionContext:* EncryptionContextKeys RecipientAttestation:ImageSha384 "
        "RecipientAttestation:NitroTPMPCR# RecipientAttestation:PCR# RequestAlias"},
    {"GenerateDataKeyPair", "key",
        "DataKeyPairSpec EncryptionAlgorithm EncryptionContext:* EncryptionContextKeys "
        "RecipientAttestation:ImageSha384 RecipientAttestation:NitroTPMPCR# RecipientAttestation:PCR# "
        "RequestAlias"},
    {"GenerateDataKeyPairWithoutPlaintext", "key",
        "DataKeyPairSpec EncryptionAlgorithm EncryptionContext:* EncryptionContextKeys RequestAlias"},
    {"GenerateDataKeyWithoutPlaintext", "key",
        "EncryptionAlgorithm EncryptionContext:* EncryptionContextKeys RequestAlias"},
    {"GenerateMac", "key", "MacAlgorithm RequestAlias"},
    {"GenerateRandom", "",
        "RecipientAttestation:ImageSha384 RecipientAttestation:NitroTPMPCR# RecipientAttestation:PCR#"},
    {"GetKeyLastUsage", "key", ""},
    {"GetKeyPolicy", "key", ""},
    {"GetKeyRotationStatus", "key", ""},
    {"GetParametersForImport", "key", "WrappingAlgorithm WrappingKeySpec"},
    {"GetPublicKey", "key", "RequestAlias"},
    {"ImportKeyMaterial", "key", "ExpirationModel ValidTo"},
    {"ListAliases", "", ""},
    {"ListGrants", "key", "GrantIsForAWSResource"},
    {"ListKeyPolicies", "key", ""},
    {"ListKeyRotations", "key", ""},
    {"ListKeys", "", ""},
    {"ListResourceTags", "key", ""},
    {"ListRetirableGrants", "", ""},
    {"PutKeyPolicy", "key", "BypassPolicyLockoutSafetyCheck"},
    {"ReEncryptFrom", "key",
        "EncryptionAlgorithm EncryptionContext:* EncryptionContextKeys ReEncryptOnSameKey RequestAlias"},
    {"ReEncryptTo", "key",
        "EncryptionAlgorithm EncryptionContext:* EncryptionContextKeys ReEncryptOnSameKey RequestAlias"},
    {"ReplicateKey", "key", "ReplicaRegion"},
    {"RetireGrant", "key", "EncryptionContext:* EncryptionContextKeys GrantConstraintType"},
    {"RevokeGrant", "key", "GrantIsForAWSResource"},
    {"RotateKeyOnDemand", "key", ""},
    {"ScheduleKeyDeletion", "key", "ScheduleKeyDeletionPendingWindowInDays TrailingDaysWithoutKeyUsage"},
    {"Sign", "key", "MessageType RequestAlias SigningAlgorithm"},
    {"TagResource", "key", ""},
    {"UntagResource", "key", ""},
    {"UpdateAlias", "alias key", ""},
    {"UpdateCustomKeyStore", "", ""},
    {"UpdateKeyDescription", "key", ""},
    {"UpdatePrimaryRegion", "key", "PrimaryRegion"},
    {"Verify", "key", "MessageType RequestAlias SigningAlgorithm"},
    {"VerifyMac", "key", "MacAlgorithm RequestAlias"},
    {NULL, NULL, NULL},
};
