/* SPDX-License-Identifier: Apache-2.0
 *
 * The first process of an enclave image. The kernel starts it with nothing: it mounts what is needed, loads the modules that
 * the image lists, waits for the security module, sees that randomness and time come from the hypervisor and that there is
 * no network device, and starts the enclave proper as its child. When that ends, the machine does.
 *
 *   /etc/modules            paths of kernel modules, one a line, in order; absent where the kernel has all built in
 *   /coffer/config.json     the configuration        /coffer/processor   the processor's program
 *
 * All of it is in the image's ramdisks, and so measured.
 */
#ifndef COF_ENCLAVE_INIT_H
#define COF_ENCLAVE_INIT_H

#include "base/log.h"

/* Returns in the child, with the descriptors in place that an enclave is started with (3 NSM, 4 configuration, 5 processor);
 * or in the first process itself, with an error. */
COF_MUST_USE enum cof_err init_start(const struct cof_log *log, struct cof_diag *diag);
/* Ends the machine. */
_Noreturn void init_end(void);

#endif
