#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Proves: the admin role, with nothing but what deploy/terraform gives it, makes, keeps and unmakes keys and buckets. Terraform works against
coffer-local, which asks the policies at every call, those that Terraform has just put among them; and somebody with every right that IAM can
give reaches neither. A rollover of images by a second apply is part of it. Skipped without Terraform or a mirror of its provider."""
import json, os, shutil, sys
from pathlib import Path

SOURCE = Path(os.environ['COFFER_SOURCE'])
sys.path[:0] = [str(SOURCE / 'tests/tools'), str(Path(__file__).parent / 'terraform')]
from local import ACCOUNT, Checks, Local
from rawaws import Signer, talk
from world import Terraform, mirror

check = Checks()
IMAGES = '-var=images={}'


def policy(file, **values):
    text = (SOURCE / f'deploy/{file}.json').read_text()
    for name, value in values.items():
        text = text.replace('${' + name + '}', value)
    return json.loads(text)


def account():
    """The roles are there, the admin role as examples/admin leaves it, a builder with every right; no key, bucket or queue."""
    trust = lambda who: policy(f'iam/trust-{who}', account=ACCOUNT)
    setup = policy('terraform/policies/admin-setup', account=ACCOUNT, name='coffer', bucket='vault')
    everything = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': '*', 'Resource': '*'}]}
    roles = [{'name': f'coffer-{who}', 'trust': trust(who), 'policies': []} for who in ('producer', 'consumer', 'owner', 'deployer', 'auditor')]
    roles += [{'name': 'coffer-admin', 'trust': trust('admin'), 'policies': [{'name': 'setup', 'document': setup}]},
              {'name': 'builder', 'trust': trust('auditor'), 'policies': [{'name': 'everything', 'document': everything}]}]
    return {'account': ACCOUNT, 'region': 'us-east-1', 'roles': roles,
            'credentials': [{'name': 'root', 'root': True}, {'name': 'admin', 'role': 'coffer-admin'}, {'name': 'builder', 'role': 'builder'}]}


class World(Local):
    def ask(self, who, service, method='POST', path='/', body=b'', query='', **fields):
        import ssl
        env = self.env(who)
        signer = Signer(env['AWS_ACCESS_KEY_ID'], env['AWS_SECRET_ACCESS_KEY'], f'localhost:{self.port}', env.get('AWS_SESSION_TOKEN'), service=service)
        return talk(self.port, signer.request(method, path, body, query, **fields), ssl.create_default_context(cafile=str(self.data / 'tls/ca.pem')))

    def kms(self, who, operation, **body):
        return self.ask(who, 'kms', body=json.dumps(body).encode(), x_amz_target=f'TrentService.{operation}', content_type='application/x-amz-json-1.1')

    def refused(self, who):
        lines = map(json.loads, (self.data / 'audit.jsonl').read_text().splitlines())
        return [(e['eventName'], e['errorMessage']) for e in lines if str(e.get('errorCode', '')).startswith('AccessDenied') and
                f'/coffer-{who}/' in e['userIdentity'].get('arn', '')]


def pcrs(w, key):
    stored = json.loads(json.loads(w.kms('admin', 'GetKeyPolicy', KeyId=key, PolicyName='default').body)['Policy'])
    return next(s for s in stored['Statement'] if s['Sid'] == 'DenyOtherPcr0')['Condition']['StringNotEqualsIgnoreCase']['kms:RecipientAttestation:PCR0']


def run(tf, w):
    shutil.copy(Path(__file__).parent / 'terraform/keeper/main.tf', tf.tmp / 'main.tf')
    # coffer-local has no lifecycle rules
    (tf.root / 'modules/storage/test_override.tf').write_text('resource "aws_s3_bucket_lifecycle_configuration" "this" {\n  count = 0\n}\n')
    tf.env |= {k: v for k, v in w.env('admin').items() if k.startswith('AWS_')}
    tf.good(tf.tmp, 'init', '-input=false')
    p = tf.run(tf.tmp, 'apply', '-auto-approve', '-input=false', IMAGES.format('["a"]'))
    check('the admin role makes keys and buckets', p.returncode == 0, p.stderr)
    if p.returncode != 0:
        return
    p = tf.run(tf.tmp, 'plan', '-detailed-exitcode', '-input=false', IMAGES.format('["a"]'))
    check('and finds them as it left them', p.returncode == 0, p.stdout[-1500:] + p.stderr)
    keys = json.loads(tf.good(tf.tmp, 'output', '-json', 'keys'))
    check('four keys, open to one image', len(keys) == 4 and pcrs(w, keys['data']) == ['a' * 96], keys)
    for name, key in keys.items():
        tries = [w.kms(who, operation, KeyId=key, **more) for who in ('builder', 'root') for operation, more in (
            ('PutKeyPolicy', {'PolicyName': 'default', 'Policy': '{}'}), ('ScheduleKeyDeletion', {}), ('CreateGrant', {'GranteePrincipal': f'arn:aws:iam::{ACCOUNT}:root', 'Operations': ['Decrypt']}),
            ('GenerateDataKey', {'KeySpec': 'AES_256', 'EncryptionContext': {'tenant': 'x'}}), ('DisableKey', {}))]
        check(f'key {name}: neither a role with every right nor root can change or use it', all(r.code == 'AccessDeniedException' for r in tries), tries)
    tries = [w.ask('builder', 's3', *call) for call in (('PUT', '/vault', b'{}', 'policy='), ('DELETE', '/vault', b'', 'policy='), ('DELETE', '/vault'),
                                                         ('PUT', '/vault/jobs/t/j', b'x'), ('PUT', '/vault-artifacts', b'{}', 'policy='))]
    check('nor the buckets', all(r.code == 'AccessDenied' for r in tries), tries)
    p = tf.run(tf.tmp, 'apply', '-auto-approve', '-input=false', IMAGES.format('["a","b"]'))
    check('a second image beside the first: just the three policies that name images change', p.returncode == 0 and '0 added, 3 changed, 0 destroyed' in p.stdout and
          pcrs(w, keys['data']) == pcrs(w, keys['results']) == pcrs(w, keys['models']) == ['a' * 96, 'b' * 96], p.stdout[-800:] + p.stderr)
    p = tf.run(tf.tmp, 'apply', '-auto-approve', '-input=false', IMAGES.format('["b"]'))
    check('then without the first', p.returncode == 0 and pcrs(w, keys['data']) == ['b' * 96], p.stdout[-800:] + p.stderr)
    p = tf.run(tf.tmp, 'destroy', '-auto-approve', '-input=false', IMAGES.format('["b"]'))
    states = {json.loads(w.kms('admin', 'DescribeKey', KeyId=k).body)['KeyMetadata']['KeyState'] for k in keys.values()}
    check('and takes all of it away; keys wait for their deletion', p.returncode == 0 and states == {'PendingDeletion'} and
          w.ask('builder', 's3', 'GET', '/').body.count(b'<Bucket>') == 0, (p.stderr, states))
    check('nothing that Terraform asked for was refused', w.refused('admin') == [], w.refused('admin'))


def main():
    if not shutil.which('terraform') or mirror() is None:
        print('1..0 # SKIP no terraform here, or no mirror of the AWS provider: see COFFER_TERRAFORM_MIRROR')
        return 0
    tf, w = Terraform(), World(manifest=account())
    try:
        run(tf, w)
    finally:
        w.close()
        tf.close()
    return check.done()


if __name__ == '__main__':
    sys.exit(main())
