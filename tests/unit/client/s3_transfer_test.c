/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects in parts, both ways, against a scripted service: what is asked, what is believed, and what happens when it lies or
 * the connection is cut.
 */
#include "world.h"

#include "client/s3_receive.h"

#include <stdlib.h>

#define MIB ((size_t)1 << 20)
#define CREATED "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"
#define COMPLETED "<CompleteMultipartUploadResult><ETag>\"whole-2\"</ETag></CompleteMultipartUploadResult>"

static uint8_t data[6 * MIB];

struct end {
    bool done;
    enum cof_err err;
    struct cof_s3_object object;
    uint64_t before;
    int64_t moved;
    size_t shorts; /* a stream that has nothing yet, so often */
    uint64_t at, length;
    uint8_t *got;
    struct cof_diag diag;
};

static enum cof_err read_at(void *ctx, uint64_t offset, uint8_t *out, size_t len, struct cof_diag *diag)
{
    assert_true(offset + len <= sizeof data);
    memcpy(out, data + offset, len);
    return COF_OK;
}

static enum cof_err read_on(void *ctx, uint8_t *out, size_t room, size_t *n, struct cof_diag *diag)
{
    struct end *e = ctx;

    *n = 0;
    if (e->shorts > 0) {
        e->shorts--;
        return COF_E_SHORT;
    }
    *n = e->length - e->at < room ? (size_t)(e->length - e->at) : room;
    memcpy(out, data + e->at, *n);
    e->at += *n;
    return COF_OK;
}

static void on_moved(void *ctx, int64_t bytes)
{
    ((struct end *)ctx)->moved += bytes;
}

static void on_sent(void *ctx, enum cof_err err, const struct cof_s3_object *object, uint64_t stored_before,
                    const struct cof_diag *diag)
{
    struct end *e = ctx;

    assert_false(e->done);
    e->done = true;
    e->err = err;
    e->before = stored_before;
    if (object != NULL)
        e->object = *object;
    if (diag != NULL)
        e->diag = *diag;
}

static enum cof_err send_data(struct world *w, struct end *e, uint64_t length, bool stream, struct cof_s3_send_opts opts)
{
    struct cof_s3_lanes lanes = {.max = 1};
    struct cof_s3_send_events events = {.moved = on_moved, .done = on_sent, .ctx = e};
    struct cof_s3_send *send;

    opts.put.bucket = COF_LIT("bucket");
    opts.put.key = COF_LIT("key");
    opts.source = (struct cof_s3_source){.read_at = stream ? NULL : read_at, .read = read_on, .length = length, .ctx = e};
    opts.part_size = COF_S3_PART_MIN;
    opts.lanes = &lanes;
    e->length = length;
    e->done = false;
    assert_ok(cof_s3_send_start(&w->aws, &opts, &events, &send));
    assert_ok(cof_loop_run_until(w->loop, &e->done, 10000));
    assert_int_equal(lanes.used, 0);
    return e->err;
}

static void crc64_text(const uint8_t *bytes, size_t len, char out[16])
{
    struct cof_s3_part part = {.length = len};
    struct cof_checksum sum;
    char text[COF_S3_SUM_MAX];

    assert_ok(cof_checksum_init(&sum, COF_CHECKSUM_CRC64NVME));
    assert_ok(cof_checksum_update(&sum, cof_view_of(bytes, len)));
    assert_ok(cof_checksum_final(&sum, part.sum));
    cof_checksum_done(&sum);
    assert_ok(cof_s3_join_checksum(COF_CHECKSUM_CRC64NVME, &part, 1, text));
    (void)snprintf(out, 16, "%.15s", text);
}

