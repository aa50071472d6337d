/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer-local check, backup and fault.
 */
#include "admin.h"

#include "base/num.h"
#include "format/json.h"
#include "io/file.h"
#include "io/rng_os.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct report {
    bool json, any;
};

static void on_found(void *ctx, const char *what, const char *which, bool mended)
{
    struct report *r = ctx;
    struct cof_buf line;

    cof_buf_init(&line, 4096);
    if (r->json) {
        cof_buf_add_str(&line, "{");
        cof_json_add_member(&line, "what", cof_view_str(what));
        cof_json_add_member(&line, "which", cof_view_str(which));
        cof_buf_printf(&line, ",\"mended\":%s}", mended ? "true" : "false");
    } else {
        cof_buf_printf(&line, "%s: %s%s", what, which, mended ? " (mended)" : "");
    }
    (void)puts(cof_buf_cstr(&line));
    cof_buf_done(&line);
    r->any = r->any || !mended;
}

enum cof_err do_check(struct cof_local_config *config, struct cof_diag *diag)
{
    struct report report = {.json = config->json};
    struct cof_disk_store *disk;
    struct cof_local local;
    uint64_t n = 0;
    enum cof_err err;

    if (cof_local_is_new(config->data))
        return cof_diag_set(diag, COF_E_NOT_FOUND, "%s is not set up", config->data);
    err = cof_disk_store_open(config->data, &cof_rng_os, NULL, &disk, diag);
    if (err != COF_OK)
        return err;
    err = cof_disk_store_verify(disk, config->repair, on_found, &report, &n, diag);
    cof_disk_store_close(disk);
    if (err == COF_OK && !report.any) { /* what can be opened at all: its keys unsealed, its audit log beside what the store knows */
        err = cof_local_open(&local, config, NULL, false, diag);
        if (err == COF_OK)
            cof_local_close(&local);
    }
    if (err == COF_OK && report.any) {
        err = cof_diag_set(diag, COF_E_AUTH, "%llu findings", (unsigned long long)n);
        cof_diag_hint(diag, "`coffer-local check --repair` mends what can be mended; a damaged database comes back from a backup");
    }
    if (err == COF_OK && !config->json)
        (void)printf("%s is in order\n", config->data);
    return err;
}

enum cof_err do_backup(struct cof_local_config *config, struct cof_diag *diag)
{
    struct cof_local local;
    struct cof_buf body, out;
    char target[4096], here[2048] = "";
    const char *given = config->args[0];
    enum cof_err err;

    if (given[0] != '/' && getcwd(here, sizeof here - 1) == NULL)
        return COF_E_IO;
    if (snprintf(target, sizeof target, "%s%s%s", here, given[0] == '/' ? "" : "/", given) >= (int)sizeof target)
        return COF_E_USAGE;
    cof_buf_init(&body, 8192);
    cof_buf_init(&out, 65536);
    cof_buf_add_str(&body, "{");
    cof_json_add_member(&body, "target", cof_view_str(target));
    cof_buf_add_str(&body, "}");
    err = admin_ask(config->data, "POST", "/backup", cof_buf_view(&body), &out, diag);
    if (err == COF_E_REMOTE)
        cof_diag_hint(diag, "the process that serves writes the copy, as its user and where its unit lets it: below /var/lib/coffer-local, for the package's");
    if (err == COF_E_NOT_FOUND) {
        err = cof_local_open(&local, config, NULL, false, diag);
        if (err == COF_OK) {
            err = admin_backup(&local, config->data, target, diag);
            cof_local_close(&local);
        }
    }
    if (err == COF_OK)
        (void)printf("%s holds a copy of %s; serve it as it is, or copy it back\n", target, config->data);
    cof_buf_done(&body);
    cof_buf_done(&out);
    return err;
}

/* "200ms", "3s" or plain milliseconds. */
static enum cof_err parse_ms(const char *text, uint64_t *ms)
{
    struct cof_view v = cof_view_str(text);
    uint64_t unit = 1;
    enum cof_err err;

    if (cof_view_ends(v, COF_LIT("ms"))) {
        v.len -= 2;
    } else if (cof_view_ends(v, COF_LIT("s"))) {
        v.len -= 1;
        unit = 1000;
    }
    err = cof_parse_u64(v, 600000, ms);
    *ms *= unit;
    return err;
}

static enum cof_err make_script(const struct cof_local_config *c, struct cof_buf *out, struct cof_diag *diag)
{
    uint64_t ms;

    cof_buf_add_str(out, "{");
    if (c->service != NULL)
        cof_json_add_member(out, "service", cof_view_str(c->service));
    if (c->operation != NULL)
        cof_json_add_member(out, "operation", cof_view_str(c->operation));
    if (c->code != NULL)
        cof_json_add_member(out, "code", cof_view_str(c->code));
    if (c->latency != NULL) {
        if (parse_ms(c->latency, &ms) != COF_OK)
            return cof_diag_set(diag, COF_E_USAGE, "--latency wants 200ms or 3s");
        cof_json_add_member_int(out, "latencyMs", (int64_t)ms);
    }
    if (c->status != 0)
        cof_json_add_member_int(out, "status", (int64_t)c->status);
    if (c->cut_after != UINT64_MAX)
        cof_json_add_member_int(out, "cutAfter", (int64_t)c->cut_after);
    if (c->count != 0)
        cof_json_add_member_int(out, "count", (int64_t)c->count);
    if (c->skip != 0)
        cof_json_add_member_int(out, "skip", (int64_t)c->skip);
    if (c->seed != 0)
        cof_json_add_member_int(out, "seed", (int64_t)c->seed);
    if (c->throttle)
        cof_buf_add_str(out, out->len > 1 ? ",\"throttle\":true" : "\"throttle\":true");
    if (c->tamper)
        cof_buf_add_str(out, out->len > 1 ? ",\"tamper\":true" : "\"tamper\":true");
    if (c->skew != NULL || c->probability != NULL) { /* numbers with a sign or a point: the server parses them */
        const char *const names[] = {"skewSeconds", "probability"}, *values[] = {c->skew, c->probability};

        for (int i = 0; i < 2; i++)
            if (values[i] != NULL) {
                if (values[i][0] == '\0' || strspn(values[i], "-0123456789.") != strlen(values[i]))
                    return cof_diag_set(diag, COF_E_USAGE, "\"%s\" is no number", values[i]);
                cof_json_add_name(out, names[i]);
                cof_buf_add_str(out, values[i]);
            }
    }
    cof_buf_add_str(out, "}");
    return cof_buf_err(out);
}

enum cof_err do_fault(struct cof_local_config *config, struct cof_diag *diag)
{
    const char *what = config->args[0];
    struct cof_buf body, out;
    enum cof_err err;

    cof_buf_init(&body, 8192);
    cof_buf_init(&out, (size_t)1 << 20);
    if (strcmp(what, "add") == 0) {
        err = make_script(config, &body, diag);
        if (err == COF_OK)
            err = admin_ask(config->data, "POST", "/faults", cof_buf_view(&body), &out, diag);
    } else if (strcmp(what, "list") == 0) {
        err = admin_ask(config->data, "GET", "/faults", (struct cof_view){0}, &out, diag);
    } else if (strcmp(what, "clear") == 0) {
        err = admin_ask(config->data, "DELETE", "/faults", (struct cof_view){0}, &out, diag);
    } else {
        err = cof_diag_set(diag, COF_E_USAGE, "fault add, fault list or fault clear");
    }
    if (err == COF_OK)
        (void)fputs(cof_buf_cstr(&out), stdout);
    cof_buf_done(&body);
    cof_buf_done(&out);
    return err;
}
