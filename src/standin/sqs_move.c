/* SPDX-License-Identifier: Apache-2.0
 *
 * Message move tasks: StartMessageMoveTask, CancelMessageMoveTask, ListMessageMoveTasks, and the moving itself, which goes on
 * between requests. Space "sqs.task": source queue 00 | started ms u64 -> the task as JSON; "sqs.moving": source queue ->
 * started ms u64, of the one that runs.
 */
#include "standin/sqs_api.h"

#include "base/codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TASK_MAX 8192
#define TASKS_KEPT 10  /* of a queue */
#define STEP 100       /* messages moved in one go */
#define RATE_MAX 500   /* messages a second */

static void task_key(struct cof_view source, int64_t started_ms, struct cof_buf *out)
{
    cof_buf_init(out, COF_SQS_NAME_MAX + 9);
    cof_buf_add(out, source);
    cof_buf_add_u8(out, 0);
    cof_buf_add_u64(out, (uint64_t)started_ms);
}

static enum cof_err save_task(struct cof_standin *s, const json_t *task)
{
    const struct cof_store *store = cof_standin_store(s);
    const char *source = json_string_value(json_object_get(task, "source"));
    char *text = json_dumps(task, JSON_COMPACT);
    struct cof_buf key;
    enum cof_err err;

    task_key(cof_view_str(source), json_integer_value(json_object_get(task, "started_ms")), &key);
    err = text == NULL ? COF_E_MEMORY : store->put(store->ctx, "sqs.task", cof_buf_view(&key), cof_view_str(text));
    cof_buf_done(&key);
    free(text);
    return err;
}

/* The task of that queue that runs; COF_E_NOT_FOUND. *out is the caller's. */
static enum cof_err running_task(struct cof_standin *s, struct cof_view source, json_t **out)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_buf when, key, text;
    struct cof_view v;
    uint64_t started = 0;
    enum cof_err err;

    *out = NULL;
    cof_buf_init(&when, 8);
    cof_buf_init(&text, TASK_MAX);
    err = store->get(store->ctx, "sqs.moving", source, &when);
    v = cof_buf_view(&when);
    if (err == COF_OK)
        err = cof_take_u64(&v, &started);
    task_key(source, (int64_t)started, &key);
    if (err == COF_OK)
        err = store->get(store->ctx, "sqs.task", cof_buf_view(&key), &text);
    if (err == COF_OK)
        err = cof_json_parse_object(cof_buf_view(&text), TASK_MAX, out, NULL);
    cof_buf_done(&when);
    cof_buf_done(&key);
    cof_buf_done(&text);
    return err;
}

static int64_t number(const json_t *task, const char *name)
{
    return json_integer_value(json_object_get(task, name));
}

static enum cof_err end_task(struct cof_standin *s, json_t *task, const char *status, const char *reason)
{
    const struct cof_store *store = cof_standin_store(s);
    enum cof_err err;

    if (json_object_set_new(task, "status", json_string(status)) != 0 ||
        (reason != NULL && json_object_set_new(task, "failure", json_string(reason)) != 0))
        return COF_E_MEMORY;
    err = save_task(s, task);
    return err == COF_OK ? store->remove(store->ctx, "sqs.moving", cof_view_str(json_string_value(json_object_get(task, "source")))) : err;
}

/* One message. *why: the task has failed; *empty: there is none left. */
static enum cof_err move_one(struct cof_standin *s, struct cof_sqs_queue *source, const char *destination, int64_t now_ms, const char **why,
                             bool *empty)
{
    struct cof_sqs_queue *to = NULL;
    struct cof_sqs_message m;
    const char *name = destination;
    enum cof_err err = cof_sqs_store_first(s, source, now_ms, &m);

    *empty = err == COF_E_NOT_FOUND;
    if (err != COF_OK)
        return *empty ? COF_OK : err;
    if (name == NULL)
        name = m.source; /* back to where it came from */
    if (name[0] == '\0')
        *why = "CouldNotDetermineMessageSource";
    else if ((err = cof_sqs_queue_get(s, cof_view_str(name), &to)) == COF_E_NOT_FOUND)
        *why = "AWS.SimpleQueueService.NonExistentQueue";
    else if (err == COF_OK)
        err = cof_sqs_store_move(s, source, &m, to);
    cof_sqs_message_free(&m);
    return *why != NULL ? COF_OK : err;
}

