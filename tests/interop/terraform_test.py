#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Proves of deploy/terraform what can be proved without a cloud: every policy comes out of a template, and Terraform fills them in as
`coffer policy generate` does; no resource goes round the rules; format and validation. Skipped by parts where Terraform or a mirror of the
AWS provider (COFFER_TERRAFORM_MIRROR, ~/.terraform.d/plugins and the like) is absent. terraform_apply_test.py applies it."""
import json, os, re, shutil, subprocess, sys, tempfile, time
from pathlib import Path

SOURCE = Path(os.environ['COFFER_SOURCE'])
sys.path[:0] = [str(SOURCE / 'tests/tools'), str(Path(__file__).parent / 'terraform')]
import node
from local import COFFER, Checks
from world import REGION, Terraform, generated, mirror

TF, IAM = SOURCE / 'deploy/terraform', SOURCE / 'deploy/iam'
check = Checks()
begin = time.monotonic()


def lap(what):
    print(f'# {time.monotonic() - begin:5.1f} s  {what}', flush=True)


# What can be read off the files ---------------------------------------------------------------------------------------------------
def blocks(text):
    """-> [(header, body)] of the blocks at the beginning of a line, as terraform fmt lays them out"""
    return re.findall(r'^(\w+(?: "[^"]+")*) \{\n(.*?)^\}', text, re.M | re.S)


def static():
    files = sorted(TF.rglob('*.tf'))
    texts = {f: f.read_text() for f in files}
    check('every file names its licence', all(t.startswith('# SPDX-License-Identifier: Apache-2.0\n') for t in texts.values()))
    stray, wild, dumb = [], [], []
    for f, text in texts.items():
        for header, body in blocks(text):
            name = f'{f.relative_to(TF)}: {header}'
            if header.startswith('resource'):
                for argument, value in re.findall(r'^\s*(policy|assume_role_policy|access_policy|inline_policy)\s*=\s*(.+)$', body, re.M):
                    if not re.fullmatch(r'module\.\w*policy\w*(\[[^]]+\])?\.json|module\.(boundary|trust|setup|machine|through_s3)(\[[^]]+\])?\.json|each\.value\.json', value):
                        stray.append(f'{name}: {argument} = {value}')
            if 'aws_iam_policy_document' in header or '<<' in body and '"Statement"' in body:
                stray.append(name)
            if re.search(r'0\.0\.0\.0/0|::/0', re.sub(r'description\s*=.*', '', body)) and header != 'resource "aws_route" "public"':
                wild.append(name)
            if header.startswith(('variable', 'output')) and 'description' not in body:
                dumb.append(name)
    check('every policy comes out of a template', not stray, '\n'.join(stray))
    check('only the route of the public subnets says everywhere', not wild, '\n'.join(wild))
    check('every variable and output is described', not dumb, '\n'.join(dumb))
    everything = '\n'.join(texts.values())
    roles = ['producer', 'consumer', 'owner', 'deployer', 'auditor', 'admin']
    named = set(re.findall(r'"(?:iam|terraform/policies)/([\w-]+)"', everything)) | {f'key-{k}' for k in ('data', 'results', 'models', 'storage')}
    named |= {f'trust-{r}' for r in roles} | set(roles) | {'through-s3-both', 'through-s3-read'} | {f'endpoint-{s}' for s in ('s3', 'kms', 'sqs', 'sts')}
    there = {f.stem for folder in (IAM, TF / 'policies') for f in folder.glob('*.json')}
    # device-s3 is for users whom no deployment can name beforehand
    check('no template is left out', there - named == {'device-s3'}, there ^ named)
    kinds = {}
    for f, text in texts.items():
        for kind, name in re.findall(r'^resource "(\w+)" "(\w+)"', text, re.M):
            kinds.setdefault(kind, []).append(f'{f.relative_to(TF)}: {name}')
    check('no resource that goes round the rules', not set(kinds) & {
        'aws_kms_alias', 'aws_kms_grant', 'aws_key_pair', 'aws_iam_user', 'aws_iam_access_key', 'aws_iam_role_policy_attachment', 'aws_security_group_rule',
        'aws_s3_bucket_acl', 'aws_kms_key_policy', 'aws_instance'}, kinds)
    for bucket in ('versioning', 'public_access_block', 'ownership_controls', 'server_side_encryption_configuration', 'policy'):
        check(f'every bucket has its {bucket.replace("_", " ")}', len(kinds[f'aws_s3_bucket_{bucket}']) == len(kinds['aws_s3_bucket']), kinds[f'aws_s3_bucket_{bucket}'])
    for f in sorted((TF / 'policies').glob('*.json')):
        document = json.loads(f.read_text())
        if document['Id'] != f.stem or len({s['Sid'] for s in document['Statement']}) != len(document['Statement']) or \
                f.read_text() != json.dumps(document, indent=2) + '\n':
            check(f'{f.name}: its Id is its name, Sids are there once, two spaces of indent', False)


# What a lint says of the templates that only AWS has a use for, filled in; those of deploy/iam are linted elsewhere. Allowed to say:
LINT_SAYS = {('boundary', 'wildcard-resource'),  # keys are made after the roles, so a boundary cannot name them; their own policies do
             ('admin-setup', 'wildcard-resource'),  # the ids of keys that are to be made are not known
             ('key-audit', 'encrypt-directly')}  # as CloudWatch Logs demands


def lint():
    arn = {'provider_arn': 'iam::{a}:oidc-provider/issuer', 'log_group_arn': 'logs:{r}:{a}:log-group:/coffer/trail', 'topic_arn': 'sns:{r}:{a}:coffer-alarms',
           'jobs_queue_arn': 'sqs:{r}:{a}:coffer-jobs'}
    text = {'account': '111122223333', 'region': REGION, 'bucket': 'vault', 'artifacts': 'vault-artifacts', 'name': 'coffer', 'trail': 'coffer-trail',
            'log_group': '/coffer/machines', 'issuer': 'tokens.example.com', 'audience': 'coffer', 'subject': 'owner'}

    def value(m):
        where = arn.get(m[1]) or (f'iam::{{a}}:role/coffer-{m[1][:-9]}' if m[1].endswith('_role_arn') else 'kms:{r}:{a}:key/1234abcd-12ab-34cd-56ef-1234567890ab')
        part = '' if where.startswith('iam') else REGION
        return text.get(m[1]) or f'arn:aws:{where.format(a=text["account"], r=part)}'

    with tempfile.TemporaryDirectory() as tmp:
        for f in sorted((TF / 'policies').glob('*.json')):
            file = Path(tmp) / f.name
            file.write_text(re.sub(r'\$\{([a-z_]+)\}', value, f.read_text()))
            kind = 'trust' if f.stem.startswith('trust') else 'resource' if re.match('key|endpoint|.*bucket|topic', f.stem) else 'identity'
            p = subprocess.run([str(COFFER), 'policy', 'lint', '--kind', kind, str(file)], capture_output=True, text=True, timeout=60)
            said = {(f.stem, code) for code in re.findall(r'\[([\w-]+)\] in ', p.stdout + p.stderr)}
            check(f'coffer policy lint has nothing against {f.stem}', p.returncode in (0, 3) and said <= LINT_SAYS and (p.returncode == 0) == (not said), p.stdout + p.stderr)


# Without Terraform: npm's parser -----------------------------------------------------------------------------------------------------
def parse_with_npm():
    folder = Path(__file__).parent / 'terraform'
    try:
        place = node.packages(folder, 'hcl')
    except node.Absent as why:
        return check.skip('every file parses (npm)', str(why))
    p = subprocess.run(['node', str(folder / 'parse.js'), *map(str, sorted(TF.rglob('*.tf')))], capture_output=True, text=True, timeout=120,
                       env=os.environ | {'NODE_PATH': str(place / 'node_modules')})
    check('every file parses (npm)', p.returncode == 0, p.stdout + p.stderr)
    bad = subprocess.run(['node', str(folder / 'parse.js'), str(SOURCE / 'README.md')], capture_output=True, env=os.environ | {'NODE_PATH': str(place / 'node_modules')})
    check('and what is none does not', bad.returncode != 0)


# Policies: Terraform's rendering and ours ---------------------------------------------------------------------------------------------
def manifest(images=1, **more):
    pcr = lambda n, i: f'{n}{i}' + '0123456789abcdef' * 5 + '0123456789abcd'
    return {'account': '111122223333', 'region': REGION, 'bucket': 'vault', 'keys': {k: f'{k}-id' for k in ('data', 'results', 'models', 'storage')},
            'images': [{f'PCR{n}': pcr(n, i) for n in range(3)} for i in range(1, images + 1)], **more}


def render(tf):
    """The policy module alone, which needs no provider, over several shapes of deployment."""
    shutil.copy(Path(__file__).parent / 'terraform/render/main.tf', tf.tmp / 'main.tf')
    tf.good(tf.tmp, 'init', '-input=false', '-backend=false')
    sixteen = [c * 96 for c in '12']
    for name, m in (('one image', manifest()), ('two images', manifest(2)), ('models', manifest(1, models=sixteen)),
                    ('endpoints', manifest(2, vpc_endpoints=['vpce-0a1b2c3d', 'vpce-4e5f6071'])),
                    ('everything', manifest(3, models=sixteen, vpc_endpoints=['vpce-0a1b2c3d'], source_accounts=['222233334444', '333344445555']))):
        a, r = m['account'], m['region']
        ours = generated(tf, m)
        values = {'account': a, 'region': r, 'bucket': m['bucket'], 'jobs_queue_arn': f'arn:aws:sqs:{r}:{a}:coffer-jobs',
                  'dead_letter_queue_arn': f'arn:aws:sqs:{r}:{a}:coffer-jobs-dead'}
        values |= {f'{k}_key_arn': f'arn:aws:kms:{r}:{a}:key/{v}' for k, v in m['keys'].items()}
        values |= {f'{k}_role_arn': f'arn:aws:iam::{a}:role/coffer-{k}' for k in ('producer', 'consumer', 'owner', 'deployer', 'auditor', 'admin')}
        lists = {f'pcr{n}': [i[f'PCR{n}'] for i in m['images']] for n in range(3)}
        lists |= {'pcr16': m.get('models', []), 'vpc_endpoint': m.get('vpc_endpoints', []), 'source_account': m.get('source_accounts', [])}
        (tf.tmp / 'terraform.tfvars.json').write_text(json.dumps({'folder': str(tf.tmp), 'values': values, 'lists': lists}))
        tf.good(tf.tmp, 'apply', '-auto-approve', '-input=false')
        theirs = {k: json.loads(v) for k, v in json.loads(tf.good(tf.tmp, 'output', '-json', 'policies')).items()}
        check(f'Terraform and coffer policy generate fill in the same ({name})', theirs == ours and len(ours) >= 20,
              [k for k in set(ours) | set(theirs) if ours.get(k) != theirs.get(k)])


def main():
    static()
    lint()
    if not shutil.which('terraform'):
        parse_with_npm()
        check.skip('terraform fmt, validate, policies', 'no terraform here')
        return check.done()
    p = subprocess.run(['terraform', 'fmt', '-check', '-recursive', '-list=true', str(TF)], capture_output=True, text=True, timeout=60,
                       env=os.environ | {'CHECKPOINT_DISABLE': '1'})
    check('terraform fmt changes nothing', p.returncode == 0, p.stdout + p.stderr)
    if mirror() is None:
        parse_with_npm()
        check.skip('terraform validate, policies', 'no mirror of the AWS provider here: see COFFER_TERRAFORM_MIRROR')
        return check.done()
    tf = Terraform()
    try:
        render(tf)
        lap('policies rendered')
        for folder in ('admin', 'one-region'):
            tf.good(tf.root / f'examples/{folder}', 'init', '-input=false')
            p = tf.run(tf.root / f'examples/{folder}', 'validate')
            check(f'terraform validate: {folder}', p.returncode == 0, p.stdout + p.stderr)
        lap('validated')
    finally:
        tf.close()
    return check.done()


if __name__ == '__main__':
    sys.exit(main())
