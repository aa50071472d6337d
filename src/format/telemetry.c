/* SPDX-License-Identifier: Apache-2.0 */
#include "format/telemetry.h"

#include <stdio.h>
#include <string.h>

#define VERSION 1
#define MS_MAX 86400000ull
#define COUNT_MAX ((1ull << 48) - 1)

#define WORDS(name, list) {name, sizeof list / sizeof list[0] - 1, list}

static const char *const states[] = {"idle", "working"};
static const char *const answers[] = {"no", "yes"};
static const char *const stages[] = {"debug-mode", "processor", "sandbox", "clients", "account", "keys", "model", "queue"};
static const char *const steps[] = {"fetch", "open", "process", "seal", "store"};
static const char *const errors[] = {"ok", "bug", "usage", "short", "format", "limit", "auth", "denied", "retry", "io", "memory"};
/* As in status objects (docs/enclave-config.md). */
static const char *const refusals[] = {"job-malformed", "object-missing", "object-unreadable", "too-large", "message-malformed",
    "context-differs", "data-key-refused", "message-altered", "input-refused-by-processor", "other"};

static const struct cof_telemetry_kind kinds[] = {
    {COF_TELEMETRY_HEARTBEAT, COF_LOG_DEBUG, "heartbeat", 6,
     {WORDS("state", states), {"done", COUNT_MAX, NULL}, {"refused", COUNT_MAX, NULL}, {"later", COUNT_MAX, NULL},
      {"memory_kib", 1ull << 32, NULL}, {"uptime_s", 1ull << 32, NULL}}},
    {COF_TELEMETRY_READY, COF_LOG_INFO, "ready", 2, {WORDS("memory_locked", answers), WORDS("own_network", answers)}},
    {COF_TELEMETRY_NOT_STARTED, COF_LOG_ERROR, "not_started", 2, {WORDS("stage", stages), WORDS("error", errors)}},
    {COF_TELEMETRY_PROCESSOR_LOST, COF_LOG_ERROR, "processor_lost", 0, {{0}}},
    {COF_TELEMETRY_QUEUE_TROUBLE, COF_LOG_WARN, "queue_trouble", 1, {WORDS("error", errors)}},
    {COF_TELEMETRY_NO_RECIPIENT_KEY, COF_LOG_WARN, "no_recipient_key", 1, {WORDS("error", errors)}},
    {COF_TELEMETRY_JOB_DONE, COF_LOG_INFO, "job.done", 2, {{"ms", MS_MAX, NULL}, {"sealed_bytes", 1ull << 40, NULL}}},
    {COF_TELEMETRY_JOB_REFUSED, COF_LOG_WARN, "job.refused", 2, {WORDS("why", refusals), {"ms", MS_MAX, NULL}}},
    {COF_TELEMETRY_JOB_LATER, COF_LOG_WARN, "job.later", 2, {WORDS("step", steps), {"ms", MS_MAX, NULL}}},
    {COF_TELEMETRY_JOB_DONE_BEFORE, COF_LOG_INFO, "job.done_before", 0, {{0}}},
    {COF_TELEMETRY_STATUS_NOT_STORED, COF_LOG_WARN, "status_not_stored", 1, {WORDS("error", errors)}},
    {COF_TELEMETRY_LEFT_OUT, COF_LOG_WARN, "left_out", 1, {{"events", COUNT_MAX, NULL}}},
};

const struct cof_telemetry_kind *cof_telemetry_kind(unsigned code)
{
    return code >= 1 && code <= sizeof kinds / sizeof kinds[0] ? &kinds[code - 1] : NULL;
}

uint64_t cof_telemetry_word(enum cof_telemetry_code code, size_t field, const char *word)
{
    const struct cof_telemetry_field *f = &kinds[code - 1].fields[field];

    for (uint64_t i = 0; i < f->max; i++)
        if (strcmp(f->words[i], word) == 0)
            return i;
    return f->max;
}

static void put(uint8_t *at, uint64_t n, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(n >> 8 * (bytes - 1 - i));
}

void cof_telemetry_write(const struct cof_telemetry *record, uint8_t out[static COF_TELEMETRY_RECORD])
{
    const struct cof_telemetry_kind *kind = &kinds[record->code - 1];

    memset(out, 0, COF_TELEMETRY_RECORD);
    out[0] = VERSION;
    out[1] = (uint8_t)kind->n;
    put(out + 2, record->code, 2);
    put(out + 8, record->sequence, 8);
    for (size_t i = 0; i < kind->n; i++) {
        uint64_t max = kind->fields[i].max;
        put(out + 16 + 8 * i, record->values[i] < max ? record->values[i] : max, 8);
    }
}

enum cof_err cof_telemetry_read(const uint8_t in[static COF_TELEMETRY_RECORD], struct cof_telemetry *out)
{
    struct cof_view v = cof_view_of(in, COF_TELEMETRY_RECORD);
    const struct cof_telemetry_kind *kind;
    struct cof_telemetry r = {0};
    uint8_t version, n;
    uint16_t code;
    uint32_t zero;

    *out = r;
    if (cof_take_u8(&v, &version) != COF_OK || cof_take_u8(&v, &n) != COF_OK || cof_take_u16(&v, &code) != COF_OK ||
        cof_take_u32(&v, &zero) != COF_OK || cof_take_u64(&v, &r.sequence) != COF_OK)
        return COF_E_BUG;
    kind = cof_telemetry_kind(code);
    if (version != VERSION || zero != 0 || kind == NULL || n != kind->n || r.sequence == 0)
        return COF_E_FORMAT;
    r.code = kind->code;
    for (size_t i = 0; i < COF_TELEMETRY_VALUES; i++) {
        if (cof_take_u64(&v, &r.values[i]) != COF_OK)
            return COF_E_BUG;
        if (r.values[i] > (i < kind->n ? kind->fields[i].max : 0))
            return COF_E_FORMAT;
    }
    *out = r;
    return COF_OK;
}

void cof_telemetry_log(const struct cof_log *log, const char *prefix, const struct cof_telemetry *record)
{
    const struct cof_telemetry_kind *kind = &kinds[record->code - 1];
    char text[COF_TELEMETRY_VALUES][24], event[64];
    const char *name[COF_TELEMETRY_VALUES] = {0}, *value[COF_TELEMETRY_VALUES];

    (void)snprintf(event, sizeof event, "%s.%s", prefix, kind->name);
    for (size_t i = 0; i < COF_TELEMETRY_VALUES; i++) {
        const struct cof_telemetry_field *f = &kind->fields[i];

        (void)snprintf(text[i], sizeof text[i], "%llu", (unsigned long long)record->values[i]);
        name[i] = i < kind->n ? f->name : NULL;
        value[i] = i < kind->n && f->words != NULL ? f->words[record->values[i]] : text[i];
    }
    /* a name that is not there ends the list */
    cof_log_event(log, kind->level, event, name[0], value[0], name[1], value[1], name[2], value[2], name[3], value[3], name[4],
                  value[4], name[5], value[5], NULL);
}
