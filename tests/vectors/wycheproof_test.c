/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: our cryptography takes what Project Wycheproof calls valid, with its outputs, and refuses what it calls invalid.
 * "Acceptable" may be either. Not run, since nothing here does it: aes_wrap; within the files run, and
 * counted: nonces and tags of other sizes (GCM), keys of other sizes (CBC, RSA), OAEP labels and unequal or other digests.
 * The four files of JSON Web signatures, keys and encryption are jwt_test.c's matter. C-17 C-38
 */
#include "vectors/lines.h"

#include "crypto/cbc.h"
#include "crypto/ecdsa.h"
#include "crypto/gcm.h"
#include "crypto/hash.h"
#include "crypto/hkdf.h"
#include "crypto/rsa.h"

enum verdict { REFUSED, TAKEN, NOT_OURS };

/* One case: the primitive run on it. TAKEN means that the output is the stated one too. */
typedef enum verdict run_fn(const json_t *group, const json_t *t);

static struct cof_view hex(const json_t *o, const char *name, struct cof_buf *out)
{
    return hex_member(o, name, out);
}

static size_t size_of(const json_t *o, const char *name)
{
    return (size_t)json_integer_value(json_object_get(o, name));
}

static enum verdict gcm(const json_t *group, const json_t *t)
{
    struct cof_buf key, iv, aad, msg, ct, tag, sealed;
    struct cof_gcm *g = NULL;
    uint8_t out[4096];
    enum verdict v = NOT_OURS;

    (void)hex(t, "key", &key), (void)hex(t, "iv", &iv), (void)hex(t, "aad", &aad);
    (void)hex(t, "msg", &msg), (void)hex(t, "ct", &ct), (void)hex(t, "tag", &tag);
    cof_buf_init(&sealed, 8192);
    if (size_of(group, "ivSize") == 96 && size_of(group, "tagSize") == 128) {
        cof_buf_add(&sealed, cof_buf_view(&ct));
        cof_buf_add(&sealed, cof_buf_view(&tag));
        assert_ok(cof_gcm_new(cof_buf_view(&key), &g));
        v = cof_gcm_open(g, iv.data, cof_buf_view(&aad), cof_buf_view(&sealed), out) == COF_OK &&
                    cof_view_eq(cof_view_of(out, ct.len), cof_buf_view(&msg)) ? TAKEN : REFUSED;
        if (v == TAKEN) {
            assert_ok(cof_gcm_seal(g, iv.data, cof_buf_view(&aad), cof_buf_view(&msg), out));
            assert_true(cof_view_eq(cof_view_of(out, sealed.len), cof_buf_view(&sealed)));
        }
        cof_gcm_free(g);
    }
    cof_buf_done(&key), cof_buf_done(&iv), cof_buf_done(&aad), cof_buf_done(&msg), cof_buf_done(&ct), cof_buf_done(&tag);
    cof_buf_done(&sealed);
    return v;
}

static enum verdict cbc(const json_t *group, const json_t *t)
{
    struct cof_buf key, iv, msg, ct, out;
    enum verdict v = NOT_OURS;

    (void)hex(t, "key", &key), (void)hex(t, "iv", &iv), (void)hex(t, "msg", &msg), (void)hex(t, "ct", &ct);
    cof_buf_init_secret(&out, 8192);
    if (size_of(group, "keySize") == 256)
        v = cof_cbc_decrypt(cof_buf_view(&key), cof_buf_view(&iv), cof_buf_view(&ct), &out) == COF_OK &&
                    cof_view_eq(cof_buf_view(&out), cof_buf_view(&msg)) ? TAKEN : REFUSED;
    cof_buf_done(&key), cof_buf_done(&iv), cof_buf_done(&msg), cof_buf_done(&ct), cof_buf_done(&out);
    return v;
}

static enum cof_hash_alg hash_named(const char *name)
{
    return strstr(name, "512") != NULL ? COF_SHA512 : strstr(name, "384") != NULL ? COF_SHA384
        : strstr(name, "256") != NULL ? COF_SHA256 : COF_SHA1;
}

static enum cof_hash_alg file_hash; /* of the file that is run: HKDF's and HMAC's groups do not name it */

