#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer put --checksum-algorithm: what S3 tells of it is what this script computes, small and in parts (composite for SHA, of the whole
for CRCs); verified on read, by boto3 too where it is there (and knows it); parts and ranges are taken up again under each."""
import base64, hashlib, json, subprocess, sys, time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'tools'))
from local import COFFER, LOCAL
from room import MIB, Room, boto3, check, client


def each_algorithm(r):
    data, s3 = r.big.read_bytes(), client(r) if boto3 is not None else None
    for alg in ('CRC32', 'CRC32C', 'SHA1', 'SHA256', 'CRC64NVME', 'SHA512', 'MD5', 'XXHASH64', 'XXHASH3', 'XXHASH128'):
        digest = alg.startswith('SHA') or alg == 'MD5' # what Python knows as well
        for size in (0, 1000, 2 * MIB, len(data)) if alg in ('CRC32', 'SHA256', 'CRC64NVME') else (1000, len(data)):
            path, url = r.write('file', data[:size]), f's3://bkt/sum/{alg}-{size}'
            code, out, err = r.run('put', path, url, '--checksum-algorithm', alg, '--json')
            sent = json.loads(out) if code == 0 else {}
            code2, out, err2 = r.run('get', url, 'back', '--json')
            ok = code == 0 and code2 == 0 and json.loads(out)['checked'] == alg and (r.tmp / 'back').read_bytes() == data[:size]
            told = sent.get(alg.lower())
            if digest and size <= 8 * MIB:
                ok = ok and told == base64.b64encode(hashlib.new(alg, data[:size]).digest()).decode()
            elif digest:
                parts = [hashlib.new(alg, data[i:i + 8 * MIB]).digest() for i in range(0, size, 8 * MIB)]
                ok = ok and told == base64.b64encode(hashlib.new(alg, b''.join(parts)).digest()).decode() + f'-{len(parts)}'
            if s3 is not None:
                head = s3.head_object(Bucket='bkt', Key=f'sum/{alg}-{size}', ChecksumMode='ENABLED')
                kind = 'COMPOSITE' if not alg.startswith('CRC') and size > 8 * MIB else 'FULL_OBJECT'
                ok = ok and head[f'Checksum{alg}'] == told and head['ChecksumType'] == kind
                ok = ok and s3.get_object(Bucket='bkt', Key=f'sum/{alg}-{size}', ChecksumMode='ENABLED')['Body'].read() == data[:size]
            check(f'{alg} of {size} bytes: sent, told by S3, verified on read', ok, f'{sent} {err}{err2}')
    code, out, err = r.run('put', '-', 's3://bkt/sum/pipe', '--checksum-algorithm', 'sha256', stdin=data)
    code2, out, err2 = r.run('get', 's3://bkt/sum/pipe', '-')
    check('a pipe with SHA-256, in parts', code == 0 and code2 == 0 and out == data, err + err2)
    code, out, err = r.run('put', r.write('file', data[:MIB]), 's3://bkt/sum/required', AWS_REQUEST_CHECKSUM_CALCULATION='when_required')
    code2, out, err2 = r.run('get', 's3://bkt/sum/required', '-')
    check('without one where that is wished', code == 0 and code2 == 0 and out == data[:MIB], err + err2)
    code, out, err = r.run('roundtrip', r.big, 's3://bkt/sum/rt', '--checksum-algorithm', 'SHA256', '--json')
    check('roundtrip with SHA-256', code == 0 and json.loads(out)['checked'] == 'SHA256', err)
    r.fails('a checksum that is none', 2, 'CRC64NVME, CRC32, CRC32C, SHA1, SHA256', 'put', r.key, 's3://bkt/x', '--checksum-algorithm', 'md6')


def going_on(r):
    data = r.big.read_bytes()
    for alg in ('CRC32C', 'SHA256'):
        url = f's3://bkt/sum/cut-{alg}'
        p = subprocess.Popen([COFFER, 'put', r.big, url, '-q', '-j', '2', '--limit-rate', '25M', '--checksum-algorithm', alg], env=r.s.env())
        time.sleep(0.95)
        p.kill()
        p.wait()
        code, out, err = r.run('put', r.big, url, '--json', '--checksum-algorithm', alg)
        check(f'{alg}: finished parts are not sent again', code == 0 and json.loads(out).get('resumed_bytes', 0) >= 8 * MIB, out.decode() + err)
        code, out, err = r.run('get', url, 'back')
        check(f'{alg}: and make the whole', code == 0 and (r.tmp / 'back').read_bytes() == data, err)
    p = subprocess.Popen([COFFER, 'get', 's3://bkt/sum/cut-CRC32C', 'cut', '-q', '-j', '1', '--limit-rate', '25M'], env=r.s.env(), cwd=r.tmp)
    time.sleep(0.9)
    p.kill()
    p.wait()
    notes = (r.tmp / '.coffer-cut.log').read_text().splitlines()
    code, out, err = r.run('get', 's3://bkt/sum/cut-CRC32C', 'cut')
    check('ranges are kept by a CRC32C too', code == 0 and 'CRC32C' in notes[0] and len(notes) >= 2
          and (r.tmp / 'cut').read_bytes() == data, f'{notes} {err}')


def main():
    if not LOCAL.exists():
        print(f'1..0 # SKIP {LOCAL} is not built')
        return 0
    r = Room()
    try:
        for part in (each_algorithm, going_on):
            try:
                part(r)
            except Exception as e:  # the other parts go on
                check(part.__name__, False, f'{type(e).__name__}: {e}')
    finally:
        r.s.close()
    return check.done()


sys.exit(main())
