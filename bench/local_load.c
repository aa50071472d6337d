/* SPDX-License-Identifier: Apache-2.0
 *
 * Load for coffer-local and its peers: signed requests over N kept-alive connections, each with one request in flight.
 * Prints one JSON line. bench/local.py drives it and reads the servers' CPU time meanwhile.
 *
 *   local_load ENDPOINT CA|- OP TARGET CONNECTIONS COUNT SIZE
 *
 * OP: create-bucket, create-queue, create-key (print what was made), put, get (TARGET a bucket), put-signed (the body's
 * hash is signed), sqs (send, receive, delete; TARGET a queue's URL), kms (GenerateDataKey, Decrypt; TARGET a key),
 * put-one, get-one (one streamed object of SIZE bytes). COUNT counts cycles. Credentials come from the environment.
 */
#include "base/codec.h"
#include "crypto/hash.h"
#include "engine/sigv4.h"
#include "format/json.h"
#include "io/clock.h"
#include "io/http_client.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEYS 256 /* names that puts go round */
#define PIECE ((size_t)1 << 20)
#define OWNER(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

enum op { CREATE_BUCKET, CREATE_QUEUE, CREATE_KEY, PUT, PUT_SIGNED, GET, SQS, KMS, PUT_ONE, GET_ONE, N_OPS };
static const char *const op_names[N_OPS] = {
    "create-bucket", "create-queue", "create-key", "put", "put-signed", "get", "sqs", "kms", "put-one", "get-one"};

struct lane {
    struct cof_http_call *call;
    struct cof_buf reply;
    char handle[8192]; /* what the next step needs: a receipt handle, a blob */
    unsigned step;
    int status;
    uint64_t got, left;
    double began;
    bool warm; /* its connection is up */
};

static struct {
    enum op op;
    bool https;
    char host[256], authority[300];
    uint16_t port;
    const char *target;
    size_t connections, count, size, started, finished, failed, active;
    uint8_t *body;
    char hash[65];
    struct cof_sigv4_credentials who;
    struct cof_http_client *http;
    double *took; /* seconds of each request but a connection's first */
    size_t n_took;
    double first; /* the slowest first request */
    bool done;
} load;

static double now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void need(enum cof_err err, const char *what)
{
    if (err == COF_OK)
        return;
    (void)fprintf(stderr, "local_load: %s: %s\n", what, cof_err_text(err));
    exit(1);
}

struct step {
    const char *method, *service, *path, *type, *call, *hash;
    struct cof_view body;
};

static void next_step(struct lane *lane);

/* The request of a step, signed. */
static void make_head(const struct step *s, uint64_t length, struct cof_buf *head)
{
    struct cof_headers headers;
    struct cof_sigv4_scope scope = {cof_clock_wall_ms(), COF_LIT("us-east-1"), cof_view_str(s->service)};
    struct cof_sigv4_request request = {.method = cof_view_str(s->method), .path = cof_view_str(s->path), .headers = &headers,
        .payload_hash = cof_view_str(s->hash), .s3_path = strcmp(s->service, "s3") == 0};
    char number[32];

    cof_headers_init(&headers);
    cof_headers_add_str(&headers, "Host", load.authority);
    cof_headers_add_str(&headers, "X-Amz-Content-Sha256", s->hash);
    if (s->type != NULL)
        cof_headers_add_str(&headers, "Content-Type", s->type);
    if (s->call != NULL)
        cof_headers_add_str(&headers, "X-Amz-Target", s->call);
    need(cof_sigv4_sign(&request, &headers, &load.who, &scope, NULL), "signing");
    if (strcmp(s->method, "GET") != 0) {
        (void)snprintf(number, sizeof number, "%llu", (unsigned long long)length);
        cof_headers_add_str(&headers, "Content-Length", number);
    }
    cof_buf_printf(head, "%s %s HTTP/1.1\r\n", s->method, s->path);
    cof_headers_write(&headers, head);
    cof_buf_add_str(head, "\r\n");
    cof_headers_done(&headers);
}

