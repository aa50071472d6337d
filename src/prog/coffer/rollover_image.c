/* SPDX-License-Identifier: Apache-2.0
 *
 * The images that are rolled out: measured, judged, and held against a signed manifest.
 */
#include "eif_view.h"
#include "rollover.h"

#include "base/codec.h"
#include "format/json.h"
#include "io/clock.h"

#include <stdlib.h>
#include <string.h>

static void hex_image(const struct cof_image_pcrs *pcrs, struct cof_measurement *out)
{
    cof_hex_encode(pcrs->pcr0, COF_PCR_SIZE, out->pcr[0]);
    cof_hex_encode(pcrs->pcr1, COF_PCR_SIZE, out->pcr[1]);
    cof_hex_encode(pcrs->pcr2, COF_PCR_SIZE, out->pcr[2]);
}

static enum cof_err measure_eif(const struct rollover_config *config, struct cof_view bytes, struct cof_measurement *out, struct cof_diag *diag)
{
    struct cof_image image;
    enum cof_err err = cof_image_read(bytes, &image, diag);

    if (cof_err_class(err) == COF_CLASS_FORMAT || cof_err_class(err) == COF_CLASS_LIMIT)
        err = COF_E_AUTH;
    if (err == COF_OK)
        err = eif_judge(&image, config->need_signature, diag);
    if (err == COF_OK)
        hex_image(&image.pcrs, out);
    cof_image_done(&image);
    return err;
}

enum cof_err rollover_measure(const struct rollover_config *config, const char *path, struct cof_measurement *out, struct cof_diag *diag)
{
    struct cof_deployment_entry entry;
    struct cof_diag why = {0};
    struct cof_buf bytes = {0};
    enum cof_err err = eif_read_file(path, &bytes, diag);

    memset(out, 0, sizeof *out);
    if (err != COF_OK) {
        cof_buf_done(&bytes);
        return err;
    }
    if (cof_view_starts(cof_buf_view(&bytes), COF_LIT(".eif"))) {
        err = measure_eif(config, cof_buf_view(&bytes), out, &why);
    } else if (config->need_signature) {
        err = cof_diag_set(&why, COF_E_USAGE, "--signed wants the image itself (.eif), not a description of it");
    } else {
        err = cof_deployment_image(cof_buf_view(&bytes), &entry, &why);
        if (err == COF_OK)
            memcpy(out->pcr, entry.pcr, sizeof out->pcr);
    }
    for (int i = 0; i < 3 && err == COF_OK; i++) {
        char hex[COF_PCR_HEX + 1];
        const char *wrong = cof_pcr_read(cof_view_str(out->pcr[i]), hex);

        if (wrong != NULL)
            err = cof_diag_set(&why, COF_E_AUTH, "PCR%d: %s", i, wrong);
    }
    if (err != COF_OK)
        (void)cof_diag_set(diag, err, "%s: %s", path, why.text);
    cof_buf_done(&bytes);
    return err;
}

enum cof_err rollover_new_image(struct rollover_run *run, struct cof_measurement *out, struct cof_buf *image)
{
    const struct rollover_config *config = run->config;
    struct expected expected;
    struct cof_measurement said;
    enum cof_err err;

    if (config->image == NULL && config->expected.manifest == NULL)
        return cof_diag_set(run->diag, COF_E_USAGE, "the new image is needed: --image, or --expect with --trust");
    err = expected_open(&config->expected, &expected, run->diag);
    if (err == COF_OK && expected.has_manifest)
        err = cof_manifest_in_force(&expected.manifest, cof_clock_wall_ms(), "now", run->diag);
    if (err == COF_OK && expected.has_manifest) {
        for (int i = 0; i < 3; i++)
            cof_hex_encode(expected.manifest.pcrs[i], COF_ATTEST_PCR_SIZE, said.pcr[i]);
        *out = said;
        for (size_t i = 0; i < config->keys.n && err == COF_OK; i++)
            if (!cof_manifest_allows_key(&expected.manifest, cof_view_str(config->keys.items[i])))
                err = cof_diag_set(run->diag, COF_E_AUTH, "the manifest does not name the key %s", config->keys.items[i]);
        cof_buf_add_str(image, "{");
        cof_json_add_member(image, "name", cof_view_str(expected.manifest.image));
        cof_json_add_member(image, "version", cof_view_str(expected.manifest.version));
        cof_json_add_member_int(image, "serial", expected.manifest.serial);
        cof_buf_add_str(image, "}");
    }
    if (err == COF_OK && config->image != NULL)
        err = rollover_measure(config, config->image, out, run->diag);
    if (err == COF_OK && config->image != NULL && expected.has_manifest && !cof_measurement_eq(out, &said))
        err = cof_diag_set(run->diag, COF_E_AUTH, "%s is not the image that the manifest speaks of", config->image);
    if (err == COF_OK && image->len == 0)
        cof_buf_add_str(image, "{}");
    expected_done(&expected);
    return err;
}
