#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer policy simulate: the deployment's roles may do what they must and nothing else, the deciding statement and the failing condition are
named with their places, and what is not there is named with a suggestion."""
import html.parser, json, os, subprocess, tempfile
from pathlib import Path

COFFER = Path(os.environ['COFFER_BUILD']) / 'src/prog/coffer/coffer'
ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / 'deploy/local/manifest.json'
results = []


def check(name, ok, detail=''):
    results.append((name, bool(ok), str(detail)))


def simulate(*args, manifest=MANIFEST):
    p = subprocess.run([str(COFFER), 'policy', 'simulate', '--manifest', str(manifest), *map(str, args)], capture_output=True, timeout=60)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def asked(*args, manifest=MANIFEST):
    code, out, err = simulate('--json', *args, manifest=manifest)
    return code, json.loads(out) if out else err


def place(report):
    """The statement at the place that decided, found in the file by itself."""
    by = report['decidedBy']
    line = (ROOT / by['file']).read_text().splitlines()[by['line'] - 1]
    return by.get('sid'), line[by['column'] - 1:]


TENANT = ('-c', 'kms:EncryptionContext:tenant=t1')

# Who, what, on what, with what else: may, and which statement says so.
ROWS = [
    ('consumer', 'kms:Decrypt', 'alias/coffer-data', ('--attested', *TENANT), True, 'MeasuredEnclaveOpensJobs'),
    ('consumer', 'kms:Decrypt', 'alias/coffer-data', TENANT, False, 'DenyWithoutAttestation'),
    ('consumer', 'kms:Decrypt', 'alias/coffer-data', ('--attested',), False, None),
    ('consumer', 'kms:ReEncryptFrom', 'alias/coffer-data', ('--attested', *TENANT), False, 'DenyWhatCannotBeAttested'),
    ('root', 'kms:Decrypt', 'alias/coffer-data', TENANT, False, 'DenyWithoutAttestation'),
    ('producer', 'kms:GenerateDataKey', 'alias/coffer-data', TENANT, True, 'ProducerDrawsDataKeys'),
    ('producer', 'kms:Decrypt', 'alias/coffer-data', ('--attested', *TENANT), False, None),
    ('producer', 's3:PutObject', 's3://coffer-local/jobs/t1/1', (), True, 'StoreJobs'),
    ('consumer', 's3:PutObject', 's3://coffer-local/jobs/t1/1', (), False, 'OnlyProducerStoresJobs'),
    ('producer', 's3:PutObject', 's3://coffer-local/jobs/t1/1', ('-c', 'aws:SecureTransport=false'), False, 'DenyWithoutTls'),
    ('owner', 'kms:Decrypt', 'alias/coffer-results', TENANT, True, None),
    ('consumer', 'sqs:ReceiveMessage', 'coffer-jobs', (), True, 'TakeJobs'),
    ('producer', 'sqs:ReceiveMessage', 'coffer-jobs', (), False, 'OnlyEnclaveReceives'),
    ('anonymous', 's3:GetObject', 's3://coffer-local/results/1', (), False, None),
    ('ec2.amazonaws.com', 'sts:AssumeRole', 'coffer-consumer', (), True, 'Ec2InstancesRunAsThisRole'),
]


def rows():
    for who, action, resource, more, may, sid in ROWS:
        code, report = asked('--principal', who, action, resource, *more)
        good = code == (0 if may else 3) and report['allowed'] == may
        if good and sid is not None:
            good = place(report) == (sid, '{')
        check(f'{who} {action} {resource} {" ".join(more)[:24]}: {"allowed" if may else "denied"}', good, report)


def words():
    code, out, err = simulate('-p', 'consumer', 'kms:Decrypt', 'alias/coffer-data')
    check('in words: who decided, where, which condition failed, with what', code == 3 and out.startswith('DENIED: ') and 'key-data.json:47:5' in out
          and 'the request has (absent)' in out and 'it would be allowed with' in out and 'kms:EncryptionContext:tenant=' in out, out)
    code, out, err = simulate('--who-can', 'kms:Decrypt', 'alias/coffer-data')
    lines = {line.split()[1]: line for line in out.splitlines()}
    check('who can: the consumer, if attested, and nobody else', code == 0 and lines['coffer-consumer'].startswith('if')
          and 'PCR0=' in lines['coffer-consumer'] and all(line.startswith('no') for name, line in lines.items() if name != 'coffer-consumer'), out)
    for args, hint in ((('-p', 'consumr', 'kms:Decrypt', 'alias/coffer-data'), 'consumer'), (('-p', 'consumer', 'kms:Decript', 'alias/coffer-data'), 'kms:Decrypt'),
                       (('-p', 'consumer', 'kms:Decrypt', 'alias/coffer-dat'), 'alias/coffer-data'), (('-p', 'consumer', 'Decrypt', '*'), 'service:Name'),
                       (('-p', 'consumer', 'sqs:SendMessage', 'coffer-job'), 'coffer-jobs'), (('-p', 'consumer', 'kmz:Decrypt', '*'), 'kms:Decrypt'),
                       (('-p', 'consumer', 'kms:*', 'alias/coffer-data'), '--matrix'), (('-p', 'consumer', 'kms:Decrypt', 's3://coffer-local/x'), 'it takes: key'),
                       (('-p', 'consumer', 's3:ListAllMyBuckets', 's3://coffer-local'), 'give *'), (('-p', 'consumer', 's3:GetObject', 's3://coffer-local'), 'it takes: object'),
                       (('-p', 'consumer', 'kms:Decrypt', 'alias/coffer-data', '-c', 'kms:RecipientAttestation:PCR=ab'), 'PCR0 (to 31)'),
                       (('-p', 'consumer', 'kms:Decrypt', 'alias/coffer-data', '-c', 'aws:SourcAccount=1'), 'aws:SourceAccount'),
                       (('-p', 'consumer', 'kms:Decrypt', 'alias/coffer-data', '-c', 'kms:RecipientAttestation:PCR0=ab'), '96 hex digits')):
        code, out, err = simulate(*args)
        check(f'{" ".join(args[1:])}: named, with a suggestion', code == 2 and not out and hint in err, err)
    for args in (('kms:Decrypt', 'alias/coffer-data'), ('-p', 'consumer', 'kms:Decrypt'), ('-p', 'consumer', 'kms:Decrypt', '*', '-c', 'x'),
                 ('-p', 'consumer', 'kms:Decrypt', '*', '--html')):
        check(f'{" ".join(args)}: wrong use', simulate(*args)[0] == 2)


class Cells(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.classes = []

    def handle_starttag(self, tag, attrs):
        if tag == 'td':
            self.classes.append(dict(attrs)['class'])


def matrix():
    code, report = asked('--matrix')
    n = len(report['principals'])
    table = {(row['resource'], row['action'], p.rpartition('/')[2]): a['can'] for row in report['rows'] for p, a in zip(report['principals'], row['answers'])}
    check('matrix: every cell', code == 0 and n == 7 and len(report['rows']) > 100 and all(len(r['answers']) == n for r in report['rows']), len(table))
    keys = [r for r in {r for r, _, _ in table} if ':key/' in r]
    data = [r for r in keys if r.endswith('da7a-4000-8000-000000000001')][0]
    may = {p for (r, a, p), can in table.items() if r == data and a == 'kms:Decrypt' and can != 'no'}
    check('matrix: only the consumer opens jobs', may == {'coffer-consumer'}, may)
    grants = {(r, p) for (r, a, p), can in table.items() if a == 'kms:CreateGrant' and can != 'no' and '000000000005' not in r}
    check('matrix: nobody makes grants', not grants, grants)
    code, out, err = simulate('--matrix', '--html')
    cells = Cells()
    cells.feed(out)
    check('matrix: the page has the same cells', code == 0 and sorted(cells.classes) == sorted(table.values()), len(cells.classes))
    code, out, err = simulate('--matrix')
    check('matrix: and so has the text', code == 0 and sum(line.split()[1:].count('Y') for line in out.splitlines()[2:] if line.startswith('  '))
          == list(table.values()).count('yes'), out[:500])
    # Each yes and no once more, by itself.
    step = max(1, len(table) // 25)
    for (resource, action, who), can in sorted(table.items())[::step]:
        code, one = asked('-p', who, action, resource)
        check(f'alone: {who} {action} {resource[-30:]}', one['allowed'] == (can == 'yes'), one)


def own():
    """An account of one's own: boundary, session policy, a policy that AWS would refuse."""
    with tempfile.TemporaryDirectory() as tmp:
        allow = {'Version': '2012-10-17', 'Statement': [{'Sid': 'All', 'Effect': 'Allow', 'Action': ['s3:GetObject', 's3:PutObject'], 'Resource': 'arn:aws:s3:::b/*'}]}
        read = {'Version': '2012-10-17', 'Statement': [{'Sid': 'Read', 'Effect': 'Allow', 'Action': 's3:GetObject', 'Resource': '*'}]}
        manifest = {'account': '111122223333', 'region': 'eu-west-1', 'buckets': [{'name': 'b'}],
                    'roles': [{'name': 'r', 'policies': [{'name': 'p', 'document': allow}], 'boundary': read}, {'name': 'q', 'policies': [{'name': 'p', 'document': {'$file': 'p.json'}}]}]}
        path = Path(tmp) / 'manifest.json'
        path.write_text(json.dumps(manifest, indent=1))
        (Path(tmp) / 'p.json').write_text(json.dumps(allow))
        (Path(tmp) / 's.json').write_text(json.dumps(read))
        code, report = asked('-p', 'r', 's3:PutObject', 's3://b/x', manifest=path)
        check('a boundary denies', code == 3 and report['decidedBy']['source'] == 'permission boundary', report)
        code, report = asked('-p', 'r', 's3:GetObject', 's3://b/x', manifest=path)
        line = path.read_text().splitlines()[report['decidedBy']['line'] - 1]
        check('a policy inside the manifest has its place there', code == 0 and line[report['decidedBy']['column'] - 1:] == '{', report)
        check('no session policy', asked('-p', 'q', 's3:PutObject', 's3://b/x', manifest=path)[0] == 0)
        code, report = asked('-p', 'q', 's3:PutObject', 's3://b/x', '--session-policy', Path(tmp) / 's.json', manifest=path)
        check('a session policy denies', code == 3 and report['decidedBy']['source'] == 'session policy', report)
        (Path(tmp) / 'p.json').write_text(json.dumps(allow).replace('Allow', 'allow'))
        code, out, err = simulate('-p', 'r', 's3:GetObject', 's3://b/x', manifest=path)
        check('a policy that AWS would refuse', code == 1 and 'p.json' in err and 'policy lint' in err, err)
        path.write_text(json.dumps(manifest, indent=1).replace('"r"', '"r'))
        code, out, err = simulate('-p', 'r', 's3:GetObject', 's3://b/x', manifest=path)
        bad = next(i for i, line in enumerate(path.read_text().splitlines(), 1) if line.rstrip().endswith('"r,'))
        check('a malformed manifest: line, column, mend', code == 2 and f'{path}:{bad}:' in err and 'double quote' in err, err)
        path.write_text(json.dumps(dict(manifest, region=5)))
        code, out, err = simulate('-p', 'r', 's3:GetObject', 's3://b/x', manifest=path)
        check('a manifest of another shape', code == 2 and 'region' in err and ':1:' in err, err)


