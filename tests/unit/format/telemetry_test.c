/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "format/telemetry.h"

static char last_line[512];

static void on_line(void *ctx, enum cof_log_level level, struct cof_view line)
{
    (void)snprintf(last_line, sizeof last_line, "%.*s", (int)line.len, (const char *)line.data);
}

/* Every code, every field at its bounds: the same comes back; one more does not pass, and is not written. */
static void the_whole_vocabulary_goes_round(void **state)
{
    uint8_t bytes[COF_TELEMETRY_RECORD], more[COF_TELEMETRY_RECORD];
    struct cof_telemetry out;
    unsigned n = 0;

    for (unsigned code = 0; code < 70000; code++) {
        const struct cof_telemetry_kind *kind = cof_telemetry_kind(code);
        struct cof_telemetry r = {.sequence = UINT64_MAX};

        if (kind == NULL)
            continue;
        n++;
        assert_int_equal(kind->code, code);
        r.code = kind->code;
        for (size_t i = 0; i < kind->n; i++)
            r.values[i] = kind->fields[i].max;
        cof_telemetry_write(&r, bytes);
        assert_ok(cof_telemetry_read(bytes, &out));
        assert_memory_equal(&out, &r, sizeof r);
        for (size_t i = 0; i < kind->n; i++) {
            r.values[i]++;
            cof_telemetry_write(&r, more); /* as the maximum */
            assert_memory_equal(more, bytes, sizeof bytes);
            r.values[i]--;
            for (uint64_t w = 0; kind->fields[i].words != NULL && w <= kind->fields[i].max; w++)
                assert_int_equal(cof_telemetry_word(kind->code, i, kind->fields[i].words[w]), w);
        }
    }
    assert_int_equal(n, COF_TELEMETRY_LEFT_OUT);
}

/* Each byte of a record changed to each value: it is refused, or reads as what those very bytes say. */
static void nothing_else_is_read(void **state)
{
    const struct cof_telemetry r = {.code = COF_TELEMETRY_JOB_REFUSED, .sequence = 7, .values = {3, 1200}};
    uint8_t good[COF_TELEMETRY_RECORD], bytes[COF_TELEMETRY_RECORD], again[COF_TELEMETRY_RECORD];
    struct cof_telemetry out;

    cof_telemetry_write(&r, good);
    for (size_t i = 0; i < sizeof good; i++)
        for (unsigned value = 0; value < 256; value++) {
            memcpy(bytes, good, sizeof good);
            bytes[i] = (uint8_t)value;
            if (cof_telemetry_read(bytes, &out) == COF_OK) {
                cof_telemetry_write(&out, again);
                assert_memory_equal(again, bytes, sizeof bytes);
            } else {
                assert_int_equal(out.code, 0);
            }
            if (i < 2 || (i >= 4 && i < 8) || i >= 32)
                assert_true((cof_telemetry_read(bytes, &out) == COF_OK) == (value == good[i]));
        }
    memcpy(bytes, good, sizeof good);
    memset(bytes + 8, 0, 8); /* numbers begin with 1 */
    assert_int_equal(cof_telemetry_read(bytes, &out), COF_E_FORMAT);
}

static void lines_show_names_and_words(void **state)
{
    const struct cof_log log = {.line = on_line, .component = "coffer-host"};

    cof_telemetry_log(&log, "enclave", &(struct cof_telemetry){.code = COF_TELEMETRY_JOB_REFUSED, .sequence = 1, .values = {7, 12}});
    assert_string_equal(last_line, "{\"level\":\"warn\",\"component\":\"coffer-host\",\"event\":\"enclave.job.refused\",\"why\":\"message-altered\",\"ms\":\"12\"}\n");
    cof_telemetry_log(&log, "enclave", &(struct cof_telemetry){.code = COF_TELEMETRY_PROCESSOR_LOST, .sequence = 1});
    assert_string_equal(last_line, "{\"level\":\"error\",\"component\":\"coffer-host\",\"event\":\"enclave.processor_lost\"}\n");
    assert_int_equal(cof_telemetry_word(COF_TELEMETRY_JOB_REFUSED, 0, "a word of tomorrow"), 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_vocabulary_goes_round),
        cmocka_unit_test(nothing_else_is_read),
        cmocka_unit_test(lines_show_names_and_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
