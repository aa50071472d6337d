/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/options.h"

#include "base/num.h"
#include "prog/version.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define MAX_OPTIONS 64

int cof_exit_code(enum cof_err err)
{
    switch (cof_err_class(err)) {
    case COF_CLASS_OK:
        return COF_EXIT_DONE;
    case COF_CLASS_USAGE:
        return COF_EXIT_USAGE;
    case COF_CLASS_AUTH:
        return COF_EXIT_REFUSED;
    case COF_CLASS_RETRY:
        return COF_EXIT_LATER;
    case COF_CLASS_BUG:
    case COF_CLASS_SHORT:
    case COF_CLASS_FORMAT:
    case COF_CLASS_LIMIT:
    case COF_CLASS_DENIED:
    case COF_CLASS_IO:
    case COF_CLASS_MEMORY:
        break;
    }
    return COF_EXIT_FAILED;
}

void cof_fail(const char *prog, enum cof_err err, const struct cof_diag *diag)
{
    const char *text = diag != NULL && diag->text[0] != '\0' ? diag->text : cof_err_text(err);

    (void)fprintf(stderr, "%s: error: %s\n", prog, text);
    if (diag != NULL && diag->hint[0] != '\0')
        (void)fprintf(stderr, "%s: hint: %s\n", prog, diag->hint);
}

void cof_options_help(const char *prog, const struct cof_command *command)
{
    (void)printf("usage: %s [options]%s%s\n\n%s\n", prog, command->args[0] != '\0' ? " " : "", command->args,
                 command->summary);
    if (command->details != NULL)
        (void)printf("\n%s\n", command->details);
    (void)printf("\noptions:\n");
    for (size_t i = 0; i < command->n_options; i++) {
        const struct cof_option *o = &command->options[i];
        char left[64];
        if (o->letter != '\0')
            (void)snprintf(left, sizeof left, "-%c, --%s%s%s", o->letter, o->name, o->arg == NULL ? "" : " ",
                           o->arg == NULL ? "" : o->arg);
        else
            (void)snprintf(left, sizeof left, "    --%s%s%s", o->name, o->arg == NULL ? "" : " ",
                           o->arg == NULL ? "" : o->arg);
        (void)printf(strlen(left) > 30 ? "  %s\n%34s%s\n" : "  %-30s  %s%s\n", left, strlen(left) > 30 ? "" : o->help,
                     strlen(left) > 30 ? o->help : "");
    }
    (void)printf("  -h, --help                      show this and exit\n"
                 "      --version                   show the version and exit\n");
}

/* "coffer put" is a verb of coffer. */
static void print_version(const char *prog)
{
    char name[64];

    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(prog, " "), prog);
    cof_version_print(name);
}

static enum cof_err bad_value(const char *prog, const struct cof_option *o, const char *value)
{
    (void)fprintf(stderr, "%s: error: --%s: '%s' is not a valid %s\n", prog, o->name, value,
                  o->kind == COF_OPT_SIZE ? "size (bytes, or with K, M, G, T)" : "number");
    return COF_E_USAGE;
}

static enum cof_err store(const char *prog, const struct cof_option *o, const char *value, void *config)
{
    char *field = (char *)config + o->offset;
    uint64_t number;

    switch (o->kind) {
    case COF_OPT_FLAG: {
        bool on = true;
        memcpy(field, &on, sizeof on);
        return COF_OK;
    }
    case COF_OPT_TEXT:
        memcpy(field, &value, sizeof value);
        return COF_OK;
    case COF_OPT_LIST: {
        struct cof_text_list list;
        memcpy(&list, field, sizeof list);
        if (list.n == COF_LIST_MAX) {
            (void)fprintf(stderr, "%s: error: --%s given more than %d times\n", prog, o->name, COF_LIST_MAX);
            return COF_E_USAGE;
        }
        list.items[list.n++] = value;
        memcpy(field, &list, sizeof list);
        return COF_OK;
    }
    case COF_OPT_NUMBER:
        if (cof_parse_u64(cof_view_str(value), UINT64_MAX, &number) != COF_OK)
            return bad_value(prog, o, value);
        memcpy(field, &number, sizeof number);
        return COF_OK;
    case COF_OPT_SIZE:
        if (cof_parse_size(cof_view_str(value), UINT64_MAX, &number) != COF_OK)
            return bad_value(prog, o, value);
        memcpy(field, &number, sizeof number);
        return COF_OK;
    }
    return COF_E_BUG;
}

