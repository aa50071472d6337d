#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coffer policy generate: all policies from the sample manifest, held against the templates filled in here by other means (in Terraform's
way too); supplements only where they are asked for; --check; images and models from files; what is wrong told with line and column."""
import json, os, shutil, subprocess, sys, tempfile
from pathlib import Path

SOURCE = Path(os.environ['COFFER_SOURCE'])
sys.path.insert(0, str(SOURCE / 'tests/tools'))
from local import COFFER, Checks

IAM = SOURCE / 'deploy/iam'
SAMPLE = json.loads((SOURCE / 'examples/deployment.json').read_text())
A, R = SAMPLE['account'], SAMPLE['region']


def coffer(*argv):
    p = subprocess.run([str(COFFER), 'policy', 'generate', *map(str, argv)], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    return p.returncode, p.stdout, p.stderr


def values(m):
    v = {'account': A, 'region': R, 'bucket': m['bucket']}
    v.update({f'{k}_key_arn': f'arn:aws:kms:{R}:{A}:key/{m["keys"][k]}' for k in ('data', 'results', 'models', 'storage')})
    v.update({f'{k}_queue_arn': f'arn:aws:sqs:{R}:{A}:{n}' for k, n in (('jobs', 'coffer-jobs'), ('dead_letter', 'coffer-jobs-dead'))})
    v.update({f'{k}_role_arn': f'arn:aws:iam::{A}:role/coffer-{k}' for k in ('producer', 'consumer', 'owner', 'deployer', 'auditor', 'admin')})
    for i in range(3):
        v[f'pcr{i}'] = list(dict.fromkeys(image[f'PCR{i}'] for image in m['images']))
    v['pcr16'] = [model['PCR16'] for model in m.get('models', [])]
    return {**v, 'vpc_endpoint': m.get('vpc_endpoints', []), 'source_account': m.get('source_accounts', [])}


def as_terraform(name, m):
    """What templatefile() gives when lists are handed over as join("\\",\\"", list)."""
    text = (IAM / f'{name}.json').read_text()
    for key, value in values(m).items():
        text = text.replace('${' + key + '}', '","'.join(value) if isinstance(value, list) else value)
    return json.loads(text)


def expected(name, m, folders):
    policy = as_terraform(name, m)
    for folder in folders:
        if (IAM / folder / f'{name}.json').exists():
            for statement in as_terraform(f'{folder}/{name}', m)['Statement']:
                at = [i for i, s in enumerate(policy['Statement']) if s['Sid'] == statement['Sid']]
                policy['Statement'][at[0] if at else len(policy['Statement']):at[0] + 1 if at else None] = [statement]
    return policy


def compare(check, tmp, title, manifest, folders):
    (tmp / 'm.json').write_text(json.dumps(manifest, indent=2))
    out = tmp / 'out'
    shutil.rmtree(out, ignore_errors=True)
    code, said, why = coffer('-m', tmp / 'm.json', '-o', out)
    names = sorted(p.stem for p in IAM.glob('*.json'))
    check(f'{title}: every policy of deploy/iam is written', code == 0 and sorted(p.stem for p in out.iterdir()) == names, said + why)
    wrong = [n for n in names if json.loads((out / f'{n}.json').read_text()) != expected(n, manifest, folders)]
    check(f'{title}: and says what the template says, filled in', not wrong, wrong)
    first = {n: (out / f'{n}.json').read_bytes() for n in names}
    check(f'{title}: as deploy/iam is written, two spaces deep', all(first[n] == (json.dumps(json.loads(first[n]), indent=2) + '\n').encode() for n in names))
    for name in names:
        (out / f'{name}.json').unlink()
    coffer('-m', tmp / 'm.json', '-o', out)
    check(f'{title}: the same bytes each time', all((out / f'{n}.json').read_bytes() == first[n] for n in names))
    p = subprocess.run([str(COFFER), 'policy', 'lint', out], capture_output=True, text=True, timeout=60)
    check(f'{title}: the linter finds nothing, judging them together', p.returncode == 0 and f'{len(names)} files: no errors, no warnings' in p.stdout, p.stdout + p.stderr)


def two_images(m):
    second = {k: v[::-1] for k, v in m['images'][0].items() if k != '$comment'}
    second['PCR1'] = m['images'][0]['PCR1']
    return {**m, 'images': [m['images'][0], second]}


def outputs(check, tmp):
    (tmp / 'm.json').write_text(json.dumps(SAMPLE))
    out = tmp / 'out'
    shutil.rmtree(out, ignore_errors=True)
    code, said, why = coffer('-m', tmp / 'm.json', '-o', out, '--check')
    check('--check of a folder that is not there: 3', code == 3 and not out.exists(), (code, why))
    code, said, _ = coffer('-m', tmp / 'm.json', '-o', out, '--json')
    check('--json tells what was written', code == 0 and len(json.loads(said)['written']) == len(list(IAM.glob('*.json'))), said)
    code, said, _ = coffer('-m', tmp / 'm.json', '-o', out, '--check')
    check('--check: up to date', code == 0 and 'up to date' in said, said)
    before = (out / 'owner.json').stat().st_mtime_ns
    code, said, _ = coffer('-m', tmp / 'm.json', '-o', out)
    check('what is right already is not written again', code == 0 and (out / 'owner.json').stat().st_mtime_ns == before and 'written' not in said, said)
    (out / 'key-data.json').write_text((out / 'key-data.json').read_text().replace('DenyOtherPcr1', 'AllowOtherPcr1'))
    code, said, _ = coffer('-m', tmp / 'm.json', '-o', out, '--check', '--json')
    check('--check names the policy that was changed by hand', code == 3 and json.loads(said) == {'upToDate': False, 'policies': 20, 'differ': ['key-data.json']}, said)
    code, said, _ = coffer('-m', tmp / 'm.json')
    check('without --out: one JSON object of all', code == 0 and json.loads(said)['owner'] == json.loads((out / 'owner.json').read_text()))


def from_files(check, tmp):
    (tmp / 'sub').mkdir()
    image = {k: v for k, v in SAMPLE['images'][0].items() if k != '$comment'}
    (tmp / 'sub/i.json').write_text(json.dumps({'EifVersion': 4, 'CheckCRC': True, 'IsSigned': False, 'Measurements': {'HashAlgorithm': 'Sha384 { ... }', **image}}))
    (tmp / 'sub/model.json').write_text(json.dumps({'PCR16': SAMPLE['models'][0]['PCR16'], 'sha384': '0', 'sha256': '0'}))
    (tmp / 'sub/m.json').write_text(json.dumps({**SAMPLE, 'images': [{'$file': 'i.json'}], 'models': [{'$file': 'model.json'}]}))
    (tmp / 'm.json').write_text(json.dumps(SAMPLE))
    check('images and models from files beside the manifest', coffer('-m', tmp / 'sub/m.json')[1] == coffer('-m', tmp / 'm.json')[1] != '')
    described = json.loads((tmp / 'sub/i.json').read_text())
    for name, change, says in (('a damaged image', {'CheckCRC': False}, 'i.json: the image\'s CRC is wrong'),
                               ('a signature that does not hold', {'SignatureCheck': False}, 'signature does not hold')):
        (tmp / 'sub/i.json').write_text(json.dumps({**described, **change}))
        code, _, why = coffer('-m', tmp / 'sub/m.json')
        check(f'{name} is refused', code == 3 and says in why, why)
    (tmp / 'sub/i.json').unlink()
    code, _, why = coffer('-m', tmp / 'sub/m.json')
    check('a file that is not there is named', code == 1 and 'sub/i.json' in why, why)


def refusals(check, tmp):
    text = json.dumps(SAMPLE, indent=2)
    zeros = '0' * 96
    for title, old, new, where, says, hint in (
            ('an unknown member', '"region"', '"regoin"', 'line 4, column 3', 'unknown member: regoin', 'did you mean "region"?'),
            ('a PCR of wrong length', 'f1e2d3c4', 'f1', 'line 29, column 7', 'and this has 90', 'eif describe'),
            ('a PCR of zeros', SAMPLE['images'][0]['PCR2'], zeros, 'line 31, column 7', 'every debug enclave', ''),
            ('an account of wrong length', '"111122223333"', '"11112222333"', 'line 3, column 3', 'twelve digits', ''),
            ('one role for two', '"coffer-auditor"', '"coffer-admin"', 'line 24, column 5', 'the same as another one', 'it is "auditor" already'),
            ('an alias', '"1234abcd-12ab-34cd-56ef-1234567890ab"', '"alias/coffer"', 'line 8, column 5', 'a key by its alias', 'can be pointed at another key'),
            ('JSON that ends early', '}\n  ],\n  "vpc', '\n  ],\n  "vpc', 'line 39, column 3', 'the wrong closing bracket', 'write }'),
            ('JSON without a comma', '"eu-west-1",', '"eu-west-1"', 'line 4, column 24', 'a comma is missing', 'put one between'),
            ('no image yet', json.dumps(SAMPLE['images'], indent=2).replace('\n', '\n  '), '[]', 'line 26, column 3', 'a list of 1 to 8', '96 f')):
        assert old in text, old
        (tmp / 'bad.json').write_text(text.replace(old, new, 1))
        code, out, why = coffer('-m', tmp / 'bad.json')
        check(f'refused: {title}', code == 2 and not out and where in why and says in why and hint in why, why)
    code, _, why = coffer()
    check('--manifest is needed', code == 2 and '--manifest' in why)
    code, _, why = coffer('-m', tmp / 'm.json', '--check')
    check('--check wants a folder', code == 2 and '--out' in why)


def main():
    check = Checks()
    tmp = Path(tempfile.mkdtemp(prefix='coffer-test-'))
    try:
        bare = {k: v for k, v in SAMPLE.items() if k not in ('models', 'vpc_endpoints', 'source_accounts', 'queues', 'roles')}
        compare(check, tmp, 'the least', bare, ())
        compare(check, tmp, 'two images', two_images(bare), ())
        compare(check, tmp, 'everything', two_images(SAMPLE), ('when-models', 'when-source-accounts', 'when-endpoints'))
        outputs(check, tmp)
        from_files(check, tmp)
        refusals(check, tmp)
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
    sys.exit(check.done())


main()
