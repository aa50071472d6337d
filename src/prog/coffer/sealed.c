/* SPDX-License-Identifier: Apache-2.0 */
#include "sealed.h"

#include "engine/cmm.h"
#include "io/open.h"
#include "io/rng_os.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define FRAME (64u << 10)
#define OUT_MAX ((size_t)64 << 20)

enum cof_err sealing_read(const struct seal_options *options, const struct aws_options *aws, bool for_encrypt,
                          struct sealing *out, struct cof_diag *diag)
{
    enum cof_err err;

    *out = (struct sealing){0};
    if (options->keyrings.n == 0)
        return options->context.n == 0 ? COF_OK
                                       : cof_diag_set(diag, COF_E_USAGE, for_encrypt ? "--context goes with --seal"
                                                                                     : "--context goes with --open");
    err = context_parse(&options->context, out->pairs, COF_ESDK_PAIRS_MAX - 1, &out->n_pairs, diag);
    if (err == COF_OK)
        err = keyrings_parse(&options->keyrings, aws, for_encrypt, &out->keyrings, diag);
    if (err != COF_OK)
        return err;
    out->keyring = keyrings_get(&out->keyrings);
    out->is_on = true;
    return COF_OK;
}

void sealing_done(struct sealing *sealing)
{
    if (sealing->is_on)
        keyrings_done(&sealing->keyrings);
    sealing->is_on = false;
}

enum cof_err sealing_try(struct sealing *sealing, struct sealing *opening, struct cof_diag *diag)
{
    struct cof_esdk_materials m = {.suite = COF_ESDK_SUITE_SIGNED, .frame_length = FRAME, .pairs = sealing->pairs,
                                   .n_pairs = sealing->n_pairs};
    struct cof_cmm seals = cof_cmm_of_keyring(&sealing->keyring), opens = cof_cmm_of_keyring(&opening->keyring);
    struct cof_esdk_encrypt *e = NULL;
    struct cof_esdk_decrypt *d = NULL;
    struct cof_buf message, plain;
    struct cof_view in;
    enum cof_err err = cof_esdk_encrypt_with(&seals, &m, &cof_rng_os, diag, &e);

    cof_buf_init(&message, COF_ESDK_HEADER_MAX + 4096);
    cof_buf_init(&plain, 16);
    if (err == COF_OK)
        err = cof_esdk_encrypt_finish(e, &message);
    if (err == COF_OK)
        err = cof_esdk_decrypt_new(NULL, &d);
    in = cof_buf_view(&message);
    if (err == COF_OK)
        err = cof_esdk_decrypt_push(d, &in, &plain);
    if (err == COF_OK)
        err = cof_esdk_decrypt_with(&opens, d, diag);
    if (err == COF_OK)
        err = cof_esdk_decrypt_push(d, &in, &plain);
    if (err == COF_OK)
        err = cof_esdk_decrypt_finish(d);
    cof_esdk_decrypt_free(d);
    cof_esdk_encrypt_free(e);
    cof_buf_done(&message);
    cof_buf_done(&plain);
    return cof_err_class(err) == COF_CLASS_RETRY || cof_err_class(err) == COF_CLASS_IO ? COF_OK : err;
}

static enum cof_err keep_sealed(void *ctx, struct cof_view bytes)
{
    struct sealed_source *s = ctx;

    cof_buf_add(&s->out, bytes);
    return cof_buf_err(&s->out);
}

/* More of the plaintext into the seal; at its end the rest of the message. */
static enum cof_err feed(struct sealed_source *s, struct cof_diag *diag)
{
    uint8_t *data;
    size_t room, n = 0;
    enum cof_err err = cof_seal_room(s->seal, &data, &room);

    if (err == COF_OK && s->plain.read_at != NULL) {
        uint64_t left = s->plain.length - s->plain_at;
        n = room < left ? room : (size_t)left;
        if (n > 0)
            err = s->plain.read_at(s->plain.ctx, s->plain_at, data, n, diag);
    } else if (err == COF_OK) {
        err = s->plain.read(s->plain.ctx, data, room, &n, diag);
    }
    if (err != COF_OK)
        return err;
    s->plain_at += n;
    if (n > 0)
        return cof_seal_filled(s->seal, n);
    s->is_finished = true;
    err = s->plain.check != NULL ? s->plain.check(s->plain.ctx, diag) : COF_OK;
    return err == COF_OK ? cof_seal_finish(s->seal) : err;
}

