#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Proves: deploy/terraform applies and destroys against moto, a second plan is empty, and what stands in between is what was promised, above
all that the policies are those that `coffer policy generate` makes of the same deployment. Skipped where Terraform, a mirror of the AWS
provider, moto or boto3 is absent. COFFER_KEEP=1 leaves the folder with Terraform's output behind."""
import base64, concurrent.futures, gzip, json, os, re, shlex, shutil, subprocess, sys, time
from pathlib import Path

sys.path[:0] = [str(Path(os.environ['COFFER_SOURCE']) / 'tests/tools'), str(Path(__file__).parent / 'terraform')]
from local import Checks
from world import ACCOUNT, COFFER, REGION, Terraform, generated, mirror

NAME, ADMIN = 'coffer', f'arn:aws:iam::{ACCOUNT}:role/coffer-admin'
BUCKET = f'coffer-{ACCOUNT}-{REGION}'
PCRS = {f'pcr{n}': f'{n}a' + '0123456789abcdef' * 5 + '0123456789abcd' for n in range(3)}
SETTINGS = {'region': REGION, 'account': ACCOUNT, 'admin_role_arn': ADMIN, 'zones': [f'{REGION}a', f'{REGION}b'],
            'client_cidrs': ['198.51.100.0/24'], 'issuer': 'https://tokens.example.com', 'issuer_cidrs_by_nat': ['203.0.113.7/32'],
            'ami': 'ami-12c6146b', 'admin_profile': None, 'producers': {'min': 2, 'max': 10}, 'enclave_hosts': {'min': 1, 'max': 10}, 'images': [PCRS], 'alarm_mail': ['security@example.com'],
            'enclave_image': {'key': 'images/enclave.eif', 'sha256': '5' * 64}, 'producer_packages': {'coffer-producer_1_amd64.deb': '6' * 64},
            'enclave_host_packages': {'coffer-host_1_amd64.deb': '7' * 64}}
# moto serves buckets under its own path, and protects no load balancer from us.
OVERRIDE = '''provider "aws" {
  s3_use_path_style = true
}
provider "aws" {
  alias             = "keeper"
  s3_use_path_style = true
}
module "coffer" {
  deletion_protection = false
}
'''
# What moto does not keep, so that every plan would set it again.
FORGOTTEN = {'enclave-host': {'aws_autoscaling_group': ['default_instance_warmup', 'max_instance_lifetime'], 'aws_launch_template': ['tag_specifications']},
             'producer': {'aws_autoscaling_group': ['default_instance_warmup', 'max_instance_lifetime'], 'aws_launch_template': ['tag_specifications']},
             'kms': {'aws_kms_key': ['rotation_period_in_days']},
             'network': {'aws_vpc_security_group_egress_rule.flow': ['description'], 'aws_vpc_security_group_egress_rule.s3': ['description'],
                         'aws_vpc_security_group_ingress_rule.flow': ['description']}}
NO_PCRS = {'zeros': '0' * 96, 'too short': 'a' * 95, 'upper case': 'A' * 96}
check, begin = Checks(), time.monotonic()


def lap(what):
    print(f'# {time.monotonic() - begin:5.1f} s  {what}', flush=True)


def skip(why):
    print(f'1..0 # SKIP {why}')
    sys.exit(0)


def forget(tf):
    for module, resources in FORGOTTEN.items():
        with open(tf.root / f'modules/{module}/test_override.tf', 'w') as f:
            for name, members in resources.items():
                kind, _, label = name.partition('.')
                f.write(f'resource "{kind}" "{label or "this"}" {{\n  lifecycle {{\n    ignore_changes = [{", ".join(members)}]\n  }}\n}}\n')


