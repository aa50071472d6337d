/* SPDX-License-Identifier: Apache-2.0
 *
 * The service: which operation, in which protocol; what is done between requests; queues of the manifest.
 */
#include "standin/sqs.h"

#include "standin/reply.h"
#include "standin/sqs_api.h"
#include "standin/trail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX ((size_t)8 << 20)

static const struct operation {
    const char *name;
    cof_sqs_operation *run;
} operations[] = {
    {"SendMessage", cof_sqs_op_send_message},
    {"ReceiveMessage", cof_sqs_op_receive_message},
    {"DeleteMessage", cof_sqs_op_delete_message},
    {"SendMessageBatch", cof_sqs_op_send_batch},
    {"DeleteMessageBatch", cof_sqs_op_delete_batch},
    {"ChangeMessageVisibility", cof_sqs_op_change_visibility},
    {"ChangeMessageVisibilityBatch", cof_sqs_op_change_visibility_batch},
    {"GetQueueUrl", cof_sqs_op_get_queue_url},
    {"GetQueueAttributes", cof_sqs_op_get_attributes},
    {"SetQueueAttributes", cof_sqs_op_set_attributes},
    {"CreateQueue", cof_sqs_op_create_queue},
    {"DeleteQueue", cof_sqs_op_delete_queue},
    {"ListQueues", cof_sqs_op_list_queues},
    {"ListDeadLetterSourceQueues", cof_sqs_op_list_sources},
    {"PurgeQueue", cof_sqs_op_purge_queue},
    {"StartMessageMoveTask", cof_sqs_op_start_move},
    {"CancelMessageMoveTask", cof_sqs_op_cancel_move},
    {"ListMessageMoveTasks", cof_sqs_op_list_moves},
    {"TagQueue", cof_sqs_op_tag_queue},
    {"UntagQueue", cof_sqs_op_untag_queue},
    {"ListQueueTags", cof_sqs_op_list_tags},
    {"AddPermission", cof_sqs_op_add_permission},
    {"RemovePermission", cof_sqs_op_remove_permission},
};

static const struct operation *find(struct cof_view name)
{
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        if (cof_view_eq_str(name, operations[i].name))
            return &operations[i];
    return NULL;
}

static bool has_operation(struct cof_view name)
{
    return find(name) != NULL;
}

static enum cof_err unknown(struct cof_sqs_call *c, struct cof_view name)
{
    return cof_sqs_refuse(&c->refusal, COF_SQS_INVALID_ACTION, "The action %.*s is not valid for this endpoint.",
                          (int)(name.len < 80 ? name.len : 80), (const char *)name.data);
}

/* The parameters, and the operation they are for; NULL: the refusal stands. */
static const struct operation *read_json(struct cof_sqs_call *c, struct cof_view target)
{
    struct cof_view service, name;
    const struct operation *operation;

    (void)cof_view_split(target, '.', &service, &name);
    operation = cof_view_eq_str(service, "AmazonSQS") ? find(name) : NULL;
    if (operation == NULL)
        (void)unknown(c, name);
    else if (cof_json_parse_object(c->req->body, BODY_MAX, &c->in, NULL) != COF_OK)
        (void)cof_sqs_refuse(&c->refusal, COF_SQS_SERIALIZATION, "The request body is not a JSON object.");
    return c->refusal.code == COF_SQS_FINE ? operation : NULL;
}

/* Asked at a queue's own address: /ACCOUNT/NAME. */
static bool of_a_queue(const struct cof_sqs_call *c)
{
    struct cof_view none, rest, account, name;

    return cof_view_split(c->req->head->path, '/', &none, &rest) && cof_view_split(rest, '/', &account, &name) && name.len > 0;
}

/* spec: what is of no queue in particular is no action of a queue's address */
static bool is_of_queues(const struct operation *operation)
{
    return strcmp(operation->name, "CreateQueue") != 0 && strcmp(operation->name, "ListQueues") != 0;
}

