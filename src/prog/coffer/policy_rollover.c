/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer policy rollover: a new enclave image takes the place of the old one in the key policies, and is proved before the old
 * one goes.
 */
#include "rollover.h"
#include "verbs.h"

#include "base/codec.h"
#include "base/date.h"
#include "client/kms_manage.h"
#include "crypto/hash.h"
#include "engine/kms_call.h"
#include "format/json.h"
#include "io/clock.h"
#include "io/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CLOCK_LEEWAY_MS 30000 /* between whoever stages and the enclave */

#define O(field) offsetof(struct rollover_config, field)
static const struct cof_option options[] = {
    {"history", 0, COF_OPT_TEXT, "FILE", "where the rollover is remembered, and its history kept (required; plan can do without)", O(history)},
    {"key", 'k', COF_OPT_LIST, "ARN", "plan, stage: a KMS key whose policy demands the image; repeatable", O(keys)},
    {"image", 'i', COF_OPT_TEXT, "FILE", "plan, stage: the new image (.eif), or what coffer eif describe --json prints of it", O(image)},
    {"signed", 0, COF_OPT_FLAG, NULL, "plan, stage: refuse an image that is not signed", O(need_signature)},
    {"old", 0, COF_OPT_TEXT, "FILE", "plan, stage: the image to be replaced, where the policies list several", O(old_image)},
    MANIFEST_OPTIONS(struct rollover_config),
    {"receipt", 'r', COF_OPT_TEXT, "FILE", "prove: the receipt of a canary job that the new image did after it was staged", O(receipt)},
    {"root", 0, COF_OPT_TEXT, "PEMFILE", "prove: the root certificate to pin (default: AWS's Nitro root)", O(expected.root)},
    {"without-proof", 0, COF_OPT_LIST, "ARN", "finish: a key that no receipt tells of; repeatable", O(without_proof)},
    {"accept-changes", 0, COF_OPT_FLAG, NULL, "finish, abort: go on though a policy was changed since it was staged", O(accept_changes)},
    {"wait", 0, COF_OPT_NUMBER, "SECONDS", "how long KMS may go on telling an old policy after it took a new one (default 120)", O(wait_s)},
    {"json", 0, COF_OPT_FLAG, NULL, "print the outcome as JSON", O(json)},
    AWS_OPTIONS(struct rollover_config),
};
static const struct cof_command command = {
    .name = "policy rollover",
    .args = "plan|stage|prove|finish|abort|status|history",
    .summary = "Rolls a new enclave image out: staged beside the old one in the key policies, proved, then the old one removed.",
    .details = "plan     shows what would change, and changes nothing\n"
               "stage    adds the new image's measurements to the conditions of each key's policy\n"
               "prove    verifies the receipt of a canary job: the new image was given the data key and sealed under the results key\n"
               "finish   removes the old image's measurements; not before each key is proved\n"
               "abort    removes the new image's\n"
               "status   tells where the rollover stands, and what the policies list now\n"
               "history  verifies and shows all that was done (coffer audit verify reads the file too)\n"
               "Each step can be run again after it was interrupted. The credentials must be allowed kms:GetKeyPolicy, kms:PutKeyPolicy\n"
               "and kms:DescribeKey on the keys: in deploy/iam that is the admin role, which is assumed with a second factor.\n"
               "Exit code 3: refused, because an image, a receipt or the history is not what it should be. 4: try later.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 1,
    .max_args = 1,
};

static struct cof_aws *aws_of(struct rollover_run *run)
{
    return &run->aws.session.aws;
}

/* A refusal by KMS, with what is likely to be missing. */
static enum cof_err explain(struct rollover_run *run, enum cof_err err)
{
    if (err == COF_E_DENIED && run->diag->hint[0] == '\0')
        cof_diag_hint(run->diag, "assume the admin role of deploy/iam: its trust policy wants a second factor not older than an hour");
    return err;
}

static enum cof_err sign_in(struct rollover_run *run)
{
    enum cof_err err = aws_open(&run->aws, &run->config->aws, run->diag);

    return err == COF_OK ? cof_sts_run_get_caller_identity(aws_of(run), &run->who, run->diag) : err;
}

