#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer-local and power cuts. It works under powercut.so, which writes down what it does to its data folder; then, for many moments of
that work, states are built that a disk may hold when the power goes at that moment (powercut.py says which), and coffer-local must start
on each, hold what it had acknowledged, hold nothing by halves, and find itself in order; its audit log must verify and have a record of
each acknowledged change. Names are lost both as POSIX allows and as ext4 does. Then the power goes again while it recovers, and while a
data folder is set up for the first time. That all this can fail is shown by syncs that are lies.

COFFER_LONG=1: ten times as many moments. COFFER_SEED: other ones."""
import json, os, random, shutil, signal, sys, tempfile, time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'tools'))
import powercut
from local import LOCAL, Checks
from power_world import LIBRARY, MANIFEST, Server, World, judge_folder, run, work

MANY = 10 if os.environ.get('COFFER_LONG') else 1
SEED = int(os.environ.get('COFFER_SEED', '1'))
REST_S = 4.4 # then the server uses the time to tidy up
ROTATE = ('--audit-rotate', '64K')
check = Checks()


def state_at(disk, cut, tag, i, folder, how=None):
    """Builds one; -> how names were lost"""
    how = how or ('harsh', 'journal')[(i ^ i >> 2) % 2]
    disk.read_to(cut)
    powercut.write_state(disk.state(random.Random(f'{SEED} {tag} {i}'), how), folder)
    return how


def moments(rng, ends, answers, n):
    """Right after answers, anywhere, and while it closes."""
    anywhere, closing = ends[:-1], ends[-60:]
    return sorted([rng.choice(answers) for _ in range(n // 2)] + [rng.choice(anywhere) for _ in range(n - n // 2 - n // 10)] +
                  [rng.choice(closing) for _ in range(n // 10)])


def found(wrong, cut, how, i):
    return f'cut {i} at {cut}, names {how}: ' + '; '.join(w.replace('\n', ' ')[:200] for w in wrong[:4])


class Place:
    """A data folder that was served once, and runs of work on copies of it."""

    def __init__(self, tmp):
        self.tmp, self.base = tmp, tmp / 'base'
        self.manifest = tmp / 'manifest.json'
        self.manifest.write_text(json.dumps(MANIFEST))
        assert run(LOCAL, 'init', '-d', self.base, '-m', self.manifest)[0] == 0
        assert Server(self.base).end() == 0

    def record(self, name, *work_args, how_to_end=signal.SIGTERM, after=None, base=None, **lie):
        """work_args: of the works that follow each other. -> world, disk, records' ends, the folder"""
        live, log = self.tmp / name, self.tmp / f'{name}.log'
        shutil.copytree(base or self.base, live, ignore=shutil.ignore_patterns('*.sock'))
        server = Server(live, powercut.environment(LIBRARY, live, log, **lie), *ROTATE)
        assert server.port != 0, server.told()
        w = World(log, after)
        for i, args in enumerate(work_args):
            time.sleep(REST_S if i > 0 else 0)
            work(w, server, f'{SEED} {name} {i}', **args)
        code = server.end(how_to_end)
        if w.failed or (how_to_end == signal.SIGTERM and code != 0):
            check(f'{name}: the work is done', False, f'{w.failed} {code}')
        disk = powercut.Disk(log, base or self.base)
        return w, disk, disk.ends(), live


def the_log_is_whole(disk, ends, live):
    disk.read_to(ends[-1])
    told, real = disk.whole(), powercut.read_folder(live)
    check('what is written down makes the very folder: no call goes by, and nothing is written through memory', told == real,
          f'{set(told) ^ set(real)} {[k for k in told if k in real and told[k] != real[k]]}')


