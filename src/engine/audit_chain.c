/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/audit_chain.h"

#include "base/codec.h"
#include "base/date.h"
#include "base/num.h"
#include "crypto/hash.h"
#include "format/json.h"

#include <stdio.h>
#include <string.h>

#define PREFIX "{\"sequence\":"
#define MIDDLE ",\"previousHash\":\""

void cof_audit_chain_init(struct cof_audit_chain *chain)
{
    *chain = (struct cof_audit_chain){.next = 1};
}

enum cof_err cof_audit_append(struct cof_audit_chain *chain, struct cof_view record, struct cof_buf *out)
{
    struct cof_audit_chain before = *chain;
    size_t start = out->len;
    enum cof_err err;

    if (record.len < 3 || record.data[0] != '{' || record.len > COF_AUDIT_LINE_MAX - 200 ||
        memchr(record.data, '\n', record.len) != NULL)
        return COF_E_BUG;
    cof_buf_add(out, COF_LIT(PREFIX));
    cof_buf_add_decimal(out, chain->next);
    cof_buf_add(out, COF_LIT(MIDDLE));
    cof_hex_add(out, cof_view_of(chain->hash, sizeof chain->hash));
    cof_buf_add(out, COF_LIT("\","));
    cof_buf_add(out, cof_view_sub(record, 1, SIZE_MAX));
    err = cof_buf_err(out);
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, cof_view_sub(cof_buf_view(out), start, SIZE_MAX), chain->hash);
    cof_buf_add_u8(out, '\n');
    if (err == COF_OK)
        err = cof_buf_err(out);
    if (err != COF_OK) {
        *chain = before;
        cof_buf_truncate(out, start);
        return err;
    }
    chain->next++;
    return COF_OK;
}

void cof_audit_own_record(const struct cof_audit_place *place, const char *event_name, const char *id,
                          struct cof_view data, struct cof_buf *out)
{
    char time[COF_DATE_MAX];

    cof_date_iso(place->now_ms, time);
    cof_buf_printf(out,
        "{\"eventVersion\":\"" COF_AUDIT_VERSION "\",\"userIdentity\":{\"accountId\":\"%s\",\"invokedBy\":\"" COF_AUDIT_SOURCE
        "\"},\"eventTime\":\"%s\",\"eventSource\":\"" COF_AUDIT_SOURCE
        "\",\"eventName\":\"%s\",\"awsRegion\":\"%s\",\"sourceIPAddress\":\"" COF_AUDIT_SOURCE
        "\",\"userAgent\":\"" COF_AUDIT_SOURCE "\",\"requestParameters\":null,\"responseElements\":null",
        place->account, time, event_name, place->region);
    if (data.len > 0) {
        cof_buf_add_str(out, ",\"additionalEventData\":");
        cof_buf_add(out, data);
    }
    cof_buf_printf(out,
        ",\"eventID\":\"%s\",\"readOnly\":true,\"eventType\":\"AwsServiceEvent\",\"managementEvent\":true,"
        "\"recipientAccountId\":\"%s\",\"eventCategory\":\"Management\"}", id, place->account);
}

/* What is signed: this line's own number, the hash of all before, and when. */
static void signed_text(uint64_t sequence, const uint8_t previous[32], const char *time, struct cof_buf *out)
{
    cof_buf_printf(out, "coffer audit chain 1\n%llu\n", (unsigned long long)sequence);
    cof_hex_add(out, cof_view_of(previous, 32));
    cof_buf_printf(out, "\n%s\n", time);
}

static enum cof_err key_digest(const struct cof_ecdsa_key *key, char hex[65])
{
    struct cof_buf spki;
    uint8_t digest[32];
    enum cof_err err;

    cof_buf_init(&spki, 256);
    err = cof_ecdsa_spki(key, &spki);
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, cof_buf_view(&spki), digest);
    if (err == COF_OK)
        cof_hex_encode(digest, sizeof digest, hex);
    cof_buf_done(&spki);
    return err;
}

enum cof_err cof_audit_sign(struct cof_audit_chain *chain, const struct cof_ecdsa_key *key,
                            const struct cof_audit_place *place, const char *id, struct cof_buf *out)
{
    struct cof_buf text, signature, data, record;
    char time[COF_DATE_MAX], hex[65];
    enum cof_err err;

    cof_buf_init(&text, 256);
    cof_buf_init(&signature, COF_ECDSA_SIG_MAX);
    cof_buf_init(&data, 1024);
    cof_buf_init(&record, 4096);
    cof_date_iso(place->now_ms, time);
    signed_text(chain->next, chain->hash, time, &text);
    err = cof_ecdsa_sign(key, COF_SHA256, cof_buf_view(&text), COF_ECDSA_DER, &signature);
    if (err == COF_OK)
        err = key_digest(key, hex);
    if (err == COF_OK) {
        cof_buf_printf(&data, "{\"signatureAlgorithm\":\"ECDSA_SHA_256\",\"publicKeySha256\":\"%s\",\"signature\":\"", hex);
        cof_base64_add(&data, cof_buf_view(&signature));
        cof_buf_add_str(&data, "\"}");
        cof_audit_own_record(place, "SignChain", id, cof_buf_view(&data), &record);
        err = cof_buf_err(&record);
    }
    if (err == COF_OK)
        err = cof_audit_append(chain, cof_buf_view(&record), out);
    cof_buf_done(&text);
    cof_buf_done(&signature);
    cof_buf_done(&data);
    cof_buf_done(&record);
    return err;
}