static enum cof_err go_on(struct cof_standin *s, json_t *task, int64_t now_ms, int64_t *due_ms)
{
    struct cof_view source_name = cof_view_str(json_string_value(json_object_get(task, "source")));
    const char *destination = json_string_value(json_object_get(task, "destination")), *why = NULL;
    int64_t rate = number(task, "rate"), moved = number(task, "moved"), most = number(task, "to_move") - moved, may = STEP;
    struct cof_sqs_queue *source;
    bool empty = false;
    enum cof_err err = cof_sqs_queue_get(s, source_name, &source);

    if (err == COF_E_NOT_FOUND)
        return end_task(s, task, "FAILED", "AWS.SimpleQueueService.NonExistentQueue");
    if (rate > 0) {
        may = (now_ms - number(task, "started_ms")) * rate / 1000 - moved;
        *due_ms = now_ms + 1000 / rate + 1;
    } else {
        *due_ms = now_ms;
    }
    may = may > STEP ? STEP : may;
    for (; err == COF_OK && may > 0 && most > 0 && !empty && why == NULL; may--, most--) {
        err = move_one(s, source, destination, now_ms, &why, &empty);
        if (err == COF_OK && !empty && why == NULL)
            moved++;
    }
    if (err == COF_OK && json_object_set_new(task, "moved", json_integer(moved)) != 0)
        err = COF_E_MEMORY;
    if (err == COF_OK && why != NULL)
        err = end_task(s, task, "FAILED", why);
    else if (err == COF_OK && (empty || most <= 0))
        err = end_task(s, task, "COMPLETED", NULL);
    else if (err == COF_OK)
        return save_task(s, task);
    *due_ms = INT64_MAX;
    return err;
}

static bool see_moving(void *arg, struct cof_view key, struct cof_view value)
{
    struct cof_buf *names = arg;

    (void)value;
    cof_buf_add_u8(names, (uint8_t)key.len);
    cof_buf_add(names, key);
    return true;
}

enum cof_err cof_sqs_moves_run(struct cof_standin *s, int64_t now_ms, int64_t *due_ms)
{
    const struct cof_store *store = cof_standin_store(s);
    struct cof_view rest, name;
    struct cof_buf names;
    uint8_t len;
    enum cof_err err;

    *due_ms = INT64_MAX;
    cof_buf_init(&names, 65536);
    err = store->scan(store->ctx, "sqs.moving", (struct cof_view){0}, (struct cof_view){0}, 256, see_moving, &names);
    rest = cof_buf_view(&names);
    while (err == COF_OK && cof_take_u8(&rest, &len) == COF_OK && cof_take(&rest, len, &name) == COF_OK) {
        int64_t due = INT64_MAX;
        json_t *task;

        err = running_task(s, name, &task);
        if (err == COF_OK)
            err = go_on(s, task, now_ms, &due);
        json_decref(task);
        *due_ms = due < *due_ms ? due : *due_ms;
    }
    cof_buf_done(&names);
    return err;
}

/* The queue of an ARN parameter; refusals name the parameter. */
static bool queue_of(struct cof_sqs_call *c, struct cof_view arn, const char *parameter, struct cof_sqs_queue **out, enum cof_err *err)
{
    struct cof_view name;

    *out = NULL;
    *err = cof_sqs_queue_of_arn(c->s, arn, &name) ? cof_sqs_queue_get(c->s, name, out) : COF_E_NOT_FOUND;
    if (*err == COF_E_NOT_FOUND)
        *err = cof_sqs_refuse(&c->refusal, COF_SQS_RESOURCE_NOT_FOUND,
                              "The resource that you specified for the %s parameter doesn't exist.", parameter);
    return *out != NULL;
}

static bool see_any(void *arg, const char *name)
{
    (void)name;
    *(bool *)arg = true;
    return false;
}

