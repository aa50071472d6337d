#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer policy simulate judged by an IAM simulator that nobody here wrote, @cloud-copilot/iam-simulate: each cell of the deployment's matrix is
asked there too, as it is and, where it depends, with the conditions that coffer says it depends on; and what its grammar (iam-policy) finds
wrong in damaged policies, coffer policy lint calls an error too. Installed from npm into the build folder;
skipped where there is no npm, or no way to its packages."""
import json, os, random, re, subprocess, sys, tempfile
from pathlib import Path

SOURCE = Path(os.environ['COFFER_SOURCE'])
BUILD = Path(os.environ['COFFER_BUILD'])
COFFER = BUILD / 'src/prog/coffer/coffer'
sys.path.insert(0, str(SOURCE / 'tests/tools'))
from node import packages_or_skip  # noqa: E402

NODE = SOURCE / 'tests/interop/policy_node'
MANIFEST = SOURCE / 'deploy/local/manifest.json'


class Deployment:
    """The manifest and its policies, filled in by nobody's code but this."""
    def __init__(self):
        self.raw = json.loads(MANIFEST.read_text())
        self.values = {}
        for name, text in self.raw['values'].items():
            self.values[name] = self.fill(text)
        self.policies = {}
        self.account, self.region = self.values['account'], self.values['region']
        self.identity = {f'arn:aws:iam::{self.account}:user/{u["name"]}': [self.policy(p['document']) for p in u['policies']] for u in self.raw['users']}
        self.identity |= {f'arn:aws:iam::{self.account}:role/{r["name"]}': [self.policy(p['document']) for p in r['policies']] for r in self.raw['roles']}
        self.resource = {f'arn:aws:kms:{self.region}:{self.account}:key/{self.fill(k["id"])}': self.policy(k['policy']) for k in self.raw['keys']}
        self.alias = {f'arn:aws:kms:{self.region}:{self.account}:key/{self.fill(k["id"])}': k['alias'] for k in self.raw['keys']}
        self.resource |= {f'arn:aws:s3:::{self.fill(b["name"])}': self.policy(b['policy']) for b in self.raw['buckets']}
        self.resource |= {f'arn:aws:sqs:{self.region}:{self.account}:{q["name"]}': self.policy(q['policy']) for q in self.raw['queues']}
        self.resource |= {f'arn:aws:iam::{self.account}:role/{r["name"]}': self.policy(r['trust']) for r in self.raw['roles']}

    def fill(self, text):
        return re.sub(r'\$\{([a-z0-9_]+)\}', lambda m: self.values[m.group(1)], text)

    def policy(self, document):
        name = document['$file'] if '$file' in document else document['Id']
        text = (MANIFEST.parent / document['$file']).read_text() if '$file' in document else json.dumps(document)
        self.policies[name] = json.loads(self.fill(text))
        return name

    def question(self, principal, action, resource, more):
        base = resource.split('/')[0] if resource.startswith('arn:aws:s3:::') else resource
        context = {'aws:SecureTransport': 'true', 'aws:RequestedRegion': self.region, 'aws:PrincipalIsAWSService': 'false', 'aws:ViaAWSService': 'false'}
        context |= {'aws:PrincipalArn': principal, 'aws:PrincipalAccount': self.account, 'aws:ResourceAccount': self.account,
                    'aws:PrincipalType': 'User' if ':user/' in principal else 'AssumedRole'}
        if action.startswith('kms:'):
            context |= {'kms:CallerAccount': self.account, 'kms:KeySpec': 'SYMMETRIC_DEFAULT', 'kms:KeyUsage': 'ENCRYPT_DECRYPT',
                        'kms:KeyOrigin': 'AWS_KMS', 'kms:MultiRegion': 'false', 'kms:ResourceAliases': [self.alias[resource]]}
        if action.startswith('s3:'):
            context |= {'s3:TlsVersion': '1.3', 's3:ResourceAccount': self.account}
            if action == 's3:PutObject':
                context['s3:ObjectCreationOperation'] = 'true'
        return {'principal': principal, 'action': action, 'resource': resource, 'account': self.account, 'context': context | more,
                'identity': self.identity[principal], 'resourcePolicy': self.resource[base]}


KINDS = {'identity': ('producer', 'consumer', 'deployer'), 'resource': ('key-data', 'queue-policy'), 'trust': ('trust-admin', 'trust-consumer')}
N_DAMAGED = 120  # of each kind


