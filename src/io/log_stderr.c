/* SPDX-License-Identifier: Apache-2.0 */
#include "io/log_stderr.h"

#include "io/clock.h"

#include <errno.h>
#include <unistd.h>

/* A log that cannot be written is no reason to stop working: what does not go is dropped. */
static void line(void *ctx, enum cof_log_level level, struct cof_view text)
{
    (void)ctx;
    (void)level;
    while (text.len > 0) {
        ssize_t n = write(STDERR_FILENO, text.data, text.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        text = cof_view_sub(text, (size_t)n, SIZE_MAX);
    }
}

static int64_t now_ms(void *ctx)
{
    (void)ctx;
    return cof_clock_wall_ms();
}

void cof_log_stderr(struct cof_log *log, const char *component, enum cof_log_level least)
{
    *log = (struct cof_log){.line = line, .now_ms = now_ms, .least = least, .component = component};
}
