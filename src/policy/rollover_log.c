/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/rollover_log.h"

#include "base/codec.h"
#include "base/date.h"
#include "format/json.h"

#include <string.h>

static const char *const event_names[COF_ROLLOVER_EVENTS + 1] = {
#define X(name) #name,
    COF_ROLLOVER_TABLE(X)
#undef X
};

const char *cof_rollover_event_name(enum cof_rollover_event event)
{
    return event < COF_ROLLOVER_EVENTS ? event_names[event] : "none";
}

void cof_rollover_init(struct cof_rollover *r)
{
    memset(r, 0, sizeof *r);
    r->step = COF_ROLLOVER_EVENTS;
    cof_audit_check_init(&r->check, NULL);
}

bool cof_rollover_under_way(const struct cof_rollover *r)
{
    return r->step != COF_ROLLOVER_EVENTS && r->step != COF_ROLLOVER_Finished && r->step != COF_ROLLOVER_Aborted;
}

struct cof_rollover_key *cof_rollover_find(struct cof_rollover *r, const char *arn)
{
    for (size_t i = 0; i < r->n_keys; i++)
        if (strcmp(r->keys[i].arn, arn) == 0)
            return &r->keys[i];
    return NULL;
}

/* One table of legal moves: after the row's event, the events of its bits. */
#define BIT(event) (1u << COF_ROLLOVER_##event)
static const unsigned moves[COF_ROLLOVER_EVENTS + 1] = {
    [COF_ROLLOVER_StageBegun] = BIT(Staged) | BIT(AbortBegun),
    [COF_ROLLOVER_Staged] = BIT(Proved) | BIT(AbortBegun),
    [COF_ROLLOVER_Proved] = BIT(Proved) | BIT(FinishBegun) | BIT(AbortBegun),
    [COF_ROLLOVER_FinishBegun] = BIT(Finished),
    [COF_ROLLOVER_Finished] = BIT(StageBegun),
    [COF_ROLLOVER_AbortBegun] = BIT(Aborted),
    [COF_ROLLOVER_Aborted] = BIT(StageBegun),
    [COF_ROLLOVER_EVENTS] = BIT(StageBegun),
};

const char *cof_rollover_stands(const struct cof_rollover *r)
{
    static const char *const words[COF_ROLLOVER_EVENTS + 1] = {
        [COF_ROLLOVER_StageBegun] = "staging was begun and not ended: run stage again, or abort",
        [COF_ROLLOVER_Staged] = "an image is staged and not yet proved: prove it, or abort",
        [COF_ROLLOVER_Proved] = "an image is staged and proved: finish, or abort",
        [COF_ROLLOVER_FinishBegun] = "finishing was begun and not ended: run finish again",
        [COF_ROLLOVER_Finished] = "no rollover is under way",
        [COF_ROLLOVER_AbortBegun] = "aborting was begun and not ended: run abort again",
        [COF_ROLLOVER_Aborted] = "no rollover is under way",
        [COF_ROLLOVER_EVENTS] = "no rollover is under way",
    };

    return words[r->step];
}

enum cof_err cof_rollover_may(const struct cof_rollover *r, enum cof_rollover_event event, struct cof_diag *diag)
{
    if ((moves[r->step] >> event & 1) != 0)
        return COF_OK;
    return cof_diag_set(diag, COF_E_STATE, "%s", cof_rollover_stands(r));
}

static enum cof_err get_image(const json_t *record, const char *name, struct cof_measurement *out)
{
    static const char *const names[3] = {"PCR0", "PCR1", "PCR2"};
    const json_t *object = json_object_get(record, name);

    for (int i = 0; i < 3; i++) {
        const json_t *hex = json_object_get(object, names[i]);

        if (!json_is_string(hex) || cof_pcr_read(cof_view_str(json_string_value(hex)), out->pcr[i]) != NULL)
            return COF_E_FORMAT;
    }
    return COF_OK;
}

static const char *text_of(const json_t *object, const char *name, size_t max)
{
    const char *s = json_string_value(json_object_get(object, name));

    return s == NULL || strlen(s) > max ? NULL : s;
}

