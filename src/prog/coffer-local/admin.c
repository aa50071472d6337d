/* SPDX-License-Identifier: Apache-2.0 */
#include "admin.h"

#include "base/num.h"
#include "format/json.h"
#include "io/file.h"
#include "io/http_server.h"
#include "standin/fault.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST_MAX 65536
#define ANSWER_MAX ((size_t)1 << 20)
#define COPY_MAX ((size_t)1 << 30)

struct admin {
    struct admin_opts opts;
    struct cof_http_server *server;
};

struct asked {
    struct admin *admin;
    struct cof_xchg *x;
    struct cof_buf body;
};

static void answer(struct cof_xchg *x, int status, struct cof_buf *json)
{
    struct cof_headers headers;

    cof_headers_init(&headers);
    cof_headers_add_str(&headers, "Content-Type", "application/json");
    cof_buf_add_str(json, "\n");
    cof_xchg_reply(x, cof_buf_err(json) == COF_OK ? status : 500, &headers, cof_buf_view(json));
    cof_headers_done(&headers);
}

static void refuse(struct asked *a, int status, const char *text)
{
    struct cof_buf json;

    cof_buf_init(&json, 4096);
    cof_buf_add_str(&json, "{");
    cof_json_add_member(&json, "error", cof_view_str(text));
    cof_buf_add_str(&json, "}");
    answer(a->x, status, &json);
    cof_buf_done(&json);
}

static enum cof_err copy_file(const char *data, const char *target, const char *name, struct cof_diag *diag)
{
    char from[4096], to[4096];
    struct cof_buf bytes;
    struct stat st;
    enum cof_err err;

    if (!cof_local_path(from, data, name) || !cof_local_path(to, target, name))
        return COF_E_USAGE;
    if (stat(from, &st) != 0 || !S_ISREG(st.st_mode))
        return COF_OK;
    cof_buf_init_secret(&bytes, COPY_MAX);
    err = cof_file_read(from, &bytes, diag);
    if (err == COF_OK)
        err = cof_file_write(to, cof_buf_view(&bytes), st.st_mode & 0777, diag);
    cof_buf_done(&bytes);
    return err;
}

/* The plain files of a folder. */
static enum cof_err copy_folder(const char *data, const char *target, const char *folder, struct cof_diag *diag)
{
    char path[4096], name[4096];
    const struct dirent *entry;
    enum cof_err err = COF_OK;
    DIR *dir;

    if (!cof_local_path(path, data, folder))
        return COF_E_USAGE;
    dir = opendir(path);
    if (dir == NULL)
        return errno == ENOENT ? COF_OK : cof_err_from_errno(errno);
    if (folder[0] != '\0' && (!cof_local_path(path, target, folder) || (mkdir(path, 0700) != 0 && errno != EEXIST)))
        err = cof_diag_set(diag, COF_E_IO, "cannot make %s: %s", path, strerror(errno));
    while (err == COF_OK && (entry = readdir(dir)) != NULL) {
        bool wanted = folder[0] != '\0' || strncmp(entry->d_name, "audit", 5) == 0;

        if (entry->d_name[0] == '.' || !wanted)
            continue;
        err = snprintf(name, sizeof name, "%s%s%s", folder, folder[0] == '\0' ? "" : "/", entry->d_name) < (int)sizeof name ?
            copy_file(data, target, name, diag) : COF_E_USAGE;
    }
    (void)closedir(dir);
    return err;
}

enum cof_err admin_backup(struct cof_local *local, const char *data, const char *target, struct cof_diag *diag)
{
    enum cof_err err;

    if (mkdir(target, 0700) != 0)
        return cof_diag_set(diag, errno == EEXIST ? COF_E_EXISTS : cof_err_from_errno(errno), "cannot make %s: %s", target, strerror(errno));
    err = cof_file_sync_folder(target);
    if (err != COF_OK)
        return cof_diag_set(diag, err, "cannot keep %s: %s", target, strerror(errno));
    err = cof_disk_store_backup(local->disk, target, diag);
    if (err == COF_OK)
        err = copy_folder(data, target, "", diag);
    if (err == COF_OK)
        err = copy_folder(data, target, "credentials", diag);
    if (err == COF_OK)
        err = copy_folder(data, target, "tls", diag);
    if (err == COF_OK)
        err = copy_file(data, target, "master.key", diag);
    return err == COF_OK ? copy_file(data, target, "ready", diag) : err; /* last: without it the copy is no data directory */
}

