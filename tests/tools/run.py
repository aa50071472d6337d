#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every test and ends in one line `N passed, N failed, N skipped`.

    run.py BUILD_DIR [--jobs N] [--only TEXT] [--junit FILE]

Tests are programs that speak TAP: the cmocka programs in BUILD_DIR/tests, and the scripts tests/{cli,e2e,attacks,interop}/*_test.*
(.py, .sh) of the source tree. A program that dies, times out or runs fewer tests than it planned counts as one failure.
"""
import argparse, concurrent.futures as cf, os, re, subprocess, sys, time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LINE = re.compile(r'^(not ok|ok)\b(?:\s+\d+)?\s*(?:-\s*)?(.*)$')
PLAN = re.compile(r'^1\.\.(\d+)(?:\s*#\s*skip\s*(.*))?', re.I)


def find(build):
    for exe in sorted((build / 'tests').glob('*_test')):
        if exe.is_file() and os.access(exe, os.X_OK):
            yield exe.name, [str(exe)]
    for room in ('cli', 'e2e', 'attacks', 'interop'):
        for script in sorted((ROOT / 'tests' / room).glob('*_test.*')):
            if script.suffix == '.py':
                yield f'{room}/{script.stem}', [sys.executable, str(script)]
            elif script.suffix == '.sh':
                yield f'{room}/{script.stem}', ['/bin/sh', str(script)]


def untracked():
    """Files of the source tree that git does not know; tests write elsewhere. None: git is not here."""
    try:
        p = subprocess.run(['git', '-C', str(ROOT), 'status', '--porcelain', '--untracked-files=all'], capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {line[3:] for line in p.stdout.decode(errors='replace').splitlines() if line[:2] == '??'} if p.returncode == 0 else None


def run(name, command, build, timeout):
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT='TAP', COFFER_BUILD=str(build), COFFER_SOURCE=str(ROOT),
               PYTHONDONTWRITEBYTECODE='1')
    env.setdefault('COFFER_VECTORS', str(ROOT.parent / 'shared' / 'vectors'))
    start = time.monotonic()
    try:
        p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, timeout=timeout,
                           stdin=subprocess.DEVNULL, cwd=ROOT)
        text, code = p.stdout.decode(errors='replace'), p.returncode
    except subprocess.TimeoutExpired as e:
        text, code = (e.stdout or b'').decode(errors='replace') + f'\n# no end within {timeout} s\n', -1
    return name, text, code, time.monotonic() - start


def outcomes(text):
    """-> [('passed' 'failed' 'skipped', name, why)], a line each; a plan of nothing is the skipped 'whole program'"""
    found = []
    for line in text.splitlines():
        plan = PLAN.match(line)
        if plan and int(plan.group(1)) == 0:
            found.append(('skipped', 'whole program', plan.group(2) or 'no reason given'))
        m = None if plan else LINE.match(line)
        if not m:
            continue
        what, _, directive = m.group(2).partition('#')
        skip = directive.strip().lower().startswith('skip')
        if skip and not what.strip():  # cmocka writes skipped tests so, with the name where the reason belongs
            found.append(('skipped', directive.strip()[4:].strip(), 'what it needs (vectors, a judge) is not here'))
        elif skip:
            found.append(('skipped', what.strip(), directive.strip()[4:].strip()))
        else:
            found.append(('failed' if m.group(1) == 'not ok' else 'passed', what.strip(), ''))
    return found


def count(text, code):
    """-> passed, [(name, why)] failed, [(name, why)] skipped"""
    found = outcomes(text)
    passed = sum(1 for what, _, _ in found if what == 'passed')
    failed, skipped = ([(name, why) for what, name, why in found if what == wanted] for wanted in ('failed', 'skipped'))
    planned = sum(int(plan.group(1)) for line in text.splitlines() if (plan := PLAN.match(line)))
    seen = sum(1 for _, name, _ in found if name != 'whole program')
    if seen < planned:
        failed.append((f'ran {seen} of {planned} planned tests', ''))
    if seen == 0 and not skipped:
        failed.append(('ran no test', ''))
    elif code != 0 and not failed:
        failed.append((f'exit code {code} though no test failed', ''))
    return passed, failed, skipped


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('build', type=Path)
    ap.add_argument('--jobs', type=int, default=(os.cpu_count() or 2) + 1, help='at once; one more than processors, since some wait')
    ap.add_argument('--only', action='append', default=[], help='run only programs whose name contains this text; repeatable')
    ap.add_argument('--timeout', type=int, default=480, help='seconds a program may take')
    a = ap.parse_args()
    tests = [t for t in find(a.build.resolve()) if not a.only or any(text in t[0] for text in a.only)]
    passed = failed = skipped = 0
    reasons, slow = {}, []
    before = None if a.only else untracked() # a whole run; who runs a few may be writing meanwhile
    with cf.ThreadPoolExecutor(a.jobs) as pool:
        for done in cf.as_completed([pool.submit(run, n, c, a.build.resolve(), a.timeout) for n, c in tests]):
            name, text, code, seconds = done.result()
            p, f, s = count(text, code)
            passed, failed, skipped = passed + p, failed + len(f), skipped + len(s)
            slow.append((seconds, name))
            print(f'{"FAIL" if f else "ok":4} {name:50} {p:4} passed{f", {len(f)} failed" if f else ""}'
                  f'{f", {len(s)} skipped" if s else ""}  {seconds:.1f} s', flush=True)
            for what, why in s:
                reasons.setdefault(why or 'no reason given', []).append(f'{name}: {what}')
            if f:
                for what, _ in f:
                    print(f'     not ok: {what}')
                print('     | ' + '\n     | '.join(text.splitlines()[-60:]), flush=True)
    left = sorted((untracked() or set()) - before) if before is not None else []
    if left:
        print(f'FAIL the source tree: tests left {", ".join(left[:5])}')
    failed += len(left)
    for why, which in sorted(reasons.items()):
        print(f'skipped ({why}): {len(which)}: {"; ".join(which[:4])}{" ..." if len(which) > 4 else ""}')
    print('slowest: ' + ', '.join(f'{n} {s:.0f} s' for s, n in sorted(slow, reverse=True)[:4]))
    print(f'{passed} passed, {failed} failed, {skipped} skipped')
    return 1 if failed or passed == 0 else 0


if __name__ == '__main__':
    sys.exit(main())
