/* SPDX-License-Identifier: Apache-2.0 */
#include "io/resident.h"

#include "base/num.h"
#include "io/file.h"

#include <unistd.h>

/* The second number of /proc/self/statm, in pages. */
uint64_t cof_resident_bytes(void)
{
    struct cof_view size, rest, resident;
    struct cof_buf text;
    uint64_t pages = 0;
    long page = sysconf(_SC_PAGESIZE);

    cof_buf_init(&text, 4096);
    if (cof_file_read("/proc/self/statm", &text, NULL) == COF_OK) {
        (void)cof_view_split(cof_buf_view(&text), ' ', &size, &rest);
        (void)cof_view_split(rest, ' ', &resident, &rest);
        if (cof_parse_u64(resident, UINT32_MAX, &pages) != COF_OK)
            pages = 0;
    }
    cof_buf_done(&text);
    return page > 0 ? pages * (uint64_t)page : 0;
}
