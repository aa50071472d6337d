/* SPDX-License-Identifier: Apache-2.0
 *
 * A lane takes one job after the other. An enclave has as many as it may have jobs in work at once, each on a thread of its own, so
 * that one waits for S3, KMS and the queue while another computes. A lane shares nothing that changes but what is in lane_common:
 * loop, connections, credentials, keys and processor are its own. The first is the main thread's, and whoever starts the enclave
 * makes them all ready there, one after the other, before any thread runs.
 */
#ifndef COF_ENCLAVE_LANE_H
#define COF_ENCLAVE_LANE_H

#include "work.h"

#include "client/credentials.h"
#include "client/queue.h"
#include "io/nsm_dev.h"
#include "io/process.h"

#include <pthread.h>
#include <stdatomic.h>

enum { FD_NSM = 3, FD_CONFIG = 4, FD_PROCESSOR = 5 };

struct lane_common {
    const struct config *config;
    const struct cof_log *log;        /* a line is one write */
    struct telemetry *telemetry;      /* the first lane's loop's; the others post to it */
    struct telemetry_state state;     /* atomic */
    uint8_t processor_sha256[32];
    atomic_bool ending;               /* a lane is of no more use: the others end after the job that they have */
    atomic_uint n_running;            /* threads beside the first */
    struct { /* one call at a time */
        pthread_mutex_t lock;
        struct cof_nsm *nsm;
    } module;
};

struct lane {
    struct lane_common *common;
    struct cof_loop *loop;
    struct cof_tls_ctx *tls;
    struct cof_http_client *outside, *inside;
    struct cof_aws aws;
    struct cof_aws_settings settings;
    struct cof_credentials *credentials;
    char checked_key[129]; /* the access key id whose account was checked */
    bool checking;
    struct cof_process *child;
    struct cof_queue *queue;
    struct worker worker;
    bool child_ended;
};

/* The module, for one call; takes the lock. */
COF_MUST_USE enum cof_err lane_call_nsm(void *common, struct cof_view request, struct cof_buf *out);

/* The lane's processor: before the system is closed. The loop must be there. */
COF_MUST_USE enum cof_err lane_start_processor(struct lane *lane, struct cof_diag *diag);
/* Connections, and the way to credentials, whose account is checked with the first call. */
COF_MUST_USE enum cof_err lane_open_clients(struct lane *lane, struct cof_diag *diag);
/* The receipts' signer and the first recipient key. */
COF_MUST_USE enum cof_err lane_make_keys(struct lane *lane);
COF_MUST_USE enum cof_err lane_open_queue(struct lane *lane);

/* Works until its processor is of no more use, or another lane's. */
void lane_serve(struct lane *lane);
/* The same on a thread of its own. COF_E_MEMORY when there is none to be had. */
COF_MUST_USE enum cof_err lane_run(struct lane *lane);

#endif
