/* SPDX-License-Identifier: Apache-2.0
 *
 * Attacks on sealed messages, carried out: C-01 to C-04, C-28, C-29, C-36 of docs/THREATS.md.
 */
#include "unit/client/world.h"

#include "client/keyring_kms.h"
#include "crypto/gcm.h"
#include "engine/cmm.h"
#include "engine/keyring_raw.h"

#define FRAME 1000u
#define LENGTH 4500u /* four regular frames, and 500 bytes in the final one */

static uint8_t plain[LENGTH];
static const struct cof_secret wrapping_key = {.bytes = {9}, .len = 32};
static struct cof_raw_aes raw = {{(const uint8_t *)"ns", 2}, {(const uint8_t *)"key", 3}, &wrapping_key};

static enum cof_err count_up(void *ctx, uint8_t *out, size_t len)
{
    static uint8_t next;

    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(next++ * 37);
    return COF_OK;
}
static const struct cof_rng counting = {count_up, NULL};

/* A message under `ring` for one tenant's object. */
static void seal(struct cof_keyring *ring, const char *object, uint32_t frame_length, struct cof_buf *out)
{
    struct cof_cmm cmm = cof_cmm_of_keyring(ring);
    const struct cof_esdk_pair context[] = {{COF_LIT("object"), cof_view_str(object)}, {COF_LIT("tenant"), COF_LIT("a")}};
    struct cof_esdk_materials m = {.suite = COF_ESDK_SUITE, .frame_length = frame_length, .pairs = context, .n_pairs = 2};
    struct cof_esdk_encrypt *e;

    cof_buf_init(out, 1 << 20);
    assert_ok(cof_esdk_encrypt_with(&cmm, &m, &counting, NULL, &e));
    assert_ok(cof_esdk_encrypt_push(e, cof_view_of(plain, LENGTH), out));
    assert_ok(cof_esdk_encrypt_finish(e, out));
    cof_esdk_encrypt_free(e);
}

/* Opens it for somebody who knows (or does not, NULL) which object it has to be. *released: bytes of plaintext given out. */
static enum cof_err open_as(struct cof_keyring *ring, struct cof_view in, const char *object, size_t *released)
{
    struct cof_cmm cmm = cof_cmm_of_keyring(ring);
    struct cof_esdk_pair known = {COF_LIT("object"), cof_view_str(object == NULL ? "" : object)};
    struct cof_esdk_decrypt_options how = {.known_pairs = &known, .n_known = object == NULL ? 0 : 1};
    struct cof_esdk_decrypt *d;
    struct cof_buf got;
    enum cof_err err;

    cof_buf_init(&got, 1 << 20);
    assert_ok(cof_esdk_decrypt_new(&how, &d));
    err = cof_esdk_decrypt_push(d, &in, &got);
    if (err == COF_OK && cof_esdk_decrypt_wants_key(d))
        err = cof_esdk_decrypt_with(&cmm, d, NULL);
    if (err == COF_OK)
        err = cof_esdk_decrypt_push(d, &in, &got);
    if (err == COF_OK)
        err = cof_esdk_decrypt_finish(d);
    *released = got.len;
    cof_esdk_decrypt_free(d);
    cof_buf_done(&got);
    return err;
}

static size_t header_length(struct cof_view message, struct cof_esdk_header *h)
{
    size_t used;

    assert_ok(cof_esdk_header_parse(message, &(struct cof_esdk_limits){0}, h, &used));
    return used;
}

static uint8_t *in_message(struct cof_buf *message, struct cof_view part)
{
    return message->data + (part.data - message->data);
}