static void in_parts(void **state)
{
    struct world *w = *state;
    struct end e = {0};
    char sum[16], told[100];

    crc64_text(data, 5 * MIB, sum);
    (void)snprintf(told, sizeof told, "ETag: \"1\"\nx-amz-checksum-crc64nvme: %s", sum);
    for (int stream = 0; stream < 2; stream++) {
        e = (struct end){.shorts = 2};
        script(w, 200, NULL, CREATED);
        script(w, 200, told, "");
        script(w, 200, "ETag: \"2\"", "");
        script(w, 200, "x-amz-version-id: v1", COMPLETED);
        assert_ok(send_data(w, &e, sizeof data, stream == 1, (struct cof_s3_send_opts){0}));
        assert_string_equal(e.object.etag, "\"whole-2\"");
        assert_string_equal(e.object.version_id, "v1");
        assert_int_equal(e.object.size, sizeof data);
        assert_int_equal(e.moved, sizeof data);
        assert_string_equal(w->seen[stream * 4].target, "/bucket/key?uploads=");
        assert_string_equal(w->seen[stream * 4 + 2].target, "/bucket/key?uploadId=u1&partNumber=2");
        assert_non_null(strstr(cof_buf_cstr(&w->seen[stream * 4 + 3].body), "<PartNumber>2</PartNumber><ETag>&quot;2&quot;</ETag>"));
        for (size_t i = 0; i < 4; i++)
            assert_true(w->seen[(size_t)stream * 4 + i].is_signed);
    }
}

static void small_ones_go_in_one(void **state)
{
    struct world *w = *state;
    struct end e = {0};
    uint64_t sizes[] = {0, 1, 100000};
    char sum[16], told[100];

    for (int stream = 0; stream < 2; stream++)
        for (size_t i = 0; i < 3; i++) {
            e = (struct end){0};
            crc64_text(data, (size_t)sizes[i], sum);
            (void)snprintf(told, sizeof told, "ETag: \"1\"\nx-amz-checksum-crc64nvme: %s", sum);
            script(w, 200, told, "");
            assert_ok(send_data(w, &e, sizes[i], stream == 1, (struct cof_s3_send_opts){0}));
            assert_string_equal(w->seen[w->n_seen - 1].target, "/bucket/key");
            assert_int_equal(e.moved, sizes[i]);
        }
}

/* S3 says at the very beginning that it will not encrypt as asked: not a byte is sent, and the upload is taken back. */
static void wrong_encryption_is_found_first(void **state)
{
    struct world *w = *state;
    struct end e = {0};

    script(w, 200, "x-amz-server-side-encryption: AES256", CREATED);
    script(w, 204, NULL, "");
    assert_int_equal(send_data(w, &e, sizeof data, false, (struct cof_s3_send_opts){.put.sse.mode = COF_SSE_KMS}), COF_E_AUTH);
    assert_int_equal(w->n_seen, 2);
    assert_string_equal(w->seen[1].method, "DELETE");
}

static void wrong_part_checksum(void **state)
{
    struct world *w = *state;
    struct end e = {0};

    script(w, 200, NULL, CREATED);
    script(w, 200, "ETag: \"1\"\nx-amz-checksum-crc64nvme: AAAAAAAAAAA=", "");
    script(w, 204, NULL, "");
    assert_int_equal(send_data(w, &e, sizeof data, false, (struct cof_s3_send_opts){0}), COF_E_AUTH);
    assert_string_equal(w->seen[2].method, "DELETE");
}

/* SHA cannot be joined: the object's checksum is that of its parts' checksums. */
static void parts_by_sha256(void **state)
{
    struct world *w = *state;
    struct end e = {0};
    struct cof_s3_part parts[2] = {{.length = 5 * MIB}, {.length = sizeof data - 5 * MIB}};
    char sum[COF_S3_SUM_MAX], done[400];

    for (size_t i = 0; i < 2; i++)
        assert_ok(cof_hash_once(COF_SHA256, cof_view_of(data + i * 5 * MIB, (size_t)parts[i].length), parts[i].sum));
    assert_ok(cof_s3_join_checksum(COF_CHECKSUM_SHA256, parts, 2, sum));
    script(w, 200, NULL, CREATED);
    script(w, 200, "ETag: \"1\"", "");
    script(w, 200, "ETag: \"2\"", "");
    (void)snprintf(done, sizeof done, "<CompleteMultipartUploadResult><ETag>\"e-2\"</ETag><ChecksumSHA256>%s</ChecksumSHA256>"
                                      "</CompleteMultipartUploadResult>", sum);
    script(w, 200, NULL, done);
    assert_ok(send_data(w, &e, sizeof data, false, (struct cof_s3_send_opts){.put.checksum = COF_CHECKSUM_SHA256}));
    assert_true(seen_header(w, 0, "x-amz-checksum-algorithm", "SHA256"));
    assert_true(seen_header(w, 0, "x-amz-checksum-type", "COMPOSITE"));
    assert_string_equal(e.object.sum, sum);
    script(w, 200, NULL, CREATED);
    script(w, 200, "ETag: \"1\"", "");
    script(w, 200, "ETag: \"2\"", "");
    script(w, 200, NULL, "<CompleteMultipartUploadResult><ETag>\"e-2\"</ETag><ChecksumSHA256>AAAA-2</ChecksumSHA256>"
                         "</CompleteMultipartUploadResult>");
    script(w, 204, NULL, "");
    assert_int_equal(send_data(w, &e, sizeof data, false, (struct cof_s3_send_opts){.put.checksum = COF_CHECKSUM_SHA256}), COF_E_AUTH);
}

