/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer decrypt: opens a message, or a range of one. The output appears whole, after everything verified, or not at all.
 *
 * To a file the plaintext goes as frames verify, into a file without a name that gets its name at the end. What goes elsewhere
 * cannot be taken back: a little is held in memory; more is opened twice, the first time only to verify it.
 */
#include "common.h"
#include "input.h"
#include "keyrings.h"
#include "verbs.h"

#include "base/num.h"
#include "engine/cmm.h"
#include "io/file.h"
#include "io/open.h"
#include "prog/progress.h"

#include <string.h>

#define PROG "coffer decrypt"
#define HELD_MAX ((size_t)4 << 20)

struct config {
    struct aws_options aws;
    struct cof_text_list keyrings, context, required;
    const char *output, *policy, *range;
    uint64_t max_edks, max_frame_length, max_unframed;
    bool quiet;
};

#define O(field) offsetof(struct config, field)
static const struct cof_option options[] = {
    {"output", 'o', COF_OPT_TEXT, "FILE", "where it goes (default: standard output, after all is verified)", O(output)},
    {"keyring", 'k', COF_OPT_LIST, "KEYRING", "what opens it; repeatable, tried in turn", O(keyrings)},
    {"required-context", 'c', COF_OPT_LIST, "K=V", "must be the message's encryption context; repeatable", O(required)},
    {"context", 0, COF_OPT_LIST, "K=V", "the same", O(context)},
    {"range", 0, COF_OPT_TEXT, "A-B", "only bytes A to B of the plaintext, from 0, inclusive; A- is to the end", O(range)},
    {"commitment-policy", 0, COF_OPT_TEXT, "POLICY", COMMITMENT_HELP, O(policy)},
    {"max-edks", 0, COF_OPT_NUMBER, "N", "most encrypted data keys accepted, 1 to 16 (10)", O(max_edks)},
    {"max-frame-length", 0, COF_OPT_SIZE, "SIZE", "longest frame accepted (16M)", O(max_frame_length)},
    {"max-unframed", 0, COF_OPT_SIZE, "SIZE", "longest unframed body accepted, which is held in memory (64M)", O(max_unframed)},
    {"quiet", 'q', COF_OPT_FLAG, NULL, "no progress on the terminal", O(quiet)},
    AWS_OPTIONS(struct config),
};
static const struct cof_command command = {
    .name = "decrypt",
    .args = "FILE|-",
    .summary = "Opens an AWS Encryption SDK message.",
    .details = KEYRINGS_HELP "\n\nExit code 3: the message, its context or its key was refused. A range of an unsigned message (suite "
                             "0478) in a file is read from just its frames; any other message is verified from beginning to end first.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 1,
    .max_args = 1,
};

struct task {
    const struct config *config;
    struct cof_diag *diag;
    struct cof_esdk_decrypt_options how;
    struct cof_esdk_pair known[COF_ESDK_PAIRS_MAX];
    struct keyrings keyrings;
    struct input in;
    struct cof_file_out out;
    struct cof_esdk_decrypt *first; /* the session that asked the keyrings; later ones have its data key */
    bool no_keyring;                /* none of them had one */
    bool is_range;
    uint64_t range_first, range_last; /* inclusive */
    /* of one pass */
    enum { WRITE, HOLD, HOLD_OVERFLOWED } sink;
    uint64_t position; /* bytes of plaintext seen */
    struct cof_buf held;
    struct cof_progress progress;
};

static enum cof_err give_key(void *ctx, struct cof_esdk_decrypt *d)
{
    struct task *t = ctx;
    struct cof_keyring keyring = keyrings_get(&t->keyrings);
    struct cof_cmm cmm = cof_cmm_of_keyring(&keyring);
    enum cof_err err;

    if (t->first != d)
        return cof_esdk_decrypt_set_key_of(d, t->first);
    err = cof_esdk_decrypt_with(&cmm, d, t->diag);
    t->no_keyring = err != COF_OK && cof_esdk_decrypt_wants_key(d);
    return err;
}

