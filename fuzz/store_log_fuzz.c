/* SPDX-License-Identifier: Apache-2.0
 * The log of coffer-local's store, as hostile hands or a failing disk may have left it: the input's first byte cuts it into the two files.
 * The checksum of the first record is put right, so that what is behind it is reached.
 */
#include "crypto/checksum.h"
#include "io/store_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum cof_err on_change(void *ctx, const char *space, struct cof_view key, struct cof_view value, bool removed)
{
    size_t *n = ctx;

    *n += strlen(space) + key.len + value.len + removed;
    return COF_OK;
}

static void mend(uint8_t *data, size_t len)
{
    struct cof_checksum sum = {0};
    uint8_t check[COF_CHECKSUM_MAX];
    uint64_t payload = 0;

    if (len < 48)
        return;
    for (int i = 32; i < 40; i++)
        payload = payload << 8 | data[i];
    if (payload > len - 48)
        return;
    if (cof_checksum_init(&sum, COF_CHECKSUM_XXHASH3) != COF_OK || cof_checksum_update(&sum, cof_view_of(data, 40)) != COF_OK ||
        cof_checksum_update(&sum, cof_view_of(data + 48, (size_t)payload)) != COF_OK || cof_checksum_final(&sum, check) != COF_OK)
        abort();
    memcpy(data + 40, check, 8);
    cof_checksum_done(&sum);
}

static char path[] = "/tmp/coffer-log-fuzz-XXXXXX";
static int dir = -1;

static void write_file(const char *name, const uint8_t *data, size_t len)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, data, len) != (ssize_t)len)
        abort();
    (void)close(fd);
}

static void tidy(void)
{
    (void)unlinkat(dir, "store.log-0", 0);
    (void)unlinkat(dir, "store.log-1", 0);
    (void)rmdir(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_store_log log;
    uint8_t *copy;
    uint64_t generation;
    size_t n = 0, first;

    if (dir < 0 && (mkdtemp(path) == NULL || (dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 || atexit(tidy) != 0))
        abort();
    if (size == 0)
        return 0;
    copy = malloc(size);
    if (copy == NULL)
        return 0;
    memcpy(copy, data + 1, size - 1);
    first = (size_t)data[0] * 256 < size - 1 ? (size_t)data[0] * 256 : size - 1;
    mend(copy, first);
    mend(copy + first, size - 1 - first);
    write_file("store.log-1", copy, first);
    write_file("store.log-0", copy + first, size - 1 - first);
    free(copy);
    cof_store_log_zero(&log);
    if (cof_store_log_open(&log, dir, 1, 0, on_change, &n, &generation, NULL) == COF_OK && generation > 2)
        abort();
    cof_store_log_close(&log);
    return 0;
}
