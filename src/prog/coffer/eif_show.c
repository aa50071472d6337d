/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer eif describe, verify and split: what is in an enclave image, is it the one expected, and its parts as files.
 */
#include "common.h"
#include "eif_view.h"
#include "expected.h"
#include "verbs.h"

#include "base/codec.h"
#include "base/date.h"
#include "format/json.h"
#include "io/clock.h"
#include "io/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct config {
    struct expected_options expected;
    const char *pcrs_file, *dir;
    bool json, need_signature;
};
#define O(field) offsetof(struct config, field)
static const struct cof_option describe_options[] = {
    {"json", 0, COF_OPT_FLAG, NULL, "as nitro-cli describe-eif prints it", O(json)},
};
static const struct cof_command describe_command = {
    .name = "eif describe",
    .args = "FILE",
    .summary = "Tells what is in an enclave image, and its measurements.",
    .options = describe_options,
    .n_options = sizeof describe_options / sizeof describe_options[0],
    .min_args = 1,
    .max_args = 1,
};
static const struct cof_option verify_options[] = {
    {"pcr", 0, COF_OPT_LIST, "N=HEX", "a measurement (0, 1, 2, 8) that the image must have; repeatable", O(expected.pcrs)},
    {"pcrs", 0, COF_OPT_TEXT, "FILE", "expected measurements as eif build and nitro-cli print them", O(pcrs_file)},
    MANIFEST_OPTIONS(struct config),
    {"signed", 0, COF_OPT_FLAG, NULL, "refuse an image that is not signed", O(need_signature)},
};
static const struct cof_command verify_command = {
    .name = "eif verify",
    .args = "FILE",
    .summary = "Verifies an enclave image: layout, CRC, signature, and the measurements that are expected.",
    .details = "Exit code 0: it is what it should be. 3: refused. A signature is judged wherever there is one.",
    .options = verify_options,
    .n_options = sizeof verify_options / sizeof verify_options[0],
    .min_args = 1,
    .max_args = 1,
};
static const struct cof_option split_options[] = {
    {"dir", 'd', COF_OPT_TEXT, "DIR", "where the parts go (made if need be)", O(dir)},
};
static const struct cof_command split_command = {
    .name = "eif split",
    .args = "FILE",
    .summary = "Writes the parts of an enclave image as files: kernel, cmdline, ramdisk-0 ..., metadata.json, signature.cbor.",
    .options = split_options,
    .n_options = sizeof split_options / sizeof split_options[0],
    .min_args = 1,
    .max_args = 1,
};

static const char *const signature_texts[] = {
    [COF_IMAGE_UNSIGNED] = "none", [COF_IMAGE_SIGNED] = "good", [COF_IMAGE_SIGNATURE_BAD] = "BAD"};

static enum cof_err open_image(const char *path, struct cof_buf *file, struct cof_image *image, struct cof_diag *diag)
{
    enum cof_err err = eif_read_file(path, file, diag);

    *image = (struct cof_image){0};
    return err != COF_OK ? err : cof_image_read(cof_buf_view(file), image, diag);
}

static void add_signer(struct cof_buf *out, const struct cof_x509_facts *signer)
{
    char from[COF_DATE_MAX], to[COF_DATE_MAX];

    cof_date_iso_seconds(signer->from_ms, from);
    cof_date_iso_seconds(signer->to_ms, to);
    cof_buf_add_str(out, ",\"SigningCertificate\":{");
    cof_json_add_member(out, "SubjectName", cof_view_str(signer->subject));
    cof_json_add_member(out, "IssuerName", cof_view_str(signer->issuer));
    cof_json_add_member(out, "NotBefore", cof_view_str(from));
    cof_json_add_member(out, "NotAfter", cof_view_str(to));
    cof_buf_add_str(out, "}");
}

/* The metadata section if it is JSON; nothing measures it, so it may hold anything. */
static void add_metadata(struct cof_buf *out, const struct cof_eif *eif)
{
    const struct cof_eif_section *section = cof_eif_find(eif, COF_EIF_METADATA, 0);
    json_t *metadata = NULL;
    char *text;

    if (section == NULL || cof_json_parse_object(section->data, COF_EIF_METADATA_MAX, &metadata, NULL) != COF_OK)
        return;
    text = json_dumps(metadata, JSON_COMPACT);
    cof_json_add_name(out, "Metadata");
    cof_buf_add_str(out, text == NULL ? "null" : text);
    free(text);
    json_decref(metadata);
}