static void on_backup(struct asked *a)
{
    const struct admin_opts *o = &a->admin->opts;
    struct cof_diag diag = {.text = ""};
    struct cof_view target;
    struct cof_buf json;
    json_t *in = NULL;
    char *path = NULL;
    enum cof_err err = cof_json_parse_object(cof_buf_view(&a->body), REQUEST_MAX, &in, &diag);

    if (err == COF_OK)
        err = cof_json_text(in, "target", &target, &diag);
    if (err == COF_OK && (path = strndup((const char *)target.data, target.len)) == NULL)
        err = COF_E_MEMORY;
    if (err == COF_OK)
        err = o->commit(o->ctx);
    if (err == COF_OK)
        err = admin_backup(o->local, o->data, path, &diag);
    if (err != COF_OK) {
        refuse(a, cof_err_class(err) == COF_CLASS_FORMAT ? 400 : 500, diag.text[0] != '\0' ? diag.text : cof_err_text(err));
    } else {
        cof_buf_init(&json, 8192);
        cof_buf_add_str(&json, "{");
        cof_json_add_member(&json, "target", cof_view_str(path));
        cof_buf_add_str(&json, "}");
        answer(a->x, 200, &json);
        cof_buf_done(&json);
    }
    free(path);
    json_decref(in);
}

static void on_fault(struct asked *a, struct cof_view method, struct cof_view rest)
{
    struct cof_faults *faults = &a->admin->opts.local->faults;
    struct cof_diag diag = {.text = ""};
    struct cof_buf json;
    json_t *script = NULL;
    uint64_t number = 0;
    unsigned id = 0;
    enum cof_err err = COF_OK;

    cof_buf_init(&json, ANSWER_MAX);
    if (cof_view_eq_str(method, "GET")) {
        cof_faults_list(faults, &json);
        answer(a->x, 200, &json);
    } else if (cof_view_eq_str(method, "POST")) {
        err = cof_json_parse_object(cof_buf_view(&a->body), REQUEST_MAX, &script, &diag);
        if (err == COF_OK)
            err = cof_faults_add(faults, script, &id, &diag);
        if (err != COF_OK) {
            refuse(a, 400, diag.text);
        } else {
            cof_buf_printf(&json, "{\"id\":%u}", id);
            answer(a->x, 201, &json);
        }
        json_decref(script);
    } else if (rest.len > 1 && cof_parse_u64(cof_view_sub(rest, 1, SIZE_MAX), UINT32_MAX, &number) != COF_OK) {
        refuse(a, 404, "that is no fault's number");
    } else if (!cof_faults_clear(faults, (unsigned)number)) {
        refuse(a, 404, "there is no fault of that number");
    } else {
        cof_buf_add_str(&json, "{}");
        answer(a->x, 200, &json);
    }
    cof_buf_done(&json);
}

static void on_status(struct asked *a)
{
    struct cof_buf json;

    cof_buf_init(&json, ANSWER_MAX);
    cof_buf_add_str(&json, "{\"serving\":true");
    a->admin->opts.describe(a->admin->opts.ctx, &json);
    cof_buf_add_str(&json, "}");
    answer(a->x, 200, &json);
    cof_buf_done(&json);
}

static void on_head(void *ctx, struct cof_xchg *x)
{
    struct asked *a = calloc(1, sizeof *a);

    if (a == NULL) {
        cof_xchg_reply(x, 503, NULL, COF_LIT(""));
        return;
    }
    a->admin = ctx;
    a->x = x;
    cof_buf_init(&a->body, REQUEST_MAX);
    cof_xchg_set_user(x, a);
}

static void on_body(void *ctx, struct cof_xchg *x, struct cof_view piece)
{
    struct asked *a = cof_xchg_user(x);

    (void)ctx;
    if (a != NULL)
        cof_buf_add(&a->body, piece);
}

static void on_end(void *ctx, struct cof_xchg *x)
{
    struct asked *a = cof_xchg_user(x);
    const struct cof_http_head *head = cof_xchg_head(x);
    bool post = cof_view_eq_str(head->method, "POST"), get = cof_view_eq_str(head->method, "GET"), del = cof_view_eq_str(head->method, "DELETE");

    (void)ctx;
    if (a == NULL)
        return;
    if (get && cof_view_eq_str(head->path, "/status"))
        on_status(a);
    else if (post && cof_view_eq_str(head->path, "/backup"))
        on_backup(a);
    else if ((get || post || del) && cof_view_starts(head->path, COF_LIT("/faults")))
        on_fault(a, head->method, cof_view_sub(head->path, 7, SIZE_MAX));
    else
        refuse(a, 404, "there is no such call");
}

