/* SPDX-License-Identifier: Apache-2.0 */
#include "batch.h"

#include "format/json.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void pump(struct batch *b);

static void lane_freed(void *ctx)
{
    struct batch *b = ctx;

    if (b->pump != NULL)
        b->pump(b);
    pump(b);
}

enum cof_err batch_init(struct batch *b, const char *prog, const struct batch_options *options, struct cof_diag *diag)
{
    *b = (struct batch){.prog = prog, .options = options, .diag = diag};
    b->lanes = (struct cof_s3_lanes){.max = (unsigned)options->jobs, .freed = lane_freed, .ctx = b};
    b->pace.bytes_per_s = options->rate;
    if (options->jobs == 0 || options->jobs > COF_S3_LANES_MAX)
        return cof_diag_set(diag, COF_E_USAGE, "--jobs: 1 to %d", COF_S3_LANES_MAX);
    if (options->part_size != 0 && (options->part_size < COF_S3_PART_MIN || options->part_size > ((uint64_t)1 << 30)))
        return cof_diag_set(diag, COF_E_USAGE, "--part-size: 5M to 1G");
    if (!options->recursive && (options->include.n > 0 || options->exclude.n > 0))
        return cof_diag_set(diag, COF_E_USAGE, "--include and --exclude go with --recursive");
    return COF_OK;
}

enum cof_err batch_add(struct batch *b, const char *path, const char *key, uint64_t size)
{
    struct batch_item item = {.path = strdup(path), .key = strdup(key), .size = size};

    if (b->n == b->room) {
        size_t room = b->room == 0 ? 16 : b->room * 2;
        struct batch_item *items = realloc(b->items, room * sizeof *items);
        if (items != NULL) {
            b->items = items;
            b->room = room;
        }
    }
    if (item.path == NULL || item.key == NULL || b->n == b->room) {
        free(item.path);
        free(item.key);
        return COF_E_MEMORY;
    }
    b->items[b->n++] = item;
    return COF_OK;
}

static bool matches(const struct cof_text_list *globs, const char *name)
{
    const char *base = strrchr(name, '/');

    for (size_t i = 0; i < globs->n; i++)
        if (fnmatch(globs->items[i], name, 0) == 0 || (base != NULL && fnmatch(globs->items[i], base + 1, 0) == 0))
            return true;
    return false;
}

bool batch_wants(const struct batch_options *options, const char *name)
{
    return (options->include.n == 0 || matches(&options->include, name)) && !matches(&options->exclude, name);
}

enum cof_err batch_empty(const struct batch *b, struct cof_view prefix, struct cof_diag *diag)
{
    bool filtered = b->options->include.n + b->options->exclude.n > 0;

    if (b->n == 0 && !filtered && prefix.len > 0)
        return cof_diag_set(diag, COF_E_NOT_FOUND, "nothing is there below %.*s", (int)prefix.len, (const char *)prefix.data);
    batch_note_empty(b);
    return COF_OK;
}

void batch_note_empty(const struct batch *b)
{
    if (b->n == 0 && b->options->include.n + b->options->exclude.n > 0 && !b->options->quiet)
        (void)fprintf(stderr, "%s: --include and --exclude leave nothing (what is excluded stays so, whatever their order)\n", b->prog);
}

/* An error of one among several. */
static void tell(const struct batch *b, const struct batch_item *item, enum cof_err err, const struct cof_diag *diag)
{
    struct cof_diag full = {0};
    const char *text = diag != NULL && diag->text[0] != '\0' ? diag->text : cof_err_text(err);
    bool is_named = strncmp(text, item->path, strlen(item->path)) == 0;

    (void)cof_diag_set(&full, err, "%s%s%s", is_named ? "" : item->path, is_named ? "" : ": ", text);
    if (diag != NULL && diag->hint[0] != '\0')
        cof_diag_hint(&full, "%s", diag->hint);
    cof_fail(b->prog, err, &full);
}

void batch_done_item(struct batch *b, const struct batch_item *item, enum cof_err err, const struct cof_diag *diag)
{
    b->active--;
    if (err != COF_OK) {
        b->failed++;
        b->err = err;
        if (b->n > 1) {
            cof_progress_end(&b->progress);
            tell(b, item, err, diag);
        } else if (diag != NULL && b->diag != NULL && diag != b->diag) {
            *b->diag = *diag;
        }
    }
    if (b->next == b->n && b->active == 0)
        b->is_done = true;
}

