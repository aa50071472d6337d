/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "standin/metrics.h"

static bool has(void *ctx, const char *service, const char *operation)
{
    (void)ctx;
    return strcmp(service, "s3") == 0 && (strcmp(operation, "PutObject") == 0 || strncmp(operation, "Op", 2) == 0);
}

static struct cof_metrics *fresh(void)
{
    struct cof_metrics *m = calloc(1, sizeof *m);

    assert_non_null(m);
    m->has_operation = has;
    return m;
}

static char *text_of(const struct cof_metrics *m, const char *version)
{
    struct cof_buf out;
    char *text;

    cof_buf_init(&out, COF_METRICS_TEXT_MAX);
    cof_metrics_write(m, &(struct cof_metrics_now){.version = version, .started_ms = 1700000000042, .n_waiting = 3}, &out);
    assert_ok(cof_buf_err(&out));
    text = strdup(cof_buf_cstr(&out));
    cof_buf_done(&out);
    return text;
}

static void requests_are_counted_by_operation_and_class(void **state)
{
    struct cof_metrics *m = fresh();
    char *text;

    cof_metrics_request(m, "s3", "PutObject", 200, 250);
    cof_metrics_request(m, "s3", "PutObject", 204, 251);
    cof_metrics_request(m, "s3", "PutObject", 404, 30000000);
    text = text_of(m, "1");
    assert_non_null(strstr(text, "coffer_local_requests_total{service=\"s3\",operation=\"PutObject\",status=\"2xx\"} 2\n"));
    assert_non_null(strstr(text, "status=\"2xx\",le=\"0.00025\"} 1\n"));
    assert_non_null(strstr(text, "status=\"2xx\",le=\"0.0005\"} 2\n"));
    assert_non_null(strstr(text, "status=\"2xx\",le=\"20\"} 2\n"));
    assert_non_null(strstr(text, "seconds_sum{service=\"s3\",operation=\"PutObject\",status=\"2xx\"} 0.000501\n"));
    assert_non_null(strstr(text, "status=\"4xx\",le=\"20\"} 0\n"));
    assert_non_null(strstr(text, "status=\"4xx\",le=\"+Inf\"} 1\n"));
    assert_non_null(strstr(text, "seconds_sum{service=\"s3\",operation=\"PutObject\",status=\"4xx\"} 30.000000\n"));
    assert_non_null(strstr(text, "coffer_local_long_polls_waiting 3\n"));
    assert_non_null(strstr(text, "process_start_time_seconds 1700000000.042\n"));
    assert_null(strstr(text, "process_resident_memory_bytes"));
    free(text);
    free(m);
}

static void what_clients_make_up_makes_no_series(void **state)
{
    struct cof_metrics *m = fresh();
    char name[80], *text;

    for (int i = 0; i < 5000; i++) {
        (void)snprintf(name, sizeof name, "Made\"Up%d", i);
        cof_metrics_request(m, "s3", name, 400, 1);
        cof_metrics_request(m, "", name, 403, 1);
    }
    assert_int_equal(m->n_rows, 2);
    text = text_of(m, "1");
    assert_non_null(strstr(text, "{service=\"s3\",operation=\"other\",status=\"4xx\"} 5000\n"));
    assert_non_null(strstr(text, "{service=\"none\",operation=\"other\",status=\"4xx\"} 5000\n"));
    assert_null(strstr(text, "Made"));
    free(text);
    memset(name, 'x', sizeof name - 1);
    memcpy(name, "Op", 2);
    name[sizeof name - 1] = '\0';
    cof_metrics_request(m, "s3", name, 400, 1); /* too long a name even for a service that has it */
    assert_int_equal(m->n_rows, 2);
    free(m);
}

static void a_full_table_still_counts_all(void **state)
{
    struct cof_metrics *m = fresh();
    uint64_t n = 0;
    char name[16];

    for (int i = 0; i < 2000; i++) {
        (void)snprintf(name, sizeof name, "Op%d", i);
        cof_metrics_request(m, "s3", name, 200, 1);
        cof_metrics_request(m, "s3", name, 500, 1);
    }
    assert_true(m->n_rows <= COF_METRICS_ROWS);
    for (size_t i = 0; i < m->n_rows; i++)
        n += m->rows[i].seconds.n;
    assert_int_equal(n, 4000);
    free(m);
}

static void label_values_are_escaped(void **state)
{
    struct cof_metrics *m = fresh();
    char *text = text_of(m, "a\"b\\c\nd");

    assert_non_null(strstr(text, "coffer_local_build_info{version=\"a\\\"b\\\\c\\nd\"} 1\n"));
    free(text);
    free(m);
}

static void commits_are_counted_by_how_they_ended(void **state)
{
    struct cof_metrics *m = fresh();
    char *text;

    cof_metrics_commit(m, true, 2000);
    cof_metrics_commit(m, false, 9000000);
    text = text_of(m, "1");
    assert_non_null(strstr(text, "coffer_local_commits_total{result=\"kept\"} 1\n"));
    assert_non_null(strstr(text, "coffer_local_commits_total{result=\"failed\"} 1\n"));
    assert_non_null(strstr(text, "coffer_local_commit_duration_seconds_bucket{le=\"0.0025\"} 1\n"));
    assert_non_null(strstr(text, "coffer_local_commit_duration_seconds_sum 0.002000\n"));
    free(text);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_counted_by_operation_and_class),
        cmocka_unit_test(what_clients_make_up_makes_no_series),
        cmocka_unit_test(a_full_table_still_counts_all),
        cmocka_unit_test(label_values_are_escaped),
        cmocka_unit_test(commits_are_counted_by_how_they_ended),
    };

    return cmocka_run_group_tests_name("standin/metrics", tests, NULL, NULL);
}
