/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: each rule finds its mistake (C-04, C-08 to C-15 among them) where it stands, and nothing else in the same text;
 * every rule has such a text; and sound policies have no findings.
 *
 * In the texts ' stands for ", ` for ', and @ for the place that has to be named.
 */
#include "testing.h"

#include "policy/lint.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ZEROS "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
#define A "kms:RecipientAttestation:"
#define ME "arn:aws:iam::111122223333:role/r"
#define KEY "arn:aws:kms:eu-west-1:111122223333:key/k"
#define QUEUE "arn:aws:sqs:eu-west-1:111122223333:q"
#define ROLE "{'AWS':'" ME "'}"
#define IF(op, keys) ",'Condition':{'" op "':{" keys "}}"
#define EQ(key, value) "'" A key "':'" value "'"
#define ALL3 EQ("PCR0", HEX) "," EQ("PCR1", HEX) "," EQ("PCR2", HEX)
#define V "'Version':'2012-10-17',"
#define P(statements) "{" V "'Statement':[" statements "]}"
/* An identity policy's Allow, and one of a resource's. */
#define MAY(action, resource, cond) "{'Effect':'Allow','Action':'" action "','Resource':'" resource "'" cond "}"
#define I(action, resource, cond) P(MAY(action, resource, cond))
#define GIVE(effect, principal, action, resource, cond) \
    "{'Effect':'" effect "','Principal':" principal ",'Action':'" action "','Resource':'" resource "'" cond "}"
#define ADMIN "," GIVE("Allow", "{'AWS':'arn:aws:iam::111122223333:role/admin'}", "kms:PutKeyPolicy", "*", "")
#define K(statements) P(statements ADMIN)
#define DENY(op, keys) GIVE("Deny", "'*'", "kms:Decrypt", "*", IF(op, keys))
#define MISSING "," DENY("Null", EQ("PCR0", "true"))
#define OPEN_KEY(cond) GIVE("Allow", ROLE, "kms:Decrypt", "*", cond)
#define TLS_Q "{'Effect':'Deny','Principal':'*','Action':'sqs:*','Resource':'" QUEUE "','Condition':{'Bool':{'aws:SecureTransport':'false'}}}"
#define T(principal, action, cond) P("{'Effect':'Allow','Principal':" principal ",'Action':'" action "'" cond "}")

