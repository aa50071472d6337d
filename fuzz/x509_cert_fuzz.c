/* SPDX-License-Identifier: Apache-2.0
 *
 * What our reader takes for a certificate, OpenSSL takes for the same one: what is signed, times, extensions.
 */
#include "format/x509_cert.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const unsigned char *p = data;
    struct cof_x509_cert c;
    const char *wrong;
    unsigned char *tbs = NULL;
    X509 *x;

    if (cof_x509_cert_parse((struct cof_view){data, size}, &c, &wrong) != COF_OK) {
        if (wrong == NULL || c.tbs.len != 0)
            abort();
        return 0;
    }
    if (c.tbs.len == 0 || c.point.len == 0 || c.signature.len == 0 || c.path_len < COF_X509_NO_PATH_LEN)
        abort();
    x = d2i_X509(NULL, &p, (long)size);
    if (x != NULL) { /* it may still dislike what a name holds, or a point off its curve: nobody asks here */
        int len = i2d_re_X509_tbs(x, &tbs);
        BASIC_CONSTRAINTS *bc = X509_get_ext_d2i(x, NID_basic_constraints, NULL, NULL);

        if (p != data + size || len < 0 || !cof_view_eq(c.tbs, cof_view_of(tbs, (size_t)len)) || (bc != NULL && bc->ca != 0) != c.is_authority)
            abort();
        BASIC_CONSTRAINTS_free(bc);
        OPENSSL_free(tbs);
    }
    X509_free(x);
    return 0;
}
