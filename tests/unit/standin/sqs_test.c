/* SPDX-License-Identifier: Apache-2.0
 *
 * The service under a clock of the test's own: waiting, who is told what, rules of sixty seconds, move tasks, and what hostile
 * requests are answered.
 */
#include "testing.h"

#include "sqs_world.h"

#define URL "\"QueueUrl\":\"" SQS_WORLD_URL "\""

static struct sqs_world w;

static int call(const char *operation, const char *body)
{
    return sqs_world_call(&w, operation, cof_view_str(body));
}

static bool says(const char *text)
{
    return strstr(cof_buf_cstr(&w.reply.body), text) != NULL;
}

static int setup(void **state)
{
    sqs_world_init(&w);
    assert_int_equal(call("CreateQueue", "{\"QueueName\":\"q\"}"), 200);
    w.n_notified = 0;
    return 0;
}

static int teardown(void **state)
{
    sqs_world_done(&w);
    return 0;
}

static void who_waits_is_told_until_when_and_for_what(void **state)
{
    assert_int_equal(call("ReceiveMessage", "{" URL ",\"WaitTimeSeconds\":20}"), 0);
    assert_int_equal(w.reply.wait_until_ms, w.now_ms + 20000);
    assert_int_equal(w.reply.wait_next_ms, 0);
    assert_string_equal(w.reply.wait_on, "arn:aws:sqs:us-east-1:111122223333:q");
    assert_int_equal(call("SendMessage", "{" URL ",\"MessageBody\":\"x\",\"DelaySeconds\":7}"), 200);
    assert_true(w.n_notified == 1 && w.notified_at_ms == w.now_ms + 7000); /* not before there is something */
    assert_int_equal(call("ReceiveMessage", "{" URL ",\"WaitTimeSeconds\":20}"), 0);
    assert_int_equal(w.reply.wait_next_ms, w.now_ms + 7000);
    w.started_ms = w.now_ms;
    w.now_ms += 7000;
    assert_int_equal(call("ReceiveMessage", "{" URL ",\"WaitTimeSeconds\":20,\"VisibilityTimeout\":3}"), 200);
    assert_true(says("\"Body\":\"x\""));
    assert_true(w.n_notified == 2 && w.notified_at_ms == w.now_ms + 3000); /* for whoever waits after it */
    w.now_ms += 13000;
    w.started_ms = w.now_ms - 20000;
    assert_int_equal(call("ReceiveMessage", "{" URL ",\"WaitTimeSeconds\":20,\"VisibilityTimeout\":600}"), 200);
    assert_int_equal(call("ReceiveMessage", "{" URL ",\"WaitTimeSeconds\":20}"), 200); /* its time is over */
    assert_string_equal(cof_buf_cstr(&w.reply.body), "{}");
    assert_int_equal(call("ReceiveMessage", "{" URL "}"), 200);
}

static void one_call_for_each_message(void **state)
{
    assert_int_equal(call("SendMessageBatch", "{" URL ",\"Entries\":[{\"Id\":\"1\",\"MessageBody\":\"x\"},{\"Id\":\"2\",\"MessageBody\":\"y\"},{\"Id\":\"3\","
                          "\"MessageBody\":\"\"}]}"), 200);
    assert_true(w.n_notified == 2 && w.notified_at_ms == 0);
    assert_int_equal(call("ReceiveMessage", "{" URL "}"), 200);
    assert_true(w.n_notified == 3 && w.notified_at_ms == 0); /* one is left: the next is called */
    assert_int_equal(call("ReceiveMessage", "{" URL "}"), 200);
    assert_true(w.n_notified == 4 && w.notified_at_ms == w.now_ms + 30000);
}

static void sixty_seconds(void **state)
{
    assert_int_equal(call("PurgeQueue", "{" URL "}"), 200);
    w.now_ms += 59999;
    assert_int_equal(call("PurgeQueue", "{" URL "}"), 403);
    w.now_ms++;
    assert_int_equal(call("PurgeQueue", "{" URL "}"), 200);
    assert_int_equal(call("DeleteQueue", "{" URL "}"), 200);
    w.now_ms += 59999;
    assert_int_equal(call("CreateQueue", "{\"QueueName\":\"q\"}"), 400);
    assert_true(says("com.amazonaws.sqs#QueueDeletedRecently"));
    w.now_ms++;
    assert_int_equal(call("CreateQueue", "{\"QueueName\":\"q\"}"), 200);
}

