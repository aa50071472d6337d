/* SPDX-License-Identifier: Apache-2.0
 *
 * coffer presign: a URL that lets its holder get or put one object for a while.
 */
#include "common.h"
#include "verbs.h"

#include "base/num.h"
#include "engine/s3_call.h"

#include <stdio.h>
#include <string.h>

#define PROG "coffer presign"
#define EXPIRES_MAX 604800

struct config {
    struct aws_options aws;
    const char *method, *expires, *version;
};
static const struct cof_option options[] = {
    {"method", 'X', COF_OPT_TEXT, "METHOD", "GET (the default), HEAD, PUT or DELETE", offsetof(struct config, method)},
    {"expires", 0, COF_OPT_TEXT, "TIME", "for how long: 90, 15m, 12h, 7d (default 1h; 7d at most)", offsetof(struct config, expires)},
    {"version-id", 0, COF_OPT_TEXT, "ID", "this version of the object", offsetof(struct config, version)},
    AWS_OPTIONS(struct config),
};
static const struct cof_command command = {
    .name = "presign",
    .args = "s3://BUCKET/KEY",
    .summary = "Prints a URL that lets whoever has it get (or put) one object for a while.",
    .details = "The URL carries the rights of these credentials; with those of a role it ends when they do, if that is earlier. "
               "Treat it as a secret.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_args = 1,
    .max_args = 1,
};

static enum cof_err parse_expires(const char *text, uint32_t *out, struct cof_diag *diag)
{
    struct cof_view v = cof_view_str(text == NULL ? "1h" : text);
    uint64_t n, unit = 1;
    static const struct {
        uint8_t letter;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};

    for (size_t i = 0; i < sizeof units / sizeof units[0] && v.len > 0; i++)
        if (v.data[v.len - 1] == units[i].letter) {
            unit = units[i].seconds;
            v = cof_view_sub(v, 0, v.len - 1);
            break;
        }
    if (cof_parse_u64(v, EXPIRES_MAX, &n) != COF_OK || n == 0 || n * unit > EXPIRES_MAX)
        return cof_diag_set(diag, COF_E_USAGE, "--expires '%s': 1 s to 7d, such as 90, 15m, 12h", text);
    *out = (uint32_t)(n * unit);
    return COF_OK;
}

static enum cof_err run(const void *options_given, char **args, struct cof_diag *diag)
{
    const struct config *config = options_given;
    const char *method = config->method == NULL ? "GET" : config->method;
    struct cof_s3_get get = {.version_id = cof_view_str(config->version)};
    struct cof_aws_request request = {0};
    struct aws_use aws = {0};
    struct cof_buf url;
    uint32_t expires_s;
    enum cof_err err = s3_url_parse(args[0], &get.bucket, &get.key, diag);

    cof_buf_init_secret(&url, 65536);
    if (err == COF_OK)
        err = parse_expires(config->expires, &expires_s, diag);
    if (err == COF_OK && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0 && strcmp(method, "PUT") != 0 &&
        strcmp(method, "DELETE") != 0)
        err = cof_diag_set(diag, COF_E_USAGE, "--method '%s': GET, HEAD, PUT or DELETE", method);
    if (err == COF_OK)
        err = aws_open(&aws, &config->aws, diag);
    if (err == COF_OK)
        err = cof_aws_ready(&aws.session.aws, diag);
    if (err == COF_OK)
        err = cof_s3_get_object(&request, &get);
    if (err == COF_OK) {
        request.method = method;
        err = cof_aws_presign(&aws.session.aws, &request, expires_s, &url);
    }
    if (err == COF_OK)
        (void)printf("%s\n", cof_buf_cstr(&url));
    cof_aws_request_done(&request);
    cof_buf_done(&url);
    aws_close(&aws);
    return err;
}

static int run_presign(int argc, char **argv)
{
    struct config config = {0};

    return verb_run(PROG, &command, &config, run, argc, argv);
}

const struct verb verb_presign = {"presign", &command, run_presign};
