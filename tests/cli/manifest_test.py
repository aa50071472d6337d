#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer manifest: signed by the releaser, believed by verifiers. COSE is made and read here a second time (openssl), a real attestation
document is judged by a manifest, and old, altered and foreign manifests are refused. C-10 C-13 C-14"""
import hashlib, json, os, subprocess, sys, tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / 'tools'))
os.environ.setdefault('COFFER_BUILD', 'build')
from local import COFFER, Checks

VECTORS = Path(os.environ.get('COFFER_VECTORS', '/nonexistent')) / 'attestation'
KEY_ARN = 'arn:aws:kms:us-east-1:111122223333:key/0c0ffe00-5702-4000-8000-000000000001'
check = Checks()


def run(*argv):
    p = subprocess.run([str(COFFER), *map(str, argv)], capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
    return p.returncode, p.stdout.decode(), p.stderr.decode(errors='replace')


def openssl(*argv, data=None):
    return subprocess.run(['openssl', *map(str, argv)], input=data, capture_output=True, check=True, timeout=60).stdout


def new_key(where, name, curve='secp384r1'):
    where = where / name
    openssl('ecparam', '-name', curve, '-genkey', '-noout', '-out', where)
    openssl('pkey', '-in', where, '-pubout', '-out', f'{where}.pub')
    return where, Path(f'{where}.pub')


def bstr(data):
    return (bytes([0x40 | len(data)]) if len(data) < 24 else b'\x58' + bytes([len(data)]) if len(data) < 256
            else b'\x59' + len(data).to_bytes(2, 'big')) + data


def der_to_raw(der, size):
    at, out = 2 if der[1] < 128 else 3, b''
    for _ in range(2):
        n = der[at + 1]
        out += der[at + 2:at + 2 + n].lstrip(b'\0').rjust(size, b'\0')
        at += 2 + n
    return out


def cose(key, payload, alg=b'\xa1\x01\x38\x22', digest='sha384', size=48):
    tbs = b'\x84\x6aSignature1' + bstr(alg) + b'\x40' + bstr(payload)
    return b'\xd2\x84' + bstr(alg) + b'\xa0' + bstr(payload) + bstr(der_to_raw(openssl('dgst', '-' + digest, '-sign', key, data=tbs), size))


def pcrs_args(pcrs):
    return [a for n, v in pcrs.items() if n in ('0', '1', '2') for a in ('--pcr', f'{n}={v}')]


def main():
    tmp_dir = tempfile.TemporaryDirectory()
    tmp = Path(tmp_dir.name)
    key, pub = new_key(tmp, 'key')
    other, other_pub = new_key(tmp, 'other')
    m = tmp / 'manifest'
    (tmp / 'pcrs.json').write_text(json.dumps({'Measurements': {'HashAlgorithm': 'Sha384 { ... }', **{f'PCR{i}': '%02x' % (160 + i) * 48 for i in range(3)}}}))
    base = ['manifest', 'sign', '-k', key, '-o', m, '--image', 'coffer-enclave', '--image-version', '1.4.2', '--serial', 7]
    code, _, err = run(*base, '--pcrs', tmp / 'pcrs.json', '--kms-key-id', KEY_ARN)
    check('manifest sign: from the measurements that eif build prints', code == 0, err)
    code, out, err = run('manifest', 'verify', m, '--trust', pub)
    check('manifest verify: shows what was signed', code == 0 and 'coffer-enclave 1.4.2 (serial 7)' in out and 'a0' * 48 in out and KEY_ARN in out, out + err)
    code, out, err = run('manifest', 'verify', m, '--trust', pub, '--json')
    read = json.loads(out)
    check('manifest verify --json: the members of its definition', code == 0 and read['format'] == 'coffer.manifest.v1' and read['serial'] == 7 and
          read['kms_key_arns'] == [KEY_ARN], out)

    raw = m.read_bytes()
    payload = raw[raw.index(b'{'):-98]
    tbs = b'\x84\x6aSignature1' + bstr(b'\xa1\x01\x38\x22') + b'\x40' + bstr(payload)
    sig, at = raw[-96:], []
    for half in (sig[:48], sig[48:]):
        n = half.lstrip(b'\0')
        n = b'\0' + n if n[0] & 128 else n
        at.append(b'\x02' + bytes([len(n)]) + n)
    (tmp / 'sig').write_bytes(b'\x30' + bytes([len(at[0] + at[1])]) + at[0] + at[1])
    check('the signature is ES384 as openssl reads it', b'Verified OK' in openssl('dgst', '-sha384', '-verify', pub, '-signature', tmp / 'sig', data=tbs))
    (tmp / 'made').write_bytes(cose(key, payload))
    code, _, err = run('manifest', 'verify', tmp / 'made', '--trust', pub)
    check('and a manifest signed elsewhere is read', code == 0, err)

    def refused(name, data, says, trust=pub):
        (tmp / 'bad').write_bytes(data)
        code, out, err = run('manifest', 'verify', tmp / 'bad', '--trust', trust)
        check(name, code == 3 and says in err and not out, f'{code} {out} {err}')

    refused('another key\'s manifest is refused', cose(other, payload), 'not signed with the trusted key')
    refused('and the right one under another key', raw, 'not signed with the trusted key', other_pub)
    refused('one byte changed', raw.replace(b'1.4.2', b'1.4.3'), 'not signed with the trusted key')
    refused('a byte more', raw + b'\0', 'no COSE_Sign1')
    refused('an algorithm of the signer\'s choice', cose(key, payload, b'\xa1\x01\x26', 'sha256'), 'algorithm')
    refused('no algorithm', cose(key, payload, b'\xa0'), 'COSE_Sign1')
    refused('a member that nobody knows', cose(key, payload[:-1] + b',"debug":true}'), 'unknown member')
    refused('a member twice', cose(key, payload[:-1] + b',"serial":9}'), 'duplicate')
    refused('zeros for a measurement (C-13)', cose(key, payload.replace(b'a1' * 48, b'00' * 48)), 'all zero')
    refused('no PCR2 (C-14)', cose(key, payload.replace(b'"2":', b'"9":')), 'PCR2')
    refused('an alias (C-04)', cose(key, payload.replace(b':key/', b':alias/')), 'ARN')
    refused('one that has expired (C-10)', cose(key, payload.replace(read['expires'].encode(), b'2020-01-01T00:00:00Z').replace(read['issued'].encode(),
            b'2019-01-01T00:00:00Z')), 'expired at 2020-01-01')
    refused('one that is not yet in force', cose(key, payload.replace(b'"issued":"20', b'"issued":"29').replace(b'"expires":"20', b'"expires":"29')),
            'issued at 29')
    for name, args, says in (('no trusted key', ['manifest', 'verify', m], '--trust'), ('a manifest without a key', ['attest', 'verify', m, '--expect', m], '--trust'),
                             ('a key without a manifest', ['attest', 'verify', m, '--trust', pub], '--expect'),
                             ('two measurements of one register', [*base, '--pcrs', tmp / 'pcrs.json', '--pcr', '0=' + 'aa' * 48], 'twice'),
                             ('no PCR1 to sign', [*base, '--pcr', '0=' + 'aa' * 48], 'PCR1'),
                             ('zeros to sign', [*base, '--pcr', '0=' + '00' * 48, '--pcr', '1=' + '11' * 48, '--pcr', '2=' + '22' * 48], 'zero'),
                             ('no serial number', [*base[:-2], '--pcrs', tmp / 'pcrs.json'], '--serial')):
        code, _, err = run(*args)
        check(f'wrong use: {name}', code == 2 and says in err, f'{code} {err}')
    code, _, err = run('manifest', 'verify', m, '--trust', tmp / 'pcrs.json')
    check('a key file that holds none', code == 2 and 'holds no key' in err, err)
    image(tmp, key, pub)
    documents(tmp, key, pub)
    tmp_dir.cleanup()
    return check.done()


def image(tmp, key, pub):
    for name in ('kernel', 'ramdisk'):
        (tmp / name).write_bytes(os.urandom(5000))
    build = ['eif', 'build', '-k', tmp / 'kernel', '-r', tmp / 'ramdisk', '-o', tmp / 'image', '--pcrs', tmp / 'image.json', '-c']
    code, _, err = run(*build, 'quiet')
    code2, _, err2 = run('manifest', 'sign', '-k', key, '-o', tmp / 'image.manifest', '--image', 'x', '--image-version', 1, '--serial', 1, '--pcrs',
                         tmp / 'image.json', '--pcr', '16=' + 'ab' * 48)
    verify = ['eif', 'verify', tmp / 'image', '--expect', tmp / 'image.manifest', '--trust', pub]
    code3, out, err3 = run(*verify)
    check('eif verify --expect: the image is the manifest\'s (what only a running enclave has is left aside)', (code, code2, code3) == (0, 0, 0) and
          'expected ones' in out, err + err2 + err3)
    run(*build, 'quiet init=/evil')
    code, out, err = run(*verify)
    check('and another is not', code == 3 and 'PCR' in err, f'{code} {out} {err}')


def documents(tmp, key, pub):
    if not (VECTORS / 'cases.jsonl').exists():
        check.skip('a real document under a manifest', 'the vectors are not here')
        return
    cases = map(json.loads, (VECTORS / 'cases.jsonl').read_text().splitlines())
    case = next(c for c in cases if c['kind'] == 'enclave' and c['expect'] == 'valid' and not c['debug_mode'] and
                all(set(c['pcrs'].get(n, '0')) != {'0'} for n in '012'))
    doc, when = VECTORS / case['file'], case['verify_at_ms'] // 1000

    def at(seconds):
        import datetime
        return datetime.datetime.fromtimestamp(when + seconds, datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')

    def sign(name, serial, pcrs, issued=-3600, expires=86400, image='enclave'):
        code, _, err = run('manifest', 'sign', '-k', key, '-o', tmp / name, '--image', image, '--image-version', serial, '--serial', serial,
                           *pcrs_args(pcrs), '--issued', at(issued), '--expires', at(expires))
        assert code == 0, err
        return ['attest', 'verify', doc, '--expect', tmp / name, '--trust', pub]

    right = sign('right', 3, case['pcrs'])
    code, out, err = run(*right)
    check('attest verify --expect: a real document has the measurements of the manifest', code == 0 and 'note:' not in out, f'{code} {out} {err}')
    changed = {**case['pcrs'], '2': 'ab' * 48}
    code, _, err = run(*sign('changed', 3, changed))
    check('another PCR2 in the manifest: refused', code == 3 and 'PCR2' in err, err)
    code, _, err = run(*right, '--pcr', '0=' + 'cd' * 48)
    check('--pcr beside it must hold too', code == 3 and 'PCR0' in err, err)
    code, _, err = run(*sign('expired', 3, case['pcrs'], -7200, -3600))
    check('a manifest that had expired when the document was signed', code == 3 and 'expired at' in err and "document's own time" in err, err)
    code, _, err = run(*sign('later', 3, case['pcrs'], 3600))
    check('a manifest of later', code == 3 and 'issued at' in err, err)
    code, _, err = run(*right, '--live')
    check('--live says that the document is old, and how it is judged as a stored one', code == 3 and ('expired' in err or ' old' in err) and
          'without --live' in err and 'clock here may be wrong' in err, err)
    code, _, err = run(*right, '--min-serial', 4)
    check('C-10 a manifest with a lower serial number than known', code == 3 and 'serial number 3, 4' in err, err)
    memory = tmp / 'memory'
    codes = [run(*right, '--remember', memory)[0], run(*sign('newer', 5, case['pcrs']), '--remember', memory)[0]]
    code, _, err = run(*right, '--remember', memory)
    check('C-10 the old manifest after the new one was seen', codes == [0, 0] and code == 3 and 'old release' in err and memory.read_text() == '5 enclave\n',
          f'{codes} {code} {err}')
    code, _, err = run(*sign('renamed', 9, case['pcrs'], image='other'), '--remember', memory)
    check('another image does not write over what was remembered', code == 3 and memory.read_text() == '5 enclave\n', err)
    code, _, err = run(*sign('refused', 11, changed), '--remember', memory)
    check('a refused document is nothing to remember', code == 3 and memory.read_text() == '5 enclave\n', err)
    memory.write_text('many\n')
    code, _, err = run(*right, '--remember', memory)
    check('a memory that is none is an error', code == 2 and 'remembered' in err, err)


sys.exit(main())
