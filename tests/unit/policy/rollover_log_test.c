/* SPDX-License-Identifier: Apache-2.0
 *
 * Proves: a history that is written is read back to the same place; each move that is not legal is refused; a line that is changed,
 * left out, moved or cut is noticed; a refused line leaves everything as it was.
 */
#include "testing.h"

#include "policy/rollover_log.h"

#define D "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab"
static const struct cof_measurement one = {{"aa00" D, "bb00" D, "cc00" D}}, two = {{"aa11" D, "bb00" D, "cc11" D}};
#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
static const struct cof_rollover_key keys[] = {{"arn:aws:kms:r:a:key/1", HEX64, false}, {"arn:aws:kms:r:a:key/2", HEX64, false}};
static const char *const policies[] = {"{}", "{\"a\":\"\\\"\"}"};

static struct cof_rollover_entry entry(enum cof_rollover_event event)
{
    struct cof_rollover_entry e = {.event = event, .now_ms = 1795456800000 + (int64_t)event, .who = "arn:aws:iam::a:user/\"u\""};

    if (event == COF_ROLLOVER_StageBegun) {
        e.old_image = &one, e.new_image = &two;
        e.policies = policies;
        e.image = "{}";
    }
    if (event == COF_ROLLOVER_Proved)
        e.evidence = "{\"x\":1}";
    if (event != COF_ROLLOVER_FinishBegun && event != COF_ROLLOVER_AbortBegun)
        e.keys = keys, e.n_keys = 2;
    return e;
}

static enum cof_err add(struct cof_rollover *r, enum cof_rollover_event event, struct cof_buf *out)
{
    struct cof_rollover_entry e = entry(event);

    return cof_rollover_record(r, &e, out, NULL);
}

static const enum cof_rollover_event whole[] = {COF_ROLLOVER_StageBegun, COF_ROLLOVER_Staged, COF_ROLLOVER_Proved, COF_ROLLOVER_Proved,
    COF_ROLLOVER_FinishBegun, COF_ROLLOVER_Finished, COF_ROLLOVER_StageBegun, COF_ROLLOVER_AbortBegun, COF_ROLLOVER_Aborted};
#define N_WHOLE (sizeof whole / sizeof whole[0])

static enum cof_err replay(struct cof_view text, struct cof_rollover *r)
{
    struct cof_view line;
    enum cof_err err = COF_OK;

    cof_rollover_init(r);
    while (text.len > 0 && err == COF_OK) {
        (void)cof_view_split(text, '\n', &line, &text);
        err = cof_rollover_replay(r, line, NULL);
    }
    return err;
}

static void written_and_read(void **state)
{
    static struct cof_rollover r, back;
    struct cof_buf text;

    (void)state;
    cof_rollover_init(&r);
    cof_buf_init(&text, 1 << 20);
    for (size_t i = 0; i < N_WHOLE; i++) {
        assert_ok(add(&r, whole[i], &text));
        assert_ok(replay(cof_buf_view(&text), &back));
        assert_int_equal(back.step, whole[i]);
        assert_memory_equal(&r, &back, sizeof r);
        assert_int_equal(cof_rollover_under_way(&r), whole[i] != COF_ROLLOVER_Finished && whole[i] != COF_ROLLOVER_Aborted);
        assert_int_equal(r.keys[0].proven && r.keys[1].proven, i >= 2 && i < 6);
    }
    assert_true(cof_measurement_eq(&r.old_image, &one) && cof_measurement_eq(&r.new_image, &two));
    assert_int_equal(r.staged_ms, 1795456800000 + COF_ROLLOVER_Staged);
    assert_string_equal(r.keys[1].sha256, HEX64);
    cof_buf_done(&text);
}

