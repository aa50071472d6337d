#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""STS, roles over accounts, second factors and web identities of coffer-local, by boto3 and by the AWS CLI (profiles with role_arn,
source_profile, mfa_serial). Skipped where boto3 is not installed; the CLI's part where there is no `aws`."""
import base64, json, os, shutil, subprocess, sys
from pathlib import Path

sys.path.insert(0, str(Path(os.environ['COFFER_SOURCE']) / 'tests/tools'))
from identities import FEDERATED, OTHER, Identities, allow, arn
from local import ACCOUNT, Checks
from terminal import on_terminal

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError
except ImportError:
    print('1..0 # SKIP no boto3 here')
    sys.exit(0)


class World(Identities):
    def client(self, service, who):
        """who: a name of the manifest's credentials, or Credentials of an answer"""
        keys = self.keys(who) if isinstance(who, str) else {
            'aws_access_key_id': who['AccessKeyId'], 'aws_secret_access_key': who['SecretAccessKey'], 'aws_session_token': who['SessionToken']}
        return boto3.client(service, region_name='us-east-1', endpoint_url=f'https://localhost:{self.port}', verify=str(self.data / 'tls/ca.pem'),
                            config=Config(retries={'max_attempts': 1}, parameter_validation=False, s3={'addressing_style': 'path'}), **keys)


def refused(call, code, **arguments):
    """-> None when refused with that code, else what happened"""
    try:
        call(**arguments)
        return 'it was allowed'
    except ClientError as e:
        return None if e.response['Error']['Code'] == code else str(e)


def identities(w, check):
    ann, root = w.client('sts', 'ann'), w.client('sts', 'root')
    check('GetCallerIdentity of a user', ann.get_caller_identity()['Arn'] == f'arn:aws:iam::{ACCOUNT}:user/ann')
    check('GetCallerIdentity of another account', w.client('sts', 'other-ann').get_caller_identity()['Account'] == OTHER)
    check('GetCallerIdentity of root', root.get_caller_identity()['Arn'] == f'arn:aws:iam::{ACCOUNT}:root')
    key = w.keys('other-ann')['aws_access_key_id']
    check('GetAccessKeyInfo', ann.get_access_key_info(AccessKeyId=key)['Account'] == OTHER)
    why = refused(w.client('sts', 'none').get_access_key_info, 'AccessDenied', AccessKeyId=key)
    check('GetAccessKeyInfo needs permission', not why, why)
    why = refused(root.decode_authorization_message, 'InvalidAuthorizationMessageException', EncodedMessage='abc')
    check('DecodeAuthorizationMessage', not why, why)
    why = refused(ann.get_federation_token, 'InvalidAction', Name='x1')
    check('an operation that is not here', not why, why)
    why = refused(root.assume_role, 'AccessDenied', RoleArn=arn('team/reader'), RoleSessionName='root')
    check('root assumes no role', not why, why)


def sessions(w, check):
    ann = w.client('sts', 'ann')
    reader = ann.assume_role(RoleArn=arn('team/reader'), RoleSessionName='s-1', DurationSeconds=7200)
    who = w.client('sts', reader['Credentials']).get_caller_identity()
    check('AssumeRole: the session is who it says', who['Arn'] == reader['AssumedRoleUser']['Arn'] ==
          f'arn:aws:sts::{ACCOUNT}:assumed-role/reader/s-1' and who['UserId'] == reader['AssumedRoleUser']['AssumedRoleId'], who)
    check('no PackedPolicySize without policy and tags', 'PackedPolicySize' not in reader)
    for name, code, arguments in (
            ('the path is part of the ARN', 'AccessDenied', {'RoleArn': arn('reader')}),
            ('a role that is not there', 'AccessDenied', {'RoleArn': arn('nobody')}),
            ('no ARN', 'ValidationError', {'RoleArn': 'x' * 20}),
            ('a name with a space', 'ValidationError', {'RoleSessionName': 'a b'}),
            ('longer than the role allows', 'ValidationError', {'DurationSeconds': 7201}),
            ('longer than any may', 'ValidationError', {'DurationSeconds': 43201}),
            ('too short', 'ValidationError', {'DurationSeconds': 899}),
            ('a session policy that is none', 'MalformedPolicyDocument', {'Policy': '{"Version": "2012-10-17"}'}),
            ('a session policy over 2048 characters', 'ValidationError', {'Policy': json.dumps(allow('s3:*')) + ' ' * 2048}),
            ('managed session policies', 'ValidationError', {'PolicyArns': [{'arn': 'arn:aws:iam::aws:policy/ReadOnlyAccess'}]}),
            ('tags that differ in case alone', 'InvalidParameterValue', {'Tags': [{'Key': 'a', 'Value': '1'}, {'Key': 'A', 'Value': '2'}]}),
            ('a transitive key that is no tag', 'InvalidParameterValue', {'TransitiveTagKeys': ['a']}),
            ('tags that take too much room', 'PackedPolicyTooLarge', {'Tags': [{'Key': f'k{i}', 'Value': 'v' * 256} for i in range(50)]}),
            ('an external id with a space', 'ValidationError', {'ExternalId': 'a b'})):
        why = refused(ann.assume_role, code, **{'RoleArn': arn('team/reader'), 'RoleSessionName': 'sess', **arguments})
        check(f'AssumeRole, refused: {name}', not why, why)
    why = refused(w.client('sts', 'none').assume_role, 'AccessDenied', RoleArn=arn('team/reader'), RoleSessionName='sess')
    check('AssumeRole needs the caller\'s own permission too, where the account is trusted', not why, why)
    why = refused(ann.assume_role, 'AccessDenied', RoleArn=arn('external'), RoleSessionName='sess')
    check('external id: without', not why, why)
    why = refused(ann.assume_role, 'AccessDenied', RoleArn=arn('external'), RoleSessionName='sess', ExternalId='open:barley')
    check('external id: another', not why, why)
    check('external id: the right one', ann.assume_role(RoleArn=arn('external'), RoleSessionName='sess', ExternalId='open:sesame'))


