/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: wildcards match what IAM says they match, agree with a plain recursive matcher on every short pattern, and
 * cost no more than pattern x text.
 */
#include "testing.h"

#include "policy/glob.h"
#include "seeded.h"

static bool plain(const char *pattern, const char *text)
{
    return cof_glob_match((struct cof_glob){cof_view_str(pattern), NULL}, cof_view_str(text));
}

static bool arn(const char *pattern, const char *text)
{
    return cof_glob_match_arn((struct cof_glob){cof_view_str(pattern), NULL}, cof_view_str(text));
}

static void known_cases(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool match;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "anything", true},
        {"?", "", false},
        {"?", "a", true},
        {"?", "\xc3\xa9", true},
        {"??", "\xc3\xa9", false},
        {"a*b*c", "aXbYbZc", true},
        {"a*b*c", "aXbYbZ", false},
        {"*ab", "aab", true},
        {"*ab", "aba", false},
        {"a**b", "ab", true},
        {"abc", "ABC", false},
        {"jobs/*", "jobs/", true},
        {"jobs/*", "job", false},
        {"a?c", "abc", true},
        {"*?", "", false},
        {"*?*", "x", true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(plain(cases[i].pattern, cases[i].text), cases[i].match);
    assert_true(cof_glob_match_nocase((struct cof_glob){COF_LIT("KMS:gen*"), NULL}, COF_LIT("kms:GenerateDataKey")));
    assert_false(cof_glob_match_nocase((struct cof_glob){COF_LIT("KMS:gen*x"), NULL}, COF_LIT("kms:GenerateDataKey")));
}

/* The definition itself, slow and plain. */
static bool oracle(const char *p, const char *t)
{
    if (*p == '\0')
        return *t == '\0';
    if (*p == '*')
        return oracle(p + 1, t) || (*t != '\0' && oracle(p, t + 1));
    return *t != '\0' && (*p == '?' || *p == *t) && oracle(p + 1, t + 1);
}

static void agrees_with_the_definition(void **state)
{
    static const char alphabet[] = "ab*?";
    size_t n_match = 0;

    for (unsigned p = 0; p < 4096; p++)
        for (unsigned t = 0; t < 128; t++) {
            char pattern[8] = "", text[8] = "";
            for (unsigned i = 0; i < p % 7; i++)
                pattern[i] = alphabet[p >> 2 * (i % 6) & 3];
            for (unsigned i = 0; i < t % 8 && i < 7; i++)
                text[i] = alphabet[t >> i & 1];
            assert_int_equal(plain(pattern, text), oracle(pattern, text));
            n_match += plain(pattern, text);
        }
    assert_true(n_match > 1000);
}

static void masked_wildcards_are_literal(void **state)
{
    static const uint8_t mask[] = {1, 0, 1};

    assert_true(cof_glob_match((struct cof_glob){COF_LIT("a*?"), mask}, COF_LIT("a*z")));
    assert_false(cof_glob_match((struct cof_glob){COF_LIT("a*?"), mask}, COF_LIT("axxz")));
}

static void arns_match_part_by_part(void **state)
{
    assert_true(arn("*", "whatever"));
    assert_true(arn("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/jobs/a:b"));
    assert_true(arn("arn:aws:kms:*:111122223333:key/*", "arn:aws:kms:eu-west-1:111122223333:key/x"));
    assert_false(arn("arn:aws:kms:*:key/x", "arn:aws:kms:eu-west-1:111122223333:key/x"));
    assert_false(arn("arn:aws:*:111122223333:key/x", "arn:aws:kms:eu-west-1:111122223333:key/x"));
    assert_false(arn("arn:aws:s3*", "arn:aws:s3:::bucket"));
    assert_false(arn("arn:aws:kms:*:1:key/x", "arn:aws:kms:a:b:1:key/x"));
}

/* The definition: five parts by their colons and the rest, each matched alone. Masks hold for the part. */
static bool arn_oracle(struct cof_glob p, struct cof_view text)
{
    if (p.text.len == 1 && p.text.data[0] == '*' && (p.mask == NULL || p.mask[0] != 0))
        return true;
    for (int i = 0; i < 5; i++) {
        size_t a = cof_view_find(p.text, ':'), b = cof_view_find(text, ':');

        if (a == SIZE_MAX || b == SIZE_MAX || !cof_glob_match((struct cof_glob){cof_view_sub(p.text, 0, a), p.mask}, cof_view_sub(text, 0, b)))
            return false;
        p = (struct cof_glob){cof_view_sub(p.text, a + 1, SIZE_MAX), p.mask == NULL ? NULL : p.mask + a + 1};
        text = cof_view_sub(text, b + 1, SIZE_MAX);
    }
    return cof_glob_match(p, text);
}

static void arns_agree_with_the_definition(void **state)
{
    uint64_t seed = 3;
    size_t n_match = 0;

    for (int round = 0; round < 300000; round++) {
        uint8_t r[3], bytes[40], mask[20], *pattern = bytes, *text = bytes + 20;
        struct cof_glob p;
        struct cof_view t;

        (void)seeded_fill(&seed, r, sizeof r);
        (void)seeded_fill(&seed, bytes, sizeof bytes);
        (void)seeded_fill(&seed, mask, sizeof mask);
        for (size_t i = 0; i < 20; i++) {
            text[i] = (uint8_t)"a:a:a*:?"[text[i] >> 5];
            pattern[i] = (bytes[i] & 7) != 0 ? text[i] : (uint8_t)"a:**?b:a"[bytes[i] >> 5]; /* mostly the same */
            mask[i] = mask[i] > 60;
        }
        p = (struct cof_glob){cof_view_of(pattern, 20u - (r[0] & 7)), (r[1] & 1) != 0 ? mask : NULL};
        t = cof_view_of(text, 20u - (r[2] & 7));
        assert_int_equal(cof_glob_match_arn(p, t), arn_oracle(p, t));
        n_match += cof_glob_match_arn(p, t);
    }
    assert_true(n_match > 1000);
}

static void hostile_patterns_stay_cheap(void **state)
{
    char pattern[2001], text[4001];

    for (size_t i = 0; i < 2000; i += 2) {
        pattern[i] = '*';
        pattern[i + 1] = 'a';
    }
    pattern[1999] = 'b';
    pattern[2000] = '\0';
    memset(text, 'a', 4000);
    text[4000] = '\0';
    assert_false(plain(pattern, text)); /* an exponential matcher would not come back */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_cases),
        cmocka_unit_test(agrees_with_the_definition),
        cmocka_unit_test(masked_wildcards_are_literal),
        cmocka_unit_test(arns_match_part_by_part),
        cmocka_unit_test(arns_agree_with_the_definition),
        cmocka_unit_test(hostile_patterns_stay_cheap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