def cuts(place):
    w, disk, ends, live = place.record('work', {'seconds': 3.5, 'pause_s': 0.05}, {'seconds': 2, 'pause_s': 0.05, 'prefix': 'later'})
    the_log_is_whole(disk, ends, live)
    rng, wrong, twice, done, n = random.Random(f'{SEED} cuts'), [], [], 0, 96 * MANY
    again, all_of_them, began = set(rng.sample(range(n), 12 * MANY)), moments(rng, ends, w.answers(), n), time.monotonic()
    for start in range(4): # each time from the beginning to the end; on a busy machine not all four times
        disk = powercut.Disk(place.tmp / 'work.log', place.base)
        for i in range(start, n, 4) if time.monotonic() < began + 15 * MANY else ():
            cut, folder = all_of_them[i], place.tmp / f'state{i}'
            how, done = state_at(disk, cut, 'cut', i, folder), done + 1
            if i in again: # judging changes it
                shutil.copytree(folder, place.tmp / f'twice{i}')
            got = judge_folder(w, folder, cut, rng, check_first=i % 3 == 0, how_to_end=(signal.SIGTERM, signal.SIGKILL)[i % 5 == 4])
            if got:
                wrong.append(found(got, cut, how, i))
            elif i in again:
                twice.append((i, cut))
            shutil.rmtree(folder)
    check(f'{done} power cuts while {len(w.answers())} changes are made and it closes: it starts, and has what it acknowledged, whole, with '
          'its records', not wrong and done > n // 5, '\n'.join([f'{len(wrong)} of {done}'] + wrong))
    return w, twice, live


def a_copy_is_durable(place, w, live):
    """When backup says that it is made."""
    both, base, log = place.tmp / 'both', place.tmp / 'both.base', place.tmp / 'both.log'
    both.mkdir(), shutil.copytree(live, both / 'd', ignore=shutil.ignore_patterns('*.sock')), shutil.copytree(both, base)
    code, out = run(LOCAL, 'backup', '-d', both / 'd', both / 'copy', env=powercut.environment(LIBRARY, both, log))
    assert code == 0, out
    disk, wrong, n = powercut.Disk(log, base), [], 8 * MANY
    end = disk.ends()[-1]
    for i in range(n):
        folder = place.tmp / f'both{i}'
        how = state_at(disk, end, 'both', i, folder)
        there = (folder / 'copy/ready').exists()
        got = judge_folder(w, folder / 'copy', w.now() + 1, random.Random(i), check_first=True) if there else ['it is gone']
        if got:
            wrong.append(found(got, end, how, i))
        shutil.rmtree(folder)
    check(f'{n} power cuts after a copy was made: it is there, whole', not wrong, '\n'.join(wrong))


def cuts_while_it_recovers(place, w, twice):
    wrong = []
    for i, cut in twice:
        base, rng = place.tmp / f'twice{i}', random.Random(f'{SEED} twice {i}')
        w2, disk, ends, live = place.record(f'again{i}', {'rounds': 2, 'pause_s': 0, 'prefix': f'again{i}'}, how_to_end=signal.SIGKILL,
                                           after=(w, cut), base=base)
        for j in range(2):
            second = rng.choice((ends[:80], w2.answers())[j])
            folder = place.tmp / f'twice{i}.{j}'
            how = state_at(powercut.Disk(place.tmp / f'again{i}.log', base), second, f'twice {i}', j, folder)
            got = judge_folder(w2, folder, second, rng, check_first=j == 0)
            if got:
                wrong.append(found(got, f'{cut} and again at {second}', how, i))
            shutil.rmtree(folder)
        shutil.rmtree(live)
        shutil.rmtree(base)
        (place.tmp / f'again{i}.log').unlink()
    check(f'{2 * len(twice)} times the power goes again, while it recovers and soon after: the same', not wrong, '\n'.join([f'{len(wrong)}'] + wrong))


def cuts_while_it_is_set_up(place):
    """By init, and by the first start of serve, which makes the rest."""
    wrong, n, half = [], 12 * MANY, 0
    for way in ('init', 'serve'):
        live, log, empty = place.tmp / way, place.tmp / f'{way}.log', place.tmp / f'{way}.empty'
        live.mkdir(), empty.mkdir()
        if way == 'init':
            code, out = run(LOCAL, 'init', '-d', live / 'd', '-m', place.manifest, env=powercut.environment(LIBRARY, live, log))
            assert code == 0, out
        else:
            assert Server(live / 'd', powercut.environment(LIBRARY, live, log), '-m', place.manifest).end() == 0
        disk, rng = powercut.Disk(log, empty), random.Random(f'{SEED} {way}')
        ends = disk.ends()
        for i, cut in enumerate(sorted([rng.choice(ends) for _ in range(n - 4)] + [*ends[-3:], ends[-1]])):
            parent = place.tmp / f'{way}{i}'
            how, folder = state_at(disk, cut, way, i, parent), parent / 'd'
            half += not (folder / 'ready').exists()
            got = ['it was set up, and is not'] if cut == ends[-1] and not (folder / 'ready').exists() else []
            code, out = run(LOCAL, 'init', '-d', folder, '-m', place.manifest)
            got += [] if code == 0 or 'is set up already' in out else [f'init: {out}']
            got += [] if got else judge_folder(World(log), folder, cut, rng, check_first=True)
            if got:
                wrong.append(found(got, cut, how, i))
            shutil.rmtree(parent)
    check(f'{2 * n} power cuts while a folder is set up, {half} before its end: setting it up again, or serving it, works', not wrong and half > 3,
          '\n'.join([f'{half} {len(wrong)} of {2 * n}'] + wrong))


def lies(place):
    for lie in ('all', 'files', 'folders'):
        w, disk, ends, live = place.record(f'lie-{lie}', {'seconds': 0.7, 'pause_s': 0.01}, LIE=lie)
        rng, seen, i = random.Random(f'{SEED} {lie}'), [], 0
        for i, cut in enumerate(sorted(rng.sample(w.answers(), min(30, len(w.answers()))))):
            folder = place.tmp / f'lie-{lie}.{i}'
            state_at(disk, cut, lie, i, folder, 'harsh')
            seen = judge_folder(w, folder, cut, rng, check_first=False)
            shutil.rmtree(folder)
            if seen:
                break
        check(f'syncs of {lie} are lies: cut {i + 1} finds it', seen)


def main():
    if not LIBRARY.exists():
        print(f'1..0 # SKIP {LIBRARY} is not built')
        return 0
    room = '/dev/shm' if os.access('/dev/shm', os.W_OK) and os.statvfs('/dev/shm').f_bavail * os.statvfs('/dev/shm').f_frsize > 1 << 30 else None
    with tempfile.TemporaryDirectory(prefix='co-', dir=room) as tmp:
        place = Place(Path(tmp))
        w, twice, live = cuts(place)
        cuts_while_it_recovers(place, w, twice)
        a_copy_is_durable(place, w, live)
        cuts_while_it_is_set_up(place)
        lies(place)
    return check.done()


sys.exit(main())