static enum cof_err digest(struct cof_view bytes, char hex[static 65])
{
    uint8_t sha256[32];
    enum cof_err err = cof_hash_once(COF_SHA256, bytes, sha256);

    if (err == COF_OK)
        cof_hex_encode(sha256, sizeof sha256, hex);
    return err;
}

/* Of a policy's meaning: KMS gives the text back in a form of its own. */
static enum cof_err policy_digest(struct rollover_run *run, struct cof_view policy, char hex[static 65])
{
    struct cof_buf canonical;
    enum cof_err err;

    cof_buf_init(&canonical, COF_KMS_KEY_POLICY_MAX);
    err = cof_rollover_canonical(policy, &canonical, run->diag);
    if (err == COF_OK)
        err = digest(cof_buf_view(&canonical), hex);
    cof_buf_done(&canonical);
    return err;
}

static enum cof_err get_policy(struct rollover_run *run, const char *arn, struct cof_buf *out)
{
    cof_buf_done(out);
    cof_buf_init(out, COF_KMS_KEY_POLICY_MAX);
    return explain(run, cof_kms_run_get_key_policy(aws_of(run), cof_view_str(arn), out, run->diag));
}

enum cof_err rollover_about(struct rollover_run *run, const char *arn, enum cof_err err, const struct cof_diag *why)
{
    (void)cof_diag_set(run->diag, err, "%s: %s", arn, why->text);
    if (why->hint[0] != '\0')
        cof_diag_hint(run->diag, "%s", why->hint);
    return err;
}

/* changing policies -------------------------------------------------------------------------------------------------------- */

enum change { ADD_NEW, REMOVE_OLD, REMOVE_NEW };

static enum cof_err changed_policy(const struct cof_rollover *r, enum change change, struct cof_view policy, struct cof_buf *out,
                                   struct cof_diag *why)
{
    cof_buf_init(out, COF_KMS_KEY_POLICY_MAX);
    switch (change) {
    case ADD_NEW:
        return cof_rollover_add(policy, &r->new_image, out, why);
    case REMOVE_OLD:
        return cof_rollover_remove(policy, &r->old_image, &r->new_image, out, why);
    case REMOVE_NEW:
        return cof_rollover_remove(policy, &r->new_image, &r->old_image, out, why);
    }
    return COF_E_BUG;
}

static void pause_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&t, NULL);
}

/* KMS takes a while until it tells everybody of a change (its "eventual consistency"): so long as it tells the old policy, it is
 * asked again. Anything else but the new one is somebody else's. */
static enum cof_err await_policy(struct rollover_run *run, const char *arn, const char *before, const char *after)
{
    int64_t until_ms = cof_clock_monotonic_ms() + (int64_t)run->config->wait_s * 1000, pause = 100;
    struct cof_buf now = {0};
    char hex[65] = "";
    enum cof_err err;

    for (;;) {
        err = get_policy(run, arn, &now);
        if (err == COF_OK)
            err = policy_digest(run, cof_buf_view(&now), hex);
        if (err != COF_OK || strcmp(hex, before) != 0 || cof_clock_monotonic_ms() >= until_ms)
            break;
        pause_ms(pause);
        pause = pause < 4000 ? pause * 2 : 5000;
    }
    cof_buf_done(&now);
    if (err == COF_OK && strcmp(hex, before) == 0)
        err = cof_diag_set(run->diag, COF_E_RETRY, "%s: KMS took the new policy and still tells the old one; run the step again later", arn);
    else if (err == COF_OK && strcmp(hex, after) != 0)
        err = cof_diag_set(run->diag, COF_E_RETRY, "%s: somebody changed the policy right after this step did; look at it, and run the step again", arn);
    return err;
}

/* KMS has no conditional PutKeyPolicy. So what is about to be replaced is looked at once more right before, and what was put
 * right after; a change in between these is told, and the step can be run again. sha256: of the new policy. */
