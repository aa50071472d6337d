/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/fault.h"

#include "format/json.h"

#include <stdio.h>
#include <string.h>

static bool take_text(const json_t *script, const char *name, char *out, size_t size, struct cof_diag *diag)
{
    const json_t *value = json_object_get(script, name);

    if (value == NULL)
        return true;
    if (!json_is_string(value) || json_string_length(value) >= size ||
        strspn(json_string_value(value), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.") != json_string_length(value)) {
        (void)cof_diag_set(diag, COF_E_FORMAT, "\"%s\" must be a short word", name);
        return false;
    }
    (void)snprintf(out, size, "%s", json_string_value(value));
    return true;
}

static enum cof_err read_script(const json_t *script, struct cof_fault *f, struct cof_diag *diag)
{
    static const char *const members[] = {"service", "operation", "latencyMs", "status", "code", "cutAfter", "skewSeconds", "tamper",
        "throttle", "skip", "count", "probability", "seed", NULL};
    const json_t *p = json_object_get(script, "probability");
    int64_t status, skip, count, seed;
    enum cof_err err = cof_json_only(script, members, diag);

    if (err != COF_OK)
        return err;
    if (!take_text(script, "service", f->service, sizeof f->service, diag) ||
        !take_text(script, "operation", f->operation, sizeof f->operation, diag) || !take_text(script, "code", f->code, sizeof f->code, diag))
        return COF_E_FORMAT;
    err = cof_json_int_or(script, "latencyMs", 0, COF_FAULT_LATENCY_MAX, 0, &f->latency_ms, diag);
    if (err == COF_OK)
        err = cof_json_int_or(script, "status", 400, 599, 0, &status, diag);
    if (err == COF_OK)
        err = cof_json_int_or(script, "cutAfter", 0, INT64_MAX, -1, &f->cut_after, diag);
    if (err == COF_OK)
        err = cof_json_int_or(script, "skewSeconds", -1000000000, 1000000000, 0, &f->skew_s, diag);
    if (err == COF_OK)
        err = cof_json_bool_or(script, "tamper", false, &f->tamper, diag);
    if (err == COF_OK)
        err = cof_json_bool_or(script, "throttle", false, &f->throttle, diag);
    if (err == COF_OK)
        err = cof_json_int_or(script, "skip", 0, INT64_MAX, 0, &skip, diag);
    if (err == COF_OK)
        err = cof_json_int_or(script, "count", 0, INT64_MAX, 0, &count, diag);
    if (err == COF_OK)
        err = cof_json_int_or(script, "seed", 0, INT64_MAX, 1, &seed, diag);
    if (err == COF_OK && p != NULL && (!json_is_number(p) || json_number_value(p) < 0 || json_number_value(p) > 1))
        err = cof_diag_set(diag, COF_E_FORMAT, "\"probability\" must be 0 to 1");
    if (err != COF_OK)
        return err;
    f->per_million = p == NULL ? 1000000 : (uint32_t)(json_number_value(p) * 1000000 + 0.5);
    f->status = (int)status;
    f->skip = (uint64_t)skip;
    f->count = (uint64_t)count;
    f->seed = f->state = (uint64_t)seed;
    if (f->status == 0 && f->latency_ms == 0 && f->cut_after < 0 && f->skew_s == 0 && !f->tamper && !f->throttle)
        return cof_diag_set(diag, COF_E_FORMAT, "the fault does nothing: give latencyMs, status, throttle, cutAfter, skewSeconds or tamper");
    return COF_OK;
}

enum cof_err cof_faults_add(struct cof_faults *faults, const struct json_t *script, unsigned *id, struct cof_diag *diag)
{
    struct cof_fault f = {.id = faults->next_id + 1};
    enum cof_err err;

    *id = 0;
    if (faults->n == COF_FAULTS_MAX)
        return cof_diag_set(diag, COF_E_LIMIT, "there are %d faults already", COF_FAULTS_MAX);
    err = read_script(script, &f, diag);
    if (err != COF_OK)
        return err;
    faults->items[faults->n++] = f;
    *id = ++faults->next_id;
    return COF_OK;
}

bool cof_faults_clear(struct cof_faults *faults, unsigned id)
{
    for (size_t i = 0; i < faults->n && id != 0; i++)
        if (faults->items[i].id == id) {
            memmove(&faults->items[i], &faults->items[i + 1], (faults->n - i - 1) * sizeof faults->items[0]);
            faults->n--;
            return true;
        }
    if (id == 0)
        faults->n = 0;
    return id == 0;
}

void cof_faults_list(const struct cof_faults *faults, struct cof_buf *out)
{
    cof_buf_add_str(out, "[");
    for (size_t i = 0; i < faults->n; i++) {
        const struct cof_fault *f = &faults->items[i];

        cof_buf_printf(out, "%s{\"id\":%u", i == 0 ? "" : ",", f->id);
        if (f->service[0] != '\0')
            cof_json_add_member(out, "service", cof_view_str(f->service));
        if (f->operation[0] != '\0')
            cof_json_add_member(out, "operation", cof_view_str(f->operation));
        if (f->latency_ms != 0)
            cof_json_add_member_int(out, "latencyMs", f->latency_ms);
        if (f->status != 0)
            cof_json_add_member_int(out, "status", f->status);
        if (f->code[0] != '\0')
            cof_json_add_member(out, "code", cof_view_str(f->code));
        if (f->throttle)
            cof_buf_add_str(out, ",\"throttle\":true");
        if (f->cut_after >= 0)
            cof_json_add_member_int(out, "cutAfter", f->cut_after);
        if (f->skew_s != 0)
            cof_json_add_member_int(out, "skewSeconds", f->skew_s);
        if (f->tamper)
            cof_buf_add_str(out, ",\"tamper\":true");
        if (f->skip != 0)
            cof_json_add_member_int(out, "skip", (int64_t)f->skip);
        if (f->count != 0)
            cof_json_add_member_int(out, "count", (int64_t)f->count);
        if (f->per_million != 1000000)
            cof_buf_printf(out, ",\"probability\":%u.%06u", f->per_million / 1000000, f->per_million % 1000000);
        cof_buf_printf(out, ",\"seed\":%llu,\"fits\":%llu,\"hits\":%llu}", (unsigned long long)f->seed, (unsigned long long)f->n_fits,
            (unsigned long long)f->n_hits);
    }
    cof_buf_add_str(out, "]");
}

/* 0 to 999999, from the fault's own sequence (SplitMix64, which is good enough to draw lots). */
static uint32_t draw(struct cof_fault *f)
{
    uint64_t z = f->state += 0x9e3779b97f4a7c15U;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return (uint32_t)((z ^ (z >> 31)) % 1000000);
}

static bool hits(struct cof_fault *f, const char *service, const char *operation)
{
    if ((f->service[0] != '\0' && strcmp(f->service, service) != 0) || (f->operation[0] != '\0' && strcmp(f->operation, operation) != 0))
        return false;
    f->n_fits++;
    if (f->n_fits <= f->skip || (f->count != 0 && f->n_hits >= f->count))
        return false;
    if (draw(f) >= f->per_million)
        return false;
    f->n_hits++;
    return true;
}

void cof_faults_judge(struct cof_faults *faults, const char *service, const char *operation, struct cof_fault_effect *e)
{
    *e = (struct cof_fault_effect){.cut_after = -1, .code = ""};
    for (size_t i = 0; i < faults->n; i++) {
        struct cof_fault *f = &faults->items[i];

        if (!hits(f, service, operation))
            continue;
        e->any = true;
        e->latency_ms += f->latency_ms;
        e->skew_s += f->skew_s;
        e->tamper = e->tamper || f->tamper;
        e->throttle = e->throttle || f->throttle;
        if (f->status != 0 && e->status == 0)
            e->status = f->status;
        if (f->code[0] != '\0' && e->code[0] == '\0')
            e->code = f->code;
        if (f->cut_after >= 0 && (e->cut_after < 0 || f->cut_after < e->cut_after))
            e->cut_after = f->cut_after;
    }
    if (e->latency_ms > COF_FAULT_LATENCY_MAX)
        e->latency_ms = COF_FAULT_LATENCY_MAX;
}
