/* SPDX-License-Identifier: Apache-2.0 */
#include "lib.h"

#include "io/open.h"
#include "io/rng_os.h"
#include "io/seal.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_SUITE COF_ESDK_SUITE_SIGNED
#define MEMORY_FRAMES_MAX (SIZE_MAX / 4) /* cap of a message in memory: the caller's own length bounds it */

int cof_lib_err(enum cof_err err)
{
    switch (cof_err_class(err)) {
    case COF_CLASS_OK:
        return COFFER_OK;
    case COF_CLASS_USAGE:
        return COFFER_E_USAGE;
    case COF_CLASS_SHORT:
    case COF_CLASS_FORMAT:
        return COFFER_E_FORMAT;
    case COF_CLASS_LIMIT:
        return COFFER_E_LIMIT;
    case COF_CLASS_AUTH:
        return COFFER_E_AUTH;
    case COF_CLASS_DENIED:
        return err == COF_E_NOT_FOUND ? COFFER_E_AUTH : COFFER_E_DENIED; /* no keyring has a key for it */
    case COF_CLASS_RETRY:
        return COFFER_E_RETRY;
    case COF_CLASS_IO:
        return COFFER_E_IO;
    case COF_CLASS_MEMORY:
        return COFFER_E_MEMORY;
    case COF_CLASS_BUG:
        break;
    }
    return COFFER_E_BUG;
}

const char *coffer_strerror(int err)
{
    static const char *const texts[] = {"done", "internal error", "invalid argument",
                                        "not an AWS Encryption SDK message, or damaged", "over a limit",
                                        "refused: altered, or sealed under another key or context",
                                        "refused by the commitment policy or a service", "temporarily unavailable",
                                        "input/output error", "out of memory"};

    return err >= 0 && (size_t)err < sizeof texts / sizeof texts[0] ? texts[err] : "unknown error";
}

const char *coffer_version(void)
{
    return COF_VERSION;
}

void cof_lib_diag(struct coffer_diag *to, const struct cof_diag *from)
{
    _Static_assert(sizeof to->text == sizeof from->text && sizeof to->hint == sizeof from->hint, "one copy of each");
    if (to == NULL)
        return;
    (void)memcpy(to->text, from->text, sizeof to->text);
    (void)memcpy(to->hint, from->hint, sizeof to->hint);
}

void coffer_free(void *data, size_t len)
{
    if (data != NULL)
        cof_wipe(data, len);
    free(data);
}

/* Options as the caller's version has them; what it does not know is zero. */
static bool seal_options(const struct coffer_seal_options *given, struct coffer_seal_options *out)
{
    *out = (struct coffer_seal_options){0};
    if (given == NULL)
        return true;
    if (given->size < sizeof given->size)
        return false;
    (void)memcpy(out, given, given->size < sizeof *out ? given->size : sizeof *out);
    return true;
}

static bool open_options(const struct coffer_open_options *given, struct coffer_open_options *out)
{
    *out = (struct coffer_open_options){0};
    if (given == NULL)
        return true;
    if (given->size < sizeof given->size)
        return false;
    (void)memcpy(out, given, given->size < sizeof *out ? given->size : sizeof *out);
    return true;
}

static bool policy_of(enum coffer_policy given, enum cof_commitment_policy *out)
{
    switch (given) {
    case COFFER_REQUIRE_ENCRYPT_REQUIRE_DECRYPT:
        *out = COF_REQUIRE_ENCRYPT_REQUIRE_DECRYPT;
        return true;
    case COFFER_REQUIRE_ENCRYPT_ALLOW_DECRYPT:
        *out = COF_REQUIRE_ENCRYPT_ALLOW_DECRYPT;
        return true;
    case COFFER_FORBID_ENCRYPT_ALLOW_DECRYPT:
        *out = COF_FORBID_ENCRYPT_ALLOW_DECRYPT;
        return true;
    }
    return false;
}

static enum cof_err pairs_of(const struct coffer_pair *given, size_t n, struct cof_esdk_pair *out)
{
    if (n > COF_ESDK_PAIRS_MAX)
        return COF_E_LIMIT;
    for (size_t i = 0; i < n; i++)
        out[i] = (struct cof_esdk_pair){cof_view_str(given[i].name), cof_view_str(given[i].value)};
    return COF_OK;
}

static enum cof_err begin_seal(struct coffer_keyring *keyring, const struct coffer_seal_options *o, struct cof_esdk_encrypt **e)
{
    struct cof_cmm cmm = cof_lib_keyring_cmm(keyring);
    struct cof_esdk_pair pairs[COF_ESDK_PAIRS_MAX];
    struct cof_view names[COF_ESDK_PAIRS_MAX];
    struct cof_esdk_materials m = {.suite = o->suite == 0 ? DEFAULT_SUITE : o->suite, .frame_length = o->frame_length,
                                   .pairs = pairs, .n_pairs = o->n_context, .required_names = names,
                                   .n_required = o->n_required_names, .length_known = o->length_known != 0,
                                   .plain_length = o->plain_length};
    struct cof_diag diag = {0};
    enum cof_err err = pairs_of(o->context, o->n_context, pairs);

