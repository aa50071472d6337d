/* SPDX-License-Identifier: Apache-2.0
 *
 * The condition keys that S3 sets (Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3").
 * For s3_access.c alone.
 */
#ifndef COF_STANDIN_S3_CONTEXT_H
#define COF_STANDIN_S3_CONTEXT_H

#include "standin/s3_api.h"

#define COF_S3_CONTEXT_TAGS 32 /* keys of s3:RequestObjectTagKeys */

struct cof_s3_context {
    struct cof_standin_context keys; /* "over" when the request says more than a decision may look at */
    struct cof_buf texts;            /* what the views of keys point into; never moves */
    struct cof_view tag_keys[COF_S3_CONTEXT_TAGS];
    size_t n_tag_keys;
    struct cof_view source[2];       /* s3:x-amz-copy-source, in its two spellings */
};

/* tags: the existing object's, or NULL. probe: a listing is asked about that the request does not ask for itself, to tell a
 * caller that a key is absent; then s3:prefix is that key. */
void cof_s3_context_init(
    struct cof_s3_context *context, struct cof_s3_call *call, const char *action, const json_t *tags, bool probe);
void cof_s3_context_done(struct cof_s3_context *context);

#endif
