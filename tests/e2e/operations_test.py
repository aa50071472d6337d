#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/OPERATIONS.md on one machine: each of its blocks of commands is run as it stands, in a shell, with the words in capitals filled in. What is
only of this machine is added by wrappers: the stand-in's certificates and root, a systemctl and a runuser that start what the units start."""
import contextlib, importlib.machinery, importlib.util, json, os, re, shutil, signal, ssl, stat, subprocess, sys, urllib.request
from pathlib import Path

SOURCE, BUILD = Path(os.environ['COFFER_SOURCE']), Path(os.environ['COFFER_BUILD']).resolve()
sys.path.insert(0, str(SOURCE / 'tests/tools'))
from local import Checks

loader = importlib.machinery.SourceFileLoader('demo', str(SOURCE / 'deploy/local/demo'))
demo = importlib.util.module_from_spec(importlib.util.spec_from_loader('demo', loader))
loader.exec_module(demo)
check = Checks()
PAGE = (SOURCE / 'docs/OPERATIONS.md').read_text()
BLOCKS = re.findall(r'^```\n(.*?)^```', PAGE, re.S | re.M)
ran = set()


def block(holding):
    found = [i for i, b in enumerate(BLOCKS) if holding in b]
    assert len(found) == 1, (holding, len(found))
    ran.add(found[0])
    return BLOCKS[found[0]]


class Walk(demo.Demo):
    def begin(self):
        self.set_up()
        demo.root_certificate(self)
        self.tools = self.dir / 'tools'
        self.tools.mkdir()
        ca, root = self.data / 'tls/ca.pem', self.dir / 'hypervisor-root.pem'
        self.tool('coffer', f'case "$1 $2 $3" in submit*|status*) set -- "$@" --ca-file {ca} ;; result*|"receipt verify"*|"policy rollover prove") set -- "$@" --root {root} ;; esac\n'
                  f'exec {self.bin["coffer"]} "$@"')
        if shutil.which('aws'): # whose version 1 asks AWS's own queue service whatever the environment says
            self.tool('aws', f'exec {shutil.which("aws")} --endpoint-url "$AWS_ENDPOINT_URL" --region us-east-1 "$@"')
        self.words = {'DATA_ARN': self.key_arn('data'), 'RESULTS_ARN': self.key_arn('results'), 'TENANT': self.TENANT, 'BUCKET': self.BUCKET}
        self.learn_pcrs()

    def learn_pcrs(self):
        self.words |= {f'PCR{n}': self.pcrs[f'PCR{n}'] for n in range(3)}

    def tool(self, name, text):
        (self.tools / name).write_text(f'#!/bin/sh\n{text}\n')
        (self.tools / name).chmod(0o755)

    def sh(self, text, who=None, **words):
        """-> exit code, what was printed. Every word in capitals that is not filled in stays, and the command fails of it."""
        words = self.words | words
        text = re.sub(r'\b[A-Z][A-Z0-9_]+\b', lambda m: str(words.get(m[0], m[0])), text)
        env = self.environment(who) | {'PATH': f'{self.tools}:{os.environ["PATH"]}'}
        p = subprocess.run(['sh', '-eu', '-c', text], capture_output=True, text=True, cwd=self.dir, env=env, stdin=subprocess.DEVNULL, timeout=150)
        return p.returncode, p.stdout + p.stderr

    def token(self):
        client = dict(l.split('=', 1) for l in (self.data / f'credentials/{self.TENANT}.oauth').read_text().split())
        body = f'grant_type=client_credentials&client_id={client["client_id"]}&client_secret={client["client_secret"]}'.encode()
        tls = ssl.create_default_context(cafile=str(self.data / 'tls/ca.pem'))
        with urllib.request.urlopen(f'https://localhost:{self.port}/oauth/token', body, 20, context=tls) as answer:
            (self.dir / 'token').write_text(json.loads(answer.read())['access_token'])

    def other_image(self):
        config = json.loads(self.config.read_text())
        self.config = self.dir / 'enclave-new.json'
        self.config.write_text(json.dumps(config | {'visibility_s': 61}, indent=1) + '\n')
        self.pcrs = self.measure()
        (self.dir / 'new.json').write_text(json.dumps(self.pcrs))


def prove(w, words):
    """The block that proves a deployment by a job of one's own: the first command prints the job that the others name."""
    first, second, third = block('coffer submit').splitlines()
    code, job = w.sh(first)
    check(f'{words}: a job is accepted', code == 0 and re.fullmatch(r'[0-9a-f]{32}\n', job), job)
    code, said = w.sh(second, JOB=job.strip())
    check(f'{words}: and done', code == 0, said)
    (w.dir / 'out.json').unlink(missing_ok=True)
    (w.dir / 'receipt').unlink(missing_ok=True)
    code, said = w.sh(third, who='owner', JOB=job.strip())
    check(f'{words}: and its owner is told what was proved', code == 0 and (w.dir / 'out.json').exists() and (w.dir / 'receipt').exists() and w.pcrs['PCR0'] in said, said)


