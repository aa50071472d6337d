/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests against SQS in memory, in both protocols: the input is a script of requests, each one byte that names the operation (255:
 * a form), two of length, and the body. A queue "q" with a dead-letter queue and some messages is there. No request may be a fault,
 * and the counts must stay what the store has.
 */
#include "sqs_world.h"

static const char *const operations[] = {"SendMessage", "ReceiveMessage", "DeleteMessage", "SendMessageBatch", "DeleteMessageBatch",
    "ChangeMessageVisibility", "ChangeMessageVisibilityBatch", "GetQueueUrl", "GetQueueAttributes", "SetQueueAttributes", "CreateQueue",
    "DeleteQueue", "ListQueues", "ListDeadLetterSourceQueues", "PurgeQueue", "StartMessageMoveTask", "CancelMessageMoveTask",
    "ListMessageMoveTasks", "TagQueue", "UntagQueue", "ListQueueTags", "AddPermission", "RemovePermission", "Nonsense"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(struct sqs_world *w, const char *operation, const char *body)
{
    if (sqs_world_call(w, operation, cof_view_str(body)) != 200)
        abort();
}

static void setup(struct sqs_world *w)
{
    must(w, "CreateQueue", "{\"QueueName\":\"dead\"}");
    must(w, "CreateQueue", "{\"QueueName\":\"q\",\"Attributes\":{\"RedrivePolicy\":\"{\\\"deadLetterTargetArn\\\":"
        "\\\"arn:aws:sqs:us-east-1:111122223333:dead\\\",\\\"maxReceiveCount\\\":2}\"}}");
    for (int i = 0; i < 3; i++)
        must(w, "SendMessage", "{\"QueueUrl\":\"" SQS_WORLD_URL "\",\"MessageBody\":\"hello\"}");
}

static bool count(void *arg, struct cof_view key, struct cof_view value)
{
    (void)key;
    (void)value;
    ++*(uint64_t *)arg;
    return true;
}

static void check_counts(struct sqs_world *w)
{
    const struct cof_store *store = &w->store.ops;
    struct cof_sqs_queue *queue;
    uint64_t ready = 0, hidden = 0;

    if (cof_sqs_queue_get(w->s, COF_LIT("q"), &queue) != COF_OK)
        return;
    if (!queue->counted)
        return;
    if (store->scan(store->ctx, "sqs.ready", cof_view_of(queue->id, COF_SQS_ID), (struct cof_view){0}, SIZE_MAX, count, &ready) != COF_OK ||
        store->scan(store->ctx, "sqs.hidden", cof_view_of(queue->id, COF_SQS_ID), (struct cof_view){0}, SIZE_MAX, count, &hidden) != COF_OK ||
        ready != queue->n_ready || hidden != queue->n_inflight + queue->n_delayed)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cof_view in = cof_view_of(data, size), body;
    struct sqs_world w;
    uint8_t which;
    uint16_t len;
    int n = 0;

    sqs_world_init(&w);
    setup(&w);
    while (n++ < 64 && cof_take_u8(&in, &which) == COF_OK && cof_take_u16(&in, &len) == COF_OK) {
        body = cof_view_sub(in, 0, len);
        in = cof_view_sub(in, body.len, SIZE_MAX);
        if (sqs_world_call(&w, which == 255 ? NULL : operations[which % (sizeof operations / sizeof operations[0])], body) == 500)
            abort();
        check_counts(&w);
        w.now_ms += 10000;
        (void)cof_standin_tick(w.s, w.now_ms);
    }
    sqs_world_done(&w);
    return 0;
}
