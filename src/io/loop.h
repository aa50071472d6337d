/* SPDX-License-Identifier: Apache-2.0
 *
 * One thread's event loop: descriptors (epoll), timers, and wake-ups from other threads. Nothing here blocks but
 * cof_loop_run. A loop and everything that hangs on it belong to one thread; cof_loop_post alone may be called from
 * others.
 */
#ifndef COF_IO_LOOP_H
#define COF_IO_LOOP_H

#include "base/err.h"

#include <stdint.h>

struct cof_loop;

enum { COF_READABLE = 1, COF_WRITABLE = 2 };

/* A watched descriptor, embedded in its owner. The callback gets COF_READABLE | COF_WRITABLE bits (hang-up and error
 * show as both). The descriptor stays the owner's. */
struct cof_watch {
    void (*ready)(struct cof_watch *watch, unsigned events);
    int fd;
    unsigned interest;
    bool active;
};

/* A timer, embedded in its owner; fires once. */
struct cof_timer {
    void (*fire)(struct cof_timer *timer);
    int64_t due_ms; /* cof_loop_now_ms clock (monotonic) */
    uint32_t slot;  /* heap position; private */
    bool armed;
};

COF_MUST_USE enum cof_err cof_loop_new(struct cof_loop **out);
void cof_loop_free(struct cof_loop *loop);

COF_MUST_USE enum cof_err cof_loop_watch(struct cof_loop *loop, struct cof_watch *watch, unsigned interest);
void cof_loop_unwatch(struct cof_loop *loop, struct cof_watch *watch); /* safe inside callbacks; idempotent */

COF_MUST_USE enum cof_err cof_loop_arm(struct cof_loop *loop, struct cof_timer *timer, int64_t after_ms);
/* (re-arms; 0 fires at the end of this turn of the loop: "after the callbacks that are running now") */
void cof_loop_disarm(struct cof_loop *loop, struct cof_timer *timer);

/* free(ptr) when this turn of the loop is over, so that callers further up the stack may still look at it. */
void cof_loop_discard(struct cof_loop *loop, void *ptr);

/* Monotonic milliseconds, read once per turn of the loop. */
int64_t cof_loop_now_ms(const struct cof_loop *loop);

/* Runs fn(arg) on the loop's thread soon. Callable from any thread. COF_E_MEMORY or COF_E_LIMIT. */
COF_MUST_USE enum cof_err cof_loop_post(struct cof_loop *loop, void (*fn)(void *arg), void *arg);

/* Runs until cof_loop_stop. */
COF_MUST_USE enum cof_err cof_loop_run(struct cof_loop *loop);
/* Runs until *done or the deadline (ms from now; <0: none): COF_OK, or COF_E_TIMEOUT. For blocking callers. */
COF_MUST_USE enum cof_err cof_loop_run_until(struct cof_loop *loop, const bool *done, int64_t timeout_ms);
void cof_loop_stop(struct cof_loop *loop); /* from its own thread or a signal-safe post */

#endif
