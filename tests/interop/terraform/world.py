# SPDX-License-Identifier: Apache-2.0
"""Terraform on a copy of deploy/, against moto on loopback. Nothing of it touches the source tree or the network."""
import json, os, re, shutil, socket, subprocess, sys, tempfile, threading, time
from pathlib import Path

SOURCE = Path(os.environ['COFFER_SOURCE'])
ACCOUNT, REGION = '123456789012', 'eu-west-1'
COFFER = Path(os.environ['COFFER_BUILD']) / 'src/prog/coffer/coffer'
PROVIDER = 'registry.terraform.io/hashicorp/aws'


def mirror():
    """A folder with the AWS provider, as `terraform providers mirror` lays it out; None: none here."""
    named = os.environ.get('COFFER_TERRAFORM_MIRROR') or os.environ.get('TERRAFORM_MIRROR')
    usual = [Path.home() / '.terraform.d/plugins', Path.home() / '.local/share/terraform/plugins', Path('/usr/local/share/terraform/plugins'),
             Path('/usr/share/terraform/plugins'), *sorted(Path('/opt').glob('*tf-plugins*')), *sorted(Path('/opt').glob('terraform*/plugins'))]
    for place in [Path(named)] if named else usual:
        if (place / PROVIDER).is_dir():
            return place
    return None


def generated(tf, manifest):
    """What `coffer policy generate` makes of it, by name."""
    file = tf.tmp / 'deployment.json'
    file.write_text(json.dumps(manifest))
    p = subprocess.run([str(COFFER), 'policy', 'generate', '--manifest', str(file)], capture_output=True, text=True, timeout=60)
    if p.returncode != 0:
        raise RuntimeError(f'coffer policy generate: {p.stderr}')
    return json.loads(p.stdout)


class Terraform:
    def __init__(self):
        self.tmp = Path(tempfile.mkdtemp(prefix='coffer-terraform-'))
        shutil.copytree(SOURCE / 'deploy', self.tmp / 'deploy', ignore=shutil.ignore_patterns('.terraform*', '*.tfstate*', '*.auto.tfvars'))
        self.root = self.tmp / 'deploy/terraform'
        (self.tmp / 'rc').write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror()}"\n  }}\n}}\n')
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(('AWS_', 'TF_'))} | {
            'HOME': str(self.tmp), 'TF_CLI_CONFIG_FILE': str(self.tmp / 'rc'), 'CHECKPOINT_DISABLE': '1', 'TF_IN_AUTOMATION': '1',
            'TF_CLI_ARGS': '-no-color',
            'GOGC': 'off', 'GOMEMLIMIT': '1GiB', # the provider's schemas are large, and collecting garbage takes longer than the work
            'AWS_REGION': REGION, 'AWS_ACCESS_KEY_ID': 'x', 'AWS_SECRET_ACCESS_KEY': 'x', 'AWS_EC2_METADATA_DISABLED': 'true'}
        self.moto = self.provider = None

    def command(self, folder, *args):
        return ['terraform', f'-chdir={folder}', *map(str, args)]

    def run(self, folder, *args, timeout=240):
        p = subprocess.run(self.command(folder, *args), env=self.env, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
        with open(self.tmp / 'terraform.log', 'a') as log: # of use with COFFER_KEEP
            log.write(f'--- {folder.name}: {" ".join(map(str, args))}: {p.returncode}\n{p.stdout}{p.stderr}')
        return p

    def good(self, folder, *args):
        p = self.run(folder, *args)
        if p.returncode != 0:
            raise RuntimeError(f'terraform {" ".join(map(str, args))} exited {p.returncode}:\n{p.stdout[-3000:]}{p.stderr[-3000:]}')
        return p.stdout

    def start_moto(self):
        """-> whether it serves"""
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            port = s.getsockname()[1]
        self.log = open(self.tmp / 'moto.log', 'wb')
        self.moto = subprocess.Popen([sys.executable, str(Path(__file__).parent / 'emulator.py'), str(port)], stdout=self.log,
                                     stderr=subprocess.STDOUT, env=self.env, stdin=subprocess.DEVNULL)
        self.env['AWS_ENDPOINT_URL'] = f'http://127.0.0.1:{port}'
        for _ in range(600):
            try:
                socket.create_connection(('127.0.0.1', port), 1).close()
                return True
            except OSError:
                if self.moto.poll() is not None:
                    return False
                time.sleep(0.1)
        return False

    def client(self, service, region=REGION):
        import boto3
        from botocore.config import Config
        return boto3.client(service, endpoint_url=self.env['AWS_ENDPOINT_URL'], region_name=region, aws_access_key_id='x',
                            aws_secret_access_key='x', config=Config(retries={'max_attempts': 1}, s3={'addressing_style': 'path'}))

    def serve_provider(self):
        """One process of the provider for all commands to come, in place of three for each: it takes seconds to start. Its environment is
        that of now. Where it cannot be had so, Terraform starts it itself."""
        exe = next((p for p in sorted((mirror() / PROVIDER).glob('*/*/terraform-provider-aws*')) if p.is_file() and os.access(p, os.X_OK)), None)
        if exe is None:
            return
        self.provider = subprocess.Popen([str(exe), '-debug'], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True)
        timer = threading.Timer(60, self.provider.kill)
        timer.start()
        for line in self.provider.stdout:
            found = re.search(r"TF_REATTACH_PROVIDERS='(.*)'", line)
            if found:
                self.env['TF_REATTACH_PROVIDERS'] = found[1]
                threading.Thread(target=self.provider.stdout.read, daemon=True).start()
                break
        timer.cancel()

    def close(self):
        if self.provider:
            self.provider.terminate()
            try:
                self.provider.wait(20)
            except subprocess.TimeoutExpired:
                self.provider.kill()
                self.provider.wait()
        if self.moto:
            self.moto.terminate()
            try:
                self.moto.wait(20)
            except subprocess.TimeoutExpired:
                self.moto.kill()
                self.moto.wait()
            self.log.close()
        if not os.environ.get('COFFER_KEEP'):
            shutil.rmtree(self.tmp, ignore_errors=True)