/* From each event, whether each other may follow. */
static void legal_moves(void **state)
{
    static const char *const legal[] = {"StageBegun Staged", "StageBegun AbortBegun", "Staged Proved", "Staged AbortBegun", "Proved Proved", "Proved FinishBegun",
        "Proved AbortBegun", "FinishBegun Finished", "Finished StageBegun", "AbortBegun Aborted", "Aborted StageBegun", "none StageBegun"};
    size_t n = 0;

    (void)state;
    for (int from = 0; from <= COF_ROLLOVER_EVENTS; from++)
        for (int to = 0; to < COF_ROLLOVER_EVENTS; to++) {
            struct cof_rollover r;
            struct cof_diag diag = {0};
            char move[64];
            bool listed = false, allowed;

            cof_rollover_init(&r);
            r.step = (enum cof_rollover_event)from;
            allowed = cof_rollover_may(&r, (enum cof_rollover_event)to, &diag) == COF_OK;
            (void)snprintf(move, sizeof move, "%s %s", cof_rollover_event_name((enum cof_rollover_event)from), cof_rollover_event_name((enum cof_rollover_event)to));
            for (size_t i = 0; i < sizeof legal / sizeof legal[0]; i++)
                listed = listed || strcmp(move, legal[i]) == 0;
            if (allowed != listed || (!allowed && diag.text[0] == '\0'))
                fail_msg("%s", move);
            n += allowed;
        }
    assert_int_equal(n, sizeof legal / sizeof legal[0]);
}

static void tampering(void **state)
{
    static struct cof_rollover r, before;
    struct cof_buf text, bad;
    struct cof_view rest, line, lines[N_WHOLE];

    (void)state;
    cof_rollover_init(&r);
    cof_buf_init(&text, 1 << 20);
    cof_buf_init(&bad, 1 << 20);
    for (size_t i = 0; i < N_WHOLE; i++)
        assert_ok(add(&r, whole[i], &text));
    rest = cof_buf_view(&text);
    for (size_t i = 0; i < N_WHOLE; i++)
        (void)cof_view_split(rest, '\n', &lines[i], &rest);
    for (size_t i = 0; i + 1 < N_WHOLE; i++) { /* left out, but for the end */
        cof_buf_reset(&bad);
        for (size_t k = 0; k < N_WHOLE; k++)
            if (k != i) {
                cof_buf_add(&bad, lines[k]);
                cof_buf_add_u8(&bad, '\n');
            }
        assert_int_not_equal(replay(cof_buf_view(&bad), &before), COF_OK);
    }
    for (size_t at = 0; at + lines[N_WHOLE - 1].len + 1 < text.len; at += 7) { /* a bit anywhere before the last line */
        text.data[at] ^= 1;
        if (replay(cof_buf_view(&text), &before) == COF_OK)
            fail_msg("a changed byte at %zu went unnoticed", at);
        text.data[at] ^= 1;
    }
    cof_rollover_init(&r);
    assert_ok(cof_rollover_replay(&r, lines[0], NULL));
    before = r;
    for (size_t len = 0; len < lines[1].len; len++) {
        line = cof_view_sub(lines[1], 0, len);
        assert_int_not_equal(cof_rollover_replay(&r, line, NULL), COF_OK);
        assert_memory_equal(&r, &before, sizeof r);
    }
    cof_buf_done(&text);
    cof_buf_done(&bad);
}

static void what_is_not_recorded(void **state)
{
    static struct cof_rollover r;
    struct cof_buf text;
    struct cof_rollover_entry e = entry(COF_ROLLOVER_StageBegun);

    (void)state;
    cof_rollover_init(&r);
    cof_buf_init(&text, 1 << 20);
    assert_int_not_equal(add(&r, COF_ROLLOVER_Finished, &text), COF_OK); /* out of turn */
    e.n_keys = 0;
    assert_int_not_equal(cof_rollover_record(&r, &e, &text, NULL), COF_OK);
    e = entry(COF_ROLLOVER_StageBegun);
    e.keys = (const struct cof_rollover_key[]){keys[0], keys[0]};
    assert_int_not_equal(cof_rollover_record(&r, &e, &text, NULL), COF_OK); /* the same key twice */
    assert_int_equal(text.len, 0);
    assert_int_equal(r.step, COF_ROLLOVER_EVENTS);
    assert_ok(add(&r, COF_ROLLOVER_StageBegun, &text));
    e = entry(COF_ROLLOVER_Staged);
    e.n_keys = 1;
    assert_int_not_equal(cof_rollover_record(&r, &e, &text, NULL), COF_OK); /* not all keys */
    assert_null(cof_rollover_find(&r, "arn:aws:kms:r:a:key/3"));
    cof_buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_and_read),
        cmocka_unit_test(legal_moves),
        cmocka_unit_test(tampering),
        cmocka_unit_test(what_is_not_recorded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
