/* SPDX-License-Identifier: Apache-2.0
 *
 * What an enclave tells its host while it works: events of a fixed vocabulary, each a code and a few bounded numbers, as
 * records of 64 bytes (docs/telemetry.md). There is no place for text, so that nothing of what is processed can get out this
 * way whatever the code around it does, and nothing that an enclave sends can become more than these words in a host's log.
 *
 *   0  version 1 (u8)    2  code (u16)    8  sequence number (u64), one more with each record, from 1
 *   1  values (u8)       4  zero (u32)    16 values (6 x u64), those not used zero
 */
#ifndef COF_FORMAT_TELEMETRY_H
#define COF_FORMAT_TELEMETRY_H

#include "base/log.h"

#define COF_TELEMETRY_RECORD 64 /* bytes */
#define COF_TELEMETRY_VALUES 6

enum cof_telemetry_code {
    COF_TELEMETRY_HEARTBEAT = 1,     /* state, done, refused, later, memory_kib, uptime_s */
    COF_TELEMETRY_READY = 2,         /* memory_locked, own_network */
    COF_TELEMETRY_NOT_STARTED = 3,   /* stage, error */
    COF_TELEMETRY_PROCESSOR_LOST = 4,
    COF_TELEMETRY_QUEUE_TROUBLE = 5, /* error */
    COF_TELEMETRY_NO_RECIPIENT_KEY = 6, /* error */
    COF_TELEMETRY_JOB_DONE = 7,      /* ms, sealed_bytes */
    COF_TELEMETRY_JOB_REFUSED = 8,   /* why, ms */
    COF_TELEMETRY_JOB_LATER = 9,     /* step, ms */
    COF_TELEMETRY_JOB_DONE_BEFORE = 10,
    COF_TELEMETRY_STATUS_NOT_STORED = 11, /* error */
    COF_TELEMETRY_LEFT_OUT = 12,     /* events: too many, or nobody took them */
};

/* A value is a number up to max, or with words the place of one of them, max being the last's. */
struct cof_telemetry_field {
    const char *name;
    uint64_t max;
    const char *const *words;
};

struct cof_telemetry_kind {
    enum cof_telemetry_code code;
    enum cof_log_level level;
    const char *name; /* "job.done" */
    size_t n;
    struct cof_telemetry_field fields[COF_TELEMETRY_VALUES];
};

struct cof_telemetry {
    enum cof_telemetry_code code;
    uint64_t sequence;
    uint64_t values[COF_TELEMETRY_VALUES];
};

/* The words of values, in the enums' order. */
enum cof_telemetry_state { COF_TELEMETRY_IDLE, COF_TELEMETRY_WORKING };
enum cof_telemetry_stage { COF_TELEMETRY_AT_DEBUG, COF_TELEMETRY_AT_PROCESSOR, COF_TELEMETRY_AT_SANDBOX, COF_TELEMETRY_AT_CLIENTS,
                           COF_TELEMETRY_AT_ACCOUNT, COF_TELEMETRY_AT_KEYS, COF_TELEMETRY_AT_MODEL, COF_TELEMETRY_AT_QUEUE };
enum cof_telemetry_step { COF_TELEMETRY_FETCH, COF_TELEMETRY_OPEN, COF_TELEMETRY_PROCESS, COF_TELEMETRY_SEAL, COF_TELEMETRY_STORE };

/* Of a code from 1 on without gaps; NULL for one that is none. */
const struct cof_telemetry_kind *cof_telemetry_kind(unsigned code);
/* The place of a word among a field's; its last place for one that is not there ("other"). */
uint64_t cof_telemetry_word(enum cof_telemetry_code code, size_t field, const char *word);

/* Values over their maximum are written as it. */
void cof_telemetry_write(const struct cof_telemetry *record, uint8_t out[static COF_TELEMETRY_RECORD]);
/* COF_E_FORMAT for whatever write does not write. */
COF_MUST_USE enum cof_err cof_telemetry_read(const uint8_t in[static COF_TELEMETRY_RECORD], struct cof_telemetry *out);

/* A line "PREFIX.NAME" with the record's values by name; what it was read with is all that it shows. */
void cof_telemetry_log(const struct cof_log *log, const char *prefix, const struct cof_telemetry *record);

#endif
