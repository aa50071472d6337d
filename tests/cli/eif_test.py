#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer eif: images and ramdisks held against another implementation of the format (here, with hashlib, zlib and openssl), the same
bytes each time, and what goes wrong told with the right exit code."""
import hashlib, json, os, shutil, struct, subprocess, tempfile, zlib
from pathlib import Path

COFFER = Path(os.environ['COFFER_BUILD']) / 'src/prog/coffer/coffer'
results = []


def check(name, ok, detail=''):
    results.append((name, bool(ok), str(detail)))


def coffer(*argv, env=None):
    p = subprocess.run([str(COFFER), 'eif', *map(str, argv)], capture_output=True, timeout=60, stdin=subprocess.DEVNULL,
                       env=dict(os.environ, **(env or {})))
    return p.returncode, p.stdout, p.stderr.decode(errors='replace')


def measured(*parts):
    return hashlib.sha384(bytes(48) + hashlib.sha384(b''.join(parts)).digest()).hexdigest()


def cbor(data, at=0):
    """-> value, next; definite items only."""
    major, n = data[at] >> 5, data[at] & 31
    at += 1
    if n >= 24:
        width = 1 << (n - 24)
        n, at = int.from_bytes(data[at:at + width], 'big'), at + width
    if major == 0:
        return n, at
    if major == 1:
        return -1 - n, at
    if major in (2, 3):
        raw = data[at:at + n]
        return (raw if major == 2 else raw.decode()), at + n
    items = []
    for _ in range(n * (2 if major == 5 else 1)):
        value, at = cbor(data, at)
        items.append(value)
    return (dict(zip(items[::2], items[1::2])) if major == 5 else items), at


class Room:
    def __init__(self, tmp):
        self.tmp = Path(tmp)
        self.kernel, self.r0, self.r1 = os.urandom(100_000), os.urandom(5_000), os.urandom(70_001)
        for name in ('kernel', 'r0', 'r1'):
            (self.tmp / name).write_bytes(getattr(self, name))
        self.cmdline = 'reboot=k panic=30 console=ttyS0'

    def path(self, name):
        return self.tmp / name

    def build(self, out, *argv, env=None):
        return coffer('build', '-o', self.path(out), '-k', self.path('kernel'), '-c', self.cmdline, '-r', self.path('r0'), '-r', self.path('r1'), *argv, env=env)

    def pcrs(self):
        c = self.cmdline.encode()
        return {'PCR0': measured(self.kernel, c, self.r0, self.r1), 'PCR1': measured(self.kernel, c, self.r0), 'PCR2': measured(self.r1)}


def sections(image):
    """Read by the table, as a hypervisor does."""
    count, = struct.unpack('>H', image[26:28])
    offsets, sizes = struct.unpack('>32Q', image[28:284]), struct.unpack('>32Q', image[284:540])
    for offset, size in list(zip(offsets, sizes))[:count]:
        kind, _, stated = struct.unpack('>HHQ', image[offset:offset + 12])
        assert stated == size
        yield kind, image[offset + 12:offset + 12 + size]


def images(room):
    code, out, err = room.build('a.eif', '--name', 'test', '--pcrs', room.path('a.json'))
    image = room.path('a.eif').read_bytes()
    check('build prints the measurements of the parts', code == 0 and {k: v for k, v in json.loads(out)['Measurements'].items() if k.startswith('PCR')} == room.pcrs(), err)
    check('build writes them to a file too', json.loads(room.path('a.json').read_text()) == json.loads(out))
    check('the CRC is over all bytes but itself', struct.unpack('>I', image[544:548])[0] == zlib.crc32(image[548:], zlib.crc32(image[:544])))
    found = list(sections(image))
    check('sections are kernel, command line, metadata, ramdisks', [k for k, _ in found] == [1, 2, 5, 3, 3] and
          [d for k, d in found if k != 5] == [room.kernel, room.cmdline.encode(), room.r0, room.r1])
    meta = json.loads(found[2][1])
    check('metadata has the members nitro-cli wants', set(meta) >= {'ImageName', 'ImageVersion', 'BuildMetadata', 'DockerInfo'} and
          set(meta['BuildMetadata']) == {'BuildTime', 'BuildTool', 'BuildToolVersion', 'OperatingSystem', 'KernelVersion'})
    room.build('b.eif', '--name', 'test')
    check('the same inputs give the same bytes', room.path('b.eif').read_bytes() == image)
    code, _, err = room.build('c.eif', '--name', 'test', env={'SOURCE_DATE_EPOCH': '1700000000'})
    check('SOURCE_DATE_EPOCH is the build time, and unmeasured', code == 0 and b'2023-11-14T22:13:20Z' in room.path('c.eif').read_bytes() and
          coffer('verify', room.path('c.eif'), '--pcrs', room.path('a.json'))[0] == 0, err)
    code, out, err = coffer('describe', room.path('a.eif'), '--json')
    told = json.loads(out)
    check('describe --json', code == 0 and told['CheckCRC'] and not told['IsSigned'] and told['EifVersion'] == 4 and told['Measurements']['PCR0'] == room.pcrs()['PCR0'], err)
    code, out, err = coffer('describe', room.path('a.eif'))
    check('describe in words', code == 0 and room.pcrs()['PCR2'].encode() in out and b'CRC         right' in out, err)
    code, _, err = coffer('split', room.path('a.eif'), '-d', room.path('parts'))
    parts = {p.name: p.read_bytes() for p in room.path('parts').iterdir()}
    check('split gives the parts back', code == 0 and parts.pop('metadata.json') == found[2][1] and
          parts == {'kernel': room.kernel, 'cmdline': room.cmdline.encode(), 'ramdisk-0': room.r0, 'ramdisk-1': room.r1}, err)


def verifying(room):
    image, pcrs = room.path('a.eif').read_bytes(), room.pcrs()
    good = [f'--pcr={n}={pcrs[f"PCR{n}"]}' for n in range(3)]
    check('verify: the expected image', coffer('verify', room.path('a.eif'), *good)[0] == 0)
    code, _, err = coffer('verify', room.path('a.eif'), '--pcr', '1=' + pcrs['PCR0'])
    check('verify: another measurement is refused, and named', code == 3 and 'PCR1' in err, err)
    code, _, err = coffer('verify', room.path('a.eif'), '--signed')
    check('verify: unsigned where a signature is demanded', code == 3 and 'not signed' in err, err)
    for name, data in (('a flipped bit', image[:-1] + bytes([image[-1] ^ 1])), ('cut', image[:-1]), ('longer', image + b'x'), ('empty', b''), ('no image', b'\x7fELF' + image[4:])):
        room.path('x.eif').write_bytes(data)
        code, out, err = coffer('verify', room.path('x.eif'), *good)
        check(f'verify: {name} is refused', code == 3 and not out and err.count('\n') == 1, err)
    code, _, err = coffer('verify', room.path('nowhere.eif'))
    check('verify: no such file', code == 1 and 'nowhere.eif' in err, err)
    room.path('other.json').write_text('{"Measurements":{"PCR0":"00"}}')
    code, _, err = coffer('verify', room.path('a.eif'), '--pcrs', room.path('other.json'))
    check('verify: a malformed expectation is no refusal but wrong use', code == 2, err)


def signing(room):
    key, cert, der = room.path('key.pem'), room.path('cert.pem'), room.path('cert.der')
    for curve, digest in (('secp384r1', 'sha384'), ('prime256v1', 'sha256')):
        subprocess.run(['openssl', 'ecparam', '-name', curve, '-genkey', '-noout', '-out', key], check=True, capture_output=True)
        subprocess.run(['openssl', 'req', '-new', '-x509', '-key', key, f'-{digest}', '-subj', '/CN=signer of images', '-days', '2', '-out', cert], check=True, capture_output=True)
        subprocess.run(['openssl', 'x509', '-in', cert, '-outform', 'DER', '-out', der], check=True, capture_output=True)
        code, out, err = room.build('s.eif', '--sign-key', key, '--sign-certificate', cert, '--pcrs', room.path('s.json'))
        pcrs = json.loads(out)['Measurements'] if code == 0 else {}
        check(f'{curve}: PCR8 measures the certificate, PCR0 is that of the unsigned image', pcrs.get('PCR8') == measured(der.read_bytes()) and pcrs.get('PCR0') == room.pcrs()['PCR0'], err)
        image = room.path('s.eif').read_bytes()
        section = [d for k, d in sections(image) if k == 4][0]
        (entry,), end = cbor(section)
        check(f'{curve}: the section holds the certificate as PEM and nothing follows', bytes(entry['signing_certificate']) == cert.read_bytes() and end == len(section))
        (protected, unprotected, payload, sig), _ = cbor(bytes(entry['signature']))
        check(f'{curve}: the payload is PCR0', cbor(payload)[0] == {'register_index': 0, 'register_value': list(bytes.fromhex(pcrs['PCR0']))} and unprotected == {})
        half = len(sig) // 2
        ints = b''
        for n in (sig[:half], sig[half:]):
            n = n.lstrip(b'\0')
            n = b'\0' + n if n[0] & 128 else n
            ints += b'\x02' + bytes([len(n)]) + n
        head = lambda n: bytes([0x40 + n]) if n < 24 else b'\x58' + bytes([n]) if n < 256 else b'\x59' + struct.pack('>H', n)
        room.path('tbs').write_bytes(b'\x84\x6aSignature1' + head(len(protected)) + protected + b'\x40' + head(len(payload)) + payload)
        room.path('sig').write_bytes(b'\x30' + bytes([len(ints)]) + ints)
        pub = subprocess.run(['openssl', 'x509', '-in', cert, '-pubkey', '-noout'], check=True, capture_output=True).stdout
        room.path('pub.pem').write_bytes(pub)
        p = subprocess.run(['openssl', 'dgst', f'-{digest}', '-verify', room.path('pub.pem'), '-signature', room.path('sig'), room.path('tbs')], capture_output=True)
        check(f'{curve}: openssl verifies the COSE signature', p.returncode == 0, p.stdout + p.stderr)
        check(f'{curve}: eif verify --signed', coffer('verify', room.path('s.eif'), '--signed', '--pcrs', room.path('s.json'))[0] == 0)
    wrong = room.path('wrong.pem')
    subprocess.run(['openssl', 'ecparam', '-name', 'secp384r1', '-genkey', '-noout', '-out', wrong], check=True, capture_output=True)
    code, _, err = room.build('w.eif', '--sign-key', wrong, '--sign-certificate', cert)
    check('a certificate of another key is not put in', code == 2 and 'another key' in err and not room.path('w.eif').exists(), err)
    # the signature of one image moved to another: the CRC made right again
    evil = room.path('kernel').read_bytes()
    body = image[548:].replace(evil, evil[:-1] + bytes([evil[-1] ^ 1]))
    head_ = image[:544]
    room.path('m.eif').write_bytes(head_ + struct.pack('>I', zlib.crc32(body, zlib.crc32(head_))) + body)
    code, _, err = coffer('verify', room.path('m.eif'))
    check('a signature moved to another kernel is refused', code == 3 and 'signature' in err, err)


def ramdisks(room):
    argv = ['-f', f'bin/tool={room.path("r1")}', '-f', f'init={COFFER}', '-d', 'proc', '-l', 'bin/sh=tool', '--device', 'dev/console=5:1']
    code, _, err = coffer('ramdisk', '-o', room.path('rd'), *argv)
    first = room.path('rd').read_bytes() if code == 0 else b''
    coffer('ramdisk', '-o', room.path('rd2'), *argv[2:], *argv[:2])
    check('the order of the options does not matter', code == 0 and room.path('rd2').read_bytes() == first, err)
    names = []
    at = 0
    while at < len(first):
        field = [int(first[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        name = first[at + 110:at + 110 + field[11] - 1].decode()
        data = (at + 110 + field[11] + 3) // 4 * 4
        if name == 'TRAILER!!!':
            break
        names.append((name, field[1], first[data:data + field[6]]))
        at = (data + field[6] + 3) // 4 * 4
    check('folders come before what is in them', [n for n, _, _ in names] == ['bin', 'bin/sh', 'bin/tool', 'dev', 'dev/console', 'init', 'proc'], names)
    check('modes and contents', dict((n, (m, d)) for n, m, d in names)['bin/tool'] == (0o100644, room.r1) and dict((n, m) for n, m, _ in names)['init'] == 0o100755 and
          dict((n, d) for n, _, d in names)['bin/sh'] == b'tool')
    if shutil.which('cpio'):
        p = subprocess.run(['cpio', '-it'], stdin=open(room.path('rd'), 'rb'), capture_output=True)
        check('cpio reads it', p.stdout.split() == [n.encode() for n, _, _ in names], p.stderr)
    for bad in (['-f', '../x=/bin/true'], ['-f', '/x=/bin/true'], ['-d', 'a', '-f', 'a=/bin/true'], ['--device', 'x=a:b'], ['-f', 'x'], ['-f', 'x=/nowhere/at/all']):
        code, _, err = coffer('ramdisk', '-o', room.path('bad'), *bad)
        check(f'refused: {" ".join(bad)}', code in (1, 2) and err.startswith('coffer eif ramdisk: error: ') and not room.path('bad').exists(), err)


def wrong_use(room):
    for name, argv, says in (('no kernel', ['build', '-o', 'x', '-c', 'x', '-r', room.path('r0')], '--kernel'),
                             ('no command line', ['build', '-o', room.path('x'), '-k', room.path('kernel'), '-r', room.path('r0')], '--cmdline'),
                             ('unknown architecture', ['build', '-o', room.path('x'), '-k', room.path('kernel'), '-c', '', '-r', room.path('r0'), '--arch', 'vax'], 'x86_64'),
                             ('a command line too long', ['build', '-o', room.path('x'), '-k', room.path('kernel'), '-c', 'x' * 2049, '-r', room.path('r0')], 'command line'),
                             ('a key without certificate', ['build', '-o', room.path('x'), '-k', room.path('kernel'), '-c', '', '-r', room.path('r0'), '--sign-key', 'k'], '--sign-certificate')):
        code, _, err = coffer(*argv)
        check(f'{name}: told', code in (1, 2) and says in err, err)


def main():
    with tempfile.TemporaryDirectory() as tmp:
        room = Room(tmp)
        for step in (images, verifying, signing, ramdisks, wrong_use):
            step(room)
    print(f'1..{len(results)}')
    for i, (name, ok, detail) in enumerate(results, 1):
        print(f'{"ok" if ok else "not ok"} {i} - {name}')
        if not ok:
            print('# ' + detail[:500].replace('\n', '\n# '))


main()
