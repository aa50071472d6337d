#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `./do package` makes of coffer (package_all_test.py has the rest): programs that need nothing of the system, packages with what belongs into them and the same bytes a second
time, each program at work against coffer-local (arm64's under qemu-user), and the names that it resolves without glibc's modules."""
import gzip, json, os, platform, shutil, socket, subprocess, sys, tempfile, threading
from pathlib import Path

BUILD, SOURCE = Path(os.environ['COFFER_BUILD']), Path(os.environ['COFFER_SOURCE'])
LOCAL = BUILD / 'src/prog/coffer-local/coffer-local'
LIMIT = 6 << 20
MACHINES = {'amd64': 'X86-64', 'arm64': 'AArch64'}
NATIVE = {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(platform.machine())
TRIPLETS = {'amd64': 'x86_64-linux-gnu', 'arm64': 'aarch64-linux-gnu'}
results = []


def check(name, ok, detail=''):
    results.append((name, bool(ok), detail))


def skip(name, why):
    results.append((f'{name} # SKIP {why}', True, ''))


def run(*argv, env=None, stdin=None, timeout=95):
    if not shutil.which(str(argv[0])):
        return 127, b'', f'{argv[0]}: not here'
    p = subprocess.run([str(a) for a in argv], capture_output=True, env=env, timeout=timeout, input=stdin,
                       stdin=subprocess.DEVNULL if stdin is None else None)
    return p.returncode, p.stdout, p.stderr.decode(errors='replace')


def lacking(arch):
    """Why a static program of the architecture cannot be built here, or None."""
    folder = Path('/usr/lib') / TRIPLETS[arch]
    missing = [lib for lib in ('libc', 'libssl', 'libcrypto', 'libjansson', 'libexpat', 'libcares', 'libseccomp')
               if not (folder / f'{lib}.a').exists()]
    if missing:
        return f'no static {" ".join(missing)} of {arch} here: ./do package installs them'
    if arch != NATIVE and (arch, NATIVE) != ('arm64', 'amd64'):
        return f'{arch} is not built on {NATIVE}'
    if arch != NATIVE and not shutil.which(f'{TRIPLETS[arch]}-gcc'):
        return f'no cross compiler for {arch} here: ./do package installs it'
    return None


class Local:
    """A coffer-local of its own, and coffer as its owner."""
    def __init__(self, tmp):
        self.data = tmp / 'data'
        self.p = subprocess.Popen([LOCAL, 'serve', '--data', self.data, '--listen', 'tcp:127.0.0.1:0'], stdout=subprocess.PIPE,
                                  stdin=subprocess.DEVNULL)
        line = self.p.stdout.readline().decode().split()
        assert line[:1] == ['ready'], 'coffer-local did not start'
        self.port = int(line[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.p.kill()
        self.p.wait(20)
        self.p.stdout.close()

    def coffer(self, command, *argv, url=None):
        env = {k: v for k, v in os.environ.items() if not k.startswith('AWS_')}
        env.update(line.split('=', 1) for line in (self.data / 'credentials/root.env').read_text().split())
        env.update(AWS_ENDPOINT_URL=url or f'https://localhost:{self.port}', AWS_MAX_ATTEMPTS='1',
                   AWS_CA_BUNDLE=str(self.data / 'tls/ca.pem'))
        return run(*command, *argv, env=env)


def static(arch, exe):
    _, out, err = run('readelf', '-hlWd', exe)
    elf = out.decode()
    check(f'{arch}: is of that architecture', MACHINES[arch] in elf.partition('Machine:')[2].partition('\n')[0], elf[:900] + err)
    check(f'{arch}: has no interpreter and needs no library', 'INTERP' not in elf and '(NEEDED)' not in elf and 'LOAD' in elf, elf)
    check(f'{arch}: may lie anywhere, and its relocated data is read-only', 'Flags: NOW PIE' in elf and 'GNU_RELRO' in elf, elf)
    check(f'{arch}: is at most 6 MiB', 0 < exe.stat().st_size <= LIMIT, str(exe.stat().st_size))
    _, out, _ = run('readelf', '-SW', exe)
    check(f'{arch}: is stripped', b'.symtab' not in out and b'.debug' not in out)


def package(arch, deb, exe, native, tmp, epoch):
    code, out, err = run('dpkg-deb', '-f', deb, 'Package', 'Architecture', 'Version', 'Depends', 'Built-Using')
    fields = dict(line.split(': ', 1) for line in out.decode().splitlines())
    check(f'{arch}: the package says what it is and what it was made from, and depends on nothing',
          fields.get('Package') == 'coffer' and fields.get('Architecture') == arch and 'Depends' not in fields and
          fields.get('Version', '') and all(f'{lib} (= ' in fields.get('Built-Using', '') for lib in ('openssl', 'glibc', 'c-ares', 'expat', 'jansson')), f'{fields} {err}')
    _, out, _ = run('dpkg-deb', '-c', deb)
    owners = {line.split()[1] for line in out.decode().splitlines()}
    check(f'{arch}: all in it is root\'s', owners == {'root/root'}, str(owners))
    root = tmp / f'root-{arch}'
    code, _, err = run('dpkg-deb', '-x', deb, root)
    check(f'{arch}: the packaged program is the one that was examined', code == 0 and
          (root / 'usr/bin/coffer').read_bytes() == exe.read_bytes() and os.access(root / 'usr/bin/coffer', os.X_OK), err)
    times = {int(f.stat().st_mtime) for f in root.rglob('*')}
    check(f'{arch}: every file has the time of the commit', times == {epoch}, f'{times} {epoch}')
    check(f'{arch}: a copyright file names the licences of what is linked in',
          all(word in (root / 'usr/share/doc/coffer/copyright').read_text() for word in ('Apache-2.0', 'LGPL-2.1+', 'libjansson', 'libcares')))
    _, out, _ = run(native, '--help')
    verbs = ['', *(line[2:18].strip() for line in out.decode().splitlines() if line.startswith('  '))]
    wrong = []
    for verb in verbs:
        page = root / 'usr/share/man/man1' / f'{"-".join(["coffer", *verb.split()])}.1.gz'
        if not page.exists() or gzip.decompress(page.read_bytes()) != run(native, *verb.split(), '--man')[1]:
            wrong.append(verb)
    check(f'{arch}: each verb has its manual page', len(verbs) >= 10 and not wrong, f'{verbs} {wrong}')


def at_work(arch, command, tmp):
    plain, key = tmp / 'plain', tmp / 'key'
    plain.write_bytes(os.urandom(300_001))
    key.write_bytes(os.urandom(32))
    ring = ['-k', f'raw-aes:a:b:{key}']
    code, sealed, err = run(*command, 'encrypt', plain, *ring)
    code2, out, err2 = run(BUILD / 'src/prog/coffer/coffer', 'decrypt', '-', *ring, stdin=sealed)
    check(f'{arch}: what it seals, the ordinary program opens', code == code2 == 0 and out == plain.read_bytes(), err + err2)
    config = tmp / 'openssl.cnf' # under which libcrypto would load a module and know no cipher
    config.write_text('openssl_conf = a\n[a]\nproviders = b\n[b]\nlegacy = c\n[c]\nactivate = 1\n')
    code, out, err = run(*command, 'decrypt', '-', *ring, stdin=sealed, env=dict(os.environ, OPENSSL_CONF=str(config)))
    check(f'{arch}: it obeys no openssl.cnf', code == 0 and out == plain.read_bytes(), err)
    with Local(tmp) as local:
        for mode in ('sse-s3', 'sse-kms'):
            back = tmp / 'back'
            code, _, err = local.coffer(command, 'put', '-e', mode, plain, 's3://coffer-local/package/test')
            code2, _, err2 = local.coffer(command, 'get', 's3://coffer-local/package/test', back)
            check(f'{arch}: put and get over TLS at localhost, {mode}', code == code2 == 0 and back.read_bytes() == plain.read_bytes(), err + err2)
            back.unlink(missing_ok=True)


# The rest runs in a network and mount namespace of its own, where this script is the only name server.

ANSWERS = {'store.example': ('127.0.0.1', 0), 'short.search.example': ('127.0.0.1', 0), 'six.example': ('::1', 0),
           'broken.example': (None, 2), 'refused.example': (None, 5)}


def answer(query):
    """The reply to a DNS query (RFC 1035 section 4.1); None: silence."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    question, name, qtype = query[12:at + 5], '.'.join(labels).lower(), int.from_bytes(query[at + 1:at + 3], 'big')
    if name.startswith('silent.'):
        return None
    address, rcode = ANSWERS.get(name, (None, 3))
    raw = b'' if address is None else socket.inet_pton(socket.AF_INET6 if ':' in address else socket.AF_INET, address)
    if len(raw) != {1: 4, 28: 16}.get(qtype):
        raw = b''
    record = b'' if not raw else b'\xc0\x0c' + query[at + 1:at + 5] + (60).to_bytes(4, 'big') + len(raw).to_bytes(2, 'big') + raw
    return query[:2] + bytes([0x81, 0x80 | rcode]) + b'\0\1' + (b'\0\1' if raw else b'\0\0') + b'\0\0\0\0' + question + record


def serve_names(sock):
    while True:
        query, peer = sock.recvfrom(4096)
        reply = answer(query)
        if reply is not None:
            sock.sendto(reply, peer)


def loopback_up():
    import fcntl, struct
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack('16sh14x', b'lo', 0x1 | 0x40)) # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING


