/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer eif build: an enclave image from kernel, command line and ramdisks. The same inputs give the same bytes.
 */
#include "common.h"
#include "eif_view.h"
#include "verbs.h"

#include "base/codec.h"
#include "base/date.h"
#include "base/num.h"
#include "format/json.h"
#include "format/pem.h"
#include "io/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROG "coffer eif build"
#define DEFAULT_MEM_BYTES ((uint64_t)1 << 30) /* as AWS's builder states; whoever starts the enclave decides */
#define DEFAULT_CPUS 2

struct config {
    const char *kernel, *cmdline, *cmdline_file, *output, *pcrs, *arch, *sign_key, *sign_certificate;
    const char *metadata, *name, *version, *os, *kernel_version, *build_time;
    struct cof_text_list ramdisks;
    uint64_t mem_bytes, cpus;
};
#define O(field) offsetof(struct config, field)
static const struct cof_option options[] = {
    {"output", 'o', COF_OPT_TEXT, "FILE", "where the image goes", O(output)},
    {"kernel", 'k', COF_OPT_TEXT, "FILE", "the kernel (bzImage, or Image of arm64)", O(kernel)},
    {"cmdline", 'c', COF_OPT_TEXT, "TEXT", "the kernel's command line", O(cmdline)},
    {"cmdline-file", 0, COF_OPT_TEXT, "FILE", "the same from a file; one newline at its end is left out", O(cmdline_file)},
    {"ramdisk", 'r', COF_OPT_LIST, "FILE", "an initial ramdisk; repeatable. The first is the system (PCR1), the others the application (PCR2)",
     O(ramdisks)},
    {"arch", 0, COF_OPT_TEXT, "NAME", "x86_64 (default) or aarch64", O(arch)},
    {"sign-key", 0, COF_OPT_TEXT, "FILE", "private key on P-256 or P-384, PEM: signs PCR0", O(sign_key)},
    {"sign-certificate", 0, COF_OPT_TEXT, "FILE", "its certificate, PEM: becomes PCR8", O(sign_certificate)},
    {"name", 0, COF_OPT_TEXT, "TEXT", "ImageName of the metadata (default: the output's name)", O(name)},
    {"image-version", 0, COF_OPT_TEXT, "TEXT", "ImageVersion (default 1.0)", O(version)},
    {"os", 0, COF_OPT_TEXT, "TEXT", "OperatingSystem (default Linux)", O(os)},
    {"kernel-version", 0, COF_OPT_TEXT, "TEXT", "KernelVersion (default unknown)", O(kernel_version)},
    {"build-time", 0, COF_OPT_TEXT, "ISO", "BuildTime (default: $SOURCE_DATE_EPOCH, else 1970-01-01T00:00:00Z)", O(build_time)},
    {"metadata", 0, COF_OPT_TEXT, "FILE", "the metadata section as JSON, in place of the five above", O(metadata)},
    {"memory", 0, COF_OPT_SIZE, "BYTES", "default memory stated in the header (1G)", O(mem_bytes)},
    {"cpus", 0, COF_OPT_NUMBER, "N", "default CPUs stated in the header (2)", O(cpus)},
    {"pcrs", 0, COF_OPT_TEXT, "FILE", "write the measurements there too", O(pcrs)},
};
static const struct cof_command command = {
    .name = "eif build",
    .args = "",
    .summary = "Builds an enclave image (EIF version 4) and prints its measurements as nitro-cli does.",
    .details = "The same inputs give the same bytes: no clock and no environment but SOURCE_DATE_EPOCH is looked at. An image that is\n"
               "signed differs from build to build, as ECDSA signatures do; its PCRs do not. Metadata is not measured.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 0,
    .max_args = 0,
};

enum cof_err eif_read_file(const char *path, struct cof_buf *out, struct cof_diag *diag)
{
    cof_buf_init(out, EIF_FILE_MAX);
    return cof_file_read(path, out, diag);
}

static void add_pcr(struct cof_buf *out, const char *name, const uint8_t *pcr)
{
    cof_json_add_name(out, name);
    cof_buf_add_u8(out, '"');
    cof_hex_add(out, cof_view_of(pcr, COF_PCR_SIZE));
    cof_buf_add_u8(out, '"');
}

