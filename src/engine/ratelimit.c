/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ratelimit.h"

#include "crypto/hash.h"

#include <stdlib.h>
#include <string.h>

/* Tokens are counted in units of 1/60000, so that a millisecond gives per_minute units and nothing is rounded. */
#define UNIT 60000LL
#define NONE UINT32_MAX

struct slot {
    uint8_t id[32]; /* SHA-256 of the subject */
    int64_t units;
    int64_t seen_ms;
    uint32_t next;           /* in the hash chain */
    uint32_t older, younger; /* in the order of use */
};

struct cof_ratelimit {
    struct cof_ratelimit_config config;
    struct slot *slots;
    uint32_t *heads; /* n_subjects of them */
    uint32_t n_used, oldest, youngest;
};

enum cof_err cof_ratelimit_new(const struct cof_ratelimit_config *config, struct cof_ratelimit **out)
{
    struct cof_ratelimit *limit;

    *out = NULL;
    if (config->per_minute < 1 || config->per_minute > 60000000 || config->burst < 1 || config->burst > 1000000 ||
        config->n_subjects < 1 || config->n_subjects > 1048576)
        return COF_E_USAGE;
    limit = calloc(1, sizeof *limit);
    if (limit == NULL)
        return COF_E_MEMORY;
    limit->config = *config;
    limit->oldest = limit->youngest = NONE;
    limit->slots = calloc(config->n_subjects, sizeof *limit->slots);
    limit->heads = malloc(config->n_subjects * sizeof *limit->heads);
    if (limit->slots == NULL || limit->heads == NULL) {
        cof_ratelimit_free(limit);
        return COF_E_MEMORY;
    }
    memset(limit->heads, 0xff, config->n_subjects * sizeof *limit->heads); /* NONE */
    *out = limit;
    return COF_OK;
}

void cof_ratelimit_free(struct cof_ratelimit *limit)
{
    if (limit == NULL)
        return;
    free(limit->slots);
    free(limit->heads);
    free(limit);
}

static uint32_t *head_of(const struct cof_ratelimit *limit, const uint8_t id[static 32])
{
    uint32_t h = (uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 | id[3];

    return &limit->heads[h % limit->config.n_subjects];
}

static void unlink_age(struct cof_ratelimit *limit, uint32_t i)
{
    struct slot *s = &limit->slots[i];

    *(s->older == NONE ? &limit->oldest : &limit->slots[s->older].younger) = s->younger;
    *(s->younger == NONE ? &limit->youngest : &limit->slots[s->younger].older) = s->older;
}

static void link_youngest(struct cof_ratelimit *limit, uint32_t i)
{
    struct slot *s = &limit->slots[i];

    s->younger = NONE;
    s->older = limit->youngest;
    *(limit->youngest == NONE ? &limit->oldest : &limit->slots[limit->youngest].younger) = i;
    limit->youngest = i;
}

static void unlink_chain(struct cof_ratelimit *limit, uint32_t i)
{
    uint32_t *at = head_of(limit, limit->slots[i].id);

    while (*at != i)
        at = &limit->slots[*at].next;
    *at = limit->slots[i].next;
}

/* The subject's slot, made (from the oldest, if need be) when there is none; the youngest from now on. */
static struct slot *find_slot(struct cof_ratelimit *limit, const uint8_t id[static 32], int64_t now_ms)
{
    uint32_t *head = head_of(limit, id), i = *head;
    struct slot *s;

    while (i != NONE && memcmp(limit->slots[i].id, id, 32) != 0)
        i = limit->slots[i].next;
    if (i != NONE) {
        unlink_age(limit, i);
        link_youngest(limit, i);
        return &limit->slots[i];
    }
    if (limit->n_used < limit->config.n_subjects) {
        i = limit->n_used++;
    } else {
        i = limit->oldest;
        unlink_age(limit, i);
        unlink_chain(limit, i);
    }
    s = &limit->slots[i];
    memcpy(s->id, id, 32);
    s->units = limit->config.burst * UNIT;
    s->seen_ms = now_ms;
    s->next = *head;
    *head = i;
    link_youngest(limit, i);
    return s;
}

static void refill(const struct cof_ratelimit *limit, struct slot *s, int64_t now_ms)
{
    int64_t full = limit->config.burst * UNIT, gained_ms = now_ms - s->seen_ms;

    if (gained_ms <= 0)
        return;
    s->seen_ms = now_ms;
    if (gained_ms >= (full - s->units) / limit->config.per_minute + 1)
        s->units = full;
    else
        s->units += gained_ms * limit->config.per_minute;
    if (s->units > full)
        s->units = full;
}

enum cof_err cof_ratelimit_take(struct cof_ratelimit *limit, struct cof_view subject, uint32_t cost, int64_t now_ms,
                                int64_t *retry_after_ms)
{
    int64_t units = cost * UNIT;
    uint8_t id[32];
    struct slot *s;
    enum cof_err err = cof_hash_once(COF_SHA256, subject, id);

    *retry_after_ms = 0;
    if (err != COF_OK)
        return err;
    if (cost > limit->config.burst) {
        *retry_after_ms = INT64_MAX;
        return COF_E_THROTTLED;
    }
    s = find_slot(limit, id, now_ms);
    refill(limit, s, now_ms);
    if (s->units < units) {
        *retry_after_ms = (units - s->units + limit->config.per_minute - 1) / limit->config.per_minute;
        return COF_E_THROTTLED;
    }
    s->units -= units;
    return COF_OK;
}
