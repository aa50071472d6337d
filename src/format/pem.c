/* SPDX-License-Identifier: Apache-2.0 */
#include "format/pem.h"

#include "base/codec.h"

#include <string.h>

#define BEGIN "-----BEGIN CERTIFICATE-----"
#define END "-----END CERTIFICATE-----"
#define LINE 64 /* characters */

static bool find(struct cof_view text, struct cof_view what, size_t *at)
{
    for (size_t i = 0; what.len <= text.len && i <= text.len - what.len; i++)
        if (memcmp(text.data + i, what.data, what.len) == 0) {
            *at = i;
            return true;
        }
    return false;
}

enum cof_err cof_pem_certificate(struct cof_view text, struct cof_buf *der)
{
    struct cof_buf body;
    size_t from, to;
    enum cof_err err;

    if (!find(text, COF_LIT(BEGIN), &from))
        return COF_E_NOT_FOUND;
    text = cof_view_sub(text, from + sizeof BEGIN - 1, text.len);
    if (!find(text, COF_LIT(END), &to))
        return COF_E_FORMAT;
    cof_buf_init(&body, to);
    for (size_t i = 0; i < to; i++)
        if (text.data[i] != '\n' && text.data[i] != '\r' && text.data[i] != ' ' && text.data[i] != '\t')
            cof_buf_add_u8(&body, text.data[i]);
    err = cof_buf_err(&body);
    if (err == COF_OK)
        err = cof_base64_decode(cof_buf_view(&body), der);
    cof_buf_done(&body);
    return err;
}

void cof_pem_add_certificate(struct cof_buf *out, struct cof_view der)
{
    struct cof_buf text;

    cof_buf_init(&text, 2 * der.len + 8);
    cof_base64_add(&text, der);
    cof_buf_add_str(out, BEGIN "\n");
    for (size_t i = 0; i < text.len; i += LINE) {
        cof_buf_add(out, cof_view_sub(cof_buf_view(&text), i, LINE));
        cof_buf_add_u8(out, '\n');
    }
    cof_buf_add_str(out, END "\n");
    cof_buf_done(&text);
}