static void on_writable(void *ctx, struct cof_xchg *x)
{
    (void)ctx;
    (void)x;
}

static void on_closed(void *ctx, struct cof_xchg *x, enum cof_err why)
{
    struct asked *a = cof_xchg_user(x);

    (void)ctx;
    (void)why;
    if (a == NULL)
        return;
    cof_buf_done(&a->body);
    cof_loop_discard(a->admin->opts.loop, a);
}

enum cof_err admin_new(const struct admin_opts *given, struct admin **out, struct cof_diag *diag)
{
    struct admin *admin = calloc(1, sizeof *admin);
    struct cof_http_server_opts opts = {.listen = {.kind = COF_ADDR_UNIX},
        .handler = {on_head, on_body, on_end, on_writable, on_closed, admin}, .limits = {.body_bytes = REQUEST_MAX, .connections = 16}};
    mode_t mask;
    enum cof_err err;

    *out = NULL;
    if (admin == NULL)
        return COF_E_MEMORY;
    admin->opts = *given;
    if (snprintf(opts.listen.host, sizeof opts.listen.host, "%s/admin.sock", given->data) > 100)
        err = cof_diag_set(diag, COF_E_CONFIG, "%s: too long a path for the admin socket", given->data);
    else {
        mask = umask(0177);
        err = cof_http_server_new(given->loop, &opts, &admin->server, diag);
        (void)umask(mask);
    }
    if (err != COF_OK) {
        admin_free(admin);
        return err;
    }
    *out = admin;
    return COF_OK;
}

void admin_free(struct admin *admin)
{
    if (admin == NULL)
        return;
    cof_http_server_free(admin->server);
    free(admin);
}

/* The answer's head is parsed, and its body is what follows until the end. */
static enum cof_err read_answer(int fd, struct cof_buf *out, struct cof_diag *diag)
{
    struct cof_http_head head;
    struct cof_buf raw;
    struct cof_view body;
    json_t *json = NULL;
    size_t used;
    enum cof_err err;

    cof_buf_init(&raw, ANSWER_MAX + 65536);
    err = cof_file_read_fd(fd, "the admin socket", &raw, diag);
    if (err == COF_OK)
        err = cof_http1_response(cof_buf_view(&raw), 65536, false, &head, &used);
    if (err != COF_OK) {
        cof_buf_done(&raw);
        return cof_diag_set(diag, err, "the server's answer cannot be read");
    }
    body = cof_view_sub(cof_buf_view(&raw), used, SIZE_MAX);
    if (head.status >= 300) {
        err = COF_E_REMOTE;
        if (cof_json_parse_object(body, ANSWER_MAX, &json, NULL) == COF_OK && json_is_string(json_object_get(json, "error")))
            (void)cof_diag_set(diag, err, "%s", json_string_value(json_object_get(json, "error")));
        json_decref(json);
    } else {
        cof_buf_add(out, body);
        err = cof_buf_err(out);
    }
    cof_http1_head_done(&head);
    cof_buf_done(&raw);
    return err;
}

enum cof_err admin_ask(const char *data, const char *method, const char *path, struct cof_view body, struct cof_buf *out, struct cof_diag *diag)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct cof_buf request;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    enum cof_err err = COF_OK;

    if (fd < 0 || snprintf(un.sun_path, sizeof un.sun_path, "%s/admin.sock", data) >= (int)sizeof un.sun_path ||
        connect(fd, (const struct sockaddr *)&un, sizeof un) != 0) {
        if (fd >= 0)
            (void)close(fd);
        return cof_diag_set(diag, COF_E_NOT_FOUND, "%s is not being served", data);
    }
    cof_buf_init(&request, REQUEST_MAX);
    cof_buf_printf(&request, "%s %s HTTP/1.1\r\nHost: admin\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", method, path, body.len);
    cof_buf_add(&request, body);
    err = cof_buf_err(&request);
    if (err == COF_OK && send(fd, request.data, request.len, MSG_NOSIGNAL) != (ssize_t)request.len)
        err = cof_diag_set(diag, COF_E_IO, "cannot write to the admin socket: %s", strerror(errno));
    if (err == COF_OK)
        err = read_answer(fd, out, diag);
    cof_buf_done(&request);
    (void)close(fd);
    return err;
}