def narrowed(w, check):
    ann = w.client('sts', 'ann')
    w.client('s3', 'root').put_object(Bucket='bbb', Key='x/1', Body=b'one')
    got = ann.assume_role(RoleArn=arn('team/reader'), RoleSessionName='sess', Policy=json.dumps(allow(['s3:GetObject', 's3:PutObject'])))
    s3 = w.client('s3', got['Credentials'])
    check('a session policy leaves what both allow', s3.get_object(Bucket='bbb', Key='x/1')['Body'].read() == b'one' and got['PackedPolicySize'] > 0)
    why = refused(s3.list_objects_v2, 'AccessDenied', Bucket='bbb')
    check('... and takes what it does not allow', not why, why)
    why = refused(s3.put_object, 'AccessDenied', Bucket='bbb', Key='x/2', Body=b'')
    check('... and adds nothing', not why, why)


def tags(w, check):
    ann = w.client('sts', 'ann')
    tag = lambda k, v: {'Key': k, 'Value': v}
    first = ann.assume_role(RoleArn=arn('team/reader'), RoleSessionName='sess', Tags=[tag('project', 'x'), tag('own', '1')],
                            TransitiveTagKeys=['project'], SourceIdentity='ann-herself')
    check('SourceIdentity and PackedPolicySize are told', first['SourceIdentity'] == 'ann-herself' and first['PackedPolicySize'] == 1, first)
    sts = w.client('sts', first['Credentials'])
    second = sts.assume_role(RoleArn=arn('next'), RoleSessionName='two')
    check('the source identity goes on', second.get('SourceIdentity') == 'ann-herself')
    why = refused(sts.assume_role, 'ValidationError', RoleArn=arn('next'), RoleSessionName='two', SourceIdentity='somebody')
    check('... and cannot be changed', not why, why)
    s3 = w.client('s3', second['Credentials'])
    check('a transitive tag goes on: ${aws:PrincipalTag/project}', s3.put_object(Bucket='bbb', Key='x/3', Body=b''))
    why = refused(s3.put_object, 'AccessDenied', Bucket='bbb', Key='y/3', Body=b'')
    check('... and narrows', not why, why)
    why = refused(sts.assume_role, 'InvalidParameterValue', RoleArn=arn('next'), RoleSessionName='two', Tags=[tag('Project', 'y')])
    check('a transitive tag cannot be set anew', not why, why)
    why = refused(sts.assume_role, 'ValidationError', RoleArn=arn('next'), RoleSessionName='two', DurationSeconds=3601)
    check('a chained session lasts an hour at most', not why, why)
    check('aws:RequestTag and aws:TagKeys', ann.assume_role(RoleArn=arn('tagged'), RoleSessionName='sess', Tags=[tag('project', 'x')]))
    for name, t in (('another value', [tag('project', 'y')]), ('another key', [tag('project', 'x'), tag('more', '')]), ('none', [])):
        why = refused(ann.assume_role, 'AccessDenied', RoleArn=arn('tagged'), RoleSessionName='sess', Tags=t)
        check(f'aws:RequestTag and aws:TagKeys: {name}', not why, why)


