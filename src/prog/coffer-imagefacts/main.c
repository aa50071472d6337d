/* SPDX-License-Identifier: Apache-2.0
 *
 * The demo's processor: says real facts about an image, as JSON. As an enclave's child it speaks HTTP/1.1 on an inherited
 * socket (--fd N: POST / with the image as body); on the command line it reads one file.
 */
#include "facts.h"
#include "image.h"

#include "crypto/hash.h"
#include "base/codec.h"
#include "base/log.h"
#include "format/http1.h"
#include "prog/options.h"
#include "prog/version.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX 16384

const char *const cof_version_commit = "not told: what is measured changes with the code alone";

struct config {
    uint64_t fd;
    uint64_t max_bytes;
    uint64_t max_pixels;
};

/* What was given as PUT /model before the first image. These facts need none: its digest is told with them, so that a
 * result says beside which model it was made. */
struct model {
    uint8_t sha256[32];
    bool given;
};

static const struct cof_option options[] = {
    {"fd", 0, COF_OPT_NUMBER, "N", "serve HTTP/1.1 on this inherited, connected socket", offsetof(struct config, fd)},
    {"max-bytes", 0, COF_OPT_SIZE, "SIZE", "largest file taken (256M)", offsetof(struct config, max_bytes)},
    {"max-pixels", 0, COF_OPT_NUMBER, "N", "most pixels taken (200000000)", offsetof(struct config, max_pixels)},
};
static const struct cof_command command = {
    .name = NULL,
    .args = "[FILE]",
    .summary = "Prints facts about a PNG or JPEG as JSON: size, histogram, mean colour, sharpness, perceptual hash.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 0,
    .max_args = 1,
};

static enum cof_err on_size(void *ctx, uint32_t width, uint32_t height)
{
    return facts_init(ctx, width, height);
}

static void on_row(void *ctx, const uint8_t *rgb)
{
    facts_add_row(ctx, rgb);
}

static enum cof_err describe(const struct config *config, const struct model *model, struct cof_view image,
                             struct cof_buf *out, struct cof_diag *diag)
{
    struct facts facts = {0};
    struct image_sink sink = {on_size, on_row, &facts};
    const char *format;
    uint8_t digest[32];
    enum cof_err err = image_decode(image, config->max_pixels, &sink, &format, diag);

    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, image, digest);
    if (err == COF_OK) {
        cof_buf_printf(out, "{\"format\":\"%s\",\"bytes\":%zu,\"sha256\":\"", format, image.len);
        cof_hex_add(out, cof_view_of(digest, sizeof digest));
        cof_buf_add_str(out, "\",");
        if (model->given) {
            cof_buf_add_str(out, "\"model_sha256\":\"");
            cof_hex_add(out, cof_view_of(model->sha256, sizeof model->sha256));
            cof_buf_add_str(out, "\",");
        }
        facts_json(&facts, out);
        cof_buf_add_str(out, "}\n");
        err = cof_buf_err(out);
    }
    facts_done(&facts);
    return err;
}

static enum cof_err send_all(int fd, struct cof_view v)
{
    while (v.len > 0) {
        ssize_t n = send(fd, v.data, v.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return COF_E_IO;
        v = cof_view_sub(v, (size_t)n, SIZE_MAX);
    }
    return COF_OK;
}

static enum cof_err receive_some(int fd, struct cof_buf *in)
{
    size_t room = 65536;
    ssize_t n;

    if (cof_buf_reserve(in, room) != COF_OK)
        return cof_buf_err(in);
    do
        n = recv(fd, in->data + in->len, room, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return COF_E_IO;
    if (n == 0)
        return COF_E_CLOSED;
    in->len += (size_t)n;
    return COF_OK;
}

static enum cof_err reply(int fd, int status, struct cof_view body)
{
    struct cof_buf head;
    enum cof_err err;

    cof_buf_init(&head, 1024);
    cof_buf_printf(&head, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", status,
                   cof_http1_reason(status), body.len);
    err = send_all(fd, cof_buf_view(&head));
    cof_buf_done(&head);
    return err == COF_OK ? send_all(fd, body) : err;
}

static int status_of(enum cof_err err)
{
    if (err == COF_E_UNSUPPORTED)
        return 415;
    if (err == COF_E_TOO_LARGE)
        return 413;
    return cof_err_class(err) == COF_CLASS_FORMAT ? 422 : 500;
}

static enum cof_err take_model(struct model *model, int fd, struct cof_view bytes)
{
    enum cof_err err = model->given ? COF_E_STATE : cof_hash_once(COF_SHA256, bytes, model->sha256);

    model->given = model->given || err == COF_OK;
    return reply(fd, err == COF_OK ? 200 : 409, COF_LIT("{}\n"));
}

static enum cof_err answer(const struct config *config, const struct model *model, int fd, struct cof_view image)
{
    struct cof_diag diag = {0};
    struct cof_buf out;
    enum cof_err err;

