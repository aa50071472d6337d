/* SPDX-License-Identifier: Apache-2.0
 *
 * Uses every AWS client call once against the services that the environment names, and says so in TAP. Arguments: bucket,
 * key ARN, queue URL, account. Run by aws_moto_test.py.
 */
#include "client/kms.h"
#include "client/kms_manage.h"
#include "client/queue.h"
#include "client/s3.h"
#include "client/session.h"
#include "client/sts.h"
#include "io/clock.h"
#include "io/rng_os.h"

#include <stdio.h>
#include <string.h>

#define STREAMED 1500000

static int n_tests;

static void tell(enum cof_err err, bool right, const char *what, const struct cof_diag *diag)
{
    n_tests++;
    printf("%s %d - %s\n", err == COF_OK && right ? "ok" : "not ok", n_tests, what);
    if (err != COF_OK || !right)
        printf("# %s: %s (%s)\n", cof_err_name(err), diag->text, diag->hint);
}

struct source {
    size_t at;
};

static enum cof_err pull(void *ctx, size_t want, struct cof_buf *out)
{
    struct source *s = ctx;

    for (; want > 0 && s->at < STREAMED; want--, s->at++)
        cof_buf_add_u8(out, (uint8_t)(s->at * 7));
    return COF_OK;
}

static enum cof_err count(void *ctx, const struct cof_s3_entry *entry)
{
    (void)entry;
    ++*(int *)ctx;
    return COF_OK;
}

/* The key has a blank, and nothing else to be encoded: moto 5.2 refuses the SDKs' own signatures for more. */
static void try_s3(struct cof_aws *aws, const char *bucket)
{
    struct cof_s3_put put = {.bucket = cof_view_str(bucket), .key = COF_LIT("a b/c~d.txt"), .body = COF_LIT("hello"),
                             .create_only = true, .attributes.content_type = COF_LIT("text/plain")};
    struct cof_s3_get get = {.bucket = put.bucket, .key = put.key};
    struct source source = {0};
    struct cof_s3_pipe pipe = {.source = pull, .ctx = &source};
    struct cof_s3_object object;
    struct cof_diag diag = {0};
    struct cof_buf body;
    enum cof_err err = cof_s3_run_put(aws, &put, NULL, &object, &diag);
    bool right = true;
    int n = 0;

    cof_buf_init(&body, (size_t)4 << 20);
    tell(err, object.etag[0] == '"', "S3: small put", &diag);
    err = cof_s3_run_put(aws, &put, NULL, &object, &diag);
    tell(err == COF_E_PRECONDITION ? COF_OK : COF_E_BUG, true, "S3: create-only refuses what is there", &diag);
    err = cof_s3_run_get_whole(aws, &get, &body, &object, &diag);
    tell(err, cof_view_eq_str(cof_buf_view(&body), "hello") && strcmp(object.content_type, "text/plain") == 0, "S3: get", &diag);
    err = cof_s3_run_head(aws, &get, &object, &diag);
    tell(err, object.size == 5, "S3: head", &diag);
    put.key = COF_LIT("streamed");
    put.streaming = true;
    put.length = STREAMED;
    put.sse.mode = COF_SSE_S3;
    err = cof_s3_run_put(aws, &put, &pipe, &object, &diag);
    tell(err, object.sse == COF_SSE_S3, "S3: streamed put, signed chunks, checksum as trailer", &diag);
    get.key = put.key;
    cof_buf_reset(&body);
    err = cof_s3_run_get_whole(aws, &get, &body, &object, &diag);
    right = body.len == STREAMED;
    for (size_t i = 0; right && i < STREAMED; i++)
        right = body.data[i] == (uint8_t)(i * 7);
    tell(err, right, "S3: the same bytes come back", &diag);
    err = cof_s3_run_list(aws, put.bucket, COF_LIT(""), COF_LIT(""), count, &n, &diag);
    tell(err, n == 2, "S3: list", &diag);
    err = cof_s3_run_delete(aws, put.bucket, COF_LIT("streamed"), (struct cof_view){0}, &diag);
    tell(err, true, "S3: delete", &diag);
    err = cof_s3_run_head(aws, &get, &object, &diag);
    tell(err == COF_E_NOT_FOUND ? COF_OK : COF_E_BUG, true, "S3: what was deleted is not found", &diag);
    cof_buf_done(&body);
}

static void try_kms(struct cof_aws *aws, const char *key_arn)
{
    const struct cof_pair context[] = {{COF_LIT("tenant"), COF_LIT("t1")}, {COF_LIT("job"), COF_LIT("\xc3\xa9\"\\")}};
    struct cof_kms_key_use use = {.key_arn = cof_view_str(key_arn), .context = context, .n_context = 2};
    struct cof_kms_reply made, opened;
    struct cof_diag diag = {0};
    enum cof_err err = cof_kms_run_generate_data_key(aws, &use, &made, &diag);

    tell(err, true, "KMS: generate data key", &diag);
    if (err != COF_OK)
        return;
    err = cof_kms_run_decrypt(aws, &use, cof_buf_view(&made.blob), &opened, &diag);
    tell(err, cof_view_eq(cof_buf_view(&made.plaintext), cof_buf_view(&opened.plaintext)), "KMS: decrypt gives it again", &diag);
    cof_kms_reply_done(&opened);
    use.n_context = 1;
    err = cof_kms_run_decrypt(aws, &use, cof_buf_view(&made.blob), &opened, &diag);
    tell(cof_err_class(err) == COF_CLASS_AUTH ? COF_OK : COF_E_BUG, true, "KMS: another context is refused", &diag);
    cof_kms_reply_done(&made);
    err = cof_kms_run_encrypt(aws, &use, COF_LIT("secret"), &made, &diag);
    tell(err, made.blob.len > 0, "KMS: encrypt", &diag);
    cof_kms_reply_done(&made);
}

