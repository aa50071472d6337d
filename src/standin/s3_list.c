/* SPDX-License-Identifier: Apache-2.0
 *
 * Listings: one walk over ordered rows with prefix, delimiter and a maximum, told what to say of each row.
 */
#include "base/codec.h"
#include "base/date.h"
#include "standin/s3_find.h"
#include "standin/s3_record.h"

#include <stdio.h>
#include <string.h>

#define LIST_MAX 1000

struct walk {
    struct cof_s3_call *c;
    const char *space;
    bool three;          /* keys have a third part: version order or upload id */
    struct cof_view prefix, delimiter;
    bool url;            /* names are percent-encoded */
    bool as_ceph;
    bool owner;          /* said of each object */
    uint64_t max, n;
    uint64_t asked;      /* max as it was asked for, however large */
    bool more;
    struct cof_buf from;     /* where the scan goes on: row keys after this */
    struct cof_buf last_key; /* the last name given: a key or a common prefix */
    char last_third[80];
    struct cof_buf items, groups; /* XML */
    struct cof_buf owner_xml; /* made where it is first said: the same for all of the bucket */
    struct cof_buf seen;     /* versions: the key of the row before */
    bool seen_any, again;
    void (*say)(struct walk *w, struct cof_view key, struct cof_view third, const json_t *record, bool first_of_key);
};

static void walk_init(struct walk *w, struct cof_s3_call *c, const char *space, bool three)
{
    *w = (struct walk){.c = c, .space = space, .three = three};
    w->prefix = cof_s3_param(c, "prefix");
    w->delimiter = cof_s3_param(c, "delimiter");
    w->url = cof_view_eq_nocase(cof_s3_param(c, "encoding-type"), COF_LIT("url"));
    w->owner = cof_view_eq_str(cof_s3_param(c, "fetch-owner"), "true");
    cof_buf_init(&w->from, COF_STORE_KEY_MAX);
    cof_buf_init(&w->last_key, COF_STORE_KEY_MAX);
    cof_buf_init(&w->items, COF_STANDIN_REPLY_MAX);
    cof_buf_init(&w->groups, COF_STANDIN_REPLY_MAX);
    cof_buf_init(&w->seen, COF_STORE_KEY_MAX);
    cof_buf_init(&w->owner_xml, 1024);
}

static void walk_done(struct walk *w)
{
    cof_buf_done(&w->from);
    cof_buf_done(&w->last_key);
    cof_buf_done(&w->items);
    cof_buf_done(&w->groups);
    cof_buf_done(&w->seen);
    cof_buf_done(&w->owner_xml);
}

/* spec: encoding-type=url is not a URI's: a space is a plus sign, of the marks - _ . * and / stay, and no others. */
static void add_url(struct cof_buf *out, struct cof_view name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t b = name.data[i];
        bool plain = (b >= '0' && b <= '9') || (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || strchr("-_.*/", b) != NULL;

        if (b == ' ')
            cof_buf_add_u8(out, '+');
        else if (plain)
            cof_buf_add_u8(out, b);
        else
            cof_buf_printf(out, "%%%02X", b);
    }
}

static void add_name(const struct walk *w, struct cof_buf *out, const char *element, struct cof_view name)
{
    cof_buf_printf(out, "<%s>", element);
    if (w->url && w->as_ceph)
        cof_uri_encode(out, name, true);
    else if (w->url)
        add_url(out, name);
    else
        cof_xml_escape(out, name);
    cof_buf_printf(out, "</%s>", element);
}

static void set_buf(struct cof_buf *buf, struct cof_view v)
{
    cof_buf_reset(buf);
    cof_buf_add(buf, v);
}

/* Where in key the group ends that it falls into, or 0. */
static size_t group_end(const struct walk *w, struct cof_view key)
{
    if (w->delimiter.len == 0)
        return 0;
    for (size_t i = w->prefix.len; i + w->delimiter.len <= key.len; i++)
        if (cof_view_eq(cof_view_sub(key, i, w->delimiter.len), w->delimiter))
            return i + w->delimiter.len;
    return 0;
}

