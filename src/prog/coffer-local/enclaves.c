/* SPDX-License-Identifier: Apache-2.0 */
#include "enclaves.h"
#include "vm.h"

#include "base/codec.h"
#include "engine/measure.h"
#include "format/json.h"
#include "format/pem.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/http_server.h"
#include "io/process.h"
#include "standin/hv_store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX ((size_t)512 << 20)
#define IMAGE_MAX ((size_t)4 << 30)
#define MEMORY_MIB_MIN 64
#define MEMORY_MIB_MAX 65536
#define REQUEST_MAX 65536
#define N_FILES 3 /* enclave, configuration, processor */

#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

struct enclave {
    struct enclaves *all;
    struct enclave *prev, *next;
    char id[24];
    struct cof_process *process; /* of a program that was measured; */
    struct vm *vm;               /* or the machine that runs an image */
    struct cof_hv_enclave *hv;
    struct cof_image_pcrs pcrs;
    struct cof_watch nsm;  /* our end of its NSM channel */
    struct cof_buf request; /* bytes of it so far */
};

struct enclaves {
    struct cof_loop *loop;
    struct cof_local *local;
    struct cof_hv *hv;
    struct cof_http_server *server;
    struct enclave *list;
    const char *monitor; /* NULL: images cannot be run */
    char data[PATH_MAX]; /* absolute */
    unsigned next_id;
};

static enum cof_err failed(struct cof_diag *diag, const char *what)
{
    int error = errno;

    return cof_diag_set(diag, cof_err_from_errno(error), "%s: %s", what, strerror(error));
}

/* Whole, read-only and unchangeable from here on: what is measured is what runs. */
static enum cof_err seal_file(const char *path, const char *name, int *fd, struct cof_diag *diag)
{
    const unsigned seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
    struct cof_buf bytes;
    struct cof_view rest;
    enum cof_err err;

    cof_buf_init(&bytes, FILE_MAX);
    *fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    err = *fd < 0 ? failed(diag, "memfd") : cof_file_read(path, &bytes, diag);
    rest = cof_buf_view(&bytes);
    while (err == COF_OK && rest.len > 0) {
        ssize_t n = write(*fd, rest.data, rest.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            err = failed(diag, path);
        else
            rest = cof_view_sub(rest, (size_t)n, SIZE_MAX);
    }
    if (err == COF_OK && (fcntl(*fd, F_ADD_SEALS, seals) != 0 || lseek(*fd, 0, SEEK_SET) != 0))
        err = failed(diag, path);
    cof_buf_done(&bytes);
    return err;
}

static enum cof_err map_file(int fd, struct cof_view *out)
{
    struct stat st;
    void *p;

    *out = (struct cof_view){0};
    if (fstat(fd, &st) != 0)
        return COF_E_IO;
    if (st.st_size == 0)
        return COF_OK;
    p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return COF_E_MEMORY;
    *out = cof_view_of(p, (size_t)st.st_size);
    return COF_OK;
}

/* The image's sections (docs/decisions/0001): kernel = the enclave's program, no command line, an empty first ramdisk, then
 * configuration and processor. */
static enum cof_err measure(const int fds[static N_FILES], struct cof_image_pcrs *out)
{
    struct cof_view files[N_FILES] = {{0}}, ramdisks[N_FILES] = {{0}};
    struct cof_image_parts parts = {.ramdisks = ramdisks, .n_ramdisks = N_FILES};
    enum cof_err err = COF_OK;

    for (int i = 0; err == COF_OK && i < N_FILES; i++)
        err = map_file(fds[i], &files[i]);
    parts.kernel = files[0];
    ramdisks[1] = files[1];
    ramdisks[2] = files[2];
    if (err == COF_OK)
        err = cof_measure_image(&parts, out);
    for (int i = 0; i < N_FILES; i++)
        if (files[i].len > 0)
            (void)munmap((void *)(uintptr_t)files[i].data, files[i].len);
    return err;
}

static enum cof_err seal_files(const char *const paths[static N_FILES], int fds[static N_FILES], struct cof_diag *diag)
{
    static const char *const names[N_FILES] = {"coffer-enclave", "configuration", "processor"};
    enum cof_err err = COF_OK;

