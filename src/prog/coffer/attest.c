/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer attest verify and coffer receipt verify: may this document, this receipt, be believed?
 */
#include "verbs.h"
#include "common.h"

#include "base/codec.h"
#include "base/date.h"
#include "base/num.h"
#include "crypto/hash.h"
#include "engine/receipt.h"
#include "format/json.h"
#include "format/pem.h"
#include "io/clock.h"
#include "io/file.h"
#include "expected.h"
#include "receipt_view.h"

#include <stdio.h>
#include <string.h>

struct config {
    struct expected_options expected;
    const char *at, *nonce, *result;
    uint64_t max_age_s;
    bool allow_debug, json, live;
};

#define O(field) offsetof(struct config, field)
static const struct cof_option attest_options[] = {
    {"at", 0, COF_OPT_TEXT, "UNIX_MS", "judge at this time instead of the document's own", O(at)},
    {"live", 0, COF_OPT_FLAG, NULL, "judge it now: the chain must be valid, the document fresh", O(live)},
    {"max-age", 0, COF_OPT_NUMBER, "SECONDS", "with --live: how old it may be (default 300)", O(max_age_s)},
    EXPECTED_OPTIONS(struct config),
    {"nonce", 0, COF_OPT_TEXT, "HEX", "the nonce that the document must carry", O(nonce)},
    {"allow-debug", 0, COF_OPT_FLAG, NULL, "accept a debug enclave (PCR0 all zero)", O(allow_debug)},
    {"json", 0, COF_OPT_FLAG, NULL, "print the document's fields as JSON", O(json)},
};
static const struct cof_command attest_command = {
    .name = "attest verify",
    .args = "FILE",
    .summary = "Verifies a Nitro attestation document.",
    .details = "The document (COSE_Sign1 bytes) is judged at its own signed time unless --at or --live says otherwise: the certificate\n"
               "under it lives for three hours only. A verifier who has asked for it judges it --live, with the --nonce it sent.\n"
               "What the enclave has to be is said by --pcr, or by a manifest (--expect, --trust; 'coffer manifest sign').\n"
               "Exit code 0: proved. 3: refused.",
    .options = attest_options,
    .n_options = sizeof attest_options / sizeof attest_options[0],
    .min_args = 1,
    .max_args = 1,
};
static const struct cof_option receipt_options[] = {
    EXPECTED_OPTIONS(struct config),
    {"result", 0, COF_OPT_TEXT, "FILE", "the sealed result: its digest is compared", O(result)},
    {"json", 0, COF_OPT_FLAG, NULL, "print the receipt's fields as JSON", O(json)},
};
static const struct cof_command receipt_command = {
    .name = "receipt verify",
    .args = "FILE",
    .summary = "Verifies a receipt: which code made which result of which input.",
    .options = receipt_options,
    .n_options = sizeof receipt_options / sizeof receipt_options[0],
    .min_args = 1,
    .max_args = 1,
};

static void hex_member(struct cof_buf *out, const char *name, const struct cof_attest_field *field)
{
    cof_json_add_name(out, name);
    if (!field->present) {
        cof_buf_add_str(out, "null");
        return;
    }
    cof_buf_add_u8(out, '"');
    cof_hex_add(out, field->bytes);
    cof_buf_add_u8(out, '"');
}

/* Whoever reads this must not take any enclave for the right one: it says whether measurements were compared. */
static void print_attest_json(const struct cof_attest *a, bool measured)
{
    struct cof_buf out;
    bool first = true;

    cof_buf_init(&out, 65536);
    cof_buf_printf(&out, "{\"verified\":true,\"measurements_compared\":%s", measured ? "true" : "false");
    cof_json_add_member(&out, "module_id", a->doc.module_id);
    cof_json_add_member_int(&out, "timestamp_ms", a->doc.timestamp_ms);
    cof_buf_printf(&out, ",\"debug\":%s,\"pcrs\":{", a->debug ? "true" : "false");
    for (unsigned i = 0; i < COF_ATTEST_PCRS; i++) {
        if ((a->doc.pcr_mask >> i & 1) == 0)
            continue;
        cof_buf_printf(&out, "%s\"%u\":\"", first ? "" : ",", i);
        cof_hex_add(&out, a->doc.pcrs[i]);
        cof_buf_add_str(&out, "\"");
        first = false;
    }
    cof_buf_add_str(&out, "}");
    hex_member(&out, "public_key", &a->doc.public_key);
    hex_member(&out, "user_data", &a->doc.user_data);
    hex_member(&out, "nonce", &a->doc.nonce);
    cof_buf_add_str(&out, "}");
    (void)puts(cof_buf_cstr(&out));
    cof_buf_done(&out);
}