    if (o->n_required_names > COF_ESDK_PAIRS_MAX)
        err = COF_E_LIMIT;
    for (size_t i = 0; err == COF_OK && i < o->n_required_names; i++)
        names[i] = cof_view_str(o->required_names[i]);
    if (err == COF_OK && !policy_of(o->policy, &m.policy))
        err = COF_E_USAGE;
    if (err == COF_OK)
        err = cof_esdk_encrypt_with(&cmm, &m, &cof_rng_os, &diag, e);
    if (err != COF_OK)
        cof_lib_diag(o->diag, &diag);
    return err;
}

static enum cof_err new_decrypt(const struct coffer_open_options *o, struct cof_esdk_pair *pairs, struct cof_esdk_decrypt **d)
{
    struct cof_esdk_decrypt_options how = {
        .known_pairs = pairs,
        .n_known = o->n_context,
        .limits = {.max_edks = o->max_edks, .max_frame_length = o->max_frame_length, .max_unframed = o->max_held,
                   .max_held = o->max_held}};
    enum cof_err err = pairs_of(o->context, o->n_context, pairs);

    if (err == COF_OK && !policy_of(o->policy, &how.policy))
        err = COF_E_USAGE;
    return err == COF_OK ? cof_esdk_decrypt_new(&how, d) : err;
}

/* Asks the keyring, with the diagnosis for the caller. */
static enum cof_err give_key(struct coffer_keyring *keyring, const struct coffer_open_options *o, struct cof_esdk_decrypt *d)
{
    struct cof_cmm cmm = cof_lib_keyring_cmm(keyring);
    struct cof_diag diag = {0};
    enum cof_err err = cof_esdk_decrypt_with(&cmm, d, &diag);

    if (err != COF_OK)
        cof_lib_diag(o->diag, &diag);
    return err;
}

/* The builder's memory becomes the caller's. */
static int hand_over(enum cof_err err, struct cof_buf *buf, void **out, size_t *out_len)
{
    if (err == COF_OK)
        err = cof_buf_err(buf);
    if (err == COF_OK && buf->data == NULL) {
        buf->data = malloc(1); /* an empty plaintext is something, too */
        err = buf->data == NULL ? COF_E_MEMORY : COF_OK;
    }
    if (err != COF_OK) {
        cof_buf_done(buf);
        return cof_lib_err(err);
    }
    *out = buf->data;
    *out_len = buf->len;
    *buf = (struct cof_buf){0}; /* moved */
    return COFFER_OK;
}

int coffer_seal(struct coffer_keyring *keyring, const struct coffer_seal_options *options, const void *plain, size_t len,
                void **out, size_t *out_len)
{
    struct coffer_seal_options o;
    struct cof_esdk_encrypt *e = NULL;
    struct cof_buf buf;
    enum cof_err err = seal_options(options, &o) ? COF_OK : COF_E_USAGE;

    *out = NULL;
    *out_len = 0;
    o.length_known = 1;
    o.plain_length = len;
    cof_buf_init(&buf, MEMORY_FRAMES_MAX);
    if (err == COF_OK)
        err = begin_seal(keyring, &o, &e);
    if (err == COF_OK) /* one allocation */
        err = cof_buf_reserve(&buf, (size_t)cof_esdk_encrypt_total(e, len));
    if (err == COF_OK)
        err = cof_esdk_encrypt_push(e, cof_view_of(plain, len), &buf);
    if (err == COF_OK)
        err = cof_esdk_encrypt_finish(e, &buf);
    cof_esdk_encrypt_free(e);
    return hand_over(err, &buf, out, out_len);
}

