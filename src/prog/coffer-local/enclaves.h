/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated hypervisor's control socket, DIR/hypervisor.sock: HTTP over a Unix socket, for coffer-host.
 *
 *   POST /enclaves {"enclave":FILE,"config":FILE,"processor":FILE,"log":FILE,"role_arn":ARN,"instance_id":ID,"debug":false}
 *        -> 201 {"id","pid","simulated":true,"pcrs":{"PCR0":...}}
 *   or    {"image":FILE,"vsock":PATH,"memory_mib":256,...}: an enclave image, run in a virtual machine (vm.h)
 *   GET /enclaves -> 200 {"enclaves":[...]}        DELETE /enclaves/ID -> 200
 *
 * The files are read once into sealed memory, measured there, and those bytes are executed (docs/decisions/0001). The enclave
 * gets three descriptors: 3 its NSM, 4 its configuration, 5 the processor's program.
 */
#ifndef COF_LOCAL_ENCLAVES_H
#define COF_LOCAL_ENCLAVES_H

#include "local.h"

#include "io/loop.h"

struct enclaves;

/* monitor: the program that runs images, or NULL; kept. */
COF_MUST_USE enum cof_err enclaves_new(struct cof_loop *loop, struct cof_local *local, const char *data, const char *monitor,
                                       struct enclaves **out, struct cof_diag *diag);
void enclaves_free(struct enclaves *enclaves); /* ends every enclave; takes NULL */

/* `coffer-local measure`: prints PCR0, PCR1 and PCR2 as JSON. */
COF_MUST_USE enum cof_err enclaves_measure(const char *enclave, const char *config, const char *processor,
                                           struct cof_diag *diag);

#endif