void eif_add_measurements(struct cof_buf *out, const struct cof_image_pcrs *pcrs)
{
    static const uint8_t zeros[COF_PCR_SIZE] = {0};

    cof_buf_add_str(out, "{\"HashAlgorithm\":\"Sha384 { ... }\"");
    add_pcr(out, "PCR0", pcrs->pcr0);
    add_pcr(out, "PCR1", pcrs->pcr1);
    add_pcr(out, "PCR2", pcrs->pcr2);
    if (memcmp(pcrs->pcr8, zeros, sizeof zeros) != 0)
        add_pcr(out, "PCR8", pcrs->pcr8);
    cof_buf_add_u8(out, '}');
}

/* Everything the image is made of, to be freed together. */
struct parts {
    struct cof_buf kernel, cmdline, metadata, ramdisks[COF_EIF_SECTIONS_MAX], signature;
    size_t n_ramdisks;
};

static void parts_done(struct parts *p)
{
    cof_buf_done(&p->kernel);
    cof_buf_done(&p->cmdline);
    cof_buf_done(&p->metadata);
    cof_buf_done(&p->signature);
    for (size_t i = 0; i < p->n_ramdisks; i++)
        cof_buf_done(&p->ramdisks[i]);
}

static enum cof_err build_time(const char *given, char out[static COF_DATE_MAX], struct cof_diag *diag)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    uint64_t seconds = 0;
    int64_t ms;

    if (given != NULL && cof_date_parse_iso(cof_view_str(given), &ms) != COF_OK)
        return cof_diag_set(diag, COF_E_USAGE, "--build-time: write it as 2026-11-23T18:00:00Z");
    if (given == NULL && epoch != NULL && cof_parse_u64(cof_view_str(epoch), 253402300799, &seconds) != COF_OK)
        return cof_diag_set(diag, COF_E_USAGE, "SOURCE_DATE_EPOCH holds no seconds since 1970");
    cof_date_iso_seconds(given != NULL ? ms : (int64_t)seconds * 1000, out);
    return COF_OK;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

/* spec: the members nitro-cli's EifIdentityInfo has */
static enum cof_err make_metadata(const struct config *config, struct cof_buf *out, struct cof_diag *diag)
{
    char time[COF_DATE_MAX];
    enum cof_err err = build_time(config->build_time, time, diag);

    if (err != COF_OK)
        return err;
    cof_buf_add_str(out, "{");
    cof_json_add_member(out, "ImageName", cof_view_str(config->name != NULL ? config->name : base_name(config->output)));
    cof_json_add_member(out, "ImageVersion", cof_view_str(config->version));
    cof_json_add_name(out, "BuildMetadata");
    cof_buf_add_str(out, "{");
    cof_json_add_member(out, "BuildTime", cof_view_str(time));
    cof_json_add_member(out, "BuildTool", COF_LIT("coffer"));
    cof_json_add_member(out, "BuildToolVersion", COF_LIT(COF_VERSION));
    cof_json_add_member(out, "OperatingSystem", cof_view_str(config->os));
    cof_json_add_member(out, "KernelVersion", cof_view_str(config->kernel_version));
    cof_buf_add_str(out, "},\"DockerInfo\":{},\"CustomMetadata\":{}}");
    return cof_buf_err(out);
}

static enum cof_err read_metadata(const struct config *config, struct cof_buf *out, struct cof_diag *diag)
{
    json_t *json = NULL;
    enum cof_err err;

    cof_buf_init(out, COF_EIF_METADATA_MAX);
    if (config->metadata == NULL)
        return make_metadata(config, out, diag);
    err = cof_file_read(config->metadata, out, diag);
    if (err == COF_OK)
        err = cof_json_parse_object(cof_buf_view(out), COF_EIF_METADATA_MAX, &json, diag);
    json_decref(json);
    return err;
}

static enum cof_err read_cmdline(const struct config *config, struct cof_buf *out, struct cof_diag *diag)
{
    enum cof_err err = COF_OK;