/* A key's group is said once, and the scan goes on behind it: no key sorts after its prefix and ff, since keys are UTF-8. */
static bool take_group(struct walk *w, struct cof_view group)
{
    cof_buf_reset(&w->from);
    cof_s3_key_of(&w->from, w->c->bucket, group);
    cof_buf_add_u8(&w->from, 0xff);
    w->again = true;
    if (w->n == w->max) {
        w->more = true;
        w->again = false;
        return false;
    }
    w->n++;
    cof_buf_add_str(&w->groups, "<CommonPrefixes>");
    add_name(w, &w->groups, "Prefix", group);
    cof_buf_add_str(&w->groups, "</CommonPrefixes>");
    set_buf(&w->last_key, group);
    w->last_third[0] = '\0';
    return false;
}

static bool on_row(void *arg, struct cof_view row, struct cof_view value)
{
    struct walk *w = arg;
    struct cof_view key = cof_view_sub(row, strlen(w->c->bucket) + 1, SIZE_MAX), third = {NULL, 0};
    bool first_of_key;
    json_t *record;
    size_t end;

    if (w->three && !cof_view_split(key, 0, &key, &third))
        return true;
    end = group_end(w, key);
    if (end > 0)
        return take_group(w, cof_view_sub(key, 0, end));
    first_of_key = !w->seen_any || !cof_view_eq(cof_buf_view(&w->seen), key);
    if (w->n == w->max) {
        w->more = true;
        return false;
    }
    if (cof_s3_parse(value, &record) != COF_OK)
        return true;
    w->n++;
    w->seen_any = true;
    set_buf(&w->seen, key);
    set_buf(&w->last_key, key);
    (void)snprintf(w->last_third, sizeof w->last_third, "%s",
        cof_s3_text(record, strcmp(w->space, "s3.upload") == 0 ? "upload" : "id"));
    w->say(w, key, third, record, first_of_key);
    json_decref(record);
    return true;
}

static enum cof_err walk_run(struct walk *w)
{
    struct cof_buf prefix;
    enum cof_err err = COF_OK;

    cof_buf_init(&prefix, COF_STORE_KEY_MAX);
    cof_s3_key_of(&prefix, w->c->bucket, w->prefix);
    if (w->max == 0)
        goto out;
    do {
        struct cof_buf from;

        w->again = false;
        cof_buf_init(&from, COF_STORE_KEY_MAX);
        cof_buf_add(&from, cof_buf_view(&w->from)); /* on_row may move w->from */
        err = w->c->store->scan(
            w->c->store->ctx, w->space, cof_buf_view(&prefix), cof_buf_view(&from), SIZE_MAX, on_row, w);
        cof_buf_done(&from);
    } while (err == COF_OK && w->again);
out:
    cof_buf_done(&prefix);
    return err;
}

/* Rows after this key; a key in a group stands for all of it. */
static void start_after(struct walk *w, struct cof_view key)
{
    size_t end;

    if (key.len == 0)
        return;
    end = cof_view_starts(key, w->prefix) ? group_end(w, key) : 0;
    cof_s3_key_of(&w->from, w->c->bucket, end > 0 ? cof_view_sub(key, 0, end) : key);
    if (end > 0)
        cof_buf_add_u8(&w->from, 0xff);
    else if (w->three)
        cof_buf_add_str(&w->from, "\x01"); /* past every third part: those begin after a NUL */
}

static void say_sums(struct cof_buf *out, const json_t *record)
{
    const json_t *sum = json_object_get(record, "sum");

    if (sum == NULL)
        return;
    cof_xml_element(out, "ChecksumAlgorithm", cof_view_str(cof_s3_text(sum, "alg")));
    cof_xml_element(out, "ChecksumType", cof_view_str(cof_s3_text(sum, "type")));
}

