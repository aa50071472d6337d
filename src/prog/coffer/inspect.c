/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer inspect: what a sealed message says of itself, without any key. None of it is authenticated yet.
 */
#include "common.h"
#include "verbs.h"

#include "base/codec.h"
#include "format/json.h"
#include "io/file.h"

#include <stdio.h>

#define PROG "coffer inspect"

struct config {
    bool json;
};
static const struct cof_option options[] = {
    {"json", 0, COF_OPT_FLAG, NULL, "as JSON", offsetof(struct config, json)},
};
static const struct cof_command command = {
    .name = "inspect",
    .args = "FILE|-",
    .summary = "Prints a sealed message's header.",
    .options = options,
    .n_options = 1,
    .min_args = 1,
    .max_args = 1,
};

static void add_hex(struct cof_buf *out, const char *name, struct cof_view bytes)
{
    cof_json_add_name(out, name);
    cof_buf_add_u8(out, '"');
    cof_hex_add(out, bytes);
    cof_buf_add_u8(out, '"');
}

/* A raw keyring's info is its name and then binary parameters. */
static struct cof_view readable(struct cof_view info)
{
    size_t n = 0;

    while (n < info.len && info.data[n] >= 0x20 && info.data[n] < 0x7f)
        n++;
    return cof_view_sub(info, 0, n);
}

static void print_json(const struct cof_esdk_header *h, size_t header_bytes)
{
    const struct cof_suite *suite = cof_suite_find(h->suite);
    struct cof_buf out;

    cof_buf_init(&out, 1 << 20);
    cof_buf_printf(&out, "{\"version\":%u,\"suite\":\"%04x\",\"suite_name\":\"%s\"", h->version, h->suite,
                   suite == NULL ? "" : suite->name);
    add_hex(&out, "message_id", h->message_id);
    cof_json_add_name(&out, "context");
    cof_buf_add_str(&out, "{");
    for (size_t i = 0; i < h->n_pairs; i++) {
        if (i > 0)
            cof_buf_add_str(&out, ",");
        cof_json_add_text(&out, h->pairs[i].name);
        cof_buf_add_str(&out, ":");
        cof_json_add_text(&out, h->pairs[i].value);
    }
    cof_buf_add_str(&out, "},\"edks\":[");
    for (size_t i = 0; i < h->n_edks; i++) {
        cof_buf_add_str(&out, i > 0 ? ",{" : "{");
        cof_json_add_member(&out, "provider", h->edks[i].provider);
        cof_json_add_member(&out, "info", readable(h->edks[i].info));
        add_hex(&out, "info_hex", h->edks[i].info);
        cof_json_add_member_int(&out, "size", (int64_t)h->edks[i].ciphertext.len);
        cof_buf_add_str(&out, "}");
    }
    cof_buf_printf(&out, "],\"content_type\":\"%s\",\"frame_length\":%u,\"header_bytes\":%zu",
                   h->content_type == COF_ESDK_FRAMED ? "framed" : "unframed", h->frame_length, header_bytes);
    if (h->version == 2)
        add_hex(&out, "commitment", h->commitment);
    cof_buf_add_str(&out, "}");
    (void)puts(cof_buf_cstr(&out));
    cof_buf_done(&out);
}

/* Text of strangers goes to the terminal with its controls made visible. */
static void print_text(const char *label, struct cof_view v)
{
    struct cof_buf out;

    cof_buf_init(&out, 262144);
    cof_json_escape(&out, v);
    (void)printf("%s%s", label, cof_buf_cstr(&out));
    cof_buf_done(&out);
}

static void print_header(const struct cof_esdk_header *h)
{
    char hex[2 * COF_ESDK_MESSAGE_ID + 1];

    const struct cof_suite *suite = cof_suite_find(h->suite);

    cof_hex_encode(h->message_id.data, h->message_id.len, hex);
    (void)printf("format        %u\nsuite         0x%04x (%s%s)\nmessage id    %s\n", h->version, h->suite,
                 suite == NULL ? "unknown" : suite->name,
                 h->version == 2 ? "" : "; no key commitment", hex);
    if (h->content_type == COF_ESDK_FRAMED)
        (void)printf("body          framed, %u bytes a frame\n", h->frame_length);
    else
        (void)printf("body          unframed\n");
    for (size_t i = 0; i < h->n_pairs; i++) {
        print_text("context       ", h->pairs[i].name);
        print_text(" = ", h->pairs[i].value);
        (void)printf("\n");
    }
    for (size_t i = 0; i < h->n_edks; i++) {
        print_text("data key for  ", h->edks[i].provider);
        print_text(" ", readable(h->edks[i].info));
        (void)printf("\n");
    }
    (void)printf("(nothing of this is verified before the message is opened)\n");
}

static enum cof_err run(const void *options_given, char **args, struct cof_diag *diag)
{
    const struct config *config = options_given;
    const char *path = args[0];
    struct cof_esdk_limits limits = {.max_edks = COF_ESDK_EDKS_MAX, .max_frame_length = UINT32_MAX};
    struct cof_esdk_header h;
    struct cof_buf bytes;
    size_t used;
    enum cof_err err;

    cof_buf_init(&bytes, COF_ESDK_HEADER_MAX);
    err = cof_file_read(path, &bytes, diag);
    if (err == COF_E_TOO_LARGE) /* only the beginning is wanted */
        err = COF_OK;
    if (err == COF_OK) {
        err = cof_esdk_header_parse(cof_buf_view(&bytes), &limits, &h, &used);
        if (err == COF_E_SHORT)
            err = cof_diag_set(diag, COF_E_TRUNCATED, "the message ends within its header");
        else if (err != COF_OK)
            (void)cof_diag_set(diag, err, "not a sealed message of a kind that is known here");
    }
    if (err == COF_OK && config->json)
        print_json(&h, used);
    else if (err == COF_OK)
        print_header(&h);
    cof_buf_done(&bytes);
    return err;
}

static int run_inspect(int argc, char **argv)
{
    struct config config = {0};

    return verb_run(PROG, &command, &config, run, argc, argv);
}

const struct verb verb_inspect = {"inspect", &command, run_inspect};
