/* SPDX-License-Identifier: Apache-2.0
 *
 * Attestation, measured; bench/attest.py drives it. Prints one JSON line.
 *
 *   attest_bench verify N     CPU-microseconds of one verification of a document with a chain of four authorities' signatures,
 *                             with and without the chain or the document cached, beside the bare P-384 verifications that it needs
 *   attest_bench              started as an enclave (descriptor 3 the security module, 4 a JSON of endpoint, CA, key, credentials,
 *                             what and count): a document, or a Decrypt by KMS, plain, attested by a document of its own, or by one that all share
 */
#include "client/kms_attested.h"
#include "crypto/start.h"
#include "engine/attest_verify.h"
#include "engine/image.h"
#include "format/json.h"
#include "format/nsm.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/nsm_dev.h"
#include "io/rng_os.h"
#include "standin/hypervisor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHAIN_SIGNATURES 4 /* leaf, instance, zonal, regional; nobody verifies the root's own */

static double us_of(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void must(enum cof_err err, const char *what)
{
    if (err == COF_OK)
        return;
    (void)fprintf(stderr, "attest_bench: %s: %s\n", what, cof_err_text(err));
    exit(1);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, compare);
    return v[n / 2];
}

/* An enclave of a simulated hypervisor, whose documents are made as AWS's are. */
static void make_enclave(struct cof_hv **hv, int64_t now_ms, struct cof_hv_enclave **enclave)
{
    static const struct cof_image_pcrs pcrs = {.pcr0 = {1}, .pcr1 = {2}, .pcr2 = {3}};
    struct cof_hv_launch launch = {.role_arn = "arn:aws:iam::123456789012:role/x", .instance_id = "i-0123456789abcdef0"};
    struct cof_buf root;

    cof_buf_init_secret(&root, 65536);
    must(cof_hv_make_root(&cof_rng_os, now_ms - 86400000, &root), "root");
    must(cof_hv_new(cof_buf_view(&root), "us-east-1", &cof_rng_os, hv), "hypervisor");
    must(cof_hv_launch_measured(*hv, &pcrs, &launch, now_ms, enclave), "launch");
    cof_buf_done(&root);
}

/* In the place of what doc holds. */
static void make_document(struct cof_hv_enclave *enclave, int64_t now_ms, struct cof_buf *doc)
{
    static uint8_t filler[294]; /* as long as a public key */
    struct cof_nsm_request request = {.op = COF_NSM_ATTESTATION, .public_key = {cof_view_of(filler, sizeof filler), true},
                                      .nonce = {cof_view_of(filler, 32), true}, .user_data = {cof_view_of(filler, 32), true}};
    struct cof_nsm_response response;
    struct cof_buf in, answer;

    cof_buf_init(&in, COF_NSM_REQUEST_MAX);
    cof_buf_init(&answer, COF_NSM_RESPONSE_MAX);
    cof_buf_reset(doc);
    cof_nsm_add_request(&in, &request);
    must(cof_hv_handle(enclave, cof_buf_view(&in), now_ms, &answer), "document");
    must(cof_nsm_parse_response(cof_buf_view(&answer), &response), "document");
    cof_buf_add(doc, response.data);
    must(cof_buf_err(doc), "document");
    cof_buf_done(&in);
    cof_buf_done(&answer);
}

static double one(struct cof_view doc, const struct cof_attest_policy *policy)
{
    struct cof_attest attest;
    double start = us_of(CLOCK_PROCESS_CPUTIME_ID);

    must(cof_attest_verify(doc, policy, &attest, NULL), "verify");
    return us_of(CLOCK_PROCESS_CPUTIME_ID) - start;
}

/* What the private key alone costs the enclave for an answer. */
static double rsa_us(size_t n)
{
    double *took = calloc(n, sizeof *took), us;
    struct cof_rsa_key *key;
    struct cof_buf cipher, plain;

    cof_buf_init(&cipher, 1024);
    cof_buf_init_secret(&plain, 1024);
    must(took == NULL ? COF_E_MEMORY : cof_rsa_generate(2048, &key), "RSA key");
    must(cof_rsa_encrypt(key, COF_RSA_OAEP_SHA256, COF_LIT("0123456789abcdef0123456789abcdef"), &cipher), "wrapping");
    for (size_t i = 0; i < n; i++) {
        double start = us_of(CLOCK_PROCESS_CPUTIME_ID);

        cof_buf_reset(&plain);
        must(cof_rsa_decrypt(key, COF_RSA_OAEP_SHA256, cof_buf_view(&cipher), &plain), "unwrapping");
        took[i] = us_of(CLOCK_PROCESS_CPUTIME_ID) - start;
    }
    us = median(took, n);
    cof_rsa_free(key);
    cof_buf_done(&cipher);
    cof_buf_done(&plain);
    free(took);
    return us;
}

