/* SPDX-License-Identifier: Apache-2.0
 *
 * Tags in requests: their rules, and the condition keys that they set (aws:RequestTag/x, aws:TagKeys).
 */
#ifndef COF_STANDIN_KMS_TAGS_H
#define COF_STANDIN_KMS_TAGS_H

#include "standin/kms_api.h"

#define COF_KMS_TAGS_MAX 50

struct cof_kms_tag_asking {
    struct cof_buf names;
    struct cof_view keys[COF_KMS_TAGS_MAX], values[COF_KMS_TAGS_MAX];
    struct cof_context_value items[COF_KMS_TAGS_MAX + 1];
    size_t n_items;
};
/* From a list of tags or, with only_keys, of tag keys; done frees. COF_E_DENIED with TagException. */
COF_MUST_USE enum cof_err cof_kms_tag_asking_init(struct cof_kms_call *c, const json_t *list, bool only_keys,
                                                  struct cof_kms_tag_asking *out);
void cof_kms_tag_asking_done(struct cof_kms_tag_asking *asking);

/* Puts a list of tags into an object of names and values. COF_E_DENIED when there are then too many. */
COF_MUST_USE enum cof_err cof_kms_tags_merge(struct cof_kms_call *c, const json_t *list, json_t *tags);

#endif
