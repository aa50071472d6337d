/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer rewrap: S3 wraps the data keys of objects anew, under another KMS key. No byte of theirs moves, and what is sealed inside stays as
 * it is (docs/decisions/0014).
 */
#include "batch.h"
#include "listing.h"
#include "verbs.h"

#include "client/s3.h"
#include "engine/kms_call.h"
#include "format/json.h"

#include <stdio.h>
#include <string.h>

#define PROG "coffer rewrap"

struct config {
    struct aws_options aws;
    struct batch_options batch;
    const char *kms_key_arn;
    bool bucket_key, versions;
};

static const struct cof_option options[] = {
    FILTER_OPTIONS(struct config),
    {"kms-key-id", 'k', COF_OPT_TEXT, "ARN", "the key they shall be under, by its full ARN (required)", offsetof(struct config, kms_key_arn)},
    {"bucket-key", 0, COF_OPT_FLAG, NULL, "by a key of the bucket: one call to KMS for many objects", offsetof(struct config, bucket_key)},
    {"versions", 0, COF_OPT_FLAG, NULL, "all versions of all keys below the prefix, not the newest alone", offsetof(struct config, versions)},
    AWS_OPTIONS(struct config),
};
static const struct cof_command command = {
    .name = "rewrap",
    .args = "s3://BUCKET/KEY...",
    .summary = "Has S3 encrypt objects under another KMS key without moving them, from SSE-S3 or SSE-KMS.",
    .details = "Objects that are under the key already are left alone, so that the same command goes on where one ended. What S3 reports\n"
               "afterwards must be the key that was asked for. Objects under SSE-C or Object Lock cannot be changed so: they are told, the\n"
               "others are done, and the exit code is 1. It takes s3:UpdateObjectEncryption and s3:PutObject, and of KMS Decrypt with the old key,\n"
               "GenerateDataKey, Encrypt and ReEncrypt with the new one. Sealed messages inside keep the key that they were sealed under.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 1,
    .max_args = -1,
};

struct run {
    const struct config *config;
    struct cof_aws *aws;
    struct cof_view bucket;
    struct batch list; /* path: the version, or "" */
    uint64_t done, already, failed;
};

/* word: "rewrapped", "already", "would_rewrap"; from: what it was under. */
static void say(const struct run *r, const char *word, const struct batch_item *item, const char *from)
{
    struct cof_buf out;

    if (!r->config->batch.json) {
        (void)printf("%s s3://%.*s/", strcmp(word, "would_rewrap") == 0 ? "would rewrap" : word, (int)r->bucket.len, (const char *)r->bucket.data);
        print_name(cof_view_str(item->key));
        (void)printf("%s%s, from %s\n", item->path[0] != '\0' ? " version " : "", item->path, from);
        return;
    }
    cof_buf_init(&out, 65536);
    cof_buf_add_str(&out, "{");
    cof_json_add_member(&out, word, cof_view_str(item->key));
    if (item->path[0] != '\0')
        cof_json_add_member(&out, "version_id", cof_view_str(item->path));
    cof_json_add_member(&out, "from", cof_view_str(from));
    cof_buf_add_str(&out, "}");
    (void)printf("%s\n", cof_buf_cstr(&out));
    cof_buf_done(&out);
}

static enum cof_err head(const struct run *r, const struct batch_item *item, struct cof_s3_object *out, struct cof_diag *diag)
{
    struct cof_s3_get get = {.bucket = r->bucket, .key = cof_view_str(item->key), .version_id = cof_view_str(item->path), .head = true};

    return cof_s3_run_head(r->aws, &get, out, diag);
}

static bool is_under(const struct cof_s3_object *object, const char *arn)
{
    return object->sse == COF_SSE_KMS && strcmp(object->kms_key_id, arn) == 0;
}

static enum cof_err rewrap(struct run *r, const struct batch_item *item, struct cof_diag *diag)
{
    const struct config *config = r->config;
    struct cof_s3_object before, after;
    enum cof_err err = head(r, item, &before, diag);
    const char *from = err == COF_OK && before.sse == COF_SSE_KMS ? before.kms_key_id : err == COF_OK ? cof_sse_name(before.sse) : "";

