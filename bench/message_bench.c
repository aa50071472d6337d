/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealing and opening in process, for bench/message.py: one measurement a line, as JSON.
 *     message_bench bulk SUITE FRAME THREADS MIB      MB a CPU-second and a second, with so many threads beside the caller's:
 *                                                     io/seal.h and io/open.h; with none, opening by the engine's session
 *     message_bench run COMMAND...                    a program's CPU-seconds, seconds and peak memory
 *     message_bench small N                           1 KiB messages with a cached data key: microseconds of CPU each
 */
#include "engine/cmm_cache.h"
#include "engine/keyring_raw.h"
#include "io/clock.h"
#include "io/open.h"
#include "io/rng_os.h"
#include "io/seal.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PIECE ((size_t)256 << 10)
#define SMALL_MESSAGE ((size_t)4 << 20) /* opened again and again, so that it is the cipher that is measured, */
#define LARGE_MESSAGE ((size_t)64 << 20) /* not memory; with threads, not their start */

static const struct cof_secret key = {.bytes = {1}, .len = 32};
static struct cof_raw_aes aes = {{(const uint8_t *)"bench", 5}, {(const uint8_t *)"key", 3}, &key};
static struct cof_keyring ring;

static double seconds(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void need(enum cof_err err)
{
    if (err == COF_OK)
        return;
    (void)fprintf(stderr, "message_bench: %s\n", cof_err_text(err));
    exit(1);
}

/* Keeps nothing, or the message for opening. */
static enum cof_err to_nowhere(void *ctx, struct cof_view bytes)
{
    (void)ctx;
    (void)bytes;
    return COF_OK;
}

static enum cof_err to_buffer(void *ctx, struct cof_view bytes)
{
    cof_buf_add(ctx, bytes);
    return cof_buf_err(ctx);
}

static struct cof_esdk_encrypt *session(uint16_t suite, uint32_t frame)
{
    struct cof_cmm cmm = cof_cmm_of_keyring(&ring);
    struct cof_esdk_materials m = {.suite = suite, .frame_length = frame};
    struct cof_esdk_encrypt *e;

    need(cof_esdk_encrypt_with(&cmm, &m, &cof_rng_os, NULL, &e));
    return e;
}

static void seal(uint16_t suite, uint32_t frame, unsigned threads, size_t bytes, struct cof_buf *keep)
{
    struct cof_seal_options how = {.threads = threads, .sink = keep == NULL ? to_nowhere : to_buffer, .ctx = keep};
    struct cof_esdk_encrypt *e = session(suite, frame);
    struct cof_seal *s;

    need(cof_seal_new(e, &how, &s));
    while (bytes > 0) { /* what the slots hold is as good a plaintext as any */
        uint8_t *data;
        size_t room;

        need(cof_seal_room(s, &data, &room));
        room = room < bytes ? room : bytes;
        need(cof_seal_filled(s, room));
        bytes -= room;
    }
    need(cof_seal_finish(s));
    cof_seal_free(s);
    cof_esdk_encrypt_free(e);
}

static enum cof_err give_key(void *ctx, struct cof_esdk_decrypt *d)
{
    struct cof_cmm cmm = cof_cmm_of_keyring(&ring);

    (void)ctx;
    return cof_esdk_decrypt_with(&cmm, d, NULL);
}

static void open_message(struct cof_view message, unsigned threads)
{
    struct cof_open_options how = {.threads = threads, .give_key = give_key, .sink = to_nowhere};
    struct cof_esdk_decrypt *d;
    struct cof_open *o;

    need(cof_esdk_decrypt_new(NULL, &d));
    need(cof_open_new(d, &how, &o));
    need(cof_open_push(o, message));
    need(cof_open_finish(o));
    cof_open_free(o);
    cof_esdk_decrypt_free(d);
}

/* By one thread, a piece at a time, from and to memory that stays in the cache. */
static void open_session(struct cof_view message, uint32_t frame, struct cof_buf *out)
{
    struct cof_esdk_decrypt *d;

    need(cof_esdk_decrypt_new(NULL, &d));
    while (message.len > 0) {
        struct cof_view piece = cof_view_sub(message, 0, frame > PIECE ? SIZE_MAX : PIECE);

        message = cof_view_sub(message, piece.len, SIZE_MAX);
        while (piece.len > 0) {
            cof_buf_reset(out);
            need(cof_esdk_decrypt_push_before_signature(d, &piece, out));
            if (cof_esdk_decrypt_wants_key(d))
                need(give_key(NULL, d));
        }
    }
    need(cof_esdk_decrypt_finish(d));
    cof_esdk_decrypt_free(d);
}

static void bulk(uint16_t suite, uint32_t frame, unsigned threads, size_t mib)
{
    size_t bytes = mib << 20, length = threads == 0 ? SMALL_MESSAGE : LARGE_MESSAGE;
    double wall, cpu, seal_wall, seal_cpu, open_one = 0;
    struct cof_buf message, out; /* the caller's, used again */

    cof_buf_init(&out, (size_t)64 << 20);
    cof_buf_init(&message, 2 * length + (1 << 20));
    seal(suite, frame, threads, 1 << 20, NULL);
    wall = seconds(CLOCK_MONOTONIC);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    seal(suite, frame, threads, bytes, NULL);
    seal_cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    seal_wall = seconds(CLOCK_MONOTONIC) - wall;
    seal(suite, frame, threads, length, &message);
    if (threads > 0) { /* the same messages the best way with one thread, to compare with */
        wall = seconds(CLOCK_MONOTONIC);
        for (size_t done = 0; done < bytes; done += length)
            open_session(cof_buf_view(&message), frame, &out);
        open_one = seconds(CLOCK_MONOTONIC) - wall;
    }
    wall = seconds(CLOCK_MONOTONIC);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t done = 0; done < bytes; done += length)
        if (threads == 0)
            open_session(cof_buf_view(&message), frame, &out);
        else
            open_message(cof_buf_view(&message), threads);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = seconds(CLOCK_MONOTONIC) - wall;
    (void)printf("{\"seal_mb_cpu\":%.0f,\"seal_mb\":%.0f,\"open_mb_cpu\":%.0f,\"open_mb\":%.0f,\"open_mb_one_thread\":%.0f}\n",
                 (double)bytes / 1e6 / seal_cpu, (double)bytes / 1e6 / seal_wall, (double)bytes / 1e6 / cpu,
                 (double)bytes / 1e6 / wall, (double)bytes / 1e6 / (threads > 0 ? open_one : wall));
    cof_buf_done(&out);
    cof_buf_done(&message);
}