void cof_audit_torn_data(struct cof_view torn, struct cof_buf *out)
{
    uint8_t digest[32];

    if (cof_hash_once(COF_SHA256, torn, digest) != COF_OK)
        memset(digest, 0, sizeof digest);
    cof_buf_printf(out, "{\"tornBytes\":%zu,\"tornSha256\":\"", torn.len);
    cof_hex_add(out, cof_view_of(digest, sizeof digest));
    cof_buf_add_str(out, "\"}");
}

/* *rest is what stands behind the number, with its comma. */
static enum cof_err take_sequence(struct cof_view line, uint64_t *out, struct cof_view *rest)
{
    size_t comma;

    *rest = cof_view_sub(line, sizeof PREFIX - 1, SIZE_MAX);
    comma = cof_view_find(*rest, ',');
    if (line.len > COF_AUDIT_LINE_MAX || !cof_view_starts(line, COF_LIT(PREFIX)) || comma == SIZE_MAX ||
        cof_parse_u64(cof_view_sub(*rest, 0, comma), INT64_MAX, out) != COF_OK || *out == 0)
        return COF_E_FORMAT;
    *rest = cof_view_sub(*rest, comma, SIZE_MAX);
    return COF_OK;
}

enum cof_err cof_audit_sequence_read(struct cof_view line, uint64_t *out)
{
    struct cof_view rest;

    return take_sequence(line, out, &rest);
}

enum cof_err cof_audit_link_read(struct cof_view line, struct cof_audit_link *out)
{
    struct cof_view rest, hex;

    if (take_sequence(line, &out->sequence, &rest) != COF_OK)
        return COF_E_FORMAT;
    hex = cof_view_sub(rest, sizeof MIDDLE - 1, 64);
    if (!cof_view_starts(rest, COF_LIT(MIDDLE)) || cof_hex_decode_fixed(hex, out->previous, 32) != COF_OK)
        return COF_E_FORMAT;
    for (size_t i = 0; i < hex.len; i++)
        if (hex.data[i] >= 'A' && hex.data[i] <= 'F')
            return COF_E_FORMAT; /* one spelling only */
    if (!cof_view_starts(cof_view_sub(rest, sizeof MIDDLE - 1 + 64, SIZE_MAX), COF_LIT("\",")))
        return COF_E_FORMAT;
    return cof_hash_once(COF_SHA256, line, out->hash);
}

void cof_audit_check_init(struct cof_audit_check *check, const struct cof_ecdsa_key *key)
{
    *check = (struct cof_audit_check){.key = key, .chain = {.next = 1}};
}

static enum cof_err check_signature(struct cof_audit_check *c, const struct cof_audit_link *link, const char *time,
                                    const json_t *data, struct cof_diag *diag)
{
    struct cof_view algorithm;
    struct cof_buf text, signature;
    char hex[65];
    enum cof_err err;

    cof_buf_init(&text, 256);
    cof_buf_init(&signature, COF_ECDSA_SIG_MAX);
    signed_text(link->sequence, link->previous, time, &text);
    err = cof_json_text(data, "signatureAlgorithm", &algorithm, NULL);
    if (err == COF_OK && !cof_view_eq_str(algorithm, "ECDSA_SHA_256"))
        err = COF_E_AUTH;
    if (err == COF_OK)
        err = cof_json_base64(data, "signature", &signature, NULL);
    if (err == COF_OK)
        err = key_digest(c->key, hex);
    if (err == COF_OK && !cof_view_eq_str(cof_view_str(hex), json_string_value(json_object_get(data, "publicKeySha256")) == NULL ?
            "" : json_string_value(json_object_get(data, "publicKeySha256"))))
        err = cof_diag_set(diag, COF_E_AUTH, "record %llu is signed by another key", (unsigned long long)link->sequence);
    else if (err == COF_OK &&
        (err = cof_ecdsa_verify(c->key, COF_SHA256, cof_buf_view(&text), COF_ECDSA_DER, cof_buf_view(&signature))) != COF_OK)
        err = cof_diag_set(diag, err, "the signature in record %llu is wrong", (unsigned long long)link->sequence);
    else if (err != COF_OK)
        err = cof_diag_set(diag, err == COF_E_MEMORY ? err : COF_E_AUTH, "record %llu holds no signature", (unsigned long long)link->sequence);
    if (err == COF_OK) {
        c->n_signatures++;
        c->signed_to = link->sequence;
    }
    cof_buf_done(&text);
    cof_buf_done(&signature);
    return err;
}

