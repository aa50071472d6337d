/* SPDX-License-Identifier: Apache-2.0
 *
 * What a program says of its own making: enough to know which bytes are in question, and nothing that would make two builds of the
 * same sources differ.
 */
#ifndef COF_PROG_VERSION_H
#define COF_PROG_VERSION_H

/* To standard output. The first line is "NAME VERSION"; then, a line each: commit (meson's option, else "unknown"), machine,
 * compiler, the TLS library that is in use, how the program was built. */
void cof_version_print(const char *prog);

/* The commit. A program that an enclave measures defines it itself, without: its measurement shall change with its code alone. */
extern const char *const cof_version_commit;

#endif