/* Moving is receiving, deleting and sending: the caller must be allowed all of it. */
static bool may_move(struct cof_sqs_call *c, const struct cof_sqs_queue *destination, enum cof_err *err)
{
    static const char *const actions[] = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"};

    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (!cof_sqs_allowed(c, actions[i], c->queue, (struct cof_view){0}, err))
            return false;
    return destination == NULL || cof_sqs_allowed(c, "sqs:SendMessage", destination, (struct cof_view){0}, err);
}

struct oldest {
    struct cof_buf key;
    size_t n;
};

static bool see_oldest(void *arg, struct cof_view key, struct cof_view value)
{
    struct oldest *o = arg;

    (void)value;
    if (o->n++ == 0)
        cof_buf_add(&o->key, key);
    return true;
}

static enum cof_err drop_oldest(struct cof_standin *s, struct cof_view source)
{
    const struct cof_store *store = cof_standin_store(s);
    struct oldest o = {.n = 0};
    struct cof_buf prefix;
    enum cof_err err;

    cof_buf_init(&o.key, COF_SQS_NAME_MAX + 9);
    cof_buf_init(&prefix, COF_SQS_NAME_MAX + 1);
    cof_buf_add(&prefix, source);
    cof_buf_add_u8(&prefix, 0);
    err = store->scan(store->ctx, "sqs.task", cof_buf_view(&prefix), (struct cof_view){0}, TASKS_KEPT, see_oldest, &o);
    if (err == COF_OK && o.n == TASKS_KEPT)
        err = store->remove(store->ctx, "sqs.task", cof_buf_view(&o.key));
    cof_buf_done(&o.key);
    cof_buf_done(&prefix);
    return err;
}

static void write_handle(const json_t *task, const char *arn, struct cof_buf *out)
{
    struct cof_buf text;

    cof_buf_init(&text, 1024);
    cof_buf_add_str(&text, "{");
    cof_json_add_member(&text, "taskId", cof_view_str(json_string_value(json_object_get(task, "id"))));
    cof_json_add_member(&text, "sourceArn", cof_view_str(arn));
    cof_buf_add_str(&text, "}");
    cof_json_add_member_base64(out, "TaskHandle", cof_buf_view(&text));
    cof_buf_done(&text);
}

static enum cof_err start(struct cof_sqs_call *c, const struct cof_sqs_queue *destination, int64_t rate)
{
    const struct cof_store *store = cof_standin_store(c->s);
    uint8_t id[COF_SQS_MESSAGE_ID];
    char uuid[COF_SQS_UUID + 1];
    struct cof_buf when;
    json_t *task = NULL;
    enum cof_err err = cof_sqs_store_tidy(c->s, c->queue, c->req->now_ms);

    if (err == COF_OK)
        err = cof_rng_fill(cof_standin_rng(c->s), id, sizeof id);
    if (err == COF_OK)
        err = drop_oldest(c->s, cof_view_str(c->queue->name));
    cof_sqs_message_uuid(id, uuid);
    cof_buf_init(&when, 8);
    cof_buf_add_u64(&when, (uint64_t)c->req->now_ms);
    if (err == COF_OK) {
        task = json_pack("{s:s, s:s, s:s?, s:I, s:i, s:I, s:I, s:s}", "id", uuid, "source", c->queue->name, "destination",
                         destination == NULL ? NULL : destination->name, "rate", (json_int_t)rate, "moved", 0, "to_move",
                         (json_int_t)c->queue->n_ready, "started_ms", (json_int_t)c->req->now_ms, "status", "RUNNING");
        err = task == NULL ? COF_E_MEMORY : save_task(c->s, task);
    }
    if (err == COF_OK)
        err = store->put(store->ctx, "sqs.moving", cof_view_str(c->queue->name), cof_buf_view(&when));
    cof_sqs_state(c->s)->due_ms = 0;
    cof_buf_add_str(&c->out, "{");
    write_handle(task, c->queue->arn, &c->out);
    cof_buf_add_str(&c->out, "}");
    cof_buf_done(&when);
    json_decref(task);
    return err;
}

