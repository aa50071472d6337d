/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: an image read back has the measurements of its parts; its signature holds for this image and its own key alone;
 * a flipped bit anywhere is seen by the CRC, or refused before.
 */
#include "testing.h"

#include "crypto/x509.h"
#include "engine/image.h"
#include "format/cbor.h"
#include "format/pem.h"
#include "io/rng_os.h"

struct signer {
    struct cof_ecdsa_key *key;
    struct cof_buf pem, der;
};

static void signer_init(struct signer *s)
{
    struct cof_x509_name name = {"image signer", "Coffer", NULL};

    cof_buf_init(&s->der, 4096);
    cof_buf_init(&s->pem, 4096);
    assert_ok(cof_ecdsa_generate(COF_P384, &cof_rng_os, &s->key));
    assert_ok(cof_x509_make(&(struct cof_x509_make){name, name, s->key, s->key, COF_LIT("\x01"), 1000000000000, 2000000000000, false, COF_X509_NO_PATH_LEN}, &s->der));
    cof_pem_add_certificate(&s->pem, cof_buf_view(&s->der));
    cof_buf_truncate(&s->pem, s->pem.len - 1); /* the line's end behind the armour, which means nothing */
}

static void signer_done(struct signer *s)
{
    cof_ecdsa_free(s->key);
    cof_buf_done(&s->der);
    cof_buf_done(&s->pem);
}

static void sections(struct cof_eif *eif, const char *ramdisk)
{
    *eif = (struct cof_eif){.version = COF_EIF_VERSION, .default_mem_bytes = 1 << 30, .default_cpus = 2};
    assert_ok(cof_eif_add(eif, COF_EIF_KERNEL, COF_LIT("kernel")));
    assert_ok(cof_eif_add(eif, COF_EIF_CMDLINE, COF_LIT("console=ttyS0")));
    assert_ok(cof_eif_add(eif, COF_EIF_METADATA, COF_LIT("{}")));
    assert_ok(cof_eif_add(eif, COF_EIF_RAMDISK, COF_LIT("first")));
    assert_ok(cof_eif_add(eif, COF_EIF_RAMDISK, cof_view_str(ramdisk)));
}

static void write_file(const struct cof_eif *eif, struct cof_buf *file)
{
    uint8_t head[COF_EIF_HEAD], section[COF_EIF_SECTION_HEAD];
    uint32_t crc;

    cof_buf_init(file, 1 << 20);
    assert_ok(cof_image_crc(eif, &crc));
    cof_eif_head(eif, crc, head);
    cof_buf_add_bytes(file, head, sizeof head);
    for (size_t i = 0; i < eif->n_sections; i++) {
        cof_eif_section_head(&eif->sections[i], section);
        cof_buf_add_bytes(file, section, sizeof section);
        cof_buf_add(file, eif->sections[i].data);
    }
}

static void an_image_is_what_it_was_made_of(void **state)
{
    struct cof_image_pcrs pcrs;
    struct cof_image image;
    struct cof_eif eif;
    struct cof_buf file;

    sections(&eif, "second");
    assert_ok(cof_image_measure(&eif, COF_LIT(""), &pcrs));
    write_file(&eif, &file);
    assert_ok(cof_image_read(cof_buf_view(&file), &image, NULL));
    assert_true(image.crc_right);
    assert_int_equal(image.signature, COF_IMAGE_UNSIGNED);
    assert_memory_equal(&image.pcrs, &pcrs, sizeof pcrs);
    cof_image_done(&image);
    for (size_t bit = 0; bit < 8 * file.len; bit++) {
        file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (cof_image_read(cof_buf_view(&file), &image, NULL) == COF_OK)
            assert_false(image.crc_right);
        cof_image_done(&image);
        file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    cof_buf_done(&file);
}

/* Reads the image of these sections with this signature section. */
static void read_signed(const char *ramdisk, struct cof_view section, struct cof_buf *file, struct cof_image *image)
{
    struct cof_eif eif;

    sections(&eif, ramdisk);
    assert_ok(cof_eif_add(&eif, COF_EIF_SIGNATURE, section));
    write_file(&eif, file);
    assert_ok(cof_image_read(cof_buf_view(file), image, NULL));
    assert_true(image->crc_right);
}

static void a_signature_is_over_this_image(void **state)
{
    static const uint8_t zeros[COF_PCR_SIZE] = {0};
    struct cof_image_pcrs pcrs, with_certificate;
    struct signer ours, other;
    struct cof_image image;
    struct cof_eif eif;
    struct cof_buf file, section;

    signer_init(&ours);
    signer_init(&other);
    cof_buf_init(&section, COF_EIF_SIGNATURE_MAX);
    sections(&eif, "second");
    assert_ok(cof_image_measure(&eif, COF_LIT(""), &pcrs));
    assert_ok(cof_image_sign(pcrs.pcr0, ours.key, cof_buf_view(&ours.pem), &section, NULL));
    read_signed("second", cof_buf_view(&section), &file, &image);
    assert_int_equal(image.signature, COF_IMAGE_SIGNED);
    assert_ok(cof_image_measure(&eif, cof_buf_view(&ours.der), &with_certificate));
    assert_memory_equal(&image.pcrs, &with_certificate, sizeof with_certificate);
    assert_memory_not_equal(image.pcrs.pcr8, zeros, sizeof zeros);
    assert_non_null(strstr(image.signer.subject, "image signer"));
    cof_image_done(&image);
    cof_buf_done(&file);

    /* another image under the same signature */
    read_signed("evil", cof_buf_view(&section), &file, &image);
    assert_int_equal(image.signature, COF_IMAGE_SIGNATURE_BAD);
    cof_image_done(&image);
    cof_buf_done(&file);

    /* bytes of the section altered: bad, or (within the certificate, which nobody here vouches for) another PCR8 */
    for (size_t i = 0; i < section.len; i += 7) {
        section.data[i] ^= 1;
        read_signed("second", cof_buf_view(&section), &file, &image);
        if (image.signature == COF_IMAGE_SIGNED)
            assert_memory_not_equal(image.pcrs.pcr8, with_certificate.pcr8, COF_PCR_SIZE);
        cof_image_done(&image);
        cof_buf_done(&file);
        section.data[i] ^= 1;
    }

    /* somebody else's certificate is not put beside the signature */
    cof_buf_reset(&section);
    assert_int_equal(cof_image_sign(pcrs.pcr0, ours.key, cof_buf_view(&other.pem), &section, NULL), COF_E_CONFIG);
    cof_buf_done(&section);
    signer_done(&ours);
    signer_done(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_is_what_it_was_made_of),
        cmocka_unit_test(a_signature_is_over_this_image),
    };
    return cmocka_run_group_tests_name("unit/engine/image", tests, NULL, NULL);
}