static void say_owner(struct walk *w)
{
    if (w->owner_xml.len == 0)
        cof_s3_add_owner(w->c, &w->owner_xml, "Owner");
    cof_buf_add(&w->items, cof_buf_view(&w->owner_xml));
}

static void say_contents(struct walk *w, struct cof_view key, const json_t *record, bool owner)
{
    char etag[80];

    cof_buf_add_str(&w->items, "<Contents>");
    add_name(w, &w->items, "Key", key);
    cof_s3_xml_date(&w->items, "LastModified", cof_s3_int(record, "modified"));
    cof_s3_etag(record, etag);
    cof_xml_element(&w->items, "ETag", cof_view_str(etag));
    say_sums(&w->items, record);
    cof_buf_printf(&w->items, "<Size>%lld</Size>", (long long)cof_s3_int(record, "size"));
    if (owner)
        say_owner(w);
    cof_buf_printf(&w->items, "<StorageClass>%s</StorageClass></Contents>", cof_s3_storage_class(record));
}

static void say_object(
    struct walk *w, struct cof_view key, struct cof_view third, const json_t *record, bool first_of_key)
{
    (void)third;
    (void)first_of_key;
    say_contents(w, key, record, w->owner);
}

static void say_object_v1(
    struct walk *w, struct cof_view key, struct cof_view third, const json_t *record, bool first_of_key)
{
    (void)third;
    (void)first_of_key;
    say_contents(w, key, record, true);
}

static bool common_checks(struct cof_s3_call *c, struct walk *w, const char *max_name, enum cof_err *err)
{
    struct cof_view encoding = cof_s3_param(c, "encoding-type");

    *err = cof_s3_setting(c->store, "as_ceph", &w->as_ceph);
    if (*err != COF_OK)
        return false;
    if (cof_s3_has_param(c, "encoding-type") && !w->url) {
        *err = cof_s3_bad_argument(c, "encoding-type", encoding, "Invalid Encoding Method specified in Request");
        return false;
    }
    if (!cof_s3_param_number(c, max_name, UINT32_MAX, LIST_MAX, &w->asked))
        return false;
    w->max = w->asked > LIST_MAX ? LIST_MAX : w->asked;
    return true;
}

static void say_frame(struct walk *w, const char *root)
{
    bool uploads = strcmp(root, "ListMultipartUploadsResult") == 0;
    struct cof_buf *b = &w->c->reply->body;

    cof_s3_xml_open(w->c, root);
    cof_xml_element(b, uploads ? "Bucket" : "Name", cof_view_str(w->c->bucket));
    if (!uploads || w->prefix.len > 0) /* spec: the other listings tell an empty one */
        add_name(w, b, "Prefix", w->prefix);
    if (w->delimiter.len > 0)
        add_name(w, b, "Delimiter", w->delimiter);
    if (w->url)
        cof_buf_add_str(b, "<EncodingType>url</EncodingType>");
    cof_buf_printf(b, "<IsTruncated>%s</IsTruncated>", w->more ? "true" : "false");
}

static enum cof_err say_end(struct walk *w, const char *root)
{
    struct cof_buf *b = &w->c->reply->body;

    if (cof_buf_err(&w->items) != COF_OK || cof_buf_err(&w->groups) != COF_OK)
        return COF_E_LIMIT;
    cof_buf_add(b, cof_buf_view(&w->items));
    cof_buf_add(b, cof_buf_view(&w->groups));
    return cof_s3_xml_close(w->c, root);
}

/* spec: what belongs to the other of the two listings is refused, not passed over. */
static bool of_this_version(struct cof_s3_call *c, bool two)
{
    static const struct { const char *name, *message; bool two; } others[] = {
        {"continuation-token", "continuation-token only supported in REST.GET.BUCKET with list-type=2", false},
        {"start-after", "startAfter only supported in REST.GET.BUCKET with list-type=2", false},
        {"marker", "Marker unsupported with REST.GET.BUCKET in list-type=2", true}};

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (others[i].two == two && cof_s3_has_param(c, others[i].name)) {
            (void)cof_s3_bad_argument(c, others[i].name, (struct cof_view){NULL, 0}, others[i].message);
            return false;
        }
    return true;
}