static const struct row {
    enum cof_document_kind kind;
    const char *text, *rules; /* the one at @, and others that follow */
} rows[] = {
#define IDENTITY COF_DOCUMENT_IDENTITY
    {IDENTITY, "{" V "'Statement':[" MAY("kms:Decrypt", KEY, "") "@,]}", "json-syntax"},
    {IDENTITY, "@\xef\xbb\xbf" I("kms:Decrypt", KEY, ""), "json-bom"},
    {IDENTITY, P("{'Effect':'Allow',@'Effect':'Allow','Action':'kms:Decrypt','Resource':'" KEY "'}"), "json-duplicate"},
    {IDENTITY, "@[]", "policy-shape"},
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:Decrypt',@'NotAction':'kms:Sign','Resource':'" KEY "'}"), "policy-shape not-action-allow"},
    {IDENTITY, P("{'Effect':'Allow',@'action':'kms:Decrypt','Action':'kms:Decrypt','Resource':'" KEY "'}"), "unknown-element"},
    {IDENTITY, "{" V "'Statement':" MAY("kms:Decrypt", KEY, "") ",@'Comment':'x'}", "unknown-element"},
    {COF_DOCUMENT_KEY, K("{'Effect':'Allow','Principal':{'AWS':'" ME "',@'Condition':{'StringEquals':{" ALL3 "}}},'Action':'kms:Decrypt','Resource':'*'}" MISSING),
     "misplaced-element"}, /* C-12 */
    {IDENTITY, P("{'Effect':'Allow',@'Principal':'*','Action':'kms:Decrypt','Resource':'" KEY "'}"), "misplaced-element public-access"},
    {COF_DOCUMENT_TRUST, P("{'Effect':'Allow','Principal':" ROLE ",'Action':'sts:AssumeRole',@'Resource':'*'}"), "misplaced-element"},
    {IDENTITY, P("@{'Effect':'Allow','Resource':'" KEY "'}"), "missing-element"},
    {IDENTITY, "@{" V "'Id':'x'}", "missing-element"},
    {IDENTITY, P("{'Effect':'Allow',@'Action':{},'Resource':'" KEY "'}"), "wrong-type"},
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:Decrypt',@'Resource':[]}"), "wrong-type"},
    {IDENTITY, P("{'Effect':@'allow','Action':'kms:Decrypt','Resource':'" KEY "'}"), "bad-effect"},
    {IDENTITY, "{'Version':@'2026-11-29','Statement':" MAY("kms:Decrypt", KEY, "") "}", "bad-version"},
    {IDENTITY, "@{'Statement':" MAY("kms:Decrypt", KEY, "") "}", "old-version"},
    {IDENTITY, "{@'Version':'2008-10-17','Statement':" MAY("kms:Decrypt", KEY, "") "}", "old-version"},
    {IDENTITY, "{'Version':'2008-10-17','Statement':{'Effect':'Allow','Action':'s3:GetObject','Resource':@'arn:aws:s3:::b/${aws:username}/*'}}",
     "variable-in-2008 old-version"},
    {IDENTITY, P("{'Effect':'Allow','Action':'s3:GetObject','Resource':@'arn:aws:s3:::b/${aws:usernme}/*'}"), "unknown-variable"},
    {IDENTITY, P("{'Effect':'Allow','Action':'s3:GetObject','Resource':@'arn:aws:s3:::${bucket}/*'}"), "hole-without-value"},
    {IDENTITY, P("{@'Sid':'a b','Effect':'Allow','Action':'kms:Decrypt','Resource':'" KEY "'}"), "bad-sid"},
    {IDENTITY, P("{'Sid':'a','Effect':'Allow','Action':'kms:Decrypt','Resource':'" KEY "'},{@'Sid':'a','Effect':'Allow','Action':'kms:Sign','Resource':'" KEY "'}"),
     "duplicate-sid"},
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:Decrypt','Resource':@'arn:aws:kms:eu-west-1:11112222333:key/k'}"), "bad-arn"},
    {IDENTITY, I("kms:Decrypt", "@@arn:aws:kms:::key/k", ""), "bad-arn"},
    {IDENTITY, P("{'Effect':'Allow','Action':'s3:GetObject','Resource':@'arn:aws:s3:eu-west-1:111122223333:b/*'}"), "bad-arn"},
    {IDENTITY, P("{'Effect':'Allow','Action':@'foo:Bar','Resource':'*'}"), "unknown-service"},
    {IDENTITY, P("{'Effect':'Allow','Action':@'kms:Decript','Resource':'" KEY "'}"), "unknown-action"},
    {IDENTITY, P("{'Effect':'Allow','Action':@'kms:ReEncrypt','Resource':'" KEY "'}"), "unknown-action"},
    {IDENTITY, P("{'Effect':'Allow','Action':@'s3:HeadObject','Resource':'arn:aws:s3:::b/*'}"), "unknown-action"},
    {IDENTITY, P("{'Effect':'Allow','Action':@'Decrypt','Resource':'" KEY "'}"), "unknown-action"},
    {IDENTITY, P("{'Effect':'Allow','Action':@'kms:Decript*','Resource':'" KEY "'}"), "empty-pattern"},
    {COF_DOCUMENT_KEY, K("{'Effect':'Allow','Principal':" ROLE ",'Action':@'s3:GetObject','Resource':'*'}"), "foreign-action"},
    {COF_DOCUMENT_TRUST, P("{'Effect':'Allow','Principal':{'Federated':'arn:aws:iam::111122223333:oidc-provider/x.com'},'Action':@'sts:AssumeRole'}"), "foreign-action"},
    {IDENTITY, P("{'Effect':'Allow','Action':['kms:Get*',@'kms:GetKeyPolicy'],'Resource':'" KEY "'}"), "redundant-action"},
    {IDENTITY, P("{'Effect':'Allow','Action':@'s3:GetObject','Resource':'arn:aws:s3:::b'}"), "resource-mismatch"},
    {IDENTITY, P("{'Effect':'Allow','Action':@'s3:ListBucket','Resource':'arn:aws:s3:::b/*'}"), "resource-mismatch"},
    {IDENTITY, P("{'Effect':'Allow','Action':@'kms:ListKeys','Resource':'" KEY "'}"), "resource-mismatch"},
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:*','Resource':@'arn:aws:kms:eu-west-1:111122223333:alias/a'}"), "alias-resource wildcard-action"}, /* C-04 */
    {IDENTITY, P("{'Effect':'Allow','Action':@'kms:*','Resource':'" KEY "'}"), "wildcard-action"},
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:Decrypt','Resource':@'*'}"), "wildcard-resource"},
    {COF_DOCUMENT_KEY, K("{'Effect':'Allow','Principal':@'*','Action':'kms:DescribeKey','Resource':'*'}"), "public-access"},
    {COF_DOCUMENT_KEY, K("{'Effect':'Allow','Principal':{'AWS':@'arn:aws:iam::111122223333:role/*'},'Action':'kms:DescribeKey','Resource':'*'}"), "bad-principal"},
    {COF_DOCUMENT_KEY, K("{'Effect':'Allow','Principal':@'" ME "','Action':'kms:DescribeKey','Resource':'*'}"), "bad-principal"},
    {COF_DOCUMENT_TRUST, P("{'Effect':'Allow','Principal':{'Service':@'ec2'},'Action':'sts:AssumeRole'}"), "bad-principal"},
    {COF_DOCUMENT_KEY, K("{'Effect':'Allow',@'NotPrincipal':" ROLE ",'Action':'kms:DescribeKey','Resource':'*'}"), "not-principal-allow"},
    {COF_DOCUMENT_KEY, K("{'Effect':'Deny',@'NotPrincipal':" ROLE ",'Action':'kms:DescribeKey','Resource':'*'}"), "not-principal-deny"},
    {IDENTITY, P("{'Effect':'Allow',@'NotAction':'kms:Decrypt','Resource':'" KEY "'}"), "not-action-allow"},
    {COF_DOCUMENT_QUEUE, P(TLS_Q ",{'Effect':'Allow','Principal':{'Service':@'s3.amazonaws.com'},'Action':'sqs:SendMessage','Resource':'" QUEUE "'}"), "confused-deputy"},
    {IDENTITY, P("{'Effect':'Allow','Action':'iam:PassRole','Resource':@'*'}"), "pass-role"},
    {IDENTITY, P("{'Effect':'Allow','Action':'iam:CreateServiceLinkedRole','Resource':@'*'}"), "service-linked-role"},
    {COF_DOCUMENT_TRUST, P("{'Effect':'Allow','Principal':{'AWS':@'arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/S'},'Action':'sts:AssumeRole'}"),
     "service-linked-role"},
    {COF_DOCUMENT_TRUST, P("{'Effect':'Allow','Principal':{'AWS':@'*'},'Action':'sts:AssumeRole'}"), "open-trust"},
    {COF_DOCUMENT_TRUST, P("{'Effect':'Allow','Principal':{'Federated':@'arn:aws:iam::111122223333:oidc-provider/x.com'},'Action':'sts:AssumeRoleWithWebIdentity'}"),
     "open-trust"},
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:Decrypt','Resource':'" KEY "','Condition':{@'StringEqual':{'kms:KeySpec':'x'}}}"), "unknown-operator"},
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:Decrypt','Resource':'" KEY "','Condition':{@'NullIfExists':{'kms:KeySpec':'true'}}}"), "unknown-operator bad-value"},
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:Decrypt','Resource':'" KEY "','Condition':{'StringEquals':{@'aws:RequestContext:attestation':'x'}}}"),
     "unknown-condition-key"}, /* C-12 */
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:Decrypt','Resource':'" KEY "','Condition':{'StringEquals':{@'kms:RecipientAttestation':'" HEX "'}}}"),
     "unknown-condition-key"}, /* C-12 */
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:Decrypt','Resource':'" KEY "','Condition':{'StringEquals':{@'" A "PCR32':'" HEX "'}}}"), "unknown-condition-key"},
    {IDENTITY, P("{'Effect':'Allow','Action':['kms:Decrypt',@'kms:Encrypt'],'Resource':'" KEY "','Condition':{'StringEquals':{" ALL3 "}}}"),
     "key-not-in-request encrypt-directly"}, /* C-09 */
    {IDENTITY, P("{'Effect':'Allow','Action':@'kms:ReEncryptFrom','Resource':'" KEY "','Condition':{'StringEquals':{" ALL3 "}}}"), "key-not-in-request"},
    {COF_DOCUMENT_KEY, K(GIVE("Deny", "'*'", "kms:ReEncrypt*", "*", ",'Condition':{'StringNotEquals':{@" EQ("PCR0", HEX) "}}")), "key-not-in-request"},
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:Decrypt','Resource':'" KEY "','Condition':{@'StringEquals':{'aws:CurrentTime':'2026-01-01'}}}"), "type-mismatch"},
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:Decrypt','Resource':'" KEY "','Condition':{@'StringEquals':{'aws:SecureTransport':'true'}}}"), "type-mismatch"},
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:Decrypt','Resource':'" KEY "','Condition':{'Bool':{'aws:SecureTransport':@'yes'}}}"), "bad-value"},
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:Decrypt','Resource':'" KEY "','Condition':{'IpAddress':{'aws:SourceIp':@'203.0.113.0/33'}}}"), "bad-value"},
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:Decrypt','Resource':'" KEY "','Condition':{'IpAddress':{'aws:SourceIp':@'10.0.0.0/8'}}}"), "bad-value"},
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:Decrypt','Resource':'" KEY "','Condition':{'StringEquals':{'kms:CallerAccount':@'11112222333'}}}"), "bad-value"},
    {IDENTITY, P("{'Effect':'Allow','Action':'s3:GetObject','Resource':'arn:aws:s3:::b/*','Condition':{'StringEquals':{'aws:PrincipalTag/x':@'a*'}}}"), "wildcard-without-like"},
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:Decrypt','Resource':'" KEY "','Condition':{'StringEquals':{'kms:KeySpec':'a',@'kms:keyspec':'a'}}}"),
     "duplicate-condition-key"},
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:Decrypt','Resource':'" KEY "','Condition':{@'ForAllValues:StringEquals':{'kms:EncryptionContextKeys':'a'}}}"), "for-all-values"},
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:Decrypt','Resource':'" KEY "','Condition':{@'ForAnyValue:StringEquals':{'kms:KeySpec':'a'}}}"), "set-operator-on-single"},
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:Decrypt','Resource':'" KEY "','Condition':{@'StringEquals':{'kms:EncryptionContextKeys':'a'}}}"),
     "list-without-set-operator"},
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:Decrypt','Resource':'" KEY "','Condition':{@'StringEqualsIfExists':{" ALL3 "}}}"), "if-exists-opens"},
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:Decrypt','Resource':'" KEY "','Condition':{@'StringNotEquals':{" EQ("PCR4", HEX) "}}}"), "negated-allow"},
    {IDENTITY, P("{'Effect':'Deny','Action':'kms:Decrypt','Resource':'*','Condition':{@'Bool':{'aws:MultiFactorAuthPresent':'false'}}}"), "deny-skips-absent"},
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:Decrypt','Resource':'" KEY "','Condition':{'StringEquals':{" EQ("PCR0", HEX) ",@" EQ("ImageSha384", "f" HEX "@@") "," EQ("PCR1", HEX) "," EQ("PCR2", HEX) "}}}"),
     "never-holds bad-pcr"},
    {IDENTITY, P(MAY("kms:Decrypt", KEY, ",'Condition':{'StringEquals':{'aws:RequestedRegion':['a','b']},'StringNotEquals':{@'aws:RequestedRegion':['b','a','c']}}")), "never-holds"},
    {IDENTITY, P("@" MAY("kms:Decrypt", KEY, "") ",{'Effect':'Deny','Action':'kms:*','Resource':'*'}"), "never-matches"},
    {IDENTITY, P("{'Effect':'Allow','Action':['kms:Sign',@'kms:Decrypt'],'Resource':'" KEY "'},{'Effect':'Deny','Action':'kms:D*','Resource':'*'}"), "never-matches"},
    {IDENTITY, P(MAY("kms:De*", KEY, "") ",@" MAY("kms:Decrypt", KEY, "")), "redundant-statement"},
    {IDENTITY, P(MAY("kms:De*", KEY, "") "," MAY("kms:Decrypt", KEY, ",@'Condition':{'StringEquals':{" ALL3 "}}")), "moot-condition"},
    {IDENTITY, P(MAY("kms:De*", KEY, ",'Condition':{'StringEquals':{" ALL3 "}}") ",@" MAY("kms:Decrypt", KEY, ",'Condition':{'StringEquals':{" ALL3 "}}")), "redundant-statement"},
    {COF_DOCUMENT_KEY, K(OPEN_KEY(",'Condition':{'StringEquals':{'" A "PCR0':@'" ZEROS "'," EQ("PCR1", HEX) "," EQ("PCR2", HEX) "}}") MISSING), "zero-pcr"}, /* C-13 */
    {COF_DOCUMENT_KEY, K(OPEN_KEY(",'Condition':{'StringLike':{'" A "PCR0':@'*'," EQ("PCR1", HEX) "," EQ("PCR2", HEX) "}}") MISSING), "bad-pcr"},
    {COF_DOCUMENT_KEY, K(OPEN_KEY(",'Condition':{'StringEquals':{'" A "PCR0':@'abc'," EQ("PCR1", HEX) "," EQ("PCR2", HEX) "}}") MISSING), "bad-pcr"},
    {COF_DOCUMENT_KEY, K(OPEN_KEY(",'Condition':{'StringEquals':{'" A "PCR0':@'g" HEX "'," EQ("PCR1", HEX) "," EQ("PCR2", HEX) "}}") MISSING), "bad-pcr"},
    {COF_DOCUMENT_KEY, K(OPEN_KEY(",'Condition':{'StringEquals':{" ALL3 ",'" A "PCR4':@'ABCDEF6789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'}}") MISSING),
     "pcr-case"},
    {COF_DOCUMENT_KEY, K(GIVE("Allow", ROLE, "kms:Decrypt", "*", ",@'Condition':{'StringEquals':{" EQ("PCR8", HEX) "}}") MISSING), "pcr8-alone"},        /* C-14 */
    {COF_DOCUMENT_KEY, K(GIVE("Allow", ROLE, "kms:Decrypt", "*", ",@'Condition':{'StringEquals':{" EQ("ImageSha384", HEX) "}}") MISSING), "pcr0-alone"}, /* C-15 */
    {COF_DOCUMENT_KEY, K(GIVE("Allow", ROLE, "kms:Decrypt", "*", ",@'Condition':{'StringEquals':{" EQ("PCR4", HEX) "}}") MISSING), "no-code-pcr"},
    {COF_DOCUMENT_KEY, K(OPEN_KEY(IF("StringEquals", ALL3)) MISSING "," GIVE("Deny", "'*'", "kms:Decrypt", "*", ",'Condition':{'StringNotEquals':{" EQ("PCR0", HEX) ",@" EQ("PCR1", HEX) "}}")),
     "anded-deny"},
    {COF_DOCUMENT_KEY, K("@" OPEN_KEY(IF("StringEquals", ALL3))), "no-attestation-deny"}, /* C-11 */
    {COF_DOCUMENT_KEY, K("{'Effect':'Allow','Principal':{'AWS':@'arn:aws:iam::111122223333:root'},'Action':'kms:Decrypt','Resource':'*'}"), "root-delegation"}, /* C-11 */
    {COF_DOCUMENT_KEY, K("{'Effect':'Allow','Principal':{'AWS':@'111122223333'},'Action':'kms:*','Resource':'*'}"), "root-delegation wildcard-action"},
    {COF_DOCUMENT_KEY, P(OPEN_KEY(IF("StringEquals", ALL3)) MISSING ",{'Effect':'Allow','Principal':{'AWS':'arn:aws:iam::111122223333:user/u'},@'Action':'kms:PutKeyPolicy','Resource':'*'}"),
     "put-key-policy-without-mfa"},
    {COF_DOCUMENT_KEY, P(OPEN_KEY(IF("StringEquals", ALL3)) MISSING ",{'Effect':'Allow','Principal':" ROLE ",@'Action':'kms:PutKeyPolicy','Resource':'*'}"), "put-key-policy"},
    {COF_DOCUMENT_KEY, P(OPEN_KEY("") ",{'Effect':'Allow','Principal':" ROLE ",'Action':'kms:PutKeyPolicy','Resource':'*','Condition':{'Bool':{@'aws:MultiFactorAuthPresent':'true'}}}"),
     "mfa-in-role-session"},
    {COF_DOCUMENT_KEY, "@" P(OPEN_KEY("")), "key-locked-out"},
    {IDENTITY, P("{'Effect':'Allow','Action':'kms:Decrypt','Resource':'*','Condition':{'ForAnyValue:StringEquals':{@'kms:ResourceAliases':'alias/a'}}}"),
     "alias-condition"}, /* C-04 */
    {IDENTITY, P("{'Effect':'Allow',@'Action':'kms:Encrypt','Resource':'" KEY "'}"), "encrypt-directly"}, /* C-09 */
    {COF_DOCUMENT_BUCKET, "@" P(GIVE("Allow", ROLE, "s3:GetObject", "arn:aws:s3:::b/*", "")), "no-tls no-vpc-endpoint"},
    {COF_DOCUMENT_QUEUE, "@" P(TLS_Q), "no-vpc-endpoint"},