def accounts(w, check):
    ann, other = w.client('sts', 'ann'), w.client('sts', 'other-ann')
    guest = ann.assume_role(RoleArn=arn('guest', OTHER), RoleSessionName='visit')
    who = w.client('sts', guest['Credentials']).get_caller_identity()
    check('a role of another account', who['Account'] == OTHER and who['Arn'].startswith(f'arn:aws:sts::{OTHER}:assumed-role/guest/'), who)
    check('... and back into our bucket, whose policy names it',
          w.client('s3', guest['Credentials']).put_object(Bucket='bbb', Key='from/there', Body=b'') is not None)
    why = refused(ann.assume_role, 'AccessDenied', RoleArn=arn('closed', OTHER), RoleSessionName='visit')
    check('a role that trusts its own account alone', not why, why)
    check('... is its own account\'s', other.assume_role(RoleArn=arn('closed', OTHER), RoleSessionName='visit'))
    why = refused(other.assume_role, 'AccessDenied', RoleArn=arn('guest', OTHER), RoleSessionName='visit')
    check('... and who is not named is not let in', not why, why)
    why = refused(other.assume_role, 'AccessDenied', RoleArn=arn('team/reader'), RoleSessionName='visit')
    check('a stranger does not assume our role', not why, why)


def second_factor(w, check):
    ann, serial = w.client('sts', 'ann'), f'arn:aws:iam::{ACCOUNT}:mfa/ann'
    why = refused(ann.assume_role, 'AccessDenied', RoleArn=arn('with-mfa'), RoleSessionName='sess')
    check('MFA: the role wants one', not why, why)
    code = w.totp('ann')
    for name, arguments in (('a wrong code', {'SerialNumber': serial, 'TokenCode': f'{(int(code) + 1) % 1000000:06d}'}), ('no code', {'SerialNumber': serial}),
                            ('another\'s device', {'SerialNumber': serial.replace('ann', 'bob'), 'TokenCode': w.totp('bob')})):
        why = refused(ann.assume_role, 'AccessDenied', RoleArn=arn('with-mfa'), RoleSessionName='sess', **arguments)
        check(f'MFA: {name}', not why, why)
    token = ann.get_session_token(SerialNumber=serial, TokenCode=code, DurationSeconds=900)['Credentials']
    why = refused(ann.get_session_token, 'AccessDenied', SerialNumber=serial, TokenCode=code)
    check('MFA: a code is good once', not why and not refused(ann.get_session_token, 'AccessDenied', SerialNumber=serial, TokenCode=code), why)
    check('MFA: GetSessionToken carries it to S3', w.client('s3', token).put_object(Bucket='bbb', Key='mfa', Body=b'') is not None)
    chained = w.client('sts', token).assume_role(RoleArn=arn('with-mfa'), RoleSessionName='sess')
    check('... and to AssumeRole', chained)
    plain = ann.get_session_token()['Credentials']
    why = refused(w.client('s3', plain).put_object, 'AccessDenied', Bucket='bbb', Key='mfa', Body=b'')
    check('MFA: a session without one is refused', not why, why)
    why = refused(w.client('sts', plain).get_access_key_info, 'AccessDenied', AccessKeyId='AKIAIOSFODNN7EXAMPLE')
    check('... and calls of STS only AssumeRole and GetCallerIdentity', not why, why)
    why = refused(w.client('sts', token).get_session_token, 'AccessDenied')
    check('sessions give no session token', not why, why)
    for seconds in (899, 129601):
        why = refused(ann.get_session_token, 'ValidationError', DurationSeconds=seconds)
        check(f'GetSessionToken for {seconds} s', not why, why)
    bob = w.client('sts', 'bob')
    opened = bob.assume_role(RoleArn=arn('with-mfa'), RoleSessionName='sess', SerialNumber=serial.replace('ann', 'bob'), TokenCode=w.totp('bob'))
    check('MFA: AssumeRole with a code', opened)
    why = refused(w.client('s3', opened['Credentials']).put_object, 'AccessDenied', Bucket='bbb', Key='needs-mfa', Body=b'')
    check('... which was for the trust policy alone: the session has no second factor', not why, why)
    w.client('s3', chained['Credentials']).put_object(Bucket='bbb', Key='needs-mfa', Body=b'')
    check('... while that of a session with one keeps it', True)


