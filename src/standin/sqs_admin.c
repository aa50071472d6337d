/* SPDX-License-Identifier: Apache-2.0
 *
 * Queues as such: making, finding, listing, purging and deleting them.
 */
#include "standin/sqs_api.h"

#include "base/codec.h"

#include <stdio.h>
#include <string.h>

#define WAIT_MS 60000 /* between deleting a queue and making one of that name, and between two purges */
#define LIST_MAX 1000

static void write_url(struct cof_sqs_call *c, const char *name)
{
    struct cof_buf url;

    cof_buf_init(&url, 1024);
    cof_sqs_queue_url(c->s, name, &url);
    cof_buf_add_str(&c->out, "{");
    cof_json_add_member(&c->out, "QueueUrl", cof_buf_view(&url));
    cof_buf_add_str(&c->out, "}");
    cof_buf_done(&url);
}

/* An ARN of a queue of ours that may not be there. */
static void arn_of(struct cof_sqs_call *c, struct cof_view name, char out[300])
{
    (void)snprintf(out, 300, "arn:aws:sqs:%s:%s:%.*s", cof_standin_region(c->s), cof_standin_account(c->s),
                   (int)(name.len < 100 ? name.len : 100), (const char *)name.data);
}

/* The one that is there, if what is asked for is what it is. */
static enum cof_err as_it_is(struct cof_sqs_call *c, const struct cof_sqs_queue *queue, const json_t *given)
{
    json_t *mutable = (json_t *)(uintptr_t)given, *value;
    const char *name;

    json_object_foreach(mutable, name, value) {
        const char *is = cof_sqs_attribute_value(queue, name), *asked = json_string_value(value);
        bool same;

        if (strcmp(name, "RedrivePolicy") == 0 || strcmp(name, "RedriveAllowPolicy") == 0 || strcmp(name, "Policy") == 0) {
            json_t *a = json_loads(is == NULL || is[0] == '\0' ? "{}" : is, 0, NULL);
            json_t *b = json_loads(asked[0] == '\0' ? "{}" : asked, 0, NULL);

            same = json_equal(a, b) == 1;
            json_decref(a);
            json_decref(b);
        } else {
            same = strcmp(is == NULL ? "" : is, asked) == 0;
        }
        if (!same)
            return cof_sqs_refuse(&c->refusal, COF_SQS_QUEUE_NAME_EXISTS,
                                  "A queue already exists with the same name and a different value for attribute %s", name);
    }
    write_url(c, queue->name);
    return COF_OK;
}

static enum cof_err make(struct cof_sqs_call *c, struct cof_view name, const json_t *given, const json_t *tags)
{
    const char *attribute;
    json_t *kept = json_object(), *mutable = (json_t *)(uintptr_t)given, *value;
    int64_t deleted_ms;
    enum cof_err err = kept == NULL ? COF_E_MEMORY : cof_sqs_queue_gone(c->s, name, &deleted_ms);

    if (err == COF_OK && c->req->now_ms - deleted_ms < WAIT_MS)
        err = cof_sqs_refuse(&c->refusal, COF_SQS_QUEUE_DELETED_RECENTLY,
                             "You must wait 60 seconds after deleting a queue before you can create another with the same name.");
    json_object_foreach(mutable, attribute, value) {
        if (json_string_length(value) > 0 && json_object_set(kept, attribute, value) != 0)
            err = COF_E_MEMORY;
    }
    if (json_object_get(kept, "KmsMasterKeyId") != NULL)
        (void)json_object_del(kept, "SqsManagedSseEnabled");
    if (err == COF_OK && c->refusal.code == COF_SQS_FINE)
        err = cof_sqs_queue_make(c->s, name, kept, tags, c->req->now_ms, &c->queue);
    json_decref(kept);
    if (err == COF_OK && c->queue != NULL)
        write_url(c, c->queue->name);
    return err;
}

enum cof_err cof_sqs_op_create_queue(struct cof_sqs_call *c)
{
    const json_t *given = json_object_get(c->in, "Attributes"), *tags = json_object_get(c->in, "tags");
    struct cof_sqs_queue *there;
    struct cof_view name;
    char arn[300];
    enum cof_err err;

