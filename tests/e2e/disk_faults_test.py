#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer-local on a disk that is full or fails. powercut.so makes the Nth write, or the Nth sync, of its data folder fail, once or from then
on: nothing is acknowledged that is not there, what is refused says why, reading goes on, and so does everything when the disk is well again.
After each, kill -9, and power cuts at moments of that work (a sync that failed keeps nothing, and a later one does not write it again)."""
import contextlib, errno, json, os, random, shutil, signal, subprocess, sys, tempfile, time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'tools'))
import powercut
from local import LOCAL, Checks
from power_world import LIBRARY, MANIFEST, Refused, Server, World, judge, judge_folder, random_body, run

MANY = 6 if os.environ.get('COFFER_LONG') else 1
SEED = int(os.environ.get('COFFER_SEED', '1'))
check = Checks()


class Trouble:
    """One server on a copy of the base, its faults, and what was done."""

    def __init__(self, tmp, name):
        self.tmp, self.name, self.live, self.log, self.control = tmp, name, tmp / name, tmp / f'{name}.log', tmp / f'{name}.control'
        shutil.copytree(tmp / 'base', self.live, ignore=shutil.ignore_patterns('*.sock'))
        self.control.write_text('')
        self.server = Server(self.live, powercut.environment(LIBRARY, self.live, self.log, CONTROL=self.control), '--audit-rotate', '64K')
        self.w, self.c, self.n, self.refused, self.broken = World(self.log), self.server.client(), 0, [], []
        self.rng, self.wrong = random.Random(f'{SEED} {name}'), []

    def fault(self, kinds='', number=0, skip=0, count=0):
        self.n_faults = getattr(self, 'n_faults', 0) + 1
        self.control.write_text(f'{kinds} {number} {skip} {count} {self.n_faults}' if kinds else '')

    def change(self, what):
        self.n += 1
        c, w, n = self.c, self.w, self.n
        data, digest = random_body(self.rng, {'small': 900, 'row': 30_000, 'slot': 100_000, 'file': 400_000}.get(what, 50_000))
        try:
            if what == 'message':
                url = c.call('sqs', 'GetQueueUrl', QueueName='q')['QueueUrl']
                w.do(c, ('message', f'm{n} {digest}'), True, lambda: c.call('sqs', 'SendMessage', QueueUrl=url, MessageBody=f'm{n} {digest}'))
            elif what == 'version':
                past = [v for v in w.things['versions', 'v'].past if v[2] is not None] if ('versions', 'v') in w.things else []
                w.do(c, ('versions', 'v'), (past[-1][0] if past else ()) + (digest,), lambda: c.s3('PUT', '/versions/v', data))
            else: # over and over the same few keys, so that places are let go of and taken again
                w.do(c, ('object', f'o{n % 5}'), digest, lambda: c.s3('PUT', f'/plain/o{n % 5}', data))
        except Refused as e:
            self.refused.append(e)
        except OSError as e: # no answer is no acknowledgement
            self.broken.append(e)
            c.close()

    def changes(self, n):
        for _ in range(n):
            self.change(('small', 'slot', 'file', 'row', 'message', 'version')[self.n % 6])

    def well(self, when, cut=None):
        """What is served now."""
        try:
            self.wrong += [f'{when}: {w}' for w in judge(self.w, self.c, cut or self.w.now() + 1, self.rng, messages=False)]
        except (Refused, OSError) as e:
            self.wrong.append(f'{when}: a call fails: {e!r}')
            self.c.close()

    def alive(self):
        if self.broken: # no answer: it may be about to end
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.server.p.wait(3)
        return self.server.p.poll() is None

    def end(self, name, n_cuts=2):
        """kill -9, the folder judged, power cuts judged: right after answers, and anywhere."""
        told = self.server.told()
        self.wrong += [] if all(e.status in (500, 503) for e in self.refused) else [f'refused with {[str(e) for e in self.refused][:3]}']
        if (self.refused or self.broken) and 'error: ' not in told:
            self.wrong.append(f'nothing is said of it: {told} {self.refused[:1]} {self.broken[:1]}')
        if not self.alive() and self.server.p.returncode in (0, None, -signal.SIGSEGV, -signal.SIGABRT):
            self.wrong.append(f'it ended with {self.server.p.returncode}')
        self.c.close()
        self.server.end(signal.SIGKILL)
        disk = powercut.Disk(self.log, self.tmp / 'base')
        ends, answers = disk.ends(), self.w.answers()
        cuts = [self.rng.choice(answers if i % 2 else ends) for i in range(n_cuts)]
        for i, cut in enumerate(sorted(cuts)):
            folder = self.tmp / f'{self.name}.{i}'
            disk.read_to(cut)
            powercut.write_state(disk.state(random.Random(f'{SEED} {self.name} {i}'), 'journal' if i % 2 else 'harsh'), folder)
            self.wrong += [f'a power cut at {cut}: {w}' for w in judge_folder(self.w, folder, cut, self.rng, check_first=False)]
            shutil.rmtree(folder)
        disk.read_to(ends[-1])
        self.injected = disk.injected
        now = self.w.now() + 1
        self.wrong += [f'after kill -9: {w}' for w in judge_folder(self.w, self.live, now, self.rng, check_first=False)]
        shutil.rmtree(self.live)
        self.log.unlink()
        return [f'{name}: {w}' for w in self.wrong]


def full(tmp):
    t = Trouble(tmp, 'full')
    t.changes(12)
    t.fault('gm', errno.ENOSPC, 0, -1)
    t.changes(30)
    n = len(t.refused)
    t.well('while it is full')
    t.fault()
    t.changes(12)
    later = len(t.refused) - n
    t.well('when there is room again')
    wrong = t.end('full', n_cuts=6)
    check('a full disk: changes are refused, reading goes on, with room again all goes on, and nothing acknowledged is lost',
          not wrong and n > 3 and later == 0 and not t.broken, '\n'.join([f'{n} refused, {later} later, {t.broken[:2]}'] + wrong))


def one_after_the_other(tmp, title, kinds, number, skips, count, changes=14):
    wrong, injected, refused, ended = [], 0, 0, 0
    for skip in skips:
        t = Trouble(tmp, f'{kinds}{number}-{skip}-{count}')
        t.changes(6)
        t.fault(kinds, number, skip, count)
        t.changes(changes)
        t.fault()
        ended += not t.alive()
        if t.alive():
            t.changes(6)
            t.well('afterwards')
        wrong += t.end(f'after {skip} calls', n_cuts=2 if count > 0 else 6)
        injected, refused = injected + t.injected, refused + len(t.refused) + len(t.broken)
    counts = f'{injected} faults, {refused} refused, {ended} ended'
    check(f'{title}: {len(skips)} times', not wrong and injected >= len(skips) and (ended == 0 or count < 0), '\n'.join([counts] + wrong))


def the_audit_log(tmp):
    """Its sync, every two seconds, fails twice. Then it succeeds, and the store lets go of what the file should have."""
    t = Trouble(tmp, 'audit')
    t.changes(6)
    t.fault('a', errno.EIO, 0, 2)
    for i in range(4):
        began = time.monotonic()
        while time.monotonic() < began + 2.1:
            t.changes(1)
            time.sleep(0.1)
    t.changes(6)
    wrong = t.end('audit', n_cuts=12)
    check('syncs of the audit log fail: what the kernel forgot is written again', not wrong and t.injected == 2 and not t.refused,
          '\n'.join([f'{t.injected} {t.refused[:2]}'] + wrong))


def set_up(tmp):
    """Each of its syncs and writes fails once: it says so, and a second try works; or it did not matter: it is set up, whatever a power cut
    then takes. (SQLite asks the folder of its journal to be synced and does not look at the outcome; others sync that folder, too.)"""
    wrong, n = [], 0
    for kinds, number in (('s', errno.EIO), ('wm', errno.ENOSPC)):
        for skip in range(200):
            parent, log, control = tmp / f'new{kinds}{skip}', tmp / 'new.log', tmp / 'new.control'
            parent.mkdir(), log.unlink(missing_ok=True)
            control.write_text(f'{kinds} {number} {skip} 1 {skip}')
            code, out = run(LOCAL, 'init', '-d', parent / 'd', '-m', tmp / 'manifest.json',
                            env=powercut.environment(LIBRARY, parent, log, CONTROL=control))
            (tmp / 'nothing').mkdir(exist_ok=True)
            disk = powercut.Disk(log, tmp / 'nothing')
            disk.read_to(disk.ends()[-1])
            n += disk.injected
            if disk.injected and code != 0 and 'error: ' not in out:
                wrong.append(f'after {skip} calls ({kinds}): exit {code} {out[-300:]}')
            for how in ('harsh', 'journal') if code == 0 else ():
                powercut.write_state(disk.state(random.Random(f'{SEED} {skip} {how}'), how), tmp / 'cut')
                wrong += [f'after {skip} calls ({kinds}), a power cut: {w}' for w in
                          judge_folder(World(log), tmp / 'cut/d', 0, random.Random(1), check_first=False)]
                shutil.rmtree(tmp / 'cut')
            code, out = run(LOCAL, 'init', '-d', parent / 'd', '-m', tmp / 'manifest.json')
            if code != 0 and 'is set up already' not in out:
                wrong.append(f'after {skip} calls ({kinds}), a second try: {out}')
            elif skip % 7 == 0:
                wrong += [f'after {skip} calls ({kinds}): {w}' for w in judge_folder(World(log), parent / 'd', 0, random.Random(1), check_first=True)]
            shutil.rmtree(parent)
            if not disk.injected:
                break
    check(f'set-up on a disk that fails, at each of {n} calls: it says so, and the next try works', not wrong and n > 20, '\n'.join([f'{n}'] + wrong))


def main():
    if not LIBRARY.exists():
        print(f'1..0 # SKIP {LIBRARY} is not built')
        return 0
    room = '/dev/shm' if os.access('/dev/shm', os.W_OK) and os.statvfs('/dev/shm').f_bavail * os.statvfs('/dev/shm').f_frsize > 1 << 30 else None
    with tempfile.TemporaryDirectory(prefix='co-', dir=room) as name:
        tmp, rng = Path(name), random.Random(SEED)
        (tmp / 'manifest.json').write_text(json.dumps(MANIFEST))
        assert run(LOCAL, 'init', '-d', tmp / 'base', '-m', tmp / 'manifest.json')[0] == 0
        assert Server(tmp / 'base').end() == 0
        set_up(tmp)
        full(tmp)
        the_audit_log(tmp)
        one_after_the_other(tmp, 'no room for one write', 'wm', errno.ENOSPC, sorted(rng.sample(range(24), min(10 * MANY, 24))), 1)
        one_after_the_other(tmp, 'one write fails', 'w', errno.EIO, sorted(rng.sample(range(24), min(6 * MANY, 24))), 1)
        one_after_the_other(tmp, 'one sync fails', 's', errno.EIO, sorted(rng.sample(range(24), min(12 * MANY, 24))), 1)
        one_after_the_other(tmp, 'all syncs fail for a while', 's', errno.EIO, sorted(rng.sample(range(12), min(4 * MANY, 12))), -1)
    return check.done()


sys.exit(main())