def plans(tf, root, certificate_arn):
    """While the apply waits: settings that must not get as far as a plan."""
    good = SETTINGS | {'certificate_arn': certificate_arn}
    file = tf.tmp / 'other.tfvars.json'
    file.write_text(json.dumps(good | {'images': [PCRS | {'pcr1': v} for v in NO_PCRS.values()], 'models': ['0' * 96], 'issuer': 'http://tokens.example.com'}))
    p = tf.run(root, 'plan', '-input=false', '-lock=false', f'-var-file={file}')
    text, words = ' '.join((p.stdout + p.stderr).split()), ('A PCR is 96 lower-case hex digits', 'debug enclave', 'A PCR16 is', 'https.')
    check('PCRs that are none, and an issuer without TLS, are refused', p.returncode == 1 and all(w in text for w in words), [w for w in words if w not in text] or text[-2000:])


def run(tf):
    admin, root = tf.root / 'examples/admin', tf.root / 'examples/one-region'
    (root / 'test_override.tf').write_text(OVERRIDE)
    forget(tf)
    shutil.copy(root / 'terraform.tfvars.example', root / 'terraform.tfvars') # terraform.tfvars.json wins
    (admin / 'terraform.tfvars.json').write_text(json.dumps({'region': REGION, 'account': ACCOUNT}))
    arn = certificate(tf)
    (root / 'terraform.tfvars.json').write_text(json.dumps(SETTINGS | {'certificate_arn': arn}))
    for folder in (admin, root):
        tf.good(folder, 'init', '-input=false')
    tf.good(admin, 'apply', '-auto-approve', '-input=false')
    lap('the admin role is there')
    with concurrent.futures.ThreadPoolExecutor(1) as pool: # an apply waits more than it works
        others = pool.submit(plans, tf, root, arn)
        out = tf.good(root, 'apply', '-auto-approve', '-input=false', '-parallelism=40')
        check('terraform.tfvars.example sets what there is', 'undeclared variable' not in out, out[:2000])
        lap('applied')
        others.result()
    said = json.loads(tf.good(root, 'output', '-json', 'coffer'))
    wanted = generated(tf, said['policy_manifest'])
    for look in (keys, bucket, queues, roles, machines, enclave_config, network, gateway, scaling, trail, alarms):
        try:
            look(tf, said, wanted)
        except Exception as e:
            check(f'{look.__name__} can be looked at', False, f'{type(e).__name__}: {e}')
    lap('looked at')
    p = tf.run(root, 'plan', '-input=false', '-detailed-exitcode', '-parallelism=40')
    check('a second plan is empty', p.returncode == 0, '\n'.join(line for line in p.stdout.splitlines() if line.strip().startswith(('#', '~', '+', '-', 'Error'))) + p.stderr)
    lap('planned again')
    # Terraform waits 45 s for each queue to be surely gone; where it is gone already it goes on at once.
    for url in said['queues'].values():
        tf.client('sqs').delete_queue(QueueUrl=url)
    tf.good(root, 'destroy', '-auto-approve', '-input=false', '-refresh=false', '-parallelism=40')
    tf.good(admin, 'destroy', '-auto-approve', '-input=false', '-refresh=false')
    lap('destroyed')
    left = remains(tf)
    check('destroy leaves nothing', not any(left.values()), left)
    states = [json.loads((folder / 'terraform.tfstate').read_text())['resources'] for folder in (admin, root)]
    check('and nothing in the states', not any(states), states)


def certificate(tf):
    key, cert = tf.tmp / 'key.pem', tf.tmp / 'cert.pem'
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert,
                    '-subj', '/CN=gateway.example.com', '-days', '30'], check=True, capture_output=True)
    return tf.client('acm').import_certificate(Certificate=cert.read_bytes(), PrivateKey=key.read_bytes())['CertificateArn']


