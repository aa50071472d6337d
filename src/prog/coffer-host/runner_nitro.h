/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs the enclave with AWS's nitro-cli, through a helper (nitro_helper.h): run-enclave, then describe-enclaves each time it is
 * looked at, and terminate-enclave. What is reported must be what was asked for: context, debug mode, and the measurements,
 * which are those of the image's file. Anything else is terminated. (It is the host's own care: whom the enclave must convince
 * reads the attestation document.)
 */
#ifndef COF_HOST_RUNNER_NITRO_H
#define COF_HOST_RUNNER_NITRO_H

#include "nitro_helper.h"
#include "runner.h"

struct runner_nitro_opts {
    int helper;                 /* the runner's from success on */
    uint32_t cid;
    bool debug;                 /* then its measurements are still those of the image, in nitro-cli's eyes */
    struct cof_image_pcrs pcrs;
    const struct cof_log *log;
    void (*lost)(void *ctx);    /* the helper does not work any more */
    void *ctx;
};
COF_MUST_USE enum cof_err runner_nitro_new(struct cof_loop *loop, const struct runner_nitro_opts *opts, struct runner **out);

#endif
