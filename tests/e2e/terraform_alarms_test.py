#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The alarms of deploy/terraform against a trail: coffer-local writes what happens as CloudTrail does, and each metric filter must find its
deed and none must find a normal day. Deeds that coffer-local has no service for (IAM, the console, the trail) are events in CloudTrail's form. C-11"""
import importlib.machinery, importlib.util, json, os, re, ssl, sys
from pathlib import Path

SOURCE, BUILD = Path(os.environ['COFFER_SOURCE']), Path(os.environ['COFFER_BUILD'])
sys.path.insert(0, str(SOURCE / 'tests/tools'))
from filter_pattern import Pattern
from local import Checks
from rawaws import Signer, talk

loader = importlib.machinery.SourceFileLoader('demo', str(SOURCE / 'deploy/local/demo'))
demo = importlib.util.module_from_spec(importlib.util.spec_from_loader('demo', loader))
loader.exec_module(demo)
AUDIT = SOURCE / 'deploy/terraform/modules/audit/alarms.tf'
KEYS = {'data': '0c0ffe00-da7a-4000-8000-000000000001', 'results': '0c0ffe00-2e50-4000-8000-000000000002',
        'models': '0c0ffe00-30de-4000-8000-000000000003', 'storage': '0c0ffe00-5702-4000-8000-000000000004'}
ARNS = {k: f'arn:aws:kms:us-east-1:111122223333:key/{v}' for k, v in KEYS.items()}
ADMIN = 'arn:aws:iam::111122223333:role/coffer-admin'
check = Checks()


def patterns():
    """Those of alarms.tf, filled in for this account, as Terraform does it."""
    text = AUDIT.read_text() + (SOURCE / 'deploy/terraform/modules/models/main.tf').read_text()
    words = {'var.values.bucket': 'coffer-local', 'var.name': 'coffer', 'var.values.admin_role_arn': ADMIN, 'var.values.producer_role_arn': ADMIN.replace('admin', 'producer'),
             'local.our_key': '(' + ' || '.join(f'($.resources[0].ARN = \\"{a}\\")' for a in ARNS.values()) + ')'}
    words |= {f'var.key_arns.{k}': a for k, a in ARNS.items()}
    words |= {f'local.{n}': v for n, v in re.findall(r'^  (kms|s3|iam|sqs|issuer)\s+= "(.*)"$', text, re.M)}
    found = dict(re.findall(r'^    ([\w-]+)\s+= \{ threshold = [\w.]+, pattern = "(.*)" \}$', text, re.M))
    found |= dict(re.findall(r'^    ([\w-]+)\s+= "(\{.*\})"$', text, re.M))
    found['model-stored'] = re.search(r'^  pattern\s+= "(.*)"$', text, re.M)[1]
    out = {}
    for name, pattern in found.items():
        pattern = re.sub(r'\$\{([\w.]+)\}', lambda m: words[m[1]], pattern).replace('\\"', '"')
        out[name] = Pattern(pattern), Pattern(pattern, nowhere_differs=False)
    return out


class Day(demo.Demo):
    def set_up(self):
        super().set_up()
        self.tls, self.read = ssl.create_default_context(cafile=str(self.data / 'tls/ca.pem')), 0

    def call(self, who, service, method='POST', path='/', body=b'', query='', **fields):
        env = self.environment(who)
        signer = Signer(env['AWS_ACCESS_KEY_ID'], env['AWS_SECRET_ACCESS_KEY'], f'localhost:{self.port}', env.get('AWS_SESSION_TOKEN'), service=service)
        return talk(self.port, signer.request(method, path, body, query, **fields), self.tls)

    def kms(self, who, operation, **body):
        return self.call(who, 'kms', body=json.dumps(body).encode(), x_amz_target=f'TrentService.{operation}', content_type='application/x-amz-json-1.1')

    def news(self):
        """What came to the trail since the last time."""
        lines = (self.data / 'audit.jsonl').read_text().splitlines()
        new, self.read = lines[self.read:], len(lines)
        return [e for e in map(json.loads, new) if 'eventName' in e]


def found(filters, events):
    """The names of the filters that find one of the events, whatever != means where there is nothing."""
    either, other = ({name for name, p in filters.items() if any(map(p[i].matches, events))} for i in (0, 1))
    return either if either == other else f'{either} or {other}'