static enum cof_err take_plain(void *ctx, struct cof_view plain)
{
    struct task *t = ctx;

    if (t->sink == WRITE)
        return cof_file_out_write(&t->out, plain, t->diag);
    if (t->sink == HOLD) {
        cof_buf_add(&t->held, plain);
        if (cof_buf_err(&t->held) != COF_OK) {
            cof_buf_done(&t->held);
            t->sink = HOLD_OVERFLOWED;
        }
    }
    return COF_OK;
}

/* The same for a message that is opened whole of which only a range is wanted. */
static enum cof_err take_wanted(void *ctx, struct cof_view plain)
{
    struct task *t = ctx;
    uint64_t begin = t->position, skip, keep;

    t->position += plain.len;
    if (!t->is_range)
        return take_plain(t, plain);
    if (t->position <= t->range_first || begin > t->range_last)
        return COF_OK;
    skip = t->range_first > begin ? t->range_first - begin : 0;
    keep = t->range_last - (begin + skip);
    return take_plain(t, cof_view_sub(plain, (size_t)skip, keep < plain.len ? (size_t)keep + 1 : SIZE_MAX));
}

static enum cof_err pump(struct task *t, struct cof_open *o, uint64_t bytes)
{
    enum cof_err err = COF_OK;

    for (size_t n = 1; err == COF_OK && n > 0 && bytes > 0; bytes -= n) {
        uint8_t *data;
        size_t room;

        err = cof_open_room(o, &data, &room);
        if (err == COF_OK)
            err = input_read(&t->in, data, room < bytes ? room : (size_t)bytes, &n, t->diag);
        if (err == COF_OK && n > 0)
            err = cof_open_filled(o, n);
        cof_progress_add(&t->progress, n);
    }
    return err == COF_OK ? cof_open_finish(o) : err;
}

/* A session at the message's beginning. The first one asks the keyrings, and is kept: later ones take its data key. */
static enum cof_err new_session(struct task *t, struct cof_esdk_decrypt **d)
{
    enum cof_err err = t->first == NULL ? COF_OK : input_seek(&t->in, 0, t->diag);

    if (err == COF_OK)
        err = cof_esdk_decrypt_new(&t->how, d);
    if (err == COF_OK && t->first == NULL)
        t->first = *d;
    t->position = 0;
    return err;
}

static void end_session(const struct task *t, struct cof_esdk_decrypt *d)
{
    if (d != t->first)
        cof_esdk_decrypt_free(d);
}

static enum cof_err behind_the_end(const struct task *t, uint64_t length)
{
    return cof_diag_set(t->diag, COF_E_LIMIT, "--range begins behind the end, which is at %llu bytes", (unsigned long long)length);
}

/* Once through the whole message. */
static enum cof_err open_whole(struct task *t)
{
    struct cof_open_options how = {.threads = COF_THREADS_AUTO, .give_key = give_key, .sink = take_wanted, .ctx = t};
    struct cof_esdk_decrypt *d = NULL;
    struct cof_open *o = NULL;
    enum cof_err err = new_session(t, &d);

    if (err == COF_OK)
        err = cof_open_new(d, &how, &o);
    cof_progress_begin(&t->progress, PROG, t->in.size, t->config->quiet);
    if (err == COF_OK)
        err = pump(t, o, UINT64_MAX);
    cof_progress_end(&t->progress);
    cof_open_free(o);
    end_session(t, d);
    return err == COF_OK && t->is_range && t->range_first >= t->position ? behind_the_end(t, t->position) : err;
}

/* *length: the header's. */
static enum cof_err open_header(struct task *t, struct cof_esdk_decrypt *d, uint64_t *length)
{
    uint8_t block[16384];
    struct cof_buf none;
    enum cof_err err = COF_OK;

    cof_buf_init(&none, 1);
    for (*length = 0; err == COF_OK && !cof_esdk_decrypt_wants_key(d);) {
        struct cof_view in;
        size_t n;

        err = input_read(&t->in, block, sizeof block, &n, t->diag);
        if (err == COF_OK && n == 0)
            err = COF_E_TRUNCATED;
        in = cof_view_of(block, n);
        if (err == COF_OK)
            err = cof_esdk_decrypt_push(d, &in, &none);
        *length += n - in.len;
    }
    cof_buf_done(&none);
    return err == COF_OK ? give_key(t, d) : err;
}

