/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: what is written is read back, and each field that could say one thing to a hypervisor and another to a reader
 * is refused. C-15
 */
#include "testing.h"

#include "format/eif.h"

static void build(struct cof_eif *eif, struct cof_buf *file)
{
    uint8_t head[COF_EIF_HEAD], section[COF_EIF_SECTION_HEAD];

    *eif = (struct cof_eif){.version = COF_EIF_VERSION, .default_mem_bytes = 1 << 30, .default_cpus = 2};
    assert_ok(cof_eif_add(eif, COF_EIF_KERNEL, COF_LIT("kernel")));
    assert_ok(cof_eif_add(eif, COF_EIF_CMDLINE, COF_LIT("console=ttyS0")));
    assert_ok(cof_eif_add(eif, COF_EIF_METADATA, COF_LIT("{}")));
    assert_ok(cof_eif_add(eif, COF_EIF_RAMDISK, COF_LIT("first")));
    assert_ok(cof_eif_add(eif, COF_EIF_RAMDISK, COF_LIT("second")));
    assert_ok(cof_eif_add(eif, COF_EIF_SIGNATURE, COF_LIT("sig")));
    cof_buf_init(file, 65536);
    cof_eif_head(eif, 0x01020304, head);
    cof_buf_add_bytes(file, head, sizeof head);
    for (size_t i = 0; i < eif->n_sections; i++) {
        cof_eif_section_head(&eif->sections[i], section);
        cof_buf_add_bytes(file, section, sizeof section);
        cof_buf_add(file, eif->sections[i].data);
    }
}

static void what_is_written_is_read_back(void **state)
{
    struct cof_eif made, read;
    struct cof_buf file;

    build(&made, &file);
    assert_ok(cof_eif_parse(cof_buf_view(&file), &read, NULL));
    assert_int_equal(read.version, 4);
    assert_false(read.arm64);
    assert_int_equal(read.crc, 0x01020304);
    assert_int_equal(read.default_mem_bytes, 1 << 30);
    assert_int_equal(read.default_cpus, 2);
    assert_int_equal(read.n_sections, made.n_sections);
    for (size_t i = 0; i < read.n_sections; i++) {
        assert_int_equal(read.sections[i].kind, made.sections[i].kind);
        assert_int_equal(read.sections[i].offset, made.sections[i].offset);
        assert_true(cof_view_eq(read.sections[i].data, made.sections[i].data));
    }
    assert_true(cof_view_eq_str(cof_eif_find(&read, COF_EIF_RAMDISK, 1)->data, "second"));
    assert_null(cof_eif_find(&read, COF_EIF_RAMDISK, 2));
    /* spec: the first section's header stands at 548 */
    assert_int_equal(read.sections[0].offset, 548);
    cof_buf_done(&file);
}

static void every_cut_and_every_addition_is_refused(void **state)
{
    struct cof_eif eif;
    struct cof_buf file;

    build(&eif, &file);
    for (size_t cut = 0; cut < file.len; cut++)
        assert_int_not_equal(cof_eif_parse(cof_view_sub(cof_buf_view(&file), 0, cut), &eif, NULL), COF_OK);
    cof_buf_add_u8(&file, 0);
    assert_int_equal(cof_eif_parse(cof_buf_view(&file), &eif, NULL), COF_E_FORMAT);
    assert_int_equal(eif.n_sections, 0);
    cof_buf_done(&file);
}

static void no_field_of_the_header_is_free(void **state)
{
    /* where, and a value that is no good there */
    static const struct { size_t at; uint8_t value; enum cof_err err; } cases[] = {
        {0, 'e', COF_E_FORMAT},        /* magic */
        {5, 5, COF_E_UNSUPPORTED},     /* version */
        {5, 2, COF_E_UNSUPPORTED},
        {7, 2, COF_E_FORMAT},          /* a flag nobody knows */
        {25, 1, COF_E_FORMAT},         /* reserved */
        {27, 5, COF_E_FORMAT},         /* fewer sections than the table */
        {27, 7, COF_E_TRUNCATED},      /* more */
        {27, 33, COF_E_FORMAT},
        {27, 2, COF_E_FORMAT},
        {28 + 7, 1, COF_E_FORMAT},     /* the first offset */
        {284 + 7, 5, COF_E_FORMAT},    /* the first size */
        {28 + 8 * 31, 1, COF_E_FORMAT}, /* entries after the last */
        {284 + 8 * 31, 1, COF_E_FORMAT},
        {540, 1, COF_E_FORMAT},        /* reserved */
        {548 + 1, 2, COF_E_FORMAT},    /* the kernel's kind: a command line */
        {548 + 1, 6, COF_E_FORMAT},    /* unknown */
        {548 + 3, 1, COF_E_FORMAT},    /* its flags */
        {548 + 4, 0xff, COF_E_FORMAT}, /* its size, not the table's */
    };
    struct cof_eif eif;
    struct cof_buf file;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        build(&eif, &file);
        file.data[cases[i].at] = cases[i].value;
        assert_int_equal(cof_eif_parse(cof_buf_view(&file), &eif, NULL), cases[i].err);
        cof_buf_done(&file);
    }
}

static void sections_have_their_places(void **state)
{
    static const uint8_t big[COF_EIF_CMDLINE_MAX + 1] = {0};
    struct cof_eif eif = {.version = COF_EIF_VERSION};

    assert_int_equal(cof_eif_add(&eif, COF_EIF_RAMDISK, COF_LIT("r")), COF_E_USAGE);
    assert_ok(cof_eif_add(&eif, COF_EIF_KERNEL, COF_LIT("k")));
    assert_int_equal(cof_eif_add(&eif, COF_EIF_KERNEL, COF_LIT("k")), COF_E_USAGE);
    assert_int_equal(cof_eif_add(&eif, COF_EIF_METADATA, COF_LIT("{}")), COF_E_USAGE);
    assert_int_equal(cof_eif_add(&eif, COF_EIF_CMDLINE, cof_view_of(big, sizeof big)), COF_E_LIMIT);
    assert_ok(cof_eif_add(&eif, COF_EIF_CMDLINE, COF_LIT("")));
    assert_ok(cof_eif_add(&eif, COF_EIF_METADATA, COF_LIT("{}")));
    assert_int_equal(cof_eif_add(&eif, COF_EIF_METADATA, COF_LIT("{}")), COF_E_USAGE);
    while (eif.n_sections < COF_EIF_SECTIONS_MAX)
        assert_ok(cof_eif_add(&eif, COF_EIF_RAMDISK, COF_LIT("r")));
    assert_int_equal(cof_eif_add(&eif, COF_EIF_RAMDISK, COF_LIT("r")), COF_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(every_cut_and_every_addition_is_refused),
        cmocka_unit_test(no_field_of_the_header_is_free),
        cmocka_unit_test(sections_have_their_places),
    };
    return cmocka_run_group_tests_name("unit/format/eif", tests, NULL, NULL);
}