def keys(tf, said, wanted):
    kms = tf.client('kms')
    policy = lambda arn: json.loads(kms.get_key_policy(KeyId=arn, PolicyName='default')['Policy'])
    for name, arn in said['key_arns'].items():
        check(f'key {name}: its policy is the template, filled in', policy(arn) == wanted[f'key-{name}'], policy(arn))
        facts = kms.describe_key(KeyId=arn)['KeyMetadata']
        check(f'key {name}: rotation on, one region, symmetric', kms.get_key_rotation_status(KeyId=arn)['KeyRotationEnabled'] and
              not facts.get('MultiRegion') and facts['KeySpec'] == 'SYMMETRIC_DEFAULT', facts)
        check(f'key {name}: no statement hands the key to the account', not any(
            s['Effect'] == 'Allow' and s['Principal'] == {'AWS': f'arn:aws:iam::{ACCOUNT}:root'} and s.get('Condition') is None for s in policy(arn)['Statement']))
    signing = kms.describe_key(KeyId=said['signing_key_arn'])['KeyMetadata']
    check('the models\' signing key: P-384, the models\' policy', signing['KeySpec'] == 'ECC_NIST_P384' and signing['KeyUsage'] == 'SIGN_VERIFY' and
          policy(said['signing_key_arn']) == wanted['key-models'], signing)
    check('no alias points at a key', [a for a in kms.list_aliases()['Aliases'] if not a['AliasName'].startswith('alias/aws/')] == [])
    opens = [s for s in wanted['key-data']['Statement'] if s['Sid'] == 'MeasuredEnclaveOpensJobs'][0]
    check('the PCRs of the settings are those of the policy', opens['Condition']['StringEqualsIgnoreCase']['kms:RecipientAttestation:PCR0'] == [PCRS['pcr0']], opens)
    check('the keys want this VPC\'s endpoint', any('vpce-' in json.dumps(s) for s in wanted['key-data']['Statement']))


def bucket_is_closed(s3, name):
    b = s3.get_public_access_block(Bucket=name)['PublicAccessBlockConfiguration']
    check(f'{name}: public access blocked', len(b) == 4 and all(b.values()), b)
    check(f'{name}: versions kept', s3.get_bucket_versioning(Bucket=name).get('Status') == 'Enabled')
    o = s3.get_bucket_ownership_controls(Bucket=name)['OwnershipControls']['Rules'][0]['ObjectOwnership']
    check(f'{name}: no ACLs', o == 'BucketOwnerEnforced', o)
    p = json.loads(s3.get_bucket_policy(Bucket=name)['Policy'])
    check(f'{name}: TLS only', any(s['Effect'] == 'Deny' and s['Principal'] == '*' and s['Action'] == 's3:*' and
                                   s['Condition'] == {'Bool': {'aws:SecureTransport': 'false'}} for s in p['Statement']), p)
    return p


def bucket(tf, said, wanted):
    s3 = tf.client('s3')
    check('the buckets', sorted(b['Name'] for b in s3.list_buckets()['Buckets']) == [BUCKET, f'{BUCKET}-access-logs', f'{BUCKET}-artifacts', f'{BUCKET}-trail'])
    policies = {name: bucket_is_closed(s3, name) for name in (BUCKET, f'{BUCKET}-artifacts', f'{BUCKET}-access-logs', f'{BUCKET}-trail')}
    check('the bucket\'s policy is the template, filled in', policies[BUCKET] == wanted['bucket-policy'], policies[BUCKET])
    for name, key in ((BUCKET, said['key_arns']['storage']), (f'{BUCKET}-trail', None)):
        rule = s3.get_bucket_encryption(Bucket=name)['ServerSideEncryptionConfiguration']['Rules'][0]
        apply = rule['ApplyServerSideEncryptionByDefault']
        check(f'{name}: SSE-KMS with a bucket key', rule['BucketKeyEnabled'] and apply['SSEAlgorithm'] == 'aws:kms' and
              (key is None or apply['KMSMasterKeyID'] == key), rule)
        lock = s3.get_object_lock_configuration(Bucket=name)['ObjectLockConfiguration']
        check(f'{name}: Object Lock', lock['ObjectLockEnabled'] == 'Enabled' and lock['Rule']['DefaultRetention']['Days'] >= 30, lock)
    rules = {r['ID']: r for r in s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)['Rules']}
    check('submissions/ expires, unfinished uploads and old versions go', rules['submissions']['Expiration']['Days'] == 30 and
          rules['submissions']['Filter'].get('Prefix') == 'submissions/' and rules['submissions']['NoncurrentVersionExpiration']['NoncurrentDays'] == 1 and
          rules['noncurrent']['NoncurrentVersionExpiration']['NoncurrentDays'] == 90 and 'AbortIncompleteMultipartUpload' in rules['unfinished-uploads'], rules)