static void error_in_a_good_reply(void **state)
{
    struct world *w = *state;
    struct end e = {0};

    script(w, 200, NULL, CREATED);
    script(w, 200, "ETag: \"1\"", "");
    script(w, 200, "ETag: \"2\"", "");
    script(w, 200, NULL, "<Error><Code>AccessDenied</Code></Error>");
    assert_int_equal(send_data(w, &e, sizeof data, false, (struct cof_s3_send_opts){.keep_parts = true}), COF_E_DENIED);
    assert_int_equal(w->n_seen, 4); /* kept for another run */
}

/* Of two parts S3 has both, but one is of other bytes. */
static void goes_on(void **state)
{
    struct world *w = *state;
    struct end e = {0};
    char first[16], list[600];

    crc64_text(data, 5 * MIB, first);
    (void)snprintf(list, sizeof list,
                   "<ListPartsResult><Part><PartNumber>1</PartNumber><Size>5242880</Size><ETag>\"1\"</ETag><ChecksumCRC64NVME>%s"
                   "</ChecksumCRC64NVME></Part><Part><PartNumber>2</PartNumber><Size>1048576</Size><ETag>\"old\"</ETag>"
                   "<ChecksumCRC64NVME>AAAAAAAAAAA=</ChecksumCRC64NVME></Part></ListPartsResult>", first);
    script(w, 200, NULL, list);
    script(w, 200, "ETag: \"2\"", "");
    script(w, 200, NULL, COMPLETED);
    assert_ok(send_data(w, &e, sizeof data, false, (struct cof_s3_send_opts){.upload_id = COF_LIT("u9"), .upload_part_size = COF_S3_PART_MIN}));
    assert_int_equal(e.before, 5 * MIB);
    assert_string_equal(w->seen[0].target, "/bucket/key?uploadId=u9");
    assert_string_equal(w->seen[1].target, "/bucket/key?uploadId=u9&partNumber=2");
    script(w, 404, NULL, "<Error><Code>NoSuchUpload</Code></Error>"); /* gone meanwhile: from the beginning */
    script(w, 200, NULL, CREATED);
    (void)snprintf(list, sizeof list, "ETag: \"1\"\nx-amz-checksum-crc64nvme: %s", first);
    script(w, 200, list, "");
    script(w, 200, "ETag: \"2\"", "");
    script(w, 200, NULL, COMPLETED);
    e = (struct end){0};
    assert_ok(send_data(w, &e, sizeof data, false, (struct cof_s3_send_opts){.upload_id = COF_LIT("u9"), .upload_part_size = COF_S3_PART_MIN}));
    assert_int_equal(e.before, 0);
}

/* --- down --- */

static enum cof_err keep(void *ctx, uint64_t offset, struct cof_view piece, struct cof_diag *diag)
{
    struct end *e = ctx;

    assert_true(offset + piece.len <= 4000);
    if (piece.len > 0)
        memcpy(e->got + offset, piece.data, piece.len);
    return COF_OK;
}

static void on_got(void *ctx, enum cof_err err, const struct cof_s3_object *object, const struct cof_diag *diag)
{
    on_sent(ctx, err, object, 0, diag);
}

static enum cof_err receive(struct world *w, struct end *e, bool in_order)
{
    static uint8_t got[4000];
    struct cof_s3_lanes lanes = {.max = 1};
    struct cof_s3_receive_opts opts = {.get = {.bucket = COF_LIT("bucket"), .key = COF_LIT("key")}, .part_size = 1000,
                                       .lanes = &lanes, .in_order = in_order};
    struct cof_s3_receive_events events = {.write_at = keep, .moved = on_moved, .done = on_got, .ctx = e};
    struct cof_s3_receive *r;