enum cof_err cof_s3_list_objects(struct cof_s3_call *c)
{
    struct walk w;
    struct cof_view marker = cof_s3_param(c, "marker");
    enum cof_err err;

    walk_init(&w, c, "s3.current", false);
    w.say = say_object_v1;
    if (!cof_s3_allowed(c, "s3:ListBucket", false, NULL, false, &err) || !of_this_version(c, false) ||
        !common_checks(c, &w, "max-keys", &err))
        goto out;
    start_after(&w, marker);
    err = walk_run(&w);
    if (err != COF_OK)
        goto out;
    say_frame(&w, "ListBucketResult");
    add_name(&w, &c->reply->body, "Marker", marker);
    cof_buf_printf(&c->reply->body, "<MaxKeys>%llu</MaxKeys>", (unsigned long long)w.asked);
    if (w.more && w.delimiter.len > 0)
        add_name(&w, &c->reply->body, "NextMarker", cof_buf_view(&w.last_key));
    err = say_end(&w, "ListBucketResult");
out:
    walk_done(&w);
    return err;
}

enum cof_err cof_s3_list_objects_v2(struct cof_s3_call *c)
{
    struct walk w;
    struct cof_view token = cof_s3_param(c, "continuation-token"), after = cof_s3_param(c, "start-after");
    struct cof_buf plain, next;
    enum cof_err err;

    if (!cof_view_eq_str(cof_s3_param(c, "list-type"), "2")) /* spec: every other value means the older listing */
        return cof_s3_list_objects(c);
    walk_init(&w, c, "s3.current", false);
    cof_buf_init(&plain, 8192);
    cof_buf_init(&next, 8192);
    w.say = say_object;
    if (!cof_s3_allowed(c, "s3:ListBucket", false, NULL, false, &err) || !of_this_version(c, true) ||
        !common_checks(c, &w, "max-keys", &err))
        goto out;
    if (cof_s3_has_param(c, "continuation-token") &&
        (token.len == 0 || cof_base64url_decode(token, &plain) != COF_OK)) {
        err = cof_s3_bad_argument(c, "continuation-token", (struct cof_view){NULL, 0}, "The continuation token provided is incorrect");
        goto out;
    }
    start_after(&w, token.len > 0 ? cof_buf_view(&plain) : after);
    err = walk_run(&w);
    if (err != COF_OK)
        goto out;
    say_frame(&w, "ListBucketResult");
    cof_buf_printf(&c->reply->body, "<MaxKeys>%llu</MaxKeys><KeyCount>%llu</KeyCount>", (unsigned long long)w.asked,
        (unsigned long long)w.n);
    if (token.len > 0)
        cof_xml_element(&c->reply->body, "ContinuationToken", token);
    if (after.len > 0 && (token.len == 0 || w.as_ceph))
        add_name(&w, &c->reply->body, "StartAfter", after);
    if (w.more) {
        cof_base64url_add(&next, cof_buf_view(&w.last_key));
        cof_xml_element(&c->reply->body, "NextContinuationToken", cof_buf_view(&next));
    }
    err = say_end(&w, "ListBucketResult");
out:
    cof_buf_done(&plain);
    cof_buf_done(&next);
    walk_done(&w);
    return err;
}

static void say_version(
    struct walk *w, struct cof_view key, struct cof_view third, const json_t *record, bool first_of_key)
{
    bool marker = cof_s3_is(record, "marker");
    char etag[80];