void print_pcrs(const struct cof_attest *a)
{
    for (unsigned i = 0; i < COF_ATTEST_PCRS; i++) {
        char hex[2 * COF_ATTEST_PCR_SIZE + 1];
        if ((a->doc.pcr_mask >> i & 1) == 0 || cof_attest_doc_pcr_is_zero(&a->doc, i))
            continue;
        cof_hex_encode(a->doc.pcrs[i].data, COF_ATTEST_PCR_SIZE, hex);
        (void)printf("PCR%-2u       %s\n", i, hex);
    }
}

static void print_attest(const struct cof_attest *a, bool measured)
{
    char date[COF_DATE_MAX];

    cof_date_iso(a->doc.timestamp_ms, date);
    (void)printf("verified: signed by the Nitro hypervisor under the pinned root\nmodule      %.*s\nsigned at   %s\n",
                 (int)a->doc.module_id.len, (const char *)a->doc.module_id.data, date);
    print_pcrs(a);
    if (!measured)
        (void)printf("note: neither --expect nor --pcr was given, so any enclave's document passes\n");
}

static enum cof_err attest_verify(const void *options_given, char **args, struct cof_diag *diag)
{
    const struct config *config = options_given;
    const char *path = args[0];
    struct expected expected;
    struct cof_attest attest;
    struct cof_buf doc, nonce;
    struct cof_view nonce_view;
    uint64_t at;
    enum cof_err err = expected_open(&config->expected, &expected, diag);

    cof_buf_init(&doc, COF_ATTEST_DOC_MAX);
    cof_buf_init(&nonce, COF_ATTEST_NONCE_MAX);
    expected.policy.allow_debug = config->allow_debug;
    if (config->live) {
        expected.policy.mode = COF_ATTEST_LIVE;
        expected.policy.now_ms = cof_clock_wall_ms();
        expected.policy.max_age_ms = (int64_t)config->max_age_s * 1000;
    }
    if (err == COF_OK && config->live && config->at != NULL)
        err = cof_diag_set(diag, COF_E_USAGE, "--live and --at exclude each other");
    if (err == COF_OK && (config->max_age_s == 0 || config->max_age_s > 86400))
        err = cof_diag_set(diag, COF_E_USAGE, "--max-age: 1 to 86400 seconds");
    if (err == COF_OK && config->at != NULL) {
        err = cof_parse_u64(cof_view_str(config->at), INT64_MAX / 2, &at);
        if (err != COF_OK)
            err = cof_diag_set(diag, COF_E_USAGE, "--at: milliseconds since 1970");
        expected.policy.at_given = true;
        expected.policy.at_ms = (int64_t)at;
    }
    if (err == COF_OK && config->nonce != NULL) {
        if (cof_hex_decode(cof_view_str(config->nonce), &nonce) != COF_OK)
            err = cof_diag_set(diag, COF_E_USAGE, "--nonce: hex digits");
        nonce_view = cof_buf_view(&nonce);
        expected.policy.nonce = &nonce_view;
    }
    if (err == COF_OK)
        err = cof_file_read(path, &doc, diag);
    if (err == COF_E_TOO_LARGE)
        err = cof_diag_set(diag, COF_E_AUTH, "%s: too large for an attestation document", path);
    if (err == COF_OK)
        err = cof_attest_verify(cof_buf_view(&doc), &expected.policy, &attest, diag);
    if (err == COF_OK)
        err = expected_judge(&expected, config->live ? expected.policy.now_ms : attest.doc.timestamp_ms, NULL, diag);
    if (err == COF_OK && config->json)
        print_attest_json(&attest, expected.n > 0);
    else if (err == COF_OK)
        print_attest(&attest, expected.n > 0);
    else if (err == COF_E_AUTH && config->json)
        (void)puts("{\"verified\":false}");
    cof_buf_done(&doc);
    cof_buf_done(&nonce);
    expected_done(&expected);
    return err;
}

static void line(const char *label, struct cof_view v)
{
    struct cof_buf out;

    cof_buf_init(&out, 65536);
    cof_json_escape(&out, v);
    (void)printf("%-11s %s\n", label, cof_buf_cstr(&out));
    cof_buf_done(&out);
}

static void digest_line(const char *label, struct cof_view digest)
{
    char hex[65] = "none";

    if (digest.len == 32)
        cof_hex_encode(digest.data, 32, hex);
    (void)printf("%-11s %s\n", label, hex);
}

void print_receipt(const struct cof_receipt *r, const struct cof_attest *a)
{
    char from[COF_DATE_MAX], to[COF_DATE_MAX];

    cof_date_iso(r->started_ms, from);
    cof_date_iso(r->finished_ms, to);
    line("enclave", a->doc.module_id);
    print_pcrs(a);
    line("job", r->job);
    line("tenant", r->tenant);
    (void)printf("%-11s %s to %s (%lld ms)\n", "worked", from, to, (long long)(r->finished_ms - r->started_ms));
    line("input", r->input.key);
    digest_line("  sealed", r->input.sealed_sha256);
    line("output", r->output.key);
    digest_line("  sealed", r->output.sealed_sha256);
    digest_line("processor", r->processor_sha256);
    digest_line("model", r->model_sha256);
    digest_line("config", r->config_sha256);
    line("data key", r->data_key_arn);
    line("result key", r->results_key_arn);
}