/* Full, with the chain known, with the document known, and bare in turn, so that what else the machine does meets all. */
static int verify(size_t n)
{
    int64_t now_ms = cof_clock_wall_ms();
    struct cof_attest_pcr pcrs[3];
    struct cof_attest_policy policy = {.now_ms = now_ms, .pcrs = pcrs, .n_pcrs = 3}, cached;
    double *full = calloc(4 * n, sizeof *full), *with_cache = full + n, *bare = full + 2 * n, *again = full + 3 * n, f, c, b, a, rsa;
    static uint8_t values[3][COF_ATTEST_PCR_SIZE] = {{1}, {2}, {3}};
    uint8_t digest[48];
    struct cof_ecdsa_key *key;
    struct cof_hv_enclave *enclave;
    struct cof_buf doc, sig;
    struct cof_hv *hv;

    if (full == NULL)
        return 1;
    cof_buf_init(&doc, COF_ATTEST_DOC_MAX);
    make_enclave(&hv, now_ms, &enclave);
    make_document(enclave, now_ms, &doc);
    for (unsigned i = 0; i < 3; i++)
        pcrs[i] = (struct cof_attest_pcr){i, cof_view_of(values[i], COF_ATTEST_PCR_SIZE)};
    policy.root_der = cof_hv_root(hv);
    cached = policy;
    must(cof_attest_cache_new(&cached.cache), "cache");
    must(cof_ecdsa_generate(COF_P384, &cof_rng_os, &key), "key");
    cof_buf_init(&sig, COF_ECDSA_SIG_MAX);
    must(cof_hash_once(COF_SHA384, cof_buf_view(&doc), digest), "digest");
    must(cof_ecdsa_sign_digest(key, cof_view_of(digest, 48), COF_ECDSA_DER, &sig), "signature");
    (void)one(cof_buf_view(&doc), &policy);
    (void)one(cof_buf_view(&doc), &cached);
    for (size_t i = 0; i < n; i++) {
        double start;

        make_document(enclave, now_ms, &doc); /* ECDSA is random: another one each time */
        full[i] = one(cof_buf_view(&doc), &policy);
        with_cache[i] = one(cof_buf_view(&doc), &cached);
        again[i] = one(cof_buf_view(&doc), &cached);
        start = us_of(CLOCK_PROCESS_CPUTIME_ID);
        for (int k = 0; k < CHAIN_SIGNATURES + 1; k++)
            must(cof_ecdsa_verify_digest(key, cof_view_of(digest, 48), COF_ECDSA_DER, cof_buf_view(&sig)), "bare");
        bare[i] = us_of(CLOCK_PROCESS_CPUTIME_ID) - start;
    }
    rsa = rsa_us(n);
    f = median(full, n), c = median(with_cache, n), b = median(bare, n), a = median(again, n);
    (void)printf("{\"document_bytes\":%zu,\"full_us\":%.1f,\"cached_us\":%.1f,\"again_us\":%.1f,\"bare_us\":%.1f,\"signatures\":%d,\"rsa_us\":%.1f}\n",
                 doc.len, f, c, a, b, CHAIN_SIGNATURES + 1, rsa);
    cof_attest_cache_free(cached.cache);
    cof_ecdsa_free(key);
    cof_hv_enclave_free(enclave);
    cof_hv_free(hv);
    cof_buf_done(&doc);
    cof_buf_done(&sig);
    free(full);
    return 0;
}

static enum cof_err call_nsm(void *ctx, struct cof_view request, struct cof_buf *out)
{
    return cof_nsm_call(ctx, request, out);
}

static void add_text(const json_t *o, const char *name, struct cof_buf *out)
{
    struct cof_view v;

    must(cof_json_text(o, name, &v, NULL), name);
    cof_buf_add(out, v);
}

