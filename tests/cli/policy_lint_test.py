#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer policy lint: every error of the public designs' own example policies is reported at its line and column, malformed JSON is named with
line, column and the mend, the deployment's own policies are clean, and the rule list of docs/policy-check.md is that of the program."""
import json, os, re, shutil, subprocess, tempfile
from pathlib import Path

COFFER = Path(os.environ['COFFER_BUILD']) / 'src/prog/coffer/coffer'
ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / 'tests/cli/policy'
results = []


def check(name, ok, detail=''):
    results.append((name, bool(ok), str(detail)))


def lint(*args, stdin=None):
    p = subprocess.run([str(COFFER), 'policy', 'lint', *map(str, args)], input=stdin, capture_output=True, timeout=30)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def found(*args):
    code, out, err = lint('--json', *args)
    return code, json.loads(out)


# The public design's policies as its README and its Terraform have them (other names and numbers): three examples, what its Terraform
# gives the enclave's role, the managed policy it attaches, and the policy that KMS gives a key that is made without one. Nothing but
# this is to be found: file, line, column, rule.
ORIGINALS = {
    'original-producer.json': [
        (6, 7, 'encrypt-directly'),             # C-09: 4096 bytes; GenerateDataKey is what it needs
        (9, 19, 'bad-arn'), (23, 19, 'bad-arn'), # what was to be filled in stands where an account belongs
    ],
    'original-consumer.json': [
        (4, 5, 'reachable-without-attestation'),
        (12, 11, 'unknown-condition-key'),      # C-12: aws:RequestContext
        (9, 19, 'bad-arn'), (30, 19, 'bad-arn'),
    ],
    'original-trust.json': [
        (15, 9, 'misplaced-element'),           # the Condition stands inside the Principal
        (17, 13, 'unknown-condition-key'),
        (11, 5, 'moot-condition'),              # and the statement before it lets the host in without
    ],
    'original-enclave-role.json': [(6, 7, 'encrypt-directly'), (11, 19, 'wildcard-resource')],
    'original-full-access.json': [(7, 9, 'wildcard-action'), (8, 9, 'wildcard-action'), (8, 9, 'unknown-service'), (10, 19, 'wildcard-resource')],
    'original-key.json': [(9, 16, 'root-delegation'), (11, 17, 'wildcard-action')],
}
# Judged together, what one of them lets through counts for all.
TOGETHER = [('original-enclave-role.json', 4, 5, 'reachable-without-attestation'), ('original-key.json', 5, 5, 'reachable-without-attestation'),
            ('original-key.json', 5, 5, 'grant-path'), ('original-key.json', 5, 5, 'reencrypt-path'), ('original-key.json', 5, 5, 'replicate-path')]


def originals():
    for name, expected in ORIGINALS.items():
        code, report = found(HERE / name)
        got = sorted((f['line'], f['column'], f['rule']) for f in report['findings'])
        check(f'{name}: its errors, and nothing else', code == 3 and got == sorted(expected), got)
        check(f'{name}: each with its reason and its mend', all(f['why'] and f['mend'] for f in report['findings']), report)
    code, report = found(*(HERE / name for name in ORIGINALS))
    got = sorted((Path(f['file']).name, f['line'], f['column'], f['rule']) for f in report['findings'])
    check('all of the original together', code == 3 and got == sorted(TOGETHER + [(n, *e) for n, es in ORIGINALS.items() for e in es]), got)


# More mistakes that are often made: line and rule.
MISTAKES = {
    'mistakes-key.json': {
        (8, 'root-delegation'),            # C-11: the account may hand out Decrypt
        (10, 'wildcard-action'),
        (18, 'misplaced-element'),         # a Condition nested in a Principal
        (20, 'unknown-condition-key'),     # C-12: aws:RequestContext is no attestation key
        (35, 'encrypt-directly'),          # C-09
        (37, 'key-not-in-request'),        # C-09: Encrypt is never attested
        (42, 'unknown-condition-key'),     # C-12: bare kms:RecipientAttestation
        (43, 'zero-pcr'),                  # C-13
        (40, 'pcr0-alone'),                # C-15
        (29, 'no-attestation-deny'),
    },
    'mistakes-producer.json': {
        (6, 'encrypt-directly'),           # Encrypt where GenerateDataKey is needed
        (14, 'resource-mismatch'),         # PutObject on the bucket itself
        (20, 'wildcard-action'), (21, 'wildcard-resource'),
    },
    'mistakes-consumer.json': {
        (7, 'wildcard-resource'), (10, 'unknown-condition-key'), (17, 'unknown-action'),
    },
    'mistakes-device.json': {(6, 'wildcard-action'), (7, 'wildcard-resource')},
    'mistakes-bucket.json': {(1, 'no-tls'), (1, 'no-vpc-endpoint'), (6, 'public-access')},
}


