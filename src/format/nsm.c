/* SPDX-License-Identifier: Apache-2.0 */
#include "format/nsm.h"

#include "format/cbor.h"

#define EXTEND_MAX COF_NSM_REQUEST_MAX
#define MODULE_ID_MAX 256

static const char *const ops[] = {
    [COF_NSM_DESCRIBE_NSM] = "DescribeNSM", [COF_NSM_GET_RANDOM] = "GetRandom",
    [COF_NSM_DESCRIBE_PCR] = "DescribePCR", [COF_NSM_EXTEND_PCR] = "ExtendPCR",
    [COF_NSM_LOCK_PCR] = "LockPCR",         [COF_NSM_LOCK_PCRS] = "LockPCRs",
    [COF_NSM_ATTESTATION] = "Attestation",  [COF_NSM_ERROR] = "Error",
};
#define N_OPS (sizeof ops / sizeof ops[0])

static const char *const errors[] = {
    [COF_NSM_SUCCESS] = "Success",
    [COF_NSM_INVALID_ARGUMENT] = "InvalidArgument",
    [COF_NSM_INVALID_INDEX] = "InvalidIndex",
    [COF_NSM_INVALID_RESPONSE] = "InvalidResponse",
    [COF_NSM_READ_ONLY_INDEX] = "ReadOnlyIndex",
    [COF_NSM_INVALID_OPERATION] = "InvalidOperation",
    [COF_NSM_BUFFER_TOO_SMALL] = "BufferTooSmall",
    [COF_NSM_INPUT_TOO_LARGE] = "InputTooLarge",
    [COF_NSM_INTERNAL_ERROR] = "InternalError",
};
#define N_ERRORS (sizeof errors / sizeof errors[0])

const char *cof_nsm_error_name(enum cof_nsm_error error)
{
    return (size_t)error < N_ERRORS ? errors[error] : "InternalError";
}

/* Operations that are a bare text: no fields. */
static bool is_bare_request(enum cof_nsm_op op)
{
    return op == COF_NSM_DESCRIBE_NSM || op == COF_NSM_GET_RANDOM;
}

static bool is_bare_response(enum cof_nsm_op op)
{
    return op == COF_NSM_LOCK_PCR || op == COF_NSM_LOCK_PCRS;
}

/* "Name", or the head of {"Name": ...}: the value follows. */
static enum cof_err take_op(struct cof_view *in, size_t n_ops, enum cof_nsm_op *op, bool *bare)
{
    enum cof_cbor_type type;
    struct cof_cbor_map map = {0};
    struct cof_view name;
    size_t i = 0;
    enum cof_err err = cof_cbor_peek(*in, &type);

    if (err != COF_OK)
        return err;
    *bare = type == COF_CBOR_TEXT;
    if (!*bare) {
        err = cof_cbor_map_open(in, false, &map);
        if (err == COF_OK && map.left != 1)
            err = COF_E_FORMAT;
    }
    if (err == COF_OK)
        err = cof_cbor_take_text(in, 1, 16, &name);
    if (err != COF_OK)
        return err;
    while (i < n_ops && !cof_view_eq_str(name, ops[i]))
        i++;
    if (i == n_ops)
        return COF_E_FORMAT;
    *op = (enum cof_nsm_op)i;
    return COF_OK;
}

/* Opens a map that holds exactly these keys, in any order; take is called for each. */
static enum cof_err take_fields(struct cof_view *in, const char *const *names, size_t n_names, size_t n_mandatory,
                                enum cof_err (*take)(struct cof_view *in, size_t index, void *out), void *out)
{
    struct cof_cbor_map map;
    size_t index;
    enum cof_err err = cof_cbor_map_open(in, false, &map);

    while (err == COF_OK) {
        err = cof_cbor_map_next(in, &map, names, n_names, &index);
        if (err != COF_OK || index == COF_CBOR_END)
            break;
        err = take(in, index, out);
    }
    for (size_t i = 0; err == COF_OK && i < n_mandatory; i++)
        if (!cof_cbor_map_has(&map, i))
            err = COF_E_FORMAT;
    return err;
}

