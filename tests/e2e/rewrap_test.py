#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer rewrap: S3 wraps objects' keys anew under another KMS key, without moving them (UpdateObjectEncryption): every size and kind, all
versions, after which the old key may go; what cannot be done is told and changes nothing; boto3 as judge of coffer-local's answers."""
import hashlib, json, os, sys
from pathlib import Path

SOURCE = Path(os.environ['COFFER_SOURCE'])
sys.path.insert(0, str(SOURCE / 'tests/tools'))
from local import ACCOUNT, Checks, Local

check = Checks()
IDS = {n: f'0c0ffe00-4e4e-4000-8000-00000000000{i}' for i, n in enumerate(('old', 'new', 'closed'), 1)}
ARN = {n: f'arn:aws:kms:us-east-1:{ACCOUNT}:key/{i}' for n, i in IDS.items()}
ROOT = {'AWS': f'arn:aws:iam::{ACCOUNT}:root'}
policy = lambda *actions: {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': ROOT, 'Action': list(actions), 'Resource': '*'}]}
identity = lambda *actions: {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': list(actions), 'Resource': '*'}]}
MANIFEST = {
    'account': ACCOUNT, 'region': 'us-east-1',
    'credentials': [{'name': 'root', 'root': True}, {'name': 'writer', 'user': 'writer'}],
    'users': [{'name': 'writer', 'policies': [{'name': 'p', 'document': identity('s3:PutObject', 's3:GetObject', 's3:ListBucket', 'kms:*')}]}],
    'keys': [{'id': IDS['old'], 'policy': policy('kms:*')}, {'id': IDS['new'], 'alias': 'alias/new', 'policy': policy('kms:*')},
             {'id': IDS['closed'], 'policy': policy('kms:DescribeKey')}],
    'buckets': [{'name': 'bkt'}, {'name': 'ver', 'versioning': True}, {'name': 'locked', 'versioning': True, 'object_lock': {}}, {'name': 'c-keys', 'block_sse_c': False}],
}
SIZES = (0, 1, 65_520, 70_001, 300_000, 20_000_000)


def data(n):
    return hashlib.shake_256(str(n).encode()).digest(n)


def told(out):
    return [json.loads(l) for l in out.splitlines()]


def moves_nothing(s):
    for n in SIZES:
        (s.tmp / f'f{n}').write_bytes(data(n))
        for i, mode in enumerate((['-e', 'sse-s3'], ['-e', 'sse-kms', '--kms-key-id', ARN['old']])):
            code, _, err = s.coffer('put', *mode, s.tmp / f'f{n}', f's3://bkt/t/{i}-{n}')
            check(f'{n} bytes are put with {mode[1]}', code == 0, err)
    before = {x['key']: x for x in told(s.coffer('ls', '-r', '--json', 's3://bkt/t/')[1])}
    code, out, err = s.coffer('rewrap', '-r', '--dry-run', '--json', '-k', ARN['new'], 's3://bkt/t/')
    check('--dry-run tells what would be done', code == 0 and len(told(out)) == 2 * len(SIZES) and all('would_rewrap' in x for x in told(out)), out.decode() + err)
    code, out, err = s.coffer('rewrap', '-r', '--json', '-k', ARN['new'], 's3://bkt/t/')
    check('all are wrapped anew, from SSE-S3 and from the other key', code == 0 and {x['from'] for x in told(out)} == {'sse-s3', ARN['old']} and
          all('rewrapped' in x for x in told(out)) and len(told(out)) == 2 * len(SIZES), out.decode() + err)
    after = {x['key']: x for x in told(s.coffer('ls', '-r', '--json', 's3://bkt/t/')[1])}
    check('size, ETag and date stay', before == after, f'{before} {after}')
    code, out, err = s.coffer('rewrap', '-r', '--json', '-k', ARN['new'], 's3://bkt/t/')
    check('a second time there is nothing to do', code == 0 and all('already' in x for x in told(out)), out.decode() + err)
    same = [s.coffer('get', f's3://bkt/t/{i}-{n}', '-')[1] == data(n) for n in SIZES for i in (0, 1)]
    check('each comes back as it was', all(same), same)


def old_key_may_go(s):
    for i in range(3):
        (s.tmp / 'v').write_bytes(b'version %d' % i)
        s.coffer('put', '-e', 'sse-kms', '--kms-key-id', ARN['old'], s.tmp / 'v', 's3://ver/a')
    s.coffer('rm', 's3://ver/a')
    code, out, err = s.coffer('rewrap', '--versions', '--json', '--bucket-key', '-k', ARN['new'], 's3://ver/')
    versions = told(out)
    check('--versions: every version, and no delete marker', code == 0 and len(versions) == 3 and len({x['version_id'] for x in versions}) == 3, out.decode() + err)
    p = s.aws('kms', 'disable-key', '--key-id', ARN['old'])
    if p is None:
        check.skip('with the old key disabled all can be read', 'no boto3')
        return
    got = [s.coffer('get', '--version-id', x['version_id'], 's3://ver/a', '-')[1] for x in reversed(versions)]
    large = s.coffer('get', f's3://bkt/t/1-{SIZES[-1]}', '-')[1]
    check('with the old key disabled all can be read', sorted(got) == [b'version 0', b'version 1', b'version 2'] and large == data(SIZES[-1]), got)
    s.aws('kms', 'enable-key', '--key-id', ARN['old'])


def what_cannot_be(s):
    one = s.tmp / 'f1'
    for name, key, says in (('an alias is wrong use', f'arn:aws:kms:us-east-1:{ACCOUNT}:alias/new', 'ARN'), ('a key id alone too', IDS['new'], 'ARN')):
        code, _, err = s.coffer('rewrap', '-k', key, 's3://bkt/t/0-1')
        check(name, code == 2 and says in err, f'{code} {err}')
    other = f'arn:aws:kms:us-east-1:444455556666:key/{IDS["new"]}'
    code, _, err = s.coffer('rewrap', '-k', other, 's3://bkt/t/0-1')
    check('a key of another account is refused', code == 1 and 'AccessDenied' in err and 'same account' in err, f'{code} {err}')
    s.coffer('put', '-e', 'sse-s3', one, 's3://bkt/u')
    code, _, err = s.coffer('rewrap', '-k', ARN['closed'], 's3://bkt/u')
    check('a key that may not be used is refused, and nothing is changed', code == 1 and 'AccessDenied' in err and s.coffer('get', 's3://bkt/u', '-')[1] == data(1), f'{code} {err}')
    code, _, err = s.coffer('rewrap', '-k', ARN['new'], 's3://bkt/u', **s.keys_of('writer'))
    check('who may put may not rewrap', code == 1 and 'AccessDenied' in err, f'{code} {err}')
    s.coffer('keygen', s.tmp / 'c.key')
    s.coffer('put', '-e', 'sse-c', '--key-file', s.tmp / 'c.key', one, 's3://c-keys/c')
    s.coffer('put', '-e', 'sse-s3', one, 's3://c-keys/d')
    code, out, err = s.coffer('rewrap', '-r', '--json', '-k', ARN['new'], 's3://c-keys/')
    check('of several those that can be are, the others are told (1)', code == 1 and [x.get('rewrapped') for x in told(out)] == ['d'] and 'c:' in err and '1 failed' in err,
          f'{code} {out} {err}')
    code, _, err = s.coffer('put', '-e', 'sse-s3', '--lock-mode', 'GOVERNANCE', '--lock-until', '2099-01-01T00:00:00Z', one, 's3://locked/x')
    if code == 0:
        code, _, err = s.coffer('rewrap', '-k', ARN['new'], 's3://locked/x')
        check('what Object Lock holds is not changed', code == 1 and 'Object Lock' in err, f'{code} {err}')
    else:
        check('an object is locked', False, err)
    code, _, err = s.coffer('rewrap', '-k', ARN['new'], 's3://bkt/absent')
    check('what is not there is an error', code == 1, f'{code} {err}')


def sealed_inside(s):
    s.coffer('keygen', s.tmp / 's.key')
    ring = f'raw-aes:a:b:{s.tmp}/s.key'
    code, _, err = s.coffer('put', '--seal', ring, s.tmp / 'f300000', 's3://bkt/sealed')
    before = s.coffer('get', 's3://bkt/sealed', '-')[1]
    code2, _, err2 = s.coffer('rewrap', '-k', ARN['new'], 's3://bkt/sealed')
    opened = s.coffer('get', '--open', ring, 's3://bkt/sealed', '-')[1]
    check('a sealed message inside stays byte for byte, and opens as before', code == code2 == 0 and before == s.coffer('get', 's3://bkt/sealed', '-')[1] and opened == data(300_000), err + err2)


def judged_by_boto3(s):
    try:
        import boto3
        from botocore.exceptions import ClientError
    except ImportError:
        return check.skip('boto3 is content', 'no boto3')
    c = s.client('s3')
    if not hasattr(c, 'update_object_encryption'):
        return check.skip('boto3 is content', 'this boto3 does not know the call')
    body = data(100_000)
    c.put_object(Bucket='bkt', Key='boto', Body=body, ServerSideEncryption='AES256', Metadata={'a': 'b'}, Tagging='x=y')
    first = c.head_object(Bucket='bkt', Key='boto')
    c.update_object_encryption(Bucket='bkt', Key='boto', ObjectEncryption={'SSEKMS': {'KMSKeyArn': ARN['new'], 'BucketKeyEnabled': True}})
    now = c.get_object(Bucket='bkt', Key='boto')
    check('boto3: the object is under the key, and all else is as it was', now['ServerSideEncryption'] == 'aws:kms' and now['SSEKMSKeyId'] == ARN['new'] and now['BucketKeyEnabled'] and
          now['Body'].read() == body and now['Metadata'] == {'a': 'b'} and (now['ETag'], now['LastModified']) == (first['ETag'], first['LastModified']) and now['TagCount'] == 1, now)

    def refused(code, word, **args):
        try:
            c.update_object_encryption(**{'Bucket': 'bkt', 'Key': 'boto', 'ObjectEncryption': {'SSEKMS': {'KMSKeyArn': ARN['new']}}, **args})
            return 'not refused'
        except ClientError as e:
            return '' if e.response['Error']['Code'] == code and word in e.response['Error']['Message'] else str(e)
    for name, args in (('no such key', dict(code='NoSuchKey', word='', Key='none')), ('no such bucket', dict(code='NoSuchBucket', word='', Bucket='nowhere')),
                       ('an alias', dict(code='InvalidRequest', word='valid Amazon Web Services KMS key', ObjectEncryption={'SSEKMS': {'KMSKeyArn': f'arn:aws:kms:us-east-1:{ACCOUNT}:alias/new'}})),
                       ('another owner', dict(code='AccessDenied', word='', ExpectedBucketOwner='444455556666'))):
        why = refused(**args)
        check(f'boto3: refused, {name}', not why, why)


class World(Local):
    def __init__(self):
        super().__init__(manifest=MANIFEST)

    def keys_of(self, who):
        return dict(l.split('=', 1) for l in (self.data / f'credentials/{who}.env').read_text().split() if l.startswith('AWS_'))

    def client(self, service):
        import boto3
        e = self.env()
        return boto3.client(service, endpoint_url=e['AWS_ENDPOINT_URL'], region_name='us-east-1', aws_access_key_id=e['AWS_ACCESS_KEY_ID'],
                            aws_secret_access_key=e['AWS_SECRET_ACCESS_KEY'], verify=e['AWS_CA_BUNDLE'])

    def aws(self, service, verb, option, value):
        try:
            return getattr(self.client(service), verb.replace('-', '_'))(KeyId=value)
        except ImportError:
            return None


def main():
    s = World()
    try:
        for part in (moves_nothing, old_key_may_go, what_cannot_be, sealed_inside, judged_by_boto3):
            try:
                part(s)
            except Exception as e:  # a failed part is a line, and the others go on
                check(f'{part.__name__} runs to its end', False, repr(e))
    finally:
        s.close()
    return check.done()


sys.exit(main())
