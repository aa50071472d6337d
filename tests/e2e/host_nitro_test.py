#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer-host runs an image with nitro-cli: asked as documented, watched, compared with the image's measurements, terminated with the host;
and whatever nitro-cli does wrong. nitro-cli is played (tests/tools/nitro_cli.py). Then what systemd is told."""
import json, os, shutil, signal, socket, subprocess, sys, tempfile, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SOURCE, BUILD = Path(os.environ['COFFER_SOURCE']), Path(os.environ['COFFER_BUILD'])
sys.path.insert(0, str(SOURCE / 'tests/tools'))
from host import HOST, Host
from local import Checks

check = Checks()
COFFER = BUILD / 'src/prog/coffer/coffer'
TMP = Path(tempfile.mkdtemp(prefix='coffer-nitro-'))


def make_image():
    (TMP / 'kernel').write_bytes(os.urandom(5000))
    for name in ('boot', 'data'):
        (TMP / name).write_bytes(os.urandom(3000))
        subprocess.run([COFFER, 'eif', 'ramdisk', '-o', TMP / f'{name}.cpio', '--file', f'{name}={TMP / name}'], check=True)
    out = subprocess.run([COFFER, 'eif', 'build', '-o', TMP / 'image.eif', '--kernel', TMP / 'kernel', '--cmdline', 'reboot=k', '--ramdisk', TMP / 'boot.cpio',
                          '--ramdisk', TMP / 'data.cpio', '--name', 'test'], check=True, capture_output=True).stdout
    return json.loads(out)['Measurements']


PCRS = make_image()


class Nitro:
    def __init__(self):
        self.dir = Path(tempfile.mkdtemp(dir=TMP))
        self.path = self.dir / 'nitro-cli'
        shutil.copy(SOURCE / 'tests/tools/nitro_cli.py', self.path)
        self.path.write_text(self.path.read_text().replace('#!/usr/bin/env python3', f'#!{sys.executable}', 1))
        self.path.chmod(0o755)
        (self.dir / 'pcrs.json').write_text(json.dumps({k: PCRS[k] for k in ('PCR0', 'PCR1', 'PCR2')}))

    def mode(self, *words):
        (self.dir / 'mode.new').write_text(' '.join(words))
        (self.dir / 'mode.new').rename(self.dir / 'mode')

    def calls(self, verb):
        lines = [json.loads(x) for x in (self.dir / 'calls').read_text().splitlines()] if (self.dir / 'calls').exists() else []
        return [c for c in lines if c['argv'][0] == verb]

    def enclaves(self):
        file = self.dir / 'enclaves.json'
        return json.loads(file.read_text()) if file.exists() else []

    def lose(self):
        (self.dir / 'none.json').write_text('[]')
        (self.dir / 'none.json').rename(self.dir / 'enclaves.json')

    def host(self, *more, **kw):
        return Host('--allow', 'localhost:1', '--image', TMP / 'image.eif', '--nitro-cli', self.path, '--memory-mib', 600, '--cpus', 2, *more, **kw)

    def wait(self, good, seconds=15):
        until = time.monotonic() + seconds
        while not good() and time.monotonic() < until:
            time.sleep(0.05)
        return good()


def life():
    n = Nitro()
    h = n.host('--cid', 20, '--pcr', f'0={PCRS["PCR0"]}', '--pcr', f'2={PCRS["PCR2"]}')
    try:
        what = json.loads(h.line.split(' ', 1)[1])
        check('ready tells the enclave, and its measurements', what['cid'] == 20 and what['pcrs'] == {k: PCRS[k] for k in ('PCR0', 'PCR1', 'PCR2')}
              and what['id'] == n.enclaves()[0]['EnclaveID'] and what['simulated'] is False, what)
        run = n.calls('run-enclave')[0]
        check('it was asked for as documented, and not in debug mode', run['argv'] == ['run-enclave', '--enclave-name', 'coffer', '--eif-path', str(TMP / 'image.eif'),
              '--cpu-count', '2', '--memory', '600', '--enclave-cid', '20'], run)
        check('nitro-cli sees no credentials', not [x for c in (run, *n.calls('describe-enclaves')) for x in c['env'] if x.startswith('AWS')], run['env'])
        check('the process that faces the enclave starts no programs', 'Seccomp:\t2' in Path(f'/proc/{h.p.pid}/status').read_text())
        n.wait(lambda: len(n.calls('describe-enclaves')) >= 3)
        check('it is looked at', len(n.calls('describe-enclaves')) >= 3 and h.metrics()['coffer_host_enclave_running'] == 1)
        n.lose()
        check('one that dies is started again', n.wait(lambda: len(n.enclaves()) == 1 and len(n.calls('run-enclave')) == 2) and
              h.await_metric('coffer_host_enclave_restarts_total{reason="ended"}', lambda x: x == 1) == 1, h.said()[-500:])
        h.await_metric('coffer_host_enclave_starts_total', lambda x: x == 2)
        n.mode('fail-describe-enclaves')
        n.wait(lambda: h.events('host.enclave_unknown'))
        check('when it cannot be looked at nothing is started beside it', len(n.calls('run-enclave')) == 2 and h.events('host.enclave_unknown')
              and b'\x1b' not in (h.tmp / 'log').read_bytes(), h.said()[-400:])
        n.mode()
        h.await_metric('coffer_host_enclave_running', lambda x: x == 1)
        check('it is terminated with the host', h.stop() == 0 and n.enclaves() == [] and len(n.calls('terminate-enclave')) == 1, h.said()[-500:])
    finally:
        h.close()


def killed():
    n = Nitro()
    h = n.host()
    try:
        check('the context is 16 where none is given', n.enclaves()[0]['EnclaveCID'] == 16)
        h.p.kill()
        check('and when the host is killed', n.wait(lambda: n.enclaves() == []), n.enclaves())
    finally:
        h.close()


def debug():
    n = Nitro()
    h = n.host('--debug')
    try:
        check('debug mode when asked for', n.calls('run-enclave')[0]['argv'][-1] == '--debug-mode' and n.enclaves()[0]['Flags'] == 'DEBUG_MODE')
    finally:
        h.close()
    n.wait(lambda: n.enclaves() == [])


def one_wrong(mode, event, says):
    n = Nitro()
    n.mode(mode)
    h = n.host(ready=False)
    try:
        got = n.wait(lambda: h.events(event))
        check(f'{mode}: told', bool(got) and says in got[0]['why'], h.said()[-400:])
        check(f'{mode}: nothing is left running', n.wait(lambda: h.events('host.enclave_not_started')) and not n.enclaves(), n.enclaves())
        n.mode()
        line = h.p.stdout.readline().decode()
        check(f'{mode}: once it is well the enclave runs', line.startswith('ready') and len(n.enclaves()) == 1, line + h.said()[-400:])
        check(f'{mode}: and ends', h.stop() == 0 and not n.enclaves(), n.enclaves())
    finally:
        h.close()


def wrong():
    """What must not be taken for a running enclave of ours; and it is tried again."""
    cases = (('fail-run-enclave', 'host.enclave_not_started', 'E26'), ('junk-run-enclave', 'host.enclave_not_started', ''),
             ('killed-run-enclave', 'host.enclave_not_started', 'exit -1'), ('flood-run-enclave', 'host.enclave_not_started', ''),
             ('other-pcr', 'host.enclave_refused', 'measurements'), ('debug', 'host.enclave_refused', 'debug mode'),
             ('junk-describe-enclaves', 'host.enclave_refused', ''), ('fail-describe-enclaves', 'host.enclave_refused', 'E26'))
    with ThreadPoolExecutor(len(cases)) as pool: # each mostly waits
        list(pool.map(lambda c: one_wrong(*c), cases))
    n = Nitro()
    n.mode('no-pcrs')
    h = n.host()
    try:
        check('a nitro-cli that tells no measurements is noted', h.events('host.measurements_not_told'))
        n.lose()
        check('and served on with', n.wait(lambda: len(n.enclaves()) == 1))
    finally:
        h.close()


def refused_at_once():
    n = Nitro()
    damaged = bytearray((TMP / 'image.eif').read_bytes())
    damaged[-1] ^= 1
    (TMP / 'damaged.eif').write_bytes(damaged)
    base = ['-l', 'unix:@coffer-never', '-a', 'localhost:1', '--nitro-cli', n.path]
    image = ['--image', TMP / 'image.eif']
    for what, more, code, says in (('another PCR than was given', [*image, '--pcr', '1=' + '00' * 48], 3, 'PCR1'), ('a PCR that is none', [*image, '--pcr', '9=' + '00' * 48], 2, '--pcr'),
                                   ('a damaged image', ['--image', TMP / 'damaged.eif'], 3, 'CRC'), ('no image', ['--image', TMP / 'kernel'], 1, 'no enclave image'),
                                   ('a file that is not there', ['--image', TMP / 'none.eif'], 1, 'none.eif'), ('nitro-cli without an image', [], 2, '--image'),
                                   ('the parent\'s own context', [*image, '--cid', '3'], 2, '--cid'), ('both hypervisors', [*image, '-H', 'unix:/x'], 2, '--hypervisor'),
                                   ('no nitro-cli', [*image, '--nitro-cli', '/no/such/nitro-cli'], 2, '/no/such/nitro-cli')):
        p = subprocess.run([HOST, *map(str, base + more)], capture_output=True, timeout=20,
                           env={'AWS_ACCESS_KEY_ID': 'a', 'AWS_SECRET_ACCESS_KEY': 'b', 'AWS_EC2_METADATA_DISABLED': 'true', 'AWS_REGION': 'us-east-1'})
        check(f'{what}: refused before anything runs', p.returncode == code and says in p.stderr.decode(), f'{p.returncode} {p.stderr}')
    check('nitro-cli was never asked', not n.calls('run-enclave'))


def manager():
    """READY=1 when the enclave was started, not before; WATCHDOG=1 as often as wanted; STOPPING=1."""
    n = Nitro()
    n.mode('fail-run-enclave')
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(str(TMP / 'notify'))
    s.settimeout(10)
    h = n.host(env={'NOTIFY_SOCKET': str(TMP / 'notify'), 'WATCHDOG_USEC': '400000'}, ready=False)
    try:
        first = [s.recv(200) for _ in range(3)]
        check('the watchdog is fed from the beginning', first == [b'WATCHDOG=1'] * 3, first)
        n.mode()
        got = []
        while not got or not got[-1].startswith(b'READY'):
            got.append(s.recv(200))
        check('ready is told once the enclave runs', len(n.enclaves()) == 1, got)
        check('nitro-cli has nothing of it', not [x for c in n.calls('run-enclave') for x in c['env'] if 'NOTIFY' in x or 'WATCHDOG' in x])
        h.p.send_signal(signal.SIGTERM)
        while got[-1] != b'STOPPING=1':
            got.append(s.recv(200))
        check('and the end', h.p.wait(20) == 0)
    finally:
        h.close()
        s.close()


try:
    for part in (life, killed, debug, wrong, refused_at_once, manager):
        part()
finally:
    shutil.rmtree(TMP, ignore_errors=True)
sys.exit(check.done())