def mistakes():
    for name, expected in MISTAKES.items():
        code, report = found(HERE / name)
        got = {(f['line'], f['rule']) for f in report['findings']}
        check(f'{name}: every known error is reported', code == 3 and expected <= got, f'missing {expected - got}, got {got}')
    code, report = found(HERE / 'mistakes-consumer.json')
    mends = {f['rule']: f['mend'] for f in report['findings']}
    check('a misspelt action has a suggestion', 'sqs:ReceiveMessage' in mends['unknown-action'], mends)
    check('a false attestation key has the true ones', 'kms:RecipientAttestation:ImageSha384' in mends['unknown-condition-key'], mends)


GOOD = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Decrypt","Resource":"arn:aws:kms:eu-west-1:111122223333:key/k"}]}'
# What is typed, with @ at the place that has to be named, and a word of the mend.
MALFORMED = [
    (GOOD.replace('}]}', '}@,]}'), 'remove the comma'),
    (GOOD.replace('"Allow"', "@'Allow'"), 'double quotes'),
    (GOOD.replace('"Effect"', '@Effect'), 'double quotes'),
    (GOOD.replace('"Effect"', '@/* x */"Effect"'), 'Sid'),
    (GOOD.replace('"Effect"', '\n# x\n"Effect"').replace('# x', '@# x'), 'Sid'),
    (GOOD.replace('"Allow",', '@"Allow,\n'), 'same line'),
    (GOOD.replace('"Allow",', '"Allow"@\n'), 'between two items'),
    (GOOD.replace('"Effect":', '"Effect" @'), '"name": value'),
    ('@' + GOOD[:-1], 'closing bracket'),
    (GOOD.replace('}]}', '}@}}'), 'write ]'),
    (GOOD + '@' + GOOD, 'one document'),
    (GOOD.replace('"Allow"', '@\u201cAllow\u201d'), 'plain double quote'),
    (GOOD.replace('"Allow"', '@True'), 'small letters'),
    (GOOD.replace('"Allow"', '@01'), 'double quotes'),
    (GOOD.replace('Allow', 'Al@\\low'), 'backslash'),
    ('@', 'Version'),
]


def malformed():
    with tempfile.TemporaryDirectory() as tmp:
        path = Path(tmp) / 'x.json'
        for marked, word in MALFORMED:
            before, after = marked.split('@')
            line, column = before.count('\n') + 1, len(before.rpartition('\n')[2].encode()) + 1
            text = before + after
            path.write_text(text)
            code, report = found(path)
            f = report['findings'][0] if report['findings'] else {'rule': None}
            check(f'{text[:20]!r} ... ({word}): line, column, mend', code == 3 and len(report['findings']) == 1 and f['rule'] == 'json-syntax'
                  and (f['line'], f['column']) == (line, column) and word in f['mend'], report)
        path.write_bytes(b'\xef\xbb\xbf' + GOOD.encode())
        check('a byte order mark is named', [f['rule'] for f in found(path)[1]['findings']] == ['json-bom'])
        path.write_bytes(b'\xff' + GOOD.encode())
        check('bytes that are no text', found(path)[0] == 3)
        path.write_text(GOOD)
        code, out, err = lint(path)
        check('a clean policy: exit code 0', code == 0 and 'no errors' in out and not err, out + err)
        path.write_text(GOOD.replace('kms:Decrypt', 'kms:Encrypt'))
        code, out, err = lint(path)
        check('findings: exit code 3, place, rule, why, mend', code == 3 and out.startswith(f'{path}:1:{GOOD.index(chr(34) + "Action") + 1}: warning: ') and '[encrypt-directly]' in out
              and 'why:' in out and 'mend:' in out and err.startswith('coffer policy lint: error: 0 errors, 1 warnings'), out + err)
        code, out, err = lint('-', stdin=GOOD.encode())
        check('standard input', code == 0, out + err)
        code, out, err = lint(Path(tmp) / 'none.json')
        check('no such file: exit code 1', code == 1 and 'none.json' in err, err)
        code, out, err = lint('--kind', 'bucked', path)
        check('no such kind: exit code 2', code == 2 and 'bucket' in err, err)
        code, out, err = lint('--set', 'x', path)
        check('--set without =: exit code 2', code == 2 and '--set' in err, err)
        check('no file at all: exit code 2', lint()[0] == 2)
        path.write_text(GOOD.replace('key/k', 'key/${id}'))
        check('a hole without a value is named', [f['rule'] for f in found(path)[1]['findings']] == ['hole-without-value'])
        check('and filled by --set', found('--set', 'id=k', path)[0] == 0)


def deployment():
    code, report = found('--manifest', ROOT / 'deploy/local/manifest.json', ROOT / 'deploy/iam')
    other = [f for f in report['findings'] if f['rule'] not in ('put-key-policy', 'no-vpc-endpoint')]
    check('deploy/iam is clean', code == 0 and report['files'] >= 20 and not other and report['errors'] + report['warnings'] == 0, report['findings'])


