/* SPDX-License-Identifier: Apache-2.0
 *
 * The AWS Encryption SDK's own messages, of all suites: every header parses to the fields that an independent parser read;
 * every case whose keys are local has the expected outcome, in pieces of several sizes; a message of each suite is refused
 * wherever it is cut; every edit is refused. C-28 C-29
 */
#include "lines.h"

#include "engine/esdk_decrypt.h"
#include "engine/cmm.h"
#include "engine/keyring_raw.h"

#define N_SUITES 11

static size_t n_opened, n_refused, n_edited, n_headers, n_cut, n_derived;
static json_t *bases;
static json_t *smallest; /* by suite: the shortest good message */

static bool hex_secret(const char *hex, struct cof_secret *out)
{
    uint8_t bytes[64];
    size_t n = hex == NULL ? 0 : strlen(hex) / 2;

    return n > 0 && n <= sizeof bytes && cof_hex_decode_fixed(cof_view_str(hex), bytes, n) == COF_OK &&
           cof_secret_set(out, cof_view_of(bytes, n)) == COF_OK;
}

static bool is_offline(const json_t *c)
{
    return json_is_true(json_object_get(c, "offline"));
}

/* The pairs of "reproduced_context": views into the case. */
static size_t known_pairs(const json_t *c, struct cof_esdk_pair *out)
{
    json_t *known = json_object_get(c, "reproduced_context"), *value;
    const char *name;
    size_t n = 0;

    json_object_foreach(known, name, value)
        out[n++] = (struct cof_esdk_pair){cof_view_str(name), cof_view_str(json_string_value(value))};
    return n;
}

static enum cof_rsa_padding padding_of(const json_t *u)
{
    const char *hash = member(u, "hash");

    if (strcmp(member(u, "padding"), "pkcs1") == 0)
        return COF_RSA_PKCS1;
    assert_non_null(hash);
    return strcmp(hash, "sha1") == 0     ? COF_RSA_OAEP_SHA1
           : strcmp(hash, "sha256") == 0 ? COF_RSA_OAEP_SHA256
           : strcmp(hash, "sha384") == 0 ? COF_RSA_OAEP_SHA384
                                         : COF_RSA_OAEP_SHA512;
}

static enum cof_err try_key(const json_t *u, struct cof_esdk_decrypt *d)
{
    const char *kind = member(u, "kind");
    struct cof_view name = cof_view_str(member(u, "name")), space = cof_view_str(member(u, "namespace"));
    struct cof_secret key COF_SECRET_AUTO = {0};
    struct cof_keyring ring;
    struct cof_cmm cmm = cof_cmm_of_keyring(&ring);
    enum cof_err err;

    if (strcmp(kind, "pdk") == 0) {
        assert_true(hex_secret(member(u, "hex"), &key));
        return cof_esdk_decrypt_set_key(d, &key);
    }
    if (strcmp(kind, "raw-aes") == 0) {
        struct cof_raw_aes aes = {space, name, &key};
        assert_true(hex_secret(member(u, "key_hex"), &key));
        ring = cof_keyring_of_raw_aes(&aes);
        return cof_esdk_decrypt_with(&cmm, d, NULL);
    }
    if (strcmp(kind, "raw-rsa") == 0 && json_is_true(json_object_get(u, "private"))) {
        struct cof_rsa_key *rsa;
        struct cof_raw_rsa raw = {space, name, NULL, padding_of(u)};
        assert_ok(cof_rsa_from_pem(cof_view_str(member(u, "pem")), &rsa));
        raw.key = rsa;
        ring = cof_keyring_of_raw_rsa(&raw);
        err = cof_esdk_decrypt_with(&cmm, d, NULL);
        cof_rsa_free(rsa);
        return err;
    }
    return COF_E_NOT_FOUND;
}

/* Any one of the case's keys suffices. */
static enum cof_err unlock(const json_t *c, struct cof_esdk_decrypt *d)
{
    enum cof_err err = COF_E_NOT_FOUND;
    const json_t *u;
    size_t i;

    json_array_foreach(json_object_get(c, "unwrap"), i, u) {
        err = try_key(u, d);
        if (err == COF_OK || !cof_esdk_decrypt_wants_key(d))
            break;
    }
    return err;
}