/* The keys of a rollover, when it begins. */
static enum cof_err begin_keys(struct cof_rollover *r, const json_t *list)
{
    size_t n = json_array_size(list);

    if (n == 0 || n > COF_ROLLOVER_KEYS_MAX)
        return COF_E_FORMAT;
    memset(r->keys, 0, sizeof r->keys);
    r->n_keys = 0;
    for (size_t i = 0; i < n; i++) {
        const char *arn = text_of(json_array_get(list, i), "arn", COF_ROLLOVER_ARN_MAX - 1);

        if (arn == NULL || cof_rollover_find(r, arn) != NULL)
            return COF_E_FORMAT;
        memcpy(r->keys[i].arn, arn, strlen(arn));
        r->n_keys++;
    }
    return COF_OK;
}

/* What the policies are after a step. */
static enum cof_err mark_digests(struct cof_rollover *r, const json_t *list)
{
    if (json_array_size(list) != r->n_keys)
        return COF_E_FORMAT;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const char *arn = text_of(item, "arn", COF_ROLLOVER_ARN_MAX - 1), *hex = text_of(item, "policySha256", 64);
        struct cof_rollover_key *key = arn == NULL ? NULL : cof_rollover_find(r, arn);

        if (key == NULL || hex == NULL || strlen(hex) != 64)
            return COF_E_FORMAT;
        memcpy(key->sha256, hex, 65);
    }
    return COF_OK;
}

static enum cof_err mark_proven(struct cof_rollover *r, const json_t *list)
{
    if (json_array_size(list) == 0)
        return COF_E_FORMAT;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *arn = json_string_value(json_array_get(list, i));
        struct cof_rollover_key *key = arn == NULL ? NULL : cof_rollover_find(r, arn);

        if (key == NULL)
            return COF_E_FORMAT;
        key->proven = true;
    }
    return COF_OK;
}

static enum cof_rollover_event event_of(const char *name)
{
    size_t i = 0;

    while (i < COF_ROLLOVER_EVENTS && (name == NULL || strcmp(name, event_names[i]) != 0))
        i++;
    return (enum cof_rollover_event)i;
}

static enum cof_err take(struct cof_rollover *r, const json_t *record, struct cof_diag *diag)
{
    enum cof_rollover_event event = event_of(text_of(record, "eventName", 64));
    const char *time = text_of(record, "eventTime", 40);
    const json_t *keys = json_object_get(record, "keys");
    int64_t time_ms = 0;
    enum cof_err err;

    if (event == COF_ROLLOVER_EVENTS || time == NULL || cof_date_parse_iso(cof_view_str(time), &time_ms) != COF_OK)
        return cof_diag_set(diag, COF_E_FORMAT, "no record of a rollover");
    err = cof_rollover_may(r, event, diag);
    if (err != COF_OK)
        return COF_E_FORMAT;
    if (event == COF_ROLLOVER_StageBegun) {
        err = get_image(record, "old", &r->old_image);
        if (err == COF_OK)
            err = get_image(record, "new", &r->new_image);
        if (err == COF_OK)
            err = begin_keys(r, keys);
    } else if (event == COF_ROLLOVER_Proved) {
        err = mark_proven(r, keys);
    } else if (event == COF_ROLLOVER_Staged || event == COF_ROLLOVER_Finished || event == COF_ROLLOVER_Aborted) {
        err = mark_digests(r, keys);
    }
    if (err != COF_OK)
        return cof_diag_set(diag, err, "%s: images or keys are missing or malformed", event_names[event]);
    if (event == COF_ROLLOVER_Staged)
        r->staged_ms = time_ms;
    r->step = event;
    return COF_OK;
}

enum cof_err cof_rollover_replay(struct cof_rollover *r, struct cof_view line, struct cof_diag *diag)
{
    struct cof_rollover next = *r;
    json_t *record = NULL;
    enum cof_err err = cof_audit_check_line(&next.check, line, diag);

