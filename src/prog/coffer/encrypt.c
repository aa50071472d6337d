/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer encrypt: seals a file or a pipe. The output appears whole or not at all.
 */
#include "common.h"
#include "input.h"
#include "keyrings.h"
#include "verbs.h"

#include "engine/cmm.h"
#include "io/file.h"
#include "io/rng_os.h"
#include "io/seal.h"
#include "prog/progress.h"

#include <stdlib.h>
#include <string.h>

#define PROG "coffer encrypt"
#define FRAME_MAX (16u << 20)
#define SUITE_OLDEST_READERS 0x0378 /* what AWS Encryption SDKs write when commitment is forbidden */

struct config {
    struct aws_options aws;
    struct cof_text_list keyrings, context, required;
    const char *output, *suite, *policy;
    uint64_t frame_length, max_edks;
    bool quiet;
};

#define O(field) offsetof(struct config, field)
static const struct cof_option options[] = {
    {"output", 'o', COF_OPT_TEXT, "FILE", "where it goes (default: standard output)", O(output)},
    {"keyring", 'k', COF_OPT_LIST, "KEYRING", "who can open it; repeatable, any one of them is enough", O(keyrings)},
    {"context", 'c', COF_OPT_LIST, "K=V", "encryption context: authenticated, not secret; repeatable", O(context)},
    {"required-context", 0, COF_OPT_LIST, "K=V", "the same, but not in the message: whoever opens it must know it", O(required)},
    {"suite", 0, COF_OPT_TEXT, "ID", "0578 (signed, the default), 0478, or an older one that the policy allows", O(suite)},
    {"frame-length", 0, COF_OPT_SIZE, "SIZE", "plaintext bytes a frame, 1 to 16M (4K)", O(frame_length)},
    {"commitment-policy", 0, COF_OPT_TEXT, "POLICY", COMMITMENT_HELP, O(policy)},
    {"max-edks", 0, COF_OPT_NUMBER, "N", "most encrypted data keys the message may have (10)", O(max_edks)},
    {"quiet", 'q', COF_OPT_FLAG, NULL, "no progress on the terminal", O(quiet)},
    AWS_OPTIONS(struct config),
};
static const struct cof_command command = {
    .name = "encrypt",
    .args = "FILE|-",
    .summary = "Seals a file as an AWS Encryption SDK message.",
    .details = KEYRINGS_HELP,
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 1,
    .max_args = 1,
};

struct task {
    const struct config *config;
    struct cof_diag *diag;
    struct keyrings keyrings;
    struct cof_esdk_encrypt *e;
    struct input in;
    struct cof_file_out out;
};

static enum cof_err to_output(void *ctx, struct cof_view bytes)
{
    struct task *t = ctx;

    return cof_file_out_write(&t->out, bytes, t->diag);
}

static enum cof_err pump(struct task *t)
{
    struct cof_seal_options how = {.threads = COF_THREADS_AUTO, .sink = to_output, .ctx = t};
    struct cof_progress progress;
    struct cof_seal *s;
    size_t n = 1;
    enum cof_err err = cof_seal_new(t->e, &how, &s);

    cof_progress_begin(&progress, PROG, t->in.size, t->config->quiet);
    while (err == COF_OK && n > 0) {
        uint8_t *data;
        size_t room;

        err = cof_seal_room(s, &data, &room);
        if (err == COF_OK)
            err = input_read(&t->in, data, room, &n, t->diag);
        if (err == COF_OK && n > 0)
            err = cof_seal_filled(s, n);
        cof_progress_add(&progress, n);
    }
    if (err == COF_OK)
        err = cof_seal_finish(s);
    cof_progress_end(&progress);
    cof_seal_free(s);
    if (err == COF_E_LIMIT)
        err = cof_diag_set(t->diag, err, "too large for %s frames of %llu bytes; a message has at most 2^32-2 of them",
                           t->in.name, (unsigned long long)t->config->frame_length);
    return err;
}

static enum cof_err parse_suite(const struct config *config, struct cof_esdk_materials *m, struct cof_diag *diag)
{
    const struct cof_suite *suite;
    enum cof_err err = commitment_parse(config->policy, &m->policy, diag);
    char *end = NULL;

