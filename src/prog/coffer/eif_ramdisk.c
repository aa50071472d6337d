/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer eif ramdisk: an initial ramdisk from files, always the same bytes from the same files.
 */
#include "common.h"
#include "eif_view.h"
#include "verbs.h"

#include "base/num.h"
#include "format/cpio.h"
#include "io/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PROG "coffer eif ramdisk"
#define ENTRIES_MAX 1024

struct config {
    const char *output;
    struct cof_text_list files, dirs, links, devices;
};
#define O(field) offsetof(struct config, field)
static const struct cof_option options[] = {
    {"output", 'o', COF_OPT_TEXT, "FILE", "where the ramdisk goes", O(output)},
    {"file", 'f', COF_OPT_LIST, "PATH=SOURCE", "a file, mode 0755 where its owner may execute the source, else 0644; repeatable", O(files)},
    {"dir", 'd', COF_OPT_LIST, "PATH", "an empty folder; those of files are made without being named", O(dirs)},
    {"link", 'l', COF_OPT_LIST, "PATH=TARGET", "a symbolic link", O(links)},
    {"device", 0, COF_OPT_LIST, "PATH=MAJOR:MINOR", "a character device, mode 0600", O(devices)},
};
static const struct cof_command command = {
    .name = "eif ramdisk",
    .args = "",
    .summary = "Makes an initial ramdisk for an enclave image: the same bytes from the same files.",
    .details = "A cpio archive that Linux unpacks at start. Entries are in the order of their paths, owned by root, without times.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 0,
    .max_args = 0,
};

/* An entry with what it owns. */
struct item {
    struct cof_cpio_entry entry;
    struct cof_buf bytes;
};
struct items {
    struct item at[ENTRIES_MAX];
    size_t n;
};

static enum cof_err add(struct items *items, const struct cof_cpio_entry *entry, struct cof_diag *diag)
{
    if (!cof_cpio_path_ok(entry->path))
        return cof_diag_set(diag, COF_E_USAGE, "'%.*s': a path in a ramdisk is relative, without '.' and '..'",
            (int)entry->path.len, (const char *)entry->path.data);
    for (size_t i = 0; i < items->n; i++)
        if (cof_view_eq(items->at[i].entry.path, entry->path)) {
            if (entry->type == COF_CPIO_DIR && items->at[i].entry.type == COF_CPIO_DIR)
                return COF_OK;
            return cof_diag_set(diag, COF_E_USAGE, "'%.*s' is named twice", (int)entry->path.len, (const char *)entry->path.data);
        }
    if (items->n == ENTRIES_MAX)
        return cof_diag_set(diag, COF_E_LIMIT, "a ramdisk has room for %d entries", ENTRIES_MAX);
    items->at[items->n++] = (struct item){.entry = *entry};
    return COF_OK;
}

/* The folders above path. */
static enum cof_err add_parents(struct items *items, struct cof_view path, struct cof_diag *diag)
{
    enum cof_err err = COF_OK;

    for (size_t i = 1; err == COF_OK && i < path.len; i++)
        if (path.data[i] == '/')
            err = add(items, &(struct cof_cpio_entry){cof_view_sub(path, 0, i), COF_CPIO_DIR, 0755, {0}, 0, 0}, diag);
    return err;
}

static enum cof_err add_with_parents(struct items *items, const struct cof_cpio_entry *entry, struct cof_diag *diag)
{
    enum cof_err err = add_parents(items, entry->path, diag);

    return err == COF_OK ? add(items, entry, diag) : err;
}

static enum cof_err split(const char *text, struct cof_view *path, struct cof_view *rest, struct cof_diag *diag)
{
    if (!cof_view_split(cof_view_str(text), '=', path, rest) || rest->len == 0)
        return cof_diag_set(diag, COF_E_USAGE, "'%s': write it as PATH=...", text);
    return COF_OK;
}

static enum cof_err add_file(struct items *items, const char *text, struct cof_diag *diag)
{
    struct cof_view path, source;
    struct stat st;
    struct item *item;
    enum cof_err err = split(text, &path, &source, diag);
    const char *name = (const char *)source.data; /* the text's end, so it ends in a NUL */