    if (err == COF_OK && next.check.torn)
        err = cof_diag_set(diag, COF_E_AUTH, "a line that is no record");
    if (err == COF_OK && next.check.first != 1)
        err = cof_diag_set(diag, COF_E_AUTH, "the history does not begin with its first record");
    if (err == COF_OK)
        err = cof_json_parse_object(line, COF_ROLLOVER_RECORD_MAX, &record, diag);
    if (err == COF_OK)
        err = take(&next, record, diag);
    json_decref(record);
    if (err == COF_OK)
        *r = next;
    return err;
}

static void add_image(struct cof_buf *out, const char *name, const struct cof_measurement *m)
{
    cof_json_add_name(out, name);
    cof_buf_printf(out, "{\"PCR0\":\"%s\",\"PCR1\":\"%s\",\"PCR2\":\"%s\"}", m->pcr[0], m->pcr[1], m->pcr[2]);
}

static void add_keys(struct cof_buf *out, const struct cof_rollover_entry *e)
{
    bool names_only = e->event == COF_ROLLOVER_Proved || e->event == COF_ROLLOVER_FinishBegun;

    cof_json_add_name(out, e->event == COF_ROLLOVER_FinishBegun ? "withoutProof" : "keys");
    cof_buf_add_str(out, "[");
    for (size_t i = 0; i < e->n_keys; i++) {
        if (i > 0)
            cof_buf_add_str(out, ",");
        if (names_only) {
            cof_json_add_text(out, cof_view_str(e->keys[i].arn));
            continue;
        }
        cof_buf_add_str(out, "{");
        cof_json_add_member(out, "arn", cof_view_str(e->keys[i].arn));
        if (e->event == COF_ROLLOVER_StageBegun && e->policies != NULL)
            cof_json_add_member(out, "policy", cof_view_str(e->policies[i]));
        else
            cof_json_add_member(out, "policySha256", cof_view_str(e->keys[i].sha256));
        cof_buf_add_str(out, "}");
    }
    cof_buf_add_str(out, "]");
}

static void add_record(struct cof_buf *out, const struct cof_rollover_entry *e)
{
    char time[COF_DATE_MAX];

    cof_date_iso(e->now_ms, time);
    cof_buf_add_str(out, "{");
    cof_json_add_member(out, "eventTime", cof_view_str(time));
    cof_json_add_member(out, "eventSource", COF_LIT("coffer policy rollover"));
    cof_json_add_member(out, "eventName", cof_view_str(cof_rollover_event_name(e->event)));
    cof_json_add_member(out, "who", cof_view_str(e->who));
    if (e->event == COF_ROLLOVER_StageBegun) {
        add_image(out, "old", e->old_image);
        add_image(out, "new", e->new_image);
    }
    if (e->image != NULL) {
        cof_json_add_name(out, "image");
        cof_buf_add_str(out, e->image);
    }
    if (e->evidence != NULL) {
        cof_json_add_name(out, "evidence");
        cof_buf_add_str(out, e->evidence);
    }
    if (e->n_keys > 0)
        add_keys(out, e);
    cof_buf_add_str(out, "}");
}

enum cof_err cof_rollover_record(struct cof_rollover *r, const struct cof_rollover_entry *entry, struct cof_buf *out,
                                 struct cof_diag *diag)
{
    struct cof_rollover next = *r;
    struct cof_audit_chain chain = r->check.chain;
    struct cof_buf record;
    size_t start = out->len;
    enum cof_err err;

    cof_buf_init(&record, COF_ROLLOVER_RECORD_MAX);
    add_record(&record, entry);
    err = cof_buf_err(&record);
    if (err == COF_OK)
        err = cof_audit_append(&chain, cof_buf_view(&record), out);
    if (err == COF_OK) /* what is written is what will be read: one code for both */
        err = cof_rollover_replay(&next, cof_view_sub(cof_buf_view(out), start, out->len - start - 1), diag);
    if (err == COF_OK)
        *r = next;
    else
        cof_buf_truncate(out, start);
    cof_buf_done(&record);
    return err;
}