static const struct operation *read_form(struct cof_sqs_call *c, enum cof_err *err)
{
    struct cof_view form = c->req->body.len > 0 ? c->req->body : c->req->head->query;
    const struct operation *operation = NULL;
    struct cof_buf action;

    cof_buf_init(&action, 256);
    *err = cof_sqs_form_parse(form, &c->in, &action);
    if (*err == COF_E_FORMAT || *err == COF_E_LIMIT)
        *err = cof_sqs_refuse(&c->refusal, COF_SQS_SERIALIZATION, "The request's parameters cannot be read.");
    else if (*err == COF_OK && action.len == 0)
        (void)cof_sqs_refuse(&c->refusal, COF_SQS_MISSING_PARAMETER, "The request must contain the parameter Action.");
    else if (*err == COF_OK && ((operation = find(cof_buf_view(&action))) == NULL || (of_a_queue(c) && !is_of_queues(operation)))) {
        (void)unknown(c, cof_buf_view(&action));
        operation = NULL;
    }
    cof_buf_done(&action);
    return operation;
}

static enum cof_err write_xml(struct cof_sqs_call *c)
{
    json_t *answer = NULL;
    enum cof_err err = COF_OK;

    if (c->out.len > 0)
        err = cof_json_parse_object(cof_buf_view(&c->out), COF_SQS_REPLY_MAX, &answer, NULL);
    else if (strcmp(c->operation, "ReceiveMessage") == 0)
        answer = json_object();
    cof_reply_set(c->reply, 200, "text/xml", COF_LIT(""));
    if (err == COF_OK)
        err = cof_sqs_xml_write(c->operation, answer, c->req->id, &c->reply->body);
    json_decref(answer);
    return err;
}

static enum cof_err write_answer(struct cof_sqs_call *c)
{
    enum cof_err err = cof_buf_err(&c->out);

    if (c->refusal.code != COF_SQS_FINE) {
        cof_sqs_error_reply(c->reply, c->req, c->query, &c->refusal);
        return COF_OK;
    }
    if (err != COF_OK || c->reply->wait_until_ms != 0)
        return err;
    c->reply->body.max = COF_SQS_REPLY_MAX;
    if (c->query)
        return write_xml(c);
    cof_reply_set(c->reply, 200, COF_SQS_JSON_TYPE, c->out.len > 0 ? cof_buf_view(&c->out) : COF_LIT("{}"));
    return COF_OK;
}

static enum cof_err handle(struct cof_standin *s, struct cof_standin_request *req, struct cof_standin_reply *reply)
{
    struct cof_sqs_call c = {.s = s, .req = req, .reply = reply};
    const struct operation *operation;
    struct cof_view target;
    enum cof_err err = COF_OK;

    cof_sqs_state_trim(cof_sqs_state(s));
    cof_sqs_state(s)->touched = false;
    cof_buf_init_secret(&c.out, COF_SQS_REPLY_MAX);
    c.query = !cof_headers_get(&req->head->headers, "x-amz-target", &target);
    operation = c.query ? read_form(&c, &err) : read_json(&c, target);
    if (err == COF_OK && operation != NULL) {
        c.operation = operation->name;
        cof_trail_operation(req, operation->name);
        cof_trail_parameters(req, c.in);
        err = operation->run(&c);
    }
    if (err == COF_OK)
        err = write_answer(&c);
    cof_buf_done(&c.out);
    json_decref(c.in);
    return err;
}

static int64_t due(const void *state)
{
    return ((const struct cof_sqs *)state)->due_ms;
}

/* Purged messages are swept away, and move tasks go on. */
static enum cof_err tick(struct cof_standin *s, void *state, int64_t now_ms)
{
    struct cof_sqs *sqs = state;
    int64_t moves_due_ms;
    bool more;
    enum cof_err err;