static enum cof_err usage_error(const char *prog, const char *what, const char *which)
{
    (void)fprintf(stderr, "%s: error: %s%s%s\n%s: hint: see '%s --help'\n", prog, what, which[0] != '\0' ? " " : "",
                  which, prog, prog);
    return COF_E_USAGE;
}

/* The getopt tables from ours; the index of an option is its long value minus 256. */
static void tables(const struct cof_command *command, struct option *longs, char *shorts, size_t shorts_size)
{
    size_t n = command->n_options, k = 0;

    shorts[k++] = ':';
    shorts[k++] = 'h';
    for (size_t i = 0; i < n; i++) {
        const struct cof_option *o = &command->options[i];
        longs[i] = (struct option){o->name, o->kind == COF_OPT_FLAG ? no_argument : required_argument, NULL,
                                   256 + (int)i};
        if (o->letter != '\0' && k + 3 < shorts_size) {
            shorts[k++] = o->letter;
            if (o->kind != COF_OPT_FLAG)
                shorts[k++] = ':';
        }
    }
    shorts[k] = '\0';
    longs[n] = (struct option){"help", no_argument, NULL, 'h'};
    longs[n + 1] = (struct option){"version", no_argument, NULL, 1};
    longs[n + 2] = (struct option){"man", no_argument, NULL, 2};
    longs[n + 3] = (struct option){NULL, 0, NULL, 0};
}

static const struct cof_option *option_of(const struct cof_command *command, int c)
{
    if (c >= 256 && (size_t)(c - 256) < command->n_options)
        return &command->options[c - 256];
    for (size_t i = 0; i < command->n_options; i++)
        if (c != 0 && command->options[i].letter == (char)c)
            return &command->options[i];
    return NULL;
}

enum cof_err cof_options_parse(const char *prog, const struct cof_command *command, int argc, char **argv, void *config,
                               char ***args, int *n_args, bool *exit_now)
{
    struct option longs[MAX_OPTIONS + 4];
    char shorts[2 * MAX_OPTIONS + 4];
    const struct cof_option *o;
    enum cof_err err;
    int c;

    *exit_now = false;
    if (command->n_options > MAX_OPTIONS)
        return COF_E_BUG;
    tables(command, longs, shorts, sizeof shorts);
    opterr = 0;
    optind = 0;
    while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        if (c == 'h' || c == 1 || c == 2) {
            if (c == 'h')
                cof_options_help(prog, command);
            else if (c == 2)
                cof_options_man(prog, command);
            else
                print_version(prog);
            *exit_now = true;
            return COF_OK;
        }
        if (c == '?') { /* a letter among several stands in an argument that is not done with */
            const char letter[] = {'-', (char)optopt, '\0'};
            return usage_error(prog, "unknown option", optopt > 0 && optopt < 256 ? letter : argv[optind - 1]);
        }
        if (c == ':')
            return usage_error(prog, "missing value for option", argv[optind - 1]);
        o = option_of(command, c);
        if (o == NULL)
            return COF_E_BUG;
        if ((err = store(prog, o, optarg, config)) != COF_OK)
            return err;
    }
    *args = argv + optind;
    *n_args = argc - optind;
    if (*n_args < command->min_args)
        return usage_error(prog, "missing argument: expected", command->args);
    if (command->max_args >= 0 && *n_args > command->max_args)
        return usage_error(prog, "unexpected argument", argv[optind + command->max_args]);
    return COF_OK;
}