/* Opens message in pieces; plaintext counts only when all verified. */
static enum cof_err open_message(const json_t *c, struct cof_view message, size_t piece, struct cof_buf *plain)
{
    struct cof_esdk_pair known[8];
    struct cof_esdk_decrypt_options options = {.policy = COF_REQUIRE_ENCRYPT_ALLOW_DECRYPT, .known_pairs = known,
                                               .n_known = known_pairs(c, known)};
    struct cof_esdk_decrypt *d;
    enum cof_err err, again;

    assert_ok(cof_esdk_decrypt_new(&options, &d));
    err = COF_OK;
    while (err == COF_OK && message.len > 0) {
        struct cof_view in = cof_view_sub(message, 0, piece);
        message = cof_view_sub(message, in.len, SIZE_MAX);
        while (err == COF_OK && in.len > 0) {
            err = cof_esdk_decrypt_push(d, &in, plain);
            if (err == COF_OK && cof_esdk_decrypt_wants_key(d))
                err = unlock(c, d);
        }
    }
    if (err == COF_OK)
        err = cof_esdk_decrypt_finish(d);
    assert_int_equal(cof_esdk_decrypt_verified(d), err == COF_OK);
    again = cof_esdk_decrypt_finish(d); /* final, either way */
    assert_true((again == COF_OK) == (err == COF_OK));
    cof_esdk_decrypt_free(d);
    return err;
}

static void path_of(const json_t *c, const char *name, char *out, size_t size)
{
    (void)snprintf(out, size, "esdk/%s", member(c, name));
}

static void assert_hex(const json_t *o, const char *name, struct cof_view got)
{
    struct cof_buf want;

    assert_true(cof_view_eq(hex_member(o, name, &want), got));
    cof_buf_done(&want);
}

/* Names and values in which a NUL is shown as U+0001, as lines.h makes them; which no case has besides. */
static bool same_text(const char *want, struct cof_view got)
{
    bool same = strlen(want) == got.len;

    for (size_t i = 0; same && i < got.len; i++)
        same = (got.data[i] == 0 ? 1 : got.data[i]) == (uint8_t)want[i];
    return same;
}

static void compare_context(const json_t *want, const struct cof_esdk_header *h)
{
    const json_t *value;
    const char *name;

    assert_int_equal(json_object_size(want), h->n_pairs);
    json_object_foreach((json_t *)(uintptr_t)want, name, value) {
        bool found = false;
        for (size_t i = 0; i < h->n_pairs; i++)
            found = found || (same_text(name, h->pairs[i].name) && same_text(json_string_value(value), h->pairs[i].value));
        assert_true(found);
    }
    for (size_t i = 1; i < h->n_pairs; i++)
        assert_true(cof_view_cmp(h->pairs[i - 1].name, h->pairs[i].name) < 0);
}

static size_t number(const json_t *o, const char *name)
{
    return (size_t)json_number_value(json_object_get(o, name));
}

static void one_header(json_t *c)
{
    static const struct cof_esdk_limits limits = {0};
    const json_t *want = json_object_get(c, "header"), *edk;
    struct cof_esdk_header h;
    struct cof_buf message;
    char path[512], suite[8];
    size_t used, i;

    path_of(c, "ciphertext", path, sizeof path);
    assert_true(read_vector(path, &message));
    if (cof_esdk_header_parse(cof_buf_view(&message), &limits, &h, &used) != COF_OK)
        fail_msg("%s does not parse", member(c, "id"));
    (void)snprintf(suite, sizeof suite, "%04x", h.suite);
    assert_string_equal(suite, member(c, "suite"));
    assert_int_equal(h.version, number(c, "version"));
    assert_int_equal(used, number(want, "header_bytes"));
    assert_hex(want, "message_id", h.message_id);
    assert_int_equal(h.frame_length, number(want, "frame_length"));
    assert_int_equal(h.content_type == COF_ESDK_FRAMED, strcmp(member(want, "content_type"), "framed") == 0);
    if (h.version == 2)
        assert_hex(want, "commitment", h.commitment);
    compare_context(json_object_get(want, "context"), &h);
    assert_int_equal(json_array_size(json_object_get(want, "edks")), h.n_edks);
    json_array_foreach(json_object_get(want, "edks"), i, edk) {
        assert_true(cof_view_eq_str(h.edks[i].provider, member(edk, "provider")));
        assert_hex(edk, "info_hex", h.edks[i].info);
        assert_int_equal(h.edks[i].ciphertext.len, number(edk, "size"));
    }
    n_headers++;
    cof_buf_done(&message);
}

