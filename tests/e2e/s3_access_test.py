#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who may do what with coffer-local's buckets, judged by boto3: policies and what S3 says of wrong ones, Block Public Access of bucket
and account, ownership and ACLs, requests of another account, and every condition key that S3 sets."""
import datetime, hashlib, http.client, json, os, shutil, signal, subprocess, sys, tempfile, urllib.parse
from pathlib import Path

BUILD = Path(os.environ['COFFER_BUILD'])
LOCAL = BUILD / 'src' / 'prog' / 'coffer-local' / 'coffer-local'
try:
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.exceptions import ClientError
except ImportError:
    print('1..0 # SKIP python3 has no boto3')
    sys.exit(0)

MINE, OTHER = '111122223333', '444455556666'
EVERYTHING = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': '*', 'Resource': '*'}]}
S3_ALL = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 's3:*', 'Resource': '*'}]}
MANIFEST = {
    'account': MINE, 'region': 'us-east-1',
    'users': [{'name': 'ann', 'policies': [{'name': 'all', 'document': S3_ALL}]}, {'name': 'bob', 'policies': []}],
    'credentials': [{'name': 'root', 'root': True}, {'name': 'ann', 'user': 'ann'}, {'name': 'bob', 'user': 'bob'}],
    'accounts': [{'id': OTHER, 'users': [{'name': 'eve', 'policies': [{'name': 'all', 'document': S3_ALL}]}, {'name': 'mute', 'policies': []}],
                  'credentials': [{'name': 'stranger', 'root': True}, {'name': 'eve', 'user': 'eve'}, {'name': 'mute', 'user': 'mute'}]}],
}


class Server:
    def __init__(self, data):
        self.data = Path(data) / 'data'
        (Path(data) / 'manifest.json').write_text(json.dumps(MANIFEST))
        subprocess.run([LOCAL, 'init', '-d', self.data, '-m', Path(data) / 'manifest.json'], check=True, stdout=subprocess.DEVNULL)
        self.p = subprocess.Popen([LOCAL, 'serve', '-d', self.data, '--listen', 'tcp:127.0.0.1:0'], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        line = self.p.stdout.readline().decode().split()
        assert line[:1] == ['ready'], 'coffer-local did not start'
        self.port, self.clients = int(line[1]), {}

    def s3(self, who='root', service='s3', **config):
        key = (who, service, tuple(sorted(config.items())))
        if key not in self.clients:
            e = {'signature_version': UNSIGNED} if who is None else {}
            keys = {} if who is None else dict(l.split('=', 1) for l in (self.data / f'credentials/{who}.env').read_text().split())
            self.clients[key] = boto3.client(
                service, endpoint_url=f'https://localhost:{self.port}', region_name='us-east-1', verify=str(self.data / 'tls/ca.pem'),
                aws_access_key_id=keys.get('AWS_ACCESS_KEY_ID'), aws_secret_access_key=keys.get('AWS_SECRET_ACCESS_KEY'),
                config=Config(**{'retries': {'max_attempts': 1}, 's3': {'addressing_style': 'path'}, 'signature_version': 's3v4', **e, **config}))
        return self.clients[key]

    def bucket(self, name, *keys, who='root', blocked=False, **args):
        s3 = self.s3(who)
        s3.create_bucket(Bucket=name, **args)
        if not blocked:
            s3.delete_public_access_block(Bucket=name)
        for k in keys:
            s3.put_object(Bucket=name, Key=k, Body=k.encode())
        return s3

    def close(self):
        self.p.send_signal(signal.SIGTERM)
        self.p.wait(20)
        self.p.stdout.close()


def refused(code, call, **args):
    try:
        call(**args)
    except ClientError as e:
        got = e.response['Error']['Code']
        assert got == code or str(e.response['ResponseMetadata']['HTTPStatusCode']) == code, f'{got} in place of {code}: {e}'
        return e.response['Error'].get('Message', '')
    raise AssertionError(f'no {code}')


def allow(action, *resource, principal='*', effect='Allow', condition=None):
    st = {'Effect': effect, 'Principal': principal, 'Action': action, 'Resource': [f'arn:aws:s3:::{r}' for r in resource]}
    if condition:
        st['Condition'] = condition
    return st


def policy(*statements):
    return json.dumps({'Version': '2012-10-17', 'Statement': list(statements)})


TESTS = []
ONLY = sys.argv[1:]


def test(f):
    if not ONLY or f.__name__ in ONLY:
        TESTS.append(f)
    return f


@test
def wrong_policies_are_refused_in_the_words_of_s3(sv):
    s3 = sv.bucket('words', blocked=False)
    good = allow('s3:GetObject', 'words/*', principal={'AWS': MINE})
    for change, words in (
            (lambda s: s.pop('Principal'), 'Missing required field Principal'),
            (lambda s: s.pop('Effect'), 'Missing required field Effect'),
            (lambda s: s.pop('Action'), 'Missing required field Action'),
            (lambda s: s.pop('Resource'), 'Missing required field Resource'),
            (lambda s: s.update(Effect='allow'), 'Invalid effect: allow'),
            (lambda s: s.update(Action='s3:GetThing'), 'Policy has invalid action'),
            (lambda s: s.update(Action='sqs:SendMessage'), 'Policy has invalid action'),
            (lambda s: s.update(Action=['s3:GetObject', 's3:ListBucket']), 'Action does not apply to any resource(s) in statement'),
            (lambda s: s.update(Resource='arn:aws:s3:::words'), 'Action does not apply to any resource(s) in statement'),
            (lambda s: s.update(Resource='arn:aws:s3:::other/*'), 'Policy has invalid resource'),
            (lambda s: s.update(Resource=['arn:aws:s3:::words/*', 'arn:aws:s3:::word/*']), 'Policy has invalid resource'),
            (lambda s: s.update(Principal={'AWS': 'nobody'}), 'Invalid principal in policy'),
            (lambda s: s.update(Principal={'AWS': 'arn:aws:iam::12:root'}), 'Invalid principal in policy'),
            (lambda s: s.update(Condition={'StringEquals': {'s3:nonsense': 'x'}}), 'Policy has an invalid condition key'),
            (lambda s: s.update(Condition={'StringEquals': {'s3:prefix': 'x'}}), 'Conditions do not apply'),
            (lambda s: s.update(Condition={'StringSame': {'aws:SourceIp': 'x'}}), 'unknown condition operator'),
            (lambda s: s.update(Color='red'), 'unknown element'),
            (lambda s: (s.pop('Principal'), s.update(NotPrincipal={'AWS': MINE})), 'NotPrincipal')):
        st = dict(good)
        change(st)
        said = refused('MalformedPolicy', s3.put_bucket_policy, Bucket='words', Policy=policy(st))
        assert words in said, f'{said!r} in place of {words!r}'
    for text, words in (('', 'first byte'), ('[]', 'first byte'), ('{', 'first byte'), ('{"Version":"2012-10-17"}', 'Statement'),
                        ('{"Version":"2012-10-17","Statement":[]}', 'Statement is empty')):
        if text:
            assert words in refused('MalformedPolicy', s3.put_bucket_policy, Bucket='words', Policy=text), text
    refused('PolicyTooLarge', s3.put_bucket_policy, Bucket='words', Policy=policy(*[dict(good, Sid=f's{i}') for i in range(200)]))
    for resource in ('arn:aws:s3:::words/*', 'arn:aws:s3:::w*', 'arn:aws:s3:::*/*', 'arn:aws:s3:::words/${aws:username}/*'):
        s3.put_bucket_policy(Bucket='words', Policy=policy(dict(good, Resource=resource)))
    s3.put_bucket_policy(Bucket='words', Policy=policy(allow(['s3:GetObject', 's3:ListBucket'], 'words', 'words/*', principal={'AWS': MINE})))
    s3.delete_bucket_policy(Bucket='words')
    refused('NoSuchBucketPolicy', s3.get_bucket_policy, Bucket='words')


@test
def what_is_public(sv):
    s3 = sv.bucket('public')
    refused('NoSuchBucketPolicy', s3.get_bucket_policy_status, Bucket='public')
    st = lambda **k: allow('s3:GetObject', 'public/*', **k)
    for statement, is_public in (
            (st(), True), (st(principal={'AWS': '*'}), True), (st(principal={'AWS': OTHER}), False),
            (st(principal={'Service': 'logging.s3.amazonaws.com'}), False), (st(effect='Deny'), False),
            (st(condition={'IpAddress': {'aws:SourceIp': '203.0.113.0/24'}}), False),
            (st(condition={'IpAddress': {'aws:SourceIp': '0.0.0.0/0'}}), True),
            (st(condition={'IpAddress': {'aws:SourceIp': ['203.0.113.0/24', '::/0']}}), True),
            (st(condition={'NotIpAddress': {'aws:SourceIp': '203.0.113.0/24'}}), True),
            (st(condition={'StringEquals': {'aws:SourceVpce': 'vpce-1'}}), False),
            (st(condition={'StringLike': {'aws:SourceVpce': 'vpce-*'}}), True),
            (st(condition={'StringEqualsIfExists': {'aws:SourceVpce': 'vpce-1'}}), True),
            (st(condition={'StringEquals': {'aws:PrincipalOrgID': 'o-1'}}), False),
            (st(condition={'StringLike': {'aws:userid': 'AROA1:*'}}), False), (st(condition={'StringLike': {'aws:userid': '*:x'}}), True),
            (st(condition={'StringEquals': {'aws:Referer': 'https://example.com'}}), True),
            (st(condition={'Bool': {'aws:SecureTransport': 'true'}}), True)):
        s3.put_bucket_policy(Bucket='public', Policy=policy(statement))
        assert s3.get_bucket_policy_status(Bucket='public')['PolicyStatus']['IsPublic'] == is_public, statement


@test
def public_access_is_blocked_unless_asked_for(sv):
    s3 = sv.bucket('blocked', 'k', blocked=True)
    on = s3.get_public_access_block(Bucket='blocked')['PublicAccessBlockConfiguration']
    assert all(on.values()) and len(on) == 4
    anyone, named = policy(allow('s3:GetObject', 'blocked/*')), policy(allow('s3:GetObject', 'blocked/*', principal={'AWS': OTHER}))
    assert 'BlockPublicPolicy' in refused('AccessDenied', s3.put_bucket_policy, Bucket='blocked', Policy=anyone)
    s3.put_bucket_policy(Bucket='blocked', Policy=named)
    assert sv.s3('eve').get_object(Bucket='blocked', Key='k')['Body'].read() == b'k'
    block = lambda **k: s3.put_public_access_block(Bucket='blocked', PublicAccessBlockConfiguration=k)
    block(RestrictPublicBuckets=True)
    both = policy(allow('s3:GetObject', 'blocked/*'), allow('s3:GetObject', 'blocked/*', principal={'AWS': OTHER}))
    s3.put_bucket_policy(Bucket='blocked', Policy=both)
    for who in ('eve', None):  # a public policy serves nobody outside of the account, those it names included
        refused('AccessDenied', sv.s3(who).get_object, Bucket='blocked', Key='k')
    assert sv.s3('bob').get_object(Bucket='blocked', Key='k')['Body'].read() == b'k'
    block()
    for who in ('eve', None, 'bob'):
        assert sv.s3(who).get_object(Bucket='blocked', Key='k')['Body'].read() == b'k'
    s3.delete_public_access_block(Bucket='blocked')
    refused('NoSuchPublicAccessBlockConfiguration', s3.get_public_access_block, Bucket='blocked')


@test
def the_account_can_block_for_all_its_buckets(sv):
    path = '/v20180820/configuration/publicAccessBlock'
    ask = lambda method, body=b'', who='root', account=MINE: signed(sv, method, path, body, {'x-amz-account-id': account}, who)
    s3 = sv.bucket('account', 'k')
    anyone = policy(allow('s3:GetObject', 'account/*'))
    s3.put_bucket_policy(Bucket='account', Policy=anyone)
    for args, status, words in (((), 404, 'NoSuchPublicAccessBlockConfiguration'), ((b'', 'root', OTHER), 403, 'AccessDenied'), ((b'', 'bob'), 403, 'AccessDenied'),
                                ((b'', 'stranger'), 403, 'AccessDenied')):
        got, text = ask('GET', *args)
        assert got == status and words in text, (args, got, text)
    assert sv.s3(None).get_object(Bucket='account', Key='k')['Body'].read() == b'k'
    on = b'<PublicAccessBlockConfiguration xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/"><BlockPublicPolicy>true</BlockPublicPolicy>' \
         b'<RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>'
    assert ask('PUT', on)[0] == 201 and '<BlockPublicPolicy>true' in ask('GET')[1] and '<IgnorePublicAcls>false' in ask('GET')[1]
    assert ask('PUT', on.replace(b'true', b'maybe'))[0] == 400
    refused('AccessDenied', sv.s3(None).get_object, Bucket='account', Key='k')
    refused('AccessDenied', s3.put_bucket_policy, Bucket='account', Policy=anyone)
    assert ask('DELETE')[0] == 204
    assert sv.s3(None).get_object(Bucket='account', Key='k')['Body'].read() == b'k'


@test
def acls_are_off_unless_asked_for(sv):
    s3 = sv.bucket('acls')
    assert s3.get_bucket_ownership_controls(Bucket='acls')['OwnershipControls']['Rules'] == [{'ObjectOwnership': 'BucketOwnerEnforced'}]
    for acl in ('public-read', 'authenticated-read', 'bucket-owner-read'):
        refused('AccessControlListNotSupported', s3.put_object, Bucket='acls', Key='k', Body=b'', ACL=acl)
    refused('AccessControlListNotSupported', s3.put_object, Bucket='acls', Key='k', Body=b'', GrantRead=f'id={OTHER}')
    s3.put_object(Bucket='acls', Key='k', Body=b'k', ACL='private')
    s3.put_object(Bucket='acls', Key='k', Body=b'k', ACL='bucket-owner-full-control')
    refused('AccessControlListNotSupported', s3.put_bucket_acl, Bucket='acls', ACL='private')
    refused('AccessControlListNotSupported', s3.put_object_acl, Bucket='acls', Key='k', ACL='public-read')
    refused('InvalidBucketAclWithObjectOwnership', s3.create_bucket, Bucket='acls-2', ACL='public-read')
    same = s3.get_object_acl(Bucket='acls', Key='k')
    s3.put_object_acl(Bucket='acls', Key='k', AccessControlPolicy={'Owner': same['Owner'], 'Grants': same['Grants']})  # what is there may be said again
    more = {'Grantee': {'Type': 'Group', 'URI': 'http://acs.amazonaws.com/groups/global/AllUsers'}, 'Permission': 'READ'}
    refused('AccessControlListNotSupported', s3.put_object_acl, Bucket='acls', Key='k', AccessControlPolicy={'Owner': same['Owner'], 'Grants': [*same['Grants'], more]})
    grants = s3.get_object_acl(Bucket='acls', Key='k')['Grants']
    assert [(g['Grantee']['ID'], g['Permission']) for g in grants] == [(MINE, 'FULL_CONTROL')]
    s3.delete_bucket_ownership_controls(Bucket='acls')
    refused('OwnershipControlsNotFoundError', s3.get_bucket_ownership_controls, Bucket='acls')
    refused('MalformedXML', s3.put_bucket_ownership_controls, Bucket='acls', OwnershipControls={'Rules': [{'ObjectOwnership': 'Anybody'}]})


@test
def canned_acls_say_who_reads(sv):
    s3 = sv.bucket('canned', 'plain', ObjectOwnership='ObjectWriter')
    nobody, eve = sv.s3(None), sv.s3('eve')
    s3.put_object(Bucket='canned', Key='open', Body=b'open', ACL='public-read')
    s3.put_object(Bucket='canned', Key='signed', Body=b'signed', ACL='authenticated-read')
    assert nobody.get_object(Bucket='canned', Key='open')['Body'].read() == b'open'
    assert eve.get_object(Bucket='canned', Key='signed')['Body'].read() == b'signed'
    refused('AccessDenied', nobody.get_object, Bucket='canned', Key='signed')
    refused('AccessDenied', eve.get_object, Bucket='canned', Key='plain')
    refused('AccessDenied', sv.s3('mute').get_object, Bucket='canned', Key='signed')  # its own account must let it
    refused('AccessDenied', nobody.list_objects_v2, Bucket='canned')
    s3.put_bucket_acl(Bucket='canned', ACL='public-read')
    assert len(nobody.list_objects_v2(Bucket='canned')['Contents']) == 3
    refused('AccessDenied', nobody.put_object, Bucket='canned', Key='n', Body=b'')
    s3.put_bucket_policy(Bucket='canned', Policy=policy(allow('s3:GetObject', 'canned/*', effect='Deny')))
    refused('AccessDenied', nobody.get_object, Bucket='canned', Key='open')
    s3.delete_bucket_policy(Bucket='canned')
    s3.put_public_access_block(Bucket='canned', PublicAccessBlockConfiguration={'IgnorePublicAcls': True})
    refused('AccessDenied', nobody.get_object, Bucket='canned', Key='open')
    refused('AccessDenied', nobody.list_objects_v2, Bucket='canned')
    s3.put_public_access_block(Bucket='canned', PublicAccessBlockConfiguration={'BlockPublicAcls': True})
    assert nobody.get_object(Bucket='canned', Key='open')['Body'].read() == b'open'
    for call, args in ((s3.put_object, {'Key': 'n', 'Body': b'', 'ACL': 'public-read'}), (s3.put_bucket_acl, {'ACL': 'public-read-write'}),
                       (s3.put_object_acl, {'Key': 'plain', 'ACL': 'authenticated-read'})):
        assert 'BlockPublicAcls' in refused('AccessDenied', call, Bucket='canned', **args)
    refused('InvalidBucketAclWithObjectOwnership', s3.put_bucket_ownership_controls, Bucket='canned',
            OwnershipControls={'Rules': [{'ObjectOwnership': 'BucketOwnerEnforced'}]})
    s3.put_bucket_acl(Bucket='canned', ACL='private')
    s3.put_bucket_ownership_controls(Bucket='canned', OwnershipControls={'Rules': [{'ObjectOwnership': 'BucketOwnerEnforced'}]})
    s3.delete_public_access_block(Bucket='canned')
    refused('AccessDenied', nobody.get_object, Bucket='canned', Key='open')


@test
def objects_belong_to_their_writer_or_to_the_bucket(sv):
    write = allow(['s3:PutObject', 's3:PutObjectAcl'], 'writers/*', principal={'AWS': OTHER})
    s3, eve = sv.bucket('writers', ObjectOwnership='ObjectWriter'), sv.s3('eve')
    s3.put_bucket_policy(Bucket='writers', Policy=policy(write))
    eve.put_object(Bucket='writers', Key='theirs', Body=b'theirs')
    assert eve.get_object(Bucket='writers', Key='theirs')['Body'].read() == b'theirs'  # the policy does not let it; it is its own
    refused('AccessDenied', sv.s3('ann').get_object, Bucket='writers', Key='theirs')
    eve.put_object(Bucket='writers', Key='shared', Body=b'shared', ACL='bucket-owner-read')
    assert sv.s3('ann').get_object(Bucket='writers', Key='shared')['Body'].read() == b'shared'
    s3.put_bucket_ownership_controls(Bucket='writers', OwnershipControls={'Rules': [{'ObjectOwnership': 'BucketOwnerPreferred'}]})
    eve.put_object(Bucket='writers', Key='given', Body=b'given', ACL='bucket-owner-full-control')
    assert sv.s3('ann').get_object(Bucket='writers', Key='given')['Body'].read() == b'given'
    refused('AccessDenied', eve.get_object, Bucket='writers', Key='given')
    s3.put_bucket_ownership_controls(Bucket='writers', OwnershipControls={'Rules': [{'ObjectOwnership': 'BucketOwnerEnforced'}]})
    assert sv.s3('ann').get_object(Bucket='writers', Key='theirs')['Body'].read() == b'theirs'
    refused('AccessDenied', eve.get_object, Bucket='writers', Key='theirs')


@test
def another_account_needs_both_sides(sv):
    s3 = sv.bucket('sides', 'k')
    for who in ('stranger', 'eve', 'mute'):
        refused('AccessDenied', sv.s3(who).get_object, Bucket='sides', Key='k')
    s3.put_bucket_policy(Bucket='sides', Policy=policy(allow(['s3:GetObject', 's3:ListBucket'], 'sides', 'sides/*', principal={'AWS': OTHER})))
    assert sv.s3('eve').get_object(Bucket='sides', Key='k')['Body'].read() == b'k'
    refused('AccessDenied', sv.s3('mute').get_object, Bucket='sides', Key='k')
    refused('AccessDenied', sv.s3('eve').put_object, Bucket='sides', Key='n', Body=b'')
    refused('BucketAlreadyExists', sv.s3('eve').create_bucket, Bucket='sides')
    assert 'sides' not in [b['Name'] for b in sv.s3('eve').list_buckets()['Buckets']]
    refused('AccessDenied', s3.get_object, Bucket='sides', Key='k', ExpectedBucketOwner=OTHER)
    assert s3.get_object(Bucket='sides', Key='k', ExpectedBucketOwner=MINE)['Body'].read() == b'k'


@test
def the_root_keeps_its_hold_on_the_policy(sv):
    s3, ann = sv.bucket('hold'), sv.s3('ann')
    deny = policy(allow(['s3:GetBucketPolicy', 's3:PutBucketPolicy', 's3:DeleteBucketPolicy'], 'hold', effect='Deny'))
    s3.put_bucket_policy(Bucket='hold', Policy=deny)
    for call, args in ((ann.get_bucket_policy, {}), (ann.put_bucket_policy, {'Policy': deny}), (ann.delete_bucket_policy, {})):
        refused('AccessDenied', call, Bucket='hold', **args)
    assert s3.get_bucket_policy(Bucket='hold')['Policy'] == deny
    s3.delete_bucket_policy(Bucket='hold')
    s3.put_bucket_policy(Bucket='hold', Policy=deny, ConfirmRemoveSelfBucketAccess=True)
    for call, args in ((s3.get_bucket_policy, {}), (s3.put_bucket_policy, {'Policy': deny}), (s3.delete_bucket_policy, {})):
        refused('AccessDenied', call, Bucket='hold', **args)


@test
def who_may_not_list_is_not_told_what_is_absent(sv):
    s3 = sv.bucket('absent', 'k')
    bob = sv.s3('bob')
    s3.put_bucket_policy(Bucket='absent', Policy=policy(allow(['s3:GetObject', 's3:GetObjectVersion'], 'absent/*', principal={'AWS': f'arn:aws:iam::{MINE}:user/bob'})))
    refused('AccessDenied', bob.get_object, Bucket='absent', Key='none')
    refused('403', bob.head_object, Bucket='absent', Key='none')
    s3.put_bucket_policy(Bucket='absent', Policy=policy(
        allow('s3:GetObject', 'absent/*', principal={'AWS': MINE}),
        allow(['s3:GetObject'], 'absent/*', principal={'AWS': f'arn:aws:iam::{MINE}:user/bob'}),
        allow('s3:ListBucket', 'absent', principal={'AWS': f'arn:aws:iam::{MINE}:user/bob'}, condition={'StringLike': {'s3:prefix': 'told/*'}})))
    refused('NoSuchKey', bob.get_object, Bucket='absent', Key='told/none')
    refused('404', bob.head_object, Bucket='absent', Key='told/none')
    refused('AccessDenied', bob.get_object, Bucket='absent', Key='none')
    refused('AccessDenied', bob.get_object, Bucket='absent', Key='none?prefix=told/')


def only(sv, bucket, action, condition, resource=None):
    """Lets bob, who has no policy of his own, do one thing under one condition."""
    sv.s3().put_bucket_policy(Bucket=bucket, Policy=policy(allow(action, resource or f'{bucket}/*', principal={'AWS': f'arn:aws:iam::{MINE}:user/bob'}, condition=condition)))
    return sv.s3('bob')


@test
def conditions_on_how_an_object_is_written(sv):
    sv.bucket('written', 'src/a', 'other/a')
    put = lambda condition, **k: only(sv, 'written', 's3:PutObject', condition).put_object(Bucket='written', Key='k', Body=b'k', **k)
    fails = lambda condition, **k: refused('AccessDenied', only(sv, 'written', 's3:PutObject', condition).put_object, Bucket='written', Key='k', Body=b'k', **k)
    for condition, good, bad in (
            ({'StringEquals': {'s3:x-amz-server-side-encryption': 'AES256'}}, {'ServerSideEncryption': 'AES256'}, {}),
            ({'Null': {'s3:x-amz-server-side-encryption': 'true'}}, {}, {'ServerSideEncryption': 'AES256'}),
            ({'StringEquals': {'s3:x-amz-storage-class': 'STANDARD'}}, {'StorageClass': 'STANDARD'}, {'StorageClass': 'GLACIER'}),
            ({'StringEquals': {'s3:x-amz-acl': 'bucket-owner-full-control'}}, {'ACL': 'bucket-owner-full-control'}, {'ACL': 'private'}),
            ({'StringEquals': {'s3:if-none-match': '*'}}, {'IfNoneMatch': '*'}, {}),
            ({'Bool': {'s3:ObjectCreationOperation': 'true'}}, {}, None),
            ({'StringEquals': {'s3:ResourceAccount': MINE}}, {}, None), ({'StringEquals': {'s3:ResourceAccount': OTHER}}, None, {}),
            ({'Bool': {'aws:SecureTransport': 'true'}}, {}, None), ({'StringEquals': {'aws:SourceVpce': 'vpce-1'}}, None, {}),
            ({'StringNotEquals': {'aws:SourceVpce': 'vpce-1'}}, {}, None)):
        sv.s3().delete_object(Bucket='written', Key='k')
        if good is not None:
            put(condition, **good)
        if bad is not None:
            fails(condition, **bad)
    tags = {'StringEquals': {'s3:RequestObjectTag/level': 'low'}, 'ForAllValues:StringEquals': {'s3:RequestObjectTagKeys': ['level', 'unit']}}
    both = ['s3:PutObject', 's3:PutObjectTagging']
    only(sv, 'written', both, tags).put_object(Bucket='written', Key='k', Body=b'', Tagging='level=low')
    for t in ('level=high', 'level=low&more=1', ''):
        refused('AccessDenied', sv.s3('bob').put_object, Bucket='written', Key='k', Body=b'', Tagging=t)
    bob = only(sv, 'written', 's3:PutObjectTagging', tags)
    bob.put_object_tagging(Bucket='written', Key='k', Tagging={'TagSet': [{'Key': 'level', 'Value': 'low'}, {'Key': 'unit', 'Value': '1'}]})
    refused('AccessDenied', bob.put_object_tagging, Bucket='written', Key='k', Tagging={'TagSet': [{'Key': 'level', 'Value': 'low'}, {'Key': 'x', 'Value': '1'}]})
    refused('AccessDenied', bob.put_object_tagging, Bucket='written', Key='k', Tagging={'TagSet': [{'Key': 'level', 'Value': 'high'}]})
    for source in ('written/src/*', '/written/src/*'):
        bob = only(sv, 'written', 's3:PutObject', {'StringLike': {'s3:x-amz-copy-source': source}})
        sv.s3().put_bucket_policy(Bucket='written', Policy=policy(
            allow('s3:GetObject', 'written/*', principal={'AWS': f'arn:aws:iam::{MINE}:user/bob'}),
            allow('s3:PutObject', 'written/*', principal={'AWS': f'arn:aws:iam::{MINE}:user/bob'}, condition={'StringLike': {'s3:x-amz-copy-source': source}})))
        bob.copy_object(Bucket='written', Key='k', CopySource='written/src/a')
        refused('AccessDenied', bob.copy_object, Bucket='written', Key='k', CopySource='written/other/a')
        refused('AccessDenied', bob.put_object, Bucket='written', Key='k', Body=b'')


@test
def conditions_on_what_is_read_and_listed(sv):
    s3 = sv.bucket('reading', 'home/bob/1', 'home/ann/1', 'top')
    s3.put_bucket_versioning(Bucket='reading', VersioningConfiguration={'Status': 'Enabled'})
    old = s3.put_object(Bucket='reading', Key='v', Body=b'old')['VersionId']
    new = s3.put_object(Bucket='reading', Key='v', Body=b'new')['VersionId']
    bob = only(sv, 'reading', 's3:GetObjectVersion', {'StringEquals': {'s3:VersionId': old}})
    assert bob.get_object(Bucket='reading', Key='v', VersionId=old)['Body'].read() == b'old'
    refused('AccessDenied', bob.get_object, Bucket='reading', Key='v', VersionId=new)
    refused('AccessDenied', bob.get_object, Bucket='reading', Key='v')  # that is GetObject
    s3.put_object_tagging(Bucket='reading', Key='top', Tagging={'TagSet': [{'Key': 'level', 'Value': 'low'}]})
    bob = only(sv, 'reading', 's3:GetObject', {'StringEquals': {'s3:ExistingObjectTag/level': 'low'}})
    assert bob.get_object(Bucket='reading', Key='top')['Body'].read() == b'top'
    refused('AccessDenied', bob.get_object, Bucket='reading', Key='v')
    bob = only(sv, 'reading', 's3:GetObject', {'StringLike': {'s3:ExistingObjectTag/level': '*'}}, 'reading/home/${aws:username}/*')
    refused('AccessDenied', bob.get_object, Bucket='reading', Key='home/bob/1')
    bob = only(sv, 'reading', 's3:GetObject', None, 'reading/home/${aws:username}/*')
    assert bob.get_object(Bucket='reading', Key='home/bob/1')['Body'].read() == b'home/bob/1'
    refused('AccessDenied', bob.get_object, Bucket='reading', Key='home/ann/1')
    bob = only(sv, 'reading', 's3:ListBucket', {'StringLike': {'s3:prefix': 'home/bob/*'}, 'NumericLessThanEquals': {'s3:max-keys': '10'}, 'StringEquals': {'s3:delimiter': '/'}}, 'reading')
    assert [o['Key'] for o in bob.list_objects_v2(Bucket='reading', Prefix='home/bob/', MaxKeys=10, Delimiter='/')['Contents']] == ['home/bob/1']
    for args in ({'Prefix': 'home/bob/', 'MaxKeys': 11, 'Delimiter': '/'}, {'Prefix': 'home/', 'MaxKeys': 1, 'Delimiter': '/'}, {'Prefix': 'home/bob/', 'MaxKeys': 1}, {}):
        refused('AccessDenied', bob.list_objects_v2, Bucket='reading', **args)
    refused('AccessDenied', bob.list_object_versions, Bucket='reading', Prefix='home/bob/', MaxKeys=1, Delimiter='/')  # ListBucketVersions
    for age, good in ((600000, True), (0, False)):
        bob = only(sv, 'reading', 's3:GetObject', {'NumericLessThan': {'s3:signatureAge': age}})
        (lambda **k: bob.get_object(**k) if good else refused('AccessDenied', bob.get_object, **k))(Bucket='reading', Key='top')
    for kind, good in (('REST-HEADER', True), ('REST-QUERY-STRING', False)):
        bob = only(sv, 'reading', 's3:GetObject', {'StringEquals': {'s3:authType': kind, 's3:signatureversion': 'AWS4-HMAC-SHA256'}})
        status = fetch(sv, bob.generate_presigned_url('get_object', Params={'Bucket': 'reading', 'Key': 'top'}))[0]
        assert status == (403 if good else 200), (kind, status)
        (lambda **k: bob.get_object(**k) if good else refused('AccessDenied', bob.get_object, **k))(Bucket='reading', Key='top')


def signed(sv, method, path, body, headers, who):
    """S3 Control by hand: its clients put the account in front of the host's name."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    e = dict(l.split('=', 1) for l in (sv.data / f'credentials/{who}.env').read_text().split())
    request = AWSRequest(method, f'https://localhost:{sv.port}{path}', headers=headers, data=body)
    S3SigV4Auth(Credentials(e['AWS_ACCESS_KEY_ID'], e['AWS_SECRET_ACCESS_KEY']), 's3', 'us-east-1').add_auth(request)
    return fetch(sv, request.url, method, body, dict(request.headers.items()))