static enum cof_err put_policy(struct rollover_run *run, const char *arn, struct cof_view before, struct cof_view after,
                               const char *sha256)
{
    struct cof_buf now = {0};
    char hex[65], was[65];
    enum cof_err err = policy_digest(run, before, was);

    if (err == COF_OK)
        err = get_policy(run, arn, &now);
    if (err == COF_OK)
        err = policy_digest(run, cof_buf_view(&now), hex);
    cof_buf_done(&now);
    if (err == COF_OK && strcmp(hex, was) != 0)
        err = cof_diag_set(run->diag, COF_E_RETRY, "%s: somebody changed the policy meanwhile; nothing was written, run the step again", arn);
    if (err == COF_OK)
        err = explain(run, cof_kms_run_put_key_policy(aws_of(run), cof_view_str(arn), after, run->diag));
    return err == COF_OK ? await_policy(run, arn, was, sha256) : err;
}

/* The step's change to one key; done already is as good. sha256: of the policy afterwards. */
static enum cof_err change_key(struct rollover_run *run, struct cof_rollover_key *key, enum change change)
{
    struct cof_buf before = {0}, after = {0};
    struct cof_diag why = {0};
    enum cof_err err = get_policy(run, key->arn, &before);

    if (err == COF_OK) {
        err = changed_policy(&run->file.rollover, change, cof_buf_view(&before), &after, &why);
        if (err != COF_OK)
            err = rollover_about(run, key->arn, err, &why);
    }
    if (err == COF_OK)
        err = policy_digest(run, cof_buf_view(&after), key->sha256);
    if (err == COF_OK && !cof_view_eq(cof_buf_view(&before), cof_buf_view(&after)))
        err = put_policy(run, key->arn, cof_buf_view(&before), cof_buf_view(&after), key->sha256);
    cof_buf_done(&before);
    cof_buf_done(&after);
    return err;
}

static enum cof_err record(struct rollover_run *run, struct cof_rollover_entry entry)
{
    entry.now_ms = cof_clock_wall_ms();
    entry.who = run->who.arn;
    return rollover_file_add(&run->file, &entry, run->diag);
}

static enum cof_err change_all(struct rollover_run *run, enum change change, enum cof_rollover_event done)
{
    struct cof_rollover_key keys[COF_ROLLOVER_KEYS_MAX];
    size_t n = run->file.rollover.n_keys;
    enum cof_err err = COF_OK;

    memcpy(keys, run->file.rollover.keys, sizeof keys);
    for (size_t i = 0; i < n && err == COF_OK; i++)
        err = change_key(run, &keys[i], change);
    if (err == COF_OK)
        err = record(run, (struct cof_rollover_entry){.event = done, .keys = keys, .n_keys = n});
    return err;
}

/* Each policy must be as staging left it, or as the interrupted step would leave it. */
static enum cof_err check_unchanged(struct rollover_run *run, enum change change)
{
    const struct cof_rollover *r = &run->file.rollover;
    enum cof_err err = COF_OK;

    for (size_t i = 0; i < r->n_keys && err == COF_OK && !run->config->accept_changes; i++) {
        struct cof_buf now = {0}, after = {0};
        struct cof_diag why = {0};
        char hex[65];

        err = get_policy(run, r->keys[i].arn, &now);
        if (err == COF_OK)
            err = policy_digest(run, cof_buf_view(&now), hex);
        if (err == COF_OK && r->keys[i].sha256[0] != '\0' && strcmp(hex, r->keys[i].sha256) != 0 &&
            !(changed_policy(r, change, cof_buf_view(&now), &after, &why) == COF_OK && cof_view_eq(cof_buf_view(&now), cof_buf_view(&after)))) {
            err = cof_diag_set(run->diag, COF_E_PRECONDITION, "%s: the policy was changed since it was staged", r->keys[i].arn);
            cof_diag_hint(run->diag, "look at it (coffer policy rollover status), and give --accept-changes if the change is yours");
        }
        cof_buf_done(&now);
        cof_buf_done(&after);
    }
    return err;
}

/* the steps ------------------------------------------------------------------------------------------------------------- */

/* What --key says, before anybody is asked. */
static enum cof_err check_keys(struct rollover_run *run)
{
    const struct cof_text_list *named = &run->config->keys;

