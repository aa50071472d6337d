/* SPDX-License-Identifier: Apache-2.0 */
#include "keep.h"

#include "base/codec.h"
#include "base/num.h"
#include "client/aws_config.h"
#include "crypto/hash.h"
#include "format/json.h"
#include "io/harden.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define STATE_MAX 16384
#define LOG_MAX ((size_t)8 << 20)
#define PIECE 65536

/* --- uploads --- */

static bool state_folder(char out[3072])
{
    const char *dir = cof_env_get(&cof_env_process, "COFFER_STATE_DIR"), *base;
    int n;

    if (dir != NULL)
        n = snprintf(out, 3072, "%s", dir);
    else if ((base = cof_env_get(&cof_env_process, "XDG_STATE_HOME")) != NULL)
        n = snprintf(out, 3072, "%s/coffer", base);
    else if ((base = cof_env_get(&cof_env_process, "HOME")) != NULL)
        n = snprintf(out, 3072, "%s/.local/state/coffer", base);
    else
        return false;
    return n > 0 && n < 3072;
}

static int64_t mtime_ns(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

static void add_field(struct cof_buf *out, struct cof_view v)
{
    cof_buf_printf(out, "%zu:", v.len);
    cof_buf_add(out, v);
}

/* Everything that the upload was begun with, so that another one never goes on with it. */
static enum cof_err state_name(struct keep_upload *keep, const struct cof_aws *aws, const struct cof_s3_put *put,
                               const char *path)
{
    char folder[3072], *full = realpath(path, NULL), hex[65];
    const struct cof_s3_attributes *a = &put->attributes;
    uint8_t digest[32];
    struct cof_buf text;
    enum cof_err err = full == NULL || !state_folder(folder) ? COF_E_NOT_FOUND : COF_OK;

    cof_buf_init(&text, 65536);
    add_field(&text, cof_view_str(aws->endpoints[COF_AWS_S3].host));
    cof_buf_printf(&text, "%u %d %d %d %d:", aws->endpoints[COF_AWS_S3].port, put->sse.mode, put->sse.bucket_key, a->legal_hold,
                   put->checksum);
    add_field(&text, put->bucket);
    add_field(&text, put->key);
    add_field(&text, cof_view_str(full));
    add_field(&text, put->sse.kms_key_id);
    add_field(&text, put->sse.kms_context);
    if (put->sse.mode == COF_SSE_C && err == COF_OK) {
        err = cof_hash_once(COF_SHA256, cof_secret_view(put->sse.customer_key), digest);
        add_field(&text, cof_view_of(digest, sizeof digest));
    }
    add_field(&text, a->content_type);
    add_field(&text, a->tags);
    add_field(&text, a->lock_mode);
    add_field(&text, a->lock_until);
    add_field(&text, a->storage_class);
    if (err == COF_OK)
        err = cof_buf_err(&text);
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, cof_buf_view(&text), digest);
    if (err == COF_OK) {
        cof_hex_encode(digest, sizeof digest, hex);
        (void)snprintf(keep->path, sizeof keep->path, "%s/%s.upload", folder, hex);
    }
    cof_buf_done(&text);
    free(full);
    return err;
}

static enum cof_err read_state(struct keep_upload *keep, struct cof_view text, const struct stat *st)
{
    struct cof_view id;
    int64_t size, mtime, inode, part;
    json_t *o;
    enum cof_err err = cof_json_parse_object(text, STATE_MAX, &o, NULL);