    (void)third;
    cof_buf_add_str(&w->items, marker ? "<DeleteMarker>" : "<Version>");
    add_name(w, &w->items, "Key", key);
    cof_xml_element(&w->items, "VersionId", cof_view_str(cof_s3_text(record, "id")));
    cof_xml_element(&w->items, "IsLatest", first_of_key ? COF_LIT("true") : COF_LIT("false"));
    cof_s3_xml_date(&w->items, "LastModified", cof_s3_int(record, "modified"));
    if (!marker) {
        cof_s3_etag(record, etag);
        cof_xml_element(&w->items, "ETag", cof_view_str(etag));
        say_sums(&w->items, record);
        cof_buf_printf(&w->items, "<Size>%lld</Size><StorageClass>%s</StorageClass>", (long long)cof_s3_int(record, "size"),
            cof_s3_storage_class(record));
    }
    say_owner(w);
    cof_buf_add_str(&w->items, marker ? "</DeleteMarker>" : "</Version>");
}

/* Goes on behind one version of a key. That version may be gone since: its id tells where it was, but for "null", in whose
 * place all of the key is said. What comes next is the latest unless a newer one is left. */
static enum cof_err start_after_version(struct walk *w, struct cof_view key, struct cof_view id)
{
    json_t *record = NULL, *newest = NULL;
    char order[COF_S3_VERSION_ID / 2 + 1] = "";
    enum cof_err err;

    if (!cof_s3_version_id_ok(w->c, id))
        return COF_OK;
    cof_buf_reset(&w->c->key);
    cof_buf_add(&w->c->key, key);
    err = cof_s3_object_get(w->c, id, &record);
    if (err == COF_OK)
        (void)snprintf(order, sizeof order, "%s", cof_s3_text(record, "order"));
    else if (err == COF_E_NOT_FOUND && id.len == COF_S3_VERSION_ID)
        (void)snprintf(order, sizeof order, "%.*s", COF_S3_VERSION_ID / 2, (const char *)id.data);
    if (err == COF_OK || err == COF_E_NOT_FOUND)
        err = cof_s3_object_newest(w->c, &newest);
    cof_buf_reset(&w->c->key);
    cof_s3_key_of3(&w->from, w->c->bucket, key, cof_view_str(order));
    w->seen_any = newest != NULL && strcmp(cof_s3_text(newest, "order"), order) <= 0;
    set_buf(&w->seen, key);
    json_decref(record);
    json_decref(newest);
    return err == COF_E_NOT_FOUND ? COF_OK : err;
}

enum cof_err cof_s3_list_versions(struct cof_s3_call *c)
{
    struct cof_view key_marker = cof_s3_param(c, "key-marker"), id_marker = cof_s3_param(c, "version-id-marker");
    struct cof_buf *b = &c->reply->body;
    struct walk w;
    enum cof_err err;

    walk_init(&w, c, "s3.version", true);
    w.say = say_version;
    if (!cof_s3_allowed(c, "s3:ListBucketVersions", false, NULL, false, &err) ||
        !common_checks(c, &w, "max-keys", &err))
        goto out;
    if (id_marker.len > 0 && key_marker.len == 0) {
        err = cof_s3_bad_argument(c, "version-id-marker", id_marker, "A version-id marker cannot be specified without a key marker.");
        goto out;
    }
    if (id_marker.len > 0)
        err = start_after_version(&w, key_marker, id_marker);
    else
        start_after(&w, key_marker);
    if (err != COF_OK || c->reply->status != 0)
        goto out;
    err = walk_run(&w);
    if (err != COF_OK)
        goto out;
    say_frame(&w, "ListVersionsResult");
    add_name(&w, b, "KeyMarker", key_marker);
    cof_xml_element(b, "VersionIdMarker", id_marker);
    cof_buf_printf(b, "<MaxKeys>%llu</MaxKeys>", (unsigned long long)w.max);
    if (w.more) {
        add_name(&w, b, "NextKeyMarker", cof_buf_view(&w.last_key));
        if (w.last_third[0] != '\0')
            cof_xml_element(b, "NextVersionIdMarker", cof_view_str(w.last_third));
    }
    err = say_end(&w, "ListVersionsResult");
out:
    walk_done(&w);
    return err;
}