static void on_head(void *ctx, struct cof_http_call *call, const struct cof_http_head *head)
{
    struct lane *lane = ctx;

    (void)call;
    lane->status = head->status;
}

static void on_body(void *ctx, struct cof_http_call *call, struct cof_view piece)
{
    struct lane *lane = ctx;

    (void)call;
    lane->got += piece.len;
    if (lane->reply.len + piece.len <= 65536)
        cof_buf_add(&lane->reply, piece);
}

static void on_writable(void *ctx, struct cof_http_call *call)
{
    struct lane *lane = ctx;

    while (lane->left > 0) {
        size_t n = lane->left < PIECE ? (size_t)lane->left : PIECE;

        lane->left -= n;
        if (!cof_http_call_write(call, cof_view_of(load.body, n)))
            break;
    }
    if (lane->left == 0)
        cof_http_call_end(call);
}

/* What the next step needs out of a reply. */
static bool take(struct lane *lane, const char *member)
{
    json_t *json = json_loadb((const char *)lane->reply.data, lane->reply.len, 0, NULL);
    const json_t *at = json;
    const char *text;
    bool good;

    if (strcmp(member, "ReceiptHandle") == 0)
        at = json_array_get(json_object_get(json, "Messages"), 0);
    if (strcmp(member, "KeyId") == 0)
        at = json_object_get(json, "KeyMetadata");
    text = json_string_value(json_object_get(at, member));
    good = text != NULL && strlen(text) < sizeof lane->handle;
    if (good)
        (void)snprintf(lane->handle, sizeof lane->handle, "%s", text);
    json_decref(json);
    return good;
}

static bool digest_reply(struct lane *lane)
{
    if (lane->status / 100 != 2)
        return false;
    switch (load.op) {
    case CREATE_QUEUE:
        return take(lane, "QueueUrl");
    case CREATE_KEY:
        return take(lane, "KeyId");
    case SQS:
        return lane->step != 1 || take(lane, "ReceiptHandle");
    case KMS:
        return lane->step != 0 || take(lane, "CiphertextBlob");
    case GET:
    case GET_ONE:
        return lane->got == load.size;
    case CREATE_BUCKET:
    case PUT:
    case PUT_SIGNED:
    case PUT_ONE:
    case N_OPS:
        break;
    }
    return true;
}

static void on_done(void *ctx, struct cof_http_call *call, enum cof_err err, const struct cof_diag *diag, bool sent)
{
    struct lane *lane = ctx;
    double took = now() - lane->began;
    unsigned steps = load.op == SQS ? 3 : load.op == KMS ? 2 : 1;

    (void)call;
    (void)sent;
    if (err != COF_OK || !digest_reply(lane)) {
        if (load.failed++ == 0)
            (void)fprintf(stderr, "local_load: %s step %u: status %d, %s %s\n%.*s\n", op_names[load.op], lane->step, lane->status,
                cof_err_text(err), diag == NULL ? "" : diag->text, (int)lane->reply.len, (const char *)lane->reply.data);
        lane->step = steps;
    }
    if (lane->warm)
        load.took[load.n_took++] = took;
    else if (took > load.first)
        load.first = took;
    lane->warm = true;
    if (++lane->step < steps) {
        next_step(lane);
        return;
    }
    load.finished++;
    lane->step = 0;
    if (load.started < load.count && load.failed < 100) {
        load.started++;
        next_step(lane);
    } else if (--load.active == 0) {
        load.done = true;
    }
}

