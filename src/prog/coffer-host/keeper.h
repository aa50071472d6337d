/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps one enclave running: asks the hypervisor to start it, looks after it, starts it again when it has ended (with a
 * growing pause), and ends it with the host.
 */
#ifndef COF_HOST_KEEPER_H
#define COF_HOST_KEEPER_H

#include "base/log.h"
#include "io/http_client.h"

struct keeper;

struct keeper_opts {
    struct cof_addr hypervisor;  /* its control socket */
    const char *enclave, *config, *processor; /* files; or, in their place, */
    const char *image, *vsock;   /* an enclave image, and where its connections come out */
    uint64_t memory_mib;         /* of an image */
    const char *log_file, *role_arn; /* may be NULL */
    bool debug;
    const struct cof_log *log;
    void (*started)(void *ctx, struct cof_view description); /* the hypervisor's JSON */
    void *ctx;
};
COF_MUST_USE enum cof_err keeper_new(struct cof_loop *loop, const struct keeper_opts *opts, struct keeper **out);
/* Ends the enclave (waits for the answer up to 2 s) and frees. */
void keeper_free(struct keeper *keeper);

#endif
