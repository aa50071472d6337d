# SPDX-License-Identifier: Apache-2.0
"""A coffer-local with buckets and a folder with files to send, for the tests of transfers."""
import os

from local import Checks, Local

try:
    import boto3
except ImportError:
    boto3 = None
MIB = 1 << 20
check = Checks()


class Room:
    def __init__(self):
        self.s = Local('bkt', 'bkt-v', 'c-keys')
        self.tmp = self.s.tmp / 'files'
        self.tmp.mkdir()
        self.run = lambda *a, **k: self.s.coffer(*a, cwd=self.tmp, **k)
        self.key = self.write('key', os.urandom(32))
        self.big = self.write('big', os.urandom(29 * MIB + 1))

    def write(self, name, data):
        (self.tmp / name).write_bytes(data)
        return self.tmp / name

    def fails(self, name, code, says, *argv, **more):
        got, out, err = self.run(*argv, **more)
        check(name, got == code and says in err and 'error:' in err, f'exit {got}: {err}{out!r}')


def client(r):
    e = r.s.env()
    return boto3.client('s3', endpoint_url=e['AWS_ENDPOINT_URL'], region_name='us-east-1', aws_access_key_id=e['AWS_ACCESS_KEY_ID'],
                        aws_secret_access_key=e['AWS_SECRET_ACCESS_KEY'], verify=e['AWS_CA_BUNDLE'])