def queues(tf, said, wanted):
    sqs = tf.client('sqs')
    jobs, dead = (sqs.get_queue_attributes(QueueUrl=said['queues'][q], AttributeNames=['All'])['Attributes'] for q in ('jobs', 'dead_letter'))
    check('jobs: its policy is the template, filled in', json.loads(jobs['Policy']) == wanted['queue-policy'], jobs['Policy'])
    check('dead letters: its policy is the template, filled in', json.loads(dead['Policy']) == wanted['queue-policy-dead-letter'], dead['Policy'])
    redrive = json.loads(jobs['RedrivePolicy'])
    check('jobs go to the dead-letter queue after five tries', redrive['deadLetterTargetArn'] == dead['QueueArn'] and int(redrive['maxReceiveCount']) == 5, redrive)
    check('which takes them from there alone', json.loads(dead['RedriveAllowPolicy'])['sourceQueueArns'] == [jobs['QueueArn']], dead)
    check('both are encrypted', jobs['SqsManagedSseEnabled'] == dead['SqsManagedSseEnabled'] == 'true', (jobs, dead))
    check('hidden for what the enclave is told', int(jobs['VisibilityTimeout']) == said['enclave_config']['visibility_s'])


def roles(tf, said, wanted):
    iam = tf.client('iam')
    have = {r['RoleName']: r for r in iam.list_roles()['Roles']}
    extra = {'producer': {'machine', 'through-s3'}, 'consumer': {'machine', 'through-s3'}, 'owner': {'through-s3'}, 'deployer': {'through-s3'},
             'auditor': {'through-s3'}, 'admin': {'setup'}}
    boundary = f'arn:aws:iam::{ACCOUNT}:policy/coffer-boundary'
    for who, more in extra.items():
        name = f'coffer-{who}'
        policy = lambda p: iam.get_role_policy(RoleName=name, PolicyName=p)['PolicyDocument']
        check(f'{who}: its policy is the template, filled in', policy(who) == wanted[who], policy(who))
        check(f'{who}: trusted as the template says', have[name]['AssumeRolePolicyDocument'] == wanted[f'trust-{who}'], have[name])
        check(f'{who}: nothing more', set(iam.list_role_policies(RoleName=name)['PolicyNames']) == more | {who} and
              iam.list_attached_role_policies(RoleName=name)['AttachedPolicies'] == [], iam.list_role_policies(RoleName=name)['PolicyNames'])
        check(f'{who}: an hour, within the boundary', have[name]['MaxSessionDuration'] == 3600 and
              (who == 'admin' or iam.get_role(RoleName=name)['Role'].get('PermissionsBoundary', {}).get('PermissionsBoundaryArn') == boundary), have[name])
    services = {'coffer-trail', 'coffer-flow-logs'}
    check('no other role, and no user', {n for n in have if not n.startswith('AWSServiceRole')} == {f'coffer-{w}' for w in extra} | services and iam.list_users()['Users'] == [], list(have))


def templates(tf):
    ec2 = tf.client('ec2')
    return {t['LaunchTemplateName']: ec2.describe_launch_template_versions(LaunchTemplateId=t['LaunchTemplateId'], Versions=['$Latest'])['LaunchTemplateVersions'][0]['LaunchTemplateData']
            for t in ec2.describe_launch_templates()['LaunchTemplates']}


