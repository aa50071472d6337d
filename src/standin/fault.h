/* SPDX-License-Identifier: Apache-2.0
 *
 * Scripted faults, for tests of whoever talks to the stand-in: which requests, how often, and what becomes of them. Same
 * script, same seed, same order of requests: same faults.
 *
 *   {"service":"s3","operation":"PutObject","latencyMs":200,"status":503,"code":"SlowDown","cutAfter":1000,
 *    "skewSeconds":-1000,"tamper":true,"throttle":true,"skip":2,"count":3,"probability":0.5,"seed":7}
 *
 * Absent members mean: every service, every operation, always. status and throttle answer before anything is done;
 * latency, cut and tamper touch the reply; skew is the clock that signatures are judged by.
 */
#ifndef COF_STANDIN_FAULT_H
#define COF_STANDIN_FAULT_H

#include "base/buf.h"

#define COF_FAULTS_MAX 64
#define COF_FAULT_LATENCY_MAX 600000

struct json_t;

struct cof_fault {
    unsigned id;
    char service[16], operation[64], code[64]; /* empty: any; the code that fits the status */
    int status;          /* 0: no error */
    int64_t latency_ms, skew_s;
    int64_t cut_after;   /* bytes of the reply's body; -1: not */
    bool tamper, throttle;
    uint64_t skip;       /* requests that fit and are left alone at first */
    uint64_t count;      /* of requests hit; 0: any number */
    uint32_t per_million;
    uint64_t seed, state;
    uint64_t n_fits, n_hits;
};

struct cof_faults {
    struct cof_fault items[COF_FAULTS_MAX];
    size_t n;
    unsigned next_id;
};

/* What is to be done to one request. */
struct cof_fault_effect {
    bool any, tamper, throttle;
    int status;
    const char *code; /* the script's; "" for the usual one */
    int64_t latency_ms, skew_s, cut_after;
};

/* COF_E_FORMAT with a sentence; COF_E_LIMIT when there are too many. *id names it. */
COF_MUST_USE enum cof_err cof_faults_add(struct cof_faults *faults, const struct json_t *script, unsigned *id,
                                         struct cof_diag *diag);
/* id 0: all of them. False when there is none of that number. */
bool cof_faults_clear(struct cof_faults *faults, unsigned id);
/* [{"id":1,...,"fits":10,"hits":3}] */
void cof_faults_list(const struct cof_faults *faults, struct cof_buf *out);
/* Counts the request and says what becomes of it. */
void cof_faults_judge(struct cof_faults *faults, const char *service, const char *operation,
                      struct cof_fault_effect *effect);

#endif
