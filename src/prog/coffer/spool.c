/* SPDX-License-Identifier: Apache-2.0 */
#include "spool.h"

#include "base/codec.h"
#include "crypto/hash.h"
#include "format/json.h"
#include "io/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX 4096
#define PIECE 65536
#define SUFFIX ".spool"

static enum cof_err failed(const char *path, struct cof_diag *diag)
{
    return cof_diag_set(diag, cof_err_from_errno(errno), "%s: %s", path, strerror(errno));
}

void spool_path(const struct spool *spool, const struct spool_entry *entry, char out[static 4096])
{
    (void)snprintf(out, 4096, "%s/%s", spool->path, entry->name);
}

static void insert(struct spool *spool, struct spool_entry *entry)
{
    struct spool_entry **at = &spool->first;

    while (*at != NULL && strcmp((*at)->name, entry->name) < 0)
        at = &(*at)->next;
    entry->next = *at;
    *at = entry;
    spool->bytes += entry->size;
    spool->n++;
}

static enum cof_err read_head(int fd, struct spool_entry *entry)
{
    uint8_t text[HEAD_MAX];
    ssize_t n = pread(fd, text, sizeof text, 0);
    struct cof_view line, rest, key, type;
    json_t *o;
    enum cof_err err;

    if (n <= 0 || !cof_view_split(cof_view_of(text, (size_t)n), '\n', &line, &rest))
        return COF_E_FORMAT;
    err = cof_json_parse_object(line, HEAD_MAX, &o, NULL);
    if (err != COF_OK)
        return err;
    err = cof_json_text(o, "key", &key, NULL);
    if (err == COF_OK && (key.len == 0 || key.len >= sizeof entry->key))
        err = COF_E_FORMAT;
    if (err == COF_OK)
        err = cof_json_text_or(o, "type", "", &type, NULL);
    if (err == COF_OK && type.len >= sizeof entry->type)
        err = COF_E_FORMAT;
    if (err == COF_OK) {
        memcpy(entry->type, type.data, type.len);
        memcpy(entry->key, key.data, key.len);
        entry->head = line.len + 1;
    }
    json_decref(o);
    return err;
}

static enum cof_err load(struct spool *spool, const char *name, const char *prog)
{
    struct spool_entry *entry = calloc(1, sizeof *entry);
    char path[4096], bad[4200];
    struct stat st;
    int fd;
    enum cof_err err = COF_E_FORMAT;

    if (entry == NULL)
        return COF_E_MEMORY;
    if (strlen(name) < sizeof entry->name) {
        (void)snprintf(entry->name, sizeof entry->name, "%s", name);
        spool_path(spool, entry, path);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
            entry->size = (uint64_t)st.st_size;
            err = read_head(fd, entry);
        }
        if (fd >= 0)
            (void)close(fd);
    }
    if (err == COF_OK) {
        insert(spool, entry);
        return COF_OK;
    }
    free(entry);
    (void)snprintf(path, sizeof path, "%s/%s", spool->path, name);
    (void)snprintf(bad, sizeof bad, "%s.bad", path);
    (void)rename(path, bad);
    (void)fprintf(stderr, "%s: warning: %s is no whole entry; set aside\n", prog, path);
    return COF_OK;
}

enum cof_err spool_open(struct spool *spool, const char *path, const char *prog, struct cof_diag *diag)
{
    struct dirent *d;
    DIR *dir;
    enum cof_err err = COF_OK;

    *spool = (struct spool){0};
    if (snprintf(spool->path, sizeof spool->path, "%s", path) >= (int)sizeof spool->path)
        return cof_diag_set(diag, COF_E_USAGE, "the spool's path is too long");
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return failed(path, diag);
    dir = opendir(path);
    if (dir == NULL)
        return failed(path, diag);
    while (err == COF_OK && (d = readdir(dir)) != NULL) {
        size_t len = strlen(d->d_name), suffix = sizeof SUFFIX - 1;
        if (len > suffix && strcmp(d->d_name + len - suffix, SUFFIX) == 0)
            err = load(spool, d->d_name, prog);
    }
    (void)closedir(dir);
    return err;
}

void spool_close(struct spool *spool)
{
    while (spool->first != NULL) {
        struct spool_entry *entry = spool->first;
        spool->first = entry->next;
        free(entry);
    }
    *spool = (struct spool){0};
}

enum cof_err spool_id(const char *relative, const struct stat *st, char out[static 33])
{
    uint8_t digest[32];
    struct cof_buf text;
    enum cof_err err;

    cof_buf_init(&text, 8192);
    cof_buf_printf(&text, "%lld %lld.%09ld %llu %s", (long long)st->st_size, (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
                   (unsigned long long)st->st_ino, relative);
    err = cof_buf_err(&text);
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, cof_buf_view(&text), digest);
    cof_hex_encode(digest, 16, out);
    cof_buf_done(&text);
    return err;
}

