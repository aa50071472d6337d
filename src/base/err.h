/* SPDX-License-Identifier: Apache-2.0
 *
 * Error codes. Every call that can fail returns an enum cof_err; 0 is success. Callers branch on the class
 * (cof_err_class); the code names the cause for logs and messages. Verification failures of every kind are the
 * one code COF_E_AUTH, so that a peer learns nothing finer.
 */
#ifndef COF_BASE_ERR_H
#define COF_BASE_ERR_H

#include <stdbool.h>

#define COF_MUST_USE __attribute__((warn_unused_result))
/* Of a local variable with far more room than is mostly used, and a count of what is: its clearing at each call, by
 * -ftrivial-auto-var-init, would be most of what the function costs. Not for what holds secrets. */
#define COF_UNCLEARED __attribute__((uninitialized))
#define COF_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

enum cof_class {
    COF_CLASS_OK,
    COF_CLASS_BUG,    /* a broken invariant of ours */
    COF_CLASS_USAGE,  /* the caller asked for something that cannot be meant */
    COF_CLASS_SHORT,  /* not yet: more bytes are needed, or a call is pending */
    COF_CLASS_FORMAT, /* the bytes are not what they claim to be */
    COF_CLASS_LIMIT,  /* well formed, but over a limit in force */
    COF_CLASS_AUTH,   /* a tag, signature, measurement, token or digest did not verify */
    COF_CLASS_DENIED, /* a peer refused: permission, policy, precondition */
    COF_CLASS_RETRY,  /* worth trying again later */
    COF_CLASS_IO,     /* the system or the network failed */
    COF_CLASS_MEMORY,
};

/* code, class, text for a person */
#define COF_ERR_TABLE(X)                                                          \
    X(COF_OK, OK, "done")                                                         \
    X(COF_E_BUG, BUG, "internal error")                                           \
    X(COF_E_USAGE, USAGE, "invalid argument")                                     \
    X(COF_E_STATE, USAGE, "call not allowed in this state")                       \
    X(COF_E_CONFIG, USAGE, "invalid configuration")                               \
    X(COF_E_SHORT, SHORT, "more input is needed")                                 \
    X(COF_E_FORMAT, FORMAT, "malformed input")                                    \
    X(COF_E_UNSUPPORTED, FORMAT, "not supported")                                 \
    X(COF_E_TRUNCATED, FORMAT, "input ends too early")                            \
    X(COF_E_LIMIT, LIMIT, "over a limit")                                         \
    X(COF_E_TOO_LARGE, LIMIT, "too large")                                        \
    X(COF_E_AUTH, AUTH, "verification failed")                                    \
    X(COF_E_DENIED, DENIED, "access denied")                                      \
    X(COF_E_NOT_FOUND, DENIED, "not found")                                       \
    X(COF_E_EXISTS, DENIED, "already exists")                                     \
    X(COF_E_PRECONDITION, DENIED, "precondition failed")                          \
    X(COF_E_REMOTE, DENIED, "refused by the service")                             \
    X(COF_E_RETRY, RETRY, "temporarily unavailable")                              \
    X(COF_E_THROTTLED, RETRY, "throttled")                                        \
    X(COF_E_TIMEOUT, RETRY, "timed out")                                          \
    X(COF_E_IO, IO, "input/output error")                                         \
    X(COF_E_CLOSED, IO, "connection closed")                                      \
    X(COF_E_NO_SPACE, IO, "no space left on device")                              \
    X(COF_E_MEMORY, MEMORY, "out of memory")

enum cof_err {
#define X(code, class, text) code,
    COF_ERR_TABLE(X)
#undef X
};

/* The class of a code; an unknown value is COF_CLASS_BUG. */
enum cof_class cof_err_class(enum cof_err err);

/* The code's name ("COF_E_AUTH") and its text; static storage. */
const char *cof_err_name(enum cof_err err);
const char *cof_err_text(enum cof_err err);

/* What a person is told when a code is not enough: the cause, and the mend where one is known.
 * Filled by the deepest layer that knows; never holds a secret. A NULL diag is allowed everywhere. */
struct cof_diag {
    char text[400];
    char hint[240];
};

/* Sets the text (and clears the hint) or the hint; too long is cut. Returns err, so that a caller can
 * write `return cof_diag_set(diag, COF_E_FORMAT, "...")`. Control characters are replaced by '?'. */
enum cof_err cof_diag_set(struct cof_diag *diag, enum cof_err err, const char *fmt, ...) COF_PRINTF(3, 4);
void cof_diag_hint(struct cof_diag *diag, const char *fmt, ...) COF_PRINTF(2, 3);

#endif