    if (named->n == 0 || named->n > COF_ROLLOVER_KEYS_MAX)
        return cof_diag_set(run->diag, COF_E_USAGE, "--key: one to %d keys are rolled over together", COF_ROLLOVER_KEYS_MAX);
    for (size_t i = 0; i < named->n; i++) {
        if (!cof_kms_is_key_arn(cof_view_str(named->items[i])) || strlen(named->items[i]) >= COF_ROLLOVER_ARN_MAX)
            return cof_diag_set(run->diag, COF_E_USAGE, "--key: '%s' is no full ARN of a KMS key (an alias can be pointed at another)", named->items[i]);
        for (size_t k = 0; k < i; k++)
            if (strcmp(named->items[k], named->items[i]) == 0)
                return cof_diag_set(run->diag, COF_E_USAGE, "--key: %s is named twice", named->items[i]);
    }
    return COF_OK;
}

/* Reads what the keys' policies list: all of them the same old image. keys and policies are filled in. */
static enum cof_err read_keys(struct rollover_run *run, struct cof_rollover_key *keys, struct cof_measurement *old)
{
    const struct rollover_config *config = run->config;
    enum cof_err err = COF_OK;

    if (config->old_image != NULL)
        err = rollover_measure(&(struct rollover_config){.json = false}, config->old_image, old, run->diag);
    for (size_t i = 0; i < config->keys.n && err == COF_OK; i++) {
        const char *arn = config->keys.items[i];
        struct cof_kms_key_facts facts;
        struct cof_rollover_lists lists;
        struct cof_measurement only;
        struct cof_diag why = {0};

        memset(&keys[i], 0, sizeof keys[i]);
        memcpy(keys[i].arn, arn, strlen(arn) + 1);
        err = explain(run, cof_kms_run_describe_key(aws_of(run), cof_view_str(arn), &facts, run->diag));
        if (err == COF_OK && (!facts.by_customer || strcmp(facts.state, "Enabled") != 0))
            err = cof_diag_set(run->diag, COF_E_PRECONDITION, "%s: the key is %s%s", arn, facts.state,
                               facts.by_customer ? "" : ", and a service of AWS manages it");
        if (err == COF_OK)
            err = get_policy(run, arn, &run->policies[i]);
        if (err != COF_OK)
            return err;
        err = cof_rollover_read(cof_buf_view(&run->policies[i]), &lists, &why);
        if (err == COF_OK && config->old_image == NULL) {
            err = cof_rollover_only(&lists, &only, &why);
            if (err == COF_OK && i == 0)
                *old = only;
            else if (err == COF_OK && !cof_measurement_eq(old, &only))
                err = cof_diag_set(&why, COF_E_CONFIG, "the policy lists another image than that of the first key");
        } else if (err == COF_OK && !cof_rollover_has(&lists, old)) {
            err = cof_diag_set(&why, COF_E_CONFIG, "the policy does not list the image to be replaced");
        }
        if (err != COF_OK)
            return rollover_about(run, arn, err, &why);
    }
    return err;
}

static enum cof_err check_images(struct rollover_run *run, const struct cof_measurement *old, const struct cof_measurement *new)
{
    if (cof_measurement_eq(old, new))
        return cof_diag_set(run->diag, COF_E_CONFIG, "the new image is the one that the policies demand already");
    if (strcmp(old->pcr[0], new->pcr[0]) == 0)
        return cof_diag_set(run->diag, COF_E_AUTH, "the new image has the old one's PCR0 with another PCR1 or PCR2: one of the two is wrong");
    return COF_OK;
}

/* stage, when a begun one is to be gone on with: the image must be the same. Otherwise a new one begins. */
static enum cof_err begin_stage(struct rollover_run *run, bool plan_only, struct cof_measurement *new)
{
    struct cof_rollover_key keys[COF_ROLLOVER_KEYS_MAX];
    const char *texts[COF_ROLLOVER_KEYS_MAX];
    struct cof_rollover *r = &run->file.rollover;
    struct cof_measurement old;
    struct cof_buf image;
    enum cof_err err;