/* The bodies of the JSON calls. */
static void json_body(struct lane *lane, struct step *s, struct cof_buf *body)
{
    static const char *const sqs[] = {"AmazonSQS.SendMessage", "AmazonSQS.ReceiveMessage", "AmazonSQS.DeleteMessage"};
    bool create = load.op == CREATE_QUEUE;
    uint8_t digest[32];
    static char hex[65];

    s->method = "POST";
    s->path = "/";
    if (load.op == SQS || create) {
        s->service = "sqs";
        s->type = "application/x-amz-json-1.0";
        s->call = create ? "AmazonSQS.CreateQueue" : sqs[lane->step];
        if (create)
            cof_buf_printf(body, "{\"QueueName\":\"%s\"}", load.target);
        else
            cof_buf_printf(body, "{\"QueueUrl\":\"%s\"", load.target);
        if (!create && lane->step == 0)
            cof_buf_printf(body, ",\"MessageBody\":\"%.*s\"}", (int)load.size, (const char *)load.body);
        else if (!create && lane->step == 1)
            cof_buf_add_str(body, ",\"MaxNumberOfMessages\":1}");
        else if (!create)
            cof_buf_printf(body, ",\"ReceiptHandle\":\"%s\"}", lane->handle);
    } else {
        s->service = "kms";
        s->type = "application/x-amz-json-1.1";
        s->call = load.op == CREATE_KEY ? "TrentService.CreateKey" :
            lane->step == 0             ? "TrentService.GenerateDataKey" :
                                          "TrentService.Decrypt";
        if (load.op == CREATE_KEY)
            cof_buf_add_str(body, "{}");
        else if (lane->step == 0)
            cof_buf_printf(body, "{\"KeyId\":\"%s\",\"KeySpec\":\"AES_256\",\"EncryptionContext\":{\"camera\":\"7\"}}", load.target);
        else
            cof_buf_printf(body, "{\"KeyId\":\"%s\",\"CiphertextBlob\":\"%s\",\"EncryptionContext\":{\"camera\":\"7\"}}", load.target,
                lane->handle);
    }
    s->body = cof_buf_view(body);
    need(cof_hash_once(COF_SHA256, s->body, digest), "hashing");
    cof_hex_encode(digest, sizeof digest, hex);
    s->hash = hex;
}

static void object_step(struct step *s, char *path, size_t size)
{
    bool one = load.op == PUT_ONE || load.op == GET_ONE;

    s->service = "s3";
    s->method = load.op == GET || load.op == GET_ONE ? "GET" : "PUT";
    s->hash = load.op == PUT_SIGNED ? load.hash : COF_SIGV4_UNSIGNED;
    if (load.op == CREATE_BUCKET)
        (void)snprintf(path, size, "/%s", load.target);
    else if (one)
        (void)snprintf(path, size, "/%s/one", load.target);
    else
        (void)snprintf(path, size, "/%s/object-%zu", load.target, load.started % KEYS);
    s->path = path;
    if (load.op == PUT || load.op == PUT_SIGNED)
        s->body = cof_view_of(load.body, load.size);
}

static void next_step(struct lane *lane)
{
    struct cof_http_callbacks callbacks = {on_head, on_body, on_writable, on_done, lane};
    struct cof_http_call_opts opts = {.https = load.https, .host = load.host, .port = load.port, .total_ms = 600000, .stall_ms = 600000};
    struct step s = {.hash = COF_SIGV4_UNSIGNED};
    struct cof_buf head, body;
    char path[300];

    cof_buf_init(&head, 65536);
    cof_buf_init(&body, 1 << 21);
    if (load.op == CREATE_QUEUE || load.op == CREATE_KEY || load.op == SQS || load.op == KMS)
        json_body(lane, &s, &body);
    else
        object_step(&s, path, sizeof path);
    opts.body = s.body;
    opts.streaming = load.op == PUT_ONE;
    lane->left = opts.streaming ? load.size : 0;
    make_head(&s, opts.streaming ? load.size : s.body.len, &head);
    opts.head = cof_buf_view(&head);
    cof_buf_reset(&lane->reply);
    lane->status = 0;
    lane->got = 0;
    lane->began = now();
    need(cof_http_call_start(load.http, &opts, &callbacks, &lane->call), "a request");
    cof_buf_done(&head);
    cof_buf_done(&body);
}

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double percentile(unsigned percent)
{
    return load.n_took == 0 ? 0 : 1e3 * load.took[(load.n_took - 1) * percent / 100];
}

