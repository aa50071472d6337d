/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer rm: deletes objects, or versions of them.
 */
#include "batch.h"
#include "listing.h"
#include "verbs.h"

#include "client/s3.h"
#include "format/json.h"

#include <stdio.h>
#include <string.h>

#define PROG "coffer rm"

struct config {
    struct aws_options aws;
    struct batch_options batch;
    const char *version;
};

static const struct cof_option options[] = {
    FILTER_OPTIONS(struct config),
    {"version-id", 0, COF_OPT_TEXT, "ID", "this version, for good", offsetof(struct config, version)},
    AWS_OPTIONS(struct config),
};
static const struct cof_command command = {
    .name = "rm",
    .args = "s3://BUCKET/KEY...",
    .summary = "Deletes objects; in a versioned bucket they can be brought back until their versions are deleted.",
    .details = "A KEY may be a glob (unless an object has just that name); with --recursive it is a prefix. An object that is not there counts as deleted, as with S3 "
               "itself.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 1,
    .max_args = -1,
};

static void say(const struct config *config, const char *word, struct cof_view bucket, const char *key)
{
    char url[1200];
    struct cof_buf out;

    (void)snprintf(url, sizeof url, "s3://%.*s/%s", (int)bucket.len, (const char *)bucket.data, key);
    if (!config->batch.json) {
        (void)printf("%s ", word);
        print_name(cof_view_str(url));
        (void)printf("\n");
        return;
    }
    cof_buf_init(&out, 16384);
    cof_buf_add_str(&out, "{");
    cof_json_add_member(&out, strcmp(word, "deleted") == 0 ? "deleted" : "would_delete", cof_view_str(url));
    cof_buf_add_str(&out, "}");
    (void)printf("%s\n", cof_buf_cstr(&out));
    cof_buf_done(&out);
}

static enum cof_err remove_all(const struct config *config, struct cof_aws *aws, const char *url, struct cof_diag *diag)
{
    struct batch list;
    struct cof_view bucket, key;
    enum cof_err err = batch_init(&list, PROG, &config->batch, diag);

    if (err == COF_OK)
        err = s3_url_split(url, &bucket, &key, diag);
    if (err == COF_OK && key.len == 0 && !config->batch.recursive)
        err = cof_diag_set(diag, COF_E_USAGE, "no key; --recursive deletes all of the bucket");
    if (err == COF_OK)
        err = listing_collect(&list, aws, bucket, key, diag);
    for (size_t i = 0; i < list.n && err == COF_OK; i++) {
        if (!config->batch.dry_run)
            err = cof_s3_run_delete(aws, bucket, cof_view_str(list.items[i].key), cof_view_str(config->version), diag);
        if (err == COF_OK)
            say(config, config->batch.dry_run ? "would delete" : "deleted", bucket, list.items[i].key);
    }
    batch_done(&list);
    return err;
}

static enum cof_err run(const void *options_given, char **args, struct cof_diag *diag)
{
    const struct config *config = options_given;
    struct aws_use aws = {0};
    enum cof_err err = COF_OK;

    if (config->version != NULL && (config->batch.recursive || args[1] != NULL))
        return cof_diag_set(diag, COF_E_USAGE, "--version-id is of one object");
    err = aws_open(&aws, &config->aws, diag);
    for (size_t i = 0; args[i] != NULL && err == COF_OK; i++)
        err = remove_all(config, &aws.session.aws, args[i], diag);
    aws_close(&aws);
    return err;
}

static int run_rm(int argc, char **argv)
{
    struct config config = {.batch = BATCH_OPTIONS_DEFAULT};

    return verb_run(PROG, &command, &config, run, argc, argv);
}

const struct verb verb_rm = {"rm", &command, run_rm};
