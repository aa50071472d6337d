#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer encrypt, decrypt and inspect as a user has them: files and pipes, every keyring, suite and policy, ranges; and what goes
wrong: one clear line, the right exit code, and nothing left behind."""
import json, os, signal, subprocess, sys, tempfile, time
from pathlib import Path

COFFER = Path(os.environ['COFFER_BUILD']) / 'src/prog/coffer/coffer'
results = []


def check(name, ok, detail=''):
    results.append((name, bool(ok), detail))


def coffer(*argv, stdin=None, env=None):
    p = subprocess.run([str(COFFER), *[str(a) for a in argv]], input=stdin, capture_output=True, timeout=120, env=env,
                       stdin=subprocess.DEVNULL if stdin is None else None)
    return p.returncode, p.stdout, p.stderr.decode(errors='replace')


class Room:
    def __init__(self, tmp):
        self.tmp = Path(tmp)
        self.out = self.tmp / 'out'
        for n in (16, 24, 31, 32):
            self.write(f'aes{n}', os.urandom(n))
        self.write('empty', b'')
        for name, bits in (('rsa', 2048), ('rsa-other', 2048)):
            pem = self.tmp / f'{name}.pem'
            subprocess.run(['openssl', 'genpkey', '-algorithm', 'RSA', '-pkeyopt', f'rsa_keygen_bits:{bits}', '-out', pem], check=True, capture_output=True)
        subprocess.run(['openssl', 'pkey', '-in', self.tmp / 'rsa.pem', '-pubout', '-out', self.tmp / 'rsa-pub.pem'], check=True, capture_output=True)
        self.plain = os.urandom(100_003)
        self.file = self.write('plain', self.plain)
        self.known = set(self.tmp.iterdir())

    def write(self, name, data):
        (self.tmp / name).write_bytes(data)
        return self.tmp / name

    def aes(self, n=32, name='key'):
        return ['-k', f'raw-aes:my space:{name}:{self.tmp}/aes{n}']

    def rsa(self, padding='oaep-sha256', file='rsa.pem'):
        return ['-k', f'raw-rsa:rsa space:key:{padding}:{self.tmp}/{file}']

    def left(self):
        """What is there beside the inputs; removed."""
        extra = sorted(set(self.tmp.iterdir()) - self.known)
        for f in extra:
            f.unlink()
        return [f.name for f in extra]

    def seal(self, *argv, plain=None):
        code, out, err = coffer('encrypt', '-', *argv, stdin=self.plain if plain is None else plain)
        assert code == 0, err
        return out

    def refused(self, name, codes, argv, stdin=None, says=''):
        code, out, err = coffer(*argv, '-o', self.out, stdin=stdin)
        lines = err.strip().splitlines()
        clear = 1 <= len(lines) <= 2 and 'error: ' in lines[0] and (len(lines) == 1 or 'hint: ' in lines[1])
        check(f'{name}: exit {codes}, one clear line, nothing left', code in codes and clear and out == b'' and says in err and not self.left(),
              f'{code} {err}')


def round_trips(r):
    for size in (0, 1, 4095, 4096, 4097, 10 << 20):
        plain = os.urandom(size)
        f = r.write('sized', plain)
        for suite in ('0478', '0578'):
            a, _, err = coffer('encrypt', f, '-o', r.tmp / 'sealed', '--suite', suite, *r.aes())
            b, _, err2 = coffer('decrypt', r.tmp / 'sealed', '-o', r.out, *r.aes())
            check(f'{suite}, {size} bytes, files: the same comes back', a == b == 0 and r.out.read_bytes() == plain and not err and not err2, err + err2)
            sealed = r.seal('--suite', suite, *r.aes(), plain=plain)
            code, out, err = coffer('decrypt', '-', *r.aes(), stdin=sealed)
            check(f'{suite}, {size} bytes, pipes: the same comes back', code == 0 and out == plain, err)
    r.left()
    for n in (16, 24):
        code, out, err = coffer('decrypt', '-', *r.aes(n), stdin=r.seal(*r.aes(n)))
        check(f'AES-{8 * n}: the same comes back', code == 0 and out == r.plain, err)
    for padding in ('pkcs1', 'oaep-sha1', 'oaep-sha256', 'oaep-sha384', 'oaep-sha512'):
        code, out, err = coffer('decrypt', '-', *r.rsa(padding), stdin=r.seal(*r.rsa(padding, 'rsa-pub.pem')))
        check(f'RSA {padding}, sealed with the public key: the private one opens it', code == 0 and out == r.plain, err)
    sealed = r.seal(*r.aes(), *r.rsa())
    for ring in (r.aes(), r.rsa(), [*r.aes(24), *r.rsa()]):
        code, out, err = coffer('decrypt', '-', *ring, stdin=sealed)
        check('two keyrings: either opens it', code == 0 and out == r.plain, err)
    for length in ('1', '100', '64K', '1M'):
        code, out, err = coffer('decrypt', '-', *r.aes(), stdin=r.seal('--frame-length', length, *r.aes(), plain=r.plain[:5000]))
        check(f'frames of {length}: the same comes back', code == 0 and out == r.plain[:5000], err)


def policies(r):
    forbid, allow = ['--commitment-policy', 'forbid-encrypt-allow-decrypt'], ['--commitment-policy', 'require-encrypt-allow-decrypt']
    for suite in ('0014', '0046', '0078', '0114', '0146', '0178', '0214', '0346', '0378'):
        r.refused(f'{suite} under the strictest policy is not written', (2,), ['encrypt', r.file, '--suite', suite, *r.aes()], says='commitment')
        sealed = r.seal('--suite', suite, *forbid, *r.aes())
        code, out, err = coffer('decrypt', '-', *allow, *r.aes(), stdin=sealed)
        check(f'{suite}: written when commitment is forbidden, read when that is allowed', code == 0 and out == r.plain, err)
        r.refused(f'{suite} under the strictest policy is not read', (1, 3), ['decrypt', '-', *r.aes()], sealed, says='commitment')
    check('forbidden commitment has a suite of its own', json.loads(coffer('inspect', '--json', '-', stdin=r.seal(*forbid, *r.aes()))[1])['suite'] == '0378')
    r.refused('0478 when commitment is forbidden', (2,), ['encrypt', r.file, '--suite', '0478', *forbid, *r.aes()])
    r.refused('a policy that there is not', (2,), ['encrypt', r.file, '--commitment-policy', 'none', *r.aes()])
    r.refused('a suite that there is not', (2,), ['encrypt', r.file, '--suite', '0999', *r.aes()])


def contexts(r):
    sealed = r.seal('--context', 'camera=7', '--context', 'ort=Zürich', *r.aes())
    for given in (['camera=7'], ['camera=7', 'ort=Zürich'], []):
        args = [x for g in given for x in ('--required-context', g)]
        code, out, err = coffer('decrypt', '-', *args, *r.aes(), stdin=sealed)
        check(f'required context {given}: opens', code == 0 and out == r.plain, err)
    for given in ('camera=8', 'other=1', 'camera='):
        r.refused(f'required context {given}', (3,), ['decrypt', '-', '--required-context', given, *r.aes()], sealed, says=given)
    apart = r.seal('--context', 'camera=7', '--required-context', 'tenant=a', *r.aes())
    check('a required pair is not in the message', b'tenant' not in apart)
    code, out, err = coffer('decrypt', '-', '--required-context', 'tenant=a', *r.aes(), stdin=apart)
    check('and whoever knows it opens it', code == 0 and out == r.plain, err)
    r.refused('who does not know it', (3,), ['decrypt', '-', *r.aes()], apart)
    r.refused('who knows another', (3,), ['decrypt', '-', '--required-context', 'tenant=b', *r.aes()], apart)
    for bad in ('nothing', '=x', 'aws-crypto-x=1'):
        r.refused(f'context {bad!r}', (2,), ['encrypt', r.file, '--context', bad, *r.aes()])
    r.refused('a context name twice', (2,), ['encrypt', r.file, '--context', 'a=1', '--context', 'a=2', *r.aes()])


def ranges(r):
    unsigned, both = r.seal('--suite', '0478', *r.aes()), r.seal('--suite', '0578', *r.aes())
    n = len(r.plain)
    for kind, sealed in (('unsigned', unsigned), ('signed', both)):
        f = r.write(f'sealed-{kind}', sealed)
        for a, b in ((0, 0), (0, 4095), (4095, 4096), (5000, 60000), (n - 1, n - 1), (n - 5, n + 100), (0, n - 1)):
            for name, args, stdin in (('file', [f], None), ('pipe', ['-'], sealed)):
                code, out, err = coffer('decrypt', *args, '--range', f'{a}-{b}', *r.aes(), stdin=stdin)
                check(f'{kind}, {name}, --range {a}-{b}: just these bytes', code == 0 and out == r.plain[a:b + 1], f'{code} {err}')
        code, out, err = coffer('decrypt', f, '--range', f'{n - 10}-', *r.aes())
        check(f'{kind}, --range to the end', code == 0 and out == r.plain[-10:], err)
        r.known.add(f)
        r.refused(f'{kind}, a range behind the end', (1,), ['decrypt', f, '--range', f'{n}-{n + 5}', *r.aes()], says=str(n))
        for bad in ('5', '5-4', 'a-b', '-5', '1-2-3', ''):
            r.refused(f'{kind}, --range {bad!r}', (2,), ['decrypt', f, '--range', bad, *r.aes()])
    changed = bytearray(unsigned)
    changed[-50_000] ^= 1
    f = r.write('sealed-changed', changed)
    r.known.add(f)
    code, out, _ = coffer('decrypt', f, '--range', '0-10', *r.aes())
    check('a range away from the change is read', code == 0 and out == r.plain[:11])
    r.refused('a range over the change', (3,), ['decrypt', f, '--range', '0-99999', *r.aes()])
    bad = bytearray(both)
    bad[-5] ^= 1
    f = r.write('sealed-bad-signature', bad)
    r.known.add(f)
    r.refused('a range of a message whose signature is wrong', (3,), ['decrypt', f, '--range', '0-10', *r.aes()])


def refusals(r):
    sealed, both = r.seal('--suite', '0478', *r.aes()), r.seal(*r.aes())
    r.refused('another key', (3,), ['decrypt', '-', *r.aes(24)], sealed, says='keyring')
    other = r.write('aes32', os.urandom(32))
    r.refused('another key of the same name', (3,), ['decrypt', '-', *r.aes()], sealed, says='keyring')
    sealed, both = r.seal('--suite', '0478', *r.aes()), r.seal(*r.aes())
    r.refused('another key name', (3,), ['decrypt', '-', *r.aes(name='other')], sealed, says='keyring')
    r.refused('an RSA key that is not the one', (3,), ['decrypt', '-', *r.rsa(file='rsa-other.pem')], r.seal(*r.rsa()))
    r.refused('another padding', (3,), ['decrypt', '-', *r.rsa('oaep-sha1')], r.seal(*r.rsa()))
    r.refused('a public key to open with', (3,), ['decrypt', '-', *r.rsa(file='rsa-pub.pem')], r.seal(*r.rsa()))
    for name, message in (('unsigned', sealed), ('signed', both)):
        for what, cut in (('nothing', 0), ('three bytes', 3), ('half a header', 60), ('half', len(message) // 2), ('all but one byte', len(message) - 1)):
            r.refused(f'{name}, cut to {what}', (1,), ['decrypt', '-', *r.aes()], message[:cut])
        r.refused(f'{name}, one byte more', (1,), ['decrypt', '-', *r.aes()], message + b'x')
        for at in (2, 40, 90, 200, len(message) // 2, len(message) - 3):
            changed = bytearray(message)
            changed[at] ^= 1
            r.refused(f'{name}, byte {at} changed', (1, 3), ['decrypt', '-', *r.aes()], bytes(changed))
            code, out, _ = coffer('decrypt', '-', *r.aes(), stdin=bytes(changed))
            check(f'{name}, byte {at} changed: nothing goes into a pipe', code in (1, 3) and out == b'')
    frame = 4096 + 32
    start = len(sealed) - 40 - (100_003 - 24 * 4096) - 24 * frame
    swapped = sealed[:start] + sealed[start + frame:start + 2 * frame] + sealed[start:start + frame] + sealed[start + 2 * frame:]
    r.refused('frames in another order', (1, 3), ['decrypt', '-', *r.aes()], swapped)
    r.refused('a frame gone', (1, 3), ['decrypt', '-', *r.aes()], sealed[:start] + sealed[start + frame:])
    r.refused('no message at all', (1,), ['decrypt', '-', *r.aes()], b'hello, this is no message' * 100)
    old = r.write('out', b'old')
    code, _, _ = coffer('decrypt', '-', '-o', old, *r.aes(), stdin=both[:-1])
    check('a refused message leaves the old output as it was', code == 1 and old.read_bytes() == b'old' and r.left() == ['out'])
    many = r.seal(*[x for i in range(10) for x in r.aes(name=f'k{i}')])
    check('ten data keys open', coffer('decrypt', '-', *r.aes(name='k9'), stdin=many)[1] == r.plain)
    r.refused('ten data keys where three may be', (1,), ['decrypt', '-', '--max-edks', '3', *r.aes(name='k0')], many, says='max-edks')
    r.refused('more keyrings than data keys allowed', (2,), ['encrypt', r.file, '--max-edks', '1', *r.aes(), *r.rsa()])


def misuse(r):
    ring = r.aes()
    for ring_text, says in (('raw-aes:a:b:' + str(r.tmp / 'aes31'), '32 bytes'), ('raw-aes:a:b:' + str(r.tmp / 'empty'), '32 bytes'),
                            ('raw-aes:a:b:/nowhere', 'No such file'), ('raw-aes:a:b', 'FILE'), ('raw-aes::b:' + str(r.tmp / 'aes32'), 'NAMESPACE'),
                            ('raw-aes:aws-kms:b:' + str(r.tmp / 'aes32'), 'namespace'), ('raw-rsa:a:b:oaep:' + str(r.tmp / 'rsa.pem'), 'padding'),
                            ('raw-rsa:a:b:pkcs1:' + str(r.tmp / 'aes32'), 'PEM'), ('kms:alias/data', 'ARN'),
                            ('kms:arn:aws:kms:us-east-1:111122223333:alias/data', 'ARN'), ('kms-discovery', 'only opens'), ('kms-discovery:12', ''), ('x:y', 'not a keyring')):
        r.refused(f'encrypt -k {ring_text.replace(str(r.tmp), "")}', (1, 2), ['encrypt', r.file, '-k', ring_text], says=says)
    r.refused('decrypt -k kms-discovery:12', (2,), ['decrypt', r.file, '-k', 'kms-discovery:12'], says='twelve digits')
    r.refused('no keyring', (2,), ['encrypt', r.file], says='--keyring')
    r.refused('a frame length of 0', (2,), ['encrypt', r.file, '--frame-length', '0', *ring])
    r.refused('a frame length of 17M', (2,), ['encrypt', r.file, '--frame-length', '17M', *ring])
    r.refused('an input that is not there', (1,), ['encrypt', r.tmp / 'nothing', *ring], says='No such file')
    r.refused('a folder as input', (1,), ['encrypt', r.tmp, *ring], says='folder')
    for verb in ('encrypt', 'decrypt'):
        code, _, err = coffer(verb, r.file if verb == 'encrypt' else '-', '-o', r.tmp / 'no' / 'such', *ring, stdin=None if verb == 'encrypt' else r.seal(*ring))
        check(f'{verb} into a folder that is not there: exit 1, one line', code == 1 and err.count('\n') == 1, err)
    with open('/dev/full', 'wb') as full:
        p = subprocess.run([COFFER, 'encrypt', r.file, *ring], stdout=full, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        check('a full disk: exit 1, said so', p.returncode == 1 and b'No space left' in p.stderr, p.stderr)
    env = {k: v for k, v in os.environ.items() if not k.startswith('AWS_')}
    env.update(AWS_ACCESS_KEY_ID='x', AWS_SECRET_ACCESS_KEY='y', AWS_ENDPOINT_URL='http://127.0.0.1:1', AWS_MAX_ATTEMPTS='1', HOME=str(r.tmp))
    code, _, err = coffer('encrypt', r.file, '-o', r.out, '-k', 'kms:arn:aws:kms:us-east-1:111122223333:key/1', env=env)
    check('KMS that cannot be reached: exit 1 or 4, one or two lines, nothing left', code in (1, 4) and 1 <= err.count('\n') <= 2 and not r.left(), f'{code} {err}')


def killed(r):
    """kill -9 in the middle: nothing under the output's name, and no temporary."""
    for verb, feed in (('encrypt', r.plain), ('decrypt', r.seal(*r.aes(), plain=os.urandom(1 << 20))[:-100])):
        p = subprocess.Popen([COFFER, verb, '-', '-o', r.out, *r.aes()], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        p.stdin.write(feed)
        p.stdin.flush()
        os.kill(p.pid, signal.SIGKILL)
        p.wait()
        p.stdin.close()
        check(f'{verb} killed in the middle leaves nothing', not r.left())


def inspects(r):
    sealed = r.seal('--suite', '0478', '--context', 'camera=7', *r.aes(), *r.rsa())
    code, out, err = coffer('inspect', '-', stdin=sealed)
    text = out.decode()
    check('inspect says suite, context and data keys', code == 0 and all(x in text for x in ('0x0478', 'camera = 7', 'my space', 'rsa space')), text + err)
    code, out, _ = coffer('inspect', '--json', '-', stdin=sealed)
    said = json.loads(out)
    check('inspect --json likewise', said['suite'] == '0478' and said['context'] == {'camera': '7'} and len(said['edks']) == 2 and
          said['frame_length'] == 4096 and said['version'] == 2, said)
    for name, bytes_ in (('nothing', b''), ('half a header', sealed[:50]), ('no message', b'\x00' * 500)):
        code, out, err = coffer('inspect', '-', stdin=bytes_)
        check(f'inspect {name}: exit 1, one line', code == 1 and err.count('\n') == 1 and out == b'', err)
    hostile = r.seal('--context', 'a=\x1b[31mred\x07', *r.aes())
    check('controls in a context do not reach the terminal', b'\x1b' not in coffer('inspect', '-', stdin=hostile)[1])


def main():
    with tempfile.TemporaryDirectory() as tmp:
        r = Room(tmp)
        for part in (round_trips, policies, contexts, ranges, refusals, misuse, killed, inspects):
            r.left()
            try:
                part(r)
            except Exception as e:  # the others go on
                check(f'{part.__name__} runs to its end', False, repr(e)[:400])
    print(f'1..{len(results)}')
    for i, (name, ok, detail) in enumerate(results, 1):
        print(f'{"ok" if ok else "not ok"} {i} - {name}')
        if not ok:
            print(f'# {str(detail)[:500]}')


main()
