#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The demo as a user runs it: two generated pictures, and a JPEG of the caller's; every stage, both refusals, nothing left behind."""
import os, subprocess, sys, tempfile
from pathlib import Path

BUILD, SOURCE = Path(os.environ['COFFER_BUILD']), Path(os.environ['COFFER_SOURCE'])


def demo(*args, env=None):
    p = subprocess.run([sys.executable, str(SOURCE / 'deploy' / 'local' / 'demo'), str(BUILD), *map(str, args)], env=env,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=180, stdin=subprocess.DEVNULL)
    return p.returncode, p.stdout.decode(errors='replace')


def main():
    results = []
    with tempfile.TemporaryDirectory(prefix='coffer-test-') as tmp:
        env = dict(os.environ, TMPDIR=tmp)
        code, out = demo(env=env)
        results.append(('two generated pictures go through, verified', code == 0 and out.count('receipt verified') == 2, out))
        results.append(('the host is denied the data key', 'AccessDenied' in out and 'explicit deny' in out, out))
        results.append(('an altered job is refused and goes to the dead-letter queue', 'refused: message-altered' in out, out))
        results.append(('it says that the hypervisor is simulated', 'simulated' in out, out))
        results.append(('nothing is left behind', not os.listdir(tmp), str(os.listdir(tmp))))
        mine = Path(tmp) / 'mine.jpg'
        subprocess.run([str(BUILD / 'deploy' / 'local' / 'picture'), str(mine), '7'], check=True)
        code, out = demo(mine, env=env)
        results.append(('a JPEG of the caller\'s goes through', code == 0 and 'jpeg, 1024 x 683' in out, out))
        text = Path(tmp) / 'no-picture.txt'
        text.write_text('this is no picture')
        code, out = demo(text, env=env)
        results.append(('a file that is no picture ends in an error that says so',
                        code == 1 and 'input-refused-by-processor' in out, out))
        code, out = demo(Path(tmp) / 'absent.png', env=env)
        results.append(('a missing file is named', code == 1 and 'absent.png' in out, out))
    print(f'1..{len(results)}')
    for i, (name, ok, out) in enumerate(results, 1):
        print(f'{"ok" if ok else "not ok"} {i} - {name}')
        if not ok:
            print('\n'.join('# ' + line for line in out.splitlines()[-30:]))


main()