    cof_buf_init(out, COF_EIF_CMDLINE_MAX);
    if (config->cmdline_file == NULL)
        cof_buf_add_str(out, config->cmdline);
    else
        err = cof_file_read(config->cmdline_file, out, diag);
    if (err == COF_OK && config->cmdline_file != NULL && out->len > 0 && out->data[out->len - 1] == '\n')
        cof_buf_truncate(out, out->len - 1);
    if (err == COF_OK && cof_buf_err(out) != COF_OK)
        err = cof_diag_set(diag, COF_E_LIMIT, "the command line is longer than %d bytes", COF_EIF_CMDLINE_MAX);
    return err;
}

static enum cof_err read_parts(const struct config *config, struct parts *p, struct cof_diag *diag)
{
    enum cof_err err = eif_read_file(config->kernel, &p->kernel, diag);

    if (err == COF_OK)
        err = read_cmdline(config, &p->cmdline, diag);
    if (err == COF_OK)
        err = read_metadata(config, &p->metadata, diag);
    for (size_t i = 0; err == COF_OK && i < config->ramdisks.n; i++)
        err = eif_read_file(config->ramdisks.items[i], &p->ramdisks[p->n_ramdisks++], diag);
    return err;
}

static enum cof_err assemble(const struct config *config, const struct parts *p, struct cof_eif *eif)
{
    enum cof_err err;

    *eif = (struct cof_eif){.version = COF_EIF_VERSION, .arm64 = strcmp(config->arch, "aarch64") == 0,
        .default_mem_bytes = config->mem_bytes, .default_cpus = config->cpus};
    /* spec: the order AWS's builder writes */
    err = cof_eif_add(eif, COF_EIF_KERNEL, cof_buf_view(&p->kernel));
    if (err == COF_OK)
        err = cof_eif_add(eif, COF_EIF_CMDLINE, cof_buf_view(&p->cmdline));
    if (err == COF_OK)
        err = cof_eif_add(eif, COF_EIF_METADATA, cof_buf_view(&p->metadata));
    for (size_t i = 0; err == COF_OK && i < p->n_ramdisks; i++)
        err = cof_eif_add(eif, COF_EIF_RAMDISK, cof_buf_view(&p->ramdisks[i]));
    return err;
}

/* Measures the image, and signs it where that is asked for. */
static enum cof_err finish(const struct config *config, struct parts *p, struct cof_eif *eif, struct cof_image_pcrs *pcrs,
                           struct cof_diag *diag)
{
    struct cof_buf key_pem, pem, der;
    struct cof_ecdsa_key *key = NULL;
    enum cof_err err = cof_image_measure(eif, COF_LIT(""), pcrs);

    if (err != COF_OK || config->sign_key == NULL)
        return err;
    cof_buf_init_secret(&key_pem, 65536);
    cof_buf_init(&pem, 65536);
    cof_buf_init(&der, 65536);
    cof_buf_init(&p->signature, COF_EIF_SIGNATURE_MAX);
    err = cof_file_read(config->sign_key, &key_pem, diag);
    if (err == COF_OK && (cof_ecdsa_from_pem(cof_buf_view(&key_pem), &key) != COF_OK || !cof_ecdsa_is_private(key)))
        err = cof_diag_set(diag, COF_E_CONFIG, "%s: holds no private key on P-256 or P-384 (PEM, not encrypted)", config->sign_key);
    if (err == COF_OK)
        err = cof_file_read(config->sign_certificate, &pem, diag);
    if (err == COF_OK)
        err = cof_image_sign(pcrs->pcr0, key, cof_buf_view(&pem), &p->signature, diag);
    if (err == COF_OK)
        err = cof_pem_certificate(cof_buf_view(&pem), &der);
    if (err == COF_OK)
        err = cof_eif_add(eif, COF_EIF_SIGNATURE, cof_buf_view(&p->signature));
    if (err == COF_OK)
        err = cof_image_measure(eif, cof_buf_view(&der), pcrs);
    cof_ecdsa_free(key);
    cof_buf_done(&key_pem);
    cof_buf_done(&pem);
    cof_buf_done(&der);
    return err;
}

