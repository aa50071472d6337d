/* SPDX-License-Identifier: Apache-2.0 */
#include "producer.h"

#include "format/json.h"

void reply_json(struct cof_xchg *x, int status, struct cof_view json)
{
    struct cof_headers headers;

    cof_headers_init(&headers);
    cof_headers_add_str(&headers, "Content-Type", "application/json");
    cof_headers_add_str(&headers, "Cache-Control", "no-store");
    if (status == 429 || status == 503)
        cof_headers_add_str(&headers, "Retry-After", "5");
    cof_xchg_reply(x, status, &headers, json);
    cof_headers_done(&headers);
}

void reply_error(struct cof_xchg *x, int status, const char *code, const char *text)
{
    struct cof_buf json;

    cof_buf_init(&json, 4096);
    cof_buf_add_str(&json, "{");
    cof_json_add_member(&json, "error", cof_view_str(code));
    cof_json_add_member(&json, "message", cof_view_str(text));
    cof_buf_add_str(&json, "}\n");
    reply_json(x, status, cof_buf_view(&json));
    cof_buf_done(&json);
}
