/* SPDX-License-Identifier: Apache-2.0
 *
 * An enclave image as a whole: its layout (format/eif.h), CRC, measurements (engine/measure.h) and signature. The
 * signature section is CBOR: [{"signing_certificate": [PEM bytes], "signature": [COSE_Sign1 bytes]}], the signed payload
 * {"register_index": 0, "register_value": [PCR0 bytes]}, byte strings as arrays of numbers, as AWS's tools write them.
 * Of several signatures the hypervisor looks at the first; here there must be just one.
 */
#ifndef COF_ENGINE_IMAGE_H
#define COF_ENGINE_IMAGE_H

#include "crypto/ecdsa.h"
#include "crypto/x509.h"
#include "engine/measure.h"
#include "format/eif.h"

enum cof_image_signature {
    COF_IMAGE_UNSIGNED,
    COF_IMAGE_SIGNED,        /* by the key of the certificate inside, over this image's PCR0 */
    COF_IMAGE_SIGNATURE_BAD, /* it does not hold, or cannot be read */
};

struct cof_image {
    struct cof_eif eif;
    bool crc_right;
    struct cof_image_pcrs pcrs; /* pcr8 is zero unless there is a certificate */
    enum cof_image_signature signature;
    struct cof_buf certificate; /* the signer's, DER; owned */
    struct cof_x509_facts signer; /* key NULL unless the certificate could be read */
};

/* Reads and measures a file; eif's views live as long as it. Whether CRC and signature are right is told, not judged:
 * the errors are those of cof_eif_parse. */
COF_MUST_USE enum cof_err cof_image_read(struct cof_view file, struct cof_image *out, struct cof_diag *diag);
void cof_image_done(struct cof_image *image);

/* The measurements of sections in memory; certificate (DER) may be empty. COF_E_USAGE when kernel, command line or ramdisk
 * is missing. */
COF_MUST_USE enum cof_err cof_image_measure(const struct cof_eif *eif, struct cof_view certificate,
                                            struct cof_image_pcrs *out);
/* The CRC-32 of the file that these sections make. */
COF_MUST_USE enum cof_err cof_image_crc(const struct cof_eif *eif, uint32_t *out);

/* Adds a signature section's content. certificate_pem must hold the key's certificate: COF_E_CONFIG otherwise. */
COF_MUST_USE enum cof_err cof_image_sign(const uint8_t pcr0[static COF_PCR_SIZE], const struct cof_ecdsa_key *key,
                                         struct cof_view certificate_pem, struct cof_buf *out, struct cof_diag *diag);

#endif
