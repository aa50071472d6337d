/* SPDX-License-Identifier: Apache-2.0
 *
 * The AWS Encryption SDK's own messages of the committing suites: known answers of key commitment and messages under raw
 * AES-256 keys, as expected; and every edit of them refused. C-28 C-29
 */
#include "lines.h"

#include "engine/esdk_decrypt.h"
#include "engine/keyring_raw.h"

static size_t n_opened, n_refused, n_edited;
static json_t *bases;

static bool hex_secret(const char *hex, struct cof_secret *out)
{
    uint8_t bytes[64];
    size_t n = hex == NULL ? 0 : strlen(hex) / 2;

    return n > 0 && n <= sizeof bytes && cof_hex_decode_fixed(cof_view_str(hex), bytes, n) == COF_OK &&
           cof_secret_set(out, cof_view_of(bytes, n)) == COF_OK;
}

/* Whether this test can try the case: one of its keys is the data key itself or an AES-256 key. */
static bool in_scope(const json_t *c)
{
    const json_t *u = json_array_get(json_object_get(c, "unwrap"), 0);
    const char *suite = member(c, "suite"), *kind = u == NULL ? NULL : member(u, "kind"), *cmm = member(c, "cmm");
    const char *key = u == NULL ? NULL : member(u, "key_hex");

    if (suite == NULL || kind == NULL || (strcmp(suite, "0478") != 0 && strcmp(suite, "0578") != 0) ||
        (cmm != NULL && strcmp(cmm, "RequiredEncryptionContext") == 0))
        return false;
    return strcmp(kind, "pdk") == 0 || (strcmp(kind, "raw-aes") == 0 && key != NULL && strlen(key) == 64);
}

static enum cof_err find_key(const json_t *c, const struct cof_esdk_header *h, struct cof_secret *data_key)
{
    const json_t *u = json_array_get(json_object_get(c, "unwrap"), 0);
    struct cof_secret wrapping COF_SECRET_AUTO = {0};
    enum cof_err err = COF_E_NOT_FOUND;

    if (strcmp(member(u, "kind"), "pdk") == 0)
        return hex_secret(member(u, "hex"), data_key) ? COF_OK : COF_E_BUG;
    if (!hex_secret(member(u, "key_hex"), &wrapping))
        return COF_E_BUG;
    for (size_t i = 0; i < h->n_edks && err != COF_OK; i++) {
        struct cof_raw_aes ring = {cof_view_str(member(u, "namespace")), cof_view_str(member(u, "name")), &wrapping};
        err = cof_raw_aes_unwrap(&ring, h->pairs, h->n_pairs, &h->edks[i], data_key);
    }
    return err;
}

/* Opens message in pieces; plaintext counts only when all verified. */
static enum cof_err open_message(const json_t *c, struct cof_view message, size_t piece, struct cof_buf *plain)
{
    struct cof_secret data_key COF_SECRET_AUTO = {0};
    struct cof_esdk_decrypt *d;
    enum cof_err err = cof_esdk_decrypt_new(NULL, &d);

    while (err == COF_OK && message.len > 0) {
        struct cof_view in = cof_view_sub(message, 0, piece);
        message = cof_view_sub(message, in.len, SIZE_MAX);
        while (err == COF_OK && in.len > 0) {
            err = cof_esdk_decrypt_push(d, &in, plain);
            if (err == COF_OK && cof_esdk_decrypt_wants_key(d)) {
                err = find_key(c, cof_esdk_decrypt_header(d), &data_key);
                if (err == COF_OK)
                    err = cof_esdk_decrypt_set_key(d, &data_key);
            }
        }
    }
    if (err == COF_OK)
        err = cof_esdk_decrypt_finish(d);
    cof_esdk_decrypt_free(d);
    return err;
}

static void path_of(const json_t *c, const char *name, char *out, size_t size)
{
    (void)snprintf(out, size, "esdk/%s", member(c, name));
}

static void one_case(json_t *c)
{
    static const size_t pieces[] = {1, 7, 4096, SIZE_MAX};
    struct cof_buf message, want, plain;
    char path[512];
    bool good = strcmp(member(c, "expect"), "decrypts") == 0;

    if (!in_scope(c))
        return;
    path_of(c, "ciphertext", path, sizeof path);
    assert_true(read_vector(path, &message));
    (void)json_object_set(bases, member(c, "id"), c);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        enum cof_err err;
        cof_buf_init(&plain, (size_t)1 << 28);
        err = open_message(c, cof_buf_view(&message), pieces[i], &plain);
        if (good != (err == COF_OK))
            fail_msg("%s: %s", member(c, "id"), cof_err_name(err));
        if (good) {
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

static size_t number(const json_t *o, const char *name)
{
    return (size_t)json_number_value(json_object_get(o, name));
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

static void messages_of_other_implementations(void **state)
{
    if (vectors_dir() == NULL)
        skip();
    (void)each_case("esdk/cases.jsonl", one_case);
    assert_true(n_opened >= 30 && n_refused >= 3);
}

static void edited_messages_are_refused(void **state)
{
    if (vectors_dir() == NULL)
        skip();
    (void)each_case("esdk/negatives.jsonl", one_edit);
    assert_true(n_edited >= 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_other_implementations),
        cmocka_unit_test(edited_messages_are_refused),
    };
    int failed;

    bases = json_object();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(bases);
    print_message("# %zu opened, %zu refused, %zu edits refused\n", n_opened, n_refused, n_edited);
    return failed;
}