static enum cof_err read_sealed(void *ctx, uint8_t *data, size_t room, size_t *n, struct cof_diag *diag)
{
    struct sealed_source *s = ctx;
    enum cof_err err = COF_OK;

    *n = 0;
    if (s->out_at == s->out.len) {
        cof_buf_reset(&s->out);
        s->out_at = 0;
    }
    while (err == COF_OK && s->out.len == 0 && !s->is_finished)
        err = feed(s, diag);
    if (err != COF_OK)
        return err;
    *n = s->out.len - s->out_at < room ? s->out.len - s->out_at : room;
    if (*n > 0)
        memcpy(data, s->out.data + s->out_at, *n);
    s->out_at += *n;
    return COF_OK;
}

enum cof_err sealed_source_open(struct sealed_source *s, struct sealing *sealing, struct source *file,
                                const struct cof_s3_source *plain, struct cof_s3_source *out, struct cof_diag *diag)
{
    struct cof_esdk_materials m = {.suite = COF_ESDK_SUITE_SIGNED, .frame_length = FRAME, .pairs = sealing->pairs,
                                   .n_pairs = sealing->n_pairs};
    struct cof_seal_options how = {.threads = COF_THREADS_AUTO, .sink = keep_sealed, .ctx = s};
    struct cof_cmm cmm = cof_cmm_of_keyring(&sealing->keyring);
    enum cof_err err;

    *s = (struct sealed_source){.file = file, .plain = *plain};
    cof_buf_init(&s->out, OUT_MAX);
    err = cof_esdk_encrypt_with(&cmm, &m, &cof_rng_os, diag, &s->e);
    if (err == COF_OK)
        err = cof_seal_new(s->e, &how, &s->seal);
    *out = (struct cof_s3_source){.read = read_sealed, .ctx = s};
    return err;
}

void sealed_source_close(struct sealed_source *s)
{
    cof_seal_free(s->seal);
    cof_esdk_encrypt_free(s->e);
    cof_buf_done(&s->out);
    *s = (struct sealed_source){0};
}

struct opening {
    struct sealing *sealing;
    struct cof_esdk_decrypt *first;
    struct cof_file_out *out; /* NULL: to see whether it verifies */
    uint64_t length;
    bool no_keyring;
    struct cof_diag *diag;
};

static enum cof_err give_key(void *ctx, struct cof_esdk_decrypt *d)
{
    struct opening *o = ctx;
    struct cof_cmm cmm = cof_cmm_of_keyring(&o->sealing->keyring);
    enum cof_err err;

    if (o->first != d)
        return cof_esdk_decrypt_set_key_of(d, o->first);
    err = cof_esdk_decrypt_with(&cmm, d, o->diag);
    o->no_keyring = err != COF_OK && cof_esdk_decrypt_wants_key(d);
    return err;
}

static enum cof_err take_plain(void *ctx, struct cof_view plain)
{
    struct opening *o = ctx;

    o->length += plain.len;
    return o->out == NULL ? COF_OK : cof_file_out_write(o->out, plain, o->diag);
}

/* The next bytes of the message; *is_end: there are none. */
static enum cof_err feed_open(struct cof_open *open, int fd, uint64_t *at, bool *is_end)
{
    uint8_t *data;
    size_t room;
    ssize_t n;
    enum cof_err err = cof_open_room(open, &data, &room);

    *is_end = false;
    if (err != COF_OK)
        return err;
    do
        n = pread(fd, data, room, (off_t)*at);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return cof_err_from_errno(errno);
    *is_end = n == 0;
    *at += (uint64_t)n;
    return n == 0 ? COF_OK : cof_open_filled(open, (size_t)n);
}

static enum cof_err once(struct opening *o, int fd, uint64_t from, struct cof_esdk_decrypt *d)
{
    struct cof_open_options how = {.threads = COF_THREADS_AUTO, .give_key = give_key, .sink = take_plain, .ctx = o};
    struct cof_open *open = NULL;
    bool is_end = false;
    enum cof_err err = cof_open_new(d, &how, &open);

    o->length = 0;
    while (err == COF_OK && !is_end)
        err = feed_open(open, fd, &from, &is_end);
    if (err == COF_OK)
        err = cof_open_finish(open);
    cof_open_free(open);
    return err;
}

