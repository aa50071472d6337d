/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "engine/audit_chain.h"

#define LINES 12

static const struct cof_audit_place place = {"111122223333", "us-east-1", 1795464000000LL};

/* A log of LINES records, every fourth a signature. */
static void make_log(const struct cof_ecdsa_key *key, struct cof_buf *out)
{
    struct cof_audit_chain chain;

    cof_buf_init(out, 1 << 20);
    cof_audit_chain_init(&chain);
    for (int i = 1; i <= LINES; i++) {
        char record[200];

        (void)snprintf(record, sizeof record, "{\"eventTime\":\"2026-11-23T20:00:%02dZ\",\"eventSource\":\"s3.amazonaws.com\",\"eventName\":\"PutObject\"}", i);
        if (i % 4 == 0)
            assert_ok(cof_audit_sign(&chain, key, &place, "id", out));
        else
            assert_ok(cof_audit_append(&chain, cof_view_str(record), out));
    }
}

static enum cof_err check(struct cof_view log, const struct cof_ecdsa_key *key, struct cof_audit_check *c)
{
    struct cof_diag diag = {.text = ""};
    struct cof_view line;
    enum cof_err err = COF_OK;

    cof_audit_check_init(c, key);
    while (err == COF_OK && log.len > 0) {
        (void)cof_view_split(log, '\n', &line, &log);
        err = cof_audit_check_line(c, line, &diag);
    }
    if (err == COF_OK)
        err = cof_audit_check_end(c, &diag);
    assert_true(err == COF_OK || (err == COF_E_AUTH && diag.text[0] != '\0'));
    return err;
}

static struct cof_ecdsa_key *make_key(uint64_t seed)
{
    struct cof_ecdsa_key *key;
    struct cof_rng rng = {test_rng_fill, &seed};

    assert_ok(cof_ecdsa_generate(COF_P256, &rng, &key));
    return key;
}

static void a_whole_log_is_found_whole(void **state)
{
    struct cof_ecdsa_key *key = make_key(1);
    struct cof_audit_check c;
    struct cof_buf log;

    make_log(key, &log);
    assert_ok(check(cof_buf_view(&log), key, &c));
    assert_int_equal(c.n_lines, LINES);
    assert_int_equal(c.n_signatures, LINES / 4);
    assert_int_equal(c.signed_to, LINES);
    assert_string_equal(c.first_time, "2026-11-23T20:00:01Z");
    assert_ok(check(cof_buf_view(&log), NULL, &c));
    cof_buf_done(&log);
    cof_ecdsa_free(key);
}

