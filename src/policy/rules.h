/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules of the linter: a name, how bad it is, why it matters, and the mend. docs/policy-check.md holds the same table, and a
 * test compares the two.
 */
#ifndef COF_POLICY_RULES_H
#define COF_POLICY_RULES_H

/* code, name, severity, why, mend */
#define COF_RULE_FORM_TABLE(X)                                                                                        \
    X(JSON_SYNTAX, "json-syntax", ERROR, "the text is no JSON, so nothing in it takes effect",                         \
      "mend the text at the place named")                                                                             \
    X(JSON_BOM, "json-bom", ERROR, "AWS refuses a policy that begins with a byte order mark",                          \
      "save the file as UTF-8 without BOM")                                                                           \
    X(JSON_DUPLICATE, "json-duplicate", ERROR, "of two members with the same name only one counts, and AWS refuses them",\
      "join the two into one")                                                                                        \
    X(POLICY_SHAPE, "policy-shape", ERROR, "this is not the shape of a policy, and AWS refuses it",                    \
      "a policy is {\"Version\": \"2012-10-17\", \"Statement\": [...]}")                                               \
    X(UNKNOWN_ELEMENT, "unknown-element", ERROR, "AWS refuses elements it does not know",                              \
      "correct the name (names are case-sensitive), or remove it")                                                    \
    X(MISPLACED_ELEMENT, "misplaced-element", ERROR, "an element in the wrong place is refused, and restricts nothing",\
      "move it to where it belongs")                                                                                  \
    X(MISSING_ELEMENT, "missing-element", ERROR, "without it the statement says nothing, and AWS refuses it",          \
      "add it")                                                                                                       \
    X(WRONG_TYPE, "wrong-type", ERROR, "AWS refuses a value of another JSON type",                                     \
      "write a text in double quotes, or a list of texts")                                                            \
    X(BAD_EFFECT, "bad-effect", ERROR, "Effect is \"Allow\" or \"Deny\", written just so", "write Allow or Deny")       \
    X(BAD_VERSION, "bad-version", ERROR, "Version is a version of the language, not a date of yours",                  \
      "write \"Version\": \"2012-10-17\"")                                                                            \
    X(OLD_VERSION, "old-version", WARNING, "without Version 2012-10-17 policy variables are plain text",               \
      "write \"Version\": \"2012-10-17\" as the first member")                                                        \
    X(VARIABLE_IN_2008, "variable-in-2008", ERROR, "under Version 2008-10-17 ${...} is plain text and matches nothing",\
      "write \"Version\": \"2012-10-17\"")                                                                            \
    X(UNKNOWN_VARIABLE, "unknown-variable", ERROR, "a variable no request gives a value makes its pattern match nothing",\
      "correct the variable's name, or give it a default: ${key, 'default'}")                                         \
    X(HOLE, "hole-without-value", ERROR, "this file is a template, and a hole in it has no value",                     \
      "give --set NAME=VALUE or --manifest FILE")                                                                     \
    X(BAD_SID, "bad-sid", ERROR, "in an IAM policy a Sid is made of letters and digits alone", "leave the rest out")    \
    X(DUPLICATE_SID, "duplicate-sid", ERROR, "two statements of one policy share a Sid, which IAM refuses",            \
      "give each its own")                                                                                            \
    X(TOO_LARGE, "too-large", ERROR, "the policy is over the size that AWS takes for its kind",                        \
      "join statements, shorten lists by wildcards, or attach two policies")                                          \
    X(REFUSED, "refused", ERROR, "coffer-local and AWS refuse this policy", "mend what is named")

