/* SPDX-License-Identifier: Apache-2.0
 *
 * For the demo and the tests: single AWS calls with the credentials of the environment, to show what an identity may and may
 * not do. No tool for users: they have the AWS CLI.
 *
 *   awsdo kms-decrypt KEY_ARN FILE.sealed     asks KMS to decrypt the message's data key, as anybody might, unattested
 *   awsdo s3-get BUCKET KEY FILE              awsdo s3-put FILE BUCKET KEY
 *   awsdo sqs-count QUEUE_URL                 prints how many messages are visible
 */
#include "client/kms.h"
#include "client/s3.h"
#include "client/session.h"
#include "engine/esdk_keys.h"
#include "format/json.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/rng_os.h"
#include "prog/options.h"

#include <stdio.h>
#include <string.h>

static enum cof_err kms_decrypt(struct cof_session *s, char **args, struct cof_diag *diag)
{
    struct cof_kms_key_use use = {.key_arn = cof_view_str(args[0])};
    struct cof_pair context[COF_ESDK_PAIRS_MAX];
    struct cof_esdk_limits limits = {0};
    struct cof_esdk_header h;
    struct cof_kms_reply reply;
    struct cof_buf bytes;
    size_t used;
    enum cof_err err;

    cof_buf_init(&bytes, (size_t)256 << 20);
    err = cof_file_read(args[1], &bytes, diag);
    if (err == COF_OK)
        err = cof_esdk_header_parse(cof_buf_view(&bytes), &limits, &h, &used);
    if (err == COF_OK) {
        for (size_t i = 0; i < h.n_pairs; i++)
            context[i] = (struct cof_pair){h.pairs[i].name, h.pairs[i].value};
        use.context = context;
        use.n_context = h.n_pairs;
        err = cof_kms_run_decrypt(&s->aws, &use, h.edks[0].ciphertext, &reply, diag);
        if (err == COF_OK) {
            (void)printf("got the data key\n");
            cof_kms_reply_done(&reply);
        }
    }
    cof_buf_done(&bytes);
    return err;
}

static enum cof_err s3_get(struct cof_session *s, char **args, struct cof_diag *diag)
{
    struct cof_s3_get get = {.bucket = cof_view_str(args[0]), .key = cof_view_str(args[1])};
    struct cof_s3_object object;
    struct cof_buf body;
    enum cof_err err;

    cof_buf_init(&body, (size_t)256 << 20);
    err = cof_s3_run_get_whole(&s->aws, &get, &body, &object, diag);
    if (err == COF_OK)
        err = cof_file_write(args[2], cof_buf_view(&body), 0600, diag);
    cof_buf_done(&body);
    return err;
}

static enum cof_err s3_put(struct cof_session *s, char **args, struct cof_diag *diag)
{
    struct cof_s3_put put = {.bucket = cof_view_str(args[1]), .key = cof_view_str(args[2])};
    struct cof_s3_object object;
    struct cof_buf body;
    enum cof_err err;

    cof_buf_init(&body, (size_t)256 << 20);
    err = cof_file_read(args[0], &body, diag);
    put.body = cof_buf_view(&body);
    if (err == COF_OK)
        err = cof_s3_run_put(&s->aws, &put, NULL, &object, diag);
    cof_buf_done(&body);
    return err;
}

static enum cof_err sqs_count(struct cof_session *s, char **args, struct cof_diag *diag)
{
    struct cof_aws_request request;
    struct cof_aws_reply reply;
    struct cof_view count;
    json_t *o = NULL;
    enum cof_err err;

    cof_aws_request_init(&request, COF_AWS_SQS, "POST");
    cof_buf_add_str(&request.path, "/");
    cof_headers_add_str(&request.headers, "Content-Type", "application/x-amz-json-1.0");
    cof_headers_add_str(&request.headers, "X-Amz-Target", "AmazonSQS.GetQueueAttributes");
    cof_buf_add_str(&request.body, "{\"AttributeNames\":[\"All\"]");
    cof_json_add_member(&request.body, "QueueUrl", cof_view_str(args[0]));
    cof_buf_add_str(&request.body, "}");
    request.replayable = true;
    err = cof_aws_run(&s->aws, &request, 65536, &reply, diag);
    if (err != COF_OK)
        return err;
    err = cof_json_parse_object(cof_buf_view(&reply.body), 65536, &o, diag);
    if (err == COF_OK)
        err = cof_json_text(json_object_get(o, "Attributes"), "ApproximateNumberOfMessages", &count, diag);
    if (err == COF_OK)
        (void)printf("%.*s\n", (int)count.len, (const char *)count.data);
    json_decref(o);
    cof_aws_reply_done(&reply);
    return err;
}

static const struct {
    const char *name;
    int n_args;
    enum cof_err (*run)(struct cof_session *s, char **args, struct cof_diag *diag);
} verbs[] = {{"kms-decrypt", 2, kms_decrypt}, {"s3-get", 3, s3_get}, {"s3-put", 3, s3_put}, {"sqs-count", 1, sqs_count}};

int main(int argc, char **argv)
{
    struct cof_session_opts opts = {.env = &cof_env_process, .resolve = cof_resolve_dns, .rng = &cof_rng_os,
                                    .now_ms = cof_clock_wall_ms};
    static struct cof_session session;
    struct cof_diag diag = {0};
    struct cof_loop *loop = NULL;
    enum cof_err err = cof_diag_set(&diag, COF_E_USAGE, "kms-decrypt, s3-get, s3-put or sqs-count");

    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (argc != verbs[i].n_args + 2 || strcmp(argv[1], verbs[i].name) != 0)
            continue;
        err = cof_loop_new(&loop);
        opts.loop = loop;
        if (err == COF_OK)
            err = cof_session_open(&session, &opts, &diag);
        if (err == COF_OK)
            err = verbs[i].run(&session, argv + 2, &diag);
        cof_session_close(&session);
        cof_loop_free(loop);
        break;
    }
    if (err != COF_OK)
        cof_fail("awsdo", err, &diag);
    return cof_exit_code(err);
}