static enum cof_err explain(const struct opening *o, enum cof_err err)
{
    if (err == COF_OK || o->diag == NULL || o->diag->text[0] != '\0')
        return err;
    if (err == COF_E_AUTH && context_explain(o->first, o->sealing->pairs, o->sealing->n_pairs, o->diag))
        return err;
    if (o->no_keyring && (err == COF_E_AUTH || err == COF_E_NOT_FOUND)) {
        (void)cof_diag_set(o->diag, err, "none of the keyrings opens the object's data key");
        cof_diag_hint(o->diag, "without --open it is fetched as it is; 'coffer inspect' shows which keys it was sealed for");
        return COF_E_AUTH;
    }
    if (err == COF_E_AUTH)
        return cof_diag_set(o->diag, err, "the object was refused: altered, or sealed under another key or context");
    if (err == COF_E_FORMAT || err == COF_E_UNSUPPORTED || err == COF_E_TRUNCATED)
        return cof_diag_set(o->diag, err, "the object is not a whole AWS Encryption SDK message");
    return err;
}

enum cof_err sealed_open_file(struct sealing *sealing, int fd, struct cof_file_out *out, uint64_t *plain_length,
                              struct cof_diag *diag)
{
    struct cof_esdk_decrypt_options how = {.known_pairs = sealing->pairs, .n_known = sealing->n_pairs};
    struct opening o = {.sealing = sealing, .diag = diag};
    bool twice = out->is_stdout && !out->is_null;
    struct cof_esdk_decrypt *again = NULL;
    enum cof_err err = cof_esdk_decrypt_new(&how, &o.first);

    o.out = twice ? NULL : out;
    if (err == COF_OK)
        err = once(&o, fd, 0, o.first);
    if (err == COF_OK && twice) { /* all of it verified; now once more, to be written */
        o.out = out;
        err = cof_esdk_decrypt_new(&how, &again);
        if (err == COF_OK)
            err = once(&o, fd, 0, again);
    }
    cof_esdk_decrypt_free(again);
    cof_esdk_decrypt_free(o.first);
    if (plain_length != NULL)
        *plain_length = o.length;
    return explain(&o, err);
}

static enum cof_err keep_opened(void *ctx, struct cof_view plain)
{
    struct opened_source *s = ctx;

    cof_buf_add(&s->out, plain);
    return cof_buf_err(&s->out);
}

static enum cof_err same_key(void *ctx, struct cof_esdk_decrypt *d)
{
    return cof_esdk_decrypt_set_key_of(d, ((struct opened_source *)ctx)->first);
}

enum cof_err opened_source_open(struct opened_source *s, struct sealing *sealing, int fd, uint64_t from, uint64_t *plain_length,
                                struct cof_diag *diag)
{
    struct cof_esdk_decrypt_options how = {.known_pairs = sealing->pairs, .n_known = sealing->n_pairs};
    struct cof_open_options again = {.threads = 0, .give_key = same_key, .sink = keep_opened, .ctx = s};
    struct opening o = {.sealing = sealing, .diag = diag};
    enum cof_err err;

    *s = (struct opened_source){.fd = fd, .from = from, .at = from};
    cof_buf_init_secret(&s->out, OUT_MAX);
    err = cof_esdk_decrypt_new(&how, &s->first);
    o.first = s->first;
    if (err == COF_OK)
        err = once(&o, fd, from, s->first);
    if (err == COF_OK)
        err = cof_esdk_decrypt_new(&how, &s->d);
    if (err == COF_OK)
        err = cof_open_new(s->d, &again, &s->open);
    *plain_length = o.length;
    return explain(&o, err);
}

enum cof_err opened_source_read(struct opened_source *s, uint8_t *data, size_t room, size_t *n)
{
    enum cof_err err = COF_OK;

    *n = 0;
    if (s->out_at == s->out.len) {
        cof_wipe(s->out.data, s->out.len);
        cof_buf_reset(&s->out);
        s->out_at = 0;
    }
    while (err == COF_OK && s->out.len == 0 && !s->is_finished) {
        err = feed_open(s->open, s->fd, &s->at, &s->is_finished);
        if (err == COF_OK && s->is_finished)
            err = cof_open_finish(s->open);
    }
    if (err != COF_OK)
        return err;
    *n = s->out.len - s->out_at < room ? s->out.len - s->out_at : room;
    if (*n > 0)
        memcpy(data, s->out.data + s->out_at, *n);
    s->out_at += *n;
    return COF_OK;
}

void opened_source_close(struct opened_source *s)
{
    cof_open_free(s->open);
    cof_esdk_decrypt_free(s->d);
    cof_esdk_decrypt_free(s->first);
    cof_buf_done(&s->out);
    *s = (struct opened_source){0};
}
