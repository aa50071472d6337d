#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer cp: copies within S3, in one request and in parts, the encryption kept or changed, conditions, versions, many at once; against
coffer-local, with boto3 (where it is) for metadata and tags, and against moto (where it is)."""
import json, os, shutil, subprocess, sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'tools'))
from local import COFFER, KEY
from room import MIB, Room, boto3, check, client


def told(out):
    return [json.loads(line) for line in out.splitlines()]


def same(r, url, data, *options):
    code, got, err = r.run('get', url, '-', *options)
    return code == 0 and got == data


def kept(r):
    modes = {'sse-s3': ['-e', 'sse-s3'], 'sse-kms': ['-e', 'sse-kms', '--kms-key-id', KEY, '--bucket-key'], 'sse-c': ['-e', 'sse-c', '--key-file', r.key]}
    for mode, options in modes.items():
        source = ['--source-key-file', r.key] if mode == 'sse-c' else []
        reading = options if mode == 'sse-c' else []
        for size in (0, 100_000, 11 * MIB + 1):
            data = r.big.read_bytes()[:size]
            r.run('put', '-', f's3://c-keys/{mode}/{size}', *options, stdin=data)
            for parts in (['--part-size', '5M'], []):
                code, out, err = r.run('cp', f's3://c-keys/{mode}/{size}', f's3://c-keys/copy/{mode}/{size}', *source, *parts, '--json')
                said = told(out)[0] if code == 0 else {}
                ok = code == 0 and said['encryption'] == mode and said['bytes'] == size and ('kms_key_id' in said) == (mode == 'sse-kms') and \
                    ('-' in said['etag']) == (size > 5 * MIB and parts != []) and 'crc64nvme' in said
                check(f'{mode}, {size} bytes{" in parts" if parts and size > 5 * MIB else ""}: copied under the same encryption',
                      ok and same(r, f's3://c-keys/copy/{mode}/{size}', data, *reading), f'{err}{out}')


def changed(r):
    data = r.big.read_bytes()
    other = r.write('other.key', os.urandom(32))
    r.run('put', r.big, 's3://c-keys/big', '-e', 'sse-c', '--key-file', r.key)
    for name, options, said in (('to S3\'s key', ['-e', 'sse-s3'], 'sse-s3'), ('to KMS', ['-e', 'KMS', '--kms-key-id', KEY], 'sse-kms'),
                                ('to what the bucket has', ['-e', 'none'], 'sse-s3'), ('to another customer key', ['-e', 'sse-c', '--key-file', other], 'sse-c')):
        for parts in ([], ['--part-size', '5M', '-j', '3']):
            code, out, err = r.run('cp', 's3://c-keys/big', 's3://c-keys/changed', '--source-key-command', f'cat {r.key}', *options, *parts, '--json')
            reading = ['-e', 'sse-c', '--key-file', other] if said == 'sse-c' else []
            check(f'from a customer key {name}{", in parts" if parts else ""}', code == 0 and told(out)[0]['encryption'] == said and
                  same(r, 's3://c-keys/changed', data, *reading), f'{err}{out}')
    r.fails('a source under a customer key without it', 1, '--source-key-file', 'cp', 's3://c-keys/big', 's3://c-keys/x')
    r.fails('with the wrong one', 1, '', 'cp', 's3://c-keys/big', 's3://c-keys/x', '--source-key-file', other)
    r.fails('with one of 31 bytes', 2, 'exactly 32 bytes', 'cp', 's3://c-keys/big', 's3://c-keys/x', '--source-key-file', r.write('short', bytes(31)))
    r.fails('to a bucket that takes no customer keys', 1, 'SSE-C', 'cp', 's3://c-keys/big', 's3://bkt/x', '--source-key-file', r.key)
    check('nothing is left of those', r.run('ls', 's3://c-keys/x')[0] == 1 and r.run('ls', 's3://bkt/x')[0] == 1)
    code, out, err = r.run('put', r.write('sum', b'sum'), 's3://bkt/sum', '--checksum-algorithm', 'SHA256')
    code, out, err = r.run('cp', 's3://bkt/sum', 's3://bkt/sum2', '--json')
    code2, out2, err2 = r.run('cp', 's3://bkt/sum', 's3://bkt/sum3', '--checksum-algorithm', 'CRC32C', '--json')
    check('the checksum that S3 keeps is of the same kind, or as asked', code == code2 == 0 and 'sha256' in told(out)[0] and 'crc32c' in told(out2)[0], err + err2)


def conditions(r):
    one, two = r.write('one', b'one'), r.write('two', b'two')
    r.run('put', one, 's3://bkt/c/one'), r.run('put', two, 's3://bkt/c/two')
    for parts in (False, True):
        source, options = ('s3://bkt/c/big', ['--part-size', '5M']) if parts else ('s3://bkt/c/two', [])
        r.run('put', r.big, 's3://bkt/c/big')
        r.run('put', one, 's3://bkt/c/one')
        how = ', in parts' if parts else ''
        r.fails(f'--create-only replaces nothing{how}', 1, '', 'cp', source, 's3://bkt/c/one', '--create-only', *options)
        r.fails(f'--if-match with another ETag neither{how}', 1, '', 'cp', source, 's3://bkt/c/one', '--if-match', '"0123"', *options)
        check(f'and it is as it was{how}', same(r, 's3://bkt/c/one', b'one'))
        code, _, err = r.run('cp', source, f's3://bkt/c/new{parts}', '--create-only', *options)
        check(f'--create-only makes one{how}', code == 0, err)
        etag = told(r.run('ls', 's3://bkt/c/one', '--json')[1])[0]['etag']
        code, _, err = r.run('cp', source, 's3://bkt/c/one', '--if-match', etag, *options)
        check(f'--if-match replaces what it names{how}', code == 0 and same(r, 's3://bkt/c/one', r.big.read_bytes() if parts else b'two'), err)
    r.run('put', one, 's3://bkt-v/v'), r.run('put', two, 's3://bkt-v/v')
    old = [v for v in told(r.run('ls', '--versions', 's3://bkt-v/v', '--json')[1]) if not v['is_latest']][0]['version_id']
    code, _, err = r.run('cp', 's3://bkt-v/v', 's3://bkt-v/v', '--version-id', old)
    check('an old version is brought back by copying it', code == 0 and same(r, 's3://bkt-v/v', b'one'), err)
    r.fails('onto itself', 2, 'onto itself', 'cp', 's3://bkt/c/two', 's3://bkt/c/')
    code, _, err = r.run('cp', 's3://bkt/c/two', 's3://bkt/c/', '-e', 'sse-kms', '--kms-key-id', KEY)
    check('onto itself under other encryption', code == 0 and same(r, 's3://bkt/c/two', b'two'), err)
    r.fails('a prefix with nothing below it', 1, 'nothing is there', 'cp', '-r', 's3://bkt/no-such/', 's3://bkt/x/')
    for name, says, *argv in (('a source that is not there', 'Not Found', 's3://bkt/none', 's3://bkt/x'), ('a bucket that is not there', '', 's3://nowhere-at-all/k', 's3://bkt/x'),
                              ('a target bucket that is not there', 'NoSuchBucket', 's3://bkt/c/two', 's3://nowhere-at-all/x')):
        r.fails(name, 1, says, 'cp', *argv)
    for name, *argv in (('a file', 'one', 's3://bkt/x'), ('no key', 's3://bkt', 's3://bkt/x/'), ('many onto one', '-r', 's3://bkt/c/', 's3://bkt/x'),
                        ('two conditions', 's3://bkt/c/two', 's3://bkt/x', '--create-only', '--if-match', 'x'), ('a version of many', '-r', 's3://bkt/c', 's3://bkt/x/', '--version-id', 'x')):
        r.fails(f'wrong use: {name}', 2, '', 'cp', *argv)


def many(r):
    tree = {f'd/{i}.jpg': b'%d' % i for i in range(30)} | {'d/e/x y+%ä?versionId=1.txt': b'odd', 'top\nnew': b'newline', '-dash': b'dash', '../up': b'up'}
    for name, data in tree.items():
        r.run('put', '-', f's3://bkt/m/{name}', stdin=data)
    code, out, err = r.run('cp', '-r', 's3://bkt/m', 's3://bkt-v/n/', '--dry-run', '--json')
    would = {x['would_copy']: x['to'] for x in told(out)}
    check('--dry-run says what would be', code == 0 and would == {f's3://bkt/m/{n}': f's3://bkt-v/n/{n}' for n in tree} and r.run('ls', 's3://bkt-v/n/')[0] == 1, f'{err}{out}')
    code, out, err = r.run('cp', '-r', 's3://bkt/m', 's3://bkt-v/n/', '--json', '-e', 'sse-kms', '--kms-key-id', KEY)
    keys = {x['key'] for x in told(r.run('ls', '-r', 's3://bkt-v/n/', '--json')[1])}
    check('a prefix with all below it, names of any kind', code == 0 and keys == {f'n/{n}' for n in tree} and {x['encryption'] for x in told(out)} == {'sse-kms'}, err)
    check('and they are what they were', all(same(r, f's3://bkt-v/n/{n}', data) for n, data in list(tree.items())[-5:]))
    code, out, err = r.run('cp', 's3://bkt/m/d/1*.jpg', 's3://bkt/g/', '--exclude', '*3.jpg')
    check('--exclude is of --recursive', code == 2, err)
    code, out, err = r.run('cp', 's3://bkt/m/d/1*.jpg', 's3://bkt/g/')
    check('a glob', code == 0 and len(told(r.run('ls', 's3://bkt/g/', '--json')[1])) == 11, err)
    code, out, err = r.run('cp', '-r', 's3://bkt/m/', 's3://bkt/m/again/', '--include', '*.jpg', '--exclude', '1*', '--json')
    check('--include and --exclude; into itself it ends', code == 0 and len(told(out)) == 19, f'{err}{out}')
    r.run('put', r.big, 's3://bkt/p/0')
    for i in range(1, 6):
        r.run('put', '-', f's3://bkt/p/{i}', stdin=b'%d' % i)
    code, out, err = r.run('cp', '-r', 's3://bkt/p/', 's3://bkt/q/', '--part-size', '5M', '-j', '2', '--create-only')
    again = r.run('cp', '-r', 's3://bkt/p/', 's3://bkt/q/', '--part-size', '5M', '-j', '64', '--create-only')
    check('large and small side by side', code == 0 and same(r, 's3://bkt/q/0', r.big.read_bytes()), err)
    check('of several each failure is told, and the code is 1', again[0] == 1 and again[2].count('error:') == 7 and '6 of 6 failed' in again[2], again[2])


def metadata(r):
    if boto3 is None:
        check.skip('metadata and tags are kept', 'no boto3')
        return
    c = client(r)
    fields = dict(ContentType='image/x-y', CacheControl='no-cache', ContentDisposition='attachment; filename="a b"', ContentLanguage='de', ContentEncoding='identity')
    c.put_object(Bucket='bkt', Key='meta', Body=r.big.read_bytes(), Metadata={'camera': '7', 'x': 'a, b'}, Tagging='a=1%202&b=%C3%A4', **fields)
    for parts in ([], ['--part-size', '5M']):
        code, _, err = r.run('cp', 's3://bkt/meta', 's3://bkt/meta2', *parts)
        now = c.head_object(Bucket='bkt', Key='meta2')
        tags = {t['Key']: t['Value'] for t in c.get_object_tagging(Bucket='bkt', Key='meta2')['TagSet']}
        check(f'metadata and tags are kept{", in parts" if parts else ""}', code == 0 and now['Metadata'] == {'camera': '7', 'x': 'a, b'} and
              {k: now[k] for k in fields} == fields and tags == {'a': '1 2', 'b': 'ä'}, f'{err}{now}{tags}')
    check('no upload is left half done', all(c.list_multipart_uploads(Bucket=b).get('Uploads') is None for b in ('bkt', 'c-keys')))


def moto(r):
    if shutil.which('moto_server') is None or boto3 is None:
        check.skip('moto', 'no moto_server')
        return
    p = subprocess.Popen(['moto_server', '-H', '127.0.0.1', '-p', '0'], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        port = next((line.rsplit(':', 1)[1].strip().rstrip('/') for line in p.stderr if 'Running on' in line), None)
        env = dict(AWS_ENDPOINT_URL=f'http://127.0.0.1:{port}', AWS_ACCESS_KEY_ID='a', AWS_SECRET_ACCESS_KEY='b', AWS_SESSION_TOKEN='', AWS_CA_BUNDLE='')
        c = boto3.client('s3', endpoint_url=env['AWS_ENDPOINT_URL'], region_name='us-east-1', aws_access_key_id='a', aws_secret_access_key='b')
        c.create_bucket(Bucket='bkt')
        c.put_object(Bucket='bkt', Key='k', Body=r.big.read_bytes(), Metadata={'a': 'b'}, Tagging='t=u')
        for parts in ([], ['--part-size', '5M']):
            code, out, err = r.run('cp', 's3://bkt/k', 's3://bkt/l', *parts, **env)
            now = c.get_object(Bucket='bkt', Key='l') if code == 0 else {}
            tags = c.get_object_tagging(Bucket='bkt', Key='l')['TagSet'] if code == 0 else []
            check(f'moto{", in parts" if parts else ""}', code == 0 and now['Body'].read() == r.big.read_bytes() and now['Metadata'] == {'a': 'b'} and
                  tags == [{'Key': 't', 'Value': 'u'}], f'{err}{out}{tags}')
    finally:
        p.terminate()
        p.wait(20)
        p.stderr.close()


def main():
    r = Room()
    try:
        for part in (kept, changed, conditions, many, metadata, moto):
            part(r)
    finally:
        r.s.close()
    return check.done()


sys.exit(main())