static void say_upload(
    struct walk *w, struct cof_view key, struct cof_view third, const json_t *record, bool first_of_key)
{
    (void)first_of_key;
    cof_buf_add_str(&w->items, "<Upload>");
    add_name(w, &w->items, "Key", key);
    cof_xml_element(&w->items, "UploadId", third);
    cof_s3_add_owner(w->c, &w->items, "Initiator");
    say_owner(w);
    cof_buf_printf(&w->items, "<StorageClass>%s</StorageClass>", cof_s3_storage_class(record));
    cof_s3_xml_date(&w->items, "Initiated", cof_s3_int(record, "created"));
    if (cof_s3_is(record, "sum_asked")) {
        cof_xml_element(&w->items, "ChecksumAlgorithm", cof_view_str(cof_s3_text(record, "sum_alg")));
        cof_xml_element(&w->items, "ChecksumType", cof_view_str(cof_s3_text(record, "sum_type")));
    }
    cof_buf_add_str(&w->items, "</Upload>");
}

/* Whether that is an upload of that key. */
static bool is_upload(struct cof_s3_call *c, struct cof_view key, struct cof_view id, enum cof_err *err)
{
    json_t *record = NULL;
    struct cof_buf row;

    cof_buf_init(&row, COF_STORE_KEY_MAX);
    cof_s3_key_of3(&row, c->bucket, key, id);
    *err = cof_buf_err(&row) == COF_OK && cof_view_find(id, 0) == SIZE_MAX ? cof_s3_load(c->store, "s3.upload", cof_buf_view(&row), &record) :
                                                                          COF_E_NOT_FOUND;
    cof_buf_done(&row);
    json_decref(record);
    if (*err == COF_E_NOT_FOUND)
        *err = COF_OK;
    return *err == COF_OK && record != NULL;
}

enum cof_err cof_s3_list_uploads(struct cof_s3_call *c)
{
    struct cof_view key_marker = cof_s3_param(c, "key-marker"), id_marker = cof_s3_param(c, "upload-id-marker");
    struct cof_buf *b = &c->reply->body;
    struct walk w;
    enum cof_err err;

    walk_init(&w, c, "s3.upload", true);
    w.say = say_upload;
    if (!cof_s3_allowed(c, "s3:ListBucketMultipartUploads", false, NULL, false, &err) ||
        !common_checks(c, &w, "max-uploads", &err))
        goto out;
    if (key_marker.len == 0)
        id_marker.len = 0; /* spec: which is not looked at then, and told as empty */
    if (id_marker.len > 0 && !is_upload(c, key_marker, id_marker, &err)) {
        err = err == COF_OK ? cof_s3_bad_argument(c, "upload-id-marker", id_marker, "Invalid uploadId marker") : err;
        goto out;
    }
    if (id_marker.len > 0)
        cof_s3_key_of3(&w.from, c->bucket, key_marker, id_marker);
    else
        start_after(&w, key_marker);
    err = walk_run(&w);
    if (err != COF_OK)
        goto out;
    say_frame(&w, "ListMultipartUploadsResult");
    add_name(&w, b, "KeyMarker", key_marker);
    cof_xml_element(b, "UploadIdMarker", id_marker);
    cof_buf_printf(b, "<MaxUploads>%llu</MaxUploads>", (unsigned long long)w.max);
    /* spec: told of every page, the last one too, and of uploads alone: both are empty where a common prefix came last */
    add_name(&w, b, "NextKeyMarker", w.last_third[0] != '\0' ? cof_buf_view(&w.last_key) : COF_LIT(""));
    cof_xml_element(b, "NextUploadIdMarker", cof_view_str(w.last_third));
    err = say_end(&w, "ListMultipartUploadsResult");
out:
    walk_done(&w);
    return err;
}