    if (err == COF_OK && is_under(&before, config->kms_key_arn)) {
        r->already++;
        say(r, "already", item, from);
        return COF_OK;
    }
    if (err == COF_OK && config->batch.dry_run) {
        say(r, "would_rewrap", item, from);
        return COF_OK;
    }
    if (err == COF_OK)
        err = cof_s3_run_rewrap(r->aws, r->bucket, cof_view_str(item->key), cof_view_str(item->path), cof_view_str(config->kms_key_arn),
                                config->bucket_key, diag);
    if (err == COF_OK)
        err = head(r, item, &after, diag);
    if (err == COF_OK && !is_under(&after, config->kms_key_arn))
        err = cof_diag_set(diag, COF_E_AUTH, "S3 reports another encryption than was asked for");
    if (err == COF_OK && (strcmp(before.etag, after.etag) != 0 || before.size != after.size))
        err = cof_diag_set(diag, COF_E_AUTH, "the object was replaced meanwhile");
    if (err == COF_OK) {
        r->done++;
        say(r, "rewrapped", item, from);
    }
    return err;
}

static enum cof_err add_version(void *ctx, const struct cof_s3_entry *e)
{
    struct run *r = ctx;
    struct cof_buf key, version;
    enum cof_err err = COF_OK;

    if (e->is_delete_marker)
        return COF_OK;
    cof_buf_init(&key, 8192);
    cof_buf_init(&version, 1024);
    cof_buf_add(&key, e->key);
    cof_buf_add(&version, e->version_id);
    if (batch_wants(&r->config->batch, cof_buf_cstr(&key)))
        err = batch_add(&r->list, cof_buf_cstr(&version), cof_buf_cstr(&key), e->size);
    cof_buf_done(&key);
    cof_buf_done(&version);
    return err;
}

static enum cof_err collect(struct run *r, struct cof_view key, struct cof_diag *diag)
{
    enum cof_err err;

    if (r->config->versions)
        return cof_s3_run_list_versions(r->aws, r->bucket, key, add_version, r, diag);
    if (key.len == 0 && !r->config->batch.recursive)
        return cof_diag_set(diag, COF_E_USAGE, "no key; --recursive rewraps all of the bucket");
    err = listing_collect(&r->list, r->aws, r->bucket, key, diag);
    for (size_t i = 0; i < r->list.n && err == COF_OK; i++)
        r->list.items[i].path[0] = '\0'; /* the newest version */
    return err;
}

static enum cof_err one_argument(struct run *r, const char *url, struct cof_diag *diag)
{
    struct cof_view key;
    enum cof_err err = batch_init(&r->list, PROG, &r->config->batch, diag);

    if (err == COF_OK)
        err = s3_url_split(url, &r->bucket, &key, diag);
    if (err == COF_OK)
        err = collect(r, key, diag);
    for (size_t i = 0; i < r->list.n && err == COF_OK; i++) {
        struct cof_diag of_item = {0};
        enum cof_err failed = rewrap(r, &r->list.items[i], &of_item);

        if (failed == COF_OK)
            continue;
        r->failed++;
        if (r->list.n == 1) {
            *diag = of_item;
            err = failed;
        } else {
            (void)fprintf(stderr, PROG ": error: %s: %s\n", r->list.items[i].key, of_item.text[0] != '\0' ? of_item.text : cof_err_text(failed));
        }
    }
    batch_done(&r->list);
    return err;
}

static enum cof_err run(const void *options_given, char **args, struct cof_diag *diag)
{
    struct run r = {.config = options_given};
    struct aws_use aws = {0};
    enum cof_err err = COF_OK;

    if (r.config->kms_key_arn == NULL || !cof_kms_is_key_arn(cof_view_str(r.config->kms_key_arn)))
        return cof_diag_set(diag, COF_E_USAGE, "--kms-key-id must be a full key ARN, not an alias");
    err = aws_open(&aws, &r.config->aws, diag);
    r.aws = &aws.session.aws;
    for (size_t i = 0; args[i] != NULL && err == COF_OK; i++)
        err = one_argument(&r, args[i], diag);
    aws_close(&aws);
    if (err == COF_OK && !r.config->batch.json && !r.config->batch.dry_run)
        (void)fprintf(stderr, "%llu rewrapped, %llu were under that key already, %llu failed\n", (unsigned long long)r.done,
                      (unsigned long long)r.already, (unsigned long long)r.failed);
    if (err == COF_OK && r.failed > 0)
        err = cof_diag_set(diag, COF_E_IO, "%llu failed", (unsigned long long)r.failed);
    return err;
}

static int run_rewrap(int argc, char **argv)
{
    struct config config = {.batch = BATCH_OPTIONS_DEFAULT};

    return verb_run(PROG, &command, &config, run, argc, argv);
}

const struct verb verb_rewrap = {"rewrap", &command, run_rewrap};