#define COF_RULE_NAME_TABLE(X)                                                                                        \
    X(UNKNOWN_SERVICE, "unknown-service", NOTE, "the service of this action is not one the linter knows",              \
      "check the prefix before the colon")                                                                            \
    X(UNKNOWN_ACTION, "unknown-action", ERROR, "an action that does not exist is never asked for",                     \
      "correct the name")                                                                                             \
    X(EMPTY_PATTERN, "empty-pattern", ERROR, "no action fits this pattern", "correct the pattern")                     \
    X(FOREIGN_ACTION, "foreign-action", ERROR, "a policy on this kind of resource is never asked about that action",   \
      "move the statement to the policy where it belongs")                                                            \
    X(REDUNDANT_ACTION, "redundant-action", NOTE, "another entry of the list covers this one", "leave it out")          \
    X(BAD_ARN, "bad-arn", ERROR, "an ARN that no resource can have matches nothing",                                   \
      "an ARN is arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE")                                                            \
    X(RESOURCE_MISMATCH, "resource-mismatch", ERROR, "no resource of the list is of the kind this action takes",       \
      "name a resource of the right kind")                                                                            \
    X(ALIAS_RESOURCE, "alias-resource", ERROR, "KMS compares Resource with the key's own ARN, never with an alias",    \
      "write the key's ARN; for aliases there are the condition keys kms:RequestAlias and kms:ResourceAliases")        \
    X(WILDCARD_ACTION, "wildcard-action", WARNING, "it allows everything, also what AWS adds later",                   \
      "list the actions that are needed")                                                                             \
    X(WILDCARD_RESOURCE, "wildcard-resource", WARNING, "it allows this on every resource of the account and beyond",   \
      "name the resources")                                                                                           \
    X(PUBLIC_ACCESS, "public-access", ERROR, "everybody is allowed, and no condition narrows who that is",             \
      "name the principals")                                                                                          \
    X(BAD_PRINCIPAL, "bad-principal", ERROR, "AWS refuses a policy with a principal that cannot exist",                \
      "a principal is an account, the ARN of a role or user, or a service")                                           \
    X(NOT_PRINCIPAL_ALLOW, "not-principal-allow", ERROR, "Allow with NotPrincipal allows everybody else, anonymous too",\
      "use Principal, and list who may")                                                                              \
    X(NOT_PRINCIPAL_DENY, "not-principal-deny", WARNING,                                                               \
      "it spares only who is listed with account, role and session all three, which is nearly always wrong",           \
      "Deny \"Principal\": \"*\" with ArnNotEquals on aws:PrincipalArn")                                               \
    X(NOT_ACTION_ALLOW, "not-action-allow", WARNING, "Allow with NotAction or NotResource allows all that is not listed",\
      "list what is allowed")                                                                                         \
    X(CONFUSED_DEPUTY, "confused-deputy", WARNING,                                                                     \
      "the service acts for any customer who points it here, not for yours alone",                                     \
      "add a condition on aws:SourceArn or aws:SourceAccount")                                                        \
    X(PASS_ROLE, "pass-role", WARNING, "who passes any role to any service holds the rights of all roles",             \
      "name the roles in Resource, and the service in iam:PassedToService")                                           \
    X(SERVICE_LINKED_ROLE, "service-linked-role", WARNING,                                                             \
      "service-linked roles are made and used by their service alone",                                                 \
      "narrow iam:CreateServiceLinkedRole by iam:AWSServiceName; name such a role in key policies alone")               \
    X(OPEN_TRUST, "open-trust", ERROR, "whoever this trust names may become the role from anywhere",                   \
      "name the role or user that may assume it, or demand sts:ExternalId or aws:PrincipalOrgID")