def fetch(sv, url, method='GET', body=None, headers={}):
    import ssl
    parts = urllib.parse.urlsplit(url)
    c = http.client.HTTPSConnection('localhost', sv.port, timeout=20, context=ssl.create_default_context(cafile=str(sv.data / 'tls/ca.pem')))
    c.request(method, parts.path + (f'?{parts.query}' if parts.query else ''), body, headers)
    r = c.getresponse()
    out = r.read().decode(errors='replace')
    c.close()
    return r.status, out


@test
def presigned_requests_have_limits(sv):
    s3 = sv.bucket('signed', 'k')
    url = lambda seconds, **k: s3.generate_presigned_url('get_object', Params={'Bucket': 'signed', 'Key': 'k', **k}, ExpiresIn=seconds)
    for seconds, status, words in ((1000, 200, 'k'), (604800, 200, 'k'), (604801, 400, 'less than a week'), (0, 403, 'expired'), (-1, 400, 'non-negative')):
        got, text = fetch(sv, url(seconds))
        assert got == status and words in text, (seconds, got, text)
    good = url(100)
    assert 'should be a number' in fetch(sv, good.replace('X-Amz-Expires=100', 'X-Amz-Expires=soon'))[1]
    got, text = fetch(sv, good, headers={'Authorization': 'AWS4-HMAC-SHA256 Credential=x'})
    assert got == 400 and 'Only one auth mechanism allowed' in text, text
    got, text = fetch(sv, good.replace('X-Amz-SignedHeaders=host&', ''))
    assert got == 400 and 'AuthorizationQueryParametersError' in text, text
    got, text = fetch(sv, good, headers={'x-amz-server-side-encryption-customer-algorithm': 'AES256'})
    assert got == 403 and 'not signed' in text, text
    assert fetch(sv, good.replace('/k?', '/l?'))[0] == 403
    assert fetch(sv, good, 'PUT', b'')[0] == 403
    for shift, status, words in ((datetime.timedelta(days=-1), 403, 'expired'), (datetime.timedelta(days=1), 403, 'not yet valid')):
        day = datetime.datetime.now(datetime.timezone.utc) + shift
        got, text = fetch(sv, presign_at(sv, day, '/signed/k'))
        assert got == status and words in text, (shift, got, text)
    assert fetch(sv, presign_at(sv, datetime.datetime.now(datetime.timezone.utc), '/signed/k'))[0] == 200
    put = s3.generate_presigned_url('put_object', Params={'Bucket': 'signed', 'Key': 'p'}, ExpiresIn=60)
    assert fetch(sv, put, 'PUT', b'by link')[0] == 200
    assert s3.get_object(Bucket='signed', Key='p')['Body'].read() == b'by link'


