/* SPDX-License-Identifier: Apache-2.0
 *
 * What parses is written again to the same bytes, whatever its CRC; its signature section is read without harm.
 */
#include "engine/image.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_image image;
    struct cof_buf out;
    uint8_t head[COF_EIF_HEAD], section[COF_EIF_SECTION_HEAD];

    if (cof_image_read((struct cof_view){data, size}, &image, NULL) != COF_OK)
        return 0;
    cof_buf_init(&out, size);
    cof_eif_head(&image.eif, image.eif.crc, head);
    head[5] = (uint8_t)image.eif.version;
    cof_buf_add_bytes(&out, head, sizeof head);
    for (size_t i = 0; i < image.eif.n_sections; i++) {
        cof_eif_section_head(&image.eif.sections[i], section);
        cof_buf_add_bytes(&out, section, sizeof section);
        cof_buf_add(&out, image.eif.sections[i].data);
    }
    if (cof_buf_err(&out) != COF_OK || out.len != size || memcmp(out.data, data, size) != 0)
        abort();
    cof_buf_done(&out);
    cof_image_done(&image);
    return 0;
}
