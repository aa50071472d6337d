/* SPDX-License-Identifier: Apache-2.0
 *
 * The Enclave Image Format, version 4 (aws-nitro-enclaves-image-format; version 3 is the same without metadata and is read
 * too). Bytes and structs only: checksum, measurements and signature are engine/image.h's. Big-endian throughout.
 *
 *   0    magic ".eif" | u16 version | u16 flags | u64 default memory | u64 default CPUs | u16 reserved | u16 sections
 *   28   u64 offset of each section's header, 32 places     284  u64 size of each section's data, 32 places
 *   540  u32 reserved | u32 CRC-32 of the whole file but itself
 *   548  the sections, one after another: u16 kind | u16 flags | u64 size | data
 *
 * The parser is stricter than AWS's: sections stand without gaps in the order of their table, nothing follows the last, one
 * kernel comes first, then one command line; at least one ramdisk; at most one of metadata and signature. So a file is
 * nothing but what its measurements say of it, and metadata, which nothing measures.
 */
#ifndef COF_FORMAT_EIF_H
#define COF_FORMAT_EIF_H

#include "base/buf.h"

#define COF_EIF_VERSION 4
#define COF_EIF_HEAD 548        /* bytes before the first section */
#define COF_EIF_SECTION_HEAD 12 /* bytes before each section's data */
#define COF_EIF_CRC_AT 544      /* where the CRC stands */
#define COF_EIF_SECTIONS_MAX 32
#define COF_EIF_CMDLINE_MAX 2048 /* bytes; what an x86 kernel takes */
#define COF_EIF_METADATA_MAX 65536
#define COF_EIF_SIGNATURE_MAX 32768

enum cof_eif_kind {
    COF_EIF_KERNEL = 1,
    COF_EIF_CMDLINE = 2,
    COF_EIF_RAMDISK = 3,
    COF_EIF_SIGNATURE = 4,
    COF_EIF_METADATA = 5,
};
/* "kernel", "cmdline", ... */
const char *cof_eif_kind_name(enum cof_eif_kind kind);

struct cof_eif_section {
    enum cof_eif_kind kind;
    struct cof_view data; /* a view into the file, or the builder's */
    uint64_t offset;      /* of the section's header, from the file's start */
};

struct cof_eif {
    unsigned version; /* 3 or 4 when read; written is always 4 */
    bool arm64;
    uint64_t default_mem_bytes, default_cpus;
    struct cof_eif_section sections[COF_EIF_SECTIONS_MAX];
    size_t n_sections;
    uint32_t crc; /* as the file states it */
};

/* Reads a whole file; the views in out live as long as it. COF_E_TRUNCATED, COF_E_FORMAT, COF_E_LIMIT or
 * COF_E_UNSUPPORTED (another version) with what is wrong in diag. The CRC is not compared. */
COF_MUST_USE enum cof_err cof_eif_parse(struct cof_view file, struct cof_eif *out, struct cof_diag *diag);

/* The n-th section of that kind, from 0; NULL when there is none. */
const struct cof_eif_section *cof_eif_find(const struct cof_eif *eif, enum cof_eif_kind kind, size_t n);

/* Adds a section at the end. COF_E_LIMIT when the table or the section is full. */
COF_MUST_USE enum cof_err cof_eif_add(struct cof_eif *eif, enum cof_eif_kind kind, struct cof_view data);
/* The bytes before the first section, and before a section's data, for writing. */
void cof_eif_head(const struct cof_eif *eif, uint32_t crc, uint8_t out[static COF_EIF_HEAD]);
void cof_eif_section_head(const struct cof_eif_section *section, uint8_t out[static COF_EIF_SECTION_HEAD]);

#endif
