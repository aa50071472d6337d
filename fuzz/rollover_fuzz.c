/* SPDX-License-Identifier: Apache-2.0
 *
 * A key policy while an image is rolled out. Where its lists can be read: adding an image lists it, adding twice changes nothing,
 * and taking it out again leaves what was there.
 */
#include "policy/rollover.h"

#include <stdlib.h>
#include <string.h>

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool same_lists(const struct cof_rollover_lists *a, const struct cof_rollover_lists *b)
{
    return memcmp(a->items, b->items, sizeof a->items) == 0 && memcmp(a->n, b->n, sizeof a->n) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cof_rollover_lists before, between, after;
    struct cof_measurement image, old;
    struct cof_buf added, again, removed, form, form_again;

    cof_buf_init(&form, 1 << 20);
    cof_buf_init(&form_again, 1 << 20);
    if (cof_rollover_canonical(cof_view_of(data, size), &form, NULL) == COF_OK && form.len <= 32768 &&
        cof_rollover_canonical(cof_buf_view(&form), &form_again, NULL) == COF_OK) /* what is one text may need to be a list */
        must(cof_view_eq(cof_buf_view(&form), cof_buf_view(&form_again)));
    cof_buf_done(&form);
    cof_buf_done(&form_again);
    if (cof_rollover_read(cof_view_of(data, size), &before, NULL) != COF_OK)
        return 0;
    for (int i = 0; i < 3; i++) {
        memset(image.pcr[i], "789"[i], COF_PCR_HEX);
        image.pcr[i][COF_PCR_HEX] = '\0';
        memcpy(old.pcr[i], before.items[i][0], sizeof old.pcr[i]);
    }
    cof_buf_init(&added, 1 << 20);
    cof_buf_init(&again, 1 << 20);
    cof_buf_init(&removed, 1 << 20);
    if (!cof_rollover_has(&before, &image) && before.n[0] < COF_ROLLOVER_VALUES_MAX && before.n[1] < COF_ROLLOVER_VALUES_MAX &&
        before.n[2] < COF_ROLLOVER_VALUES_MAX && cof_rollover_add(cof_view_of(data, size), &image, &added, NULL) == COF_OK) {
        must(cof_rollover_read(cof_buf_view(&added), &between, NULL) == COF_OK && cof_rollover_has(&between, &image) &&
             cof_rollover_has(&between, &old));
        must(cof_rollover_add(cof_buf_view(&added), &image, &again, NULL) == COF_OK &&
             cof_view_eq(cof_buf_view(&added), cof_buf_view(&again)));
        if (before.n[0] == 1 && before.n[1] == 1 && before.n[2] == 1) {
            must(cof_rollover_remove(cof_buf_view(&added), &image, &old, &removed, NULL) == COF_OK);
            must(cof_rollover_read(cof_buf_view(&removed), &after, NULL) == COF_OK && same_lists(&before, &after));
        }
    }
    cof_buf_done(&added);
    cof_buf_done(&again);
    cof_buf_done(&removed);
    return 0;
}