    if (!cof_sqs_text(c, c->in, "QueueName", &name))
        return COF_OK;
    if (cof_view_ends(name, COF_LIT(".fifo")))
        return cof_sqs_refuse(&c->refusal, COF_SQS_UNSUPPORTED_OPERATION, "FIFO queues are not supported here; queues are standard queues.");
    if (!cof_sqs_queue_is_name(name))
        return cof_sqs_refuse(&c->refusal, COF_SQS_INVALID_PARAMETER_VALUE,
                              "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length");
    arn_of(c, name, arn);
    err = cof_sqs_queue_get(c->s, name, &there);
    if (err != COF_OK && err != COF_E_NOT_FOUND)
        return err;
    if (!cof_sqs_allowed(c, "sqs:CreateQueue", there, cof_view_str(arn), &err))
        return err;
    if (json_object_size(tags) > 0 && !cof_sqs_allowed(c, "sqs:TagQueue", there, cof_view_str(arn), &err))
        return err;
    err = cof_sqs_attributes_check(c, there, given, true);
    if (err == COF_OK && c->refusal.code == COF_SQS_FINE)
        err = cof_sqs_tags_check(c, tags, 0);
    if (err != COF_OK || c->refusal.code != COF_SQS_FINE)
        return err;
    return there != NULL ? as_it_is(c, there, given) : make(c, name, given, tags);
}

enum cof_err cof_sqs_op_delete_queue(struct cof_sqs_call *c)
{
    enum cof_err err;

    return cof_sqs_open(c, "sqs:DeleteQueue", &err) ? cof_sqs_queue_delete(c->s, c->queue, c->req->now_ms) : err;
}

enum cof_err cof_sqs_op_get_queue_url(struct cof_sqs_call *c)
{
    const char *account = c->req->principal->account; /* a caller's own queues are meant unless it says whose */
    struct cof_view name, owner;
    char arn[300];
    enum cof_err err;

    if (!cof_sqs_text(c, c->in, "QueueName", &name))
        return COF_OK;
    if (cof_json_text_or(c->in, "QueueOwnerAWSAccountId", account[0] != '\0' ? account : cof_standin_account(c->s), &owner, NULL) != COF_OK)
        return cof_sqs_refuse(&c->refusal, COF_SQS_SERIALIZATION, "QueueOwnerAWSAccountId must be text.");
    if (!cof_view_eq_str(owner, cof_standin_account(c->s)))
        return cof_sqs_refuse(&c->refusal, COF_SQS_QUEUE_DOES_NOT_EXIST, "The specified queue does not exist.");
    arn_of(c, name, arn);
    err = cof_sqs_queue_get(c->s, name, &c->queue);
    if (err != COF_OK && err != COF_E_NOT_FOUND)
        return err;
    if (!cof_sqs_allowed(c, "sqs:GetQueueUrl", c->queue, cof_view_str(arn), &err))
        return err;
    if (c->queue == NULL)
        return cof_sqs_refuse(&c->refusal, COF_SQS_QUEUE_DOES_NOT_EXIST, "The specified queue does not exist.");
    write_url(c, c->queue->name);
    return COF_OK;
}

enum cof_err cof_sqs_op_purge_queue(struct cof_sqs_call *c)
{
    int64_t purged_ms;
    enum cof_err err;

    if (!cof_sqs_open(c, "sqs:PurgeQueue", &err))
        return err;
    purged_ms = json_integer_value(json_object_get(c->queue->record, "purged_ms"));
    if (c->req->now_ms - purged_ms < WAIT_MS)
        return cof_sqs_refuse(&c->refusal, COF_SQS_PURGE_QUEUE_IN_PROGRESS, "Only one PurgeQueue operation on %s is allowed every 60 seconds.",
                              c->queue->name);
    return cof_sqs_queue_purge(c->s, c->queue, c->req->now_ms);
}

/* A page of names: as many as asked for, and whether there are more. */
struct page {
    struct cof_sqs_call *c;
    size_t n, most;
    char last[COF_SQS_NAME_MAX + 1];
    bool more;
};

static bool add_name(void *arg, const char *name)
{
    struct page *p = arg;
    struct cof_buf url;

    if (p->n == p->most) {
        p->more = true;
        return false;
    }
    cof_buf_init(&url, 1024);
    cof_sqs_queue_url(p->c->s, name, &url);
    if (p->n++ > 0)
        cof_buf_add_str(&p->c->out, ",");
    cof_json_add_text(&p->c->out, cof_buf_view(&url));
    (void)snprintf(p->last, sizeof p->last, "%s", name);
    cof_buf_done(&url);
    return true;
}

/* MaxResults and NextToken, which is the last name of the page before, in base64. */
static bool read_page(struct cof_sqs_call *c, struct page *p, struct cof_buf *after)
{
    const json_t *given = json_object_get(c->in, "MaxResults");
    struct cof_view token;
    int64_t most;

    cof_buf_init(after, COF_SQS_NAME_MAX);
    p->c = c;
    if (!cof_sqs_int(c->in, "MaxResults", 1, LIST_MAX, LIST_MAX, "Must be between 1 and 1000, if provided.", &most, &c->refusal))
        return false;
    p->most = (size_t)most;
    if (cof_json_text_or(c->in, "NextToken", "", &token, NULL) != COF_OK || cof_base64_decode(token, after) != COF_OK ||
        (token.len > 0 && (given == NULL || !cof_sqs_queue_is_name(cof_buf_view(after))))) {
        (void)cof_sqs_refuse(&c->refusal, COF_SQS_INVALID_PARAMETER_VALUE, "Invalid or expired next token.");
        return false;
    }
    return true;
}