static enum cof_err print_json(const struct cof_image *image)
{
    struct cof_buf out;
    enum cof_err err;

    cof_buf_init(&out, 262144);
    cof_buf_printf(&out, "{\"EifVersion\":%u,\"Architecture\":\"%s\",\"Measurements\":", image->eif.version,
        image->eif.arm64 ? "aarch64" : "x86_64");
    eif_add_measurements(&out, &image->pcrs);
    cof_buf_printf(&out, ",\"CheckCRC\":%s,\"IsSigned\":%s", image->crc_right ? "true" : "false",
        image->signature != COF_IMAGE_UNSIGNED ? "true" : "false");
    if (image->signature != COF_IMAGE_UNSIGNED)
        cof_buf_printf(&out, ",\"SignatureCheck\":%s", image->signature == COF_IMAGE_SIGNED ? "true" : "false");
    if (image->signer.key != NULL)
        add_signer(&out, &image->signer);
    cof_buf_add_str(&out, ",\"Sections\":[");
    for (size_t i = 0; i < image->eif.n_sections; i++) {
        const struct cof_eif_section *s = &image->eif.sections[i];

        cof_buf_printf(&out, "%s{\"Kind\":\"%s\",\"Offset\":%llu,\"Size\":%zu}", i == 0 ? "" : ",", cof_eif_kind_name(s->kind),
            (unsigned long long)s->offset, s->data.len);
    }
    cof_buf_add_str(&out, "]");
    add_metadata(&out, &image->eif);
    cof_buf_add_str(&out, "}");
    err = cof_buf_err(&out);
    if (err == COF_OK)
        (void)puts(cof_buf_cstr(&out));
    cof_buf_done(&out);
    return err;
}

static void print_pcr(const char *name, const uint8_t *pcr)
{
    char hex[2 * COF_PCR_SIZE + 1];

    cof_hex_encode(pcr, COF_PCR_SIZE, hex);
    (void)printf("%-11s %s\n", name, hex);
}

static void print_measurements(const struct cof_image *image)
{
    print_pcr("PCR0", image->pcrs.pcr0);
    print_pcr("PCR1", image->pcrs.pcr1);
    print_pcr("PCR2", image->pcrs.pcr2);
    if (image->certificate.len > 0)
        print_pcr("PCR8", image->pcrs.pcr8);
}

/* A section that is text, without what a terminal would take as commands. */
static void print_text(const char *label, struct cof_view text)
{
    struct cof_buf out;

    cof_buf_init(&out, 8 * COF_EIF_METADATA_MAX);
    cof_json_escape(&out, text);
    (void)printf("%-11s %s\n", label, cof_buf_cstr(&out));
    cof_buf_done(&out);
}

static void print_words(const struct cof_image *image)
{
    const struct cof_eif_section *cmdline = cof_eif_find(&image->eif, COF_EIF_CMDLINE, 0);

    (void)printf("image       EIF version %u, %s\n", image->eif.version, image->eif.arm64 ? "aarch64" : "x86_64");
    print_measurements(image);
    (void)printf("CRC         %s\nsignature   %s%s%s\n", image->crc_right ? "right" : "WRONG", signature_texts[image->signature],
        image->signer.key != NULL ? ", by " : "", image->signer.subject);
    for (size_t i = 0; i < image->eif.n_sections; i++)
        (void)printf("  %-9s %zu bytes at %llu\n", cof_eif_kind_name(image->eif.sections[i].kind), image->eif.sections[i].data.len,
            (unsigned long long)image->eif.sections[i].offset);
    print_text("cmdline", cmdline->data);
}

static enum cof_err describe(const void *options, char **args, struct cof_diag *diag)
{
    const struct config *config = options;
    struct cof_image image;
    struct cof_buf file;
    enum cof_err err = open_image(args[0], &file, &image, diag);

