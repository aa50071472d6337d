/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/esdk_range.h"

/* Regular frames before the final one, and the final one's plaintext. */
static enum cof_err divide(const struct cof_esdk_header *h, uint64_t header_length, uint64_t message_length,
                           uint64_t *n_regular, uint64_t *final_length)
{
    const struct cof_suite *suite = cof_suite_find(h->suite);
    uint64_t frame = cof_esdk_frame_size(COF_ESDK_FRAME, h->frame_length), least = cof_esdk_frame_size(COF_ESDK_FINAL_FRAME, 0);
    uint64_t body;

    if (suite == NULL || h->content_type != COF_ESDK_FRAMED || h->frame_length == 0)
        return COF_E_UNSUPPORTED;
    if (suite->is_signed)
        return COF_E_DENIED;
    if (message_length < header_length || message_length - header_length < least)
        return COF_E_TRUNCATED;
    body = message_length - header_length - least;
    *n_regular = body / frame;
    *final_length = body % frame;
    /* The final frame holds 0 to frame_length bytes; the lengths between that and a frame's are no message's. */
    return *final_length <= h->frame_length && *n_regular < COF_ESDK_FINAL - 1 ? COF_OK : COF_E_TRUNCATED;
}

enum cof_err cof_esdk_plain_length(const struct cof_esdk_header *header, uint64_t header_length, uint64_t message_length,
                                   uint64_t *plain_length)
{
    uint64_t n, rest;
    enum cof_err err = divide(header, header_length, message_length, &n, &rest);

    *plain_length = err == COF_OK ? n * header->frame_length + rest : 0;
    return err;
}

enum cof_err cof_esdk_range_plan(const struct cof_esdk_header *header, uint64_t header_length, uint64_t message_length,
                                 uint64_t first, uint64_t last, struct cof_esdk_range *out)
{
    uint64_t n, rest, length, frame = cof_esdk_frame_size(COF_ESDK_FRAME, header->frame_length), first_frame, last_frame;
    enum cof_err err = divide(header, header_length, message_length, &n, &rest);

    *out = (struct cof_esdk_range){0};
    if (err != COF_OK)
        return err;
    if (last < first)
        return COF_E_USAGE;
    length = n * header->frame_length + rest;
    first_frame = first / header->frame_length < n ? first / header->frame_length : n;
    last_frame = last / header->frame_length < n && last < length - 1 ? last / header->frame_length : n;
    out->has_final = last_frame == n;
    out->from = header_length + first_frame * frame;
    out->to = out->has_final ? message_length : header_length + (last_frame + 1) * frame;
    out->sequence = (uint32_t)first_frame + 1;
    out->plain_length = length;
    if (first < length) {
        out->skip = (size_t)(first - first_frame * header->frame_length);
        out->length = (last < length ? last : length - 1) - first + 1;
    }
    return COF_OK;
}
