/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/md5_many.h"

#include "base/md5_lanes.h"
#include "crypto/hash.h"

#include <string.h>

#define BLOCK 64 /* bytes */

/* One lane at work: `blocks` whole blocks at `at` are next. */
struct lane {
    struct cof_md5_job *job; /* NULL: idle */
    size_t part;             /* the next */
    const uint8_t *at;
    size_t blocks;
    bool padded;
    uint8_t tail[2 * BLOCK];
};

/* The rest of the message, a one bit, zeros, the length in bits. */
static void pad(struct lane *l, struct cof_view rest)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < l->job->n_parts; i++)
        bits += (uint64_t)l->job->parts[i].len * 8;
    l->blocks = rest.len < BLOCK - 8 ? 1 : 2;
    memset(l->tail, 0, sizeof l->tail);
    if (rest.len > 0)
        memcpy(l->tail, rest.data, rest.len);
    l->tail[rest.len] = 0x80;
    for (size_t i = 0; i < 8; i++)
        l->tail[l->blocks * BLOCK - 8 + i] = (uint8_t)(bits >> 8 * i);
    l->at = l->tail;
    l->padded = true;
}

/* The next stretch of blocks; false when the message is through. */
static bool next_stretch(struct lane *l)
{
    struct cof_view part = {NULL, 0};

    if (l->padded)
        return false;
    while (l->part < l->job->n_parts) {
        part = l->job->parts[l->part++];
        l->at = part.data;
        l->blocks = part.len / BLOCK;
        if (l->blocks > 0)
            return true;
    }
    part = l->job->n_parts == 0 ? part : l->job->parts[l->job->n_parts - 1];
    pad(l, cof_view_sub(part, part.len / BLOCK * BLOCK, SIZE_MAX));
    return true;
}

static void begin(struct lane *l, uint32_t state[4][COF_MD5_LANES], size_t which, struct cof_md5_job *job)
{
    static const uint32_t first[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};

    l->job = job;
    l->part = 0;
    l->padded = false;
    for (size_t i = 0; i < 4; i++)
        state[i][which] = first[i];
    (void)next_stretch(l);
}

static void end(struct lane *l, const uint32_t state[4][COF_MD5_LANES], size_t which)
{
    for (size_t i = 0; i < 16; i++)
        l->job->digest[i] = (uint8_t)(state[i / 4][which] >> 8 * (i % 4));
    l->job->done = true;
    l->job = NULL;
}

/* All lanes move as far as the shortest stretch goes; an idle one reads along with a busy one. */
static void move(struct lane lanes[COF_MD5_LANES], uint32_t state[4][COF_MD5_LANES])
{
    const uint8_t *data[COF_MD5_LANES];
    const struct lane *busy = NULL;
    size_t n_lanes = 0;

    for (size_t i = 0; i < COF_MD5_LANES; i++) {
        if (lanes[i].job != NULL)
            n_lanes = i + 1;
        if (lanes[i].job != NULL && (busy == NULL || lanes[i].blocks < busy->blocks))
            busy = &lanes[i];
    }
    if (busy == NULL)
        return;
    for (size_t i = 0; i < COF_MD5_LANES; i++)
        data[i] = lanes[i].job == NULL ? busy->at : lanes[i].at;
    cof_md5_lanes(state, data, n_lanes, busy->blocks);
    for (size_t i = 0, n = busy->blocks; i < COF_MD5_LANES; i++)
        if (lanes[i].job != NULL) {
            lanes[i].at += n * BLOCK;
            lanes[i].blocks -= n;
        }
}

static void side_by_side(struct cof_md5_job *const *jobs, size_t n)
{
    struct lane lanes[COF_MD5_LANES] = {{.job = NULL}};
    uint32_t state[4][COF_MD5_LANES] = {{0}};
    size_t taken = 0, ended = 0;

    while (ended < n) {
        for (size_t i = 0; i < COF_MD5_LANES; i++) {
            if (lanes[i].job != NULL && lanes[i].blocks == 0 && !next_stretch(&lanes[i])) {
                end(&lanes[i], (const uint32_t (*)[COF_MD5_LANES])state, i);
                ended++;
            }
            if (lanes[i].job == NULL && taken < n)
                begin(&lanes[i], state, i, jobs[taken++]);
        }
        move(lanes, state);
    }
}

static enum cof_err one(struct cof_md5_job *job)
{
    struct cof_hash *hash;
    enum cof_err err = cof_hash_new(COF_MD5, &hash);

    for (size_t i = 0; err == COF_OK && i < job->n_parts; i++)
        err = cof_hash_update(hash, job->parts[i]);
    if (err == COF_OK)
        err = cof_hash_final(hash, job->digest);
    job->done = err == COF_OK;
    cof_hash_free(hash);
    return err;
}

enum cof_err cof_md5_many(struct cof_md5_job *const *jobs, size_t n)
{
    enum cof_err err = COF_OK;

    for (size_t i = 0; i < n; i++) {
        if (jobs[i]->n_parts > COF_MD5_PARTS)
            return COF_E_BUG;
        for (size_t k = 0; k + 1 < jobs[i]->n_parts; k++)
            if (jobs[i]->parts[k].len % BLOCK != 0)
                return COF_E_BUG;
    }
    if (n > 1 && cof_md5_can_lanes()) {
        side_by_side(jobs, n);
        return COF_OK;
    }
    for (size_t i = 0; i < n && err == COF_OK; i++)
        err = one(jobs[i]);
    return err;
}
