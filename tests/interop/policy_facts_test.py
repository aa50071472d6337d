#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tables of actions that `coffer policy lint` knows, held against somebody else's list: the operations in botocore's models. What is an
operation and no action is named here, with the action that it is allowed by; skipped where botocore is absent."""
import json, os, subprocess, sys, tempfile
from pathlib import Path

sys.path.insert(0, str(Path(os.environ['COFFER_SOURCE']) / 'tests/tools'))
from local import COFFER, Checks

check = Checks()
SERVICES = ('kms', 'sqs', 'sts', 'iam', 'cloudtrail', 'logs', 'sns', 'cloudwatch', 'autoscaling', 'ssm', 'events', 'lambda', 'secretsmanager', 'ec2')
# operation: the action that a policy names for it
OTHERWISE = {'kms:ReEncrypt': 'kms:ReEncryptFrom', 'sqs:ChangeMessageVisibilityBatch': 'sqs:ChangeMessageVisibility', 'sqs:DeleteMessageBatch': 'sqs:DeleteMessage',
             'sqs:SendMessageBatch': 'sqs:SendMessage', 'sns:PublishBatch': 'sns:Publish', 'lambda:Invoke': 'lambda:InvokeFunction',
             'lambda:InvokeWithResponseStream': 'lambda:InvokeFunction', 'lambda:GetLayerVersionByArn': 'lambda:GetLayerVersion'}
NEWER = 0.03 # of a service's operations may be younger than the tables, or older than the models


def unknown(actions, tmp):
    file = tmp / 'p.json'
    file.write_text(json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': sorted(actions), 'Resource': '*'}]}))
    p = subprocess.run([str(COFFER), 'policy', 'lint', '--json', str(file)], capture_output=True, text=True, timeout=60)
    return [f['text'].rpartition(' ')[2] for f in json.loads(p.stdout)['findings'] if f['rule'] in ('unknown-action', 'unknown-service')]


def main():
    try:
        import botocore.session
    except ImportError:
        print('1..0 # SKIP no botocore here')
        return 0
    session = botocore.session.get_session()
    with tempfile.TemporaryDirectory(prefix='coffer-test-') as tmp:
        tmp = Path(tmp)
        check('what stands in for an operation is an action', unknown(OTHERWISE.values(), tmp) == [])
        check('the judge judges', unknown(['kms:Frobnicate', 'kms:Decrypt'], tmp) == ['kms:Frobnicate'])
        for service in SERVICES:
            operations = {f'{service}:{name}' for name in session.get_service_model(service).operation_names}
            missing = [a for a in unknown(operations, tmp) if a not in OTHERWISE]
            check(f'{service}: {len(operations)} operations, and the linter knows their actions', len(operations) > 5 and len(missing) <= max(1, NEWER * len(operations)), missing)
    return check.done()


sys.exit(main())