/* The wrapped key of one object's message in another's: it is bound to its context, and the header to its key. */
static void c01_wrapped_key_substitution(void **state)
{
    struct cof_keyring ring = cof_keyring_of_raw_aes(&raw);
    struct cof_buf a, b, c;
    struct cof_esdk_header ha, hb, hc;
    size_t released;

    seal(&ring, "1", FRAME, &a);
    seal(&ring, "2", FRAME, &b);
    seal(&ring, "2", FRAME, &c);
    (void)header_length(cof_buf_view(&a), &ha);
    (void)header_length(cof_buf_view(&b), &hb);
    (void)header_length(cof_buf_view(&c), &hc);
    assert_int_equal(ha.edks[0].ciphertext.len, hb.edks[0].ciphertext.len);
    (void)memcpy(in_message(&b, hb.edks[0].info), ha.edks[0].info.data, ha.edks[0].info.len);
    (void)memcpy(in_message(&b, hb.edks[0].ciphertext), ha.edks[0].ciphertext.data, ha.edks[0].ciphertext.len);
    assert_int_equal(open_as(&ring, cof_buf_view(&b), NULL, &released), COF_E_AUTH);
    assert_int_equal(released, 0);
    /* of the very same context it unwraps, and is then not the key that the header commits to */
    (void)memcpy(in_message(&b, hb.edks[0].info), hc.edks[0].info.data, hc.edks[0].info.len);
    (void)memcpy(in_message(&b, hb.edks[0].ciphertext), hc.edks[0].ciphertext.data, hc.edks[0].ciphertext.len);
    assert_int_equal(open_as(&ring, cof_buf_view(&b), NULL, &released), COF_E_AUTH);
    assert_int_equal(released, 0);
    cof_buf_done(&a);
    cof_buf_done(&b);
    cof_buf_done(&c);
}

/* The whole message of another object is a good message: only who knows what it has to be can tell. */
static void c02_ciphertext_and_context_swapped(void **state)
{
    struct cof_keyring ring = cof_keyring_of_raw_aes(&raw);
    struct cof_buf a;
    size_t released;

    seal(&ring, "1", FRAME, &a);
    assert_ok(open_as(&ring, cof_buf_view(&a), "1", &released));
    assert_int_equal(open_as(&ring, cof_buf_view(&a), "2", &released), COF_E_AUTH);
    assert_int_equal(released, 0);
    cof_buf_done(&a);
}

/* A frame of one message in the same place of another, under one and the same data key. */
static void c03_ciphertext_relocation(void **state)
{
    static const struct cof_secret data_key = {.bytes = {3}, .len = 32};
    static const struct cof_esdk_edk edk = {{(const uint8_t *)"ns", 2}, {(const uint8_t *)"x", 1}, {(const uint8_t *)"y", 1}};
    struct cof_esdk_materials m = {.suite = COF_ESDK_SUITE, .frame_length = FRAME, .data_key = &data_key, .edks = &edk, .n_edks = 1};
    struct cof_buf messages[2], got;
    struct cof_esdk_header h;
    struct cof_esdk_decrypt *d;
    struct cof_view in;
    size_t header;

    for (size_t i = 0; i < 2; i++) {
        struct cof_esdk_encrypt *e;

        cof_buf_init(&messages[i], 1 << 20);
        assert_ok(cof_esdk_encrypt_new(&m, &counting, &e));
        assert_ok(cof_esdk_encrypt_push(e, cof_view_of(plain, LENGTH), &messages[i]));
        assert_ok(cof_esdk_encrypt_finish(e, &messages[i]));
        cof_esdk_encrypt_free(e);
    }
    header = header_length(cof_buf_view(&messages[0]), &h);
    (void)memcpy(messages[0].data + header + FRAME + 32, messages[1].data + header + FRAME + 32, FRAME + 32);
    cof_buf_init(&got, 1 << 20);
    in = cof_buf_view(&messages[0]);
    assert_ok(cof_esdk_decrypt_new(NULL, &d));
    assert_ok(cof_esdk_decrypt_push(d, &in, &got));
    assert_ok(cof_esdk_decrypt_set_key(d, &data_key));
    assert_int_equal(cof_esdk_decrypt_push(d, &in, &got), COF_E_AUTH);
    assert_int_equal(got.len, FRAME); /* the first frame, which is in its place */
    cof_esdk_decrypt_free(d);
    cof_buf_done(&got);
    cof_buf_done(&messages[0]);
    cof_buf_done(&messages[1]);
}

