/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/s3_body.h"

#include "base/codec.h"
#include "standin/s3_config.h"
#include "standin/s3_put.h"

#include <string.h>

#define BODY_MAX 65536
#define NODES_MAX 1000

enum cof_err cof_s3_bad_xml(struct cof_s3_call *c)
{
    return cof_s3_fail(c, 400, "MalformedXML", COF_S3_BAD_XML);
}

enum cof_err cof_s3_bad_md5(struct cof_s3_call *c, struct cof_view given)
{
    const struct cof_s3_detail details[] = {{"Content-MD5", given}};

    return cof_s3_fail_of(c, 400, "InvalidDigest", "The Content-MD5 you specified was invalid.", details, 1);
}

/* spec: what was expected is told in hexadecimal, but of a part; what came in base64 */
enum cof_err cof_s3_other_md5(struct cof_s3_call *c, const uint8_t given[16], const uint8_t actual[16], bool of_part)
{
    struct cof_s3_detail details[] = {{"ExpectedDigest", {NULL, 0}}, {"CalculatedDigest", {NULL, 0}}};
    struct cof_buf base64, expected;
    char hex[33];
    enum cof_err err;

    cof_buf_init(&base64, 64);
    cof_buf_init(&expected, 64);
    cof_base64_add(&base64, cof_view_of(actual, 16));
    cof_base64_add(&expected, cof_view_of(given, 16));
    cof_hex_encode(given, 16, hex);
    details[0].value = of_part ? cof_buf_view(&expected) : cof_view_str(hex);
    details[1].value = cof_buf_view(&base64);
    err = cof_s3_fail_of(c, 400, "BadDigest", "The Content-MD5 you specified did not match what we received.", details, 2);
    cof_buf_done(&base64);
    cof_buf_done(&expected);
    return err;
}

static bool md5_holds(struct cof_s3_call *c, struct cof_view given, enum cof_err *err)
{
    struct cof_buf bytes;
    uint8_t digest[16];
    bool good = false;

    cof_buf_init(&bytes, 64);
    if (cof_base64_decode(given, &bytes) != COF_OK || bytes.len != sizeof digest) {
        *err = cof_s3_bad_md5(c, given);
    } else {
        *err = cof_hash_once(COF_MD5, c->req->body, digest);
        good = *err == COF_OK && memcmp(bytes.data, digest, sizeof digest) == 0;
        if (!good && *err == COF_OK)
            *err = cof_s3_other_md5(c, bytes.data, digest, false);
    }
    cof_buf_done(&bytes);
    return good;
}

static bool sum_holds(struct cof_s3_call *c, const struct cof_s3_sum *promised, enum cof_err *err)
{
    struct cof_checksum sum;
    uint8_t digest[COF_CHECKSUM_MAX];
    struct cof_buf text;
    bool good;

    cof_buf_init(&text, 256);
    *err = cof_checksum_init(&sum, promised->alg);
    if (*err == COF_OK)
        *err = cof_checksum_update(&sum, c->req->body);
    if (*err == COF_OK)
        *err = cof_checksum_final(&sum, digest);
    cof_checksum_done(&sum);
    cof_base64_add(&text, cof_view_of(digest, cof_checksum_size(promised->alg)));
    good = *err == COF_OK && cof_view_eq(cof_buf_view(&text), promised->value);
    if (!good && *err == COF_OK) {
        cof_buf_reset(&text);
        cof_buf_printf(
            &text, "The %s you specified did not match the calculated checksum.", cof_checksum_name(promised->alg));
        (void)cof_s3_fail(c, 400, "BadDigest", cof_buf_cstr(&text));
    }
    cof_buf_done(&text);
    return good;
}

bool cof_s3_body_proved(struct cof_s3_call *c, bool required, enum cof_err *err)
{
    struct cof_view md5 = cof_s3_header(c, "content-md5");
    struct cof_s3_sum promised;

    *err = COF_OK;
    if (!cof_s3_put_sum(c, &promised))
        return false;
    if (required && md5.len == 0 && promised.alg == COF_CHECKSUM_NONE) {
        (void)cof_s3_fail(
            c, 400, "InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
        return false;
    }
    if (md5.len > 0 && !md5_holds(c, md5, err))
        return false;
    return promised.alg == COF_CHECKSUM_NONE || sum_holds(c, &promised, err);
}

struct cof_xml_node *cof_s3_body_xml(struct cof_s3_call *c, const char *root, bool required, enum cof_err *err)
{
    return cof_s3_body_proved(c, required, err) ? cof_s3_config_xml(c, root, err) : NULL;
}

struct cof_xml_node *cof_s3_body_peek(struct cof_s3_call *c, const char *root)
{
    struct cof_xml_node *node = NULL;

    if (cof_xml_parse(c->req->body, BODY_MAX, NODES_MAX, &node) != COF_OK || strcmp(node->name, root) == 0)
        return node;
    cof_xml_free(node);
    return NULL;
}