def deployment(w):
    shutil.copy(SOURCE / 'examples/deployment.json', w.dir)
    code, said = w.sh(block('--out policies/\ncoffer policy lint'))
    check('the policies are written, and clean', code == 0 and 'no errors, no warnings' in said and len(list((w.dir / 'policies').glob('*.json'))) >= 20, said)
    w.token()
    w.start_producer()
    w.words['URL'] = f'https://localhost:{w.producer_port}'
    subprocess.run([str(w.picture), str(w.dir / 'photo.jpg'), '2'], check=True)
    host = w.start_host()
    prove(w, 'a deployment from nothing')
    code, said = w.sh(block('coffer receipt verify'))
    check('its receipt holds by itself', code == 0, said)
    code, said = w.sh(block('coffer receipt verify').replace('1=PCR1', f'1={"ab" * 48}'))
    check('and not for another image', code == 3, said)
    return host


def rollover(w, host):
    w.other_image()
    code, said = w.sh(block('rollover stage'), who='admin')
    check('a new image is planned and staged', code == 0 and w.pcrs['PCR0'] in said, said)
    w.stop_host(host)
    w.start_host()
    w.learn_pcrs()
    prove(w, 'the new image beside the old one')
    code, said = w.sh(block('rollover prove'), who='admin')
    check('its receipt proves it', code == 0, said)
    code, said = w.sh(block('rollover finish'), who='admin')
    check('the rollover is finished, and its history tells all of it', code == 0 and all(e in said for e in ('Staged', 'Proved', 'Finished')), said)
    code, said = w.sh('coffer policy rollover abort --history rollover.jsonl', who='admin')
    check('and there is nothing left to go back from', code == 2, said)


def incidents(w):
    code, said = w.sh(block('--policies policies/ --matrix'))
    check('what each role could have done', code == 0 and 'kms:Decrypt' in said, said[-500:])
    compare = block('aws kms get-key-policy')
    if shutil.which('aws'):
        code, said = w.sh(compare.partition('\n')[0], who='admin')
        check('the key\'s policy is fetched', code == 0, said)
    else:
        check.skip('the key\'s policy is fetched', 'no aws here')
    # it is the stand-in's, and the manifest is another deployment's: it differs; then as an account lays it out, without white space
    rest = compare.partition('\n')[2]
    (w.dir / 'policies/key-data.json').write_text('{}')
    code, said = w.sh(rest)
    check('a policy that was changed is told', code != 0 and 'differs policies//key-data.json' in said and 'it differs' in said, said)
    w.sh('coffer policy generate --manifest deployment.json --out policies/')
    file = w.dir / 'policies/key-data.json'
    file.write_text(json.dumps(json.loads(file.read_text()), separators=(',', ':')))
    code, said = w.sh(rest)
    check('one that was not is none, however it is laid out', code == 0 and 'it differs' not in said and 'up to date' in said, said)
    redrive = block('start-message-move-task')
    if shutil.which('aws'):
        code, said = w.sh(redrive, who='admin', DEAD_LETTER_QUEUE_ARN=f'arn:aws:sqs:us-east-1:{w.ACCOUNT}:coffer-jobs-dead')
        check('dead letters are sent back', code == 0 and 'TaskHandle' in said, said)
    else:
        check.skip('dead letters are sent back', 'no aws here')