def damage(policy, rng):
    """One thing in it is renamed, removed, moved or of another type."""
    places = []

    def walk(value):
        if isinstance(value, dict):
            places.extend((value, k) for k in value)
        elif isinstance(value, list):
            places.extend((value, i) for i in range(len(value)))
        for v in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            walk(v)
    walk(policy)
    inside, at = rng.choice(places)
    how = rng.randrange(6)
    if how == 0:
        del inside[at]
    elif how == 1 and isinstance(inside, dict):
        inside[rng.choice((at + 's', at.lower(), at.upper(), at[:-1], 'Not' + at, 'x:' + at))] = inside.pop(at)
    elif how == 2:
        inside[at] = rng.choice((5, True, None, {}, [], '', [''], {'a': 'b'}, [[]], 'x'))
    elif how == 3 and isinstance(inside[at], str):
        text = inside[at]
        inside[at] = rng.choice((text.replace(':', '', 1), text + ':', text.upper(), text.replace('111122223333', '1111'), ' ' + text, text.replace('arn:aws', 'arn')))
    elif how == 4:
        other, key = rng.choice(places)
        if isinstance(other, dict) and other is not inside:
            other[at if isinstance(at, str) else 'x'] = inside[at]
    else:
        inside[at] = [inside[at]]
    return policy


def damaged(place, d):
    rng, results = random.Random(7), []
    for kind, names in KINDS.items():
        policies = []
        while len(policies) < N_DAMAGED:
            name = rng.choice(names)
            try:
                policies.append(damage(json.loads(d.fill((SOURCE / f'deploy/iam/{name}.json').read_text())), rng))
                json.dumps(policies[-1])
            except ValueError:  # put into itself
                policies.pop()
        p = subprocess.run(['node', str(NODE / 'validate.js')], input=json.dumps([{'kind': kind, 'policy': x} for x in policies]).encode(),
                           capture_output=True, env=dict(os.environ, NODE_PATH=str(place / 'node_modules')), timeout=100)
        theirs = p.stdout.decode().splitlines()
        with tempfile.TemporaryDirectory() as tmp:
            for i, x in enumerate(policies):
                (Path(tmp) / f'{i:03}.json').write_text(json.dumps(x))
            out = subprocess.run([str(COFFER), 'policy', 'lint', '--json', '--kind', 'key' if kind == 'resource' else kind, tmp], capture_output=True, timeout=100).stdout
            report = json.loads(out)
        ours = {int(Path(f['file']).stem) for f in report['findings'] if f['severity'] == 'error'}
        missed = [f'{json.dumps(x)}: {line}' for i, (x, line) in enumerate(zip(policies, theirs)) if not line.startswith('0 ') and i not in ours]
        n = sum(not line.startswith('0 ') for line in theirs)
        results.append((f'{kind}: all {n} of {N_DAMAGED} damaged policies that the judge refuses are errors here', len(theirs) == N_DAMAGED and n > 30 and not missed,
                        f'{len(missed)} missed: ' + '\n'.join(missed[:4]) + p.stderr.decode()[-300:]))
    return results


def main():
    place, d = packages_or_skip(NODE, 'policy'), Deployment()
    out = subprocess.run([str(COFFER), 'policy', 'simulate', '-m', str(MANIFEST), '--matrix', '--json'], capture_output=True, timeout=60, check=True).stdout
    report = json.loads(out)
    questions, ours = [], []
    for row in report['rows']:
        for principal, answer in zip(report['principals'], row['answers']):
            questions.append(d.question(principal, row['action'], row['resource'], {}))
            ours.append(answer['can'] == 'yes')
            if answer['can'] == 'if':
                questions.append(d.question(principal, row['action'], row['resource'], answer['with']))
                ours.append(True)
    # The judge drops the keys of encryption contexts from requests, so they go to it under the name of another key that it keeps.
    text = json.dumps({'policies': d.policies, 'questions': questions}).replace('kms:EncryptionContext:tenant', 'kms:RequestAlias')
    p = subprocess.run(['node', str(NODE / 'driver.js')], input=text.encode(), capture_output=True,
                       env=dict(os.environ, NODE_PATH=str(place / 'node_modules')), timeout=150)
    theirs = p.stdout.decode().splitlines()
    wrong = [f'{q["principal"]} {q["action"]} {q["resource"]} {q["context"]}: {mine} here, {other} there'
             for q, mine, other in zip(questions, ours, theirs) if mine != (other == 'Allowed')]
    allowed = sum(ours)
    results = [(f'the judge was asked {len(questions)} questions', len(theirs) == len(questions) > 1000 and p.returncode == 0, p.stderr.decode()[-600:]),
               (f'both allow and deny the same ({allowed} allowed, {len(ours) - allowed} denied)', not wrong and allowed > 50, f'{len(wrong)}: ' + '\n'.join(wrong[:8]))]
    results += damaged(place, d)
    print(f'1..{len(results)}')
    for i, (name, ok, detail) in enumerate(results, 1):
        print(f'{"ok" if ok else "not ok"} {i} - {name}')
        if not ok:
            print('# ' + detail.replace('\n', '\n# '))


main()
