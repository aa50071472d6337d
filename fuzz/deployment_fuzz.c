/* SPDX-License-Identifier: Apache-2.0
 *
 * A deployment's manifest, and the description of an image. What is taken must be whole: no PCR of zeros, nothing empty, and
 * policies come out of it.
 */
#include "policy/generate.h"

#include <stdlib.h>
#include <string.h>

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_entry(const struct cof_deployment_entry *e, bool model)
{
    char again[COF_PCR_HEX + 1];

    for (size_t i = 0; i < (model ? 1 : 3); i++)
        must(cof_pcr_read(cof_view_str(e->pcr[i]), again) == NULL && strcmp(again, e->pcr[i]) == 0);
}

static void generate(const struct cof_deployment *d)
{
    static const char text[] = "{\"Statement\":[{\"a\":[\"${pcr0}\"],\"b\":\"${bucket} ${data_key_arn}\",\"c\":[\"${account}\"]}]}";
    struct cof_generate_values values;
    struct cof_buf out;

    cof_generate_values(d, &values);
    cof_buf_init(&out, 1 << 20);
    must(cof_generate_policy("x", cof_view_str(text), NULL, 0, values.values, values.n, &out, NULL) == COF_OK);
    cof_buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cof_deployment d;
    struct cof_deployment_entry image;
    struct cof_diag diag = {0};
    bool whole = true;

    if (cof_deployment_image(cof_view_of(data, size), &image, &diag) == COF_OK)
        check_entry(&image, false);
    if (cof_deployment_parse(cof_view_of(data, size), &d, &diag) != COF_OK) {
        must(diag.text[0] != '\0' && d.n_images == 0);
        return 0;
    }
    must(strlen(d.account) == 12 && d.n_images > 0 && d.region[0] != '\0' && d.bucket[0] != '\0');
    for (size_t i = 0; i < COF_ARN_COUNT; i++)
        must(strncmp(d.arns[i], "arn:aws:", 8) == 0);
    for (size_t i = 0; i < d.n_images; i++) {
        whole = whole && d.images[i].file[0] == '\0';
        if (d.images[i].file[0] == '\0')
            check_entry(&d.images[i], false);
    }
    for (size_t i = 0; i < d.n_models; i++) {
        whole = whole && d.models[i].file[0] == '\0';
        if (d.models[i].file[0] == '\0')
            check_entry(&d.models[i], true);
    }
    if (whole && cof_deployment_check(&d, &diag) == COF_OK)
        generate(&d);
    return 0;
}