enum cof_err cof_sqs_op_start_move(struct cof_sqs_call *c)
{
    struct cof_sqs_queue *destination = NULL;
    struct cof_view arn, to;
    json_t *task;
    int64_t rate;
    bool is_dead = false;
    enum cof_err err;

    if (!cof_sqs_text(c, c->in, "SourceArn", &arn) || !queue_of(c, arn, "SourceArn", &c->queue, &err) ||
        !cof_sqs_allowed(c, "sqs:StartMessageMoveTask", c->queue, (struct cof_view){0}, &err))
        return c->refusal.code != COF_SQS_FINE ? COF_OK : err;
    if (!cof_sqs_int(c->in, "MaxNumberOfMessagesPerSecond", 1, RATE_MAX, 0, "Must be between 1 and 500, if provided.", &rate, &c->refusal))
        return COF_OK;
    if (cof_json_text_or(c->in, "DestinationArn", "", &to, NULL) != COF_OK ||
        (to.len > 0 && !queue_of(c, to, "DestinationArn", &destination, &err)))
        return c->refusal.code != COF_SQS_FINE ? COF_OK : err;
    if (!may_move(c, destination, &err))
        return err;
    err = cof_sqs_each_source(c->s, c->queue->name, (struct cof_view){0}, see_any, &is_dead);
    if (err != COF_OK)
        return err;
    if (!is_dead)
        return cof_sqs_refuse(&c->refusal, COF_SQS_INVALID_PARAMETER_VALUE, "Source queue must be configured as a Dead Letter Queue.");
    if (destination == c->queue)
        return cof_sqs_refuse(&c->refusal, COF_SQS_INVALID_PARAMETER_VALUE, "Source queue and destination queue must not be the same.");
    err = running_task(c->s, cof_view_str(c->queue->name), &task);
    json_decref(task);
    if (err == COF_OK)
        return cof_sqs_refuse(&c->refusal, COF_SQS_INVALID_PARAMETER_VALUE,
                              "There is already a task running. Only one active task is allowed for a source queue arn at a given time.");
    return err == COF_E_NOT_FOUND ? start(c, destination, rate) : err;
}

/* What a task handle names; false: the refusal stands. */
static bool read_handle(struct cof_sqs_call *c, struct cof_view handle, json_t **out, struct cof_view *id, struct cof_view *arn)
{
    struct cof_buf text;
    bool fine;

    *out = NULL;
    cof_buf_init(&text, 2048);
    fine = handle.len <= 2048 && cof_base64_decode(handle, &text) == COF_OK &&
        cof_json_parse_object(cof_buf_view(&text), 2048, out, NULL) == COF_OK && cof_json_text(*out, "taskId", id, NULL) == COF_OK &&
        cof_json_text(*out, "sourceArn", arn, NULL) == COF_OK;
    cof_buf_done(&text);
    if (!fine)
        (void)cof_sqs_refuse(&c->refusal, COF_SQS_INVALID_PARAMETER_VALUE, "Value for parameter TaskHandle is invalid.");
    return fine;
}

static enum cof_err cancel(struct cof_sqs_call *c, struct cof_view id)
{
    json_t *task = NULL;
    enum cof_err err = running_task(c->s, cof_view_str(c->queue->name), &task);

    if (err == COF_E_NOT_FOUND || (err == COF_OK && !cof_view_eq_str(id, json_string_value(json_object_get(task, "id")))))
        err = cof_sqs_refuse(&c->refusal, COF_SQS_RESOURCE_NOT_FOUND, "Task does not exist.");
    else if (err == COF_OK)
        err = end_task(c->s, task, "CANCELLED", NULL);
    cof_buf_add_str(&c->out, "{");
    cof_json_add_member_int(&c->out, "ApproximateNumberOfMessagesMoved", number(task, "moved"));
    cof_buf_add_str(&c->out, "}");
    json_decref(task);
    return err;
}

enum cof_err cof_sqs_op_cancel_move(struct cof_sqs_call *c)
{
    struct cof_view handle, id, arn;
    json_t *read = NULL;
    enum cof_err err = COF_OK;