    cof_buf_init(&image, 4096);
    err = rollover_new_image(run, new, &image);
    if (err == COF_OK && (r->step != COF_ROLLOVER_StageBegun || plan_only))
        err = check_keys(run);
    if (err == COF_OK)
        err = sign_in(run);
    if (err == COF_OK && r->step == COF_ROLLOVER_StageBegun && !plan_only) {
        if (!cof_measurement_eq(new, &r->new_image))
            err = cof_diag_set(run->diag, COF_E_STATE, "staging of another image was begun and not ended: abort it first");
        cof_buf_done(&image);
        return err;
    }
    if (err == COF_OK && run->file.fd >= 0)
        err = cof_rollover_may(r, COF_ROLLOVER_StageBegun, run->diag);
    if (err == COF_OK)
        err = read_keys(run, keys, &old);
    if (err == COF_OK)
        err = check_images(run, &old, new);
    for (size_t i = 0; i < run->config->keys.n && err == COF_OK; i++)
        texts[i] = cof_buf_cstr(&run->policies[i]);
    if (err == COF_OK && plan_only) { /* what recording would do, without a file */
        r->old_image = old;
        r->new_image = *new;
        memcpy(r->keys, keys, sizeof keys);
        r->n_keys = run->config->keys.n;
    } else if (err == COF_OK) {
        err = record(run, (struct cof_rollover_entry){.event = COF_ROLLOVER_StageBegun, .old_image = &old, .new_image = new,
            .image = cof_buf_cstr(&image), .policies = texts, .keys = keys, .n_keys = run->config->keys.n});
    }
    cof_buf_done(&image);
    return err;
}

static enum cof_err step_stage(struct rollover_run *run)
{
    struct cof_measurement new;
    enum cof_err err = begin_stage(run, false, &new);

    return err == COF_OK ? change_all(run, ADD_NEW, COF_ROLLOVER_Staged) : err;
}

/* Which keys a verified receipt tells of: the data key was released to this image, the result sealed under the results key; and
 * where a model was loaded, the third, of which the receipt names the model only. */
static size_t told_of(const struct cof_rollover *r, const struct cof_receipt *receipt, struct cof_rollover_key *out)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n_keys; i++) {
        bool other = !cof_view_eq_str(receipt->data_key_arn, r->keys[i].arn) && !cof_view_eq_str(receipt->results_key_arn, r->keys[i].arn);

        if (!other || receipt->model_sha256.len > 0)
            out[n++] = r->keys[i];
    }
    return n;
}

static enum cof_err check_canary(struct rollover_run *run, const struct cof_receipt *receipt)
{
    const struct cof_rollover *r = &run->file.rollover;
    char staged[COF_DATE_MAX];

    if (receipt->started_ms < r->staged_ms - CLOCK_LEEWAY_MS) {
        cof_date_iso_seconds(r->staged_ms, staged);
        return cof_diag_set(run->diag, COF_E_AUTH, "the receipt is older than the staging at %s: it proves nothing about the policies as they are", staged);
    }
    return COF_OK;
}

static void add_evidence(const struct cof_receipt *receipt, const struct cof_attest *attest, const char *sha256, struct cof_buf *out)
{
    char finished[COF_DATE_MAX];

    cof_date_iso(receipt->finished_ms, finished);
    cof_buf_add_str(out, "{");
    cof_json_add_member(out, "receiptSha256", cof_view_str(sha256));
    cof_json_add_member(out, "module", attest->doc.module_id);
    cof_json_add_member(out, "tenant", receipt->tenant);
    cof_json_add_member(out, "job", receipt->job);
    cof_json_add_member(out, "finished", cof_view_str(finished));
    cof_json_add_member(out, "dataKey", receipt->data_key_arn);
    cof_json_add_member(out, "resultsKey", receipt->results_key_arn);
    cof_buf_add_str(out, "}");
}

/* The receipt's enclave must be the new image, by the attestation document inside. */
static enum cof_err verify_receipt(struct rollover_run *run, struct cof_view bytes, struct cof_receipt *receipt, struct cof_attest *attest)
{
    const struct cof_rollover *r = &run->file.rollover;
    uint8_t wanted[3][COF_ATTEST_PCR_SIZE];
    struct expected expected;
    enum cof_err err = expected_open(&run->config->expected, &expected, run->diag);

    for (unsigned i = 0; i < 3 && err == COF_OK; i++) {
        err = cof_hex_decode_fixed(cof_view_str(r->new_image.pcr[i]), wanted[i], sizeof wanted[i]);
        expected.pcrs[expected.n + i] = (struct cof_attest_pcr){i, cof_view_of(wanted[i], sizeof wanted[i])};
    }
    if (err == COF_OK) {
        expected.policy.n_pcrs = expected.n + 3;
        expected.policy.any_image = false;
        err = cof_receipt_verify(bytes, &expected.policy, receipt, attest, run->diag);
    }
    expected_done(&expected);
    return err;
}