void receipt_json(const struct cof_receipt *r, const struct cof_attest *a, bool measured, struct cof_buf *out)
{
    static const char *const names[] = {"input_sealed_sha256", "output_sealed_sha256", "processor_sha256", "config_sha256"};
    const struct cof_view digests[] = {r->input.sealed_sha256, r->output.sealed_sha256, r->processor_sha256, r->config_sha256};

    cof_buf_printf(out, "{\"verified\":true,\"measurements_compared\":%s", measured ? "true" : "false");
    cof_json_add_member(out, "module_id", a->doc.module_id);
    cof_json_add_member(out, "tenant", r->tenant);
    cof_json_add_member(out, "job", r->job);
    for (size_t i = 0; i < 4; i++) {
        cof_json_add_name(out, names[i]);
        cof_buf_add_u8(out, '"');
        cof_hex_add(out, digests[i]);
        cof_buf_add_u8(out, '"');
    }
    cof_json_add_member(out, "output_media_type", r->output.media_type);
    cof_json_add_member_int(out, "started_ms", r->started_ms);
    cof_json_add_member_int(out, "finished_ms", r->finished_ms);
    cof_json_add_member(out, "data_key_arn", r->data_key_arn);
    cof_json_add_member(out, "results_key_arn", r->results_key_arn);
    cof_json_add_name(out, "pcrs");
    cof_buf_add_str(out, "{");
    for (unsigned i = 0; i < COF_ATTEST_PCRS; i++) {
        if ((a->doc.pcr_mask >> i & 1) == 0 || cof_attest_doc_pcr_is_zero(&a->doc, i))
            continue;
        cof_buf_printf(out, "%s\"%u\":\"", out->data[out->len - 1] == '{' ? "" : ",", i);
        cof_hex_add(out, a->doc.pcrs[i]);
        cof_buf_add_str(out, "\"");
    }
    cof_buf_add_str(out, "}}");
}

static enum cof_err check_result(const char *path, const struct cof_receipt *r, struct cof_diag *diag)
{
    struct cof_buf sealed;
    uint8_t digest[32];
    enum cof_err err;

    cof_buf_init(&sealed, (size_t)1 << 31);
    err = cof_file_read(path, &sealed, diag);
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, cof_buf_view(&sealed), digest);
    if (err == COF_OK && !cof_view_eq(cof_view_of(digest, 32), r->output.sealed_sha256))
        err = cof_diag_set(diag, COF_E_AUTH, "%s is not the result that the receipt speaks of", path);
    cof_buf_done(&sealed);
    return err;
}

static enum cof_err receipt_verify(const void *options_given, char **args, struct cof_diag *diag)
{
    const struct config *config = options_given;
    const char *path = args[0];
    struct expected expected;
    struct cof_receipt receipt;
    struct cof_attest attest;
    struct cof_buf bytes, json;
    enum cof_err err = expected_open(&config->expected, &expected, diag);

    cof_buf_init(&bytes, COF_RECEIPT_MAX);
    cof_buf_init(&json, 65536);
    if (err == COF_OK)
        err = cof_file_read(path, &bytes, diag);
    if (err == COF_OK)
        err = cof_receipt_verify(cof_buf_view(&bytes), &expected.policy, &receipt, &attest, diag);
    if (err == COF_OK)
        err = expected_judge(&expected, attest.doc.timestamp_ms, &receipt, diag);
    if (err == COF_OK && config->result != NULL)
        err = check_result(config->result, &receipt, diag);
    if (err == COF_OK && config->json) {
        receipt_json(&receipt, &attest, expected.n > 0, &json);
        (void)puts(cof_buf_cstr(&json));
    } else if (err == COF_OK) {
        (void)printf("verified: signed by an attested enclave%s\n",
                     expected.n > 0 ? " with the expected measurements" : " (any: neither --expect nor --pcr was given)");
        print_receipt(&receipt, &attest);
    }
    cof_buf_done(&bytes);
    cof_buf_done(&json);
    expected_done(&expected);
    return err;
}

static int run_attest(int argc, char **argv)
{
    struct config config = {.max_age_s = COF_ATTEST_MAX_AGE_MS / 1000};

    return verb_run("coffer attest verify", &attest_command, &config, attest_verify, argc, argv);
}

static int run_receipt(int argc, char **argv)
{
    struct config config = {0};

    return verb_run("coffer receipt verify", &receipt_command, &config, receipt_verify, argc, argv);
}

const struct verb verb_attest_verify = {"attest verify", &attest_command, run_attest};
const struct verb verb_receipt_verify = {"receipt verify", &receipt_command, run_receipt};