static void ask_document(struct cof_nsm *nsm)
{
    struct cof_buf in, out;

    cof_buf_init(&in, COF_NSM_REQUEST_MAX);
    cof_buf_init(&out, COF_NSM_RESPONSE_MAX);
    cof_nsm_add_request(&in, &(struct cof_nsm_request){.op = COF_NSM_ATTESTATION});
    must(cof_nsm_call(nsm, cof_buf_view(&in), &out), "document");
    cof_buf_done(&in);
    cof_buf_done(&out);
}

static int kms(void)
{
    struct cof_tls_client_opts tls = {0};
    struct cof_http_client_opts http = {.resolve = cof_resolve_literal, .per_endpoint = 1};
    struct cof_kms_key_use use = {0};
    struct cof_kms_attested attested;
    struct cof_nsm_port port = {call_nsm, NULL};
    struct cof_http_client *client;
    struct cof_kms_reply made;
    struct cof_tls_ctx *ctx;
    struct cof_loop *loop;
    struct cof_nsm *nsm;
    struct cof_aws aws;
    struct cof_buf text, ca, url, key, what;
    struct cof_diag diag = {0};
    struct cof_secret secret = {0};
    struct cof_kms_reply reply;
    double *took, cpu = 0;
    int64_t count;
    size_t n;
    json_t *o;

    cof_buf_init(&text, 65536), cof_buf_init(&ca, 65536), cof_buf_init(&url, 512), cof_buf_init(&key, 512), cof_buf_init(&what, 64);
    must(cof_file_read_fd(4, "configuration", &text, &diag), "configuration");
    must(cof_json_parse_object(cof_buf_view(&text), 65536, &o, &diag), "configuration");
    add_text(o, "ca", &ca), add_text(o, "endpoint", &url), add_text(o, "key", &key), add_text(o, "what", &what);
    must(cof_json_int(o, "count", 1, 100000, &count, &diag), "count");
    n = (size_t)count;
    took = calloc(n, sizeof *took);
    if (took == NULL)
        return 1;
    tls.ca_pem = cof_buf_view(&ca);
    must(cof_nsm_open("fd:3", &nsm, &diag), "security module");
    must(cof_loop_new(&loop), "loop");
    must(cof_tls_client_new(&tls, &ctx, &diag), "TLS");
    http.tls = ctx;
    must(cof_http_client_new(loop, &http, &client), "client");
    cof_aws_init(&aws, loop, client, &cof_rng_os, cof_clock_wall_ms);
    for (int i = 0; i < 4; i++)
        must(cof_aws_endpoint_parse(cof_buf_cstr(&url), &aws.endpoints[i], &diag), "endpoint");
    cof_aws_set_region(&aws, "us-east-1");
    add_text(o, "id", &aws.credentials.access_key_id);
    add_text(o, "secret", &aws.credentials.secret_access_key);
    use.key_arn = cof_buf_view(&key);
    port.ctx = nsm;
    cof_kms_attested_init(&attested, &aws, &port);
    attested.document_ms = strcmp(cof_buf_cstr(&what), "reused") == 0 ? 240000 : 0;
    must(cof_kms_attested_prepare(&attested), "recipient's key");
    must(cof_kms_run_generate_data_key(&aws, &use, &made, &diag), diag.text);
    for (size_t i = 0; i < n + 3; i++) {
        double start = us_of(CLOCK_MONOTONIC);

        if (i == 3)
            cpu = us_of(CLOCK_PROCESS_CPUTIME_ID);
        if (strcmp(cof_buf_cstr(&what), "document") == 0)
            ask_document(nsm);
        else if (strcmp(cof_buf_cstr(&what), "plain") != 0) {
            must(cof_kms_attested_decrypt(&attested, &use, cof_buf_view(&made.blob), 32, &secret, &diag), diag.text);
        } else {
            must(cof_kms_run_decrypt(&aws, &use, cof_buf_view(&made.blob), &reply, &diag), diag.text);
            cof_kms_reply_done(&reply);
        }
        if (i >= 3)
            took[i - 3] = us_of(CLOCK_MONOTONIC) - start;
    }
    cpu = (us_of(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (double)n;
    (void)fprintf(stderr, "{\"wall_us\":%.1f,\"client_cpu_us\":%.1f}\n", median(took, n), cpu);
    cof_secret_done(&secret);
    free(took);
    return 0;
}

int main(int argc, char **argv)
{
    size_t n = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 200;

    cof_crypto_start();
    if (argc > 1 && strcmp(argv[1], "verify") == 0 && n > 0)
        return verify(n);
    return kms(); /* the hypervisor gives no arguments */
}