static enum cof_err step_prove(struct rollover_run *run)
{
    struct cof_rollover_key keys[COF_ROLLOVER_KEYS_MAX];
    struct cof_receipt receipt;
    struct cof_attest attest;
    struct cof_buf bytes, evidence;
    char hex[65];
    size_t n = 0;
    enum cof_err err = cof_rollover_may(&run->file.rollover, COF_ROLLOVER_Proved, run->diag);

    cof_buf_init(&bytes, COF_RECEIPT_MAX);
    cof_buf_init(&evidence, 16384);
    if (err == COF_OK && run->config->receipt == NULL)
        err = cof_diag_set(run->diag, COF_E_USAGE, "--receipt is needed: coffer result JOB --receipt FILE fetches it");
    if (err == COF_OK)
        err = cof_file_read(run->config->receipt, &bytes, run->diag);
    if (err == COF_E_TOO_LARGE)
        err = cof_diag_set(run->diag, COF_E_AUTH, "%s: too large for a receipt", run->config->receipt);
    if (err == COF_OK)
        err = verify_receipt(run, cof_buf_view(&bytes), &receipt, &attest);
    if (err == COF_OK)
        err = check_canary(run, &receipt);
    if (err == COF_OK)
        err = digest(cof_buf_view(&bytes), hex);
    if (err == COF_OK) {
        n = told_of(&run->file.rollover, &receipt, keys);
        if (n == 0)
            err = cof_diag_set(run->diag, COF_E_AUTH, "the receipt tells of none of the keys that are rolled over");
    }
    if (err == COF_OK)
        err = sign_in(run);
    if (err == COF_OK) {
        add_evidence(&receipt, &attest, hex, &evidence);
        err = record(run, (struct cof_rollover_entry){.event = COF_ROLLOVER_Proved, .keys = keys, .n_keys = n,
            .evidence = cof_buf_cstr(&evidence)});
    }
    cof_buf_done(&bytes);
    cof_buf_done(&evidence);
    return err;
}

static bool is_waived(const struct rollover_config *config, const char *arn)
{
    for (size_t i = 0; i < config->without_proof.n; i++)
        if (strcmp(config->without_proof.items[i], arn) == 0)
            return true;
    return false;
}

/* Every key is proved, or said to do without. */
static enum cof_err begin_finish(struct rollover_run *run)
{
    struct cof_rollover *r = &run->file.rollover;
    struct cof_rollover_key waived[COF_ROLLOVER_KEYS_MAX];
    size_t n = 0;
    enum cof_err err;

    for (size_t i = 0; i < run->config->without_proof.n; i++)
        if (cof_rollover_find(r, run->config->without_proof.items[i]) == NULL)
            return cof_diag_set(run->diag, COF_E_USAGE, "--without-proof: %s is not rolled over", run->config->without_proof.items[i]);
    if (r->step == COF_ROLLOVER_FinishBegun)
        return COF_OK;
    err = cof_rollover_may(r, COF_ROLLOVER_FinishBegun, run->diag);
    for (size_t i = 0; i < r->n_keys && err == COF_OK; i++) {
        if (!r->keys[i].proven && !is_waived(run->config, r->keys[i].arn)) {
            err = cof_diag_set(run->diag, COF_E_STATE, "%s: no receipt has proved it for the new image", r->keys[i].arn);
            cof_diag_hint(run->diag, "a job with a model proves the models' key; --without-proof ARN leaves a key out");
        } else if (!r->keys[i].proven) {
            waived[n++] = r->keys[i];
        }
    }
    if (err == COF_OK)
        err = check_unchanged(run, REMOVE_OLD);
    return err == COF_OK ? record(run, (struct cof_rollover_entry){.event = COF_ROLLOVER_FinishBegun, .keys = waived, .n_keys = n}) : err;
}

static enum cof_err step_finish(struct rollover_run *run)
{
    enum cof_err err = sign_in(run);