def takes_options(program, text):
    """Whether the program takes the OPTIONS of its configuration file: --help answers once all before it was understood."""
    options = shlex.split(re.search(r'^OPTIONS=(.+)$', text, re.M)[1])
    exe = COFFER.parent.parent / program / program
    p = subprocess.run([exe, *options, '--help'], capture_output=True, text=True, timeout=20)
    wrong = subprocess.run([exe, *options, '--no-such-option', '--help'], capture_output=True, timeout=20)
    return p.returncode == 0 and wrong.returncode == 2 and len(options) > 6, p.stderr


def machines(tf, said, wanted):
    have = templates(tf)
    check('two launch templates', set(have) == {'coffer-enclave-host', 'coffer-producer'}, list(have))
    host = have['coffer-enclave-host']
    check('the enclave host has an enclave', host['EnclaveOptions'] == {'Enabled': True} and 'EnclaveOptions' not in have['coffer-producer'])
    for name, data in have.items():
        m = data['MetadataOptions']
        check(f'{name}: IMDSv2 alone, one hop', m['HttpTokens'] == 'required' and m['HttpPutResponseHopLimit'] == 1, m)
        check(f'{name}: no SSH key, no public address', not data.get('KeyName') and not data.get('NetworkInterfaces'), data)
        check(f'{name}: encrypted disks', data['BlockDeviceMappings'] and all(b['Ebs']['Encrypted'] for b in data['BlockDeviceMappings']))
        profile = 'consumer' if name == 'coffer-enclave-host' else 'producer'
        check(f'{name}: the {profile}\'s profile', data['IamInstanceProfile']['Arn'].endswith(f':instance-profile/coffer-{profile}'), data['IamInstanceProfile'])
        text = gzip.decompress(base64.b64decode(data['UserData'])).decode()
        good = subprocess.run(['sh', '-n'], input=text, capture_output=True, text=True)
        check(f'{name}: its first boot is a script under 16 KB that a shell can read', good.returncode == 0 and len(base64.b64decode(data['UserData'])) < 16384, good.stderr)
        wants = ['7' * 64, '5' * 64, '--nitro-cli', 'nr_hugepages', 'ne_cpus'] if profile == 'consumer' else ['6' * 64, said['key_arns']['data'], said['queues']['jobs'], '--issuer https://tokens.example.com']
        program = 'coffer-host' if profile == 'consumer' else 'coffer-producer'
        good, detail = takes_options(program, text)
        check(f'{program} takes the options that it is given', good, detail)
        check(f'{name}: and names its packages\' digests and its options', all(w in text for w in wants), [w for w in wants if w not in text])


def enclave_config(tf, said, wanted):
    """coffer-enclave reads its configuration before it asks for the security module, which is not here."""
    config = said['enclave_config'] | {'ca_pem': 'PEM', 'processor': {'args': ['processor']}}
    exe = COFFER.parent.parent / 'coffer-enclave/coffer-enclave'
    for name, change, word in (('coffer-enclave takes the configuration', {}, 'security module'), ('and would refuse another', {'x': 1}, 'unknown member')):
        file = tf.tmp / 'enclave.json'
        file.write_text(json.dumps(config | change))
        p = subprocess.run(['sh', '-c', 'exec "$1" 3</dev/null 4<"$2" 5</dev/null', 'sh', exe, file], capture_output=True, text=True, timeout=30)
        check(name, p.returncode != 0 and word in p.stdout + p.stderr, p.stdout + p.stderr)