#undef IDENTITY
};

static const struct row sound[] = {
    {COF_DOCUMENT_KEY, K(OPEN_KEY(IF("StringEquals", ALL3)) MISSING), NULL},
    {COF_DOCUMENT_KEY, K(OPEN_KEY(IF("StringEqualsIgnoreCase", ALL3)) MISSING "," DENY("StringNotEqualsIgnoreCase", EQ("PCR0", HEX))), NULL},
    {COF_DOCUMENT_KEY, K("{'Effect':'Allow','Principal':{'AWS':'111122223333'},'Action':'kms:Describe*','Resource':'*'}"), NULL},
    {COF_DOCUMENT_IDENTITY, I("s3:GetObject", "arn:aws:s3:::b/${aws:username}/${aws:PrincipalTag/team, `none`}/*", ""), NULL},
    {COF_DOCUMENT_IDENTITY, P("{'Effect':'Allow','Action':['s3:GetObject','s3:ListBucket'],'Resource':['arn:aws:s3:::b','arn:aws:s3:::b/*']}"), NULL},
    {COF_DOCUMENT_IDENTITY, I("kms:Decrypt", KEY, ",'Condition':{'ForAllValues:StringEquals':{'kms:EncryptionContextKeys':'a'},'Null':{'kms:EncryptionContextKeys':'false'}}"), NULL},
    {COF_DOCUMENT_IDENTITY, I("dynamodb:GetItem", "arn:aws:dynamodb:eu-west-1:111122223333:table/t", ",'Condition':{'StringEquals':{'dynamodb:LeadingKeys':'x'}}"), NULL},
    {COF_DOCUMENT_TRUST, T("{'Service':'ec2.amazonaws.com'}", "sts:AssumeRole", ""), NULL},
    {COF_DOCUMENT_TRUST, T("{'Federated':'arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com'}", "sts:AssumeRoleWithWebIdentity",
        ",'Condition':{'StringEquals':{'token.actions.githubusercontent.com:sub':'repo:x','token.actions.githubusercontent.com:aud':'sts.amazonaws.com'}}"), NULL},
    {COF_DOCUMENT_QUEUE, P(TLS_Q ",{'Effect':'Allow','Principal':{'Service':'s3.amazonaws.com'},'Action':'sqs:SendMessage','Resource':'" QUEUE "','Condition':{'ArnLike':{'aws:SourceArn':'arn:aws:s3:::b'}}}"), NULL},
};

