/* SPDX-License-Identifier: Apache-2.0
 *
 * Many files to or from S3 side by side: the list of them, the requests they share, progress, and what is said of each.
 */
#ifndef COF_COFFER_BATCH_H
#define COF_COFFER_BATCH_H

#include "common.h"

#include "client/s3_receive.h"
#include "prog/progress.h"

struct batch_options {
    uint64_t jobs, part_size, rate;
    struct cof_text_list include, exclude;
    bool recursive, dry_run, json, quiet, no_resume;
};
#define BATCH_OPTIONS_DEFAULT {.jobs = 8}

#define FILTER_OPTIONS(type)                                                                                                  \
    {"recursive", 'r', COF_OPT_FLAG, NULL, "folders, or prefixes, with all that is below", offsetof(type, batch.recursive)},  \
    {"include", 0, COF_OPT_LIST, "GLOB", "with --recursive: only what matches one of these; repeatable",                      \
     offsetof(type, batch.include)},                                                                                          \
    {"exclude", 0, COF_OPT_LIST, "GLOB", "but nothing that matches one of these; repeatable", offsetof(type, batch.exclude)}, \
    {"dry-run", 'n', COF_OPT_FLAG, NULL, "say what would be done", offsetof(type, batch.dry_run)},                            \
    {"json", 0, COF_OPT_FLAG, NULL, "one JSON object a line", offsetof(type, batch.json)}
#define BATCH_OPTIONS(type)                                                                                                   \
    FILTER_OPTIONS(type),                                                                                                     \
    {"jobs", 'j', COF_OPT_NUMBER, "N", "requests at the same time, 1 to 64 (default 8)", offsetof(type, batch.jobs)},         \
    {"part-size", 0, COF_OPT_SIZE, "SIZE", "of large objects' parts (default 8M)", offsetof(type, batch.part_size)},          \
    {"limit-rate", 0, COF_OPT_SIZE, "SIZE", "at most so many bytes a second", offsetof(type, batch.rate)},                    \
    {"no-resume", 0, COF_OPT_FLAG, NULL, "begin anew, and keep nothing for going on later", offsetof(type, batch.no_resume)}, \
    {"quiet", 'q', COF_OPT_FLAG, NULL, "no progress, and only errors", offsetof(type, batch.quiet)}

struct batch_item {
    char *path, *key; /* owned */
    uint64_t size;    /* 0 when not known */
};

struct batch {
    const char *prog, *bucket_name; /* for messages */
    const struct batch_options *options;
    struct cof_aws *aws;
    struct cof_s3_lanes lanes;
    struct cof_pace pace;
    struct cof_progress progress;
    struct batch_item *items;
    size_t n, room, next, active, failed;
    /* Starts the transfer of one item, which later says batch_done. A failure is one of the item. */
    enum cof_err (*start)(struct batch *b, struct batch_item *item, struct cof_diag *diag);
    void (*pump)(struct batch *b); /* lanes are free for those under way */
    void *ctx;
    bool is_done, is_pumping;
    enum cof_err err;
    struct cof_diag *diag;
};

/* COF_E_USAGE for options that cannot be meant. */
COF_MUST_USE enum cof_err batch_init(struct batch *b, const char *prog, const struct batch_options *options,
                                     struct cof_diag *diag);
COF_MUST_USE enum cof_err batch_add(struct batch *b, const char *path, const char *key, uint64_t size); /* copied */
/* Whether --include and --exclude let it through: name is relative to what was asked for. */
bool batch_wants(const struct batch_options *options, const char *name);
/* Says so when the filters left nothing. */
void batch_note_empty(const struct batch *b);
/* Of a prefix: with nothing below it it was most likely another that was meant. COF_E_NOT_FOUND then; the whole of an empty bucket is none. */
COF_MUST_USE enum cof_err batch_empty(const struct batch *b, struct cof_view prefix, struct cof_diag *diag);
/* All of them. Of one item its error; of several each is told, and the last error comes back. */
COF_MUST_USE enum cof_err batch_run(struct batch *b, struct cof_aws *aws, struct cof_diag *diag);
/* An item is through. From the loop, or from within start. */
void batch_done_item(struct batch *b, const struct batch_item *item, enum cof_err err, const struct cof_diag *diag);
void batch_done(struct batch *b);

/* What is said of an item that went well: "TARGET (N bytes, sse-s3)", or JSON. extra: more members, or "". */
void batch_say(const struct batch *b, const char *from, const char *to, const struct cof_s3_object *object,
               const char *extra);

/* What --dry-run says of an item: "would copy FROM to TO", or {"would_copy":FROM,"to":TO}. */
void batch_say_would(const struct batch *b, const char *verb, const char *from, const char *to);

#endif