    if (err == COF_OK && config->json)
        err = print_json(&image);
    else if (err == COF_OK)
        print_words(&image);
    cof_image_done(&image);
    cof_buf_done(&file);
    return err;
}

/* {"Measurements":{"PCR0":...}} or the inner object alone: what is named there must hold. */
static enum cof_err expect_file(const char *path, const struct cof_image *image, bool *any, struct cof_diag *diag)
{
    static const char *const names[] = {"PCR0", "PCR1", "PCR2", "PCR8"};
    const uint8_t *const values[] = {image->pcrs.pcr0, image->pcrs.pcr1, image->pcrs.pcr2, image->pcrs.pcr8};
    struct cof_buf text;
    json_t *json = NULL;
    const json_t *object;
    enum cof_err err;

    cof_buf_init(&text, 65536);
    err = cof_file_read(path, &text, diag);
    if (err == COF_OK)
        err = cof_json_parse_object(cof_buf_view(&text), 65536, &json, diag);
    object = json_object_get(json, "Measurements");
    if (!json_is_object(object))
        object = json;
    for (size_t i = 0; err == COF_OK && i < 4; i++) {
        uint8_t pcr[COF_PCR_SIZE];
        struct cof_view hex;

        if (json_object_get(object, names[i]) == NULL)
            continue;
        err = cof_json_text(object, names[i], &hex, diag);
        if (err == COF_OK && cof_hex_decode_fixed(hex, pcr, sizeof pcr) != COF_OK)
            err = cof_diag_set(diag, COF_E_CONFIG, "%s: %s is not 96 hex digits", path, names[i]);
        else if (err == COF_OK && memcmp(pcr, values[i], sizeof pcr) != 0)
            err = cof_diag_set(diag, COF_E_AUTH, "%s of the image is not the expected one", names[i]);
        *any = true;
    }
    if (err == COF_OK && !*any)
        err = cof_diag_set(diag, COF_E_CONFIG, "%s: names no PCR", path);
    json_decref(json);
    cof_buf_done(&text);
    return err;
}

static enum cof_err expect_pcrs(const struct expected *expected, const struct cof_image *image, struct cof_diag *diag)
{
    for (size_t i = 0; i < expected->n; i++) {
        unsigned n = expected->pcrs[i].index;
        const uint8_t *pcr = n == 0 ? image->pcrs.pcr0 : n == 1 ? image->pcrs.pcr1 : n == 2 ? image->pcrs.pcr2
            : n == 8 ? image->pcrs.pcr8 : NULL;

        if (pcr == NULL && i >= expected->n_given)
            continue; /* a manifest may tell of more than an image can show */
        if (pcr == NULL)
            return cof_diag_set(diag, COF_E_USAGE, "PCR%u is no measurement of an image: 0, 1, 2 and 8 are", n);
        if (memcmp(pcr, expected->pcrs[i].value.data, COF_PCR_SIZE) != 0)
            return cof_diag_set(diag, COF_E_AUTH, "PCR%u of the image is not the expected one", n);
    }
    return COF_OK;
}

enum cof_err eif_judge(const struct cof_image *image, bool need_signature, struct cof_diag *diag)
{
    int64_t now_ms = cof_clock_wall_ms();

    if (!image->crc_right)
        return cof_diag_set(diag, COF_E_AUTH, "the image's CRC is wrong: it was damaged");
    if (image->signature == COF_IMAGE_SIGNATURE_BAD)
        return cof_diag_set(diag, COF_E_AUTH, "the image's signature does not hold");
    if (need_signature && image->signature != COF_IMAGE_SIGNED)
        return cof_diag_set(diag, COF_E_AUTH, "the image is not signed");
    if (image->signature == COF_IMAGE_SIGNED && (now_ms < image->signer.from_ms || now_ms > image->signer.to_ms))
        return cof_diag_set(diag, COF_E_AUTH, "the signing certificate is not valid today");
    return COF_OK;
}

static enum cof_err verify(const void *options, char **args, struct cof_diag *diag)
{
    const struct config *config = options;
    struct expected expected;
    struct cof_image image;
    struct cof_buf file;
    bool any = config->expected.pcrs.n > 0 || config->expected.manifest != NULL;
    enum cof_err err = open_image(args[0], &file, &image, diag), parsed;