    if (err != COF_OK)
        return err;
    err = cof_json_text(o, "upload_id", &id, NULL);
    if (err == COF_OK)
        err = cof_json_int(o, "size", 0, INT64_MAX, &size, NULL);
    if (err == COF_OK)
        err = cof_json_int(o, "mtime_ns", INT64_MIN, INT64_MAX, &mtime, NULL);
    if (err == COF_OK)
        err = cof_json_int(o, "inode", 0, INT64_MAX, &inode, NULL);
    if (err == COF_OK)
        err = cof_json_int(o, "part_size", (int64_t)COF_S3_PART_MIN, (int64_t)COF_S3_PART_LARGEST, &part, NULL);
    if (err == COF_OK && size == st->st_size && mtime == mtime_ns(st) && (ino_t)inode == st->st_ino &&
        id.len < sizeof keep->upload_id && ((uint64_t)size + (uint64_t)part - 1) / (uint64_t)part <= COF_S3_PARTS_MAX) {
        memcpy(keep->upload_id, id.data, id.len);
        keep->upload_id[id.len] = '\0';
        keep->part_size = (uint64_t)part;
    }
    json_decref(o);
    return err;
}

void keep_upload_find(struct keep_upload *keep, const struct cof_aws *aws, const struct cof_s3_put *put, const char *path,
                      const struct stat *st)
{
    struct cof_buf text;

    *keep = (struct keep_upload){0};
    if (state_name(keep, aws, put, path) != COF_OK) {
        keep->path[0] = '\0';
        return;
    }
    cof_buf_init(&text, STATE_MAX);
    if (cof_file_read(keep->path, &text, NULL) == COF_OK && read_state(keep, cof_buf_view(&text), st) != COF_OK)
        keep->upload_id[0] = '\0';
    cof_buf_done(&text);
}

enum cof_err keep_upload_write(const struct keep_upload *keep, const struct stat *st, struct cof_diag *diag)
{
    struct cof_buf text;
    enum cof_err err;

    if (keep->path[0] == '\0')
        return COF_OK;
    err = cof_file_make_parents(keep->path, 0700, diag);
    if (err != COF_OK)
        return err;
    cof_buf_init(&text, STATE_MAX);
    cof_buf_add_str(&text, "{");
    cof_json_add_member(&text, "upload_id", cof_view_str(keep->upload_id));
    cof_json_add_member_int(&text, "part_size", (int64_t)keep->part_size);
    cof_json_add_member_int(&text, "size", st->st_size);
    cof_json_add_member_int(&text, "mtime_ns", mtime_ns(st));
    cof_json_add_member_int(&text, "inode", (int64_t)st->st_ino);
    cof_buf_add_str(&text, "}\n");
    err = cof_buf_err(&text);
    if (err == COF_OK)
        err = cof_file_write(keep->path, cof_buf_view(&text), 0600, diag);
    cof_buf_done(&text);
    return err;
}

enum cof_err keep_upload_place(const struct keep_upload *keep, struct cof_diag *diag)
{
    char folder[4096];
    enum cof_err err = cof_file_make_parents(keep->path, 0700, diag);

    (void)snprintf(folder, sizeof folder, "%s", keep->path);
    *strrchr(folder, '/') = '\0';
    if (err == COF_OK && access(folder, W_OK | X_OK) != 0)
        err = cof_diag_set(diag, cof_err_from_errno(errno), "%s: %s", folder, strerror(errno));
    return err;
}

void keep_upload_forget(const struct keep_upload *keep)
{
    if (keep->path[0] != '\0')
        (void)unlink(keep->path);
}

/* --- downloads --- */

void keep_download_init(struct keep_download *keep)
{
    *keep = (struct keep_download){.out.fd = -1, .fd = -1, .log_fd = -1};
}

static enum cof_err failed(const char *path, struct cof_diag *diag)
{
    return cof_diag_set(diag, cof_err_from_errno(errno), "%s: %s", path, strerror(errno));
}

/* "coffer-part 1 CRC64NVME ETAG SIZE RANGE" */
static void first_line(struct cof_buf *out, const struct cof_s3_object *object, const struct cof_s3_part *ranges)
{
    const char *alg = cof_checksum_name(object->checksum);

    cof_buf_printf(out, "coffer-part 1 %s %s %llu %llu\n", alg != NULL ? alg : "none", object->etag,
                   (unsigned long long)object->size, (unsigned long long)ranges[0].length);
}