/* Twelve hours from the receive on, in all. */
static void visibility_ends(void **state)
{
    struct cof_buf body;
    const char *at;

    assert_int_equal(call("SendMessage", "{" URL ",\"MessageBody\":\"x\"}"), 200);
    assert_int_equal(call("ReceiveMessage", "{" URL ",\"VisibilityTimeout\":3600}"), 200);
    at = strstr(cof_buf_cstr(&w.reply.body), "\"ReceiptHandle\":\"");
    assert_non_null(at);
    cof_buf_init(&body, 4096);
    cof_buf_printf(&body, "{" URL ",\"ReceiptHandle\":\"%.112s\",\"VisibilityTimeout\":39601}", at + strlen("\"ReceiptHandle\":\""));
    w.now_ms += 3599000;
    assert_int_equal(call("ChangeMessageVisibility", cof_buf_cstr(&body)), 200);
    w.now_ms += 1001;
    assert_int_equal(call("ChangeMessageVisibility", cof_buf_cstr(&body)), 400);
    assert_true(says("Total VisibilityTimeout for the message is beyond the limit [43200 seconds]"));
    cof_buf_done(&body);
}

static void moving_keeps_its_pace(void **state)
{
#define ARN(name) "arn:aws:sqs:us-east-1:111122223333:" name
    assert_int_equal(call("CreateQueue", "{\"QueueName\":\"dead\"}"), 200);
    assert_int_equal(call("SetQueueAttributes", "{" URL ",\"Attributes\":{\"RedrivePolicy\":\"{\\\"deadLetterTargetArn\\\":\\\"" ARN("dead") "\\\","
                          "\\\"maxReceiveCount\\\":1}\"}}"), 200);
    for (int i = 0; i < 10; i++)
        assert_int_equal(call("SendMessage", "{" URL ",\"MessageBody\":\"x\"}"), 200);
    for (int i = 0; i < 2; i++)
        assert_int_equal(call("ReceiveMessage", "{" URL ",\"MaxNumberOfMessages\":10,\"VisibilityTimeout\":0}"), 200);
    assert_int_equal(call("StartMessageMoveTask", "{\"SourceArn\":\"" ARN("dead") "\",\"MaxNumberOfMessagesPerSecond\":2}"), 200);
    assert_int_equal(cof_standin_tick(w.s, w.now_ms), w.now_ms + 501);
    w.now_ms += 1500;
    (void)cof_standin_tick(w.s, w.now_ms);
    assert_int_equal(call("ListMessageMoveTasks", "{\"SourceArn\":\"" ARN("dead") "\"}"), 200);
    assert_true(says("\"Status\":\"RUNNING\"") && says("\"ApproximateNumberOfMessagesMoved\":3,\"ApproximateNumberOfMessagesToMove\":10"));
    w.now_ms += 60000;
    assert_int_equal(cof_standin_tick(w.s, w.now_ms), INT64_MAX);
    assert_int_equal(call("ListMessageMoveTasks", "{\"SourceArn\":\"" ARN("dead") "\"}"), 200);
    assert_true(says("\"Status\":\"COMPLETED\"") && says("\"ApproximateNumberOfMessagesMoved\":10"));
    /* What was sent there, and was never a dead letter, has no way back. */
    assert_int_equal(call("SendMessage", "{\"QueueUrl\":\"http://localhost/111122223333/dead\",\"MessageBody\":\"x\"}"), 200);
    assert_int_equal(call("StartMessageMoveTask", "{\"SourceArn\":\"" ARN("dead") "\"}"), 200);
    assert_int_equal(cof_standin_tick(w.s, w.now_ms), INT64_MAX);
    assert_int_equal(call("ListMessageMoveTasks", "{\"SourceArn\":\"" ARN("dead") "\",\"MaxResults\":10}"), 200);
    assert_true(says("\"Status\":\"FAILED\"") && says("CouldNotDetermineMessageSource") && says("\"COMPLETED\""));
}

