/* SPDX-License-Identifier: Apache-2.0
 *
 * An enclave image run in a virtual machine. The monitor is a program given by `serve --vmm` (deploy/vm/monitor starts QEMU);
 * it gets the very kernel, command line and ramdisks that were measured, and reaches the guest's security module here, by
 * vhost-user.
 *
 *   MONITOR --kernel FILE --initrd FILE --cmdline TEXT --nsm SOCKET --vsock PATH --memory-mib N --console FILE
 *
 * The monitor serves the guest's connections to its parent's port P at the Unix socket PATH_P, as Firecracker does.
 */
#ifndef COF_LOCAL_VM_H
#define COF_LOCAL_VM_H

#include "engine/image.h"
#include "io/process.h"
#include "io/vhost_user.h"

struct vm;

struct vm_opts {
    const char *monitor;
    const char *dir;     /* to be made, private, and removed at the end */
    const char *vsock, *console;
    uint64_t memory_mib;
    const struct cof_eif *eif; /* needed during the call only */
    enum cof_err (*nsm)(void *ctx, struct cof_view request, struct cof_buf *response);
    void (*exited)(void *ctx, struct cof_process *process, int code, int signal);
    void *ctx;
};

COF_MUST_USE enum cof_err vm_start(struct cof_loop *loop, const struct vm_opts *opts, struct vm **out, struct cof_diag *diag);
pid_t vm_pid(const struct vm *vm);
void vm_free(struct vm *vm); /* ends it; takes NULL */

#endif
