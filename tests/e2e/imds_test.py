#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer-local's instance metadata service: version 2 alone, its token rules, the role's credentials; used by coffer, and by boto3 and
the AWS CLI where they are installed."""
import http.client, json, os, shutil, subprocess, sys
from pathlib import Path

sys.path.insert(0, str(Path(os.environ['COFFER_SOURCE']) / 'tests/tools'))
from local import ACCOUNT, COFFER, LOCAL, Checks, Local

try:
    import boto3
except ImportError:
    boto3 = None

ALLOW = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 's3:*', 'Resource': '*'}]}


def trust(service):
    return {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Principal': {'Service': service}}]}


MANIFEST = {'account': ACCOUNT, 'region': 'us-east-1', 'credentials': [{'name': 'root', 'root': True}],
            'roles': [{'name': 'worker', 'trust': trust('ec2.amazonaws.com'), 'policies': [{'name': 'all', 'document': ALLOW}]},
                      {'name': 'function', 'trust': trust('lambda.amazonaws.com'), 'policies': [{'name': 'all', 'document': ALLOW}]}],
            'buckets': [{'name': 'bbb'}]}
TTL, TOKEN = 'X-aws-ec2-metadata-token-ttl-seconds', 'X-aws-ec2-metadata-token'
ROLE = '/latest/meta-data/iam/security-credentials/'


class World(Local):
    def __init__(self, role):
        self.role = role
        super().__init__(manifest=MANIFEST, serve=['--imds', 'tcp:127.0.0.1:0', '--imds-role', role])
        self.url = (self.data / 'imds').read_text().strip()

    def ask(self, method, path, **headers):
        c = http.client.HTTPConnection(self.url.split('//')[1], timeout=20)
        c.request(method, path, headers={k.replace('_', '-'): v for k, v in headers.items()})
        r = c.getresponse()
        body = r.read().decode()
        c.close()
        return r.status, body, r.headers

    def token(self, seconds='60'):
        return self.ask('PUT', '/latest/api/token', **{TTL: seconds})[1]

    def instance(self):
        env = {k: v for k, v in self.env(AWS_EC2_METADATA_SERVICE_ENDPOINT=self.url).items()
               if k not in ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_EC2_METADATA_DISABLED')}
        return env


def rules(w, check):
    status, token, headers = w.ask('PUT', '/latest/api/token', **{TTL: '21600'})
    check('a token', status == 200 and len(token) > 20 and headers['X-Aws-Ec2-Metadata-Token-Ttl-Seconds'] == '21600', token)
    for name, want, method, path, more in (
            ('no TTL', 400, 'PUT', '/latest/api/token', {}), ('a TTL of 0', 400, 'PUT', '/latest/api/token', {TTL: '0'}),
            ('a TTL over six hours', 400, 'PUT', '/latest/api/token', {TTL: '21601'}), ('a TTL that is none', 400, 'PUT', '/latest/api/token', {TTL: '1h'}),
            ('a forwarded token', 403, 'PUT', '/latest/api/token', {TTL: '60', 'X-Forwarded-For': '10.0.0.1'}),
            ('GET of a token', 405, 'GET', '/latest/api/token', {TTL: '60'}), ('version 1', 401, 'GET', ROLE, {}),
            ('a made-up token', 401, 'GET', ROLE, {TOKEN: 'AQAAA' + token[5:]}), ('an empty token', 401, 'GET', ROLE, {TOKEN: ''}),
            ('a cut token', 401, 'GET', ROLE, {TOKEN: token[:-4]}), ('another role', 404, 'GET', ROLE + 'function', {TOKEN: token}),
            ('no such page', 404, 'GET', '/latest/meta-data/none', {TOKEN: token}), ('user data, of which there is none', 404, 'GET', '/latest/user-data', {TOKEN: token}),
            ('POST', 405, 'POST', ROLE, {TOKEN: token})):
        status, body, _ = w.ask(method, path, **more)
        check(f'{name}: {want}', status == want and 'AccessKeyId' not in body, f'{status} {body}')
    check('S3 is not served here', w.ask('GET', '/bbb')[0] in (401, 404))


def pages(w, check):
    token = w.token()
    get = lambda path: w.ask('GET', path, **{TOKEN: token})[1]
    check('the role', get(ROLE) == 'worker' and get(ROLE.rstrip('/')) == 'worker')
    check('the region', get('/latest/meta-data/placement/region') == 'us-east-1')
    document = json.loads(get('/latest/dynamic/instance-identity/document'))
    check('the identity document', document['accountId'] == ACCOUNT and document['region'] == 'us-east-1' and
          document['instanceId'] == get('/latest/meta-data/instance-id'), document)
    check('the instance profile', json.loads(get('/latest/meta-data/iam/info'))['InstanceProfileArn'].startswith(f'arn:aws:iam::{ACCOUNT}:instance-profile/'))
    one, two = json.loads(get(ROLE + 'worker')), json.loads(get(ROLE + 'worker'))
    check('credentials, the same while they last', one['Code'] == 'Success' and one['Type'] == 'AWS-HMAC' and one == two, one)


def clients(w, check):
    (w.tmp / 'f').write_bytes(b'from the instance')
    coffer = lambda *argv: subprocess.run([COFFER, *argv], env=w.instance(), cwd=w.tmp, capture_output=True, text=True, timeout=60,
                                          stdin=subprocess.DEVNULL)
    put, ls = coffer('put', 'f', 's3://bbb/f'), coffer('ls', 's3://bbb/')
    check('coffer puts and lists as the instance', put.returncode == 0 and ' f' in ls.stdout, put.stderr + ls.stderr + ls.stdout)
    if boto3:
        code = 'import boto3; print(boto3.client("sts").get_caller_identity()["Arn"])'
        p = subprocess.run([sys.executable, '-c', code], env=w.instance(), capture_output=True, text=True, timeout=60)
        check('boto3 is the instance', p.stdout.startswith(f'arn:aws:sts::{ACCOUNT}:assumed-role/worker/i-'), p.stdout + p.stderr)
    else:
        check.skip('boto3 is the instance', 'no boto3 here')
    if shutil.which('aws'):
        p = subprocess.run(['aws', 's3', 'ls', 's3://bbb/'], env=w.instance(), capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        check('the AWS CLI lists as the instance', p.returncode == 0 and ' f' in p.stdout, p.stdout + p.stderr)
    else:
        check.skip('the AWS CLI lists as the instance', 'no aws here')


def main():
    check, w = Checks(), World('worker')
    try:
        for part in (rules, pages, clients):
            part(w, check)
    finally:
        w.close()
    w = World('function')
    try:
        body = json.loads(w.ask('GET', ROLE + 'function', **{TOKEN: w.token()})[1])
        check('a role that does not trust EC2 is not handed out', body['Code'] == 'AssumeRoleUnauthorizedAccess' and 'AccessKeyId' not in body, body)
    finally:
        w.close()
    for argv in (['--imds', 'tcp:127.0.0.1:0'], ['--imds-role', 'worker']):
        p = subprocess.run([LOCAL, 'serve', '-d', '/nonexistent/data', *argv], capture_output=True, timeout=20, stdin=subprocess.DEVNULL)
        check(f'{argv[0]} alone is a wrong use (2)', p.returncode == 2, p.stderr.decode())
    return check.done()


sys.exit(main())
