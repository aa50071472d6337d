/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON as we read it must be what jansson reads, and what it refuses must be refused; what is skimmed of an object is what it says.
 */
#include "format/json.h"
#include "format/json_skim.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is skimmed is what was read. */
static void skim_all(struct cof_view text, json_t *object)
{
    const char *name;
    json_t *value, *again = NULL;

    json_object_foreach(object, name, value) {
        struct cof_view v;

        if (!cof_json_skim(text, &name, &v, 1) || (v.len == 0 && memchr(text.data, '\\', text.len) == NULL))
            abort();
        if (v.len > 0 && (cof_json_parse(v, SIZE_MAX, &again, NULL) != COF_OK || json_equal(value, again) != 1))
            abort();
        json_decref(again);
        again = NULL;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *ours, *theirs = json_loadb(size == 0 ? "" : (const char *)data, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    enum cof_err err = cof_json_parse(cof_view_of(data, size), SIZE_MAX, &ours, NULL);
    struct cof_view id;
    const char *name = "id";

    (void)cof_json_skim(cof_view_of(data, size), &name, &id, 1);

    if (theirs != NULL && memchr(data, 0, size) != NULL) { /* which jansson overlooks behind a number or a word */
        json_decref(theirs);
        theirs = NULL;
    }
    if ((err == COF_OK) != (theirs != NULL) || (theirs != NULL && json_equal(ours, theirs) != 1))
        abort();
    if (json_is_object(ours))
        skim_all(cof_view_of(data, size), ours);
    json_decref(ours);
    json_decref(theirs);
    return 0;
}
