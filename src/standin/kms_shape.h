/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a request has the members that its operation takes, of their types and within their bounds. What is wrong is
 * told in AWS's words: SerializationException for a wrong type, else ValidationException with every violation.
 */
#ifndef COF_STANDIN_KMS_SHAPE_H
#define COF_STANDIN_KMS_SHAPE_H

#include "format/json.h"

enum cof_kms_type {
    COF_KMS_TEXT,
    COF_KMS_ENUM,  /* text, one of a list */
    COF_KMS_BYTES, /* base64; min and max are bytes */
    COF_KMS_INT,
    COF_KMS_BOOL,
    COF_KMS_MAP,   /* of text to text: an encryption context */
    COF_KMS_TEXTS, /* a list; min and max count its items, each 1 to item_max characters */
    COF_KMS_ENUMS, /* a list of such texts */
    COF_KMS_TAGS,  /* a list of {"TagKey", "TagValue"} */
    COF_KMS_THING, /* a structure that its operation reads itself */
};

/* Which characters a text may have. */
enum cof_kms_charset {
    COF_KMS_CHARS_ANY,
    COF_KMS_CHARS_ALIAS,     /* ^[a-zA-Z0-9:/_-]+$ */
    COF_KMS_CHARS_PRINCIPAL, /* ^[\w+=,.@:/-]+$ */
    COF_KMS_CHARS_WORD,      /* [\w]+ */
    COF_KMS_CHARS_XKS,       /* ^[a-zA-Z0-9-_.]+$ */
};

struct cof_kms_member {
    const char *name; /* "KeyId"; NULL ends a list */
    enum cof_kms_type type;
    bool required;
    int64_t min, max;
    enum cof_kms_charset chars;
    int64_t item_max;
    const char *const *choices; /* of an enum, NULL-ended */
};

/* COF_OK; or COF_E_FORMAT (serialization) or COF_E_DENIED (validation) with the message. */
COF_MUST_USE enum cof_err cof_kms_shape_check(const json_t *in, const struct cof_kms_member *members,
                                              struct cof_buf *message);

#endif