static enum verdict hkdf(const json_t *group, const json_t *t)
{
    static uint8_t out[65536];
    struct cof_buf ikm, salt, info, okm;
    size_t size = size_of(t, "size");
    bool ok;

    (void)group;
    (void)hex(t, "ikm", &ikm), (void)hex(t, "salt", &salt), (void)hex(t, "info", &info), (void)hex(t, "okm", &okm);
    ok = size <= sizeof out && cof_hkdf(file_hash, cof_buf_view(&ikm), cof_buf_view(&salt), cof_buf_view(&info), out, size) == COF_OK &&
         cof_view_eq(cof_view_of(out, size), cof_buf_view(&okm));
    cof_buf_done(&ikm), cof_buf_done(&salt), cof_buf_done(&info), cof_buf_done(&okm);
    return ok ? TAKEN : REFUSED;
}

static enum verdict hmac(const json_t *group, const json_t *t)
{
    struct cof_buf key, msg, tag;
    struct cof_view part;
    uint8_t out[COF_HASH_MAX];
    bool ok;

    (void)hex(t, "key", &key), (void)hex(t, "tag", &tag);
    part = hex(t, "msg", &msg);
    assert_ok(cof_hmac(file_hash, cof_buf_view(&key), &part, 1, out));
    assert_int_equal(tag.len, size_of(group, "tagSize") / 8);
    ok = cof_equal_ct(cof_view_of(out, tag.len), cof_buf_view(&tag)); /* a tag cut short is the group's matter */
    cof_buf_done(&key), cof_buf_done(&msg), cof_buf_done(&tag);
    return ok ? TAKEN : REFUSED;
}

static enum verdict ecdsa(const json_t *group, const json_t *t)
{
    bool raw = strstr(member(group, "type"), "P1363") != NULL;
    struct cof_buf der, msg, sig;
    struct cof_ecdsa_key *key;
    enum verdict v;

    assert_ok(cof_ecdsa_from_spki(hex(group, "publicKeyDer", &der), &key));
    (void)hex(t, "msg", &msg), (void)hex(t, "sig", &sig);
    v = cof_ecdsa_verify(key, hash_named(member(group, "sha")), cof_buf_view(&msg), raw ? COF_ECDSA_RAW : COF_ECDSA_DER,
                         cof_buf_view(&sig)) == COF_OK ? TAKEN : REFUSED;
    cof_ecdsa_free(key);
    cof_buf_done(&der), cof_buf_done(&msg), cof_buf_done(&sig);
    return v;
}

/* PKCS#8 around a bare scalar of P-384. */
static struct cof_ecdsa_key *key_of_scalar(struct cof_view scalar)
{
    static const uint8_t head[] = {0x30, 0x4e, 0x02, 0x01, 0x00, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
        0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x04, 0x37, 0x30, 0x35, 0x02, 0x01, 0x01, 0x04, 0x30};
    struct cof_ecdsa_key *key;
    struct cof_buf der;

    while (scalar.len > 48 && scalar.data[0] == 0)
        scalar = cof_view_sub(scalar, 1, SIZE_MAX);
    cof_buf_init(&der, 256);
    cof_buf_add_bytes(&der, head, sizeof head);
    for (size_t i = scalar.len; i < 48; i++)
        cof_buf_add_u8(&der, 0);
    cof_buf_add(&der, scalar);
    assert_ok(cof_ecdsa_from_pkcs8(cof_buf_view(&der), &key));
    cof_buf_done(&der);
    return key;
}

static enum verdict ecdh(const json_t *group, const json_t *t)
{
    struct cof_buf spki, scalar, shared, out;
    struct cof_ecdsa_key *peer = NULL, *key;
    enum verdict v = REFUSED;

    (void)group;
    (void)hex(t, "shared", &shared);
    cof_buf_init_secret(&out, 64);
    key = key_of_scalar(hex(t, "private", &scalar));
    if (cof_ecdsa_from_spki(hex(t, "public", &spki), &peer) == COF_OK && cof_ecdsa_agree(key, peer, &out) == COF_OK &&
        cof_view_eq(cof_buf_view(&out), cof_buf_view(&shared)))
        v = TAKEN;
    cof_ecdsa_free(key);
    cof_ecdsa_free(peer);
    cof_buf_done(&spki), cof_buf_done(&scalar), cof_buf_done(&shared), cof_buf_done(&out);
    return v;
}