int coffer_open(struct coffer_keyring *keyring, const struct coffer_open_options *options, const void *message, size_t len,
                void **out, size_t *out_len)
{
    struct coffer_open_options o;
    struct cof_esdk_pair pairs[COF_ESDK_PAIRS_MAX];
    struct cof_esdk_decrypt *d = NULL;
    struct cof_view in = cof_view_of(message, len);
    struct cof_buf buf;
    enum cof_err err = open_options(options, &o) ? COF_OK : COF_E_USAGE;

    *out = NULL;
    *out_len = 0;
    if (o.max_held < len) /* it is all in the caller's memory already */
        o.max_held = len;
    cof_buf_init_secret(&buf, MEMORY_FRAMES_MAX);
    if (err == COF_OK)
        err = new_decrypt(&o, pairs, &d);
    if (err == COF_OK)
        err = cof_esdk_decrypt_push(d, &in, &buf);
    if (err == COF_OK && cof_esdk_decrypt_wants_key(d))
        err = give_key(keyring, &o, d);
    if (err == COF_OK) /* one allocation, and nothing of it leaves before all is verified */
        err = cof_buf_reserve(&buf, in.len);
    if (err == COF_OK)
        err = cof_esdk_decrypt_push_before_signature(d, &in, &buf);
    if (err == COF_OK)
        err = cof_esdk_decrypt_finish(d);
    cof_esdk_decrypt_free(d);
    return hand_over(err, &buf, out, out_len);
}

struct sink {
    coffer_sink *call;
    void *ctx;
};

static enum cof_err to_sink(void *ctx, struct cof_view bytes)
{
    const struct sink *sink = ctx;

    return sink->call(sink->ctx, bytes.data, bytes.len) == 0 ? COF_OK : COF_E_IO;
}

struct coffer_sealer {
    struct cof_esdk_encrypt *e;
    struct cof_seal *seal;
    struct sink sink;
};

int coffer_sealer_new(struct coffer_keyring *keyring, const struct coffer_seal_options *options, coffer_sink *sink, void *ctx,
                      struct coffer_sealer **out)
{
    struct coffer_sealer *s = calloc(1, sizeof *s);
    struct coffer_seal_options o;
    struct cof_seal_options how = {.sink = to_sink};
    enum cof_err err = seal_options(options, &o) ? COF_OK : COF_E_USAGE;

    *out = NULL;
    if (s == NULL)
        return COFFER_E_MEMORY;
    s->sink = (struct sink){sink, ctx};
    how.threads = o.threads;
    how.ctx = &s->sink;
    if (err == COF_OK)
        err = begin_seal(keyring, &o, &s->e);
    if (err == COF_OK)
        err = cof_seal_new(s->e, &how, &s->seal);
    if (err == COF_OK)
        *out = s;
    else
        coffer_sealer_free(s);
    return cof_lib_err(err);
}

int coffer_sealer_push(struct coffer_sealer *sealer, const void *plain, size_t len)
{
    return cof_lib_err(cof_seal_push(sealer->seal, cof_view_of(plain, len)));
}

int coffer_sealer_finish(struct coffer_sealer *sealer)
{
    return cof_lib_err(cof_seal_finish(sealer->seal));
}

void coffer_sealer_free(struct coffer_sealer *sealer)
{
    if (sealer == NULL)
        return;
    cof_seal_free(sealer->seal);
    cof_esdk_encrypt_free(sealer->e);
    free(sealer);
}

struct coffer_opener {
    struct coffer_keyring *keyring;
    struct coffer_open_options options;
    struct cof_buf texts; /* the context, which the caller need not keep */
    struct cof_esdk_pair pairs[COF_ESDK_PAIRS_MAX];
    struct cof_esdk_decrypt *d;
    struct cof_open *open;
    struct sink sink;
};

static enum cof_err opener_key(void *ctx, struct cof_esdk_decrypt *d)
{
    struct coffer_opener *o = ctx;

    return give_key(o->keyring, &o->options, d);
}

static enum cof_err opener_sink(void *ctx, struct cof_view bytes)
{
    struct coffer_opener *o = ctx;

    return to_sink(&o->sink, bytes);
}

/* Copies the pairs: the session looks at them when the header comes. */
static enum cof_err keep_context(struct coffer_opener *o)
{
    struct cof_view rest;

    for (size_t i = 0; i < o->options.n_context; i++) {
        cof_buf_add(&o->texts, o->pairs[i].name);
        cof_buf_add(&o->texts, o->pairs[i].value);
    }
    rest = cof_buf_view(&o->texts);
    for (size_t i = 0; cof_buf_err(&o->texts) == COF_OK && i < o->options.n_context; i++) {
        struct cof_view *parts[] = {&o->pairs[i].name, &o->pairs[i].value};

        for (size_t k = 0; k < 2; k++) {
            *parts[k] = cof_view_sub(rest, 0, parts[k]->len);
            rest = cof_view_sub(rest, parts[k]->len, SIZE_MAX);
        }
    }
    return cof_buf_err(&o->texts);
}

int coffer_opener_new(struct coffer_keyring *keyring, const struct coffer_open_options *options, coffer_sink *sink, void *ctx,
                      struct coffer_opener **out)
{
    struct coffer_opener *o = calloc(1, sizeof *o);
    struct cof_open_options how = {.give_key = opener_key, .sink = opener_sink, .ctx = o};
    enum cof_err err;

