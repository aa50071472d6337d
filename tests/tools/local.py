# SPDX-License-Identifier: Apache-2.0
"""coffer-local and coffer for test scripts: a server in a folder of its own, and a way to call the program against it."""
import json, os, shutil, signal, subprocess, tempfile
from pathlib import Path

BUILD = Path(os.environ['COFFER_BUILD'])
LOCAL = BUILD / 'src/prog/coffer-local/coffer-local'
COFFER = Path(os.environ.get('COFFER_PROGRAM', BUILD / 'src/prog/coffer/coffer'))
ACCOUNT = '111122223333'
KEY = f'arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab'
ALL = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': {'AWS': f'arn:aws:iam::{ACCOUNT}:root'},
                                               'Action': 'kms:*', 'Resource': '*'}]}


class Local:
    """buckets: names; one that begins with "c-" takes SSE-C. Or manifest: all of it, with a credential "root". serve: more options of
    coffer-local serve."""

    def __init__(self, *buckets, manifest=None, serve=()):
        self.options = serve
        self.tmp = Path(tempfile.mkdtemp(prefix='coffer-test-'))
        self.data = self.tmp / 'data'
        manifest = manifest or {'account': ACCOUNT, 'region': 'us-east-1', 'credentials': [{'name': 'root', 'root': True}],
                    'keys': [{'id': KEY.split('/')[1], 'policy': ALL}],
                    'buckets': [{'name': b, 'versioning': b.endswith('-v'), 'encryption': {'algorithm': 'AES256'},
                                 'block_sse_c': not b.startswith('c-')} for b in buckets]}
        (self.tmp / 'manifest.json').write_text(json.dumps(manifest))
        subprocess.run([LOCAL, 'init', '-d', self.data, '-m', self.tmp / 'manifest.json'], check=True, stdout=subprocess.DEVNULL)
        self.start()

    def start(self):
        self.p = subprocess.Popen([LOCAL, 'serve', '-d', self.data, '--listen', 'tcp:127.0.0.1:0', *self.options], stdout=subprocess.PIPE,
                                  stdin=subprocess.DEVNULL)
        line = self.p.stdout.readline().decode().split()
        assert line[:1] == ['ready'], 'coffer-local did not start'
        self.port = int(line[1])

    def env(self, who='root', **more):
        e = {k: v for k, v in os.environ.items() if not k.startswith(('AWS_', 'COFFER_STATE'))}
        for line in (self.data / f'credentials/{who}.env').read_text().split():
            k, v = line.split('=', 1)
            e[k] = v
        e.update(AWS_ENDPOINT_URL=f'https://localhost:{self.port}', AWS_REGION='us-east-1', AWS_DEFAULT_REGION='us-east-1',
                 AWS_CA_BUNDLE=str(self.data / 'tls/ca.pem'), COFFER_STATE_DIR=str(self.tmp / 'state'),
                 AWS_EC2_METADATA_DISABLED='true', HOME=str(self.tmp))
        e.update(more)
        return e

    def coffer(self, *argv, stdin=None, timeout=120, cwd=None, **env):
        """-> exit code, standard output, standard error"""
        p = subprocess.run([str(COFFER), *map(str, argv)], input=stdin, capture_output=True, timeout=timeout, cwd=cwd or self.tmp,
                           env=self.env(**env), **({} if stdin is not None else {'stdin': subprocess.DEVNULL}))
        return p.returncode, p.stdout, p.stderr.decode(errors='replace')

    def close(self):
        if self.p.poll() is None:
            self.p.send_signal(signal.SIGKILL)
            self.p.wait(20)
        self.p.stdout.close()
        shutil.rmtree(self.tmp, ignore_errors=True)


class Checks:
    """Results, printed as TAP at the end."""

    def __init__(self):
        self.lines, self.failed = [], 0

    def __call__(self, name, ok, detail=''):
        self.lines.append((name, bool(ok), None, str(detail)))
        self.failed += not ok

    def skip(self, name, why):
        self.lines.append((name, True, why, ''))

    def done(self):
        print(f'1..{len(self.lines)}')
        for i, (name, ok, why, detail) in enumerate(self.lines, 1):
            print(f'{"ok" if ok else "not ok"} {i} - {name}' + (f' # SKIP {why}' if why else ''))
            if not ok:
                for line in detail.splitlines()[:12]:
                    print('#', line[:400])
        return 1 if self.failed else 0