def web_identity(w, check):
    sts = boto3.client('sts', region_name='us-east-1', endpoint_url=f'https://localhost:{w.port}', verify=str(w.data / 'tls/ca.pem'),
                       aws_access_key_id='none', aws_secret_access_key='none')
    token = w.token()
    got = sts.assume_role_with_web_identity(RoleArn=arn('web'), RoleSessionName='web', WebIdentityToken=token)
    check('AssumeRoleWithWebIdentity', got['SubjectFromWebIdentityToken'] == 'dev' and got['Audience'] == 'coffer-producer' and
          got['Provider'] == FEDERATED['Federated'], got)
    check('... gives credentials that work', w.client('s3', got['Credentials']).put_object(Bucket='bbb', Key='web', Body=b'') is not None)
    check('another audience of the client', sts.assume_role_with_web_identity(RoleArn=arn('web-sts'), RoleSessionName='web',
                                                                              WebIdentityToken=w.token(audience='sts.amazonaws.com')))
    head, body, signature = token.split('.')
    claims = json.loads(base64.urlsafe_b64decode(body + '=='))
    pack = lambda o: base64.urlsafe_b64encode(json.dumps(o).encode()).decode().rstrip('=')
    for name, code, role, t in (
            ('the trust policy asks for another subject', 'AccessDenied', 'web-other', token),
            ('... for another audience', 'AccessDenied', 'web-sts', token),
            ('a role that trusts no provider', 'AccessDenied', 'team/reader', token),
            ('a role that is not there', 'AccessDenied', 'nobody', token),
            ('changed claims', 'InvalidIdentityToken', 'web-other', f'{head}.{pack({**claims, "sub": "somebody"})}.{signature}'),
            ('no signature at all', 'InvalidIdentityToken', 'web', f'{pack({"alg": "none"})}.{body}.'),
            ('another issuer', 'InvalidIdentityToken', 'web', f'{head}.{pack({**claims, "iss": "https://idp.example"})}.{signature}'),
            ('no token', 'InvalidIdentityToken', 'web', 'abcd')):
        why = refused(sts.assume_role_with_web_identity, code, RoleArn=arn(role), RoleSessionName='web', WebIdentityToken=t)
        check(f'AssumeRoleWithWebIdentity, refused: {name}', not why, why)


def cli_env(w):
    return {k: v for k, v in w.env(AWS_CONFIG_FILE=str(w.tmp / 'config')).items() if not k.startswith(('AWS_ACCESS', 'AWS_SECRET', 'AWS_SESSION'))}


def command_line(w, check):
    if not shutil.which('aws'):
        return check.skip('AWS CLI', 'no aws here')
    ann = w.keys('cli')
    config = w.tmp / 'config'
    config.write_text(f'''[profile base]
aws_access_key_id = {ann['aws_access_key_id']}
aws_secret_access_key = {ann['aws_secret_access_key']}
[profile reader]
role_arn = {arn('team/reader')}
source_profile = base
role_session_name = cli
duration_seconds = 900
[profile external]
role_arn = {arn('external')}
source_profile = base
external_id = open:sesame
[profile factor]
role_arn = {arn('with-mfa')}
source_profile = base
role_session_name = cli
mfa_serial = arn:aws:iam::{ACCOUNT}:mfa/cli
''')
    env = cli_env(w)
    for profile, want in (('base', f'arn:aws:iam::{ACCOUNT}:user/cli'), ('reader', f'arn:aws:sts::{ACCOUNT}:assumed-role/reader/cli'),
                          ('external', f'arn:aws:sts::{ACCOUNT}:assumed-role/external/')):
        p = subprocess.run(['aws', 'sts', 'get-caller-identity', '--profile', profile, '--output', 'text', '--query', 'Arn'],
                           env=env, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        check(f'AWS CLI, profile {profile}', p.returncode == 0 and p.stdout.startswith(want), p.stdout + p.stderr)


def command_line_factor(w, check):
    if not shutil.which('aws'):
        return check.skip('AWS CLI, mfa_serial', 'no aws here')
    code, said = on_terminal(['aws', 'sts', 'get-caller-identity', '--profile', 'factor', '--output', 'text', '--query', 'Arn'], cli_env(w),
                             b'MFA code', w.totp('cli'))
    check('AWS CLI, profile with mfa_serial: it asks for the code', code == 0 and f'assumed-role/with-mfa/cli' in said, said)


def main():
    check, w = Checks(), World()
    try:
        for part in (identities, sessions, narrowed, tags, accounts, second_factor, web_identity, command_line, command_line_factor):
            part(w, check)
    finally:
        w.close()
    return check.done()


sys.exit(main())