    if (err == COF_OK && stat(name, &st) != 0)
        return cof_diag_set(diag, COF_E_NOT_FOUND, "%s: cannot be read", name);
    if (err == COF_OK)
        err = add_with_parents(items, &(struct cof_cpio_entry){path, COF_CPIO_FILE, (st.st_mode & S_IXUSR) != 0 ? 0755 : 0644, {0}, 0, 0}, diag);
    if (err != COF_OK)
        return err;
    item = &items->at[items->n - 1];
    err = eif_read_file(name, &item->bytes, diag);
    item->entry.data = cof_buf_view(&item->bytes);
    return err;
}

static enum cof_err add_link(struct items *items, const char *text, struct cof_diag *diag)
{
    struct cof_view path, target;
    enum cof_err err = split(text, &path, &target, diag);

    return err != COF_OK ? err : add_with_parents(items, &(struct cof_cpio_entry){path, COF_CPIO_LINK, 0777, target, 0, 0}, diag);
}

static enum cof_err add_device(struct items *items, const char *text, struct cof_diag *diag)
{
    struct cof_view path, numbers, major, minor;
    uint64_t a, b;
    enum cof_err err = split(text, &path, &numbers, diag);

    if (err != COF_OK)
        return err;
    if (!cof_view_split(numbers, ':', &major, &minor) || cof_parse_u64(major, 4095, &a) != COF_OK || cof_parse_u64(minor, 1048575, &b) != COF_OK)
        return cof_diag_set(diag, COF_E_USAGE, "'%s': write it as PATH=MAJOR:MINOR", text);
    return add_with_parents(items, &(struct cof_cpio_entry){path, COF_CPIO_CHAR, 0600, {0}, (unsigned)a, (unsigned)b}, diag);
}

static enum cof_err add_dir(struct items *items, const char *text, struct cof_diag *diag)
{
    return add_with_parents(items, &(struct cof_cpio_entry){cof_view_str(text), COF_CPIO_DIR, 0755, {0}, 0, 0}, diag);
}

static int by_path(const void *a, const void *b)
{
    return cof_view_cmp(((const struct item *)a)->entry.path, ((const struct item *)b)->entry.path);
}

typedef enum cof_err add_fn(struct items *items, const char *text, struct cof_diag *diag);

static enum cof_err collect(const struct config *config, struct items *items, struct cof_diag *diag)
{
    const struct {
        const struct cof_text_list *texts;
        add_fn *add;
    } lists[] = {{&config->dirs, add_dir}, {&config->files, add_file}, {&config->links, add_link}, {&config->devices, add_device}};
    enum cof_err err = COF_OK;

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (size_t k = 0; err == COF_OK && k < lists[i].texts->n; k++)
            err = lists[i].add(items, lists[i].texts->items[k], diag);
    return err;
}

static enum cof_err run(const void *options_given, char **args, struct cof_diag *diag)
{
    const struct config *config = options_given;
    struct items *items = calloc(1, sizeof *items);
    struct cof_buf out;
    struct cof_cpio cpio = {.out = &out};
    enum cof_err err = items == NULL ? COF_E_MEMORY : COF_OK;

    (void)args;
    cof_buf_init(&out, EIF_FILE_MAX);
    if (config->output == NULL)
        err = cof_diag_set(diag, COF_E_USAGE, "--output is needed");
    if (err == COF_OK)
        err = collect(config, items, diag);
    if (err == COF_OK) {
        qsort(items->at, items->n, sizeof items->at[0], by_path);
        for (size_t i = 0; err == COF_OK && i < items->n; i++)
            err = cof_cpio_add(&cpio, &items->at[i].entry);
    }
    if (err == COF_OK)
        err = cof_cpio_end(&cpio);
    if (err == COF_OK)
        err = cof_file_write(config->output, cof_buf_view(&out), 0644, diag);
    for (size_t i = 0; items != NULL && i < items->n; i++)
        cof_buf_done(&items->at[i].bytes);
    free(items);
    cof_buf_done(&out);
    return err;
}

static int run_ramdisk(int argc, char **argv)
{
    struct config config = {0};

    return verb_run(PROG, &command, &config, run, argc, argv);
}

const struct verb verb_eif_ramdisk = {"eif ramdisk", &command, run_ramdisk};
