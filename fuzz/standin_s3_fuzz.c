/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole requests against S3 in memory: the input is a script of requests, each the lengths of head and body (two bytes
 * each), the raw head and the body. No signature is needed because the bucket's policy lets anybody do anything.
 */
#include "crypto/hash.h"
#include "memory_store.h"
#include "seeded.h"
#include "standin/bootstrap.h"
#include "standin/s3.h"

#include <jansson.h>

static uint64_t rng_state;

static void request(struct cof_standin *s, struct cof_view raw, struct cof_view body)
{
    struct cof_standin_call *call;
    struct cof_standin_reply *reply;
    struct cof_http_head head;
    struct cof_buf out;
    size_t used;

    if (cof_http1_request(raw, 65536, &head, &used) != COF_OK)
        return;
    if (cof_standin_open(s, &head, &(struct cof_standin_peer){.tls = true, .source_ip = "127.0.0.1"}, 1795464000000LL, &call) != COF_OK)
        abort();
    if (!cof_standin_call_ready(call)) {
        cof_standin_body(call, cof_view_sub(body, 0, body.len / 2));
        cof_standin_body(call, cof_view_sub(body, body.len / 2, SIZE_MAX));
        cof_standin_end(call, NULL, 1795464000000LL);
    }
    reply = cof_standin_call_reply(call);
    if (!cof_standin_call_ready(call) || reply->status < 200 || reply->status == 500)
        abort(); /* no request may be answered with a fault */
    cof_buf_init(&out, (size_t)1 << 24);
    while (reply->stream.pull != NULL) {
        size_t before = out.len;

        if (reply->stream.pull(reply->stream.ctx, 65536, &out) != COF_OK)
            abort(); /* what was stored can be read */
        if (out.len == before)
            break;
    }
    cof_buf_done(&out);
    cof_standin_close(call);
    cof_http1_head_done(&head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char manifest[] = "{\"buckets\":[{\"name\":\"lll\",\"object_lock\":{\"mode\":\"GOVERNANCE\",\"days\":1},\"public_access\":true,\"policy\":{\"Version\":\"2012-10-17\","
        "\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:*\",\"Resource\":[\"arn:aws:s3:::lll\",\"arn:aws:s3:::lll/*\"]}]}},"
        "{\"name\":\"bbb\",\"versioning\":true,\"block_sse_c\":false,\"public_access\":true,\"object_ownership\":\"ObjectWriter\",\"policy\":{\"Version\":\"2012-10-17\","
        "\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:*\",\"Resource\":[\"arn:aws:s3:::bbb\",\"arn:aws:s3:::bbb/*\"]}]}}]}";
    static const struct cof_service *const services[] = {&cof_service_s3};
    struct cof_secret master = {{1}, 32};
    struct cof_rng rng = {seeded_fill, &rng_state};
    struct cof_view in = cof_view_of(data, size), raw, body;
    struct memory_store store;
    struct cof_standin *s;
    json_t *json = json_loads(manifest, 0, NULL);
    uint16_t head_len, body_len;

    rng_state = 1;
    memory_store_init(&store);
    if (cof_standin_new(&(struct cof_standin_opts){.store = &store.ops, .rng = &rng, .master_key = &master, .account = "111122223333",
            .region = "us-east-1", .endpoint = "http://localhost", .services = services, .n_services = 1}, &s, NULL) != COF_OK ||
        cof_standin_bootstrap(s, json, 1795464000000LL, no_key, NULL, NULL) != COF_OK)
        abort();
    json_decref(json);
    while (cof_take_u16(&in, &head_len) == COF_OK && cof_take_u16(&in, &body_len) == COF_OK) {
        raw = cof_view_sub(in, 0, head_len);
        in = cof_view_sub(in, raw.len, SIZE_MAX);
        body = cof_view_sub(in, 0, body_len);
        in = cof_view_sub(in, body.len, SIZE_MAX);
        request(s, raw, body);
    }
    cof_standin_free(s);
    memory_store_done(&store);
    return 0;
}