static void note_smallest(json_t *c, size_t len)
{
    json_t *old = json_object_get(smallest, member(c, "suite"));

    if (old == NULL || len < number(old, "length")) {
        json_t *copy = json_deep_copy(c);
        (void)json_object_set_new(copy, "length", json_real((double)len));
        (void)json_object_set_new(smallest, member(c, "suite"), copy);
    }
}

static void one_case(json_t *c)
{
    static const size_t pieces[] = {1, 7, 4096, SIZE_MAX};
    struct cof_buf message, want, plain;
    char path[512];
    bool good = strcmp(member(c, "expect"), "decrypts") == 0;

    if (!is_offline(c))
        return;
    path_of(c, "ciphertext", path, sizeof path);
    assert_true(read_vector(path, &message));
    (void)json_object_set(bases, member(c, "id"), c);
    if (good)
        note_smallest(c, message.len);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        enum cof_err err;
        cof_buf_init(&plain, (size_t)1 << 28);
        err = open_message(c, cof_buf_view(&message), pieces[i], &plain);
        if (good != (err == COF_OK))
            fail_msg("%s: %s", member(c, "id"), cof_err_name(err));
        if (good && member(c, "plaintext") != NULL) {
            path_of(c, "plaintext", path, sizeof path);
            assert_true(read_vector(path, &want));
            assert_true(cof_view_eq(cof_buf_view(&plain), cof_buf_view(&want)));
            cof_buf_done(&want);
        }
        cof_buf_done(&plain);
    }
    if (good)
        n_opened++;
    else
        n_refused++;
    cof_buf_done(&message);
}

/* The known answers of key commitment: a message opens just when the commitment derived is the one it carries. */
static void one_derivation(json_t *c)
{
    const json_t *u = json_array_get(json_object_get(c, "unwrap"), 0);
    struct cof_secret pdk COF_SECRET_AUTO = {0};
    struct cof_buf id, carried;
    uint8_t suite[2], commitment[32];
    struct cof_gcm *gcm;
    bool good = strcmp(member(c, "expect"), "decrypts") == 0;

    if (strcmp(member(c, "set"), "commit-kat") != 0)
        return;
    assert_ok(cof_hex_decode_fixed(cof_view_str(member(c, "suite")), suite, 2));
    assert_true(hex_secret(member(u, "hex"), &pdk));
    (void)hex_member(json_object_get(c, "header"), "message_id", &id);
    (void)hex_member(json_object_get(c, "header"), "commitment", &carried);
    assert_ok(cof_esdk_derive(cof_suite_find((uint16_t)(suite[0] << 8 | suite[1])), &pdk, cof_buf_view(&id), &gcm,
                              commitment));
    assert_int_equal(cof_view_eq(cof_view_of(commitment, 32), cof_buf_view(&carried)), good);
    if (good)
        assert_hex(c, "commitment", cof_view_of(commitment, 32));
    cof_gcm_free(gcm);
    cof_buf_done(&id);
    cof_buf_done(&carried);
    n_derived++;
}

static void edit(const json_t *e, struct cof_view base, struct cof_buf *out)
{
    const char *op = member(e, "op"), *hex = member(e, "hex");
    struct cof_buf bytes;
    size_t from = base.len, to = base.len;

    cof_buf_init(&bytes, 1 << 20);
    cof_buf_init(out, (size_t)1 << 28);
    if (hex != NULL)
        assert_ok(cof_hex_decode(cof_view_str(hex), &bytes));
    if (strcmp(op, "xor") == 0) {
        cof_buf_add(out, base);
        out->data[number(e, "offset")] ^= (uint8_t)number(e, "mask");
        cof_buf_done(&bytes);
        return;
    }
    if (strcmp(op, "swap") == 0) {
        const json_t *a = json_object_get(e, "a"), *b = json_object_get(e, "b");
        size_t a0 = (size_t)json_number_value(json_array_get(a, 0)), a1 = (size_t)json_number_value(json_array_get(a, 1));
        size_t b0 = (size_t)json_number_value(json_array_get(b, 0)), b1 = (size_t)json_number_value(json_array_get(b, 1));
        cof_buf_add(out, cof_view_sub(base, 0, a0));
        cof_buf_add(out, cof_view_sub(base, b0, b1 - b0));
        cof_buf_add(out, cof_view_sub(base, a0, a1 - a0));
        cof_buf_add(out, cof_view_sub(base, b1, SIZE_MAX));
        cof_buf_done(&bytes);
        return;
    }
    if (strcmp(op, "replace") == 0) {
        from = number(e, "offset");
        to = from + bytes.len;
    } else if (strcmp(op, "insert") == 0) {
        from = to = number(e, "offset");
    } else if (strcmp(op, "truncate") == 0) {
        from = number(e, "length");
    } else if (strcmp(op, "cut") == 0 || strcmp(op, "cutreplace") == 0) {
        from = number(e, "start");
        to = number(e, "end");
    }
    cof_buf_add(out, cof_view_sub(base, 0, from));
    cof_buf_add(out, cof_buf_view(&bytes));
    cof_buf_add(out, cof_view_sub(base, to, SIZE_MAX));
    cof_buf_done(&bytes);
}