static enum cof_err open_frames(struct task *t, struct cof_esdk_decrypt *d, const struct cof_esdk_range *range)
{
    struct cof_open_options how = {.threads = COF_THREADS_AUTO, .sink = take_plain, .ctx = t};
    struct cof_open *o = NULL;
    enum cof_err err = input_seek(&t->in, range->from, t->diag);

    if (err == COF_OK)
        err = cof_open_new_range(d, range, &how, &o);
    cof_progress_begin(&t->progress, PROG, range->to - range->from, t->config->quiet);
    if (err == COF_OK)
        err = pump(t, o, range->to - range->from);
    cof_progress_end(&t->progress);
    cof_open_free(o);
    return err == COF_OK && range->length == 0 ? behind_the_end(t, range->plain_length) : err;
}

/* A range from just its frames, of a file. *can: false for a message that has to be opened whole: it is signed, or unframed. */
static enum cof_err open_range(struct task *t, bool *can)
{
    struct cof_esdk_range range;
    struct cof_esdk_decrypt *d = NULL;
    uint64_t header_length = 0;
    enum cof_err err = new_session(t, &d);

    if (err == COF_OK)
        err = open_header(t, d, &header_length);
    if (err == COF_OK) {
        err = cof_esdk_range_plan(cof_esdk_decrypt_header(d), header_length, t->in.size, t->range_first, t->range_last, &range);
        *can = err != COF_E_DENIED && err != COF_E_UNSUPPORTED;
        if (!*can)
            err = COF_OK;
        else if (err == COF_OK)
            err = open_frames(t, d, &range);
    }
    end_session(t, d);
    return err;
}

static enum cof_err open_message(struct task *t)
{
    bool by_frames = t->is_range && t->in.is_file;
    enum cof_err err = COF_OK;

    t->sink = t->out.is_stdout && !t->out.is_null ? HOLD : WRITE;
    if (by_frames)
        err = open_range(t, &by_frames);
    if (err == COF_OK && !by_frames)
        err = open_whole(t);
    if (err != COF_OK || t->sink == WRITE)
        return err;
    if (t->sink == HOLD)
        return cof_file_out_write(&t->out, cof_buf_view(&t->held), t->diag);
    t->sink = WRITE; /* all of it verified; now once more, to be written */
    return by_frames ? open_range(t, &by_frames) : open_whole(t);
}

static void explain(const struct task *t, enum cof_err err)
{
    if (t->diag->text[0] != '\0' || (err == COF_E_AUTH && context_explain(t->first, t->how.known_pairs, t->how.n_known, t->diag)))
        return;
    if ((err == COF_E_AUTH || err == COF_E_NOT_FOUND) && t->no_keyring) {
        (void)cof_diag_set(t->diag, err, "none of the keyrings opens this message's data key");
        cof_diag_hint(t->diag, "'coffer inspect' shows which keys it was sealed for");
    } else if (err == COF_E_AUTH) {
        (void)cof_diag_set(t->diag, err, "the message was refused: altered, or sealed under another key");
    } else if (err == COF_E_FORMAT) {
        (void)cof_diag_set(t->diag, err, "not an AWS Encryption SDK message, or damaged");
    } else if (err == COF_E_TRUNCATED) {
        (void)cof_diag_set(t->diag, err, "the message ends too early");
    } else if (err == COF_E_UNSUPPORTED) {
        (void)cof_diag_set(t->diag, err, "not an AWS Encryption SDK message, or one of an unknown format or suite");
    } else if (err == COF_E_DENIED) {
        (void)cof_diag_set(t->diag, err, "the message's algorithm suite has no key commitment");
        cof_diag_hint(t->diag, "--commitment-policy require-encrypt-allow-decrypt opens it all the same");
    } else if (err == COF_E_LIMIT) {
        (void)cof_diag_set(t->diag, err, "the message is over a limit: --max-edks, --max-frame-length or --max-unframed");
    }
}

