/* SPDX-License-Identifier: Apache-2.0
 *
 * OAuth 2.0 client credentials grant (RFC 6749 section 4.4): a bearer token from an issuer, kept until shortly before
 * it ends. The client authenticates by HTTP Basic (section 2.3.1). Only https, except to loopback.
 */
#ifndef COF_CLIENT_OAUTH_H
#define COF_CLIENT_OAUTH_H

#include "client/aws.h"

struct cof_oauth {
    struct cof_http_client *http;
    struct cof_aws_endpoint issuer;
    char path[512];
    char client_id[256];
    char scope[512];
    struct cof_buf client_secret; /* wiped */
    struct cof_buf token;         /* wiped */
    int64_t ends_ms;              /* monotonic (the loop's); 0: no token */
    char code[64];                /* the issuer's last error */
};

/* token_url: "https://host[:port]/path". scope may be empty. */
COF_MUST_USE enum cof_err cof_oauth_init(struct cof_oauth *oauth, struct cof_http_client *http, const char *token_url,
                                         const char *client_id, struct cof_view client_secret, const char *scope,
                                         struct cof_diag *diag);
void cof_oauth_done(struct cof_oauth *oauth);
/* A token that lives at least another minute; the view lives until the next call. Blocking. COF_E_DENIED: refused. */
COF_MUST_USE enum cof_err cof_oauth_run_token(struct cof_oauth *oauth, struct cof_view *token, struct cof_diag *diag);
/* Forgets the token: the service answered 401. */
void cof_oauth_forget(struct cof_oauth *oauth);

#endif
