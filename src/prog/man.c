/* SPDX-License-Identifier: Apache-2.0
 *
 * A command's table as a manual page (man(7)): `coffer encrypt --man`.
 */
#include "prog/complete.h"
#include "prog/options.h"

#include <stdio.h>
#include <string.h>

/* Text as roff takes it: nothing at a line's beginning is a request, hyphens can be copied. */
static void print(const char *text)
{
    for (bool at_start = true; *text != '\0'; text++) {
        if (at_start && (*text == '.' || *text == '\''))
            (void)fputs("\\&", stdout);
        if (*text == '\\')
            (void)fputs("\\e", stdout);
        else if (*text == '-')
            (void)fputs("\\-", stdout);
        else
            (void)putchar(*text);
        at_start = *text == '\n';
    }
}

/* "coffer encrypt" is the page coffer-encrypt. */
static void print_page_name(const char *prog)
{
    for (; *prog != '\0'; prog++)
        (void)fputs(*prog == ' ' || *prog == '-' ? "\\-" : (char[2]){*prog, '\0'}, stdout);
}

static void print_option(const struct cof_option *o)
{
    (void)fputs(".TP\n.B ", stdout);
    if (o->letter != '\0')
        (void)printf("\\-%c, ", o->letter);
    (void)fputs("\\-\\-", stdout);
    print(o->name);
    if (o->arg != NULL) {
        (void)fputs(" \\fI", stdout);
        print(o->arg);
        (void)fputs("\\fR", stdout);
    }
    (void)fputs("\n", stdout);
    print(o->help);
    (void)fputs("\n", stdout);
}

void cof_options_man(const char *prog, const struct cof_command *command)
{
    (void)fputs(".TH ", stdout);
    print_page_name(prog);
    (void)fputs(" 1 \"\" \"coffer " COF_VERSION "\"\n.SH NAME\n", stdout);
    print_page_name(prog);
    (void)fputs(" \\- ", stdout);
    print(command->summary);
    (void)fputs("\n.SH SYNOPSIS\n.B ", stdout);
    print(prog);
    (void)fputs("\n[options] ", stdout);
    print(command->args);
    (void)fputs("\n", stdout);
    if (command->details != NULL) {
        (void)fputs(".SH DESCRIPTION\n.nf\n", stdout);
        print(command->details);
        (void)fputs("\n.fi\n", stdout);
    }
    (void)fputs(".SH OPTIONS\n", stdout);
    for (size_t i = 0; i < command->n_options; i++)
        print_option(&command->options[i]);
    print_option(&(struct cof_option){.name = "help", .letter = 'h', .help = "show how it is used and exit"});
    print_option(&(struct cof_option){.name = "version", .help = "show the version and exit"});
    (void)fputs(".SH EXIT STATUS\n0 done, 1 failed, 2 wrong use, 3 verification refused, 4 try later.\n", stdout);
}

void cof_program_man(const char *prog, const char *summary, const struct cof_verb_name *verbs, size_t n_verbs)
{
    (void)fputs(".TH ", stdout);
    print_page_name(prog);
    (void)fputs(" 1 \"\" \"coffer " COF_VERSION "\"\n.SH NAME\n", stdout);
    print_page_name(prog);
    (void)fputs(" \\- ", stdout);
    print(summary);
    (void)fputs("\n.SH SYNOPSIS\n.B ", stdout);
    print(prog);
    (void)fputs("\n.I VERB\n[options] ...\n.SH VERBS\n", stdout);
    for (size_t i = 0; i < n_verbs; i++) {
        (void)fputs(".TP\n.B ", stdout);
        print(verbs[i].name);
        (void)fputs("\n", stdout);
        print(verbs[i].command->summary);
        (void)fputs("\n", stdout);
    }
    (void)fputs(".SH OPTIONS\n", stdout);
    print_option(&(struct cof_option){.name = "help", .letter = 'h', .help = "show the verbs and exit"});
    print_option(&(struct cof_option){.name = "version", .help = "show version and build and exit"});
    print_option(&(struct cof_option){.name = "man", .help = "print this page; of a verb, with VERB before it"});
    print_option(&(struct cof_option){.name = "completion", .arg = "SHELL", .help = "print completion for bash, zsh or fish"});
    (void)fputs(".SH EXIT STATUS\n0 done, 1 failed, 2 wrong use, 3 verification refused, 4 try later.\n.SH SEE ALSO\n", stdout);
    for (size_t i = 0; i < n_verbs; i++) {
        (void)fputs(".BR ", stdout);
        print_page_name(prog);
        (void)fputs("\\-", stdout);
        print_page_name(verbs[i].name);
        (void)printf(" (1)%s\n", i + 1 < n_verbs ? "," : "");
    }
}
