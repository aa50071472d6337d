/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON as we read it must be what jansson reads, and what it refuses must be refused.
 */
#include "format/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *ours, *theirs = json_loadb(size == 0 ? "" : (const char *)data, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    enum cof_err err = cof_json_parse(cof_view_of(data, size), SIZE_MAX, &ours, NULL);

    if ((err == COF_OK) != (theirs != NULL) || (theirs != NULL && json_equal(ours, theirs) != 1))
        abort();
    json_decref(ours);
    json_decref(theirs);
    return 0;
}