def network(tf, said, wanted):
    ec2 = tf.client('ec2')
    vpc = [v['VpcId'] for v in ec2.describe_vpcs()['Vpcs'] if not v['IsDefault']][0]
    mine = {'Filters': [{'Name': 'vpc-id', 'Values': [vpc]}]}
    groups = {g['GroupName']: g for g in ec2.describe_security_groups(**mine)['SecurityGroups']}
    check('the security groups', set(groups) == {'default', 'coffer-balancer', 'coffer-producer', 'coffer-enclave', 'coffer-endpoints'}, list(groups))
    world = [(n, rule) for n, g in groups.items() for rule in g['IpPermissions'] + g['IpPermissionsEgress'] for r in rule.get('IpRanges', []) + rule.get('Ipv6Ranges', [])
             if r.get('CidrIp') == '0.0.0.0/0' or r.get('CidrIpv6') == '::/0']
    check('none is open to the world, either way', not world, world)
    check('the default one allows nothing', groups['default']['IpPermissions'] == groups['default']['IpPermissionsEgress'] == [], groups['default'])
    check('nobody calls the enclave host', groups['coffer-enclave']['IpPermissions'] == [], groups['coffer-enclave'])
    subnets = {s['SubnetId']: [t['Value'] for t in s['Tags'] if t['Key'] == 'Name'][0] for s in ec2.describe_subnets(**mine)['Subnets']}
    check('no subnet hands out public addresses', not any(s['MapPublicIpOnLaunch'] for s in ec2.describe_subnets(**mine)['Subnets']))
    out = {}
    for t in ec2.describe_route_tables(**mine)['RouteTables']:
        for a in t['Associations']:
            if a.get('SubnetId'):
                out[subnets[a['SubnetId']]] = sorted(r.get('DestinationCidrBlock', '') for r in t['Routes'] if r.get('GatewayId', '').startswith('igw') or r.get('NatGatewayId'))
    check('no route leaves the enclaves\' subnets', all(out[f'coffer-enclave-{z}'] == [] for z in SETTINGS['zones']), out)
    check('the gateway\'s lead to the token issuer alone', all(out[f'coffer-gateway-{z}'] == ['203.0.113.7/32'] for z in SETTINGS['zones']), out)
    endpoints = {e['ServiceName'].rpartition('.')[2]: e for e in ec2.describe_vpc_endpoints(**mine)['VpcEndpoints']}
    check('the endpoints', set(endpoints) == {'s3', 'kms', 'sqs', 'sts', 'logs', 'monitoring', 'ssm', 'ssmmessages', 'ec2messages'}, list(endpoints))
    for service, e in endpoints.items():
        s = json.loads(e['PolicyDocument'])['Statement'][0]
        check(f'endpoint {service}: this deployment\'s machines alone', s['Effect'] == 'Allow' and
              s['Condition']['ArnEquals']['aws:PrincipalArn'] == [said['role_arns']['producer_role_arn'], said['role_arns']['consumer_role_arn']], s)
    check('private names', all(e['PrivateDnsEnabled'] for n, e in endpoints.items() if n != 's3'))
    kms = json.loads(endpoints['kms']['PolicyDocument'])['Statement'][0]
    check('endpoint kms: this deployment\'s keys alone', sorted(kms['Resource']) == sorted(said['key_arns'][k] for k in ('data', 'models', 'results')), kms)
    check('flow logs', len(ec2.describe_flow_logs()['FlowLogs']) == 1)


def gateway(tf, said, wanted):
    elb = tf.client('elbv2')
    lb = elb.describe_load_balancers()['LoadBalancers'][0]
    listeners = elb.describe_listeners(LoadBalancerArn=lb['LoadBalancerArn'])['Listeners']
    check('one listener: HTTPS, TLS 1.3, the certificate', len(listeners) == 1 and listeners[0]['Protocol'] == 'HTTPS' and listeners[0]['Port'] == 443 and
          listeners[0]['SslPolicy'] == 'ELBSecurityPolicy-TLS13-1-3-2021-06' and len(listeners[0]['Certificates']) == 1, listeners)
    group = elb.describe_target_groups()['TargetGroups'][0]
    check('the producer is asked over TLS, and for /healthz', group['Protocol'] == group['HealthCheckProtocol'] == 'HTTPS' and group['HealthCheckPath'] == '/healthz', group)
    a = {x['Key']: x['Value'] for x in elb.describe_load_balancer_attributes(LoadBalancerArn=lb['LoadBalancerArn'])['Attributes']}
    check('access logs, strict framing', a['access_logs.s3.enabled'] == 'true' and a['access_logs.s3.bucket'] == f'{BUCKET}-access-logs' and
          a['routing.http.drop_invalid_header_fields.enabled'] == 'true' and a['routing.http.desync_mitigation_mode'] == 'strictest', a)


