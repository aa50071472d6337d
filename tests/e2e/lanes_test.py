#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An enclave with several jobs in work at once (`jobs` of its configuration): one that waits for a service keeps none of the others waiting;
all are done once, each with its own receipt; and when a processor is lost, what is in work elsewhere is ended first. C-20 C-32"""
import json, os, signal, subprocess, sys, threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / 'tools'))
from hostile_host import BUILD, System, demo
from local import Checks

check = Checks()
JOBS = 3


class Held:
    """Sits in the enclave's TLS, and keeps the answer to some request until it is let go."""

    def __init__(self, s):
        self.s, self.hold, self.holding, self.go = s, None, threading.Event(), threading.Event()
        self.h = s.host(tls=s.context_for('localhost'), on_request=self.on_request)
        self.h.launch()
        s.log('enclave.ready', 'enclave.not_started', seconds=60)

    def until_let_go(self, hold):
        """hold(request): the first for which it is true waits."""
        self.holding, self.go = threading.Event(), threading.Event()
        self.hold = hold

    def on_request(self, r):
        if self.hold and self.hold(r):
            self.hold = None
            self.holding.set()
            self.go.wait(60)
        return self.s.signed_again('consumer', r, json.dumps({**r.json(), 'WaitTimeSeconds': 1}).encode()) if r.target == 'ReceiveMessage' else None


def processors(held):
    pid = held.h.enclave['pid']
    return [int(c) for t in Path(f'/proc/{pid}/task').iterdir() for c in (t / 'children').read_text().split()]


def proof(s, job):
    code, said, err = s.coffer(*s.result_args(job), '-o', s.dir / 'out', '--input', s.picture_file, '--json', who='owner')
    return json.loads(said) if code == 0 else err


def run(s):
    s.more_config = {'jobs': JOBS}
    s.set_up()
    demo.root_certificate(s)
    s.start_producer()
    s.picture_file = s.dir / 'picture.png'
    subprocess.run([str(s.picture), str(s.picture_file), '3'], check=True)
    held = Held(s)
    check('each lane has a processor of its own', len(processors(held)) == JOBS, processors(held))

    held.until_let_go(lambda r: r.method == 'GET' and '/jobs/' in r.path)
    first = s.submit(s.picture_file)
    check('S3 does not answer for a job\'s object', held.holding.wait(30), s.tail('coffer-enclave'))
    others = [s.submit(s.picture_file) for _ in range(2 * JOBS)]
    states = [s.status(job, 60)[0] for job in others]
    check('meanwhile the others are done', states == ['done'] * len(others), f'{states} {s.tail("coffer-enclave")}')
    check('and it is not', s.status(first, 0)[0] == 'pending')
    held.go.set()
    check('when S3 answers it is done too', s.status(first, 60)[0] == 'done', s.tail('coffer-enclave'))
    all_jobs = [first, *others]
    proofs = [proof(s, job) for job in all_jobs]
    check('each has its own receipt, which verifies against measurements and input', [p['job'] for p in proofs if isinstance(p, dict)] == all_jobs, proofs)
    check('and none was done twice', s.log_whole().count('"job.done"') == len(all_jobs) and '"job.done_before"' not in s.log_whole(), s.tail('coffer-enclave'))

    held.until_let_go(lambda r: r.method == 'PUT' and '/results/' in r.path)
    last = s.submit(s.picture_file)
    check('a job is about to be stored', held.holding.wait(30), s.tail('coffer-enclave'))
    os.kill(processors(held)[0], signal.SIGKILL)
    pid = held.h.enclave['pid']
    held.go.set()
    check('the job in work ends well', s.status(last, 60)[0] == 'done', s.tail('coffer-enclave'))
    check('and then the enclave ends, so that a whole one is started', s.until(lambda: 'enclave.processor_lost' in s.log_whole(), 60) and
          s.log_whole().index('enclave.processor_lost') > s.log_whole().rindex('"job.done"') and s.until(lambda: not Path(f'/proc/{pid}').exists(), 30), s.tail('coffer-enclave'))


def alone(s):
    s.set_up()
    held = Held(s)
    os.kill(processors(held)[0], signal.SIGKILL)
    check('an enclave of one lane, which waits for a job when its processor is lost, ends at once', s.until(lambda: 'enclave.processor_lost' in s.log_whole(), 15), s.log_whole())


class Lanes(System):
    def log_whole(self):
        return (self.dir / 'coffer-enclave.log').read_text(errors='replace')


def main():
    for work in (run, alone):
        s = Lanes(BUILD, False)
        try:
            work(s)
        except Exception as e:  # a broken set-up must show as a failed test
            import traceback
            check(f'the test itself: {type(e).__name__}: {e}', False, traceback.format_exc() + '\n'.join(s.tail(n) for n in ('coffer-local', 'coffer-enclave', 'coffer-producer')))
        finally:
            s.stop()
    return check.done()


sys.exit(main())
