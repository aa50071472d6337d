/* SPDX-License-Identifier: Apache-2.0
 *
 * Parameters of the query protocol as those of the JSON protocol, and JSON answers as XML.
 */
#include "testing.h"

#include "standin/sqs_api.h"

static void expect(const char *form, const char *action, const char *json)
{
    struct cof_buf name;
    json_t *got, *want = json_loads(json, 0, NULL);

    cof_buf_init(&name, 100);
    assert_ok(cof_sqs_form_parse(cof_view_str(form), &got, &name));
    assert_string_equal(cof_buf_cstr(&name), action);
    assert_true(json_equal(got, want));
    json_decref(got);
    json_decref(want);
    cof_buf_done(&name);
}

static void parameters_become_members(void **state)
{
    expect("Action=SendMessage&Version=2012-11-05&MessageBody=a+b%26%C3%A4&DelaySeconds=7&X-Amz-Date=1", "SendMessage",
           "{\"MessageBody\":\"a b&\xc3\xa4\",\"DelaySeconds\":7}");
    expect("Action=ReceiveMessage&AttributeName.1=All&AttributeName.2=x&AttributeName.4=unseen&MaxNumberOfMessages=-3&WaitTimeSeconds=x", "ReceiveMessage",
           "{\"AttributeNames\":[\"All\",\"x\"],\"MaxNumberOfMessages\":-3,\"WaitTimeSeconds\":\"x\"}");
    expect("Action=CreateQueue&QueueName=q&Attribute.1.Name=a&Attribute.1.Value=1&Attribute.2.Name=b&Tag.1.Key=k&Tag.1.Value=v", "CreateQueue",
           "{\"QueueName\":\"q\",\"Attributes\":{\"a\":\"1\",\"b\":\"\"},\"tags\":{\"k\":\"v\"}}");
    expect("Action=TagQueue&Tag.1.Key=k&Tag.1.Value=v", "TagQueue", "{\"Tags\":{\"k\":\"v\"}}");
    expect("Action=SetQueueAttributes&Attribute.Name=a&Attribute.Value=1", "SetQueueAttributes", "{\"Attributes\":{\"a\":\"1\"}}");
    expect("Action=SendMessageBatch&SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=b&SendMessageBatchRequestEntry.2.Id=c"
           "&SendMessageBatchRequestEntry.2.DelaySeconds=5&SendMessageBatchRequestEntry.2.MessageAttribute.1.Name=n&SendMessageBatchRequestEntry.2."
           "MessageAttribute.1.Value.DataType=String&SendMessageBatchRequestEntry.2.MessageAttribute.1.Value.StringValue=v", "SendMessageBatch",
           "{\"Entries\":[{\"Id\":\"a\",\"MessageBody\":\"b\"},{\"Id\":\"c\",\"DelaySeconds\":5,\"MessageAttributes\":{\"n\":{\"DataType\":\"String\","
           "\"StringValue\":\"v\"}}}]}");
    expect("Action=AddPermission&Label=l&AWSAccountId.1=1&ActionName.1=*", "AddPermission", "{\"Label\":\"l\",\"AWSAccountIds\":[\"1\"],\"Actions\":[\"*\"]}");
    expect("", "", "{}");
}

static void forms_that_mean_nothing_are_refused(void **state)
{
    static const char *const forms[] = {"a=1&a=2", "a=1&a.b=2", "a.b=2&a=1", "a..b=1", ".a=1", "a.=1", "=1", "a=%zz", "a=%", "a=%ff", "%ff=1", "a%00b=1",
                                        "a.b.c.d.e.f.g.h.i=1", "Attribute.1.Name=a&Attribute.2.Name=a", "Attribute.1.Value=1", "AttributeName.1.x=1",
                                        "DelaySeconds.1=3", "SendMessageBatchRequestEntry.1=x"};
    struct cof_buf name, many;
    json_t *got;

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        cof_buf_init(&name, 100);
        assert_int_equal(cof_sqs_form_parse(cof_view_str(forms[i]), &got, &name), COF_E_FORMAT);
        assert_null(got);
        cof_buf_done(&name);
    }
    cof_buf_init(&name, 100);
    cof_buf_init(&many, 65536);
    for (int i = 0; i < 1001; i++)
        cof_buf_printf(&many, "p%d=1&", i);
    assert_int_equal(cof_sqs_form_parse(cof_buf_view(&many), &got, &name), COF_E_LIMIT);
    cof_buf_done(&many);
    cof_buf_done(&name);
}

static void answers_are_flattened(void **state)
{
    static const struct { const char *operation, *json, *xml; } cases[] = {
        {"DeleteMessage", NULL, ""},
        {"ListQueues", "{\"QueueUrls\":[\"a&b\",\"c\"],\"NextToken\":\"t\"}", "<ListQueuesResult><QueueUrl>a&amp;b</QueueUrl><QueueUrl>c</QueueUrl><NextToken>t"
         "</NextToken></ListQueuesResult>"},
        {"SendMessageBatch", "{\"Successful\":[{\"Id\":\"1\"}],\"Failed\":[{\"SenderFault\":true,\"Id\":\"2\"}]}", "<SendMessageBatchResult>"
         "<SendMessageBatchResultEntry><Id>1</Id></SendMessageBatchResultEntry><BatchResultErrorEntry><SenderFault>true</SenderFault><Id>2</Id>"
         "</BatchResultErrorEntry></SendMessageBatchResult>"},
        {"ReceiveMessage", "{\"Messages\":[{\"Body\":\"<\",\"Attributes\":{\"SenderId\":\"s\"},\"MessageAttributes\":{\"n\":{\"StringValue\":\"v\"}}}]}",
         "<ReceiveMessageResult><Message><Body>&lt;</Body><Attribute><Name>SenderId</Name><Value>s</Value></Attribute><MessageAttribute><Name>n</Name>"
         "<Value><StringValue>v</StringValue></Value></MessageAttribute></Message></ReceiveMessageResult>"},
        {"ListQueueTags", "{\"Tags\":{\"k\":\"v\"}}", "<ListQueueTagsResult><Tag><Key>k</Key><Value>v</Value></Tag></ListQueueTagsResult>"},
        {"CancelMessageMoveTask", "{\"ApproximateNumberOfMessagesMoved\":7}",
         "<CancelMessageMoveTaskResult><ApproximateNumberOfMessagesMoved>7</ApproximateNumberOfMessagesMoved></CancelMessageMoveTaskResult>"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *json = cases[i].json == NULL ? NULL : json_loads(cases[i].json, 0, NULL);
        struct cof_buf out, want;

        cof_buf_init(&out, 65536);
        cof_buf_init(&want, 65536);
        assert_ok(cof_sqs_xml_write(cases[i].operation, json, "rid", &out));
        cof_buf_printf(&want, "<?xml version=\"1.0\"?><%sResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\">%s<ResponseMetadata><RequestId>rid"
                       "</RequestId></ResponseMetadata></%sResponse>", cases[i].operation, cases[i].xml, cases[i].operation);
        assert_string_equal(cof_buf_cstr(&out), cof_buf_cstr(&want));
        cof_buf_done(&out);
        cof_buf_done(&want);
        json_decref(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_become_members),
        cmocka_unit_test(forms_that_mean_nothing_are_refused),
        cmocka_unit_test(answers_are_flattened),
    };

    return cmocka_run_group_tests_name("standin/sqs_form", tests, NULL, NULL);
}
