/* SPDX-License-Identifier: Apache-2.0
 *
 * The body of an AWS Encryption SDK message ("message format reference", body structure), without keys:
 *
 *   frame:        sequence u32 | IV 12 | ciphertext (frame length) | tag 16
 *   final frame:  ffffffff | sequence u32 | IV 12 | length u32 | ciphertext | tag 16
 *   single block: IV 12 | length u64 | ciphertext | tag 16            (unframed)
 *   footer:       length u16 | signature, DER                         (signed suites)
 *
 * Sequence numbers count from 1 by one; the IV written is the sequence number, left-padded.
 */
#ifndef COF_FORMAT_ESDK_FRAME_H
#define COF_FORMAT_ESDK_FRAME_H

#include "format/esdk_header.h"

#define COF_ESDK_FINAL 0xffffffffu      /* marks the final frame; no regular frame has it as its number */
#define COF_ESDK_FRAME_HEAD_MAX 24      /* bytes before the ciphertext, the final frame's */
#define COF_ESDK_BODY_AAD_MAX 96        /* bytes */
#define COF_ESDK_SIGNATURE_MAX 128      /* bytes; P-384's longest is 104 */

enum cof_esdk_part { COF_ESDK_FRAME, COF_ESDK_FINAL_FRAME, COF_ESDK_SINGLE_BLOCK };

struct cof_esdk_frame {
    enum cof_esdk_part part;
    uint32_t sequence; /* 1 for a single block */
    struct cof_view iv;
    uint64_t length; /* bytes of plaintext */
    size_t head;     /* bytes before the ciphertext */
};

/* Reads a frame's head: sequence is the number expected, frame_length the header's. *size is the whole frame's length; with
 * COF_E_SHORT, the least length that is worth another try. COF_E_FORMAT: another number, or a final frame longer than
 * frame_length. */
COF_MUST_USE enum cof_err cof_esdk_frame_parse(struct cof_view in, uint32_t sequence, uint32_t frame_length,
                                               struct cof_esdk_frame *out, size_t *size);
/* The same for an unframed body; COF_E_LIMIT over max bytes of plaintext. */
COF_MUST_USE enum cof_err cof_esdk_block_parse(struct cof_view in, uint64_t max, struct cof_esdk_frame *out, size_t *size);
/* The signature after the body. COF_E_FORMAT when it is empty or longer than any can be. */
COF_MUST_USE enum cof_err cof_esdk_footer_parse(struct cof_view in, struct cof_view *signature, size_t *size);

/* Writes a frame's head (not a single block's) and returns its length: 16 or 24 bytes. */
size_t cof_esdk_frame_head(enum cof_esdk_part part, uint32_t sequence, uint32_t length,
                           uint8_t out[static COF_ESDK_FRAME_HEAD_MAX]);
/* Bytes of a whole frame with that much plaintext. */
size_t cof_esdk_frame_size(enum cof_esdk_part part, size_t length);
void cof_esdk_frame_iv(uint32_t sequence, uint8_t iv[static COF_ESDK_IV]);
/* What a frame's tag authenticates beside the ciphertext: message id, purpose, sequence number, plaintext length.
 * message_id is at most COF_ESDK_MESSAGE_ID bytes. Returns the length. */
size_t cof_esdk_body_aad(struct cof_view message_id, enum cof_esdk_part part, uint32_t sequence, uint64_t length,
                         uint8_t out[static COF_ESDK_BODY_AAD_MAX]);

#endif