    memset(got, 0, sizeof got);
    *e = (struct end){.got = got};
    assert_ok(cof_s3_receive_start(&w->aws, &opts, &events, &r));
    assert_ok(cof_loop_run_until(w->loop, &e->done, 10000));
    assert_int_equal(lanes.used, 0);
    return e->err;
}

static void body_step(struct world *w, int status, const char *headers, size_t from, size_t len)
{
    script(w, status, headers, (const char *)data + from);
    last_step(w)->body_len = len;
}

/* The first reply is ended after its first range, the others are asked for by If-Match; one is cut, and goes on. */
static void in_ranges(void **state)
{
    struct world *w = *state;
    struct end e;
    struct cof_view v;
    char sum[16], first[100];

    crc64_text(data, 3500, sum);
    (void)snprintf(first, sizeof first, "ETag: \"e\"\nx-amz-checksum-crc64nvme: %s", sum);
    body_step(w, 200, first, 0, 3500);
    body_step(w, 206, "ETag: \"e\"\nContent-Range: bytes 1000-1999/3500", 1000, 1000);
    last_step(w)->cut = true;
    body_step(w, 206, "ETag: \"e\"\nContent-Range: bytes 1500-1999/3500", 1500, 500);
    body_step(w, 206, "ETag: \"e\"\nContent-Range: bytes 2000-2999/3500", 2000, 1000);
    body_step(w, 206, "ETag: \"e\"\nContent-Range: bytes 3000-3499/3500", 3000, 500);
    assert_ok(receive(w, &e, false));
    assert_memory_equal(e.got, data, 3500);
    assert_string_equal(e.object.checked, "CRC64NVME");
    assert_true(seen_header(w, 2, "range", "bytes=1500-1999") && seen_header(w, 2, "if-match", "\"e\""));
    assert_false(cof_headers_get(&w->seen[0].headers, "range", &v));
}

static void lies(void **state)
{
    struct world *w = *state;
    struct end e;

    body_step(w, 200, "ETag: \"e\"\nx-amz-checksum-crc64nvme: AAAAAAAAAAA=", 0, 3500);
    body_step(w, 206, "ETag: \"other\"\nContent-Range: bytes 1000-1999/3500", 1000, 1000);
    assert_int_equal(receive(w, &e, false), COF_E_PRECONDITION);
    body_step(w, 200, "ETag: \"e\"", 0, 3500);
    body_step(w, 206, "ETag: \"e\"\nContent-Range: bytes 0-999/3500", 0, 1000);
    assert_int_equal(receive(w, &e, false), COF_E_FORMAT);
    body_step(w, 200, "ETag: \"e\"", 0, 3500);
    body_step(w, 200, "ETag: \"e\"", 0, 3500); /* the range is ignored */
    assert_int_equal(receive(w, &e, false), COF_E_FORMAT);
    body_step(w, 200, "ETag: \"e\"\nx-amz-checksum-crc64nvme: AAAAAAAAAAA=", 0, 900);
    assert_int_equal(receive(w, &e, true), COF_E_AUTH);
    body_step(w, 200, "ETag: \"e\"\nx-amz-checksum-crc64nvme: ****", 0, 900);
    assert_int_equal(receive(w, &e, true), COF_E_FORMAT);
}

/* One request at a time when the bytes are wanted in order. */
static void in_order(void **state)
{
    struct world *w = *state;
    struct end e;

    body_step(w, 200, "ETag: \"e\"", 0, 3500);
    last_step(w)->cut = true;
    body_step(w, 206, "ETag: \"e\"\nContent-Range: bytes 1750-3499/3500", 1750, 1750);
    assert_ok(receive(w, &e, true));
    assert_memory_equal(e.got, data, 3500);
    assert_null(e.object.checked);
    script(w, 200, "ETag: \"e\"", "");
    assert_ok(receive(w, &e, true));
    script(w, 404, NULL, "<Error><Code>NoSuchKey</Code></Error>");
    assert_int_equal(receive(w, &e, false), COF_E_NOT_FOUND);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(in_parts), T(small_ones_go_in_one), T(wrong_encryption_is_found_first), T(wrong_part_checksum), T(parts_by_sha256), T(error_in_a_good_reply),
        T(goes_on),  T(in_ranges),            T(lies),                            T(in_order),
    };

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
