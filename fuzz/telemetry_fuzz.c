/* SPDX-License-Identifier: Apache-2.0
 *
 * Whatever is read writes back to the same bytes, and its line is one line of printable ASCII.
 */
#include "format/telemetry.h"

#include <stdlib.h>
#include <string.h>

static void on_line(void *ctx, enum cof_log_level level, struct cof_view line)
{
    (void)ctx;
    (void)level;
    for (size_t i = 0; i < line.len; i++)
        if (i + 1 == line.len ? line.data[i] != '\n' : line.data[i] < 0x20 || line.data[i] > 0x7e)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct cof_log log = {.line = on_line};
    uint8_t record[COF_TELEMETRY_RECORD], again[COF_TELEMETRY_RECORD];
    struct cof_telemetry t;

    for (; size >= sizeof record; data += sizeof record, size -= sizeof record) {
        memcpy(record, data, sizeof record);
        if (cof_telemetry_read(record, &t) != COF_OK)
            continue;
        cof_telemetry_write(&t, again);
        if (memcmp(record, again, sizeof record) != 0)
            abort();
        cof_telemetry_log(&log, "enclave", &t);
    }
    return 0;
}