static void find(const struct row *row, struct cof_document *d, struct cof_findings *f, char *text, size_t *at)
{
    struct cof_document_source source = {.file = "row", .kind = row->kind};
    size_t n = 0;

    *at = SIZE_MAX;
    for (const char *c = row->text; *c != '\0'; c++) {
        if (c[0] == '@' && c[1] == '@') /* no place */
            c++;
        else if (*c == '@')
            *at = n;
        else
            text[n++] = (char)(*c == '\'' ? '"' : *c == '`' ? '\'' : *c);
    }
    text[n] = '\0';
    source.text = cof_view_of(text, n);
    assert_ok(cof_document_read(&source, f, d));
    cof_policy_lint(d, f);
    cof_findings_sort(f);
}

static bool among(const char *list, const char *name)
{
    const char *p = strstr(list, name);
    size_t len = strlen(name);

    while (p != NULL && !((p == list || p[-1] == ' ') && (p[len] == '\0' || p[len] == ' ')))
        p = strstr(p + 1, name);
    return p != NULL;
}

static void each_mistake_is_found_where_it_stands(void **state)
{
    bool seen[COF_N_RULES] = {false};
    static char text[8192];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cof_findings f = {0};
        struct cof_document d;
        char first[64];
        size_t at;
        bool there = false;

        find(&rows[i], &d, &f, text, &at);
        (void)snprintf(first, sizeof first, "%.*s", (int)strcspn(rows[i].rules, " "), rows[i].rules);
        for (size_t k = 0; k < f.n; k++) {
            const char *name = cof_rule_name(f.items[k].rule);

            seen[f.items[k].rule] = true;
            there = there || (strcmp(name, first) == 0 && (at == SIZE_MAX || f.items[k].at == at));
            if (f.items[k].severity != COF_SEVERITY_NOTE && !among(rows[i].rules, name))
                fail_msg("row %zu (%s): also %s at %zu: %s\n%s", i, rows[i].rules, name, f.items[k].at, f.items[k].text, text);
        }
        if (!there) {
            for (size_t k = 0; k < f.n; k++)
                print_error("%s at %zu: %s\n", cof_rule_name(f.items[k].rule), f.items[k].at, f.items[k].text);
            fail_msg("row %zu: no %s at %zu\n%s", i, first, at, text);
        }
        cof_findings_done(&f);
        cof_document_done(&d);
    }
    for (int r = 0; r < COF_N_RULES; r++) /* those of several documents are reach_test's */
        if (!seen[r] && r != COF_RULE_UNATTESTED && r != COF_RULE_GRANT_PATH && r != COF_RULE_REENCRYPT_PATH && r != COF_RULE_REPLICATE_PATH &&
            r != COF_RULE_WITHOUT_EFFECT && r != COF_RULE_TOO_LARGE && r != COF_RULE_REFUSED)
            fail_msg("no row for %s", cof_rule_name((enum cof_rule)r));
}

