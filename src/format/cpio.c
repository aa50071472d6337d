/* SPDX-License-Identifier: Apache-2.0 */
#include "format/cpio.h"

#define PATH_BYTES_MAX 1024

static const unsigned type_bits[] = {
    [COF_CPIO_DIR] = 0040000, [COF_CPIO_FILE] = 0100000, [COF_CPIO_LINK] = 0120000, [COF_CPIO_CHAR] = 0020000};

bool cof_cpio_path_ok(struct cof_view path)
{
    struct cof_view part, rest = path;
    bool more;

    if (path.len == 0 || path.len > PATH_BYTES_MAX || cof_view_find(path, 0) != SIZE_MAX)
        return false;
    do {
        more = cof_view_split(rest, '/', &part, &rest);
        if (part.len == 0 || cof_view_eq_str(part, ".") || cof_view_eq_str(part, ".."))
            return false;
    } while (more);
    return true;
}

static void pad(struct cof_buf *out, size_t to)
{
    (void)cof_buf_extend(out, (to - out->len % to) % to);
}

static void add(struct cof_cpio *cpio, const struct cof_cpio_entry *entry, unsigned mode, unsigned links)
{
    struct cof_buf *out = cpio->out;

    cof_buf_add_str(out, "070701");
    cof_buf_printf(out, "%08X%08X%08X%08X%08X%08X", cpio->n_entries, mode, 0u, 0u, links, 0u);
    cof_buf_printf(out, "%08X%08X%08X%08X%08X%08zX%08X", (unsigned)entry->data.len, 0u, 0u, entry->major, entry->minor,
        entry->path.len + 1, 0u);
    cof_buf_add(out, entry->path);
    cof_buf_add_u8(out, 0);
    pad(out, 4);
    cof_buf_add(out, entry->data);
    pad(out, 4);
}

enum cof_err cof_cpio_add(struct cof_cpio *cpio, const struct cof_cpio_entry *entry)
{
    if (!cof_cpio_path_ok(entry->path) || (entry->mode & ~07777u) != 0)
        return COF_E_USAGE;
    if (entry->data.len > INT32_MAX)
        return COF_E_LIMIT;
    cpio->n_entries++;
    add(cpio, entry, type_bits[entry->type] | entry->mode, entry->type == COF_CPIO_DIR ? 2 : 1);
    return cof_buf_err(cpio->out);
}

enum cof_err cof_cpio_end(struct cof_cpio *cpio)
{
    static const struct cof_cpio_entry trailer = {.path = {(const uint8_t *)"TRAILER!!!", 10}};

    cpio->n_entries = 0;
    add(cpio, &trailer, 0, 1);
    pad(cpio->out, 512);
    return cof_buf_err(cpio->out);
}