static void one_edit(json_t *n)
{
    const json_t *c = json_object_get(bases, member(n, "base"));
    struct cof_buf base, message, plain;
    char path[512];

    if (c == NULL)
        return;
    path_of(c, "ciphertext", path, sizeof path);
    assert_true(read_vector(path, &base));
    edit(json_object_get(n, "edit"), cof_buf_view(&base), &message);
    cof_buf_init(&plain, (size_t)1 << 28);
    if (open_message(c, cof_buf_view(&message), SIZE_MAX, &plain) == COF_OK)
        fail_msg("%s was opened", member(n, "id"));
    n_edited++;
    cof_buf_done(&plain);
    cof_buf_done(&message);
    cof_buf_done(&base);
}

static void headers_of_other_implementations(void **state)
{
    size_t n;

    if (vectors_dir() == NULL)
        skip();
    n = each_case("esdk/cases.jsonl", one_header);
    assert_int_equal(n, n_headers);
    assert_true(n_headers >= 700);
}

static void messages_of_other_implementations(void **state)
{
    if (vectors_dir() == NULL)
        skip();
    (void)each_case("esdk/cases.jsonl", one_case);
    assert_true(n_opened >= 250 && n_refused >= 20);
}

static void known_commitments(void **state)
{
    if (vectors_dir() == NULL)
        skip();
    (void)each_case("esdk/cases.jsonl", one_derivation);
    assert_true(n_derived >= 30);
}

/* No cut message is ever whole, and whatever it released is a part of the true plaintext. */
static void cut_anywhere_is_refused(void **state)
{
    json_t *c;
    const char *suite;

    if (vectors_dir() == NULL)
        skip();
    assert_int_equal(json_object_size(smallest), N_SUITES);
    json_object_foreach(smallest, suite, c) {
        struct cof_buf message, whole, plain;
        char path[512];

        path_of(c, "ciphertext", path, sizeof path);
        assert_true(read_vector(path, &message));
        cof_buf_init(&whole, 1 << 20);
        assert_ok(open_message(c, cof_buf_view(&message), SIZE_MAX, &whole));
        for (size_t cut = 0; cut < message.len; cut++) {
            cof_buf_init(&plain, 1 << 20);
            assert_int_not_equal(open_message(c, cof_view_sub(cof_buf_view(&message), 0, cut), SIZE_MAX, &plain), COF_OK);
            assert_true(cof_view_starts(cof_buf_view(&whole), cof_buf_view(&plain)));
            cof_buf_done(&plain);
            n_cut++;
        }
        cof_buf_done(&whole);
        cof_buf_done(&message);
    }
}

static void edited_messages_are_refused(void **state)
{
    size_t n;

    if (vectors_dir() == NULL)
        skip();
    n = each_case("esdk/negatives.jsonl", one_edit);
    assert_int_equal(n, n_edited);
    assert_true(n_edited >= 3800);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_of_other_implementations),
        cmocka_unit_test(messages_of_other_implementations),
        cmocka_unit_test(known_commitments),
        cmocka_unit_test(cut_anywhere_is_refused),
        cmocka_unit_test(edited_messages_are_refused),
    };
    int failed;

    bases = json_object();
    smallest = json_object();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(bases);
    json_decref(smallest);
    print_message("# %zu headers, %zu opened, %zu refused, %zu cuts and %zu edits refused\n", n_headers, n_opened,
                  n_refused, n_cut, n_edited);
    return failed;
}
