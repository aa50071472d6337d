#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A host that starts the enclave's machine as it likes: with a clock of another year, a source of randomness and a network card of its own;
and on hardware whose clock the configuration does not know. Skipped with a word where QEMU, kernel or vsock back-end cannot be had.
C-21 C-22 C-34"""
import importlib.machinery, importlib.util, json, os, subprocess, sys, time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / 'tools'))
from local import Checks

BUILD, SOURCE = Path(os.environ['COFFER_BUILD']), Path(os.environ['COFFER_SOURCE'])
loader = importlib.machinery.SourceFileLoader('demo', str(SOURCE / 'deploy' / 'local' / 'demo'))
demo = importlib.util.module_from_spec(importlib.util.spec_from_loader('demo', loader))
loader.exec_module(demo)
check = Checks()


class Machine(demo.Demo):
    """The demo's, started by a monitor of the attacker's: the same, with more options for QEMU."""

    def __init__(self, options, **config):
        super().__init__(BUILD, False, BUILD / 'vm')
        mine = self.dir / 'parts'
        mine.mkdir()
        for name in ('root', 'vsock', 'kernel'):
            (mine / name).symlink_to(BUILD / 'vm' / name)
        (mine / 'monitor').write_text((SOURCE / 'deploy/vm/monitor').read_text().rstrip('\n') + f' \\\n    {options}\n')
        (mine / 'monitor').chmod(0o755)
        self.parts, self.more_config = mine, config

    def await_word(self, *words):
        deadline = time.monotonic() + 150
        while time.monotonic() < deadline and not any(w in self.tail('coffer-enclave') for w in words):
            time.sleep(0.1)
        return self.tail('coffer-enclave')


def another_year():
    s = Machine('-rtc base=2038-01-19T03:14:00 -device virtio-rng-pci -device virtio-net-pci')
    try:
        s.set_up()
        demo.root_certificate(s)
        s.start_host()
        s.start_producer()
        log = s.await_word('enclave.ready', 'enclave.not_started')
        check('C-22 a machine whose clock says 2038: the enclave sets it by the hypervisor\'s', 'enclave.clock_set' in log and 'enclave.ready' in log, log)
        picture = s.dir / 'p.png'
        subprocess.run([str(s.picture), str(picture), '3'], check=True)
        job = s.submit(picture)
        p = s.run('coffer', ['status', job, '--wait', '90'] + s.gateway(), expect=None, timeout=120)
        q = s.run('coffer', s.result_args(job) + ['-o', s.dir / 'out', '--json'], who='owner', expect=None)
        times = json.loads(q.stdout or b'{}')
        check('C-22 and its receipt tells this year', p.returncode == 0 and q.returncode == 0 and abs(times['finished_ms'] / 1000 - time.time()) < 300, f'{p.stderr} {q.stderr} {times}')
        check('C-21 a source of randomness of the host\'s beside the hypervisor\'s is not the kernel\'s source', 'enclave.ready' in log and 'not_started' not in log, log)
    finally:
        s.stop()


def another_clock():
    s = Machine('', clocks=['no-such-clock'])
    try:
        s.set_up()
        s.start_host()
        log = s.await_word('enclave.not_started', 'enclave.ready')
        check('C-22 a machine with a clock source that the configuration does not name: nothing is started', 'not_started' in log and 'clock source' in log and 'ready' not in log, log)
    finally:
        s.stop()


def main():
    if sys.maxsize < 1 << 32 or os.uname().machine != 'x86_64':
        print('1..0 # skip an image is built for x86_64 only')
        return 0
    p = subprocess.run([str(SOURCE / 'deploy/vm/parts'), str(BUILD / 'vm')], capture_output=True, timeout=170, stdin=subprocess.DEVNULL)
    if p.returncode == 4:
        print(f'1..0 # skip {p.stderr.decode().strip().splitlines()[-1]}')
        return 0
    check('the parts are fetched', p.returncode == 0, p.stderr.decode())
    for part in (another_year, another_clock):
        try:
            part()
        except Exception as e:  # what broke is a failed check
            check(f'the test itself: {type(e).__name__}: {e}', False)
    return check.done()


sys.exit(main())