def inside(tmp, commands):
    loopback_up()
    (tmp / 'poison.c').write_text('__attribute__((constructor)) static void taken(void) { __builtin_trap(); }\n')
    subprocess.run(['cc', '-shared', '-fPIC', '-nostdlib', '-o', tmp / 'poison.so', tmp / 'poison.c'], check=True, capture_output=True)
    for name, text in (('resolv.conf', 'search search.example\nnameserver 127.0.0.1\n'), ('nsswitch.conf', 'hosts: files poison resolve [!UNAVAIL=return] dns\n'),
                       ('hosts', '127.0.0.1 in-hosts.example\n')):
        (tmp / name).write_text(text)
        subprocess.run(['mount', '--bind', tmp / name, f'/etc/{name}'], check=True, capture_output=True)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(('127.0.0.1', 53))
    threading.Thread(target=serve_names, args=(sock,), daemon=True).start()
    with Local(tmp) as local:
        # From here on this machine has no C library, but a resolver's module that is the end of whoever loads it.
        libraries = Path('/usr/lib') / TRIPLETS[NATIVE]
        subprocess.run(['mount', '-t', 'tmpfs', 'none', libraries], check=True, capture_output=True)
        (libraries / 'libnss_poison.so.2').write_bytes((tmp / 'poison.so').read_bytes())
        for arch, command in commands.items():
            def get(host, port=local.port):
                return local.coffer(command, 'get', 's3://coffer-local/x', '-', url=f'http://{host}:{port}')
            for host, how in (('in-hosts.example', 'of /etc/hosts'), ('store.example', 'of the name server'),
                              ('STORE.example', 'in capitals'), ('short', 'in a search domain')):
                code, _, err = get(host) # plain HTTP is answered with a refusal, which is an answer
                check(f'{arch}: a name {how} leads to coffer-local', code == 1 and 'AccessDenied' in err, f'{code} {err}')
            six = socket.create_server(('::1', 0), family=socket.AF_INET6)
            six.settimeout(20)
            callers = []
            waiting = threading.Thread(target=lambda: callers.append(six.accept()))
            waiting.start()
            calling = threading.Thread(target=get, args=('six.example', six.getsockname()[1]))
            calling.start()
            waiting.join()
            for connection, _ in callers:
                connection.close()
            calling.join()
            six.close()
            check(f'{arch}: an IPv6 address of the name server is gone to, at the right port', len(callers) == 1)
            code, _, err = get('absent.example')
            check(f'{arch}: a name that is not: one clear line', code == 1 and 'absent.example: no such host' in err and err.count('\n') == 1, f'{code} {err}')
            for host in ('broken.example', 'refused.example') + (('silent.example',) if arch == NATIVE else ()): # silence takes 9 s
                code, _, err = get(host)
                check(f'{arch}: {host}, of which nobody can say: try later', code == 4 and host in err, f'{code} {err}')
    print(json.dumps(results))


