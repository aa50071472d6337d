#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""C-24: the comparison that all secrets, tags, commitments and measurements go through branches on none of their bytes, and base64, in which keys
come and go, on none of the characters. Shown by Valgrind with the secret marked as undefined (ct_probe.c), as it was compiled; a comparison
that stops early shows that it would be noticed."""
import os, re, shutil, subprocess
from pathlib import Path

PROBE = Path(os.environ['COFFER_BUILD']) / 'tests/ct_probe'


def memcheck(case):
    """-> what it did, how often it depended on the secret"""
    p = subprocess.run(['valgrind', '--error-limit=no', str(PROBE), case], capture_output=True, text=True, timeout=120)
    found = re.search(r'ERROR SUMMARY: (\d+) errors', p.stderr)
    return p, int(found[1]) if found else -1


def main():
    if not shutil.which('valgrind'):
        return print('1..0 # SKIP no valgrind')
    (ours, n_ours), (encode, n_encode), (decode, n_decode), (control, n_control) = map(memcheck, ('equal', 'encode', 'decode', 'leaky'))
    if ours.returncode == 77:
        return print('1..0 # SKIP built without Valgrind\'s header')
    tests = (('C-24 secrets are compared without a branch on their bytes', n_ours == 0, ours),
             ('and rightly, wherever they differ', ours.stdout.split() == ['same', 'other', 'other', 'other'], ours),
             ('C-24 keys become base64 without a branch or a look-up by their bytes', n_encode == 0 and encode.stdout.split() == ['same'], encode),
             ('C-24 and come back: the one thing that depends on them is whether all was well', n_decode == 1 and decode.stdout.split() == ['same'], decode),
             ('a comparison that stops at the first difference is reported', n_control > 1 and 'uninitialised' in control.stderr, control))
    print(f'1..{len(tests)}')
    for n, (name, ok, said) in enumerate(tests, 1):
        print(f'{"ok" if ok else "not ok"} {n} - {name}')
        if not ok:
            print('\n'.join('# ' + line for line in (said.stdout + said.stderr).splitlines()[:40]))


main()