static void read_arguments(char **argv)
{
    const char *at = strstr(argv[1], "://"), *colon = at == NULL ? NULL : strrchr(at, ':');
    uint8_t digest[32];

    load.op = N_OPS;
    for (enum op i = CREATE_BUCKET; i < N_OPS; i++)
        if (strcmp(argv[3], op_names[i]) == 0)
            load.op = i;
    if (load.op == N_OPS || at == NULL || colon == at || strlen(at + 3) >= sizeof load.host)
        need(COF_E_USAGE, "arguments");
    load.https = strncmp(argv[1], "https", 5) == 0;
    (void)snprintf(load.host, sizeof load.host, "%.*s", (int)(colon - at - 3), at + 3);
    (void)snprintf(load.authority, sizeof load.authority, "%s", at + 3);
    load.port = (uint16_t)strtoul(colon + 1, NULL, 10);
    load.target = argv[4];
    load.connections = strtoul(argv[5], NULL, 10);
    load.count = strtoul(argv[6], NULL, 10);
    load.size = strtoul(argv[7], NULL, 10);
    load.who.access_key_id = cof_view_str(getenv("AWS_ACCESS_KEY_ID"));
    load.who.secret_access_key = cof_view_str(getenv("AWS_SECRET_ACCESS_KEY"));
    load.body = malloc((load.size > PIECE ? load.size : PIECE) + 1);
    load.took = malloc((load.count * 3 + 3) * sizeof(double));
    if (load.body == NULL || load.took == NULL)
        need(COF_E_MEMORY, "memory");
    for (size_t i = 0; i < PIECE || (load.op != PUT_ONE && i < load.size); i++)
        load.body[i] = (uint8_t)('a' + (i * 2654435761u >> 7) % 26);
    need(cof_hash_once(COF_SHA256, cof_view_of(load.body, load.op == PUT_SIGNED ? load.size : 0), digest), "hashing");
    cof_hex_encode(digest, sizeof digest, load.hash);
}

int main(int argc, char **argv)
{
    struct cof_diag diag = {.text = ""};
    struct cof_tls_ctx *tls = NULL;
    struct cof_loop *loop;
    struct lane *lanes;
    double began;

    if (argc != 8 || getenv("AWS_ACCESS_KEY_ID") == NULL || getenv("AWS_SECRET_ACCESS_KEY") == NULL) {
        (void)fputs("usage: local_load ENDPOINT CA|- OP TARGET CONNECTIONS COUNT SIZE\n", stderr);
        return 2;
    }
    read_arguments(argv);
    need(cof_loop_new(&loop), "the loop");
    if (load.https)
        need(cof_tls_client_new(&(struct cof_tls_client_opts){.ca_file = argv[2]}, &tls, &diag), diag.text);
    need(cof_http_client_new(loop, &(struct cof_http_client_opts){.tls = tls, .resolve = cof_resolve_dns, .per_endpoint = load.connections, .connect_ms = 60000},
             &load.http), "the client");
    lanes = calloc(load.connections, sizeof *lanes);
    if (lanes == NULL)
        need(COF_E_MEMORY, "memory");
    began = now();
    for (size_t i = 0; i < load.connections && load.started < load.count; i++) {
        cof_buf_init(&lanes[i].reply, 65536);
        load.started++;
        load.active++;
        next_step(&lanes[i]);
    }
    need(cof_loop_run_until(loop, &load.done, 1200000), "the run");
    began = now() - began;
    qsort(load.took, load.n_took, sizeof(double), by_time);
    (void)printf("{\"seconds\":%.6f,\"cycles\":%zu,\"failed\":%zu,\"requests\":%zu,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,"
                 "\"first_max_ms\":%.3f,\"made\":\"%s\"}\n",
        began, load.finished, load.failed, load.n_took, percentile(50), percentile(99), percentile(100), 1e3 * load.first,
        load.op == CREATE_QUEUE || load.op == CREATE_KEY ? lanes[0].handle : "");
    return load.failed > 0;
}
