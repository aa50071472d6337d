/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/totp.h"

#include "base/secret.h"
#include "crypto/hash.h"

#include <stdio.h>

#define SECRET_MAX 128

static int digit_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a';
    return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

enum cof_err cof_base32_decode(struct cof_view text, struct cof_buf *bytes)
{
    uint32_t bits = 0;
    unsigned n = 0;

    while (text.len > 0 && text.data[text.len - 1] == '=')
        text.len--;
    for (size_t i = 0; i < text.len; i++) {
        int digit = digit_of(text.data[i]);
        uint8_t byte;

        if (digit < 0)
            return COF_E_FORMAT;
        bits = bits << 5 | (uint32_t)digit;
        n += 5;
        if (n < 8)
            continue;
        n -= 8;
        byte = (uint8_t)(bits >> n);
        bits &= (1U << n) - 1;
        cof_buf_add(bytes, cof_view_of(&byte, 1));
    }
    /* What is left over must be less than a character, and nothing. */
    return n >= 5 || bits != 0 ? COF_E_FORMAT : cof_buf_err(bytes);
}

enum cof_err cof_totp_code(struct cof_view secret, uint64_t step, char out[static COF_TOTP_DIGITS + 1])
{
    uint8_t counter[8], mac[COF_HASH_MAX];
    struct cof_view part;
    struct cof_buf key;
    enum cof_err err;

    out[0] = '\0';
    for (int i = 0; i < 8; i++)
        counter[i] = (uint8_t)(step >> (56 - 8 * i));
    part = cof_view_of(counter, sizeof counter);
    cof_buf_init_secret(&key, SECRET_MAX);
    err = cof_base32_decode(secret, &key);
    if (err == COF_OK && key.len == 0)
        err = COF_E_FORMAT;
    if (err == COF_OK)
        err = cof_hmac(COF_SHA1, cof_buf_view(&key), &part, 1, mac);
    if (err == COF_OK) { /* RFC 4226 section 5.3 */
        size_t at = mac[19] & 0x0f;
        uint32_t number =
            (uint32_t)(mac[at] & 0x7f) << 24 | (uint32_t)mac[at + 1] << 16 | (uint32_t)mac[at + 2] << 8 | mac[at + 3];

        (void)snprintf(out, COF_TOTP_DIGITS + 1, "%06u", number % 1000000);
    }
    cof_wipe(mac, sizeof mac);
    cof_buf_done(&key);
    return err;
}

enum cof_err cof_totp_check(struct cof_view secret, struct cof_view code, int64_t now_ms, unsigned window,
                            uint64_t after, uint64_t *step)
{
    uint64_t now = now_ms < 0 ? 0 : (uint64_t)now_ms / COF_TOTP_STEP_MS, first = now > window ? now - window : 0;
    bool found = false;

    *step = 0;
    for (uint64_t s = first; s <= now + window; s++) { /* all of them, so that time does not tell which */
        char want[COF_TOTP_DIGITS + 1];
        enum cof_err err = cof_totp_code(secret, s, want);

        if (err != COF_OK)
            return err;
        if (cof_equal_ct(code, cof_view_str(want)) && s > after && !found) {
            found = true;
            *step = s;
        }
        cof_wipe(want, sizeof want);
    }
    return found ? COF_OK : COF_E_AUTH;
}
