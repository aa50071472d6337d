/* SPDX-License-Identifier: Apache-2.0 */
#include "format/eif.h"

#include <string.h>

#define FLAG_ARM64 1u
#define OFFSETS_AT 28
#define SIZES_AT 284

static const char magic[4] = {'.', 'e', 'i', 'f'};

static const struct {
    const char *name;
    uint64_t max; /* bytes */
    bool once;
} kinds[] = {
    [COF_EIF_KERNEL] = {"kernel", UINT32_MAX, true},
    [COF_EIF_CMDLINE] = {"cmdline", COF_EIF_CMDLINE_MAX, true},
    [COF_EIF_RAMDISK] = {"ramdisk", INT64_MAX, false},
    [COF_EIF_SIGNATURE] = {"signature", COF_EIF_SIGNATURE_MAX, true},
    [COF_EIF_METADATA] = {"metadata", COF_EIF_METADATA_MAX, true},
};
#define KIND_FIRST COF_EIF_KERNEL
#define KIND_LAST COF_EIF_METADATA

const char *cof_eif_kind_name(enum cof_eif_kind kind)
{
    return kind >= KIND_FIRST && kind <= KIND_LAST ? kinds[kind].name : "unknown";
}

const struct cof_eif_section *cof_eif_find(const struct cof_eif *eif, enum cof_eif_kind kind, size_t n)
{
    for (size_t i = 0; i < eif->n_sections; i++)
        if (eif->sections[i].kind == kind && n-- == 0)
            return &eif->sections[i];
    return NULL;
}

/* What a section may be, seen from those before it. NULL: it may. */
static const char *misplaced(const struct cof_eif *eif, enum cof_eif_kind kind)
{
    if (kinds[kind].once && cof_eif_find(eif, kind, 0) != NULL)
        return "comes twice";
    if (eif->n_sections == 0 && kind != COF_EIF_KERNEL)
        return "stands where the kernel must";
    if (eif->n_sections == 1 && kind != COF_EIF_CMDLINE)
        return "stands where the command line must";
    return NULL;
}

struct head {
    uint16_t version, flags, reserved16, n_sections;
    uint32_t reserved32;
    uint64_t offsets[COF_EIF_SECTIONS_MAX], sizes[COF_EIF_SECTIONS_MAX];
};

static enum cof_err take_head(struct cof_view *v, struct cof_eif *eif, struct head *head)
{
    struct cof_view text;
    enum cof_err err = cof_take(v, sizeof magic, &text);

    if (err == COF_OK && memcmp(text.data, magic, sizeof magic) != 0)
        return COF_E_FORMAT;
    if (err != COF_OK || (err = cof_take_u16(v, &head->version)) != COF_OK || (err = cof_take_u16(v, &head->flags)) != COF_OK ||
        (err = cof_take_u64(v, &eif->default_mem_bytes)) != COF_OK || (err = cof_take_u64(v, &eif->default_cpus)) != COF_OK ||
        (err = cof_take_u16(v, &head->reserved16)) != COF_OK || (err = cof_take_u16(v, &head->n_sections)) != COF_OK)
        return err;
    for (size_t i = 0; i < COF_EIF_SECTIONS_MAX && err == COF_OK; i++)
        err = cof_take_u64(v, &head->offsets[i]);
    for (size_t i = 0; i < COF_EIF_SECTIONS_MAX && err == COF_OK; i++)
        err = cof_take_u64(v, &head->sizes[i]);
    if (err == COF_OK)
        err = cof_take_u32(v, &head->reserved32);
    return err == COF_OK ? cof_take_u32(v, &eif->crc) : err;
}

static enum cof_err check_head(const struct head *head, struct cof_eif *eif, struct cof_diag *diag)
{
    if (head->version != 3 && head->version != COF_EIF_VERSION)
        return cof_diag_set(diag, COF_E_UNSUPPORTED, "an enclave image of version %u; 3 and 4 are known", head->version);
    if ((head->flags & ~FLAG_ARM64) != 0 || head->reserved16 != 0 || head->reserved32 != 0)
        return cof_diag_set(diag, COF_E_FORMAT, "the image's header uses reserved fields");
    if (head->n_sections < 3 || head->n_sections > COF_EIF_SECTIONS_MAX)
        return cof_diag_set(diag, COF_E_FORMAT, "the image states %u sections; 3 to 32 are possible", head->n_sections);
    for (size_t i = head->n_sections; i < COF_EIF_SECTIONS_MAX; i++)
        if (head->offsets[i] != 0 || head->sizes[i] != 0)
            return cof_diag_set(diag, COF_E_FORMAT, "the image's table has entries after its last section");
    eif->version = head->version;
    eif->arm64 = (head->flags & FLAG_ARM64) != 0;
    return COF_OK;
}

static enum cof_err take_section(struct cof_view file, struct cof_view *v, const struct head *head, struct cof_eif *eif,
                                 struct cof_diag *diag)
{
    size_t i = eif->n_sections;
    uint64_t offset = (uint64_t)(v->data - file.data), size;
    struct cof_view data;
    uint16_t kind, flags;
    const char *why;
    enum cof_err err;