static void sound_policies_have_no_findings(void **state)
{
    static char text[8192];

    for (size_t i = 0; i < sizeof sound / sizeof sound[0]; i++) {
        struct cof_findings f = {0};
        struct cof_document d;
        size_t at;

        find(&sound[i], &d, &f, text, &at);
        for (size_t k = 0; k < f.n; k++)
            if (f.items[k].severity != COF_SEVERITY_NOTE)
                fail_msg("row %zu: %s: %s\n%s", i, cof_rule_name(f.items[k].rule), f.items[k].text, text);
        assert_true(d.sound);
        cof_findings_done(&f);
        cof_document_done(&d);
    }
}

/* Sizes are those without white space. */
static void sizes(void **state)
{
    static const struct { enum cof_document_kind kind; size_t n; const char *rule; enum cof_severity severity; } cases[] = {
        {COF_DOCUMENT_IDENTITY, 6000, NULL, 0},
        {COF_DOCUMENT_IDENTITY, 7000, "too-large", COF_SEVERITY_WARNING},
        {COF_DOCUMENT_IDENTITY, 11000, "too-large", COF_SEVERITY_ERROR},
        {COF_DOCUMENT_SESSION, 2100, "too-large", COF_SEVERITY_ERROR},
        {COF_DOCUMENT_BOUNDARY, 6200, "too-large", COF_SEVERITY_ERROR},
    };
    static char text[65536];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_document_source source = {.file = "row", .kind = cases[i].kind};
        struct cof_findings f = {0};
        struct cof_document d;

        (void)snprintf(text, sizeof text, "{\"Version\": \"2012-10-17\",%*s\"Statement\": {\"Effect\": \"Allow\", \"Action\": \"s3:GetObject\", "
                       "\"Resource\": \"arn:aws:s3:::b/%0*d\"}}", 30000, "", (int)cases[i].n - 100, 0);
        source.text = cof_view_str(text);
        assert_ok(cof_document_read(&source, &f, &d));
        cof_policy_lint(&d, &f);
        assert_int_equal(f.n, cases[i].rule != NULL);
        if (f.n > 0) {
            assert_string_equal(cof_rule_name(f.items[0].rule), cases[i].rule);
            assert_int_equal(f.items[0].severity, cases[i].severity);
        }
        cof_findings_done(&f);
        cof_document_done(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mistake_is_found_where_it_stands),
        cmocka_unit_test(sound_policies_have_no_findings),
        cmocka_unit_test(sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