def normal(d, filters):
    d.news()
    picture = d.dir / 'p.png'
    demo.subprocess.run([str(d.picture), str(picture), '3'], check=True)
    job = d.submit(picture)
    d.run('coffer', ['status', job, '--wait', '60'] + d.gateway(), timeout=90)
    d.run('coffer', d.result_args(job) + ['-o', d.dir / 'out.json', '--input', picture], who='owner')
    events = d.news()
    check('a normal day counts jobs sealed, jobs opened, results opened, and wakes nobody',
          found(filters, events) == {'jobs-sealed', 'jobs-opened', 'results-opened'}, found(filters, events))
    calls_of_a_job(events)
    return job


def calls_of_a_job(events):
    """bench/capacity.json says what a job costs by the calls it makes; that they are these is shown here."""
    said = json.loads((SOURCE / 'bench/capacity.json').read_text())['calls']
    role = {'coffer-producer': 'producer', 'coffer-consumer': 'enclave', 'coffer-owner': 'owner'}
    kind = {'PutObject': 's3_put', 'GetObject': 's3_get', 'HeadObject': 's3_get', 'SendMessage': 'sqs', 'ReceiveMessage': 'sqs', 'DeleteMessage': 'sqs', 'Decrypt': 'kms', 'GenerateDataKey': 'kms'}
    made, sizes = {}, {'kms': [], 's3': []}
    for e in events:
        who, what = role.get(e['userIdentity'].get('sessionContext', {}).get('sessionIssuer', {}).get('userName')), kind.get(e['eventName'])
        if who and what and not (e['eventName'] == 'ReceiveMessage' and made.get('sqs', {}).get(who)): # an enclave that waits asks again
            made.setdefault(what, {}).setdefault(who, 0)
            made[what][who] += 1
        service = e['eventSource'].partition('.')[0]
        if service in sizes:
            sizes[service].append(len(json.dumps(e)))
    asked = made['s3_get'].pop('producer', 0) # the gateway reads for a device that asks how its job is, each time
    want = {k: {w: n for w, n in said[k].items() if w != 'device'} for k in ('kms', 's3_put', 's3_get', 'sqs')}
    check('a job makes the calls that its cost is computed from', made == want and asked >= said['s3_get']['device'], (made, want, asked))
    for service, of in sizes.items():
        mean = sum(of) / len(of)
        check(f'and an event of {service} has about the bytes', 0.8 < mean / said['trail_bytes'][service] < 1.25, mean)


