#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Proves: the deployment that takes all the other branches of deploy/terraform applies to moto as well: TLS through to the producer behind
a network load balancer, reached from inside alone, an owner who comes with tokens of its own issuer, no locks, no endpoints in policies.
terraform_apply_test.py has the usual one; skipped where that is. It takes minutes: without COFFER_LONG=1 it is planned alone."""
import base64, gzip, json, os, re, shutil, sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(os.environ['COFFER_SOURCE']) / 'tests/tools'), str(Path(__file__).parent / 'terraform')]
import terraform_apply_test as usual
from world import ACCOUNT, REGION, Terraform, generated, mirror

check = usual.check
VARIANT = '''module "coffer" {
  passthrough          = true
  internal             = true
  certificate_arn      = null
  requests_per_address = 2000
  endpoints_only       = false
  flow_logs            = false
  lock_days            = 0
  trail_lock_days      = 0
  lock_mode            = "COMPLIANCE"
  keep_days            = { jobs = 40, results = 400 }
  source_accounts      = ["222233334444"]
  issuer_cidrs         = ["10.1.2.3/32"]
  issuer_cidrs_by_nat  = []
  producers            = { min = 0, max = 4 }
  producer_options     = ["--cert /etc/coffer/tls/cert.pem", "--key /etc/coffer/tls/key.pem"]
  owner_oidc = {
    issuer   = "https://tokens.example.com"
    audience = "coffer"
    subject  = "owner"
  }
}
'''


def run(tf):
    admin, root = tf.root / 'examples/admin', tf.root / 'examples/one-region'
    (root / 'test_override.tf').write_text(usual.OVERRIDE)
    (root / 'variant_override.tf').write_text(VARIANT)
    usual.forget(tf)
    (admin / 'terraform.tfvars.json').write_text(json.dumps({'region': REGION, 'account': ACCOUNT}))
    (root / 'terraform.tfvars.json').write_text(json.dumps(usual.SETTINGS | {'certificate_arn': 'none', 'models': ['7' * 96]}))
    for folder in (admin, root):
        tf.good(folder, 'init', '-input=false')
    if not os.environ.get('COFFER_LONG'):
        planned = tf.good(root, 'plan', '-input=false', '-no-color', '-parallelism=40')
        check('the other branches are planned', 'load_balancer_type' in planned and '"network"' in planned and '0 to destroy' in planned, planned[-2000:])
        check.skip('what was applied is looked at', 'COFFER_LONG=1 applies it')
        return
    tf.good(admin, 'apply', '-auto-approve', '-input=false')
    tf.good(root, 'apply', '-auto-approve', '-input=false', '-parallelism=40')
    said = json.loads(tf.good(root, 'output', '-json', 'coffer'))
    for look in (balancer, producers, edges, policies):
        try:
            look(tf, said)
        except Exception as e:
            check(f'{look.__name__} can be looked at', False, f'{type(e).__name__}: {e}')


def balancer(tf, said):
    elb = tf.client('elbv2')
    lb = elb.describe_load_balancers()['LoadBalancers'][0]
    check('a network load balancer, from inside alone', (lb['Type'], lb['Scheme']) == ('network', 'internal') and lb['DNSName'] == said['gateway'], lb)
    listeners = elb.describe_listeners(LoadBalancerArn=lb['LoadBalancerArn'])['Listeners']
    check('which forwards bytes: it has no certificate', len(listeners) == 1 and (listeners[0]['Protocol'], listeners[0]['Port']) == ('TCP', 443) and not listeners[0].get('Certificates'), listeners)
    group = elb.describe_target_groups()['TargetGroups'][0]
    check('to producers that answer for their health over TLS', (group['Protocol'], group['Port'], group['HealthCheckProtocol'], group['HealthCheckPath']) == ('TCP', 8443, 'HTTPS', '/healthz'), group)
    check('and no firewall, which would have to read them', tf.client('wafv2').list_web_acls(Scope='REGIONAL')['WebACLs'] == [])


def producers(tf, said):
    ec2 = tf.client('ec2')
    t = [t for t in ec2.describe_launch_templates()['LaunchTemplates'] if t['LaunchTemplateName'] == 'coffer-producer'][0]
    data = ec2.describe_launch_template_versions(LaunchTemplateId=t['LaunchTemplateId'], Versions=['$Latest'])['LaunchTemplateVersions'][0]['LaunchTemplateData']
    text = gzip.decompress(base64.b64decode(data['UserData'])).decode()
    check('the producer brings its own certificate', '--cert /etc/coffer/tls/cert.pem' in text and '--tls-dir' not in text, re.findall(r'^OPTIONS=.*', text, re.M))
    good, detail = usual.takes_options('coffer-producer', text)
    check('coffer-producer takes the options that it is given', good, detail)


def edges(tf, said):
    ec2 = tf.client('ec2')
    vpc = [v['VpcId'] for v in ec2.describe_vpcs()['Vpcs'] if not v['IsDefault']][0]
    check('no internet gateway, no NAT, no flow logs', ec2.describe_internet_gateways(Filters=[{'Name': 'attachment.vpc-id', 'Values': [vpc]}])['InternetGateways'] == [] and
          [n for n in ec2.describe_nat_gateways()['NatGateways'] if n['State'] != 'deleted'] == [] and ec2.describe_flow_logs()['FlowLogs'] == [])
    groups = {g['GroupName']: g for g in ec2.describe_security_groups(Filters=[{'Name': 'vpc-id', 'Values': [vpc]}])['SecurityGroups']}
    reached = sorted((r['CidrIp'], p['FromPort']) for p in groups['coffer-balancer']['IpPermissions'] for r in p['IpRanges'])
    check('the balancer is reached by its clients alone', reached == [('198.51.100.0/24', 443)], reached)
    out = sorted((r['CidrIp'], p['FromPort']) for p in groups['coffer-producer']['IpPermissionsEgress'] for r in p['IpRanges'])
    check('and the producer reaches its issuer', ('10.1.2.3/32', 443) in out, out)
    s3 = tf.client('s3')
    lock = s3.get_object_lock_configuration(Bucket=said['bucket'])['ObjectLockConfiguration']
    check('no default lock, but one can be asked for', lock['ObjectLockEnabled'] == 'Enabled' and 'Rule' not in lock, lock)
    rules = {r['ID']: r['Expiration'].get('Days') for r in s3.get_bucket_lifecycle_configuration(Bucket=said['bucket'])['Rules'] if 'Expiration' in r}
    check('jobs and results expire when they are said to', (rules['keep-jobs'], rules['keep-results']) == (40, 400), rules)


def policies(tf, said):
    wanted, iam, kms = generated(tf, said['policy_manifest']), tf.client('iam'), tf.client('kms')
    data = json.loads(kms.get_key_policy(KeyId=said['key_arns']['data'], PolicyName='default')['Policy'])
    check('the data key wants the model and no endpoint', data == wanted['key-data'] and 'PCR16' in json.dumps(data) and 'aws:SourceVpce' not in json.dumps(data), data)
    bucket = json.loads(tf.client('s3').get_bucket_policy(Bucket=said['bucket'])['Policy'])
    check('the bucket knows the other account', bucket == wanted['bucket-policy'] and '222233334444' in json.dumps(bucket), bucket)
    trust = iam.get_role(RoleName='coffer-owner')['Role']['AssumeRolePolicyDocument']['Statement']
    provider = iam.list_open_id_connect_providers()['OpenIDConnectProviderList'][0]['Arn']
    check('the owner comes with a token of its own issuer, and with nothing else', len(trust) == 1 and trust[0]['Principal'] == {'Federated': provider} and
          trust[0]['Action'] == 'sts:AssumeRoleWithWebIdentity' and trust[0]['Condition']['StringEquals'] == {'tokens.example.com:aud': 'coffer', 'tokens.example.com:sub': 'owner'}, trust)


def main():
    if not shutil.which('terraform') or mirror() is None:
        usual.skip('no terraform here, or no mirror of the AWS provider')
    try:
        import boto3, moto  # noqa: F401
    except ImportError as e:
        usual.skip(f'no {e.name} here')
    tf = Terraform()
    try:
        if not tf.start_moto():
            usual.skip('moto does not serve here')
        tf.serve_provider()
        run(tf)
    finally:
        tf.close()
    return check.done()


if __name__ == '__main__':
    sys.exit(main())
