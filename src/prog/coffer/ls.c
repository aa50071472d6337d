/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer ls: buckets, objects, versions.
 */
#include "common.h"
#include "verbs.h"

#include "base/date.h"
#include "client/s3.h"
#include "format/json.h"

#include <stdio.h>

#define PROG "coffer ls"

struct config {
    struct aws_options aws;
    bool recursive, versions, json, human;
};
static const struct cof_option options[] = {
    {"recursive", 'r', COF_OPT_FLAG, NULL, "all keys below the prefix, not just the next level", offsetof(struct config, recursive)},
    {"versions", 0, COF_OPT_FLAG, NULL, "all versions and delete markers", offsetof(struct config, versions)},
    {"human", 'H', COF_OPT_FLAG, NULL, "sizes as 1.5M", offsetof(struct config, human)},
    {"json", 0, COF_OPT_FLAG, NULL, "one JSON object a line", offsetof(struct config, json)},
    AWS_OPTIONS(struct config),
};
static const struct cof_command command = {
    .name = "ls",
    .args = "[s3://BUCKET/[PREFIX]]",
    .summary = "Lists buckets, or the objects below a prefix.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 0,
    .max_args = 1,
};

struct task {
    const struct config *config;
    size_t n;
    bool is_buckets;
};

static void print_size(uint64_t bytes, bool human)
{
    static const char units[] = "KMGTP";
    double v = (double)bytes;
    int unit = -1;

    for (; human && v >= 1024 && unit < 4; unit++)
        v /= 1024;
    if (unit < 0)
        (void)printf(" %12llu ", (unsigned long long)bytes);
    else
        (void)printf(" %11.1f%c ", v, units[unit]);
}

static enum cof_err print_json(const struct task *t, const struct cof_s3_entry *e, const char *date)
{
    struct cof_buf out;
    enum cof_err err;

    cof_buf_init(&out, 65536);
    cof_buf_add_str(&out, "{");
    cof_json_add_member(&out, t->is_buckets ? "bucket" : e->is_prefix ? "prefix" : "key", e->key);
    if (!e->is_prefix) {
        if (!t->is_buckets && !e->is_delete_marker)
            cof_json_add_member_int(&out, "bytes", (int64_t)e->size);
        cof_json_add_member(&out, "modified", cof_view_str(date));
        if (e->etag.len > 0)
            cof_json_add_member(&out, "etag", e->etag);
    }
    if (t->config->versions) {
        cof_json_add_member(&out, "version_id", e->version_id);
        cof_buf_printf(&out, ",\"is_latest\":%s,\"is_delete_marker\":%s", e->is_latest ? "true" : "false",
                       e->is_delete_marker ? "true" : "false");
    }
    cof_buf_add_str(&out, "}");
    err = cof_buf_err(&out);
    if (err == COF_OK)
        (void)printf("%s\n", cof_buf_cstr(&out));
    cof_buf_done(&out);
    return err;
}

static enum cof_err print_entry(void *ctx, const struct cof_s3_entry *e)
{
    struct task *t = ctx;
    char date[COF_DATE_MAX] = "";

    t->n++;
    if (!e->is_prefix)
        cof_date_iso_seconds(e->modified_ms, date);
    if (t->config->json)
        return print_json(t, e, date);
    if (e->is_prefix)
        (void)printf("%-20s %12s ", "", "PREFIX");
    else if (e->is_delete_marker)
        (void)printf("%-20s %12s ", date, "DELETED");
    else if (t->is_buckets)
        (void)printf("%-20s ", date);
    else {
        (void)printf("%-20s", date);
        print_size(e->size, t->config->human);
    }
    if (t->config->versions) {
        print_name(e->version_id);
        (void)printf(" %s ", e->is_latest ? "*" : " ");
    }
    print_name(e->key);
    (void)printf("\n");
    return COF_OK;
}

static enum cof_err run(const void *options_given, char **args, struct cof_diag *diag)
{
    struct task t = {.config = options_given, .is_buckets = args[0] == NULL};
    struct aws_use aws = {0};
    struct cof_view bucket = {0}, key = {0};
    struct cof_view delimiter = t.config->recursive ? (struct cof_view){0} : COF_LIT("/");
    enum cof_err err = t.is_buckets ? COF_OK : s3_url_split(args[0], &bucket, &key, diag);

    if (err == COF_OK)
        err = aws_open(&aws, &t.config->aws, diag);
    if (err == COF_OK && t.is_buckets)
        err = cof_s3_run_list_buckets(&aws.session.aws, print_entry, &t, diag);
    else if (err == COF_OK && t.config->versions)
        err = cof_s3_run_list_versions(&aws.session.aws, bucket, key, print_entry, &t, diag);
    else if (err == COF_OK)
        err = cof_s3_run_list(&aws.session.aws, bucket, key, delimiter, print_entry, &t, diag);
    aws_close(&aws);
    if (err == COF_OK && t.n == 0 && key.len > 0)
        err = cof_diag_set(diag, COF_E_NOT_FOUND, "%s: nothing is there", args[0]);
    return err;
}

static int run_ls(int argc, char **argv)
{
    struct config config = {0};

    return verb_run(PROG, &command, &config, run, argc, argv);
}

const struct verb verb_ls = {"ls", &command, run_ls};