def deeds(d, filters, job):
    def deed(words, wanted, *replies, status=200):
        events = d.news()
        check(f'{words}: {", ".join(sorted(wanted)) or "nothing"}', found(filters, events) == wanted and all(r.status == status for r in replies),
              (found(filters, events), replies, [(e['eventName'], e.get('errorCode')) for e in events]))

    sealed = d.dir / 'stolen'
    d.awsdo(['s3-get', d.BUCKET, f'jobs/demo/{job}', sealed], 'consumer')
    d.awsdo(['kms-decrypt', ARNS['data'], sealed], 'consumer')
    deed('the host asks for a data key, unattested', {'decrypt-refused'})
    d.awsdo(['s3-get', d.BUCKET, f'jobs/demo/{job}', sealed], 'owner')
    deed('the owner tries to read a job', {'objects-refused'})
    d.awsdo(['s3-get', d.BUCKET, f'jobs/demo/{job}', sealed], 'producer')
    deed('the gateway tries to read a job', {'objects-refused'})
    d.awsdo(['s3-put', sealed, d.BUCKET, 'models/m0'], 'producer')
    deed('the gateway tries to store a model', {'objects-refused'})
    d.awsdo(['s3-get', d.BUCKET, 'results/demo/none', sealed], 'producer')
    deed('the gateway asks for a result that is not there', set())
    d.awsdo(['s3-put', sealed, d.BUCKET, 'jobs/demo/x'], 'device')
    deed('a user tries to store a job', {'objects-refused'})
    model = d.dir / 'model'
    model.write_bytes(b'weights')
    d.awsdo(['s3-put', model, d.BUCKET, 'models/m1'], 'deployer')
    deed('a deployer stores a model', {'model-stored'})
    context = {'tenant': 'demo'}
    made = d.kms('producer', 'GenerateDataKey', KeyId=ARNS['data'], KeySpec='AES_256', EncryptionContext=context)
    deed('the producer draws a key', {'jobs-sealed'}, made)
    everybody = json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': {'AWS': [
        'arn:aws:iam::111122223333:root', ADMIN, 'arn:aws:iam::111122223333:role/coffer-consumer']}, 'Action': 'kms:*', 'Resource': '*'}]})
    deed('the administrator opens two key policies', {'key-policy-changed'},
         *[d.kms('admin', 'PutKeyPolicy', KeyId=ARNS[k], PolicyName='default', Policy=everybody) for k in ('data', 'results')])
    opened = d.kms('consumer', 'Decrypt', KeyId=ARNS['data'], CiphertextBlob=json.loads(made.body)['CiphertextBlob'], EncryptionContext=context)
    deed('then the host opens a job\'s key', {'opened-unattested', 'jobs-opened'}, opened)
    deed('and draws one of the results', {'sealed-unattested'}, d.kms('consumer', 'GenerateDataKey', KeyId=ARNS['results'], KeySpec='AES_256', EncryptionContext=context))
    deed('a grant', {'grant-created'}, d.kms('consumer', 'CreateGrant', KeyId=ARNS['data'], GranteePrincipal='arn:aws:iam::111122223333:role/coffer-owner', Operations=['Decrypt']))
    deed('root moves an alias', {'alias-moved', 'root-used'}, d.kms('root', 'UpdateAlias', AliasName='alias/coffer-results', TargetKeyId=ARNS['data']))
    deed('a key is switched off', {'key-going'}, d.kms('admin', 'DisableKey', KeyId=ARNS['results']))
    deed('and one is to be deleted', {'key-going'}, d.kms('admin', 'ScheduleKeyDeletion', KeyId=ARNS['results'], PendingWindowInDays=7))
    policy = d.call('admin', 's3', 'GET', f'/{d.BUCKET}', query='policy=')
    d.news()
    deed('the bucket\'s policy is put', {'bucket-changed'}, d.call('admin', 's3', 'PUT', f'/{d.BUCKET}', policy.body, 'policy='), status=204)
    deed('the queue\'s attributes are set', {'queue-changed'}, d.call('admin', 'sqs', body=json.dumps({
        'QueueUrl': f'https://localhost:{d.port}/111122223333/coffer-jobs', 'Attributes': {'VisibilityTimeout': '61'}}).encode(),
        x_amz_target='AmazonSQS.SetQueueAttributes', content_type='application/x-amz-json-1.0'))