    for (int i = 0; i < N_FILES; i++)
        fds[i] = -1;
    for (int i = 0; err == COF_OK && i < N_FILES; i++)
        err = seal_file(paths[i], names[i], &fds[i], diag);
    return err;
}

static void close_files(const int fds[static N_FILES])
{
    for (int i = 0; i < N_FILES; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
}

static void add_pcrs(struct cof_buf *json, const struct cof_image_pcrs *pcrs)
{
    char hex[3][2 * COF_PCR_SIZE + 1];

    cof_hex_encode(pcrs->pcr0, COF_PCR_SIZE, hex[0]);
    cof_hex_encode(pcrs->pcr1, COF_PCR_SIZE, hex[1]);
    cof_hex_encode(pcrs->pcr2, COF_PCR_SIZE, hex[2]);
    cof_buf_printf(json, "{\"PCR0\":\"%s\",\"PCR1\":\"%s\",\"PCR2\":\"%s\"}", hex[0], hex[1], hex[2]);
}

enum cof_err enclaves_measure(const char *enclave, const char *config, const char *processor, struct cof_diag *diag)
{
    const char *const paths[N_FILES] = {enclave, config, processor};
    struct cof_image_pcrs pcrs;
    struct cof_buf json;
    int fds[N_FILES];
    enum cof_err err = seal_files(paths, fds, diag);

    cof_buf_init(&json, 4096);
    if (err == COF_OK)
        err = measure(fds, &pcrs);
    if (err == COF_OK) {
        add_pcrs(&json, &pcrs);
        (void)printf("%s\n", cof_buf_cstr(&json));
    }
    close_files(fds);
    cof_buf_done(&json);
    return err;
}

static void drop(struct enclave *e)
{
    struct enclaves *all = e->all;

    cof_process_free(e->process);
    vm_free(e->vm);
    cof_hv_enclave_free(e->hv);
    if (e->nsm.fd >= 0) {
        cof_loop_unwatch(all->loop, &e->nsm);
        (void)close(e->nsm.fd);
        e->nsm.fd = -1;
    }
    if (e->prev != NULL)
        e->prev->next = e->next;
    else if (all->list == e)
        all->list = e->next;
    if (e->next != NULL)
        e->next->prev = e->prev;
    cof_buf_done(&e->request);
    cof_loop_discard(all->loop, e);
}

static void on_ended(void *ctx, struct cof_process *process, int code, int signal)
{
    struct enclave *e = ctx;

    (void)process;
    (void)fprintf(stderr, "coffer-local: enclave %s ended (%s %d)\n", e->id, signal != 0 ? "signal" : "exit code",
                  signal != 0 ? signal : code);
    drop(e);
}

/* One NSM message: u32 length, CBOR; the answer in the same form. The enclave is hostile: a wrong length ends the channel. */
static bool answer_nsm(struct enclave *e)
{
    struct cof_view in = cof_buf_view(&e->request), request;
    uint32_t length;
    struct cof_buf out, framed;
    bool ok;

    if (cof_take_u32(&in, &length) != COF_OK)
        return true;
    if (length == 0 || length > COF_NSM_REQUEST_MAX)
        return false;
    if (cof_take(&in, length, &request) != COF_OK)
        return true;
    cof_buf_init(&out, COF_NSM_RESPONSE_MAX + 65536);
    cof_buf_init(&framed, COF_NSM_RESPONSE_MAX + 65536);
    ok = cof_hv_handle(e->hv, request, cof_clock_wall_ms(), &out) == COF_OK;
    cof_buf_add_u32(&framed, (uint32_t)out.len);
    cof_buf_add(&framed, cof_buf_view(&out));
    ok = ok && cof_buf_err(&framed) == COF_OK &&
         send(e->nsm.fd, framed.data, framed.len, MSG_NOSIGNAL) == (ssize_t)framed.len;
    cof_buf_drop(&e->request, 4 + (size_t)length);
    cof_buf_done(&out);
    cof_buf_done(&framed);
    return ok;
}

static void on_nsm(struct cof_watch *watch, unsigned events)
{
    struct enclave *e = OWNER(watch, struct enclave, nsm);
    ssize_t n;
    bool ok = cof_buf_reserve(&e->request, 4096) == COF_OK;

    (void)events;
    n = ok ? recv(watch->fd, e->request.data + e->request.len, 4096, 0) : -1;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        e->request.len += (size_t)n;
        ok = answer_nsm(e);
    }
    if (n <= 0 || !ok) {
        cof_loop_unwatch(e->all->loop, watch);
        (void)close(watch->fd);
        watch->fd = -1;
    }
}

static enum cof_err start_process(struct enclave *e, const int files[static N_FILES], int nsm, const char *log,
                                  struct cof_diag *diag)
{
    static const char *const argv[] = {"coffer-enclave", NULL};
    struct cof_process_fd fds[5] = {{nsm, 3}, {files[1], 4}, {files[2], 5}};
    struct cof_process_opts opts = {.exec_fd = files[0], .argv = argv, .fds = fds, .n_fds = 3, .dir = "/",
                                    .die_with_us = true, .exited = on_ended, .ctx = e};
    int console = -1;
    enum cof_err err;

