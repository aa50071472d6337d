#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A GET delivers the object it told of, whole: readers that have read little of an object in parts when it is replaced, deleted, or
overwritten once more, get the bytes and the ETag of the one they asked for; they cost one descriptor each; and when they are done (or gone)
nothing of the old objects is left in the data folder."""
import hashlib, os, socket, sys, time
from pathlib import Path
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools'))
from local import Checks, Local
try:
    import boto3
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.config import Config
    from botocore.credentials import Credentials
except ImportError:
    print('1..0 # SKIP python3 has no boto3')
    sys.exit(0)

check = Checks()
PART = 5 << 20
MANY = int(os.environ.get('COFFER_TEST_PARTS', 20)) # of 5 MiB, the smallest there are


class Reader:
    """One GET over a connection with a small window, of which only the head and a little are read at first."""

    def __init__(self, local, key, headers=None):
        env = local.env()
        request = AWSRequest('GET', f'http://localhost:{local.port}/bkt/{key}', headers=headers or {})
        request.headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD'
        S3SigV4Auth(Credentials(env['AWS_ACCESS_KEY_ID'], env['AWS_SECRET_ACCESS_KEY']), 's3', 'us-east-1').add_auth(request)
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.sock.settimeout(60)
        self.sock.connect(('127.0.0.1', local.port))
        lines = [f'GET /bkt/{key} HTTP/1.1', f'host: localhost:{local.port}', *(f'{k}: {v}' for k, v in request.headers.items()), '', '']
        self.sock.sendall('\r\n'.join(lines).encode())
        self.got = b''
        while b'\r\n\r\n' not in self.got:
            self.got += self.more()
        head, self.got = self.got.split(b'\r\n\r\n', 1)
        self.status = int(head.split()[1])
        self.head = dict(l.lower().split(b': ', 1) for l in head.split(b'\r\n')[1:])
        self.length = int(self.head[b'content-length'])

    def more(self):
        piece = self.sock.recv(262144)
        if not piece:
            raise EOFError
        return piece

    def rest(self):
        """-> SHA-256 of the body, or how much of it came."""
        digest, n = hashlib.sha256(self.got), len(self.got)
        try:
            while n < self.length:
                piece = self.more()
                digest.update(piece)
                n += len(piece)
        except (EOFError, OSError):
            return f'{n} of {self.length}'
        finally:
            self.sock.close()
        return digest.hexdigest()


def body_of(n_parts, last, seed):
    """Parts that differ, made of one block each so that they cost little."""
    return [hashlib.sha256(b'%d %d' % (seed, i)).digest() * (PART // 32) for i in range(n_parts - 1)] + [bytes([seed]) * last]


def upload(s3, key, parts):
    up = s3.create_multipart_upload(Bucket='bkt', Key=key)['UploadId']
    done = [{'PartNumber': i, 'ETag': s3.upload_part(Bucket='bkt', Key=key, UploadId=up, PartNumber=i, Body=p)['ETag']} for i, p in enumerate(parts, 1)]
    return s3.complete_multipart_upload(Bucket='bkt', Key=key, UploadId=up, MultipartUpload={'Parts': done})['ETag']


def files(local):
    return [p for p in (local.data / 'blobs').rglob('*') if p.is_file() and not p.name.startswith('slots-')]


def left(local, s3, expected):
    """The server ends what its readers left when it hears of their going: it is asked until then. -> how many files there are"""
    end = time.monotonic() + 20
    while len(files(local)) != expected and time.monotonic() < end:
        s3.list_buckets()
    return len(files(local))


def descriptors(local):
    return len(os.listdir(f'/proc/{local.p.pid}/fd'))


def meanwhile(local, s3, name, n_parts, last, change, headers=None):
    parts = body_of(n_parts, last, n_parts % 251)
    whole = b''.join(parts)
    wanted = whole[PART - 1:] if headers else whole
    etag = upload(s3, name, parts)
    readers = [Reader(local, name, headers) for _ in range(3)]
    change(name)
    told = [(r.status, r.head[b'etag'].decode()) for r in readers]
    check(f'{name}: the head is of the object asked for', told == [(206 if headers else 200, etag)] * 3, told)
    sums = [r.rest() for r in readers]
    check(f'{name}: and so is every byte', sums == [hashlib.sha256(wanted).hexdigest()] * 3, sums)


def main():
    local = Local('bkt')
    env = local.env()
    s3 = boto3.client('s3', endpoint_url=f'http://localhost:{local.port}', region_name='us-east-1',
                      aws_access_key_id=env['AWS_ACCESS_KEY_ID'], aws_secret_access_key=env['AWS_SECRET_ACCESS_KEY'],
                      config=Config(s3={'addressing_style': 'path'}, retries={'max_attempts': 1}))
    try:
        delete = lambda key: s3.delete_object(Bucket='bkt', Key=key)
        replace = lambda key: s3.put_object(Bucket='bkt', Key=key, Body=b'new')

        def twice(key):
            upload(s3, key, body_of(2, 1000, 9))
            upload(s3, key, body_of(2, 100000, 8))

        meanwhile(local, s3, 'three-deleted', 3, 20000, delete)          # its last part lies in the database
        meanwhile(local, s3, 'three-replaced', 3, 100000, replace)       # in a slot
        meanwhile(local, s3, 'three-twice', 3, 700000, twice)            # in a file
        meanwhile(local, s3, 'ranged', 3, 20000, delete, {'range': f'bytes={PART - 1}-'})
        for key in ('three-replaced', 'three-twice'):
            delete(key)
        check('nothing of them is left', left(local, s3, 0) == 0, files(local)[:5])

        parts = body_of(MANY, 1, 3)
        upload(s3, 'wide', parts)
        before = descriptors(local)
        readers = [Reader(local, 'wide') for _ in range(10)]
        delete('wide')
        opened = descriptors(local) - before
        check('a reader costs its socket and one file', opened <= 2 * len(readers) + 2, opened)
        check('and the parts stay for it', len(files(local)) == MANY - 2, len(files(local))) # the first is open, the last in the database
        for r in readers[:-1]:
            r.sock.close()
        whole = readers[-1].rest()
        check('the others went, the last gets it whole', whole == hashlib.sha256(b''.join(parts)).hexdigest(), whole)
        check('then nothing is left', left(local, s3, 0) == 0, len(files(local)))

        upload(s3, 'crash', body_of(3, 10, 4))
        reader = Reader(local, 'crash')
        delete('crash')
        kept = len(files(local))
        local.p.kill()
        local.p.wait(20)
        local.p.stdout.close()
        reader.sock.close()
        local.start()
        check('a server killed meanwhile leaves nothing behind either', kept == 1 and files(local) == [], (kept, files(local)))
    finally:
        local.close()
    return check.done()


if __name__ == '__main__':
    sys.exit(main())
