/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer-local status: whether somebody serves, and what the data directory holds.
 */
#include "admin.h"

#include "format/json.h"
#include "io/file.h"
#include "io/rng_os.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static const struct {
    const char *member, *space;
} spaces[] = {{"buckets", "s3.bucket"}, {"objects", "s3.current"}, {"objectVersions", "s3.version"}, {"keys", "kms.key"},
    {"queues", "sqs.queue"}, {"messagesWaiting", "sqs.ready"}, {"messagesHidden", "sqs.hidden"}};

enum cof_err status_count(struct cof_disk_store *disk, struct cof_buf *out)
{
    struct cof_disk_store_stat stat;
    enum cof_err err = COF_OK;
    uint64_t n;

    for (size_t i = 0; err == COF_OK && i < sizeof spaces / sizeof spaces[0]; i++) {
        err = cof_disk_store_count(disk, spaces[i].space, &n);
        if (err == COF_OK)
            cof_json_add_member_int(out, spaces[i].member, (int64_t)n);
    }
    cof_disk_store_stat(disk, &stat);
    cof_json_add_member_int(out, "databaseBytes", (int64_t)stat.database_bytes);
    cof_json_add_member_int(out, "bodies", (int64_t)stat.n_bodies);
    cof_json_add_member_int(out, "bodyBytes", (int64_t)stat.body_bytes);
    return err;
}

static long long number(const json_t *status, const char *name)
{
    return (long long)json_integer_value(json_object_get(status, name));
}

static const char *s_of(long long n)
{
    return n == 1 ? "" : "s";
}

static void print_size(const json_t *status, const char *before, const char *name, const char *after)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double n = (double)number(status, name);
    size_t unit = 0;

    for (; n >= 1024 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        n /= 1024;
    (void)printf("%s%.*f %s%s", before, unit == 0 ? 0 : 1, n, units[unit], after);
}

static void print_words(const json_t *status)
{
    long long buckets = number(status, "buckets"), objects = number(status, "objects"), keys = number(status, "keys"),
              queues = number(status, "queues"), waiting = number(status, "messagesWaiting");

    if (json_is_true(json_object_get(status, "serving")))
        (void)printf("serving %s\naccount %s, region %s, %lld connection%s\n", json_string_value(json_object_get(status, "endpoint")),
            json_string_value(json_object_get(status, "account")), json_string_value(json_object_get(status, "region")),
            number(status, "connections"), s_of(number(status, "connections")));
    else
        (void)printf("not served\n");
    (void)printf("%lld bucket%s, %lld object%s (%lld versions), %lld key%s, %lld queue%s, %lld message%s waiting (and %lld in flight or delayed)\n",
        buckets, s_of(buckets), objects, s_of(objects), number(status, "objectVersions"), keys, s_of(keys), queues, s_of(queues), waiting,
        s_of(waiting), number(status, "messagesHidden"));
    print_size(status, "database ", "databaseBytes", "");
    (void)printf(", %lld bod%s", number(status, "bodies"), number(status, "bodies") == 1 ? "y" : "ies");
    print_size(status, " of ", "bodyBytes", "\n");
}

/* {"serving":false,...}. COF_E_EXISTS: somebody else has just begun to use it. */
static enum cof_err ask_store(const char *data, struct cof_buf *out, struct cof_diag *diag)
{
    struct cof_disk_store *disk;
    enum cof_err err = cof_disk_store_open(data, &cof_rng_os, NULL, &disk, diag);

    if (err != COF_OK)
        return err;
    cof_buf_add_str(out, "{\"serving\":false");
    err = status_count(disk, out);
    cof_buf_add_str(out, "}\n");
    if (err != COF_OK)
        (void)cof_diag_set(diag, err, "the store cannot be counted");
    cof_disk_store_close(disk);
    return err;
}

enum cof_err do_status(struct cof_local_config *config, struct cof_diag *diag)
{
    struct cof_buf text;
    json_t *status = NULL;
    char path[4096];
    enum cof_err err;
    bool in_use;
    int fd;

    if (cof_local_is_new(config->data))
        return cof_diag_set(diag, COF_E_NOT_FOUND, "%s is not set up", config->data);
    if (!cof_local_path(path, config->data, "lock"))
        return COF_E_USAGE;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    in_use = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (fd >= 0)
        (void)close(fd);
    cof_buf_init(&text, 65536);
    err = in_use ? admin_ask(config->data, "GET", "/status", (struct cof_view){0}, &text, diag) : ask_store(config->data, &text, diag);
    if (in_use && err == COF_E_NOT_FOUND) { /* another verb has it, or a server that just begins or ends */
        (void)puts(config->json ? "{\"serving\":false,\"inUse\":true}" : "in use");
        err = COF_OK;
    } else if (err == COF_OK && config->json) {
        (void)fputs(cof_buf_cstr(&text), stdout);
    } else if (err == COF_OK) {
        err = cof_json_parse_object(cof_buf_view(&text), 65536, &status, diag);
        if (err == COF_OK)
            print_words(status);
    }
    json_decref(status);
    cof_buf_done(&text);
    return err;
}
