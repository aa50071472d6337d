/* SPDX-License-Identifier: Apache-2.0
 *
 * A form to STS: in the name of a user with a second factor, of a session with tags, of root and of nobody (the first byte
 * chooses). Whatever comes in, a reply goes out, and nobody gets credentials for nothing.
 */
#include "memory_store.h"
#include "seeded.h"
#include "standin/bootstrap.h"
#include "standin/reply.h"
#include "standin/sts.h"
#include "standin/trail.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char manifest[] =
    "{\"users\":[{\"name\":\"ann\",\"mfa\":\"GEZDGNBVGY3TQOJQ\",\"policies\":[{\"name\":\"all\",\"document\":{\"Version\":\"2012-10-17\","
    "\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}}]}],\"roles\":[{\"name\":\"r\",\"tags\":{\"a\":\"b\"},\"trust\":"
    "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"sts:*\",\"Principal\":{\"AWS\":\"111122223333\"}}}}],"
    "\"identity_providers\":[{\"url\":\"https://idp.example\",\"client_ids\":[\"app\"],\"jwks\":{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":"
    "\"k\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}}]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum cof_caller_kind kinds[] = {COF_CALLER_USER, COF_CALLER_ROLE, COF_CALLER_ROOT, COF_CALLER_ANONYMOUS};
    static const struct cof_secret master = {{7}, 32};
    const struct cof_service *services[] = {&cof_service_sts};
    uint64_t state = 1;
    struct cof_rng rng = {seeded_fill, &state};
    struct cof_http_head head = {.method = COF_LIT("POST"), .path = COF_LIT("/")};
    struct cof_iam_principal principal;
    struct cof_iam_key key = {.kind = size == 0 ? COF_CALLER_USER : kinds[data[0] & 3]};
    struct cof_standin_request req = {.head = &head, .service = "sts", .region = "us-east-1", .source_ip = "127.0.0.1",
        .now_ms = 1795464000000LL, .principal = &principal};
    struct cof_standin_reply reply;
    struct memory_store store;
    struct cof_standin *s;
    json_t *json;

    if (size == 0 || size > 65536)
        return 0;
    memory_store_init(&store);
    json = json_loads(manifest, 0, NULL);
    if (cof_standin_new(&(struct cof_standin_opts){.store = &store.ops, .rng = &rng, .master_key = &master, .account = "111122223333",
            .region = "us-east-1", .endpoint = "https://localhost:1", .services = services, .n_services = 1}, &s, NULL) != COF_OK ||
        cof_standin_bootstrap(s, json, req.now_ms, no_key, NULL, NULL) != COF_OK)
        abort();
    json_decref(json);
    if (key.kind == COF_CALLER_ROLE) {
        key.name = strdup("r");
        key.session_token = strdup("t");
        key.source_identity = strdup("me");
        if (cof_iam_key_tag(&key, COF_LIT("team"), COF_LIT("blue"), true) != COF_OK)
            abort();
    } else if (key.kind == COF_CALLER_USER) {
        key.name = strdup("ann");
    }
    if (key.kind == COF_CALLER_ANONYMOUS)
        cof_iam_principal_anonymous(&principal);
    else if (cof_iam_principal_init(&store.ops, "111122223333", &key, &principal) != COF_OK)
        abort();
    cof_trail_init(&req);
    cof_headers_init(&head.headers);
    cof_reply_init(&reply);
    req.body = cof_view_of(data + 1, size - 1);
    if (cof_service_sts.handle(s, &req, &reply) != COF_OK || reply.status == 0)
        abort();
    if (reply.status < 400 && (!req.authorized || (data[0] & 3) == 3)) /* nobody has a token that verifies */
        abort();
    cof_reply_done(&reply);
    cof_headers_done(&head.headers);
    cof_trail_done(&req);
    cof_iam_principal_done(&principal);
    cof_standin_free(s);
    memory_store_done(&store);
    return 0;
}