    if (log != NULL) {
        console = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (console < 0)
            return failed(diag, log);
        fds[opts.n_fds++] = (struct cof_process_fd){console, 2};
    }
    err = cof_process_start(e->all->loop, &opts, &e->process, diag);
    if (console >= 0)
        (void)close(console);
    return err;
}

struct launch {
    const char *paths[N_FILES];
    const char *image, *vsock; /* in their place: an enclave image, and where its connections come out */
    uint64_t memory_mib;
    const char *log, *role_arn, *instance_id;
    bool debug;
};

static void enlist(struct enclave *e)
{
    struct enclaves *all = e->all;

    e->next = all->list;
    if (all->list != NULL)
        all->list->prev = e;
    all->list = e;
}

static struct enclave *new_enclave(struct enclaves *all)
{
    struct enclave *e = calloc(1, sizeof *e);

    if (e == NULL)
        return NULL;
    e->all = all;
    e->nsm = (struct cof_watch){.ready = on_nsm, .fd = -1};
    cof_buf_init(&e->request, COF_NSM_REQUEST_MAX + 8192);
    (void)snprintf(e->id, sizeof e->id, "enc-%u", ++all->next_id);
    return e;
}

static enum cof_err vm_nsm(void *ctx, struct cof_view request, struct cof_buf *response)
{
    return cof_hv_handle(((struct enclave *)ctx)->hv, request, cof_clock_wall_ms(), response);
}

static enum cof_err check_image(const struct cof_image *image, struct cof_diag *diag)
{
    if (!image->crc_right)
        return cof_diag_set(diag, COF_E_AUTH, "the image's CRC is wrong: it was damaged");
    if (image->signature == COF_IMAGE_SIGNATURE_BAD)
        return cof_diag_set(diag, COF_E_AUTH, "the image's signature does not hold");
    return COF_OK;
}

/* An image: measured, and run in a virtual machine. */
static enum cof_err launch_image(struct enclaves *all, const struct launch *l, struct enclave **out, struct cof_diag *diag)
{
    struct enclave *e = new_enclave(all);
    struct cof_hv_launch hv = {.role_arn = l->role_arn, .instance_id = l->instance_id, .debug = l->debug};
    struct cof_image image = {0};
    struct cof_buf file;
    char dir[5000];
    enum cof_err err = e == NULL ? COF_E_MEMORY : COF_OK;

    *out = NULL;
    cof_buf_init(&file, IMAGE_MAX);
    if (err == COF_OK && all->monitor == NULL)
        err = cof_diag_set(diag, COF_E_CONFIG, "images are run only with 'coffer-local serve --vmm'");
    if (err == COF_OK)
        err = cof_file_read(l->image, &file, diag);
    if (err == COF_OK)
        err = cof_image_read(cof_buf_view(&file), &image, diag);
    if (err == COF_OK)
        err = check_image(&image, diag);
    if (err == COF_OK) {
        e->pcrs = image.pcrs;
        err = cof_hv_launch_measured(all->hv, &e->pcrs, &hv, cof_clock_wall_ms(), &e->hv);
    }
    if (err == COF_OK) {
        (void)snprintf(dir, sizeof dir, "%s/%s", all->data, e->id);
        err = vm_start(all->loop, &(struct vm_opts){.monitor = all->monitor, .dir = dir, .vsock = l->vsock,
            .console = l->log != NULL ? l->log : "/dev/null", .memory_mib = l->memory_mib, .eif = &image.eif, .nsm = vm_nsm,
            .exited = on_ended, .ctx = e}, &e->vm, diag);
    }
    cof_image_done(&image);
    cof_buf_done(&file);
    if (err != COF_OK) {
        if (e != NULL)
            drop(e);
        return err;
    }
    enlist(e);
    *out = e;
    return COF_OK;
}

static enum cof_err launch(struct enclaves *all, const struct launch *l, struct enclave **out, struct cof_diag *diag)
{
    struct enclave *e = new_enclave(all);
    struct cof_hv_launch hv = {.role_arn = l->role_arn, .instance_id = l->instance_id, .debug = l->debug};
    int files[N_FILES] = {-1, -1, -1}, pair[2] = {-1, -1};
    enum cof_err err;

