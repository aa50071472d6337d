/* SPDX-License-Identifier: Apache-2.0
 *
 * What `coffer policy rollover` prints: where it stands, what would change, what was done.
 */
#include "rollover.h"

#include "base/codec.h"
#include "format/json.h"
#include "policy/policy.h"

#include <stdio.h>
#include <string.h>

static const char *words_of(enum cof_rollover_event step)
{
    static const char *const words[COF_ROLLOVER_EVENTS + 1] = {
        [COF_ROLLOVER_StageBegun] = "staging", [COF_ROLLOVER_Staged] = "staged", [COF_ROLLOVER_Proved] = "proved",
        [COF_ROLLOVER_FinishBegun] = "finishing", [COF_ROLLOVER_Finished] = "finished", [COF_ROLLOVER_AbortBegun] = "aborting",
        [COF_ROLLOVER_Aborted] = "aborted", [COF_ROLLOVER_EVENTS] = "none"};

    return words[step];
}

static void json_image(struct cof_buf *out, const char *name, const struct cof_measurement *m)
{
    cof_json_add_name(out, name);
    cof_buf_printf(out, "{\"PCR0\":\"%s\",\"PCR1\":\"%s\",\"PCR2\":\"%s\"}", m->pcr[0], m->pcr[1], m->pcr[2]);
}

static const char *yes(bool b)
{
    return b ? "true" : "false";
}

enum cof_err rollover_tell(struct rollover_run *run, bool with_policies)
{
    const struct cof_rollover *r = &run->file.rollover;
    bool json = run->config->json, known = r->n_keys > 0;
    struct cof_buf out;
    enum cof_err err;

    cof_buf_init(&out, (size_t)1 << 20);
    if (json) {
        cof_buf_printf(&out, "{\"step\":\"%s\",\"underWay\":%s", words_of(r->step), yes(cof_rollover_under_way(r)));
        if (known) {
            json_image(&out, "old", &r->old_image);
            json_image(&out, "new", &r->new_image);
        }
        cof_buf_add_str(&out, ",\"keys\":[");
    } else {
        cof_buf_printf(&out, "%s: %s\n", words_of(r->step), cof_rollover_stands(r));
        for (int i = 0; i < 3 && known; i++)
            cof_buf_printf(&out, "PCR%d  old %s\n      new %s\n", i, r->old_image.pcr[i], r->new_image.pcr[i]);
    }
    for (size_t i = 0; i < r->n_keys; i++) {
        struct cof_rollover_lists lists;
        struct cof_diag why = {0};
        bool read = with_policies && cof_rollover_read(cof_buf_view(&run->policies[i]), &lists, &why) == COF_OK;

        if (json) {
            cof_buf_printf(&out, "%s{", i == 0 ? "" : ",");
            cof_json_add_member(&out, "arn", cof_view_str(r->keys[i].arn));
            cof_buf_printf(&out, ",\"proven\":%s", yes(r->keys[i].proven));
            if (read)
                cof_buf_printf(&out, ",\"old\":%s,\"new\":%s,\"images\":%zu", yes(cof_rollover_has(&lists, &r->old_image)),
                               yes(cof_rollover_has(&lists, &r->new_image)), lists.n[0]);
            else if (with_policies)
                cof_json_add_member(&out, "error", cof_view_str(why.text));
            cof_buf_add_str(&out, "}");
        } else if (!with_policies) {
            cof_buf_printf(&out, "%s%s\n", r->keys[i].arn, r->keys[i].proven ? "  proved" : "");
        } else {
            cof_buf_printf(&out, "%s  %s%s%s%s\n", r->keys[i].arn, !read ? why.text : "opens to", read && cof_rollover_has(&lists, &r->old_image) ? " old" : "",
                           read && cof_rollover_has(&lists, &r->new_image) ? " new" : "", r->keys[i].proven ? ", proved" : "");
        }
    }
    cof_buf_add_str(&out, json ? "]}\n" : "");
    err = cof_buf_err(&out);
    if (err == COF_OK)
        (void)fputs(cof_buf_cstr(&out), stdout);
    cof_buf_done(&out);
    return err;
}

/* The change as lines that go (-) and come (+): the policies before and after, written the same way. */
static enum cof_err plan_key(struct rollover_run *run, size_t i, struct cof_buf *out)
{
    struct cof_rollover_lists before, after;
    struct cof_rollover *r = &run->file.rollover;
    struct cof_diag why = {0};
    struct cof_buf staged;
    enum cof_err err;

    cof_buf_init(&staged, COF_POLICY_SIZE_MAX);
    err = cof_rollover_add(cof_buf_view(&run->policies[i]), &r->new_image, &staged, &why);

    if (err == COF_OK)
        err = cof_rollover_read(cof_buf_view(&run->policies[i]), &before, &why);
    if (err == COF_OK)
        err = cof_rollover_read(cof_buf_view(&staged), &after, &why);
    if (err == COF_OK) {
        cof_buf_printf(out, "%s: %zu conditions, %zu of 32768 bytes when staged\n", r->keys[i].arn, after.n_conditions, staged.len);
        for (int p = 0; p < 3; p++) {
            bool shared = strcmp(r->old_image.pcr[p], r->new_image.pcr[p]) == 0;

            for (size_t k = 0; k < before.n[p]; k++)
                cof_buf_printf(out, "%c PCR%d %s%s\n", !shared && strcmp(before.items[p][k], r->old_image.pcr[p]) == 0 ? '-' : ' ', p,
                               before.items[p][k], !shared && strcmp(before.items[p][k], r->old_image.pcr[p]) == 0 ? "  at finish" : "");
            if (after.n[p] > before.n[p])
                cof_buf_printf(out, "+ PCR%d %s\n", p, r->new_image.pcr[p]);
        }
    } else {
        err = rollover_about(run, r->keys[i].arn, err, &why);
    }
    cof_buf_done(&staged);
    return err;
}

enum cof_err rollover_tell_plan(struct rollover_run *run)
{
    struct cof_buf out;
    enum cof_err err = COF_OK;

    if (run->config->json)
        return rollover_tell(run, true);
    cof_buf_init(&out, 65536);
    for (size_t i = 0; i < run->file.rollover.n_keys && err == COF_OK; i++)
        err = plan_key(run, i, &out);
    if (err == COF_OK)
        (void)fputs(cof_buf_cstr(&out), stdout);
    cof_buf_done(&out);
    return err;
}

enum cof_err rollover_tell_history(struct rollover_run *run)
{
    struct cof_view rest = cof_buf_view(&run->file.text), line;
    char hex[65];

    if (run->config->json) {
        (void)fwrite(rest.data, 1, rest.len, stdout);
        return COF_OK;
    }
    while (rest.len > 0) {
        json_t *record = NULL;

        (void)cof_view_split(rest, '\n', &line, &rest);
        if (cof_json_parse_object(line, COF_ROLLOVER_RECORD_MAX, &record, NULL) != COF_OK)
            return COF_E_BUG; /* it was replayed */
        (void)printf("%s  %-11s  %s\n", json_string_value(json_object_get(record, "eventTime")),
                     json_string_value(json_object_get(record, "eventName")), json_string_value(json_object_get(record, "who")));
        json_decref(record);
    }
    cof_hex_encode(run->file.rollover.check.chain.hash, 32, hex);
    (void)printf("whole: %llu records, the last one's SHA-256 %s\n", (unsigned long long)run->file.rollover.check.n_lines, hex);
    return COF_OK;
}
