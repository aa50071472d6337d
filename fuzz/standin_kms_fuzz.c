/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole KMS requests in the name of root: the input is a script of lines, OPERATION {JSON}. No request may be answered
 * with a fault, an answer is always JSON, and none that is granted was asked of no policy.
 */
#include "base/secret.h"
#include "memory_store.h"
#include "seeded.h"
#include "standin/bootstrap.h"
#include "standin/kms.h"
#include "standin/reply.h"
#include "standin/trail.h"

#include <jansson.h>

#define NOW 1795464000000LL

static uint64_t rng_state;

static bool mentions(struct cof_view v, struct cof_view word)
{
    for (; v.len >= word.len; v = cof_view_sub(v, 1, SIZE_MAX))
        if (cof_view_starts(v, word))
            return true;
    return false;
}

static void request(struct cof_standin *s, const struct cof_iam_principal *root, struct cof_view operation, struct cof_view body)
{
    struct cof_http_head head = {.method = COF_LIT("POST"), .path = COF_LIT("/")};
    struct cof_standin_request req = {.head = &head, .body = body, .service = "kms", .principal = root, .region = "us-east-1",
        .source_ip = "127.0.0.1", .now_ms = NOW};
    struct cof_standin_reply reply;
    struct cof_buf target;
    enum cof_err err;
    json_t *json;

    if (mentions(body, COF_LIT("RSA_")))
        return; /* generating such keys takes seconds */
    cof_headers_init(&head.headers);
    cof_trail_init(&req);
    cof_buf_init(&target, 4096);
    cof_buf_add_str(&target, "TrentService.");
    cof_buf_add(&target, operation);
    cof_headers_add(&head.headers, COF_LIT("X-Amz-Target"), cof_buf_view(&target));
    cof_reply_init(&reply);
    if (cof_headers_err(&head.headers) == COF_OK) {
        err = cof_service_kms.handle(s, &req, &reply);
        if (err != COF_OK || reply.status == 0 || (reply.status == 200 && !req.authorized))
            abort();
        json = json_loadb((const char *)reply.body.data, reply.body.len, JSON_REJECT_DUPLICATES, NULL);
        if (json == NULL)
            abort();
        json_decref(json);
    }
    cof_reply_done(&reply);
    cof_buf_done(&target);
    cof_trail_done(&req);
    cof_headers_done(&head.headers);
}

static const struct cof_service *const services[] = {&cof_service_kms};
static struct cof_secret master = {{1}, 32};
static struct cof_rng rng = {seeded_fill, &rng_state};

static struct cof_standin *start(struct memory_store *store)
{
    struct cof_standin *s;

    if (cof_standin_new(&(struct cof_standin_opts){.store = &store->ops, .rng = &rng, .master_key = &master, .account = "111122223333",
            .region = "us-east-1", .endpoint = "http://localhost:1", .services = services, .n_services = 1}, &s, NULL) != COF_OK)
        abort();
    return s;
}

/* Set up once: every input begins with the same contents. */
static const struct memory_pairs *contents(void)
{
    static const char manifest[] = "{\"keys\":[{\"id\":\"k\",\"alias\":\"alias/k\",\"policy\":{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":"
        "\"Allow\",\"Principal\":\"*\",\"Action\":\"kms:*\",\"Resource\":\"*\"}]}}]}";
    static struct memory_store store;
    struct cof_standin *s;
    json_t *json;

    if (store.now.n > 0)
        return &store.now;
    rng_state = 7;
    memory_store_init(&store);
    s = start(&store);
    json = json_loads(manifest, 0, NULL);
    if (cof_standin_bootstrap(s, json, NOW, no_key, NULL, NULL) != COF_OK)
        abort();
    json_decref(json);
    cof_standin_free(s);
    return &store.now;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_iam_key key = {.kind = COF_CALLER_ROOT, .access_key_id = strdup("AKIAFUZZ"), .secret = strdup("x")};
    struct cof_view in = cof_view_of(data, size), line, operation, body;
    struct cof_iam_principal root;
    struct memory_store store;
    struct cof_standin *s;

    memory_store_init(&store);
    memory_pairs_copy(&store.now, contents());
    rng_state = 11;
    s = start(&store);
    if (cof_iam_principal_init(&store.ops, "111122223333", &key, &root) != COF_OK)
        abort();
    for (int n = 0; in.len > 0 && n < 8; n++) {
        (void)cof_view_split(in, '\n', &line, &in);
        (void)cof_view_split(line, ' ', &operation, &body);
        request(s, &root, operation, body);
    }
    cof_iam_principal_done(&root);
    cof_iam_key_done(&key);
    cof_standin_free(s);
    memory_store_done(&store);
    return 0;
}