/* Any bit of any byte but in the very last line, whose hash nothing holds yet, and there the signature does. */
/* A line's number by itself is the one that the whole of it is read with. */
static void a_line_tells_its_number(void **state)
{
    static const char *const bad[] = {"", "{\"sequence\":", "{\"sequence\":1", "{\"sequence\":0,", "{\"sequence\":01,", "{\"sequence\":-1,", "{\"sequence\":x,",
        "{\"sequence\":9223372036854775808,", "{ \"sequence\":1,", "{\"previousHash\":1,"};
    struct cof_ecdsa_key *key = make_key(1);
    struct cof_view rest, line;
    struct cof_buf log;
    uint64_t number;

    (void)state;
    make_log(key, &log);
    rest = cof_buf_view(&log);
    for (uint64_t i = 1; i <= LINES; i++) {
        struct cof_audit_link link;

        (void)cof_view_split(rest, '\n', &line, &rest);
        assert_ok(cof_audit_sequence_read(line, &number));
        assert_ok(cof_audit_link_read(line, &link));
        assert_true(number == i && link.sequence == i);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(cof_audit_sequence_read(cof_view_str(bad[i]), &number), COF_E_FORMAT);
    cof_buf_done(&log);
    cof_ecdsa_free(key);
}

static void every_flipped_bit_is_noticed(void **state)
{
    struct cof_ecdsa_key *key = make_key(1);
    struct cof_audit_check c;
    struct cof_buf log;
    size_t unnoticed = 0, last;

    make_log(key, &log);
    for (last = log.len - 1; log.data[last - 1] != '\n'; last--)
        ;
    for (size_t i = 0; i < log.len; i++) {
        log.data[i] ^= (uint8_t)(1 << i % 8);
        if (check(cof_buf_view(&log), key, &c) == COF_OK) {
            assert_true(i >= last); /* members of the last record that its signature does not cover */
            unnoticed++;
        }
        log.data[i] ^= (uint8_t)(1 << i % 8);
    }
    assert_true(unnoticed < log.len - last);
    cof_buf_done(&log);
    cof_ecdsa_free(key);
}

/* Lines left out, doubled or exchanged. */
static void moved_lines_are_noticed(void **state)
{
    struct cof_ecdsa_key *key = make_key(1), *other = make_key(2);
    struct cof_view lines[LINES], rest;
    struct cof_audit_check c;
    struct cof_buf log, forged;

    make_log(key, &log);
    rest = cof_buf_view(&log);
    for (int i = 0; i < LINES; i++)
        (void)cof_view_split(rest, '\n', &lines[i], &rest);
    cof_buf_init(&forged, 1 << 20);
    for (int at = 0; at < LINES; at++)
        for (int kind = 0; kind < 3; kind++) {
            if ((kind == 0 && (at == 0 || at == LINES - 1)) || (kind == 2 && at == LINES - 1))
                continue; /* a log may begin later, and its end is the server's to know */
            cof_buf_reset(&forged);
            for (int i = 0; i < LINES; i++) {
                int from = kind == 2 && i == at ? at + 1 : kind == 2 && i == at + 1 ? at : i;

                if (kind == 0 && i == at)
                    continue;
                for (int n = 0; n < (kind == 1 && i == at ? 2 : 1); n++) {
                    cof_buf_add(&forged, lines[from]);
                    cof_buf_add_u8(&forged, '\n');
                }
            }
            assert_int_equal(check(cof_buf_view(&forged), key, &c), COF_E_AUTH);
        }
    assert_int_equal(check(cof_buf_view(&log), other, &c), COF_E_AUTH);
    cof_buf_done(&forged);
    cof_buf_done(&log);
    cof_ecdsa_free(key);
    cof_ecdsa_free(other);
}

/* Rewriting everything from a line on makes a chain that holds, but not its signatures. */
static void a_rewritten_log_lacks_its_signatures(void **state)
{
    struct cof_ecdsa_key *key = make_key(1), *other = make_key(2);
    struct cof_audit_check c;
    struct cof_buf log;

    make_log(other, &log);
    assert_ok(check(cof_buf_view(&log), NULL, &c));
    assert_int_equal(check(cof_buf_view(&log), key, &c), COF_E_AUTH);
    assert_int_equal(c.chain.next, 4);
    cof_buf_done(&log);
    cof_ecdsa_free(key);
    cof_ecdsa_free(other);
}

static void a_torn_line_passes_only_when_it_is_told_of(void **state)
{
    static const char piece[] = "{\"sequence\":2,\"previousHa";
    struct cof_audit_chain chain;
    struct cof_audit_check c;
    struct cof_buf log, data, record;

    for (int kind = 0; kind < 4; kind++) { /* told; told of another piece; not told; at the end */
        cof_buf_init(&log, 65536);
        cof_buf_init(&data, 1024);
        cof_buf_init(&record, 4096);
        cof_audit_chain_init(&chain);
        cof_audit_own_record(&place, "StartLog", "id", (struct cof_view){0}, &record);
        assert_ok(cof_audit_append(&chain, cof_buf_view(&record), &log));
        cof_buf_add_str(&log, piece);
        cof_buf_add_u8(&log, '\n');
        cof_buf_reset(&record);
        cof_audit_torn_data(kind == 1 ? COF_LIT("{\"sequence\":2,\"previousHb") : cof_view_str(piece), &data);
        cof_audit_own_record(&place, kind == 2 ? "ContinueLog" : "TornRecord", "id", cof_buf_view(&data), &record);
        if (kind != 3)
            assert_ok(cof_audit_append(&chain, cof_buf_view(&record), &log));
        assert_int_equal(check(cof_buf_view(&log), NULL, &c), kind == 0 ? COF_OK : COF_E_AUTH);
        cof_buf_done(&log);
        cof_buf_done(&data);
        cof_buf_done(&record);
    }
}

/* Any other bytes behind the last newline are no crash's. */
static void an_unfinished_line_is_the_beginning_of_the_next(void **state)
{
    struct cof_audit_chain chain;
    struct cof_audit_check check;
    struct cof_buf log;
    struct cof_view first, second;

    cof_audit_chain_init(&chain);
    cof_buf_init(&log, 65536);
    assert_ok(cof_audit_append(&chain, COF_LIT("{\"eventTime\":\"2026-11-23T20:00:00Z\",\"eventSource\":\"s3.amazonaws.com\",\"eventName\":\"One\"}"), &log));
    assert_ok(cof_audit_append(&chain, COF_LIT("{\"eventTime\":\"2026-11-23T20:00:01Z\",\"eventSource\":\"s3.amazonaws.com\",\"eventName\":\"Two\"}"), &log));
    (void)cof_view_split(cof_buf_view(&log), '\n', &first, &second);
    second.len--; /* its newline */
    cof_audit_check_init(&check, NULL);
    for (size_t cut = 1; cut <= first.len; cut++)
        assert_ok(cof_audit_check_unfinished(&check, cof_view_sub(first, 0, cut), NULL));
    assert_int_equal(cof_audit_check_unfinished(&check, COF_LIT("junk"), NULL), COF_E_AUTH);
    assert_ok(cof_audit_check_line(&check, first, NULL));
    for (size_t cut = 1; cut <= second.len; cut++)
        assert_ok(cof_audit_check_unfinished(&check, cof_view_sub(second, 0, cut), NULL));
    assert_int_equal(cof_audit_check_unfinished(&check, first, NULL), COF_E_AUTH);
    assert_int_equal(cof_audit_check_unfinished(&check, COF_LIT("{\"sequence\":3"), NULL), COF_E_AUTH);
    assert_int_equal(cof_audit_check_unfinished(&check, COF_LIT("\0\0\0"), NULL), COF_E_AUTH);
    cof_buf_done(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_log_is_found_whole),
        cmocka_unit_test(a_line_tells_its_number),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(moved_lines_are_noticed),
        cmocka_unit_test(a_rewritten_log_lacks_its_signatures),
        cmocka_unit_test(a_torn_line_passes_only_when_it_is_told_of),
        cmocka_unit_test(an_unfinished_line_is_the_beginning_of_the_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