static void try_kms_management(struct cof_aws *aws, const char *key_arn)
{
    static const char changed[] = "{\"Version\":\"2012-10-17\",\"Id\":\"\xc3\xa9\\n\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"},\"Action\":\"kms:*\",\"Resource\":\"*\"}]}";
    struct cof_kms_key_facts facts;
    struct cof_diag diag = {0};
    struct cof_buf policy;
    enum cof_err err = cof_kms_run_describe_key(aws, cof_view_str(key_arn), &facts, &diag);

    cof_buf_init(&policy, COF_KMS_KEY_POLICY_MAX);
    tell(err, facts.by_customer && strcmp(facts.state, "Enabled") == 0 && strcmp(facts.arn, key_arn) == 0, "KMS: describe key", &diag);
    err = cof_kms_run_get_key_policy(aws, cof_view_str(key_arn), &policy, &diag);
    tell(err, policy.len > 0 && policy.data[0] == '{', "KMS: get key policy", &diag);
    err = cof_kms_run_put_key_policy(aws, cof_view_str(key_arn), cof_view_str(changed), &diag);
    tell(err, true, "KMS: put key policy", &diag);
    cof_buf_reset(&policy);
    err = cof_kms_run_get_key_policy(aws, cof_view_str(key_arn), &policy, &diag);
    tell(err, cof_view_eq_str(cof_buf_view(&policy), changed), "KMS: the policy that was put comes back", &diag);
    err = cof_kms_run_get_key_policy(aws, COF_LIT("alias/x"), &policy, &diag);
    tell(err == COF_E_CONFIG ? COF_OK : COF_E_BUG, true, "KMS: an alias is not asked for", &diag);
    cof_buf_done(&policy);
}

static void try_sqs(struct cof_aws *aws, const char *url)
{
    struct cof_queue_opts opts = {.aws = aws, .url = url, .wait_s = 1, .visibility_s = 30};
    struct cof_queue_events events = {0};
    struct cof_queue_message *message = NULL;
    struct cof_queue *queue;
    struct cof_diag diag = {0};
    enum cof_err err = cof_sqs_run_send(aws, cof_view_str(url), COF_LIT("{\"job\":\"\xc3\xa9\\n\"}"), &diag);

    tell(err, true, "SQS: send", &diag);
    err = cof_queue_new(&opts, &events, &queue);
    if (err == COF_OK)
        err = cof_queue_next(queue, 20000, &message, &diag);
    tell(err, message != NULL && cof_view_eq_str(cof_queue_message_body(message), "{\"job\":\"\xc3\xa9\\n\"}") &&
                  cof_queue_message_count(message) == 1, "SQS: receive", &diag);
    if (message != NULL)
        tell(cof_queue_message_run_delete(message, &diag), true, "SQS: delete", &diag);
    err = queue != NULL ? cof_queue_next(queue, 1500, &message, &diag) : COF_E_BUG;
    tell(err == COF_E_NOT_FOUND ? COF_OK : COF_E_BUG, true, "SQS: what was deleted does not come back", &diag);
    cof_queue_free(queue);
}

int main(int argc, char **argv)
{
    struct cof_session session;
    struct cof_session_opts opts = {.env = &cof_env_process, .resolve = cof_resolve_literal, .rng = &cof_rng_os,
                                    .now_ms = cof_clock_wall_ms};
    struct cof_diag diag = {0};
    enum cof_err err;

    if (argc != 5 || cof_loop_new(&opts.loop) != COF_OK)
        return 2;
    err = cof_session_open(&session, &opts, &diag);
    if (err == COF_OK)
        err = cof_sts_run_check_account(&session.aws, cof_view_str(argv[4]), &diag);
    tell(err, true, "STS: the account is the expected one", &diag);
    if (err == COF_OK) {
        printf("# credentials from %s\n", cof_credentials_origin(session.credentials));
        try_s3(&session.aws, argv[1]);
        try_kms(&session.aws, argv[2]);
        try_kms_management(&session.aws, argv[2]);
        try_sqs(&session.aws, argv[3]);
        cof_buf_truncate(&session.aws.credentials.secret_access_key, 5);
        err = cof_sts_run_check_account(&session.aws, cof_view_str(argv[4]), &diag);
        tell(err == COF_E_DENIED ? COF_OK : COF_E_BUG, true, "a wrong secret is refused", &diag);
        cof_session_close(&session);
    }
    printf("1..%d\n", n_tests);
    cof_loop_free(opts.loop);
    return 0;
}
