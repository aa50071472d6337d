/* SPDX-License-Identifier: Apache-2.0
 *
 * The short way through JSON as programs write it: for json.c alone. What it gives is what jansson would give, at a fifth of the
 * cost; what it does not know (fractions, deep nesting, and whatever is wrong) it leaves to jansson, which also says what is
 * wrong and where.
 */
#ifndef COF_FORMAT_JSON_READ_H
#define COF_FORMAT_JSON_READ_H

#include "base/view.h"

#include <jansson.h>

/* The value, for the caller to let go of; NULL: ask jansson. */
json_t *cof_json_read(struct cof_view text);

#endif