/* C-36 too: the message names another key, by ARN or alias; or KMS opened it with another than was asked for. */
static void c04_parent_selected_key(void **state)
{
    struct world *w = *state;
    const struct cof_view keys[] = {COF_LIT(KEY_ARN)};
    struct cof_keyring_kms kms = {.aws = &w->aws, .keys = keys, .n_keys = 1};
    struct cof_keyring ring = cof_keyring_of_kms(&kms);
    struct cof_secret key = {0};
    const struct cof_esdk_edk others[] = {
        {COF_LIT("aws-kms"), COF_LIT(OTHER_ARN), COF_LIT("x")},
        {COF_LIT("aws-kms"), COF_LIT("arn:aws:kms:us-east-1:111122223333:alias/data"), COF_LIT("x")},
        {COF_LIT("aws-kms"), COF_LIT("1234abcd-12ab-34cd-56ef-1234567890ab"), COF_LIT("x")},
        {COF_LIT("aws-kms"), COF_LIT("arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"), COF_LIT("x")},
        {COF_LIT("aws-kms"), COF_LIT("arn:aws:kms:us-east-1:999922223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"), COF_LIT("x")},
    };
    const struct cof_esdk_edk ours = {COF_LIT("aws-kms"), COF_LIT(KEY_ARN), COF_LIT("x")};
    struct cof_keyring_unwrap request = {.key_len = 32, .edks = others, .n_edks = 5, .data_key = &key};

    assert_int_equal(cof_keyring_unwrap(&ring, &request), COF_E_NOT_FOUND);
    assert_int_equal(w->n_seen, 0); /* nothing was asked */
    script(w, 200, NULL, "{\"KeyId\":\"" OTHER_ARN "\",\"Plaintext\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"}");
    request.edks = &ours;
    request.n_edks = 1;
    assert_int_equal(cof_keyring_unwrap(&ring, &request), COF_E_AUTH);
    assert_int_equal(key.len, 0);
    assert_non_null(strstr(cof_buf_cstr(&w->seen[0].body), "\"KeyId\":\"" KEY_ARN "\"")); /* C-36: it is always sent */
}

/* GF(2^128) as GCM has it (SP 800-38D 6.3): bit 0 is the first byte's highest. */
struct block {
    uint8_t b[16];
};

static struct block times(struct block x, struct block y)
{
    struct block z = {{0}};

    for (unsigned i = 0; i < 128; i++) {
        uint8_t carry = y.b[15] & 1;

        if ((x.b[i / 8] >> (7 - i % 8) & 1) != 0)
            for (unsigned k = 0; k < 16; k++)
                z.b[k] ^= y.b[k];
        for (unsigned k = 15; k > 0; k--)
            y.b[k] = (uint8_t)(y.b[k] >> 1 | y.b[k - 1] << 7);
        y.b[0] = (uint8_t)(y.b[0] >> 1);
        if (carry != 0)
            y.b[0] ^= 0xe1;
    }
    return z;
}

static struct block plus(struct block x, struct block y)
{
    for (unsigned k = 0; k < 16; k++)
        x.b[k] ^= y.b[k];
    return x;
}

/* x to the power 2^128 - 2 */
static struct block inverse(struct block x)
{
    struct block result = {{0x80}}, square = x;

    for (unsigned i = 1; i < 128; i++) {
        square = times(square, square);
        result = times(result, square);
    }
    return result;
}

/* The tag that goes with a ciphertext under a key. */
static struct block tag_of(struct cof_gcm *gcm, struct cof_view aad, struct cof_view sealed)
{
    static const uint8_t nonce[COF_GCM_NONCE] = {1};
    uint8_t out[4096], back[4096];
    struct block tag;

    /* the ciphertext is what counts: the plaintext that gives it is the keystream plus it */
    (void)memset(back, 0, sizeof back);
    assert_ok(cof_gcm_seal(gcm, nonce, aad, cof_view_of(back, sealed.len), out));
    for (size_t i = 0; i < sealed.len; i++)
        back[i] = out[i] ^ sealed.data[i];
    assert_ok(cof_gcm_seal(gcm, nonce, aad, cof_view_of(back, sealed.len), out));
    (void)memcpy(tag.b, out + sealed.len, 16);
    return tag;
}

/* One ciphertext, one tag, two keys: AES-GCM does not commit to its key. The tag is linear in each ciphertext block: so one block
 * is chosen that makes the two tags the same. */
static void c28_one_ciphertext_two_keys(void **state)
{
    static const uint8_t nonce[COF_GCM_NONCE] = {1}, keys[2][32] = {{1}, {2}};
    uint8_t sealed[64 + 16] = "the attacker's ciphertext, any bytes: these", opened[2][64];
    struct cof_gcm *gcm[2];
    struct block base[2], slope[2], one = {{0x80}}, choose, check;

    for (size_t i = 0; i < 2; i++) {
        struct block moved;

        assert_ok(cof_gcm_new(cof_view_of(keys[i], 32), &gcm[i]));
        (void)memset(sealed + 48, 0, 16);
        base[i] = tag_of(gcm[i], (struct cof_view){0}, cof_view_of(sealed, 64));
        (void)memcpy(sealed + 48, one.b, 16);
        moved = tag_of(gcm[i], (struct cof_view){0}, cof_view_of(sealed, 64));
        slope[i] = plus(base[i], moved); /* what the last block is multiplied by: H^2 */
    }
    /* base0 + x slope0 = base1 + x slope1 */
    choose = times(plus(base[0], base[1]), inverse(plus(slope[0], slope[1])));
    (void)memcpy(sealed + 48, choose.b, 16);
    check = tag_of(gcm[0], (struct cof_view){0}, cof_view_of(sealed, 64));
    (void)memcpy(sealed + 64, check.b, 16);
    for (size_t i = 0; i < 2; i++) {
        assert_ok(cof_gcm_open(gcm[i], nonce, (struct cof_view){0}, cof_view_of(sealed, 80), opened[i]));
        cof_gcm_free(gcm[i]);
    }
    assert_memory_not_equal(opened[0], opened[1], 64);
}