/* "A-B" or "A-" */
static enum cof_err parse_range(struct task *t)
{
    struct cof_view text = cof_view_str(t->config->range == NULL ? "" : t->config->range), first, last;
    bool ok;

    if (t->config->range == NULL)
        return COF_OK;
    ok = cof_view_split(text, '-', &first, &last) && cof_parse_u64(first, UINT64_MAX, &t->range_first) == COF_OK;
    if (ok && last.len == 0)
        t->range_last = UINT64_MAX;
    else if (ok)
        ok = cof_parse_u64(last, UINT64_MAX, &t->range_last) == COF_OK && t->range_last >= t->range_first;
    if (!ok)
        return cof_diag_set(t->diag, COF_E_USAGE, "--range: '%s': write A-B, the first and the last byte counted from 0, or A-",
                            t->config->range);
    t->is_range = true;
    return COF_OK;
}

static enum cof_err parse_config(struct task *t)
{
    const struct config *config = t->config;
    struct cof_text_list all = config->required;
    enum cof_err err = commitment_parse(config->policy, &t->how.policy, t->diag);

    for (size_t i = 0; err == COF_OK && i < config->context.n; i++) {
        if (all.n == COF_LIST_MAX)
            return cof_diag_set(t->diag, COF_E_USAGE, "too many context pairs");
        all.items[all.n++] = config->context.items[i];
    }
    if (err == COF_OK)
        err = context_parse(&all, t->known, COF_ESDK_PAIRS_MAX, &t->how.n_known, t->diag);
    t->how.known_pairs = t->known;
    if (err == COF_OK && (config->max_edks == 0 || config->max_edks > COF_ESDK_EDKS_MAX))
        err = cof_diag_set(t->diag, COF_E_USAGE, "--max-edks: 1 to %d", COF_ESDK_EDKS_MAX);
    if (err == COF_OK && (config->max_frame_length == 0 || config->max_frame_length > UINT32_MAX))
        err = cof_diag_set(t->diag, COF_E_USAGE, "--max-frame-length: 1 byte to 4G less one");
    t->how.limits = (struct cof_esdk_limits){.max_edks = (size_t)config->max_edks, .max_unframed = config->max_unframed,
                                             .max_frame_length = (uint32_t)config->max_frame_length};
    return err == COF_OK ? parse_range(t) : err;
}

static enum cof_err run(const void *options_given, char **args, struct cof_diag *diag)
{
    struct task t = {.config = options_given, .diag = diag, .in = {.fd = -1, .spool = -1}, .out = {.fd = -1}};
    const char *output = t.config->output == NULL ? "-" : t.config->output;
    enum cof_err err = parse_config(&t);

    cof_buf_init_secret(&t.held, HELD_MAX);
    if (err == COF_OK)
        err = keyrings_parse(&t.config->keyrings, &t.config->aws, false, &t.keyrings, diag);
    if (err == COF_OK)
        err = cof_file_out_open(&t.out, output, 0600, diag);
    if (err == COF_OK)
        err = input_open(&t.in, args[0], t.out.is_stdout, diag);
    if (err == COF_OK)
        err = open_message(&t);
    if (err == COF_OK)
        err = cof_file_out_commit(&t.out, diag);
    explain(&t, err);
    cof_file_out_close(&t.out);
    cof_buf_done(&t.held);
    cof_esdk_decrypt_free(t.first);
    input_close(&t.in);
    keyrings_done(&t.keyrings);
    return err == COF_E_NOT_FOUND && t.first != NULL ? COF_E_AUTH : err;
}

static int run_decrypt(int argc, char **argv)
{
    struct config config = {.max_edks = 10, .max_frame_length = 16u << 20, .max_unframed = 64u << 20};

    return verb_run(PROG, &command, &config, run, argc, argv);
}

const struct verb verb_decrypt = {"decrypt", &command, run_decrypt};
