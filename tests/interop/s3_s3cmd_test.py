#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer-local's S3 judged by s3cmd: put, get, ls, sync, parts, copies, policies, plain and over TLS. Skipped where there is no s3cmd."""
import os, shutil, subprocess, sys
from pathlib import Path

sys.path.insert(0, str(Path(os.environ['COFFER_SOURCE']) / 'tests' / 'tools'))
from local import KEY, Checks, Local  # noqa: E402

if not shutil.which('s3cmd'):
    print('1..0 # SKIP no s3cmd here')
    sys.exit(0)


class S3cmd:
    def __init__(self, local, scheme):
        self.env, self.dir = local.env(), local.tmp / scheme
        self.dir.mkdir()
        self.conf = self.dir / 's3cfg'
        host = f'localhost:{local.port}'
        self.conf.write_text(f'''[default]
access_key = {self.env["AWS_ACCESS_KEY_ID"]}
secret_key = {self.env["AWS_SECRET_ACCESS_KEY"]}
host_base = {host}
host_bucket = {host}
bucket_location = us-east-1
use_https = {scheme == "https"}
ca_certs_file = {local.data / "tls/ca.pem"}
multipart_chunk_size_mb = 5
max_retries = 1
progress_meter = False
''')

    def __call__(self, *argv, code=0):
        p = subprocess.run(['s3cmd', '-c', str(self.conf), *map(str, argv)], env=self.env, cwd=self.dir, capture_output=True, timeout=100, stdin=subprocess.DEVNULL)
        assert p.returncode == code, f'{argv[:3]} ended with {p.returncode}: {p.stderr.decode(errors="replace")[-500:]}'
        return p.stdout.decode(errors='replace') if code == 0 else p.stderr.decode(errors='replace')


def files(s3cmd):
    for name, size in (('a/small', 5), ('a/b/empty', 0), ('large ä+', (11 << 20) + 3)):
        path = s3cmd.dir / 'up' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
    s3cmd('put', 'up/a/small', 's3://s3cmd/small')
    s3cmd('get', 's3://s3cmd/small', 'small')
    assert (s3cmd.dir / 'small').read_bytes() == (s3cmd.dir / 'up/a/small').read_bytes()
    s3cmd('sync', 'up/', 's3://s3cmd/x/')
    listed = s3cmd('ls', '-r', 's3://s3cmd')
    assert all(f's3://s3cmd/{n}' in listed for n in ('small', 'x/a/small', 'x/a/b/empty', 'x/large ä+')), listed
    s3cmd('sync', 's3://s3cmd/x/', 'down/')
    for name in ('a/small', 'a/b/empty', 'large ä+'):
        assert (s3cmd.dir / 'down' / name).read_bytes() == (s3cmd.dir / 'up' / name).read_bytes(), name
    (s3cmd.dir / 'up/a/small').unlink()
    s3cmd('sync', '--delete-removed', 'up/', 's3://s3cmd/x/')
    assert 'x/a/small' not in s3cmd('ls', '-r', 's3://s3cmd')
    s3cmd('cp', 's3://s3cmd/small', 's3://s3cmd/copy')
    s3cmd('mv', 's3://s3cmd/copy', 's3://s3cmd/moved')
    listed = s3cmd('ls', 's3://s3cmd')
    assert 's3://s3cmd/moved' in listed and 's3://s3cmd/copy' not in listed and 's3://s3cmd/x/' in listed and 'large' not in listed, listed
    assert 's3://s3cmd/moved' in s3cmd('info', 's3://s3cmd/moved')
    said = s3cmd('get', 's3://s3cmd/none', 'none', code=64)
    assert 'does not exist' in said, said
    s3cmd('del', 's3://s3cmd/moved')


def encryption(s3cmd):
    (s3cmd.dir / 'k').write_bytes(b'k')
    s3cmd('put', '--server-side-encryption', 'k', 's3://s3cmd/sse')
    s3cmd('put', f'--server-side-encryption-kms-id={KEY}', 'k', 's3://s3cmd/kms')
    assert 'aws:kms' in s3cmd('info', 's3://s3cmd/kms')
    s3cmd('get', 's3://s3cmd/kms', 'kms')
    assert (s3cmd.dir / 'kms').read_bytes() == b'k'


def policies(s3cmd):
    (s3cmd.dir / 'policy').write_text('{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::s3cmd/*"}]}')
    s3cmd('setpolicy', 'policy', 's3://s3cmd')
    assert 's3:GetObject' in s3cmd('info', 's3://s3cmd')
    assert '403' in s3cmd('get', '--force', 's3://s3cmd/small', 'small', code=77)
    s3cmd('delpolicy', 's3://s3cmd')
    s3cmd('get', '--force', 's3://s3cmd/small', 'small')


def main():
    local, check = Local(), Checks()
    try:
        for scheme in ('http', 'https'):
            s3cmd = S3cmd(local, scheme)
            s3cmd('mb', 's3://s3cmd')
            for part in (files, encryption, policies):
                try:
                    part(s3cmd)
                    check(f'{scheme}: {part.__name__}', True)
                except Exception as e:
                    check(f'{scheme}: {part.__name__}', False, f'{type(e).__name__}: {e}')
            s3cmd('del', '--recursive', '--force', 's3://s3cmd')
            s3cmd('rb', 's3://s3cmd')
    finally:
        local.close()
    sys.exit(check.done())


main()