    *out = NULL;
    if (e == NULL)
        return COF_E_MEMORY;
    err = seal_files(l->paths, files, diag);
    if (err == COF_OK)
        err = measure(files, &e->pcrs);
    if (err == COF_OK)
        err = cof_hv_launch_measured(all->hv, &e->pcrs, &hv, cof_clock_wall_ms(), &e->hv);
    if (err == COF_OK && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        err = failed(diag, "socket pair");
    if (err == COF_OK)
        err = start_process(e, files, pair[1], l->log, diag);
    if (pair[1] >= 0)
        (void)close(pair[1]);
    e->nsm.fd = pair[0];
    if (err == COF_OK && fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0)
        err = failed(diag, "socket pair");
    if (err == COF_OK)
        err = cof_loop_watch(all->loop, &e->nsm, COF_READABLE);
    close_files(files);
    if (err != COF_OK) {
        drop(e);
        return err;
    }
    enlist(e);
    *out = e;
    return COF_OK;
}

static void add_enclave(struct cof_buf *json, const struct enclave *e)
{
    cof_buf_printf(json, "{\"id\":\"%s\",\"pid\":%d,\"simulated\":true,\"pcrs\":", e->id, (int)(e->vm != NULL ? vm_pid(e->vm) : cof_process_pid(e->process)));
    add_pcrs(json, &e->pcrs);
    cof_buf_add_str(json, "}");
}

static void reply(struct cof_xchg *x, int status, struct cof_view json)
{
    struct cof_headers headers;

    cof_headers_init(&headers);
    cof_headers_add_str(&headers, "Content-Type", "application/json");
    cof_xchg_reply(x, status, &headers, json);
    cof_headers_done(&headers);
}

static void refuse(struct cof_xchg *x, int status, const char *text)
{
    struct cof_buf json;

    cof_buf_init(&json, 4096);
    cof_buf_add_str(&json, "{");
    cof_json_add_member(&json, "error", cof_view_str(text));
    cof_buf_add_str(&json, "}\n");
    reply(x, status, cof_buf_view(&json));
    cof_buf_done(&json);
}

static const char *text_of(const json_t *o, const char *name)
{
    return json_string_value(json_object_get(o, name));
}

static void post(struct enclaves *all, struct cof_xchg *x, struct cof_view body)
{
    struct launch l = {0};
    struct cof_diag diag = {0};
    struct cof_buf json;
    struct enclave *e;
    json_t *o;
    enum cof_err err = cof_json_parse_object(body, REQUEST_MAX, &o, &diag);

    if (err != COF_OK) {
        refuse(x, 400, diag.text);
        return;
    }
    l.paths[0] = text_of(o, "enclave");
    l.paths[1] = text_of(o, "config");
    l.paths[2] = text_of(o, "processor");
    l.image = text_of(o, "image");
    l.vsock = text_of(o, "vsock");
    l.memory_mib = (uint64_t)json_integer_value(json_object_get(o, "memory_mib"));
    l.log = text_of(o, "log");
    l.role_arn = text_of(o, "role_arn");
    l.instance_id = text_of(o, "instance_id");
    l.debug = json_is_true(json_object_get(o, "debug"));
    if (l.image != NULL ? l.vsock == NULL || l.memory_mib < MEMORY_MIB_MIN || l.memory_mib > MEMORY_MIB_MAX
                        : l.paths[0] == NULL || l.paths[1] == NULL || l.paths[2] == NULL) {
        refuse(x, 400, "\"enclave\", \"config\" and \"processor\" name files; or \"image\" and \"vsock\" do, with \"memory_mib\" of 64 to 65536");
    } else if ((err = l.image != NULL ? launch_image(all, &l, &e, &diag) : launch(all, &l, &e, &diag)) != COF_OK) {
        refuse(x, 422, diag.text[0] != '\0' ? diag.text : cof_err_text(err));
    } else {
        cof_buf_init(&json, 4096);
        add_enclave(&json, e);
        reply(x, 201, cof_buf_view(&json));
        cof_buf_done(&json);
    }
    json_decref(o);
}

static void list(struct enclaves *all, struct cof_xchg *x)
{
    struct cof_buf json;

    cof_buf_init(&json, 1 << 20);
    cof_buf_add_str(&json, "{\"enclaves\":[");
    for (struct enclave *e = all->list; e != NULL; e = e->next) {
        add_enclave(&json, e);
        if (e->next != NULL)
            cof_buf_add_str(&json, ",");
    }
    cof_buf_add_str(&json, "]}\n");
    reply(x, 200, cof_buf_view(&json));
    cof_buf_done(&json);
}

static void delete(struct enclaves *all, struct cof_xchg *x, struct cof_view id)
{
    for (struct enclave *e = all->list; e != NULL; e = e->next)
        if (cof_view_eq_str(id, e->id)) {
            drop(e);
            reply(x, 200, COF_LIT("{\"state\":\"terminated\"}\n"));
            return;
        }
    refuse(x, 404, "no such enclave");
}

static void on_head(void *ctx, struct cof_xchg *x)
{
    struct cof_buf *body = calloc(1, sizeof *body);

    (void)ctx;
    if (body == NULL) {
        refuse(x, 503, "out of memory");
        return;
    }
    cof_buf_init(body, REQUEST_MAX);
    cof_xchg_set_user(x, body);
}

static void on_body(void *ctx, struct cof_xchg *x, struct cof_view piece)
{
    (void)ctx;
    cof_buf_add(cof_xchg_user(x), piece);
}

static void on_end(void *ctx, struct cof_xchg *x)
{
    const struct cof_http_head *head = cof_xchg_head(x);

    if (cof_view_eq(head->path, COF_LIT("/enclaves")) && cof_view_eq(head->method, COF_LIT("POST")))
        post(ctx, x, cof_buf_view(cof_xchg_user(x)));
    else if (cof_view_eq(head->path, COF_LIT("/enclaves")) && cof_view_eq(head->method, COF_LIT("GET")))
        list(ctx, x);
    else if (cof_view_starts(head->path, COF_LIT("/enclaves/")) && cof_view_eq(head->method, COF_LIT("DELETE")))
        delete(ctx, x, cof_view_sub(head->path, strlen("/enclaves/"), SIZE_MAX));
    else
        refuse(x, 404, "POST, GET /enclaves or DELETE /enclaves/ID");
}

static void on_writable(void *ctx, struct cof_xchg *x)
{
    (void)ctx;
    (void)x;
}

static void on_closed(void *ctx, struct cof_xchg *x, enum cof_err why)
{
    struct cof_buf *body = cof_xchg_user(x);

    (void)ctx;
    (void)why;
    cof_buf_done(body);
    free(body);
}

/* DIR/tls/hypervisor-root.pem: what verifiers of the simulated enclaves pin. */
static enum cof_err write_root(const struct cof_hv *hv, const char *data, struct cof_diag *diag)
{
    struct cof_buf pem;
    char path[4096];
    enum cof_err err = cof_local_path(path, data, "tls/hypervisor-root.pem") ? COF_OK : COF_E_USAGE;