static enum cof_err take_u16(struct cof_view *in, uint16_t *out)
{
    uint64_t n;
    enum cof_err err = cof_cbor_take_uint(in, UINT16_MAX, &n);

    if (err == COF_OK)
        *out = (uint16_t)n;
    return err;
}

static enum cof_err take_pcr_field(struct cof_view *in, size_t index, void *out)
{
    struct cof_nsm_request *req = out;

    return index == 0 ? take_u16(in, &req->index) : cof_cbor_take_bytes(in, 0, EXTEND_MAX, &req->data);
}

static enum cof_err take_attestation_field(struct cof_view *in, size_t index, void *out)
{
    struct cof_nsm_request *req = out;
    struct cof_attest_field *field = index == 0 ? &req->user_data : index == 1 ? &req->nonce : &req->public_key;
    enum cof_err err;

    if (cof_cbor_take_null(in))
        return COF_OK;
    err = cof_cbor_take_bytes(in, 0, COF_NSM_REQUEST_MAX, &field->bytes);
    field->present = err == COF_OK;
    return err;
}

static const char *const pcr_keys[] = {"index", "data"};
static const char *const range_keys[] = {"range"};
static const char *const attestation_keys[] = {"user_data", "nonce", "public_key"};

static enum cof_err take_request_fields(struct cof_view *in, struct cof_nsm_request *req)
{
    switch (req->op) {
    case COF_NSM_DESCRIBE_PCR:
    case COF_NSM_LOCK_PCR:
        return take_fields(in, pcr_keys, 1, 1, take_pcr_field, req);
    case COF_NSM_EXTEND_PCR:
        return take_fields(in, pcr_keys, 2, 2, take_pcr_field, req);
    case COF_NSM_LOCK_PCRS:
        return take_fields(in, range_keys, 1, 1, take_pcr_field, req);
    case COF_NSM_ATTESTATION:
        return take_fields(in, attestation_keys, 3, 0, take_attestation_field, req);
    case COF_NSM_DESCRIBE_NSM:
    case COF_NSM_GET_RANDOM:
    case COF_NSM_ERROR:
        break;
    }
    return COF_E_FORMAT;
}

enum cof_err cof_nsm_parse_request(struct cof_view in, struct cof_nsm_request *out)
{
    struct cof_nsm_request req = {0};
    bool bare;
    enum cof_err err = in.len > COF_NSM_REQUEST_MAX ? COF_E_LIMIT : take_op(&in, COF_NSM_ERROR, &req.op, &bare);

    if (err == COF_OK && bare != is_bare_request(req.op))
        err = COF_E_FORMAT;
    if (err == COF_OK && !bare)
        err = take_request_fields(&in, &req);
    if (err == COF_OK && in.len != 0)
        err = COF_E_FORMAT;
    *out = err == COF_OK ? req : (struct cof_nsm_request){0};
    return err;
}

static void add_field(struct cof_buf *out, const char *name, const struct cof_attest_field *field)
{
    cof_cbor_add_str(out, name);
    if (field->present)
        cof_cbor_add_bytes(out, field->bytes);
    else
        cof_cbor_add_null(out);
}

void cof_nsm_add_request(struct cof_buf *out, const struct cof_nsm_request *req)
{
    if (!is_bare_request(req->op))
        cof_cbor_add_map(out, 1);
    cof_cbor_add_str(out, ops[req->op]);
    if (is_bare_request(req->op))
        return;
    if (req->op == COF_NSM_ATTESTATION) {
        cof_cbor_add_map(out, 3);
        add_field(out, attestation_keys[0], &req->user_data);
        add_field(out, attestation_keys[1], &req->nonce);
        add_field(out, attestation_keys[2], &req->public_key);
        return;
    }
    cof_cbor_add_map(out, req->op == COF_NSM_EXTEND_PCR ? 2 : 1);
    cof_cbor_add_str(out, req->op == COF_NSM_LOCK_PCRS ? range_keys[0] : pcr_keys[0]);
    cof_cbor_add_uint(out, req->index);
    if (req->op == COF_NSM_EXTEND_PCR) {
        cof_cbor_add_str(out, pcr_keys[1]);
        cof_cbor_add_bytes(out, req->data);
    }
}