    cof_buf_init(&out, 65536);
    err = describe(config, model, image, &out, &diag);
    if (err != COF_OK) {
        cof_buf_reset(&out);
        cof_buf_add_str(&out, "{\"error\":\"");
        cof_json_escape(&out, cof_view_str(diag.text[0] != '\0' ? diag.text : cof_err_text(err)));
        cof_buf_add_str(&out, "\"}\n");
    }
    err = reply(fd, err == COF_OK ? 200 : status_of(err), cof_buf_view(&out));
    cof_buf_done(&out);
    return err;
}

/* One request from the socket; what follows it stays in `in`. */
static enum cof_err serve_one(const struct config *config, struct model *model, int fd, struct cof_buf *in)
{
    struct cof_http_head head = {0};
    size_t used = 0;
    bool is_model;
    enum cof_err err;

    while ((err = cof_http1_request(cof_buf_view(in), HEAD_MAX, &head, &used)) == COF_E_SHORT)
        if ((err = receive_some(fd, in)) != COF_OK)
            return err;
    if (err != COF_OK)
        return err;
    is_model = cof_view_eq(head.method, COF_LIT("PUT")) && cof_view_eq(head.target, COF_LIT("/model"));
    if ((!is_model && !cof_view_eq(head.method, COF_LIT("POST"))) || !head.has_length)
        err = reply(fd, head.has_length ? 405 : 411, COF_LIT("{\"error\":\"POST an image with its length\"}\n"));
    else if (head.length > config->max_bytes)
        err = reply(fd, 413, COF_LIT("{\"error\":\"over the size limit\"}\n"));
    else {
        cof_buf_drop(in, used);
        while (in->len < head.length && err == COF_OK)
            err = receive_some(fd, in);
        if (err == COF_OK && is_model)
            err = take_model(model, fd, cof_view_sub(cof_buf_view(in), 0, (size_t)head.length));
        else if (err == COF_OK)
            err = answer(config, model, fd, cof_view_sub(cof_buf_view(in), 0, (size_t)head.length));
        cof_buf_drop(in, (size_t)head.length);
        cof_http1_head_done(&head);
        return err;
    }
    cof_http1_head_done(&head);
    return err == COF_OK ? COF_E_CLOSED : err; /* the body was not read: the connection cannot go on */
}

static int serve(const struct config *config, int fd)
{
    struct model model = {.given = false};
    struct cof_buf in;
    enum cof_err err;

    cof_buf_init_secret(&in, (size_t)config->max_bytes + HEAD_MAX + 65536);
    while ((err = serve_one(config, &model, fd, &in)) == COF_OK)
        ;
    cof_buf_done(&in);
    return err == COF_E_CLOSED ? COF_EXIT_DONE : COF_EXIT_FAILED;
}

static int one_file(const struct config *config, const char *path)
{
    struct cof_diag diag = {0};
    struct cof_buf in, out;
    uint8_t block[65536];
    enum cof_err err = COF_OK;
    ssize_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    cof_buf_init(&in, (size_t)config->max_bytes);
    cof_buf_init(&out, 65536);
    if (fd < 0)
        err = cof_diag_set(&diag, COF_E_IO, "%s: %s", path, strerror(errno));
    while (err == COF_OK && (n = read(fd, block, sizeof block)) > 0) {
        cof_buf_add_bytes(&in, block, (size_t)n);
        err = cof_buf_err(&in);
    }
    if (err == COF_OK && n < 0)
        err = cof_diag_set(&diag, COF_E_IO, "%s: %s", path, strerror(errno));
    if (err == COF_OK)
        err = describe(config, &(struct model){.given = false}, cof_buf_view(&in), &out, &diag);
    if (err == COF_OK)
        (void)fputs(cof_buf_cstr(&out), stdout);
    else
        cof_fail("coffer-imagefacts", err, &diag);
    if (fd >= 0)
        (void)close(fd);
    cof_buf_done(&in);
    cof_buf_done(&out);
    return cof_exit_code(err);
}

int main(int argc, char **argv)
{
    struct config config = {.fd = UINT64_MAX, .max_bytes = 256u << 20, .max_pixels = 200000000};
    char **args;
    int n_args;
    bool exit_now;

    if (cof_options_parse("coffer-imagefacts", &command, argc, argv, &config, &args, &n_args, &exit_now) != COF_OK)
        return COF_EXIT_USAGE;
    if (exit_now)
        return COF_EXIT_DONE;
    if (config.fd != UINT64_MAX && config.fd <= 1024)
        return serve(&config, (int)config.fd);
    if (n_args == 1)
        return one_file(&config, args[0]);
    (void)fprintf(stderr, "coffer-imagefacts: error: give a FILE or --fd N\n");
    return COF_EXIT_USAGE;
}
