#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an instance of deploy/terraform runs first (boot/aws.py): it fetches packages with the role's credentials from the metadata service,
signed so that coffer-local takes it, allowed by the very policies that Terraform attaches; what is not the bytes it should be does not appear."""
import hashlib, http.server, json, os, shutil, subprocess, sys, threading, urllib.parse
from pathlib import Path

SOURCE = Path(os.environ['COFFER_SOURCE'])
sys.path.insert(0, str(SOURCE / 'tests/tools'))
from local import ACCOUNT, Checks, Local

TF = SOURCE / 'deploy/terraform'
REGION, VAULT = 'us-east-1', 'vault-artifacts'
check = Checks()


def policy(file, **values):
    text = (SOURCE / f'deploy/{file}.json').read_text()
    for name, value in values.items():
        text = text.replace('${' + name + '}', value)
    assert '${' not in text, text
    return json.loads(text)


ROLE = f'arn:aws:iam::{ACCOUNT}:role/coffer'
MANIFEST = {
    'account': ACCOUNT, 'region': REGION,
    'roles': [{'name': 'coffer-consumer', 'trust': policy('iam/trust-consumer'), 'policies': [{'name': 'machine', 'document': policy(
                  'terraform/policies/machine', account=ACCOUNT, region=REGION, artifacts=VAULT, log_group='/coffer/machines', name='coffer')}]},
              {'name': 'coffer-admin', 'trust': policy('iam/trust-admin', account=ACCOUNT), 'policies': [{'name': 'setup', 'document': policy(
                  'terraform/policies/admin-setup', account=ACCOUNT, name='coffer', bucket='vault')}]}],
    'credentials': [{'name': 'root', 'root': True}, {'name': 'admin', 'role': 'coffer-admin'}, {'name': 'consumer', 'role': 'coffer-consumer'}],
    'buckets': [{'name': VAULT, 'versioning': True, 'policy': policy('terraform/policies/artifacts-bucket', account=ACCOUNT, bucket=VAULT,
                                                                     admin_role_arn=f'{ROLE}-admin')}],
}


class World(Local):
    def __init__(self):
        super().__init__(manifest=MANIFEST, serve=['--imds', 'tcp:127.0.0.1:0', '--imds-role', 'coffer-consumer'])
        self.url = (self.data / 'imds').read_text().strip()

    def boot(self, *args, **more):
        env = {k: v for k, v in self.env(**more).items() if k not in ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN')}
        env |= {'AWS_EC2_METADATA_SERVICE_ENDPOINT': self.url, 'AWS_PY_WAIT': '0.01', **more}
        p = subprocess.run([sys.executable, str(TF / 'boot/aws.py'), *map(str, args)], env=env, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        return p.returncode, p.stderr


def fetches(w):
    body = os.urandom(3 << 20)
    good, file = hashlib.sha256(body).hexdigest(), w.tmp / 'there.deb'
    (w.tmp / 'package').write_bytes(body)
    for key in ('packages/coffer-host_1.0+git~1_amd64.deb', 'images/ein Bild (1).eif'):
        code, _, err = w.coffer('put', w.tmp / 'package', f's3://{VAULT}/{key}', who='admin')
        check(f'the admin role stores {key}', code == 0, err)
        code, err = w.boot('fetch', VAULT, key, good, file)
        check(f'the machine fetches {key}', code == 0 and file.read_bytes() == body, err)
        file.unlink(missing_ok=True)
    key = 'packages/coffer-host_1.0+git~1_amd64.deb'
    code, err = w.boot('fetch', VAULT, key, good[::-1], file)
    check('other bytes than those wanted: refused, and nothing is left', code == 1 and good in err and not list(w.tmp.glob('there*')), err)
    code, err = w.boot('fetch', VAULT, 'packages/none.deb', good, file)
    check('what is not there: told, not tried for minutes', code == 1 and '403' in err or '404' in err, err)
    code, _, err = w.coffer('put', w.tmp / 'package', f's3://{VAULT}/{key}', who='consumer')
    check('the machine cannot replace a package', code != 0 and 'AccessDenied' in err, err)
    code, err = w.boot('fetch', VAULT, key, good, file, AWS_CA_BUNDLE='/dev/null')
    check('a server that nobody vouches for: refused', code == 1 and not file.exists(), err)
    code, err = w.boot('fetch', VAULT, key, good, file, AWS_EC2_METADATA_SERVICE_ENDPOINT='http://127.0.0.1:9')
    check('no metadata service: told', code == 1 and 'fetch' in err, err)
    check('wrong use: told', w.boot('fetch', VAULT)[0] == 1)


class Taken(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.taken.append((dict(self.headers), self.rfile.read(int(self.headers['Content-Length'])).decode()))
        status = self.server.answers.pop(0) if self.server.answers else 200
        self.send_response(status)
        self.send_header('Content-Length', '0')
        if status == 302:
            self.send_header('Location', '/elsewhere')
        self.end_headers()

    def log_message(self, *_):
        pass


def beats(w):
    server = http.server.HTTPServer(('127.0.0.1', 0), Taken)
    server.taken, server.answers = [], [500, 503]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (w.tmp / 'bin').mkdir(exist_ok=True)
    (w.tmp / 'bin/systemctl').write_text('#!/bin/sh\n[ "$3" = coffer-host.service ]\n')
    (w.tmp / 'bin/systemctl').chmod(0o755)
    more = {'AWS_ENDPOINT_URL': f'http://127.0.0.1:{server.server_port}', 'PATH': f'{w.tmp}/bin:{os.environ["PATH"]}'}
    code, err = w.boot('beat', 'coffer', 'coffer-host.service', **more)
    headers, body = server.taken[-1]
    form = dict(urllib.parse.parse_qsl(body))
    check('a heartbeat, after two failures of the service', code == 0 and len(server.taken) == 3 and form['Action'] == 'PutMetricData' and form['Namespace'] == 'coffer' and
          form['MetricData.member.1.MetricName'] == 'Heartbeat' and form['MetricData.member.1.Dimensions.member.1.Value'] == 'coffer-host.service', (err, body))
    check('signed for CloudWatch, with the session\'s token', f'/{REGION}/monitoring/aws4_request' in headers['Authorization'] and 'X-Amz-Security-Token' in headers, headers)
    code, err = w.boot('beat', 'coffer', 'coffer-producer.service', **more)
    check('none when the unit is not active', code == 1 and len(server.taken) == 3, err)
    server.answers = [302]
    code, err = w.boot('beat', 'coffer', 'coffer-host.service', **more)
    check('a redirect is not followed', code == 1 and len(server.taken) == 4, err)
    server.shutdown()


def allocates(tmp):
    """boot/enclave-host.sh.tftpl's allocate, on machines made of files."""
    text = (TF / 'boot/enclave-host.sh.tftpl').read_text()
    script = text.split("allocate <<'END'\n")[1].split('\nEND\n')[0].replace('$${', '\0').replace('/sys/', f'{tmp}/sys/')

    def machine(name, siblings, cpus, mib, wanted, pages=1 << 20):
        """siblings: what each CPU's thread_siblings_list says. wanted: the pool and the huge pages, or words of the refusal."""
        shutil.rmtree(tmp / 'sys', ignore_errors=True)
        for i, list_ in enumerate(siblings):
            folder = tmp / f'sys/devices/system/cpu/cpu{i}/topology'
            folder.mkdir(parents=True)
            (folder / 'thread_siblings_list').write_text(list_ + '\n')
        pool, huge = tmp / 'sys/module/nitro_enclaves/parameters/ne_cpus', tmp / 'sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages'
        for file in (pool, huge):
            file.parent.mkdir(parents=True)
        if pages == 0: # a kernel that finds none: what is written is not what is read
            huge.symlink_to('/dev/null')
        filled = script.replace('${cpus}', str(cpus)).replace('${memory_mib}', str(mib)).replace('\0', '${')
        (tmp / 'bin').mkdir(exist_ok=True)
        (tmp / 'bin/modprobe').write_text('#!/bin/sh\n[ "$*" = nitro_enclaves ]\n')
        (tmp / 'bin/modprobe').chmod(0o755)
        p = subprocess.run(['sh', '-s'], input=filled, capture_output=True, text=True, timeout=20, env={'PATH': f'{tmp}/bin:/usr/bin:/bin'})
        if isinstance(wanted, str):
            check(f'allocate: {name}', p.returncode != 0 and wanted in p.stderr, p.stderr)
        else:
            check(f'allocate: {name}', p.returncode == 0 and (pool.read_text().strip(), huge.read_text().strip()) == wanted, (p.stderr, p.returncode, pool.exists() and pool.read_text()))

    pairs = lambda n: [f'{i % n},{i % n + n}' for i in range(2 * n)]
    machine('four threads, two for the enclave: the second core', pairs(2), 2, 512, ('1,3', '256'))
    machine('sixteen, of which eight: four whole cores, never the first', pairs(8), 8, 2049, ('7,15,6,14,5,13,4,12', '1025'))
    machine('siblings written as ranges', ['0-1', '0-1', '2-3', '2-3'], 2, 64, ('2-3', '32'))
    machine('no threads beside: two cores', ['0', '1', '2', '3'], 2, 64, ('3,2', '32'))
    machine('all but the first core', pairs(4), 6, 64, ('3,7,2,6,1,5', '32'))
    machine('more than there is beside the first core', pairs(2), 4, 64, 'too few cores')
    machine('no memory in one piece', pairs(2), 2, 64, 'no 64 MiB in one piece', pages=0)


w = World()
try:
    allocates(w.tmp)
    fetches(w)
    beats(w)
finally:
    w.close()
sys.exit(check.done())