    sqs->touched = false;
    err = cof_sqs_store_sweep(s, &more);
    if (err == COF_OK)
        err = cof_sqs_moves_run(s, now_ms, &moves_due_ms);
    if (err == COF_OK)
        sqs->due_ms = more ? now_ms : moves_due_ms;
    return err;
}

/* One queue of the manifest's: {"name","policy","attributes","dead_letter","max_receive_count"}. redrive: whether it is the
 * time for dead letters, after all queues are there. */
static enum cof_err bootstrap_queue(struct cof_standin *s, const json_t *spec, bool redrive, int64_t now_ms, struct cof_diag *diag)
{
    const json_t *policy = json_object_get(spec, "policy");
    const char *dead = json_string_value(json_object_get(spec, "dead_letter"));
    json_t *attributes = redrive || json_object_get(spec, "attributes") == NULL ? json_object() : json_deep_copy(json_object_get(spec, "attributes"));
    struct cof_sqs_call c = {.s = s, .in = json_pack("{s:O}", "QueueName", json_object_get(spec, "name"))};
    char *policy_text = json_is_object(policy) ? json_dumps(policy, JSON_COMPACT) : NULL;
    struct cof_sqs_queue *queue = NULL;
    struct cof_view name;
    enum cof_err err = cof_json_text(spec, "name", &name, diag);

    if (err == COF_OK && !cof_sqs_queue_is_name(name))
        err = cof_diag_set(diag, COF_E_CONFIG, "\"%.*s\" is no queue name", (int)name.len, (const char *)name.data);
    if (!redrive && (policy_text != NULL || json_is_string(policy)))
        (void)json_object_set_new(attributes, "Policy", json_string(policy_text != NULL ? policy_text : json_string_value(policy)));
    if (redrive && dead != NULL)
        (void)json_object_set_new(attributes, "RedrivePolicy",
            json_sprintf("{\"deadLetterTargetArn\":\"arn:aws:sqs:%s:%s:%s\",\"maxReceiveCount\":%lld}", cof_standin_region(s),
                         cof_standin_account(s), dead, (long long)json_integer_value(json_object_get(spec, "max_receive_count"))));
    if (err == COF_OK)
        err = cof_sqs_attributes_check(&c, NULL, attributes, true);
    if (err == COF_OK && c.refusal.code != COF_SQS_FINE)
        err = cof_diag_set(diag, COF_E_CONFIG, "queue %.*s: %s", (int)name.len, (const char *)name.data, c.refusal.text);
    if (err == COF_OK && !redrive)
        err = cof_sqs_queue_make(s, name, attributes, NULL, now_ms, &queue);
    else if (err == COF_OK && json_object_size(attributes) > 0) {
        err = cof_sqs_queue_get(s, name, &queue);
        if (err == COF_OK && json_object_update(json_object_get(queue->record, "attributes"), attributes) != 0)
            err = COF_E_MEMORY;
        if (err == COF_OK)
            err = cof_sqs_queue_save(s, queue);
    }
    json_decref(attributes);
    json_decref(c.in);
    free(policy_text);
    return err;
}

static enum cof_err bootstrap(struct cof_standin *s, const json_t *manifest, int64_t now_ms, struct cof_diag *diag)
{
    const json_t *queues = json_object_get(manifest, "queues");
    enum cof_err err = COF_OK;

    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; err == COF_OK && i < json_array_size(queues); i++)
            err = bootstrap_queue(s, json_array_get(queues, i), pass == 1, now_ms, diag);
    return err;
}

const struct cof_service cof_service_sqs = {
    .name = "sqs",
    .target = "AmazonSQS.",
    .anonymous = true,
    .json = true,
    .json_type = COF_SQS_JSON_TYPE,
    .query_xmlns = COF_SQS_XMLNS,
    .body_max = BODY_MAX,
    .has_operation = has_operation,
    .handle = handle,
    .bootstrap = bootstrap,
    .start = cof_sqs_state_new,
    .stop = cof_sqs_state_free,
    .undone = cof_sqs_state_undone,
    .due = due,
    .tick = tick,
};