#define COF_RULE_CONDITION_TABLE(X)                                                                                   \
    X(UNKNOWN_OPERATOR, "unknown-operator", ERROR, "AWS refuses a condition operator it does not know",                \
      "correct the name")                                                                                             \
    X(UNKNOWN_KEY, "unknown-condition-key", ERROR,                                                                     \
      "a key that no request has: what demands it never holds, and what forbids it always does",                       \
      "correct the name")                                                                                             \
    X(ABSENT_KEY, "key-not-in-request", ERROR, "requests of this action never carry that key",                         \
      "use a key that this action has, or make a statement of its own for the action that has it")                     \
    X(TYPE_MISMATCH, "type-mismatch", ERROR, "the operator does not fit the type of the key",                          \
      "use the operator of the key's type")                                                                           \
    X(BAD_VALUE, "bad-value", ERROR, "the request can never have this value",                                          \
      "correct the value")                                                                                            \
    X(WILDCARD_WITHOUT_LIKE, "wildcard-without-like", WARNING, "StringEquals takes * and ? as they are",                 \
      "use StringLike (or ArnLike)")                                                                                  \
    X(DUPLICATE_KEY, "duplicate-condition-key", ERROR, "one key stands twice under one operator, in different case",   \
      "join the two")                                                                                                 \
    X(FOR_ALL_VACUOUS, "for-all-values", WARNING, "ForAllValues also holds when the key is not there at all",          \
      "add \"Null\": {KEY: \"false\"} beside it")                                                                     \
    X(SET_ON_SINGLE, "set-operator-on-single", WARNING, "the key has one value; ForAllValues and ForAnyValue are for lists",\
      "use the operator without ForAllValues: or ForAnyValue:")                                                       \
    X(LIST_WITHOUT_SET, "list-without-set-operator", WARNING, "the key holds a list, and how it is compared is not said",\
      "write ForAllValues: or ForAnyValue: before the operator")                                                      \
    X(IF_EXISTS_OPENS, "if-exists-opens", ERROR, "an Allow with IfExists also allows every request without the key",   \
      "leave IfExists out")                                                                                           \
    X(NEGATED_ALLOW, "negated-allow", ERROR, "a negated operator also holds when the key is not there at all",         \
      "use the operator that is not negated, or add \"Null\": {KEY: \"false\"}")                                      \
    X(DENY_SKIPS_ABSENT, "deny-skips-absent", WARNING,                                                                 \
      "this Deny does not apply to requests without the key, as those of long-term credentials",                       \
      "use BoolIfExists")                                                                                             \
    X(MFA_ON_ROLE, "mfa-in-role-session", ERROR,                                                                       \
      "a session opened by AssumeRole does not carry the factor, so this Allow never applies to a role",               \
      "demand MFA in the role's trust policy, where AWS looks at it")                                                  \
    X(NEVER_HOLDS, "never-holds", ERROR, "these conditions exclude each other, so the statement never applies",        \
      "conditions are joined by and: split them into statements of their own")                                         \
    X(NEVER_MATCHES, "never-matches", ERROR, "a Deny covers this Allow wholly, so it never takes effect",              \
      "remove one of the two, or narrow the Deny")                                                                    \
    X(WITHOUT_EFFECT, "without-effect", WARNING, "another policy of the account denies it, or the resource's own does not allow it",\
      "'coffer policy simulate' tells which; mend that one, or leave this out")                                        \
    X(MOOT_CONDITION, "moot-condition", WARNING, "another statement allows the same without it, so this condition restricts nothing",\
      "take the other statement away, or give it the condition too")                                                   \
    X(REDUNDANT_STATEMENT, "redundant-statement", NOTE, "another statement says the same and more", "leave it out")

