#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""C-24: the comparison that all secrets, tags, commitments and measurements go through branches on none of their bytes. Shown by Valgrind with
the secret marked as undefined (ct_probe.c), as it was compiled; a comparison that stops early shows that it would be noticed."""
import os, shutil, subprocess
from pathlib import Path

PROBE = Path(os.environ['COFFER_BUILD']) / 'tests/ct_probe'


def memcheck(case):
    return subprocess.run(['valgrind', '-q', '--error-exitcode=9', str(PROBE), case], capture_output=True, text=True, timeout=120)


def main():
    if not shutil.which('valgrind'):
        return print('1..0 # SKIP no valgrind')
    ours, control = memcheck('equal'), memcheck('leaky')
    if ours.returncode == 77:
        return print('1..0 # SKIP built without Valgrind\'s header')
    print('1..3')
    for n, (name, ok, said) in enumerate((
            ('C-24 secrets are compared without a branch on their bytes', ours.returncode == 0, ours),
            ('and rightly, wherever they differ', ours.stdout.split() == ['same', 'other', 'other', 'other'], ours),
            ('a comparison that stops at the first difference is reported', control.returncode == 9 and 'uninitialised' in control.stderr, control)), 1):
        print(f'{"ok" if ok else "not ok"} {n} - {name}')
        if not ok:
            print('\n'.join('# ' + line for line in (said.stdout + said.stderr).splitlines()[:30]))


main()
