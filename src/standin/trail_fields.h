/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of an audit record that differ by service: what an event is called, whether it only reads, and which request
 * parameters and response elements may be written down. Members come as "name":value,"name":value.
 */
#ifndef COF_STANDIN_TRAIL_FIELDS_H
#define COF_STANDIN_TRAIL_FIELDS_H

#include "standin/standin.h"

struct cof_trail_event {
    char name[64]; /* "PutObject" */
    bool read_only, management;
};

void cof_trail_classify(const struct cof_standin_request *req, struct cof_trail_event *out);
void cof_trail_json(const char *service, const struct json_t *parameters, struct cof_buf *out);
/* requestParameters: what the service noted, or what is then put together in made. */
const struct cof_buf *cof_trail_request(const struct cof_standin_request *req, const struct cof_trail_event *event, struct cof_buf *made);
void cof_trail_response(const struct cof_standin_request *req, const struct cof_standin_reply *reply,
                        const struct cof_trail_event *event, struct cof_buf *out);
/* Service's members of additionalEventData. */
void cof_trail_data(const struct cof_standin_request *req, const struct cof_standin_reply *reply,
                    const struct cof_trail_event *event, struct cof_buf *out);

#endif