#define COF_RULE_GUARD_TABLE(X)                                                                                       \
    X(ZERO_PCR, "zero-pcr", ERROR, "a PCR of zeros is any debug enclave, whose host reads its memory",                 \
      "take the PCRs of the image from 'coffer eif describe'")                                                        \
    X(BAD_PCR, "bad-pcr", ERROR, "a PCR is 96 hex digits; wildcards, other lengths and patterns pin nothing",          \
      "take the PCRs of the image from 'coffer eif describe'")                                                        \
    X(PCR_CASE, "pcr-case", WARNING, "KMS gives PCRs in lower case, and StringEquals minds the case",                  \
      "write it in lower case, or use StringEqualsIgnoreCase")                                                        \
    X(SIGNER_ONLY, "pcr8-alone", WARNING, "PCR8 alone passes every image that its key ever signs",                     \
      "add PCR0, PCR1 and PCR2")                                                                                      \
    X(PCR0_ONLY, "pcr0-alone", WARNING, "PCR0 does not fix where kernel, command line and ramdisks meet",              \
      "add PCR1 and PCR2")                                                                                            \
    X(NO_CODE_PCR, "no-code-pcr", WARNING, "neither PCR0 nor PCR8 is pinned: the code in the enclave can be any",       \
      "add PCR0, PCR1 and PCR2")                                                                                      \
    X(ANDED_DENY, "anded-deny", ERROR,                                                                                 \
      "a Deny with several negated keys applies only if all of them differ: an image that differs in one passes",      \
      "write one Deny statement for each PCR")                                                                        \
    X(NO_ATTESTATION_DENY, "no-attestation-deny", WARNING,                                                             \
      "attestation is demanded by an Allow only, and any later Allow opens the key",                                   \
      "add a Deny with \"Null\": {\"kms:RecipientAttestation:PCR0\": \"true\"}, and one for each other PCR")           \
    X(UNATTESTED, "reachable-without-attestation", ERROR,                                                              \
      "the key answers this call without an attested enclave, by the path named",                                      \
      "put the attestation condition on this Allow, and a Deny in the key policy that covers it")                      \
    X(ROOT_DELEGATION, "root-delegation", ERROR,                                                                       \
      "the account is named: whoever may write IAM policies in it can hand out this use of the key",                   \
      "name the roles; give the account no data operations")                                                          \
    X(GRANT_PATH, "grant-path", ERROR, "a grant cannot demand attestation, and its holder uses the key past the policy",\
      "deny kms:CreateGrant in the key policy")                                                                       \
    X(REENCRYPT_PATH, "reencrypt-path", ERROR,                                                                         \
      "ReEncrypt has no recipient: it moves data under another key, and there it is decrypted unattested",             \
      "deny kms:ReEncrypt* in the key policy")                                                                        \
    X(REPLICATE_PATH, "replicate-path", ERROR, "a replica of a multi-Region key has a key policy of its own",          \
      "deny kms:ReplicateKey and kms:UpdatePrimaryRegion in the key policy, or use a single-Region key")              \
    X(ALIAS_CONDITION, "alias-condition", WARNING, "an alias can be moved to another key by kms:UpdateAlias",          \
      "name the key's ARN in Resource")                                                                               \
    X(PUT_KEY_POLICY, "put-key-policy", NOTE,                                                                          \
      "who may replace the key policy may open the key; somebody must, so watch it",                                   \
      "demand MFA in the role's trust policy, and raise an alarm on PutKeyPolicy")                                                               \
    X(PUT_KEY_POLICY_UNGUARDED, "put-key-policy-without-mfa", WARNING,                                                 \
      "who may replace the key policy may open the key, here with a password or key alone",                            \
      "name a role whose trust policy demands MFA, and raise an alarm on PutKeyPolicy")                                \
    X(LOCKED_OUT, "key-locked-out", ERROR, "nobody may change this key policy again; KMS has no other way in",         \
      "let an administration role have kms:PutKeyPolicy")                                                             \
    X(ENCRYPT_DIRECTLY, "encrypt-directly", WARNING,                                                                   \
      "kms:Encrypt takes 4096 bytes and leaves data with KMS; nothing sealed needs it",                                \
      "allow kms:GenerateDataKey, and seal locally under the data key")                                               \
    X(NO_TLS, "no-tls", WARNING, "requests without TLS are not refused",                                               \
      "add a Deny with \"Bool\": {\"aws:SecureTransport\": \"false\"}")                                               \
    X(NO_ENDPOINT, "no-vpc-endpoint", NOTE, "requests from outside the deployment's network are not refused",          \
      "where there is a VPC, add a Deny with StringNotEquals on aws:SourceVpce")

#define COF_RULE_TABLE(X) COF_RULE_FORM_TABLE(X) COF_RULE_NAME_TABLE(X) COF_RULE_CONDITION_TABLE(X) COF_RULE_GUARD_TABLE(X)

enum cof_rule {
#define X(code, name, severity, why, mend) COF_RULE_##code,
    COF_RULE_TABLE(X)
#undef X
        COF_N_RULES
};

enum cof_severity { COF_SEVERITY_NOTE, COF_SEVERITY_WARNING, COF_SEVERITY_ERROR };

const char *cof_rule_name(enum cof_rule rule); /* "zero-pcr" */
enum cof_severity cof_rule_severity(enum cof_rule rule);
const char *cof_rule_why(enum cof_rule rule);
const char *cof_rule_mend(enum cof_rule rule);
const char *cof_severity_name(enum cof_severity severity); /* "error" */

#endif