static void write_page_end(struct cof_sqs_call *c, const struct page *p)
{
    cof_buf_add_str(&c->out, "]");
    if (p->more && json_object_get(c->in, "MaxResults") != NULL) /* spec: without MaxResults there is no token, and 1000 are all */
        cof_json_add_member_base64(&c->out, "NextToken", cof_view_str(p->last));
    cof_buf_add_str(&c->out, "}");
}

static bool list_one(void *arg, struct cof_view key, struct cof_view value)
{
    char name[COF_SQS_NAME_MAX + 1];

    (void)value;
    (void)snprintf(name, sizeof name, "%.*s", (int)key.len, (const char *)key.data);
    return add_name(arg, name);
}

enum cof_err cof_sqs_op_list_queues(struct cof_sqs_call *c)
{
    const struct cof_store *store = cof_standin_store(c->s);
    struct page p = {.n = 0};
    struct cof_view prefix;
    struct cof_buf after = {0};
    char arn[300];
    enum cof_err err;

    arn_of(c, COF_LIT("*"), arn);
    if (!cof_sqs_allowed(c, "sqs:ListQueues", NULL, cof_view_str(arn), &err))
        return err;
    if (cof_json_text_or(c->in, "QueueNamePrefix", "", &prefix, NULL) != COF_OK)
        return cof_sqs_refuse(&c->refusal, COF_SQS_SERIALIZATION, "QueueNamePrefix must be text.");
    if (read_page(c, &p, &after)) {
        cof_buf_add_str(&c->out, "{\"QueueUrls\":[");
        err = store->scan(store->ctx, "sqs.queue", prefix, cof_buf_view(&after), p.most + 1, list_one, &p);
        write_page_end(c, &p);
        if (p.n == 0) { /* spec: no queues are no member */
            cof_buf_reset(&c->out);
            cof_buf_add_str(&c->out, "{}");
        }
    }
    cof_buf_done(&after);
    return err;
}

struct sources {
    struct cof_standin *s;
    const char *dead;
    bool (*each)(void *arg, const char *name);
    void *arg;
    bool go_on;
};

static bool see_source(void *arg, struct cof_view key, struct cof_view value)
{
    struct sources *f = arg;
    struct cof_view target;
    const char *redrive;
    char arn[300], name[COF_SQS_NAME_MAX + 1];
    json_t *record;
    int64_t most;

    if (cof_json_parse_object(value, COF_STORE_VALUE_MAX, &record, NULL) != COF_OK)
        return true;
    redrive = json_string_value(json_object_get(json_object_get(record, "attributes"), "RedrivePolicy"));
    if (redrive != NULL && cof_sqs_redrive_parse(redrive, arn, sizeof arn, &most) == COF_OK &&
        cof_sqs_queue_of_arn(f->s, cof_view_str(arn), &target) && cof_view_eq_str(target, f->dead)) {
        (void)snprintf(name, sizeof name, "%.*s", (int)key.len, (const char *)key.data);
        f->go_on = f->each(f->arg, name);
    }
    json_decref(record);
    return f->go_on;
}

enum cof_err cof_sqs_each_source(struct cof_standin *s, const char *dead, struct cof_view after, bool (*each)(void *arg, const char *name), void *arg)
{
    const struct cof_store *store = cof_standin_store(s);
    struct sources f = {.s = s, .dead = dead, .each = each, .arg = arg, .go_on = true};

    return store->scan(store->ctx, "sqs.queue", (struct cof_view){0}, after, SIZE_MAX, see_source, &f);
}

enum cof_err cof_sqs_op_list_sources(struct cof_sqs_call *c)
{
    struct page p = {.n = 0};
    struct cof_buf after = {0};
    enum cof_err err;

    if (!cof_sqs_open(c, "sqs:ListDeadLetterSourceQueues", &err))
        return err;
    if (read_page(c, &p, &after)) {
        cof_buf_add_str(&c->out, "{\"queueUrls\":[");
        err = cof_sqs_each_source(c->s, c->queue->name, cof_buf_view(&after), add_name, &p);
        write_page_end(c, &p);
    }
    cof_buf_done(&after);
    return err;
}