/* Whether this record says what the torn line before it was. */
static bool tells_of_torn(const struct cof_audit_check *c, const char *name, const json_t *data)
{
    const char *hex = json_string_value(json_object_get(data, "tornSha256"));
    json_int_t bytes = json_integer_value(json_object_get(data, "tornBytes"));
    uint8_t digest[32];

    return name != NULL && strcmp(name, "TornRecord") == 0 && hex != NULL && bytes >= 0 && (uint64_t)bytes == c->torn_len &&
        cof_hex_decode_fixed(cof_view_str(hex), digest, 32) == COF_OK && memcmp(digest, c->torn_hash, 32) == 0;
}

static enum cof_err check_record(struct cof_audit_check *c, const struct cof_audit_link *link, const json_t *record,
                                 struct cof_diag *diag)
{
    const char *source = json_string_value(json_object_get(record, "eventSource")),
               *name = json_string_value(json_object_get(record, "eventName")),
               *time = json_string_value(json_object_get(record, "eventTime"));
    const json_t *data = json_object_get(record, "additionalEventData");
    bool own = source != NULL && strcmp(source, COF_AUDIT_SOURCE) == 0;
    unsigned long long n = (unsigned long long)link->sequence;

    if (source == NULL || name == NULL || time == NULL || strlen(time) >= sizeof c->last_time)
        return cof_diag_set(diag, COF_E_AUTH, "record %llu lacks eventSource, eventName or eventTime", n);
    if (c->torn && !(own && tells_of_torn(c, name, data)))
        return cof_diag_set(diag, COF_E_AUTH, "the line before record %llu is no record, and nothing says that a crash tore it", n);
    c->torn = false;
    if (c->first_time[0] == '\0')
        memcpy(c->first_time, time, strlen(time) + 1);
    memcpy(c->last_time, time, strlen(time) + 1);
    if (own && c->key != NULL && strcmp(name, "SignChain") == 0)
        return check_signature(c, link, time, data, diag);
    return COF_OK;
}

enum cof_err cof_audit_check_line(struct cof_audit_check *c, struct cof_view line, struct cof_diag *diag)
{
    struct cof_audit_link link;
    json_t *record = NULL;
    enum cof_err err = cof_audit_link_read(line, &link);

    if (err == COF_OK)
        err = cof_json_parse_object(line, COF_AUDIT_LINE_MAX, &record, NULL);
    if (err == COF_E_MEMORY)
        return err;
    c->n_lines++;
    if (err != COF_OK) { /* damaged, or torn: the next line tells */
        if (c->torn)
            return cof_diag_set(diag, COF_E_AUTH, "line %llu is no record", (unsigned long long)c->n_lines);
        c->torn = true;
        c->torn_len = line.len;
        c->n_torn++;
        return cof_hash_once(COF_SHA256, line, c->torn_hash);
    }
    if (!c->begun) {
        c->begun = true;
        c->first = link.sequence;
        c->chain.next = link.sequence;
        memcpy(c->chain.hash, link.sequence == 1 ? c->chain.hash : link.previous, 32);
    }
    if (link.sequence != c->chain.next)
        err = cof_diag_set(diag, COF_E_AUTH, "record %llu stands where %llu should: records were left out, repeated or moved",
            (unsigned long long)link.sequence, (unsigned long long)c->chain.next);
    else if (memcmp(link.previous, c->chain.hash, 32) != 0)
        err = cof_diag_set(diag, COF_E_AUTH, "record %llu does not follow from the record before it: one of them was changed",
            (unsigned long long)link.sequence);
    else
        err = check_record(c, &link, record, diag);
    json_decref(record);
    if (err == COF_OK) {
        c->chain.next = link.sequence + 1;
        memcpy(c->chain.hash, link.hash, 32);
    }
    return err;
}

enum cof_err cof_audit_check_unfinished(const struct cof_audit_check *c, struct cof_view bytes, struct cof_diag *diag)
{
    struct cof_buf next;
    struct cof_view begin;
    bool fits;

    cof_buf_init(&next, 256);
    cof_buf_add_str(&next, PREFIX);
    if (c->begun) { /* else its number is not known: older parts may be elsewhere */
        cof_buf_printf(&next, "%llu" MIDDLE, (unsigned long long)c->chain.next);
        cof_hex_add(&next, cof_view_of(c->chain.hash, sizeof c->chain.hash));
    }
    begin = cof_view_sub(cof_buf_view(&next), 0, bytes.len);
    fits = begin.len > 0 && cof_view_starts(bytes, begin);
    cof_buf_done(&next);
    return fits ? COF_OK : cof_diag_set(diag, COF_E_AUTH, "the log ends in bytes that are no beginning of its next record");
}

enum cof_err cof_audit_check_end(struct cof_audit_check *c, struct cof_diag *diag)
{
    if (c->torn)
        return cof_diag_set(diag, COF_E_AUTH, "the last line is no record, and nothing says that a crash tore it");
    return COF_OK;
}
