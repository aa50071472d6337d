/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the files of coffer watch: watch.c sees files, seals them and decides what goes next; watch_send.c brings an entry of
 * the spool to S3, watch_submit.c to a gateway.
 */
#ifndef COF_COFFER_WATCH_H
#define COF_COFFER_WATCH_H

#include "gateway.h"
#include "spool.h"
#include "sse_options.h"

#include "client/s3_send.h"

struct watch_config {
    struct aws_options aws;
    struct sse_options sse;
    struct gateway_options gateway;
    struct seal_options seal, open;
    struct cof_text_list priorities, exclude;
    const char *spool, *type;
    uint64_t jobs, rate, quota, settle_s, retain_s;
    bool once, json, quiet;
};

struct watch {
    const struct watch_config *config;
    const char *folder;
    bool to_gateway;
    struct cof_view bucket, prefix;
    struct cof_loop *loop;
    struct aws_use aws;       /* to S3 */
    struct gateway gateway;   /* or there */
    struct gateway_options gateway_options;
    struct sse sse;
    struct sealing sealing, opening; /* opening: to a gateway */
    struct seal_options open_options;
    struct spool spool;
    struct cof_s3_lanes lanes;
    struct cof_pace pace;
    struct cof_watch notify, signals;
    struct cof_timer scan, send;
    unsigned link_failures, n_under_way;
    int64_t link_not_before_ms;
    bool is_told_full, is_done;
    bool wants_link;          /* credentials, or a token: seen to outside the loop's callbacks */
    bool is_awake;            /* is_done or wants_link */
    size_t n_sent, n_failed;
    struct watch_job *jobs;
    struct watch_submit *submits;
    uint8_t piece[65536];     /* of a submission, on its way */
    enum cof_err err;
};

/* A way for one entry. On failure nothing is under way. */
COF_MUST_USE enum cof_err watch_send(struct watch *w, struct spool_entry *entry, struct cof_diag *diag);
COF_MUST_USE enum cof_err watch_submit(struct watch *w, struct spool_entry *entry, struct cof_diag *diag);
void watch_send_cancel(struct watch *w); /* all of them; the next run goes on with them */
void watch_submit_cancel(struct watch *w);

/* Deletes the file that was sealed (as lstat saw it then), durably. Another that has its name by now stays. */
COF_MUST_USE enum cof_err watch_take_away(const char *path, const struct stat *sealed, struct cof_diag *diag);
/* Whether it was being taken away when an earlier run ended; then it gets its name back (in out). */
bool watch_was_taken(const char *path);
COF_MUST_USE enum cof_err watch_give_back(const char *path, char out[static 4096], struct cof_diag *diag);

/* What became of it; from the loop. text and json (members of an object) say it. */
void watch_sent(struct watch *w, struct spool_entry *entry, const char *text, const char *json);
void watch_failed(struct watch *w, struct spool_entry *entry, enum cof_err err, const struct cof_diag *diag);
/* A credential or token was refused, or is not there. */
void watch_wants_link(struct watch *w);
/* "…-ID.spool" */
void watch_entry_id(const struct spool_entry *entry, char out[static 33]);

#endif