const struct spool_entry *spool_find(const struct spool *spool, const char *id)
{
    for (const struct spool_entry *e = spool->first; e != NULL; e = e->next)
        if (strstr(e->name, id) != NULL)
            return e;
    return NULL;
}

static enum cof_err write_entry(const struct cof_s3_source *message, const char *path, struct spool_entry *entry,
                                struct cof_diag *diag)
{
    struct cof_file_out out = {.fd = -1};
    uint8_t *piece = malloc(PIECE);
    struct cof_buf head;
    size_t n = 1;
    enum cof_err err = piece == NULL ? COF_E_MEMORY : cof_file_out_open(&out, path, 0600, diag);

    cof_buf_init(&head, HEAD_MAX - 1);
    cof_buf_add_str(&head, "{");
    cof_json_add_member(&head, "key", cof_view_str(entry->key));
    if (entry->type[0] != '\0')
        cof_json_add_member(&head, "type", cof_view_str(entry->type));
    cof_buf_add_str(&head, "}\n");
    entry->head = entry->size = head.len;
    if (err == COF_OK)
        err = cof_buf_err(&head);
    if (err == COF_OK)
        err = cof_file_out_write(&out, cof_buf_view(&head), diag);
    while (err == COF_OK && n > 0) {
        err = message->read(message->ctx, piece, PIECE, &n, diag);
        if (err == COF_OK && n > 0)
            err = cof_file_out_write(&out, cof_view_of(piece, n), diag);
        entry->size += n;
    }
    if (err == COF_OK)
        err = cof_file_out_commit(&out, diag);
    cof_file_out_close(&out);
    cof_buf_done(&head);
    free(piece);
    return err;
}

enum cof_err spool_add(struct spool *spool, struct sealing *sealing, const char *path, const struct stat *st, const char *id,
                       const char *key, const char *type, unsigned priority, struct spool_entry **out, struct cof_diag *diag)
{
    struct spool_entry *entry = calloc(1, sizeof *entry);
    struct source source = {.fd = -1};
    struct sealed_source sealed = {0};
    struct cof_s3_source plain, message;
    char target[4096];
    long long ms = (long long)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
    enum cof_err err = COF_OK;

    *out = NULL;
    if (entry == NULL)
        return COF_E_MEMORY;
    (void)snprintf(entry->name, sizeof entry->name, "%u-%013lld-%.32s" SUFFIX, 9 - (priority > 9 ? 9 : priority),
                   ms < 0 ? 0 : ms % 10000000000000, id);
    (void)snprintf(entry->key, sizeof entry->key, "%s", key);
    (void)snprintf(entry->type, sizeof entry->type, "%s", type != NULL ? type : "");
    spool_path(spool, entry, target);
    err = source_open(&source, path, &plain, diag);
    if (err == COF_OK && (plain.read_at == NULL || source.st.st_ino != st->st_ino || source.st.st_size != st->st_size))
        err = cof_diag_set(diag, COF_E_TRUNCATED, "%s: the file changed", path);
    if (err == COF_OK)
        err = sealed_source_open(&sealed, sealing, &source, &plain, &message, diag);
    if (err == COF_OK)
        err = write_entry(&message, target, entry, diag);
    sealed_source_close(&sealed);
    source_close(&source);
    if (err != COF_OK) {
        free(entry);
        return err;
    }
    insert(spool, entry);
    *out = entry;
    return COF_OK;
}

void spool_remove(struct spool *spool, struct spool_entry *entry, bool sent)
{
    struct spool_entry **at = &spool->first;
    char path[4096], folder[4096], target[4200];

    while (*at != NULL && *at != entry)
        at = &(*at)->next;
    if (*at == NULL)
        return;
    *at = entry->next;
    spool->bytes -= entry->size;
    spool->n--;
    spool_path(spool, entry, path);
    (void)snprintf(folder, sizeof folder, "%s/sent", spool->path);
    (void)snprintf(target, sizeof target, "%s/sent/%s", spool->path, entry->name);
    if (!sent || (mkdir(folder, 0700) != 0 && errno != EEXIST) || rename(path, target) != 0)
        (void)unlink(path);
    else
        (void)utimensat(AT_FDCWD, target, NULL, 0); /* when it was sent */
    free(entry);
}

void spool_forget_sent(const struct spool *spool, int64_t older_than_s)
{
    char folder[4096], path[4400];
    int64_t now_s = cof_clock_wall_ms() / 1000;
    struct dirent *d;
    struct stat st;
    DIR *dir;

    (void)snprintf(folder, sizeof folder, "%s/sent", spool->path);
    dir = opendir(folder);
    while (dir != NULL && (d = readdir(dir)) != NULL) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, d->d_name);
        if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) && now_s - st.st_mtim.tv_sec > older_than_s)
            (void)unlink(path);
    }
    if (dir != NULL)
        (void)closedir(dir);
}
