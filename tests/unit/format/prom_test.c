/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "format/prom.h"

static void a_metric_and_its_samples(void **state)
{
    struct cof_buf out;

    cof_buf_init(&out, 4096);
    cof_prom_number(&out, "a_total", "counter", "Things.", UINT64_MAX);
    cof_prom_head(&out, "b", "gauge", "More.");
    cof_prom_sample(&out, "b", "why", "plain", 7);
    cof_prom_sample(&out, "b", "why", "a \"b\" \\ c\nd", 0);
    assert_ok(cof_buf_err(&out));
    assert_string_equal(cof_buf_cstr(&out), "# HELP a_total Things.\n# TYPE a_total counter\na_total 18446744073709551615\n"
                        "# HELP b More.\n# TYPE b gauge\nb{why=\"plain\"} 7\nb{why=\"a \\\"b\\\" \\\\ c\\nd\"} 0\n");
    cof_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_metric_and_its_samples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