static bool is_good(int fd, uint64_t offset, const struct cof_s3_part *range, enum cof_checksum_alg alg)
{
    uint8_t piece[PIECE], value[COF_CHECKSUM_MAX];
    struct cof_checksum sum;
    enum cof_err err = cof_checksum_init(&sum, alg);

    for (uint64_t at = 0; at < range->length && err == COF_OK;) {
        size_t want = range->length - at < PIECE ? (size_t)(range->length - at) : PIECE;
        ssize_t n = pread(fd, piece, want, (off_t)(offset + at));
        err = n <= 0 ? COF_E_TRUNCATED : cof_checksum_update(&sum, cof_view_of(piece, (size_t)n));
        at += n <= 0 ? 0 : (uint64_t)n;
    }
    if (err == COF_OK)
        err = cof_checksum_final(&sum, value);
    cof_checksum_done(&sum);
    return err == COF_OK && memcmp(value, range->sum, cof_checksum_size(alg)) == 0;
}

/* "7 0011223344556677\n": range 7 was written, with this CRC. A torn last line says nothing. */
static void take_line(struct keep_download *keep, struct cof_view line, struct cof_s3_part *ranges, size_t n)
{
    struct cof_view number, hex;
    uint64_t index;

    if (!cof_view_split(line, ' ', &number, &hex) || cof_parse_u64(number, n - 1, &index) != COF_OK ||
        cof_hex_decode_fixed(hex, ranges[index].sum, cof_checksum_size(keep->alg)) != COF_OK)
        return;
    ranges[index].is_stored = is_good(keep->fd, index * ranges[0].length, &ranges[index], keep->alg);
    ranges[index].has_sum = ranges[index].is_stored;
}

/* What an earlier run left, when it was of the same object; else nothing. */
static enum cof_err take_up(struct keep_download *keep, const struct cof_s3_object *object, struct cof_s3_part *ranges,
                            size_t n)
{
    struct cof_buf text, head;
    struct cof_view line, rest;
    enum cof_err err;

    cof_buf_init(&text, LOG_MAX);
    cof_buf_init(&head, 1024);
    first_line(&head, object, ranges);
    keep->alg = cof_checksum_is_crc(object->checksum) ? object->checksum : COF_CHECKSUM_NONE;
    err = cof_file_read_fd(keep->log_fd, keep->log, &text, NULL);
    rest = cof_buf_view(&text);
    if (err == COF_OK && keep->alg != COF_CHECKSUM_NONE && cof_view_starts(rest, cof_buf_view(&head))) {
        rest = cof_view_sub(rest, head.len, SIZE_MAX);
        while (cof_view_split(rest, '\n', &line, &rest))
            take_line(keep, line, ranges, n);
    } else if (ftruncate(keep->log_fd, 0) != 0 || ftruncate(keep->fd, 0) != 0 || lseek(keep->log_fd, 0, SEEK_SET) != 0 ||
               write(keep->log_fd, head.data, head.len) != (ssize_t)head.len) {
        err = cof_err_from_errno(errno);
    } else {
        err = COF_OK;
    }
    cof_buf_done(&text);
    cof_buf_done(&head);
    return err;
}

static bool names(struct keep_download *keep, const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash == NULL ? path : slash + 1;
    int folder = slash == NULL ? 0 : (int)(slash - path + 1);
    int a = snprintf(keep->path, sizeof keep->path, "%s", path);
    int b = snprintf(keep->part, sizeof keep->part, "%.*s.coffer-%s.part", folder, path, base);
    int c = snprintf(keep->log, sizeof keep->log, "%.*s.coffer-%s.log", folder, path, base);

    return a > 0 && (size_t)a < sizeof keep->path && b > 0 && (size_t)b < sizeof keep->part && c > 0 &&
           (size_t)c < sizeof keep->log;
}

/* A file beside the target, which others may be able to write to as well: what lies there under that name already must be ours
 * alone, or somebody would read along, or have us write into another of our files. */
