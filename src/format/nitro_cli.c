/* SPDX-License-Identifier: Apache-2.0 */
#include "format/nitro_cli.h"

#include "base/codec.h"
#include "format/json.h"

#include <string.h>

#define CID_FIRST 4 /* below are the hypervisor's, the loopback's and the parent's */

bool cof_nitro_is_id(struct cof_view text)
{
    if (text.len < 3 || text.len >= COF_NITRO_ID_MAX || text.data[0] != 'i' || text.data[1] != '-')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-'))
            return false;
    }
    return true;
}

/* The JSON begins a line: what comes before it is for people ("Started enclave with ..."). */
static struct cof_view json_part(struct cof_view v, uint8_t opens)
{
    struct cof_view line, rest = v;

    while (rest.len > 0) {
        struct cof_view here = rest;

        if (rest.data[0] == opens)
            return rest;
        if (!cof_view_split(here, '\n', &line, &rest))
            break;
    }
    return v;
}

static enum cof_err read_enclave(const json_t *o, struct cof_nitro_enclave *e, struct cof_diag *diag)
{
    struct cof_view id;
    int64_t cid;
    enum cof_err err = cof_json_text(o, "EnclaveID", &id, diag);

    if (err == COF_OK && !cof_nitro_is_id(id))
        err = cof_diag_set(diag, COF_E_FORMAT, "nitro-cli: EnclaveID is none");
    if (err == COF_OK)
        err = cof_json_int(o, "EnclaveCID", CID_FIRST, UINT32_MAX - 1, &cid, diag);
    if (err != COF_OK)
        return err;
    memcpy(e->id, id.data, id.len);
    e->cid = (uint32_t)cid;
    return COF_OK;
}

static enum cof_err read_pcrs(const json_t *o, struct cof_nitro_enclave *e, struct cof_diag *diag)
{
    static const char *const names[COF_NITRO_PCRS] = {"PCR0", "PCR1", "PCR2"};
    const json_t *m = json_object_get(o, "Measurements");
    enum cof_err err = COF_OK;

    if (m == NULL || json_is_null(m))
        return COF_OK;
    for (int i = 0; err == COF_OK && i < COF_NITRO_PCRS; i++) {
        struct cof_view hex;

        err = json_is_object(m) ? cof_json_text(m, names[i], &hex, diag) : COF_E_FORMAT;
        if (err == COF_OK && cof_hex_decode_fixed(hex, e->pcrs[i], sizeof e->pcrs[i]) != COF_OK)
            err = COF_E_FORMAT;
    }
    e->has_pcrs = err == COF_OK;
    return err == COF_OK ? COF_OK : cof_diag_set(diag, COF_E_FORMAT, "nitro-cli: Measurements are none");
}

enum cof_err cof_nitro_parse_run(struct cof_view output, struct cof_nitro_enclave *out, struct cof_diag *diag)
{
    json_t *o = NULL;
    enum cof_err err = cof_json_parse_object(json_part(output, '{'), COF_NITRO_OUTPUT_MAX, &o, diag);

    *out = (struct cof_nitro_enclave){0};
    if (err != COF_OK)
        return err;
    err = read_enclave(o, out, diag);
    json_decref(o);
    if (err != COF_OK)
        *out = (struct cof_nitro_enclave){0};
    return err;
}

static enum cof_err read_described(const json_t *o, struct cof_nitro_enclave *e, struct cof_diag *diag)
{
    struct cof_view state, flags;
    enum cof_err err = read_enclave(o, e, diag);

    if (err == COF_OK)
        err = cof_json_text(o, "State", &state, diag);
    if (err == COF_OK)
        err = cof_json_text(o, "Flags", &flags, diag);
    if (err != COF_OK)
        return err;
    e->is_running = cof_view_eq_nocase(state, COF_LIT("RUNNING"));
    e->is_debug = !cof_view_eq_nocase(flags, COF_LIT("NONE"));
    return read_pcrs(o, e, diag);
}

enum cof_err cof_nitro_parse_describe(struct cof_view output, const char *id, bool *found, struct cof_nitro_enclave *out,
                                      struct cof_diag *diag)
{
    json_t *list = NULL;
    enum cof_err err = cof_json_parse(json_part(output, '['), COF_NITRO_OUTPUT_MAX, &list, diag);

    *out = (struct cof_nitro_enclave){0};
    *found = false;
    if (err == COF_OK && !json_is_array(list))
        err = cof_diag_set(diag, COF_E_FORMAT, "nitro-cli: the list of enclaves is none");
    for (size_t i = 0; err == COF_OK && !*found && i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(o, "EnclaveID"));

        if (name == NULL)
            err = cof_diag_set(diag, COF_E_FORMAT, "nitro-cli: an enclave without an EnclaveID");
        else if (strcmp(name, id) == 0) {
            err = read_described(o, out, diag);
            *found = err == COF_OK;
        }
    }
    json_decref(list);
    if (err != COF_OK)
        *out = (struct cof_nitro_enclave){0};
    return err;
}

enum cof_err cof_nitro_parse_terminate(struct cof_view output, const char *id, bool *terminated, struct cof_diag *diag)
{
    json_t *o = NULL;
    struct cof_view name;
    enum cof_err err = cof_json_parse_object(json_part(output, '{'), COF_NITRO_OUTPUT_MAX, &o, diag);

    *terminated = false;
    if (err != COF_OK)
        return err;
    err = cof_json_text(o, "EnclaveID", &name, diag);
    if (err == COF_OK && !cof_view_eq_str(name, id))
        err = cof_diag_set(diag, COF_E_FORMAT, "nitro-cli: it speaks of another enclave");
    if (err == COF_OK)
        err = cof_json_bool_or(o, "Terminated", false, terminated, diag);
    json_decref(o);
    return err;
}
