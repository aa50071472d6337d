/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/hypervisor_pki.h"

#include "base/codec.h"
#include "format/cbor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define BACKDATE_MS 3000 /* certificates begin a little in the past, as AWS's do */
#define LEAF_LIFE_MS (3 * HOUR_MS)
#define LEAF_RENEW_MS (15 * MINUTE_MS) /* before its end */
#define ROOT_LIFE_MS (30 * 365 * DAY_MS)
#define REGION_MAX 32
#define NAME_MAX_LEN 300
#define BLOB_VERSION 1
#define KEY_MAX 512 /* bytes of a PKCS#8 P-384 key */

enum tier { ROOT, REGIONAL, ZONAL, INSTANCE, N_TIERS };

static const struct {
    int64_t life_ms;
    int path_len;
} tiers[N_TIERS] = {
    [ROOT] = {ROOT_LIFE_MS, COF_X509_NO_PATH_LEN},
    [REGIONAL] = {21 * DAY_MS, 2},
    [ZONAL] = {6 * DAY_MS, 1},
    [INSTANCE] = {DAY_MS, 0},
};

struct authority {
    struct cof_ecdsa_key *key;
    struct cof_buf cert;
    char name[NAME_MAX_LEN];
    int64_t from_ms, to_ms;
};

struct cof_hv {
    struct authority tiers[N_TIERS];
    char region[REGION_MAX];
    const struct cof_rng *rng;
    uint64_t epoch; /* how often authorities were made */
};

static struct cof_x509_name full_name(const char *common_name)
{
    return (struct cof_x509_name){common_name, "Coffer", "Simulated"};
}

/* Draws a serial and signs; serials are 16 bytes with a clear top bit and a set next one, so never zero. */
static enum cof_err certify(const struct cof_rng *rng, struct cof_x509_make *spec, struct cof_buf *out)
{
    uint8_t serial[16];
    enum cof_err err = cof_rng_fill(rng, serial, sizeof serial);

    if (err != COF_OK)
        return err;
    serial[0] = (serial[0] & 0x7f) | 0x40;
    spec->serial = cof_view_of(serial, sizeof serial);
    cof_buf_reset(out);
    return cof_x509_make(spec, out);
}

static void authority_done(struct authority *authority)
{
    cof_ecdsa_free(authority->key);
    cof_buf_done(&authority->cert);
    *authority = (struct authority){0};
}

/* The blob: CBOR [version, root key as PKCS#8, root certificate]. */
enum cof_err cof_hv_make_root(const struct cof_rng *rng, int64_t now_ms, struct cof_buf *out)
{
    static const char name[] = "simulated.nitro-enclaves";
    struct cof_ecdsa_key *key = NULL;
    struct cof_buf pkcs8, cert;
    struct cof_x509_make spec;
    enum cof_err err = cof_ecdsa_generate(COF_P384, rng, &key);

    cof_buf_init_secret(&pkcs8, KEY_MAX);
    cof_buf_init(&cert, COF_ATTEST_CERT_MAX);
    if (err == COF_OK) {
        spec = (struct cof_x509_make){.subject = full_name(name), .issuer = full_name(name), .subject_key = key,
            .issuer_key = key, .from_ms = now_ms - BACKDATE_MS, .to_ms = now_ms + ROOT_LIFE_MS, .authority = true,
            .path_len = COF_X509_NO_PATH_LEN};
        err = certify(rng, &spec, &cert);
    }
    if (err == COF_OK)
        err = cof_ecdsa_pkcs8(key, &pkcs8);
    if (err == COF_OK) {
        cof_cbor_add_array(out, 3);
        cof_cbor_add_uint(out, BLOB_VERSION);
        cof_cbor_add_bytes(out, cof_buf_view(&pkcs8));
        cof_cbor_add_bytes(out, cof_buf_view(&cert));
        err = cof_buf_err(out);
    }
    cof_ecdsa_free(key);
    cof_buf_done(&pkcs8);
    cof_buf_done(&cert);
    return err;
}

static enum cof_err load_root(struct cof_view in, struct authority *root)
{
    struct cof_view pkcs8, cert;
    uint64_t version;
    size_t n;
    enum cof_err err = cof_cbor_take_array(&in, 3, &n);

    if (err == COF_OK && n != 3)
        err = COF_E_FORMAT;
    if (err == COF_OK)
        err = cof_cbor_take_uint(&in, BLOB_VERSION, &version);
    if (err == COF_OK)
        err = cof_cbor_take_bytes(&in, 1, KEY_MAX, &pkcs8);
    if (err == COF_OK)
        err = cof_cbor_take_bytes(&in, 1, COF_ATTEST_CERT_MAX, &cert);
    if (err == COF_OK && (in.len != 0 || version != BLOB_VERSION))
        err = COF_E_FORMAT;
    if (err == COF_OK)
        err = cof_ecdsa_from_pkcs8(pkcs8, &root->key);
    if (err != COF_OK)
        return err;
    cof_buf_init(&root->cert, COF_ATTEST_CERT_MAX);
    cof_buf_add(&root->cert, cert);
    (void)snprintf(root->name, sizeof root->name, "simulated.nitro-enclaves");
    return cof_buf_err(&root->cert);
}

enum cof_err cof_hv_new(struct cof_view blob, const char *region, const struct cof_rng *rng, struct cof_hv **out)
{
    struct cof_hv *hv;
    enum cof_err err;