enum describe_key { KEY_MAJOR, KEY_MINOR, KEY_PATCH, KEY_MODULE_ID, KEY_MAX_PCRS, KEY_LOCKED, KEY_DIGEST, N_DESCRIBE };

static const char *const describe_keys[N_DESCRIBE] = {
    [KEY_MAJOR] = "version_major", [KEY_MINOR] = "version_minor", [KEY_PATCH] = "version_patch",
    [KEY_MODULE_ID] = "module_id", [KEY_MAX_PCRS] = "max_pcrs",   [KEY_LOCKED] = "locked_pcrs",
    [KEY_DIGEST] = "digest",
};

static enum cof_err take_locked(struct cof_view *in, uint32_t *mask)
{
    size_t n;
    enum cof_err err = cof_cbor_take_array(in, COF_ATTEST_PCRS, &n);

    for (size_t i = 0; err == COF_OK && i < n; i++) {
        uint64_t index;

        err = cof_cbor_take_uint(in, COF_ATTEST_PCRS - 1, &index);
        if (err == COF_OK)
            *mask |= (uint32_t)1 << index;
    }
    return err;
}

static enum cof_err take_describe_field(struct cof_view *in, size_t index, void *out)
{
    struct cof_nsm_response *res = out;

    switch ((enum describe_key)index) {
    case KEY_MAJOR:
        return take_u16(in, &res->version_major);
    case KEY_MINOR:
        return take_u16(in, &res->version_minor);
    case KEY_PATCH:
        return take_u16(in, &res->version_patch);
    case KEY_MODULE_ID:
        return cof_cbor_take_text(in, 0, MODULE_ID_MAX, &res->module_id);
    case KEY_MAX_PCRS:
        return take_u16(in, &res->max_pcrs);
    case KEY_LOCKED:
        return take_locked(in, &res->locked_pcrs);
    case KEY_DIGEST:
        return cof_cbor_take_text(in, 1, 16, &res->digest);
    case N_DESCRIBE:
        break;
    }
    return COF_E_BUG;
}

static enum cof_err take_data_field(struct cof_view *in, size_t index, void *out)
{
    struct cof_nsm_response *res = out;

    return index == 0 ? cof_cbor_take_bytes(in, 0, COF_NSM_RESPONSE_MAX, &res->data)
                      : cof_cbor_take_bool(in, &res->lock);
}

static enum cof_err take_error(struct cof_view *in, enum cof_nsm_error *out)
{
    struct cof_view name;
    size_t i = 0;
    enum cof_err err = cof_cbor_take_text(in, 1, 32, &name);

    if (err != COF_OK)
        return err;
    while (i < N_ERRORS && !cof_view_eq_str(name, errors[i]))
        i++;
    if (i == N_ERRORS)
        return COF_E_FORMAT;
    *out = (enum cof_nsm_error)i;
    return COF_OK;
}

static const char *const describe_pcr_keys[] = {"data", "lock"};
static const char *const random_keys[] = {"random"};
static const char *const document_keys[] = {"document"};

static enum cof_err take_response_fields(struct cof_view *in, struct cof_nsm_response *res)
{
    switch (res->op) {
    case COF_NSM_DESCRIBE_NSM:
        return take_fields(in, describe_keys, N_DESCRIBE, N_DESCRIBE, take_describe_field, res);
    case COF_NSM_DESCRIBE_PCR:
        return take_fields(in, describe_pcr_keys, 2, 2, take_data_field, res);
    case COF_NSM_EXTEND_PCR:
        return take_fields(in, describe_pcr_keys, 1, 1, take_data_field, res);
    case COF_NSM_GET_RANDOM:
        return take_fields(in, random_keys, 1, 1, take_data_field, res);
    case COF_NSM_ATTESTATION:
        return take_fields(in, document_keys, 1, 1, take_data_field, res);
    case COF_NSM_ERROR:
        return take_error(in, &res->error);
    case COF_NSM_LOCK_PCR:
    case COF_NSM_LOCK_PCRS:
        break;
    }
    return COF_E_FORMAT;
}