    if ((err = cof_take_u16(v, &kind)) != COF_OK || (err = cof_take_u16(v, &flags)) != COF_OK ||
        (err = cof_take_u64(v, &size)) != COF_OK)
        return cof_diag_set(diag, COF_E_TRUNCATED, "the image ends inside the header of section %zu", i);
    if (head->offsets[i] != offset || head->sizes[i] != size)
        return cof_diag_set(diag, COF_E_FORMAT, "section %zu is not where, or not as long as, the image's table says", i);
    if (kind < KIND_FIRST || kind > KIND_LAST || flags != 0)
        return cof_diag_set(diag, COF_E_FORMAT, "section %zu is of an unknown kind (%u)", i, kind);
    why = misplaced(eif, (enum cof_eif_kind)kind);
    if (why != NULL)
        return cof_diag_set(diag, COF_E_FORMAT, "section %zu: a %s %s", i, kinds[kind].name, why);
    if (size > kinds[kind].max)
        return cof_diag_set(diag, COF_E_LIMIT, "section %zu: a %s of %llu bytes is too large", i, kinds[kind].name,
            (unsigned long long)size);
    if (size > v->len || cof_take(v, (size_t)size, &data) != COF_OK)
        return cof_diag_set(diag, COF_E_TRUNCATED, "the image ends inside its %s (section %zu)", kinds[kind].name, i);
    eif->sections[eif->n_sections++] = (struct cof_eif_section){(enum cof_eif_kind)kind, data, offset};
    return COF_OK;
}

enum cof_err cof_eif_parse(struct cof_view file, struct cof_eif *out, struct cof_diag *diag)
{
    struct cof_eif eif = {0};
    struct cof_view v = file;
    struct head head;
    enum cof_err err;

    *out = (struct cof_eif){0};
    err = take_head(&v, &eif, &head);
    if (err == COF_E_FORMAT)
        return cof_diag_set(diag, err, "this is no enclave image: it does not begin with \".eif\"");
    if (err != COF_OK)
        return cof_diag_set(diag, COF_E_TRUNCATED, "the image ends inside its header");
    err = check_head(&head, &eif, diag);
    while (err == COF_OK && eif.n_sections < head.n_sections)
        err = take_section(file, &v, &head, &eif, diag);
    if (err != COF_OK)
        return err;
    if (v.len > 0)
        return cof_diag_set(diag, COF_E_FORMAT, "%zu bytes follow the image's last section", v.len);
    if (cof_eif_find(&eif, COF_EIF_RAMDISK, 0) == NULL)
        return cof_diag_set(diag, COF_E_FORMAT, "the image has no ramdisk");
    if (eif.version == COF_EIF_VERSION && cof_eif_find(&eif, COF_EIF_METADATA, 0) == NULL)
        return cof_diag_set(diag, COF_E_FORMAT, "the image has no metadata, which version 4 demands");
    *out = eif;
    return COF_OK;
}

enum cof_err cof_eif_add(struct cof_eif *eif, enum cof_eif_kind kind, struct cof_view data)
{
    const struct cof_eif_section *last;
    uint64_t offset = COF_EIF_HEAD;

    if (kind < KIND_FIRST || kind > KIND_LAST || misplaced(eif, kind) != NULL)
        return COF_E_USAGE;
    if (eif->n_sections == COF_EIF_SECTIONS_MAX || data.len > kinds[kind].max)
        return COF_E_LIMIT;
    if (eif->n_sections > 0) {
        last = &eif->sections[eif->n_sections - 1];
        offset = last->offset + COF_EIF_SECTION_HEAD + last->data.len;
    }
    eif->sections[eif->n_sections++] = (struct cof_eif_section){kind, data, offset};
    return COF_OK;
}

static uint8_t *put(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
    return at + bytes;
}

void cof_eif_head(const struct cof_eif *eif, uint32_t crc, uint8_t out[static COF_EIF_HEAD])
{
    uint8_t *at = out + sizeof magic;

    memset(out, 0, COF_EIF_HEAD);
    memcpy(out, magic, sizeof magic);
    at = put(at, COF_EIF_VERSION, 2);
    at = put(at, eif->arm64 ? FLAG_ARM64 : 0, 2);
    at = put(at, eif->default_mem_bytes, 8);
    at = put(at, eif->default_cpus, 8);
    (void)put(at + 2, eif->n_sections, 2);
    for (size_t i = 0; i < eif->n_sections; i++) {
        (void)put(out + OFFSETS_AT + 8 * i, eif->sections[i].offset, 8);
        (void)put(out + SIZES_AT + 8 * i, eif->sections[i].data.len, 8);
    }
    (void)put(out + COF_EIF_CRC_AT, crc, 4);
}

void cof_eif_section_head(const struct cof_eif_section *section, uint8_t out[static COF_EIF_SECTION_HEAD])
{
    (void)put(put(out, section->kind, 2), 0, 2);
    (void)put(out + 4, section->data.len, 8);
}
