#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job with the enclave as an image in a virtual machine: booted by QEMU, its first process our own, /dev/nsm and vsock the
kernel's; the receipt proves the image's PCRs. Skipped with a word where QEMU, kernel or vsock back-end cannot be had."""
import json, os, re, subprocess, sys, tempfile
from pathlib import Path

BUILD, SOURCE = Path(os.environ['COFFER_BUILD']), Path(os.environ['COFFER_SOURCE'])


def skip(why):
    print(f'1..0 # skip {why}')
    sys.exit(0)


def main():
    if sys.maxsize < 1 << 32 or os.uname().machine != 'x86_64':
        skip('an image is built for x86_64 only')
    p = subprocess.run([str(SOURCE / 'deploy/vm/parts'), str(BUILD / 'vm')], capture_output=True, timeout=170, stdin=subprocess.DEVNULL)
    if p.returncode == 4:
        skip(p.stderr.decode().strip().splitlines()[-1])
    results = [('the parts are fetched', p.returncode == 0, p.stderr.decode())]
    with tempfile.TemporaryDirectory(prefix='coffer-vm-') as tmp:
        picture = Path(tmp) / 'mine.jpg'
        subprocess.run([str(BUILD / 'deploy/local/picture'), str(picture), '3'], check=True)
        p = subprocess.run([sys.executable, str(SOURCE / 'deploy/local/demo'), str(BUILD), '--vm', str(BUILD / 'vm'), str(picture)],
                           env=dict(os.environ, TMPDIR=tmp), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=230, stdin=subprocess.DEVNULL)
        out = p.stdout.decode(errors='replace')
        results.append(('a picture goes through an enclave in a virtual machine, and its receipt is verified', p.returncode == 0 and 'receipt verified' in out, out))
        said = dict(re.findall(r'(image PCR\d|PCR\d) +([0-9a-f]{96})', out))
        results.append(('the receipt proves the PCRs of the image', len(said) == 6 and all(said[f'PCR{n}'] == said[f'image PCR{n}'] for n in range(3)), out))
        results.append(('the host is denied the data key', 'AccessDenied' in out and 'explicit deny' in out, out))
        results.append(('an altered job is refused inside the machine', 'refused: message-altered' in out, out))
        results.append(('nothing is left behind', os.listdir(tmp) == ['mine.jpg'], str(os.listdir(tmp))))
    print(f'1..{len(results)}')
    for i, (name, ok, out) in enumerate(results, 1):
        print(f'{"ok" if ok else "not ok"} {i} - {name}')
        if not ok:
            print('\n'.join('# ' + line for line in out.splitlines()[-40:]))


main()