static void hostile_requests_are_refused(void **state)
{
    static const struct { const char *operation, *body; int status; } cases[] = {
        {"SendMessage", "", 400}, {"SendMessage", "[]", 400}, {"SendMessage", "{", 400}, {"SendMessage", "{\"QueueUrl\":7}", 400},
        {"SendMessage", "{" URL "," URL "}", 400}, {"SendMessage", "{" URL ",\"MessageBody\":7}", 400},
        {"SendMessage", "{" URL ",\"MessageBody\":\"x\",\"MessageAttributes\":[]}", 400},
        {"SendMessage", "{" URL ",\"MessageBody\":\"x\",\"MessageAttributes\":{\"a\":7}}", 400},
        {"SendMessage", "{" URL ",\"MessageBody\":\"x\",\"MessageAttributes\":{\"a\":{\"DataType\":\"Binary\",\"BinaryValue\":\"*\"}}}", 400},
        {"SendMessage", "{" URL ",\"MessageBody\":\"x\",\"DelaySeconds\":\"7\"}", 400}, {"SendMessage", "{" URL ",\"MessageBody\":\"x\",\"DelaySeconds\":1.5}", 400},
        {"SendMessage", "{\"QueueUrl\":\"/\",\"MessageBody\":\"x\"}", 400}, {"SendMessage", "{\"QueueUrl\":\"//q\",\"MessageBody\":\"x\"}", 400},
        {"SendMessage", "{\"QueueUrl\":\"/111122223333/../q\",\"MessageBody\":\"x\"}", 400},
        {"SendMessageBatch", "{" URL ",\"Entries\":[7]}", 400}, {"SendMessageBatch", "{" URL ",\"Entries\":{}}", 400}, {"SendMessageBatch", "{" URL "}", 400},
        {"ReceiveMessage", "{" URL ",\"AttributeNames\":[7]}", 400}, {"ReceiveMessage", "{" URL ",\"MaxNumberOfMessages\":99999999999999}", 400},
        {"ReceiveMessage", "{" URL ",\"MessageAttributeNames\":[7,null,{}]}", 200},
        {"CreateQueue", "{\"QueueName\":\"a/b\"}", 400}, {"CreateQueue", "{\"QueueName\":\"r\",\"Attributes\":{\"DelaySeconds\":7}}", 400},
        {"CreateQueue", "{\"QueueName\":\"r\",\"tags\":{\"a\":7}}", 400}, {"SetQueueAttributes", "{" URL ",\"Attributes\":[]}", 400},
        {"TagQueue", "{" URL ",\"Tags\":[]}", 400}, {"UntagQueue", "{" URL ",\"TagKeys\":{}}", 400}, {"AddPermission", "{" URL ",\"Label\":\"l\"}", 400},
        {"AddPermission", "{" URL ",\"Label\":\"l\",\"AWSAccountIds\":[7],\"Actions\":[7]}", 400}, {"CancelMessageMoveTask", "{\"TaskHandle\":\"e30=\"}", 400},
        {"StartMessageMoveTask", "{\"SourceArn\":\"arn\"}", 404}, {"ListMessageMoveTasks", "{}", 400}, {"../SendMessage", "{}", 400},
        {NULL, "Action=SendMessage&QueueUrl=%zz", 400}, {NULL, "", 400}, {NULL, "Action=", 400}, {NULL, "Action=SendMessage", 400},
        {NULL, "Action=SendMessageBatch&QueueUrl=" SQS_WORLD_URL "&SendMessageBatchRequestEntry.1.Id=", 400},
        {NULL, "Action=SendMessage&QueueUrl=" SQS_WORLD_URL "&MessageBody.1=x", 400},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (call(cases[i].operation, cases[i].body) != cases[i].status)
            fail_msg("%s %s: %d in place of %d: %s", cases[i].operation, cases[i].body, w.reply.status, cases[i].status, cof_buf_cstr(&w.reply.body));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_waits_is_told_until_when_and_for_what, setup, teardown),
        cmocka_unit_test_setup_teardown(one_call_for_each_message, setup, teardown),
        cmocka_unit_test_setup_teardown(sixty_seconds, setup, teardown),
        cmocka_unit_test_setup_teardown(visibility_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(moving_keeps_its_pace, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_requests_are_refused, setup, teardown),
    };

    return cmocka_run_group_tests_name("standin/sqs", tests, NULL, NULL);
}
