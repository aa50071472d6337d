/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of coffer-local: options, the manifest, the data directory, the server.
 */
#ifndef COF_PROG_LOCAL_H
#define COF_PROG_LOCAL_H

#include "io/audit_log.h"
#include "io/store.h"
#include "prog/options.h"
#include "standin/fault.h"
#include "standin/standin.h"

#include <jansson.h>

struct cof_local_config {
    const char *data;
    const char *manifest;
    struct cof_text_list set; /* NAME=VALUE for the manifest's holes */
    const char *listen;
    uint64_t ready_fd;        /* UINT64_MAX: standard output */
    bool plain, tls_only, sse_c_over_http, repair, json;
    const char *audit;        /* file; NULL: DIR/audit.jsonl */
    uint64_t audit_rotate;    /* bytes; 0: never */
    const char *client_ca;    /* PEM; NULL: no client certificates */
    const char *enclave, *config, *processor; /* files to measure */
    bool first_start;         /* serve has just set the data directory up */
    const char *metrics;      /* address they are served at, or NULL */
    const char *imds, *imds_role; /* address of the instance metadata service, and the instance's role; or NULL */
    char **args;              /* what stands on the command line beside options */
    const char *service, *operation, *latency, *code, *skew, *probability; /* of fault add */
    uint64_t status, cut_after, count, skip, seed;
    bool throttle, tamper;
    const char *vmm;          /* the program that runs enclave images, or NULL */
};

/* The manifest with its holes filled and its files read in; *out is the caller's. */
COF_MUST_USE enum cof_err cof_local_manifest(const struct cof_local_config *config, json_t **out, struct cof_diag *diag);

/* Warns on standard error of what nobody reads in the text, and of names that come twice. COF_E_CONFIG: it is no JSON, and diag says where and
 * what mends it. */
COF_MUST_USE enum cof_err cof_local_manifest_look(const char *path, struct cof_view text, struct cof_diag *diag);

/* What is open while a data directory is in use. */
struct cof_local {
    struct cof_disk_store *disk;
    struct cof_standin *standin;
    struct cof_secret master;
    char account[16], region[32];
    struct cof_audit_log *audit;
    struct cof_faults faults;
    struct cof_ecdsa_key *audit_key; /* signs it */
    void (*notify)(void *ctx, const char *wait_on, int64_t at_ms); /* set by the server */
    void *notify_ctx;
    struct cof_standin_aside aside_ops;
    struct cof_hash_aside *aside; /* the server's; NULL: MD5s are made where bytes come */
    struct cof_key_maker *keys; /* the server's; NULL: RSA keys are made at once */
    const char *marked; /* the data directory whose DIR/serving is ours, or NULL */
};

/* Opens DIR; with a manifest, fills an empty one and writes DIR/credentials. COF_E_NOT_FOUND when it is empty and no
 * manifest is given; COF_E_EXISTS when it is full and must_be_new. */
COF_MUST_USE enum cof_err cof_local_open(struct cof_local *local, const struct cof_local_config *config, json_t *manifest,
                                         bool must_be_new, struct cof_diag *diag);
void cof_local_close(struct cof_local *local);
/* Makes DIR/serving, which is there until cof_local_close: so the next start knows how this one ended. data is kept. */
COF_MUST_USE enum cof_err cof_local_mark(struct cof_local *local, const char *data, struct cof_diag *diag);
/* Removes everything that cof_local_open makes, certificates but excepted. */
COF_MUST_USE enum cof_err cof_local_reset(const char *data, struct cof_diag *diag);
bool cof_local_is_new(const char *data);
bool cof_local_path(char out[static 4096], const char *data, const char *name);

/* The services, in the order in which they are asked. */
extern const struct cof_service *const cof_local_services[];
extern const size_t cof_local_n_services;

/* Makes DIR/tls (the local authority and the server's certificate) when it is not there. */
COF_MUST_USE enum cof_err cof_local_tls(const char *data, struct cof_diag *diag);

COF_MUST_USE enum cof_err cof_local_serve(struct cof_local *local, const struct cof_local_config *config, struct cof_diag *diag);

#endif