static enum verdict oaep(const json_t *group, const json_t *t)
{
    enum cof_hash_alg hash = hash_named(member(group, "sha"));
    enum cof_rsa_padding padding = hash == COF_SHA512 ? COF_RSA_OAEP_SHA512 : hash == COF_SHA384 ? COF_RSA_OAEP_SHA384
        : hash == COF_SHA256 ? COF_RSA_OAEP_SHA256 : COF_RSA_OAEP_SHA1;
    struct cof_buf der, msg, ct, out;
    struct cof_rsa_key *key = NULL;
    enum verdict v = NOT_OURS;

    cof_buf_init_secret(&out, 1024);
    (void)hex(t, "msg", &msg), (void)hex(t, "ct", &ct);
    if (strcmp(member(group, "sha"), member(group, "mgfSha")) == 0 && strstr(member(group, "sha"), "224") == NULL &&
        strstr(member(group, "sha"), "512/") == NULL && member(t, "label")[0] == '\0' &&
        cof_rsa_from_pkcs8(hex(group, "privateKeyPkcs8", &der), &key) == COF_OK)
        v = cof_rsa_decrypt(key, padding, cof_buf_view(&ct), &out) == COF_OK && cof_view_eq(cof_buf_view(&out), cof_buf_view(&msg))
            ? TAKEN : REFUSED;
    if (v == REFUSED && strcmp(member(t, "result"), "invalid") == 0)
        assert_int_equal(out.len, 0);
    if (key != NULL)
        cof_buf_done(&der);
    cof_rsa_free(key);
    cof_buf_done(&msg), cof_buf_done(&ct), cof_buf_done(&out);
    return v;
}

/* A library that rejects implicitly opens what is no ciphertext to bytes that nobody chose; that is as good as a refusal. */
static enum verdict pkcs1(const json_t *group, const json_t *t)
{
    struct cof_buf der, msg, ct, out;
    struct cof_rsa_key *key;
    enum verdict v;

    cof_buf_init_secret(&out, 1024);
    (void)hex(t, "msg", &msg), (void)hex(t, "ct", &ct);
    assert_ok(cof_rsa_from_pkcs8(hex(group, "privateKeyPkcs8", &der), &key));
    v = cof_rsa_decrypt(key, COF_RSA_PKCS1, cof_buf_view(&ct), &out) == COF_OK && cof_view_eq(cof_buf_view(&out), cof_buf_view(&msg)) ? TAKEN : REFUSED;
    cof_rsa_free(key);
    cof_buf_done(&der), cof_buf_done(&msg), cof_buf_done(&ct), cof_buf_done(&out);
    return v;
}

static enum verdict rsa_signature(const json_t *group, const json_t *t)
{
    bool pss = strstr(member(group, "type"), "Pss") != NULL;
    enum cof_hash_alg hash = hash_named(member(group, "sha"));
    enum cof_rsa_scheme scheme = pss ? COF_RSA_PS256 : hash == COF_SHA384 ? COF_RSA_RS384 : COF_RSA_RS256;
    struct cof_buf der, msg, sig;
    struct cof_rsa_key *key;
    enum verdict v;

    assert_ok(cof_rsa_from_spki(hex(group, "publicKeyDer", &der), &key));
    (void)hex(t, "msg", &msg), (void)hex(t, "sig", &sig);
    v = cof_rsa_verify(key, scheme, cof_buf_view(&msg), cof_buf_view(&sig)) == COF_OK ? TAKEN : REFUSED;
    cof_rsa_free(key);
    cof_buf_done(&der), cof_buf_done(&msg), cof_buf_done(&sig);
    return v;
}