/* A message with two data keys in it, for two readers: the second one's key is not what the header commits to, and no plaintext
 * comes. Suites without commitment are refused unless allowed by name. */
static void c28_key_commitment(void **state)
{
    static const struct cof_secret second = {.bytes = {8}, .len = 32}, first_data = {.bytes = {1}, .len = 32},
                                   second_data = {.bytes = {2}, .len = 32};
    struct cof_raw_aes other = {COF_LIT("ns"), COF_LIT("two"), &second};
    struct cof_keyring first_ring = cof_keyring_of_raw_aes(&raw), second_ring = cof_keyring_of_raw_aes(&other);
    struct cof_esdk_edk edks[2] = {{.provider = COF_LIT("ns")}, {.provider = COF_LIT("ns")}};
    struct cof_esdk_materials m = {.suite = COF_ESDK_SUITE, .data_key = &first_data, .edks = edks, .n_edks = 2};
    struct cof_buf parts[4], message;
    struct cof_esdk_encrypt *e;
    size_t released;

    for (size_t i = 0; i < 4; i++)
        cof_buf_init(&parts[i], 1000);
    assert_ok(cof_raw_aes_wrap(&raw, NULL, 0, &first_data, &counting, &parts[0], &parts[1]));
    assert_ok(cof_raw_aes_wrap(&other, NULL, 0, &second_data, &counting, &parts[2], &parts[3]));
    for (size_t i = 0; i < 2; i++) {
        edks[i].info = cof_buf_view(&parts[2 * i]);
        edks[i].ciphertext = cof_buf_view(&parts[2 * i + 1]);
    }
    for (int legacy = 0; legacy < 2; legacy++) {
        m.suite = legacy ? 0x0178 : COF_ESDK_SUITE;
        m.policy = legacy ? COF_FORBID_ENCRYPT_ALLOW_DECRYPT : COF_REQUIRE_ENCRYPT_REQUIRE_DECRYPT;
        cof_buf_init(&message, 1 << 20);
        assert_ok(cof_esdk_encrypt_new(&m, &counting, &e));
        assert_ok(cof_esdk_encrypt_push(e, cof_view_of(plain, LENGTH), &message));
        assert_ok(cof_esdk_encrypt_finish(e, &message));
        cof_esdk_encrypt_free(e);
        assert_int_equal(open_as(&first_ring, cof_buf_view(&message), NULL, &released), legacy ? COF_E_DENIED : COF_OK);
        assert_int_equal(open_as(&second_ring, cof_buf_view(&message), NULL, &released), legacy ? COF_E_DENIED : COF_E_AUTH);
        assert_int_equal(released, 0);
        cof_buf_done(&message);
    }
    for (size_t i = 0; i < 4; i++)
        cof_buf_done(&parts[i]);
}

static void expect_refused(const uint8_t *bytes, size_t len, enum cof_err err, size_t released_max)
{
    struct cof_keyring ring = cof_keyring_of_raw_aes(&raw);
    size_t released;

    assert_int_equal(open_as(&ring, cof_view_of(bytes, len), NULL, &released), err);
    assert_true(released <= released_max);
}

