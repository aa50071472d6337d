/* SPDX-License-Identifier: Apache-2.0
 *
 * The outputs in fuzz/corpus/nitro_cli have the form of those in the Nitro Enclaves user guide.
 */
#include "testing.h"

#include "format/nitro_cli.h"

static const char ID[] = "i-abc12345def67890a-enc9876abcd543210ef12";

static void corpus(const char *name, struct cof_buf *out)
{
    char path[4096], block[4096];
    FILE *f;
    size_t n;

    (void)snprintf(path, sizeof path, SOURCE_ROOT "/fuzz/corpus/nitro_cli/%s", name);
    f = fopen(path, "rb");
    assert_non_null(f);
    cof_buf_init(out, 65536);
    while ((n = fread(block, 1, sizeof block, f)) > 0)
        cof_buf_add_bytes(out, block, n);
    (void)fclose(f);
}

static void what_the_guide_shows_is_read(void **state)
{
    struct cof_buf text;
    struct cof_nitro_enclave e;
    bool found, terminated;

    corpus("run", &text);
    assert_ok(cof_nitro_parse_run(cof_buf_view(&text), &e, NULL));
    assert_string_equal(e.id, ID);
    assert_int_equal(e.cid, 10);
    cof_buf_done(&text);

    corpus("describe", &text);
    assert_ok(cof_nitro_parse_describe(cof_buf_view(&text), ID, &found, &e, NULL));
    assert_true(found && e.is_running && !e.is_debug && e.has_pcrs);
    assert_int_equal(e.pcrs[0][0], 0x28);
    assert_int_equal(e.pcrs[2][47], 0x6f);
    assert_ok(cof_nitro_parse_describe(cof_buf_view(&text), "i-another", &found, &e, NULL));
    assert_false(found);
    cof_buf_done(&text);

    corpus("terminate", &text);
    assert_ok(cof_nitro_parse_terminate(cof_buf_view(&text), ID, &terminated, NULL));
    assert_true(terminated);
    assert_int_equal(cof_nitro_parse_terminate(cof_buf_view(&text), "i-another", &terminated, NULL), COF_E_FORMAT);
    assert_false(terminated);
    cof_buf_done(&text);

    assert_ok(cof_nitro_parse_describe(COF_LIT("[]"), ID, &found, &e, NULL));
    assert_false(found);
}

static void states_and_flags(void **state)
{
    static const struct { const char *text; bool runs, debug; } cases[] = {
        {"[{\"EnclaveID\":\"i-1-enc1\",\"EnclaveCID\":16,\"State\":\"RUNNING\",\"Flags\":\"DEBUG_MODE\"}]", true, true},
        {"[{\"EnclaveID\":\"i-0-enc0\"},{\"EnclaveID\":\"i-1-enc1\",\"EnclaveCID\":16,\"State\":\"TERMINATING\",\"Flags\":\"NONE\"}]", false, false},
        {"[{\"EnclaveID\":\"i-1-enc1\",\"EnclaveCID\":16,\"State\":\"RUNNING\",\"Flags\":\"NEW_FLAG\",\"Measurements\":null}]", true, true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cof_nitro_enclave e;
        bool found;

        assert_ok(cof_nitro_parse_describe(cof_view_str(cases[i].text), "i-1-enc1", &found, &e, NULL));
        assert_true(found && e.is_running == cases[i].runs && e.is_debug == cases[i].debug && !e.has_pcrs);
    }
}

static void what_cannot_be_is_refused(void **state)
{
    static const char *const runs[] = {"", "{}", "[]", "Start allocating memory...\n", "{\"EnclaveID\":\"i-1-enc1\"}", "{\"EnclaveID\":\"i-1-enc1\",\"EnclaveCID\":3}",
        "{\"EnclaveID\":\"i-1-enc1\",\"EnclaveCID\":4294967295}", "{\"EnclaveID\":\"i-1-enc1\",\"EnclaveCID\":\"16\"}", "{\"EnclaveID\":\"--help\",\"EnclaveCID\":16}",
        "{\"EnclaveID\":\"i-1 enc1\",\"EnclaveCID\":16}", "{\"EnclaveID\":\"i-1;reboot\",\"EnclaveCID\":16}", "{\"EnclaveID\":7,\"EnclaveCID\":16}",
        "{\"EnclaveID\":\"i-1-enc1\",\"EnclaveCID\":16} trailing", "{\"EnclaveID\":\"i-1-enc1\",\"EnclaveID\":\"i-2-enc2\",\"EnclaveCID\":16}"};
    static const char *const lists[] = {"", "{}", "null", "[{}]", "[7]", "[{\"EnclaveID\":\"i-1-enc1\"}]", "[{\"EnclaveID\":\"i-1-enc1\",\"EnclaveCID\":16}]",
        "[{\"EnclaveID\":\"i-1-enc1\",\"EnclaveCID\":16,\"State\":\"RUNNING\"}]",
        "[{\"EnclaveID\":\"i-1-enc1\",\"EnclaveCID\":16,\"State\":\"RUNNING\",\"Flags\":\"NONE\",\"Measurements\":{}}]",
        "[{\"EnclaveID\":\"i-1-enc1\",\"EnclaveCID\":16,\"State\":\"RUNNING\",\"Flags\":\"NONE\",\"Measurements\":\"PCR0\"}]",
        "[{\"EnclaveID\":\"i-1-enc1\",\"EnclaveCID\":16,\"State\":\"RUNNING\",\"Flags\":\"NONE\",\"Measurements\":{\"PCR0\":\"00\",\"PCR1\":\"00\",\"PCR2\":\"00\"}}]"};
    struct cof_nitro_enclave e;
    bool found;

    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        assert_true(cof_nitro_parse_run(cof_view_str(runs[i]), &e, NULL) != COF_OK);
        assert_true(e.id[0] == '\0' && e.cid == 0);
    }
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        assert_true(cof_nitro_parse_describe(cof_view_str(lists[i]), "i-1-enc1", &found, &e, NULL) != COF_OK);
        assert_true(!found && !e.has_pcrs && e.cid == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_guide_shows_is_read),
        cmocka_unit_test(states_and_flags),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
