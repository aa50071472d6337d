/* SPDX-License-Identifier: Apache-2.0
 * A sync by the thread is told of once, how it ended too, and there is one at a time.
 */
#include "io/sync_aside.h"
#include "testing.h"

#include <stdlib.h>
#include <unistd.h>

static void one_at_a_time_and_told_once(void **state)
{
    char path[] = "/tmp/coffer-sync-XXXXXX";
    int fd = mkstemp(path), ends[2];
    struct cof_sync_aside *aside;
    enum cof_err ended = COF_E_BUG;

    (void)state;
    assert_true(fd >= 0);
    assert_ok(cof_sync_aside_new(&aside));
    assert_false(cof_sync_aside_look(aside, &ended));
    assert_false(cof_sync_aside_wait(aside, &ended)); /* nothing was asked */
    for (int i = 0; i < 50; i++) {
        assert_int_equal(write(fd, "x", 1), 1);
        assert_ok(cof_sync_aside_start(aside, fd));
        assert_int_equal(cof_sync_aside_start(aside, fd), COF_E_STATE);
        if (i % 2 == 0)
            assert_true(cof_sync_aside_wait(aside, &ended));
        else
            while (!cof_sync_aside_look(aside, &ended))
                ;
        assert_ok(ended);
        assert_false(cof_sync_aside_look(aside, &ended));
    }
    assert_int_equal(pipe(ends), 0);
    assert_ok(cof_sync_aside_start(aside, ends[1])); /* a pipe cannot be synced */
    assert_true(cof_sync_aside_wait(aside, &ended));
    assert_int_not_equal(ended, COF_OK);
    assert_ok(cof_sync_aside_start(aside, fd));
    cof_sync_aside_free(aside); /* waits for it */
    cof_sync_aside_free(NULL);
    (void)close(fd);
    (void)close(ends[0]);
    (void)close(ends[1]);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_at_a_time_and_told_once)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
