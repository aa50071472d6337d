/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: sizes are classes, as few and as near as they are said to be; what was padded comes back; any other padding is refused,
 * and any other name of one. C-24
 */
#include "testing.h"

#include "engine/pad.h"

static struct cof_pad of(const char *name)
{
    struct cof_pad pad;

    assert_ok(cof_pad_parse(cof_view_str(name), &pad));
    return pad;
}

static void steps(void **state)
{
    struct cof_pad pad = of("step-1000");

    (void)state;
    for (uint64_t n = 0; n < 5000; n++)
        assert_int_equal(cof_pad_size(&pad, n), (n / 1000 + 1) * 1000); /* the mark needs one */
}

/* Sizes from the definition (PETS 2019, algorithm 1), worked by hand; then the bounds that it is chosen for. */
static void c24_padme_sizes(void **state)
{
    static const struct {
        uint64_t len, padded;
    } known[] = {{17, 18}, {18, 18}, {33, 36}, {65, 72}, {129, 144}, {257, 272}, {1025, 1088}, {65537, 67584}, {1048577, 1081344}};
    struct cof_pad pad = of("padme-16");
    uint64_t before = 0, classes = 0;

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_int_equal(cof_pad_size(&pad, known[i].len - 1), known[i].padded);
    for (uint64_t n = 0; n < 15; n++)
        assert_int_equal(cof_pad_size(&pad, n), 16);
    for (uint64_t len = 17; len < (1 << 20); len++) {
        uint64_t size = cof_pad_size(&pad, len - 1);

        assert_true(size >= len && size >= before && (size - len) * 100 < 12 * len);
        assert_int_equal(cof_pad_size(&pad, size - 1), size); /* a class is its own size */
        classes += size != before;
        before = size;
    }
    assert_int_equal(classes, 4 * 8 + 8 * 16 + 4 * 32); /* 8, 16, 32 in each doubling from 16, 256, 65536 */
    assert_int_equal(cof_pad_size(&pad, ((uint64_t)1 << 61) - 1), (uint64_t)1 << 61);
    pad = of("padme-4096");
    assert_int_equal(cof_pad_size(&pad, 0), 4096);
    assert_int_equal(cof_pad_size(&pad, 4095), 4096);
    assert_int_equal(cof_pad_size(&pad, 4096), 4352);
}

static void add(struct cof_buf *out, const struct cof_pad *pad, struct cof_view content, size_t room)
{
    uint8_t piece[4096];
    uint64_t at = 0;

    cof_buf_reset(out);
    cof_buf_add(out, content);
    for (size_t n = 1; n > 0; at += n) {
        n = cof_pad_piece(pad, content.len, at, piece, room);
        cof_buf_add_bytes(out, piece, n);
    }
    assert_int_equal(out->len, cof_pad_size(pad, content.len));
}

/* Whatever the content ends in; in pieces of any size. */
static void what_was_padded_comes_back(void **state)
{
    static const char *const names[] = {"step-16", "step-100", "padme-16", "padme-64", "padme-4096"};
    uint8_t content[600];
    struct cof_buf padded;

    (void)state;
    cof_buf_init(&padded, 8192);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct cof_pad pad = of(names[i]);

        for (size_t n = 0; n < sizeof content; n++) {
            struct cof_view back;

            memset(content, n % 3 == 0 ? 0 : n % 3 == 1 ? 0x80 : 'x', sizeof content);
            add(&padded, &pad, cof_view_of(content, n), n % 7 + 1);
            assert_ok(cof_pad_strip(&pad, cof_buf_view(&padded), &back));
            assert_true(cof_view_eq(back, cof_view_of(content, n)));
        }
    }
    cof_buf_done(&padded);
}

static void refused(const struct cof_pad *pad, struct cof_view padded)
{
    struct cof_view content = COF_LIT("x");

    assert_int_equal(cof_pad_strip(pad, padded, &content), COF_E_FORMAT);
    assert_int_equal(content.len, 0);
}

/* Cut or grown by any number of bytes, with any byte of the padding another, or the marks of another scheme. */
static void c24_only_the_one_padding_is_read(void **state)
{
    struct cof_pad pad = of("padme-64"), step = of("step-64"), wider = of("step-128");
    uint8_t content[70], grown[256] = {0};
    struct cof_buf padded;
    struct cof_view back;

    (void)state;
    cof_buf_init(&padded, 8192);
    memset(content, 'x', sizeof content);
    add(&padded, &pad, cof_view_of(content, sizeof content), 64);
    assert_int_equal(padded.len, 72);
    for (size_t n = 0; n < padded.len; n++)
        refused(&pad, cof_view_of(padded.data, n));
    memcpy(grown, padded.data, padded.len);
    for (size_t n = padded.len + 1; n < sizeof grown; n++)
        refused(&pad, cof_view_of(grown, n));
    for (size_t i = sizeof content; i < padded.len; i++) {
        uint8_t was = padded.data[i];

        for (unsigned v = 0; v < 256; v++) {
            padded.data[i] = (uint8_t)v;
            if (v == was)
                continue;
            if (v == 0x80) { /* a mark that moved: another content, rightly padded to the same class */
                assert_ok(cof_pad_strip(&pad, cof_buf_view(&padded), &back));
                assert_int_equal(back.len, i);
            } else {
                refused(&pad, cof_buf_view(&padded));
            }
        }
        padded.data[i] = was;
    }
    memset(padded.data + 20, 0, padded.len - 20);
    padded.data[20] = 0x80; /* a class too large for so little */
    refused(&pad, cof_buf_view(&padded));
    add(&padded, &step, cof_view_of(content, sizeof content), 64);
    refused(&pad, cof_buf_view(&padded));
    assert_ok(cof_pad_strip(&wider, cof_buf_view(&padded), &back)); /* 128 is a class of both */
    refused(&step, COF_LIT(""));
    memset(grown, 0, sizeof grown);
    refused(&step, cof_view_of(grown, 64)); /* no mark at all */
    cof_buf_done(&padded);
}

static void names_are_strict(void **state)
{
    static const char *const bad[] = {"", "none", "padme", "padme-", "padme-15", "padme-67108865", "padme-04096", "padme-+4096", "padme-4096 ", " padme-4096",
                                      "padme-4096x", "PADME-4096", "step-", "step-0", "step--64", "step-64.0", "step-18446744073709551680", "zero-64", "step-0x40"};
    char name[COF_PAD_NAME_MAX];
    struct cof_pad pad;
    struct cof_view content;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(cof_pad_parse(cof_view_str(bad[i]), &pad), COF_E_FORMAT);
        assert_int_equal(pad.scheme, COF_PAD_NONE);
    }
    assert_int_equal(cof_pad_parse(cof_view_of("step-64\0", 8), &pad), COF_E_FORMAT);
    pad = of("step-67108864");
    cof_pad_name(&pad, name);
    assert_string_equal(name, "step-67108864");
    pad = of("padme-4096");
    cof_pad_name(&pad, name);
    assert_string_equal(name, "padme-4096");
    pad = (struct cof_pad){0};
    cof_pad_name(&pad, name);
    assert_string_equal(name, "");
    assert_int_equal(cof_pad_size(&pad, 5), 5);
    assert_ok(cof_pad_strip(&pad, COF_LIT("as it is\x80"), &content)); /* what was never padded */
    assert_int_equal(content.len, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps),
        cmocka_unit_test(c24_padme_sizes),
        cmocka_unit_test(what_was_padded_comes_back),
        cmocka_unit_test(c24_only_the_one_padding_is_read),
        cmocka_unit_test(names_are_strict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
