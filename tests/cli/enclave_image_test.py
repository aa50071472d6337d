#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./do enclave-image, what of it takes no minutes: its configuration of the kernel says what it means, a configuration that came about
otherwise is named, wrong options and sources are refused with words, the image is the same whatever the umask. tests/e2e/enclave_image_test.py
boots one that was built."""
import json, os, re, subprocess, sys, tempfile
from pathlib import Path

BUILD, SOURCE = Path(os.environ['COFFER_BUILD']), Path(os.environ['COFFER_SOURCE'])
sys.path.insert(0, str(SOURCE / 'tests/tools'))
from local import Checks

HERE = SOURCE / 'deploy/enclave'
COFFER, ENCLAVE = (BUILD / 'src/prog' / p / p for p in ('coffer', 'coffer-enclave'))
check = Checks()


def run(*argv, umask=-1, **env):
    p = subprocess.run([str(a) for a in argv], capture_output=True, timeout=60, stdin=subprocess.DEVNULL, env=dict(os.environ, **env), umask=umask)
    return p.returncode, p.stdout.decode(), p.stderr.decode(errors='replace')


def fails(name, code, says, *argv, **env):
    got, out, err = run(*argv, **env)
    check(name, got == code and says in err and not out, f'exit {got}: {err}{out}')


def fragment(tmp):
    lines = [line for f in ('kernel.config', 'kernel-x86_64.config') for line in (HERE / f).read_text().splitlines() if line]
    odd = [line for line in lines if not re.fullmatch(r'CONFIG_[A-Z0-9_]+=(y|\d+|"[^"]*")|# CONFIG_[A-Z0-9_]+ is not set|#( .*)?', line)]
    check('every line of the kernel\'s configuration is one', not odd, odd)
    names = [m.group(1) for line in lines if (m := re.match(r'(?:# )?(CONFIG_[A-Z0-9_]+)(?:=| is not set$)', line))]
    check('no option is named twice', len(names) == len(set(names)) > 150, [n for n in names if names.count(n) > 1])
    on = {line[:-2] for line in lines if line.endswith('=y')}
    off = {line[2:-11] for line in lines if line.endswith(' is not set')}
    check('what an enclave\'s machine has is asked for', {f'CONFIG_{n}' for n in ('NSM', 'VIRTIO_MMIO_CMDLINE_DEVICES', 'VIRTIO_VSOCKETS', 'KVM_GUEST', 'SECCOMP_FILTER')} <= on)
    check('what it must not have is refused', {f'CONFIG_{n}' for n in ('MODULES', 'PCI', 'BLOCK', 'NETDEVICES', 'DEVMEM', 'KEXEC', 'RANDOM_TRUST_CPU')} <= off)
    whole = tmp / 'fragment'
    whole.write_text('\n'.join(lines) + '\n')
    code, out, err = run(HERE / 'kernel', '--check', whole, whole)
    check('a configuration that is what was asked for is taken', code == 0 and not err, err)
    for name, change, says in (('that an option did not survive', lambda t: t.replace('CONFIG_NSM=y\n', '# CONFIG_NSM is not set\n'), 'CONFIG_NSM=y was asked for; there is: # CONFIG_NSM is not set'),
                               ('that an option is not known any more', lambda t: t.replace('CONFIG_NSM=y\n', ''), 'CONFIG_NSM=y was asked for; there is: nothing of that name'),
                               ('that a value is another', lambda t: t.replace('NR_CPUS=256', 'NR_CPUS=64'), 'CONFIG_NR_CPUS=256 was asked for; there is: CONFIG_NR_CPUS=64'),
                               ('that a refused option came about', lambda t: t.replace('# CONFIG_PCI is not set', 'CONFIG_PCI=y'), 'CONFIG_PCI=y came about, and is refused')):
        (tmp / 'config').write_text(change(whole.read_text()))
        fails(f'told is {name}', 1, says, HERE / 'kernel', '--check', whole, tmp / 'config')
    for name, more, says in (('a line that is none', 'CONFIG_A\n', 'not a line of a configuration: CONFIG_A'), ('an option named twice', '# CONFIG_NSM is not set\n', 'CONFIG_NSM is named twice')):
        (tmp / 'bad').write_text(whole.read_text() + more)
        fails(f'told is {name}', 1, says, HERE / 'kernel', '--check', tmp / 'bad', whole)


def source(tmp):
    pinned = dict(line.split('=', 1) for line in (HERE / 'kernel.source').read_text().splitlines() if line and not line.startswith('#'))
    check('the kernel\'s source is pinned by version and digest', re.fullmatch(r'\d+\.\d+\.\d+-\d+', pinned['version']) and re.fullmatch('[0-9a-f]{64}', pinned['sha256']) and
          re.fullmatch(r'20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ', pinned['date']), pinned)
    check('and so is what comes of it', re.fullmatch('[0-9a-f]{64}', pinned['kernel_x86_64']) and pinned['compiler'].startswith('gcc '), pinned)
    if os.uname().machine != 'x86_64':
        return
    other = tmp / 'other.deb'
    other.write_bytes(b'another package')
    fails('another source than the pinned one is refused', 1, 'is not the source that kernel.source names', HERE / 'kernel', '--source', other, tmp / 'k1')
    fails('a source that is not there is', 1, 'no such file', HERE / 'kernel', '--source', tmp / 'none.deb', tmp / 'k2')
    fake = tmp / 'bin'
    fake.mkdir()
    def program(name, text):
        (fake / name).write_text(f'#!/bin/sh\n{text}\n')
        (fake / name).chmod(0o755)
    path = f'{fake}:{os.environ["PATH"]}'
    program('apt-get', 'exit 0')
    fails('without a mirror of Debian: later, and why', 4, 'apt knows no', HERE / 'kernel', tmp / 'k3', PATH=path)
    program('apt-get', 'case "$*" in *indextargets*) echo http://mirror.example/debian/; echo http://mirror.example/debian-security/ ;; *download*) echo "E: gone"; exit 100 ;; esac')
    program('apt-cache', 'echo "  linux-source | 9.9.9-1 | somewhere"; echo "  linux-source | 9.9.8-1 | somewhere"')
    code, out, err = run(HERE / 'kernel', tmp / 'k4', PATH=path)
    if Path('/usr/share/keyrings/debian-archive-keyring.gpg').exists():
        check('a version that the mirror no longer has: later, which there is, and what to do', code == 4 and f'has no {pinned["package"]} {pinned["version"]} any more' in err
              and '9.9.9-1' in err and '--source' in err and 'fetching' in err, f'exit {code}: {err}')


def options(tmp):
    image = [HERE / 'build', '--dir', tmp / 'image']
    for name, code, says, argv in (('an unknown option', 2, "unknown option '--frob'", ['--frob']), ('an option without its value', 2, '--config needs a value', ['--config']),
                                   ('a key without its certificate', 2, 'go together', ['--sign-key', HERE / 'cmdline']),
                                   ('a configuration that is not there', 1, 'cannot be read', ['--config', tmp / 'none.json']),
                                   ('an output in no folder', 1, 'no such folder', ['-o', tmp / 'no/where.eif']),
                                   ('a processor with a dynamic linker', 1, 'link it statically', ['--processor', COFFER])):
        fails(f'{name} is refused at once', code, says, *image, *argv)
    check('nothing was made', not (tmp / 'image').exists())
    code, out, _ = run(SOURCE / 'do', 'enclave-image', '--help')
    check('--help tells the options', code == 0 and all(word in out for word in ('--config', '--sign-key', '--source', 'PCR0')), out)
    fails('the demo on this kernel is one in a machine', 1, '--shippable goes with --vm', SOURCE / 'do', 'demo', '--shippable')


def configuration(tmp):
    example = json.loads((HERE / 'example.json').read_text())
    code, _, err = run(ENCLAVE, '--check-config', HERE / 'example.json')
    check('the example of a configuration is taken', code == 0 and not err, err)
    check('and is Nitro\'s: the parent is 3, the clock KVM\'s, a heartbeat is sent', example['host'].startswith('vsock:3:') and example['clocks'] == ['kvm-clock'] and example['heartbeat'] == 'vsock:3:9000')
    for name, code, change, says in (('an unknown member', 1, {'colour': 'red'}, 'colour'), ('an alias for a key', 2, {'data_key_arn': 'alias/data'}, 'data_key_arn'),
                                     ('roots without a certificate', 1, {'ca_pem': 'none'}, 'no certificate'),
                                     ('an endpoint without TLS', 2, {'endpoints': dict(example['endpoints'], s3='http://s3.example')}, 'https')):
        (tmp / 'bad.json').write_text(json.dumps({**example, **change}))
        fails(f'{name} is refused before anything is built', code, says, ENCLAVE, '--check-config', tmp / 'bad.json')


def image(tmp):
    parts = tmp / 'parts'
    (parts / 'kernel').mkdir(parents=True)
    (parts / 'kernel/vmlinuz').write_bytes(b'kernel' * 1000)
    (parts / 'kernel/version').write_text('6.12.1-coffer\n')
    (tmp / 'init').write_bytes(b'first process')
    run(COFFER, 'eif', 'ramdisk', '-o', parts / 'boot', '--file', f'init={tmp / "init"}')
    made = []
    for n, umask in enumerate((0o022, 0o077)):
        for name in ('config.json', 'program'):
            (tmp / name).write_text(name)
            (tmp / name).chmod(0o666 & ~umask)
        code, out, err = run(HERE / 'image', COFFER, parts, tmp / 'config.json', tmp / 'program', tmp / f'{n}.eif', '--name', 'x', umask=umask, SOURCE_DATE_EPOCH='1764000000')
        made.append((code, (tmp / f'{n}.eif').read_bytes() if code == 0 else err))
        pcrs = json.loads(out)['Measurements'] if code == 0 else {}
    check('the same parts give the same image, whatever the umask', made[0] == made[1] and made[0][0] == 0, [m[1] for m in made if m[0]])
    check('its measurements are printed', all(re.fullmatch('[0-9a-f]{96}', pcrs.get(f'PCR{n}', '')) for n in (0, 1, 2)), pcrs)
    key, certificate = tmp / 'key.pem', tmp / 'certificate.pem'
    run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-nodes', '-keyout', key, '-out', certificate, '-subj', '/CN=images', '-days', '2')
    code, out, err = run(HERE / 'image', COFFER, parts, tmp / 'config.json', tmp / 'program', tmp / 's.eif', '--sign-key', key, '--sign-certificate', certificate, '--pcrs', tmp / 's.json')
    signed = json.loads((tmp / 's.json').read_text())['Measurements'] if code == 0 else {}
    check('signed, it has PCR8 besides and is the same otherwise', {k: v for k, v in signed.items() if k != 'PCR8'} == pcrs and 'PCR8' in signed and json.loads(out)['Measurements'] == signed, f'{err}{signed}')
    code, out, err = run(COFFER, 'eif', 'split', tmp / '0.eif', '--dir', tmp / 'split')
    cmdline = (HERE / 'cmdline').read_text()
    check('its command line is deploy/enclave/cmdline, without the line\'s end', (tmp / 'split/cmdline').read_text() + '\n' == cmdline and cmdline.count('\n') == 1, err)
    check('which asks for the clock that a configuration allows by itself, and for an end on a panic', 'clocksource=kvm-clock' in cmdline and 'panic=1' in cmdline and 'trust_cpu' not in cmdline)
    check('it says which kernel it has', json.loads((tmp / 'split/metadata.json').read_text())['BuildMetadata']['KernelVersion'] == '6.12.1-coffer')


def main():
    with tempfile.TemporaryDirectory(prefix='coffer-test-') as tmp:
        for part in (fragment, source, options, configuration, image):
            (Path(tmp) / part.__name__).mkdir()
            part(Path(tmp) / part.__name__)
    return check.done()


sys.exit(main())