static void small(size_t n)
{
    static uint8_t plain[1024];
    struct cof_cmm_cache_options limits = {.max_age_ms = 3600000, .now_ms = cof_clock_monotonic_ms};
    struct cof_cmm source = cof_cmm_of_keyring(&ring), cmm;
    struct cof_esdk_pair pair = {COF_LIT("camera"), COF_LIT("7")};
    struct cof_esdk_materials m = {.suite = COF_ESDK_SUITE, .pairs = &pair, .n_pairs = 1, .length_known = true, .plain_length = 1024};
    struct cof_cmm_cache *cache;
    struct cof_buf message, opened;
    double start, seal_cpu;

    need(cof_cmm_cache_new(&source, &limits, &cof_rng_os, &cache));
    cmm = cof_cmm_of_cache(cache);
    cof_buf_init(&message, 1 << 16);
    cof_buf_init_secret(&opened, 1 << 16);
    start = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < n; i++) {
        struct cof_esdk_encrypt *e;

        cof_buf_reset(&message);
        need(cof_esdk_encrypt_with(&cmm, &m, &cof_rng_os, NULL, &e));
        need(cof_esdk_encrypt_push(e, cof_view_of(plain, sizeof plain), &message));
        need(cof_esdk_encrypt_finish(e, &message));
        cof_esdk_encrypt_free(e);
    }
    seal_cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
    start = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < n; i++) {
        struct cof_view in = cof_buf_view(&message);
        struct cof_esdk_decrypt *d;

        cof_buf_reset(&opened);
        need(cof_esdk_decrypt_new(NULL, &d));
        need(cof_esdk_decrypt_push(d, &in, &opened));
        need(cof_esdk_decrypt_with(&cmm, d, NULL));
        need(cof_esdk_decrypt_push(d, &in, &opened));
        need(cof_esdk_decrypt_finish(d));
        cof_esdk_decrypt_free(d);
    }
    (void)printf("{\"seal_us\":%.2f,\"open_us\":%.2f,\"keyring_calls\":%llu}\n", 1e6 * seal_cpu / (double)n,
                 1e6 * (seconds(CLOCK_PROCESS_CPUTIME_ID) - start) / (double)n,
                 (unsigned long long)cof_cmm_cache_stats(cache).misses);
    cof_buf_done(&message);
    cof_buf_done(&opened);
    cof_cmm_cache_free(cache);
}

/* From a process as small as this, since a child inherits its parent's peak. */
static int run(char **argv)
{
    struct rusage usage;
    double start = seconds(CLOCK_MONOTONIC);
    int status;
    pid_t pid;

    if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) != 0 || wait4(pid, &status, 0, &usage) != pid)
        return 1;
    (void)printf("{\"cpu\":%.4f,\"seconds\":%.4f,\"peak_mib\":%.1f,\"ok\":%s}\n",
                 (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
                 seconds(CLOCK_MONOTONIC) - start, (double)usage.ru_maxrss / 1024,
                 WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "true" : "false");
    return 0;
}

int main(int argc, char **argv)
{
    ring = cof_keyring_of_raw_aes(&aes);
    if (argc == 6 && strcmp(argv[1], "bulk") == 0)
        bulk((uint16_t)strtoul(argv[2], NULL, 16), (uint32_t)strtoul(argv[3], NULL, 10), (unsigned)strtoul(argv[4], NULL, 10),
             strtoul(argv[5], NULL, 10));
    else if (argc == 3 && strcmp(argv[1], "small") == 0)
        small(strtoul(argv[2], NULL, 10));
    else if (argc > 2 && strcmp(argv[1], "run") == 0)
        return run(argv + 2);
    else
        return 2;
    return 0;
}