static void pump(struct batch *b)
{
    if (b->is_pumping)
        return;
    b->is_pumping = true;
    while (b->next < b->n && b->lanes.used < b->lanes.max) {
        struct batch_item *item = &b->items[b->next++];
        struct cof_diag diag = {0};
        enum cof_err err;

        b->active++;
        err = b->start(b, item, &diag);
        if (err != COF_OK)
            batch_done_item(b, item, err, &diag);
    }
    b->is_pumping = false;
}

enum cof_err batch_run(struct batch *b, struct cof_aws *aws, struct cof_diag *diag)
{
    uint64_t total = 0;
    enum cof_err err = COF_OK;

    b->aws = aws;
    b->diag = diag;
    for (size_t i = 0; i < b->n; i++)
        total += b->items[i].size;
    b->is_done = b->n == 0;
    cof_progress_begin(&b->progress, b->prog, total, b->options->quiet || b->options->json);
    pump(b);
    if (!b->is_done)
        err = cof_loop_run_until(aws->loop, &b->is_done, -1);
    cof_progress_end(&b->progress);
    if (err != COF_OK)
        return err;
    if (b->failed > 0 && b->n > 1) {
        err = cof_diag_set(diag, b->err, "%zu of %zu failed", b->failed, b->n);
        diag->hint[0] = '\0';
        return err;
    }
    return b->err;
}

void batch_done(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        free(b->items[i].path);
        free(b->items[i].key);
    }
    free(b->items);
    *b = (struct batch){0};
}

void batch_say(const struct batch *b, const char *from, const char *to, const struct cof_s3_object *object, const char *extra)
{
    struct cof_buf out;

    if (b->options->quiet && !b->options->json)
        return;
    if (!b->options->json) {
        print_name(cof_view_str(to));
        (void)printf(" (%llu bytes, %s)\n", (unsigned long long)object->size, cof_sse_name(object->sse));
        return;
    }
    cof_buf_init(&out, 65536);
    cof_buf_add_str(&out, "{");
    cof_json_add_member(&out, "from", cof_view_str(from));
    cof_json_add_member(&out, "to", cof_view_str(to));
    cof_json_add_member_int(&out, "bytes", (int64_t)object->size);
    cof_json_add_member(&out, "encryption", cof_view_str(cof_sse_name(object->sse)));
    if (object->kms_key_id[0] != '\0')
        cof_json_add_member(&out, "kms_key_id", cof_view_str(object->kms_key_id));
    cof_json_add_member(&out, "etag", cof_view_str(object->etag));
    if (object->version_id[0] != '\0')
        cof_json_add_member(&out, "version_id", cof_view_str(object->version_id));
    if (object->checksum != COF_CHECKSUM_NONE) {
        char name[16] = "";
        for (size_t i = 0; cof_checksum_name(object->checksum)[i] != '\0' && i < sizeof name - 1; i++)
            name[i] = (char)tolower(cof_checksum_name(object->checksum)[i]);
        cof_json_add_member(&out, name, cof_view_str(object->sum));
    }
    cof_buf_add_str(&out, extra);
    cof_buf_add_str(&out, "}");
    (void)printf("%s\n", cof_buf_cstr(&out));
    cof_buf_done(&out);
}

void batch_say_would(const struct batch *b, const char *verb, const char *from, const char *to)
{
    char name[32];
    struct cof_buf out;

    if (!b->options->json) {
        (void)printf("would %s ", verb);
        print_name(cof_view_str(from));
        (void)printf(" to ");
        print_name(cof_view_str(to));
        (void)printf("\n");
        return;
    }
    (void)snprintf(name, sizeof name, "would_%s", verb);
    cof_buf_init(&out, 65536);
    cof_buf_add_str(&out, "{");
    cof_json_add_member(&out, name, cof_view_str(from));
    cof_json_add_member(&out, "to", cof_view_str(to));
    cof_buf_add_str(&out, "}");
    (void)printf("%s\n", cof_buf_cstr(&out));
    cof_buf_done(&out);
}
