/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/iam_api.h"

#include "format/uri.h"
#include "standin/reply.h"

#define XMLNS "https://iam.amazonaws.com/doc/2010-05-08/"
#define ACTION_MAX 128

static enum cof_err handle(struct cof_standin *s, struct cof_standin_request *req, struct cof_standin_reply *reply)
{
    struct cof_buf action, text;
    enum cof_err err;

    (void)s;
    cof_buf_init(&action, ACTION_MAX);
    cof_buf_init(&text, 512);
    err = cof_form_get(cof_view_sub(req->body, 0, 4096), "Action", &action);
    cof_buf_printf(&text, "%s is not implemented: users, roles and policies are those of the manifest of coffer-local init.",
        err == COF_OK ? cof_buf_cstr(&action) : "This action");
    err = cof_reply_query_error(reply, req, XMLNS, 501, "NotImplemented", cof_buf_view(&text));
    cof_buf_done(&action);
    cof_buf_done(&text);
    return err;
}

const struct cof_service cof_service_iam = {
    .name = "iam",
    .handle = handle,
};
