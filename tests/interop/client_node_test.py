#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our messages judged by the AWS Encryption SDK for JavaScript (@aws-crypto/client-node, tests only): what it writes we read, what
we write it reads, with raw AES and RSA keys and with KMS keys through coffer-local. Installed from npm into the build folder;
skipped where there is no npm, or no way to its packages."""
import json, os, signal, subprocess, sys, tempfile
from pathlib import Path

BUILD, SOURCE = Path(os.environ['COFFER_BUILD']), Path(os.environ['COFFER_SOURCE'])
COFFER, LOCAL = BUILD / 'src/prog/coffer/coffer', BUILD / 'src/prog/coffer-local/coffer-local'
sys.path.insert(0, str(SOURCE / 'tests/tools'))
from node import packages_or_skip  # noqa: E402

NODE = SOURCE / 'tests/interop/node'
SIZES = {'0': 0, '1': 1, 'frame-1': 4095, 'frame': 4096, 'frame+1': 4097, '10 MiB': 10 << 20}
results = []


class Peer:
    def __init__(self, place, env):
        # Newer versions of node open PKCS#1 v1.5 only when told to.
        revert = ['--security-revert=CVE-2023-46809']
        if subprocess.run(['node', *revert, '-e', '0'], capture_output=True).returncode != 0:
            revert = []
        self.p = subprocess.Popen(['node', *revert, str(NODE / 'driver.js')], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  env=dict(env, NODE_PATH=str(place / 'node_modules'), NODE_NO_WARNINGS='1'))

    def ask(self, **request):
        self.p.stdin.write(json.dumps(request, default=str).encode() + b'\n')
        self.p.stdin.flush()
        line = self.p.stdout.readline()
        while line and not line.startswith(b'{'):  # node's own warnings
            line = self.p.stdout.readline()
        return json.loads(line)

    def close(self):
        self.p.stdin.close()
        self.p.wait(20)


def coffer(*argv, env=None):
    p = subprocess.run([str(COFFER), *[str(a) for a in argv]], capture_output=True, timeout=120, env=env)
    return p.returncode, p.stdout, p.stderr.decode(errors='replace')


def check(name, ok, detail=''):
    results.append((name, bool(ok), detail))


class World:
    def __init__(self, tmp, peer, env):
        self.tmp, self.peer, self.env, self.n = tmp, peer, env, 0
        self.inputs = {}
        for name, size in SIZES.items():
            self.inputs[name] = tmp / f'plain {name}'
            self.inputs[name].write_bytes(os.urandom(size))

    def path(self):
        self.n += 1
        return self.tmp / f'file {self.n}'

    def theirs_by_us(self, name, keyrings, ours, size='frame+1', decrypt=(), **options):
        sealed, opened = self.path(), self.path()
        reply = self.peer.ask(op='encrypt', **{'in': self.inputs[size]}, out=sealed, keyrings=keyrings, **options)
        if not reply['ok']:
            return check(name, False, f'the judge does not seal: {reply["error"]}')
        args = [f'{k}={v}' for k, v in options.get('context', {}).items()]
        required = [x for a in args for x in ('--required-context', a)]
        code, _, err = coffer('decrypt', sealed, '-o', opened, *ours, *required, *decrypt, env=self.env)
        check(name, code == 0 and opened.read_bytes() == self.inputs[size].read_bytes(), err)

    def ours_by_them(self, name, ours, keyrings, size='frame+1', context=None, policy=None, encrypt=()):
        sealed, opened = self.path(), self.path()
        pairs = [x for k, v in (context or {}).items() for x in ('--context', f'{k}={v}')]
        code, _, err = coffer('encrypt', self.inputs[size], '-o', sealed, *ours, *pairs, *encrypt, env=self.env)
        if code != 0:
            return check(name, False, f'we do not seal: {err}')
        reply = self.peer.ask(op='decrypt', **{'in': sealed}, out=opened, keyrings=keyrings, policy=policy)
        same = reply['ok'] and opened.read_bytes() == self.inputs[size].read_bytes()
        code, out, err = coffer('inspect', '--json', sealed)
        said = json.loads(out)
        agreed = reply['ok'] and (said['message_id'] == reply['messageId'] and int(said['suite'], 16) == reply['suite'] and
                                  said['frame_length'] == reply['frame'] and len(said['edks']) == reply['edks'] and
                                  said['context'] == reply['context'])
        check(name, same, reply)
        if not agreed:
            check(name + ': inspect says what it says', False, f'{said} {reply}')


def raw(w):
    keys = {}
    for n in (16, 24, 32):
        keys[n] = w.tmp / f'aes{n}'
        keys[n].write_bytes(os.urandom(n))
    pem = w.tmp / 'rsa.pem'
    subprocess.run(['openssl', 'genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', pem],
                   capture_output=True, check=True)
    aes = lambda n: ({'kind': 'aes', 'namespace': 'my space', 'name': f'key {n}', 'file': keys[n]},
                     ['-k', f'raw-aes:my space:key {n}:{keys[n]}'])
    rsa = lambda p: ({'kind': 'rsa', 'namespace': 'rsa space', 'name': 'key', 'padding': p, 'file': pem},
                     ['-k', f'raw-rsa:rsa space:key:{p}:{pem}'])
    context = {'camera': '7', 'größe': '10 €', 'z' * 300: 'long'}
    them, us = aes(32)
    for suite in (0x0478, 0x0578):
        for size in SIZES:
            w.theirs_by_us(f'theirs, {suite:04x}, {size}: we read it', [them], us, size, suite=suite, frame=4096, context=context)
            w.ours_by_them(f'ours, {suite:04x}, {size}: it reads it', us, [them], size, context, encrypt=['--suite', f'{suite:04x}'])
        w.theirs_by_us(f'theirs, {suite:04x}, frames of 100: we read it', [them], us, suite=suite, frame=100)
        w.ours_by_them(f'ours, {suite:04x}, frames of 100: it reads it', us, [them], encrypt=['--suite', f'{suite:04x}', '--frame-length', 100])
    for suite in (0x0014, 0x0046, 0x0078, 0x0114, 0x0146, 0x0178, 0x0214, 0x0346, 0x0378):
        old = ['--commitment-policy', 'forbid-encrypt-allow-decrypt']
        w.theirs_by_us(f'theirs, version 1, {suite:04x}: we read it', [them], us, suite=suite, frame=1000, context={'k': 'v'},
                       policy='FORBID_ENCRYPT_ALLOW_DECRYPT', decrypt=old)
        w.ours_by_them(f'ours, version 1, {suite:04x}: it reads it', us, [them], context={'k': 'v'},
                       policy='FORBID_ENCRYPT_ALLOW_DECRYPT', encrypt=[*old, '--suite', f'{suite:04x}'])
    for n in (16, 24):
        w.theirs_by_us(f'theirs, AES-{8 * n}: we read it', [aes(n)[0]], aes(n)[1], suite=0x0478)
        w.ours_by_them(f'ours, AES-{8 * n}: it reads it', aes(n)[1], [aes(n)[0]], encrypt=['--suite', '0478'])
    for padding in ('pkcs1', 'oaep-sha1', 'oaep-sha256', 'oaep-sha384', 'oaep-sha512'):
        w.theirs_by_us(f'theirs, RSA {padding}: we read it', [rsa(padding)[0]], rsa(padding)[1], suite=0x0478)
        w.ours_by_them(f'ours, RSA {padding}: it reads it', rsa(padding)[1], [rsa(padding)[0]], encrypt=['--suite', '0478'])
    both, ours = [aes(32)[0], rsa('oaep-sha256')[0]], aes(32)[1] + rsa('oaep-sha256')[1]
    w.theirs_by_us('theirs, two data keys: the second alone opens it', both, rsa('oaep-sha256')[1], suite=0x0578)
    w.ours_by_them('ours, two data keys: the second alone opens it', ours, [both[1]])


def kms(w, account):
    reply = w.peer.ask(op='create-key')
    if not reply['ok']:
        return check('a KMS key is made in coffer-local', False, reply)
    one, two = reply['arn'], w.peer.ask(op='create-key')['arn']
    them, us = {'kind': 'kms', 'arn': one, 'more': []}, ['-k', f'kms:{one}']
    discovery = {'kind': 'kms-discovery', 'account': one.split(':')[4]}
    for suite in (0x0478, 0x0578):
        w.theirs_by_us(f'theirs, KMS, {suite:04x}: we read it', [them], us, suite=suite, context={'camera': '7'})
        w.ours_by_them(f'ours, KMS, {suite:04x}: it reads it', us, [them], context={'camera': '7'}, encrypt=['--suite', f'{suite:04x}'])
    old = ['--commitment-policy', 'forbid-encrypt-allow-decrypt']
    w.ours_by_them('ours, KMS, AES-128 of 0014: it reads it', us, [them], policy='FORBID_ENCRYPT_ALLOW_DECRYPT', encrypt=[*old, '--suite', '0014'])
    w.theirs_by_us('theirs, KMS, two keys: the second alone opens it', [{'kind': 'kms', 'arn': one, 'more': [two]}], ['-k', f'kms:{two}'], suite=0x0478)
    w.ours_by_them('ours, KMS, two keys: the second alone opens it', [*us, '-k', f'kms:{two}'], [{'kind': 'kms', 'arn': two, 'more': []}])
    w.theirs_by_us('theirs, KMS: by discovery we read it', [them], ['-k', f'kms-discovery:{discovery["account"]}'], suite=0x0478)
    w.ours_by_them('ours, KMS: by discovery it reads it', us, [discovery])
    sealed, opened = w.path(), w.path()
    w.peer.ask(op='encrypt', **{'in': w.inputs['1']}, out=sealed, keyrings=[them], suite=0x0478)
    for name, ring in (('another key', f'kms:{two}'), ('discovery in another account', 'kms-discovery:999999999999')):
        code, _, err = coffer('decrypt', sealed, '-o', opened, '-k', ring, env=w.env)
        check(f'theirs, KMS, {name}: refused (3), nothing is written', code == 3 and not opened.exists(), f'{code} {err}')


def serve(tmp):
    data = tmp / 'data'
    subprocess.run([LOCAL, 'init', '--data', data], check=True, capture_output=True, stdin=subprocess.DEVNULL)
    p = subprocess.Popen([LOCAL, 'serve', '--data', data, '--listen', 'tcp:127.0.0.1:0'], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    port = int(p.stdout.readline().split()[1])
    env = {k: v for k, v in os.environ.items() if not k.startswith('AWS_')}
    env.update(line.split('=', 1) for line in (data / 'credentials' / 'root.env').read_text().split())
    env.update(AWS_ENDPOINT_URL=f'https://localhost:{port}', AWS_REGION='us-east-1', AWS_CA_BUNDLE=str(data / 'tls/ca.pem'),
               NODE_EXTRA_CA_CERTS=str(data / 'tls/ca.pem'), AWS_EC2_METADATA_DISABLED='true')
    return p, env


def main():
    place = packages_or_skip(NODE, 'interop')
    with tempfile.TemporaryDirectory() as tmp:
        tmp = Path(tmp)
        server, env = serve(tmp)
        peer = Peer(place, env)
        try:
            w = World(tmp, peer, env)
            raw(w)
            kms(w, env)
            arn = peer.ask(op='create-key')['arn']
            p = subprocess.run([BUILD / 'examples/kms_cached', arn, '500'], capture_output=True, env=env, timeout=60)
            check('500 records through KMS and a data-key cache, by the library (examples/kms_cached)', p.returncode == 0, p.stdout)
        finally:
            peer.close()
            server.send_signal(signal.SIGTERM)
            server.wait(20)
            server.stdout.close()
    print(f'1..{len(results)}')
    for i, (name, ok, detail) in enumerate(results, 1):
        print(f'{"ok" if ok else "not ok"} {i} - {name}')
        if not ok:
            print(f'# {detail}')


main()