static enum cof_err write_image(const char *path, const struct cof_eif *eif, struct cof_diag *diag)
{
    uint8_t head[COF_EIF_HEAD], section[COF_EIF_SECTION_HEAD];
    struct cof_file_out out;
    uint32_t crc;
    enum cof_err err = cof_image_crc(eif, &crc);

    if (err != COF_OK)
        return err;
    err = cof_file_out_open(&out, path, 0644, diag);
    if (err != COF_OK)
        return err;
    cof_eif_head(eif, crc, head);
    err = cof_file_out_write(&out, cof_view_of(head, sizeof head), diag);
    for (size_t i = 0; err == COF_OK && i < eif->n_sections; i++) {
        cof_eif_section_head(&eif->sections[i], section);
        err = cof_file_out_write(&out, cof_view_of(section, sizeof section), diag);
        if (err == COF_OK)
            err = cof_file_out_write(&out, eif->sections[i].data, diag);
    }
    if (err == COF_OK)
        err = cof_file_out_commit(&out, diag);
    cof_file_out_close(&out);
    return err;
}

static enum cof_err check(const struct config *config, struct cof_diag *diag)
{
    if (config->output == NULL || config->kernel == NULL || config->ramdisks.n == 0)
        return cof_diag_set(diag, COF_E_USAGE, "--output, --kernel and at least one --ramdisk are needed");
    if ((config->cmdline == NULL) == (config->cmdline_file == NULL))
        return cof_diag_set(diag, COF_E_USAGE, "one of --cmdline and --cmdline-file is needed");
    if ((config->sign_key == NULL) != (config->sign_certificate == NULL))
        return cof_diag_set(diag, COF_E_USAGE, "--sign-key and --sign-certificate go together");
    if (strcmp(config->arch, "x86_64") != 0 && strcmp(config->arch, "aarch64") != 0)
        return cof_diag_set(diag, COF_E_USAGE, "--arch: x86_64 or aarch64");
    if (config->ramdisks.n + 4 > COF_EIF_SECTIONS_MAX)
        return cof_diag_set(diag, COF_E_USAGE, "an image has room for %d ramdisks", COF_EIF_SECTIONS_MAX - 4);
    return COF_OK;
}

static enum cof_err run(const void *options_given, char **args, struct cof_diag *diag)
{
    const struct config *config = options_given;
    struct parts parts = {0};
    struct cof_image_pcrs pcrs;
    struct cof_eif eif;
    struct cof_buf json;
    enum cof_err err = check(config, diag);

    (void)args;
    cof_buf_init(&json, 4096);
    if (err == COF_OK)
        err = read_parts(config, &parts, diag);
    if (err == COF_OK) {
        err = assemble(config, &parts, &eif);
        if (err == COF_E_LIMIT)
            err = cof_diag_set(diag, err, "a section is larger than the format allows");
    }
    if (err == COF_OK)
        err = finish(config, &parts, &eif, &pcrs, diag);
    if (err == COF_OK)
        err = write_image(config->output, &eif, diag);
    if (err == COF_OK) {
        cof_buf_add_str(&json, "{\"Measurements\":");
        eif_add_measurements(&json, &pcrs);
        cof_buf_add_str(&json, "}\n");
        err = cof_buf_err(&json);
    }
    if (err == COF_OK && config->pcrs != NULL)
        err = cof_file_write(config->pcrs, cof_buf_view(&json), 0644, diag);
    if (err == COF_OK && strcmp(config->output, "-") != 0)
        (void)fputs(cof_buf_cstr(&json), stdout);
    cof_buf_done(&json);
    parts_done(&parts);
    return err;
}

static int run_build(int argc, char **argv)
{
    struct config config = {.arch = "x86_64", .version = "1.0", .os = "Linux", .kernel_version = "unknown",
        .mem_bytes = DEFAULT_MEM_BYTES, .cpus = DEFAULT_CPUS};

    return verb_run(PROG, &command, &config, run, argc, argv);
}

const struct verb verb_eif_build = {"eif build", &command, run_build};