    if (cof_err_class(err) == COF_CLASS_FORMAT || cof_err_class(err) == COF_CLASS_LIMIT)
        err = COF_E_AUTH; /* an image that cannot be one is refused, as every other that is not right */
    parsed = expected_open(&config->expected, &expected, err == COF_OK ? diag : NULL);
    if (err == COF_OK)
        err = parsed;
    if (err == COF_OK)
        err = eif_judge(&image, config->need_signature, diag);
    if (err == COF_OK)
        err = expect_pcrs(&expected, &image, diag);
    if (err == COF_OK) {
        expected.policy.mode = COF_ATTEST_LIVE; /* an image is judged now */
        err = expected_judge(&expected, cof_clock_wall_ms(), NULL, diag);
    }
    if (err == COF_OK && config->pcrs_file != NULL)
        err = expect_file(config->pcrs_file, &image, &any, diag);
    if (err == COF_OK) {
        (void)printf("verified: layout and CRC are right%s%s%s\n", any ? ", the measurements are the expected ones" : "",
            image.signature == COF_IMAGE_SIGNED ? ", signed by " : "", image.signer.subject);
        print_measurements(&image);
        if (!any)
            (void)printf("note: neither --expect nor --pcr was given, so any sound image passes\n");
    }
    expected_done(&expected);
    cof_image_done(&image);
    cof_buf_done(&file);
    return err;
}

static enum cof_err write_part(const char *dir, const char *name, size_t number, struct cof_view data, struct cof_diag *diag)
{
    char path[4096];
    int n = number == SIZE_MAX ? snprintf(path, sizeof path, "%s/%s", dir, name)
                               : snprintf(path, sizeof path, "%s/%s-%zu", dir, name, number);

    if (n < 0 || (size_t)n >= sizeof path)
        return cof_diag_set(diag, COF_E_USAGE, "%s: the path is too long", dir);
    return cof_file_write(path, data, 0644, diag);
}

static enum cof_err split(const void *options, char **args, struct cof_diag *diag)
{
    static const char *const names[] = {[COF_EIF_KERNEL] = "kernel", [COF_EIF_CMDLINE] = "cmdline", [COF_EIF_RAMDISK] = "ramdisk",
        [COF_EIF_SIGNATURE] = "signature.cbor", [COF_EIF_METADATA] = "metadata.json"};
    const struct config *config = options;
    struct cof_image image = {0};
    struct cof_buf file = {0};
    size_t n_ramdisks = 0;
    enum cof_err err = COF_OK;

    if (config->dir == NULL)
        return cof_diag_set(diag, COF_E_USAGE, "--dir is needed");
    err = open_image(args[0], &file, &image, diag);
    if (err == COF_OK && !image.crc_right)
        err = cof_diag_set(diag, COF_E_AUTH, "the image's CRC is wrong: it was damaged");
    if (err == COF_OK && mkdir(config->dir, 0755) != 0 && errno != EEXIST)
        err = cof_diag_set(diag, cof_err_from_errno(errno), "cannot make %s: %s", config->dir, strerror(errno));
    for (size_t i = 0; err == COF_OK && i < image.eif.n_sections; i++) {
        const struct cof_eif_section *s = &image.eif.sections[i];

        err = write_part(config->dir, names[s->kind], s->kind == COF_EIF_RAMDISK ? n_ramdisks++ : SIZE_MAX, s->data, diag);
    }
    cof_image_done(&image);
    cof_buf_done(&file);
    return err;
}

static int run_describe(int argc, char **argv)
{
    struct config config = {0};

    return verb_run("coffer eif describe", &describe_command, &config, describe, argc, argv);
}

static int run_verify(int argc, char **argv)
{
    struct config config = {0};

    return verb_run("coffer eif verify", &verify_command, &config, verify, argc, argv);
}

static int run_split(int argc, char **argv)
{
    struct config config = {0};

    return verb_run("coffer eif split", &split_command, &config, split, argc, argv);
}

const struct verb verb_eif_describe = {"eif describe", &describe_command, run_describe};
const struct verb verb_eif_verify = {"eif verify", &verify_command, run_verify};
const struct verb verb_eif_split = {"eif split", &split_command, run_split};
