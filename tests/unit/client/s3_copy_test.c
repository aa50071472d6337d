/* SPDX-License-Identifier: Apache-2.0
 *
 * A copy within S3 against a scripted server: what is sent for one in one request and one in parts, a failure that comes with status 200,
 * a copy that is not what was asked for, and that nothing is left when a part fails.
 */
#include "world.h"

#include "client/s3_copy.h"

#define MIB ((uint64_t)1 << 20)
#define HEAD                                                                                                                       \
    "ETag: \"e1\"\nx-amz-server-side-encryption: aws:kms\nx-amz-server-side-encryption-aws-kms-key-id: " KEY_ARN                   \
    "\nx-amz-server-side-encryption-bucket-key-enabled: true\nContent-Type: image/x\nx-amz-meta-camera: 7\nx-amz-tagging-count: 2" \
    "\nx-amz-checksum-crc64nvme: rosUhgp5mIg=\n"
#define KMS "x-amz-server-side-encryption: aws:kms\nx-amz-server-side-encryption-aws-kms-key-id: " KEY_ARN "\n"
#define COPIED(sum) "<CopyObjectResult><ETag>\"e2\"</ETag><ChecksumCRC64NVME>" sum "</ChecksumCRC64NVME></CopyObjectResult>"
#define BUSY "<Error><Code>InternalError</Code></Error>"
#define CREATED "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
#define PART "<CopyPartResult><ETag>\"p\"</ETag></CopyPartResult>"
#define COMPLETED "<CompleteMultipartUploadResult><ETag>\"e3-3\"</ETag></CompleteMultipartUploadResult>"
#define TAGS "<Tagging><TagSet><Tag><Key>a b</Key><Value>&amp;</Value></Tag><Tag><Key>c</Key><Value></Value></Tag></TagSet></Tagging>"

struct end {
    bool done;
    enum cof_err err;
    struct cof_s3_object object;
    struct cof_diag diag;
    int64_t moved;
};

static void on_moved(void *ctx, int64_t bytes)
{
    ((struct end *)ctx)->moved += bytes;
}

static void on_done(void *ctx, enum cof_err err, const struct cof_s3_object *object, const struct cof_diag *diag)
{
    struct end *end = ctx;

    end->done = true;
    end->err = err;
    if (object != NULL)
        end->object = *object;
    if (diag != NULL)
        end->diag = *diag;
}

static struct cof_s3_copy_opts options(struct cof_s3_lanes *lanes)
{
    return (struct cof_s3_copy_opts){.from = {.bucket = COF_LIT("one"), .key = COF_LIT("a b"), .version_id = COF_LIT("v1")},
                                     .to = {.bucket = COF_LIT("two"), .key = COF_LIT("c"), .create_only = true},
                                     .keep_sse = true, .part_size = 5 * MIB, .lanes = lanes};
}

static enum cof_err copy(struct world *w, const struct cof_s3_copy_opts *opts, struct end *end)
{
    struct cof_s3_copy_events events = {on_moved, on_done, end};
    struct cof_s3_copy *started;

    *end = (struct end){0};
    assert_ok(cof_s3_copy_start(&w->aws, opts, &events, &started));
    assert_false(end->done);
    assert_ok(cof_loop_run_until(w->loop, &end->done, 20000));
    assert_int_equal(opts->lanes->used, 0);
    return end->err;
}

static void in_one_request(void **state)
{
    struct world *w = *state;
    struct cof_s3_lanes lanes = {.max = 2};
    struct cof_s3_copy_opts opts = options(&lanes);
    struct end end;

    script(w, 200, HEAD "Content-Length: 9", "");
    script(w, 200, KMS, BUSY); /* S3 had begun to answer */
    script(w, 200, KMS, COPIED("rosUhgp5mIg="));
    assert_ok(copy(w, &opts, &end));
    assert_int_equal(w->n_seen, 3);
    assert_string_equal(w->seen[0].method, "HEAD");
    assert_string_equal(w->seen[0].target, "/one/a%20b?versionId=v1");
    for (size_t i = 1; i < 3; i++) {
        assert_string_equal(w->seen[i].target, "/two/c");
        assert_true(seen_header(w, i, "x-amz-copy-source", "one/a%20b?versionId=v1"));
        assert_true(seen_header(w, i, "x-amz-copy-source-if-match", "\"e1\"")); /* what was looked at */
        assert_true(seen_header(w, i, "if-none-match", "*"));
        assert_true(seen_header(w, i, "x-amz-server-side-encryption", "aws:kms"));
        assert_true(seen_header(w, i, "x-amz-server-side-encryption-aws-kms-key-id", KEY_ARN));
        assert_true(seen_header(w, i, "x-amz-server-side-encryption-bucket-key-enabled", "true"));
        assert_false(seen_header(w, i, "x-amz-meta-camera", "7")); /* S3 carries it over */
    }
    assert_string_equal(end.object.etag, "\"e2\"");
    assert_string_equal(end.object.sum, "rosUhgp5mIg=");
    assert_int_equal(end.object.size, end.moved);
}

