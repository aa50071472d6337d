/* SPDX-License-Identifier: Apache-2.0
 *
 * A range of a framed message's plaintext, and where in the message the frames are that hold it. Every frame but the last
 * is of one length, so its place follows from the header and the message's length alone; its sequence number is authenticated
 * with it, so a frame from elsewhere does not open.
 *
 * What such a reader knows: each byte it gets is the message's at that place. What it does not: the frames it did not read. So
 * signed suites are refused, whose signature only the whole message proves; and "the end is here" is said only after the
 * final frame was opened, which is why a range that reaches the end, or begins behind it, includes it.
 */
#ifndef COF_ENGINE_ESDK_RANGE_H
#define COF_ENGINE_ESDK_RANGE_H

#include "engine/esdk_decrypt.h"

struct cof_esdk_range {
    uint64_t from, to;    /* bytes of the message to read: from up to, not including, to */
    uint32_t sequence;    /* of the frame at from */
    bool has_final;       /* the message's final frame ends at to */
    size_t skip;          /* bytes of those frames' plaintext before the range */
    uint64_t length;      /* bytes of the range; 0: it begins behind the end, which opening the final frame proves */
    uint64_t plain_length; /* of the whole message, by its length */
};

/* Bytes of plaintext in an unsigned, framed message of message_length bytes whose header, tag included, has header_length.
 * COF_E_TRUNCATED when no message of such a header is that long; COF_E_UNSUPPORTED when unframed; COF_E_DENIED when signed. */
COF_MUST_USE enum cof_err cof_esdk_plain_length(const struct cof_esdk_header *header, uint64_t header_length,
                                                uint64_t message_length, uint64_t *plain_length);
/* first and last count bytes of plaintext from 0, both inclusive; last may lie behind the end. COF_E_USAGE when last < first. */
COF_MUST_USE enum cof_err cof_esdk_range_plan(const struct cof_esdk_header *header, uint64_t header_length,
                                              uint64_t message_length, uint64_t first, uint64_t last,
                                              struct cof_esdk_range *out);

#endif