static enum cof_err open_ours(const char *path, int flags, int *fd, struct cof_diag *diag)
{
    struct stat st;

    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    if (*fd < 0 || fstat(*fd, &st) != 0)
        return failed(path, diag);
    if (S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_nlink == 1 && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
        return COF_OK;
    (void)cof_diag_set(diag, COF_E_DENIED, "%s: somebody else's file, or one with another name as well", path);
    cof_diag_hint(diag, "remove it, or choose a folder that only you can write to");
    return COF_E_DENIED;
}

enum cof_err keep_download_open(struct keep_download *keep, const char *path, const struct cof_s3_object *object,
                                struct cof_s3_part *ranges, size_t n_ranges, bool resume, struct cof_diag *diag)
{
    struct stat st;
    enum cof_err err;

    if (n_ranges < 2 || !resume || strcmp(path, "-") == 0 || (stat(path, &st) == 0 && !S_ISREG(st.st_mode)))
        return cof_file_out_open(&keep->out, path, 0644, diag);
    if (!names(keep, path))
        return cof_diag_set(diag, COF_E_USAGE, "the file's name is too long");
    keep->is_kept = true;
    err = open_ours(keep->part, 0, &keep->fd, diag);
    if (err != COF_OK)
        return err;
    if (flock(keep->fd, LOCK_EX | LOCK_NB) != 0)
        return cof_diag_set(diag, COF_E_EXISTS, "%s: another coffer is fetching this file", keep->part);
    err = open_ours(keep->log, O_APPEND, &keep->log_fd, diag);
    if (err != COF_OK)
        return err;
    err = take_up(keep, object, ranges, n_ranges);
    return err == COF_OK ? COF_OK : cof_diag_set(diag, err, "%s: %s", keep->log, cof_err_text(err));
}

enum cof_err keep_download_write(struct keep_download *keep, uint64_t offset, struct cof_view piece, struct cof_diag *diag)
{
    if (!keep->is_kept && keep->out.is_stdout)
        return cof_file_out_write(&keep->out, piece, diag);
    for (size_t at = 0; at < piece.len;) {
        ssize_t n = pwrite(keep->is_kept ? keep->fd : keep->out.fd, piece.data + at, piece.len - at, (off_t)(offset + at));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n == 0 ? ENOSPC : errno;
            return failed(keep->is_kept ? keep->part : keep->out.path, diag);
        }
        at += (size_t)n;
    }
    return COF_OK;
}

enum cof_err keep_download_note(struct keep_download *keep, size_t index, const struct cof_s3_part *range)
{
    char line[64], hex[17];
    int n;

    if (!keep->is_kept || !range->has_sum || keep->alg == COF_CHECKSUM_NONE)
        return COF_OK;
    cof_hex_encode(range->sum, cof_checksum_size(keep->alg), hex);
    n = snprintf(line, sizeof line, "%zu %s\n", index, hex);
    return write(keep->log_fd, line, (size_t)n) == n ? COF_OK : cof_err_from_errno(errno);
}

enum cof_err keep_download_commit(struct keep_download *keep, struct cof_diag *diag)
{
    if (!keep->is_kept)
        return cof_file_out_commit(&keep->out, diag);
    if (fchmod(keep->fd, 0644 & ~cof_harden_umask()) != 0 || fdatasync(keep->fd) != 0 || rename(keep->part, keep->path) != 0 ||
        cof_file_sync_folder(keep->path) != COF_OK)
        return failed(keep->path, diag);
    (void)unlink(keep->log);
    return COF_OK;
}

void keep_download_close(struct keep_download *keep, bool forget)
{
    if (!keep->is_kept) {
        cof_file_out_close(&keep->out);
        return;
    }
    if (forget && keep->fd >= 0) {
        (void)unlink(keep->part);
        (void)unlink(keep->log);
    }
    if (keep->fd >= 0)
        (void)close(keep->fd);
    if (keep->log_fd >= 0)
        (void)close(keep->log_fd);
    keep->fd = keep->log_fd = -1;
}