static void what_was_not_asked_for(void **state)
{
    struct world *w = *state;
    struct cof_s3_lanes lanes = {.max = 2};
    struct cof_s3_copy_opts opts = options(&lanes);
    struct end end;

    script(w, 200, HEAD, "");
    script(w, 200, KMS, COPIED("AAAAAAAAAAA="));
    assert_int_equal(copy(w, &opts, &end), COF_E_AUTH);
    assert_non_null(strstr(end.diag.text, "checksum"));
    script(w, 200, HEAD, "");
    script(w, 200, "x-amz-server-side-encryption: AES256", COPIED("rosUhgp5mIg="));
    assert_int_equal(copy(w, &opts, &end), COF_E_AUTH);
    assert_non_null(strstr(end.diag.text, "sse-s3 though sse-kms"));
    script(w, 200, "ETag: \"e1\"\nx-amz-server-side-encryption: aws:kms:dsse", "");
    assert_int_equal(copy(w, &opts, &end), COF_E_USAGE); /* not quietly something else */
    assert_non_null(strstr(end.diag.hint, "-e"));
    script(w, 404, NULL, "");
    assert_int_equal(copy(w, &opts, &end), COF_E_NOT_FOUND);
    assert_non_null(strstr(end.diag.text, "Not Found"));
    assert_int_equal(w->n_seen, 6);
}

static size_t with(struct world *w, const char *method, const char *target, const char *range)
{
    size_t n = 0;

    for (size_t i = 0; i < w->n_seen; i++)
        n += strcmp(w->seen[i].method, method) == 0 && strcmp(w->seen[i].target, target) == 0 &&
             (range == NULL || seen_header(w, i, "x-amz-copy-source-range", range));
    return n;
}

/* The test server tells a HEAD's length only as that of a body, so the source's size comes from a body it does not send. */
static void script_large(struct world *w)
{
    static char body[11 << 20];

    script(w, 200, HEAD, body);
    last_step(w)->body_len = sizeof body;
}

static void in_parts(void **state)
{
    struct world *w = *state;
    struct cof_s3_lanes lanes = {.max = 1}; /* one after the other, as scripted */
    struct cof_s3_copy_opts opts = options(&lanes);
    struct end end;
    const char *complete;

    script_large(w);
    script(w, 200, NULL, TAGS);
    script(w, 200, KMS, CREATED);
    script(w, 200, KMS, PART);
    script(w, 200, KMS, BUSY);
    script(w, 200, KMS, PART);
    script(w, 200, KMS, PART);
    script(w, 200, KMS, BUSY);
    script(w, 200, KMS, COMPLETED);
    assert_ok(copy(w, &opts, &end));
    assert_int_equal(w->n_seen, 9);
    assert_string_equal(w->seen[1].target, "/one/a%20b?tagging=&versionId=v1");
    assert_string_equal(w->seen[2].target, "/two/c?uploads=");
    assert_true(seen_header(w, 2, "x-amz-meta-camera", "7"));
    assert_true(seen_header(w, 2, "content-type", "image/x"));
    assert_true(seen_header(w, 2, "x-amz-tagging", "a%20b=%26&c="));
    assert_int_equal(with(w, "PUT", "/two/c?uploadId=u&partNumber=1", "bytes=0-5242879"), 1);
    assert_int_equal(with(w, "PUT", "/two/c?uploadId=u&partNumber=2", "bytes=5242880-10485759"), 2);
    assert_int_equal(with(w, "PUT", "/two/c?uploadId=u&partNumber=3", "bytes=10485760-11534335"), 1);
    assert_int_equal(with(w, "POST", "/two/c?uploadId=u", NULL), 2);
    assert_true(seen_header(w, 8, "if-none-match", "*"));
    complete = cof_buf_cstr(&w->seen[8].body);
    assert_non_null(strstr(complete, "<PartNumber>3</PartNumber>"));
    assert_null(strstr(complete, "Checksum")); /* none was told */
    assert_int_equal(end.moved, 11 * MIB);
    assert_string_equal(end.object.etag, "\"e3-3\"");
}

static void nothing_is_left_of_a_failure(void **state)
{
    struct world *w = *state;
    struct cof_s3_lanes lanes = {.max = 1};
    struct cof_s3_copy_opts opts = options(&lanes);
    struct end end;

    script_large(w);
    script(w, 200, NULL, TAGS);
    script(w, 200, KMS, CREATED);
    script(w, 200, KMS, PART);
    script(w, 412, NULL, "<Error><Code>PreconditionFailed</Code></Error>"); /* the source was replaced */
    script(w, 204, NULL, "");
    assert_int_equal(copy(w, &opts, &end), COF_E_PRECONDITION);
    assert_int_equal(w->n_seen, 6);
    assert_int_equal(with(w, "DELETE", "/two/c?uploadId=u", NULL), 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {T(in_one_request), T(what_was_not_asked_for), T(in_parts), T(nothing_is_left_of_a_failure)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