def wrap_anew(w):
    """As root of an account of its own with two keys and a bucket: no role of a deployment may do it (the page says so)."""
    ids = [f'0c0ffe00-4e4e-4000-8000-00000000000{i}' for i in (1, 2)]
    arns = [f'arn:aws:kms:us-east-1:{w.ACCOUNT}:key/{i}' for i in ids]
    policy = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': {'AWS': f'arn:aws:iam::{w.ACCOUNT}:root'}, 'Action': 'kms:*', 'Resource': '*'}]}
    (w.dir / 'two-keys.json').write_text(json.dumps({'account': w.ACCOUNT, 'region': 'us-east-1', 'credentials': [{'name': 'root', 'root': True}],
        'keys': [{'id': i, 'policy': policy} for i in ids], 'buckets': [{'name': 'vault', 'versioning': True}]}))
    other = Walk.__new__(Walk)
    other.__dict__ |= w.__dict__ | {'data': w.dir / 'two', 'running': [], 'port': None}
    try:
        other.run('coffer-local', ['init', '-d', other.data, '-m', w.dir / 'two-keys.json'])
        _, words = other.start('coffer-local', ['serve', '-d', other.data, '--listen', 'tcp:127.0.0.1:0'])
        other.port = int(words[0])
        for name in ('a', 'b'):
            for version in ('one', 'two'):
                (w.dir / 'x').write_text(version)
                other.run('coffer', ['put', '-e', 'sse-kms', '--kms-key-id', arns[0], w.dir / 'x', f's3://vault/edge/{name}'], who='root')
        code, said = other.sh(block('coffer rewrap'), who='root', NEW_ARN=arns[1], BUCKET='vault', PREFIX='edge')
        check('objects are looked at, then the newest versions and then all wrapped anew', code == 0, said)
        code, said = other.sh(block('coffer rewrap').splitlines()[2].partition('#')[0] + ' --json', who='root', NEW_ARN=arns[1], BUCKET='vault', PREFIX='edge')
        told = [json.loads(l) for l in said.splitlines()]
        check('after which there is nothing to do', code == 0 and len(told) == 4 and all('already' in t for t in told), said)
    finally:
        for _, p in other.running:
            p.kill()
            p.wait()


def one_machine(w):
    """The service of the package: its unit's command line under a systemctl of ours, its folders moved."""
    unit = (SOURCE / 'packaging/coffer-local.service').read_text()
    state, backup = w.dir / 'lib/coffer-local', w.dir / 'backup'
    for folder in (state, backup):
        folder.mkdir(parents=True)
    serve = re.search(r'^ExecStart=/usr/bin/(.*) \$OPTIONS', unit, re.M)[1].replace('/var/lib/coffer-local', str(state))
    manifest = SOURCE / 'deploy/local/manifest.json'
    moved = lambda text: text.replace('/var/lib/coffer-local', str(state)).replace('/srv/backup', str(backup))
    w.tool('coffer-local', f'exec {w.bin["coffer-local"]} "$@"')
    w.tool('runuser', 'shift 3\nexec "$@"')
    w.tool('chown', ':') # to the service's user, who is not here
    # Type=exec waits for the program to run; here for its first line
    w.tool('systemctl', f'''case $* in
*start*|*enable*) {serve} --listen tcp:127.0.0.1:0 >{w.dir}/served 2>{w.dir}/service.log </dev/null & echo $! >{w.dir}/service.pid
    until grep -q ^ready {w.dir}/served; do kill -0 $(cat {w.dir}/service.pid) || {{ cat {w.dir}/service.log; exit 1; }}; sleep 0.05; done ;;
*stop*) pid=$(cat {w.dir}/service.pid); kill $pid; while kill -0 $pid 2>/dev/null; do sleep 0.05; done; rm {w.dir}/service.pid {w.dir}/served ;;
esac''')
    subprocess.run([str(w.bin['coffer-local']), 'init', '-d', str(state / 'data'), '-m', str(manifest), *(x for n in range(3) for x in ('--set', f'pcr{n}={"ab" * 48}'))],
                   check=True, capture_output=True)
    try:
        code, said = w.sh(moved(block('systemctl enable')))
        check('one machine: the service starts, tells of itself, and says what to paste', code == 0 and 'serving https://' in said and 'AWS_ACCESS_KEY_ID=' in said, said)
        code, said = w.sh(moved(block('coffer-local backup /var')))
        check('a backup is made while it serves, is in order, and is carried away', code == 0 and (backup / 'today').is_dir(), said)
        code, said = w.sh(f'coffer-local backup /proc/none -d {state}/data')
        check('one that the service cannot write says where it can', code == 1 and 'cannot make /proc/none' in said and 'below /var/lib/coffer-local' in said, said)
        before = (state / 'data/credentials/root.env').read_bytes()
        (state / 'data/credentials/root.env').write_bytes(b'broken')
        code, said = w.sh(moved(block('systemctl stop')))
        check('it is put in the place of what was broken, and serves', code == 0 and (state / 'data/credentials/root.env').read_bytes() == before and (state / 'before').is_dir(), said)
        code, said = w.sh(f'coffer-local status -d {state}/data --json')
        check('coffer-local status --json', code == 0 and json.loads(said.splitlines()[0]), said)
    finally:
        pid = w.dir / 'service.pid'
        if pid.exists():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid.read_text()), signal.SIGTERM)


w = Walk(BUILD, False)
try:
    w.begin()
    rollover(w, deployment(w))
    incidents(w)
    wrap_anew(w)
    one_machine(w)
    check('each block of the page was run', ran == set(range(len(BLOCKS))), [BLOCKS[i] for i in set(range(len(BLOCKS))) - ran])
finally:
    w.stop()
sys.exit(check.done())
