#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every program and verb tells how it is used: --help, --version, a manual page that groff takes without a warning, and a wrong option
named in one line."""
import os, re, shutil, subprocess
from pathlib import Path

PROG = Path(os.environ['COFFER_BUILD']) / 'src/prog'
results = []


def run(*argv, stdin=b''):
    p = subprocess.run([str(a) for a in argv], input=stdin, capture_output=True, timeout=20)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def commands():
    for name, many in (('coffer', True), ('coffer-local', True), ('coffer-producer', False), ('coffer-host', False)):
        exe = PROG / name / name
        if not many:
            yield name, [exe]
            continue
        code, out, _ = run(exe, '--help')
        for line in out.splitlines():
            verb = re.match(r'^  ([a-z]+(?: [a-z]+)?)  +\S', line)
            if verb:
                yield f'{name} {verb.group(1)}', [exe, *verb.group(1).split()]


def main():
    for name, argv in commands():
        code, out, err = run(*argv, '--help')
        good = code == 0 and out.startswith('usage: ') and not err
        code, out, err = run(*argv, '--no-such-option')
        good = good and code == 2 and '--no-such-option' in err and err.count('\n') <= 2 and not out
        code, page, err = run(*argv, '--man')
        good = good and code == 0 and page.startswith('.TH ') and '.SH OPTIONS' in page
        if shutil.which('groff'):
            code, _, err = run('groff', '-man', '-Tutf8', '-ww', stdin=page.encode())
            good = good and code == 0 and not err
        results.append((f'{name}: help, manual page, wrong option', good, err))
    if shutil.which('bash'):
        def complete(*words):
            script = (f'source <({PROG}/coffer/coffer --completion); COMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}; '
                      '_coffer; echo "${COMPREPLY[@]}"')
            return run('bash', '-c', script)[1].split()
        results.append(('bash completes verbs', complete('coffer', 'ro') == ['roundtrip'] and complete('coffer', 'att') == ['attest'], ''))
        results.append(('and second words', complete('coffer', 'attest', '""') == ['verify'], str(complete('coffer', 'attest', '""'))))
        results.append(('and options', complete('coffer', 'put', '--checksum') == ['--checksum-algorithm']
                        and '--pcr' in complete('coffer', 'attest', 'verify', '--p'), str(complete('coffer', 'attest', 'verify', '--p'))))
    print(f'1..{len(results)}')
    for i, (name, ok, detail) in enumerate(results, 1):
        print(f'{"ok" if ok else "not ok"} {i} - {name}')
        if not ok:
            print(f'# {detail[:300]}')


main()