def scaling(tf, said, wanted):
    autoscaling = tf.client('autoscaling')
    groups = {g['AutoScalingGroupName']: g for g in autoscaling.describe_auto_scaling_groups()['AutoScalingGroups']}
    check('the machines are there', len(groups['coffer-enclave-host']['Instances']) == 1 and len(groups['coffer-producer']['Instances']) == 2 and
          groups['coffer-producer']['TargetGroupARNs'], list(groups))
    policies = {p['PolicyName']: p for p in autoscaling.describe_policies()['ScalingPolicies']}
    target = policies['coffer-jobs-per-host']['TargetTrackingConfiguration']
    metrics = {m['Id']: m for m in target['CustomizedMetricSpecification'].get('Metrics', [])}
    check('hosts follow the waiting jobs of each', target['TargetValue'] == 100 and metrics['jobs']['MetricStat']['Metric']['MetricName'] == 'ApproximateNumberOfMessagesVisible' and
          metrics['jobs_per_host']['ReturnData'] and 'jobs / hosts' in metrics['jobs_per_host']['Expression'], target)
    check('producers follow their load', policies['coffer-producer-cpu']['TargetTrackingConfiguration']['PredefinedMetricSpecification']['PredefinedMetricType'] == 'ASGAverageCPUUtilization')


def trail(tf, said, wanted):
    trail = tf.client('cloudtrail')
    t = trail.describe_trails()['trailList'][0]
    check('the trail: every region, signed digests, its own bucket, encrypted', t['IsMultiRegionTrail'] and t['LogFileValidationEnabled'] and
          t['S3BucketName'] == f'{BUCKET}-trail' and t.get('KmsKeyId') and t['IncludeGlobalServiceEvents'] and t['CloudWatchLogsLogGroupArn'], t)
    check('it runs', trail.get_trail_status(Name=t['Name'])['IsLogging'])
    selectors = json.dumps(trail.get_event_selectors(TrailName=t['Name'])['AdvancedEventSelectors'])
    check('with the bucket\'s data events and management events', f'arn:aws:s3:::{BUCKET}/' in selectors and '"Management"' in selectors, selectors)
    groups = {g['logGroupName']: g for g in tf.client('logs').describe_log_groups()['logGroups']}
    check('log groups: encrypted, kept a year', set(groups) == {'/coffer/trail', '/coffer/flow', '/coffer/machines'} and
          all(g.get('kmsKeyId') and g['retentionInDays'] == 365 for g in groups.values()), groups)