def names(commands, tmp):
    if run('unshare', '-rnm', 'true')[0] != 0 or not all(Path(f'/etc/{f}').exists() for f in ('resolv.conf', 'hosts', 'nsswitch.conf')):
        return skip('names', 'no namespaces for a name server of our own here')
    code, out, err = run('unshare', '-rnm', sys.executable, __file__, '--inside', tmp, json.dumps(commands))
    check('a name server of our own', code == 0, err)
    results.extend(json.loads(out) if code == 0 else [])


def make(folder, arches, env):
    code, out, err = run(SOURCE / 'packaging/package', '--only', 'coffer', folder, *arches, env=env, timeout=440)
    if code != 0:
        check('packages are made', False, out.decode() + err)
        return {}
    return dict(reversed(line.split('  ')) for line in (folder / 'SHA256SUMS').read_text().splitlines())


def outside(tmp):
    why = {arch: lacking(arch) for arch in MACHINES}
    arches = [arch for arch in MACHINES if not why[arch]]
    for arch in MACHINES:
        if why[arch]:
            skip(f'{arch}: static program and package', why[arch])
    if why[NATIVE]:
        return
    env = dict(os.environ)
    code, out, _ = run('git', '-C', SOURCE, 'log', '-1', '--format=%ct')
    if code != 0:
        out = b'1700000000'
    env['SOURCE_DATE_EPOCH'] = out.decode().strip()
    folder = BUILD / 'package'
    sums = make(folder, arches, env)
    name = 'made anew elsewhere, program and package are the same bytes'
    if os.environ.get('COFFER_LONG'):
        again = make(tmp / 'another/folder', [NATIVE], env)
        check(name, len(again) == 3 and again.items() <= sums.items(), f'{sums} {again}')
    else:
        skip(name, 'it compiles all once more: COFFER_LONG=1 or ./do reproduce; package_all_test.py has a part of it')
    if not sums:
        return
    commands = {}
    for arch in arches:
        exe = folder / f'coffer-{arch}'
        static(arch, exe)
        package(arch, next(folder.glob(f'coffer_*_{arch}.deb')), exe, folder / f'coffer-{NATIVE}', tmp, int(env['SOURCE_DATE_EPOCH']))
        if arch == NATIVE:
            commands[arch] = [str(exe)]
        elif shutil.which('qemu-aarch64-static'):
            commands[arch] = ['qemu-aarch64-static', str(exe)]
        else:
            skip(f'{arch}: at work', 'no qemu-aarch64-static here: ./do package installs it')
    for arch, command in commands.items():
        with tempfile.TemporaryDirectory(dir=tmp) as room:
            at_work(arch, command, Path(room))
    with tempfile.TemporaryDirectory(dir=tmp) as room:
        names(commands, Path(room))


def main():
    if sys.argv[1:2] == ['--inside']:
        return inside(Path(sys.argv[2]), json.loads(sys.argv[3]))
    if NATIVE is None or not shutil.which('dpkg-deb'):
        print('1..0 # SKIP no Debian of a known architecture')
        return
    with tempfile.TemporaryDirectory(prefix='coffer-test-') as tmp:
        outside(Path(tmp))
    print(f'1..{len(results)}')
    for i, (name, ok, detail) in enumerate(results, 1):
        print(f'{"ok" if ok else "not ok"} {i} - {name}')
        if not ok:
            print('\n'.join('# ' + line for line in str(detail).splitlines()[-30:]))


main()
