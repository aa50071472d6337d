#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer-local's S3 judged by rclone: copy, check, sync, cat, moves, parts, the three encryptions and links, plain and over TLS. Skipped
where there is no rclone."""
import json, os, shutil, ssl, subprocess, sys, urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(os.environ['COFFER_SOURCE']) / 'tests' / 'tools'))
from local import KEY, Checks, Local  # noqa: E402

if not shutil.which('rclone'):
    print('1..0 # SKIP no rclone here')
    sys.exit(0)


class Rclone:
    def __init__(self, local, scheme):
        e = local.env()
        self.local, self.scheme, self.dir = local, scheme, local.tmp / scheme
        self.env = dict(e, RCLONE_CONFIG=str(local.tmp / 'rclone.conf'), RCLONE_CONFIG_C_TYPE='s3', RCLONE_CONFIG_C_PROVIDER='Other', RCLONE_CONFIG_C_REGION='us-east-1',
                        RCLONE_CONFIG_C_ACCESS_KEY_ID=e['AWS_ACCESS_KEY_ID'], RCLONE_CONFIG_C_SECRET_ACCESS_KEY=e['AWS_SECRET_ACCESS_KEY'],
                        RCLONE_CONFIG_C_ENDPOINT=f'{scheme}://localhost:{local.port}', RCLONE_CONFIG_C_FORCE_PATH_STYLE='true',
                        RCLONE_CA_CERT=str(local.data / 'tls/ca.pem'), RCLONE_S3_CHUNK_SIZE='5M', RCLONE_S3_UPLOAD_CUTOFF='5M', RCLONE_RETRIES='1',
                        RCLONE_LOW_LEVEL_RETRIES='1')
        self.env.pop('AWS_CA_BUNDLE')  # its AWS library cannot take both
        self.dir.mkdir()

    def __call__(self, *argv, code=0):
        p = subprocess.run(['rclone', *map(str, argv)], env=self.env, cwd=self.dir, capture_output=True, timeout=100, stdin=subprocess.DEVNULL)
        assert p.returncode == code, f'{argv[:3]} ended with {p.returncode}: {p.stderr.decode(errors="replace")[-500:]}'
        return p.stdout if code == 0 else p.stderr.decode(errors='replace')


def files(rclone):
    for name, size in (('a/small', 5), ('a/b/empty', 0), ('large ä+', (11 << 20) + 3), ('z', 70000)):
        path = rclone.dir / 'up' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
    rclone('copy', 'up', 'c:rclone/x')
    rclone('check', 'up', 'c:rclone/x')
    rclone('check', '--download', 'up', 'c:rclone/x')
    listed = {o['Path']: o['Size'] for o in json.loads(rclone('lsjson', '-R', '--files-only', 'c:rclone'))}
    assert listed == {'x/a/small': 5, 'x/a/b/empty': 0, 'x/large ä+': (11 << 20) + 3, 'x/z': 70000}, listed
    (rclone.dir / 'up/z').unlink()
    (rclone.dir / 'up/a/small').write_bytes(b'changed')
    rclone('sync', 'up', 'c:rclone/x')
    assert rclone('cat', 'c:rclone/x/a/small') == b'changed' and rclone('lsf', 'c:rclone/x').split() == 'a/ large ä+'.encode().split()
    rclone('check', 'up', 'c:rclone/x')
    assert rclone('cat', '--offset', 65530, '--count', 20, 'c:rclone/x/large ä+') == (rclone.dir / 'up/large ä+').read_bytes()[65530:65550]
    rclone('moveto', 'c:rclone/x/large ä+', 'c:rclone/moved')
    rclone('copyto', 'c:rclone/moved', 'back')
    assert (rclone.dir / 'back').read_bytes() == (rclone.dir / 'up/large ä+').read_bytes()
    rclone('deletefile', 'c:rclone/moved')
    assert rclone('lsf', 'c:rclone/moved') == b''
    link = rclone('link', '--expire', '60s', 'c:rclone/x/a/small').decode().strip()
    assert urllib.request.urlopen(link, timeout=20, context=ssl.create_default_context(cafile=str(rclone.local.data / 'tls/ca.pem'))).read() == b'changed'


def encryption(rclone):
    (rclone.dir / 'e').mkdir()
    (rclone.dir / 'e/k').write_bytes(os.urandom((6 << 20) + 1))
    rclone('copy', '--s3-server-side-encryption', 'aws:kms', '--s3-sse-kms-key-id', KEY, 'e', 'c:rclone/kms')
    rclone('check', '--download', 'e', 'c:rclone/kms')
    c = ('--s3-sse-customer-algorithm', 'AES256', '--s3-sse-customer-key', 'k' * 32)
    if rclone.scheme == 'http':
        rclone('copy', *c, 'e', 'c:c-rclone/c', code=1)
        return
    rclone('copy', *c, 'e', 'c:c-rclone/c')
    rclone('check', '--download', *c, 'e', 'c:c-rclone/c')
    rclone('check', '--download', 'e', 'c:c-rclone/c', code=1)


def main():
    local, check = Local('c-rclone'), Checks()
    try:
        for scheme in ('http', 'https'):
            rclone = Rclone(local, scheme)
            rclone('mkdir', 'c:rclone')
            for part in (files, encryption):
                try:
                    part(rclone)
                    check(f'{scheme}: {part.__name__}', True)
                except Exception as e:
                    check(f'{scheme}: {part.__name__}', False, f'{type(e).__name__}: {e}')
            rclone('purge', 'c:rclone')
            check(f'{scheme}: nothing is left', 'rclone' not in rclone('lsd', 'c:').decode().replace('c-rclone', ''))
    finally:
        local.close()
    sys.exit(check.done())


main()