def factor():
    """The administrator's role without MFA in its trust policy, and an identity policy that demands it where no session has it."""
    with tempfile.TemporaryDirectory() as tmp:
        shutil.copytree(ROOT / 'deploy/iam', Path(tmp) / 'iam')
        shutil.copytree(ROOT / 'deploy/local', Path(tmp) / 'local', ignore=shutil.ignore_patterns('*.c', '*.build'))
        manifest, trust, deployer = Path(tmp) / 'local/manifest.json', Path(tmp) / 'iam/trust-admin.json', Path(tmp) / 'iam/deployer.json'
        policy = json.loads(trust.read_text())
        del policy['Statement'][0]['Condition']
        trust.write_text(json.dumps(policy))
        policy = json.loads(deployer.read_text())
        policy['Statement'][0]['Condition'] = {'Bool': {'aws:MultiFactorAuthPresent': 'true'}}
        deployer.write_text(json.dumps(policy))
        code, report = found('--manifest', manifest)
        got = {(Path(f['file']).name, f['rule']) for f in report['findings'] if f['severity'] != 'note'}
        check('MFA missing where it counts, and demanded where it cannot be', code == 3 and ('trust-admin.json', 'put-key-policy-without-mfa') in got
              and ('deployer.json', 'mfa-in-role-session') in got, got)


def generated():
    """What `coffer policy generate` writes is clean, judged with its own manifest."""
    manifest = ROOT / 'examples/deployment.json'
    with tempfile.TemporaryDirectory() as tmp:
        subprocess.run([str(COFFER), 'policy', 'generate', '--manifest', str(manifest), '--out', tmp], check=True, capture_output=True, timeout=60)
        code, report = found('--manifest', manifest, tmp)
        check('generated policies are clean', code == 0 and report['files'] >= 20 and report['errors'] + report['warnings'] == 0, report['findings'])
        # One careless statement among them, as every tutorial has it.
        key = Path(tmp) / 'key-data.json'
        policy = json.loads(key.read_text())
        policy['Statement'] = [s for s in policy['Statement'] if s['Effect'] == 'Allow'] + [
            {'Sid': 'EnableRoot', 'Effect': 'Allow', 'Principal': {'AWS': 'arn:aws:iam::111122223333:root'}, 'Action': 'kms:*', 'Resource': '*'}]
        key.write_text(json.dumps(policy))
        rules = {f['rule'] for f in found('--manifest', manifest, tmp)[1]['findings'] if f.get('sid') == 'EnableRoot'}
        check('root delegation opens all paths', {'root-delegation', 'reachable-without-attestation', 'grant-path', 'reencrypt-path', 'replicate-path'} <= rules, rules)


def terraform():
    """The policies that Terraform alone has, which coffer-local cannot run: no errors, whatever their holes are called."""
    folder = ROOT / 'deploy/terraform/policies'
    names = {n for f in folder.glob('*.json') for n in re.findall(r'\$\{([a-z0-9_]+)\}', f.read_text())}
    kinds = (('log_group_arn', 'arn:aws:logs:eu-west-1:111122223333:log-group:x'), ('topic_arn', 'arn:aws:sns:eu-west-1:111122223333:x'),
             ('provider_arn', 'arn:aws:iam::111122223333:oidc-provider/tokens.example.com'), ('role', 'arn:aws:iam::111122223333:role/x'),
             ('key', 'arn:aws:kms:eu-west-1:111122223333:key/x'), ('queue', 'arn:aws:sqs:eu-west-1:111122223333:x'), ('issuer', 'tokens.example.com'),
             ('endpoint', 'vpce-1'), ('account', '111122223333'), ('region', 'eu-west-1'), ('', 'x'))
    values = [x for n in sorted(names) for x in ('--set', f'{n}=' + next(value for part, value in kinds if part in n))]
    if not list(folder.glob('*.json')):
        return
    code, report = found(*values, folder)
    errors = [f for f in report['findings'] if f['severity'] == 'error']
    check(f'deploy/terraform/policies: {report["files"]} files without an error', not errors and report['files'] > 3, errors)


def document():
    rules = lint('--rules')[1]
    check('docs/policy-check.md has the rules of the program', len(rules.splitlines()) > 60 and rules in (ROOT / 'docs/policy-check.md').read_text(),
          'put the output of `coffer policy lint --rules` there')


originals()
mistakes()
malformed()
deployment()
factor()
generated()
terraform()
document()
print(f'1..{len(results)}')
for i, (name, ok, detail) in enumerate(results, 1):
    print(f'{"ok" if ok else "not ok"} {i} - {name}')
    if not ok:
        print('# ' + detail[:1500].replace('\n', '\n# '))
