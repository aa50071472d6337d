/* SPDX-License-Identifier: Apache-2.0
 *
 * Padding of results, so that their size tells a class and no more (C-24, docs/decisions/0017). Inside the sealed plaintext the
 * content is followed by one byte 80 and then zeros (ISO/IEC 7816-4) up to the size of its class. What was done stands as text in
 * the message's authenticated encryption context, so nobody has to guess. There is one right padding for a content: any other
 * is refused.
 *
 *   "step-N"    the next multiple of N bytes
 *   "padme-N"   N bytes, or what Padmé makes of more (Nikitin et al., PETS 2019): at most 12 % more, and one of O(log log) sizes
 */
#ifndef COF_ENGINE_PAD_H
#define COF_ENGINE_PAD_H

#include "base/buf.h"

#define COF_PAD_CONTEXT "padding" /* the pair of the encryption context */
#define COF_PAD_NAME_MAX 24       /* bytes of its value, with a NUL */
#define COF_PAD_BYTES_MIN 16
#define COF_PAD_BYTES_MAX (64 << 20)

enum cof_pad_scheme {
    COF_PAD_NONE,
    COF_PAD_STEP,
    COF_PAD_PADME,
};

struct cof_pad {
    enum cof_pad_scheme scheme;
    uint64_t bytes; /* N, COF_PAD_BYTES_MIN to COF_PAD_BYTES_MAX; 0 with COF_PAD_NONE */
};

/* How long a content of so many bytes becomes; content itself with COF_PAD_NONE. Content must be under 2^62. */
uint64_t cof_pad_size(const struct cof_pad *pad, uint64_t content);
/* What follows such a content, from its byte `at` (counted from the content's end) into out: as many as there are, room at most;
 * 0 when nothing is left. So that a large padding need not be held in memory. */
size_t cof_pad_piece(const struct cof_pad *pad, uint64_t content, uint64_t at, uint8_t *out, size_t room);
/* The content of a padded text: a view into it. COF_E_FORMAT unless this is exactly how that content is padded; then *content
 * is empty. */
COF_MUST_USE enum cof_err cof_pad_strip(const struct cof_pad *pad, struct cof_view padded, struct cof_view *content);

/* The value in the context, and back. Strict: one text for one padding, COF_E_FORMAT for any other. COF_PAD_NONE has no text. */
void cof_pad_name(const struct cof_pad *pad, char out[static COF_PAD_NAME_MAX]);
COF_MUST_USE enum cof_err cof_pad_parse(struct cof_view name, struct cof_pad *out);

#endif