enum cof_err cof_nsm_parse_response(struct cof_view in, struct cof_nsm_response *out)
{
    struct cof_nsm_response res = {0};
    bool bare;
    enum cof_err err = in.len > COF_NSM_RESPONSE_MAX ? COF_E_LIMIT : take_op(&in, N_OPS, &res.op, &bare);

    if (err == COF_OK && bare != is_bare_response(res.op))
        err = COF_E_FORMAT;
    if (err == COF_OK && !bare)
        err = take_response_fields(&in, &res);
    if (err == COF_OK && in.len != 0)
        err = COF_E_FORMAT;
    *out = err == COF_OK ? res : (struct cof_nsm_response){0};
    return err;
}

static void add_describe(struct cof_buf *out, const struct cof_nsm_response *res)
{
    size_t n_locked = 0;

    for (unsigned i = 0; i < COF_ATTEST_PCRS; i++)
        n_locked += res->locked_pcrs >> i & 1;
    cof_cbor_add_map(out, N_DESCRIBE);
    cof_cbor_add_str(out, describe_keys[KEY_MAJOR]);
    cof_cbor_add_uint(out, res->version_major);
    cof_cbor_add_str(out, describe_keys[KEY_MINOR]);
    cof_cbor_add_uint(out, res->version_minor);
    cof_cbor_add_str(out, describe_keys[KEY_PATCH]);
    cof_cbor_add_uint(out, res->version_patch);
    cof_cbor_add_str(out, describe_keys[KEY_MODULE_ID]);
    cof_cbor_add_text(out, res->module_id);
    cof_cbor_add_str(out, describe_keys[KEY_MAX_PCRS]);
    cof_cbor_add_uint(out, res->max_pcrs);
    cof_cbor_add_str(out, describe_keys[KEY_LOCKED]);
    cof_cbor_add_array(out, n_locked);
    for (unsigned i = 0; i < COF_ATTEST_PCRS; i++)
        if ((res->locked_pcrs >> i & 1) != 0)
            cof_cbor_add_uint(out, i);
    cof_cbor_add_str(out, describe_keys[KEY_DIGEST]);
    cof_cbor_add_text(out, res->digest);
}

static void add_data(struct cof_buf *out, const char *name, const struct cof_nsm_response *res)
{
    cof_cbor_add_map(out, 1);
    cof_cbor_add_str(out, name);
    cof_cbor_add_bytes(out, res->data);
}

void cof_nsm_add_response(struct cof_buf *out, const struct cof_nsm_response *res)
{
    if (!is_bare_response(res->op))
        cof_cbor_add_map(out, 1);
    cof_cbor_add_str(out, ops[res->op]);
    switch (res->op) {
    case COF_NSM_DESCRIBE_NSM:
        add_describe(out, res);
        break;
    case COF_NSM_DESCRIBE_PCR:
        cof_cbor_add_map(out, 2);
        cof_cbor_add_str(out, "lock");
        cof_cbor_add_bool(out, res->lock);
        cof_cbor_add_str(out, "data");
        cof_cbor_add_bytes(out, res->data);
        break;
    case COF_NSM_EXTEND_PCR:
        add_data(out, "data", res);
        break;
    case COF_NSM_GET_RANDOM:
        add_data(out, random_keys[0], res);
        break;
    case COF_NSM_ATTESTATION:
        add_data(out, document_keys[0], res);
        break;
    case COF_NSM_ERROR:
        cof_cbor_add_str(out, cof_nsm_error_name(res->error));
        break;
    case COF_NSM_LOCK_PCR:
    case COF_NSM_LOCK_PCRS:
        break;
    }
}
