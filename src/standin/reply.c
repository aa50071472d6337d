/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/reply.h"

#include <stdio.h>
#include <string.h>

void cof_reply_init(struct cof_standin_reply *reply)
{
    memset(reply, 0, offsetof(struct cof_standin_reply, headers));
    cof_headers_init(&reply->headers);
    cof_buf_init_secret(&reply->body, COF_STANDIN_REPLY_MAX);
}

static void end_stream(struct cof_standin_reply *reply)
{
    if (reply->stream.done != NULL)
        reply->stream.done(reply->stream.ctx);
    reply->stream = (struct cof_standin_stream){0};
}

void cof_reply_done(struct cof_standin_reply *reply)
{
    if (reply == NULL)
        return;
    end_stream(reply);
    cof_headers_done(&reply->headers);
    cof_buf_done(&reply->body);
}

void cof_reply_reset(struct cof_standin_reply *reply)
{
    cof_reply_done(reply);
    cof_reply_init(reply);
}

void cof_reply_set(struct cof_standin_reply *reply, int status, const char *type, struct cof_view body)
{
    reply->status = status;
    if (type != NULL)
        cof_headers_set(&reply->headers, "Content-Type", type);
    cof_buf_reset(&reply->body);
    cof_buf_add(&reply->body, body);
}

static void set_code(struct cof_standin_reply *reply, int status, const char *code, struct cof_view message)
{
    char text[sizeof reply->error_message];

    cof_view_copy(message, text, sizeof text);
    cof_reply_reset(reply); /* which may be where message comes from */
    reply->status = status;
    cof_view_copy(cof_view_str(code), reply->error_code, sizeof reply->error_code);
    memcpy(reply->error_message, text, sizeof text);
}

enum cof_err cof_reply_json_error(struct cof_standin_reply *reply, const char *type, int status, const char *code,
                                  const char *query_code, struct cof_view message)
{
    char query[160];

    set_code(reply, status, code, message);
    cof_headers_set(&reply->headers, "Content-Type", type == NULL ? "application/x-amz-json-1.1" : type);
    cof_headers_set(&reply->headers, "x-amzn-ErrorType", code);
    if (query_code != NULL) {
        (void)snprintf(query, sizeof query, "%s;%s", query_code, status < 500 ? "Sender" : "Receiver");
        cof_headers_set(&reply->headers, "x-amzn-query-error", query);
    }
    cof_buf_add_str(&reply->body, "{\"__type\":\"");
    cof_json_escape(&reply->body, cof_view_str(code));
    if (message.len > 0) { /* spec: nothing to say is no member */
        cof_buf_add_str(&reply->body, "\",\"message\":\"");
        cof_json_escape(&reply->body, message);
    }
    cof_buf_add_str(&reply->body, "\"}");
    return COF_OK;
}

enum cof_err cof_reply_s3_error(struct cof_standin_reply *reply, const struct cof_standin_request *req, int status,
                                const char *code, const char *message, const char *extra)
{
    struct cof_buf *b = &reply->body;

    set_code(reply, status, code, cof_view_str(message));
    cof_headers_set(&reply->headers, "Content-Type", "application/xml");
    cof_buf_add_str(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
    cof_xml_element(b, "Code", cof_view_str(code));
    cof_xml_element(b, "Message", cof_view_str(message));
    if (extra != NULL)
        cof_buf_add_str(b, extra);
    cof_xml_element(b, "Resource", req->head->path);
    cof_xml_element(b, "RequestId", cof_view_str(req->id));
    cof_xml_element(b, "HostId", COF_LIT("coffer-local"));
    cof_buf_add_str(b, "</Error>");
    return COF_OK;
}

enum cof_err cof_reply_query_error(struct cof_standin_reply *reply, const struct cof_standin_request *req,
                                   const char *xmlns, int status, const char *code, struct cof_view message)
{
    struct cof_buf *b = &reply->body;

    set_code(reply, status, code, message);
    cof_headers_set(&reply->headers, "Content-Type", "text/xml");
    cof_buf_add_str(b, "<ErrorResponse xmlns=\"");
    cof_buf_add_str(b, xmlns);
    cof_buf_add_str(b, "\"><Error>");
    cof_xml_element(b, "Type", status < 500 ? COF_LIT("Sender") : COF_LIT("Receiver"));
    cof_xml_element(b, "Code", cof_view_str(code));
    cof_xml_element(b, "Message", message);
    cof_buf_add_str(b, "</Error>");
    cof_xml_element(b, "RequestId", cof_view_str(req->id));
    cof_buf_add_str(b, "</ErrorResponse>");
    return COF_OK;
}

/* Bytes of the UTF-8 sequence at the front, or 0 when there is none. */
static size_t utf8_len(struct cof_view v)
{
    size_t len = v.data[0] < 0x80 ? 1 : v.data[0] >= 0xf0 ? 4 : v.data[0] >= 0xe0 ? 3 : 2;

    return v.len >= len && cof_view_is_utf8(cof_view_sub(v, 0, len)) ? len : 0;
}

/* How many bytes at the front stand for themselves. */
static size_t plain_len(struct cof_view v)
{
    size_t n = 0;

    while (n < v.len && v.data[n] >= 0x20 && v.data[n] < 0x7f && v.data[n] != '&' && v.data[n] != '<' && v.data[n] != '>' && v.data[n] != '"')
        n++;
    return n;
}

void cof_xml_escape(struct cof_buf *out, struct cof_view text)
{
    while (text.len > 0) {
        uint8_t c = text.data[0];
        size_t len = plain_len(text);
        bool bad;

        if (len > 0) {
            cof_buf_add(out, cof_view_sub(text, 0, len));
            text = cof_view_sub(text, len, SIZE_MAX);
            continue;
        }
        len = utf8_len(text);
        bad = len == 0 || (c < 0x20 && c != '\t' && c != '\n' && c != '\r') ||
            (len == 3 && c == 0xef && text.data[1] == 0xbf && text.data[2] >= 0xbe); /* U+FFFE, U+FFFF */

        if (bad)
            cof_buf_add_str(out, "\xef\xbf\xbd");
        else if (c == '&')
            cof_buf_add_str(out, "&amp;");
        else if (c == '<')
            cof_buf_add_str(out, "&lt;");
        else if (c == '>')
            cof_buf_add_str(out, "&gt;");
        else if (c == '"')
            cof_buf_add_str(out, "&quot;");
        else if (c == '\r')
            cof_buf_add_str(out, "&#13;");
        else
            cof_buf_add(out, cof_view_sub(text, 0, len));
        text = cof_view_sub(text, len == 0 ? 1 : len, SIZE_MAX);
    }
}

void cof_xml_element(struct cof_buf *out, const char *name, struct cof_view text)
{
    cof_buf_add_str(out, "<");
    cof_buf_add_str(out, name);
    cof_buf_add_str(out, ">");
    cof_xml_escape(out, text);
    cof_buf_add_str(out, "</");
    cof_buf_add_str(out, name);
    cof_buf_add_str(out, ">");
}