    *out = NULL;
    if (region == NULL || region[0] == '\0' || strlen(region) >= REGION_MAX)
        return COF_E_USAGE;
    hv = calloc(1, sizeof *hv);
    if (hv == NULL)
        return COF_E_MEMORY;
    hv->rng = rng;
    memcpy(hv->region, region, strlen(region) + 1);
    err = load_root(blob, &hv->tiers[ROOT]);
    if (err != COF_OK) {
        cof_hv_free(hv);
        return err;
    }
    *out = hv;
    return COF_OK;
}

void cof_hv_free(struct cof_hv *hv)
{
    if (hv == NULL)
        return;
    for (size_t i = 0; i < N_TIERS; i++)
        authority_done(&hv->tiers[i]);
    free(hv);
}

struct cof_view cof_hv_root(const struct cof_hv *hv)
{
    return cof_buf_view(&hv->tiers[ROOT].cert);
}

const struct cof_rng *cof_hv_rng(const struct cof_hv *hv)
{
    return hv->rng;
}

static enum cof_err name_authority(const struct cof_hv *hv, enum tier tier, struct authority *authority)
{
    static const char *const words[N_TIERS] = {[REGIONAL] = "", [ZONAL] = "zonal.", [INSTANCE] = "instance."};
    uint8_t random[8];
    char hex[17];
    enum cof_err err = cof_rng_fill(hv->rng, random, sizeof random);

    if (err != COF_OK)
        return err;
    cof_hex_encode(random, sizeof random, hex);
    (void)snprintf(authority->name, sizeof authority->name, "%s.%s%s.simulated.nitro-enclaves", hex, words[tier],
                   hv->region);
    return COF_OK;
}

static enum cof_err make_authority(struct cof_hv *hv, enum tier tier, int64_t now_ms)
{
    struct authority fresh = {0};
    struct cof_x509_make spec;
    enum cof_err err = name_authority(hv, tier, &fresh);

    cof_buf_init(&fresh.cert, COF_ATTEST_CERT_MAX);
    if (err == COF_OK)
        err = cof_ecdsa_generate(COF_P384, hv->rng, &fresh.key);
    if (err == COF_OK) {
        fresh.from_ms = now_ms - BACKDATE_MS;
        fresh.to_ms = now_ms + tiers[tier].life_ms;
        spec = (struct cof_x509_make){.subject = full_name(fresh.name), .issuer = full_name(hv->tiers[tier - 1].name),
            .subject_key = fresh.key, .issuer_key = hv->tiers[tier - 1].key, .from_ms = fresh.from_ms,
            .to_ms = fresh.to_ms, .authority = true, .path_len = tiers[tier].path_len};
        err = certify(hv->rng, &spec, &fresh.cert);
    }
    if (err != COF_OK) {
        authority_done(&fresh);
        return err;
    }
    authority_done(&hv->tiers[tier]);
    hv->tiers[tier] = fresh;
    hv->epoch++;
    return COF_OK;
}

/* Every authority must outlive a leaf that is made now; a new one makes those below it new, too. */
static enum cof_err refresh_authorities(struct cof_hv *hv, int64_t now_ms)
{
    bool renewed = false;

    for (enum tier tier = REGIONAL; tier < N_TIERS; tier++) {
        enum cof_err err;

        if (!renewed && hv->tiers[tier].to_ms - now_ms > LEAF_LIFE_MS && now_ms >= hv->tiers[tier].from_ms)
            continue;
        err = make_authority(hv, tier, now_ms);
        if (err != COF_OK)
            return err;
        renewed = true;
    }
    return COF_OK;
}

enum cof_err cof_hv_leaf_refresh(struct cof_hv *hv, const char *module_id, int64_t now_ms, struct cof_hv_leaf *leaf)
{
    struct cof_hv_leaf fresh = {0};
    char name[NAME_MAX_LEN];
    struct cof_x509_make spec;
    enum cof_err err = refresh_authorities(hv, now_ms);

    if (err != COF_OK)
        return err;
    if (leaf->key != NULL && leaf->epoch == hv->epoch && now_ms < leaf->renew_ms &&
        now_ms >= leaf->renew_ms - LEAF_LIFE_MS)
        return COF_OK;
    (void)snprintf(name, sizeof name, "%s.%s.simulated", module_id, hv->region);
    cof_buf_init(&fresh.cert, COF_ATTEST_CERT_MAX);
    err = cof_ecdsa_generate(COF_P384, hv->rng, &fresh.key);
    if (err == COF_OK) {
        spec = (struct cof_x509_make){.subject = full_name(name), .issuer = full_name(hv->tiers[INSTANCE].name),
            .subject_key = fresh.key, .issuer_key = hv->tiers[INSTANCE].key, .from_ms = now_ms - BACKDATE_MS,
            .to_ms = now_ms + LEAF_LIFE_MS, .path_len = COF_X509_NO_PATH_LEN};
        err = certify(hv->rng, &spec, &fresh.cert);
    }
    if (err != COF_OK) {
        cof_hv_leaf_done(&fresh);
        return err;
    }
    fresh.renew_ms = now_ms + LEAF_LIFE_MS - LEAF_RENEW_MS;
    fresh.epoch = hv->epoch;
    cof_hv_leaf_done(leaf);
    *leaf = fresh;
    return COF_OK;
}

void cof_hv_leaf_done(struct cof_hv_leaf *leaf)
{
    cof_ecdsa_free(leaf->key);
    cof_buf_done(&leaf->cert);
    *leaf = (struct cof_hv_leaf){0};
}

void cof_hv_cabundle(const struct cof_hv *hv, struct cof_attest_doc *doc)
{
    for (size_t i = 0; i < N_TIERS; i++)
        doc->cabundle[i] = cof_buf_view(&hv->tiers[i].cert);
    doc->n_cabundle = N_TIERS;
}