    if (cof_sqs_text(c, c->in, "TaskHandle", &handle) && read_handle(c, handle, &read, &id, &arn) &&
        queue_of(c, arn, "SourceArn", &c->queue, &err) && cof_sqs_allowed(c, "sqs:CancelMessageMoveTask", c->queue, (struct cof_view){0}, &err))
        err = cancel(c, id);
    json_decref(read);
    return err;
}

struct task_list {
    json_t *tasks;
    bool failed;
};

static bool see_task(void *arg, struct cof_view key, struct cof_view value)
{
    struct task_list *l = arg;
    json_t *task;

    (void)key;
    l->failed = l->failed || cof_json_parse_object(value, TASK_MAX, &task, NULL) != COF_OK || json_array_insert_new(l->tasks, 0, task) != 0;
    return !l->failed;
}

static void write_task(struct cof_sqs_call *c, const json_t *task)
{
    const char *status = json_string_value(json_object_get(task, "status")), *to = json_string_value(json_object_get(task, "destination"));
    const char *failure = json_string_value(json_object_get(task, "failure"));
    struct cof_buf *out = &c->out;
    char arn[256];

    cof_buf_add_str(out, "{");
    if (strcmp(status, "RUNNING") == 0)
        write_handle(task, c->queue->arn, out);
    cof_json_add_member(out, "Status", cof_view_str(status));
    cof_json_add_member(out, "SourceArn", cof_view_str(c->queue->arn));
    if (to != NULL) {
        (void)snprintf(arn, sizeof arn, "arn:aws:sqs:%s:%s:%s", cof_standin_region(c->s), cof_standin_account(c->s), to);
        cof_json_add_member(out, "DestinationArn", cof_view_str(arn));
    }
    if (number(task, "rate") > 0)
        cof_json_add_member_int(out, "MaxNumberOfMessagesPerSecond", number(task, "rate"));
    cof_json_add_member_int(out, "ApproximateNumberOfMessagesMoved", number(task, "moved"));
    cof_json_add_member_int(out, "ApproximateNumberOfMessagesToMove", number(task, "to_move"));
    if (failure != NULL)
        cof_json_add_member(out, "FailureReason", cof_view_str(failure));
    cof_json_add_member_int(out, "StartedTimestamp", number(task, "started_ms"));
    cof_buf_add_str(out, "}");
}

enum cof_err cof_sqs_op_list_moves(struct cof_sqs_call *c)
{
    const struct cof_store *store = cof_standin_store(c->s);
    struct task_list l = {.failed = false};
    struct cof_view arn;
    struct cof_buf prefix;
    int64_t most;
    enum cof_err err = COF_OK;

    if (!cof_sqs_text(c, c->in, "SourceArn", &arn) || !queue_of(c, arn, "SourceArn", &c->queue, &err) ||
        !cof_sqs_allowed(c, "sqs:ListMessageMoveTasks", c->queue, (struct cof_view){0}, &err) ||
        !cof_sqs_int(c->in, "MaxResults", 1, TASKS_KEPT, 1, "Must be between 1 and 10, if provided.", &most, &c->refusal))
        return err;
    l.tasks = json_array();
    cof_buf_init(&prefix, COF_SQS_NAME_MAX + 1);
    cof_buf_add_str(&prefix, c->queue->name);
    cof_buf_add_u8(&prefix, 0);
    err = l.tasks == NULL ? COF_E_MEMORY
        : store->scan(store->ctx, "sqs.task", cof_buf_view(&prefix), (struct cof_view){0}, TASKS_KEPT, see_task, &l);
    cof_buf_add_str(&c->out, "{\"Results\":[");
    for (size_t i = 0; err == COF_OK && !l.failed && i < json_array_size(l.tasks) && (int64_t)i < most; i++) {
        if (i > 0)
            cof_buf_add_str(&c->out, ",");
        write_task(c, json_array_get(l.tasks, i));
    }
    cof_buf_add_str(&c->out, "]}");
    cof_buf_done(&prefix);
    json_decref(l.tasks);
    return err == COF_OK && l.failed ? COF_E_FORMAT : err;
}