    if (err == COF_OK)
        err = begin_finish(run);
    return err == COF_OK ? change_all(run, REMOVE_OLD, COF_ROLLOVER_Finished) : err;
}

static enum cof_err step_abort(struct rollover_run *run)
{
    const struct cof_rollover *r = &run->file.rollover;
    enum cof_err err = r->step == COF_ROLLOVER_AbortBegun ? COF_OK : cof_rollover_may(r, COF_ROLLOVER_AbortBegun, run->diag);

    if (err == COF_OK)
        err = sign_in(run);
    if (err == COF_OK && r->step != COF_ROLLOVER_AbortBegun) {
        err = check_unchanged(run, REMOVE_NEW);
        if (err == COF_OK)
            err = record(run, (struct cof_rollover_entry){.event = COF_ROLLOVER_AbortBegun});
    }
    return err == COF_OK ? change_all(run, REMOVE_NEW, COF_ROLLOVER_Aborted) : err;
}

static enum cof_err step_status(struct rollover_run *run)
{
    const struct cof_rollover *r = &run->file.rollover;
    enum cof_err err = r->n_keys == 0 ? COF_OK : sign_in(run);

    for (size_t i = 0; i < r->n_keys && err == COF_OK; i++)
        err = get_policy(run, r->keys[i].arn, &run->policies[i]);
    return err == COF_OK ? rollover_tell(run, true) : err;
}

static enum cof_err step_plan(struct rollover_run *run)
{
    struct cof_measurement new;
    enum cof_err err = begin_stage(run, true, &new);

    return err == COF_OK ? rollover_tell_plan(run) : err;
}

static const struct step {
    const char *name;
    enum cof_err (*run)(struct rollover_run *run);
    bool reads_only, optional_history, tells;
} steps[] = {
    {"plan", step_plan, true, true, false},       {"stage", step_stage, false, false, true},
    {"prove", step_prove, false, false, true},    {"finish", step_finish, false, false, true},
    {"abort", step_abort, false, false, true},    {"status", step_status, true, false, false},
    {"history", rollover_tell_history, true, false, false},
};

static enum cof_err take_step(struct rollover_run *run, const struct step *step)
{
    const char *history = run->config->history;
    enum cof_err err = COF_OK;

    if (history == NULL && !step->optional_history)
        return cof_diag_set(run->diag, COF_E_USAGE, "--history is needed");
    if (history != NULL) {
        err = rollover_file_open(&run->file, history, step->reads_only, run->diag);
        if (err == COF_E_NOT_FOUND && step->optional_history)
            err = COF_OK; /* the first plan */
    }
    if (err == COF_OK)
        err = step->run(run);
    return err == COF_OK && step->tells ? rollover_tell(run, false) : err;
}

static enum cof_err rollover(const void *options_given, char **args, struct cof_diag *diag)
{
    struct rollover_run *run;
    enum cof_err err = COF_E_USAGE;
    size_t i = 0;

    while (i < sizeof steps / sizeof steps[0] && strcmp(args[0], steps[i].name) != 0)
        i++;
    if (i == sizeof steps / sizeof steps[0])
        return cof_diag_set(diag, COF_E_USAGE, "'%s' is no step: %s", args[0], command.args);
    if (((const struct rollover_config *)options_given)->wait_s > 3600)
        return cof_diag_set(diag, COF_E_USAGE, "--wait: 0 to 3600 seconds");
    run = calloc(1, sizeof *run);
    if (run == NULL)
        return COF_E_MEMORY;
    run->config = options_given;
    run->diag = diag;
    run->file.fd = -1;
    cof_rollover_init(&run->file.rollover);
    err = take_step(run, &steps[i]);
    for (size_t k = 0; k < COF_ROLLOVER_KEYS_MAX; k++)
        cof_buf_done(&run->policies[k]);
    if (run->aws.loop != NULL)
        aws_close(&run->aws);
    rollover_file_close(&run->file);
    free(run);
    return err;
}

static int run_rollover(int argc, char **argv)
{
    struct rollover_config config = {.wait_s = 120};

    return verb_run("coffer policy rollover", &command, &config, rollover, argc, argv);
}

const struct verb verb_policy_rollover = {"policy rollover", &command, run_rollover};