def generated():
    """The policies that `coffer policy generate` writes, asked by its own manifest."""
    manifest = ROOT / 'examples/deployment.json'
    with tempfile.TemporaryDirectory() as tmp:
        subprocess.run([str(COFFER), 'policy', 'generate', '--manifest', str(manifest), '--out', tmp], check=True, capture_output=True, timeout=60)
        names = json.loads(manifest.read_text())
        data, extra = names['keys']['data'], ('-c', 'aws:SourceVpce=' + names['vpc_endpoints'][0], '-c', 'kms:RecipientAttestation:PCR16=' + names['models'][0]['PCR16'])
        code, report = asked('--policies', tmp, '-p', 'consumer', 'kms:Decrypt', data, '--attested', *TENANT, *extra, manifest=manifest)
        check('generated policies: the attested consumer may', code == 0 and report['decidedBy']['sid'] == 'MeasuredEnclaveOpensJobs', report)
        code, report = asked('--policies', tmp, '-p', 'consumer', 'kms:Decrypt', data, '--attested', *TENANT, *extra[2:], manifest=manifest)
        check('generated policies: from elsewhere not', code == 3 and report['verdict'] == 'explicit deny', report)
        code, report = asked('--policies', tmp, '-p', 'ec2.amazonaws.com', 'sts:AssumeRole', names['roles']['producer'], manifest=manifest)
        check('generated policies: roles can be assumed', code == 0, report)
        code, report = asked('--policies', tmp, '--matrix', manifest=manifest)
        may = {(p, a['can']) for row in report['rows'] if row['action'] == 'kms:Decrypt' and data in row['resource']
               for p, a in zip(report['principals'], row['answers']) if a['can'] != 'no'}
        check('generated policies: matrix', code == 0 and {(p.rpartition('/')[2], c) for p, c in may} == {('coffer-consumer', 'if')}, may)
        code, out, err = simulate('-p', 'consumer', 'kms:Decrypt', data, manifest=manifest)
        check('without them: what is missing', code == 2 and '--policies' in err, err)


rows()
words()
generated()
matrix()
own()
print(f'1..{len(results)}')
for i, (name, ok, detail) in enumerate(results, 1):
    print(f'{"ok" if ok else "not ok"} {i} - {name}')
    if not ok:
        print('# ' + detail[:1500].replace('\n', '\n# '))