def presign_at(sv, when, path):
    import hmac
    e = dict(l.split('=', 1) for l in (sv.data / 'credentials/root.env').read_text().split())
    stamp, day = when.strftime('%Y%m%dT%H%M%SZ'), when.strftime('%Y%m%d')
    scope = f'{day}/us-east-1/s3/aws4_request'
    query = urllib.parse.urlencode(sorted({'X-Amz-Algorithm': 'AWS4-HMAC-SHA256', 'X-Amz-Credential': f'{e["AWS_ACCESS_KEY_ID"]}/{scope}', 'X-Amz-Date': stamp,
                                           'X-Amz-Expires': '600', 'X-Amz-SignedHeaders': 'host'}.items()), quote_via=urllib.parse.quote, safe='')
    request = f'GET\n{path}\n{query}\nhost:localhost:{sv.port}\n\nhost\nUNSIGNED-PAYLOAD'
    text = f'AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}'
    key = ('AWS4' + e['AWS_SECRET_ACCESS_KEY']).encode()
    for part in scope.split('/'):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return f'https://localhost{path}?{query}&X-Amz-Signature={hmac.new(key, text.encode(), hashlib.sha256).hexdigest()}'


def main():
    data = tempfile.mkdtemp(prefix='coffer-access-')
    sv = Server(data)
    print(f'1..{len(TESTS)}')
    try:
        for i, t in enumerate(TESTS, 1):
            try:
                why = t(sv)
                print(f'ok {i} - {t.__name__}' + (f' # SKIP {why}' if why else ''), flush=True)
            except Exception as e:  # a failed test is a line, and the others go on
                print(f'not ok {i} - {t.__name__}\n# {type(e).__name__}: {str(e)[:600]}', flush=True)
                import traceback
                for line in traceback.format_exc().splitlines()[-10:]:
                    print('#', line)
    finally:
        sv.close()
        shutil.rmtree(data, ignore_errors=True)


main()