static void c29_frame_attacks(void **state)
{
    static uint8_t m[8192];
    const size_t size = FRAME + 32, last = 40 + 500;
    struct cof_keyring ring = cof_keyring_of_raw_aes(&raw);
    struct cof_buf message;
    struct cof_esdk_header h;
    size_t header, len, at;

    seal(&ring, "1", FRAME, &message);
    header = header_length(cof_buf_view(&message), &h);
    len = message.len;
    assert_int_equal(len, header + 4 * size + last);
#define FRESH() (void)memcpy(m, message.data, len)
    FRESH(); /* reordered */
    (void)memcpy(m + header, message.data + header + size, size);
    (void)memcpy(m + header + size, message.data + header, size);
    expect_refused(m, len, COF_E_FORMAT, 0);
    FRESH(); /* the same with the numbers put right */
    (void)memcpy(m + header + 16, message.data + header + size + 16, size - 16);
    expect_refused(m, len, COF_E_AUTH, 0);
    FRESH(); /* dropped */
    (void)memmove(m + header + size, m + header + 2 * size, len - header - 2 * size);
    expect_refused(m, len - size, COF_E_FORMAT, FRAME);
    FRESH(); /* twice */
    (void)memmove(m + header + 2 * size, message.data + header + size, len - header - size);
    expect_refused(m, len + size, COF_E_FORMAT, 2 * FRAME);
    for (size_t n = 0; n <= 4; n++) /* cut at a frame's edge */
        expect_refused(message.data, header + n * size, COF_E_TRUNCATED, n * FRAME);
    FRESH(); /* two final frames */
    (void)memcpy(m + len, message.data + len - last, last);
    expect_refused(m, len + last, COF_E_FORMAT, LENGTH);
    FRESH(); /* a final frame longer than the frame length */
    at = header + 4 * size + 20;
    m[at + 2] = 4;
    expect_refused(m, len, COF_E_FORMAT, 4 * FRAME);
    FRESH(); /* or of 4 GiB less one */
    (void)memset(m + at, 0xff, 4);
    expect_refused(m, len, COF_E_FORMAT, 4 * FRAME);
    FRESH(); /* a regular frame with the final one's number */
    (void)memset(m + header, 0xff, 4);
    expect_refused(m, len, COF_E_FORMAT, 0);
    FRESH(); /* trailing bytes */
    m[len] = 0;
    expect_refused(m, len + 1, COF_E_FORMAT, LENGTH);
    at = (size_t)(h.tag.data - message.data) - 32 - 4; /* the frame length */
    FRESH();
    (void)memset(m + at, 0, 4);
    expect_refused(m, len, COF_E_FORMAT, 0);
    FRESH();
    (void)memset(m + at, 0xff, 4);
    expect_refused(m, len, COF_E_LIMIT, 0);
    FRESH(); /* another frame length, smaller: the header's tag says no */
    m[at + 3] ^= 1;
    expect_refused(m, len, COF_E_AUTH, 0);
    at = (size_t)(h.edks[0].provider.data - message.data) - 4; /* how many data keys */
    FRESH();
    (void)memset(m + at, 0xff, 2);
    expect_refused(m, len, COF_E_LIMIT, 0);
    FRESH();
    (void)memset(m + at, 0, 2);
    expect_refused(m, len, COF_E_FORMAT, 0);
    FRESH(); /* "object" and "tenant" are as long: one name twice */
    (void)memcpy(m + (h.pairs[1].name.data - message.data), "object", 6);
    expect_refused(m, len, COF_E_FORMAT, 0);
    cof_buf_done(&message);
}

/* The number of a frame is not allowed to run into the mark of the final one. */
static void c29_counter_overflow(void **state)
{
    struct cof_esdk_frame frame;
    uint8_t bytes[64] = {0xff, 0xff, 0xff, 0xfe};
    size_t size;

    bytes[12] = bytes[13] = bytes[14] = 0xff; /* its IV */
    bytes[15] = 0xfe;
    assert_ok(cof_esdk_frame_parse(cof_view_of(bytes, 64), 0xfffffffe, 10, &frame, &size));
    assert_int_equal(frame.part, COF_ESDK_FRAME);
    bytes[3] = 0xff;
    assert_int_equal(cof_esdk_frame_parse(cof_view_of(bytes, 64), 0xffffffff, 10, &frame, &size), COF_E_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c01_wrapped_key_substitution),
        cmocka_unit_test(c02_ciphertext_and_context_swapped),
        cmocka_unit_test(c03_ciphertext_relocation),
        cmocka_unit_test_setup_teardown(c04_parent_selected_key, world_setup, world_teardown),
        cmocka_unit_test(c28_one_ciphertext_two_keys),
        cmocka_unit_test(c28_key_commitment),
        cmocka_unit_test(c29_frame_attacks),
        cmocka_unit_test(c29_counter_overflow),
    };

    return cmocka_run_group_tests_name("attacks/message", tests, NULL, NULL);
}
