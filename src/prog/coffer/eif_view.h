/* SPDX-License-Identifier: Apache-2.0
 *
 * What the verbs of `coffer eif` share: images from files, measurements as nitro-cli prints them.
 */
#ifndef COF_COFFER_EIF_VIEW_H
#define COF_COFFER_EIF_VIEW_H

#include "engine/image.h"

#define EIF_FILE_MAX ((size_t)8 << 30) /* bytes; images are read whole */

/* Appends the file. */
COF_MUST_USE enum cof_err eif_read_file(const char *path, struct cof_buf *out, struct cof_diag *diag);
/* Whether an image that could be read is sound: CRC, signature where there is one (or where one is needed), its certificate's time. */
COF_MUST_USE enum cof_err eif_judge(const struct cof_image *image, bool need_signature, struct cof_diag *diag);
/* {"HashAlgorithm":"Sha384 { ... }","PCR0":"...","PCR1":"...","PCR2":"..."}, PCR8 too where it is not zero. */
void eif_add_measurements(struct cof_buf *out, const struct cof_image_pcrs *pcrs);

#endif