    if (err != COF_OK)
        return err;
    m->suite = m->policy == COF_FORBID_ENCRYPT_ALLOW_DECRYPT ? SUITE_OLDEST_READERS : COF_ESDK_SUITE_SIGNED;
    if (config->suite != NULL) {
        size_t skip = strncmp(config->suite, "0x", 2) == 0 ? 2 : 0;
        m->suite = strlen(config->suite + skip) == 4 ? (uint16_t)strtoul(config->suite + skip, &end, 16) : 0;
        if (end == NULL || *end != '\0')
            m->suite = 0;
    }
    suite = cof_suite_find(m->suite);
    if (suite == NULL) {
        err = cof_diag_set(diag, COF_E_USAGE, "--suite: '%s' is no algorithm suite", config->suite);
        cof_diag_hint(diag, "0578 or 0478; older readers: 0014 0046 0078 0114 0146 0178 0214 0346 0378");
    } else if (!cof_suite_may_encrypt(suite, m->policy)) {
        err = cof_diag_set(diag, COF_E_USAGE, "suite %04x %s key commitment, which the commitment policy %s", suite->id,
                           suite->kdf == COF_KDF_COMMIT ? "has" : "is without",
                           suite->kdf == COF_KDF_COMMIT ? "forbids" : "requires");
        cof_diag_hint(diag, suite->kdf == COF_KDF_COMMIT ? "leave out --commitment-policy"
                                                         : "--commitment-policy forbid-encrypt-allow-decrypt writes it");
    }
    return err;
}

/* Both kinds of pairs are the context; the names of the second kind stay out of the message. */
static enum cof_err parse_context(const struct config *config, struct cof_esdk_pair *pairs, struct cof_view *names,
                                  struct cof_esdk_materials *m, struct cof_diag *diag)
{
    struct cof_text_list all = config->context;
    size_t n;
    enum cof_err err = context_parse(&config->required, pairs, COF_ESDK_PAIRS_MAX, &n, diag);

    if (err != COF_OK)
        return err;
    for (size_t i = 0; i < n; i++)
        names[i] = pairs[i].name;
    m->required_names = names;
    m->n_required = n;
    for (size_t i = 0; i < config->required.n; i++) {
        if (all.n == COF_LIST_MAX)
            return cof_diag_set(diag, COF_E_USAGE, "too many context pairs");
        all.items[all.n++] = config->required.items[i];
    }
    m->pairs = pairs;
    return context_parse(&all, pairs, COF_ESDK_PAIRS_MAX - 1, &m->n_pairs, diag);
}

static enum cof_err seal_input(struct task *t, const struct cof_esdk_materials *m)
{
    const char *output = t->config->output == NULL ? "-" : t->config->output;
    struct cof_keyring keyring = keyrings_get(&t->keyrings);
    struct cof_cmm cmm = cof_cmm_of_keyring(&keyring);
    enum cof_err err = input_open(&t->in, t->in.name, false, t->diag);

    if (err == COF_OK)
        err = cof_esdk_encrypt_with(&cmm, m, &cof_rng_os, t->diag, &t->e);
    if (err == COF_E_LIMIT && t->diag->text[0] == '\0')
        err = cof_diag_set(t->diag, err, "the encryption context is too large for a message's header");
    if (err == COF_OK)
        err = cof_file_out_open(&t->out, output, 0644, t->diag);
    if (err == COF_OK)
        err = pump(t);
    return err == COF_OK ? cof_file_out_commit(&t->out, t->diag) : err;
}

static enum cof_err run(const void *options_given, char **args, struct cof_diag *diag)
{
    const struct config *config = options_given;
    struct task t = {.config = config, .diag = diag, .in = {.fd = -1, .name = args[0], .spool = -1}, .out = {.fd = -1}};
    struct cof_esdk_pair pairs[COF_ESDK_PAIRS_MAX];
    struct cof_view names[COF_ESDK_PAIRS_MAX];
    struct cof_esdk_materials m = {.frame_length = (uint32_t)config->frame_length};
    enum cof_err err = parse_suite(config, &m, diag);

    if (err == COF_OK)
        err = parse_context(config, pairs, names, &m, diag);
    if (err == COF_OK && (config->frame_length == 0 || config->frame_length > FRAME_MAX))
        err = cof_diag_set(diag, COF_E_USAGE, "--frame-length: 1 byte to 16M");
    if (err == COF_OK && config->keyrings.n > config->max_edks)
        err = cof_diag_set(diag, COF_E_USAGE, "%zu keyrings make more encrypted data keys than --max-edks %llu allows",
                           config->keyrings.n, (unsigned long long)config->max_edks);
    if (err == COF_OK)
        err = keyrings_parse(&config->keyrings, &config->aws, true, &t.keyrings, diag);
    if (err == COF_OK)
        err = seal_input(&t, &m);
    cof_file_out_close(&t.out);
    cof_esdk_encrypt_free(t.e);
    input_close(&t.in);
    keyrings_done(&t.keyrings);
    return err;
}

static int run_encrypt(int argc, char **argv)
{
    struct config config = {.frame_length = 4096, .max_edks = 10};

    return verb_run(PROG, &command, &config, run, argc, argv);
}

const struct verb verb_encrypt = {"encrypt", &command, run_encrypt};