def elsewhere(filters):
    def event(source, name, **more):
        return {'eventSource': f'{source}.amazonaws.com', 'eventName': name, 'eventType': 'AwsApiCall', 'userIdentity': {'type': 'AssumedRole'}, **more}

    role = {'requestParameters': {'roleName': 'coffer-consumer'}}
    login = lambda mfa, answer: event('signin', 'ConsoleLogin', additionalEventData={'MFAUsed': mfa}, responseElements={'ConsoleLogin': answer})
    for words, e, wanted in (
            ('a role\'s trust is changed', event('iam', 'UpdateAssumeRolePolicy', **role), {'role-changed'}),
            ('a policy is put into a role', event('iam', 'PutRolePolicy', **role), {'role-changed'}),
            ('the boundary is taken off', event('iam', 'DeleteRolePermissionsBoundary', **role), {'role-changed'}),
            ('another deployment\'s role', event('iam', 'PutRolePolicy', requestParameters={'roleName': 'other-app'}), set()),
            ('a role is looked at', event('iam', 'GetRole', **role), set()),
            ('the boundary gets another version', event('iam', 'CreatePolicyVersion', requestParameters={'policyArn': 'arn:aws:iam::111122223333:policy/coffer-boundary'}), {'role-changed'}),
            ('another policy does', event('iam', 'CreatePolicyVersion', requestParameters={'policyArn': 'arn:aws:iam::111122223333:policy/other'}), set()),
            *((f'somebody\'s second factor: {name}', event('iam', name, requestParameters={'userName': 'ada', 'serialNumber': 'arn:aws:iam::111122223333:mfa/ada'}), {'factor-changed'})
              for name in ('CreateVirtualMFADevice', 'EnableMFADevice', 'DeactivateMFADevice', 'DeleteVirtualMFADevice', 'ResyncMFADevice')),
            ('EnableMFADevice with codes that are none', event('iam', 'EnableMFADevice', errorCode='InvalidAuthenticationCode'), {'factor-changed'}),
            ('factors are listed', event('iam', 'ListMFADevices', requestParameters={'userName': 'ada'}), set()),
            ('EnableMFADevice of another service', event('example', 'EnableMFADevice'), set()),
            ('another deployment\'s queue is set', event('sqs', 'SetQueueAttributes', requestParameters={'queueUrl': 'https://sqs.us-east-1.amazonaws.com/111122223333/other-jobs'}), set()),
            ('a job is sent', event('sqs', 'SendMessage', requestParameters={'queueUrl': 'https://sqs.us-east-1.amazonaws.com/111122223333/coffer-jobs'}), set()),
            *((f'{source}: {name}', event(source, name), {'watch-switched-off'})
              for source, name in (('monitoring', 'DeleteAlarms'), ('monitoring', 'DisableAlarmActions'), ('logs', 'DeleteMetricFilter'), ('logs', 'DeleteLogGroup'),
                                   ('sns', 'DeleteTopic'), ('sns', 'Unsubscribe'), ('sns', 'SetTopicAttributes'))),
            ('alarms are looked at', event('monitoring', 'DescribeAlarms'), set()),
            ('the admin role is taken', event('sts', 'AssumeRole', requestParameters={'roleArn': ADMIN}), {'admin-role-assumed'}),
            ('another role is taken', event('sts', 'AssumeRole', requestParameters={'roleArn': ADMIN.replace('admin', 'owner')}), set()),
            ('the trail is stopped', event('cloudtrail', 'StopLogging'), {'trail-touched'}),
            ('the trail is looked at', event('cloudtrail', 'GetTrailStatus'), set()),
            ('a login with one factor', login('No', 'Success'), {'login-without-factor'}),
            ('a login with two', login('Yes', 'Success'), set()), ('a login that failed', login('No', 'Failure'), set()),
            ('root at the console', login('Yes', 'Success') | {'userIdentity': {'type': 'Root'}}, {'root-used'}),
            ('a service in root\'s name', event('s3', 'GetBucketAcl', userIdentity={'type': 'Root', 'invokedBy': 'cloudtrail.amazonaws.com'}), set())):
        check(f'{words}: {", ".join(wanted) or "nothing"}', found(filters, [e]) == wanted, found(filters, [e]))


def language():
    """The judge itself: what is a pattern, and what it matches."""
    for text, event, wanted in (('{ $.a = "x*" }', {'a': 'xy'}, True), ('{ $.a = "x*" }', {'a': 'yx'}, False), ('{ $.a = "x" }', {}, False), ('{ $.a != "x" }', {}, True),
                                ('{ ($.a = 1) && ($.b = 2) || ($.c = 3) }', {'c': 3}, True), ('{ ($.a = 1) && (($.b = 2) || ($.c = 3)) }', {'c': 3}, False),
                                ('{ $.r[0].ARN = "k" }', {'r': [{'ARN': 'k'}]}, True), ('{ $.r[1].ARN = "k" }', {'r': [{'ARN': 'k'}]}, False),
                                ('{ $.a.b NOT EXISTS }', {'a': None}, True), ('{ $.a.b NOT EXISTS }', {'a': {'b': None}}, False), ('{ $.n >= 5 }', {'n': 5}, True)):
        check(f'{text} on {event}', Pattern(text).matches(event) is wanted)
    for text in ('$.a = 1', '{ $.a = 1', '{ $.a = 1 } }', '{ ($.a = 1 }', '{ a = 1 }', '{ $.a ~ 1 }', '{ $.a = 1 && }', '{ ' + '($.a = 1) && ' * 90 + '($.a = 1) }'):
        try:
            Pattern(text)
            check(f'no pattern: {text[:30]}', False)
        except ValueError:
            check(f'no pattern: {text[:30]}', True)


language()
filters = patterns()
check('every filter of alarms.tf is judged', len(filters) == AUDIT.read_text().count('= "{ ') + 1, sorted(filters))
elsewhere(filters)
d = Day(BUILD.resolve(), False)
try:
    d.set_up()
    demo.root_certificate(d)
    d.start_host()
    d.start_producer()
    deeds(d, filters, normal(d, filters))
finally:
    d.stop()
sys.exit(check.done())
