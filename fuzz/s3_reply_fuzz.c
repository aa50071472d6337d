/* SPDX-License-Identifier: Apache-2.0
 *
 * Replies of a hostile S3 to multipart calls and copies: what comes out is within its bounds and ends.
 */
#include "engine/s3_copy.h"

#include <stdlib.h>
#include <string.h>

static void part(void *ctx, unsigned number, const struct cof_s3_part *part)
{
    (void)ctx;
    if (number == 0 || number > COF_S3_PARTS_MAX || memchr(part->etag, 0, sizeof part->etag) == NULL || part->length > INT64_MAX)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_view body = {data, size};
    char id[COF_S3_UPLOAD_ID_MAX], etag[128], sum[COF_S3_SUM_MAX];
    struct cof_diag diag;
    struct cof_buf tags;
    unsigned next;

    if (cof_s3_read_created(body, id, &diag) == COF_OK && (id[0] == '\0' || memchr(id, 0, sizeof id) == NULL))
        abort();
    if (cof_s3_read_parts(body, COF_CHECKSUM_CRC64NVME, part, NULL, &next, &diag) == COF_OK && next > COF_S3_PARTS_MAX)
        abort();
    if (cof_s3_read_completed(body, COF_CHECKSUM_SHA256, etag, sum, &diag) == COF_OK && size == 0)
        abort();
    if (memchr(etag, 0, sizeof etag) == NULL || memchr(sum, 0, sizeof sum) == NULL)
        abort();
    cof_buf_init(&tags, 8192);
    if (cof_s3_read_tags(body, &tags, &diag) == COF_OK && memchr(tags.data, '&', tags.len) != NULL && memchr(tags.data, '=', tags.len) == NULL)
        abort();
    cof_buf_done(&tags);
    return 0;
}
