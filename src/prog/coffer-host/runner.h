/* SPDX-License-Identifier: Apache-2.0
 *
 * Starts one enclave, tells whether it runs, ends it: by the simulated hypervisor's control socket (runner_local.c) or by
 * AWS's nitro-cli (runner_nitro.c). One thing is asked at a time; each is answered by one piece of news.
 */
#ifndef COF_HOST_RUNNER_H
#define COF_HOST_RUNNER_H

#include "base/log.h"
#include "engine/measure.h"
#include "io/dial.h"
#include "io/loop.h"

enum runner_news {
    NEWS_STARTED,     /* text: what it is, JSON */
    NEWS_NOT_STARTED, /* text: why */
    NEWS_RUNS,
    NEWS_GONE,        /* it has ended */
    NEWS_UNKNOWN,     /* text: why it could not be found out */
    NEWS_ENDED,       /* as was asked, or it was gone already */
};

struct runner {
    void (*start)(struct runner *runner);
    void (*look)(struct runner *runner);
    void (*end)(struct runner *runner);
    void (*free)(struct runner *runner); /* what is asked is dropped */
    const char *(*id)(const struct runner *runner); /* "" while none was started */
    /* The asker's. */
    void (*told)(void *ctx, enum runner_news news, struct cof_view text);
    void *ctx;
};

/* Of the simulation on this machine. */
struct runner_local_opts {
    struct cof_addr hypervisor;               /* its control socket */
    const char *enclave, *config, *processor; /* files; or, in their place, */
    const char *image, *vsock;                /* an enclave image, and where its connections come out */
    uint64_t memory_mib;                      /* of an image */
    const char *log_file, *role_arn;          /* may be NULL */
    bool debug;
};
COF_MUST_USE enum cof_err runner_local_new(struct cof_loop *loop, const struct runner_local_opts *opts, struct runner **out);

#endif
