/* SPDX-License-Identifier: Apache-2.0
 *
 * What the Nitro hypervisor measures (FACTS D7): PCR values of an image, of a role, of an instance. All SHA-384.
 */
#ifndef COF_ENGINE_MEASURE_H
#define COF_ENGINE_MEASURE_H

#include "base/view.h"

#define COF_PCR_SIZE 48

/* The measured sections of an image, in file order. */
struct cof_image_parts {
    struct cof_view kernel, cmdline;
    const struct cof_view *ramdisks;
    size_t n_ramdisks; /* at least 1 */
    struct cof_view signing_cert; /* DER; empty when the image is not signed */
};

struct cof_image_pcrs {
    uint8_t pcr0[COF_PCR_SIZE]; /* the whole image */
    uint8_t pcr1[COF_PCR_SIZE]; /* kernel, command line, first ramdisk */
    uint8_t pcr2[COF_PCR_SIZE]; /* the other ramdisks */
    uint8_t pcr8[COF_PCR_SIZE]; /* the signing certificate; zero when not signed */
};

COF_MUST_USE enum cof_err cof_measure_image(const struct cof_image_parts *parts, struct cof_image_pcrs *out);
/* new = SHA384(old || data): what ExtendPCR does. PCR3 is this over 48 zeros and the role's ARN, PCR4 the same with the
 * parent instance's id. old and out may be the same. */
COF_MUST_USE enum cof_err cof_measure_extend(const uint8_t old[static COF_PCR_SIZE], struct cof_view data,
                                             uint8_t out[static COF_PCR_SIZE]);

#endif