    cof_buf_init(&pem, 65536);
    cof_pem_add_certificate(&pem, cof_hv_root(hv));
    if (err == COF_OK)
        err = cof_local_tls(data, diag);
    if (err == COF_OK)
        err = cof_file_write(path, cof_buf_view(&pem), 0644, diag);
    cof_buf_done(&pem);
    return err;
}

enum cof_err enclaves_new(struct cof_loop *loop, struct cof_local *local, const char *data, const char *monitor,
                          struct enclaves **out, struct cof_diag *diag)
{
    struct enclaves *all = calloc(1, sizeof *all);
    struct cof_http_server_opts opts = {
        .listen = {.kind = COF_ADDR_UNIX},
        .handler = {on_head, on_body, on_end, on_writable, on_closed, all},
        .limits = {.body_bytes = REQUEST_MAX, .connections = 64},
    };
    enum cof_err err;

    *out = NULL;
    if (all == NULL)
        return COF_E_MEMORY;
    all->loop = loop;
    all->local = local;
    all->monitor = monitor;
    if (realpath(data, all->data) == NULL) {
        free(all);
        return failed(diag, data);
    }
    if (snprintf(opts.listen.host, sizeof opts.listen.host, "%s/hypervisor.sock", data) > 100) {
        err = cof_diag_set(diag, COF_E_CONFIG, "%s: too long a path for the hypervisor's socket", data);
        cof_diag_hint(diag, "use a data directory whose path has at most 80 characters");
    } else {
        err = cof_hv_open(local->standin, cof_clock_wall_ms(), &all->hv);
    }
    if (err == COF_OK)
        err = write_root(all->hv, data, diag);
    if (err == COF_OK)
        err = cof_http_server_new(loop, &opts, &all->server, diag);
    if (err != COF_OK) {
        enclaves_free(all);
        return err;
    }
    *out = all;
    return COF_OK;
}

void enclaves_free(struct enclaves *enclaves)
{
    if (enclaves == NULL)
        return;
    while (enclaves->list != NULL)
        drop(enclaves->list);
    cof_http_server_free(enclaves->server);
    cof_hv_free(enclaves->hv);
    free(enclaves);
}