    *out = NULL;
    if (o == NULL)
        return COFFER_E_MEMORY;
    err = open_options(options, &o->options) ? COF_OK : COF_E_USAGE;
    o->keyring = keyring;
    o->sink = (struct sink){sink, ctx};
    cof_buf_init(&o->texts, (size_t)1 << 24);
    how.threads = o->options.threads;
    how.hold_signed = o->options.release_before_signature == 0;
    if (err == COF_OK)
        err = new_decrypt(&o->options, o->pairs, &o->d);
    if (err == COF_OK)
        err = keep_context(o);
    if (err == COF_OK)
        err = cof_open_new(o->d, &how, &o->open);
    if (err == COF_OK)
        *out = o;
    else
        coffer_opener_free(o);
    return cof_lib_err(err);
}

int coffer_opener_push(struct coffer_opener *opener, const void *message, size_t len)
{
    return cof_lib_err(cof_open_push(opener->open, cof_view_of(message, len)));
}

int coffer_opener_finish(struct coffer_opener *opener)
{
    return cof_lib_err(cof_open_finish(opener->open));
}

void coffer_opener_free(struct coffer_opener *opener)
{
    if (opener == NULL)
        return;
    cof_open_free(opener->open);
    cof_esdk_decrypt_free(opener->d);
    cof_buf_done(&opener->texts);
    free(opener);
}

struct source {
    coffer_read_at *call;
    void *ctx;
    uint64_t length;
};

static enum cof_err read_at(const struct source *source, uint64_t offset, uint8_t *data, size_t len)
{
    return source->call(source->ctx, offset, data, len) == 0 ? COF_OK : COF_E_IO;
}

/* *length: the header's. */
static enum cof_err read_header(const struct source *source, struct cof_esdk_decrypt *d, uint64_t *length)
{
    uint8_t block[4096];
    struct cof_buf none;
    enum cof_err err = COF_OK;

    cof_buf_init(&none, 1);
    for (*length = 0; err == COF_OK && !cof_esdk_decrypt_wants_key(d);) {
        uint64_t left = source->length - *length;
        size_t n = left < sizeof block ? (size_t)left : sizeof block;
        struct cof_view in = cof_view_of(block, n);

        err = n == 0 ? COF_E_TRUNCATED : read_at(source, *length, block, n);
        if (err == COF_OK)
            err = cof_esdk_decrypt_push(d, &in, &none);
        *length += n - in.len;
    }
    cof_buf_done(&none);
    return err;
}

static enum cof_err read_frames(const struct source *source, const struct cof_esdk_range *range, struct cof_open *open)
{
    enum cof_err err = COF_OK;

    for (uint64_t at = range->from; err == COF_OK && at < range->to;) {
        uint8_t *data;
        size_t room;

        err = cof_open_room(open, &data, &room);
        if (err != COF_OK)
            break;
        room = room < range->to - at ? room : (size_t)(range->to - at);
        err = read_at(source, at, data, room);
        if (err == COF_OK)
            err = cof_open_filled(open, room);
        at += room;
    }
    return err == COF_OK ? cof_open_finish(open) : err;
}

int coffer_open_range(struct coffer_keyring *keyring, const struct coffer_open_options *options, coffer_read_at *read,
                      void *read_ctx, uint64_t message_len, uint64_t first, uint64_t last, coffer_sink *sink, void *ctx)
{
    struct source source = {read, read_ctx, message_len};
    struct sink to = {sink, ctx};
    struct cof_open_options how = {.sink = to_sink, .ctx = &to};
    struct coffer_open_options o;
    struct cof_esdk_pair pairs[COF_ESDK_PAIRS_MAX];
    struct cof_esdk_decrypt *d = NULL;
    struct cof_open *open = NULL;
    struct cof_esdk_range range = {0};
    uint64_t header_length = 0;
    enum cof_err err = open_options(options, &o) ? COF_OK : COF_E_USAGE;

    how.threads = o.threads;
    if (err == COF_OK)
        err = new_decrypt(&o, pairs, &d);
    if (err == COF_OK)
        err = read_header(&source, d, &header_length);
    if (err == COF_OK)
        err = cof_esdk_range_plan(cof_esdk_decrypt_header(d), header_length, message_len, first, last, &range);
    if (err == COF_E_UNSUPPORTED)
        err = COF_E_DENIED;
    if (err == COF_OK)
        err = give_key(keyring, &o, d);
    if (err == COF_OK)
        err = cof_open_new_range(d, &range, &how, &open);
    if (err == COF_OK)
        err = read_frames(&source, &range, open);
    if (err == COF_OK && range.length == 0)
        err = COF_E_LIMIT;
    cof_open_free(open);
    cof_esdk_decrypt_free(d);
    return cof_lib_err(err);
}