def alarms(tf, said, wanted):
    have = {a['AlarmName']: a for a in tf.client('cloudwatch').describe_alarms()['MetricAlarms']}
    events = ['key-policy-changed', 'grant-created', 'key-going', 'alias-moved', 'bucket-changed', 'role-changed', 'factor-changed', 'queue-changed', 'admin-role-assumed',
              'root-used', 'trail-touched', 'watch-switched-off', 'login-without-factor', 'opened-unattested', 'sealed-unattested', 'decrypt-refused', 'objects-refused', 'model-stored', 'dead-letters', 'oldest-job',
              'no-coffer-host', 'no-coffer-producer', 'unusual-results-opened', 'unusual-jobs-opened', 'unusual-jobs-sealed']
    ours = {n for n in have if not n.startswith('TargetTracking-')}
    check('the alarms', ours == {f'coffer-{e}' for e in events}, {f'coffer-{e}' for e in events} ^ ours)
    check('each reaches the topic', all(have[n]['AlarmActions'] == [said['alarm_topic']] for n in ours))
    filters = {f['filterName'].removeprefix('coffer-'): f for f in tf.client('logs').describe_metric_filters(logGroupName='/coffer/trail')['metricFilters']}
    check('each alarm on events has its filter', all(filters[e]['metricTransformations'][0]['metricName'] == have[f'coffer-{e}']['MetricName'] == e for e in events[:18]), list(filters))
    check('silence of machines is an alarm', have['coffer-no-coffer-host']['TreatMissingData'] == 'breaching')
    band = have['coffer-unusual-results-opened']
    check('the unusual is measured against the usual', band['ThresholdMetricId'] == 'band' and 'ANOMALY_DETECTION_BAND' in band['Metrics'][0].get('Expression', '') + band['Metrics'][1].get('Expression', ''), band)
    topic = tf.client('sns').get_topic_attributes(TopicArn=said['alarm_topic'])['Attributes']
    check('the topic is encrypted', topic.get('KmsMasterKeyId'), topic)


def remains(tf):
    """What there still is, of everything that costs money or gives rights."""
    c, ec2, kms = tf.client, tf.client('ec2'), tf.client('kms')
    return {
        'keys': [k['Description'] for k in (kms.describe_key(KeyId=k['KeyId'])['KeyMetadata'] for k in kms.list_keys()['Keys'])
                 if k['KeyState'] != 'PendingDeletion' and not k['Description'].startswith('Default ')], # those that AWS makes
        'buckets': [b['Name'] for b in c('s3').list_buckets()['Buckets']], 'queues': c('sqs').list_queues().get('QueueUrls', []),
        'roles': [r['RoleName'] for r in c('iam').list_roles()['Roles'] if not r['RoleName'].startswith('AWSServiceRole')],
        'policies': [p['Arn'] for p in c('iam').list_policies(Scope='Local')['Policies']], 'profiles': c('iam').list_instance_profiles()['InstanceProfiles'],
        'VPCs': [v['VpcId'] for v in ec2.describe_vpcs()['Vpcs'] if not v['IsDefault']],
        'endpoints': [e['VpcEndpointId'] for e in ec2.describe_vpc_endpoints()['VpcEndpoints'] if e['State'] != 'deleted'],
        'NAT gateways': [n['NatGatewayId'] for n in ec2.describe_nat_gateways()['NatGateways'] if n['State'] != 'deleted'],
        'addresses': ec2.describe_addresses()['Addresses'], 'launch templates': ec2.describe_launch_templates()['LaunchTemplates'],
        'groups': c('autoscaling').describe_auto_scaling_groups()['AutoScalingGroups'],
        'instances': [i['InstanceId'] for r in ec2.describe_instances()['Reservations'] for i in r['Instances'] if i['State']['Name'] != 'terminated'],
        'load balancers': c('elbv2').describe_load_balancers()['LoadBalancers'], 'target groups': c('elbv2').describe_target_groups()['TargetGroups'],
        'trails': c('cloudtrail').describe_trails()['trailList'], 'topics': c('sns').list_topics()['Topics'],
        'alarms': [a['AlarmName'] for a in c('cloudwatch').describe_alarms()['MetricAlarms'] if not a['AlarmName'].startswith('TargetTracking-')],
        'log groups': [g['logGroupName'] for g in c('logs').describe_log_groups()['logGroups']],
    }


def main():
    if not shutil.which('terraform'):
        skip('no terraform here')
    if mirror() is None:
        skip('no mirror of the AWS provider here: see COFFER_TERRAFORM_MIRROR')
    try:
        import boto3, moto  # noqa: F401
    except ImportError as e:
        skip(f'no {e.name} here')
    tf = Terraform()
    try:
        if not tf.start_moto():
            skip('moto does not serve here')
        tf.serve_provider()
        run(tf)
    finally:
        tf.close()
    return check.done()


if __name__ == '__main__':
    sys.exit(main())
