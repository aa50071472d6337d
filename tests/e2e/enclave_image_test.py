#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job on the kernel and first process that are shipped, in the machine that an enclave's is (virtio over memory-mapped registers, no
PCI, no ACPI). What `./do enclave-image` has built is taken from build-enclave/ or $COFFER_ENCLAVE_DIR; where it was not built, which takes
minutes, or QEMU cannot be had, this is skipped with a word."""
import hashlib, json, os, re, subprocess, sys, tempfile
from pathlib import Path

BUILD, SOURCE = Path(os.environ['COFFER_BUILD']), Path(os.environ['COFFER_SOURCE'])
BUILT = Path(os.environ.get('COFFER_ENCLAVE_DIR') or SOURCE / 'build-enclave')
sys.path.insert(0, str(SOURCE / 'tests/tools'))
from local import Checks

COFFER = BUILD / 'src/prog/coffer/coffer'
check = Checks()


def skip(why):
    print(f'1..0 # skip {why}')
    sys.exit(0)


def measured(*parts):
    return hashlib.sha384(bytes(48) + hashlib.sha384(b''.join(parts)).digest()).hexdigest()


def main():
    if os.uname().machine != 'x86_64':
        skip('an image is built for x86_64 only')
    if not all((BUILT / f).exists() for f in ('kernel/complete', 'boot', 'root/usr/libexec/coffer/coffer-imagefacts')):
        skip('the image to ship was not built: ./do enclave-image')
    p = subprocess.run([str(SOURCE / 'deploy/vm/parts'), str(BUILD / 'vm')], capture_output=True, timeout=170, stdin=subprocess.DEVNULL)
    if p.returncode == 4:
        skip(p.stderr.decode().strip().splitlines()[-1])
    check('the parts are fetched', p.returncode == 0, p.stderr.decode())
    cmdline = (SOURCE / 'deploy/enclave/cmdline').read_bytes().strip()
    boot = measured((BUILT / 'kernel/vmlinuz').read_bytes(), cmdline, (BUILT / 'boot').read_bytes())
    with tempfile.TemporaryDirectory(prefix='coffer-vm-') as tmp:
        picture = Path(tmp) / 'mine.jpg'
        subprocess.run([str(BUILD / 'deploy/local/picture'), str(picture), '3'], check=True)
        p = subprocess.run([sys.executable, str(SOURCE / 'deploy/local/demo'), str(BUILD), '--vm', str(BUILD / 'vm'), '--enclave', str(BUILT), str(picture)],
                           env=dict(os.environ, TMPDIR=tmp), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=280, stdin=subprocess.DEVNULL)
        out = p.stdout.decode(errors='replace')
        tail = '\n'.join(out.splitlines()[-12:])
        check('a picture goes through an enclave on this kernel, and its receipt is verified', p.returncode == 0 and 'receipt verified' in out, tail)
        said = dict(re.findall(r'(image PCR\d|PCR\d) +([0-9a-f]{96})', out))
        check('the receipt proves the PCRs of the image', len(said) == 6 and all(said[f'PCR{n}'] == said[f'image PCR{n}'] for n in range(3)), out)
        check('PCR1 is that of the very kernel, command line and first process that are shipped', said.get('PCR1') == boot, f'{said.get("PCR1")} {boot}')
        image = BUILT / 'coffer-enclave.eif'
        if image.exists():
            q = subprocess.run([str(COFFER), 'eif', 'describe', '--json', str(image)], capture_output=True, timeout=60)
            check('and of the image that lies there', json.loads(q.stdout)['Measurements']['PCR1'] == boot, q.stdout.decode())
        check('the host is denied the data key', 'AccessDenied' in out and 'explicit deny' in out, tail)
        check('an altered job is refused inside the machine', 'refused: message-altered' in out, tail)
        check('nothing is left behind', os.listdir(tmp) == ['mine.jpg'], os.listdir(tmp))
    return check.done()


sys.exit(main())