/* min: how many cases at least must be ours, so that nothing is passed over unseen. */
static void run_file(const char *name, run_fn *run, size_t min_valid, size_t min_invalid)
{
    size_t n_valid = 0, n_invalid = 0, n_other = 0, n_wrong = 0;
    struct cof_buf file;
    char path[256];
    json_t *root;
    const json_t *groups;

    (void)snprintf(path, sizeof path, "wycheproof/files/%s_test.json", name);
    assert_true(read_vector(path, &file));
    root = json_loadb((const char *)file.data, file.len, JSON_ALLOW_NUL, NULL);
    assert_non_null(root);
    groups = json_object_get(root, "testGroups");
    file_hash = hash_named(name);
    for (size_t g = 0; g < json_array_size(groups); g++) {
        const json_t *group = json_array_get(groups, g), *tests = json_object_get(group, "tests");

        for (size_t i = 0; i < json_array_size(tests); i++) {
            const json_t *t = json_array_get(tests, i);
            const char *result = member(t, "result");
            enum verdict v = run(group, t);

            n_other += v == NOT_OURS;
            if (v == NOT_OURS || strcmp(result, "acceptable") == 0)
                continue;
            if ((v == TAKEN) != (strcmp(result, "valid") == 0)) {
                print_message("# %s tcId %d (%s, %s)\n", name, (int)size_of(t, "tcId"), result, member(t, "comment"));
                n_wrong++;
            }
            n_valid += v == TAKEN;
            n_invalid += v == REFUSED;
        }
    }
    json_decref(root);
    cof_buf_done(&file);
    if (n_wrong > 0 || n_valid < min_valid || n_invalid < min_invalid)
        fail_msg("%s: %zu wrong, %zu taken, %zu refused, %zu not ours", name, n_wrong, n_valid, n_invalid, n_other);
}

#define FILES(test, ...)                                                                                               \
    static void test(void **state)                                                                                     \
    {                                                                                                                  \
        static const struct { const char *name; run_fn *run; size_t valid, invalid; } files[] = {__VA_ARGS__};         \
        if (vectors_dir() == NULL)                                                                                     \
            skip();                                                                                                    \
        for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)                                                    \
            run_file(files[i].name, files[i].run, files[i].valid, files[i].invalid);                                   \
    }
FILES(ciphers, {"aes_gcm", gcm, 50, 30}, {"aes_cbc_pkcs5", cbc, 13, 30})
FILES(digests, {"hkdf_sha256", hkdf, 50, 2}, {"hkdf_sha384", hkdf, 50, 2}, {"hkdf_sha512", hkdf, 50, 2}, {"hmac_sha256", hmac, 40, 70},
      {"hmac_sha384", hmac, 40, 70}, {"hmac_sha512", hmac, 40, 70})
FILES(signatures_on_curves, {"ecdsa_secp256r1_sha256", ecdsa, 100, 200}, {"ecdsa_secp256r1_sha256_p1363", ecdsa, 100, 60},
      {"ecdsa_secp384r1_sha384", ecdsa, 100, 200}, {"ecdsa_secp384r1_sha384_p1363", ecdsa, 100, 55}, {"ecdsa_secp384r1_sha512", ecdsa, 100, 200})
FILES(agreement, {"ecdh_secp384r1", ecdh, 300, 20})
FILES(rsa_wrapping, {"rsa_oaep_2048_sha1_mgf1sha1", oaep, 6, 10}, {"rsa_oaep_2048_sha256_mgf1sha256", oaep, 6, 10},
      {"rsa_oaep_2048_sha512_mgf1sha512", oaep, 6, 10}, {"rsa_oaep_3072_sha256_mgf1sha256", oaep, 6, 10},
      {"rsa_oaep_4096_sha256_mgf1sha256", oaep, 6, 10}, {"rsa_oaep_misc", oaep, 20, 0}, {"rsa_pkcs1_2048", pkcs1, 20, 15})
FILES(rsa_signatures, {"rsa_pss_2048_sha256_mgf1_32", rsa_signature, 40, 25}, {"rsa_signature_2048_sha256", rsa_signature, 7, 150},
      {"rsa_signature_3072_sha384", rsa_signature, 5, 100})

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ciphers), cmocka_unit_test(digests), cmocka_unit_test(signatures_on_curves),
        cmocka_unit_test(agreement), cmocka_unit_test(rsa_wrapping), cmocka_unit_test(rsa_signatures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
