# SPDX-License-Identifier: Apache-2.0
"""A coffer-local with users, roles, a second account, second factors and token clients, for the tests of clients of STS."""
import json, ssl, subprocess, urllib.parse, urllib.request

from local import ACCOUNT, LOCAL, Local

OTHER = '222233334444'
SECRET = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'


def allow(action, resource='*', **condition):
    return {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': action, 'Resource': resource,
                                                    **({'Condition': condition} if condition else {})}]}


def trust(principal, action=('sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'), **condition):
    return {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': list(action), 'Principal': principal,
                                                    **({'Condition': condition} if condition else {})}]}


def policy(name, document):
    return {'name': name, 'document': document}


def arn(role, account=ACCOUNT):
    return f'arn:aws:iam::{account}:role/{role}'


OURS = {'AWS': f'arn:aws:iam::{ACCOUNT}:root'}
ASSUME = policy('assume', allow(['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity', 'sts:GetAccessKeyInfo']))
FEDERATED = {'Federated': f'arn:aws:iam::{ACCOUNT}:oidc-provider/localhost'}
WEB = ('sts:AssumeRoleWithWebIdentity', 'sts:TagSession')
MANIFEST = {
    'account': ACCOUNT, 'region': 'us-east-1',
    'users': [{'name': 'ann', 'policies': [ASSUME, policy('s3', allow('s3:*', '*', Bool={'aws:MultiFactorAuthPresent': 'true'}))], 'mfa': SECRET},
              {'name': 'bob', 'policies': [ASSUME], 'mfa': True}, {'name': 'cli', 'policies': [ASSUME], 'mfa': True},
              {'name': 'none'}],
    'roles': [{'name': 'reader', 'path': '/team/', 'max_session_s': 7200, 'tags': {'team': 'blue', 'level': 'low'}, 'trust': trust(OURS),
               'policies': [policy('s3', allow(['s3:GetObject', 's3:ListBucket', 'sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity']))]},
              {'name': 'next', 'trust': trust(OURS), 'policies': [policy('s3', allow('s3:*', 'arn:aws:s3:::bbb/${aws:PrincipalTag/project}/*'))]},
              {'name': 'external', 'trust': trust(OURS, StringEquals={'sts:ExternalId': 'open:sesame'})},
              {'name': 'with-mfa', 'trust': trust(OURS, Bool={'aws:MultiFactorAuthPresent': 'true'}, NumericLessThan={'aws:MultiFactorAuthAge': '60'}),
               'policies': [policy('s3', allow('s3:*')), policy('factor', {'Version': '2012-10-17', 'Statement': [
                   {'Effect': 'Deny', 'Action': 's3:PutObject', 'Resource': 'arn:aws:s3:::bbb/needs-mfa',
                    'Condition': {'Bool': {'aws:MultiFactorAuthPresent': 'false'}}}]})]},
              {'name': 'tagged', 'trust': trust(OURS, **{'StringEquals': {'aws:RequestTag/project': 'x'},
                                                         'ForAllValues:StringEquals': {'aws:TagKeys': ['project', 'extra']}})},
              {'name': 'worker', 'trust': trust({'Service': 'ec2.amazonaws.com'}, ['sts:AssumeRole']), 'policies': [policy('s3', allow('s3:*'))]},
              {'name': 'web', 'trust': trust(FEDERATED, WEB, StringEquals={'localhost:aud': 'coffer-producer', 'localhost:sub': 'dev'}),
               'policies': [policy('s3', allow('s3:*'))]},
              {'name': 'web-sts', 'trust': trust(FEDERATED, WEB, StringEquals={'localhost:aud': 'sts.amazonaws.com'})},
              {'name': 'web-other', 'trust': trust(FEDERATED, WEB, StringEquals={'localhost:sub': 'somebody'})}],
    'accounts': [{'id': OTHER, 'users': [{'name': 'ann', 'policies': [ASSUME]}],
                  'roles': [{'name': 'guest', 'trust': trust({'AWS': f'arn:aws:iam::{ACCOUNT}:user/ann'}), 'policies': [policy('s3', allow('s3:*'))]},
                            {'name': 'closed', 'trust': trust({'AWS': f'arn:aws:iam::{OTHER}:root'})}],
                  'credentials': [{'name': 'other-ann', 'user': 'ann'}]}],
    'credentials': [{'name': 'root', 'root': True}, {'name': 'ann', 'user': 'ann'}, {'name': 'bob', 'user': 'bob'},
                    {'name': 'cli', 'user': 'cli'}, {'name': 'none', 'user': 'none'}],
    'clients': [{'id': 'dev', 'tenant': 'demo', 'scopes': ['jobs'], 'audiences': ['sts.amazonaws.com']}],
    'buckets': [{'name': 'bbb', 'policy': {'Version': '2012-10-17', 'Statement': [
        {'Effect': 'Allow', 'Principal': {'AWS': arn('guest', OTHER)}, 'Action': 's3:*', 'Resource': ['arn:aws:s3:::bbb', 'arn:aws:s3:::bbb/*']}]}}],
}


class Identities(Local):
    def __init__(self, serve=()):
        super().__init__(manifest=MANIFEST, serve=serve)

    def keys(self, name):
        pairs = dict(line.split('=', 1) for line in (self.data / f'credentials/{name}.env').read_text().split())
        return {'aws_access_key_id': pairs['AWS_ACCESS_KEY_ID'], 'aws_secret_access_key': pairs['AWS_SECRET_ACCESS_KEY'],
                'aws_session_token': pairs.get('AWS_SESSION_TOKEN')}

    def totp(self, user):
        return subprocess.run([LOCAL, 'totp', user, '-d', self.data], check=True, capture_output=True, text=True).stdout.strip()

    def token(self, **form):
        client = dict(line.split('=', 1) for line in (self.data / 'credentials/dev.oauth').read_text().split())
        body = urllib.parse.urlencode({'grant_type': 'client_credentials', **client, **form}).encode()
        context = ssl.create_default_context(cafile=str(self.data / 'tls/ca.pem'))
        return json.load(urllib.request.urlopen(f'https://localhost:{self.port}/oauth/token', body, context=context))['access_token']
