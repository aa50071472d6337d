/* SPDX-License-Identifier: Apache-2.0 */
#include "vm.h"

#include "format/nsm.h"
#include "io/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_MAX_HERE 16

struct vm {
    struct cof_vhost *nsm;
    struct cof_process *monitor;
    char dir[4096];
};

static enum cof_err path_of(const struct vm *vm, const char *name, char out[static 4096 + NAME_MAX_HERE], struct cof_diag *diag)
{
    int n = snprintf(out, 4096 + NAME_MAX_HERE, "%s/%s", vm->dir, name);

    return n > 0 && n < 4096 ? COF_OK : cof_diag_set(diag, COF_E_USAGE, "%s: the path is too long", vm->dir);
}

/* All ramdisks one after another: Linux unpacks such a chain as one. */
static enum cof_err write_ramdisks(const char *path, const struct cof_eif *eif, struct cof_diag *diag)
{
    const struct cof_eif_section *ramdisk;
    struct cof_file_out out;
    enum cof_err err = cof_file_out_open(&out, path, 0600, diag);

    if (err != COF_OK)
        return err;
    for (size_t i = 0; err == COF_OK && (ramdisk = cof_eif_find(eif, COF_EIF_RAMDISK, i)) != NULL; i++)
        err = cof_file_out_write(&out, ramdisk->data, diag);
    if (err == COF_OK)
        err = cof_file_out_commit(&out, diag);
    cof_file_out_close(&out);
    return err;
}

struct paths {
    char kernel[4096 + NAME_MAX_HERE], initrd[4096 + NAME_MAX_HERE], nsm[4096 + NAME_MAX_HERE];
};

static enum cof_err make_dir(const struct vm *vm, struct paths *p, const struct cof_eif *eif, struct cof_diag *diag)
{
    enum cof_err err = path_of(vm, "kernel", p->kernel, diag);

    if (err == COF_OK)
        err = path_of(vm, "initrd", p->initrd, diag);
    if (err == COF_OK)
        err = path_of(vm, "nsm.sock", p->nsm, diag);
    if (err == COF_OK && mkdir(vm->dir, 0700) != 0 && errno != EEXIST)
        err = cof_diag_set(diag, cof_err_from_errno(errno), "cannot make %s: %s", vm->dir, strerror(errno));
    if (err == COF_OK)
        err = cof_file_write(p->kernel, cof_eif_find(eif, COF_EIF_KERNEL, 0)->data, 0600, diag);
    return err == COF_OK ? write_ramdisks(p->initrd, eif, diag) : err;
}

static enum cof_err start_monitor(struct cof_loop *loop, const struct vm_opts *opts, const struct paths *p, struct vm *vm,
                                  struct cof_diag *diag)
{
    static const char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    struct cof_view text = cof_eif_find(opts->eif, COF_EIF_CMDLINE, 0)->data;
    char cmdline[COF_EIF_CMDLINE_MAX + 1], memory[24];
    const char *const argv[] = {opts->monitor, "--kernel", p->kernel, "--initrd", p->initrd, "--cmdline", cmdline, "--nsm", p->nsm,
        "--vsock", opts->vsock, "--memory-mib", memory, "--console", opts->console, NULL};
    struct cof_process_opts process = {.path = opts->monitor, .argv = argv, .envp = environment, .dir = vm->dir, .die_with_us = true,
        .exited = opts->exited, .ctx = opts->ctx};

    memcpy(cmdline, text.data, text.len);
    cmdline[text.len] = 0;
    if (strlen(cmdline) != text.len)
        return cof_diag_set(diag, COF_E_FORMAT, "the image's command line holds a NUL");
    (void)snprintf(memory, sizeof memory, "%llu", (unsigned long long)opts->memory_mib);
    return cof_process_start(loop, &process, &vm->monitor, diag);
}

enum cof_err vm_start(struct cof_loop *loop, const struct vm_opts *opts, struct vm **out, struct cof_diag *diag)
{
    struct vm *vm = calloc(1, sizeof *vm);
    struct paths *paths = calloc(1, sizeof *paths);
    enum cof_err err = vm == NULL || paths == NULL ? COF_E_MEMORY : COF_OK;

    *out = NULL;
    if (err == COF_OK && (size_t)snprintf(vm->dir, sizeof vm->dir, "%s", opts->dir) >= sizeof vm->dir)
        err = COF_E_USAGE;
    if (err == COF_OK)
        err = make_dir(vm, paths, opts->eif, diag);
    if (err == COF_OK)
        err = cof_vhost_open(loop, &(struct cof_vhost_opts){.path = paths->nsm, .request_max = COF_NSM_REQUEST_MAX,
            .response_max = COF_NSM_RESPONSE_MAX, .answer = opts->nsm, .ctx = opts->ctx}, &vm->nsm, diag);
    if (err == COF_OK)
        err = start_monitor(loop, opts, paths, vm, diag);
    free(paths);
    if (err != COF_OK) {
        vm_free(vm);
        return err;
    }
    *out = vm;
    return COF_OK;
}

pid_t vm_pid(const struct vm *vm)
{
    return cof_process_pid(vm->monitor);
}

void vm_free(struct vm *vm)
{
    static const char *const names[] = {"kernel", "initrd", "nsm.sock", "vsock.sock"}; /* the monitor makes the last */
    char path[4096 + NAME_MAX_HERE];

    if (vm == NULL)
        return;
    cof_process_free(vm->monitor);
    cof_vhost_close(vm->nsm);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (path_of(vm, names[i], path, NULL) == COF_OK)
            (void)unlink(path);
    (void)rmdir(vm->dir);
    free(vm);
}
