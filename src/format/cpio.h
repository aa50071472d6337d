/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the archive that Linux unpacks as its initial ramdisk: cpio in the "newc" form
 * (Documentation/driver-api/early-userspace/buffer-format.rst). The same entries always give the same bytes: no times, owner
 * and group 0, inode numbers counted from 1, and the entries as they are added.
 */
#ifndef COF_FORMAT_CPIO_H
#define COF_FORMAT_CPIO_H

#include "base/buf.h"

struct cof_cpio {
    struct cof_buf *out;
    uint32_t n_entries;
};

enum cof_cpio_type { COF_CPIO_DIR, COF_CPIO_FILE, COF_CPIO_LINK, COF_CPIO_CHAR };

struct cof_cpio_entry {
    struct cof_view path; /* relative, without "." or ".." or a slash at an end; parents come first */
    enum cof_cpio_type type;
    unsigned mode;        /* permission bits */
    struct cof_view data; /* a file's bytes, a link's target; else empty */
    unsigned major, minor; /* of a character device */
};

/* COF_E_USAGE for a path as it may not be; the builder remembers the rest. */
COF_MUST_USE enum cof_err cof_cpio_add(struct cof_cpio *cpio, const struct cof_cpio_entry *entry);
/* The end, padded to 512 bytes. */
COF_MUST_USE enum cof_err cof_cpio_end(struct cof_cpio *cpio);

bool cof_cpio_path_ok(struct cof_view path);

#endif
